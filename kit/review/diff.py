"""What is different between two kits, as ``diff.txt`` of a review pack has it (FORMAT 14.2)."""

from __future__ import annotations

from kit.review.compare import as_compared
from kit.review.head import Head
from verifier.show.diff import compare
from verifier.show.difftext import NO_OLD, text

FIRST_LINE = "offline-kit-diff/1"
__all__ = ["FIRST_LINE", "NO_OLD", "diff_text"]


def diff_text(new: Head, old: Head | None) -> str:
    """Return ``diff.txt``: what is different in ``new``; without ``old``, everything is.

    Raises:
        KitError: A kit cannot be read any more as it was.
    """
    made = compare(as_compared(old) if old is not None else None, as_compared(new))
    return "\n".join([FIRST_LINE, *text(made, in_full=True)]) + "\n"
