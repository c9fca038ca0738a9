"""What a run ends with: the exit statuses of docs/explanation/running.md."""

from __future__ import annotations

import enum


class RunStatus(enum.IntEnum):
    """Process exit status of ``kit-run``; a script may rely on these and on no others.

    1 is left to the interpreter: a crash must not read as an answer.
    """

    DONE = 0
    USAGE = 2  # the command line or a file of this host is wrong
    UNDECIDED = 3  # this host could not find out, or could not begin
    REJECTED = 4  # the kit, the journal or evidence is not what it should be
    STOPPED = 5  # a step failed, was stopped or breached an alert; nothing runs
    WAITS = 6  # for a person, at a gate or a question
    STUCK = 7  # a rollback could not be finished
