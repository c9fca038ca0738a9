"""Statements of a run: in-toto's, one a step and one of all, a function of journal and kit.

Whoever packs evidence writes them with this, and whoever is given evidence writes them again and
compares.  They are for programs that read in-toto; what counts is the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from runner.book.across import SITE
from runner.book.model import Runbook, Step, Words
from runner.book.needs import KIT
from runner.chain import Read, Record, digest_of
from runner.homing.layout import JOURNAL, OUTPUTS, RUN, STEPS
from runner.state import RunState, StepState, WayState
from verifier.core.jsonstrict import compact
from verifier.core.model import STATEMENT_TYPE
from verifier.typed import Any, record

LINK = "https://in-toto.io/attestation/link/v0.3"
RUN_TYPE = "https://offline-kit.example/run/v1"
_OF_APPLY = ("done", "failed", "mark", "approval")
_ANSWERS = {"gate": "apply", "manual": "apply", "undo": "undo"}

DigestOf = Callable[[str], str]
"""From the path of a member of the kit to its SHA-256; empty if it is not known."""


@record(frozen=True)
class Told:
    """A journal and what it means.

    Attributes:
        data: Its bytes, whole lines.
        read: Its records.
        state: The state that they fold to.
        book: The runbook of the run.
    """

    data: bytes
    read: Read
    state: RunState
    book: Runbook

    @property
    def bound(self) -> Record:
        """The first record."""
        return self.state.bound


@record(frozen=True)
class Output:
    """A file that a step left, as the journal has it.

    Attributes:
        path: Where it is in the evidence.
        place: Where it is below the directory of the attempt.
        attempt: The name of that directory.
    """

    path: str
    place: str
    attempt: str
    sha256: str
    size: int


def outputs_of(number: int, one: Record) -> Iterator[Output]:
    """Yield the files of one outcome: what it printed, its report, what is captured.

    Args:
        number: The number of its line, from 1.
        one: The outcome.
    """
    attempt = one.get("attempt-directory", "")
    below = f"{OUTPUTS}{number:06d}/"
    printed = one.get("output")
    if attempt and printed:
        yield Output(f"{below}output", "output", attempt, printed["sha256"], printed["size"])
    for name, file in sorted(one.get("files", {}).items()):
        place = f"scratch/{name}"
        yield Output(f"{below}files/{name}", place, attempt, file["sha256"], file["size"])


def all_outputs(read: Read) -> Iterator[Output]:
    """Yield the files of all outcomes, in order."""
    for number, one in enumerate(read.records, start=1):
        if one["type"] == "outcome":
            yield from outputs_of(number, one)


def outputs_word(read: Read, *, carried: bool) -> str:
    """Return ``carried``, ``digests``, or ``none`` where steps left no outputs."""
    if next(all_outputs(read), None) is None:
        return "none"
    return "carried" if carried else "digests"


def statements(told: Told, digest_of_member: DigestOf, *, carried: bool) -> dict[str, bytes]:
    """Return all statements by their paths in the evidence.

    Args:
        carried: Whether outputs are in the evidence, and not only their digests.
    """
    made: dict[str, bytes] = {}
    legs, around = _legs(told.read.records), _Around(told, digest_of_member)
    steps: dict[str, dict[str, str]] = {}
    order = {step: at for at, step in enumerate(told.bound["steps"], start=1)}
    for (step, what), numbers in legs.items():
        kind, _, name = what.partition(":")
        path = f"{STEPS}way.{name}.json" if kind == "way" else ""
        path = path or f"{STEPS}{order.get(step, 0):05d}.{step}.{what}.json"
        data = compact(_link(around, step, what, numbers)) + b"\n"
        made[path] = data
        steps.setdefault(step, {})[what] = path
    made[RUN] = compact(_run(told, made, steps, carried=carried)) + b"\n"
    return made


def _legs(records: Iterable[Record]) -> dict[tuple[str, str], list[int]]:
    """Return the numbers of the records of each step and way: done once, and taken back once."""
    legs: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(records):
        kind, step = one["type"], one.get("step", "")
        what = ""
        if kind in ("intent", "outcome"):
            what = one["what"]
        elif kind in _OF_APPLY:
            what = "apply"
        elif kind == "undone":
            what = "undo"
        elif kind == "way-done":
            what = f"way:{one['way']}"
        elif kind == "answer":
            about, _, step = one["about"].partition(":")
            what = _ANSWERS.get(about, "")
            if about == "way":
                what = f"way:{step}"
        elif kind == "alert" and step:
            what = "apply"
        if what:
            legs.setdefault(("" if what.startswith("way:") else step, what), []).append(number)
    return legs


class _Around:
    """What each statement is made from, worked out once."""

    def __init__(self, told: Told, digest_of_member: DigestOf) -> None:
        self.told, self.digest_of_member = told, digest_of_member
        self.lines = [line + b"\n" for line in told.data.split(b"\n")[:-1]]
        self.starts: list[Record] = []  # for each record the start that it falls under
        start = told.bound
        for one in told.read.records:
            start = one if one["type"] == "start" else start
            self.starts.append(start)


def _link(around: _Around, step: str, what: str, numbers: list[int]) -> dict[str, Any]:
    """Return the statement of one step or way."""
    told = around.told
    records = told.read.records
    outcomes = [number for number in numbers if records[number]["type"] == "outcome"]
    last = records[outcomes[-1]] if outcomes else records[numbers[-1]]
    products = list(outputs_of(outcomes[-1] + 1, last)) if outcomes else []
    files = [one for one in products if one.place != "output"] or products
    subject = [_resource(one.path, one.sha256) for one in files]
    if not subject:
        line = around.lines[numbers[-1]]
        subject = [_resource(f"{JOURNAL}#{numbers[-1] + 1}", digest_of(line))]
    kind, _, way = what.partition(":")
    name = what if kind == "way" else step if what == "apply" else f"{step}:{what}"
    words, more = _command(told.book, step, kind, way)
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": LINK,
        "subject": subject,
        "predicate": {
            "name": name,
            "command": list(words),
            "materials": [*_materials(around, (*words, *more)), *_used(told.bound, last)],
            "byproducts": _byproducts(told, step, kind, way, numbers, last),
            "environment": _surroundings(told.bound, around.starts[numbers[-1]]),
        },
    }


def _resource(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _command(book: Runbook, step: str, kind: str, way: str) -> tuple[Words, Words]:
    """Return the words of a command as the runbook has them, and words that it is told beside."""
    if kind == "way":
        known = book.ways.get(way)
        return (known.run if known else ()), (known.check if known else ())
    found = book.step(step)
    if found is None:
        return (), ()
    if kind == "undo":
        undo = found.undo
        return (undo.run, undo.check) if undo else ((), ())
    return _apply_words(found), found.check


def _apply_words(step: Step) -> Words:
    if step.use:
        given = tuple(f"{name}={word}" for name, word in sorted(step.arguments.items()))
        return (f"runner:{step.use}", *given)
    return step.apply or step.check


def _materials(around: _Around, words: Words) -> list[dict[str, Any]]:
    """Return what a step was made from: the kit, its runbook, programs and files that it names."""
    bound = around.told.bound
    kit = bound["kit"]
    made = [
        _resource(f"{kit['name']}-{kit['version']}", bound["kitId"]),
        _resource(bound["runbookPath"], bound["runbook"]),
    ]
    paths = []
    for word in words:
        _, mark, behind = word.partition(KIT)
        paths.append(behind if mark else word)
    for path in dict.fromkeys(paths):
        sha256 = "" if path.startswith(SITE) else around.digest_of_member(path)
        if sha256:
            made.append(_resource(path, sha256))
    return made


def _used(bound: Record, last: Record) -> Iterator[dict[str, Any]]:
    """Yield what ran the program that is not of the kit's members: its image, or the site's own."""
    image = last.get("container", {}).get("image", "")
    algorithm, _, value = image.partition(":")
    if algorithm == "sha256":
        yield _resource(bound.get("image", "image"), value)
    program = last.get("program", {})
    if "sha256" in program:
        yield _resource(program["path"], program["sha256"])


def _byproducts(
    told: Told, step: str, kind: str, way: str, numbers: list[int], last: Record
) -> dict[str, Any]:
    records, state = told.read.records, told.state
    made: dict[str, Any] = {
        "began": records[numbers[0]].get("at", ""),
        "ended": records[numbers[-1]].get("at", ""),
        "records": [number + 1 for number in numbers],
    }
    for field, name in (
        ("why", "why"),
        ("status", "return-value"),
        ("durationMs", "durationMs"),
        ("output", "stdout"),
        ("missed", "missed"),
    ):
        if field in last:
            made[name] = last[field]
    if kind == "way":
        known = state.ways.get(way, WayState())
        return {**made, "status": known.status, "attempts": known.attempts}
    one = state.steps.get(step, StepState())
    if kind == "undo":
        return {**made, "status": one.undo, "attempts": one.undo_attempts}
    return {**made, "status": one.status, "how": one.how, "attempts": one.attempts}


def _surroundings(bound: Record, start: Record) -> dict[str, Any]:
    """Return where and by whom: of the start that the last record falls under."""
    return {
        "environment": bound["environment"],
        "host": start.get("host", bound["host"]),
        "operator": start.get("by", bound["operator"]),
        "python": start.get("python", bound["python"]),
        "run": bound["run"],
        "runner": bound["runner"],
        "settings": bound["settings"],
        "target": bound["target"],
    }


def _run(
    told: Told, made: Mapping[str, bytes], steps: Mapping[str, Mapping[str, str]], *, carried: bool
) -> dict[str, Any]:
    """Return the statement of the whole run."""
    bound, state, records = told.bound, told.state, told.read.records
    kit = bound["kit"]
    predicate: dict[str, Any] = {
        **_said(state),
        "began": bound["at"],
        "ended": records[-1].get("at", ""),
        "environment": bound["environment"],
        "host": bound["host"],
        "journal": {
            "head": told.read.head,
            "lines": len(records),
            "sha256": digest_of(told.data),
            "size": len(told.data),
        },
        "kit": kit,
        "operator": bound["operator"],
        "outputs": outputs_word(told.read, carried=carried),
        "policy": bound["policy"],
        "rootVersion": bound["rootVersion"],
        "run": bound["run"],
        "starts": [
            {name: one[name] for name in ("at", "boot", "by", "epoch", "host", "python")}
            for one in records
            if one["type"] == "start"
        ],
        "steps": [
            _step_line(name, one, steps.get(name, {}), made) for name, one in state.steps.items()
        ],
        "target": bound["target"],
    }
    if "after" in bound:
        predicate["after"] = bound["after"]
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": RUN_TYPE,
        "subject": [
            _resource(f"{kit['name']}-{kit['version']}", bound["kitId"]),
            _resource(bound["runbookPath"], bound["runbook"]),
        ],
        "predicate": predicate,
    }


def _said(state: RunState) -> dict[str, Any]:
    """Return how it went: what stands against it, who signed, how it ended."""
    return {
        "alerts": [
            {name: one[name] for name in ("at", "probe", "step", "why") if name in one}
            for one in state.alerts
        ],
        "approvals": [
            {"signer": signer, "step": step}
            for step, signed in sorted(state.approvals.items())
            for signer in sorted(signed)
        ],
        "overrides": list(state.overrides),
        "phase": state.phase,
        "ways": [
            {"attempts": one.attempts, "name": name, "status": one.status}
            for name, one in sorted(state.ways.items())
        ],
        "why": state.why,
    }


def _step_line(
    name: str, one: StepState, paths: Mapping[str, str], made: Mapping[str, bytes]
) -> dict[str, Any]:
    return {
        "attempts": one.attempts,
        "how": one.how,
        "id": name,
        "statements": [
            {"name": path, "sha256": digest_of(made[path])} for _, path in sorted(paths.items())
        ],
        "status": one.status,
        "undo": one.undo,
    }
