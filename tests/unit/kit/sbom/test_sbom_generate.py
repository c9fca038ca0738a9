"""`offline-kit sbom`: what is missing is written, listed, the same again, and covers; `merge`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kit.build import Options, build
from kit.sbom.check import check_sbom
from kit.sbom.packages import Package, read_package
from kit.sources.collect import collect
from kit.spec import load_spec
from tests.conftest import Judge
from tests.support.making import ROOT_FILE
from tests.support.program import said_by
from verifier.evidence.sbom import parse_sbom
from verifier.rootfile import load_root

SPEC = """\
[kit]
name = "demo"
version = "1.0.0"
line = "demo/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "for tests"
coverage = "require"

[[component]]
id = "tools"
version = "1.2"
path = "tools"
lands = "/opt/tools"
[[component.source]]
dir = "tools"

[[exemption]]
paths = ["tools/README"]
reason = "text for people"
"""


# --- packages of a few hundred bytes ---------------------------------------------------------


def wheel(name: str, version: str, *lines: str, more: dict[str, str] | None = None) -> bytes:
    folder = f"{name}-{version}.dist-info"
    metadata = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{folder}/METADATA", f"{metadata}\n\nA description: with colons\n")
        for path, text in (more or {}).items():
            archive.writestr(f"{folder}/{path}", text)
    return buffer.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def ar(members: dict[str, bytes]) -> bytes:
    made = b"!<arch>\n"
    for name, data in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        made += data + b"\n" * (len(data) % 2)
    return made


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def deb(control: str, ending: str = ".xz") -> bytes:
    inner = COMPRESSED[ending](tar({"./control": control.encode()}))
    return ar({"debian-binary": b"2.0\n", f"control.tar{ending}": inner, "data.tar.xz": b"x"})


def npm(value: dict[str, Any]) -> bytes:
    return gzip.compress(tar({"package/package.json": json.dumps(value).encode()}))


CONTROL = """\
Package: libdemo1
Version: 1:2.0-3+b1
Architecture: amd64
Maintainer: Someone <someone@example.org>
Depends: libc6 (>= 2.36), libother | libelse:any
Pre-Depends: dpkg
Description: a library
 that does nothing
