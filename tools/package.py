"""Builds wheel and sdist, installs each where nothing else is, and makes a kit with what is there.

    python tools/package.py        # `make package`

pip and pipx install the wheel, uv the sdist; what they need comes from requirements/runtime.txt,
with its hash where the installer takes one (pipx takes the versions).  None of them sees this
checkout: they run in another directory, with an empty environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements" / "runtime.txt"
SPEC = """\
[kit]
name = "smoke"
version = "1.0"
line = "smoke/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "made by what was installed"

[[component]]
id = "a"
version = "1"
path = "a"
lands = "/opt/a"
[[component.source]]
dir = "a"

[release]
root = "root.json"
out = "out"
[release.keys]
alice = "alice.pem"
"""
STEPS = (  # of somebody who has just installed it
    "offline-kit --version",
    "offline-kit key new alice",
    "offline-kit key new publisher --type ecdsa-p256",
    "offline-kit root init --threshold 1 --expires 2031-01-01 --signer alice=alice.pub"
    " --key alice.pem",
    "offline-kit build",
    "offline-kit sign",
    "offline-kit seal",
    "kit-verify verify --root root.json -- out/smoke-1.0/smoke-1.0.tar.zst",
    "offline-kit publish --to dir:place --key publisher.pem",
    "offline-kit fetch smoke/stable --from dir:place --to in --root root.json"
    " --publisher publisher.pub",
    "offline-kit explain no-root",
    "offline-kit schema",
    "offline-kit doctor",
)


def main() -> int:
    """Do it all; the first failure ends it."""
    with tempfile.TemporaryDirectory(prefix="offline-kit-package-") as name:
        work = Path(name)
        _run([sys.executable, "-m", "hatchling", "build", "-d", work / "dist"], cwd=TOP)
        (wheel,) = sorted((work / "dist").glob("*.whl"))
        (sdist,) = sorted((work / "dist").glob("*.tar.gz"))
        _look_into(wheel)
        for how, package in (("pip", wheel), ("pipx", wheel), ("uv", sdist)):
            place = work / how
            _install(how, package, place / "venv")
            _smoke(place)
            print(f"package: {package.name} installed by {how} makes, proves and publishes a kit")
    return 0


def _look_into(wheel: Path) -> None:
    """See that a wheel has the programs, and nothing that belongs to this checkout alone."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    foreign = sorted(
        top
        for top in tops
        if top not in ("kit", "verifier", "runner") and not top.endswith(".dist-info")
    )
    if foreign or not {"kit", "verifier"} <= tops:
        raise SystemExit(f"package: the wheel has {', '.join(sorted(tops))}")


def _install(how: str, package: Path, venv: Path) -> None:
    if how == "pipx":
        _install_by_pipx(package, venv)
        return
    _run([sys.executable, "-I", "-m", "venv", venv])
    python = venv / "bin" / "python"
    if how == "pip":
        pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        _run([*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK])
        _run([*pip, "--no-deps", "--no-index", package])
        _run([python, "-I", "-m", "pip", "--disable-pip-version-check", "check"])
        return
    uv = [Path(sys.executable).parent / "uv", "pip", "install", "--quiet", "--python", python]
    _run([*uv, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK])
    # the sdist is built here, with the backend that the lock of this checkout named
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    backend = {"PYTHONPATH": os.fspath(site)}
    _run([*uv, "--no-deps", "--offline", "--no-build-isolation", package], more=backend)


def _install_by_pipx(package: Path, venv: Path) -> None:
    """Install as somebody does who has pipx: programs in one directory, the rest out of sight."""
    venv.mkdir(parents=True)
    versions = [
        line for line in LOCK.read_text("utf-8").splitlines() if re.match(r"[\w.-]+==", line)
    ]
    constraints = venv / "constraints.txt"
    constraints.write_text("".join(f"{line.rstrip(' ' + chr(92))}\n" for line in versions), "utf-8")
    places = {
        "PIPX_HOME": venv / "pipx",
        "PIPX_BIN_DIR": venv / "bin",
        "PIPX_MAN_DIR": venv / "man",
    }
    arguments = f"--disable-pip-version-check --only-binary :all: --constraint {constraints}"
    _run(
        [sys.executable, "-I", "-m", "pipx", "install", "--pip-args", arguments, package],
        more={name: os.fspath(path) for name, path in places.items()},
    )


def _smoke(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a" / "file").write_text("contents\n", "utf-8")
    (place / "kit.toml").write_text(SPEC, "utf-8")
    for step in STEPS:
        program, *words = step.split()
        _run([place / "venv" / "bin" / program, *words], cwd=place, clean=True)


def _run(
    words: Sequence[object],
    *,
    cwd: Path | None = None,
    clean: bool = False,
    more: dict[str, str] | None = None,
) -> None:
    """Run a program; end with what it said if it fails."""
    command = [os.fspath(word) if isinstance(word, Path) else str(word) for word in words]
    environment = {**os.environ, **(more or {})}
    if clean:
        environment = {"PATH": "/usr/bin:/bin", "HOME": os.fspath(cwd or TOP), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.stdout.write(done.stdout.decode("utf-8", "replace"))
        raise SystemExit(f"package: failed ({done.returncode}): {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
