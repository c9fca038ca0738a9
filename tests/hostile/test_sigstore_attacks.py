"""Bundles that are wrong in one thing, signed anew wherever they can be; each has its own code."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import SubjectKeyIdentifier

from tests.support import bundles
from tests.support.bundles import (
    ARTIFACT,
    ISSUER,
    NAME,
    STATEMENT,
    Wish,
    World,
    b64,
    chain_of,
    make_bundle,
    named,
    signer_extensions,
    stamp_extensions,
    text,
    time,
    valid,
    world,
)
from tests.support.certificates import (
    NOW,
    START,
    Issue,
    Log,
    load,
    p256,
    p384,
    pem,
    sign,
    spki,
)
from tests.support.dertree import tlv
from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import Identity, Key, make_key
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, VerifiedBundle, verify_bundle

V2 = ("hashedrekord", "0.0.2")
SHA512 = hashlib.sha512(ARTIFACT).hexdigest()
WHAT = Artifact({"sha256": hashlib.sha256(ARTIFACT).hexdigest()}, ARTIFACT)


@dataclass
class Case:
    """A bundle, and what it is held to; an attack changes some of it.

    Attributes:
        wish: What is made.
        root: The trusted root.
        after: What is done to the bundle when it is made.
        wanted: Who must have signed; None for whom the certificate or key is of.
        artifact: What it must be about.
    """

    wish: Wish = field(default_factory=Wish)
    root: Any = field(default_factory=lambda: copy.deepcopy(world().trusted_root()))
    after: Callable[[Any], object] = field(default=lambda bundle: None)
    wanted: Identity | Key | None = None
    artifact: Artifact | None = WHAT

    def decide(self) -> VerifiedBundle:
        """Return what the verifier makes of it."""
        bundle = make_bundle(self.wish)
        self.after(bundle)
        wanted = self.wanted
        if wanted is None:
            wanted = make_key(pem(self.wish.key)) if self.wish.by_key else Identity(ISSUER, NAME)
        root = parse_trusted_root(text(self.root))
        return verify_bundle(parse_bundle(text(bundle)), wanted, [root], self.artifact)


Attack = Callable[[Case], object]


def entry_of(bundle: Any) -> Any:
    return bundle["verificationMaterial"]["tlogEntries"][0]


def proof_of(bundle: Any) -> Any:
    return entry_of(bundle)["inclusionProof"]


def after(change: Callable[[Any], object]) -> Attack:
    """Return the attack that changes the bundle when it is made."""

    def attack(case: Case) -> None:
        def done(bundle: Any) -> None:
            change(bundle)

        case.after = done

    return attack


def wishing(**changes: Any) -> Attack:
    """Return the attack that asks for another bundle."""

    def attack(case: Case) -> None:
        case.wish = replace(case.wish, **changes)

    return attack


def issued(**changes: Any) -> Attack:
    """Return the attack that has another certificate issued."""

    def attack(case: Case) -> None:
        issue = world().issue(case.wish.key, **changes)
        case.wish.certificate = issue.make(world().log)

    return attack


def without_key(case: Case) -> None:
    case.wanted = make_key(pem(p256()))
    case.wish.by_key = True


# --- the attacks ---------------------------------------------------------------------------------


def another_authority(case: Case) -> None:
    stranger = p384()
    issue = world().issue(case.wish.key, issuer=("intermediate", stranger))
    case.wish.certificate = issue.make(world().log)


def drop(*path: Any) -> Attack:
    """Return the attack that takes something out of the bundle."""

    def change(bundle: Any) -> None:
        for name in path[:-1]:
            bundle = bundle[name]
        del bundle[path[-1]]

    return after(change)


def put(value: Any, *path: Any) -> Attack:
    """Return the attack that puts something into the bundle."""

    def change(bundle: Any) -> None:
        for name in path[:-1]:
            bundle = bundle[name]
        bundle[path[-1]] = value

    return after(change)


def root_put(value: Any, *path: Any) -> Attack:
    """Return the attack that puts something into the trusted root."""

    def attack(case: Case) -> None:
        place = case.root
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return attack


def both(*attacks: Attack) -> Attack:
    """Return all of some attacks."""

    def attack(case: Case) -> None:
        for each in attacks:
            each(case)

    return attack


def log_again(body: Callable[[Any], object]) -> Attack:
    """Return the attack that logs another body: promise, proof and checkpoint are genuine."""

    def change(bundle: Any) -> None:
        entry = entry_of(bundle)
        value = json.loads(base64.b64decode(entry["canonicalizedBody"]))
        value = body(value) or value
        v2 = "integratedTime" not in entry
        log = world().rekor2 if v2 else world().rekor
        bundle["verificationMaterial"]["tlogEntries"] = [
            log.entry(text(value), NOW + timedelta(seconds=5))
        ]

    return after(change)


def spec(*path: str, value: Any) -> Attack:
    """Return the attack that logs another value in one place of the body."""

    def change(body: Any) -> None:
        place = body["spec"]
        for name in path[:-1]:
            place = place[int(name)] if name.isdigit() else place[name]
        place[path[-1]] = value

    return log_again(change)


def checkpoint(change: Callable[[str], str]) -> Attack:
    """Return the attack that changes the text of the checkpoint."""

    def done(bundle: Any) -> None:
        place = proof_of(bundle)["checkpoint"]
        place["envelope"] = change(place["envelope"])

    return after(done)


def signed_checkpoint(size: int | None = None, root: bytes | None = None) -> Attack:
    """Return the attack that has the log sign another checkpoint."""

    def done(bundle: Any) -> None:
        proof = proof_of(bundle)
        other = root or base64.b64decode(proof["rootHash"])
        proof["checkpoint"]["envelope"] = world().rekor.checkpoint(
            size or int(proof["treeSize"]), other
        )

    return after(done)


def proved(**changes: Any) -> Attack:
    """Return the attack that changes the proof and has the log sign a checkpoint of it."""

    def done(bundle: Any) -> None:
        proof = proof_of(bundle)
        proof.update(changes)
        proof["checkpoint"]["envelope"] = world().rekor.checkpoint(
            int(proof["treeSize"]), base64.b64decode(proof["rootHash"])
        )

    return after(done)


def stamped(**changes: Any) -> Attack:
    """Return the attack that has the authority make another timestamp."""
    return wishing(form=V2, stamps=[world().stamp(**changes)])


def stamp_by(**changes: Any) -> Attack:
    """Return the attack whose timestamp is by a certificate issued otherwise, named in the root."""

    def attack(case: Case) -> None:
        issuer = ("stamp root", world().stamp_root_key)
        issue = Issue(world().stamp_key, "stamps", issuer, extensions=stamp_extensions())
        made = replace(issue, **changes).make()
        chain = [made, world().stamp_chain[1]]
        case.root["timestampAuthorities"][0].update(chain_of(chain))
        case.wish = replace(
            case.wish, form=V2, stamps=[world().stamp(certificate=load(made), given=[])]
        )

    return attack


def window(name: str, start: timedelta | None, end: timedelta | None) -> Attack:
    """Return the attack that changes when something of the trusted root counts."""

    def attack(case: Case) -> None:
        for each in case.root[name]:
            place = each.get("publicKey", each)
            place["validFor"] = {
                **({} if start is None else {"start": time(NOW + start)}),
                **({} if end is None else {"end": time(NOW + end)}),
            }

    return attack


def borrowed_window(case: Case) -> None:
    """The authority's own window is over; that of another authority would cover the time."""
    other = World()
    over = {"start": time(START), "end": time(NOW - timedelta(days=1))}
    mine = {**chain_of(world().stamp_chain), **valid(over)}
    theirs = {**chain_of(other.stamp_chain), **valid({"start": time(START)})}
    case.root["timestampAuthorities"] = [mine, theirs]
    case.wish = replace(case.wish, form=V2)


