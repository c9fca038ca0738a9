"""Sigstore bundles that are false in one way each: the row of signatures, certificates and logs.

All keys follow from names, so that the vectors are the same everywhere; what can be signed anew is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support.attesting import PROVENANCE, attester, sha256
from tests.support.bundles import (
    CODE_SIGNING,
    Wish,
    b64,
    make_bundle,
    pae,
    stamp_extensions,
    text,
)
from tests.support.cases.attested import (
    GOOD,
    KEYLESS,
    ROOT,
    SIGSTORE,
    PolicyCase,
    asks,
    bundle,
    place,
    seeded,
)
from tests.support.certificates import NOW, Issue, Log, load, sign

BY_KEYLESS = asks(PROVENANCE, "keyless")
V2 = ("hashedrekord", "0.0.2")
MATERIAL = "verificationMaterial"
WHEN = NOW + timedelta(seconds=5)


def bent(change: Callable[[Any], object], **wish: Any) -> bytes:
    """Return a bundle that was changed when it was made."""
    value = json.loads(bundle(**wish))
    change(value)
    return text(value)


def entry_of(value: Any) -> Any:
    return value[MATERIAL]["tlogEntries"][0]


def proof_of(value: Any) -> Any:
    return entry_of(value)["inclusionProof"]


def noted(change: Callable[[str], str]) -> Callable[[Any], object]:
    """Return what changes the text of a checkpoint."""

    def done(value: Any) -> None:
        note = proof_of(value)["checkpoint"]
        note["envelope"] = change(note["envelope"])

    return done


def signed_note(size: int, root: bytes) -> Callable[[Any], object]:
    """Return what has the log sign another checkpoint."""
    return noted(lambda _: place().rekor.checkpoint(size, root))


def logged(change: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return what has the log take another body."""

    def done(value: Any) -> None:
        body = json.loads(base64.b64decode(entry_of(value)["canonicalizedBody"]))
        change(body)
        value[MATERIAL]["tlogEntries"] = [place().rekor.entry(text(body), WHEN)]

    return done


def issued(*logs: Log, **changes: Any) -> bytes:
    """Return a bundle whose certificate was issued otherwise."""
    issue = place().issue(seeded("signer"), **changes)
    return bundle(certificate=issue.make(*(logs or (place().log,))))


def stamped(**changes: Any) -> bytes:
    """Return a bundle with another timestamp, logged by Rekor v2."""
    return bundle(form=V2, stamps=[place().stamp(**changes)])


def misused_stamp() -> PolicyCase:
    """The authority's certificate is for another use too; the trusted root names it."""
    there = place()
    issuer = ("stamp root", there.stamp_root_key)
    code_signing = stamp_extensions(True, CODE_SIGNING)
    made = Issue(there.stamp_key, "stamps", issuer, extensions=code_signing).make()
    root = there.trusted_root()
    chain = [{"rawBytes": b64(made)}, {"rawBytes": b64(there.stamp_chain[1])}]
    root["timestampAuthorities"][0]["certChain"]["certificates"] = chain
    data = text(root)
    who = attester("keyless", **{**SIGSTORE, "trustedRoot": sha256(data)})
    return PolicyCase(
        "sigstore_stamp_misused",
        "The timestamp's certificate is for another use, too.",
        BY_KEYLESS,
        {"p.json": stamped(certificate=load(made), given=[])},
        attesters=(who,),
        roots=(data,),
        code="certificate-misused",
    )


def under(
    change: Callable[[Any], object], name: str, why: str, code: str, **more: Any
) -> PolicyCase:
    """Return a vector under a trusted root that was changed."""
    root = json.loads(ROOT)
    change(root)
    data = text(root)
    who = attester("keyless", **{**SIGSTORE, "trustedRoot": sha256(data)})
    made = more.pop("made", None) or bundle(**more)
    return PolicyCase(
        name, why, BY_KEYLESS, {"p.json": made}, attesters=(who,), roots=(data,), code=code
    )


def until(name: str, **span: float) -> Callable[[Any], object]:
    """Return what ends the time of something in a trusted root so long after NOW."""

    def done(root: Any) -> None:
        for each in root[name]:
            valid = each.get("publicKey", each)["validFor"]
            valid["end"] = f"{NOW + timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"

    return done


