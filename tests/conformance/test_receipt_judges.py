"""The real cosign checks a receipt that a host has signed, with the line of the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.making import KEYS, ROOT_FILE, make_kit
from tests.support.stock import run_line
from verifier import cli
from verifier.host.receipt import RECEIPT_PREDICATE

pytestmark = pytest.mark.slow

LINE = (
    "cosign verify-blob-attestation --key host.pub --signature receipt.json.dsse.json"
    " --insecure-ignore-tlog=true --type {kind} --digest {digest} --digestAlg sha256"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a signed receipt and the public key of the host."""
    place = tmp_path_factory.mktemp("receipt") / "site"
    place.mkdir()
    kit, receipt = make_kit(place).path, place / "receipt.json"
    told = [str(kit), "--root", str(ROOT_FILE), "--receipt", str(receipt), "--quiet"]
    assert cli.main(told) == 0
    key = place / "host.pem"
    shutil.copy(KEYS / "alice.pem", key)
    key.chmod(0o600)
    assert cli.main(["receipt", "sign", str(receipt), "--key", str(key)]) == 0
    shutil.copy(KEYS / "alice.pub", place / "host.pub")
    return place


def line(site: Path, kind: str = RECEIPT_PREDICATE, name: str = "kitId") -> str:
    subjects = json.loads((site / "receipt.json").read_bytes())["subject"]
    digest = next(item["digest"]["sha256"] for item in subjects if item["name"] == name)
    return LINE.format(kind=kind, digest=digest)


@pytest.mark.parametrize("name", ["kitId", "contentId"])
def test_cosign_agrees(cosign: Path, site: Path, name: str) -> None:
    done = run_line(line(site, name=name), site, cosign=cosign)
    assert (done.returncode, "Verified OK" in done.stderr) == (0, True), done.stderr


def test_cosign_refuses_another_key_another_type_and_another_kit(cosign: Path, site: Path) -> None:
    other = line(site, "https://offline-kit.example/another/v1")
    assert run_line(other, site, cosign=cosign).returncode != 0
    digest = line(site).split("--digest ")[1].split(" ")[0]
    assert run_line(line(site).replace(digest, "0" * 64), site, cosign=cosign).returncode != 0
    shutil.copy(KEYS / "carol.pub", site / "other.pub")
    other = line(site).replace("host.pub", "other.pub")
    assert run_line(other, site, cosign=cosign).returncode != 0
