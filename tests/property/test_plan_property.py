"""Names, headers and the cut into frames, each against a second, naive reading of the format."""

from __future__ import annotations

import hashlib
import io
import tarfile
from array import array
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import naive
from tests.support.effort import at_least
from tests.support.naive import MIB
from verifier.core.codec import last_block, raw_head, raw_parts, raw_size, seek_table
from verifier.core.errors import MemberPathsCollide, MemberPathUnsafe
from verifier.core.frames import GROUP, Plan, head_frames, plan_frames
from verifier.core.header import Headers, header_size
from verifier.core.limits import MAX_TIME
from verifier.core.lists import DATA, README, SUMS, TOOL, VERIFIER, Index
from verifier.core.names import TABLES, CollisionCheck, check_paths, fold, parse_member_path

FOLD_TABLE = "abdf73f99b3dba03bc279a5df6b9624b68aea806fcae7d6371e6e65f1ddcce16"

odd_text = st.text(
    st.one_of(st.sampled_from("aA./\\ :~\0\u0301\u00e9\u00c9\u00df\u200d"), st.characters()),
    max_size=12,
)
pieces = st.one_of(odd_text, st.sampled_from(["..", ".", "con", "NUL.x", "a" * 255, "b" * 256]))
some_paths = st.lists(pieces, max_size=5).map("/".join)
ascii_paths = st.lists(st.text("abc-._", min_size=1, max_size=120), min_size=1, max_size=8).map(
    lambda parts: "/".join(parts).encode()[:1024]
)
paths = st.one_of(ascii_paths, st.text("ab\u00e9\u4e2d/", min_size=1, max_size=120).map(str.encode))
sizes = st.one_of(
    st.integers(0, 3 * MIB),
    st.sampled_from([511, 512, MIB - 512, MIB - 1, MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB]),
    st.sampled_from([2**33 - 1, 2**33, 2**44]),
)


# --- names ----------------------------------------------------------------------------------------


@at_least(500)
@given(names=st.lists(st.one_of(some_paths, st.text("ab/. ", max_size=6)), min_size=1, max_size=6))
@example(names=["a" * 1024, "b"])
@example(names=["/".join("a" * 64), "/".join("a" * 65)])
@example(names=["a ", "b"])
@example(names=["con .x"])
def test_names_in_bulk_are_judged_as_one_by_one(names: list[str]) -> None:
    listed = [name for name in names if can_stand(name)]
    assert unsafe(lambda: [*map(parse_member_path, listed)]) == unsafe(
        lambda: check_paths([name.encode("utf-8", "surrogateescape") for name in listed])
    )


def unsafe(check: Callable[[], object]) -> str:
    """Return what is said about an unsafe name; empty if there is none."""
    try:
        check()
    except MemberPathUnsafe as error:
        return str(error)
    return ""


def can_stand(name: str) -> bool:
    """Whether a name can stand in a list at all: lists are UTF-8, or bytes that are none."""
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\n" not in name


few_names = st.lists(
    st.lists(
        st.sampled_from(["a", "A", "b", "\u00e9", "\u00c9", "\u00df", "ss", "SS"]),
        min_size=1,
        max_size=3,
    ).map("/".join),
    min_size=1,
    max_size=7,
)


def naive_collision(names: Sequence[str]) -> bool:
    """Whether two names are one on some host, by comparing all pairs."""
    for i, one in enumerate(names):
        for other in names[:i]:
            first, second = fold(one), fold(other)
            if first == second or (first + "/").startswith(second + "/"):
                return True
            if (second + "/").startswith(first + "/"):
                return True
    return False


@at_least(500)
@given(names=few_names, ordered=st.booleans(), cut=st.integers(1, 7))
def test_collisions_are_those_of_all_pairs(names: list[str], ordered: bool, cut: int) -> None:
    encoded = [name.encode() for name in (sorted(names) if ordered else names)]
    check = CollisionCheck()
    for at in range(0, len(encoded), cut):
        check.add(encoded[at : at + cut])
    if naive_collision(names):
        with pytest.raises(MemberPathsCollide):
            check.finish(encoded)
    else:
        check.finish(encoded)


def test_tables_of_names_are_the_same_in_every_python() -> None:
    state = hashlib.sha256()
    for number in range(0x110000):
        char = chr(number)
        if TABLES.category(char) not in ("Cn", "Cs"):
            row = (number, fold(char), TABLES.category(char), TABLES.normalize("NFC", char))
            state.update("{:x} {} {} {}\n".format(*row).encode())
    assert state.hexdigest() == FOLD_TABLE, "a verdict would depend on the Python"


# --- headers --------------------------------------------------------------------------------------


@at_least(300)
@given(path=paths, size=sizes, executable=st.booleans(), mtime=st.integers(0, MAX_TIME))
@example(path=b"n" * 100, size=0, executable=True, mtime=0)
@example(path=b"p" * 155 + b"/" + b"n" * 100, size=2**33, executable=False, mtime=MAX_TIME)
@example(path=b"\x7f" * 100, size=8**11 - 1, executable=True, mtime=MAX_TIME)
def test_headers_are_those_of_the_format(
    path: bytes, size: int, executable: bool, mtime: int
) -> None:
    made = Headers(mtime)(path, size, executable)
    assert made == Headers(mtime)._slow(path, size, executable)
    assert made == naive.headers(path, size, executable, mtime)
    assert len(made) == header_size(path, size)


