"""What the engine asks of the world around it, and what it is told: plain values and Protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.book.model import Retry, Step, Stop, Words
from runner.chain import Record
from runner.values import Condition
from verifier.typed import Any, Protocol, field, record

# why a program is no longer running
EXIT, TIMEOUT, STOPPED, BREACH, MEMORY, UNKEPT, NOT_STARTED = (
    "exit timeout stopped breach memory unkept not-started".split()
)
_WORDS = {
    TIMEOUT: "took too long",
    STOPPED: "was stopped",
    BREACH: "was stopped by an alert",
    MEMORY: "took more memory than the settings allow",
    UNKEPT: "was stopped, since what it prints cannot be kept",
    NOT_STARTED: "could not be started",
}


@record(frozen=True)
class Task:
    """Something that is run for a step.

    Attributes:
        step: The step that it is for.
        what: ``apply``, ``undo``, ``way:NAME`` or ``probe:NAME``; with ``check`` set, its check.
        words: The command; empty for what the runner brings.
        use: The name of what the runner brings.
        check: Whether this only asks.
        attempt: From 1; 0 for a check.
    """

    step: str
    what: str
    words: Words = ()
    use: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    check: bool = False
    attempt: int = 0
    timeout: int = 0
    stop: Stop = Stop()
    leaves_running: bool = False
    expect: tuple[Condition, ...] = ()
    capture: Words = ()
    watch: Words = ()


@record(frozen=True)
class Ended:
    """How something that was run has ended.

    Attributes:
        why: One of `EXIT`, `TIMEOUT`, `STOPPED`, `BREACH`, `MEMORY`, `UNKEPT`, `NOT_STARTED`.
        status: Its exit status; a negative number is a signal.
        missed: What of `Task.expect` and `Task.capture` does not hold, in words.
        alarm: What a probe found meanwhile, where the run shall stop behind this step.
        evidence: What goes into the journal.
    """

    why: str
    status: int = 0
    missed: tuple[str, ...] = ()
    alarm: str = ""
    evidence: Record = field(default_factory=dict)

    @property
    def words(self) -> str:
        """How it ended, for people."""
        if self.why != EXIT:
            error = self.evidence.get("error", "")
            return _WORDS[self.why] + (f": {error}" if error else "")
        return f"was ended by signal {-self.status}" if self.status < 0 else f"exited {self.status}"


@record(frozen=True)
class Answer:
    """What a person said.

    Attributes:
        by: The name that was typed, or the user: a claim.
    """

    yes: bool
    by: str = ""
    why: str = ""


Heard = Callable[[Record], None]
"""Told of an alert: the probe, and why."""


def nobody(alert: Record) -> None:
    """Tell nobody of an alert."""


class Journal(Protocol):
    """Where records go; each is durable when `append` returns."""

    def append(self, what: Record) -> None:
        """Write a record."""


class World(Protocol):
    """What surrounds the engine: programs, time, people."""

    def run(self, task: Task, heard: Heard = ...) -> Ended:
        """Run something to its end.

        Args:
            heard: Told of each alert of the probes that watch it, when it comes up.
        """

    def alive(self, step: str, what: str) -> Sequence[int]:
        """Return processes of an earlier attempt that are still there, after waiting for them."""

    def sample(self, probe: str, step: str) -> str:
        """Sample a probe once and return what is wrong, or nothing."""

    def ask(self, about: str, question: str, *, yes: bool) -> Answer | None:
        """Ask a person; None if nobody is there to answer.  ``yes``: ``--yes`` may answer."""

    def wait(self, milliseconds: int) -> None:
        """Wait; ends early when the run shall stop."""

    def now(self) -> int:
        """Return milliseconds of a clock that never goes back."""

    def stopping(self) -> str:
        """Return why the run shall stop, or nothing."""

    def say(self, event: str, **facts: Any) -> None:
        """Tell people what happens."""


def apply_of(step: Step, attempt: int) -> Task:
    """Return the work of a step."""
    return Task(
        step.id,
        "apply",
        step.apply or (step.check if step.kind == "check" else ()),
        step.use,
        step.arguments,
        attempt=attempt,
        timeout=step.timeout,
        stop=step.stop,
        leaves_running=step.leaves_running,
        expect=step.expect,
        capture=step.capture,
        watch=step.watch,
    )


def check_of(step: Step) -> Task:
    """Return what says whether a step is done."""
    words, use = step.check, step.use
    return Task(step.id, "apply", words, use, step.arguments, check=True, timeout=step.timeout)


def backoff(retry: Retry, attempt: int) -> int:
    """Return how long to wait after an attempt, in milliseconds: it doubles, up to an hour."""
    return min(retry.wait << min(attempt - 1, 20), max(retry.wait, 3_600_000))
