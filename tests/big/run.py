"""Builds and proves kits with members above 2, 4 and 8 GiB: ``make big``.

The sources are sparse files with a mark at each limit, so they take no space; zeros compress, so
the packed kit takes none either.  The stored kit has every byte of an 8 GiB member in the file, and
one flipped bit behind each limit must be noticed there (RAUC CVE-2026-34155 is what happens
otherwise).  It is left out, and so is extraction, where the disk has no room; the run says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.making import REPOSITORY, ROOT_FILE, key, write_spec

GIB = 1 << 30
MEMBERS = {"big/2 GiB": 2 * GIB + 1, "big/4 GiB": 4 * GIB + 7, "big/8 GiB": 8 * GIB + 513}
STORED = {"big/8 GiB": MEMBERS["big/8 GiB"]}
LIMITS = (2 * GIB, 4 * GIB, 8 * GIB)
MARK = b"a mark at a limit"
NAME = "demo-1.0.tar.zst"


class Failed(Exception):
    """Something is not as it must be."""


def marks(size: int) -> list[int]:
    """Return where a member of a size is not zero: across each limit, and at both ends."""
    places = [0, *(limit - 5 for limit in LIMITS), size - len(MARK)]
    return [place for place in places if place + len(MARK) <= size]


def make_sources(directory: Path, members: dict[str, int]) -> Path:
    """Write sparse files and their spec; return the spec."""
    for path, size in members.items():
        target = directory / "src" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as stream:
            stream.truncate(size)
            for place in marks(size):
                stream.seek(place)
                stream.write(MARK)
    return write_spec(directory, ["big"], level=1)


class Run:
    """Programs that are run one after the other, with what each of them took.

    The memory shown is the most at one time; Linux counts this program's own until the other one
    is started, so nothing is shown below that.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def program(
        self,
        what: str,
        command: Sequence[str | Path],
        *,
        expect: int = 0,
        stdin: Path | None = None,
    ) -> str:
        """Run one; return what it said.

        Raises:
            Failed: It ended with another exit status.
        """
        start = time.monotonic()
        with open(stdin or os.devnull, "rb") as stream, tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command,
                stdin=stream,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.fspath(REPOSITORY), "LC_ALL": "C"},
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read().decode("utf-8", "backslashreplace")
        seconds = time.monotonic() - start
        print(f"{seconds:8.1f} s {usage.ru_maxrss >> 10:6} MiB  {what}", flush=True)
        if process.returncode != expect:
            raise Failed(f"{what}: exit status {process.returncode}, not {expect}\n{text}")
        return text

    def build(self, spec: Path, out: Path, *more: str) -> Path:
        """Build, sign and seal a kit; return it."""
        keys = ["--key", key("alice"), "--key", key("bob"), "--sums-key", key("sums")]
        command: list[str | Path] = [sys.executable, "-m", "kit.cli", "build", spec, "--out", out]
        self.program("build, sign, seal", [*command, "--root", ROOT_FILE, *keys, *more])
        kit = out / NAME.removesuffix(".tar.zst") / NAME
        taken = kit.stat().st_blocks * 512
        print(f"{'':>10} {kit.stat().st_size} bytes, {taken >> 20} MiB on the disk")
        return kit

    def verify(
        self, what: str, kit: Path, *words: str | Path, expect: int = 0, pipe: bool = False
    ) -> str:
        """Run the kit's own verifier."""
        command: list[str | Path] = [
            sys.executable,
            "-I",
            kit.parent / "kit-verify.pyz",
            "-" if pipe else kit,
        ]
        command += ["--root", ROOT_FILE, *words]
        return self.program(what, command, expect=expect, stdin=kit if pipe else None)


def check_sizes(what: str, said: str, column: Callable[[str], tuple[str, str]]) -> None:
    """Hold a listing to the sizes of the members."""
    rows = dict(column(line) for line in said.splitlines() if "big/" in line)
    wrong = {path: rows.get(path) for path, size in MEMBERS.items() if rows.get(path) != str(size)}
    if wrong:
        raise Failed(f"{what} lists other sizes: {wrong}")


