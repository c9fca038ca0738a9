"""Asks `ready_server.py` for one command: ``python -I -S ready_caller.py SOCKET ARGUMENT...``.

It hands over its arguments, environment, descriptors, directory and mode mask, and ends with the
exit status that it is told.  It imports as little as it can: it is started for each command.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> None:
    """Ask, and wait for the end."""
    here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.connect(sys.argv[1])
    numbers = [number for number in _open_ones() if number != here.fileno()]
    mask = os.umask(0)
    asked = json.dumps([sys.argv[2:], dict(os.environ), numbers, mask])
    socket.send_fds(here, [asked.encode()], [*numbers, os.open(".", os.O_RDONLY)])
    sys.exit(int(here.recv(10) or 1))


def _open_ones() -> list[int]:
    numbers = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:  # that of the list itself
            continue
        numbers.append(int(name))
    return numbers


if __name__ == "__main__":
    main()
