"""The whole program on hosts that differ: other calls below it, another locale, a nameless user.

What lies below is a library in C that is put before the system's; it is compiled here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.compiled import compiled
from tests.support.making import ROOT_FILE, Made, make_kit, read_tree, text
from verifier.core.errors import ExitStatus

FILES = {
    "tools/größe.txt": b"\r\n",
    "tools/сеть/файл": b"not in Latin-1\n",
    "tools/run": b"#!/bin/sh\n",
    "data/big": text(3_000_000),
}
DIGEST = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
LIBRARY = Path(__file__).with_name("oddfs.c")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="not run: this host is not POSIX")


@pytest.fixture(scope="module")
def open_place() -> Iterator[Path]:
    """A directory that others may enter: pytest closes those of its own whenever one begins."""
    with tempfile.TemporaryDirectory(prefix="offline-kit-hosts-") as place:
        os.chmod(place, 0o755)
        yield Path(place)


@pytest.fixture(scope="module")
def kit(open_place: Path) -> Made:
    """Return a sealed kit with names that few locales can show."""
    made = make_kit(open_place / "hosts", FILES, ("tools/run",))
    made.pyz.write_bytes(compiled(made.pyz.read_bytes()))
    return made


def verifier(
    kit: Made, *arguments: str | Path, before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the shipped program with nothing in its environment but what is given."""
    command: list[str | Path] = [*before, sys.executable, "-I", kit.pyz, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


def extract(
    kit: Made, target: Path, before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[bytes]:
    arguments = (kit.path, "--root", ROOT_FILE, "--extract", target)
    return verifier(kit, *arguments, before=before, **environment)


def arrived(target: Path) -> dict[bytes, bytes]:
    """Return what was extracted, by the bytes of its names."""
    top = os.fsencode(target)
    return {
        os.path.relpath(os.path.join(place, name), top): Path(
            os.fsdecode(os.path.join(place, name))
        ).read_bytes()
        for place, _, names in os.walk(top)
        for name in names
    }


def is_whole(target: Path) -> bool:
    found = arrived(target)
    return all(found.get(path.encode()) == data for path, data in FILES.items())


# --- other calls -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc")
    made = os.fspath(tmp_path_factory.mktemp("library") / "oddfs.so")
    command = [str(compiler), "-shared", "-fPIC", "-o", made, os.fspath(LIBRARY), "-ldl"]
    if (
        compiler is None
        or not sys.platform.startswith("linux")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("not run: no C compiler that makes a library to put before the system's")
    return made


GOES_ON = {
    "locks": b"no locks",
    "modes": b"modes and times were not set",
    "folders": b"",
    "room": b"",
    "numbers": b"",
    "locks,modes,folders,room,numbers": b"no locks",
}


@pytest.mark.parametrize(("odd", "noted"), GOES_ON.items())
def test_odd_file_system_is_worked_with(
    kit: Made, tmp_path: Path, library: str, odd: str, noted: bytes
) -> None:
    done = extract(kit, tmp_path / "out", ODDFS=odd, LD_PRELOAD=library)
    assert done.returncode == ExitStatus.VERIFIED, done.stdout
    assert noted in done.stdout
    assert is_whole(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("odd", ["lost", "whole"])
def test_lost_writes_are_heard(kit: Made, tmp_path: Path, library: str, odd: str) -> None:
    done = extract(kit, tmp_path / "out", ODDFS=odd, LD_PRELOAD=library)
    assert done.returncode == ExitStatus.UNDECIDED
    assert b"writes-lost" in done.stdout
    assert os.listdir(tmp_path) == []


# --- another locale ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a directory with a locale in Latin-1."""
    place = tmp_path_factory.mktemp("locales")
    maker = shutil.which("localedef")
    made = (
        maker is not None
        and not subprocess.run(
            [maker, "-c", "-i", "de_DE", "-f", "ISO-8859-1", os.fspath(place / "de_DE.ISO-8859-1")],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not made:
        pytest.skip("not run: no localedef, or it has no sources of locales")
    return os.fspath(place)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_names_are_the_signed_bytes_whatever_the_locale(
    kit: Made, tmp_path: Path, locales: str, jobs: str
) -> None:
    target = tmp_path / "out"
    arguments = (kit.path, "--root", ROOT_FILE, "--extract", target, "--jobs", jobs)
    done = verifier(kit, *arguments, LOCPATH=locales, LC_ALL="de_DE.ISO-8859-1")
    assert done.returncode == ExitStatus.VERIFIED, done.stdout + done.stderr
    assert is_whole(target)


def test_the_locale_of_the_test_above_is_another_one(locales: str) -> None:
    command = [sys.executable, "-I", "-c", "import sys; print(sys.getfilesystemencoding())"]
    environment = {"LOCPATH": locales, "LC_ALL": "de_DE.ISO-8859-1"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "iso8859-1\n"


# --- a user made up for the run (OpenShift) ------------------------------------------------------

NOBODY_KNOWN = 1_000_680_000


@pytest.fixture
def volume(kit: Made, open_place: Path, judge: Judge) -> Iterator[Path]:
    """Return a volume as a pod gets it: of the administrator, open to a group that the user has."""
    if os.geteuid() != 0:
        pytest.skip("not run: only the administrator becomes somebody else")
    judge("setpriv")
    for place in (kit.directory, *kit.directory.parents):
        if place.is_relative_to(open_place):
            place.chmod(0o755)
    made = open_place / "volume"
    made.mkdir()
    os.chown(made, 0, NOBODY_KNOWN)
    made.chmod(0o2775)
    shutil.copy(ROOT_FILE, made / "root.json")  # the checkout may be nobody else's to read
    yield made
    shutil.rmtree(made)


def as_somebody(judge: Judge) -> list[str]:
    user = str(NOBODY_KNOWN)
    return [os.fspath(judge("setpriv")), f"--reuid={user}", "--regid=0", f"--groups={user}"]


def test_made_up_user_pins_accepts_and_extracts_in_a_volume(
    kit: Made, volume: Path, judge: Judge
) -> None:
    who, trust = as_somebody(judge), volume / "trust"
    shutil.copytree(kit.directory, volume / "kits")
    kit_file = volume / "kits" / kit.path.name
    root = volume / "root.json"
    pinning = ("trust", "init", "--root", root, "--fingerprint", DIGEST, "--trust", trust)
    refused = verifier(kit, *pinning, before=who)
    assert (refused.returncode, b"target-exposed" in refused.stderr) == (2, True)
    assert b"its group" in refused.stderr
    done = verifier(kit, *pinning, "--shared-parent", before=who)
    assert done.returncode == 0, done.stderr
    taking = ("accept", kit_file, "--trust", trust, "--extract", volume / "out", "--shared-parent")
    done = verifier(kit, *taking, before=who)
    assert done.returncode == 0, done.stdout
    assert read_tree(volume / "out")["tools/run"] == (0o755, FILES["tools/run"])
    again = verifier(kit, kit_file, "--trust", trust, before=who)
    assert again.returncode == 0, again.stdout


def test_volume_that_a_start_opened_to_its_group_is_not_believed(
    kit: Made, volume: Path, judge: Judge
) -> None:
    who, trust = as_somebody(judge), volume / "trust"
    root = volume / "root.json"
    pinning = ("trust", "init", "--root", root, "--fingerprint", DIGEST, "--trust", trust)
    assert verifier(kit, *pinning, "--shared-parent", before=who).returncode == 0
    trust.chmod(0o2775)
    done = verifier(kit, kit.path, "--trust", trust, before=who)
    assert done.returncode == ExitStatus.USAGE
    assert b"trust-unsafe" in done.stdout + done.stderr
    subprocess.run([*who, "chmod", "g-ws", trust], check=True)
    assert verifier(kit, kit.path, "--trust", trust, before=who).returncode == 0
