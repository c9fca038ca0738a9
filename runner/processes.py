"""Processes of a run: found by a mark in their environment, and ended with all that they started.

A process group is not enough: a daemon makes its own.  The mark goes with every child, whatever it
does, unless it empties its environment on purpose.  Containers are no children; their steps end
them by name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

from runner.book.model import Stop

VARIABLE = "OFFLINE_KIT_MARK"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_PAUSE = 0.02  # seconds between two looks


def mark_of(run: str, step: str, what: str, attempt: int | None = None) -> str:
    """Return the mark of what is run for a step; without an attempt, how all of them begin."""
    owner = "" if what.startswith("way:") else step  # a way is one, whoever takes it
    return f"{run}/{owner}/{what}/{'' if attempt is None else attempt}"


def become_subreaper() -> bool:
    """Have orphans of this process become its children, where the host can (Linux 3.4)."""
    try:
        return bool(ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)
    except (AttributeError, OSError, TypeError):
        return False


def can_look() -> bool:
    """Whether this host shows the environment of a process."""
    try:
        with open("/proc/self/environ", "rb"):
            return True
    except OSError:
        return False


def marked(mark: str) -> list[int]:
    """Return the processes whose mark begins so; never this one."""
    wanted = f"\x00{VARIABLE}={mark}".encode()
    found = []
    for name in sorted(os.listdir("/proc")) if os.path.isdir("/proc") else []:
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if wanted in b"\x00" + file.read():
                found.append(int(name))
    return sorted(found)


def end_all(mark: str, stop: Stop, group: int = 0, but: int = 0) -> list[int]:
    """End everything that bears a mark, and a process group: asked first, then killed.

    Args:
        but: A process that is not asked, since it would die and leave who it waits for: what runs
            a container.

    Returns:
        What was there.
    """
    number = getattr(signal, f"SIG{stop.signal}")
    there = signal_all(mark, number, 0 if but else group, but)
    deadline = time.monotonic() + stop.grace / 1000
    while time.monotonic() < deadline:
        reap(there, group)
        if not marked(mark) and not _group_lives(group):
            return there
        time.sleep(_PAUSE)
    return sorted({*there, *kill_all(mark, group)})


def kill_all(mark: str, group: int = 0) -> list[int]:
    """Kill everything that bears a mark, until nothing does: it may be starting more."""
    there: set[int] = set()
    for _ in range(250):  # five seconds: what sleeps in the kernel is not waited for longer
        now = signal_all(mark, signal.SIGKILL, group)
        there.update(now)
        reap(now, group)
        if not marked(mark) and not _group_lives(group):
            break
        time.sleep(_PAUSE)
    return sorted(there)


def signal_all(mark: str, number: int, group: int = 0, but: int = 0) -> list[int]:
    """Send a signal to everything that bears a mark, and to a process group."""
    there = marked(mark)
    if group:
        with contextlib.suppress(OSError):
            os.killpg(group, number)
    for process in there:
        if process != but:
            with contextlib.suppress(OSError):
                if not group or os.getpgid(process) != group:  # asked with its group, and once:
                    os.kill(process, number)  # to many programs the second time means "at once"
    return there


def memory_of(mark: str) -> int:
    """Return how many bytes all that bears a mark has in memory; what is shared counts twice."""
    pages = 0
    for process in marked(mark):
        place = f"/proc/{process}/statm"
        with contextlib.suppress(OSError, IndexError), open(place, encoding="ascii") as file:
            pages += int(file.read(200).split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _group_lives(group: int) -> bool:
    if not group:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _only_zombies(group)


def _only_zombies(group: int) -> bool:
    """Whether all of a group have ended and only wait to be asked how."""
    for name in sorted(os.listdir("/proc")) if os.path.isdir("/proc") else []:
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in (b"Z", b"X"):
            return False
    return os.path.isdir("/proc")


def reap(processes: list[int], but: int) -> None:
    """Ask orphans that became our children how they ended; one child is asked by who started it."""
    for process in processes:
        if process == but:
            continue
        with contextlib.suppress(OSError):
            os.waitpid(process, os.WNOHANG)


def boot_id() -> str:
    """Return what tells this boot of the host from others; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        return ""
