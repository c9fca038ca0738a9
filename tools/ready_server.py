"""Imports all of `offline-kit`, and forks for each command: ``python ready_server.py SOCKET``.

`ready_caller.py` asks.  It prints an empty line when it is ready, and goes on until it is killed.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

import kit
import runner
import verifier
from kit.cli import _program
from kit.cli import main as offline_kit

_ABOVE = 200  # descriptors that are handed over are put here while their places are made free


def main() -> None:
    """Serve until the end."""
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
    print(flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        caller, _ = door.accept()
        if os.fork() == 0:  # who waits for the command, so that several can run at once
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            door.close()
            _serve(caller)
        caller.close()


def _serve(caller: socket.socket) -> NoReturn:
    """Run one command in a process of its own, and tell how it ended."""
    asked, given, _, _ = socket.recv_fds(caller, 1 << 17, 64)
    child = os.fork()
    if child:
        for number in given:
            os.close(number)
        _, status = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(status)
        caller.send(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    words, environment, numbers, mask = json.loads(asked)
    _become(given, environment, numbers, mask)
    sys.argv = ["offline-kit", *words]
    status = 0
    try:
        offline_kit()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else bool(end.code)
    _end(status)


def _become(given: list[int], environment: dict[str, str], numbers: list[int], mask: int) -> None:
    """Take over what the caller has; the last descriptor is its directory."""
    os.fchdir(given[-1])
    kept = [os.dup2(number, _ABOVE + at) for at, number in enumerate(given)]
    os.closerange(0, _ABOVE)
    for number, wanted in zip(kept[:-1], numbers, strict=True):
        os.dup2(number, wanted)
    os.closerange(_ABOVE, _ABOVE + len(kept))
    os.umask(mask)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _stream(number, name) if number in numbers else None)


def _stream(number: int, name: str) -> Any:
    was = getattr(sys, f"__{name}__")
    mode, buffering = "w" if number else "r", 1 if number == 2 else -1
    return open(number, mode, buffering, encoding=was.encoding, errors=was.errors, closefd=False)


def _end(status: int) -> NoReturn:
    """End as an interpreter does, but for taking all modules to pieces."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
