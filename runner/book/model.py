"""What a runbook says: plain values, no I/O (RUNBOOK 2 to 7).  Times are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping

from runner.values import Condition
from verifier.typed import Any, field, record

SCHEMA = 1
STEP_KINDS = ("command", "check", "gate", "probe", "wait", "manual")
INPUT_KINDS = ("text", "integer", "directory", "file", "url", "address", "secret")
THEN = ("stop-step", "stop-after", "report")
SIGNALS = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")
HOUR, MINUTE, SECOND = 3_600_000, 60_000, 1_000  # milliseconds
DONE, TO_DO = 0, 10  # what a check exits with; all else stops

Words = tuple[str, ...]


@record(frozen=True)
class After:
    """What an environment asks for: the same kit was run, and finished, in another one before."""

    environment: str
    maximum_age_days: int = 30


@record(frozen=True)
class Environment:
    """A place where the runbook is run, such as staging."""

    name: str
    after: After | None = None


@record(frozen=True)
class Input:
    """A value that a site gives in its settings.

    Attributes:
        kind: One of `INPUT_KINDS`.
        title: For people.
        default: What holds if the settings give none; empty if they must.
        free: Bytes that must be free in a directory; 0 to ask for none.
        variable: Of a secret: the variable in which programs get it.
        reachable: Whether what it names must answer before a run begins.
    """

    name: str
    kind: str
    title: str = ""
    default: str = ""
    free: int = 0
    variable: str = ""
    reachable: bool = False


@record(frozen=True)
class Program:
    """A program of the site that steps may start; its settings say where it is.

    Attributes:
        version: What to hand it to have it say its version; empty if nobody asks.
        minimum: The lowest version, as numbers with dots.
    """

    name: str
    title: str = ""
    version: Words = ()
    minimum: str = ""


@record(frozen=True)
class Stop:
    """How a program is asked to end, and how long it may take before it is killed."""

    signal: str = "TERM"
    grace: int = 10 * SECOND


@record(frozen=True)
class Retry:
    """Exit statuses after which a step is tried again; the wait doubles each time."""

    on: tuple[int, ...]
    attempts: int = 3
    wait: int = 10 * SECOND


@record(frozen=True)
class Probe:
    """Something that is measured while steps run, and what must not be.

    Attributes:
        breach: What is an alarm.
        times: How many samples in a row make it one.
        then: ``stop-step``, ``stop-after`` (the step ends first) or ``report``.
        secrets: Inputs that its program is given.
    """

    name: str
    run: Words
    breach: Condition
    title: str = ""
    every: int = 10 * SECOND
    timeout: int = MINUTE
    times: int = 1
    then: str = "stop-after"
    secrets: Words = ()


@record(frozen=True)
class Way:
    """A way back that several steps share, such as the restore of a backup.

    Attributes:
        ask: What a person must agree to first; empty if nobody is asked.
        on: Exit statuses after which `otherwise` is the way.
        otherwise: The name of another way; empty for none.
        secrets: Inputs that its programs are given.
    """

    name: str
    run: Words
    check: Words
    title: str = ""
    ask: str = ""
    timeout: int = HOUR
    on: tuple[int, ...] = ()
    otherwise: str = ""
    secrets: Words = ()


@record(frozen=True)
class Undo:
    """How one step is taken back; exactly one of ``run``, ``way``, ``ask``, ``none`` is given.

    Attributes:
        run: A command, with its own ``check``.
        on: Exit statuses of ``run`` after which the way `otherwise` is taken.
        otherwise: The name of a way.
        way: The name of a way that is taken at once.
        ask: A question that a person must judge.
        yes: The way that is taken after a yes.
        no: What is left as it is after a no, for people.
        none: Why nothing is taken back.
        brought: Whether the step that the runner brings takes itself back.
    """

    run: Words = ()
    check: Words = ()
    timeout: int = HOUR
    on: tuple[int, ...] = ()
    otherwise: str = ""
    way: str = ""
    ask: str = ""
    yes: str = ""
    no: str = ""
    none: str = ""
    brought: bool = False


@record(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: One of `STEP_KINDS`.
        enabled: Whether it is run at all; a step that waits for a contract is not.
        only: The environments in which it is run; empty for all.
        needs: Earlier steps that must be done.
        use: The name of a step that the runner brings; empty for commands of the kit.
        arguments: What it is told, as words.
        apply: The command that does the work.
        check: The command that says whether it is done.
        secrets: Inputs that its programs are given, those that take it back too.
        every: How long to wait between two looks, of a ``wait``.
        timeout: How long one attempt may take.
        leaves_running: Whether it leaves programs at work on purpose.
        expect: What must hold of its report.
        capture: Files in its scratch directory that are kept as evidence.
        no_return: Whether nothing before it can be taken back one by one once it is done.
        ask: What a person is asked, of a gate and of what is done by hand.
        people: By environment, how many must sign at a gate; 0 for a typed name.
        yes: Whether ``--yes`` may answer a gate.
        probe: The probe of a step that is one.
        watch: Probes that are sampled while it runs.
        watch_after: How long they are sampled after the last step.
    """

    id: str
    kind: str = "command"
    title: str = ""
    owner: str = ""
    enabled: bool = True
    only: Words = ()
    needs: Words = ()
    use: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    apply: Words = ()
    check: Words = ()
    secrets: Words = ()
    every: int = 5 * SECOND
    timeout: int = HOUR
    retry: Retry | None = None
    stop: Stop = Stop()
    leaves_running: bool = False
    expect: tuple[Condition, ...] = ()
    capture: Words = ()
    undo: Undo | None = None
    no_return: bool = False
    ask: str = ""
    people: Mapping[str, int] = field(default_factory=dict)
    yes: bool = False
    probe: str = ""
    watch: Words = ()
    watch_after: int = 0

    @property
    def changes(self) -> bool:
        """Whether it does something that could be taken back."""
        return self.kind in ("command", "manual")

    def runs_in(self, environment: str) -> bool:
        """Whether it is run in an environment."""
        return self.enabled and (not self.only or environment in self.only)


