"""A damaged kit is mended: by a pack with just the damaged parts, or by a second copy."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.repair import repair_pack
from tests.support.killing import A_FEW_OR_ALL, killed_at, points, spread
from tests.support.making import (
    ROOT_FILE,
    Made,
    make_kit,
    noise,
    pinned,
    run_verifier,
    text,
)
from tests.support.program import runner
from verifier.core.errors import ExitStatus, KitError, Rejected, ThresholdNotMet
from verifier.core.limits import MIB
from verifier.repair.errors import (
    KitDamaged,
    PackMalformed,
    RepairIncomplete,
    RequestMalformed,
    RequestOfAnother,
)
from verifier.repair.mend import Damage, find_damage, mend, write_request
from verifier.repair.papers import (
    MAX_PAPER,
    MAX_RANGES,
    PACK_MAGIC,
    Request,
    encode_pack,
    encode_request,
    parse_request,
    ranges_of,
)
from verifier.repair.words import MOST, damage_lines, summary
from verifier.rootfile import load_root
from verifier.typed import replace


def contents() -> dict[str, bytes]:
    return {
        **{f"a/small{number:02}": text(40_000, number) for number in range(12)},
        "b/raw": noise(4 * MIB + 70_000),
        "b/packed": text(4 * MIB + 5),
        "c/mixed": noise(MIB // 2) + text(4 * MIB),
        **{f"d/late{number:02}": noise(50_000, number) for number in range(9)},
    }


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a sealed kit with frames of every kind."""
    return make_kit(tmp_path_factory.mktemp("repair"), contents())


@pytest.fixture(scope="module")
def data(kit: Made) -> bytes:
    return kit.path.read_bytes()


def damaged(tmp_path: Path, data: bytes, name: str = "bad.tar.zst") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def flipped(data: bytes, *places: int) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 0x55
    return bytes(changed)


def damage_of(path: Path) -> Damage:
    return find_damage(os.fspath(path), pinned())


def packed(kit: Made, bad: Path, tmp_path: Path, name: str = "parts") -> Path:
    """Ask for what is damaged in a file and return the pack that the release side makes."""
    request, pack = tmp_path / f"{name}.request", tmp_path / f"{name}.pack"
    write_request(os.fspath(request), damage_of(bad).request)
    repair_pack(kit.path, request, pack)
    return pack


def mended(bad: Path, *others: Path, request: str = "") -> bytes:
    new = bad.with_name("new.tar.zst")
    given = [os.fspath(path) for path in others]
    mend(os.fspath(bad), given, pinned(), os.fspath(new), request=request)
    return new.read_bytes()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- one pass finds all of it ------------------------------------------------------------------


def test_kit_that_is_whole_has_no_damage(kit: Made) -> None:
    found = damage_of(kit.path)
    assert found.is_good
    assert summary(found).startswith("no damage")


def test_every_frame_that_is_damaged_is_found_and_no_other(
    kit: Made, data: bytes, tmp_path: Path
) -> None:
    """One bit of each frame in turn: the frame is named, with its members and its place."""
    head = damage_of(kit.path).head
    assert head is not None
    units = {frame: unit for unit in head.units() for frame in unit}
    assert len(units) == len(head.stored) > 9
    generator = random.Random(5)
    for frame, (start, size) in enumerate(zip(head.offsets, head.stored, strict=True)):
        place = start + generator.randrange(size)
        found = damage_of(damaged(tmp_path, flipped(data, place)))
        assert found.frames == tuple(units[frame]), f"frame {frame}"
        assert not found.tail
        (line,) = damage_lines(found)
        first = units[frame][0]
        assert line.startswith(f"frame{'s' if len(units[frame]) > 1 else ''} {first}")
        assert f"bytes {head.offsets[first]} to " in line
        members = head.members(units[frame])
        assert head.index.path(members.start) in line


def test_many_faults_are_listed_at_once(kit: Made, data: bytes, tmp_path: Path) -> None:
    head = damage_of(kit.path).head
    assert head is not None
    places = [head.offsets[frame] + 9 for frame in range(0, len(head.stored), 3)]
    found = damage_of(damaged(tmp_path, flipped(data, *places, len(data) - 3)))
    assert set(range(0, len(head.stored), 3)) <= set(found.frames)
    assert found.tail
    assert damage_lines(found)[-1].endswith("the end of the file, or its size")


