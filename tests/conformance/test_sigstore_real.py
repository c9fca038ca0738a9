"""Real bundles of npm and of GitHub's workflows verify, and the broken ones do not.

They lie beside the checkout and are other people's; without them the tests are "not run".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.support.making import REPOSITORY
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import read_bundle
from verifier.evidence.sigstore.identity import Identity, Key, make_identity, make_key
from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, VerifiedBundle, verify_bundle

CORPORA = REPOSITORY.parent / "shared" / "corpora"
SLSA, NPM = CORPORA / "slsa", CORPORA / "slsa" / "npm"
ACTIONS = "https://token.actions.githubusercontent.com"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
PUBLISHED = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
NPM_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i
6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==
-----END PUBLIC KEY-----
"""  # as npm publishes it

pytestmark = pytest.mark.skipif(not SLSA.is_dir(), reason=f"not run: {SLSA} is not there")


def public_good() -> TrustedRoot:
    return parse_trusted_root((CORPORA / "sigstore" / "trusted_root.json").read_bytes())


def npm_key() -> Key:
    return make_key(NPM_KEY)


def attestations(which: str) -> dict[str, Any]:
    """Return bundles by predicate type."""
    path = NPM / f"provenance-npm-test-ossf{which}.tgz.json"
    value = json.loads(path.read_bytes())
    return {each["predicateType"]: each["bundle"] for each in value["attestations"]}


def package() -> Artifact:
    data = (NPM / "provenance-npm-test-ossf.tgz").read_bytes()
    return Artifact({"sha512": hashlib.sha512(data).hexdigest()})


def verify(
    value: Any, wanted: Identity | Key, artifact: Artifact | None = None
) -> VerifiedBundle | str:
    """Return what came of a bundle, or the code of its refusal."""
    try:
        return verify_bundle(read_bundle(value), wanted, [public_good()], artifact)
    except KitError as error:
        return error.code


PROVENANCE = "https://slsa.dev/provenance/v0.2"
WORKFLOW = make_identity(
    ACTIONS, GENERATOR + "delegator_lowperms-generic_slsa3.yml@refs/tags/v1.6.0"
)


@pytest.mark.parametrize(
    ("which", "published", "built"),
    [
        ("", "", ""),
        ("-invalidsigpub", "bundle-signature-invalid", ""),
        ("-invalidsigprov", "", "bundle-signature-invalid"),
    ],
)
def test_attestations_of_npm(which: str, published: str, built: str) -> None:
    """One is by npm's key, one by a workflow; the package is named by SHA-512 only."""
    found = attestations(which)
    by_npm = verify(found[PUBLISHED], npm_key(), package())
    by_workflow = verify(found[PROVENANCE], WORKFLOW, package())
    assert by_npm == published if published else isinstance(by_npm, VerifiedBundle)
    assert by_workflow == built if built else isinstance(by_workflow, VerifiedBundle)
    assert verify(found[PUBLISHED], WORKFLOW) == "signer-kind-mismatch"
    assert verify(found[PROVENANCE], npm_key()) == "signer-kind-mismatch"


def test_another_package_is_no_subject() -> None:
    artifact = Artifact({"sha512": hashlib.sha512(b"another").hexdigest()})
    assert verify(attestations("")[PUBLISHED], npm_key(), artifact) == "subject-mismatch"
    artifact = Artifact({"sha256": hashlib.sha256(b"another").hexdigest()})
    assert verify(attestations("")[PUBLISHED], npm_key(), artifact) == "subject-mismatch"


def test_a_key_with_no_log_needs_no_trusted_root() -> None:
    proved = verify_bundle(read_bundle(attestations("")[PUBLISHED]), npm_key(), (), package())
    assert (proved.signed_at, proved.time_from, proved.logged) == (None, "", 0)


WORKFLOWS = {
    "MODULE.bazel.intoto.jsonl": (
        "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml"
        "@refs/tags/v0.0.1",
        "MODULE.bazel",
    ),
    "container-based/binary-linux-amd64-workflow_dispatch.intoto.sigstore": (
        GENERATOR + "builder_container-based_slsa3.yml@refs/tags/v1.7.0",
        "",
    ),
}


@pytest.mark.parametrize("path", WORKFLOWS)
def test_bundles_of_workflows(path: str) -> None:
    name, subject = WORKFLOWS[path]
    value = json.loads((SLSA / path).read_bytes())
    artifact = None
    if subject:
        data = (SLSA / subject).read_bytes()
        artifact = Artifact({"sha256": hashlib.sha256(data).hexdigest()})
    proved = verify(value, make_identity(ACTIONS, name), artifact)
    assert isinstance(proved, VerifiedBundle), proved
    assert proved.signer == name
    assert proved.statement is not None
    assert proved.statement.predicate_type == "https://slsa.dev/provenance/v1"
    other = make_identity("https://accounts.example", name)
    assert verify(value, other, artifact) == "issuer-mismatch"


def test_real_chains_hold_their_root() -> None:
    """Why certificates that name themselves as issuer are passed over."""
    material = attestations("")[PROVENANCE]["verificationMaterial"]
    chain = material["x509CertificateChain"]["certificates"]
    bundle = read_bundle(attestations("")[PROVENANCE])
    assert len(chain) > 1 + len(bundle.given)