def signed_by_another() -> bytes:
    """Return a bundle whose signature is by a key that is not the certificate's, and stamped."""
    value = json.loads(bundle(form=V2))
    payload = base64.b64decode(value["dsseEnvelope"]["payload"])
    made = sign(seeded("somebody"), pae(payload))
    value["dsseEnvelope"]["signatures"][0]["sig"] = b64(made)
    stamp = {"signedTimestamp": b64(place().stamp().make(made))}
    value[MATERIAL]["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}
    return text(value)


def of_no_statement() -> bytes:
    """Return a bundle of something that is called a Statement and is none."""
    value = {key: item for key, item in GOOD.items() if key != "subject"}
    return text(make_bundle(Wish(statement=value, key=seeded("signer")), place()))


def drop(*path: Any) -> Callable[[Any], object]:
    """Return what takes something out of a bundle."""

    def done(value: Any) -> None:
        for name in path[:-1]:
            value = value[name]
        del value[path[-1]]

    return done


def put(new: Any, *path: Any) -> Callable[[Any], object]:
    """Return what puts something into a bundle."""

    def done(value: Any) -> None:
        for name in path[:-1]:
            value = value[name]
        value[path[-1]] = new

    return done


STRANGER = Log(seeded("strange log"))
ENTRY = (MATERIAL, "tlogEntries", 0)

# name, why, what decides, the bundle
ROWS: list[tuple[str, str, str, bytes]] = [
    # who signed
    ("signer", "The signature is by another key than the certificate's.",
     "bundle-signature-invalid", signed_by_another()),
    ("after", "Stamped a second after the certificate.", "certificate-expired",
     stamped(moment=NOW + timedelta(seconds=541))),
    ("before", "Logged a second before the certificate.", "certificate-expired",
     bundle(signed=NOW - timedelta(seconds=61))),
    ("one_late", "One of two timestamps is late.", "certificate-expired",
     bundle(form=V2, stamps=[place().stamp(), place().stamp(NOW + timedelta(hours=1))])),
    ("authority", "By another key of the authority's name.", "certificate-untrusted",
     issued(issuer=("intermediate", seeded("somebody")))),
    ("use", "The certificate is for time stamping.", "certificate-misused",
     issued(extensions=list(stamp_extensions())
            + [each for each in place().issue(seeded("signer")).extensions
               if each[0].oid.dotted_string not in ("2.5.29.15", "2.5.29.37")])),
    ("sct_strange", "The SCT is by another log.", "sct-untrusted", issued(STRANGER)),
    ("sct_false", "The SCT is over something else.", "sct-invalid",
     issued(replace(place().log, bent=True))),
    # the log
    ("log_none", "No log has seen it, an authority for timestamps has.", "log-entry-missing",
     bundle(form=None, stamps=[place().stamp()])),
    ("log_strange", "The entry is of another log.", "log-untrusted",
     bent(put(b64(bytes(32)), *ENTRY, "logId", "keyId"))),
    ("entry_signature", "The entry is about another signature.", "log-entry-mismatch",
     bent(logged(lambda body: body["spec"]["signature"].update(content=b64(b"another"))))),
    ("entry_digest", "The entry is about another digest.", "log-entry-mismatch",
     bent(logged(lambda body: body["spec"]["data"]["hash"].update(value="ab" * 32)))),
    ("entry_kind", "The entry is of another version than the bundle says.", "log-entry-mismatch",
     bent(put("0.0.2", *ENTRY, "kindVersion", "version"))),
    ("entry_unknown", "The entry is of a kind that is not known.", "evidence-form-unknown",
     bent(logged(lambda body: body.update(kind="rpm")))),
    ("promise_none", "Version 0.1 without the log's promise.", "log-promise-missing",
     bundle(version=1, promise=False, stamps=[place().stamp()])),
    ("promise_false", "The promise is for another time.", "log-promise-invalid",
     bent(put(str(int(WHEN.timestamp()) + 1), *ENTRY, "integratedTime"))),
    ("proof_none", "No inclusion proof.", "log-proof-missing",
     bent(drop(*ENTRY, "inclusionProof"))),
    ("proof_false", "The path is a hash short.", "log-proof-invalid",
     bent(lambda value: proof_of(value)["hashes"].pop())),
    ("checkpoint_none", "No checkpoint.", "checkpoint-missing",
     bent(drop(*ENTRY, "inclusionProof", "checkpoint"))),
    ("checkpoint_odd", "A checkpoint without its root hash.", "checkpoint-malformed",
     bent(noted(lambda note: "\n".join(note.split("\n")[:2] + note.split("\n")[3:])))),
    ("checkpoint_false", "A checkpoint with a line that nobody signed.", "checkpoint-invalid",
     bent(noted(lambda note: note.replace("\n\n", "\nmore\n\n", 1)))),
    ("checkpoint_witness", "A checkpoint with the line of a witness alone.", "checkpoint-invalid",
     bent(noted(lambda note: note.replace("\u2014 rekor.example ", "\u2014 witness.example ")))),
    ("checkpoint_size", "A checkpoint of another size, signed by the log.", "checkpoint-mismatch",
     bent(lambda value: signed_note(10, base64.b64decode(proof_of(value)["rootHash"]))(value))),
    ("checkpoint_root", "A checkpoint of another root, signed by the log.", "checkpoint-mismatch",
     bent(lambda value: signed_note(int(proof_of(value)["treeSize"]), bytes(32))(value))),
    # time
    ("time_stated", "Nobody but the bundle says when.", "signing-time-missing",
     bent(drop(*ENTRY, "inclusionPromise"))),
    ("time_none", "Rekor v2 without a timestamp.", "signing-time-missing",
     bundle(form=V2, stamps=[])),
    ("stamp_odd", "A timestamp that is none.", "timestamp-malformed", stamped(status=2)),
    ("stamp_strange", "A timestamp by nobody known.", "timestamp-untrusted",
     bundle(form=V2, stamps=[place("two").stamp()])),
    ("stamp_false", "A timestamp over something else.", "timestamp-invalid",
     stamped(imprint=bytes(32))),
    ("stamp_key", "A timestamp by another key.", "timestamp-invalid",
     stamped(key=seeded("somebody"))),
]  # fmt: skip

# what cannot be read at all is given beside the kit: its index could not name it
UNREADABLE: list[tuple[str, str, str, bytes]] = [
    ("certificate", "The certificate is none.", "certificate-malformed",
     bent(put(b64(b"\x30\x00"), MATERIAL, "certificate", "rawBytes"))),
    ("statement", "What was signed is no Statement.", "statement-malformed", of_no_statement()),
    ("entry_negative", "A negative index.", "evidence-malformed",
     bent(put("-1", *ENTRY, "logIndex"))),
    ("entry_of_nobody", "An entry without its log.", "evidence-malformed",
     bent(drop(*ENTRY, "logId"))),
    ("name_twice", "A name twice in one object.", "evidence-malformed",
     bundle().replace(b'{"dsseEnvelope":', b'{"mediaType":"x","dsseEnvelope":', 1)),
]  # fmt: skip

TABLE = [
    PolicyCase(
        f"sigstore_{name}", why, BY_KEYLESS, {"p.json": data}, attesters=(KEYLESS,), code=code
    )
    for name, why, code, data in ROWS
]
TABLE += [
    PolicyCase(f"sigstore_{name}", why, BY_KEYLESS, given=(data,), attesters=(KEYLESS,), code=code)
    for name, why, code, data in UNREADABLE
]
TABLE += [
    misused_stamp(),
    under(until("certificateAuthorities", seconds=5), "sigstore_authority_until",
          "The authority counts until the second of the signature.", ""),
    under(until("certificateAuthorities", seconds=4), "sigstore_authority_over",
          "The authority counts until the second before.", "certificate-untrusted"),
    under(until("tlogs", seconds=5), "sigstore_log_until",
          "The log counts until the second of its promise.", ""),
    under(until("tlogs", seconds=4), "sigstore_log_over",
          "The log counts until the second before.", "log-untrusted"),
    under(until("timestampAuthorities", seconds=6), "sigstore_stamp_until",
          "The timestamp's authority counts until that second.", "", form=V2),
    under(until("timestampAuthorities", seconds=5), "sigstore_stamp_over",
          "The timestamp's authority counts until the second before.", "timestamp-untrusted",
          form=V2),
    under(until("ctlogs", seconds=0), "sigstore_sct_until",
          "The certificate log counts until the second of its SCT.", ""),
    under(until("ctlogs", seconds=-1), "sigstore_sct_over",
          "The certificate log counts until the second before.", "sct-untrusted"),
    under(lambda root: root.update(tlogs=[], ctlogs=[]), "sigstore_no_logs",
          "A trusted root without logs asks for a timestamp alone.", "",
          form=None, stamps=[place().stamp()]),
    under(lambda root: root.update(tlogs=[], ctlogs=[]), "sigstore_no_logs_no_time",
          "A trusted root without logs, and no timestamp.", "signing-time-missing", form=None),
]  # fmt: skip
