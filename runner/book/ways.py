"""How a step is taken back, in words: for plans, alerts and people at night."""

from __future__ import annotations

from collections.abc import Iterator

from runner.book.model import Runbook, Step


def back_lines(step: Step) -> Iterator[str]:
    """Yield how a step is taken back; nothing if it changes nothing."""
    undo = step.undo
    if undo is None:
        return
    if undo.none:
        yield f"no: {undo.none}"
    elif undo.run:
        other = f"; if it exits {', '.join(map(str, undo.on))}: {undo.otherwise}" if undo.on else ""
        yield f"runs {' '.join(undo.run)}{other}"
    elif undo.way:
        yield f"by {undo.way}"
    elif undo.ask:
        yield f"somebody judges: {undo.ask} Yes: {undo.yes}. No: {undo.no}."
    else:
        yield "by the runner"


def back_of(book: Runbook, step: str, probe: str) -> str:
    """Return what leads back from a breach: of the step that it came in, or that watches the probe.

    Args:
        step: Empty for a breach after the last step.
    """
    watching = [one.id for one in book.steps if probe in one.watch]
    found = book.step(step or (watching[-1] if watching else ""))
    lines = "; ".join(back_lines(found)) if found is not None else ""
    name = found.id if found is not None else ""
    return f"rollback; {name}: {lines}" if lines else "rollback"
