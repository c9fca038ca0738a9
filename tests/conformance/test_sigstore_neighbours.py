"""Neighbours of the public suite's cases, asked through its own command line.

The cases that lie beside the checkout are of these kinds: versions of bundles, keys, chains and
authorities, SCTs, promises, proofs, checkpoints, both logs, timestamps, periods of a trusted root,
kinds of entries, and what was signed.  Each kind has more members than the suite shows; these are
made with authorities of our own, and each is asked twice, as the suite does: with the artifact as a
file, and with its digest.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib.machinery
import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

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
    entry_of,
    issued,
    proof_of,
    put,
    root_put,
    stamp_by,
    wishing,
)
from tests.support.bundles import (
    ARTIFACT,
    CODE_SIGNING,
    ISSUER,
    NAME,
    ORIGIN_1,
    STATEMENT,
    TIME_STAMPING,
    Transparency,
    World,
    authority,
    b64,
    chain_of,
    make_bundle,
    signer_extensions,
    stamp_extensions,
    text,
    time,
    valid,
    world,
)
from tests.support.certificates import NOW, START, Issue, Log, load, p256, p384, pem, sign
from tests.support.making import REPOSITORY
from tests.support.rsakeys import rsa_key
from tests.support.together import together
from verifier.evidence.sigstore.identity import Identity, make_key

CLIENT = REPOSITORY / "tests" / "conformance" / "sigstore-client"
HASHED = wishing(statement=STATEMENT)
DSSE = wishing(statement=STATEMENT, form=("dsse", "0.0.1"))
INTOTO = wishing(statement=STATEMENT, form=("intoto", "0.0.2"))
OF_V2 = wishing(form=V2)
DSSE_V2 = wishing(statement=STATEMENT, form=V2)
BY_KEY = wishing(by_key=True)
SHA = hashlib.sha256(ARTIFACT).hexdigest()


@pytest.fixture(scope="module")
def client() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("sigstore_client", str(CLIENT))
    spec = importlib.util.spec_from_loader("sigstore_client", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


# --- where the bundle is made ---------------------------------------------------------------------


def at(here: World, *, root: Callable[[Any], object] = lambda root: None) -> Attack:
    """Return what has the bundle made by other authorities, which the trusted root names."""

    def attack(case: Case) -> None:
        case.root = copy.deepcopy(here.trusted_root())
        root(case.root)
        wish = case.wish
        if wish.certificate is None and not wish.by_key:
            case.wish = replace(wish, certificate=here.issue(wish.key).make(here.log))
        case.place = here  # type: ignore[attr-defined]

    return attack


def with_log(key: Any, **changes: Any) -> Attack:
    """Return what has Rekor v1 sign with another kind of key."""
    rekor = Transparency(key, "rekor.example", ORIGIN_1, v2=False)
    return at(replace(world_like(), rekor=replace(rekor, **changes)))


def world_like() -> World:
    """Return the world of most tests, to be changed; its authorities stay the same."""
    here = world()
    return World(
        here.root_key,
        here.ca_key,
        here.stamp_root_key,
        here.stamp_key,
        here.log,
        here.rekor,
        here.rekor2,
    )


def first_entry(case: Case) -> None:
    """The first of its log, alone in the tree; what is zero or empty is left out, as JSON may."""
    here = world()
    lonely = replace(here.rekor2, before=0, after=0)
    at(replace(world_like(), rekor2=lonely))(case)
    case.wish = replace(case.wish, form=V2)

    def change(bundle: Any) -> None:
        entry, proof = entry_of(bundle), proof_of(bundle)
        assert (entry.pop("logIndex"), proof.pop("logIndex"), proof.pop("hashes")) == ("0", "0", [])

    case.after = change


def last_entry(case: Case) -> None:
    at(replace(world_like(), rekor2=replace(world().rekor2, before=6, after=0)))(case)
    case.wish = replace(case.wish, form=V2)


def root_issues(case: Case) -> None:
    """The authority is its root alone, which issues to signers."""
    key = p384()
    root = Issue(key, "lone", extensions=authority(CODE_SIGNING)).make()
    case.root["certificateAuthorities"][0].update(chain_of([root]))
    case.wish.certificate = world().issue(case.wish.key, issuer=("lone", key)).make(world().log)


def two_between(case: Case) -> None:
    """Two authorities stand between the signer and the root."""
    top, upper, lower = p384(), p384(), p256()
    chain = [
        Issue(lower, "lower", ("upper", upper), extensions=authority(CODE_SIGNING, length=0)),
        Issue(upper, "upper", ("top", top), extensions=authority(CODE_SIGNING, length=1)),
        Issue(top, "top", extensions=authority()),
    ]
    case.root["certificateAuthorities"][0].update(chain_of([each.make() for each in chain]))
    case.wish.certificate = world().issue(case.wish.key, issuer=("lower", lower)).make(world().log)


def too_many_between(case: Case) -> None:
    """The root allows one authority below it, and there are two."""
    two_between(case)
    top, upper, lower = p384(), p384(), p256()
    chain = [
        Issue(lower, "lower", ("upper", upper), extensions=authority(CODE_SIGNING, length=0)),
        Issue(upper, "upper", ("top", top), extensions=authority(CODE_SIGNING, length=0)),
        Issue(top, "top", extensions=authority()),
    ]
    case.root["certificateAuthorities"][0].update(chain_of([each.make() for each in chain]))
    case.wish.certificate = world().issue(case.wish.key, issuer=("lower", lower)).make(world().log)


def older_authority_first(case: Case) -> None:
    """An authority of another key whose time is over stands first."""
    gone = {**chain_of(World().chain), **valid({"start": time(START), "end": time(START + MINUTE)})}
    case.root["certificateAuthorities"].insert(
        0, {**case.root["certificateAuthorities"][0], **gone}
    )


def authority_renewed(case: Case) -> None:
    """The authority is named twice, for two periods; the second has the signature in it."""
    (one,) = case.root["certificateAuthorities"]
    over = valid({"start": time(START), "end": time(NOW - timedelta(days=1))})
    now = valid({"start": time(NOW - timedelta(days=1))})
    case.root["certificateAuthorities"] = [{**one, **over}, {**one, **now}]


def periods(name: str, *spans: tuple[timedelta, timedelta | None]) -> Attack:
    """Return what names each log as often as there are periods."""

    def attack(case: Case) -> None:
        made = []
        for each in case.root[name]:
            for start, end in spans:
                period = {"start": time(NOW + start)}
                period.update({} if end is None else {"end": time(NOW + end)})
                key = {**each["publicKey"], "validFor": period}
                made.append({**each, "publicKey": key})
        case.root[name] = made

    return attack


DAY = timedelta(days=1)


def chain_of_stamps(case: Case, *, named_leaf: bool, given_leaf: bool, given_ca: bool) -> None:
    """A timestamp authority with a certificate between, as the public one has it."""
    top, between, leaf = p384(), p384(), p256()
    root = Issue(top, "stamp top", extensions=authority()).make()
    middle = Issue(
        between, "stamp between", ("stamp top", top), extensions=authority(TIME_STAMPING, length=0)
    ).make()
    own = Issue(leaf, "own", ("stamp between", between), extensions=stamp_extensions()).make()
    chain = [own, middle, root] if named_leaf else [middle, root] if not given_ca else [root]
    case.root["timestampAuthorities"][0].update(chain_of(chain))
    given = [load(own)] * given_leaf + [load(middle)] * given_ca
    stamp = replace(world().stamp(), key=leaf, certificate=load(own), given=given)
    case.wish = replace(case.wish, form=V2, stamps=[stamp])


def stamps(**how: bool) -> Attack:
    return lambda case: chain_of_stamps(case, **how)


def leaf_alone(case: Case) -> None:
    """The trusted root names the certificate of the timestamps alone, which signed itself."""
    made = Issue(world().stamp_key, "alone", extensions=stamp_extensions()).make()
    case.root["timestampAuthorities"][0].update(chain_of([made]))
    case.wish = replace(
        case.wish, form=V2, stamps=[world().stamp(certificate=load(made), given=[])]
    )


def no_authority_for_stamps(case: Case) -> None:
    OF_V2(case)
    case.root["timestampAuthorities"] = []


def both_logs(case: Case) -> None:
    """An entry of Rekor v1 and one of Rekor v2, each with all that it needs."""

    def change(bundle: Any) -> None:
        other = make_bundle(replace(case.wish, form=V2))
        material = bundle[MATERIAL]
        material["tlogEntries"] += other[MATERIAL]["tlogEntries"]
        material["timestampVerificationData"] = other[MATERIAL]["timestampVerificationData"]

    case.wish.certificate = world().issue(case.wish.key).make(world().log)
    case.after = change


def second_is_of_others(case: Case) -> None:
    """A second entry of the same log is genuine, and about somebody else's signature."""

    def change(bundle: Any) -> None:
        other = make_bundle(replace(case.wish, key=p256(), certificate=None))
        bundle[MATERIAL]["tlogEntries"] += other[MATERIAL]["tlogEntries"]

    case.after = change


