"""The site as the engine sees it: programs of the kit and of the host, started with what they need.

Everything that is started was proved a moment before; nothing of the environment of the runner
reaches it but the secrets that the runbook names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from runner import processes
from runner.book.across import SITE
from runner.book.asked import secrets_of
from runner.book.model import Probe, Runbook
from runner.book.needs import KIT as KIT_PLACE
from runner.brought.action import ARGUMENTS, NOTES
from runner.masking import Masker
from runner.program import Hooks, Start, not_started, run_program, surroundings
from runner.rundir import KIT, WHEELS, RunDirectory
from runner.settings import Settings
from runner.values import NotFound, fill, look_up, read_report
from runner.watching import Rule, Sample, Watch
from runner.work import EXIT, Answer, Ended, Heard, Task, nobody
from verifier.typed import TYPE_CHECKING, Any, record, replace

if TYPE_CHECKING:
    from runner.container import Box

MAX_REPORT = 16 << 20  # bytes of a report that is read
# `-I PROGRAM` finds nothing beside the program: its directory and the wheels go on the path
LAUNCH = (
    "import runpy, sys; a = sys.argv; sys.path[:0] = [p for p in a[1:3] if p];"
    " sys.argv = a[3:]; runpy.run_path(a[3], run_name='__main__')"
)
BRING = "import sys; sys.path.insert(0, sys.argv[1]); from runner.brought.cli import main; main()"

Say = Callable[..., None]
Ask = Callable[[str, str, bool], "Answer | None"]


@record(frozen=True)
class Surroundings:
    """What a run is told of this start.

    Attributes:
        run: The id of the run.
        top: The directory or zipapp that `runner` is imported from.
        tick: Called several times a second while something runs.
        lost: Whether nobody reads any more what is shown.
        wait_for_alive: Milliseconds to wait for what an earlier runner left at work.
        end_alive: Whether to end it instead.
    """

    run: str
    top: str
    say: Say
    ask: Ask
    show: Callable[[bytes], None]
    tick: Callable[[], None] = lambda: None
    lost: Callable[[], bool] = lambda: False
    wait_for_alive: int = 10_000
    end_alive: bool = False


class Site:
    """The world of the engine; see `runner.work.World`.

    Args:
        secrets: By their names; all are kept out of outputs, whoever is given them.
        plan: The digest of the first line of the journal: no other run has it.
    """

    def __init__(
        self,
        directory: RunDirectory,
        book: Runbook,
        settings: Settings,
        secrets: Mapping[str, str],
        around: Surroundings,
        plan: str,
        box: Box | None = None,
    ) -> None:
        # the name alone is not enough: another run of the host may have it
        self._owner = f"{around.run}.{plan[:32]}"
        self._directory, self._book, self._settings = directory, book, settings
        self._around, self._box = around, box
        self._digests: dict[tuple[str, int, int, int], str] = {}
        self._secrets, self._texts = secrets, list(secrets.values())
        self._given = {step.id: secrets_of(book, step) for step in book.steps}
        self._rules = {name: Rule(probe) for name, probe in book.probes.items()}
        self._interrupted = ""
        self.asking = False  # a person, who may type Ctrl-C

    @property
    def interrupted(self) -> str:
        """Why the run shall stop; empty if it shall not."""
        return self._interrupted or ("nobody reads its output" if self._around.lost() else "")

    def interrupt(self, why: str) -> None:
        """Have the run stop; the first reason counts."""
        self._interrupted = self._interrupted or why

    # --- what the engine asks --------------------------------------------------------------------

    def run(self, task: Task, heard: Heard = nobody) -> Ended:
        """Run something to its end; see `World.run`."""
        if task.check:
            return self._look(task)
        rules = [Rule(self._book.probes[name]) for name in task.watch]

        def asked() -> str:
            for alert in watch.news():
                heard(alert)
            return self.interrupted or watch.stopping()

        with Watch(rules, self._take) as watch:
            ended, place = self._start(task, asked)
        for alert in watch.news():
            heard(alert)
        missed = self._missed(task, place) if ended.why == EXIT and ended.status == 0 else []
        evidence = dict(ended.evidence)
        if place:
            evidence["attempt-directory"] = os.path.basename(place)
            evidence.update(self._kept(task, place))
        return Ended(ended.why, ended.status, tuple(missed), watch.alarm, evidence)

    def _look(self, task: Task) -> Ended:
        ended, place = self._start(task, lambda: self.interrupted)
        if place and ended.why == EXIT and ended.status in (0, 10):
            shutil.rmtree(place, ignore_errors=True)  # thousands of looks say the same
        return ended

    def alive(self, step: str, what: str) -> Sequence[int]:
        """Return what an earlier attempt left at work; see `World.alive`."""
        mark = processes.mark_of(self._owner, step, what)
        deadline = time.monotonic() + self._around.wait_for_alive / 1000
        told = False
        while True:
            found = processes.marked(mark)
            if not found:
                return []
            if self._around.end_alive:
                owner = self._book.step(step)
                assert owner is not None
                processes.end_all(mark, owner.stop)
                self.say("ended", processes=found, step=step)
                continue
            if time.monotonic() >= deadline or self.interrupted:
                return found
            if not told:
                self.say("alive", processes=found, step=step)
                told = True
            time.sleep(0.05)

    def sample(self, probe: str, step: str) -> str:
        """Sample a probe; see `World.sample`."""
        return self._rules[probe].judge(self._take(self._book.probes[probe]))

    def ask(self, about: str, question: str, *, yes: bool) -> Answer | None:
        """Ask a person; see `World.ask`.  Ctrl-C is no answer."""
        try:
            self.asking = True
            return self._around.ask(about, question, yes)
        except KeyboardInterrupt:
            return None
        finally:
            self.asking = False

    def wait(self, milliseconds: int) -> None:
        """Wait; see `World.wait`."""
        deadline = time.monotonic() + milliseconds / 1000
        while not self.interrupted:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._around.tick()
            time.sleep(min(left, 0.1))

    def now(self) -> int:
        """Return milliseconds of a clock that never goes back."""
        return int(time.monotonic() * 1000)

    def stopping(self) -> str:
        """Return why the run shall stop."""
        return self.interrupted

    def say(self, event: str, **facts: Any) -> None:
        """Tell people what happens."""
        self._around.say(event, **facts)

    # --- starting --------------------------------------------------------------------------------

    def _start(self, task: Task, stopping: Callable[[], str]) -> tuple[Ended, str]:
        """Start something; return how it ended, and its directory, empty if there is none."""
        try:
            return self._started(task, stopping)
        except OSError as error:  # a full disk, or none in memory
            where = f"{error.filename}: " if isinstance(error.filename, str) else ""
            return not_started(f"{where}{error.strerror or error}"), ""

    def _started(self, task: Task, stopping: Callable[[], str]) -> tuple[Ended, str]:
        kind = "check" if task.check else f"{task.attempt}"
        name = f"{task.step}.{task.what}.{kind}".replace(":", "-")
        place = self._directory.attempt(name)
        scratch = os.path.join(place, "scratch")
        values = self._values(task, scratch)
        boxed = self._is_boxed(task)
        argv, variables = self._argv(task, values, boxed), self._secrets_for(task)
        if task.use:
            filled = {key: fill([word], values)[0] for key, word in task.arguments.items()}
            variables[ARGUMENTS] = json.dumps(filled, sort_keys=True)
            variables[NOTES] = self._directory.notes(task.step)
        start = Start(
            argv=argv,
            variables=variables,
            directory=scratch,
            mark=processes.mark_of(self._owner, task.step, task.what, task.attempt),
            output=os.path.join(place, "output"),
            timeout=task.timeout,
            stop=task.stop,
            leaves_running=task.leaves_running,
            limit=self._settings.limits.output,
            memory=self._settings.limits.memory,
        )
        aside = task.check or task.what.startswith("probe:")  # it would stand amid the step's lines
        show = (lambda data: None) if aside else self._around.show

        def asked() -> str:
            if not aside:  # a probe is run by a thread of its own
                self._around.tick()
            return stopping()

        with self._in_box(start, boxed) as (start, facts):
            ended = run_program(start, Masker(self._texts), Hooks(asked, show))
        facts.update(self._program(task))
        return replace(ended, evidence={**ended.evidence, **facts}), place

    def _secrets_for(self, task: Task) -> dict[str, str]:
        """Return the secrets that a task is given, by their variables: its own, and no others."""
        what, _, name = task.what.partition(":")
        if what == "probe":
            names = self._book.probes[name].secrets
        elif what == "way":
            names = self._book.ways[name].secrets
        else:
            names = self._given[task.step]
        return {self._book.inputs[one].variable: self._secrets[one] for one in names}

    def _is_boxed(self, task: Task) -> bool:
        """Whether a task is run in the image: what the runner or the site brings is not."""
        return self._box is not None and not task.use and not task.words[0].startswith(SITE)

    @contextlib.contextmanager
    def _in_box(self, start: Start, boxed: bool) -> Iterator[tuple[Start, dict[str, Any]]]:
        """Give what to start so that it is run in the image, and what is recorded of that."""
        if not boxed or self._box is None:
            yield start, {}
            return
        box, name = self._box, self._box.name(start.mark)
        given = box.words(start.argv, name, start.directory, surroundings(start), start.variables)
        with given as argv:
            facts = {"container": {"by": box.by, "image": box.digest, "name": name}}
            ending = box.ending(name)
            yield replace(start, argv=argv, ending=ending, contained=True, home=box.home), facts

    def _program(self, task: Task) -> dict[str, Any]:
        """Return which program of the site was started: its path and its digest."""
        if task.use or not task.words[0].startswith(SITE):
            return {}
        path = self._settings.programs[task.words[0][len(SITE) :]]
        try:
            status = os.stat(path)
            key = (path, status.st_ino, status.st_size, status.st_mtime_ns)
            if key not in self._digests:
                self._digests[key] = sha256_of(path)
        except OSError as error:
            return {"program": {"path": path, "error": error.strerror or str(error)}}
        return {"program": {"path": path, "sha256": self._digests[key]}}

    def _values(self, task: Task, scratch: str) -> dict[str, str]:
        return {
            **self._settings.inputs,
            "kit": self._directory.place(KIT),
            "run": self._around.run,
            "environment": self._settings.environment,
            "step": task.step,
            "attempt": str(task.attempt),
            "scratch": scratch,
            "report": os.path.join(scratch, "report"),
        }

    def _argv(self, task: Task, values: Mapping[str, str], boxed: bool) -> list[str]:
        """Return the words to start, everything of the kit among them proved again."""
        given = [*task.words, *task.arguments.values()]
        for word in given:
            _, mark, path = fill([word], {**values, "kit": "{kit}"})[0].partition(KIT_PLACE)
            if mark:
                self._directory.prove(self._directory.below(path.rstrip("/")))
        python = [sys.executable, "-I", "-B", "-c"]
        if task.use:
            mode = "check" if task.check else "undo" if task.what == "undo" else "apply"
            if task.check and task.what == "undo":
                mode = "undo-check"
            return [*python, BRING, self._around.top, task.use, mode]
        first, *rest = fill(task.words, values)
        if first.startswith(SITE):
            return [self._settings.programs[first[len(SITE) :]], *rest]
        self._directory.prove_program(first)
        path = self._directory.place(KIT, *first.split("/"))
        if not first.endswith(".py"):
            return [path, *rest]
        if boxed:  # its Python has what the image has: the wheels are for the host's
            return ["python3", *python[1:], LAUNCH, os.path.dirname(path), "", path, *rest]
        wheels = self._directory.place(WHEELS) if self._book.wheels else ""
        return [*python, LAUNCH, os.path.dirname(path), wheels, path, *rest]

    # --- what came of it -------------------------------------------------------------------------

    def _missed(self, task: Task, place: str) -> list[str]:
        """Return what of the expectations does not hold; a pointer that finds nothing does not."""
        missed = []
        scratch = os.path.join(place, "scratch")
        if task.expect:
            document, why = read_json(os.path.join(scratch, "report"))
            for one in task.expect:
                try:
                    if why:
                        raise NotFound(why)
                    if not one.holds(document):
                        found = json.dumps(look_up(document, one.pointer))[:80]
                        missed.append(f"{one} does not hold: it is {found}")
                except NotFound as error:
                    missed.append(f"{one} does not hold: {error.args[0]}")
        for name in task.capture:
            if not os.path.isfile(os.path.join(scratch, name)):
                missed.append(f"{name} was not written")
        return missed

    def _kept(self, task: Task, place: str) -> dict[str, Any]:
        """Return the digests of what a step leaves as evidence."""
        found = {}
        for name in ("report", *task.capture):
            path = os.path.join(place, "scratch", name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    found[name] = {"sha256": sha256_of(path), "size": status.st_size}
        return {"files": found} if found else {}

    def _take(self, probe: Probe) -> Sample:
        """Sample a probe once: a program that writes JSON to its report."""
        task = Task("", f"probe:{probe.name}", probe.run, timeout=probe.timeout)
        ended, place = self._start(task, lambda: "")
        document, why = read_json(os.path.join(place, "scratch", "report"))
        shutil.rmtree(place, ignore_errors=True)
        if ended.why != EXIT or ended.status != 0:
            return Sample(unreadable=f"the probe {ended.words}")
        return Sample(document, why)


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for data in iter(lambda: file.read(1 << 20), b""):
            digest.update(data)
    return digest.hexdigest()


def read_json(path: str) -> tuple[Any, str]:
    """Return what a program wrote as JSON; or why it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_REPORT + 1)
    except OSError:
        return None, "there is no report"
    if len(data) > MAX_REPORT:
        return None, f"the report has more than {MAX_REPORT} bytes"
    return read_report(data)
