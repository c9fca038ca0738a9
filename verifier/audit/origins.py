"""Where files of a kit are from, as the lock says that travels in it (``evidence/kit.lock``).

The lock is TOML in one spelling (a name, ``=``, a JSON value, each on a line of its own), so no
parser of TOML is needed, which Python has from 3.11 on only.  What is spelled otherwise is passed
over: it would say nothing, and is no error of the kit.
"""

from __future__ import annotations

import json
import re

from verifier.typed import record

LOCK = "evidence/kit.lock"
_FIELD = re.compile(r"([a-z]+) = (.+)")
_TABLE = re.compile(r"\[\[([a-z]+)\]\]")
_MAX_LINES = 2_000_000


@record(frozen=True)
class Origin:
    """Where one file, or one image, is from.

    Attributes:
        path: In the kit.
        text: A package URL, a commit, or the reference of an image.
    """

    path: str
    text: str


def read_lock(data: bytes) -> list[Origin]:
    """Return the origins that a lock gives."""
    try:
        lines = data.decode("utf-8").split("\n", _MAX_LINES)
    except UnicodeDecodeError:
        return []
    found: list[Origin] = []
    table: dict[str, str] = {}
    kind = ""
    for line in [*lines, "[[end]]"]:
        opening = _TABLE.fullmatch(line)
        if opening:
            found += _origin(kind, table)
            kind, table = opening[1], {}
            continue
        field = _FIELD.fullmatch(line)
        if field and field[2].startswith('"'):
            try:
                table[field[1]] = str(json.loads(field[2]))
            except ValueError:
                continue
    return found


def _origin(kind: str, table: dict[str, str]) -> list[Origin]:
    path = table.get("path", "")
    text = table.get("purl") or table.get("reference", "")
    if table.get("commit") and not table.get("purl"):
        text = f"commit {table['commit']}"
    return [Origin(path, text)] if kind in ("artifact", "image") and path and text else []