def without_end(root: Any) -> None:
    for name in ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"):
        for each in root[name]:
            del each.get("publicKey", each)["validFor"]["end"]


def with_checkpoint_ids(case: Case) -> None:
    """The log's id for entries is one thing, that for checkpoints another."""
    log = case.root["tlogs"][1]
    log["checkpointKeyId"] = dict(log["logId"])
    log["operator"] = "somebody"
    OF_V2(case)


def wrong_checkpoint_ids(case: Case) -> None:
    with_checkpoint_ids(case)
    case.root["tlogs"][1]["checkpointKeyId"] = {"keyId": b64(b"other" * 6 + b"==")}


def origin_of_another(case: Case) -> None:
    """Rekor v2 signs a checkpoint of another log; the id of its key has the origin in it."""
    here = world().rekor2
    other = replace(here, origin="log2026.rekor.example")
    OF_V2(case)

    def change(bundle: Any) -> None:
        proof = proof_of(bundle)
        root = base64.b64decode(proof["rootHash"])
        proof["checkpoint"]["envelope"] = other.checkpoint(int(proof["treeSize"]), root)

    case.after = change


def more_lines(case: Case) -> None:
    """Rekor v1 signs a line more than it must, such as a time."""

    def change(bundle: Any) -> None:
        note = proof_of(bundle)["checkpoint"]
        body = note["envelope"].partition("\n\n")[0] + "\nTimestamp: 1679349379012118479\n"
        signature = b64(world().rekor.key_id[:4] + sign(world().rekor.key, body.encode()))
        note["envelope"] = f"{body}\n\u2014 rekor.example {signature}\n"

    case.after = change