def packed(run: Run) -> None:
    """Prove a kit of all three members in every way."""
    spec = make_sources(run.directory / "packed", MEMBERS)
    kit = run.build(spec, run.directory / "packed kit")
    run.verify("verify", kit)
    run.verify("verify, one thread", kit, "--jobs", "1")
    run.verify("verify --quick", kit, "--quick")
    run.verify("verify, from a pipe", kit, pipe=True)
    listing: list[str | Path] = [sys.executable, "-I", kit.parent / "kit-verify.pyz", "list", kit]
    said = run.program("list", [*listing, "--root", ROOT_FILE])
    check_sizes("kit-verify", said, lambda line: (line.split(None, 2)[2], line.split()[1]))
    if shutil.which("zstd"):
        said = run.program("tar --zstd -tv", ["tar", "--zstd", "-tvf", kit])
        check_sizes("tar", said, lambda line: (line.split(None, 5)[5], line.split()[2]))
    if shutil.which("bsdtar"):
        said = run.program("bsdtar -tv", ["bsdtar", "-tvf", kit])
        check_sizes("bsdtar", said, lambda line: (line.split(None, 8)[8], line.split()[4]))
    for path, size in MEMBERS.items():
        if shutil.disk_usage(run.directory).free < size + GIB:
            print(f"{'':>10} not run: no room to extract {path}")
            continue
        target = run.directory / "extracted"
        run.verify(f"extract {path}", kit, "--only", path, "--extract", target)
        check_contents(target / path, size)
        shutil.rmtree(target)
    last = kit.stat().st_size - 300  # in one of the last frames
    flipped(run, kit, "verify with a bit flipped at the end", last)


def check_contents(path: Path, size: int) -> None:
    """See the size and the marks of a file that arrived."""
    if path.stat().st_size != size:
        raise Failed(f"{path} has {path.stat().st_size} bytes, not {size}")
    with open(path, "rb") as stream:
        for place in marks(size):
            stream.seek(place)
            if stream.read(len(MARK)) != MARK:
                raise Failed(f"{path} is damaged at {place}")


def flipped(run: Run, kit: Path, what: str, place: int) -> None:
    """See that one flipped bit is noticed, in full and in quick; flip it back."""
    with open(kit, "r+b") as stream:
        for words in ([], ["--quick"]):
            stream.seek(place)
            before = stream.read(1)
            stream.seek(place)
            stream.write(bytes([before[0] ^ 1]))
            stream.flush()
            said = run.verify(" ".join([what, *words]), kit, *words, expect=4)
            stream.seek(place)
            stream.write(before)
            stream.flush()
            if not said.startswith("REJECTED: "):
                raise Failed(said)


def stored(run: Run) -> None:
    """Prove a kit that has every byte of a member above 8 GiB in the file."""
    size = sum(STORED.values())
    if shutil.disk_usage(run.directory).free < size + 2 * GIB:
        print(f"{'':>10} not run: no room for a stored kit of {size} bytes")
        return
    spec = make_sources(run.directory / "stored", STORED)
    kit = run.build(spec, run.directory / "stored kit", "--store")
    run.verify("verify", kit)
    run.verify("verify, from a pipe", kit, pipe=True)
    last = kit.stat().st_size - 40_000  # before the seek table, and still behind 8 GiB
    for limit in LIMITS:
        place = min(limit + GIB // 9, last)
        if place < limit:
            raise Failed(f"the kit ends before {limit}")
        flipped(run, kit, f"verify with a bit flipped behind {limit >> 30} GiB", place)
    run.verify("verify, all bits as they were", kit)


def main() -> int:
    """Run all of it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="a directory with room; else a temporary one")
    work = parser.parse_args().work
    with tempfile.TemporaryDirectory(dir=work) as directory:
        run = Run(Path(directory))
        try:
            print("packed: members of " + ", ".join(f"{size} bytes" for size in MEMBERS.values()))
            packed(run)
            print("stored: a member of " + ", ".join(f"{size} bytes" for size in STORED.values()))
            stored(run)
        except Failed as failed:
            print(f"FAILED: {failed}")
            return 1
    print("all good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
