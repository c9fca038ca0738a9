"""What a policy may ask beside the rows of the verdict: TRUST-FILES 3.7 to 3.9, 3.11 and 3.12."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from tests.support.assembler import component
from tests.support.attesting import (
    COMPONENT,
    FILES,
    OLD_PROVENANCE,
    PASSED,
    PROVENANCE,
    TESTS,
    VULNS,
    attester,
    envelope,
    key_of,
    provenance,
    sha256,
    statement,
    vex,
    vulns,
)
from tests.support.bundles import Wish, make_bundle, signer_extensions, text
from tests.support.cases.attested import (
    ALICE,
    BOB,
    CAROL,
    GOOD,
    KEY,
    KEYLESS,
    ROOT,
    PolicyCase,
    asks,
    bundle,
    place,
    seeded,
)
from tests.support.certificates import other, pem
from tests.support.hosting import override
from tests.support.kindfiles import wheels
from tests.support.people import compact

BY_ALICE, BY_KEYLESS = asks(PROVENANCE, "alice"), asks(PROVENANCE, "keyless")
V2 = ("hashedrekord", "0.0.2")
P = "p.json"
MISSING, UNTRUSTED, FALSE = "attestation-missing", "attestation-untrusted", "attestation-false"
OWN = attester("own", publicKey=pem(seeded("signer")))
OWN_LOGGED = {**OWN, "trustedRoot": sha256(ROOT)}
KEY_LOGGED = {**KEY, "trustedRoot": sha256(ROOT)}
BROKEN_ROOT = (
    b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":1}\n'
)
APPROVAL = "https://offline-kit.example/approval/v1"


def kit_id(kit: bytes) -> str:
    """Return the kitId: SHA-256 of the payload of the envelope in its head."""
    found = re.search(rb'"payload":"([A-Za-z0-9+/=]+)"', kit)
    assert found is not None
    return sha256(base64.b64decode(found[1]))


def approves(kit: bytes) -> bytes:
    return envelope(statement(APPROVAL, {"sha256": kit_id(kit)}), "carol")


def approves_another(kit: bytes) -> bytes:
    return envelope(statement(APPROVAL, {"sha256": kit_id(kit)[::-1]}), "carol")


APPROVED = {**asks(APPROVAL, "carol"), "component": "@kit"}


def by_key(form: Any, **wish: Any) -> bytes:
    """Return a bundle by a key."""
    made = Wish(statement=GOOD, by_key=True, key=seeded("signer"), form=form, **wish)
    return text(make_bundle(made, place()))


def strange_extension() -> bytes:
    """Return a bundle whose certificate has an extension that must be understood."""
    more = [*signer_extensions(), (other("1.2.3.4", b"\5\0"), True)]
    issue = place().issue(seeded("signer"), extensions=more)
    return bundle(certificate=issue.make(place().log))


# --- images --------------------------------------------------------------------------------------

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANY = "application/vnd.oci.image.index.v1+json"


class Images:
    """An image layout with an index of two images, and one more."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.two = [self.image(b"one"), self.image(b"two")]
        self.both = self.put(
            compact({"schemaVersion": 2, "mediaType": MANY, "manifests": self.two}), MANY
        )
        self.single = self.image(b"three")

    def put(self, data: bytes, kind: str) -> dict[str, Any]:
        self.blobs[sha256(data)] = data
        return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data)}

    def image(self, layer: bytes) -> dict[str, Any]:
        config = self.put(b"{}", "application/vnd.oci.image.config.v1+json")
        layers = [self.put(layer, "application/vnd.oci.image.layer.v1.tar")]
        value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        return self.put(compact(value), MANIFEST)

    def kit(self, *named: Mapping[str, Any]) -> dict[str, Any]:
        """Return a kit whose component is the layout, with these in its ``index.json``."""
        files = {f"image/blobs/sha256/{digest}": data for digest, data in self.blobs.items()}
        files["image/oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        files["image/index.json"] = compact({"schemaVersion": 2, "manifests": list(named)})
        return {"data": files, "components": [component("image", "image")]}


IMAGES = Images()
OF_IMAGE = {**BY_ALICE, "component": "image"}


def about(*found: Mapping[str, Any]) -> dict[str, bytes]:
    """Return provenance of images."""
    digests = [{"sha256": each["digest"].partition(":")[2]} for each in found]
    return {P: envelope(provenance(*digests), "alice")}


# --- findings, materials -------------------------------------------------------------------------

SCANNED = asks(VULNS, "alice", noOpen={"severity": "high", "vex": ["bob"]})
FOUND = {"v.json": envelope(vulns(("CVE-1", "high")), "alice")}
GREASE = "pkg:deb/debian/grease@1.0?arch=amd64"
MATCH = {
    "vulnerability": {"id": "CVE-1", "severity": "High"},
    "artifact": {"name": "grease", "version": "1.0", "purl": GREASE},
}
BY_GRYPE = {
    "v.json": envelope(
        statement(
            VULNS,
            predicate={
                "scanner": {
                    "uri": "x",
                    "result": {"matches": [MATCH], "descriptor": {"name": "grype"}},
                }
            },
        ),
        "alice",
    )
}


def answered(status: str = "not_affected", **more: Any) -> dict[str, bytes]:
    """Return bob's answer to CVE-1."""
    told = vex("CVE-1", status, **more)
    return {"x.json": envelope(statement("https://openvex.dev/ns/v0.2.0", predicate=told), "bob")}


WHO_VEX: dict[str, Any] = {"attesters": (ALICE, BOB), "roots": ()}
LOCKED = asks(PROVENANCE, "alice", materials="locked")
LOCK = f'version = 1\n[[artifact]]\nsha256 = "{FILES[0]["sha256"]}"\n'.encode()
COMMIT = "c" * 40


def made_of(*materials: Mapping[str, str]) -> dict[str, bytes]:
    return {P: envelope(provenance(materials=materials), "alice"), "kit.lock": LOCK}


def tested(**changes: Any) -> dict[str, bytes]:
    return {"t.json": envelope(statement(TESTS, predicate={**PASSED, **changes}), "alice")}


# --- links of SBOMs, kinds -----------------------------------------------------------------------

TOOL = b"a tool\n"
ELEMENT = {"type": "file", "name": "run", "bom-ref": "run"}
SBOM: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "components": [
        {**ELEMENT, "hashes": [{"alg": "SHA-256", "content": sha256(TOOL)}]},
        {"type": "file", "name": "bare", "bom-ref": "bare"},
    ],
}
TWICE = {**SBOM, "components": [SBOM["components"][0], SBOM["components"][0]]}
LINKS_TYPE = "https://offline-kit.example/sbom-links/v1"
GOOD_LINK = {"document": "evidence/sbom/a.json", "element": "run", "member": "tools/run"}


