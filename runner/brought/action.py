"""What every step that the runner brings can be asked."""

from __future__ import annotations

from collections.abc import Mapping

DONE, TO_DO, FAILED = 0, 10, 5


class NotPossible(Exception):
    """It cannot be done, and the message says why."""


class Action:
    """A step that the runner brings, with what it was told.

    The checks return an exit status: `DONE` or `TO_DO`.
    """

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.arguments = arguments

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
