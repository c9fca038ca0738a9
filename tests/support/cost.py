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
_spent: Counter[str] = Counter()  # thousandths of a second by test; one name has no "::"


def _now() -> int:
    times = os.times()
    return round(1000 * (times.user + times.system + times.children_user + times.children_system))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Count what it takes to find the tests, in each worker."""
    yield
    _spent["start and collection"] += _now()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Count a test with what is made for it; who comes first pays what others share."""
    before = _now()
    try:
        return (yield)
    finally:
        _spent[item.nodeid] += _now() - before


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what this worker spent."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = dict(_spent)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker spent."""
    _spent.update(getattr(node, "workeroutput", {}).get(_KEY, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the files and the tests that cost most, in seconds."""
    files: Counter[str] = Counter()
    for name, spent in _spent.items():
        files[name.partition("::")[0]] += spent
    total = sum(_spent.values()) / 1000
    terminalreporter.section(f"{total:.0f} seconds of processor time")
    for table, most in ((files, FILES), (_spent, TESTS)):
        for name, spent in table.most_common(most):
            terminalreporter.line(f"{spent / 1000:8.2f}  {name}")
        terminalreporter.line("")
