"""`list` and `diff` of both programs: every member once, and in large before in small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator

from kit import cli as kit_cli
from kit.review.pack import make_pack
from tests.support.longlists import big, long_index
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit
from verifier import cli as verifier_cli
from verifier.show.diff import compare, members
from verifier.show.difftext import MAX_SHOWN, text

SCHEMA = json.loads((REPOSITORY / "manifests" / "schema" / "report.v1.json").read_text("utf-8"))
PIN = ["--root", os.fspath(ROOT_FILE)]
FILES = {
    "tools/bin/run": b"#!/bin/sh\n",
    "tools/doc/a b.txt": b"text",
    "tools/doc/c.txt": b"more",
    "data/x.whl": b"wheel",
    "data/y.deb": b"package",
}
LATER = {
    "tools/bin/run": b"#!/bin/sh\n",
    "tools/doc/a b.txt": b"other text",
    "data/x.whl": b"wheel",
    "data/deep/z.whl": b"new",
    "more/it": b"a component",
}

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Pair:
    """Two kits and the review pack of the later one."""

    old: Made
    new: Made
    pack: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    place = tmp_path_factory.mktemp("pair")
    old = make_kit(place / "old", FILES, ("tools/bin/run",))
    new = make_kit(place / "new", LATER, ())
    return Pair(old, new, make_pack(new.path, place).path)


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str | Path) -> tuple[int, str, str]:
        status = verifier_cli.main([os.fspath(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def offline_kit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["offline-kit", *[os.fspath(word) for word in words]])
        with pytest.raises(SystemExit) as ended:
            kit_cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


# --- list ----------------------------------------------------------------------------------------


def test_list_as_json_has_every_member(pair: Pair, verify: Run) -> None:
    status, out, _ = verify("list", pair.old.path, *PIN, "--json")
    value = json.loads(out)
    assert status == 0
    assert [e.message for e in Draft202012Validator(SCHEMA).iter_errors(value)] == []
    entries = {item["path"]: item for item in value["entries"]}
    assert len(entries) == len(value["entries"]) == value["members"]["count"]
    run = entries["tools/bin/run"]
    assert (run["mode"], run["component"], run["class"]) == ("0755", "tools", "data")
    assert entries["README.txt"]["component"] is None
    for path, data in FILES.items():
        assert entries[path]["size"] == len(data)
        digest = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout
        assert entries[path]["sha256"] == digest[:64].decode()


def test_the_long_form_has_what_json_has(pair: Pair, verify: Run) -> None:
    entries = json.loads(verify("list", pair.old.path, *PIN, "--json")[1])["entries"]
    lines = verify("list", pair.old.path, *PIN, "--long")[1].splitlines()
    for item, line in zip(entries, lines, strict=True):
        digest, mode, size, kind, component, path = line.split(maxsplit=5)
        assert (digest, mode, int(size)) == (item["sha256"], item["mode"], item["size"])
        assert (kind, component) == (item["class"], item["component"] or "-")
        assert path == item["path"]


WANTED: list[tuple[Sequence[str], list[str]]] = [
    (["--component", "tools"], ["tools/bin/run", "tools/doc/a b.txt", "tools/doc/c.txt"]),
    (["--match", "*.whl"], ["data/x.whl"]),
    (["--match", "*.whl", "--match", "*.deb"], ["data/x.whl", "data/y.deb"]),
    (["--component", "tools", "--match", "*.txt"], ["tools/doc/a b.txt", "tools/doc/c.txt"]),
    (["--component", "tools", "--match", "*.whl"], []),
    (["--match", "SHA256SUMS*"], ["SHA256SUMS", "SHA256SUMS.sig"]),
    (["--match", "sha256sums"], []),
]


@pytest.mark.parametrize(("words", "paths"), WANTED, ids=[" ".join(w) for w, _ in WANTED])
def test_a_list_can_be_filtered(
    pair: Pair, verify: Run, words: Sequence[str], paths: list[str]
) -> None:
    status, out, _ = verify("list", pair.old.path, *PIN, *words)
    assert (status, [line.split(maxsplit=2)[2] for line in out.splitlines()]) == (0, paths)
    value = json.loads(verify("list", pair.old.path, *PIN, *words, "--json")[1])
    assert [item["path"] for item in value["entries"]] == paths


def test_a_component_that_is_not_there_is_a_mistake(pair: Pair, verify: Run) -> None:
    for more in ([], ["--json"]):
        status, out, err = verify("list", pair.old.path, *PIN, "--component", "tool", *more)
        assert (status, out, err.split(":")[0]) == (2, "", "error[no-such-member]")


# --- diff ----------------------------------------------------------------------------------------

TEXT = """\
kit:
  ! the sequence is not higher: a host that has the old kit refuses the new one

root of trust: the same

components:
  ~ data '1' (the same version): 1 added, 1 removed, 10 bytes
      'data/': 1 removed, 7 bytes
      'data/deep/': 1 added, 3 bytes
  ~ tools '1' (the same version): 1 removed, 2 changed, 24 bytes
      'tools/bin/': 1 changed, 10 bytes
      'tools/doc/': 1 removed, 1 changed, 14 bytes
  + more '1': 1 added, 11 bytes, lands '/opt/more', in 'more'
      'more/': 1 added, 11 bytes

exemptions: the same

requires: the same

primary artifacts: the same

of the kit itself:
  evidence: 2 changed, {own} bytes

members of components:
  + 'data/deep/z.whl': 3 bytes
  - 'data/y.deb': 7 bytes
  + 'more/it': 11 bytes
  ~ 'tools/bin/run': 10 bytes, no longer executable, the same contents
  ~ 'tools/doc/a b.txt': 4 -> 10 bytes, other contents
  - 'tools/doc/c.txt': 4 bytes

