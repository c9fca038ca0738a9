"""An audit as text, for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.audit.model import Audit
from verifier.audit.tables import Table, counts, facts, headline, tables

MAX_ROWS = 50  # of one table; --json has all of them


def audit_text(audit: Audit) -> Iterator[str]:
    """Yield the lines of an audit."""
    yield headline(audit)
    yield ""
    for name, text in facts(audit):
        yield f"{name + ':':<15}{text}"
    yield ""
    for name, text in counts(audit):
        yield f"{name + ':':<22}{text}"
    for table in tables(audit, MAX_ROWS):
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield ""
    if not table.rows:
        yield f"{table.title}: {table.empty}"
        return
    yield f"{table.title}:"
    for row in table.rows:
        yield f"  - {_row(table, row)}"
    if table.count > len(table.rows):
        yield f"    and {table.count - len(table.rows)} more: --json has all of them"


def _row(table: Table, row: tuple[str, ...]) -> str:
    """Return a row as one line: what decides first, then a name for each cell but the first."""
    parts = [row[0]]
    for name, cell in list(zip(table.columns, row))[1:]:
        if cell and cell != "-":
            parts.append(f"{name}: {cell}")
    return "; ".join(parts)
