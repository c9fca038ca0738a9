"""The same sources give the same bytes, wherever and however they are built; see run.py."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import zstandard

from tests.repro.run import SHUFFLE, Laboratory, Surroundings, copy_checkout
from tests.support.making import ROOT_FILE, write_spec

pytestmark = pytest.mark.slow

NAME = "demo-1.0.tar.zst"
EPOCH = 1_000_000_000


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """Return copies of the checkout and of the sources."""
    return Laboratory(tmp_path_factory.mktemp("repro"))


@pytest.fixture(scope="module")
def first(laboratory: Laboratory) -> dict[str, str]:
    """Return the digests of what the first build wrote."""
    return laboratory.build(laboratory.plain("the first"))


def output(laboratory: Laboratory, name: str = NAME) -> Path:
    """Return a file of the last build."""
    release = NAME.removesuffix(".tar.zst")
    return laboratory.directory / "out" / str(laboratory._count) / release / name


def test_the_surroundings_leave_no_trace(laboratory: Laboratory, first: dict[str, str]) -> None:
    for where in laboratory.few():
        assert laboratory.build(where) == first, where.name


def test_a_stored_kit_is_the_same_too(laboratory: Laboratory) -> None:
    one = laboratory.build(laboratory.plain("stored", store=True))
    shuffled = laboratory._shuffled(5)
    other = laboratory.plain("stored", store=True, umask=0o077, jobs=8, environment=shuffled)
    assert laboratory.build(other) == one


def test_one_changed_byte_changes_the_kit(laboratory: Laboratory, first: dict[str, str]) -> None:
    """Else all that is said above could be said of builds that ignore their sources."""
    where = laboratory.plain("changed")
    changed = where.directory / "src" / "app" / "many" / "123"
    before = changed.read_bytes()
    changed.write_bytes(before[:-1] + b"!")
    try:
        made = laboratory.build(where)
    finally:
        changed.write_bytes(before)
    assert set(made) == set(first)
    assert made[NAME] != first[NAME]
    assert made["kit-verify.pyz"] == first["kit-verify.pyz"]


def test_the_order_of_directories_is_really_another_one(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHUFFLE.format(seed=1))
    for number in range(50):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number:02}").write_bytes(b"")
    code = "import os, sys; print([entry.name for entry in os.scandir(sys.argv[1])])"
    said = {
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "in"],
            env=environment,
            check=True,
            capture_output=True,
        ).stdout
        for environment in ({}, {"PYTHONPATH": str(tmp_path)})
    }
    assert len(said) == 2


def test_the_copy_of_the_checkout_is_what_builds(
    laboratory: Laboratory, first: dict[str, str], tmp_path: Path
) -> None:
    """Or the other path would prove nothing."""
    checkout = copy_checkout(tmp_path / "copy")
    module = checkout / "verifier" / "source.py"
    module.write_text(module.read_text() + "# another one\n")
    made = laboratory.build(Surroundings("changed", laboratory.sources, checkout))
    assert made["kit-verify.pyz"] != first["kit-verify.pyz"]
    assert made[NAME] != first[NAME]


# --- SOURCE_DATE_EPOCH -----------------------------------------------------------------------


def times(kit: Path) -> set[float]:
    with open(kit, "rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            return {member.mtime for member in archive}


def created(kit: Path) -> str:
    envelope = json.loads((kit.parent / "kit.dsse.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    return str(statement["predicate"]["kit"]["created"])


def test_source_date_epoch_is_the_time_everywhere(laboratory: Laboratory) -> None:
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    one = laboratory.build(laboratory.plain("epoch", environment=environment))
    assert created(output(laboratory)) == "2001-09-09T01:46:40Z"
    assert times(output(laboratory)) == {EPOCH}
    before = (laboratory.sources / "kit.toml").read_text()
    write_spec(laboratory.sources, ["app", "data"], created="2030-01-01T00:00:00Z")
    try:
        same = laboratory.build(laboratory.plain("epoch", environment=environment))
        assert created(output(laboratory)) == "2001-09-09T01:46:40Z"
        assert times(output(laboratory)) == {EPOCH}
        assert same["kit-verify.pyz"] == one["kit-verify.pyz"]
        assert same[NAME] != one[NAME], "the digest of the spec stands in the provenance"
        other = laboratory.build(laboratory.plain("no epoch"))
    finally:
        (laboratory.sources / "kit.toml").write_text(before)
    assert created(output(laboratory)) == "2030-01-01T00:00:00Z"
    assert times(output(laboratory)) == {1893456000}
    assert other[NAME] != one[NAME]


# --- what a stranger does --------------------------------------------------------------------


def rebuilt(laboratory: Laboratory, kit: Path, *more: str) -> subprocess.CompletedProcess[str]:
    spec = laboratory.sources / "kit.toml"
    return subprocess.run(
        [sys.executable, "-m", "kit.cli", "rebuild", kit, spec, "--root", ROOT_FILE, *more],
        env={"PYTHONPATH": str(laboratory.checkout)},
        cwd=laboratory.directory,  # -m looks there first
        capture_output=True,
        text=True,
        check=False,
    )


def test_rebuild_says_identical_or_where_not(
    laboratory: Laboratory, first: dict[str, str], tmp_path: Path
) -> None:
    laboratory.build(laboratory.plain("to be rebuilt"))
    kit = output(laboratory)
    done = rebuilt(laboratory, kit, "--check")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith(f"identical: {kit.stat().st_size} bytes, kitId ")
    value = json.loads(rebuilt(laboratory, kit, "--check", "--json").stdout)
    assert (value["identical"], value["size"]) == (True, kit.stat().st_size)
    extra = laboratory.sources / "src" / "app" / "extra"
    extra.write_bytes(b"")
    try:
        done = rebuilt(laboratory, kit, "--check")
    finally:
        extra.unlink()
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "error[rebuild-differs]: kit.index: member 'app/extra' is only here" in done.stderr
    assert rebuilt(laboratory, kit).returncode == 0  # comparing is all that it does
