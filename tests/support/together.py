"""One test for a table of small questions: each is asked, and all that fail are named.

A test of its own for each row costs more than the question, where an answer takes microseconds:
it is collected by each worker, handed over and reported.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def together(
    names: str | Sequence[str],
    rows: Iterable[Any],
    *,
    ids: Iterable[object] | Callable[[Any], object] | None = None,
) -> Callable[[Test], Test]:
    """Ask about every row in one test; written as `pytest.mark.parametrize` is.

    For functions that leave nothing behind: fixtures, where there are any, are made once for all
    rows.

    Args:
        ids: What to call each row; by default what is in it.
    """
    words = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [(row,) if len(words) == 1 else tuple(row) for row in rows]
    assert table, "a table without rows asks nothing"
    assert all(len(row) == len(words) for row in table), "a row has one value for each name"
    if ids is None or callable(ids):
        call = ids if callable(ids) else reprlib.repr
        titles = [", ".join(str(call(value)) for value in row) for row in table]
    else:
        titles = [str(title) for title in ids]
    assert len(titles) == len(table), "each row has one title"

    def of(test: Test) -> Test:
        @functools.wraps(test)
        def asked(**fixtures: Any) -> None:
            failed = []
            for title, row in zip(titles, table, strict=True):
                try:
                    test(**dict(zip(words, row, strict=True)), **fixtures)
                except (Exception, pytest.fail.Exception):
                    failed.append(f"{title}:\n{traceback.format_exc()}")
            if failed:
                said = "\n".join([f"{len(failed)} of {len(table)} rows fail", *failed])
                pytest.fail(said, pytrace=False)

        signature = inspect.signature(test)
        left = [each for name, each in signature.parameters.items() if name not in words]
        asked.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return asked

    return of
