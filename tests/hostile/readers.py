"""All that reads what others wrote about a kit, each as one function of bytes, for fuzzers.

The first byte of an input says who reads the rest.  Nothing but a `KitError` may come out of them,
nothing that nobody signed may meet a requirement, and a bundle that holds says what was signed.
Only ``verifier`` is imported, so that a fuzzer can run where nothing else is installed.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verifier.core.errors import KitError
from verifier.evidence.artifactrules import MATERIALS, PRODUCTS, Done, Rules, parse_rule
from verifier.evidence.attesters import Trust
from verifier.evidence.documents import read_document
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.imagelist import images_in
from verifier.evidence.images import Layout, claims_in, lists_of
from verifier.evidence.index import parse_index
from verifier.evidence.judge import Evidence
from verifier.evidence.judgement import MET, Contents, Document, Facts, Part
from verifier.evidence.layouts import read_layout
from verifier.evidence.proofs import attestations
from verifier.evidence.rules import Attester, Requirement
from verifier.evidence.sbom import NotAnSbom, read_sbom
from verifier.evidence.scans import read_scan
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.checkpoint import parse_checkpoint
from verifier.evidence.sigstore.identity import Identity, Key, make_key
from verifier.evidence.sigstore.keys import parse_key, parse_key_pem
from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root
from verifier.evidence.sigstore.sct import check_scts
from verifier.evidence.sigstore.timestamp import check_timestamp, parse_token
from verifier.evidence.sigstore.verify import verify_bundle
from verifier.evidence.sigstore.x509 import oidc_issuers, parse_certificate
from verifier.evidence.statement import parse_statement, read_envelope
from verifier.evidence.vex import read_vex
from verifier.host.policy import parse_policy

CORPUS = Path(__file__).resolve().parent / "corpus"
ISSUER = "https://issuer.example"
NAME = "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1"
SIGNED = "85999f6d19ff813b250cfa60acfcdad6eb999d11c274ba890359ced8e5afc606"  # SHA-256
NOW = 1_795_564_800  # 2026-11-25
TYPES = (
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://in-toto.io/attestation/vulns/v0.2",
    "https://slsa.dev/provenance/v1",
    "in-toto:layout",
)


@functools.cache
def trusted_root() -> TrustedRoot:
    """Return who the bundles of the corpus hold under."""
    return parse_trusted_root((CORPUS / "trusted_root.json").read_bytes())


@functools.cache
def owner() -> Key:
    """Return whose key signed those bundles of the corpus that have no certificate."""
    return make_key((CORPUS / "key.pub").read_text())


def document(data: bytes) -> None:
    """Read a document, as one that is JSON and as one that may be anything."""
    for name in ("a.json", "a.jsonl", "a"):
        with contextlib.suppress(KitError):
            read_document(name, data)


def index(data: bytes) -> None:
    """Read an index."""
    parse_index(b"offline-kit-evidence/1\n" + data)


def layout(data: bytes) -> None:
    """Read an in-toto layout."""
    read_layout(parse_foreign(data, "fuzz"), "fuzz")


def report(data: bytes) -> None:
    """Read an OpenVEX document, a scan or an SBOM."""
    value = parse_foreign(data, "fuzz")
    read_vex(value)
    read_scan(value)
    with contextlib.suppress(NotAnSbom):
        read_sbom(value)


def image(data: bytes) -> None:
    """Read a blob of an image layout as its index, as a manifest and as a layer."""
    found = Layout("image/", data, {"ab" * 32: data, "cd" * 32: data})
    images_in(found.index, found.blobs.get)
    lists_of(data)
    list(claims_in(found))


def decide(data: bytes) -> None:
    """Judge a document by requirements that nobody meets: nobody signed anything here."""
    part = Part("tools", False, lambda: Contents("33" * 32, frozenset({"ab" * 32})))
    facts = Facts("00" * 32, "11" * 32, (part,), {}, {}, "", None, NOW)
    papers = [Document("evidence/a.json", "22" * 32, data, given=True)]
    evidence = Evidence(facts, papers, Trust({}, {}), {"alice": Attester("alice", signer="alice")})
    wanted = [
        Requirement("tools", kind, ("alice",), 1, no_open="low", vex=("alice",)) for kind in TYPES
    ]
    for decision in evidence.decide(wanted):
        if decision.verdict == MET:
            raise AssertionError("nobody signed it, and it is met")
    list(attestations(evidence))


def bundle(data: bytes) -> None:
    """Verify a bundle: if it holds, then what it says is what was signed."""
    read = parse_bundle(data)
    who = Identity(ISSUER, NAME) if read.certificate is not None else owner()
    found = verify_bundle(read, who, [trusted_root()])
    assert found.signer == (NAME if isinstance(who, Identity) else who.sha256)
    if found.statement is not None:
        subjects = [subject.digest for subject in found.statement.subjects]
        assert subjects == [{"sha256": SIGNED}], "a statement that nobody signed holds"
    else:
        assert found.digest == ("sha256", SIGNED), "an artifact that nobody signed holds"


def certificate(data: bytes) -> None:
    """Read a certificate, its names and its SCTs."""
    found = parse_certificate(data, "fuzz")
    oidc_issuers(found)
    check_scts(found, found, trusted_root().ct_logs)


def timestamp(data: bytes) -> None:
    """Read and judge a timestamp."""
    parse_token(data)
    check_timestamp(data, b"", trusted_root().timestamps)


def checkpoint(data: bytes) -> None:
    """Read a checkpoint."""
    parse_checkpoint(data.decode("utf-8", "replace"))


def key(data: bytes) -> None:
    """Read a public key; `ValueError` says that there is none."""
    with contextlib.suppress(ValueError):
        parse_key_pem(data.decode("latin-1")) if data[:1] == b"-" else parse_key(data)


def statement(data: bytes) -> None:
    """Read an envelope and what is in it."""
    parse_statement(read_envelope(data, "fuzz"), "fuzz")


def rules(data: bytes) -> None:
    """Hold two links to the rules of a step; `ValueError` says that a rule is none."""
    value = parse_foreign(data, "fuzz")
    if not isinstance(value, dict):
        return
    found = {
        name: {str(path): {"sha256": str(told)} for path, told in paths.items()}
        for name, paths in value.items()
        if isinstance(paths, dict)
    }
    one_, other = (
        Done(found.get(f"{step}-materials", {}), found.get(f"{step}-products", {}))
        for step in ("one", "other")
    )
    given = value.get("rules")
    with contextlib.suppress(ValueError):
        wanted = [parse_rule(rule) for rule in given] if isinstance(given, list) else []
        for of in (MATERIALS, PRODUCTS):
            Rules({"one": one_, "other": other}, "fuzz").check("one", of, wanted)


READERS: dict[str, Callable[[bytes], Any]] = {
    reader.__name__: reader
    for reader in (
        *(document, index, parse_policy, layout, report, image, decide),
        *(bundle, certificate, timestamp, checkpoint, key, statement, parse_trusted_root, rules),
    )
}
_IN_ORDER = tuple(READERS.values())


def one(data: bytes) -> None:
    """Let the reader named by the first byte read the rest."""
    if data:
        with contextlib.suppress(KitError):
            _IN_ORDER[data[0] % len(_IN_ORDER)](data[1:])


def marked(reader: str, data: bytes) -> bytes:
    """Return an input for one reader."""
    return bytes([list(READERS).index(reader)]) + data
