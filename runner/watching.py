"""Probes: sampled while a step runs and after the run, each by its own rule over samples."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from runner.book.model import Probe
from runner.chain import Record
from runner.values import NotFound
from runner.work import BREACH
from verifier.typed import Any, record


@record(frozen=True)
class Sample:
    """One sample: a JSON document, or why there is none."""

    document: Any = None
    unreadable: str = ""


Take = Callable[[Probe], Sample]
"""Samples a probe once."""


class Rule:
    """What the samples of one probe mean so far."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._bad = 0
        self._numbers: list[float] = []

    def judge(self, sample: Sample) -> str:
        """Take a sample; return the alarm that it is, or nothing.

        A probe that cannot be read is a breach: an alarm that is deaf is none.
        """
        probe = self.probe
        try:
            if sample.unreadable:
                raise NotFound(sample.unreadable)
            if probe.breach.operator == "rises":
                return self._rises(probe.breach.number(sample.document))
            bad = probe.breach.holds(sample.document)
            why = str(probe.breach)
        except NotFound as error:
            bad, why = True, str(error.args[0])
        self._bad = self._bad + 1 if bad else 0
        if self._bad < probe.times:
            return ""
        times = f" ({self._bad} samples in a row)" if probe.times > 1 else ""
        return f"{probe.name}: {why}{times}"[:400]

    def _rises(self, number: float) -> str:
        self._bad = 0
        self._numbers = [*self._numbers, number][-self.probe.times - 1 :]
        pairs = list(zip(self._numbers, self._numbers[1:]))
        if len(pairs) < self.probe.times or not all(one < other for one, other in pairs):
            return ""
        first, last = self._numbers[0], self._numbers[-1]
        return f"{self.probe.name}: {self.probe.breach}, from {first:g} to {last:g}"


class Watch:
    """Samples probes beside a step, in a thread; the step is asked to stop where one says so."""

    def __init__(self, rules: Sequence[Rule], take: Take) -> None:
        self._rules, self._take = rules, take
        self._ended = threading.Event()
        self._breach = threading.Event()
        self._alarm = ""
        self._alerts: deque[Record] = deque()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        if self._rules:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._rules:
            self._thread.join()

    def stopping(self) -> str:
        """Return `BREACH` when the step shall stop now."""
        return BREACH if self._breach.is_set() else ""

    def news(self) -> Iterator[Record]:
        """Yield the alerts that came up since this was asked last, each a record."""
        while self._alerts:
            yield self._alerts.popleft()

    @property
    def alarm(self) -> str:
        """What was found, where the run shall stop behind the step."""
        return self._alarm

    def _run(self) -> None:
        due = {rule.probe.name: time.monotonic() for rule in self._rules}
        while not self._ended.is_set():
            for rule in self._rules:
                if self._ended.is_set() or time.monotonic() < due[rule.probe.name]:
                    continue
                self._sample(rule)
                due[rule.probe.name] = time.monotonic() + rule.probe.every / 1000
            self._ended.wait(max(0.01, min(0.5, min(due.values()) - time.monotonic())))

    def _sample(self, rule: Rule) -> None:
        why = rule.judge(self._take(rule.probe))
        if not why:
            return
        self._alerts.append({"probe": rule.probe.name, "why": why})
        if rule.probe.then == "stop-step":
            self._breach.set()
        if rule.probe.then != "report":
            self._alarm = self._alarm or why
