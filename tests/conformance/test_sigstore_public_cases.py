"""Cases of the public conformance suite by their names there, made with authorities of our own.

What each is about is told in the README beside it in sigstore-conformance (test/assets/
bundle-verify).  Those whose files lie beside the checkout are run by `test_sigstore_suite.py`; the
rest stands here, so that a client of the suite meets no name for the first time.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.bundlecases import (
    MATERIAL,
    MINUTE,
    V2,
    Attack,
    Case,
    after,
    both,
    check_refused,
    checkpoint,
    drop,
    proof_of,
    put,
    sct,
    signed_checkpoint,
    spec,
    stamp_by,
    strange_stamp,
    two_stamps,
    window,
    wishing,
    without_key,
)
from tests.support.bundles import (
    ARTIFACT,
    HOST_2,
    STATEMENT,
    World,
    b64,
    chain_of,
    make_bundle,
    pae,
    text,
    time,
    valid,
    world,
)
from tests.support.certificates import NOW, START, p256, p384, sign
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import Identity

OTHER = {**STATEMENT, "predicateType": "https://example.com/other"}
OF_V2 = wishing(form=V2)
DSSE_V2 = wishing(statement=STATEMENT, form=V2)
KEYED_V2 = wishing(statement=STATEMENT, form=V2, by_key=True)
HASHED = wishing(statement=STATEMENT)


def sign_again(key: Any, message: bytes) -> bytes:
    """Return another good signature: ECDSA has as many as anybody wants."""
    made = key.sign(message, ec.ECDSA(hashes.SHA256()))
    assert made != sign(key, message)
    return bytes(made)


def signed_twice(case: Case) -> None:
    """Another signature by the same signer over the same artifact; the entry is the first one's."""

    def change(bundle: Any) -> None:
        bundle["messageSignature"]["signature"] = b64(sign_again(case.wish.key, ARTIFACT))

    case.after = change


def another_signers(case: Case) -> None:
    """The entry is genuine, over the same artifact, by somebody else."""
    other = make_bundle(replace(case.wish, key=p256(), certificate=None))

    def change(bundle: Any) -> None:
        bundle[MATERIAL]["tlogEntries"] = other[MATERIAL]["tlogEntries"]

    case.after = change


def restamped(bundle: Any, signature: bytes) -> None:
    """The envelope has this signature, and timestamps that are over it."""
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(signature)
    stamps = [{"signedTimestamp": b64(world().stamp().make(signature))}]
    bundle[MATERIAL]["timestampVerificationData"] = {"rfc3161Timestamps": stamps}


def another_envelope(case: Case) -> None:
    """The envelope is good, by the same certificate, and not the one that was logged."""

    def change(bundle: Any) -> None:
        bundle["dsseEnvelope"]["payload"] = b64(text(OTHER))
        restamped(bundle, sign(case.wish.key, pae(text(OTHER))))

    case.after = change


def another_signature(case: Case) -> None:
    """The envelope is the logged one, with another good signature by the same certificate."""
    case.after = lambda bundle: restamped(
        bundle, sign_again(case.wish.key, pae(text(case.wish.statement)))
    )


def strange_signature(case: Case) -> None:
    """The envelope is signed by a key that is not the certificate's."""
    case.after = lambda bundle: restamped(bundle, sign(p256(), pae(text(case.wish.statement))))


def two_of_one_name(case: Case) -> None:
    """An authority of the same name stands first; the log saw the certificate of the other."""
    decoy = World(root_key=p384(), ca_key=p384())
    first = {**case.root["certificateAuthorities"][0], **chain_of(decoy.chain)}
    case.root["certificateAuthorities"].insert(0, first)


def lent_period(case: Case) -> None:
    """The timestamp's authority is past its time; one without certificates has a period for it."""
    over = {"start": time(START), "end": time(NOW - timedelta(days=1))}
    mine = {**chain_of(world().stamp_chain), **valid(over)}
    nobody = {**chain_of([]), **valid({"start": time(START)})}
    case.root["timestampAuthorities"] = [mine, nobody]
    case.wish = replace(case.wish, form=V2)


def strange_stamp_with_its_certificate(case: Case) -> None:
    stranger = World()
    case.wish = replace(case.wish, form=V2, stamps=[stranger.stamp()])
    assert case.wish.stamps is not None
    assert case.wish.stamps[0].given


def another_instance(case: Case) -> None:
    """All of the bundle is of a sigstore that the trusted root does not name."""
    case.root = copy.deepcopy(World().trusted_root())


