"""An audit as one HTML file: no script, no other file, readable on screen and on A4.

What is foreign is text in a cell and nothing else: it went through `verifier.audit.tables.shown`,
so controls and characters that turn the line are spelled out, and then `html.escape`.  Each cell is
an island of its own direction (`unicode-bidi: isolate`), so right-to-left letters move nothing
around them.  The page may load nothing (its Content-Security-Policy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from verifier.audit.model import Audit
from verifier.audit.style import STYLE
from verifier.audit.tables import Table, counts, facts, headline, tables

MAX_ROWS = 20_000  # of all tables together; the JSON has the rest
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WORDS = {
    **dict.fromkeys(("met", "good", "answered", "verified"), "good"),
    **dict.fromkeys(("failed", "bad", "rejected", "open"), "bad"),
}


def audit_html(audit: Audit) -> bytes:
    """Return the audit as an HTML document in UTF-8."""
    kit = audit.report.kit
    name = f"{kit.name} {kit.version}" if kit is not None else "a kit"
    made = tables(audit, MAX_ROWS)
    return page(f"Audit of {name}", _head(audit), made, _sign_here())


def page(title: str, head: Iterable[str], made: Sequence[Table], tail: Iterable[str] = ()) -> bytes:
    """Return an HTML document: a head, tables with links to them, and what comes last.

    Args:
        title: Text that is safe to show; it is escaped here.
        head: Markup below the title.
        made: Tables.
        tail: Markup at the end.
    """
    return "".join(_document(title, head, made, tail)).encode("utf-8")


def _document(
    title: str, head: Iterable[str], made: Sequence[Table], tail: Iterable[str]
) -> Iterator[str]:
    name = escape(title)
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n"
        f"<h1><bdi>{name}</bdi></h1>\n</header>\n"
    )
    yield from _contents(made)
    yield "<main>\n"
    yield from head
    left = MAX_ROWS
    for table in made:
        yield from _table(table, left)
        left = max(0, left - len(table.rows))
    yield "</main>\n"
    yield from tail
    yield "</body>\n</html>\n"


def _head(audit: Audit) -> Iterator[str]:
    verdict = headline(audit)
    word = verdict.partition(":")[0].split()[0].lower()
    yield f'<p class="verdict {_WORDS.get(word, "unsure")}">{escape(verdict)}</p>\n'
    error = audit.report.error
    if error is not None:
        yield f"<p>{_text(error.message)} <b>Fix:</b> {_text(error.fix)}</p>\n"
    yield '<dl class="counts">\n'
    for title, text in counts(audit):
        yield f"<div><dt>{escape(title)}</dt><dd>{_text(text)}</dd></div>\n"
    yield '</dl>\n<dl class="facts">\n'
    for title, text in facts(audit):
        yield f"<div><dt>{escape(title)}</dt><dd><bdi>{_text(text)}</bdi></dd></div>\n"
    yield "</dl>\n"


def _contents(made: Sequence[Table]) -> Iterator[str]:
    yield '<nav aria-label="Contents">\n<ul>\n'
    for table in made:
        title = escape(table.title)
        yield f'<li><a href="#{table.anchor}">{title}</a> ({table.count})</li>\n'
    yield "</ul>\n</nav>\n"


def _table(table: Table, left: int) -> Iterator[str]:
    title = escape(table.title)
    yield f'<section aria-labelledby="{table.anchor}">\n<h2 id="{table.anchor}">{title}</h2>\n'
    if not table.rows:
        yield f"<p>{escape(table.empty)}</p>\n</section>\n"
        return
    shown = table.rows[:left]
    if shown:
        yield f"<table>\n<caption>{title}</caption>\n<thead><tr>"
        yield from (f'<th scope="col">{escape(name)}' for name in table.columns)
        yield "</thead>\n<tbody>\n"
        yield from (_row(row, table.word) for row in shown)
        yield "</tbody>\n</table>\n"
    if table.count > len(shown):
        yield f"<p>{table.count - len(shown)} rows more are in the JSON (--json).</p>\n"
    yield "</section>\n"


def _row(row: tuple[str, ...], word: int) -> str:
    """Return a row; tags that HTML lets out are left out, since there may be 20,000 of it."""
    cells = []
    for number, cell in enumerate(row):
        kind = ""
        if number == word:
            kind = f' class="{_WORDS.get(cell, "unsure")}"'
        cells.append(f"<td{kind}>{_text(cell)}")
    return f"<tr>{''.join(cells)}\n"


def _text(text: str) -> str:
    return escape(text, quote=True)


def _sign_here() -> Iterator[str]:
    """Yield the lines for a pen, on paper."""
    yield '<footer>\n<p class="sign">Read and approved:</p>\n<dl class="sign">\n'
    for title in ("name", "date", "signature"):
        yield f"<div><dt>{title}</dt><dd></dd></div>\n"
    yield (
        "</dl>\n<p>A signature by pen is on this paper; <code>offline-kit approve</code> signs the "
        "audit itself, so that a policy can ask for it.</p>\n</footer>\n"
    )
