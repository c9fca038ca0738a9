"""Keys, several trusted roots, and what comes out of a bundle that holds."""

from __future__ import annotations

import copy
import hashlib
import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.support.bundlecases import SHA512, V2, WHAT, Case, issued
from tests.support.bundles import (
    ARTIFACT,
    ISSUER,
    NAME,
    STATEMENT,
    Wish,
    World,
    make_bundle,
    signer_extensions,
    text,
    world,
)
from tests.support.certificates import NOW, p256, p384, pem, spki
from tests.support.rsakeys import rsa_key
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import Bundle, parse_bundle
from verifier.evidence.sigstore.errors import TrustedRootMissing
from verifier.evidence.sigstore.identity import Identity, make_key
from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, verify_bundle

WHO = Identity(ISSUER, NAME)


def bundle_of(wish: Wish, at: World | None = None) -> Bundle:
    return parse_bundle(text(make_bundle(wish, at)))


def root_of(at: World, **changes: Any) -> TrustedRoot:
    return parse_trusted_root(text({**copy.deepcopy(at.trusted_root()), **changes}))


def code(bundle: Bundle, roots: list[TrustedRoot], who: Any = WHO, what: Any = WHAT) -> str:
    """Return the code of a refusal; empty if there is none."""
    try:
        verify_bundle(bundle, who, roots, what)
    except KitError as error:
        return error.code
    return ""


# --- what comes out ------------------------------------------------------------------------------


def test_what_a_bundle_of_an_artifact_proves() -> None:
    data = text(world().trusted_root())
    proved = verify_bundle(bundle_of(Wish()), WHO, [parse_trusted_root(data)], None)
    assert (proved.signer, proved.issuer) == (NAME, ISSUER)
    assert (proved.signed_at, proved.time_from) == (int(NOW.timestamp()) + 5, "log")
    assert proved.trusted_root == hashlib.sha256(data).hexdigest()
    assert (proved.logged, proved.statement) == (1, None)
    assert proved.digest == ("sha256", hashlib.sha256(ARTIFACT).hexdigest())


def test_what_a_bundle_of_a_statement_proves() -> None:
    proved = verify_bundle(bundle_of(Wish(STATEMENT, form=V2)), WHO, [root_of(world())], WHAT)
    assert (proved.signed_at, proved.time_from) == (int(NOW.timestamp()) + 6, "timestamp")
    assert proved.statement is not None
    assert proved.statement.predicate == {"buildDefinition": {}}
    assert [subject.name for subject in proved.statement.subjects] == ["tool"]


def test_the_earliest_time_is_told() -> None:
    both = bundle_of(Wish(stamps=[world().stamp(NOW)]))
    proved = verify_bundle(both, WHO, [root_of(world())], WHAT)
    assert (proved.signed_at, proved.time_from) == (int(NOW.timestamp()), "timestamp")


def test_one_of_several_subjects_is_enough() -> None:
    others = [{"name": f"{n}", "digest": {"sha256": f"{n:064x}"}} for n in range(2000)]
    more = {**STATEMENT, "subject": [*others, *STATEMENT["subject"]]}
    assert code(bundle_of(Wish(more)), [root_of(world())]) == ""
    assert code(bundle_of(Wish({**STATEMENT, "subject": others})), [root_of(world())]) == (
        "subject-mismatch"
    )


def test_older_statements_of_others_are_read() -> None:
    older = {**STATEMENT, "_type": "https://in-toto.io/Statement/v0.1"}
    assert code(bundle_of(Wish(older)), [root_of(world())]) == ""


# --- several trusted roots -----------------------------------------------------------------------


def test_any_of_several_roots_may_hold_it() -> None:
    roots = [root_of(World()), root_of(world()), root_of(World())]
    proved = verify_bundle(bundle_of(Wish()), WHO, roots, WHAT)
    assert proved.trusted_root == roots[1].sha256


def test_two_roots_never_add_up() -> None:
    """One names the authority, one the log: neither holds the bundle."""
    theirs = World().trusted_root()
    halves = [
        root_of(world(), tlogs=theirs["tlogs"], timestampAuthorities=[]),
        root_of(world(), certificateAuthorities=theirs["certificateAuthorities"]),
    ]
    assert code(bundle_of(Wish()), halves) in ("log-untrusted", "certificate-untrusted")


