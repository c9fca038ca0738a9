"""`offline-kit sbom` has syft look into images, and writes the same from the same image."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kit.errors import SourceChanged
from kit.sbom.errors import SbomScanFailed
from kit.sbom.generate import plan_sboms, write_sboms
from kit.sbom.scan import Image, file_name, images_of, normalised, read_written
from kit.sbom.scantree import normalised_tree
from kit.sources.errors import ToolMissing
from kit.spec import load_spec
from tests.support.kindfiles import Layout, oci
from tests.support.making import build_kit, write_files, write_spec
from tests.unit.lnm import LNM

CREATED = "2026-11-24T00:00:00Z"
ONE = Image("app:1", {"digest": f"sha256:{'a' * 64}"})
TWO = Image("app:1-linux-arm64", {"digest": f"sha256:{'a' * 64}"}, f"sha256:{'b' * 64}")


def written(**more: Any) -> bytes:
    """Return what syft writes, in small."""
    root = {
        "SPDXID": "SPDXRef-DocumentRoot-Image-x",
        "name": "x",
        "downloadLocation": "NOASSERTION",
        "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}],
    }
    value = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "x",
        "documentNamespace": f"https://anchore.example/{len(more)}",
        "creationInfo": {"created": f"2026-01-0{1 + len(more)}T00:00:00Z", "creators": ["Tool: x"]},
        "packages": [root],
        "files": [
            {
                "SPDXID": "SPDXRef-File",
                "fileName": "a",
                "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}],
            }
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-DocumentRoot-Image-x",
            }
        ],
    }
    return json.dumps({**value, **more}).encode()


def test_what_changes_from_run_to_run_is_gone() -> None:
    one = normalised(written(), ONE, CREATED)
    again = {
        "documentNamespace": "https://other.example",
        "creationInfo": {"creators": ["Tool: x"]},
    }
    assert normalised(written(**again), ONE, CREATED) == one
    value = json.loads(one)
    assert value["creationInfo"]["created"] == CREATED
    assert value["packages"][0]["checksums"][0]["checksumValue"] == "a" * 64
    assert "checksums" not in value["files"][0], "zeros are no checksum"
    assert normalised(written(name="y"), ONE, CREATED) != one


def test_image_of_an_index_is_about_both() -> None:
    value = json.loads(normalised(written(), TWO, CREATED))
    digests = {item["checksums"][0]["checksumValue"] for item in value["packages"]}
    assert digests == {"a" * 64, "b" * 64}
    described = [one for one in value["relationships"] if one["relationshipType"] == "DESCRIBES"]
    assert len(described) == 2


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"spdxVersion": "SPDX-2.3"}', written(packages=[])]
)
def test_what_is_no_sbom_is_named(data: bytes) -> None:
    with pytest.raises(SbomScanFailed):
        normalised(data, ONE, CREATED)


def test_each_platform_is_an_image_of_its_own(tmp_path: Path) -> None:
    write_files(tmp_path, oci())
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*")}
    found = {image.name: bool(image.index) for image in images_of(files)}
    assert found == {"app:1-linux-amd64": True, "app:1-linux-arm64": True, "tool:2": False}
    assert file_name(Image("a/b:1 x", {})) == "a-b-1-x"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    shutil.copytree(LNM / "images/migration-runner", tmp_path / "src/image")
    return write_spec(tmp_path, ["image"])


def test_image_that_nobody_describes_takes_syft(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.sbom.scan.shutil.which", lambda *a, **k: None)
    with pytest.raises(ToolMissing, match=r"syft is not installed: pip install 'offline-kit\[sbom"):
        plan_sboms(load_spec(spec))


@pytest.mark.long
def test_syft_looks_into_an_image(spec: Path) -> None:
    if not shutil.which("syft") and not (Path(sysconfig.get_path("scripts")) / "syft").exists():
        pytest.skip("not run: syft is not installed")
    plan = plan_sboms(load_spec(spec))
    assert [one.file for one in plan.made] == ["sboms/image-image-21.102.0.spdx.json"]
    write_sboms(load_spec(spec), plan)
    again = plan_sboms(load_spec(spec))
    assert (again.stale, again.unlisted, again.idle) == ((), (), ())


TREE = {
    "src/a/site/left-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: left\nVersion: 1.0\n",
    "src/a/site/left-1.0.dist-info/RECORD": b"left.py,,\n",
    "src/a/site/left.py": b"x = 1\n",
    "src/a/empty": b"",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_files(tmp_path, TREE)
    path = write_spec(tmp_path, ["a"])
    path.write_text(path.read_text().replace('id = "a"', 'id = "a"\nscan = true'))
    return path


def needs_syft(monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("syft") and not (Path(sysconfig.get_path("scripts")) / "syft").exists():
        pytest.skip("not run: syft is not installed")
    if os.access("/dev/shm", os.W_OK):  # below /dev syft sees no files, and does not say so
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")


def test_syft_looks_into_a_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file by its SHA-256, and the packages in them; the kit is covered by it."""
    needs_syft(monkeypatch)
    plan = plan_sboms(load_spec(tree))
    (made,) = plan.made
    assert (made.file, made.files, made.packages) == ("sboms/a.spdx.json", 4, 1)
    value = json.loads(made.data)
    digests = {item["fileName"]: item["checksums"] for item in value["files"]}
    assert digests == {
        name.removeprefix("src/a/"): [
            {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}
        ]
        for name, data in TREE.items()
    }
    assert {item["name"] for item in value["packages"]} == {"a", "left"}
    ids = {item["SPDXID"] for item in (*value["packages"], *value["files"])} | {"SPDXRef-DOCUMENT"}
    for one in value["relationships"]:
        assert {one["spdxElementId"], one["relatedSpdxElement"]} <= ids
    write_sboms(load_spec(tree), plan)
    text = tree.read_text().replace("[kit]", '[kit]\ncoverage = "require"')
    tree.write_text(text)
    assert build_kit(load_spec(tree), tree.parent / "out").built.coverage is not None