def v2_note(*, mine: bool = True, witness: bool = False, twice: bool = False) -> Attack:
    """A checkpoint of Rekor v2 with some of these signatures."""

    def change(text_: str) -> str:
        body, _, lines = text_.rpartition("\n\n")
        found = lines if mine else ""
        if twice:  # by a key of the same name that nobody knows
            stranger = ed25519.Ed25519PrivateKey.generate()
            found += f"\u2014 {HOST_2} {b64(b'1234' + stranger.sign(b'x'))}\n"
        if witness:
            found += f"\u2014 witness.example {b64(b'abcd' + bytes(72))}\n"
        return f"{body}\n\n{found}"

    return both(OF_V2, checkpoint(change))


def without_line(number: int) -> Attack:
    """A checkpoint without one of its first lines."""

    def change(text_: str) -> str:
        lines = text_.split("\n")
        del lines[number]
        return "\n".join(lines)

    return both(OF_V2, checkpoint(change))


def bent_note(bundle: Any) -> None:
    """Another byte in the log's signature of its checkpoint."""
    place = proof_of(bundle)["checkpoint"]
    head, _, last = place["envelope"].rpartition(" ")
    place["envelope"] = f"{head} {last[:12]}{'A' if last[12] != 'A' else 'B'}{last[13:]}"


def keyless(case: Case) -> None:
    case.wish.by_key = True
    case.wanted = Identity("https://issuer.example", "somebody")


REFUSED: dict[str, tuple[str, Attack]] = {
    "bundle-from-wrong-instance_fail": ("log-untrusted", another_instance),
    "bundle-unknown-version_fail": (
        "evidence-form-unknown",
        put("application/vnd.dev.sigstore.bundle+json;version=99.9", "mediaType"),
    ),
    "checkpoint-wrong-roothash_fail": ("checkpoint-mismatch", signed_checkpoint(root=bytes(32))),
    "cve-2022-36056-swapped-tlog-entry_fail": ("log-entry-mismatch", signed_twice),
    "wrong-hashedrekord-cert-and-sig_fail": ("log-entry-mismatch", another_signers),
    "incorrect-public-key_fail": (
        "log-entry-mismatch",
        spec("signature", "publicKey", "content", value=b64(b"-----BEGIN CERTIFICATE-----\n")),
    ),
    "wrong-material_fail": (
        "bundle-signature-invalid",
        lambda case: setattr(case.wish, "certificate", world().issue(p256()).make(world().log)),
    ),
    "dsse-mismatch-envelope_fail": (
        "log-entry-mismatch",
        both(wishing(statement=STATEMENT, form=("dsse", "0.0.1")), another_envelope),
    ),
    "dsse-with-hashedrekord-mismatch-envelope_fail": (
        "log-entry-mismatch",
        both(HASHED, another_envelope),
    ),
    "dsse-with-hashedrekord-mismatch-sig_fail": (
        "log-entry-mismatch",
        both(HASHED, another_signature),
    ),
    "dsse-with-hashedrekord-invalid-sig_fail": (
        "bundle-signature-invalid",
        both(HASHED, strange_signature),
    ),
    "rekor2-dsse-mismatch-envelope_fail": ("log-entry-mismatch", both(DSSE_V2, another_envelope)),
    "rekor2-dsse-mismatch-sig_fail": ("log-entry-mismatch", both(DSSE_V2, another_signature)),
    "rekor2-dsse-invalid-sig_fail": (
        "bundle-signature-invalid",
        both(DSSE_V2, strange_signature),
    ),
    "dsse-statement-missing-type_fail": (
        "statement-malformed",
        both(
            KEYED_V2,
            wishing(statement={key: STATEMENT[key] for key in STATEMENT if key != "_type"}),
        ),
    ),
    "dsse-statement-unknown-type_fail": (
        "evidence-form-unknown",
        both(
            KEYED_V2,
            wishing(statement={**STATEMENT, "_type": "https://in-toto.io/Statement/v2"}),
        ),
    ),
    "intoto-missing-inclusion-proof_fail": (
        "log-proof-missing",
        both(
            wishing(statement=STATEMENT, version=2, form=("intoto", "0.0.2")),
            drop(MATERIAL, "tlogEntries", 0, "inclusionProof"),
        ),
    ),
    "intoto-expired-certificate_fail": (
        "certificate-expired",
        both(
            wishing(statement=STATEMENT, version=2, form=("intoto", "0.0.2")),
            wishing(signed=NOW + 11 * MINUTE),
        ),
    ),
    "intoto-tsa-timestamp-outside-cert-validity_fail": (
        "certificate-expired",
        both(
            wishing(statement=STATEMENT, version=2, form=("intoto", "0.0.2")),
            wishing(stamps=[world().stamp(NOW + 11 * MINUTE)]),
        ),
    ),
    "invalid-checkpoint-signature_fail": ("checkpoint-invalid", after(bent_note)),
    "invalid-inclusion-proof_fail": (
        "log-proof-invalid",
        after(lambda bundle: proof_of(bundle)["hashes"].reverse()),
    ),
    "managed-key-no-key_fail": ("signer-kind-mismatch", keyless),
    "managed-key-wrong-key_fail": ("bundle-signature-invalid", without_key),
    "rekor2-no-timestamp_fail": ("signing-time-missing", wishing(form=V2, stamps=[])),
    "rekor2-timestamp-with-incorrect-time_fail": (
        "certificate-expired",
        wishing(form=V2, stamps=[world().stamp(NOW + timedelta(days=1))]),
    ),
    "rekor2-timestamp-outside-tsa-cert-validity_fail": (
        "certificate-expired",
        stamp_by(end=NOW),
    ),
    "rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail": (
        "timestamp-untrusted",
        strange_stamp_with_its_certificate,
    ),
    "rekor2-timestamp-untrusted_fail": ("timestamp-untrusted", strange_stamp),
    "rekor2-timestamp-wrong-tsa-validity-borrow_fail": ("timestamp-untrusted", lent_period),
    "rekor2-multiple-timestamps-one-outside-cert-validity_fail": (
        "certificate-expired",
        two_stamps(timedelta(seconds=6), 11 * MINUTE),
    ),
    "rekor2-checkpoint-missing-origin_fail": ("checkpoint-malformed", without_line(0)),
    "rekor2-checkpoint-missing-size_fail": ("checkpoint-malformed", without_line(1)),
    "rekor2-checkpoint-no-matching-signature_fail": (
        "checkpoint-invalid",
        v2_note(mine=False, witness=True, twice=True),
    ),
    "trust-root-tlog-missing-validity-start_fail": (
        "trusted-root-malformed",
        window("tlogs", None, MINUTE),
    ),
}