def test_refusal_is_that_of_the_root_it_belongs_to() -> None:
    roots = [root_of(World()), root_of(world()), root_of(World())]
    assert code(bundle_of(Wish()), roots, Identity(ISSUER, "another")) == "identity-mismatch"
    assert code(bundle_of(Wish()), roots[::2]) == "log-untrusted"


def test_an_identity_needs_a_root() -> None:
    with pytest.raises(TrustedRootMissing):
        verify_bundle(bundle_of(Wish()), WHO)


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [None, ("hashedrekord", "0.0.1"), V2])
@pytest.mark.parametrize("statement", [None, STATEMENT])
def test_key_without_a_root(form: Any, statement: Any) -> None:
    wish = Wish(statement, form=form, by_key=True)
    proved = verify_bundle(bundle_of(wish), make_key(pem(wish.key)), (), WHAT)
    assert proved.signer == hashlib.sha256(spki(wish.key)).hexdigest()
    assert (proved.issuer, proved.signed_at, proved.trusted_root) == ("", None, "")


def test_key_with_a_root_needs_what_the_root_has() -> None:
    wish = Wish(form=None, by_key=True)
    key = make_key(pem(wish.key))
    assert code(bundle_of(wish), [root_of(world())], key) == "log-entry-missing"
    assert code(bundle_of(wish), [root_of(world(), tlogs=[])], key) == ""
    logged = Wish(by_key=True)
    assert code(bundle_of(logged), [root_of(world())], make_key(pem(logged.key))) == ""
    strange = bundle_of(logged, World())
    assert code(strange, [root_of(world())], make_key(pem(logged.key))) == "log-untrusted"


RSA = itertools.cycle((rsa_key(3072), rsa_key(2048)))
KEYS = {
    "P-256": p256,
    "P-384": p384,
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: next(RSA),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("statement", [None, STATEMENT])
def test_kinds_of_keys(kind: str, statement: Any) -> None:
    key: Any = KEYS[kind]()  # type: ignore[no-untyped-call]
    wish = Wish(statement, form=None, by_key=True, key=key)
    assert code(bundle_of(wish), [], make_key(pem(key))) == ""
    other: Any = KEYS[kind]()  # type: ignore[no-untyped-call]
    assert code(bundle_of(wish), [], make_key(pem(other))) == "bundle-signature-invalid"


def test_ed25519_needs_the_artifact_itself() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    bundle = bundle_of(Wish(form=None, by_key=True, key=key))
    assert code(bundle, [], make_key(pem(key)), Artifact(WHAT.digests)) == "artifact-needed"


def test_p384_needs_its_own_digest_of_the_artifact() -> None:
    key = p384()
    bundle = bundle_of(Wish(form=None, by_key=True, key=key))
    digest = hashlib.sha384(ARTIFACT).hexdigest()
    assert code(bundle, [], make_key(pem(key)), Artifact({"sha384": digest})) == ""
    assert code(bundle, [], make_key(pem(key)), Artifact({"sha512": SHA512})) == "artifact-needed"


@pytest.mark.parametrize("text", ["", "a", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"])
def test_what_is_no_key_is_the_callers_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        make_key(text)


def test_a_private_key_is_not_shown() -> None:
    private = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
    with pytest.raises(ValueError, match="PUBLIC") as refused:
        make_key(private)
    assert "c2VjcmV0" not in str(refused.value)


def test_signers_are_not_mixed_up() -> None:
    """Nothing that is kept for one signer is taken for another."""
    root = root_of(world())
    for number in range(10):
        name = f"https://github.com/acme/tool{number}/.github/workflows/a.yml@b"
        case = Case()
        issued(extensions=signer_extensions(name))(case)
        bundle = bundle_of(case.wish)
        assert verify_bundle(bundle, Identity(ISSUER, name), [root], WHAT).signer == name
        assert code(bundle, [root]) == "identity-mismatch"
