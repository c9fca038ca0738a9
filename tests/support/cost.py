"""What the suite spends its processor time on: a plugin of pytest.

    make test ARGS='-p tests.support.cost'

It adds up processor time, of a worker and of the programs that it waited for, since on a busy
machine nothing else can be compared, and ends with the files and the tests that cost most: seconds
in all, and how many of them were those of programs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.warm import SPENT

FILES, TESTS = 40, 40  # shown
_KEY = "processor-seconds"
_START = "start and collection"
# by test, and before the first: thousandths of a second in all, and of programs
_spent: dict[str, tuple[int, int]] = {_START: (0, 0)}


def _now() -> tuple[int, int]:
    times = os.times()
    programs = times.children_user + times.children_system + sum(SPENT)
    return round(1000 * (times.user + times.system + programs)), round(1000 * programs)


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
        after = _now()
        _spent[item.nodeid] = after[0] - before[0], after[1] - before[1]
        getattr(item.config, "workeroutput", {})[_KEY] = _spent  # what a worker hands over


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker spent."""
    for name, (all_of_it, programs) in getattr(node, "workeroutput", {}).get(_KEY, {}).items():
        before = _spent.get(name, (0, 0))
        _spent[name] = before[0] + all_of_it, before[1] + programs


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the files and the tests that cost most."""
    files, tests, programs = Counter[str](), Counter[str](), Counter[str]()
    for name, (all_of_it, of_programs) in _spent.items():
        tests[name] = all_of_it
        files[name.partition("::")[0]] += all_of_it
        for key in {name, name.partition("::")[0], ""}:
            programs[key] += of_programs
    total = f"{tests.total() / 1000:.0f} seconds of processor time, "
    terminalreporter.section(f"{total}{programs[''] / 1000:.0f} of programs")
    for table, most in ((files, FILES), (tests, TESTS)):
        for name, spent in table.most_common(most):
            terminalreporter.line(f"{spent / 1000:8.2f} {programs[name] / 1000:8.2f}  {name}")
        terminalreporter.line("")
