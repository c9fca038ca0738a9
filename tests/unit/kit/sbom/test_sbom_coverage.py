"""Coverage, both ways: what a kit carries and what its SBOMs describe, seen by real builds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kit.build import BuiltKit, Options, build
from kit.errors import SourceMissing, SourceNameUnsafe
from kit.sbom.coverage import describe
from kit.sbom.errors import SbomCoverage, SbomLinkBroken, SbomRefused
from kit.spec import parse_spec
from tests.support.making import ROOT_FILE
from verifier.audit.order import audit_kit
from verifier.core.pipeline import Job
from verifier.evidence.coverage import Unit, compare
from verifier.evidence.links import SbomLink, parse_links
from verifier.evidence.sbom import read_sbom
from verifier.rootfile import load_root
from verifier.run import run

HEAD = """
[kit]
name = "demo"
version = "1.0.0"
line = "demo/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "for tests"
{policy}

[[component]]
id = "tools"
version = "1"
path = "tools"
lands = "/opt/tools"
[[component.source]]
dir = "tools"

{rest}
"""
SBOM = '[[sbom]]\nfile = "tools.cdx.json"\n'
EXEMPT = '[[exemption]]\npaths = ["tools/docs"]\nreason = "text for people"\n'
FILES = {"tools/a": b"a", "tools/b": b"b", "tools/docs/README": b"read me"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def document(*files: dict[str, Any], about: dict[str, Any] | None = None) -> dict[str, Any]:
    root = {"type": "application", "name": "tools", "bom-ref": "root", **(about or {})}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": list(files),
    }


def file(name: str, digest: str, algorithm: str = "SHA-256") -> dict[str, Any]:
    hashes = [{"alg": algorithm, "content": digest}] if digest else []
    return {"type": "file", "name": name, "hashes": hashes}


A, B = file("tools/a", sha256(b"a")), file("b", sha256(b"b"))


def built(
    place: Path, sbom: dict[str, Any] | None, *, policy: str = "", rest: str = SBOM + EXEMPT
) -> BuiltKit:
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    if sbom is not None:
        (place / "tools.cdx.json").write_text(json.dumps(sbom))
    spec = parse_spec(HEAD.format(policy=policy, rest=rest).encode(), file=place / "kit.toml")
    return build(spec, [load_root(str(ROOT_FILE))], place, Options())


REQUIRE = 'coverage = "require"'


def test_everything_is_described_or_exempt(tmp_path: Path) -> None:
    found = built(tmp_path, document(A, B), policy=REQUIRE).coverage
    assert found is not None
    assert (found.covered, found.exempt, found.uncovered, found.absent) == (2, 1, (), ())


def test_a_kit_without_sboms_is_not_judged_unless_asked(tmp_path: Path) -> None:
    assert built(tmp_path, None, rest="").coverage is None


def test_a_kit_without_sboms_is_refused_where_they_are_required(tmp_path: Path) -> None:
    with pytest.raises(SbomCoverage, match="'tools/a' is described by no SBOM"):
        built(tmp_path, None, policy=REQUIRE, rest="")
    assert not list(tmp_path.glob("demo*"))


@pytest.mark.parametrize(
    ("element", "hint"),
    [
        (file("./tools/b", hashlib.sha1(b"b").hexdigest(), "SHA-1"), "gives SHA1 for it"),
        (file("b", hashlib.md5(b"b").hexdigest(), "MD5"), "gives MD5 for it"),
        (file("b", sha256(b"something else")), "gives another SHA-256 for it"),
        (file("b", ""), "gives no digest for it"),
    ],
)
def test_what_covers_nothing_is_named(tmp_path: Path, element: dict[str, Any], hint: str) -> None:
    sbom = document(A, element)
    with pytest.raises(SbomCoverage, match=hint) as caught:
        built(tmp_path, sbom, policy=REQUIRE)
    assert "'tools/b' is described by no SBOM: evidence/sbom/tools.cdx.json /components/1" in str(
        caught.value
    )
    assert "kit.toml:9: kit.coverage" in caught.value.where
    assert not list(tmp_path.glob("demo*"))


def test_without_the_demand_it_is_only_said(tmp_path: Path) -> None:
    found = built(tmp_path, document(A)).coverage
    assert found is not None
    assert list(describe(found)) == ["'tools/b' is described by no SBOM"]


def test_what_a_document_is_about_has_to_be_there(tmp_path: Path) -> None:
    gone = {"hashes": [{"alg": "SHA-256", "content": sha256(b"an earlier one")}]}
    with pytest.raises(SbomCoverage, match="is about 'tools', and the kit has no") as caught:
        built(tmp_path, document(A, B, about=gone), policy=REQUIRE)
    assert sha256(b"an earlier one") in str(caught.value)


def test_what_lies_within_is_not_looked_for(tmp_path: Path) -> None:
    inner = file("lib/inside-of-a.so", sha256(b"inside"))
    built(tmp_path, document(A, B, inner), policy=REQUIRE)


def test_a_bad_sbom_stops_the_build_before_it_begins(tmp_path: Path) -> None:
    sbom = document(A, B)
    sbom["dependencies"] = [{"ref": "gone"}]
    with pytest.raises(SbomRefused, match="sbom-dangling") as caught:
        built(tmp_path, sbom)
    assert "tools.cdx.json: /dependencies/0/ref" in str(caught.value)


def test_an_sbom_that_can_cover_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SbomRefused, match="sbom-without-sha256"):
        built(tmp_path, document())


def test_an_sbom_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises((SbomRefused, SourceMissing), match="no SBOM here"):
        built(tmp_path, None)


def layout(place: Path, *, index: bytes | None = None) -> str:
    """Write an OCI layout; return the digest of its one image."""
    blobs = place / "tools" / "image" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = b'{"schemaVersion": 2}'
    for data in (manifest, b"a layer", b"a config"):
        (blobs / sha256(data)).write_bytes(data)
    (blobs.parents[1] / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {"digest": f"sha256:{sha256(manifest)}", "size": len(manifest)}
    made = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    (blobs.parents[1] / "index.json").write_bytes(made if index is None else index)
    return sha256(manifest)


def test_an_image_is_one_unit_and_covers_its_blobs(tmp_path: Path) -> None:
    digest = layout(tmp_path)
    with pytest.raises(SbomCoverage, match=f"'tools/image/blobs/sha256/{digest}' is described by"):
        built(tmp_path, document(A, B), policy=REQUIRE)
    about = {"hashes": [{"alg": "SHA-256", "content": digest}], "type": "container"}
    found = built(tmp_path, document(A, B, about=about), policy=REQUIRE).coverage
    assert found is not None
    assert (found.covered, found.exempt) == (3, 1)


@pytest.mark.parametrize("index", [b"", b"[]", b'{"manifests": 5}', b'{"a":1,"a":2}'])
def test_a_layout_with_no_readable_index_is_files(tmp_path: Path, index: bytes) -> None:
    layout(tmp_path, index=index)
    found = built(tmp_path, document(A, B)).coverage
    assert found is not None
    assert len(found.uncovered) == 5


def test_the_comparison_is_a_pure_function() -> None:
    sbom = read_sbom(document(A, about={"hashes": A["hashes"]}))
    units = [Unit("x", sha256(b"a")), Unit("y", sha256(b"y")), Unit("z", sha256(b"z"))]
    found = compare(units, [("one", sbom)], lambda path: path == "z", lambda digest: True)
    assert (found.covered, found.exempt, [one.unit.path for one in found.uncovered]) == (
        1,
        1,
        ["y"],
    )


# --- explicit links ----------------------------------------------------------------------------


def link(element: str, member: str) -> str:
    return f'{SBOM}[[sbom.link]]\nelement = "{element}"\nmember = "{member}"\n'


def linked() -> dict[str, Any]:
    return document({**A, "bom-ref": "a"}, {**B, "bom-ref": "b"}, {**file("c", ""), "bom-ref": "c"})


def test_link_that_holds_travels_and_holds_at_the_site(tmp_path: Path) -> None:
    made = built(tmp_path, linked(), rest=link("a", "tools/a"))
    run(str(made.path), Job(kit_id=made.kit_id), extract=str(tmp_path / "out"))
    assert parse_links((tmp_path / "out/evidence/sbom-links.json").read_bytes()) == [
        SbomLink("evidence/sbom/tools.cdx.json", "a", "tools/a")
    ]
    audit = audit_kit(str(made.path), Job(kit_id=made.kit_id))
    assert any("links of SBOMs" in said for said in audit.report.opened.judged.done)


def test_name_of_the_links_is_kept(tmp_path: Path) -> None:
    text = (
        '\n[[evidence]]\npath = "sbom-links.json"\n[[evidence.source]]\nfile = "tools.cdx.json"\n'
    )
    with pytest.raises(SourceNameUnsafe, match="links of SBOMs"):
        built(tmp_path, linked(), rest=link("a", "tools/a") + text)


@pytest.mark.parametrize(
    ("element", "member", "why"),
    [
        ("x", "tools/a", "is no element of the document"),
        ("c", "tools/a", "has no SHA-256"),
        ("a", "tools/x", "which the kit does not carry"),
        ("a", "tools/b", "which has another SHA-256"),
    ],
)
def test_link_that_does_not_hold_makes_no_kit(
    tmp_path: Path, element: str, member: str, why: str
) -> None:
    with pytest.raises(SbomLinkBroken, match=why) as raised:
        built(tmp_path, linked(), rest=link(element, member))
    assert "sbom[0].link[0]" in str(raised.value)
    assert not list(tmp_path.glob("demo*"))