in all: 2 added, 2 removed, 4 changed, {all} bytes
"""


def expected(pair: Pair, verify: Run) -> str:
    """Return what a difference says; provenance and index of the evidence are always others."""
    listed = json.loads(verify("list", pair.new.path, *PIN, "--json")[1])["entries"]
    own = sum(item["size"] for item in listed if item["class"] == "evidence")
    return TEXT.format(own=own, all=own + 45)


CONTENTS = (
    "\nimages, packages of SBOMs, licences, vulnerabilities, attesters, not described by an SBOM: "
    "the same\n"
)


def test_both_programs_say_the_same(pair: Pair, verify: Run, offline_kit: Run) -> None:
    status, out, _ = verify("diff", pair.old.path, pair.new.path, *PIN)
    assert (status, out.split("\n\n", 1)[1]) == (0, expected(pair, verify) + CONTENTS)
    assert offline_kit("diff", pair.old.path, pair.new.path) == (0, out, "")
    # the directory of a release is as good as the kit
    assert verify("diff", pair.old.directory, pair.new.directory, *PIN)[1] == out
    # and so is a review pack, but for the contents
    lists = f"{out[: -len(CONTENTS)]}\ncontents: not compared: a review pack has no contents\n"
    assert offline_kit("diff", pair.old.directory, pair.pack)[1] == lists
    assert verify("diff", pair.old.directory, pair.pack, *PIN) == (0, lists, "")


def test_the_difference_as_json_has_every_member(pair: Pair, verify: Run, offline_kit: Run) -> None:
    out = verify("diff", pair.old.path, pair.new.path, *PIN, "--json")[1]
    assert offline_kit("diff", pair.old.path, pair.new.path, "--json")[1] == out
    value = json.loads(out)
    del value["total"]["bytes"]  # those of the text
    assert value["total"] == {"added": 2, "removed": 2, "changed": 4}
    assert [item["id"] for item in value["components"]] == ["data", "tools", "more"]
    changes = {item["path"]: item for item in value["members"]}
    assert len([path for path in changes if not path.startswith("evidence/")]) == 6
    assert changes["tools/bin/run"]["old"]["mode"] == "0755"
    assert changes["more/it"]["old"] is None
    assert changes["data/y.deb"]["new"] is None


def test_a_kit_is_the_same_as_itself(pair: Pair, verify: Run) -> None:
    _, out, _ = verify("diff", pair.old.path, pair.old.path, *PIN)
    assert [line for line in out.splitlines() if "the same" not in line and line][4:] == []
    assert "in all: the same members, 0 bytes" in out


def test_a_first_release_is_summarised(pair: Pair, offline_kit: Run) -> None:
    """Not 62 lines about files of the verifier."""
    status, out, _ = offline_kit("diff", pair.old.path)
    assert status == 0
    assert "old: nothing to compare with" in out
    assert "verifier/cli.py" not in out
    assert "  verifier: " in out
    assert "  + tools '1': 3 added, 18 bytes, lands '/opt/tools'" in out
    assert len(out.splitlines()) < 65


NOT_COMPARED: list[tuple[Sequence[str], int, str]] = [
    (["diff", "OLD"], 2, "error[usage]: NEW is missing"),
    (["diff", "OLD", "NEW"], 3, "error[no-root]: "),
    (["diff", "OLD", "missing", *PIN], 3, "error[kit-unreadable]: 'missing'"),
    (["diff", "OLD", "BAD", *PIN], 4, "error[threshold-not-met]: 'BAD'"),
    (["diff", "OLD", ".", *PIN], 3, "error[kit-unreadable]: '.': is a directory with 0 kits"),
]


@pytest.mark.parametrize(("words", "status", "said"), NOT_COMPARED, ids=str)
def test_what_cannot_be_compared_is_named(
    pair: Pair,
    verify: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: Sequence[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = bytearray(pair.old.path.read_bytes())
    at = bad.index(b'"sig":"') + 20
    bad[at] = ord("A") if bad[at] != ord("A") else ord("B")
    (tmp_path / "BAD").write_bytes(bad)
    given = {"OLD": os.fspath(pair.old.path), "NEW": os.fspath(pair.new.path)}
    got, out, err = verify(*(given.get(word, word) for word in words))
    assert (got, out) == (status, "")
    assert err.startswith(said), err


# --- a million -----------------------------------------------------------------------------------


def test_a_difference_is_bounded_whatever_it_is_of() -> None:
    """Thousands of directories, all different: the text has a page, the memory no more."""
    old, new = big(long_index(20_000, 0)), big(long_index(20_000, 20_000))
    lines = list(text(compare(old, new)))
    assert len(lines) < 2 * MAX_SHOWN + 30
    assert "in all: 20000 changed, 20000 bytes" in lines
    assert sum(1 for _ in members(old, new)) == 20_000


GROWTH = """
import resource, sys
sys.path.insert(0, {repository!r})
from tests.support.longlists import big, long_index
from verifier.show.listing import json_text, listed
index = long_index(int(sys.argv[1]), 0)
kit = big(index)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = sum(map(len, json_text({{"a": 1}}, listed(index, kit.manifest))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, size)
"""


@pytest.mark.parametrize("count", [60_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_million_members_are_listed_in_memory_that_does_not_grow(count: int) -> None:
    code = GROWTH.format(repository=os.fspath(REPOSITORY))
    command = [sys.executable, "-c", code, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, size = map(int, done.stdout.split())
    assert size > 150 * count
    assert grown < 8_000 * (1 if sys.platform == "linux" else 1024)  # KiB on Linux
