"""The LNM kit source: its spec, its programs as files, its image, its SBOMs."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.lnm import generated, make_runner_image, make_sbom
from kit.sources.collect import Collection, collect
from kit.spec import load_spec
from tests.unit.lnm import BUNDLES, LAYOUT, LNM, SPEC, load

SEEDS = sorted((LNM / "seeds" / "object-store").glob("*.py"))
ROLLOUT = sorted((LNM / "rollout").glob("*.py"))
PROGRAMS = [*ROLLOUT, *SEEDS, *sorted(BUNDLES.glob("*/*.py")), LNM / "runner" / "run.py"]
RUNNABLE = [path for path in PROGRAMS if path.read_bytes().startswith(b"#!")]
IN_IMAGE = [path for path in RUNNABLE if path not in (*ROLLOUT, *SEEDS)]
common = load("migrations/21-101", "lnm_common")
runner = load("runner", "run")
Exit = common.Exit


# --- generated files and the spec -------------------------------------------------------------


@pytest.mark.parametrize("script", ["make_packages.py", "make_runner_image.py", "make_sbom.py"])
def test_generated_files_are_what_their_generator_makes_now(script: str, tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(LNM / script), "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_generator_names_what_is_missing_different_or_left_over(tmp_path: Path) -> None:
    files = {"a/1": b"one", "a/2": b"two"}
    generated.write(tmp_path, files, ["a"])
    assert generated.differences(tmp_path, files, ["a"]) == []
    (tmp_path / "a/1").write_bytes(b"One")
    (tmp_path / "a/2").unlink()
    (tmp_path / "a/3").write_bytes(b"")
    found = generated.differences(tmp_path, files, ["a"])
    assert found == ["a/1 differs", "a/2 is missing", "a/3 is left over"]
    generated.write(tmp_path, files, ["a"])
    assert generated.differences(tmp_path, files, ["a"]) == []


def contents(collection: Collection) -> dict[str, Path]:
    """Return where each member comes from, by its path in the kit."""
    return {
        collection.path(i).decode(): Path(os.fsdecode(collection.source(i)))
        for i in range(len(collection))
    }


def test_kit_carries_the_release_plan() -> None:
    spec = load_spec(SPEC)
    assert [component.path for component in spec.components][:4] == [
        "migrations/21-101",
        "migrations/21-102",
        "seeds/object-store",
        "images/migration-runner",
    ]
    assert spec.components[2].placeholder
    members = contents(collect(spec).data)
    assert "seeds/object-store/README.md" in members
    assert [name for name in members if "cache" in name or name.endswith(".pyc")] == []
    evidence = contents(collect(spec).evidence)
    assert sorted(evidence) == [
        "evidence/sbom/packages.spdx.json",
        "evidence/sbom/runner.spdx.json",
        "evidence/sbom/tooling.spdx.json",
    ]


def test_exemptions_name_members_that_exist() -> None:
    spec = load_spec(SPEC)
    exempt = [path for exemption in spec.exemptions for path in exemption.paths]
    assert set(exempt) <= set(contents(collect(spec).data))


def test_files_that_other_tools_damage_are_as_they_were_made() -> None:
    script = (LNM / "notes/windows/run-migrations.cmd").read_bytes()
    assert script.count(b"\n") == script.count(b"\r\n") > 10
    assert not (LNM / "notes/release-id.txt").read_bytes().endswith(b"\n")
    template = (LNM / "notes/kubernetes/migration-job.yaml.tpl").read_bytes()
    assert b"{{ .Values.step | quote }}" in template
    assert b"$(LNM_DATABASE)" in template
    assert (LNM / "notes/operator notes~.txt").is_file()
    assert b"* -text" in (LNM / ".gitattributes").read_bytes()


def test_fixture_is_small() -> None:
    files = [path for path in LNM.rglob("*") if path.is_file() and "cache" not in path.as_posix()]
    assert sum(path.stat().st_size for path in files) < 1_000_000


# --- programs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_program_is_python_3_9(path: Path) -> None:
    source = path.read_text("utf-8")
    ast.parse(source, feature_version=(3, 9))
    assert "from __future__ import annotations" in source
    assert os.access(path, os.X_OK) == source.startswith("#!")


def python_3_9() -> str:
    for path in [shutil.which("python3.9"), *Path.home().glob(".pyenv/versions/3.9.*/bin/python")]:
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return str(path)
    pytest.skip("not run: python3.9 is not installed")


@pytest.mark.parametrize(
    "path",
    [*RUNNABLE[:2], *(pytest.param(path, marks=pytest.mark.long) for path in RUNNABLE[2:-1])],
    ids=lambda path: path.name,
)
def test_program_runs_on_a_real_3_9_without_pymongo(path: Path) -> None:
    command = [python_3_9(), "-B", "-S", str(path), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("LNM( 21-10[1-3])?: ", done.stdout)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("21-101/ensure_sharding_and_ttl.py", []),
        ("21-102/backfill.py", ["--run-id", "r"]),
        ("21-102/rollback.py", ["--run-id", "r"]),
    ],
)
def test_program_without_driver_says_so(program: str, arguments: list[str]) -> None:
    command = [sys.executable, "-B", "-S", str(LNM / "migrations" / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == Exit.UNAVAILABLE
    assert done.stderr == "error: pymongo 4.3 or newer is not installed for this Python\n"


@pytest.mark.parametrize("arguments", [["--run-id", "../x"], ["--run-id", "r", "--batch-size=0"]])
@pytest.mark.parametrize("program", ["backfill", "rollback"])
def test_mistake_on_the_command_line_is_found_before_connecting(
    program: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = load("migrations/21-102", program).main(arguments)
    said = capsys.readouterr()
    assert (status, said.out) == (Exit.USAGE, "")
    assert said.err.startswith("error: ")


def test_programs_share_their_common_module_byte_for_byte() -> None:
    copies = {path.read_bytes() for path in LNM.glob("**/lnm_common.py")}
    assert len(copies) == 1


def test_runner_becomes_the_program_of_a_step(tmp_path: Path) -> None:
    assert runner.command(LNM, ["21-102", "--dry-run"])[1:] == [
        str(LNM / "migrations/21-102/backfill.py"),
        "--dry-run",
    ]
    with pytest.raises(LookupError):
        runner.command(LNM, ["21-103"])
    with pytest.raises(FileNotFoundError):
        runner.command(tmp_path, ["21-101"])


# --- reports ----------------------------------------------------------------------------------


def test_report_hash_depends_on_the_facts_alone() -> None:
    first = json.loads(common.report_bytes({"b": 1, "a": [2]}, {"durationMs": 1}))
    second = json.loads(common.report_bytes({"a": [2], "b": 1}, {"durationMs": 99}))
    other = json.loads(common.report_bytes({"a": [2], "b": 2}, {"durationMs": 1}))
    assert first["factsSha256"] == second["factsSha256"] != other["factsSha256"]
    assert first["factsSha256"] == hashlib.sha256(b'{"a":[2],"b":1}').hexdigest()


def test_printed_hash_is_the_hash_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report.json"
    common.emit_report(common.report_bytes({"a": 1}, {}), str(target))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{digest}  {target}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


# --- the image --------------------------------------------------------------------------------


def blob(descriptor: Mapping[str, Any]) -> bytes:
    """Return a blob that has the digest and the size of its descriptor."""
    algorithm, digest = str(descriptor["digest"]).split(":")
    data = (LAYOUT / "blobs" / algorithm / digest).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, descriptor["size"])
    return data


def image() -> tuple[str, dict[str, Any], dict[str, Any], bytes]:
    """Return the manifest's digest, the manifest, the configuration and the layer."""
    [entry] = json.loads((LAYOUT / "index.json").read_bytes())["manifests"]
    manifest: dict[str, Any] = json.loads(blob(entry))
    [layer] = manifest["layers"]
    return (
        entry["digest"].split(":")[1],
        manifest,
        json.loads(blob(manifest["config"])),
        blob(layer),
    )


