"""Every vector of `fixtures/vectors`, in each way in which a kit can be read."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases.every import every_case
from tests.support.compiled import kit_verify
from tests.support.judging import MemorySource, Verdict, decoder, judge, pinned
from tests.support.people import ROOT_FILE
from tests.support.vector import HEAD, VECTORS, load_expected, load_kit
from tests.support.warm import warm
from verifier.catch import Catching
from verifier.core.errors import RootInvalid, all_errors
from verifier.core.members import Decoder
from verifier.core.pipeline import Expectation, Job, Opened, prove
from verifier.core.trust import Root, parse_root
from verifier.decoders import FINDERS, PythonDecoder, Seconded
from verifier.evidence.components import component_digest
from verifier.evidence.kinds import errors as kind_errors
from verifier.kindjudge import KindJudge
from verifier.rootfile import load_root
from verifier.run import parse_expectation, run
from verifier.show.report import Report, make_report

FORMAT = Path(__file__).resolve().parents[2] / "manifests" / "FORMAT.md"
NAMES = sorted(path.name for path in VECTORS.iterdir() if path.is_dir())
GOOD = [name for name in NAMES if not name.endswith("_fail")]
ABOUT_RUNS = {"5.7", "12.4", "12.6"}  # how much work, through pipes, and a table: tested below
CORE_ERRORS = "verifier.core.errors"
ABOUT_HOSTS = {
    *("target-exists", "target-busy", "target-unwritable", "disk-full", "output-lost"),
    *("kit-unreadable", "kit-changed", "standing-nowhere", "no-such-member"),
    *("openssl-failed", "openssl-disagrees"),
    *("target-exposed", "target-exchanged", "file-too-large", "writes-lost"),
}
ABOUT_OTHER_FILES = ("14", "15", "16", "18")  # about files that no verifier of a kit must read


class Vector:
    """A vector as somebody else finds it: by its files alone."""

    def __init__(self, name: str) -> None:
        self.directory = VECTORS / name
        self.expected = load_expected(self.directory)
        self.kit = load_kit(self.directory)

    @property
    def root_file(self) -> Path | None:
        """The root to pin."""
        place = self.expected["root"]
        return None if place is None else (self.directory / place).resolve()

    @property
    def root(self) -> Root | None:
        """The root to pin, parsed."""
        if self.root_file is None:
            return None
        return pinned() if self.root_file == ROOT_FILE else parse_root(self.root_file.read_bytes())

    @property
    def expect(self) -> Expectation:
        """What `--expect` says."""
        arguments = dict([self.expected["args"]] if self.expected["args"] else [])
        value = arguments.pop("--expect", "")
        assert not arguments, "teach this test the new option"
        return parse_expectation(value) if value else Expectation()

    def judge(self, **job: Any) -> Verdict:
        """Have the verifier prove it in memory."""
        try:
            root = self.root
        except RootInvalid as error:  # before any kit is opened
            report = make_report(Job(), Opened(), error)
            return Verdict(int(error.status), error.code, error, Opened(), report)
        return judge(self.kit, root=root, pin=root is not None, expect=self.expect, **job)

    def outcome(self, way: str = "") -> tuple[int, str]:
        """Return exit status and code in one way of reading."""
        value = self.expected.get(way, self.expected)
        return value["exitStatus"], value["code"] or ""


def shown(report: Report) -> str:
    if report.kit is None:
        return "nothing"
    return "kit" if report.authenticated else "claims"


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str, tmp_path: Path) -> None:
    vector = Vector(name)
    from_a_file(vector)
    from_a_pipe(vector)
    read_quickly(vector)
    extracted(vector, tmp_path)


def from_a_file(vector: Vector) -> None:
    assert hashlib.sha256(vector.kit).hexdigest() == vector.expected["kitSha256"]
    verdict = vector.judge(workers=2)
    assert (verdict.status, verdict.code) == vector.outcome()
    assert shown(verdict.report) == vector.expected["shown"]
    if verdict.status == 0:
        assert verdict.opened.kit_id == vector.expected["kitId"]
        assert verdict.opened.content_id == vector.expected["contentId"]
        assert verdict.opened.index is not None
        assert verdict.opened.manifest is not None
        assert vector.expected["components"] == {
            item.id: component_digest(verdict.opened.index, item)
            for item in verdict.opened.manifest.components
        }


def from_a_pipe(vector: Vector) -> None:
    verdict = vector.judge(pipe=True)
    assert (verdict.status, verdict.code) == vector.outcome("pipe")


def read_quickly(vector: Vector) -> None:
    verdict = vector.judge(quick=True)
    assert (verdict.status, verdict.code) == vector.outcome("quick")
    decodes = any("decode to the index" in line for line in verdict.report.not_checked)
    assert decodes == (verdict.status == 0), "what is not checked is said"


def extracted(vector: Vector, tmp_path: Path) -> None:
    if vector.expected["code"] == RootInvalid.code:
        with pytest.raises(RootInvalid):
            load_root(str(vector.root_file))
        return
    kit = tmp_path / "kit.tar.zst"
    kit.write_bytes(vector.kit)
    job = Job(root=vector.root, expect=vector.expect)
    report = run(str(kit), job, extract=str(tmp_path / "out"))
    assert int(report.status) == vector.expected["exitStatus"]
    if vector.expected["exitStatus"]:
        assert [path.name for path in tmp_path.iterdir()] == ["kit.tar.zst"]
        return
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert set(HEAD) <= set(found)
    assert vector.expected["released"] == [
        {
            "path": name,
            "mode": f"{path.stat().st_mode & 0o7777:04o}",
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for name, path in sorted(found.items())
        if name not in HEAD
    ]


KINDS = [name for name in NAMES if name.startswith("kind_")]


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_judged_after_the_verdict(name: str) -> None:
    vector = Vector(name)
    for pipe in (False, True):
        job = Job(root=pinned(), make_decoder=decoder(), workers=2)
        opened, catching = Opened(), Catching(job, [KindJudge(sha512=True)])
        prove(MemorySource(vector.kit, sequential=pipe), job, opened)
        found = catching.judge(opened)
        assert [fault.code for fault in found] == vector.expected["kinds"], [*map(str, found)]
        assert all(fault.where.startswith("component 'c'") for fault in found)


def test_every_code_of_a_kind_has_a_vector() -> None:
    codes = {code for name in KINDS for code in Vector(name).expected["kinds"]}
    raised = {error.code for error in all_errors() if error.__module__ == kind_errors.__name__}
    assert codes == raised


def decoders() -> dict[str, Callable[[], Decoder]]:
    """Return every decoder of this host, and the one of Python 3.14 where its module is there."""
    found = {name: finder() for name, finder in FINDERS.items()}
    if importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd"):
        module = importlib.import_module("backports.zstd")
        found["backports.zstd"] = lambda: Seconded(PythonDecoder(module))
    return {name: make for name, make in found.items() if make is not None}


COMPRESSED = [name for name in NAMES if name.startswith(("zstd_", "frame_", "stored_", "built_"))]


@pytest.mark.parametrize("decoder", sorted(decoders()))
def test_verdict_does_not_depend_on_the_decoder(decoder: str) -> None:
    for name in COMPRESSED:
        vector = Vector(name)
        verdict = vector.judge(make_decoder=decoders()[decoder])
        assert (verdict.status, verdict.code) == vector.outcome(), name


def test_kit_without_a_decoder_is_undecided() -> None:
    verdict = Vector("built_zstd").judge(make_decoder=None)
    assert (verdict.status, verdict.code) == (3, "decoder-missing")
    assert "--quick" in str(verdict.error)
    assert Vector("built_zstd").judge(make_decoder=None, quick=True).status == 0
    assert Vector("built_store").judge(make_decoder=None).status == 0


@functools.cache
def one_of_each_code() -> list[str]:
    """Return a vector for each exit status and code, and for each way to be good."""
    seen: dict[object, str] = {}
    for name in NAMES:
        expected = load_expected(VECTORS / name)
        key = expected["code"], expected["root"] is None, bool(expected["args"])
        seen.setdefault(key, name)
    return sorted(seen.values())


@pytest.mark.parametrize("name", one_of_each_code())
def test_vector_with_the_shipped_program(name: str, tmp_path: Path) -> None:
    vector = Vector(name)
    kit = tmp_path / "kit.tar.zst"
    kit.write_bytes(vector.kit)
    command = ["verify", "--json", *vector.expected["args"]]
    if vector.root_file is not None:
        command += ["--root", str(vector.root_file)]
    for argument, data, way in ((str(kit), b"", ""), ("-", vector.kit, "pipe")):
        done = warm(kit_verify()).run([*command, argument], piped=data)
        if vector.expected["code"] == RootInvalid.code:  # no kit was opened: nothing to report
            assert (done.returncode, done.stdout) == (2, b"")
            assert done.stderr.startswith(b"error[root-invalid]")
            continue
        report = json.loads(done.stdout)
        codes = [finding["code"] for finding in report["findings"]]
        status, code = vector.outcome(way)
        assert (done.returncode, codes) == (status, [code] if code else [])
        assert report["verdict"] == vector.expected["verdict"]
        assert done.stderr == b""
    assert [path.name for path in tmp_path.iterdir()] == ["kit.tar.zst"]


def test_vectors_are_those_that_are_generated() -> None:
    assert list(every_case()) == NAMES, "run fixtures/generate.py --write"


def test_every_rule_of_the_format_has_a_vector() -> None:
    rules = set(re.findall(r"^([0-9]+\.[0-9]+) ", FORMAT.read_text("utf-8"), re.MULTILINE))
    rules = {rule for rule in rules if rule.split(".")[0] not in ABOUT_OTHER_FILES}
    assert len(rules) > 50
    about = {rule for case in every_case().values() for rule in case.rules}
    assert rules - about == ABOUT_RUNS


def codes_of_the_format() -> dict[str, tuple[str, str]]:
    """Return verdict and rules of each code from the table of FORMAT 12.6."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", FORMAT.read_text("utf-8"), re.M)
    return {code: (verdict, rules) for code, verdict, rules in rows}