def linked(
    *links: Mapping[str, str], sbom: Any = SBOM, text_: bytes | None = None
) -> dict[str, Any]:
    """Return the fields of a vector whose SBOM is linked to members."""
    value = {"links": list(links), "type": LINKS_TYPE}
    papers = {"sbom-links.json": text_ or compact(value) + b"\n", "sbom/a.json": compact(sbom)}
    return {
        "requirement": {},
        "evidence": papers,
        "index": None,
        "attesters": (),
        "roots": (),
        "rules": {"sbomLinks": "verify"},
        "kit": {"data": {"tools/run": TOOL, "tools/other": b"other\n"}},
    }


LINK_ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("element", "No such element.", linked({**GOOD_LINK, "element": "x"})),
    ("bare", "The element has no SHA-256.", linked({**GOOD_LINK, "element": "bare"})),
    ("member", "The member has another SHA-256.", linked({**GOOD_LINK, "member": "tools/other"})),
    ("no_member", "There is no such member.", linked({**GOOD_LINK, "member": "tools/x"})),
    ("climbs", "A path that is none.", linked({**GOOD_LINK, "member": "../../etc/passwd"})),
    ("document", "There is no such SBOM.",
     linked({**GOOD_LINK, "document": "evidence/sbom/b.json"})),
    ("elsewhere", "The SBOM does not lie where SBOMs do.",
     linked({**GOOD_LINK, "document": "tools/run"})),
    ("two_elements", "Two elements have the id.", linked(GOOD_LINK, sbom=TWICE)),
    ("no_sbom", "The document is no SBOM.", linked(GOOD_LINK, sbom={})),
    ("twice", "A link twice.", linked(GOOD_LINK, GOOD_LINK)),
    ("order", "Links that do not ascend.",
     linked(GOOD_LINK, {**GOOD_LINK, "document": "evidence/sbom/A.json"})),
    ("field", "A field more.", linked({**GOOD_LINK, "x": "y"})),
    ("type", "Of another type.", linked(text_=b'{"links":[],"type":"x"}\n')),
    ("spelling", "Not compact.",
     linked(GOOD_LINK, text_=compact({"links": [GOOD_LINK], "type": LINKS_TYPE}) + b" \n")),
    ("array", "No object.", linked(text_=b"[]\n")),
]  # fmt: skip

