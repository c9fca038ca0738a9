"""What is different in two kits beyond their lists: images, packages, findings, attesters."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.attesting import attester, key_of
from tests.support.auditing import (
    CVE,
    PROVENANCE,
    PURL,
    TOOL,
    answer,
    cyclonedx,
    dump,
    envelope,
    grype,
    image,
    kit_bytes,
    library,
    openvex,
    sha256,
    statement,
)
from tests.support.hosting import Site, policy
from tests.support.people import ROOT_FILE
from verifier.audit.difference import compare_versions
from verifier.cli import main

OTHER = "CVE-2026-0002"


def layout(*layers: bytes) -> dict[str, bytes]:
    """Return the payload of a kit with a tool and an image."""
    files, _ = image(layers)
    return {"tools/run": TOOL, **{f"images/a/{path}": data for path, data in files.items()}}


def said(*names: str) -> bytes:
    return envelope(statement(PROVENANCE, {}, sha256(TOOL)), *names)


OLD = (
    {
        "sbom/a.json": cyclonedx(
            library("same", "1"),
            library("up", "1.9"),
            library("down", "2.0"),
            library("gone", "1"),
            library("freed", "1", "GPL-3.0-only"),
        ),
        "scan.json": dump(grype((CVE, "High", PURL), (OTHER, "Low", "pkg:deb/debian/x@1"))),
        "said.json": said("alice"),
    },
    layout(b"base", b"old"),
)
NEW = (
    {
        "sbom/a.json": cyclonedx(
            library("same", "1"),
            library("up", "1.10"),
            library("down", "2.0~rc1"),
            library("come", "3"),
            library("freed", "1", "MIT"),
        ),
        "scan.json": dump(grype((CVE, "High", PURL), ("CVE-2026-0003", "Critical", PURL))),
        "vex.json": dump(openvex(answer())),
        "said.json": said("alice", "bob"),
    },
    layout(b"base", b"newer"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("old").write_bytes(kit_bytes(*OLD, kit={"sequence": 1}))
    Path("new").write_bytes(kit_bytes(*NEW, kit={"sequence": 2}))
    return tmp_path


def diff(*words: str) -> int:
    return main(["diff", "old", "new", "--root", os.fspath(ROOT_FILE), *words])


def rows(value: Mapping[str, Any], part: str) -> dict[str, tuple[str, str, str]]:
    """Return the rows of a part: from name to change, old and new."""
    return {row["name"]: (row["change"], row["old"], row["new"]) for row in value["contents"][part]}


def test_each_part_says_what_is_different(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff("--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert rows(value, "packages") == {
        "pkg:generic/come": ("added", "", "3"),
        "pkg:generic/down": ("downgraded", "2.0", "2.0~rc1"),
        "pkg:generic/gone": ("removed", "1", ""),
        "pkg:generic/up": ("upgraded", "1.9", "1.10"),
    }
    assert rows(value, "licences") == {
        "pkg:generic/freed": ("changed", "GPL-3.0-only", "MIT"),
    }
    assert rows(value, "vulnerabilities") == {
        f"{CVE} in zlib1g": ("answered", "open, high", "answered, high"),
        f"{OTHER} in zlib1g": ("gone", "open, low", ""),
        "CVE-2026-0003 in zlib1g": ("new", "", "open, critical"),
    }
    assert rows(value, "attesters") == {f"{PROVENANCE} by bob": ("added", "", "1")}
    ((change, _, now),) = rows(value, "images").values()
    assert change == "changed"
    assert now.endswith(", layers: 1 the same, 1 new (5 bytes), 1 gone")
    assert [row[0] for row in rows(value, "coverage").values()] == ["removed", "added"]


def test_attesters_are_those_whom_the_policy_of_the_host_names(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy names a key, and refuses the line of the kits: they are compared all the same."""
    Path("old").write_bytes(kit_bytes(*OLD, kit={"sequence": 1}))
    papers = {**NEW[0], "said.json": said("alice", "sums")}
    Path("new").write_bytes(kit_bytes(papers, NEW[1], kit={"sequence": 2}))
    named = attester("robot", publicKey=key_of("sums"))
    strict = policy(attesters=[named], otherLines="refuse")
    site = Site(place).pin(policy=strict)
    before = site.files()
    assert main(["diff", "old", "new", "--trust", os.fspath(site.trust), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert rows(value, "attesters") == {f"{PROVENANCE} by robot": ("added", "", "1")}
    assert site.files() == before
    assert diff("--json") == 0  # nobody names that key
    assert rows(json.loads(capsys.readouterr().out), "attesters") == {}


def test_text_and_html_have_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff("--html", "made.html") == 0
    out = capsys.readouterr().out
    page = Path("made.html").read_text("utf-8")
    assert "  ~ pkg:generic/up: 1.9 -> 1.10 (upgraded)\n" in out
    assert f"  ~ {CVE} in zlib1g: open, high -> answered, high (answered)\n" in out
    for word in ("pkg:generic/up", "downgraded", "CVE-2026-0003", "layers: 1 the same"):
        assert word in out
        assert word in page
    assert "<script" not in page


@pytest.mark.parametrize("name", ["old", "new", "none/x"])
def test_html_replaces_no_kit(name: str, place: Path) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert diff("--html", name) == 2
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_evidence_that_is_not_what_was_signed_is_not_compared(place: Path) -> None:
    data = bytearray(Path("new").read_bytes())
    at = data.index(b"GHSA-CVE-2026-0003")
    data[at] ^= 1
    Path("new").write_bytes(data)
    assert diff() == 4


ORDERED = ["1.0~rc1", "1.0a", "1.0rc1", "1.0", "1.0.1", "1.0.1-1", "1.2", "1.10", "2", "10.0"]


def test_versions_are_ordered_as_people_do() -> None:
    for i, one in enumerate(ORDERED):
        for j, other in enumerate(ORDERED):
            assert compare_versions(one, other) == (i > j) - (i < j), (one, other)
    assert compare_versions("1.0", "1-0") == 0
    assert compare_versions("9" * 10_000, "1") == 1
