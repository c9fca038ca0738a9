"""The files of an audit: each as it was named, whole, and nothing else anywhere (law 7)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.auditing import CVE, PURL, answer, dump, grype, kit_bytes, openvex
from tests.support.hosting import LINE, Site, policy
from tests.support.making import REPOSITORY
from tests.support.people import ROOT_FILE
from verifier.cli import main

FORMATS = ("html", "sarif", "junit", "vex")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a kit, a trust directory and other things."""
    site = Site(tmp_path).pin(policy=policy())
    evidence = {
        "scan.json": dump(grype((CVE, "High", PURL), ("CVE-2026-0002", "Low", PURL))),
        "vex.json": dump(openvex(answer())),
    }
    (tmp_path / "kit").write_bytes(kit_bytes(evidence, kit={"line": LINE}))
    (tmp_path / "below").mkdir()
    (tmp_path / "old.html").write_bytes(b"an older audit")
    (tmp_path / "link").symlink_to("kit")
    (tmp_path / "way").symlink_to("trust")
    (tmp_path / "hard").hardlink_to(tmp_path / "kit")
    monkeypatch.chdir(tmp_path)
    assert site.trust.is_dir()
    return tmp_path


def everything(place: Path) -> dict[str, str]:
    """Return what is there: from path to a digest."""
    found = {}
    for path in sorted(place.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[path.relative_to(place).as_posix()] = digest
    return found


def audit(*words: str) -> int:
    """Run the command."""
    return main(["audit", "kit", "--trust", "trust", *words])


@pytest.mark.parametrize("name", FORMATS)
def test_one_file_is_written_and_nothing_else(name: str, place: Path) -> None:
    before = everything(place)
    assert audit(f"--{name}", "below/made") == 0
    after = everything(place)
    assert after.pop("below/made")
    assert after == before
    assert (place / "below" / "made").stat().st_mode & 0o777 == 0o644


def test_without_a_file_nothing_is_written(place: Path) -> None:
    before = everything(place)
    assert audit("--json") == 0
    assert audit() == 0
    assert everything(place) == before


def test_all_files_at_once_and_again_over_themselves(place: Path) -> None:
    words = [word for name in FORMATS for word in (f"--{name}", f"below/{name}")]
    assert audit(*words) == 0
    first = everything(place)
    assert audit(*words, "--html", "old.html") == 2  # twice the same option
    assert audit(*words) == 0
    assert everything(place) == first


REFUSED = {
    "the kit": "kit",
    "the kit by a hard link": "hard",
    "a link": "link",
    "a directory": "below",
    "in no directory": "none/a",
    "in the trust directory": "trust/a",
    "over its root": "trust/root.json",
    "in it by a link": "way/a",
    "in it by a detour": "below/../trust/a",
}


@pytest.mark.parametrize("name", REFUSED)
def test_place_that_harms_is_refused_before_anything_is_done(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(place)
    for option in FORMATS:
        assert audit(f"--{option}", REFUSED[name]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error[usage]: --{option}: '{REFUSED[name]}'")
    assert everything(place) == before


def test_root_and_two_files_of_one_name_are_refused(place: Path) -> None:
    (place / "root.json").write_bytes(ROOT_FILE.read_bytes())
    before = everything(place)
    pinned = ["audit", "kit", "--root", "root.json"]
    assert main([*pinned, "--html", "root.json"]) == 2
    assert main([*pinned, "--html", "a", "--vex", "./a"]) == 2
    assert everything(place) == before


def test_file_that_cannot_be_written_does_not_hide_the_verdict(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verifier.host.files.replace", full)
    assert audit("--html", "below/made") == 3
    out, err = capsys.readouterr()
    assert out.startswith("VERIFIED: ")
    assert err.startswith("error[audit-unwritable]: 'below/made': No space left")


def test_audit_of_a_bad_kit_is_written_too(place: Path) -> None:
    data = (place / "kit").read_bytes()
    (place / "bad").write_bytes(data[:-600])
    status = main(["audit", "bad", "--trust", "trust", "--html", "below/bad.html"])
    assert status == 4
    assert b"REJECTED" in (place / "below" / "bad.html").read_bytes()


def test_vex_says_what_the_evidence_says(place: Path) -> None:
    assert audit("--vex", "below/vex") == 0
    value = json.loads((place / "below" / "vex").read_bytes())
    said = {item["vulnerability"]["name"]: item for item in value["statements"]}
    assert {name: item["status"] for name, item in said.items()} == {
        CVE: "not_affected",
        "CVE-2026-0002": "under_investigation",
    }
    assert said[CVE]["justification"] == "vulnerable_code_not_present"
    assert said[CVE]["products"] == [{"@id": PURL}]
    assert value["timestamp"] == "2026-11-24T00:00:00Z"


def test_offline_kit_is_the_same_program(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", "kit", "--root", os.fspath(ROOT_FILE), "--json"]  # no clock is in it
    assert main(words) == 0
    command = [sys.executable, "-m", "kit.cli", *words]
    environment = {"PATH": os.defpath, "PYTHONPATH": os.fspath(REPOSITORY)}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == capsys.readouterr().out
