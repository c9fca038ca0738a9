"""The commands of the verifier that show what is in kits: `list` and `diff`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

from verifier.core.errors import ExitStatus, KitError, NoRoot
from verifier.core.pipeline import Job, Opened, prove
from verifier.core.trust import Root, parse_chain
from verifier.pack import PackSource, is_pack
from verifier.run import prove_file
from verifier.show.changes import lines_of
from verifier.show.diff import Compared, Difference, compare, member_value, members, value
from verifier.show.difftext import text
from verifier.show.listing import json_text, listed, long_line, short_line
from verifier.show.report import Report
from verifier.show.reportvalue import report_value
from verifier.source import kit_in
from verifier.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.host.accept import Host

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


def show_difference(
    options: argparse.Namespace, root: Root | None, hosts: Sequence[Host] = ()
) -> ExitStatus:
    """Print what is different between two kits, both authenticated under one root.

    Args:
        options: The command line.
        root: The root; None if nobody gave one.
        hosts: This host, once for each kit; nothing if it has no trust directory.

    Raises:
        KitError: One of them is not what its signers signed, or nobody vouches for it.
    """
    if options.html:
        from verifier.audit.outputs import check_file  # here: mostly nothing is written

        trust = hosts[0].directory.path if hosts else ""
        check_file("--html", options.html, (options.old, options.new, options.root), trust)
    sides = [
        (kit_in(path) if not is_pack(path) else path, _look(path, root))
        for path in (options.old, options.new)
    ]
    jobs = [Job(root=root) for _ in sides]
    html = options.html or ""
    print_difference(sides[0], sides[1], jobs, as_json=options.json, html=html, hosts=hosts)
    return ExitStatus.VERIFIED


Sided = tuple[str, Compared]
"""A kit or a review pack, and what its lists say."""


def print_difference(
    old: Sided | None,
    new: Sided,
    jobs: Sequence[Job],
    *,
    as_json: bool,
    html: str = "",
    hosts: Sequence[Host] = (),
) -> None:
    """Print what is different between two kits, their contents too, and write it as HTML.

    Args:
        old: The earlier one; None for a first release.
        new: The later one.
        jobs: How each is authenticated, of those that there are, the old one first.
        as_json: Whether JSON is wanted.
        html: A file to write; empty for none.
        hosts: One for each job, whose policy names attesters; nothing for the kit signers alone.

    Raises:
        KitError: The contents of one are not what was signed, or the file cannot be written.
    """
    from verifier.audit.difference import compare_contents  # here, as above
    from verifier.audit.differenceform import contents_text, contents_value, difference_html
    from verifier.audit.order import read_contents

    given = [side for side in (old, new) if side is not None]
    asked = [*hosts, None, None]
    read = [
        read_contents(path, job, it.root, host) for (path, it), job, host in zip(given, jobs, asked)
    ]
    why = next((reason for audit, reason in read if audit is None), "")
    contents = None
    if not why:
        before, after = ([None, *(audit for audit, _ in read)])[-2:]
        assert after is not None
        contents = compare_contents(before, after)
    made = compare(old[1] if old is not None else None, new[1])
    if as_json:
        _print(difference_json(made, contents_value(contents)), end="")
    else:
        _print((f"{line}\n" for line in text(made)), end="")
        _print((f"{line}\n" for line in contents_text(contents, why)), end="")
    if html:
        from verifier.audit.outputs import write_file

        info = new[1].manifest.kit
        title = f"{info.name} {info.version}"
        write_file(html, difference_html(title, list(text(made)), contents, why))


def difference_json(made: Difference, contents: dict[str, Any] | None = None) -> Iterable[str]:
    """Yield a difference as JSON, a member a line."""
    whole = {**value(made), "contents": contents}
    yield json.dumps(whole, indent=2, sort_keys=True)[:-2] + ',\n  "members": ['
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
        job = Job(root=root, stop_after="index")
        if is_pack(path):
            source = PackSource(path)
            try:
                prove(source, job, opened)
            finally:
                source.close()
        else:
            prove_file(kit_in(path), job, opened)
    except KitError as error:
        if repr(path) not in error.where:  # there are two: say which
            error.where = f"{path!r}: {error.where}" if error.where else repr(path)
        raise
    assert opened.manifest is not None
    assert opened.index is not None
    assert opened.kit_id is not None
    assert opened.reached is not None
    index = opened.index
    chain = tuple(parse_chain(opened.roots[512:]))
    return Compared(opened.manifest, lambda: lines_of(index), opened.kit_id, chain)
