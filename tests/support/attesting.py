"""Evidence for tests: statements, who signs them and how, and kits that carry them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.keys import public_pem
from tests.support.assembler import OWN, PAYLOAD_TYPE, TOOLS, Draft, assemble, b64, blob, pae
from tests.support.naive import Entry
from tests.support.people import compact, person

PROVENANCE = "https://slsa.dev/provenance/v1"
OLD_PROVENANCE = "https://slsa.dev/provenance/v0.2"
TESTS = "https://in-toto.io/attestation/test-result/v0.1"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"
VEX = "https://openvex.dev/ns/v0.2.0"
INDEX = "evidence/evidence.index"
PASSED = {"result": "PASSED", "configuration": [], "passedTests": ["one"], "failedTests": []}


def sha256(data: bytes) -> str:
    """Return a digest in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def component_digest(members: Sequence[Entry] = TOOLS, base: bytes = b"tools/") -> str:
    """Return the digest of a component by the words of FORMAT 11.2."""
    lines = b"".join(
        b"%b %d data %b %b\n"
        % (
            sha256(each.data).encode(),
            len(each.data),
            each.mode,
            each.path[len(base) :],
        )
        for each in sorted(members, key=lambda each: each.path)
    )
    return sha256(b"offline-kit-component/1\n" + lines)


COMPONENT = {"sha256": component_digest()}
FILES = [{"sha256": sha256(each.data)} for each in TOOLS]


def statement(
    kind: str = PROVENANCE,
    *about: Mapping[str, str],
    predicate: Any = None,
    version: str = "https://in-toto.io/Statement/v1",
) -> dict[str, Any]:
    """Return a Statement, about the component of the small kit unless told otherwise."""
    subjects = [{"name": f"s{i}", "digest": dict(d)} for i, d in enumerate(about or [COMPONENT])]
    value = {} if predicate is None else predicate
    return {"_type": version, "subject": subjects, "predicateType": kind, "predicate": value}


def provenance(
    *about: Mapping[str, str],
    builder: str = "https://builder.example/1",
    source: str = "git+https://git.example/lnm/tools@refs/heads/main",
    materials: Sequence[Mapping[str, str]] = (),
    finished: str = "2026-11-20T00:00:00Z",
) -> dict[str, Any]:
    """Return SLSA provenance v1."""
    dependencies = [{"uri": f"m{i}", "digest": dict(d)} for i, d in enumerate(materials)]
    return statement(
        PROVENANCE,
        *about,
        predicate={
            "buildDefinition": {
                "buildType": "https://builder.example/type",
                "externalParameters": {"source": source},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"finishedOn": finished},
            },
        },
    )


def envelope(value: Any, *signers: str, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return a DSSE envelope that test keys signed."""
    payload = value if isinstance(value, bytes) else compact(value)
    message = pae(payload, payload_type)
    signatures = [{"keyid": person(n).keyid, "sig": b64(person(n).sign(message))} for n in signers]
    return compact({"payload": b64(payload), "payloadType": payload_type, "signatures": signatures})


def vulns(*found: tuple[str, Any]) -> dict[str, Any]:
    """Return a Statement that lists findings: name and severity."""
    result = [{"id": name, "severity": [{"method": "x", "score": sev}]} for name, sev in found]
    metadata = {"scanFinishedOn": "2026-11-20T00:00:00Z"}
    predicate = {"scanner": {"uri": "x", "result": result}, "metadata": metadata}
    return statement(VULNS, predicate=predicate)


def vex(name: str, status: str, at: str = "2026-11-21T00:00:00Z", **more: Any) -> dict[str, Any]:
    """Return an OpenVEX document with one answer."""
    answer = {"vulnerability": {"name": name}, "products": [], "status": status, **more}
    return {"@context": VEX, "@id": "x", "timestamp": at, "statements": [answer]}


def key_of(name: str) -> str:
    """Return the PEM of a test key."""
    return public_pem(person(name).private.public_key())


def attester(name: str, **how: Any) -> dict[str, Any]:
    """Return an attester of a policy; without more, the kit signer of that name."""
    return {"name": name, **(how or {"signer": name})}


def kit_with(
    evidence: Mapping[str, bytes],
    data: Mapping[str, bytes] | None = None,
    *,
    index: bytes | None = None,
    signers: Sequence[str] = ("alice", "bob"),
    components: Sequence[Mapping[str, Any]] | None = None,
    level: int = 0,
    **kit: Any,
) -> bytes:
    """Return a kit with evidence, given by its names below ``evidence/``.

    Args:
        evidence: Documents.
        data: Payload in place of that of the small kit.
        index: What evidence.index says; None for none, empty for the true one.
        signers: Who signs the kit.
        components: In place of those of the small kit.
        level: Of the compression of its payload; 0 for none.
    """
    documents = {f"evidence/{name}": text for name, text in evidence.items()}
    if index is not None:
        documents[INDEX] = index or true_index(documents)
    entries = [Entry(p.encode(), text, b"evidence") for p, text in sorted(documents.items())]
    payload: tuple[Entry, ...] = TOOLS
    if data is not None:
        payload = tuple(Entry(p.encode(), text) for p, text in sorted(data.items()))
    members = (*OWN, *entries, *payload)
    draft = Draft(members=members, signers=signers, kit=kit, components=components, level=level)

    def with_index(value: Any) -> Any:
        if index is not None:
            value["predicate"]["evidenceIndex"] = blob(documents[INDEX])
        return value

    return assemble(draft, statement=with_index)


def true_index(documents: Mapping[str, bytes]) -> bytes:
    """Return the index of documents, by the words of FORMAT 18, for forms that tests use."""
    lines = set()
    for path, data in documents.items():
        lines_ = data.strip().split(b"\n") if path.endswith(".jsonl") else [data]
        for form, kind, subject in (told for line in lines_ for told in _told(line)):
            lines.add(f"{sha256(data)} {form} {kind} {subject} {path}\n".encode())
    return b"offline-kit-evidence/1\n" + b"".join(sorted(lines))


def _told(data: bytes) -> list[tuple[str, str, str]]:
    try:
        value = json.loads(data)
    except ValueError:
        return [("other", "-", "-")]
    form = "statement"
    if "payload" in value:
        form, value = "envelope", json.loads(base64.b64decode(value["payload"]))
    elif "dsseEnvelope" in value:
        form, value = "bundle", json.loads(base64.b64decode(value["dsseEnvelope"]["payload"]))
    elif "@context" in value:
        return [("vex", value["@context"], "-")]
    value = value.get("signed", value)  # in-toto's older files
    if value.get("_type") in ("layout", "link"):
        return [(value["_type"], f"in-toto:{value['_type']}", "-")]
    return [(form, value["predicateType"], _subject(each["digest"])) for each in value["subject"]]


def _subject(digest: Mapping[str, str]) -> str:
    for name in ("sha256", "sha512"):
        if name in digest:
            return f"{name}:{digest[name]}"
    return "-"


def write(place: Path, name: str, data: bytes) -> Path:
    """Write a file and return its path."""
    path = place / name
    path.write_bytes(data)
    return path