def test_list_of_faults_is_bounded(kit: Made) -> None:
    found = damage_of(kit.path)
    assert found.head is not None
    wide = replace(found, frames=tuple(range(0, 2 * (MOST + 50), 2)))
    frames = len(found.head.stored)
    few = replace(found, frames=tuple(frame for frame in wide.frames if frame < frames))
    assert len(damage_lines(few)) == len(few.frames)
    many = ranges_of(range(0, 4 * MAX_RANGES, 2))
    assert len(many) == MAX_RANGES
    assert many[-1].stop == 4 * MAX_RANGES - 1
    assert len(encode_request(Request("0" * 64, False, many))) < MAX_PAPER


# --- mending -------------------------------------------------------------------------------------

Spoil = Callable[[bytes], bytes]
SPOILED: dict[str, Spoil] = {
    "one bit": lambda data: flipped(data, 3_000_000),
    "bits all over": lambda data: flipped(data, *range(400_000, len(data), 777_777)),
    "a hole of zeros": lambda data: data[:2_000_000] + bytes(4_700_000) + data[6_700_000:],
    "cut off": lambda data: data[: len(data) // 2],
    "cut off in the seek table": lambda data: data[:-7],
    "the seek table": lambda data: flipped(data, len(data) - 20),
    "the end": lambda data: flipped(data, len(data) - 900),
    "too long": lambda data: data + b"more",
    "bytes inserted": lambda data: data[:3_000_000] + b"shifted" + data[3_000_000:],
    "bytes missing": lambda data: data[:3_000_000] + data[3_000_111:],
    "the page": lambda data: flipped(data, 3000),
    "the index": lambda data: flipped(data, 140_000),
    "all of the head": lambda data: bytes(150_000) + data[150_000:],
    "everything": lambda data: bytes(len(data)),
    "nothing there": lambda data: b"",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_second_copy_mends_anything(kit: Made, data: bytes, tmp_path: Path, spoil: Spoil) -> None:
    bad = damaged(tmp_path, spoil(data))
    assert mended(bad, kit.path) == data
    assert names(tmp_path) == ["bad.tar.zst", "new.tar.zst"]


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_pack_with_just_the_damaged_parts_mends_anything(
    kit: Made, data: bytes, tmp_path: Path, spoil: Spoil
) -> None:
    """A damaged head takes a second round: only with it can be known what else is damaged."""
    bad = damaged(tmp_path, spoil(data))
    pack = packed(kit, bad, tmp_path)
    try:
        result = mended(bad, pack)
    except RepairIncomplete:
        assert damage_of(bad).head is None
        again = tmp_path / "again.request"
        with pytest.raises(RepairIncomplete):
            mended(bad, pack, request=os.fspath(again))
        repair_pack(kit.path, again, tmp_path / "again.pack")
        result = mended(bad, pack, tmp_path / "again.pack")
    assert result == data


def test_pack_is_small_and_holds_only_what_was_asked_for(
    kit: Made, data: bytes, tmp_path: Path
) -> None:
    bad = damaged(tmp_path, flipped(data, len(data) - 200_000))
    pack = packed(kit, bad, tmp_path)
    (frame,) = damage_of(bad).frames
    head = damage_of(kit.path).head
    assert head is not None
    assert head.stored[frame] < pack.stat().st_size < head.stored[frame] + 400
    assert (tmp_path / "parts.request").stat().st_size < 250


def test_two_bad_copies_make_a_good_one(kit: Made, data: bytes, tmp_path: Path) -> None:
    one = damaged(tmp_path, flipped(data, 2_000_000, 3000), "one")
    two = damaged(tmp_path, flipped(data, len(data) - 100_000), "two")
    assert mended(one, two) == data


def test_what_is_in_no_copy_is_asked_for(kit: Made, data: bytes, tmp_path: Path) -> None:
    place = len(data) - 100_000
    one = damaged(tmp_path, flipped(data, place, 2_000_000), "one")
    two = damaged(tmp_path, flipped(data, place), "two")
    request = tmp_path / "rest.request"
    with pytest.raises(RepairIncomplete, match="1 of"):
        mended(one, two, request=os.fspath(request))
    assert names(tmp_path) == ["one", "rest.request", "two"]
    repair_pack(kit.path, request, tmp_path / "rest.pack")
    assert mended(one, two, tmp_path / "rest.pack") == data


# --- who is not trusted --------------------------------------------------------------------------


def test_copy_of_another_kit_gives_nothing(
    kit: Made, data: bytes, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = make_kit(tmp_path_factory.mktemp("other"), {"a/x": noise(3 * MIB, 7)})
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    with pytest.raises(RepairIncomplete):
        mended(bad, other.path)
    write_request(os.fspath(tmp_path / "request"), damage_of(bad).request)
    with pytest.raises(RequestOfAnother):
        repair_pack(other.path, tmp_path / "request", tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_forged_parts_are_not_taken(kit: Made, data: bytes, tmp_path: Path) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    pack = packed(kit, bad, tmp_path)
    whole = pack.read_bytes()
    start = whole.index(b"\n", len(PACK_MAGIC)) + 1
    for place in (start, start + 100, len(whole) - 1):
        pack.write_bytes(flipped(whole, place))
        with pytest.raises(RepairIncomplete):
            mended(bad, pack)
    assert names(tmp_path) == ["bad.tar.zst", "parts.pack", "parts.request"]


def test_head_that_strangers_signed_is_not_taken(
    data: bytes, kit: Made, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weak = make_kit(tmp_path_factory.mktemp("weak"), {"a/x": b"x"}, signers=("alice",))
    bad = damaged(tmp_path, flipped(data, 3000))
    with pytest.raises(Rejected):
        mended(bad, weak.path)
    lone = shutil.copy(weak.path, tmp_path / "lone")
    with pytest.raises(ThresholdNotMet):
        mended(Path(lone), weak.path)
    assert names(tmp_path) == ["bad.tar.zst", "lone"]


HEAD = b'{"frames":[[0,1]],"head":0,"kitId":"' + b"0" * 64 + b'"}\n'
FORGED_PACKS = {
    "cut in its second line": PACK_MAGIC + HEAD[:40],
    "no second line": PACK_MAGIC,
    "a line without an end": PACK_MAGIC + b"[" * (2 * MAX_PAPER),
    "deep": PACK_MAGIC + b"[" * 90_000 + b"\n",
    "no JSON": PACK_MAGIC + b"frames\n",
    "spelled otherwise": PACK_MAGIC + HEAD.replace(b'"head"', b' "head"'),
    "a field more": PACK_MAGIC + HEAD.replace(b"}", b',"x":1}'),
    "a head larger than the file": PACK_MAGIC + HEAD.replace(b":0,", b":9999999,"),
    "a head below nothing": PACK_MAGIC + HEAD.replace(b":0,", b":-1,"),
    "ranges that go down": PACK_MAGIC + HEAD.replace(b"[[0,1]]", b"[[5,6],[1,2]]"),
    "ranges that touch": PACK_MAGIC + HEAD.replace(b"[[0,1]]", b"[[0,1],[2,3]]"),
    "a range of 2^40": PACK_MAGIC + HEAD.replace(b"[0,1]", b"[0,1099511627776]"),
    "a truth for a number": PACK_MAGIC + HEAD.replace(b"[0,1]", b"[false,true]"),
    "more ranges than there may be": PACK_MAGIC
    + encode_pack("0" * 64, 0, [range(2 * n, 2 * n + 1) for n in range(MAX_RANGES + 1)])[
        len(PACK_MAGIC) :
    ],
}


@pytest.mark.parametrize("forged", FORGED_PACKS.values(), ids=FORGED_PACKS.keys())
def test_forged_pack_is_refused(data: bytes, tmp_path: Path, forged: bytes) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    pack = tmp_path / "pack"
    pack.write_bytes(forged)
    with pytest.raises(PackMalformed):
        mended(bad, pack)
    assert names(tmp_path) == ["bad.tar.zst", "pack"]


def test_pack_that_claims_frames_it_does_not_have_gives_none(data: bytes, tmp_path: Path) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    pack = tmp_path / "pack"
    pack.write_bytes(encode_pack("0" * 64, 0, [range(2**32 - 1)]))
    with pytest.raises(RepairIncomplete):
        mended(bad, pack)


GOOD = encode_request(Request("0" * 64, False, (range(1, 3),)))
BAD_REQUESTS = {
    "empty": b"",
    "no line end": GOOD[:-1],
    "spelled otherwise": GOOD.replace(b":", b": ", 1),
    "huge": GOOD[:-1] + b" " * MAX_PAPER + b"\n",
    "another type": GOOD.replace(b"/v1", b"/v2"),
    "a number for a truth": GOOD.replace(b"false", b"0"),
    "no kitId": GOOD.replace(b"0" * 64, b"0" * 63),
    "a range from below nothing": GOOD.replace(b"[1,2]", b"[-1,2]"),
    "deep": b"[" * 100_000 + b"\n",
    "a field more": GOOD.replace(b"}", b',"z":0}'),
}


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_request_from_anybody_is_refused_when_it_is_none(
    kit: Made, tmp_path: Path, request_: bytes
) -> None:
    path = tmp_path / "request"
    path.write_bytes(request_)
    with pytest.raises(RequestMalformed):
        repair_pack(kit.path, path, tmp_path / "pack")
    assert names(tmp_path) == ["request"]


def test_request_for_frames_that_the_kit_does_not_have_is_refused(
    kit: Made, tmp_path: Path
) -> None:
    path = tmp_path / "request"
    path.write_bytes(encode_request(Request("", False, (range(2**31, 2**31 + 1),))))
    with pytest.raises(RequestMalformed, match="frames, and it asks for number 2147483648"):
        repair_pack(kit.path, path, tmp_path / "pack")


def test_request_reads_back_as_it_was_written() -> None:
    for frames in ((), (range(1),), (range(3), range(9, 2**31))):
        for kit_id in ("", "ab" * 32):
            request = Request(kit_id, not kit_id, frames)
            assert parse_request(encode_request(request)) == request


def test_copy_of_the_release_side_that_is_damaged_makes_no_pack(
    kit: Made, data: bytes, tmp_path: Path
) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    request = tmp_path / "request"
    write_request(os.fspath(request), damage_of(bad).request)
    with pytest.raises(KitDamaged, match="here too"):
        repair_pack(bad, request, tmp_path / "pack")
    assert names(tmp_path) == ["bad.tar.zst", "request"]


# --- the host ------------------------------------------------------------------------------------


def test_nothing_that_is_there_is_touched(kit: Made, data: bytes, tmp_path: Path) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    (tmp_path / "new.tar.zst").write_bytes(b"mine")
    with pytest.raises(KitError, match="is there already"):
        mended(bad, kit.path)
    assert (tmp_path / "new.tar.zst").read_bytes() == b"mine"
    (tmp_path / "request").write_bytes(b"mine")
    with pytest.raises(KitError, match="is there already"):
        write_request(os.fspath(tmp_path / "request"), damage_of(bad).request)
    assert (tmp_path / "request").read_bytes() == b"mine"


@pytest.mark.parametrize("most", A_FEW_OR_ALL)
def test_mending_is_killed_at_any_call(kit: Made, data: bytes, tmp_path: Path, most: int) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    new = tmp_path / "new.tar.zst"

    def work() -> None:
        mended(bad, kit.path)

    found = list(points(work))
    new.unlink()
    for point in spread(found, most):
        killed_at(point, work)
        if new.exists():
            assert new.read_bytes() == data
            new.unlink()
        assert bad.read_bytes() == flipped(data, 3_000_000)
        work()
        assert names(tmp_path) == ["bad.tar.zst", "new.tar.zst"]
        new.unlink()


# --- the commands --------------------------------------------------------------------------------


def test_commands_from_damage_to_a_whole_kit(
    kit: Made,
    data: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = damaged(tmp_path, flipped(data, 3_000_000))
    said = run_verifier(kit, "damage", bad, "--request", tmp_path / "request")
    assert said.returncode == ExitStatus.REJECTED
    assert "damaged: " in said.stdout
    assert "b/raw" in said.stdout
    words = (os.fspath(kit.path), os.fspath(tmp_path / "request"))
    out = os.fspath(tmp_path / "pack")
    run = runner(capsys, monkeypatch)
    status, output, _ = run("repair-pack", *words, "--out", out, "--json")
    assert status == ExitStatus.VERIFIED
    assert json.loads(output)["frames"] >= 1
    new = tmp_path / "new.tar.zst"
    done = run_verifier(kit, "repair", bad, tmp_path / "pack", "--out", new)
    assert done.returncode == ExitStatus.VERIFIED, done.stdout
    assert new.read_bytes() == data
    assert run_verifier(kit, "damage", new).returncode == ExitStatus.VERIFIED
    assert load_root(os.fspath(ROOT_FILE)).version == 1
