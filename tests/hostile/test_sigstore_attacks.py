"""Bundles that are wrong in form, signer or time, signed anew wherever they can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support import bundles
from tests.support.bundlecases import (
    MATERIAL,
    MINUTE,
    V2,
    Attack,
    after,
    another_authority,
    borrowed_window,
    both,
    check_refused,
    doubled_stamp,
    drop,
    entry_of,
    issued,
    put,
    root_put,
    sct,
    stamp_by,
    stamped,
    strange_log_key,
    strange_stamp,
    twice,
    two_stamps,
    window,
    wishing,
    without_key,
)
from tests.support.bundles import (
    ISSUER,
    NAME,
    STATEMENT,
    b64,
    signer_extensions,
    stamp_extensions,
    world,
)
from tests.support.certificates import NOW, Log, p256, pem
from tests.support.dertree import tlv
from tests.support.together import together
from verifier.evidence.sigstore.identity import Identity, make_key

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]

ATTACKS: dict[str, tuple[str, Attack]] = {
    # form
    "another media type": ("evidence-form-unknown", put("application/x", "mediaType")),
    "a version to come": (
        "evidence-form-unknown",
        put("application/vnd.dev.sigstore.bundle.v0.4+json", "mediaType"),
    ),
    "no media type": ("evidence-malformed", drop("mediaType")),
    "no material": ("evidence-malformed", drop(MATERIAL)),
    "no signer": ("evidence-malformed", drop(MATERIAL, "certificate")),
    "key and certificate": ("evidence-malformed", put({"hint": "a"}, MATERIAL, "publicKey")),
    "chain in version 0.3": (
        "evidence-malformed",
        both(wishing(version=2), put("application/vnd.dev.sigstore.bundle.v0.3+json", "mediaType")),
    ),
    "two contents": (
        "evidence-malformed",
        put({"payload": "", "payloadType": "", "signatures": []}, "dsseEnvelope"),
    ),
    "no content": ("evidence-malformed", drop("messageSignature")),
    "signature is empty": ("evidence-malformed", put("", "messageSignature", "signature")),
    "signature without padding": (
        "evidence-malformed",
        put("AAAA/w", "messageSignature", "signature"),
    ),
    "two signatures": (
        "evidence-malformed",
        both(
            wishing(statement=STATEMENT),
            after(
                lambda b: b["dsseEnvelope"].update(signatures=b["dsseEnvelope"]["signatures"] * 2)
            ),
        ),
    ),
    "no signature": (
        "evidence-malformed",
        both(wishing(statement=STATEMENT), put([], "dsseEnvelope", "signatures")),
    ),
    "negative index": (
        "evidence-malformed",
        put("-1", MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "negative index of the proof": (
        "evidence-malformed",
        put(-1, MATERIAL, "tlogEntries", 0, "inclusionProof", "logIndex"),
    ),
    "index beyond 64 bits": (
        "evidence-malformed",
        put("9223372036854775808", MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "index with a zero before it": (
        "evidence-malformed",
        put("01", MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "index that is a fraction": (
        "evidence-malformed",
        put(1.0, MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "index that is true": ("evidence-malformed", put(True, MATERIAL, "tlogEntries", 0, "logIndex")),
    "hash of another size": (
        "evidence-malformed",
        put([b64(bytes(31))], MATERIAL, "tlogEntries", 0, "inclusionProof", "hashes"),
    ),
    "an entry twice": ("evidence-malformed", twice("tlogEntries")),
    "a timestamp twice": ("evidence-malformed", both(wishing(form=V2), after(doubled_stamp))),
    "17 entries": (
        "evidence-malformed",
        after(lambda b: b[MATERIAL].update(tlogEntries=b[MATERIAL]["tlogEntries"] * 17)),
    ),
    "digest by an unknown hash": (
        "evidence-algorithm-unknown",
        put("SHA3_256", "messageSignature", "messageDigest", "algorithm"),
    ),
    "nested deeply": ("evidence-too-large", put(DEEP, "more")),
    "certificate is none": (
        "certificate-malformed",
        put(b64(b"\x30\x00"), MATERIAL, "certificate", "rawBytes"),
    ),
    # who signed
    "a key where an identity is asked for": (
        "signer-kind-mismatch",
        both(
            wishing(by_key=True),
            lambda case: setattr(case, "wanted", Identity(ISSUER, NAME)),
        ),
    ),
    "an identity where a key is asked for": (
        "signer-kind-mismatch",
        lambda case: setattr(case, "wanted", make_key(pem(case.wish.key))),
    ),
    "another key": ("bundle-signature-invalid", without_key),
    "another authority of the same name": ("certificate-untrusted", another_authority),
    "authority before its time": (
        "certificate-untrusted",
        window("certificateAuthorities", timedelta(seconds=6), None),
    ),
    "authority after its time": (
        "certificate-untrusted",
        window("certificateAuthorities", -MINUTE, timedelta(seconds=4)),
    ),
    "no authority": ("certificate-untrusted", root_put([], "certificateAuthorities")),
    "logged before the certificate": (
        "certificate-expired",
        wishing(signed=NOW - timedelta(seconds=61)),
    ),
    "logged after the certificate": (
        "certificate-expired",
        wishing(signed=NOW + timedelta(seconds=541)),
    ),
    "stamped after the certificate": (
        "certificate-expired",
        two_stamps(timedelta(seconds=541)),
    ),
    "one of two stamps after the certificate": (
        "certificate-expired",
        two_stamps(timedelta(seconds=1), timedelta(seconds=541)),
    ),
    "logged in time, stamped late": (
        "certificate-expired",
        wishing(stamps=[world().stamp(NOW + timedelta(seconds=541))]),
    ),
    "another identity": (
        "identity-mismatch",
        lambda case: setattr(case, "wanted", Identity(ISSUER, NAME + "2")),
    ),
    "a part of the identity": (
        "identity-mismatch",
        lambda case: setattr(case, "wanted", Identity(ISSUER, NAME[:-1])),
    ),
    "another issuer": (
        "issuer-mismatch",
        lambda case: setattr(case, "wanted", Identity(ISSUER + "/", NAME)),
    ),
    "no identity": (
        "identity-mismatch",
        issued(
            extensions=[e for e in signer_extensions() if e[0].oid.dotted_string != "2.5.29.17"]
        ),
    ),
    "no issuer": ("issuer-mismatch", issued(extensions=signer_extensions()[:3])),
    "two issuers that differ": (
        "certificate-malformed",
        issued(
            extensions=[*signer_extensions()[:4], signer_extensions(issuer="https://b.example")[4]]
        ),
    ),
    "no SCT": ("sct-missing", sct(none=True)),
    "SCT by another log": ("sct-untrusted", sct(Log(p256()))),
    "SCT over something else": ("sct-invalid", sct(replace(world().log, bent=True))),
    "SCT before the log's time": (
        "sct-untrusted",
        window("ctlogs", timedelta(seconds=1), None),
    ),
    "SCT after the log's time": (
        "sct-untrusted",
        window("ctlogs", -MINUTE, -timedelta(seconds=1)),
    ),
    "SCT of another version": ("certificate-malformed", sct(replace(world().log, version=1))),
    "SCT by another algorithm": (
        "evidence-algorithm-unknown",
        sct(replace(world().log, algorithm=b"\5\3")),
    ),
    "one good SCT and one that is wrong": (
        "sct-invalid",
        sct(world().log, replace(world().log, bent=True)),
    ),
    # time
    "only the bundle states a time": ("signing-time-missing", wishing(promise=False)),
    "a time without its promise": (
        "signing-time-missing",
        drop(MATERIAL, "tlogEntries", 0, "inclusionPromise"),
    ),
    "a promise without a time": (
        "evidence-malformed",
        drop(MATERIAL, "tlogEntries", 0, "integratedTime"),
    ),
    "Rekor v2 without a timestamp": ("signing-time-missing", wishing(form=V2, stamps=[])),
    "promise for another time": (
        "log-promise-invalid",
        put(str(int(NOW.timestamp()) + 4), MATERIAL, "tlogEntries", 0, "integratedTime"),
    ),
    "promise for another place": (
        "log-promise-invalid",
        put("4000004", MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "promise for another body": (
        "log-promise-invalid",
        after(lambda b: entry_of(b).update(canonicalizedBody=b64(b'{"kind":"x"}'))),
    ),
    "promise by another key": ("log-promise-invalid", strange_log_key),
    "promised after the log's time": ("log-untrusted", window("tlogs", -MINUTE, MINUTE / 15)),
    "promised before the log's time": ("log-untrusted", window("tlogs", MINUTE / 10, None)),
    "stamped by a stranger": ("timestamp-untrusted", strange_stamp),
    "stamped after the authority's time": (
        "timestamp-untrusted",
        both(wishing(form=V2), window("timestampAuthorities", -MINUTE, timedelta(seconds=5))),
    ),
    "stamped before the authority's time": (
        "timestamp-untrusted",
        both(wishing(form=V2), window("timestampAuthorities", timedelta(seconds=7), None)),
    ),
    "window of another authority": ("timestamp-untrusted", borrowed_window),
    "stamp over something else": ("timestamp-invalid", stamped(imprint=bytes(32))),
    "stamp with a digest too short": ("timestamp-malformed", stamped(imprint=bytes(31))),
    "stamp by another key": ("timestamp-invalid", stamped(key=p256())),
    "stamp that was not granted": ("timestamp-malformed", stamped(status=2)),
    "stamp with another message digest": ("timestamp-invalid", stamped(message_digest=bytes(32))),
    "stamp with another content type": (
        "timestamp-invalid",
        stamped(content_type="1.2.840.113549.1.7.1"),
    ),
    "stamp that names no certificate": (
        "timestamp-invalid",
        stamped(no_certificate_attribute=True),
    ),
    "stamp with extensions": (
        "evidence-algorithm-unknown",
        stamped(extensions=tlv(0xA1, b"\x30\x00")),
    ),
    "stamp with a superfluous zero of a second": ("timestamp-malformed", stamped(fraction=".10")),
    "stamp by SHA-1": ("evidence-algorithm-unknown", stamped(imprint_name="sha1")),
    "stamp that is no DER": (
        "timestamp-malformed",
        both(
            wishing(form=V2),
            after(
                lambda b: b[MATERIAL]["timestampVerificationData"]["rfc3161Timestamps"][0].update(
                    signedTimestamp=b64(b"\x30\x80\0\0")
                )
            ),
        ),
    ),
    "stamp by a certificate for code signing": (
        "certificate-misused",
        stamp_by(extensions=[signer_extensions()[0], signer_extensions()[1]]),
    ),
    "stamp by a certificate for two uses": (
        "certificate-misused",
        stamp_by(extensions=stamp_extensions(True, bundles.CODE_SIGNING)),
    ),
    "stamp by a certificate whose use is not critical": (
        "certificate-misused",
        stamp_by(extensions=stamp_extensions(False)),
    ),
    "stamp by a certificate with no use": ("certificate-misused", stamp_by(extensions=[])),
    "stamp by a certificate that has expired": (
        "certificate-expired",
        stamp_by(end=NOW + timedelta(seconds=5)),
    ),
    "stamp by a certificate to come": (
        "certificate-expired",
        stamp_by(start=NOW + timedelta(seconds=7)),
    ),
}


@together("name", ATTACKS)
def test_refused_for_its_own_reason(name: str) -> None:
    check_refused(*ATTACKS[name])
