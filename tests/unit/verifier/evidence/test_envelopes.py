"""Signatures of a DSSE envelope by keys that policy names."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.bundles import PAYLOAD_TYPE, STATEMENT, b64, pae, text
from tests.support.certificates import p256, p384, pem, sign
from verifier.core.errors import KitError
from verifier.evidence.envelopes import MAX_KEYS, signers
from verifier.evidence.sigstore.identity import Key, make_key
from verifier.evidence.statement import Envelope, read_envelope

PAYLOAD = text(STATEMENT)
ALICE, BOB, CAROL = p256(), ed25519.Ed25519PrivateKey.generate(), p384()


def envelope(*keys: Any, payload: bytes = PAYLOAD, keyid: str = "") -> Envelope:
    signatures = [{"keyid": keyid, "sig": b64(sign(key, pae(payload)))} for key in keys]
    value = {"payload": b64(payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    return read_envelope(text(value), "a")


def named(*keys: Any) -> list[Key]:
    return [make_key(pem(key)) for key in keys]


def test_those_who_signed_are_told_once_each() -> None:
    asked = named(BOB, ALICE, CAROL, ALICE)
    assert signers(envelope(ALICE, BOB, ALICE), asked, "a") == asked[:2]
    assert signers(envelope(CAROL, keyid="bob"), asked, "a") == [asked[2]]


def test_strangers_count_for_nothing() -> None:
    assert signers(envelope(p256(), ALICE), named(ALICE), "a") == named(ALICE)
    with pytest.raises(KitError) as refused:
        signers(envelope(p256(), BOB), named(ALICE), "a")
    assert refused.value.code == "bundle-signature-invalid"


def test_the_type_of_the_payload_is_signed() -> None:
    good = envelope(ALICE)
    other = Envelope(good.payload, "text/plain", good.signatures)
    with pytest.raises(KitError) as refused:
        signers(other, named(ALICE), "a")
    assert refused.value.code == "bundle-signature-invalid"


def test_a_key_that_is_not_judged_decides_nothing() -> None:
    strange = ec.generate_private_key(ec.SECP521R1())
    with pytest.raises(KitError) as refused:
        signers(envelope(BOB), named(ALICE, strange), "a")
    assert refused.value.code == "evidence-algorithm-unknown"
    assert signers(envelope(ALICE), named(strange, ALICE), "a") == named(ALICE)


def test_work_is_bounded() -> None:
    with pytest.raises(ValueError, match="keys"):
        signers(envelope(ALICE), named(ALICE) * (MAX_KEYS + 1), "a")
    with pytest.raises(KitError) as refused:
        envelope(*[BOB] * 65)
    assert refused.value.code == "evidence-malformed"
