"""What is different between two kits as text, JSON and HTML, behind what their lists say."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from verifier.audit.difference import TITLES, Contents, Row
from verifier.audit.htmlform import page
from verifier.audit.jsonform import plain_value
from verifier.audit.tables import Table, shown
from verifier.typed import Any

MAX_SHOWN = 50  # rows of one kind that are listed as text
NOT_COMPARED = "not compared"
_SIGNS = {"added": "+", "new": "+", "open again": "!", "removed": "-", "gone": "-"}


def contents_text(contents: Contents | None, why: str = "") -> Iterator[str]:
    """Yield the lines about contents.

    Args:
        contents: What is different; None if they were not compared.
        why: Why they were not.
    """
    if contents is None:
        yield ""
        yield f"contents: {NOT_COMPARED}: {shown(why)}"
        return
    same = [title for name, title in TITLES if not getattr(contents, name)]
    if same:
        yield ""
        yield f"{', '.join(same)}: the same"
    for name, title in TITLES:
        rows: tuple[Row, ...] = getattr(contents, name)
        if not rows:
            continue
        yield ""
        yield f"{title}:"
        yield from map(_line, rows[:MAX_SHOWN])
        if len(rows) > MAX_SHOWN:
            yield f"    and {len(rows) - MAX_SHOWN} more: --json has all of them"


def _line(row: Row) -> str:
    sign = _SIGNS.get(row.change, "~")
    sides = " -> ".join(filter(None, (shown(row.old), shown(row.new))))
    told = f": {sides}" if sides else ""
    word = "" if row.change in ("added", "removed", "changed") else f" ({row.change})"
    return f"  {sign} {shown(row.name)}{told}{word}"


def contents_value(contents: Contents | None) -> dict[str, Any] | None:
    """Return the same as JSON; null where they were not compared."""
    if contents is None:
        return None
    value: dict[str, Any] = plain_value(contents)
    return value


def difference_html(title: str, lines: list[str], contents: Contents | None, why: str) -> bytes:
    """Return a difference as an HTML document.

    Args:
        title: Names and versions.
        lines: What the lists of both kits say, as `verifier.show.diff.text` has it.
        contents: What is different in their contents; None if they were not compared.
        why: Why they were not.
    """
    tables = []
    for name, heading in TITLES if contents is not None else ():
        rows: tuple[Row, ...] = getattr(contents, name)
        cells = [tuple(map(shown, (row.change, row.name, row.old, row.new))) for row in rows]
        columns = ("change", "what", "old", "new")
        heading = heading[0].upper() + heading[1:]
        tables.append(Table(name, heading, "the same", columns, cells, len(rows)))
    head = ['<section aria-labelledby="lists">\n<h2 id="lists">By the signed lists</h2>\n<ul>\n']
    head += [f"<li><bdi>{escape(shown(line.strip()))}</bdi>\n" for line in lines if line.strip()]
    head.append("</ul>\n</section>\n")
    if contents is None:
        head.append(f"<p>The contents were {NOT_COMPARED}: {escape(shown(why))}</p>\n")
    return page(f"Difference: {shown(title)}", head, tables)