@record(frozen=True)
class Runbook:
    """A runbook.

    Attributes:
        python: The lowest Python that programs of the kit need, ``(3, 9)``.
        wheels: Components with wheels that programs of the kit may import.
        image: The component with the image that programs of the kit are run in, where a site has
            something that runs images; empty for none.
    """

    id: str
    steps: tuple[Step, ...]
    title: str = ""
    environments: Mapping[str, Environment] = field(default_factory=dict)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    programs: Mapping[str, Program] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    ways: Mapping[str, Way] = field(default_factory=dict)
    python: tuple[int, int] = (3, 9)
    wheels: Words = ()
    image: str = ""

    def steps_in(self, environment: str) -> tuple[Step, ...]:
        """Return the steps that are run in an environment, in order."""
        return tuple(step for step in self.steps if step.runs_in(environment))

    def step(self, name: str) -> Step | None:
        """Return a step by its id."""
        return next((step for step in self.steps if step.id == name), None)

    def commands(self) -> list[tuple[tuple[Any, ...], Words]]:
        """Return every command with its place: what a kit must carry or a site must have."""
        found: list[tuple[tuple[Any, ...], Words]] = []
        for probe in self.probes.values():
            found.append((("probe", probe.name, "run"), probe.run))
        for way in self.ways.values():
            found.append((("way", way.name, "run"), way.run))
            found.append((("way", way.name, "check"), way.check))
        for at, step in enumerate(self.steps):
            found.append((("step", at, "apply"), step.apply))
            found.append((("step", at, "check"), step.check))
            if step.undo is not None:
                found.append((("step", at, "undo", "run"), step.undo.run))
                found.append((("step", at, "undo", "check"), step.undo.check))
        return [(place, words) for place, words in found if words]
