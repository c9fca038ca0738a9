"""Keys of every scheme as signers: into a root, and from the root to a signature."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # no __all__

from kit.keys import (
    KeyUnreadable,
    KeyUnsupported,
    load_private,
    load_root_key,
    load_with_scheme,
    spki_sha256,
    ssh_fingerprint,
)
from kit.roots.metadata import RootInconsistent, build_root
from kit.signing import SignerUnsupported, load_signer
from tests.support.making import KEYS
from verifier.core.errors import RootInvalid
from verifier.core.signature import ED25519, P256, P384, RSA_PKCS1, RSA_PSS, SSHSIG
from verifier.core.trust import parse_root
from verifier.show.fingerprint import fingerprint

EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)
GIVEN = {  # what is given for a public key, and the scheme that it becomes
    "alice.pub": ED25519,
    "bob.pub": P256,
    "dave.pub": P384,
    "erin.pub": RSA_PSS,
    f"{RSA_PSS}:erin.pub": RSA_PSS,
    f"{RSA_PKCS1}:erin.pub": RSA_PKCS1,
    f"{SSHSIG}:carol.pub": SSHSIG,
    f"{ED25519}:carol.pub": ED25519,
    "carol.ssh": SSHSIG,
    f"{ED25519}:carol.ssh": ED25519,
}
PAE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with the test keys, and carol's in the form of OpenSSH too."""
    for path in KEYS.glob("*.p*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    public = load_private(KEYS / "carol.pem").public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (tmp_path / "carol.ssh").write_bytes(line + b" carol@example\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("given", "scheme"), GIVEN.items())
def test_a_root_of_each_scheme_is_made_signed_and_used(keys: Path, given: str, scheme: str) -> None:
    owner = given.rpartition(":")[2].partition(".")[0]
    data = build_root(
        [(owner, Path(given))], 1, expires=EXPIRES, sign_with=[f"{owner}={owner}.pem"]
    )
    root = parse_root(data)  # signed by its own role, as the verifier judges
    (key,) = root.targets.keys.values()
    assert (key.scheme, key.signer, key.evaluated) == (scheme, owner, True)
    public, _ = load_with_scheme(Path(given))
    assert fingerprint(key) == spki_sha256(public)  # what a report says, and what `key show` says

    metadata = Metadata[Root].from_bytes(data)  # and as python-tuf judges
    metadata.verify_delegate("root", metadata)

    signer = load_signer(f"{owner}.pem", root.targets.keys)
    assert (signer.scheme, signer.signer) == (scheme, owner)
    signature = signer.sign(PAE)
    assert key.verify(PAE, signature, low_s=True)
    random = scheme == RSA_PSS  # its salt
    assert (load_signer(f"{owner}.pem", root.targets.keys).sign(PAE) == signature) is not random


def test_the_same_key_has_another_id_in_each_scheme(keys: Path) -> None:
    for one, other in (
        (f"{RSA_PSS}:erin.pub", f"{RSA_PKCS1}:erin.pub"),
        ("carol.pub", "carol.ssh"),
    ):
        assert load_root_key(Path(one)).keyid != load_root_key(Path(other)).keyid
    plain = load_root_key(Path("bob.pub"))
    public = load_private(Path("bob.pem")).public_key()
    assert plain.keyid == SSlibKey.from_crypto(public).keyid


def test_one_key_in_two_schemes_is_one_signer(keys: Path) -> None:
    both = [("erin", Path(f"{scheme}:erin.pub")) for scheme in (RSA_PSS, RSA_PKCS1)]
    data = build_root(both, 1, expires=EXPIRES, sign_with=["erin=erin.pem"])
    root = parse_root(data)
    assert len(root.targets.keys) == 2
    assert root.targets.signers() == ["erin"]
    with pytest.raises(RootInconsistent, match="there is 1 distinct signer"):
        build_root(both, 2, expires=EXPIRES, sign_with=["erin=erin.pem"])
    two = [("erin", both[0][1]), ("eve", both[1][1])]
    with pytest.raises((RootInconsistent, RootInvalid), match="one public key"):
        build_root(two, 1, expires=EXPIRES, sign_with=["erin=erin.pem"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (f"{P256}:dave.pub", "on the curve P-384, which does not sign with ecdsa-sha2-nistp256"),
        (f"{SSHSIG}:bob.pub", "give ecdsa-sha2-nistp256"),
        (f"{RSA_PSS}:alice.pub", "give ed25519 or x-offline-kit-sshsig-ed25519"),
        ("erin.pem", "a private key"),
    ],
)
def test_a_key_that_does_not_go_with_its_scheme_is_named(keys: Path, given: str, says: str) -> None:
    with pytest.raises(KeyUnsupported, match=says):
        load_root_key(Path(given))


@pytest.mark.parametrize(
    "line",
    [
        b"ssh-ed25519 AAAA carol\n",
        b"ssh-ed25519 \n",
        b"ssh-ed25519 !!!! carol\n",
        b"TWICE",
    ],
)
def test_a_damaged_line_of_openssh_is_named(keys: Path, line: bytes) -> None:
    good = (keys / "carol.ssh").read_bytes()
    (keys / "bad.ssh").write_bytes(good + good if line == b"TWICE" else line)
    with pytest.raises(KeyUnreadable):
        load_root_key(Path("bad.ssh"))


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    """``ssh-keygen -l`` of OpenSSH 9.2 about carol's test key."""
    carol, bob = (load_private(KEYS / f"{name}.pem").public_key() for name in ("carol", "bob"))
    assert ssh_fingerprint(carol) == "SHA256:qJh53mh/uQ8Sch3sNS/e4KL5klK7xrOdwl4h/BvkU+k"
    assert ssh_fingerprint(bob) == ""


@pytest.mark.parametrize(
    ("given", "uri", "says"),
    [
        ("erin.pub", "hsm:2", "it signs with ecdsa-sha2-nistp256 or ecdsa-sha2-nistp384"),
        ("erin.pub", "azurekms:x", "and the root has rsassa-pss-sha256"),
        ("carol.ssh", "hv:x", "and the root has x-offline-kit-sshsig-ed25519"),
        ("dave.pub", "hv:x", "it signs with ed25519, and the root has ecdsa-sha2-nistp384"),
    ],
)
def test_a_service_that_makes_no_such_signature_is_refused(
    keys: Path, given: str, uri: str, says: str
) -> None:
    owner = given.partition(".")[0]
    data = build_root(
        [(owner, Path(given))], 1, expires=EXPIRES, sign_with=[f"{owner}={owner}.pem"]
    )
    with pytest.raises(SignerUnsupported) as refused:
        load_signer(f"{owner}={uri}", parse_root(data).targets.keys)
    assert says in str(refused.value)
