"""Makes whole kits for tests: real files, the real builder, the public test keys.

A kit's payload is given as a table from path in the kit to contents; the first part of a path is
its component.  Nothing here is a stand-in: what a test gets is what `offline-kit build` makes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.build import BuiltKit, Options, build
from kit.seal import SealedKit, seal
from kit.signing import load_signer, load_sums_signer
from kit.spec import KitSpec, load_spec
from tests.support.compiled import compiled
from tests.support.warm import warm
from verifier.core.trust import Root, parse_root

REPOSITORY = Path(__file__).parents[2]
KEYS = REPOSITORY / "fixtures" / "keys"
ROOT_FILE = KEYS / "root.json"
HEAD_MEMBERS = ("kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames")
CREATED = "2026-11-24T00:00:00Z"

Files = Mapping[str, bytes]

SMALL: Files = {
    "tools/bin/run": b"#!/bin/sh\necho ran\n",
    "tools/doc/read me.txt": b"read me\r\n",
    "data/zeros": bytes(1_200_000),  # one frame that compresses
    "data/empty": b"",
}
SMALL_EXECUTABLE = ("tools/bin/run",)


@dataclass(frozen=True)
class Made:
    """A kit, and what was put into it."""

    path: Path
    built: BuiltKit
    sealed: SealedKit | None
    files: dict[str, bytes]
    executable: frozenset[str]

    @property
    def directory(self) -> Path:
        """Where the kit and what `seal` writes beside it are."""
        return self.path.parent

    @property
    def pyz(self) -> Path:
        """The verifier beside the kit."""
        return self.directory / "kit-verify.pyz"


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that no compressor makes smaller, the same ones for a seed."""
    return hashlib.shake_128(b"noise %d" % seed).digest(size)


def text(size: int, seed: int = 0) -> bytes:
    """Return bytes that a compressor makes far smaller, the same ones for a seed."""
    line = b"%d: the quick brown fox jumps over the lazy dog\n" % seed
    return (line * (size // len(line) + 1))[:size]


def key(name: str) -> str:
    """Return the private test key of somebody."""
    return os.fspath(KEYS / f"{name}.pem")


def pinned() -> Root:
    """Return the root of trust of the test keys: two of alice, bob and carol."""
    return parse_root(ROOT_FILE.read_bytes())


def write_files(directory: Path, files: Files, executable: Collection[str] = ()) -> None:
    """Write a tree of files; the modes are given in spite of the umask."""
    for path, data in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if path in executable else 0o644)


def write_spec(
    directory: Path,
    components: Sequence[str],
    *,
    version: str = "1.0",
    level: int = 3,
    created: str = CREATED,
    name: str = "demo",
) -> Path:
    """Write the spec of a kit whose components come from ``src/COMPONENT``; return its path."""
    lines = [
        "[kit]",
        f'name = "{name}"',
        f'version = "{version}"',
        'line = "demo/stable"',
        "sequence = 7",
        f"created = {created}",
        'summary = "a kit for tests"',
        'names = "unicode"',
        f"level = {level}",
    ]
    for item in components:
        lines += ["", "[[component]]", f'id = "{item}"', 'version = "1"', f'path = "{item}"']
        lines += [f'lands = "/opt/{item}"', "[[component.source]]", f'dir = "src/{item}"']
    path = directory / "kit.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_sources(
    directory: Path, files: Files = SMALL, executable: Collection[str] = SMALL_EXECUTABLE
) -> KitSpec:
    """Write sources and their spec into a new directory; return the spec."""
    directory.mkdir(parents=True, exist_ok=True)
    write_files(directory / "src", files, executable)
    components = sorted({path.split("/")[0] for path in files})
    return load_spec(write_spec(directory, components))


def make_kit(
    directory: Path,
    files: Files = SMALL,
    executable: Collection[str] = SMALL_EXECUTABLE,
    *,
    signers: Sequence[str] = ("alice", "bob"),
    sums: bool = True,
    store: bool = False,
    workers: int = 2,
) -> Made:
    """Build a kit in ``directory/out`` from ``directory/src``; seal it if the threshold is met."""
    spec = make_sources(directory, files, executable)
    return build_kit(spec, directory / "out", signers=signers, sums=sums, store=store, n=workers)


def build_kit(
    spec: KitSpec,
    out: Path,
    *,
    signers: Sequence[str] = ("alice", "bob"),
    sums: bool = True,
    store: bool = False,
    n: int = 2,
) -> Made:
    """Build the kit of a spec made by `make_sources`; seal it if the threshold is met."""
    out.mkdir(exist_ok=True)
    root = pinned()
    built = build(
        spec,
        [root],
        out,
        Options(store=store, workers=n),
        signers=[load_signer(key(name), root.targets.keys) for name in signers],
        sums=load_sums_signer(key("sums")) if sums else None,
    )
    met = len(built.signers) >= root.targets.threshold
    sealed = seal(built.path, root=root, workers=n) if met else None
    source = spec.base / "src"
    found = [path for path in source.rglob("*") if path.is_file()]
    return Made(
        built.path,
        built,
        sealed,
        {path.relative_to(source).as_posix(): path.read_bytes() for path in found},
        frozenset(
            path.relative_to(source).as_posix() for path in found if path.stat().st_mode & 0o100
        ),
    )


def read_tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and contents of every file below a directory; links are not followed."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            assert not path.is_symlink(), path
            found[path.relative_to(directory).as_posix()] = (
                path.stat().st_mode & 0o7777,
                path.read_bytes(),
            )
    return found


def run_verifier(
    made: Made, *arguments: str | Path, python: str = sys.executable, pin: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the kit's own verifier as an operator does; a kit must be among the arguments.

    This Python is forked with the verifier in it, any other one is started.
    """
    words = [*map(str, arguments), *(["--root", str(ROOT_FILE)] if pin else [])]
    if python == sys.executable:
        done = warm(compiled(made.pyz.read_bytes())).run(words)
        said = (text.decode("utf-8") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(words, done.returncode, *said)
    command = [python, "-I", str(made.pyz), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
