"""A runbook as its author writes it: TOML beside the spec, every mistake with its line.

The rules are those that the runner applies at the site (`runner.book`): what is refused there is
refused here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from kit.spec.positions import Lines, parse_toml
from runner.book.model import Runbook
from runner.book.parse import MAX_RUNBOOK, read_tree
from runner.book.render import render_bytes
from runner.errors import Mistake
from verifier.core.errors import Undecided, Usage

MEMBER = "runbook.json"  # RUNBOOK 1.2
MAX_SHOWN = 50  # mistakes in one message


class RunbookInvalid(Usage):
    """The runbook has mistakes; all of them are listed, each with its line and field.

    Nothing was built.  The rules are in manifests/RUNBOOK.md; the shape, for editors, is
    manifests/schema/runbook.v1.json.
    """

    code = "runbook-invalid"
    fix = "Correct the lines named and run again."

    def __init__(self, mistakes: Iterable[Mistake], lines: Lines, *, where: str) -> None:
        found = sorted(mistakes, key=lambda one: (lines[one.place], one.field, one.what))
        self.mistakes = tuple(found)
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        shown = [f"\n  {where}:{lines[one.place]}: {one}" for one in found[:MAX_SHOWN]]
        more = f"\n  and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
        super().__init__(count + "".join(shown) + more, where=where)


class RunbookUnreadable(Undecided):
    """The file of the runbook is not there, or this host could not read it."""

    code = "runbook-unreadable"
    fix = "Check the path, which is relative to the spec, and the permissions of the file."


@dataclass(frozen=True)
class Written:
    """A runbook as it was written.

    Attributes:
        where: How messages name the file.
        lines: The line of each of its fields.
    """

    book: Runbook
    where: str
    lines: Lines

    def refuse(self, mistakes: Iterable[Mistake]) -> None:
        """Raise what is wrong with it, if anything is.

        Raises:
            RunbookInvalid: Something is.
        """
        found = list(mistakes)
        if found:
            raise RunbookInvalid(found, self.lines, where=self.where)

    @property
    def member(self) -> bytes:
        """The contents of the member that a kit carries."""
        return render_bytes(self.book)


def load_runbook(path: Path) -> Written:
    """Read a runbook in TOML.

    Raises:
        RunbookUnreadable: The host refuses.
        SpecInvalid: It is not TOML.
        RunbookInvalid: It has mistakes.
    """
    where = show(path).strip("'")
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_RUNBOOK + 1)
    except OSError as error:
        raise RunbookUnreadable(error.strerror or str(error), where=where) from None
    return parse_written(raw, where=where)


def parse_written(raw: bytes, *, where: str) -> Written:
    """Return the runbook that a text in TOML is; ``where`` names it in messages.

    Raises:
        SpecInvalid: It is not TOML.
        RunbookInvalid: It has mistakes.
    """
    if len(raw) > MAX_RUNBOOK:
        what = Mistake((), f"has more than {MAX_RUNBOOK} bytes", "write less")
        raise RunbookInvalid([what], Lines(), where=where)
    values, lines = parse_toml(raw, where=where)
    book, mistakes = read_tree(values)
    if book is None:
        raise RunbookInvalid(mistakes, lines, where=where)
    return Written(book, where, lines)