"""


def read(place: Path, name: str, data: bytes) -> Package | None:
    (place / name).write_bytes(data)
    return read_package(place / name, name)


def test_a_wheel_says_what_it_is_and_needs(tmp_path: Path) -> None:
    data = wheel(
        "Demo_Lib",
        "1.0",
        "License-Expression: MIT OR Apache-2.0",
        "Requires-Dist: other.lib>=2; python_version < '4'",
        "Requires-Dist: never; extra == 'docs'",
        "Requires-Dist: not a requirement at all !",
        more={"sboms/auditwheel.cdx.json": "{}"},
    )
    found = read(tmp_path, "Demo_Lib-1.0-py3-none-any.whl", data)
    assert found == Package(
        "pypi",
        "demo-lib",
        "1.0",
        "pkg:pypi/demo-lib@1.0",
        "MIT OR Apache-2.0",
        ("other-lib",),
        ("Demo_Lib-1.0.dist-info/sboms/auditwheel.cdx.json",),
    )


@pytest.mark.parametrize("ending", COMPRESSED)
def test_a_deb_says_what_it_is_and_needs(tmp_path: Path, ending: str) -> None:
    assert read(tmp_path, "libdemo1.deb", deb(CONTROL, ending)) == Package(
        "deb",
        "libdemo1",
        "1:2.0-3+b1",
        "pkg:deb/debian/libdemo1@1:2.0-3%2Bb1?arch=amd64",
        "",
        ("dpkg", "libc6", "libelse", "libother"),
    )


def test_a_deb_of_dpkg_is_read_the_same(tmp_path: Path, judge: Judge) -> None:
    program = judge("dpkg-deb")
    (tmp_path / "root" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "root" / "DEBIAN" / "control").write_text(CONTROL)
    (tmp_path / "root").chmod(0o755)
    path = tmp_path / "theirs.deb"
    subprocess.run([program, "--build", tmp_path / "root", path], check=True, capture_output=True)
    assert read_package(path, "theirs.deb") == read(tmp_path, "ours.deb", deb(CONTROL))


def test_an_npm_tarball_says_what_it_is_and_needs(tmp_path: Path) -> None:
    value = {
        "name": "@scope/demo",
        "version": "2.0.0",
        "license": "ISC",
        "dependencies": {"a": "1"},
    }
    assert read(tmp_path, "demo-2.0.0.tgz", npm(value)) == Package(
        "npm", "@scope/demo", "2.0.0", "pkg:npm/%40scope/demo@2.0.0", "ISC", ("a",)
    )


BAD: dict[str, tuple[str, bytes]] = {
    "empty wheel": ("a.whl", b""),
    "text for a wheel": ("a.whl", b"PK\x03\x04 not really"),
    "wheel without METADATA": ("a.whl", base64.b64decode("UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==")),
    "wheel without a name": ("a.whl", wheel("", "1")),
    "wheel cut off": ("a.whl", wheel("a", "1")[:-30]),
    "deb that is none": ("a.deb", b"!<arch>\n" + b"x" * 200),
    "deb with a size of letters": ("a.deb", deb(CONTROL).replace(b"4         `", b"4x        `")),
    "deb with a negative size": ("a.deb", deb(CONTROL).replace(b"4         `", b"-4        `")),
    "deb whose control is no xz": ("a.deb", ar({"control.tar.xz": b"\xfd7zXZ\0 damaged"})),
    "deb without control": ("a.deb", ar({"debian-binary": b"2.0\n"})),
    "npm that is no gzip": ("a.tgz", b"hello"),
    "npm without package.json": ("a.tgz", gzip.compress(tar({"x": b"{}"}))),
    "npm whose package.json is no object": (
        "a.tgz",
        gzip.compress(tar({"package/package.json": b"[]"})),
    ),
    "npm with a name twice": (
        "a.tgz",
        gzip.compress(tar({"package/package.json": b'{"name":"a","name":"b","version":"1"}'})),
    ),
    "npm with odd types": ("a.tgz", npm({"name": 5, "version": [], "dependencies": "x"})),
    "no ending that is known": ("a.txt", wheel("a", "1")),
}


@pytest.mark.parametrize(("name", "data"), BAD.values(), ids=BAD.keys())
def test_what_is_no_package_is_a_plain_file(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(tmp_path, name, data) is None


def test_a_deb_of_a_bomb_is_a_plain_file(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (65 << 20), 1)
    assert read(tmp_path, "a.deb", ar({"control.tar.gz": bomb})) is None


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the directory of a spec with a script, a text and packages that need each other."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "run.sh").write_bytes(b"echo hello\n")
    (tools / "README").write_bytes(b"read me\n")
    (tools / "a-1-py3-none-any.whl").write_bytes(
        wheel("a", "1", "License: MIT", "Requires-Dist: b")
    )
    (tools / "b-2-py3-none-any.whl").write_bytes(wheel("b", "2", "License: see the text"))
    (tools / "libdemo1.deb").write_bytes(deb(CONTROL))
    (tmp_path / "kit.toml").write_text(SPEC)
    return tmp_path


def run(*arguments: str | Path) -> tuple[int, str]:
    return said_by("sbom", *arguments)


def written(place: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((place / "sboms" / "tools.cdx.json").read_bytes())
    return value


def test_what_is_missing_is_written_and_listed_and_covers(place: Path) -> None:
    status, output = run(place / "kit.toml")
    assert status == 0
    assert "wrote sboms/tools.cdx.json: 1 files, 3 packages" in output
    spec = load_spec(place / "kit.toml")
    assert [entry.file for entry in spec.sboms] == ["sboms/tools.cdx.json"]
    built = build(spec, [load_root(str(ROOT_FILE))], place, Options())
    assert built.coverage is not None
    assert (built.coverage.covered, built.coverage.exempt) == (4, 1)


def test_a_document_has_names_licences_and_edges(place: Path) -> None:
    run(place / "kit.toml")
    value = written(place)
    by_name = {one["name"]: one for one in value["components"]}
    assert set(by_name) == {"a", "b", "libdemo1", "tools/run.sh"}
    assert by_name["a"]["purl"] == "pkg:pypi/a@1"
    assert by_name["a"]["licenses"] == [{"expression": "MIT"}]
    assert by_name["b"]["licenses"] == [{"license": {"name": "see the text"}}]
    digest = hashlib.sha256(b"echo hello\n").hexdigest()
    assert by_name["tools/run.sh"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    needs = {one["ref"]: one["dependsOn"] for one in value["dependencies"]}
    assert needs["tools/a-1-py3-none-any.whl"] == ["tools/b-2-py3-none-any.whl"]
    assert len(needs["component:tools"]) == 4


def test_a_second_run_changes_nothing(place: Path) -> None:
    run(place / "kit.toml")
    before = (place / "kit.toml").read_bytes(), (place / "sboms/tools.cdx.json").read_bytes()
    status, output = run(place / "kit.toml")
    assert status == 0
    assert "fresh sboms/tools.cdx.json" in output
    assert before == (
        (place / "kit.toml").read_bytes(),
        (place / "sboms/tools.cdx.json").read_bytes(),
    )
    assert run("--check", place / "kit.toml")[0] == 0


def test_check_names_what_is_stale_and_writes_nothing(place: Path) -> None:
    status, output = run("--check", place / "kit.toml")
    assert status == 2
    assert "sbom-stale" in output
    assert "sboms/tools.cdx.json is not named in the spec" in output
    assert not (place / "sboms").exists()
    run(place / "kit.toml")
    (place / "tools" / "run.sh").write_bytes(b"echo good bye\n")
    status, output = run("--check", place / "kit.toml")
    assert status == 2
    assert "sboms/tools.cdx.json is not what its component is" in output


def test_what_another_sbom_describes_is_left_to_it(place: Path) -> None:
    digest = hashlib.sha256(b"echo hello\n").hexdigest()
    theirs = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [
            {"type": "file", "name": "run", "hashes": [{"alg": "SHA-256", "content": digest}]}
        ],
    }
    (place / "theirs.json").write_text(json.dumps(theirs))
    (place / "kit.toml").write_text(f'{SPEC}\n[[sbom]]\nfile = "theirs.json"\n')
    run(place / "kit.toml")
    assert "tools/run.sh" not in {one["name"] for one in written(place)["components"]}


def test_a_listed_document_that_describes_nothing_any_more_is_named(place: Path) -> None:
    run(place / "kit.toml")
    text = (place / "kit.toml").read_text().replace('"tools/README"', '"tools"')
    (place / "kit.toml").write_text(text)
    assert "sboms/tools.cdx.json describes nothing any more" in run(place / "kit.toml")[1]
    status, output = run("--check", place / "kit.toml")
    assert status == 2
    assert "describes nothing any more" in output


RUNBOOK = """\
schema = 1
id = "small"
[environment.production]
[[step]]
id = "one"
timeout = "60m"
apply = ["tools/run.sh"]
check = ["tools/run.sh", "--check"]
undo = { none = "nothing is changed" }
"""


def test_what_is_made_while_a_kit_is_built_is_described_as_it_is_carried(place: Path) -> None:
    """A packed tree and a runbook are nowhere on the disk as the kit has them."""
    (place / "tree/empty").mkdir(parents=True)
    (place / "tree/link").symlink_to("empty")
    (place / "tree/file").write_bytes(b"x" * 3_000_000)  # the archive is read in parts
    (place / "tools/run.sh").chmod(0o755)
    (place / "runbook.toml").write_text(RUNBOOK)
    made = """
