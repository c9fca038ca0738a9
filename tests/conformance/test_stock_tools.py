"""Judges that are not us: stock tools check the signatures of a kit without knowing what a kit is.

Each says yes to the real thing and no to a copy with one change, so that a judge that says yes to
everything is noticed.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # no __all__ there

from tests.conftest import Judge
from tests.support.making import KEYS, ROOT_FILE, Made, make_kit, run_verifier
from verifier.core.model import KIT_PREDICATE


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit signed by alice (Ed25519) and bob (P-256), and unpacked."""
    made = make_kit(tmp_path_factory.mktemp("stock"))
    unpacked = run_verifier(made, made.path, "--extract", made.directory / "unpacked")
    assert unpacked.returncode == 0, unpacked.stdout
    return made


def envelope_of(kit: Made) -> dict[str, Any]:
    value = json.loads((kit.directory / "kit.dsse.json").read_bytes())
    assert isinstance(value, dict)
    return value


def signers_of(root: Root) -> list[Any]:
    return [root.keys[keyid] for keyid in root.roles["targets"].keyids]


@pytest.fixture
def root() -> Root:
    """Return the pinned root as python-tuf reads it."""
    return Metadata[Root].from_bytes(ROOT_FILE.read_bytes()).signed


def test_what_seal_wrote_is_what_the_kit_carries(kit: Made) -> None:
    names = ["kit.dsse.json", "SHA256SUMS", "SHA256SUMS.sig", "kit-verify.pyz"]
    for name in names:
        beside, inside = kit.directory / name, kit.directory / "unpacked" / name
        assert beside.read_bytes() == inside.read_bytes(), name


@pytest.mark.parametrize("change", [b"", b"\n"], ids=["as it is", "one byte more"])
def test_openssl_checks_the_signature_of_the_sums(
    kit: Made, judge: Judge, tmp_path: Path, change: bytes
) -> None:
    signature = tmp_path / "sums.der"
    signature.write_bytes(base64.b64decode((kit.directory / "SHA256SUMS.sig").read_bytes()))
    sums = tmp_path / "SHA256SUMS"
    sums.write_bytes((kit.directory / "SHA256SUMS").read_bytes() + change)
    command: list[str | Path] = [judge("openssl"), "dgst", "-sha256", "-verify", KEYS / "sums.pub"]
    done = subprocess.run(
        [*command, "-signature", signature, sums], capture_output=True, text=True, check=False
    )
    said = "Verification failure" if change else "Verified OK"
    assert (done.returncode == 0, said in done.stdout) == (not change, True), done.stdout


def test_openssl_decodes_the_signature_as_the_documents_say(kit: Made, judge: Judge) -> None:
    """One line of base64 without a line end: ``openssl base64 -d -A`` is what reads that."""
    sig = kit.directory / "SHA256SUMS.sig"
    command: list[str | Path] = [judge("openssl"), "base64", "-d", "-A", "-in", sig]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == base64.b64decode(sig.read_bytes(), validate=True)


def test_securesystemslib_counts_the_same_signers(kit: Made, root: Root) -> None:
    accepted = Envelope.from_dict(envelope_of(kit)).verify(signers_of(root), 2)
    names = {key.unrecognized_fields["x-offline-kit-signer"] for key in accepted.values()}
    assert names == {"alice", "bob"}


def test_securesystemslib_refuses_a_third_signer_that_is_not_there(kit: Made, root: Root) -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(envelope_of(kit)).verify(signers_of(root), 3)


def test_securesystemslib_refuses_another_payload(kit: Made, root: Root) -> None:
    value = envelope_of(kit)
    payload = base64.b64decode(value["payload"])
    value["payload"] = base64.b64encode(payload.replace(b'"demo"', b'"dema"')).decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(value).verify(signers_of(root), 1)


def test_python_tuf_reads_the_root_that_the_kit_carries(kit: Made) -> None:
    chain = (kit.directory / "unpacked" / "kit.roots.json").read_bytes()
    line, rest = chain.split(b"\n", 1)
    assert rest == b" " * len(rest)
    carried, pinned = (
        Metadata[Root].from_bytes(line),
        Metadata[Root].from_bytes(ROOT_FILE.read_bytes()),
    )
    assert carried.signed == pinned.signed
    carried.signed.verify_delegate("root", carried.signed_bytes, carried.signatures)


def test_the_page_is_an_in_toto_statement_about_the_sums(kit: Made) -> None:
    statement = json.loads(base64.b64decode(envelope_of(kit)["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == KIT_PREDICATE
    digests = {item["name"]: item["digest"] for item in statement["subject"]}
    digest = subprocess.run(
        ["sha256sum", kit.directory / "SHA256SUMS"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert digests["SHA256SUMS"] == {"sha256": digest}


def cosign() -> str:
    """Return the path of cosign; few machines have it, and CI does not install it."""
    found = shutil.which("cosign")
    if found is None:
        pytest.skip("not run: cosign is not installed")
    return found


@pytest.mark.parametrize("change", [b"", b"\n"], ids=["as it is", "one byte more"])
def test_cosign_checks_the_signature_of_the_sums(kit: Made, tmp_path: Path, change: bytes) -> None:
    sums = tmp_path / "SHA256SUMS"
    sums.write_bytes((kit.directory / "SHA256SUMS").read_bytes() + change)
    command: list[str | Path] = [
        cosign(),
        "verify-blob",
        "--key",
        KEYS / "sums.pub",
        "--insecure-ignore-tlog=true",
    ]
    done = subprocess.run(
        [*command, "--signature", kit.directory / "SHA256SUMS.sig", sums],
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == (not change), done.stderr


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_cosign_checks_the_page_as_an_attestation_of_the_sums(kit: Made, name: str) -> None:
    command: list[str | Path] = [cosign(), "verify-blob-attestation", "--key", KEYS / f"{name}.pub"]
    command += ["--insecure-ignore-tlog=true", "--type", KIT_PREDICATE]
    command += ["--signature", kit.directory / "kit.dsse.json", kit.directory / "SHA256SUMS"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
