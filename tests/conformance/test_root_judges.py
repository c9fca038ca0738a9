"""Judges that are not us: python-tuf reads and counts the roots that we write.

It agrees on every root in which each person has one key.  Where one person has two, TUF counts
keys and we count people (FORMAT 5.4): the difference is expected, and asserted here.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # no __all__ there
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # no __all__ there
from tuf.ngclient import Updater  # type: ignore[attr-defined]  # no __all__ there

from kit.keys import new_key
from kit.roots.metadata import build_root
from kit.signing import load_signer
from verifier.core import envelope
from verifier.core.errors import RootInvalid, ThresholdNotMet
from verifier.core.jsonstrict import olpc, parse_compact
from verifier.core.trust import parse_root
from verifier.rootfile import load_root

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"
EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)
ALL = [(name, KEYS / f"{name}.pub") for name in ("alice", "bob", "carol")]
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'


def pem(*names: str) -> list[str]:
    return [str(KEYS / f"{name}.pem") for name in names]


def tuf_root(data: bytes) -> tuple[Root, bytes, dict[str, Signature]]:
    metadata = Metadata[Root].from_bytes(data)
    return metadata.signed, metadata.signed_bytes, metadata.signatures


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_python_tuf_accepts_a_root_that_we_write(threshold: int) -> None:
    signing = pem("alice", "bob", "carol")[:threshold]
    data = build_root(ALL, threshold, expires=EXPIRES, sign_with=signing)
    root, message, signatures = tuf_root(data)
    root.verify_delegate("root", message, signatures)
    result = root.get_root_verification_result(None, message, signatures)
    assert result.verified
    assert len(result.signed) == threshold
    assert root.is_expired(EXPIRES)
    assert not root.is_expired(datetime(2039, 12, 31, tzinfo=timezone.utc))


def test_both_judges_sign_over_the_same_bytes() -> None:
    """OLPC canonical JSON is the one place where the bytes verified are not the bytes parsed."""
    name = 'Jürgen "J\\" Ω, 𝒳'
    data = build_root(
        [(name, KEYS / "bob.pub"), *ALL[:1]], 1, expires=EXPIRES, sign_with=pem("bob")
    )
    _, message, _ = tuf_root(data)
    assert olpc(parse_compact(data[:-1])["signed"]) == message
    assert parse_root(data).signed == message
    assert parse_root(data).line == data
    assert name in parse_root(data).targets.signers()


def test_a_tuf_client_starts_from_our_root(tmp_path: Path) -> None:
    data = (KEYS / "root.json").read_bytes()
    Updater(str(tmp_path / "good"), "https://kits.example/", bootstrap=data)
    with pytest.raises(RepositoryError):
        Updater(
            str(tmp_path / "bad"), "https://kits.example/",
            bootstrap=data.replace(b'"version":1', b'"version":2'),
        )  # fmt: skip


@pytest.mark.parametrize("keys", [(), ("alice",), ("bob",)])
def test_all_judges_refuse_a_root_below_its_threshold(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    data = build_root(ALL, 2, expires=EXPIRES, sign_with=pem(*keys), allow_incomplete=True)
    root, message, signatures = tuf_root(data)
    with pytest.raises(UnsignedMetadataError):
        root.verify_delegate("root", message, signatures)
    (tmp_path / "root.json").write_bytes(data)
    with pytest.raises(RootInvalid):
        load_root(os.fspath(tmp_path / "root.json"))
    with pytest.raises(RootInvalid):
        parse_root(data)


def test_python_tuf_judges_a_kit_as_a_target_of_the_root() -> None:
    """The signatures of a kit are valid for the keys of ``targets`` in python-tuf's eyes too."""
    view = load_root(os.fspath(KEYS / "root.json")).targets
    root, _, _ = tuf_root((KEYS / "root.json").read_bytes())
    message = envelope.pae(PAYLOAD)
    page = Envelope(PAYLOAD, "application/vnd.in-toto+json", {})
    assert page.pae() == message
    for path in pem("alice", "bob"):
        signer = load_signer(path, view.keys)
        page.signatures[signer.keyid] = Signature(signer.keyid, signer.sign(message).hex())
    root.verify_delegate("targets", message, page.signatures)
    accepted = page.verify([root.keys[keyid] for keyid in view.keys], view.threshold)
    assert set(accepted) == set(page.signatures)
    with pytest.raises(UnsignedMetadataError):
        root.verify_delegate("targets", message + b" ", page.signatures)


# --- the expected difference -----------------------------------------------------------------


def two_keys_of_alice(directory: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """Return who signs (alice with two keys, and bob), and alice's two private keys."""
    second = new_key("ecdsa-p256", directory, "second")
    signers = [*ALL[:2], ("alice", second.public_path)]
    return signers, [*pem("alice"), str(second.private_path)]


def test_a_root_signed_twice_by_one_person_is_two_for_python_tuf_and_one_for_us(
    tmp_path: Path,
) -> None:
    signers, alices = two_keys_of_alice(tmp_path)
    data = build_root(signers, 2, expires=EXPIRES, sign_with=alices, allow_incomplete=True)
    root, message, signatures = tuf_root(data)
    assert len(root.get_root_verification_result(None, message, signatures).signed) == 2
    root.verify_delegate("root", message, signatures)  # two keys of two: enough for TUF
    with pytest.raises(RootInvalid, match="signed by 1 of the 2 signers"):
        parse_root(data)
    (tmp_path / "root.json").write_bytes(data)
    with pytest.raises(RootInvalid, match="1 of the 2 signers"):
        load_root(os.fspath(tmp_path / "root.json"))


def test_a_kit_signed_twice_by_one_person_is_two_for_python_tuf_and_one_for_us(
    tmp_path: Path,
) -> None:
    signers, alices = two_keys_of_alice(tmp_path)
    data = build_root(signers, 2, expires=EXPIRES, sign_with=[*alices, *pem("bob")])
    (tmp_path / "root.json").write_bytes(data)
    targets, message = (
        load_root(os.fspath(tmp_path / "root.json")).targets.keys,
        envelope.pae(PAYLOAD),
    )
    made = [load_signer(path, targets) for path in alices]
    by_key = {signer.keyid: signer.sign(message) for signer in made}

    root, _, _ = tuf_root(data)
    tuf_signatures = {keyid: Signature(keyid, sig.hex()) for keyid, sig in by_key.items()}
    root.verify_delegate("targets", message, tuf_signatures)  # two keys of two: enough for TUF

    role = parse_root(data).targets
    judged = envelope.evaluate(envelope.Envelope(PAYLOAD, by_key), role)
    with pytest.raises(ThresholdNotMet):
        envelope.check_threshold(judged, role)
    bob = load_signer(pem("bob")[0], targets)
    by_key[bob.keyid] = bob.sign(message)
    envelope.check_threshold(envelope.evaluate(envelope.Envelope(PAYLOAD, by_key), role), role)
