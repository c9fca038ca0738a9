"""What would leave the site, and how a run went: lines for people, values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.homing.judge import Evidence
from runner.homing.layout import JOURNAL, OUTPUTS, RUN, STEPS
from runner.homing.pack import Package
from runner.homing.statements import Told, outputs_word
from runner.telling import event_line
from verifier.typed import Any

_SHOWN = 40  # files listed one by one


def leaving_lines(package: Package, unseen: Iterable[str]) -> Iterator[str]:
    """Yield what will leave the site, before anything is written.

    Args:
        package: What would be packed.
        unseen: Secrets that this host cannot read now, and so did not look for.
    """
    told, sizes = package.told, package.sizes
    bound = told.bound
    yield f"evidence of run {bound['run']}, which is {told.state.phase}"
    yield f"line {package.info.line}, {len(sizes)} files, {sum(sizes.values())} bytes"
    yield "what is in it:"
    yield (
        f"  {JOURNAL}: every record of the run, {len(told.read.records)} lines: names of hosts,"
        " operators and signers, what the target is called, times, exit statuses, reasons that"
        " people gave, answers, alerts, and values that missed an expectation"
    )
    yield f"  {RUN}, {STEPS}*: the same as in-toto statements, {_count(sizes, STEPS)} of steps"
    printed = sorted(path for path in sizes if path.startswith(OUTPUTS))
    if printed:
        yield f"  {OUTPUTS}*: what programs printed and wrote, {len(printed)} files"
        for path in printed[:_SHOWN]:
            yield f"    {path}: {sizes[path]} bytes"
        if len(printed) > _SHOWN:
            yield f"    and {len(printed) - _SHOWN} more"
    if package.kept:
        yield f"  of {package.kept} outputs only the digests"
    yield "what stays: settings and their values, secrets, members of the kit, outputs of checks"
    for name in unseen:
        yield f"not looked for, since it cannot be read now: the secret {name}"


def _count(sizes: Iterable[str], below: str) -> int:
    return sum(path.startswith(below) for path in sizes)


def timeline(told: Told) -> Iterator[tuple[str, str]]:
    """Yield (time, text) for each record that says something to people."""
    bound = told.bound
    for one in told.read.records:
        kind, facts = one["type"], {**one}
        text = event_line(kind, facts).strip()
        if kind == "begin":
            text = f"begun by {bound['operator']} on {bound['host']}"
        elif kind == "start":
            text = f"runner {one['epoch']} started by {one['by']} on {one['host']}"
        elif kind == "answer":
            why = f": {one['why']}" if one.get("why") else ""
            text = f"{one['about']}: {one['by']} said {one['answer']}{why}"
        elif kind == "approval":
            text = f"{one['step']}: approved by {one['signer']}"
        elif kind == "mark":
            text = f"{one['step']}: marked {one['to']} by {one['by']}: {one['reason']}"
        elif kind == "override":
            text = f"in spite of a rule: {one['reason']}"
        if text:
            yield str(one.get("at", "")), text


def audit_value(evidence: Evidence) -> dict[str, Any]:
    """Return what ``evidence verify --json`` prints."""
    told, state = evidence.told, evidence.state
    bound = told.bound
    owners = {step.id: step.owner for step in told.book.steps}
    return {
        "alerts": [{"probe": one["probe"], "why": one["why"]} for one in state.alerts],
        "approvals": {step: sorted(signed) for step, signed in sorted(state.approvals.items())},
        "closed": state.phase == "closed",
        "environment": bound["environment"],
        "expectations": {"held": evidence.expected[0], "reportNotHere": evidence.expected[1]},
        "evidence": {"kitId": evidence.kit_id, "sealedBy": list(evidence.signers)},
        "host": bound["host"],
        "hosts": sorted({one["host"] for one in told.read.records if one["type"] == "start"}),
        "kit": bound["kit"],
        "kitId": bound["kitId"],
        "operator": bound["operator"],
        "outputs": outputs_word(told.read, carried=evidence.carried),
        "overrides": list(state.overrides),
        "phase": state.phase,
        "run": bound["run"],
        "runbook": bound["runbook"],
        "site": evidence.site,
        "steps": [
            {"attempts": one.attempts, "how": one.how, "id": name, "status": one.status}
            | ({"undo": one.undo} if one.undo else {})
            | ({"owner": owners[name]} if owners.get(name) else {})
            for name, one in state.steps.items()
        ],
        "target": bound["target"],
        "timeline": [{"at": at, "what": text} for at, text in timeline(told)],
        "why": state.why,
    }


def audit_lines(value: dict[str, Any]) -> Iterator[str]:
    """Yield what ``evidence verify`` prints of what `audit_value` returns."""
    kit = value["kit"]
    why = f": {value['why']}" if value["why"] else ""
    yield f"SEALED by {', '.join(value['evidence']['sealedBy'])}, site {value['site']}"
    yield f"run {value['run']} of {kit['name']} {kit['version']}, kitId {value['kitId']}"
    yield f"environment {value['environment']}, changed {value['target']}"
    yield f"on {', '.join(value['hosts']) or value['host']}, begun by {value['operator']}"
    if value["closed"]:
        yield "CLOSED: every step is done and the watch has ended"
    else:
        yield f"NOT CLOSED, unlocks nothing: {value['phase']}{why}"
    for step in value["steps"]:
        undo = f", {step['undo']}" if "undo" in step else ""
        how = f" ({step['how']})" if step["how"] not in ("", step["status"]) else ""
        owner = f", owner {step['owner']}" if "owner" in step else ""
        yield f"  {step['status'] + undo:<18} {step['id']}{how}{owner}"
    expected = value["expectations"]
    if any(expected.values()):
        yield f"  expectations of reports, looked at again: {expected['held']} hold"
    if expected["reportNotHere"]:
        yield f"  expectations whose report is not here: {expected['reportNotHere']}"
    for name, signed in value["approvals"].items():
        yield f"  signed at {name}: {', '.join(signed)}"
    for one in value["alerts"]:
        yield f"  ALERT {one['why']}"
    for reason in value["overrides"]:
        yield f"  in spite of a rule: {reason}"
    if value["outputs"] == "digests":
        yield "outputs were kept at the site; their digests are in the journal"
    yield "timeline:"
    for one in value["timeline"]:
        yield f"  {one['at']} {one['what']}"
