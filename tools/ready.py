"""An `offline-kit` that has everything imported: each command of a page is a fork of it.

A page starts `offline-kit` some dozen times, and most of that time would be imports.  What runs is
the command line of this checkout, in a process of its own, with the arguments, descriptors,
environment, directory and mode mask of the shell that calls it.  `make package`, and the tests of
what a start costs, start it as users do.
"""

from __future__ import annotations

import atexit
import functools
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
_CALLER = """
import json, os, socket, sys
here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
here.connect(sys.argv[1])
numbers = []
for name in os.listdir("/proc/self/fd"):
    number = int(name)
    try:
        os.fstat(number)
    except OSError:  # that of the list itself
        continue
    if number != here.fileno():
        numbers.append(number)
mask = os.umask(0)
asked = json.dumps([sys.argv[2:], dict(os.environ), numbers, mask])
place = os.open(".", os.O_RDONLY)
socket.send_fds(here, [asked.encode()], [*numbers, place])
sys.exit(int(here.recv(10) or 1))
"""
_SERVER = """
import atexit, gc, importlib, json, os, pkgutil, signal, socket, sys, threading, time
import kit, runner, verifier
from kit.cli import _program, main
for package in (verifier, runner, kit):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
_program()
gc.collect()
gc.freeze()  # nobody copies pages to look for garbage in them
door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
door.bind(sys.argv[1])
door.listen()
print(flush=True)  # it is ready
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    caller, _ = door.accept()
    if os.fork():  # who waits for the command, so that several can run at once
        caller.close()
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    door.close()
    data, given, _, _ = socket.recv_fds(caller, 1 << 17, 64)
    child = os.fork()
    if child:
        for number in given:
            os.close(number)
        _, status = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(status)
        caller.send(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    words, environment, numbers, mask = json.loads(data)
    os.fchdir(given[-1])
    given = [os.dup2(number, 200 + at) for at, number in enumerate(given)]
    os.closerange(0, 200)
    for number, wanted in zip(given, numbers):
        os.dup2(number, wanted)
    os.closerange(200, 300)
    os.umask(mask)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, f"__{name}__")
        how = {"encoding": was.encoding, "errors": was.errors, "closefd": False}
        how["buffering"] = 1 if number == 2 else -1
        stream = open(number, "w" if number else "r", **how) if number in numbers else None
        setattr(sys, name, stream)
    sys.argv = ["offline-kit", *words]
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    threading._shutdown()  # as an interpreter ends, but for taking all modules to pieces
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)
"""


@functools.cache
def caller() -> str:
    """Return what a shell script executes in the place of `offline-kit`; it goes on with "$@"."""
    place = tempfile.TemporaryDirectory(prefix="ready-")
    door, script = Path(place.name, "door"), Path(place.name, "caller.py")
    script.write_text(_CALLER, encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, door],
        env={"PYTHONPATH": os.fspath(TOP), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=place.name,
    )

    def end() -> None:
        server.kill()
        server.wait()
        place.cleanup()

    atexit.register(end)
    assert server.stdout is not None
    if not server.stdout.readline():
        raise RuntimeError("offline-kit cannot be started")
    python = getattr(sys, "_base_executable", sys.executable)
    return shlex.join([python, "-I", "-S", os.fspath(script), os.fspath(door)])
