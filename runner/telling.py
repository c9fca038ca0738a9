"""What a run says, as lines for people and as JSON for programs: text only, nothing is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from runner.book.brought import BROUGHT
from runner.book.model import Runbook, Step
from runner.book.ways import back_lines
from runner.settings import Settings
from runner.state import PHASES, STATUSES, RunState
from verifier.show.plain import plain
from verifier.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.operators import Dated

_NEXT = {
    "stopped": "resume, or rollback, or abort",
    "waiting": "resume with somebody who answers, or approve",
    "running": "resume",
    "complete": "resume",
    "watching": "resume: the watch goes on",
    "rolling-back": "rollback",
    "stuck": "rollback, when what stopped it is repaired",
}


def event_line(event: str, facts: dict[str, Any]) -> str:
    """Return the line for an event; empty for those that nobody needs to see."""
    step = facts.get("step", "")
    if event == "step":
        title = f": {facts['title']}" if facts.get("title") else ""
        owner = f" ({facts['owner']})" if facts.get("owner") else ""
        return f"{step}{title}{owner}"
    if event == "undo":
        return f"{step}: taking it back"
    if event == "outcome":
        took = f" after {facts['durationMs'] / 1000:.1f} s" if "durationMs" in facts else ""
        what = "" if facts["what"] == "apply" else f" {facts['what']}"
        missed = "".join(f"\n  missed: {one}" for one in facts.get("missed", ()))
        return f"  {step}{what}: {facts['result']} ({facts['why']}){took}{missed}"
    if event == "intent":
        return f"  {step}: {facts['what']}, attempt {facts['attempt']}"
    if event in ("done", "undone"):
        return f"  {step}: {event} ({facts['how']})"
    if event == "way-done":
        return f"  way {facts['way']}: was done already"
    if event == "failed":
        return f"  {step}: failed ({facts['why']})"
    if event == "alert":
        back = f"; back: {facts['back']}" if facts.get("back") else ""
        return f"  ALERT {facts['why']}{back}"
    if event == "phase":
        return f"{facts['phase']}" + (f": {facts['why']}" if facts.get("why") else "")
    if event == "untold":
        return f"  {facts['why']}"
    if event == "warning":
        return f"warning: {facts['why']}"
    if event == "alive":
        return f"  {step}: waiting for process {', '.join(map(str, facts['processes']))}"
    if event == "ended":
        return f"  {step}: ended process {', '.join(map(str, facts['processes']))}"
    return ""


def plan_lines(book: Runbook, settings: Settings) -> Iterator[str]:
    """Yield in words what a run will do, and how each of it is taken back."""
    title = f": {book.title}" if book.title else ""
    yield f"{book.id}{title}"
    yield f"environment {settings.environment}, changes {settings.target}"
    after = book.environments[settings.environment].after
    if after is not None:
        days = after.maximum_age_days
        yield f"only after {after.environment} with the same kit, at most {days} days ago"
    steps = book.steps_in(settings.environment)
    gone = False
    for number, step in enumerate(steps, start=1):
        title = f" {step.title}" if step.title else ""
        owner = f" ({step.owner})" if step.owner else ""
        yield f"{number:3d}. {step.id}{title}{owner}"
        yield f"     {_what(book, step, settings.environment)}"
        for line in back_lines(step):
            yield f"     back: {line}"
        if step.no_return:
            gone = True
            yield "     ---- point of no return: steps before are not taken back one by one ----"
    off = [step.id for step in book.steps if not step.runs_in(settings.environment)]
    if off:
        yield f"not run here: {', '.join(off)}"
    cannot = [step.id for step in steps if step.undo is not None and step.undo.none]
    if cannot:
        yield f"cannot be taken back: {', '.join(cannot)}"
    if not gone:
        yield "there is no point of no return"


def _what(book: Runbook, step: Step, environment: str) -> str:
    if step.use:
        return f"the runner {BROUGHT[step.use].words}"
    if step.kind == "gate":
        people = step.people.get(environment, 0)
        who = f"{people} people sign" if people else "somebody answers"
        return f"waits until {who}: {step.ask}"
    if step.kind == "manual":
        return f"a person does it: {step.ask}"
    if step.kind == "probe":
        return f"stops if {book.probes[step.probe].breach}"
    words = step.apply or step.check
    verb = "runs" if step.kind == "command" else "asks" if step.kind == "check" else "waits for"
    return f"{verb} {' '.join(words)}"


def operators_value(operators: Dated | None) -> dict[str, Any]:
    """Return what ``--json`` says of the root of the operators; nothing if there is none."""
    return {} if operators is None else {"operators": operators.value()}


def operators_lines(operators: Dated | None) -> Iterator[str]:
    """Yield that the root of the operators is past its date, if it is."""
    if operators is not None and operators.expired:
        yield f"warning: {operators.warning()}"


def unlocked_lines(after: Mapping[str, Any], override: str) -> Iterator[str]:
    """Yield why an environment may be entered that asks for another one before it."""
    if after:
        by = ", ".join(after["signers"])
        yield f"opened by run {after['run']} in {after['environment']} at {after['site']} ({by})\n"
    if override:
        yield f"let pass: {override}\n"


def status_value(state: RunState, directory: str) -> dict[str, Any]:
    """Return what ``status --json`` prints."""
    bound = state.bound
    return {
        "alerts": [{"probe": one["probe"], "why": one["why"]} for one in state.alerts],
        "environment": bound["environment"],
        "epoch": state.epoch,
        "holder": {key: state.holder.get(key) for key in ("by", "host", "pid")},
        "kitId": bound["kitId"],
        "overrides": state.overrides,
        "phase": state.phase,
        "run": bound["run"],
        "runDirectory": directory,
        "steps": {
            name: {
                "attempts": step.attempts,
                "how": step.how,
                "status": step.status,
                **({"undo": step.undo} if step.undo else {}),
            }
            for name, step in state.steps.items()
        },
        "target": bound["target"],
        "why": state.why,
    }


def status_lines(state: RunState, directory: str) -> Iterator[str]:
    """Yield what ``status`` prints: where the run is, who was on it, what can be done."""
    value = status_value(state, directory)
    why = f": {state.why}" if state.why else ""
    yield f"{state.phase}{why}"
    kit = state.bound["kit"]
    yield f"run {value['run']} of {kit['name']} {kit['version']}, kitId {value['kitId']}"
    yield f"environment {value['environment']}, changes {value['target']}"
    holder = value["holder"]
    times = "once" if state.epoch == 1 else f"{state.epoch} times"
    yield f"started {times}, last by {holder['by']} on {holder['host']}"
    for name, step in state.steps.items():
        undo = f", {step.undo}" if step.undo else ""
        how = f" ({step.how})" if step.how and step.how != step.status else ""
        yield f"  {step.status + undo:<18} {name}{how}"
    for one in value["alerts"]:
        yield f"  ALERT {one['why']}"
    for reason in state.overrides:
        yield f"  in spite of a rule: {reason}"
    if state.phase in _NEXT:
        yield f"next: {_NEXT[state.phase]}"


def metrics_lines(state: RunState) -> Iterator[str]:
    """Yield what ``status --metrics`` prints: the text format of Prometheus, version 0.0.4."""
    bound = state.bound
    labels = f'run="{_label(bound["run"])}",environment="{_label(bound["environment"])}"'
    yield "# HELP offline_kit_run_phase Whether a run is in a phase (1) or not (0)."
    yield "# TYPE offline_kit_run_phase gauge"
    for phase in PHASES:
        value = int(phase == state.phase)
        yield f'offline_kit_run_phase{{{labels},phase="{phase}"}} {value}'
    yield "# HELP offline_kit_run_steps Steps of a run by what they are."
    yield "# TYPE offline_kit_run_steps gauge"
    for status in STATUSES:
        count = sum(step.status == status for step in state.steps.values())
        yield f'offline_kit_run_steps{{{labels},status="{status}"}} {count}'
    yield "# HELP offline_kit_run_alerts_total Alerts of a run by probe."
    yield "# TYPE offline_kit_run_alerts_total counter"
    for probe in sorted({one["probe"] for one in state.alerts}):
        count = sum(one["probe"] == probe for one in state.alerts)
        yield f'offline_kit_run_alerts_total{{{labels},probe="{_label(probe)}"}} {count}'


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def staying_lines(book: Runbook, state: RunState) -> Iterator[str]:
    """Yield what stays as it is when a run is abandoned."""
    touched = [
        name
        for name, step in state.steps.items()
        if step.status != "pending" and step.undo != "undone"
    ]
    yield "nothing is taken back; what was begun stays:" if touched else "nothing was begun"
    for name in touched:
        step = book.step(name)
        title = f" {step.title}" if step is not None and step.title else ""
        yield f"  {name}{title}: {state.steps[name].status}"


def json_line(value: dict[str, Any]) -> str:
    """Return one line of JSON, for programs that read along."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def shown(data: bytes) -> str:
    """Return what a program prints, for a terminal: nothing in it moves the cursor."""
    lines = data.decode("utf-8", "backslashreplace").splitlines() or [""]
    return "\n".join(f"  | {plain(line)}" for line in lines)