[[component]]
id = "packed"
version = "1"
path = "packed"
lands = "here"
[[component.source]]
dir = "tree"
pack = "tar"

[[component]]
id = "runbook"
version = "1"
path = "runbook"
lands = "here"
[[component.source]]
runbook = "runbook.toml"
"""
    (place / "kit.toml").write_text(SPEC + made)
    status, output = run(place / "kit.toml")
    assert status == 0, output
    spec = load_spec(place / "kit.toml")
    built = build(spec, [load_root(str(ROOT_FILE))], place, Options())
    assert built.coverage is not None
    assert run("--check", place / "kit.toml")[0] == 0


def test_the_document_does_not_depend_on_the_host(place: Path, tmp_path: Path) -> None:
    run(place / "kit.toml")
    first = (place / "sboms/tools.cdx.json").read_bytes()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in sorted((path.name for path in (place / "tools").iterdir()), reverse=True):
        (moved / "tools").mkdir(exist_ok=True)
        (moved / "tools" / name).write_bytes((place / "tools" / name).read_bytes())
    (moved / "kit.toml").write_text(SPEC)
    run(moved / "kit.toml")
    assert (moved / "sboms/tools.cdx.json").read_bytes() == first


def test_the_spec_keeps_what_its_author_wrote(place: Path) -> None:
    run(place / "kit.toml")
    text = (place / "kit.toml").read_text()
    assert text == f'{SPEC}\n[[sbom]]\nfile = "sboms/tools.cdx.json"\n'
    assert len(collect(load_spec(place / "kit.toml")).evidence) == 1


@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_merge_makes_one_good_document_of_all(place: Path, form: str) -> None:
    run(place / "kit.toml")
    out = place / "all.json"
    assert run("merge", place / "kit.toml", "--format", form, "--out", out)[0] == 0
    data = out.read_bytes()
    checked = check_sbom(data, "x", for_kit=True)
    assert [error.code for error in checked.errors] == []
    assert checked.notes == ()
    merged = parse_sbom(data)
    assert [element.name for element in merged.described()] == ["demo"]
    ours = parse_sbom((place / "sboms/tools.cdx.json").read_bytes())
    assert {one.sha256 for one in ours.elements} <= {one.sha256 for one in merged.elements}
    assert "pkg:pypi/a@1" in {one.purl for one in merged.elements}
    run("merge", place / "kit.toml", "--format", form, "--out", out)
    assert out.read_bytes() == data


def test_merge_keeps_what_needs_what(place: Path) -> None:
    run(place / "kit.toml")
    status, output = run("merge", place / "kit.toml", "--format", "spdx")
    assert status == 0
    value = json.loads(output)
    names = {one["SPDXID"]: one["name"] for one in value["packages"]}
    pairs = {
        (names.get(one["spdxElementId"]), names.get(one["relatedSpdxElement"]))
        for one in value["relationships"]
    }
    assert {("demo", "tools"), ("a", "b")} <= pairs


def test_a_folder_that_is_a_file_is_said_and_no_traceback(place: Path) -> None:
    (place / "sboms").write_text("in the way")
    status, output = run(place / "kit.toml")
    assert status == 3
    assert "output-unwritable" in output


def test_merge_of_nothing_is_refused(place: Path) -> None:
    status, output = run("merge", place / "kit.toml")
    assert status == 2
    assert "sbom-none" in output


def test_a_word_that_is_no_command_is_a_spec(place: Path) -> None:
    status, output = run(place / "none.toml")
    assert status == 2
    assert "spec-missing" in output