WHEELS = {f"w/{name}": data for name, data in wheels().items()}
LESS = {name: data for name, data in WHEELS.items() if not name.endswith("requirements.txt")}
LARGE = {**WHEELS, "w/requirements.txt": WHEELS["w/requirements.txt"] + b"#" * (5 << 20)}


def of_kind(data: dict[str, bytes], **more: Any) -> dict[str, Any]:
    """Return the fields of a vector whose component promises something."""
    parts = [component("w", "w", kind="wheels")]
    return {
        "requirement": {},
        "attesters": (),
        "roots": (),
        "rules": {"kinds": "verify"},
        "kit": {"data": data, "components": parts, "level": 3},
        **more,
    }


# --- all of them ---------------------------------------------------------------------------------

WHO = [
    PolicyCase("key_without_log", "A bundle by a key: nothing of a trusted root is needed.",
               asks(PROVENANCE, "own"), {P: by_key(None)}, attesters=(OWN,), roots=()),
    PolicyCase("key_logged", "By a key under a trusted root, logged by Rekor v1.",
               asks(PROVENANCE, "own"), {P: by_key(("dsse", "0.0.1"))}, attesters=(OWN_LOGGED,)),
    PolicyCase("key_logged_2", "The same with Rekor v2 and a timestamp.",
               asks(PROVENANCE, "own"), {P: by_key(V2)}, attesters=(OWN_LOGGED,)),
    PolicyCase("key_not_logged", "By a key under a trusted root, and no log has seen it.",
               asks(PROVENANCE, "own"), {P: by_key(None)}, attesters=(OWN_LOGGED,),
               code="log-entry-missing"),
    PolicyCase("key_envelope_not_logged", "An envelope by a key under a trusted root.",
               asks(PROVENANCE, "key"), {P: envelope(GOOD, "sums")}, attesters=(KEY_LOGGED,),
               code="log-entry-missing"),
    PolicyCase("key_of_signer", "By the key of a kit signer, as a key.",
               asks(PROVENANCE, "again"), {P: envelope(GOOD, "alice")},
               attesters=(attester("again", publicKey=key_of("alice")),), roots=()),
    PolicyCase("identity_rekor_2", "By an identity, logged by Rekor v2.", BY_KEYLESS,
               {P: bundle(form=V2)}, attesters=(KEYLESS,)),
    PolicyCase("identity_dsse", "By an identity, logged as a statement.", BY_KEYLESS,
               {P: bundle(form=("dsse", "0.0.1"))}, attesters=(KEYLESS,)),
    PolicyCase("identity_chain", "In a bundle of version 0.1, with its chain.", BY_KEYLESS,
               {P: bundle(version=1)}, attesters=(KEYLESS,)),
    PolicyCase("root_malformed", "The trusted root that the policy names is none.", BY_KEYLESS,
               {P: bundle()}, roots=(BROKEN_ROOT,), code="trusted-root-malformed",
               attesters=({**KEYLESS, "trustedRoot": sha256(BROKEN_ROOT)},)),
    PolicyCase("extension_unknown", "A certificate demands that something unknown is understood.",
               BY_KEYLESS, {P: strange_extension()}, attesters=(KEYLESS,),
               code="certificate-unknown-extension"),
    PolicyCase("two_of_three", "Two of three, in one envelope.",
               asks(PROVENANCE, "alice", "bob", "carol", threshold=2),
               {P: envelope(GOOD, "carol", "alice")}, attesters=(ALICE, BOB, CAROL), roots=()),
    PolicyCase("two_of_three_one", "One of three, twice.",
               asks(PROVENANCE, "alice", "bob", "carol", threshold=2),
               {"a.json": envelope(GOOD, "carol"), "b.json": envelope(GOOD, "carol")},
               attesters=(ALICE, BOB, CAROL), roots=(), code=UNTRUSTED),
    PolicyCase("two_with_one_unknown", "One signed; whether the other did hangs on a missing root.",
               asks(PROVENANCE, "alice", "keyless", threshold=2),
               {"a.json": envelope(GOOD, "alice"), "b.json": bundle()},
               attesters=(ALICE, KEYLESS), roots=(), code="trusted-root-missing"),
    PolicyCase("two_ways_round", "Each of two may be either of them: they are two all the same.",
               asks(PROVENANCE, "keyless", "own", threshold=2),
               {"a.json": bundle(), "b.json": by_key(None)}, attesters=(KEYLESS, OWN)),
]  # fmt: skip

