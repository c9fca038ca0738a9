"""What is wrong with a lock, or with a source that is fetched."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import Problem
from verifier.core.errors import Undecided, Usage


class LockMissing(Usage):
    """The spec has sources that are fetched, and there is no lock that says what they are.

    A build uses no network, so that it gives the same kit tomorrow and elsewhere.
    """

    code = "lock-missing"
    fix = "Run `offline-kit lock` with the spec, and keep kit.lock beside it in version control."


class LockStale(Usage):
    """The lock was made for other sources than the spec has now.

    What changed is named. Nothing is guessed: a build takes what the lock says or nothing.
    """

    code = "lock-stale"
    fix = "Run `offline-kit lock` with the spec, look at the difference, and keep both."


class LockInvalid(Usage):
    """The lock is no lock that `offline-kit lock` has written; all mistakes are listed.

    A lock that was edited by hand, or merged with a conflict left in it, is not repaired.

    Attributes:
        problems: The mistakes, in the order of their lines.
    """

    code = "lock-invalid"
    fix = "Take kit.lock back from version control, or remove it and run `offline-kit lock`."

    def __init__(self, problems: Sequence[Problem], *, where: str) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.field, p.found)))
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        lines = [f"\n  {where}:{problem.line}: {problem}" for problem in self.problems[:20]]
        if len(self.problems) > 20:
            lines.append(f"\n  and {len(self.problems) - 20} more")
        super().__init__(count + "".join(lines), where=where)


class LockUnreadable(Undecided):
    """The lock is there, but this host could not read or write it."""

    code = "lock-unreadable"
    fix = "Check owner, permissions and disk of the file named, then run again."
