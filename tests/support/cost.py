"""What the suite spends its processor time on: a plugin of pytest.

    make test ARGS='-p tests.support.cost'

It adds up processor time, of a worker and of the programs that it waited for, since on a busy
machine nothing else can be compared, and ends with the files and the tests that cost most.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

FILES, TESTS = 40, 40  # shown
_KEY = "processor-seconds"
_START = "start and collection"
_spent: dict[str, int] = {_START: 0}  # thousandths of a second by test, and before the first


def _now() -> int:
    times = os.times()
    return round(1000 * (times.user + times.system + times.children_user + times.children_system))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Count what it takes to find the tests, in each worker."""
    yield
    _spent[_START] = _now()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Count a test with what is made for it; who comes first pays what others share."""
    before = _now()
    try:
        return (yield)
    finally:
        _spent[item.nodeid] = _now() - before
        getattr(item.config, "workeroutput", {})[_KEY] = _spent  # what a worker hands over


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker spent."""
    theirs = getattr(node, "workeroutput", {}).get(_KEY, {})
    _spent[_START] += theirs.pop(_START, 0)
    _spent.update(theirs)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the files and the tests that cost most, in seconds."""
    files: Counter[str] = Counter()
    for name, spent in _spent.items():
        files[name.partition("::")[0]] += spent
    total = sum(_spent.values()) / 1000
    terminalreporter.section(f"{total:.0f} seconds of processor time")
    for table, most in ((files, FILES), (Counter(_spent), TESTS)):
        for name, spent in table.most_common(most):
            terminalreporter.line(f"{spent / 1000:8.2f}  {name}")
        terminalreporter.line("")
