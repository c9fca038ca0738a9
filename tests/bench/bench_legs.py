"""What is run: our commands, the limits, and what people do by hand, over one data set."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import bench_data

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
KEYS = TOP / "fixtures" / "keys"
PYTHON = sys.executable
INSTALLED = os.fspath(Path(PYTHON).parent / "kit-verify")
NAME = "bench-1.0.0"
KIT = f"{NAME}.tar.zst"
SPEC = """\
[kit]
name = "bench"
version = "1.0.0"
line = "bench/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "A data set of the benchmark"

[[component]]
id = "data"
version = "1.0.0"
path = "data"
lands = "/srv/data"

[[component.source]]
dir = "data"
"""
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C",
    "PYTHONPATH": os.fspath(TOP),
}


@dataclass(frozen=True)
class Leg:
    """One thing to measure.

    Attributes:
        name: Short, for ``--leg`` and for the targets.
        text: What it is, for the table.
        command: What is run, in the directory of the data set.
        makes: What it leaves behind; removed before each run, outside the measured time.
    """

    name: str
    text: str
    command: tuple[str, ...]
    makes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set on disk with its kit.

    Attributes:
        bytes: Of all files together.
        disk: A directory on a disk, for what is measured there; None if there is none.
    """

    name: str
    directory: Path
    files: int
    bytes: int
    kit_bytes: int
    library: str
    environment: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)
    disk: Path | None = None


def _run(command: list[str], directory: Path) -> str:
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def prepare(name: str, size: str, work: Path, disk: Path | None = None) -> DataSet:
    """Make a data set unless it is there, and build and sign its kit anew."""
    directory = work / f"{name}-{size}-{bench_data.VERSION}"
    done = directory / "made"
    if not done.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        maker = [PYTHON, os.fspath(HERE / "bench_data.py"), name, size, "data"]
        _run(maker, directory)
        done.touch()
    for old in directory.iterdir():
        if old.is_file() and old != done:  # the kit, and all that seal wrote beside it
            old.unlink()
    (directory / "kit.toml").write_text(SPEC, "utf-8")
    keys = ["--key", f"alice={KEYS / 'alice.pem'}", "--key", f"bob={KEYS / 'bob.pem'}"]
    root = os.fspath(KEYS / "root.json")
    _run([PYTHON, "-m", "kit.cli", "build", "kit.toml", "--root", root, *keys], directory)
    for path in sorted((directory / NAME).iterdir()):
        path.rename(directory / path.name)
    _run([PYTHON, "-m", "compileall", "-q", os.fspath(TOP / "verifier")], directory)  # as pip does
    limit = os.fspath(HERE / "bench_limit.py")
    library = _run([PYTHON, limit, "plan", KIT, root, "plan"], directory).strip()
    counted = "import os,sys;s=[os.path.getsize(os.path.join(d,f)) for d,_,n in os.walk('data')"
    counted += " for f in n];print(len(s),sum(s))"
    files, total = map(int, _run([PYTHON, "-c", counted], directory).split())
    kit_bytes = (directory / KIT).stat().st_size
    return DataSet(name, directory, files, total, kit_bytes, library, disk=disk)