def mail(case: Case) -> None:
    """A person, by an e-mail address."""
    extensions = signer_extensions()
    place = next(i for i, each in enumerate(extensions) if each[0].oid.dotted_string == "2.5.29.17")
    extensions[place] = (x509.SubjectAlternativeName([x509.RFC822Name("olga@example.org")]), True)
    issued(extensions=extensions)(case)
    case.wanted = Identity(ISSUER, "olga@example.org")


def second_subject(case: Case) -> None:
    other = {"name": "other", "digest": {"sha256": "0" * 64}}
    case.wish = replace(
        case.wish, statement={**STATEMENT, "subject": [other, *STATEMENT["subject"]]}
    )


def of_key(make: Callable[[], Any], **more: Any) -> Attack:
    """Return what has a key sign, without any log in the trusted root."""

    def attack(case: Case) -> None:
        case.wish = replace(case.wish, key=make(), by_key=True, form=None, **more)
        case.root.update(tlogs=[], ctlogs=[])

    return attack


def edward() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


def p521() -> Any:
    return ec.generate_private_key(ec.SECP521R1())


def other_identity(name: str, issuer: str = ISSUER) -> Attack:
    return lambda case: setattr(case, "wanted", Identity(issuer, name))


def other_key(case: Case) -> None:
    BY_KEY(case)
    case.wanted = make_key(pem(p256()))


