"""Good inputs for fuzzers: one of each kind for each reader, with a sigstore of their own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.readers import CORPUS, marked
from tests.support.attesting import true_index
from tests.support.bundlebends import WISHES
from tests.support.bundles import make_bundle, text, world
from tests.support.cases.evidence import TABLE
from tests.support.certificates import p256, pem
from tests.support.reports import REPORTS

FOLDER = CORPUS / "evidence"


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _documents() -> Iterator[tuple[str, bytes]]:
    seen: set[bytes] = set()
    for case in TABLE:
        for number, (name, data) in enumerate(sorted(case.evidence.items())):
            if name.endswith("json") and data not in seen and len(seen) < 24:
                seen.add(data)
                yield f"{case.name}-{number}", marked("document", data)
                yield f"{case.name}-{number}-decided", marked("decide", data)
    papers = {f"evidence/{name}": data for name, data in TABLE[0].evidence.items()}
    yield "index", marked("index", true_index(papers).partition(b"\n")[2])
    yield "policy", marked("parse_policy", TABLE[0].policy())
    step = {"name": "a", "pubkeys": ["k"], "threshold": 1}
    key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "ab" * 32}}
    chain = {"_type": "layout", "keys": {"k": key}, "steps": [step], "inspect": []}
    yield "layout", marked("layout", _written(chain))
    yield from _rules(chain)
    wrapped = {"envelope": json.loads(TABLE[0].evidence["p.json"])}
    several = {"provenance_summary": {"provenance": [wrapped, {"kind": "BUILD"}]}}
    yield "registry", marked("document", _written(several))
    yield "registry-decided", marked("decide", _written(several))


def _rules(chain: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    written = [
        *("CREATE a*", "DELETE b", "MODIFY [ac]?", "REQUIRE src/c", "allow src/*"),
        *("MATCH c IN src WITH PRODUCTS IN out FROM other", "DISALLOW *"),
    ]
    rules = [rule.split() for rule in written]
    (step,) = chain["steps"]
    ruled = {**step, "expected_materials": rules, "expected_products": rules}
    yield "layout-rules", marked("layout", _written({**chain, "steps": [ruled]}))
    links = {
        "one-materials": {"src/c": "1", "b": "2"},
        "one-products": {"a": "3", "src/c": "4"},
        "other-products": {"out/c": "1"},
    }
    yield "rules", marked("rules", _written({"rules": rules, **links}))


def _reports() -> Iterator[tuple[str, bytes]]:
    answer = {"vulnerability": {"name": "C", "aliases": ["D"]}, "status": "fixed"}
    vex = {"timestamp": "2026-11-20T00:00:00+01:00", "statements": [answer]}
    yield "vex", marked("report", _written(vex))
    for path in sorted(REPORTS.glob("*.json")):
        yield f"report-{path.stem}", marked("report", path.read_bytes()[:20_000])
    package = {
        "name": "a",
        "SPDXID": "SPDXRef-a",
        "versionInfo": "1",
        "licenseConcluded": "MIT",
        "downloadLocation": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": "ab" * 32}],
    }
    spdx = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": [package]}
    yield "spdx", marked("report", _written(spdx))
    part = {"type": "library", "name": "a", "version": "1", "bom-ref": "a"}
    cyclonedx = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [part]}
    yield "cyclonedx", marked("report", _written(cyclonedx))


def _images() -> Iterator[tuple[str, bytes]]:
    layer = {
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": f"sha256:{'cd' * 32}",
        "annotations": {"dev.cosignproject.cosign/signature": "AAAA"},
    }
    entry = {"digest": f"sha256:{'ab' * 32}", "annotations": {"kind": "x"}}
    manifest = {"manifests": [entry], "layers": [layer], "config": {}}
    yield "manifest", marked("image", _written(manifest))


def _bundles(key: Any) -> Iterator[tuple[str, bytes]]:
    yield "trusted-root", marked("parse_trusted_root", text(world().trusted_root()))
    for kind, wish in WISHES.items():
        name = kind.replace(",", "").replace(" ", "-")
        if wish.by_key:
            wish.key = key
        value = make_bundle(wish)
        yield f"bundle-{name}", marked("bundle", text(value))
        if "dsseEnvelope" in value:
            yield f"envelope-{name}", marked("statement", text(value["dsseEnvelope"]))
    value = make_bundle(WISHES["promise and timestamp"])
    material = value["verificationMaterial"]
    (stamp,) = material["timestampVerificationData"]["rfc3161Timestamps"]
    (logged,) = material["tlogEntries"]
    raw = base64.b64decode
    yield "certificate", marked("certificate", raw(material["certificate"]["rawBytes"]))
    yield "timestamp", marked("timestamp", raw(stamp["signedTimestamp"]))
    noted = logged["inclusionProof"]["checkpoint"]["envelope"]
    yield "checkpoint", marked("checkpoint", noted.encode())
    yield "key", marked("key", raw(world().trusted_root()["tlogs"][0]["publicKey"]["rawBytes"]))
    yield "key-pem", marked("key", pem(key).encode())


def write() -> None:
    """Write the corpus again, under keys that are made for it and then forgotten."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    key = p256()
    (CORPUS / "trusted_root.json").write_bytes(text(world().trusted_root()))
    (CORPUS / "key.pub").write_text(pem(key))
    for source in (_documents(), _reports(), _images(), _bundles(key)):
        for name, data in source:
            (FOLDER / name).write_bytes(data)