def covers(rules: str, rule: str) -> bool:
    """Whether a text like "3, 4.1 to 4.3" names a rule or its chapter."""
    numbers = [tuple(map(int, n.split("."))) for n in re.findall(r"\d+(?:\.\d+)?", rules)]
    wanted = tuple(map(int, rule.split(".")))
    ranges = re.findall(r"(\d+)\.(\d+) to \d+\.(\d+)", rules)
    return any(wanted[: len(n)] == n for n in numbers) or any(
        wanted[0] == int(a) and int(b) <= wanted[1] <= int(c) for a, b, c in ranges
    )


def test_table_of_codes_is_that_of_the_vectors() -> None:
    table = codes_of_the_format()
    seen: set[str] = set()
    for name in NAMES:
        expected = load_expected(VECTORS / name)
        for outcome in (expected, expected.get("quick", {}), expected.get("pipe", {})):
            if outcome.get("code") is not None:
                seen.add(outcome["code"])
                assert table[outcome["code"]][0] == outcome["verdict"], name
        if expected["code"] is not None:
            rules = table[expected["code"]][1]
            assert any(covers(rules, rule) for rule in expected["rules"]), (name, rules)
    assert seen == set(table)


def test_table_of_codes_is_that_of_the_errors() -> None:
    """Of the core; what it lacks is not about kits."""
    table = codes_of_the_format()
    raised = {error.code: error for error in all_errors() if error.__module__ == CORE_ERRORS}
    assert {code: table[code][0] for code in table} == {
        code: raised[code].status.name.lower() for code in table
    }
    assert raised.keys() - table.keys() == ABOUT_HOSTS


def test_good_and_bad_are_told_by_their_names() -> None:
    for name in NAMES:
        expected = load_expected(VECTORS / name)
        assert (expected["verdict"] == "verified") == (name in GOOD)
        assert expected["released"] == [] or name in GOOD