WHAT = [
    PolicyCase("every", "Each component that is no placeholder.", {**BY_ALICE, "component": "*"},
               {P: envelope(GOOD, "alice")}, roots=(),
               kit={"components": [component("tools", "tools"),
                                   component("later", "later", placeholder="to come")]}),
    PolicyCase("every_not_one", "One of two components has none.", {**BY_ALICE, "component": "*"},
               {P: envelope(provenance(FILES[0]), "alice")}, roots=(), code=MISSING,
               kit={"components": [component("doc", "tools/doc.txt"),
                                   component("run", "tools/run")]}),
    PolicyCase("component_missing", "A component that is not there.",
               {**BY_ALICE, "component": "image"}, {P: envelope(GOOD, "alice")}, roots=(),
               code=MISSING),
    PolicyCase("kit_approved", "The kit as a whole, by its kitId.", APPROVED, given=(approves,),
               attesters=(CAROL,), roots=()),
    PolicyCase("kit_of_another", "Another kit was approved.", APPROVED, given=(approves_another,),
               attesters=(CAROL,), roots=(), code=MISSING),
    PolicyCase("several_subjects", "It is about more than the component.", BY_ALICE,
               {P: envelope(provenance({"sha256": "ab" * 32}, COMPONENT, FILES[0]), "alice")},
               roots=()),
    PolicyCase("subjects_of_two", "Two statements of one signer are not put together.", BY_ALICE,
               {"a.json": envelope(provenance(FILES[0]), "alice"),
                "b.json": envelope(provenance(FILES[1]), "alice")}, roots=(), code=MISSING),
    PolicyCase("images_all", "All images that the layout names, one by its index.", OF_IMAGE,
               about(IMAGES.both, IMAGES.single), kit=IMAGES.kit(IMAGES.both, IMAGES.single),
               roots=()),
    PolicyCase("images_one", "One of two images.", OF_IMAGE, about(IMAGES.single),
               kit=IMAGES.kit(IMAGES.both, IMAGES.single), roots=(), code=MISSING),
    PolicyCase("images_any", "One of two, and any is enough.", {**OF_IMAGE, "subjects": "any"},
               about(IMAGES.single), kit=IMAGES.kit(IMAGES.both, IMAGES.single), roots=()),
    PolicyCase("images_below", "An index stands for the images in it.", OF_IMAGE,
               about(IMAGES.both), kit=IMAGES.kit(*IMAGES.two), roots=()),
    PolicyCase("images_above", "An image in an index does not stand for the index.", OF_IMAGE,
               about(IMAGES.two[0]), kit=IMAGES.kit(IMAGES.both), roots=(), code=MISSING),
    PolicyCase("old_provenance", "Provenance before v1, with builder and source.",
               asks(OLD_PROVENANCE, "alice", builderId="https://builder.example/1",
                    sourceUri="https://git.example/lnm/tools"),
               {P: envelope(statement(OLD_PROVENANCE, predicate={
                   "builder": {"id": "https://builder.example/1"},
                   "invocation": {"configSource": {
                       "uri": "git+https://git.example/lnm/tools@refs/heads/main"}}}), "alice")},
               roots=()),
    PolicyCase("source_of_two", "Two places name a source, and one is somebody else's.",
               asks(PROVENANCE, "alice", sourceUri="https://git.example/lnm/tools"),
               {P: envelope(statement(PROVENANCE, predicate={"buildDefinition": {
                   "externalParameters": {
                       "source": "git+https://git.example/lnm/tools@main",
                       "sourceToBuild": {"repository": "https://git.example/mallory/tools"}}}}),
                   "alice")}, roots=(), code=FALSE),
    PolicyCase("source_of_a_host", "An address without a path, before somebody else's.",
               asks(PROVENANCE, "alice", sourceUri="https://git.example"),
               {P: envelope(provenance(source="git+https://git.example@evil.example/x"), "alice")},
               roots=(), code=FALSE),
    PolicyCase("source_commit", "With the commit behind it, as Cloud Build has it.",
               asks(PROVENANCE, "alice", sourceUri="https://git.example/lnm/tools"),
               {P: envelope(provenance(source=f"https://git.example/lnm/tools/commit/{COMMIT}"),
                            "alice")}, roots=()),
    PolicyCase("age_by_log", "Its age is that of the log's time, whatever it states.",
               asks(PROVENANCE, "keyless", maximumAgeDays=1),
               {P: bundle(provenance(finished="2026-11-25T00:00:00Z"))}, attesters=(KEYLESS,),
               code=FALSE),
    PolicyCase("age_unknown", "Nobody says when it was made.",
               asks(PROVENANCE, "alice", maximumAgeDays=4),
               {P: envelope(provenance(finished="lately"), "alice")}, roots=(), code=FALSE),
    PolicyCase("age_to_come", "It was made in the future.",
               asks(PROVENANCE, "alice", maximumAgeDays=4),
               {P: envelope(provenance(finished="2026-12-24T00:00:00Z"), "alice")}, roots=(),
               code=FALSE),
    PolicyCase("materials", "Its materials are in the lock.", LOCKED, made_of(FILES[0]), roots=()),
    PolicyCase("materials_more", "One of them is not.", LOCKED, made_of(*FILES), roots=(),
               code=FALSE),
    PolicyCase("materials_none", "It names none.", LOCKED, made_of(), roots=(), code=FALSE),
    PolicyCase("materials_unlocked", "The kit has no lock.", LOCKED,
               {P: made_of(FILES[0])[P]}, roots=(), code=FALSE),
    PolicyCase("tests_warned", "Passed with warnings.", asks(TESTS, "alice", tests="passed"),
               tested(result="WARNED"), roots=()),
    PolicyCase("tests_failed", "Failed.", asks(TESTS, "alice", tests="passed"),
               tested(result="FAILED"), roots=(), code=FALSE),
    PolicyCase("tests_one_failed", "One failed, whatever the result says.",
               asks(TESTS, "alice", tests="passed"), tested(failedTests=["two"]), roots=(),
               code=FALSE),
    PolicyCase("tests_of_provenance", "Provenance says nothing of tests.",
               asks(PROVENANCE, "alice", tests="passed"), {P: envelope(GOOD, "alice")}, roots=(),
               code="evidence-form-unknown"),
    PolicyCase("finding_lower", "A finding below the severity.", SCANNED,
               {"v.json": envelope(vulns(("CVE-1", "6.9")), "alice")}, **WHO_VEX),
    PolicyCase("finding_scored", "A score of its band.", SCANNED,
               {"v.json": envelope(vulns(("CVE-1", "7.0")), "alice")}, code=FALSE, **WHO_VEX),
    PolicyCase("finding_fixed", "It is fixed.", SCANNED, {**FOUND, **answered("fixed")}, **WHO_VEX),
    PolicyCase("finding_affected", "It is known, and open.", SCANNED,
               {**FOUND, **answered("affected")}, code=FALSE, **WHO_VEX),
    PolicyCase("finding_other", "Another vulnerability is answered.", SCANNED,
               {**FOUND, "x.json": envelope(statement(
                   "https://openvex.dev/ns/v0.2.0", predicate=vex("CVE-2", "fixed")), "bob")},
               code=FALSE, **WHO_VEX),
    PolicyCase("finding_product", "It is answered for the package that has it.", SCANNED,
               {**BY_GRYPE, **answered(products=[{"@id": GREASE}])}, **WHO_VEX),
    PolicyCase("finding_other_product", "It is answered for another package.", SCANNED,
               {**BY_GRYPE, **answered(products=[{"@id": "pkg:deb/debian/other@1.0"}])},
               code=FALSE, **WHO_VEX),
    PolicyCase("finding_report_unknown", "A report of a scanner that is not known.", SCANNED,
               {"v.json": envelope(statement(VULNS, predicate={"scanner": {"result": "?"}}),
                                   "alice")}, code="evidence-form-unknown", **WHO_VEX),
    PolicyCase("in_npm_quick", "A package was not decoded: nobody knows its SHA-512.",
               {**BY_ALICE, "component": "web"},
               {P: envelope(provenance({"sha512": hashlib.sha512(b"web " * 4000).hexdigest()}),
                            "alice")}, roots=(), how="quick", code="evidence-unread",
               kit={"data": {"web/a.tgz": b"web " * 4000}, "level": 3,
                    "components": [component("web", "web")]}),
]  # fmt: skip