@at_least(100)
@given(path=paths, size=st.integers(0, 2000), executable=st.booleans(), mtime=st.integers(0, 2**31))
def test_tarfile_reads_what_is_written(
    path: bytes, size: int, executable: bool, mtime: int
) -> None:
    path = path.strip(b"/") or b"a"  # tarfile takes slashes at an end away
    stream = Headers(mtime)(path, size, executable) + b"x" * size + naive.pad(size) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(stream), mode="r:") as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.size, member.mtime) == (path.decode(), size, mtime)
        assert member.mode == (0o755 if executable else 0o644)
        assert member.isreg()
        taken = archive.extractfile(member)
        assert taken is not None
        assert taken.read() == b"x" * size


# --- frames ---------------------------------------------------------------------------------------


def make_index(first: Sequence[int], data: Sequence[tuple[bytes, int]]) -> Index:
    """Return an index of members without contents: only paths and sizes matter."""
    index = Index()
    index.extend(SUMS, [b"SHA256SUMS"], [first[0]], [0])
    index.extend(README, [b"README.txt"], [first[1]], [0])
    index.extend(TOOL, [b"kit-verify.pyz"], [first[2]], [0])
    index.extend(VERIFIER, [b"verifier/a.py"], [first[3]], [0])
    names = [b"%05d/" % i + path for i, (path, _) in enumerate(data)]
    index.extend(DATA, names, [size for _, size in data], [0] * len(data))
    return index


frame_sizes = st.one_of(
    st.integers(0, 5000),
    st.integers(0, 9 * MIB),
    st.sampled_from([MIB - 512, MIB - 1024, MIB - 1, MIB, 4 * MIB, 4 * MIB + 1, 40 * MIB]),
)


@at_least(300)
@given(
    first=st.lists(frame_sizes, min_size=4, max_size=4),
    data=st.lists(st.tuples(paths, frame_sizes), max_size=12),
)
@example(first=[0, 0, 0, 0], data=[])
@example(first=[0] * 4, data=[(b"a", MIB - 512)] * 5)
@example(first=[4 * MIB - 512 - 3 * 1024, 1, 1, 1], data=[(b"a", 0)])
def test_plan_is_the_one_of_the_format(first: list[int], data: list[tuple[bytes, int]]) -> None:
    index = make_index(first, data)
    plan = plan_frames(index)
    members = [(index.path(m).encode(), index.sizes[m]) for m in range(len(index))]
    heads = [len(naive.headers(path, size, False, 0)) for path, size in members]
    shapes = [
        (head, size, -size % 512, number >= 4)
        for number, (head, (_, size)) in enumerate(zip(heads, members, strict=True))
    ]
    frames, before = naive.cut(shapes)
    assert plan.payload == before
    assert list(plan.content) == [sum(s.end - s.start for s in frame) for frame in frames]
    assert [*zip(plan.first, plan.last, strict=True)] == [
        (frame[0].member, frame[-1].member + 1) for frame in frames
    ]
    for number, frame in enumerate(frames):
        piece, head = plan[number], heads[frame[0].member]
        if members[frame[0].member][1] < MIB:
            assert piece.offset == GROUP
        else:
            assert piece.offset == max(0, frame[0].start - head)
            assert piece.length == min(frame[0].end - head, members[piece.first][1]) - piece.offset
    hold_invariants(plan, index)


def hold_invariants(plan: Plan, index: Index) -> None:
    """Check what readers of a plan rely on."""
    assert all(0 < content <= 4 * MIB + 2560 for content in plan.content)
    covered = array("I", [0]) * len(index)
    for number in range(len(plan)):
        for member in range(plan.first[number], plan.last[number]):
            covered[member] += 1
    assert all(covered)
    for member in range(len(index)):
        frames = plan.frames_of(range(member, member + 1))
        assert len(frames) == covered[member]
        assert all(plan.first[f] <= member < plan.last[f] for f in frames)


@given(size=st.integers(0, 20 * MIB))
@example(size=0)
@example(size=4 * MIB)
@example(size=4 * MIB + 1)
def test_head_members_are_cut_the_same_way(size: int) -> None:
    frames = naive.cut_big(0, 512, size, -size % 512)
    assert head_frames(512, size) == [span.end - span.start for (span,) in frames]


@settings(max_examples=30)
@given(size=st.one_of(st.integers(0, 3000), st.integers(131_000, 400_000)))
@example(size=0)
@example(size=131_072)
@example(size=131_073)
def test_raw_frames_are_those_of_the_format(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    frame = b"".join(map(bytes, raw_parts(memoryview(content))))
    assert frame == naive.raw_frame(content)
    assert len(frame) == raw_size(size)
    assert frame.startswith(raw_head(size))
    assert last_block(size) in frame


@given(frames=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_seek_table_is_the_one_of_the_format(frames: list[tuple[int, int]]) -> None:
    stored, content = (array("I", [frame[i] for frame in frames]) for i in (0, 1))
    assert seek_table(stored, content) == naive.seek_table(frames)
