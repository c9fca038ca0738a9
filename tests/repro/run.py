"""Builds the same kit in many surroundings and compares every byte: ``make repro``.

The list of what is varied is reprotest's, as far as a program can vary it without root: path,
user, umask, locale, time zone, times, order of directories, number of processors; and what is ours:
threads and versions of Python.
"""

from __future__ import annotations

import argparse
import glob
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.making import (
    REPOSITORY,
    ROOT_FILE,
    key,
    noise,
    text,
    write_files,
    write_spec,
)
from verifier.core.limits import FRAME, MIB

KEPT = REPOSITORY / "build" / "repro"  # environments of other Pythons, made once
LOCK = REPOSITORY / "requirements" / "runtime.txt"
EXECUTABLE = ("app/bin/run", "app/many/007")
SHUFFLE = '''"""Lists directories in an order of its own, as other file systems do."""

import os
import random

_scandir, _listdir = os.scandir, os.listdir
_order = random.Random({seed})


class _Entries:
    def __init__(self, entries):
        with entries:
            self._found = list(entries)
        _order.shuffle(self._found)
        self._left = iter(self._found)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._left)

    def close(self):
        pass


def _shuffled(*where):
    names = _listdir(*where)
    _order.shuffle(names)
    return names


os.scandir = lambda *where: _Entries(_scandir(*where))
os.listdir = _shuffled
'''


def files() -> dict[str, bytes]:
    """Return sources with every kind of frame, in a few hundred files."""
    found = {f"app/many/{n:03}": text(n * 41, n) for n in range(300)}
    found |= {f"app/i/I/{name}/İ-ı": name.encode() for name in ("a", "B", "_", "ä", "Z")}
    found |= {
        "app/bin/run": b"#!/bin/sh\n",
        "data/mixed": text(FRAME) + noise(2 * MIB),
        "data/packed": text(6 * MIB),
        "data/stored": noise(MIB + 5),
        "data/empty": b"",
    }
    return found


@dataclass(frozen=True)
class Surroundings:
    """How one build differs from the first.

    Attributes:
        python: An interpreter that has what ``kit`` needs.
        checkout: The sources of offline-kit.
        directory: Where the spec and its sources are.
        prefix: Goes before the command.
        relative: Whether the spec is named from its own directory.
    """

    name: str
    directory: Path
    checkout: Path
    python: str = sys.executable
    umask: int = 0o022
    jobs: int = 2
    store: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    relative: bool = False