ACCEPTED: dict[str, Attack] = {
    # versions
    "0.1, a leaf alone in its chain": both(
        wishing(version=1),
        after(lambda b: b[MATERIAL]["x509CertificateChain"].update(
            certificates=b[MATERIAL]["x509CertificateChain"]["certificates"][:1])),
    ),
    "0.2 with a statement": both(wishing(version=2), DSSE),
    "0.1 with a statement of in-toto's entry": both(wishing(version=1), INTOTO),
    "the newer name of 0.1": both(
        wishing(version=1), put("application/vnd.dev.sigstore.bundle.v0.1+json", "mediaType")
    ),
    "null in place of what is absent": both(
        OF_V2, put(None, MATERIAL, "tlogEntries", 0, "inclusionPromise")
    ),
    "zero for a time of Rekor v2": both(
        OF_V2, put("0", MATERIAL, "tlogEntries", 0, "integratedTime")),
    # chains and authorities
    "issued by the root itself": root_issues,
    "two authorities between": two_between,
    "an older authority first": older_authority_first,
    "an authority with two periods": authority_renewed,
    "no end of any period": lambda case: without_end(case.root),
    "a person": mail,
    # logs
    "the first entry of a log": first_entry,
    "the last entry of a log": last_entry,
    "Rekor v1 with P-384": with_log(p384()),
    "Rekor v1 with P-384, of which nothing is said": both(
        with_log(p384()), lambda case: case.root["tlogs"][0]["publicKey"].pop("keyDetails")),
    "Rekor v1 with Ed25519": with_log(edward()),
    "Rekor v1 with RSA": with_log(rsa_key()),
    "a log with two periods": periods("tlogs", (-2 * DAY, -DAY), (-DAY, None)),
    "a certificate log with two periods": periods("ctlogs", (-2 * DAY, -DAY), (-DAY, DAY)),
    "an id for checkpoints": with_checkpoint_ids,
    "entries of both logs": both_logs,
    "a checkpoint of more lines": more_lines,
    "several SCTs": lambda case: setattr(
        case.wish, "certificate", world().issue(case.wish.key).make(Log(p256()), world().log)
    ),
    # timestamps
    "stamps: leaf in the root": stamps(named_leaf=True, given_leaf=False, given_ca=False),
    "stamps: leaf in both": stamps(named_leaf=True, given_leaf=True, given_ca=True),
    "stamps: leaf in the timestamp": stamps(named_leaf=False, given_leaf=True, given_ca=False),
    "stamps: chain in the timestamp": stamps(named_leaf=False, given_leaf=True, given_ca=True),
    "stamps: a leaf alone in the root": leaf_alone,
    "stamps: in the last second of the certificate": wishing(
        form=V2, stamps=[world().stamp(NOW + timedelta(seconds=540))]
    ),
    "stamps: Rekor v1 without a promise": wishing(promise=False, stamps=[world().stamp()]),
    # what was signed
    "a statement about two": both(HASHED, second_subject),
    "a statement of 0.1": wishing(
        statement={**STATEMENT, "_type": "https://in-toto.io/Statement/v0.1"}, form=V2
    ),
    "a signer on P-384, of a statement": both(DSSE_V2, wishing(key=p384())),
    "a signer of RSA": wishing(key=rsa_key()),
    "a signer of RSA, Rekor v2": wishing(key=rsa_key(), form=V2),
    "a signer of Ed25519, of a statement": both(DSSE, wishing(key=edward())),
    # keys
    "a key, Rekor v1": BY_KEY,
    "a key, Rekor v2": both(BY_KEY, OF_V2),
    "a key, a statement": both(BY_KEY, DSSE),
    "a key, a statement, Rekor v2": both(BY_KEY, DSSE_V2),
    "a key of RSA": of_key(rsa_key),
    "a key of Ed25519, of a statement": of_key(edward, statement=STATEMENT),
    "a key on P-384, of a statement": of_key(p384, statement=STATEMENT),
}  # fmt: skip