@pytest.mark.long
def test_syft_looks_into_a_tree_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same document whenever it is made."""
    needs_syft(monkeypatch)
    write_sboms(load_spec(tree), plan_sboms(load_spec(tree)))
    again = plan_sboms(load_spec(tree))
    assert (again.stale, again.unlisted, again.idle) == ((), (), ())


@pytest.mark.long
def test_syft_looks_into_a_tree_that_is_packed(tree: Path) -> None:
    """The unit is the one archive; the packages are those of the tree that it is made of."""
    if not shutil.which("syft") and not (Path(sysconfig.get_path("scripts")) / "syft").exists():
        pytest.skip("not run: syft is not installed")
    (tree.parent / "src/a/link.py").symlink_to("/etc/passwd")
    (tree.parent / "src/a/nothing").mkdir()
    text = tree.read_text().replace('dir = "src/a"', 'dir = "src/a"\npack = "tar"')
    tree.write_text(text.replace("[kit]", '[kit]\ncoverage = "require"'))
    plan = plan_sboms(load_spec(tree))
    (made,) = plan.made
    assert (made.files, made.packages) == (1, 1)
    value = json.loads(made.data)
    assert [item["fileName"] for item in value["files"]] == ["a.tar"]
    assert {item["name"] for item in value["packages"]} == {"a", "left"}
    write_sboms(load_spec(tree), plan)
    again = plan_sboms(load_spec(tree))
    assert (again.stale, again.unlisted, again.idle) == ((), (), ())
    assert build_kit(load_spec(tree), tree.parent / "out").built.coverage is not None


def test_tree_that_nobody_describes_takes_syft(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.sbom.scan.shutil.which", lambda *a, **k: None)
    with pytest.raises(ToolMissing, match=r"pip install 'offline-kit\[sbom"):
        plan_sboms(load_spec(tree))


def test_file_that_changed_while_syft_looked() -> None:
    written = read_written(written_of_a("ab" * 32), "a")
    with pytest.raises(SourceChanged):
        normalised_tree(written, {"a": "cd" * 32}, CREATED)


def written_of_a(sha256: str) -> bytes:
    checksum = {"algorithm": "SHA256", "checksumValue": sha256}
    return written(files=[{"SPDXID": "SPDXRef-File", "fileName": "a", "checksums": [checksum]}])


def test_no_place_that_syft_sees(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.sbom.scantree.find_syft", lambda: "/bin/false")
    monkeypatch.setattr("kit.sbom.scantree.os.access", lambda place, mode: False)
    monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
    with pytest.raises(SbomScanFailed, match=r"none below /dev, /proc, /run, /sys") as refused:
        plan_sboms(load_spec(tree))
    assert refused.value.fix.startswith("Set TMPDIR to a directory elsewhere")


def test_damaged_layout_is_named(tmp_path: Path) -> None:
    made = Layout()
    made.name(made.index([made.image()]), "a")
    files = made.done()
    write_files(tmp_path, {k: v if "blobs" not in k else b"x" for k, v in files.items()})
    with pytest.raises(SbomScanFailed):
        list(
            images_of({path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*")})
        )
