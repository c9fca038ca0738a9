"""What every step that the runner brings can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from verifier.typed import field, record

DONE, TO_DO, FAILED = 0, 10, 5
# variables that it finds its arguments and its directory for notes in
ARGUMENTS, NOTES = "OFFLINE_KIT_ARGUMENTS", "OFFLINE_KIT_NOTES"
AGAIN = 3  # a connection was lost: the same may be tried again (RUNBOOK 9.2)


class NotPossible(Exception):
    """It cannot be done, and the message says why."""


def _nobody(text: str) -> None:
    """Tell nobody."""


@record(frozen=True)
class Around:
    """What surrounds an action.

    Attributes:
        tell: Prints a line, for people.
        variables: Secrets, by the variables that the runbook names.
        notes: A directory that outlives an attempt, for this step alone; empty for none.
    """

    tell: Callable[[str], None] = _nobody
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


ALONE = Around()


class Action:
    """A step that the runner brings, with what it was told.

    The checks return an exit status: `DONE` or `TO_DO`.
    """

    def __init__(self, arguments: Mapping[str, str], around: Around = ALONE) -> None:
        self.arguments, self.around = arguments, around

    def check(self) -> int:
        """Say whether it is done."""
        raise NotPossible("has no check")

    def apply(self) -> None:
        """Do it, or what is left of it."""
        raise NotPossible("does nothing")

    def undo_check(self) -> int:
        """Say whether it is taken back."""
        raise NotPossible("cannot be taken back")

    def undo(self) -> None:
        """Take it back, or what is left of it."""
        raise NotPossible("cannot be taken back")

    def progress(self, done: int, of: int, unit: str) -> None:
        """Say how far it is, as RUNBOOK 5.3 has programs say it."""
        self.around.tell(f"progress {done}/{of} {unit}")
