"""cosign's older signatures of images: what is signed, and for which image."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.bundles import (
    ISSUER,
    NAME,
    b64,
    hashedrekord_1,
    text,
    world,
)
from tests.support.certificates import NOW, p256, pem, sign
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.evidence.sigstore.identity import Identity, make_key
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, verify_bundle
from verifier.evidence.simplesigning import (
    CERTIFICATE,
    CHAIN,
    LOG_ENTRY,
    SIGNATURE,
    TIMESTAMP,
    check_image,
    parse_payload,
    read_layer,
)

IMAGE = "sha256:" + hashlib.sha256(b"an image").hexdigest()
PAYLOAD: Any = {
    "critical": {
        "identity": {"docker-reference": "registry.example/acme/tool"},
        "image": {"docker-manifest-digest": IMAGE},
        "type": "cosign container image signature",
    },
    "optional": {"commit": "abc"},
}
DATA = text(PAYLOAD)
WHAT = Artifact({"sha256": hashlib.sha256(DATA).hexdigest()}, DATA)


def in_pem(data: bytes) -> str:
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode()


def layer(*, keyless: bool, stamped: bool = False) -> tuple[Any, dict[str, str]]:
    """Return a signer's key and what cosign would write at the layer."""
    key = p256()
    signature = sign(key, DATA)
    found = {SIGNATURE: b64(signature)}
    if keyless:
        certificate = world().issue(key).make(world().log)
        body = text(hashedrekord_1(key, certificate, DATA, signature, b""))
        when, index = int(NOW.timestamp()) + 5, 77
        payload = {
            "body": b64(body),
            "integratedTime": when,
            "logIndex": index,
            "logID": world().rekor.key_id.hex(),
        }
        promise = b64(world().rekor.promise(body, when, index))
        found[CERTIFICATE] = in_pem(certificate)
        found[CHAIN] = "".join(map(in_pem, world().chain))
        found[LOG_ENTRY] = json.dumps({"SignedEntryTimestamp": promise, "Payload": payload})
    if stamped:
        made = b64(world().stamp().make(signature))
        found[TIMESTAMP] = json.dumps({"SignedRFC3161Timestamp": made})
    return key, found


@pytest.mark.parametrize("stamped", [False, True])
def test_keyless_signature_of_an_image(stamped: bool) -> None:
    root = parse_trusted_root(text(world().trusted_root()))
    bundle = read_layer(layer(keyless=True, stamped=stamped)[1])
    proved = verify_bundle(bundle, Identity(ISSUER, NAME), [root], WHAT)
    assert (proved.signer, proved.logged) == (NAME, 1)
    check_image(parse_payload(DATA), IMAGE)


def test_signature_of_an_image_by_a_key() -> None:
    key, found = layer(keyless=False)
    bundle = read_layer(found)
    assert verify_bundle(bundle, make_key(pem(key)), (), WHAT).digest
    other = Artifact({"sha256": hashlib.sha256(DATA + b" ").hexdigest()})
    with pytest.raises(KitError) as refused:
        verify_bundle(bundle, make_key(pem(key)), (), other)
    assert refused.value.code == "bundle-signature-invalid"


def test_payload_of_another_image() -> None:
    with pytest.raises(KitError) as refused:
        check_image(parse_payload(DATA), "sha256:" + "0" * 64)
    assert refused.value.code == "subject-mismatch"


def test_what_a_payload_says() -> None:
    payload = parse_payload(DATA)
    assert (payload.digest, payload.reference) == (IMAGE, "registry.example/acme/tool")
    assert payload.optional == {"commit": "abc"}
    without = {"critical": {**PAYLOAD["critical"], "identity": {}}, "optional": None}
    assert parse_payload(text(without)).optional == {}


BAD_PAYLOADS: dict[str, tuple[Any, str]] = {
    "no JSON": ("x", "evidence-malformed"),
    "nothing critical": ({}, "evidence-malformed"),
    "another type": ({**PAYLOAD["critical"], "type": "atomic"}, "evidence-form-unknown"),
    "no image": ({**PAYLOAD["critical"], "image": {}}, "evidence-malformed"),
    "another digest": (
        {**PAYLOAD["critical"], "image": {"docker-manifest-digest": "sha512:00"}},
        "evidence-malformed",
    ),
    "digest in capitals": (
        {**PAYLOAD["critical"], "image": {"docker-manifest-digest": IMAGE.upper()}},
        "evidence-malformed",
    ),
}


@together("name", BAD_PAYLOADS)
def test_payload_that_is_none(name: str) -> None:
    value, code = BAD_PAYLOADS[name]
    with pytest.raises(KitError) as refused:
        parse_payload(text({"critical": value, "optional": {}}))
    assert refused.value.code == code


@together(
    ("name", "value"),
    [
        (SIGNATURE, ""),
        (SIGNATURE, "?"),
        (CERTIFICATE, "no certificate"),
        (CERTIFICATE, "-----BEGIN CERTIFICATE-----\nAA=A\n-----END CERTIFICATE-----\n"),
        (LOG_ENTRY, "{}"),
        (LOG_ENTRY, "x"),
        (TIMESTAMP, "{}"),
    ],
)
def test_annotations_that_are_none(name: str, value: str) -> None:
    found = {**layer(keyless=True)[1], name: value}
    with pytest.raises(KitError) as refused:
        read_layer(found)
    assert refused.value.code == "evidence-malformed"