def strange_stamp(case: Case) -> None:
    case.wish = replace(case.wish, form=V2, stamps=[World().stamp()])


def two_stamps(*moments: timedelta) -> Attack:
    return wishing(form=V2, stamps=[world().stamp(NOW + each) for each in moments])


def promise_of(change: Callable[[Any], object]) -> Attack:
    """Return the attack that changes what the log promises, and has it promise that."""

    def done(bundle: Any) -> None:
        entry = entry_of(bundle)
        change(entry)
        body = base64.b64decode(entry["canonicalizedBody"])
        signed = world().rekor.promise(body, int(entry["integratedTime"]), int(entry["logIndex"]))
        entry["inclusionPromise"]["signedEntryTimestamp"] = b64(signed)

    return after(done)


def strange_log(case: Case) -> None:
    case.root["tlogs"] = [named(World().rekor, "https://other.example")]


def strange_log_key(case: Case) -> None:
    """The root names the log by its id, and another key."""
    case.root["tlogs"][0]["publicKey"]["rawBytes"] = b64(spki(p256()))


def strange_log_key_2(case: Case) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    case.root["tlogs"][1]["publicKey"]["rawBytes"] = b64(spki(key))
    case.wish = replace(case.wish, form=V2)


def signed_by_another(case: Case) -> None:
    def done(bundle: Any) -> None:
        bundle["messageSignature"]["signature"] = b64(sign(p256(), ARTIFACT))

    case.wish = replace(case.wish, form=None, stamps=None, promise=False)
    case.root["tlogs"] = []
    case.root["ctlogs"] = []
    made = sign(p256(), ARTIFACT)

    def with_stamp(bundle: Any) -> None:
        bundle["messageSignature"]["signature"] = b64(made)
        stamp = {"signedTimestamp": b64(world().stamp().make(made))}
        bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}

    case.after = with_stamp


def sct(*logs: Log, none: bool = False) -> Attack:
    def attack(case: Case) -> None:
        issue = world().issue(case.wish.key)
        case.wish.certificate = issue.make(*logs) if not none else issue.make()

    return attack


def twice(name: str) -> Attack:
    def change(bundle: Any) -> None:
        bundle["verificationMaterial"][name] *= 2

    return after(change)


