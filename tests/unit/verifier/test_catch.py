"""Members that a judge wants are kept while a kit is proved: once, bounded, only when proved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.drafts import built
from tests.support.judging import MemorySource, decoder, pinned
from tests.support.making import make_kit, noise, text
from verifier import catch
from verifier.catch import Catching, Caught
from verifier.core.errors import DigestMismatch, KitError, Rejected, Undecided
from verifier.core.pipeline import Job, Opened, prove
from verifier.run import run

MIB = 1 << 20
FILES = {
    "tools/small.json": b'{"a": 1}\n',
    "tools/text": text(3 * MIB),  # a frame of its own, compressed
    "tools/noise": noise(9 * MIB),  # three raw frames
    "tools/empty": b"",
}
SBOM = "evidence/sbom/a.json"


class Bad(Rejected):
    """For these tests: something is bad."""

    code = "bad-for-tests"
    fix = "None."


class Open(Undecided):
    """For these tests: something is not known."""

    code = "open-for-tests"
    fix = "None."


@dataclass
class Wish:
    """A judge that wants members by path, and says what it was told to."""

    paths: Sequence[str]
    member: int = catch.MEMBER
    kit: int = catch.KIT
    faults: Sequence[KitError] = ()
    seen: list[Caught] = field(default_factory=list)

    def choose(self, opened: Opened) -> Iterable[int]:
        assert opened.index is not None
        assert opened.manifest is not None, "decided when the envelope is authenticated"
        found = (opened.index.find(path.encode()) for path in self.paths)
        return [member for member in found if member is not None]

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        assert "end" in opened.done, "looked into before all of the kit was proved"
        self.seen.append(caught)
        return self.faults


@pytest.fixture(scope="module")
def kit() -> bytes:
    files = {path.encode(): data for path, data in FILES.items()}
    return built(files, evidence={SBOM.encode(): b"{}\n"})


def proved(kit: bytes, *wishes: Wish, pipe: bool = False, **more: object) -> Opened:
    job = Job(root=pinned(), make_decoder=decoder(), workers=2, **more)  # type: ignore[arg-type]
    opened = Opened()
    catching = Catching(job, wishes)
    prove(MemorySource(kit, sequential=pipe), job, opened)
    opened.judged.faults += catching.judge(opened)
    return opened


@pytest.mark.parametrize("pipe", [False, True])
def test_what_is_wanted_is_kept_as_it_was_proved(kit: bytes, *, pipe: bool) -> None:
    wish = Wish([*FILES, SBOM], member=16 * MIB)
    proved(kit, wish, pipe=pipe)
    assert wish.seen == [Caught({**FILES, SBOM: b"{}\n"}, {})]


def test_two_judges_get_what_each_wants(kit: bytes) -> None:
    one, other = Wish(["tools/small.json", "tools/text"]), Wish(["tools/text"], member=MIB)
    proved(kit, one, other)
    assert set(one.seen[0].data) == {"tools/small.json", "tools/text"}
    assert other.seen == [Caught({}, {"tools/text": catch.TOO_LARGE.format(MIB)})]


def test_limits_are_of_a_member_and_of_a_kit(kit: bytes) -> None:
    wish = Wish(list(FILES), kit=3 * MIB + 4)
    proved(kit, wish)
    assert set(wish.seen[0].data) == {"tools/empty", "tools/small.json"}
    assert wish.seen[0].missed == {
        "tools/noise": catch.TOO_LARGE.format(catch.MEMBER),
        "tools/text": catch.TOO_MUCH.format(3 * MIB + 4),
    }


def test_quick_proof_tells_what_it_did_not_read(kit: bytes) -> None:
    wish = Wish(["tools/text", SBOM])
    proved(kit, wish, quick=True)
    assert wish.seen == [Caught({SBOM: b"{}\n"}, {"tools/text": catch.NOT_DECODED})]


def test_part_of_a_kit_brings_what_is_judged(kit: bytes) -> None:
    wish = Wish([SBOM])
    opened = proved(kit, wish, only=("tools/small.json",))
    assert wish.seen == [Caught({SBOM: b"{}\n"}, {})]
    assert opened.wanted is not None
    assert sum(map(len, opened.wanted)) == 1, "what is judged is not what was asked for"


@pytest.mark.parametrize("at", [-5000, -200_000])
def test_nothing_unproved_is_looked_into(kit: bytes, at: int) -> None:
    wish, data = Wish([*FILES], member=16 * MIB), bytearray(kit)
    data[at] ^= 1
    with pytest.raises(DigestMismatch):
        proved(bytes(data), wish)
    assert wish.seen == []


def test_judges_only_lower_the_verdict_and_nothing_is_left(tmp_path: Path) -> None:
    made = make_kit(tmp_path / "made", FILES)
    faults = [Open("it is not known"), Bad("it is bad"), Bad("it is worse")]
    wish = Wish(["tools/small.json"], faults=faults)
    target = tmp_path / "out"
    report = run(str(made.path), Job(root=pinned()), extract=str(target), judges=[wish])
    assert report.faults == [faults[1], faults[0], faults[2]]
    assert (int(report.status), report.proof) == (4, "full")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    good = Wish(["tools/small.json"])
    report = run(str(made.path), Job(root=pinned()), extract=str(target), judges=[good])
    assert int(report.status) == 0
    found = {path: (target / path).read_bytes() for path in FILES}
    assert found == FILES, "what is kept is written all the same"


def test_judges_are_not_asked_where_members_are_not_read(tmp_path: Path) -> None:
    made, wish = make_kit(tmp_path / "made", FILES), Wish(["tools/small.json"])
    job = Job(root=pinned(), stop_after="index")
    assert int(run(str(made.path), job, judges=[wish]).status) == 0
    assert wish.seen == []