REFUSED: dict[str, tuple[str, Attack]] = {
    "0.3 with a chain of one": (
        "evidence-malformed",
        after(lambda b: b[MATERIAL].update(
            x509CertificateChain={"certificates": [b[MATERIAL].pop("certificate")]})),
    ),
    "an empty promise": (
        "evidence-malformed",
        put({"signedEntryTimestamp": ""}, MATERIAL, "tlogEntries", 0, "inclusionPromise"),
    ),
    "no kind of the entry": (
        "evidence-malformed", drop(MATERIAL, "tlogEntries", 0, "kindVersion")),
    "no body of the entry": (
        "evidence-malformed", drop(MATERIAL, "tlogEntries", 0, "canonicalizedBody")),
    "a tree without a size": (
        "evidence-malformed", drop(MATERIAL, "tlogEntries", 0, "inclusionProof", "treeSize")),
    "too many authorities between": ("certificate-misused", too_many_between),
    "an authority between two periods": (
        "certificate-untrusted",
        lambda case: case.root.update(certificateAuthorities=[
            {**case.root["certificateAuthorities"][0],
             **valid({"start": time(START), "end": time(NOW - MINUTE)})},
            {**case.root["certificateAuthorities"][0], **valid({"start": time(NOW + MINUTE)})}]),
    ),
    "a log between two periods": (
        "log-untrusted", periods("tlogs", (-2 * DAY, -DAY), (DAY, None))),
    "a certificate log between two periods": (
        "sct-untrusted", periods("ctlogs", (-2 * DAY, -DAY), (DAY, None))),
    "another id for checkpoints": ("checkpoint-invalid", wrong_checkpoint_ids),
    "a checkpoint of another log by the same key": ("checkpoint-invalid", origin_of_another),
    "a checkpoint by Rekor v2 for Rekor v1": (
        "checkpoint-invalid",
        checkpoint(lambda note: note.replace("rekor.example - 1193050959916656506",
                                             "log2025.rekor.example", 1)),
    ),
    "a second entry, of somebody else": ("log-entry-mismatch", second_is_of_others),
    "an entry of Rekor v2 that says it is v1": (
        "log-entry-mismatch",
        both(OF_V2, put("0.0.1", MATERIAL, "tlogEntries", 0, "kindVersion", "version")),
    ),
    "nobody for timestamps, Rekor v2": ("signing-time-missing", no_authority_for_stamps),
    "stamps: no leaf anywhere": (
        "timestamp-untrusted", stamps(named_leaf=False, given_leaf=False, given_ca=False)),
    "stamps: a second after the certificate": (
        "certificate-expired",
        wishing(form=V2, stamps=[world().stamp(NOW + timedelta(seconds=541))])),
    "stamps: by an authority": (
        "timestamp-untrusted", stamp_by(extensions=authority(TIME_STAMPING, length=0))),
    "a key where the bundle has an identity": (
        "signer-kind-mismatch", lambda case: setattr(case, "wanted", by_key_of(case))),
    "an identity where the bundle has a key": (
        "signer-kind-mismatch", both(BY_KEY, other_identity(NAME))),
    "another key": ("bundle-signature-invalid", other_key),
    "a key, not logged": ("log-entry-missing", wishing(by_key=True, form=None)),
    "a key, Rekor v2, an entry without its proof": (
        "log-proof-missing",
        both(BY_KEY, OF_V2, drop(MATERIAL, "tlogEntries", 0, "inclusionProof"))),
    "a key on a curve that nobody judges here": (
        "evidence-algorithm-unknown", of_key(p521, statement=STATEMENT)),
    "another identity": ("identity-mismatch", other_identity(NAME.replace("v1", "v2"))),
    "a part of the identity": ("identity-mismatch", other_identity(NAME[:-1])),
    "an identity in capitals": ("identity-mismatch", other_identity(NAME.upper())),
    "another issuer": ("issuer-mismatch", other_identity(NAME, "https://issuer.example/")),
    "a statement about others": (
        "subject-mismatch",
        wishing(statement={**STATEMENT, "subject": [{"name": "x", "digest": {"sha256": "0" * 64}}]},
                form=V2)),
    "a statement about the artifact by name alone": (
        "subject-mismatch",
        wishing(form=V2, statement={
            **STATEMENT, "subject": [{"name": "tool", "digest": {"sha1": "0" * 40}}]})),
    "a trusted root that is empty": (
        "signing-time-missing",
        lambda case: setattr(case, "root", {"mediaType": case.root["mediaType"]})),
    "a trusted root without logs of certificates or signatures, unstamped": (
        "signing-time-missing",
        both(root_put([], "tlogs"), root_put([], "ctlogs"), wishing(form=None))),
    "a trusted root whose log has no key": (
        "trusted-root-malformed",
        lambda case: case.root["tlogs"][0]["publicKey"].pop("rawBytes")),
}  # fmt: skip


