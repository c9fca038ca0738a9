"""Zipapps that are started once and forked for each command: nothing is imported anew.

What runs is the program of the file, isolated, in a process of its own with arguments, streams,
environment and directory of its own.  How a program starts (what lies around, closed streams, other
Pythons) is for tests that start it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SPENT: list[float] = []  # seconds of processor time: no child of ours, so no clock of ours sees it
_SERVER = """
import atexit, contextlib, fcntl, gc, importlib, json, os, runpy, socket, sys, termios
import threading, zipfile
here, program = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
sys.path.insert(0, program)
with zipfile.ZipFile(program) as archive:
    names = archive.namelist()
for name in names:
    if name.endswith(".py") and not name.endswith("__main__.py"):
        importlib.import_module(name[:-3].replace("/__init__", "").replace("/", "."))
del sys.path[0]
gc.collect()
gc.freeze()  # nobody copies pages to look for garbage in them
while True:
    data, given, _, _ = socket.recv_fds(here, 1 << 17, 5)
    if not data:
        sys.exit()
    told = here
    if len(given) == 5:  # a process of its own waits for this one, and the server for others
        told = socket.socket(fileno=given.pop())
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork():
            told.close()
            for number in given:
                os.close(number)
            continue
        here.close()
    child = os.fork()
    if child:
        for number in given:
            os.close(number)
        if told is not here:
            told.send(str(child).encode())
        _, status, use = os.wait4(child, 0)
        status = os.waitstatus_to_exitcode(status)
        told.send(json.dumps([status, use.ru_utime + use.ru_stime]).encode())
        if told is not here:
            os._exit(0)
        continue
    told.close()
    here.close()
    os.fchdir(given[3])
    for number in range(3):
        os.dup2(given[number], number)
    for number in given:
        os.close(number)
    words, environment, closed, has_terminal = json.loads(data)
    if has_terminal:  # of its own: keys that end a program reach it
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in closed:
        os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # as Python does when it starts
        was = getattr(sys, name)
        how = {"encoding": was.encoding, "errors": was.errors, "closefd": False}
        how["buffering"] = 1 if number == 2 else -1
        new = None if number in closed else open(number, "w" if number else "r", **how)
        setattr(sys, name, new)
    for name in list(os.environ):
        del os.environ[name]
    os.environ.update(environment)
    sys.argv = [program, *words]
    status = 0
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    if type(status) is not int:
        sys.exit(status)
    threading._shutdown()  # as an interpreter ends, but for taking all modules to pieces
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        sys.exit(status)  # it knows what to make of that
    os._exit(status & 255)
"""


class Warm:
    """A program that is ready.

    Args:
        pyz: What is in its file.
    """

    def __init__(self, pyz: bytes) -> None:
        self._lock = threading.Lock()
        self._kept = tempfile.TemporaryDirectory(prefix="warm-")
        path = Path(self._kept.name, "program.pyz")
        path.write_bytes(pyz)
        self._here, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(  # it ends when our end of the socket is closed
                [sys.executable, "-I", "-S", "-c", _SERVER, str(theirs.fileno()), path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={},
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._here.close()
        self._server.wait()
        self._kept.cleanup()

    def run(
        self,
        words: Sequence[str | Path],
        *,
        piped: bytes | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        closed: Sequence[int] = (),
        cwd: str | Path = ".",
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it once, as `subprocess.run` does.

        Args:
            piped: What standard input is a pipe of.
            stdin: What it is else; by default there is nothing.
            stdout: What it is, and nothing is returned; so with `stderr`.
            closed: Streams that it does not have, by their numbers.
            env: All of its environment; by default ours.
        """
        environment = dict(os.environ if env is None else env)
        asked = json.dumps([list(map(str, words)), environment, list(closed), False])
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            contextlib.ExitStack() as stack,
        ):
            place = os.open(cwd, os.O_RDONLY)
            stack.callback(os.close, place)
            if piped is not None:
                given = self._pipe(piped, stack)
            else:
                given = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin)
            with self._lock:
                self._here.settimeout(timeout)
                said = [
                    file.fileno() if number is None else number
                    for file, number in ((out, stdout), (err, stderr))
                ]
                numbers = [given, *said, place]
                socket.send_fds(self._here, [asked.encode()], numbers)
                os.close(given)  # a program that goes away must be seen
                status, seconds = json.loads(self._here.recv(100))
                SPENT.append(seconds)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(asked, status, out.read(), err.read())

    def start(
        self,
        words: Sequence[str | Path],
        *,
        stdout: int | None = None,
        terminal: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Started:
        """Start it, as `subprocess.Popen` does; what it says goes nowhere but where one says.

        Args:
            terminal: What all its streams are; nobody else is at it.
        """
        environment = dict(os.environ if env is None else env)
        asked = json.dumps([list(map(str, words)), environment, [], terminal is not None])
        place, nothing = os.open(".", os.O_RDONLY), os.open(os.devnull, os.O_RDWR)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            out = nothing if stdout is None else stdout
            streams = [nothing, out, nothing] if terminal is None else [terminal] * 3
            with self._lock, theirs:
                numbers = [*streams, place, theirs.fileno()]
                socket.send_fds(self._here, [asked.encode()], numbers)
        finally:
            os.close(place)
            os.close(nothing)
        return Started(ours)

    @staticmethod
    def _pipe(data: bytes, stack: contextlib.ExitStack) -> int:
        reading, writing = os.pipe()

        def feed() -> None:
            with contextlib.suppress(BrokenPipeError), open(writing, "wb") as pipe:
                pipe.write(data)

        feeding = threading.Thread(target=feed)
        feeding.start()
        stack.callback(feeding.join)
        return reading


class Started:
    """A program at work, of which somebody else is the parent.

    Attributes:
        pid: Its process.
    """

    def __init__(self, told: socket.socket) -> None:
        self._told, self._status = told, (0, 0.0)
        told.settimeout(60)
        self.pid = int(told.recv(100))

    def poll(self) -> int | None:
        """Return its exit status, or minus the signal that ended it; None while it is at work."""
        if self._told.fileno() >= 0 and not select.select([self._told], [], [], 0)[0]:
            return None
        return self.wait()

    def wait(self, timeout: float = 60) -> int:
        """Wait for its end; return its exit status, or minus the signal that ended it."""
        if self._told.fileno() >= 0:
            self._told.settimeout(timeout)
            self._status = json.loads(self._told.recv(100))
            SPENT.append(self._status[1])
            self._told.close()
        return self._status[0]


@functools.lru_cache(maxsize=8)
def warm(pyz: bytes) -> Warm:
    """Return a program that is ready, the same one for the same file."""
    return Warm(pyz)