def _shell(text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-ec", text)


def legs(data: DataSet, prototype: Path | None) -> list[Leg]:
    """Return what to measure on a data set, in the order of one round."""
    found = our_legs(data)
    if data.name not in ("quarter", "million"):
        found += limit_legs(data) + hand_legs(data)
    if data.name not in ("huge", "million"):
        found += extraction_legs(data)
    if prototype is not None:
        tool = shlex.join([PYTHON, os.fspath(prototype)])
        made = _shell(f"{tool}/fastbuild.py data prototype.kit")
        checked = _shell(f"{tool}/fastverify.py prototype.kit")
        found += [
            Leg("prototype-build", "prototype: build", made, ("prototype.kit",)),
            Leg("prototype-verify", "prototype: verify", checked),
        ]
    return found


def our_legs(data: DataSet) -> list[Leg]:
    """Return our own commands."""
    root = os.fspath(KEYS / "root.json")
    verify = (PYTHON, "-I", "kit-verify.pyz")
    piped = f"cat {KIT} | {shlex.join(verify)} - --root {shlex.quote(root)}"
    build = (PYTHON, os.fspath(HERE / "bench_build.py"), "kit.toml", root)
    found = [
        Leg("start", "`kit-verify.pyz --version`: only the start", (*verify, "--version")),
        Leg("verify", "`kit-verify.pyz KIT`", (*verify, KIT, "--root", root)),
        Leg("installed", "`kit-verify KIT`, installed", (INSTALLED, KIT, "--root", root)),
        Leg("pipe", "`cat KIT \\| kit-verify.pyz -`", _shell(piped)),
        Leg("build", "build, no self-check", build, (f"out/{KIT}",)),
        Leg("build-check", "build with self-check", (*build, "--check"), (f"out/{KIT}",)),
    ]
    if data.name in ("quarter", "million"):
        list_ = (*verify, "list", KIT, "--root", root)
        return [*found, Leg("list", "`kit-verify.pyz list KIT`", list_)]
    quick = (INSTALLED, KIT, "--quick", "--root", root)
    return [*found, Leg("quick", "`kit-verify KIT --quick`, installed", quick)]


def extraction_legs(data: DataSet) -> list[Leg]:
    """Return extraction where the data is, and on a disk, with what people do by hand."""
    verify = (INSTALLED, KIT, "--root", os.fspath(KEYS / "root.json"), "--extract")
    tar = _shell(f"mkdir tar; zstd -dc {KIT} | tar -xf - -C tar")
    found = [
        Leg("extract", "`kit-verify KIT --extract DIR`, installed", (*verify, "ours"), ("ours",)),
        Leg("tar-x", "`zstd -dc \\| tar -x`, which proves nothing", tar, ("tar",)),
    ]
    if data.disk is not None:
        ours, copy = (os.fspath(data.disk / name) for name in ("ours", "copy"))
        by_hand = _shell(f"cp -r data {shlex.quote(copy)}; sync -f {shlex.quote(copy)}")
        disk = (*verify, ours, "--shared-parent")
        found += [
            Leg("extract-disk", "the same on a disk", disk, (ours,)),
            Leg(
                "cp-disk", "`cp -r` of the same files to that disk, and `sync -f`", by_hand, (copy,)
            ),
        ]
    return found


def limit_legs(data: DataSet) -> list[Leg]:
    """Return what nobody can beat."""
    limit = (PYTHON, "-I", os.fspath(HERE / "bench_limit.py"))
    start = (*limit, "start", "plan", KIT, data.library)
    return [
        Leg("limit-start", "the limits: only the start", start),
        Leg("limit-b", "limit B", (*limit, "full", "plan", KIT, data.library)),
        Leg("limit-q", "limit Q", (*limit, "quick", "plan", KIT)),
    ]


def hand_legs(data: DataSet) -> list[Leg]:
    """Return what people do by hand."""
    at_once = min(500, max(1, data.files // 16))  # enough runs of openssl for two cores
    tar = "tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - data"
    tar += " | zstd -q -T0 -3 -f -o by-hand.tar.zst"
    digests = f"find data -type f -print0 | xargs -0 -P2 -n{at_once} openssl dgst -sha256"
    hashed = _shell(f"zstd -dc {KIT} | openssl dgst -sha256")
    both = _shell(f"{tar}; {digests}")
    found = [
        Leg("openssl", "`zstd -dc KIT \\| openssl dgst -sha256`", hashed),
        Leg("tar-zstd", "`tar \\| zstd -T0 -3`", _shell(tar), ("by-hand.tar.zst",)),
        Leg(
            "tar-zstd-sums",
            "the same, then `openssl dgst -sha256` of every file, two at a time",
            both,
            ("by-hand.tar.zst",),
        ),
    ]
    if data.name != "huge":
        unpack = f"mkdir by-hand; zstd -dc {KIT} | tar -xf - -C by-hand; cd by-hand; "
        sums = _shell(unpack + "sha256sum --quiet -c SHA256SUMS")
        text = "`zstd -dc \\| tar -x`, then `sha256sum -c`"
        found.append(Leg("unpack", text, sums, ("by-hand",)))
    return found


def clean(data: DataSet, leg: Leg) -> None:
    """Remove what a run of a leg left behind; on a disk, put it aside."""
    (data.directory / "out").mkdir(exist_ok=True)
    for name in leg.makes:
        path = data.directory / name
        if os.path.isabs(name):
            _put_aside(path, data)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _put_aside(path: Path, data: DataSet) -> None:
    """Rename a directory on the disk; remove it only where there is no room for more.

    ext4 gives no inode out again for a minute or more after its removal, and looks at all of
    these for each new file: after 29,000 removals `cp` of as many took 12 s instead of 3.
    """
    aside = path.with_name("aside")
    aside.mkdir(exist_ok=True)
    if shutil.disk_usage(aside).free < 4 * data.bytes:
        shutil.rmtree(aside)
        aside.mkdir()
    if path.exists():
        path.rename(aside / f"{data.name}-{path.name}-{len(os.listdir(aside))}")
    _run(["sync", "-f", os.fspath(aside)], data.directory)  # the next run's is its own