ACCEPTED: dict[str, Attack] = {
    "happy-path-v0.2": wishing(version=2),
    "happy-path-v0.3-new-mediaType": put(
        "application/vnd.dev.sigstore.bundle.v0.3+json", "mediaType"
    ),
    "happy-path-v0.3-old-mediaType": put(
        "application/vnd.dev.sigstore.bundle+json;version=0.3", "mediaType"
    ),
    "happy-path-intoto-in-dsse-v3": wishing(statement=STATEMENT, form=("dsse", "0.0.1")),
    "dsse-with-hashedrekord-happy-path": HASHED,
    "bundle-with-sct-with-extensions": sct(replace(world().log, extensions=b"\1\2\3\4\5")),
    "sct-duplicate-intermediate-name": two_of_one_name,
    "intoto-canonical-log-entry": both(  # no payload in the entry, and a time that nobody signed
        wishing(statement=STATEMENT, form=("intoto", "0.0.2"), by_key=True, promise=False),
        put("0", MATERIAL, "tlogEntries", 0, "integratedTime"),
    ),
    "rekor2-happy-path": OF_V2,
    "rekor2-dsse-happy-path": DSSE_V2,
    "rekor2-timestamp-with-embedded-cert": OF_V2,
    "rekor2-checkpoint-cosigned": v2_note(witness=True),
    "rekor2-checkpoint-two-sigs-cosigned": v2_note(witness=True, twice=True),
    "rekor2-checkpoint-two-sigs-from-origin": v2_note(twice=True),
    "trust-root-tsa-validity-end-inclusive": both(
        OF_V2, window("timestampAuthorities", -MINUTE, timedelta(seconds=6))
    ),
}


@together("name", REFUSED)
def test_refused_for_the_reason_in_its_name(name: str) -> None:
    check_refused(*REFUSED[name])


@together("name", ACCEPTED)
def test_accepted(name: str) -> None:
    case = Case()
    ACCEPTED[name](case)
    assert case.decide().signer


@together("data", [b"", b"{", b'{"mediaType": "a",}', json.dumps([]).encode()])
def test_malformed_json(data: bytes) -> None:
    """bundle-malformed-json_fail"""
    with pytest.raises(KitError) as refused:
        parse_bundle(data)
    assert refused.value.code == "evidence-malformed"
