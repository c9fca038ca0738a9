"""Runs a kit's own verifier on every Python of this machine, with nothing installed: ``make bare``.

``-I -S`` hides site-packages, the environment and the working directory, so what runs is what an
operator's host has.  Pythons that are too old must say so in a sentence.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import bundles
from tests.support.bundles import STATEMENT, Wish, make_bundle
from tests.support.certificates import NOW
from tests.support.making import ROOT_FILE, Made, make_kit, read_tree, text
from tests.support.running import Grounds, step

OLDEST = (3, 9)
TIMEOUT_SECONDS = 120
PLACES = ("~/.pyenv/versions/*/bin/python", "/usr/bin/python[23]*", "/usr/local/bin/python[23]*")
VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
FILES = {
    "tools/run": b"#!/bin/sh\n",
    "tools/größe.txt": b"\r\n",
    "data/packed": text(5_000_000),
    "data/empty": b"",
}
EXECUTABLE = ("tools/run",)
BUNDLES = {
    "rekor.json": Wish(),
    "rekor-2.json": Wish(STATEMENT, form=("hashedrekord", "0.0.2")),
}
JUDGE = """import sys; sys.path.insert(0, sys.argv[1])
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import make_identity
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import verify_bundle
root = parse_trusted_root(open(sys.argv[2], "rb").read())
try:
    bundle = parse_bundle(open(sys.argv[3], "rb").read())
    print(verify_bundle(bundle, make_identity(*sys.argv[4:]), [root]).signed_at)
except KitError as error:
    print(error.code)