BESIDE = [
    PolicyCase("link_good", "An SBOM describes the member that it is linked to.",
               **linked(GOOD_LINK)),
    PolicyCase("link_none", "A kit without links owes none.",
               **{**linked(), "evidence": {}}),
    *(PolicyCase(f"link_{name}", why, code="sbom-link-false", **more)
      for name, why, more in LINK_ROWS),
    PolicyCase("link_quick", "The SBOM was read, and the kit's payload was not decoded.",
               **{**linked(GOOD_LINK), "how": "quick"}),
    PolicyCase("kinds_kept", "A component keeps what its kind promises.", **of_kind(WHEELS)),
    PolicyCase("kinds_broken", "It does not.", code="kind-file-missing", **of_kind(LESS)),
    PolicyCase("kinds_unchecked", "What would say so is larger than what is looked into.",
               code="kind-unchecked", **of_kind(LARGE)),
    PolicyCase("kinds_quick", "What would say so is compressed, and was not decoded.",
               code="kind-unchecked", **of_kind(WHEELS, how="quick")),
    PolicyCase("override_kinds", "An override lets it be unchecked.",
               **of_kind(LARGE, overrides=(override("kind-unchecked"),))),
]  # fmt: skip

TABLE: list[PolicyCase] = [*WHO, *WHAT, *BESIDE]