def build(where: Surroundings, out: Path) -> dict[str, str]:
    """Build, sign and seal; return the SHA-256 of everything that was written, by name.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    out.mkdir(parents=True)
    spec = where.directory / "kit.toml"
    options: list[str | Path] = ["--root", ROOT_FILE, "--out", out, "--jobs", str(where.jobs)]
    options += ["--key", key("alice"), "--key", f"bob={key('bob')}", "--sums-key", key("sums")]
    subprocess.run(
        [
            *where.prefix,
            where.python,
            "-m",
            "kit.cli",
            "build",
            "kit.toml" if where.relative else spec,
            *options,
            *(["--store"] if where.store else []),
        ],
        cwd=where.directory if where.relative else "/",
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.fspath(where.checkout),
            "PYTHONDONTWRITEBYTECODE": "1",
            **where.environment,
        },
        umask=where.umask,
        check=True,
        capture_output=True,
        text=True,
    )
    return {path.name: _sha256(path) for path in sorted((out / "demo-1.0").iterdir())}


def _sha256(path: Path) -> str:
    state = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(MIB):
            state.update(piece)
    return state.hexdigest()


class Laboratory:
    """Copies of the checkout and of the sources, and the builds that are made of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkout = copy_checkout(directory / "one")
        self.sources = make_sources(directory / "sources")
        self._count = 0

    def build(self, where: Surroundings) -> dict[str, str]:
        """Build into a directory of its own."""
        self._count += 1
        return build(where, self.directory / "out" / str(self._count))

    def plain(self, name: str, **changes: object) -> Surroundings:
        """Return the first surroundings but for some changes."""
        given = {"directory": self.sources, "checkout": self.checkout, **changes}
        return Surroundings(name, **given)  # type: ignore[arg-type]

    def few(self) -> Iterator[Surroundings]:
        """Yield the surroundings that every run of the tests goes through."""
        yield self.plain(
            "another checkout and other sources, in other paths",
            checkout=copy_checkout(self.directory / "a checkout, deeper" / "and deeper" / "two"),
            directory=make_sources(self.directory / "elsewhere" / "ö sources", seed=1),
            relative=True,
        )
        yield self.plain("umask 000", umask=0o000, jobs=1)
        yield self.plain("umask 077", umask=0o077, jobs=8)
        yield self.plain(
            "another time zone, locale and hash seed",
            environment={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        )
        yield self.plain("directories in another order", environment=self._shuffled(1))

    def many(self) -> Iterator[Surroundings]:
        """Yield all the others."""
        for jobs in (1, 2, 3, 8):
            yield self.plain(f"{jobs} threads", jobs=jobs)
        yield self.plain("one processor", prefix=_one_processor())
        for zone in ("UTC", "America/St_Johns", "Asia/Kathmandu"):
            yield self.plain(f"time zone {zone}", environment={"TZ": zone})
        for name in locales():
            yield self.plain(f"locale {name}", environment={"LC_ALL": name, "LANG": name})
        for number in ("0", "4294967295"):
            yield self.plain(f"hash seed {number}", environment={"PYTHONHASHSEED": number})
        for seed in (2, 3):
            name = f"directories in another order, {seed}"
            yield self.plain(name, environment=self._shuffled(seed))
        yield self.plain(
            "another user's environment",
            environment={"HOME": "/nonexistent", "USER": "zoë", "LOGNAME": "zoë", "TERM": "dumb"},
        )
        for mode in ("-O", "-OO", "utf8"):
            more = {"PYTHONUTF8": "1"} if mode == "utf8" else {"PYTHONOPTIMIZE": str(len(mode) - 1)}
            yield self.plain(f"Python's mode {mode}", environment=more)
        for seed in (2, 3):
            directory = make_sources(self.directory / f"made in order {seed}", seed=seed)
            yield self.plain(f"files made in another order and time, {seed}", directory=directory)

    def others(self) -> Iterator[Surroundings]:
        """Yield what needs more than this machine may have: a second file system, Pythons."""
        if os.access("/dev/shm", os.W_OK):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
                made = make_sources(Path(place) / "sources", seed=4)
                yield self.plain("sources in memory", directory=made)
        for name, python in environments():
            yield self.plain(f"Python {name}", python=os.fspath(python))

    def _shuffled(self, seed: int) -> dict[str, str]:
        hook = self.directory / f"hook {seed}"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(SHUFFLE.format(seed=seed))
        return {"PYTHONPATH": f"{hook}{os.pathsep}{self.checkout}"}


def copy_checkout(place: Path) -> Path:
    """Copy what of a checkout decides about a kit's bytes."""
    for name in ("kit", "verifier"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, place / name, ignore=ignore)
    return place


def make_sources(place: Path, seed: int = 0) -> Path:
    """Write the sources in an order, and with times and modes, that a seed decides."""
    generator = random.Random(seed)
    items = list(files().items())
    generator.shuffle(items)
    place.mkdir(parents=True)
    write_files(place / "src", dict(items), EXECUTABLE)
    for path, _ in items:
        target = place / "src" / path
        if seed:
            target.chmod(target.stat().st_mode & 0o100 | generator.choice([0o600, 0o666, 0o644]))
        moment = generator.randrange(1, 2_000_000_000)
        os.utime(target, (moment, moment))
    write_spec(place, ["app", "data"])
    return place


def locales() -> list[str]:
    """Return locales of this machine that behave differently, at most six."""
    known = ["C", "C.UTF-8", "POSIX"]
    try:
        done = subprocess.run(["locale", "-a"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return known
    found = done.stdout.decode("ascii", "replace").split()
    odd = [name for name in found if name.startswith(("tr_", "az_", "lt_", "ja_", "de_"))]
    return [*known, *sorted(odd)[:3]]


def _one_processor() -> tuple[str, ...]:
    taskset = shutil.which("taskset")
    return (taskset, "-c", str(min(os.sched_getaffinity(0)))) if taskset else ()


def environments() -> Iterator[tuple[str, Path]]:
    """Yield an environment for each other Python that can build, made from the lock."""
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    for minor in range(10, 20):
        name = f"3.{minor}"
        found = shutil.which(f"python{name}")
        kept = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{name}.*/bin/python")))
        for path in [*kept, *([found] if found else [])]:
            if name == ours or subprocess.run([path, "-c", ""], capture_output=True).returncode:
                continue
            place = KEPT / f"python{name}"
            stamp = place / "lock"
            if not stamp.exists() or stamp.read_text() != lock:
                print(f"making an environment for Python {name}", flush=True)
                command = [REPOSITORY / "tools" / "venv.sh", place, LOCK]
                environment = {**os.environ, "PYTHON": path}
                subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
                stamp.write_text(lock)
            yield name, place / "bin" / "python"
            break


def main() -> int:
    """Build in all surroundings and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="only what the tests do")
    few = parser.parse_args().few
    different = 0
    with tempfile.TemporaryDirectory() as directory:
        laboratory = Laboratory(Path(directory))
        for store in (False, True):
            what = "stored" if store else "packed"
            first = laboratory.build(laboratory.plain("the first", store=store))
            print(f"{what}: {first['demo-1.0.tar.zst']}  the first", flush=True)
            for where in _all(Laboratory(Path(directory) / what), few):
                made = laboratory.build(replace(where, store=store))
                names = sorted(
                    name for name in {*first, *made} if first.get(name) != made.get(name)
                )
                different += bool(names)
                verdict = f"DIFFERENT: {', '.join(names)}" if names else "the same"
                print(f"{what}: {verdict}: {where.name}", flush=True)
    print("everything is the same" if not different else f"{different} are different")
    return min(different, 1)


def _all(laboratory: Laboratory, few: bool) -> Iterator[Surroundings]:
    yield from laboratory.few()
    if not few:
        yield from laboratory.many()
        yield from laboratory.others()


if __name__ == "__main__":
    sys.exit(main())
