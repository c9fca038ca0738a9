"""What can be done to a bundle, its logs, timestamps and trusted root, as small functions."""

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
from verifier.core.errors import ExitStatus, KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import Identity, Key, make_key
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, VerifiedBundle, verify_bundle

MATERIAL = "verificationMaterial"
MINUTE = timedelta(minutes=1)
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
    """Return the first log entry."""
    return bundle["verificationMaterial"]["tlogEntries"][0]


def proof_of(bundle: Any) -> Any:
    """Return its inclusion proof."""
    return entry_of(bundle)["inclusionProof"]


def after(change: Callable[[Any], object]) -> Attack:
    """Return the attack that changes the bundle when it is made."""

    def attack(case: Case) -> None:
        case.after = change

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
    """The signature is by another key; the timestamp over it is genuine, and there are no logs."""
    made = sign(p256(), ARTIFACT)

    def with_stamp(bundle: Any) -> None:
        bundle["messageSignature"]["signature"] = b64(made)
        stamp = {"signedTimestamp": b64(world().stamp().make(made))}
        bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}

    case.wish = replace(case.wish, form=None)
    case.root.update(tlogs=[], ctlogs=[])
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


UNDECIDED = {
    *("evidence-form-unknown", "evidence-algorithm-unknown", "evidence-too-large"),
    *("artifact-needed", "trusted-root-malformed", "trusted-root-missing"),
    "certificate-unknown-extension",
}


def check_refused(code: str, attack: Attack) -> None:
    """Have the verifier refuse an attack, for its own reason."""
    case = Case()
    attack(case)
    with pytest.raises(KitError) as refused:
        case.decide()
    assert (refused.value.code, refused.value.message != "") == (code, True), refused.value
    status = ExitStatus.UNDECIDED if code in UNDECIDED else ExitStatus.REJECTED
    assert refused.value.status is status
