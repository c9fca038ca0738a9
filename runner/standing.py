"""What is done with a run that is there: opened, held to its first record, gone on with.

What comes before it stands in `runner.orders`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping

from runner import processes
from runner.approving import MAX_SIGNATURE, again, plan_digest, signer_of, statement
from runner.back import Backward
from runner.book.asked import asked
from runner.book.model import Runbook, Step
from runner.book.needs import way_back
from runner.chain import Record
from runner.engine import Forward
from runner.errors import OVER, RunChanged, RunElsewhere, RunMissing, RunStands
from runner.here import Clock, Here, runner_sha256, sha256
from runner.journal import JournalFile, read_journal
from runner.masking import Masker
from runner.operators import Admitted, admit, dated, load_operators
from runner.rundir import SETTINGS, RunDirectory
from runner.secret import read_secret, read_secrets
from runner.settings import Settings, load_settings, parse_settings
from runner.site import Site, Surroundings
from runner.state import GONE, RunState, fold, take
from runner.status import RunStatus
from verifier.core.errors import UsageError
from verifier.core.model import format_time
from verifier.host import files
from verifier.host.directory import TrustDirectory
from verifier.rootfile import read_file
from verifier.typed import TYPE_CHECKING, Any, record, replace

if TYPE_CHECKING:
    from runner.alerting import Alerting


class Stamped:
    """A journal that says when, and has the run stop when the disk is full."""

    def __init__(self, journal: JournalFile, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self.site: Site | None = None

    def append(self, what: Record) -> None:
        """Write a record with the time of the host; no rule hangs on that time."""
        self._journal.append({**what, "at": format_time(max(0, self._clock()))})
        if self._journal.full and self.site is not None:
            self.site.interrupt("the disk is full")


@record
class Run:
    """A run that is open for this runner alone."""

    directory: RunDirectory
    journal: JournalFile
    state: RunState
    book: Runbook
    settings: Settings

    @property
    def bound(self) -> Record:
        """The first record."""
        return self.state.bound

    def close(self) -> None:
        """Let another runner in."""
        self.journal.close()
        self.directory.close()


@record(frozen=True)
class Allowed:
    """What may be otherwise than before, with the reason; and where trust is now.

    Attributes:
        trust: The trust directory; empty for that of the first record.
    """

    changed: str = ""
    take_over: str = ""
    trust: str = ""


def look(place: str) -> RunState:
    """Return the state of a run, without a lock.

    Raises:
        KitError: There is none, or its journal is damaged.
    """
    directory = RunDirectory.at(place)
    try:
        return fold(read_journal(directory.folder).records)
    finally:
        directory.close()


def open_run(place: str, here: Here, allowed: Allowed, settings: str = "") -> Run:
    """Open a run and hold it to its first record.

    Raises:
        KitError: It is missing, busy, damaged, elsewhere, or not what it was.
    """
    directory = RunDirectory.at(place)
    journal: JournalFile | None = None
    try:
        journal = JournalFile(directory.folder)
        state = fold(journal.records)
        if not state.records:
            raise RunMissing("the journal is empty", where=repr(place))
        book = directory.load_members(state.bound)
        if settings:
            found, _ = load_settings(settings, book)
        else:
            found = parse_settings(directory.read(SETTINGS), book)
        _hold(state, found, here, allowed)
        return Run(directory, journal, state, book, found)
    except BaseException:
        if journal is not None:
            journal.close()
        directory.close()
        raise


def _hold(state: RunState, settings: Settings, here: Here, allowed: Allowed) -> None:
    """Hold this start to what the run began with."""
    bound = state.bound
    before = state.holder.get("host", bound["host"])
    if before != here.host and not allowed.take_over:
        raise RunElsewhere(f"it was last worked on by {before!r}, and this is {here.host!r}")
    now = {
        "settings": sha256(settings.bound),
        "python": here.python.rpartition(".")[0],
        "runner": runner_sha256(here.top),
    }
    then = {
        "settings": bound["settings"],
        "python": bound["python"].rpartition(".")[0],
        "runner": bound["runner"]["sha256"],
    }
    other = [name for name in now if now[name] != then[name]]
    if "python" in other:
        other[other.index("python")] = f"python ({then['python']} then, {now['python']} now)"
    if other and not allowed.changed:
        raise RunChanged(f"not what the run began with: {', '.join(other)}")


def start(run: Run, here: Here, allowed: Allowed) -> Stamped:
    """Write that a runner starts, and return where it writes from now on.

    Raises:
        RunStands: The run is at its end.
        JournalUnwritable: The host refuses.
    """
    if run.state.phase in GONE:
        raise RunStands(f"the run is {run.state.phase}", fix=OVER)
    stamped = Stamped(run.journal, here.clock)
    facts: Record = {
        "type": "start",
        "boot": processes.boot_id(),
        "by": here.operator,
        "epoch": run.state.epoch + 1,
        "host": here.host,
        "pid": os.getpid(),
        "python": here.python,
        "run": run.bound["run"],
    }
    if run.journal.torn:
        facts["torn"] = run.journal.torn
    note(run, stamped, facts)
    for reason in filter(None, [allowed.changed, allowed.take_over]):
        note(run, stamped, {"type": "override", "reason": reason})
    return stamped


def note(run: Run, journal: Stamped, what: Record) -> None:
    """Write a record, and know it."""
    journal.append(what)
    take(run.state, what)


def write_statement(run: Run, step: Step, out: str) -> None:
    """Write what each person signs at a gate into a new file.

    Raises:
        UsageError: The file is there already, or cannot be written.
    """
    try:
        files.create(os.path.abspath(out), statement(run.bound, step.id, step.ask), 0o644)
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=repr(out)) from None


def approve(run: Run, step: Step, here: Here, trust: str, signature: str) -> tuple[str, Admitted]:
    """Record the signature of a person at a gate; return who it is, and the root that says so.

    Raises:
        ApprovalInvalid: It is no operator's over this run, step and plan.
        RootExpired: Their root is past its date, and the policy enforces that.
        KitError: There is no root of operators, or the host refuses.
    """
    line, kit_id = str(run.bound["kit"]["line"]), str(run.bound["kitId"])
    admitted = admit(trust, here.clock(), line, kit_id)
    raw = read_file(signature, MAX_SIGNATURE)
    signer = signer_of(statement(run.bound, step.id, step.ask), raw, admitted.root)
    stamped = start(run, here, Allowed())
    if admitted.override:
        note(run, stamped, {"type": "override", "reason": admitted.override[:500]})
    text = raw.decode("ascii", "replace")
    what = {"type": "approval", "step": step.id, "signer": signer, "signature": text}
    note(run, stamped, {**what, "operatorsVersion": admitted.root.version})
    return signer, admitted


def go(
    run: Run,
    here: Here,
    allowed: Allowed,
    around: Surroundings,
    *,
    back: bool = False,
    past: bool = False,
    adopted: bool = False,
) -> RunStatus:
    """Go on with a run, forward or back, until it ends or something stops it.

    Raises:
        KitError: Something is not as it must be; the journal says how far it came.
    """
    needed = asked(run.book, run.settings.environment).secrets
    secrets = read_secrets(run.settings.secrets, needed, here)
    if run.state.approvals and not back:
        trust = allowed.trust or str(run.bound["trust"])
        operators = load_operators(trust, TrustDirectory(trust).load().root)
        again(run.bound, run.book, run.state, operators)
        warning = dated(operators, here.clock()).warning()
        if warning:
            around.say("warning", why=warning)
    if run.book.wheels:
        from runner import preflight  # zip files and their like are loaded by who needs them

        preflight.unpack_wheels(run.directory, list(run.bound["wheels"]))
    box = None
    if run.settings.container is not None:
        from runner.imaging import make_box

        box = make_box(run.directory, run.book, run.settings, str(run.bound["image"]))
    alerting = _alerting(run, here, secrets)
    told, plan = _told(around, alerting), plan_digest(run.bound)
    site = Site(run.directory, run.book, run.settings, secrets, told, plan, box)
    if not back:  # nobody goes on without what leads back
        for path in way_back(run.book, run.settings.environment):
            run.directory.prove_program(path)
    processes.become_subreaper()
    with _signals(site), _closing(alerting, around):
        stamped = start(run, here, allowed)
        stamped.site = site
        environment = run.settings.environment
        if back:
            return Backward(
                run.book, environment, run.state, stamped, site, past=past, adopted=adopted
            ).run()
        return Forward(run.book, environment, run.state, stamped, site).run()


def _alerting(run: Run, here: Here, secrets: Mapping[str, str]) -> Alerting | None:
    """Return who else is told, as the settings say; None if nobody is."""
    if not (run.settings.alerts.webhook or run.settings.alerts.metrics):
        return None
    from runner.alerting import Alerting, Caller, Webhook

    alerts, caller, texts = run.settings.alerts, None, list(secrets.values())
    if alerts.webhook:
        token = ""
        if alerts.token:
            token = read_secret("alerts.token", alerts.token, here)
            texts.append(token)
        caller = Caller(Webhook(alerts.webhook, alerts.ca), token)
    return Alerting(run.state, here.clock, caller, alerts.metrics, Masker(texts))


def _told(around: Surroundings, alerting: Alerting | None) -> Surroundings:
    """Return surroundings in which others are told, too."""
    if alerting is None:
        return around

    def say(event: str, **facts: Any) -> None:
        around.say(event, **facts)
        alerting.heard(event, facts)

    made: Surroundings = replace(around, say=say)
    return made


@contextlib.contextmanager
def _closing(alerting: Alerting | None, around: Surroundings) -> Iterator[None]:
    try:
        yield
    finally:
        for sentence in alerting.close() if alerting is not None else ():
            around.say("untold", why=sentence)


@contextlib.contextmanager
def _signals(site: Site) -> Iterator[None]:
    """Have what would end this process end the step first; the run then stands in its journal."""
    names = {getattr(signal, f"SIG{name}"): name for name in ("INT", "TERM", "HUP")}

    def handle(number: int, frame: object) -> None:
        site.interrupt(names[signal.Signals(number)])
        if site.asking:  # a read from a terminal goes on behind a handler that only returns
            raise KeyboardInterrupt

    before = {}
    for number in names:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
