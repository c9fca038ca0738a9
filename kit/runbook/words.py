"""A runbook in words, for its author: every step with what takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kit.runbook.graph import ways_back
from runner.book.model import Runbook, Step
from runner.book.needs import programs


def outline(book: Runbook) -> Iterator[str]:
    """Yield the lines that `runbook check` prints: a dry run in which every step does its work."""
    count = len(book.steps)
    steps = "1 step" if count == 1 else f"{count} steps"
    yield f"good: {book.id}, {steps}, environments {', '.join(book.environments)}"
    for number, step in enumerate(book.steps, start=1):
        yield f"  {number:2d} {step.id}: {_what(step)}"
        for back in ways_back(step):
            yield f"       back: {back.label}{f' -> way {back.to}' if back.to else ''}"
        if step.no_return:
            yield "  == point of no return =="


def _what(step: Step) -> str:
    parts = [step.kind if not step.use else f"{step.kind} ({step.use}, brought by the runner)"]
    if step.title:
        parts.append(step.title)
    if step.owner:
        parts.append(f"owner {step.owner}")
    if not step.enabled:
        parts.append("off")
    if step.only:
        parts.append(f"only in {', '.join(step.only)}")
    if step.leaves_running:
        parts.append("leaves something running")
    return "; ".join(parts)


def summary(book: Runbook) -> dict[str, Any]:
    """Return what `runbook check --json` prints."""
    return {
        "environments": list(book.environments),
        "id": book.id,
        "inputs": {name: item.kind for name, item in book.inputs.items()},
        "programsOfTheKit": programs(book),
        "programsOfTheSite": list(book.programs),
        "steps": [{"id": step.id, "kind": step.kind, "owner": step.owner} for step in book.steps],
    }