def doubled_stamp(bundle: Any) -> None:
    data = bundle["verificationMaterial"]["timestampVerificationData"]
    data["rfc3161Timestamps"] *= 2


def statement(**changes: Any) -> Attack:
    value = {name: each for name, each in {**STATEMENT, **changes}.items() if each is not None}
    return wishing(statement=value)


def short_path(bundle: Any) -> None:
    proof_of(bundle)["hashes"].pop()


def long_path(bundle: Any) -> None:
    proof_of(bundle)["hashes"].append(b64(bytes(32)))


def with_unused_entry_of_stranger(bundle: Any) -> None:
    entries = bundle["verificationMaterial"]["tlogEntries"]
    entries.append({**entries[0], "logId": {"keyId": b64(bytes(32))}})


MATERIAL = "verificationMaterial"
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
MINUTE = timedelta(minutes=1)

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
            value=bundles._signer_pem(p256(), world().chain[0]),
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
        "trusted-root-malformed",
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
UNDECIDED = {
    *("evidence-form-unknown", "evidence-algorithm-unknown", "evidence-too-large"),
    *("artifact-needed", "trusted-root-malformed", "trusted-root-missing"),
    "certificate-unknown-extension",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refused_for_its_own_reason(name: str) -> None:
    code, attack = ATTACKS[name]
    case = Case()
    attack(case)
    with pytest.raises(KitError) as refused:
        case.decide()
    assert (refused.value.code, refused.value.message != "") == (code, True), refused.value
    status = ExitStatus.UNDECIDED if code in UNDECIDED else ExitStatus.REJECTED
    assert refused.value.status is status


GOOD: dict[str, Attack] = {
    "nothing": lambda case: None,
    "a stranger's entry beside a known one": after(with_unused_entry_of_stranger),
    "a stranger's timestamp beside a promise": wishing(stamps=[World().stamp()]),
    "timestamps that the trusted root knows nothing of": both(
        wishing(stamps=[World().stamp()]), root_put([], "timestampAuthorities")
    ),
    "no promise, a timestamp": wishing(promise=False, stamps=[world().stamp()]),
    "version 0.1 without a proof": both(
        wishing(version=1), drop(MATERIAL, "tlogEntries", 0, "inclusionProof")
    ),
    "no logs in the trusted root": both(
        root_put([], "tlogs"),
        root_put([], "ctlogs"),
        wishing(form=None, stamps=[world().stamp()]),
        lambda case: setattr(case.wish, "certificate", world().issue(case.wish.key).make()),
    ),
    "logged in the first second of the certificate": wishing(signed=NOW - MINUTE),
    "logged in its last": wishing(signed=NOW + 9 * MINUTE),
    "log from that second on": window("tlogs", timedelta(seconds=5), None),
    "log until that second": window("tlogs", -MINUTE, timedelta(seconds=5)),
    "authority until that second": window("certificateAuthorities", -MINUTE, timedelta(seconds=5)),
    "timestamp authority until that second": both(
        wishing(form=V2), window("timestampAuthorities", -MINUTE, timedelta(seconds=6))
    ),
    "certificate log from that second on": window("ctlogs", timedelta(), None),
    "two timestamps": two_stamps(timedelta(seconds=1), timedelta(seconds=2)),
    "stamp without its certificate": stamped(given=[]),
    "stamp that names its signer by key": both(
        stamp_by(
            extensions=[
                *stamp_extensions(),
                (SubjectKeyIdentifier(b"12345678"), False),
            ]
        ),
        lambda case: setattr(case.wish.stamps[0], "by_key_id", True),  # type: ignore[index]
    ),
    "stamp that names its certificate by SHA-1": stamped(certificate_hash="sha1"),
    "stamp that names its certificate by SHA-512": stamped(certificate_hash="sha512"),
    "stamp by SHA-512": stamped(hash_name="sha512", imprint_name="sha512"),
    "stamp with a fraction of a second": stamped(fraction=".125"),
    "no message digest": drop("messageSignature", "messageDigest"),
    "an issuer in the older spelling only": issued(extensions=signer_extensions()[:4]),
    "an issuer in the newer spelling only": issued(
        extensions=[*signer_extensions()[:3], signer_extensions()[4]]
    ),
    "two SCTs, one by a stranger": sct(Log(p256()), world().log),
    "a signer on P-384": wishing(key=p384()),
    "numbers for numbers": both(
        put(5, MATERIAL, "tlogEntries", 0, "inclusionProof", "logIndex"),
        put(4000005, MATERIAL, "tlogEntries", 0, "logIndex"),
    ),
    "null for what is absent": put(None, MATERIAL, "timestampVerificationData"),
    "fields that nobody knows": put({"a": [1.5]}, "more"),
    "a witness behind the log": checkpoint(lambda text: text + "\u2014 witness.example AAAAAAAA\n"),
    "a witness before the log": checkpoint(
        lambda text: text.replace("\n\n", "\n\n\u2014 witness.example AAAAAAAA\n", 1)
    ),
    "an issuer of the authority in the bundle": wishing(version=2),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_allowed_is_accepted(name: str) -> None:
    case = Case()
    GOOD[name](case)
    assert case.decide().signer == NAME
