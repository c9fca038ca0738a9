"""Runs one program to its end: its output kept, masked and bounded, its tree ended with it.

Its own process group, no terminal, no input, an environment made from nothing, umask 077.  Output
goes through a pipe that is drained all the time; a daemon that keeps it open holds up nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from runner import processes
from runner.book.model import Stop
from runner.masking import Masker
from runner.work import BREACH, EXIT, MEMORY, NOT_STARTED, STOPPED, TIMEOUT, UNKEPT, Ended
from verifier.typed import record

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT = 8 << 20  # bytes that are kept of one program
_ENDING = 30  # seconds for a command that ends a container
_LOOK = 1.0  # seconds between two looks at what is in memory
_TICK = 0.1  # seconds between two looks whether it shall stop
_LAST = 0.05  # seconds for what is still in the pipe when a daemon holds it open


@record(frozen=True)
class Start:
    """What to start, and in which surroundings.

    Attributes:
        argv: The words; the first is an absolute path.
        variables: What the environment has beside `PATH`, `LANG` and the mark.
        directory: Where it stands: empty, and its own.
        mark: What it and all that it starts are found by.
        output: The file that its output goes to.
        timeout: Milliseconds.
        limit: Bytes of output that are kept.
        memory: Bytes in memory that it and all that it starts may have; 0 for no limit.
        ending: Commands that end the container that it runs, by its name; whoever waits for a
            container is not asked to end, since the container would not hear of it.
        contained: Whether it runs a container.
        home: Its home; empty for `directory`.
    """

    argv: Sequence[str]
    variables: Mapping[str, str]
    directory: str
    mark: str
    output: str
    timeout: int
    stop: Stop = Stop()
    leaves_running: bool = False
    limit: int = MAX_OUTPUT
    memory: int = 0
    ending: Sequence[Sequence[str]] = ()
    contained: bool = False
    home: str = ""


@record(frozen=True)
class Hooks:
    """What is asked and told while a program runs.

    Attributes:
        stopping: Returns ``breach``, ``stopped`` or nothing.
        show: Told what it prints, without secrets.
    """

    stopping: Callable[[], str]
    show: Callable[[bytes], None]


class _Output:
    """What a program prints: masked, bounded, digested, shown.

    Attributes:
        fault: Why it cannot be kept any more, such as a full disk; empty while it can.
    """

    def __init__(self, start: Start, masker: Masker, show: Callable[[bytes], None]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(start.output, flags, 0o600)
        self._left, self._masker, self._show = start.limit, masker, show
        self._digest = hashlib.sha256()
        self.size = self.dropped = 0
        self.fault = ""

    def take(self, data: bytes) -> None:
        self._keep(self._masker.feed(data))

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._show(data)
        kept = data[: self._left]
        self.dropped += len(data) - len(kept)
        view = memoryview(kept)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self.fault = error.strerror or str(error)
            self.dropped += len(view)
            kept = kept[: len(kept) - len(view)]
            self._left = len(kept)
        self._digest.update(kept)
        self._left, self.size = self._left - len(kept), self.size + len(kept)

    def finish(self) -> dict[str, object]:
        self._keep(self._masker.finish())
        try:
            os.fsync(self._file)
        except OSError as error:
            self.fault = self.fault or error.strerror or str(error)
        finally:
            os.close(self._file)
        facts: dict[str, object] = {"sha256": self._digest.hexdigest(), "size": self.size}
        if self.dropped:
            facts["dropped"] = self.dropped
        return facts


def run_program(start: Start, masker: Masker, hooks: Hooks) -> Ended:
    """Run a program and everything that it starts, to the end."""
    began = time.monotonic()
    try:
        output = _Output(start, masker, hooks.show)
    except OSError as error:
        return not_started(f"{start.output}: {error.strerror or error}")
    environment = {**start.variables, **surroundings(start)}
    end_by_name(start)  # what a runner that was killed has left; nothing of it is alive
    memory = _Memory(start)
    try:
        child = subprocess.Popen(
            list(start.argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=start.directory,
            start_new_session=True,
            umask=0o077,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        output.finish()
        why = error.strerror if isinstance(error, OSError) else str(error)
        return not_started(f"{start.argv[0]}: {why}")
    assert child.stdout is not None
    try:
        why = _attend(child, child.stdout.fileno(), start, output, hooks, memory)
        if why != EXIT:
            asked_not = child.pid if start.contained else 0
            processes.end_all(start.mark, start.stop, child.pid, asked_not)
        elif not start.leaves_running:
            processes.end_all(start.mark, Stop(start.stop.signal, min(start.stop.grace, 2000)))
        status = child.wait()
        _drain(child.stdout.fileno(), output)
    except BaseException:
        processes.kill_all(start.mark, child.pid)
        child.wait()
        raise
    finally:
        child.stdout.close()
        end_by_name(start)
    passed = int((time.monotonic() - began) * 1000)
    evidence = {"status": status, "durationMs": passed, "output": output.finish(), **memory.facts()}
    if output.fault:
        evidence["error"] = f"{start.output}: {output.fault}"[:500]
    return Ended(why, status, evidence=evidence)


def not_started(why: str) -> Ended:
    """Return what is known of a program that could not be started."""
    return Ended(NOT_STARTED, evidence={"error": why[:500]})


def surroundings(start: Start) -> dict[str, str]:
    """Return the variables that every program gets."""
    home = start.home or start.directory
    made = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": home, "TMPDIR": start.directory}
    return {**made, processes.VARIABLE: start.mark}


def end_by_name(start: Start) -> None:
    """End containers by their names: they are no children, and outlive who started them."""
    for command in start.ending:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": start.home or "/"},
                timeout=_ENDING,
                check=False,
            )


class _Memory:
    """What a program and all that it starts has in memory: looked at every second."""

    def __init__(self, start: Start) -> None:
        self._mark, self._limit = start.mark, start.memory
        self._due, self._most = time.monotonic() + _LOOK, 0

    def is_too_much(self) -> bool:
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + _LOOK
        found = processes.memory_of(self._mark)
        self._most = max(self._most, found)
        return bool(self._limit) and found > self._limit

    def facts(self) -> dict[str, object]:
        return {"memory": self._most} if self._most else {}


def _attend(
    child: subprocess.Popen[bytes],
    pipe: int,
    start: Start,
    output: _Output,
    hooks: Hooks,
    memory: _Memory,
) -> str:
    """Take what it prints until it ends, or shall; return why."""
    deadline = time.monotonic() + start.timeout / 1000
    os.set_blocking(pipe, False)
    ending, is_open = _when_it_ends(child.pid), True
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return TIMEOUT
            watched = [pipe] * is_open + ([ending] if ending >= 0 else [])
            tick = min(left, _TICK if watched and (is_open or ending >= 0) else 0.01)
            ready = select.select(watched, [], [], tick)[0]
            if pipe in ready:
                is_open = _read(pipe, output)
            if child.poll() is not None:
                return EXIT
            why = hooks.stopping()
            if why:
                return BREACH if why == BREACH else STOPPED
            if memory.is_too_much():
                return MEMORY
            if output.fault:
                return UNKEPT
    finally:
        if ending >= 0:
            os.close(ending)


def _when_it_ends(process: int) -> int:
    """Return a descriptor that can be read when a process has ended; -1 where there is none."""
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):  # before Linux 5.3
        return -1


def _read(pipe: int, output: _Output) -> bool:
    """Take what is there; False when nobody has the other end any more."""
    try:
        data = os.read(pipe, 1 << 16)
    except BlockingIOError:
        return True
    output.take(data)
    return bool(data)


def _drain(pipe: int, output: _Output) -> None:
    """Take what is left in the pipe, and do not wait for a daemon that keeps it open."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and select.select([pipe], [], [], _LAST)[0]:
        if not _read(pipe, output):
            return


def ignore_broken_pipes() -> None:
    """Have a reader that has gone be an error of the write, not the end of the runner."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
