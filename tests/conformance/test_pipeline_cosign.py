"""The verification stage asks the real cosign, and hears it say no."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kit.pipeline.checks import Ground, check_blobs
from kit.pipeline.report import FAILED, NOT_RUN, PASSED
from kit.store import Store
from tests.support.making import Made, make_kit, pinned

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with a key of SHA256SUMS, one of whose signers has a P-256 key."""
    return make_kit(tmp_path_factory.mktemp("made"))


def _ground(made: Made, top: Path, cosign: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    (top / "bin").mkdir()
    (top / "bin" / "cosign").symlink_to(cosign)
    monkeypatch.setenv("PATH", str(top / "bin"))
    release = top / "release"
    shutil.copytree(made.directory, release)
    (top / "scratch").mkdir()
    kit, spec = release / made.path.name, top / "kit.toml"
    store = Store(top / "store")
    return Ground(kit, pinned(), top / "scratch", "python3", spec, {}, None, store)


def test_cosign_says_yes(
    cosign: Path, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = check_blobs(_ground(made, tmp_path, cosign, monkeypatch))
    assert [(one.name, one.state) for one in checks] == [
        ("SHA256SUMS.sig is by the key that the kit names", PASSED),
        ("cosign verify-blob", PASSED),
        ("cosign verify-blob-attestation", PASSED),
    ]


def test_without_cosign_our_own_check_is_done_and_nothing_else_is_a_success(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = _ground(made, tmp_path, tmp_path / "nothing", monkeypatch)
    found = check_blobs(ground)
    assert [(one.state, one.detail) for one in found] == [
        (PASSED, "ECDSA P-256"),
        (NOT_RUN, "cosign is not installed"),
        (NOT_RUN, "cosign is not installed"),
    ]
    ground.beside("SHA256SUMS.sig").write_text("AAAA\n")
    assert check_blobs(ground)[0].state == FAILED


def test_cosign_says_no_to_another_list(
    cosign: Path, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = _ground(made, tmp_path, cosign, monkeypatch)
    with open(ground.beside("SHA256SUMS"), "ab") as sums:
        sums.write(b"0" * 64 + b"  planted\n")
    assert {one.state for one in check_blobs(ground)} == {FAILED}


def test_a_key_beside_the_kit_does_not_vouch_for_itself(
    cosign: Path, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever exchanges list, signature and key has what cosign alone would take."""
    ground = _ground(made, tmp_path, cosign, monkeypatch)
    pem = (Path(__file__).parents[2] / "fixtures" / "keys" / "grace.pub").read_bytes()
    ground.beside("cosign.pub").write_bytes(pem)
    ours = check_blobs(ground)[0]
    assert (ours.state, ours.detail) == (FAILED, "cosign.pub is another key")
