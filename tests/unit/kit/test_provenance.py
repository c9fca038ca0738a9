"""Every kit says what it was made of: a provenance of SLSA over its components."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from kit.build import Options, build
from kit.errors import SourceNameUnsafe
from kit.rebuild import rebuild
from kit.spec import load_spec
from runner.packing.provenance import PREDICATE_TYPE
from tests.support.hosting import Site, code, policy, rules
from tests.support.kindfiles import oci, sha256
from tests.support.making import Files, Made, build_kit, make_kit, pinned, write_files, write_spec
from verifier.core.pipeline import Job, Opened
from verifier.evidence.components import component_digest
from verifier.run import run

PATH = "evidence/provenance.json"
FILES: Files = {"a/x": b"x", "b/y": b"y", "big/z": bytes(5 << 20)}


NOTE = '\n[[evidence]]\npath = "notes"\n[[evidence.source]]\nfile = "note.txt"\n'


def kit_of(place: Path, files: Files, change: tuple[str, str] = ("", ""), **more: Any) -> Made:
    """Build a kit that carries evidence: a note."""
    write_files(place / "src", files)
    write_files(place, {"note.txt": b"a note\n"})
    path = write_spec(place, sorted({name.split("/")[0] for name in files}))
    path.write_text(path.read_text().replace(*change) + NOTE)
    return build_kit(load_spec(path), place / "out", **more)


def opened(made: Made, place: Path) -> tuple[Opened, dict[str, Any], bytes]:
    found = Opened()
    report = run(os.fspath(made.path), Job(root=pinned()), extract=str(place), opened=found)
    assert int(report.status) == 0, report.error
    data = (place / PATH).read_bytes()
    return found, json.loads(data), data


def test_it_names_components_spec_and_builder(tmp_path: Path) -> None:
    made = kit_of(tmp_path / "kit", FILES)
    found, value, _ = opened(made, tmp_path / "out")
    assert found.manifest is not None
    assert found.index is not None
    assert value["predicateType"] == PREDICATE_TYPE
    assert {item["name"]: item["digest"]["sha256"] for item in value["subject"]} == {
        f"{item.id}@{item.version}": component_digest(found.index, item)
        for item in found.manifest.components
    }
    definition = value["predicate"]["buildDefinition"]
    spec = (tmp_path / "kit/kit.toml").read_bytes()
    assert definition["resolvedDependencies"] == [
        {"name": "kit.toml", "digest": {"sha256": sha256(spec)}}
    ]
    assert definition["externalParameters"]["kit"]["sequence"] == 7
    assert value["predicate"]["runDetails"]["builder"]["id"].endswith("/builder/v1")


def test_it_is_the_same_wherever_and_however_it_is_built(tmp_path: Path) -> None:
    one = kit_of(tmp_path / "one", FILES)
    other = kit_of(tmp_path / "elsewhere/other", FILES, store=True, n=1, sums=False)
    first = opened(one, tmp_path / "1")[2]
    assert opened(other, tmp_path / "2")[2] == first
    spec = load_spec(tmp_path / "one/kit.toml")
    rebuild(one.path, spec, Options())


def test_images_are_subjects_too(tmp_path: Path) -> None:
    files = {f"c/{name}": data for name, data in oci().items()}
    made = kit_of(tmp_path / "kit", files, ('id = "c"', 'id = "c"\nkind = "oci"'))
    _, value, _ = opened(made, tmp_path / "out")
    entries = json.loads(oci()["index.json"])["manifests"]
    names = {item["name"]: item["digest"]["sha256"] for item in value["subject"][1:]}
    assert names == {
        f"c/{entry['annotations']['org.opencontainers.image.ref.name']}": entry["digest"][7:]
        for entry in entries
    }


@pytest.mark.parametrize("other", [b"x", b"y"])
def test_components_that_are_alike(tmp_path: Path, other: bytes) -> None:
    """Equal or not, the index of the evidence is as long as it was planned."""
    made = kit_of(tmp_path / "kit", {"a/same": b"x", "b/same": other, "c/more": b"c"})
    _, value, _ = opened(made, tmp_path / "out")
    digests = [item["digest"]["sha256"] for item in value["subject"]]
    assert (digests[0] == digests[1]) == (other == b"x")


def test_every_kit_has_one(tmp_path: Path) -> None:
    made = make_kit(tmp_path / "kit", FILES)
    _, value, _ = opened(made, tmp_path / "out")
    assert len(value["subject"]) == 3


def test_its_name_is_kept(tmp_path: Path) -> None:
    write_files(tmp_path, {"src/a/x": b"x", "x.json": b"{}"})
    path = write_spec(tmp_path, ["a"])
    text = '\n[[evidence]]\npath = "provenance.json"\n[[evidence.source]]\nfile = "x.json"\n'
    path.write_text(path.read_text() + text)
    with pytest.raises(SourceNameUnsafe, match="own provenance"):
        build(load_spec(path), [pinned()], tmp_path / "out", Options())


def test_kit_signers_vouch_for_it(tmp_path: Path) -> None:
    made = kit_of(tmp_path / "kit", FILES)
    site = Site(tmp_path / "site")
    site.base.mkdir()
    wanted = [{"component": "*", "predicateType": PREDICATE_TYPE}]
    site.pin(policy=policy(lines=rules("demo/stable", attestations=wanted)))
    assert code(site.look(made.path)) == ""


def test_digest_of_the_spec_is_that_of_its_file(tmp_path: Path) -> None:
    path = write_spec(tmp_path, ["a"])
    assert load_spec(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
