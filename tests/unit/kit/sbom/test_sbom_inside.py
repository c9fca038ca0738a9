"""`sbom check --inside` compares the files of a document with those in the layers of an image."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

from kit.sbom.check import check_inside, check_sbom
from kit.sbom.errors import SbomImageUnreadable
from kit.sbom.inside import files_of
from kit.sources.errors import ImageFileUnusable
from tests.support.kindfiles import OCI, Layout, js
from tests.support.making import write_files
from tests.support.program import said_by
from tests.unit.lnm import LNM


def layer(files: Mapping[str, bytes | None], **links: str) -> bytes:
    """Return a layer; None is a device, and what follows are hard links."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data or b"")
            member.type = tarfile.REGTYPE if data is not None else tarfile.FIFOTYPE
            archive.addfile(member, io.BytesIO(data or b""))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, target
            archive.addfile(member)
    return stream.getvalue()


def image(place: Path, *layers: bytes) -> str:
    """Write a layout with one image; return what names it."""
    made = Layout()
    parts = [made.blob(data, f"{OCI}.layer.v1.tar") for data in layers]
    config = made.blob(b"{}", f"{OCI}.config.v1+json")
    made.name(made.manifest(config, parts), "a")
    write_files(place / "image", made.done())
    return f"oci:{place / 'image'}"


def names(reference: str) -> dict[str, str]:
    found = files_of(reference, Path())
    return {name: digests["sha256"] for name, digests in found.items()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_later_layers_replace_and_remove(tmp_path: Path) -> None:
    first = layer({"./etc/a": b"a", "etc/b": b"b", "usr/x/1": b"1", "usr/x/2": b"2", "dev/f": b"f"})
    second = layer({"etc/.wh.b": b"", "usr/x/.wh..wh..opq": b"", "usr/x/3": b"3", "dev/f": None})
    third = layer({"etc/a": b"A"}, again="etc/a")
    packed = gzip.compress(second), zstandard.compress(third)
    found = names(image(tmp_path, first, *packed))
    assert found == {"etc/a": sha256(b"A"), "usr/x/3": sha256(b"3"), "again": sha256(b"A")}


def document(*files: tuple[str, str, str]) -> bytes:
    """Return an SPDX document of files with one checksum each."""
    entries = [
        {
            "SPDXID": f"SPDXRef-{at}",
            "fileName": name,
            "checksums": [{"algorithm": kind, "checksumValue": digest}] if kind else [],
        }
        for at, (name, kind, digest) in enumerate(files)
    ]
    value = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "x",
        "documentNamespace": "https://x.example/1",
        "creationInfo": {"created": "2026-11-24T00:00:00Z", "creators": ["Tool: x"]},
        "files": entries,
    }
    return json.dumps(value).encode()


def test_what_is_described_is_compared_by_the_best_digest(tmp_path: Path) -> None:
    files = files_of(image(tmp_path, layer({"a": b"a", "b": b"b", "c": b"c", "d": b"d"})), Path())
    data = document(
        ("./a", "SHA256", sha256(b"a")),
        ("/b", "SHA1", hashlib.sha1(b"b").hexdigest()),
        ("c", "SHA256", sha256(b"something else")),
        ("gone", "SHA256", sha256(b"gone")),
    )
    checked = check_inside(check_sbom(data, "x"), files)
    assert [error.message for error in checked.errors] == [
        "'gone' is described, and the image has no such file",
        "'c' is described with another digest than it has",
    ]
    assert checked.notes[-2:] == (
        "2 files of the image are as described",
        "1 files of the image are not described",
    )


def test_without_a_digest_nothing_is_compared(tmp_path: Path) -> None:
    files = files_of(image(tmp_path, layer({"a": b"a", "b": b"b"})), Path())
    data = document(("a", "", ""), ("b", "SHA1", "0" * 40))
    checked = check_inside(check_sbom(data, "x"), files)
    assert checked.errors == ()
    assert "2 files are named without a digest that can be compared" in checked.notes


@pytest.mark.parametrize(
    "damage", [lambda d: d[:700], lambda d: gzip.compress(d)[:-20], lambda d: b"\x28\xb5\x2f\xfd"]
)
def test_layer_that_is_none_is_named(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(SbomImageUnreadable):
        names(image(tmp_path, damage(layer({"a": bytes(4096)}))))


def test_image_for_several_platforms_is_asked_about(tmp_path: Path) -> None:
    made = Layout()
    made.name(made.index([made.image()]), "a")
    write_files(tmp_path, made.done())
    with pytest.raises(SbomImageUnreadable, match="name the manifest of one"):
        files_of(f"oci:{tmp_path}", Path())


def test_image_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageFileUnusable):
        files_of("oci:nowhere", tmp_path)
    (tmp_path / "index.json").write_bytes(js({"schemaVersion": 2, "manifests": []}))
    with pytest.raises(ImageFileUnusable):
        files_of(str(tmp_path), Path())


def test_command_says_it_of_the_lnm_image() -> None:
    image, sbom = LNM / "images/migration-runner", LNM / "sboms/runner.spdx.json"
    status, said = said_by("sbom", "check", "--inside", image, sbom)
    assert status == 0, said
    assert "files of the image are as described" in said
