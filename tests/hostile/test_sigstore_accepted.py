"""Bundles that are unusual and good: at the edges of every rule, and with more than is needed."""

from __future__ import annotations

from datetime import timedelta

from tests.support.bundlecases import (
    MATERIAL,
    MINUTE,
    V2,
    Attack,
    Case,
    after,
    both,
    checkpoint,
    drop,
    issued,
    put,
    root_put,
    sct,
    stamp_by,
    stamped,
    two_stamps,
    window,
    wishing,
    with_unused_entry_of_stranger,
)
from tests.support.bundles import (
    NAME,
    World,
    signer_extensions,
    stamp_extensions,
    world,
)
from tests.support.certificates import NOW, Log, p256, p384
from tests.support.together import together

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
        stamp_by(extensions=stamp_extensions()),
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


@together("name", GOOD)
def test_what_is_allowed_is_accepted(name: str) -> None:
    case = Case()
    GOOD[name](case)
    assert case.decide().signer == NAME
