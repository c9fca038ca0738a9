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
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SPENT: list[float] = []  # seconds of processor time: no child of ours, so no clock of ours sees it
_SERVER = """
import atexit, gc, importlib, json, os, runpy, socket, sys, threading, zipfile
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
    data, given, _, _ = socket.recv_fds(here, 1 << 17, 4)
    if not data:
        sys.exit()
    child = os.fork()
    if child:
        for number in given:
            os.close(number)
        _, status, use = os.wait4(child, 0)
        status = os.waitstatus_to_exitcode(status)
        here.send(json.dumps([status, use.ru_utime + use.ru_stime]).encode())
        continue
    here.close()
    os.fchdir(given[3])
    for number in range(3):
        os.dup2(given[number], number)
    for number in given:
        os.close(number)
    words, environment, closed = json.loads(data)
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
        asked = json.dumps([list(map(str, words)), environment, list(closed)])
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


@functools.lru_cache(maxsize=8)
def warm(pyz: bytes) -> Warm:
    """Return a program that is ready, the same one for the same file."""
    return Warm(pyz)
