"""Bundles whose log, statement or trusted root is wrong, signed anew wherever they can be."""

from __future__ import annotations

import hashlib

from tests.support.bundlecases import (
    MATERIAL,
    MINUTE,
    SHA512,
    V2,
    WHAT,
    Attack,
    after,
    both,
    check_refused,
    checkpoint,
    drop,
    log_again,
    long_path,
    proved,
    put,
    root_put,
    short_path,
    signed_by_another,
    signed_checkpoint,
    spec,
    statement,
    strange_log,
    strange_log_key_2,
    window,
    wishing,
)
from tests.support.bundles import (
    ARTIFACT,
    STATEMENT,
    b64,
    signer_pem,
    world,
)
from tests.support.certificates import p256, pem, sign, spki
from tests.support.together import together
from verifier.evidence.sigstore.verify import Artifact

ATTACKS: dict[str, tuple[str, Attack]] = {
    # the log
    "no entry": (
        "log-entry-missing",
        wishing(form=None, stamps=[world().stamp()]),
    ),
    "an entry of a stranger": (
        "log-untrusted",
        both(strange_log, wishing(stamps=[world().stamp()])),
    ),
    "a stranger's entry alone": ("log-untrusted", strange_log),
    "no promise in version 0.1": (
        "log-promise-missing",
        wishing(version=1, promise=False, stamps=[world().stamp()]),
    ),
    "no proof in version 0.2": (
        "log-proof-missing",
        both(wishing(version=2), drop(MATERIAL, "tlogEntries", 0, "inclusionProof")),
    ),
    "no proof in version 0.3": (
        "log-proof-missing",
        drop(MATERIAL, "tlogEntries", 0, "inclusionProof"),
    ),
    "no checkpoint": (
        "checkpoint-missing",
        drop(MATERIAL, "tlogEntries", 0, "inclusionProof", "checkpoint"),
    ),
    "no checkpoint in version 0.1": (
        "checkpoint-missing",
        both(
            wishing(version=1),
            drop(MATERIAL, "tlogEntries", 0, "inclusionProof", "checkpoint"),
        ),
    ),
    "path too short": ("log-proof-invalid", after(short_path)),
    "path too long": ("log-proof-invalid", after(long_path)),
    "another place in the tree": ("log-proof-invalid", proved(logIndex="4")),
    "a place outside of the tree": ("log-proof-invalid", proved(logIndex="9")),
    "another size": ("log-proof-invalid", proved(treeSize="8")),
    "an empty tree": ("log-proof-invalid", proved(treeSize="0", logIndex="0")),
    "another root": ("log-proof-invalid", proved(rootHash=b64(bytes(32)))),
    "checkpoint of another size": ("checkpoint-mismatch", signed_checkpoint(size=10)),
    "checkpoint of another root": ("checkpoint-mismatch", signed_checkpoint(root=bytes(32))),
    "checkpoint by another key": ("checkpoint-invalid", strange_log_key_2),
    "checkpoint with another origin": (
        "checkpoint-invalid",
        checkpoint(lambda text: text.replace("rekor.example - ", "rekor.other - ", 1)),
    ),
    "checkpoint by a witness only": (
        "checkpoint-invalid",
        checkpoint(lambda text: text.replace("\u2014 rekor.example ", "\u2014 witness.example ")),
    ),
    "checkpoint without a signature": (
        "checkpoint-invalid",
        checkpoint(lambda text: text.split("\u2014")[0]),
    ),
    "checkpoint with a line more": (
        "checkpoint-invalid",
        checkpoint(lambda text: text.replace("\n\n", "\nmore\n\n", 1)),
    ),
    "checkpoint without its last line end": (
        "checkpoint-malformed",
        checkpoint(lambda text: text[:-1]),
    ),
    "checkpoint with a size that is none": (
        "checkpoint-malformed",
        checkpoint(lambda text: text.replace("\n9\n", "\n09\n")),
    ),
    "checkpoint with half a root": (
        "checkpoint-malformed",
        checkpoint(lambda text: text.replace(text.split("\n")[2], b64(bytes(16)), 1)),
    ),
    # what was logged
    "entry of another kind than said": (
        "log-entry-mismatch",
        put("0.0.2", MATERIAL, "tlogEntries", 0, "kindVersion", "version"),
    ),
    "entry of an unknown kind": (
        "evidence-form-unknown",
        log_again(lambda body: body.update(kind="rpm")),
    ),
    "entry about another digest": (
        "log-entry-mismatch",
        spec("data", "hash", "value", value=hashlib.sha256(b"another").hexdigest()),
    ),
    "entry by an unknown hash": (
        "evidence-algorithm-unknown",
        spec("data", "hash", "algorithm", value="md5"),
    ),
    "entry with a digest in capitals": (
        "evidence-malformed",
        spec("data", "hash", "value", value=hashlib.sha256(ARTIFACT).hexdigest().upper()),
    ),
    "entry with another signature": (
        "log-entry-mismatch",
        spec("signature", "content", value=b64(sign(p256(), ARTIFACT))),
    ),
    "entry with a key in place of the certificate": (
        "log-entry-mismatch",
        spec("signature", "publicKey", "content", value=b64(pem(p256()).encode())),
    ),
    "entry with another certificate": (
        "log-entry-mismatch",
        spec(
            *("signature", "publicKey", "content"),
            value=signer_pem(p256(), world().chain[0]),
        ),
    ),
    "entry of Rekor v2 with another certificate": (
        "log-entry-mismatch",
        both(
            wishing(form=V2),
            spec(
                *("hashedRekordV002", "signature", "verifier", "x509Certificate", "rawBytes"),
                value=b64(world().chain[0]),
            ),
        ),
    ),
    "entry of Rekor v2 with a key": (
        "log-entry-mismatch",
        both(
            wishing(form=V2),
            spec(
                *("hashedRekordV002", "signature", "verifier"),
                value={"publicKey": {"rawBytes": b64(spki(p256()))}},
            ),
        ),
    ),
    "entry about another payload": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("dsse", "0.0.1")),
            spec("payloadHash", "value", value=hashlib.sha256(b"another").hexdigest()),
        ),
    ),
    "entry with another signature of a statement": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("dsse", "0.0.1")),
            spec("signatures", "0", "signature", value=b64(b"another")),
        ),
    ),
    "older entry about another payload": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("intoto", "0.0.2")),
            spec("content", "payloadHash", "value", value=hashlib.sha256(b"another").hexdigest()),
        ),
    ),
    "older entry with another payload type": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("intoto", "0.0.2")),
            spec("content", "envelope", "payloadType", value="text/plain"),
        ),
    ),
    "older entry with another payload inside": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("intoto", "0.0.2")),
            spec("content", "envelope", "payload", value=b64(b64(b"another").encode())),
        ),
    ),
    "older entry with its signature in base64 once": (
        "log-entry-mismatch",
        both(
            wishing(statement=STATEMENT, form=("intoto", "0.0.2")),
            spec("content", "envelope", "signatures", "0", "sig", value=b64(b"another")),
        ),
    ),
    "entry for a statement, about an artifact": (
        "log-entry-mismatch",
        wishing(form=("dsse", "0.0.1")),
    ),
    # what was signed
    "signature over something else": ("bundle-signature-invalid", signed_by_another),
    "another artifact": (
        "subject-mismatch",
        lambda case: setattr(case, "artifact", Artifact({"sha256": "0" * 64})),
    ),
    "message digest of another artifact": (
        "subject-mismatch",
        put(b64(bytes(32)), "messageSignature", "messageDigest", "digest"),
    ),
    "known by another digest only": (
        "artifact-needed",
        lambda case: setattr(case, "artifact", Artifact({"sha512": SHA512})),
    ),
    "a digest that nobody knows": (
        "artifact-needed",
        both(
            drop("messageSignature", "messageDigest"), lambda case: setattr(case, "artifact", None)
        ),
    ),
    "statement about something else": (
        "subject-mismatch",
        statement(subject=[{"name": "tool", "digest": {"sha256": "0" * 64}}]),
    ),
    "statement with a digest that contradicts": (
        "subject-mismatch",
        both(
            statement(subject=[{"digest": {**WHAT.digests, "sha512": "0" * 128}}]),
            lambda case: setattr(case, "artifact", Artifact({**WHAT.digests, "sha512": SHA512})),
        ),
    ),
    "statement about nothing": ("statement-malformed", statement(subject=[])),
    "statement without a type": ("statement-malformed", statement(_type=None)),
    "statement of another type": (
        "evidence-form-unknown",
        statement(_type="https://in-toto.io/Statement/v2"),
    ),
    "statement without a predicate type": ("statement-malformed", statement(predicateType=None)),
    "subject without a digest": ("statement-malformed", statement(subject=[{"name": "tool"}])),
    # the trusted root
    "log without a first moment": ("trusted-root-malformed", window("tlogs", None, MINUTE)),
    "log without any period": (
        "trusted-root-malformed",
        lambda case: case.root["tlogs"][0]["publicKey"].pop("validFor"),
    ),
    "authority without a first moment": (
        "trusted-root-malformed",
        window("certificateAuthorities", None, None),
    ),
    "a period with a time that is none": (
        "trusted-root-malformed",
        root_put({"start": "2025-13-01T00:00:00Z"}, "tlogs", 0, "publicKey", "validFor"),
    ),
    "authority without a certificate": (
        "certificate-untrusted",
        root_put([], "certificateAuthorities", 0, "certChain", "certificates"),
    ),
    "authority whose certificate is none": (
        "trusted-root-malformed",
        root_put(
            [{"rawBytes": b64(b"\x30\x00")}], "timestampAuthorities", 0, "certChain", "certificates"
        ),
    ),
    "trusted root of another version": (
        "evidence-form-unknown",
        root_put("application/vnd.dev.sigstore.trustedroot+json;version=9", "mediaType"),
    ),
}


@together("name", ATTACKS)
def test_refused_for_its_own_reason(name: str) -> None:
    check_refused(*ATTACKS[name])