def by_key_of(case: Case) -> Any:
    return make_key(pem(case.wish.key))


def ask(
    client: ModuleType,
    case: Case,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[tuple[int, str]]:
    """Return exit status and code of the client, asked with the file and with its digest."""
    bundle = make_bundle(case.wish, getattr(case, "place", None))
    case.after(bundle)
    (place / "bundle.json").write_bytes(text(bundle))
    (place / "root.json").write_bytes(text(case.root))
    (place / "artifact").write_bytes(ARTIFACT)
    words = ["verify-bundle", "--bundle", str(place / "bundle.json")]
    words += ["--trusted-root", str(place / "root.json")]
    wanted = case.wanted or (None if case.wish.by_key else Identity(ISSUER, NAME))
    if isinstance(wanted, Identity):
        words += ["--certificate-identity", wanted.name, "--certificate-oidc-issuer", wanted.issuer]
    else:
        key = pem(case.wish.key)
        if wanted is not None:
            key = (
                f"-----BEGIN PUBLIC KEY-----\n{b64(wanted.public.spki)}\n-----END PUBLIC KEY-----\n"
            )
        (place / "key.pub").write_text(key, encoding="ascii")
        words += ["--key", str(place / "key.pub")]
    found = []
    for artifact in (str(place / "artifact"), f"sha256:{SHA}"):
        monkeypatch.setattr("sys.argv", ["client", *words, artifact])
        status = client.main()
        said = re.match(r"error\[([a-z0-9-]+)\]", capsys.readouterr().err)
        found.append((status, said[1] if said else ""))
    return found


@together("name", ACCEPTED)
def test_accepted(
    name: str,
    client: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case()
    ACCEPTED[name](case)
    assert ask(client, case, tmp_path, monkeypatch, capsys) == [(0, ""), (0, "")]


UNDECIDED = ("evidence-algorithm-unknown", "trusted-root-malformed")


@together("name", REFUSED)
def test_refused(
    name: str,
    client: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said, attack = REFUSED[name]
    case = Case()
    attack(case)
    status = 3 if said in UNDECIDED else 4
    assert ask(client, case, tmp_path, monkeypatch, capsys) == [(status, said)] * 2


def test_what_a_digest_cannot_decide(
    client: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ed25519 signs the artifact, and P-384 another digest of it: the file decides."""
    for make in (edward, p384):
        case = Case()
        of_key(make)(case)
        found = ask(client, case, tmp_path, monkeypatch, capsys)
        assert found == [(0, ""), (3, "artifact-needed")]


def test_another_artifact(
    client: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tests.conformance.test_sigstore_neighbours.ARTIFACT", b"another")
    monkeypatch.setattr("tests.conformance.test_sigstore_neighbours.SHA", "0" * 64)
    for attack in (wishing(), OF_V2, HASHED, DSSE, INTOTO, DSSE_V2, BY_KEY, both(BY_KEY, DSSE_V2)):
        case = Case()
        attack(case)
        found = ask(client, case, tmp_path, monkeypatch, capsys)
        assert found == [(4, "subject-mismatch")] * 2
