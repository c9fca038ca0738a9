"""What holds for every kit: damage is refused, what goes in comes out, every way says the same."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given
from hypothesis import strategies as st

from tests.support.assembler import OWN, TOOLS, Draft, Part, assemble
from tests.support.damage import bases, damage, disturb, may_pass
from tests.support.effort import at_least, at_most
from tests.support.hooks import flip
from tests.support.judging import judge, pinned
from tests.support.kitbytes import memory_kit
from tests.support.making import build_kit, make_sources, read_tree
from tests.support.naive import MIB, Entry
from verifier.core.errors import MemberPathUnsafe
from verifier.core.lists import DATA, EVIDENCE
from verifier.core.names import parse_member_path
from verifier.core.pipeline import Job, Opened
from verifier.run import run

WAYS: list[dict[str, Any]] = [
    {},
    {"pipe": True},
    {"quick": True},
    {"workers": 2},
    {"pipe": True, "workers": 3},
]
SIZES = [0, 1, 511, 512, 513, 1024, 131_072 - 512, 131_072, 131_073, MIB - 513, MIB - 512, MIB - 1]
BIG = [MIB, MIB + 1, 4 * MIB - 512, 4 * MIB - 511, 4 * MIB, 4 * MIB + 1, 5 * MIB, 8 * MIB]


# --- damage ---------------------------------------------------------------------------------------


@at_least(400)
@given(
    random=st.randoms(use_true_random=False),
    name=st.sampled_from(sorted(bases())),
    way=st.sampled_from(WAYS),
)
def test_any_damage_is_refused(random: Random, name: str, way: dict[str, Any]) -> None:
    base = bases()[name]
    assume(not (name == "plain" and "quick" in way))
    kit = damage(random, base)
    assume(kit != base.data)
    verdict = judge(kit, root=base.root, **way)  # any other exception fails the test
    assert verdict.status in (3, 4) or (verdict.status == 0 and may_pass(base, kit))


@pytest.mark.parametrize("left", [("alice", "bob"), ("alice", "carol"), ("bob", "carol")])
def test_surplus_signature_left_out_is_the_exception(left: Sequence[str]) -> None:
    base = bases()["plain"]
    kit = assemble(Draft(plain=True, signers=left))
    assert may_pass(base, kit)
    assert judge(kit).status == 0


def test_unjudged_signature_is_outside_of_the_claim() -> None:
    base = bases()["strange"]
    place = base.data.index(b'"keyid":"bb"')
    at = base.data.index(b'"sig":"', place) + 7
    kit = base.data[:at] + b"AAAA" + base.data[at + 4 :]
    assert may_pass(base, kit)
    verdict = judge(kit, root=base.root)
    assert verdict.status == 0
    assert any("'bb'" in line for line in verdict.report.not_checked), "the report names it"


def test_bases_are_good() -> None:
    for base in bases().values():
        for way in WAYS:
            if not (base.name == "plain" and "quick" in way):
                assert judge(base.data, root=base.root, **way).status == 0


STAGES = ["sums", "index", "table", "roots", "payload", "text", "page"]


@at_least(300)
@given(
    random=st.randoms(use_true_random=False),
    stages=st.sets(st.sampled_from(STAGES), min_size=1, max_size=2),
    level=st.sampled_from([0, 3]),
)
def test_damage_that_is_signed_gets_a_verdict(random: Random, stages: set[str], level: int) -> None:
    hooks = {stage: partial(disturb, random) for stage in sorted(stages)}
    draft = Draft((*OWN, *TOOLS, Entry(b"tools/z", bytes(9999))), level=level)
    kit = assemble(draft, **hooks)
    once = judge(kit)  # any other exception fails the test
    assert once.status in (0, 3, 4)
    assert judge(kit, workers=3).fault == once.fault
    assert judge(kit, pipe=True).status == once.status


# --- what goes in comes out -----------------------------------------------------------------------


class Keep:
    """Takes members as extraction does, but into memory."""

    def __init__(self) -> None:
        self.opened = Opened()
        self.kept: dict[int, bytearray] = {}
        self._lock = threading.Lock()  # parts of one member come from several threads at once

    def sink(self, opened: Opened, wanted: list[range] | None) -> Keep:
        """Return itself; see `verifier.core.pipeline.Job.make_sink`."""
        assert wanted is None
        self.opened = opened
        return self

    def small(self, member: int, data: memoryview) -> None:
        """Take a whole member; see `verifier.core.members.Sink`."""
        assert member not in self.kept
        self.kept[member] = bytearray(data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Take a part of a member; see `verifier.core.members.Sink`."""
        with self._lock:
            kept = self.kept.setdefault(member, bytearray())
            kept.extend(bytes(max(0, offset + len(data) - len(kept))))
            kept[offset : offset + len(data)] = data

    def files(self, *ranks: int) -> dict[bytes, tuple[bool, bytes]]:
        """Return what was kept of some classes: executable bit and contents by path."""
        index = self.opened.index
        assert index is not None
        return {
            index.path(member).encode(): (index.executable[member] == 1, bytes(data))
            for member, data in self.kept.items()
            if index.rank(member) in ranks
        }


