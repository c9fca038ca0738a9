"""Repositories as apt's users write them, narrowed to one suite (sources.list(5), both styles)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)
_FIELD = re.compile(r"([A-Za-z0-9-]+):(.*(?:\n[ \t#].*)*)")
_OWN = frozenset({"types", "suites", "uris", "enabled"})


@dataclass
class Narrowed:
    """The entries of a file that are of one suite.

    Attributes:
        text: Those entries, in the style of the file.
        uris: Addresses of their repositories.
        suites: All suites that the file knows.
    """

    text: str = ""
    uris: list[str] = field(default_factory=list)
    suites: set[str] = field(default_factory=set)


def narrowed(text: str, style: str, suite: str, *, flat: bool) -> Narrowed:
    """Return the entries of ``suite``, and of what hangs on it: ``suite-updates``, say.

    Args:
        style: ``list`` for lines, ``sources`` for paragraphs.
        flat: Whether repositories without suites are taken, too.
    """
    found = Narrowed()
    entries = _lines(text) if style == "list" else _paragraphs(text)
    for suites, uris, write in entries:
        found.suites.update(suites)
        mine = [one for one in suites if _is_of(one, suite) or (flat and one.endswith("/"))]
        if mine:
            found.text += write(mine)
            found.uris += uris
    return found


def _is_of(one: str, suite: str) -> bool:
    return one == suite or one.startswith((f"{suite}-", f"{suite}/"))


class _Entry:
    """Writes an entry again with fewer suites."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after

    def __call__(self, suites: list[str]) -> str:
        return f"{self._before}{' '.join(suites)}{self._after}"


def _lines(text: str) -> Iterator[tuple[list[str], list[str], _Entry]]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            options = f"[{match['options']}] " if match["options"] else ""
            entry = _Entry(f"deb {options}{match['uri']} ", f"{match['rest']}\n")
            yield [match["suite"]], [match["uri"]], entry


def _paragraphs(text: str) -> Iterator[tuple[list[str], list[str], _Entry]]:
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n[ \t]*\n", plain):
        fields = {match[1].lower(): match[2] for match in _FIELD.finditer(paragraph)}
        words = {name: fields.get(name, "").split() for name in _OWN}
        if "deb" not in words["types"] or words["enabled"] in (["no"], ["false"], ["0"]):
            continue
        kept = "".join(f"{key}:{value}\n" for key, value in fields.items() if key not in _OWN)
        before = f"Types: deb\nURIs: {' '.join(words['uris'])}\nSuites: "
        yield words["suites"], words["uris"], _Entry(before, f"\n{kept}\n")
