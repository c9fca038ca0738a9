"""How fast `offline-kit lock` fetches, beside `curl` and then `openssl dgst` in the same run.

    .venv/bin/python tests/bench/fetch.py [--small] [--rounds N]

Fifty files of mixed sizes come from a server on loopback, which is a process of its own.  By hand
one `curl` fetches all of them one after the other, and one `openssl dgst` reads them again; that is
the best that people do without a script that runs several at once.  Then the same server gives no
more than 1 Gbit/s in all.  Stores and downloads are new each time, on the same file system.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MIB = 1 << 20
GBIT = 125_000_000  # bytes a second
SIZES = [1 << 16] * 12 + [4 * MIB] * 18 + [48 * MIB] * 19 + [512 * MIB]
FASTER, OF_THE_LINK, MOST_MIB = 1.4, 1.05, 200
SPEC = """\
[kit]
name = "bench"
version = "1"
line = "bench/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "fetched"

[[component]]
id = "files"
version = "1"
path = "files"
lands = "/srv/files"
"""


@dataclass(frozen=True)
class Run:
    """What one run took.

    Attributes:
        cpu: Seconds of the processor, in all processes below it.
        peak: Bytes of memory of its largest process.
    """

    seconds: float
    cpu: float
    peak: int


def make_files(directory: Path, sizes: Sequence[int]) -> dict[str, str]:
    """Write files that no compressor makes smaller; return their digests by name."""
    directory.mkdir()
    block = hashlib.shake_128(b"fetch").digest(MIB)
    digests = {}
    for number, size in enumerate(sizes):
        name, digest = f"file-{number:02}.bin", hashlib.sha256()
        with open(directory / name, "wb") as file:
            for start in range(0, size, MIB):
                piece = (b"%08d%08d" % (number, start // MIB) + block[16:])[: size - start]
                digest.update(piece)
                file.write(piece)
        digests[name] = digest.hexdigest()
    return digests


# --- the server -----------------------------------------------------------------------------------


class Link:
    """Lets so many bytes a second through, in all, whoever asks."""

    def __init__(self, rate: int) -> None:
        self._rate, self._lock, self._free = rate, threading.Lock(), 0.0

    def pass_(self, size: int) -> None:
        """Wait until the link has room for ``size`` bytes more."""
        with self._lock:
            now = time.monotonic()
            self._free = max(self._free, now - 0.001) + size / self._rate
            until = self._free
        time.sleep(max(0.0, until - now))


def serve(directory: Path, rate: int) -> None:
    """Serve files until standard input ends; print the port first."""
    link = Link(rate) if rate else None

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with open(directory / self.path.rpartition("/")[2], "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.send_response(200)
                self.send_header("Content-Length", str(size))
                self.end_headers()
                self.wfile.flush()
                at, step = 0, 1 << 16 if link else 1 << 22
                while at < size:
                    if link:
                        link.pass_(min(step, size - at))
                    at += os.sendfile(self.connection.fileno(), file.fileno(), at, step)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


# --- the legs -------------------------------------------------------------------------------------


def run(command: Sequence[str | Path], directory: Path) -> Run:
    """Run a command; its memory is that of the largest process below it."""
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def ours(place: Path, url: str, digests: dict[str, str]) -> Run:
    """Lock a spec that names all files."""
    sources = "".join(
        f'[[component.source]]\nurl = "{url}/{name}"\nsha256 = "{digest}"\n'
        for name, digest in digests.items()
    )
    (place / "kit.toml").write_text(SPEC + sources)
    return run([sys.executable, "-m", "kit", "lock", "kit.toml", "--store", "store"], place)


def by_hand(place: Path, url: str, digests: dict[str, str]) -> Run:
    """Fetch all files with curl, then read them with openssl."""
    (place / "urls").write_text("".join(f'url = "{url}/{name}"\n-O\n' for name in digests))
    script = "curl --silent --show-error --fail --config urls && openssl dgst -sha256 *.bin"
    return run(["sh", "-c", script], place)


def rounds(
    work: Path, sizes: Sequence[int], rate: int, count: int, legs: Sequence[Callable[..., Run]]
) -> list[list[Run]]:
    """Run the legs in turn; the first round is thrown away."""
    files = work / "files"
    digests = make_files(files, sizes)
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(files), "--rate", str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    found: list[list[Run]] = [[] for _ in legs]
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        for number in range(count + 1):
            for at, leg in enumerate(legs):
                place = work / "run"
                place.mkdir()
                taken = leg(place, url, digests)
                shutil.rmtree(place)
                if number:
                    found[at].append(taken)
    finally:
        server.communicate()  # its standard input ends, and so does it
        shutil.rmtree(files)
    return found


def say(what: str, value: str, good: bool) -> None:
    """Print a figure and whether it is within its limit."""
    print(f"{what:<58} {value:>14}   {'good' if good else 'MISSED'}")


def main(arguments: Sequence[str]) -> int:
    """Measure, or serve; return the exit status, which judges nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a sixteenth of the bytes: a try")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve, options.rate)
        return 0
    shared = Path("/dev/shm")
    base = shared if os.access(shared, os.W_OK) else None
    scale = 16 if options.small else 1
    with tempfile.TemporaryDirectory(prefix="offline-kit-bench-", dir=base) as work:
        sizes = [max(1, size // scale) for size in SIZES]
        here, hand = rounds(Path(work), sizes, 0, options.rounds, [ours, by_hand])
        (slow,) = rounds(Path(work), sizes, GBIT, max(1, options.rounds // 3), [ours])
    our, their = (statistics.median(one.seconds for one in each) for each in (here, hand))
    ideal, took = sum(sizes) / GBIT, statistics.median(one.seconds for one in slow)
    peak = max(one.peak for one in (*here, *slow)) / MIB
    total = sum(sizes) / MIB
    print(f"{len(sizes)} files, {total:.0f} MiB: lock {our:.2f} s, by hand {their:.2f} s")
    busy = [statistics.median(one.cpu for one in each) for each in (here, hand)]
    print(f"  of the processor {busy[0]:.2f} s and {busy[1]:.2f} s, without the server")
    print(f"at 1 Gbit/s: lock {took:.2f} s, the link alone {ideal:.2f} s")
    say(f"times as fast as by hand, at least {FASTER}", f"{their / our:.2f}", their / our >= FASTER)
    share = took / ideal
    say(
        f"of the time that the link takes, at most {OF_THE_LINK}",
        f"{share:.3f}",
        share <= OF_THE_LINK,
    )
    say(f"memory at its peak, less than {MOST_MIB} MiB", f"{peak:.0f} MiB", peak < MOST_MIB)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