"""


@dataclass(frozen=True)
class Python:
    """An interpreter on this machine."""

    path: str
    version: tuple[int, ...]

    @property
    def name(self) -> str:
        """Version as people write it."""
        return ".".join(map(str, self.version))

    @property
    def is_old(self) -> bool:
        """Whether it is older than what the verifier needs."""
        return self.version[:2] < OLDEST


def pythons() -> list[Python]:
    """Return one interpreter of each version that this machine has, the oldest first."""
    found: dict[tuple[int, ...], Python] = {}
    paths = [sys.executable]
    for place in PLACES:
        paths += sorted(glob.glob(os.path.expanduser(place)))
    for path in paths:
        if os.path.basename(path).rstrip("0123456789.") not in {"python", "python3"}:
            continue  # python3-config and the like
        try:
            done = subprocess.run(
                [path, "-c", VERSION], capture_output=True, timeout=TIMEOUT_SECONDS, check=True
            )
            version = tuple(map(int, done.stdout.decode("ascii").split(".")))
        except (OSError, ValueError, subprocess.SubprocessError):
            continue  # a link to nowhere, or a version manager's shim that runs nothing
        found.setdefault(version, Python(path, version))
    return [found[version] for version in sorted(found)]


class Failed(Exception):
    """An interpreter did not do what every one must do."""


class Bare:
    """A kit, and what every Python must make of it.

    Args:
        directory: An empty directory for the kit and for what is extracted.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.kit: Made = make_kit(directory / "made", FILES, EXECUTABLE)
        (directory / "site").mkdir(mode=0o755)
        book = step("a") + step("b", "--exit=7")
        self.grounds = Grounds(directory / "site").make(book)
        self._tampered = directory / "tampered.tar.zst"
        data = bytearray(self.kit.path.read_bytes())
        data[-9000] ^= 1
        self._tampered.write_bytes(data)
        root = bundles.text(bundles.world().trusted_root())
        (directory / "trusted_root.json").write_bytes(root)
        for name, wish in BUNDLES.items():
            (directory / name).write_bytes(bundles.text(make_bundle(wish)))

    def run(
        self, command: Sequence[str | Path], *, stdin: Path | None = None, cwd: str | Path = "/"
    ) -> tuple[int, str]:
        """Run a command without an environment; return its exit status and what it said."""
        with open(stdin or os.devnull, "rb") as stream:
            done = subprocess.run(
                [os.fspath(word) for word in command],
                stdin=stream,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                env={},
                cwd=cwd,
                check=False,
            )
        return done.returncode, done.stdout.decode("utf-8", "backslashreplace")

    def verifier(
        self, python: Python, *words: str | Path, expect: int, stdin: Path | None = None
    ) -> str:
        """Run the kit's ``kit-verify.pyz``; return what it said.

        Raises:
            Failed: It ended with another status.
        """
        command = [python.path, "-I", "-S", self.kit.pyz, *words]
        status, said = self.run(command, stdin=stdin)
        if status != expect:
            raise Failed(f"{list(map(str, words))}: exit status {status}, not {expect}\n{said}")
        return said

    def checks(self, python: Python) -> Iterator[tuple[str, Callable[[Python], None]]]:
        """Yield what an interpreter must be able to do, by name."""
        if python.is_old:
            yield "says that it is too old", self.is_too_old
            return
        yield "verify", self.verifies
        yield "json", self.reports
        yield "quick", self.is_quick
        yield "pipe", self.reads_a_pipe
        yield "list", self.lists
        yield "extract", self.extracts
        yield "refuse", self.refuses
        yield "explain", self.explains
        yield "selftest", self.tests_itself
        yield "sigstore", self.judges_bundles
        yield "directory", self.isolates_itself
        yield "runbook", self.runs_a_runbook

    def runs_a_runbook(self, python: Python) -> None:
        """A run forward until a step fails, and back."""
        name = f"on-{python.name}"
        grounds, start = self.grounds, [python.path, "-I", "-S", str(self.grounds.pyz)]
        for path in sorted(grounds.place.iterdir()):
            path.unlink()
        command = [*start, *grounds.new("run", "--name", name)[4:]]
        place = grounds.runs / "demo" / "stable" / name
        steps: list[tuple[list[str | Path], int]] = [
            ([*command], 5),
            ([*start, "status", place], 0),
            ([*start, "resume", place], 5),
            ([*start, "rollback", place], 0),
        ]
        for words, expected in steps:
            status, said = self.run(words)
            if status != expected or "Traceback" in said:
                raise Failed(f"{list(map(str, words))}: exit status {status}\n{said}")
        done = grounds.log()
        if done[:2] + done[-1:] != ["--apply a", "--apply b", "--undo a"]:
            raise Failed(str(done))

    def is_too_old(self, python: Python) -> None:
        """One sentence, exit status 3, no traceback; Python 2 knows no ``-I``."""
        command: list[str | Path] = [
            python.path,
            "-S",
            self.kit.pyz,
            self.kit.path,
            "--root",
            ROOT_FILE,
        ]
        status, said = self.run(command)
        if status != 3 or "Traceback" in said or not said.startswith("kit-verify needs Python 3.9"):
            raise Failed(f"exit status {status}\n{said}")
        if f"this is {python.version[0]}.{python.version[1]}." not in said:
            raise Failed(f"it does not name its version\n{said}")
        status, said = self.run([python.path, "-S", self.grounds.pyz, "plan", self.kit.path])
        if status != 3 or "Traceback" in said or not said.startswith("kit-run needs Python 3.9"):
            raise Failed(f"exit status {status}\n{said}")

    def verifies(self, python: Python) -> None:
        """The verdict stands first."""
        said = self.verifier(python, self.kit.path, "--root", ROOT_FILE, expect=0)
        if not said.startswith("VERIFIED: demo 1.0"):
            raise Failed(said)

    def reports(self, python: Python) -> None:
        """The report is JSON, and the same whatever the interpreter, but for the decoder."""
        said = self.verifier(python, self.kit.path, "--root", ROOT_FILE, "--json", expect=0)
        report = json.loads(said)
        if (report["verdict"], report["kitId"]) != ("verified", self.kit.built.kit_id):
            raise Failed(said)

    def is_quick(self, python: Python) -> None:
        """Nothing is decoded."""
        said = self.verifier(python, self.kit.path, "--root", ROOT_FILE, "--quick", expect=0)
        if not said.startswith("VERIFIED (quick)"):
            raise Failed(said)

    def reads_a_pipe(self, python: Python) -> None:
        """From standard input, in one pass."""
        self.verifier(python, "-", "--root", ROOT_FILE, stdin=self.kit.path, expect=0)

    def lists(self, python: Python) -> None:
        """A console that cannot show a name shows it escaped: there is no locale here."""
        said = self.verifier(python, "list", self.kit.path, "--root", ROOT_FILE, expect=0)
        lines = said.splitlines()
        if "0755             10 tools/run" not in lines or len(lines) < 20:
            raise Failed(said)

    def extracts(self, python: Python) -> None:
        """Every byte and mode."""
        target = self._directory / f"extracted by {python.name}"
        words = ("--root", ROOT_FILE, "--extract", target)
        self.verifier(python, self.kit.path, *words, expect=0)
        tree = read_tree(target)
        for path, data in FILES.items():
            if tree[path] != (0o755 if path in EXECUTABLE else 0o644, data):
                raise Failed(f"{path} did not arrive as it was")

    def refuses(self, python: Python) -> None:
        """Rejected and undecided have statuses of their own."""
        self.verifier(python, self._tampered, "--root", ROOT_FILE, expect=4)
        said = self.verifier(python, self.kit.path, expect=3)
        if not said.startswith("UNDECIDED: nobody vouches for this kit\n"):
            raise Failed(said)
        self.verifier(python, self.kit.path, "--root", self.kit.path, expect=2)

    def explains(self, python: Python) -> None:
        """Docstrings are there, since the sources are."""
        said = self.verifier(python, "explain", "threshold-not-met", expect=0)
        if not said.startswith("threshold-not-met (rejected, exit status 4)\n\nToo few"):
            raise Failed(said)

    def tests_itself(self, python: Python) -> None:
        """The answers that are built in."""
        self.verifier(python, "selftest", expect=0)

    def judges_bundles(self, python: Python) -> None:
        """A bundle of each log holds for whom it names, and for nobody else."""
        place, seconds = self._directory, int(NOW.timestamp())
        for name, told in zip(BUNDLES, (seconds + 5, seconds + 6), strict=True):
            words: list[str | Path] = [
                self.kit.pyz,
                place / "trusted_root.json",
                place / name,
                bundles.ISSUER,
            ]
            for who, answer in ((bundles.NAME, f"{told}"), ("another", "identity-mismatch")):
                command: list[str | Path] = [python.path, "-I", "-S", "-c", JUDGE, *words, who]
                status, said = self.run(command)
                if (status, said.strip()) != (0, answer):
                    raise Failed(f"{name}: exit status {status}\n{said}")

    def isolates_itself(self, python: Python) -> None:
        """``python -m verifier`` beside an extracted ``verifier/`` takes no bait from there.

        What the interpreter itself imports for ``-m`` (on 3.9: typing) cannot be helped: this way
        of running is a convenience and proves nothing at first contact.
        """
        place = self._directory / f"directory for {python.name}"
        words = ("--root", ROOT_FILE, "--only", "verifier", "--extract", place)
        self.verifier(python, self.kit.path, *words, expect=0)
        for name in ("json", "hashlib", "argparse", "threading", "sitecustomize"):
            bait = f"import os; os.write(1, b'the bait {name} was taken'); os._exit(0)\n"
            (place / f"{name}.py").write_text(bait)
        command: list[str | Path] = [
            python.path,
            "-m",
            "verifier",
            self.kit.path,
            "--root",
            ROOT_FILE,
        ]
        status, said = self.run(command, cwd=place)
        if status or not said.startswith("VERIFIED: demo 1.0"):
            raise Failed(f"exit status {status}\n{said}")
        if list(place.rglob("no-cache")):
            raise Failed("it wrote byte code beside itself")


def main() -> int:
    """Run every check on every Python and return the exit status."""
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        bare = Bare(Path(directory))
        for python in pythons():
            good = []
            for name, check in bare.checks(python):
                try:
                    check(python)
                except Failed as failed:
                    failures += 1
                    print(f"{python.name:>8}  FAILED  {name}: {failed}")
                else:
                    good.append(name)
            print(f"{python.name:>8}  good    {', '.join(good)}")
    if not any(not python.is_old for python in pythons()):
        print("no Python that could run the verifier was found")
        return 1
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
