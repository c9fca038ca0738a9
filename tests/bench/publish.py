"""How fast `offline-kit publish` sends a kit to a bucket, beside `aws s3 cp` of the same file.

    .venv/bin/python tests/bench/publish.py [--small] [--pairs N]

Both send one kit of 1 GB, which nothing compresses, to a SeaweedFS on loopback whose data is in
memory, in turn: a pair is one run of each, and every other pair begins with the other.  Each run
has a store of its own that nothing was put into.  `aws` sends one file and judges nothing;
`publish` proves the kit, sends all that lies beside it, and creates the entry.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))  # works from anywhere

from kit.spec import load_spec  # noqa: E402
from tests.bench.fetch import say  # noqa: E402
from tests.support.making import build_kit, key, write_spec  # noqa: E402
from tests.support.seaweed import BUCKET, KEY, SECRET, Store, seaweed  # noqa: E402

MB, MIB = 1_000_000, 1 << 20
SIZE = 1000 * MB
SHARE, MOST_MIB = 0.8, 200
LARGE = ("-master.volumeSizeLimitMB=1024", "-volume.max=20")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass(frozen=True)
class Run:
    """What one run took.

    Attributes:
        cpu: Seconds of the processor, of the program alone.
        server: Seconds of the processor that the store took meanwhile.
        peak: Bytes of memory of its largest process.
    """

    seconds: float
    cpu: float
    server: float
    peak: int


def aws() -> Path:
    """Return the program of awscli, installed in an environment apart."""
    place = TOP / "build" / "awscli"
    lock = TOP / "requirements" / "awscli.txt"
    done = place / ".installed"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([TOP / "tools" / "venv.sh", place, lock], check=True)
        done.touch()
    return place / "bin" / "aws"


def make_release(work: Path, size: int) -> None:
    """Build and seal a kit of so many bytes that no compressor makes smaller."""
    source = work / "release" / "src" / "tools"
    source.mkdir(parents=True)
    with open(source / "large.bin", "wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    build_kit(load_spec(write_spec(work / "release", ["tools"])), work / "release" / "out")
    shutil.rmtree(work / "release" / "src")


def ours(kit: Path, store: Store) -> list[str | Path]:
    """Publish a release: proof, parts, what lies beside it, entry."""
    program: list[str | Path] = [
        sys.executable,
        "-m",
        "kit",
        "publish",
        kit,
        f"--key={key('sums')}",
    ]
    return [*program, f"--to=s3://{BUCKET}/bench"]


def theirs(kit: Path, store: Store) -> list[str | Path]:
    """Copy the kit alone."""
    words = ("s3", "cp", "--only-show-errors", kit, f"s3://{BUCKET}/bench/{kit.name}")
    return [aws(), *words, "--endpoint-url", store.url]


def run(make: Callable[[Path, Store], list[str | Path]], kit: Path, work: Path) -> Run:
    """Run a program against a store of its own; its memory is that of the largest process below."""
    place = work / "store"
    with seaweed(place, *LARGE) as store:
        before, start = _busy(store.pid), time.monotonic()
        process = subprocess.Popen(
            make(kit, store),
            cwd=work,
            stdout=subprocess.DEVNULL,
            env={
                **os.environ,
                **ENVIRONMENT,
                "PYTHONPATH": str(TOP),
                "AWS_ENDPOINT_URL_S3": store.url,
                "XDG_STATE_HOME": str(place),
            },
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds, server = time.monotonic() - start, _busy(store.pid) - before
    shutil.rmtree(place)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{make.__name__} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, server, usage.ru_maxrss * 1024)


def _busy(pid: int) -> float:
    """Return the seconds of the processor that a process has had (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str]) -> int:
    """Measure; return the exit status, which judges nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a sixteenth of the bytes: a try")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    size = SIZE // 16 if options.small else SIZE
    if options.make:
        make_release(options.make, size)
        return 0
    shared = Path("/dev/shm")
    base = shared if os.access(shared, os.W_OK) else None
    aws()
    found: dict[str, list[Run]] = {"publish": [], "aws s3 cp": []}
    legs = list(zip(found, (ours, theirs), strict=True))
    with tempfile.TemporaryDirectory(prefix="offline-kit-bench-", dir=base) as name:
        work = Path(name)
        # a child counts what its parent held when it began: what builds is a process of its own
        subprocess.run([sys.executable, __file__, *arguments, "--make", work], check=True)
        (kit,) = (work / "release" / "out").glob("*.tar.zst")
        size = kit.stat().st_size
        for number in range(options.pairs):
            for what, make in legs if number % 2 == 0 else reversed(legs):
                found[what].append(run(make, kit, work))
    times = {what: statistics.median(one.seconds for one in runs) for what, runs in found.items()}
    print(f"a kit of {size / MB:.0f} MB, {options.pairs} pairs in turn, medians")
    for what, runs in found.items():
        cpu, server = (
            statistics.median(getattr(one, name) for one in runs) for name in ("cpu", "server")
        )
        rate, peak = size / MB / times[what], max(one.peak for one in runs) / MIB
        print(f"  {what:<10} {times[what]:.2f} s, {rate:.0f} MB/s, {peak:.0f} MiB")
        print(f"    of the processor {cpu:.2f} s, and the store {server:.2f} s")
    share = times["aws s3 cp"] / times["publish"]
    pairs = [b.seconds / a.seconds for a, b in zip(*found.values(), strict=True)]
    print(f"  pair by pair {', '.join(f'{pair:.2f}' for pair in pairs)}")
    peak = max(one.peak for one in found["publish"]) / MIB
    say(f"of the speed of aws s3 cp, at least {SHARE}", f"{share:.2f}", share >= SHARE)
    say(f"memory at its peak, less than {MOST_MIB} MiB", f"{peak:.0f} MiB", peak < MOST_MIB)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
