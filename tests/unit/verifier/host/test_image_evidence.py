"""cosign's three ways of signing an image in a kit, and in-toto's layouts (TRUST-FILES 3.9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support import bundles
from tests.support.assembler import component
from tests.support.attesting import FILES, attester, envelope, key_of, kit_with, sha256, statement
from tests.support.bundles import (
    ISSUER,
    NAME,
    Wish,
    b64,
    dsse_1,
    hashedrekord_1,
    make_bundle,
    pae,
    world,
)
from tests.support.certificates import NOW, p256, sign
from tests.support.hosting import CLOCK, Site, code, policy, rules
from tests.support.people import compact, olpc, person
from verifier.core.pipeline import Job
from verifier.evidence.images import COSIGN_SIGN
from verifier.evidence.simplesigning import CERTIFICATE, CHAIN, LOG_ENTRY, SIGNATURE
from verifier.host.accept import Host
from verifier.run import run
from verifier.show.report import render_text

ROOT = bundles.text(world().trusted_root())
SBOM = "https://spdx.dev/Document"
KEYLESS = attester("keyless", trustedRoot=sha256(ROOT), issuer=ISSUER, identity=NAME)
KEY = attester("key", publicKey=key_of("sums"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def in_pem(data: bytes) -> str:
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode()


class Image:
    """An image layout that grows."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.entries: list[dict[str, Any]] = []
        layer = self.blob(b"a layer")
        self.digest = self.manifest([{"mediaType": "x", "digest": layer}], name="tool:1")

    def blob(self, data: bytes) -> str:
        digest = sha256(data)
        self.blobs[digest] = data
        return f"sha256:{digest}"

    def manifest(self, layers: list[Any], name: str = "", **more: Any) -> str:
        """Add a manifest, and an entry for it if it has a name."""
        config = {"mediaType": "c", "digest": self.blob(b"{}"), "size": 2}
        value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        digest = self.blob(compact({**value, **more}))
        if name:
            annotations = {"org.opencontainers.image.ref.name": name}
            entry = {"mediaType": MANIFEST, "digest": digest, "annotations": annotations}
            self.entries.append(entry)
        return digest

    def files(self) -> dict[str, bytes]:
        """Return its members."""
        found = {f"image/blobs/sha256/{name}": data for name, data in self.blobs.items()}
        found["image/oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
        found["image/index.json"] = compact({"schemaVersion": 2, "manifests": self.entries})
        return found


def simple(digest: str) -> bytes:
    """Return a simple signing payload."""
    critical = {
        "identity": {"docker-reference": "registry.example/tool"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return compact({"critical": critical, "optional": None})


def tagged(digest: str, end: str) -> str:
    return f"sha256-{digest[7:]}.{end}"


def log_entry(body: dict[str, Any]) -> str:
    data, when, index = bundles.text(body), int(NOW.timestamp()) + 5, 77
    payload = {
        "body": b64(data),
        "integratedTime": when,
        "logIndex": index,
        "logID": world().rekor.key_id.hex(),
    }
    promise = b64(world().rekor.promise(data, when, index))
    return json.dumps({"SignedEntryTimestamp": promise, "Payload": payload})


def keyless_annotations(
    key: EllipticCurvePrivateKey, body: Any, certificate: bytes
) -> dict[str, str]:
    return {
        CERTIFICATE: in_pem(certificate),
        CHAIN: "".join(map(in_pem, world().chain)),
        LOG_ENTRY: log_entry(body),
    }


def signed_by_key(image: Image, digest: str = "") -> None:
    """Add the older form: a tag with a payload, by a key."""
    payload = simple(digest or image.digest)
    layer = {
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": image.blob(payload),
        "annotations": {SIGNATURE: b64(person("sums").sign(payload))},
    }
    image.manifest([layer], name=tagged(image.digest, "sig"))


def signed_keyless(image: Image) -> None:
    """Add the older form, by an identity, as `cosign save` keeps it."""
    payload, key = simple(image.digest), p256()
    signature = sign(key, payload)
    certificate = world().issue(key).make(world().log)
    body = hashedrekord_1(key, certificate, payload, signature, b"")
    layer = {
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": image.blob(payload),
        "annotations": {
            SIGNATURE: b64(signature),
            **keyless_annotations(key, body, certificate),
        },
    }
    digest = image.manifest([layer])
    kind = {"kind": "dev.cosignproject.cosign/sigs"}
    image.entries.append({"mediaType": MANIFEST, "digest": digest, "annotations": kind})


def attested(image: Image) -> None:
    """Add the older form of an attestation: an envelope, and annotations of its layer."""
    key = p256()
    value = statement(
        SBOM, {"sha256": image.digest[7:]}, version="https://in-toto.io/Statement/v0.1"
    )
    payload = compact(value)
    message = pae(payload)
    signature = sign(key, message)
    certificate = world().issue(key).make(world().log)
    body = dsse_1(key, certificate, message, signature, payload)
    text = compact(
        {
            "payload": b64(payload),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": "", "sig": b64(signature)}],
        }
    )
    layer = {
        "mediaType": "application/vnd.dsse.envelope.v1+json",
        "digest": image.blob(text),
        "annotations": {SIGNATURE: "", **keyless_annotations(key, body, certificate)},
    }
    image.manifest([layer], name=tagged(image.digest, "att"))


def referred(image: Image, kind: str = COSIGN_SIGN) -> None:
    """Add the newer form: a manifest that refers to the image, with a bundle."""
    value = statement(kind, {"sha256": image.digest[7:]})
    made = bundles.text(make_bundle(Wish(statement=value)))
    layer = {"mediaType": BUNDLE, "digest": image.blob(made)}
    subject = {"mediaType": MANIFEST, "digest": image.digest}
    image.manifest([layer], artifactType=BUNDLE, subject=subject)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def look(
    site: Site, image: Image, kind: str, who: Mapping[str, Any], evidence: Mapping[str, bytes] = {}
) -> str:
    """Return the code, and keep the report."""
    wanted = {
        "component": "image",
        "predicateType": kind,
        "by": {"of": [who["name"]], "threshold": 1},
    }
    site.pin(policy=policy(attesters=[dict(who)], lines=rules(attestations=[wanted])))
    site.directory.add_trusted_roots([ROOT])
    path = site.base / "kit.tar.zst"
    parts = [component("image", "image")]
    path.write_bytes(kit_with(evidence, image.files(), components=parts))
    report = run(str(path), Job(), host=Host(site.directory, CLOCK, "0.1.0"))
    print(render_text(report))
    return code(report)


def test_tag_with_a_simple_signing_payload_by_a_key(site: Site) -> None:
    image = Image()
    signed_by_key(image)
    assert look(site, image, COSIGN_SIGN, KEY) == ""


@pytest.mark.parametrize(("before", "expected"), [(255, ""), (256, "evidence-too-large")])
def test_a_signature_behind_very_many_layers_is_above_a_limit(
    site: Site, before: int, expected: str
) -> None:
    """It was passed over, so a kit with too many signatures was rejected and not undecided."""
    image, made = Image(), Image()
    signed_by_key(made)
    signed = json.loads(made.blobs[made.entries[-1]["digest"][7:]])["layers"][0]
    image.blobs.update(made.blobs)
    other = {"mediaType": "x", "digest": image.blob(b"a layer")}
    image.manifest([other] * before + [signed], name=tagged(image.digest, "sig"))
    del image.blobs[made.entries[-1]["digest"][7:]]
    assert look(site, image, COSIGN_SIGN, KEY) == expected


def test_simple_signing_payload_about_another_image(site: Site) -> None:
    image = Image()
    signed_by_key(image, f"sha256:{'ab' * 32}")
    assert look(site, image, COSIGN_SIGN, KEY) == "attestation-missing"


def test_simple_signing_by_an_identity(site: Site) -> None:
    image = Image()
    signed_keyless(image)
    assert look(site, image, COSIGN_SIGN, KEYLESS) == ""


def test_attestation_under_its_tag(site: Site) -> None:
    image = Image()
    attested(image)
    assert look(site, image, SBOM, KEYLESS) == ""


def test_referrer_that_no_index_names(site: Site) -> None:
    image = Image()
    referred(image)
    assert look(site, image, COSIGN_SIGN, KEYLESS) == ""


def test_all_images_of_a_component_must_be_signed(site: Site) -> None:
    image = Image()
    referred(image)
    image.manifest([], name="tool:2")
    assert look(site, image, COSIGN_SIGN, KEYLESS) == "attestation-missing"


def test_signature_over_the_index_holds_for_what_is_carried_of_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A narrowed index: the kit has one of its manifests, and the index travels as evidence."""
    image = Image()
    index = compact({"schemaVersion": 2, "manifests": [{"digest": image.digest}, {"digest": "x"}]})
    value = statement(COSIGN_SIGN, {"sha256": sha256(index)})
    made = bundles.text(make_bundle(Wish(statement=value)))
    papers = {"index.json": index, "signature.json": made}
    assert look(site, image, COSIGN_SIGN, KEYLESS, papers) == ""
    rests = f"about the image index sha256:{sha256(index)} that lists what the kit has"
    assert rests in capsys.readouterr().out


def test_images_that_were_not_read_are_no_reason_to_pass(site: Site) -> None:
    """A component with a file beside its layout: the file alone is not all of it."""
    image = Image()
    members = {**image.files(), "image/README": b"words"}
    members["image/index.json"] = b"no JSON"
    kind = "https://kinds.example/1"
    value = envelope(statement(kind, {"sha256": sha256(b"words")}), "sums")
    wanted = {"component": "image", "predicateType": kind, "by": {"of": ["key"], "threshold": 1}}
    site.pin(policy=policy(attesters=[KEY], lines=rules(attestations=[wanted])))
    path = site.base / "kit.tar.zst"
    parts = [component("image", "image")]
    path.write_bytes(kit_with({"a.json": value}, members, components=parts))
    report = run(str(path), Job(), host=Host(site.directory, CLOCK, "0.1.0"))
    assert code(report) == "evidence-unread"


# --- in-toto -------------------------------------------------------------------------------------


def key_value(name: str) -> dict[str, Any]:
    key = {k: v for k, v in person(name).key.items() if not k.startswith("x-")}
    return {**key, "keyid": person(name).keyid}


def layout(*people: str, threshold: int = 1, **more: Any) -> dict[str, Any]:
    """Return a layout with one step that these people may do."""
    step = {
        "_type": "step",
        "name": "build",
        "pubkeys": [person(name).keyid for name in people],
        "threshold": threshold,
        "expected_command": [],
        "expected_materials": [],
        "expected_products": [],
    }
    return {
        "_type": "layout",
        "expires": "2020-01-01T00:00:00Z",
        "readme": "",
        "keys": {person(name).keyid: key_value(name) for name in people},
        "steps": [step],
        "inspect": [],
        **more,
    }


def link(*digests: Mapping[str, str], name: str = "build") -> dict[str, Any]:
    """Return a link with products; those of the small kit unless told otherwise."""
    products = {f"p{i}": dict(d) for i, d in enumerate(digests or FILES)}
    return {"_type": "link", "name": name, "materials": {}, "products": products, "command": []}


def block(value: dict[str, Any], *names: str) -> bytes:
    """Return an older in-toto file."""
    message = olpc(value)
    signatures = [{"keyid": person(n).keyid, "sig": person(n).sign(message).hex()} for n in names]
    return compact({"signatures": signatures, "signed": value})


CHAINS: list[tuple[str, dict[str, bytes], str]] = [
    (
        "envelopes",
        {
            "root.layout": envelope(layout("bob"), "alice"),
            "build.link": envelope(link(), "bob"),
        },
        "",
    ),
    (
        "older files",
        {"root.layout": block(layout("bob"), "alice"), "build.link": block(link(), "bob")},
        "",
    ),
    (
        "a layout by a stranger",
        {
            "root.layout": envelope(layout("bob"), "mallory"),
            "build.link": envelope(link(), "bob"),
        },
        "attestation-untrusted",
    ),
    (
        "a link by a stranger",
        {
            "root.layout": envelope(layout("bob"), "alice"),
            "build.link": envelope(link(), "mallory"),
        },
        "layout-unmet",
    ),
    (
        "no link",
        {"root.layout": envelope(layout("bob"), "alice")},
        "layout-unmet",
    ),
    (
        "two must, and one did",
        {
            "root.layout": envelope(layout("bob", "carol", threshold=2), "alice"),
            "build.link": envelope(link(), "bob"),
        },
        "layout-unmet",
    ),
    (
        "two must, and two did",
        {
            "root.layout": envelope(layout("bob", "carol", threshold=2), "alice"),
            "a.link": envelope(link(), "bob"),
            "b.link": envelope(link(), "carol"),
        },
        "",
    ),
    (
        "two that contradict each other",
        {
            "root.layout": envelope(layout("bob", "carol"), "alice"),
            "a.link": envelope(link(), "bob"),
            "b.link": envelope(link({"sha256": "ab" * 32}), "carol"),
        },
        "layout-unmet",
    ),
    (
        "products that are not carried",
        {
            "root.layout": envelope(layout("bob"), "alice"),
            "build.link": envelope(link({"sha256": "ab" * 32}), "bob"),
        },
        "layout-unmet",
    ),
    (
        "an inspection",
        {
            "root.layout": envelope(
                layout("bob", inspect=[{"_type": "inspection", "name": "x", "run": ["rm"]}]),
                "alice",
            ),
            "build.link": envelope(link(), "bob"),
        },
        "layout-inspects",
    ),
]


@pytest.mark.parametrize(
    ("papers", "expected"), [row[1:] for row in CHAINS], ids=[row[0] for row in CHAINS]
)
def test_layout(site: Site, papers: dict[str, bytes], expected: str) -> None:
    report = judge_layout(site, papers)
    assert code(report) == expected, render_text(report)


def judge_layout(site: Site, papers: Mapping[str, bytes]) -> Any:
    by = {"of": ["alice"], "threshold": 1}
    wanted = {"component": "tools", "predicateType": "in-toto:layout", "by": by}
    site.pin(policy=policy(attesters=[attester("alice")], lines=rules(attestations=[wanted])))
    path = site.base / "kit.tar.zst"
    path.write_bytes(kit_with(papers))
    return run(str(path), Job(), host=Host(site.directory, CLOCK, "0.1.0"))


def test_one_key_under_two_ids_counts_once(site: Site) -> None:
    value = layout("bob", threshold=2)
    value["keys"]["ab" * 32] = {**key_value("bob"), "keyid": "ab" * 32}
    value["steps"][0]["pubkeys"].append("ab" * 32)
    made = json.loads(envelope(link(), "bob"))
    made["signatures"].append({**made["signatures"][0], "keyid": "ab" * 32})
    papers = {"root.layout": envelope(value, "alice"), "build.link": compact(made)}
    assert code(judge_layout(site, papers)) == "layout-unmet"
