"""The commands of the verifier that show what is in kits: `list` and `diff`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from verifier.core.errors import ExitStatus, KitError, NoRoot
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, parse_chain
from verifier.run import prove_file
from verifier.show.diff import Compared, Difference, compare, member_value, members, text, value
from verifier.show.listing import json_text, listed, long_line, short_line
from verifier.show.report import Report, report_value
from verifier.source import kit_in

_STEP = 4096  # lines that are printed at once


def show_members(options: argparse.Namespace, opened: Opened, report: Report) -> None:
    """Print the members of a kit whose signatures are good.

    Raises:
        NoSuchMember: A component that was asked for is not there.
    """
    assert opened.index is not None
    assert opened.manifest is not None
    items = listed(opened.index, opened.manifest, options.component, options.match)
    if options.json:
        _print(json_text(report_value(report), items), end="")
        return
    line = long_line if options.long else short_line
    _print(map(line, items), end="\n")
    if report.host is not None and report.host.judgement is not None:
        from verifier.show.host import notice_lines

        for notice in notice_lines(report.host.judgement):  # the list has no place for it
            print(f"note: {notice}", file=sys.stderr)


def _print(pieces: Iterable[str], *, end: str) -> None:
    """Print pieces, some thousands at once."""
    waiting: list[str] = []
    for piece in pieces:
        waiting.append(piece + end)
        if len(waiting) == _STEP:
            print("".join(waiting), end="")
            waiting.clear()
    print("".join(waiting), end="")


def show_difference(options: argparse.Namespace, root: Root | None) -> ExitStatus:
    """Print what is different between two kits, both authenticated under one root.

    Raises:
        KitError: One of them is not what its signers signed, or nobody vouches for it.
    """
    old, new = (_look(path, root) for path in (options.old, options.new))
    made = compare(old, new)
    _print(difference_json(made) if options.json else (f"{line}\n" for line in text(made)), end="")
    return ExitStatus.VERIFIED


def difference_json(made: Difference) -> Iterable[str]:
    """Yield a difference as JSON, a member a line."""
    yield json.dumps(value(made), indent=2, sort_keys=True)[:-2] + ',\n  "members": ['
    before = "\n"
    for item in members(made.old, made.new):
        yield f"{before}    {json.dumps(member_value(*item))}"
        before = ",\n"
    yield "\n  ]\n}\n"


def _look(path: str, root: Root | None) -> Compared:
    """Authenticate a kit and its lists; nothing of its contents is read."""
    opened = Opened()
    try:
        if root is None:
            raise NoRoot("nobody vouches for this kit: no root of trust was given")
        prove_file(kit_in(path), Job(root=root, stop_after="index"), opened)
    except KitError as error:
        if repr(path) not in error.where:  # there are two: say which
            error.where = f"{path!r}: {error.where}" if error.where else repr(path)
        raise
    assert opened.manifest is not None
    assert opened.index is not None
    assert opened.kit_id is not None
    assert opened.reached is not None
    return Compared(
        opened.manifest, opened.index, opened.kit_id, parse_chain(opened.roots[512:])[-1]
    )