def layer_files() -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(image()[3]), mode="r:") as archive:
        members = [(member, archive.extractfile(member)) for member in archive.getmembers()]
        return {m.name: (m, stream.read()) for m, stream in members if stream is not None}


def test_layout_is_consistent_and_pinned() -> None:
    digest, manifest, configuration, layer = image()
    assert json.loads((LAYOUT / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    named = {digest, *(d["digest"][7:] for d in (manifest["config"], *manifest["layers"]))}
    assert {path.name for path in (LAYOUT / "blobs/sha256").iterdir()} == named
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    pins = {component.id: component.version for component in load_spec(SPEC).components}
    assert pins["runner-image"] == digest


def test_image_holds_the_programs_of_the_kit() -> None:
    files = {name: data for name, (_, data) in layer_files().items()}
    loose = {
        f"opt/lnm/{path.relative_to(LNM).as_posix()}": path.read_bytes()
        for path in LNM.glob("migrations/*/*")
        if path.is_file()
    }
    assert files == {"opt/lnm/run.py": (LNM / "runner/run.py").read_bytes(), **loose}
    entry = image()[2]["config"]["Entrypoint"]
    assert entry[1].removeprefix("/") in files


@pytest.mark.parametrize("interpreter", [lambda: sys.executable, python_3_9], ids=["this", "3.9"])
def test_image_runs_on_a_python_below_it(interpreter: Callable[[], str], tmp_path: Path) -> None:
    for name, (_, data) in layer_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    command = [interpreter(), "-B", "-S", str(tmp_path / "opt/lnm/run.py")]
    done = subprocess.run([*command, "list"], capture_output=True, text=True)
    sha256 = hashlib.sha256((BUNDLES / "21-102/backfill.py").read_bytes()).hexdigest()
    assert f"21-102  {sha256}  migrations/21-102/backfill.py" in done.stdout.splitlines()
    done = subprocess.run([*command, "21-102", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:18]) == (0, "usage: backfill.py")
    done = subprocess.run([*command, "21-103"], capture_output=True, text=True)
    assert done.returncode == Exit.USAGE
    (tmp_path / "opt/lnm/migrations/21-102/backfill.py").unlink()
    done = subprocess.run([*command, "list"], capture_output=True, text=True)
    assert (done.returncode, "is missing from this image" in done.stderr) == (3, True)


def test_layer_has_nothing_of_the_host_it_was_made_on() -> None:
    with tarfile.open(fileobj=io.BytesIO(image()[3]), mode="r:") as archive:
        members = archive.getmembers()
    for member in members:
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == load_spec(SPEC).kit.created.timestamp()
        assert member.mode in (0o644, 0o755)
    kinds = [(not member.isdir(), member.name) for member in members]
    assert kinds == sorted(kinds)
    programs = {name for name, (member, _) in layer_files().items() if member.mode == 0o755}
    assert programs == {f"opt/lnm/{p.relative_to(LNM)}" for p in IN_IMAGE[:-1]} | {"opt/lnm/run.py"}


def test_layer_refuses_a_name_that_it_cannot_hold() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        make_runner_image.layer({"a" * 101: b""})


def test_pin_is_replaced_once_or_not_at_all() -> None:
    spec = SPEC.read_bytes()
    assert make_runner_image.pinned(spec, image()[0]) == spec
    with pytest.raises(ValueError, match="0 times"):
        make_runner_image.pinned(b'version = "1"\n', "0" * 64)


# --- the SBOMs --------------------------------------------------------------------------------


def sbom(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((LNM / "sboms" / name).read_bytes())
    return document


def listed(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the checksums of each file that a document lists."""
    files = {
        entry["fileName"].removeprefix("./"): {
            c["algorithm"]: c["checksumValue"] for c in entry["checksums"]
        }
        for entry in document["files"]
    }
    assert len(files) == len(document["files"])
    return files


def checksums(data: bytes) -> dict[str, str]:
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return {"SHA1": sha1, "SHA256": hashlib.sha256(data).hexdigest()}


def test_sbom_of_the_runner_lists_the_files_of_the_image_and_no_other() -> None:
    document = sbom("runner.spdx.json")
    expected = {name: checksums(data) for name, (_, data) in layer_files().items()}
    assert listed(document) == expected
    [package] = [p for p in document["packages"] if p["filesAnalyzed"]]
    assert package["checksums"] == [{"algorithm": "SHA256", "checksumValue": image()[0]}]
    assert package["packageFileName"].endswith(image()[0])


def test_sbom_of_the_tooling_lists_all_that_is_no_package_image_or_exempt() -> None:
    spec = load_spec(SPEC)
    exempt = {path for exemption in spec.exemptions for path in exemption.paths}
    members = contents(collect(spec).data)
    expected = {
        name: checksums(path.read_bytes())
        for name, path in members.items()
        if not name.startswith(("images/", "packages/")) and name not in exempt
    }
    assert listed(sbom("tooling.spdx.json")) == expected


@pytest.mark.parametrize("name", ["runner.spdx.json", "tooling.spdx.json"])
def test_sbom_is_spdx_2_3(name: str) -> None:
    document = sbom(name)
    assert (document["spdxVersion"], document["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert document["documentNamespace"].startswith("https://")
    assert document["creationInfo"]["created"] == load_spec(SPEC).kit.created.strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    elements = [document, *document["packages"], *document["files"]]
    ids = [element["SPDXID"] for element in elements]
    assert len(set(ids)) == len(ids)
    assert all(i.startswith("SPDXRef-") and i.replace("-", "").isalnum() for i in ids)
    relations = {
        (r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"])
        for r in document["relationships"]
    }
    assert {end for source, _, target in relations for end in (source, target)} == set(ids)
    [described] = [target for _, kind, target in relations if kind == "DESCRIBES"]
    contained = {
        target for source, kind, target in relations if (source, kind) == (described, "CONTAINS")
    }
    assert contained == {entry["SPDXID"] for entry in document["files"]}
    for package in document["packages"]:
        assert {"name", "downloadLocation", "filesAnalyzed"} <= set(package)
        assert package["filesAnalyzed"] == (package["SPDXID"] == described)
    [package] = [p for p in document["packages"] if p["SPDXID"] == described]
    joined = "".join(sorted(entry["SHA1"] for entry in listed(document).values()))
    code = hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()
    assert package["packageVerificationCode"] == {"packageVerificationCodeValue": code}


def test_namespace_changes_with_the_contents() -> None:
    package = {"SPDXID": "SPDXRef-Package-a"}
    first, second = (json.loads(make_sbom.document("a", package, {"f": d})) for d in (b"1", b"2"))
    assert first["documentNamespace"] != second["documentNamespace"]


def test_damaged_blob_is_not_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "blobs" / "sha256" / ("0" * 64)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"x")
    monkeypatch.setattr(make_sbom, "LAYOUT", tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        make_sbom.blob("sha256:" + "0" * 64)