def key(path: str) -> str:
    """Return what two paths share that are one file somewhere, written down once more."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
    return unicodedata.normalize("NFC", folded)


def apart(paths: Sequence[str]) -> list[str]:
    """Return the paths that are safe, and that are not one with an earlier one."""
    files: set[str] = set()
    directories: set[str] = set()
    chosen = []
    for path in paths:
        try:
            parse_member_path(path)
        except MemberPathUnsafe:
            continue
        parts = key(path).split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        if key(path) in files | directories or above & files:
            continue
        files.add(key(path))
        directories |= above
        chosen.append(path)
    return chosen


ALPHABET = "aAbc.-_~ {}$\u00e9\u00c9\u00df\u4e2d\u0416\U00010400"
parts = st.one_of(
    st.text(ALPHABET, min_size=1, max_size=6),
    st.sampled_from([94, 95, 100, 101, 149, 150, 255]).map(lambda n: "n" * n),
)
paths = st.lists(parts, min_size=1, max_size=4).map(lambda names: "/".join(["tools", *names]))
small_files = st.lists(st.tuples(paths, st.sampled_from(SIZES)), max_size=12)
big_files = st.lists(st.tuples(paths, st.sampled_from(BIG)), max_size=2)


class Tree(dict[bytes, bytes]):
    """A payload, from path to contents, that is shown by its sizes.

    Hypothesis writes down what it drew when a run fails.  Megabytes of contents made it warn of
    that, a warning is an error here, and so the reason of a failure was never seen.
    """

    def __repr__(self) -> str:
        return repr({path: len(data) for path, data in self.items()})


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Return a payload: paths that go together, with contents of sizes near every limit."""
    sizes = dict(draw(small_files) + draw(big_files))
    sizes.setdefault("tools/always", 7)
    texts = draw(st.lists(st.sampled_from([b"\0", b"a\r\n", b"{{ x }}"]), min_size=1, max_size=3))
    return Tree(
        (path.encode(), (texts[i % len(texts)] * (sizes[path] // 2 + 1))[: sizes[path]])
        for i, path in enumerate(apart(sorted(sizes)))
    )


@at_least(60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=trees(), level=st.sampled_from([0, 3]), signed=st.booleans(), ways=st.randoms())
def test_what_goes_in_comes_out(
    data: dict[bytes, bytes], level: int, signed: bool, ways: Random
) -> None:
    executable = [path for path in sorted(data) if ways.random() < 0.4]
    evidence = {b"evidence/" + path: path for path in sorted(data)[:2] if len(path) < 200}
    kit = memory_kit(data, executable, evidence=evidence, level=level, signed_sums=signed)
    for way in (WAYS[0], WAYS[1], WAYS[4]):
        keep = Keep()
        assert judge(kit.data, make_sink=keep.sink, **way).status == 0
        assert keep.files(DATA) == {p: (p in executable, data[p]) for p in data}
        assert keep.files(EVIDENCE) == {p: (False, evidence[p]) for p in evidence}
    assert judge(kit.data, quick=True).status == 0


@at_least(40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=trees(), level=st.sampled_from([0, 3]), workers=st.integers(1, 4))
def test_builder_makes_the_kit_that_the_format_says(
    data: dict[bytes, bytes], level: int, workers: int
) -> None:
    kit = memory_kit(data, level=level, workers=workers)
    draft = Draft(
        (*OWN, *(Entry(path, data[path]) for path in sorted(data))),
        level=level,
        kit={"name": "memory", "line": "tests", "summary": "in memory"},
        components=[{"id": "c0", "version": "1", "paths": ["tools"], "lands": "/opt"}],
    )

    def built(statement: dict[str, dict[str, object]]) -> object:
        compressor = kit.written.manifest.built.compressor
        rules = "offline-kit-frames/1"
        statement["predicate"]["built"] = {"compressor": compressor, "level": level, "rules": rules}
        return statement

    assert assemble(draft, statement=built) == kit.data


disk_names = st.sampled_from(["a", "run", "b c", "~", "x.txt", "\u00e9", "con-x", "deep/er/file"])
disk_files = st.dictionaries(
    st.tuples(st.sampled_from(["tools", "data/x"]), disk_names).map("/".join),
    st.sampled_from(SIZES[:6] + BIG[:2]).map(lambda size: (b"line\r\n" * size)[:size]),
    min_size=1,
    max_size=8,
)


@at_most(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=disk_files, executable=st.sets(disk_names), store=st.booleans())
def test_files_on_disk_arrive(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, bytes],
    executable: set[str],
    store: bool,
) -> None:
    directory = tmp_path_factory.mktemp("tree")
    marked = {path for path in files if path.partition("/")[2] in executable}
    made = build_kit(make_sources(directory / "in", files, marked), directory / "out", store=store)
    report = run(str(made.path), Job(root=pinned()), extract=str(directory / "there"))
    assert report.error is None
    found = read_tree(directory / "there")
    arrived = {path: found[path] for path in found if path.split("/")[0] in ("tools", "data")}
    modes = {path: 0o755 if path in marked else 0o644 for path in files}
    assert arrived == {path: (modes[path], files[path]) for path in files}


# --- every way says the same ----------------------------------------------------------------------

LANES = 6
FRAMES = [1, 2, 1, 1, 3, 1]  # of each big member; a group of small ones is before each


@st.composite
def faults(draw: st.DrawFn) -> tuple[set[int], set[int]]:
    """Return which frames of the payload are damaged, and which members are not as signed."""
    frames = draw(st.sets(st.integers(0, sum(FRAMES) + LANES - 1), max_size=3))
    return frames, draw(st.sets(st.integers(0, 2 * LANES - 1), max_size=3))


def lanes(damaged: set[int], wrong: set[int]) -> bytes:
    """Return a kit of big and small members by turns, some of them bad in one of two ways."""
    members = []
    for i, frames in enumerate(FRAMES):
        members.append(Entry(b"tools/%d-small" % i, b"s" * 3000))
        members.append(Entry(b"tools/%d" % i + b"-z", bytes((frames - 1) * 4 * MIB + MIB)))

    def contents(parts: list[Part]) -> list[Part]:
        payload = parts[len(parts) - 2 * LANES :]
        for number in wrong:
            payload[number].data = b"?" + payload[number].data[1:]
        return parts

    def stored(frames: list[bytes]) -> list[bytes]:
        first = len(frames) - 1 - sum(FRAMES) - LANES
        for number in damaged:
            frames[first + number] = flip(-1)(frames[first + number])
        return frames

    return assemble(Draft((*OWN, *members), level=3), parts=contents, frames=stored)


def first_fault(damaged: set[int], wrong: set[int]) -> str:
    """Return the place of the fault that comes first in the file; empty if there is none."""
    at = 0
    for i, frames in enumerate(FRAMES):
        for name, count, number in ((f"{i}-small", 1, 2 * i), (f"{i}-z", frames, 2 * i + 1)):
            for frame in range(at, at + count):
                if frame in damaged:
                    return f"frame {frame + 1}"
            if number in wrong:
                return f"member 'tools/{name}'"
            at += count
    return ""


@at_most(12, suppress_health_check=[HealthCheck.too_slow])
@given(fault=faults())
@example(fault=(set(), set()))
@example(fault=({13}, {0, 3}))
@example(fault=({5}, {5}))
def test_first_fault_is_the_same_whoever_looks(fault: tuple[set[int], set[int]]) -> None:
    kit = lanes(*fault)
    expected = first_fault(*fault)
    for way in (*WAYS[:2], *WAYS[3:], {"workers": 8}, {"pipe": True, "workers": 8}):
        verdict = judge(kit, **way)
        assert (verdict.code == "digest-mismatch") == bool(expected)
        assert verdict.fault[1].partition(" (")[0] == expected, way


@at_least(100)
@given(random=st.randoms(use_true_random=False), name=st.sampled_from(sorted(bases())))
def test_file_and_pipe_find_the_same_fault(random: Random, name: str) -> None:
    base = bases()[name]
    kit = damage(random, base)
    assume(len(kit) == len(base.data))  # of a file the length is known before, of a pipe not
    once = judge(kit, root=base.root)
    for way in WAYS[3:]:
        assert judge(kit, root=base.root, **way).fault == once.fault
    assert judge(kit, root=base.root, pipe=True).fault == once.fault


def test_plain_kit_is_the_same_kit() -> None:
    for level in (0, 3):
        draft = Draft((*OWN, Entry(b"tools/z", bytes(5 * MIB))), level=level)
        packed, plain = judge(assemble(draft)), judge(assemble(replace(draft, plain=True)))
        assert (packed.status, plain.status) == (0, 0)
        assert packed.opened.kit_id == plain.opened.kit_id
        assert packed.opened.content_id == plain.opened.content_id
        assert plain.opened.plain
