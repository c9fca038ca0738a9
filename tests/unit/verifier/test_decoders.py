"""Decoders of zstd: each fills the buffer from exactly one frame or says no; none ever raises."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.conftest import REQUIRE_JUDGES
from tests.support.making import Made, make_kit, noise, pinned, text
from tests.support.together import together
from tests.support.zstdcases import LAX
from verifier import decoders
from verifier.core.codec import check_zstd_frame
from verifier.core.errors import DecoderMissing, ExitStatus, FrameInvalid
from verifier.core.limits import MAX_CONTENT
from verifier.core.members import Decoder
from verifier.core.pipeline import Job
from verifier.run import run
from verifier.show.report import Report, render_text
from verifier.show.reportvalue import report_value

CONTENT = text(300_000) + noise(1000)
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0skip"


def compress(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(content)


GOOD = compress(CONTENT)
HALVES = compress(CONTENT[:150_000]) + compress(CONTENT[150_000:])
FLIPPED = bytearray(GOOD)
FLIPPED[len(GOOD) // 2] ^= 1

BAD = {  # frame, and the size that was planned for its content
    "planned too long": (GOOD, len(CONTENT) + 1),
    "planned too short": (GOOD, len(CONTENT) - 1),
    "planned empty": (GOOD, 0),
    "truncated by one byte": (GOOD[:-1], len(CONTENT)),
    "truncated in the middle": (GOOD[: len(GOOD) // 2], len(CONTENT)),
    "only a header": (GOOD[:9], len(CONTENT)),
    "nothing at all": (b"", len(CONTENT)),
    "no frame": (noise(5000), len(CONTENT)),
    "checksum wrong": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), len(CONTENT)),
    "a bit flipped": (bytes(FLIPPED), len(CONTENT)),
    "a byte follows": (GOOD + b"\0", len(CONTENT)),
    "garbage follows": (GOOD + noise(100), len(CONTENT)),
    "two frames": (GOOD + GOOD, 2 * len(CONTENT)),
    "two frames with the planned content": (HALVES, len(CONTENT)),
    "an empty frame follows": (GOOD + compress(b""), len(CONTENT)),
    "an empty frame before": (compress(b"") + GOOD, len(CONTENT)),
    "a skippable frame follows": (GOOD + SKIPPABLE, len(CONTENT)),
    "a skippable frame before": (SKIPPABLE + GOOD, len(CONTENT)),
    "only a skippable frame": (SKIPPABLE, 0),
}


@pytest.fixture
def python_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``compression.zstd``: Python's own from 3.14 on, else its backport in its place."""
    if sys.version_info >= (3, 14):
        return
    module = importlib.import_module("backports.zstd")
    package = types.ModuleType("compression")
    package.zstd = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression", package)
    monkeypatch.setitem(sys.modules, "compression.zstd", module)


@pytest.fixture(params=decoders.FINDERS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each decoder in turn, on a host that has it."""
    if request.param == decoders.PythonDecoder.name:
        request.getfixturevalue("python_module")
    assert isinstance(request.param, str)
    return request.param


def only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every decoder but one from the verifier."""
    monkeypatch.setattr(decoders, "FINDERS", {name: decoders.FINDERS[name]} if name else {})


def make(name: str, monkeypatch: pytest.MonkeyPatch) -> Decoder:
    only(name, monkeypatch)
    found = decoders.find_decoder()
    if found is None:
        reason = f"not run: this host has no {name}"
        if os.environ.get(REQUIRE_JUDGES) == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    assert found[0] == name
    return found[1]()


def decode(decoder: Decoder, frame: bytes, size: int) -> tuple[bool, bytes]:
    """Decode as the verifier does: its look first, then from and into larger, reused buffers."""
    compressed, target = bytearray(frame) + bytearray(100), bytearray(b"\xaa" * (size + 100))
    try:
        check_zstd_frame(memoryview(compressed)[: len(frame)], size, "a frame")
    except FrameInvalid:
        return False, b""
    good = decoder.frame(memoryview(compressed)[: len(frame)], memoryview(target)[:size])
    assert target[size:] == b"\xaa" * 100, "it wrote behind its buffer"
    assert compressed == frame + bytes(100)
    return good, bytes(target[:size])


GOOD_ONES = {
    "text": (GOOD, CONTENT),
    "a byte": (compress(b"x"), b"x"),
    "the largest content": (compress(text(MAX_CONTENT)), text(MAX_CONTENT)),
    "noise": (compress(noise(70_000)), noise(70_000)),
    "level 19": (compress(CONTENT, level=19), CONTENT),
    "zeros": (compress(bytes(2_000_000)), bytes(2_000_000)),
}


def test_good_frames_one_behind_the_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = make(name, monkeypatch)
    assert decoder.name == name
    for frame, content in GOOD_ONES.values():
        assert decode(decoder, frame, len(content)) == (True, content)


@together(("frame", "size"), BAD.values(), ids=BAD.keys())
def test_anything_else_is_refused_and_the_next_frame_is_still_read(
    name: str, monkeypatch: pytest.MonkeyPatch, frame: bytes, size: int
) -> None:
    decoder = make(name, monkeypatch)
    assert decode(decoder, frame, size)[0] is False
    assert decode(decoder, GOOD, len(CONTENT)) == (True, CONTENT)


def test_a_header_that_claims_a_tebibyte_takes_no_memory(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a frame never reaches a decoder; it would not be believed if it did."""
    decoder = make(name, monkeypatch)
    frame = bytearray(b"\x28\xb5\x2f\xfd\xc4\x58" + (1 << 40).to_bytes(8, "little") + GOOD[9:])
    assert decode(decoder, bytes(frame), 1000)[0] is False
    assert decoder.frame(memoryview(frame), memoryview(bytearray(1000))) is False


# --- in whole kits ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with zstd frames of a big member and of small ones."""
    files = {"a/big": text(5_000_000), **{f"a/{n}": text(9000, n) for n in range(20)}}
    return make_kit(tmp_path_factory.mktemp("decoders"), files)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the same kit with raw frames only."""
    return make_kit(tmp_path_factory.mktemp("decoders"), {"a/big": text(5_000_000)}, store=True)


def prove(kit: Made, *, quick: bool = False, extract: str = "") -> Report:
    job = Job(root=pinned(), quick=quick, workers=2)
    return run(os.fspath(kit.path), job, extract=extract)


def test_each_decoder_proves_and_extracts_a_kit(
    kit: Made, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make(name, monkeypatch)
    report = prove(kit, extract=os.fspath(tmp_path / "out"))
    assert report.error is None
    assert report_value(report)["decoder"] == name
    assert (tmp_path / "out/a/big").read_bytes() == kit.files["a/big"]


def test_without_a_decoder_nothing_is_decided_and_quick_is_named(
    kit: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only("", monkeypatch)
    report = prove(kit, extract=os.fspath(tmp_path / "out"))
    assert isinstance(report.error, DecoderMissing)
    assert report.status is ExitStatus.UNDECIDED
    assert "--quick" in render_text(report)
    assert list(tmp_path.iterdir()) == []


def test_without_a_decoder_quick_proves_the_bytes(
    kit: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    only("", monkeypatch)
    report = prove(kit, quick=True)
    assert report.status is ExitStatus.VERIFIED
    assert report_value(report)["proof"] == "quick"
    assert render_text(report).startswith("VERIFIED (quick): demo 1.0")


def test_without_a_decoder_a_stored_kit_is_proved_in_full(
    stored: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    only("", monkeypatch)
    report = prove(stored)
    assert report.error is None
    assert report.proof == "full"


# --- finding one -----------------------------------------------------------------------------


def test_the_order_is_python_then_library_then_program(
    python_module: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ["compression.zstd", "libzstd", "zstd program"]
    assert list(decoders.FINDERS)[:3] == wanted
    found = decoders.find_decoder()
    assert found is not None
    assert found[0] == wanted[0]


def test_paths_are_absolute() -> None:
    assert [path for path in decoders.LIBRARIES + decoders.PROGRAMS if path[:1] != "/"] == []


NO_LIBRARY: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_bytes(b"not a library\n"),
    "a directory": lambda path: path.mkdir(),
    "another library": lambda path: path.symlink_to(_libc()),
}


def _libc() -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/libc" in line:
            return line.split()[-1]
    pytest.skip("not run: this host has no libc to be mistaken for libzstd")


@pytest.mark.parametrize("plant", NO_LIBRARY.values(), ids=NO_LIBRARY.keys())
def test_what_is_no_libzstd_is_passed_over(
    plant: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "libzstd.so.1"
    plant(path)
    monkeypatch.setattr(decoders, "LIBRARIES", (os.fspath(path),))
    only("libzstd", monkeypatch)
    assert decoders.find_decoder() is None


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Decoder]:
    """Return what puts a shell script in the place of the ``zstd`` program."""

    def plant(script: str) -> Decoder:
        path = tmp_path / "zstd"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(decoders, "PROGRAMS", (os.fspath(path),))
        return make("zstd program", monkeypatch)

    return plant


SCRIPTS = {
    "fails": "cat >/dev/null; exit 1",
    "says nothing": "cat >/dev/null",
    "says too much": "cat >/dev/null; head -c 400000 /dev/zero",
    "does not read": "exit 0",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_program_that_does_something_else_is_not_the_last_word(
    program: Callable[[str], Decoder], script: str
) -> None:
    """Plain Python decides: what it takes is good, what it refuses is not."""
    frame, content = compress(noise(300_000)), noise(300_000)
    assert decode(program(script), frame, 300_000) == (True, content)
    assert decode(program(script), frame[:-1] + b"?", 300_000)[0] is False


@together("case", LAX)
def test_lax_frames_are_taken_by_every_decoder(
    name: str, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """What some library takes on some processor is taken everywhere (FORMAT 2.4)."""
    blocks, content, _ = LAX[case]
    at = 6 if not blocks[4] & 0x20 else 9  # behind a window byte, or a size of four bytes
    window = blocks[5] if at == 6 else 0x38
    frame = b"\x28\xb5\x2f\xfd\xc4" + bytes((window,)) + len(content).to_bytes(8, "little")
    frame += blocks[at:] + compress(content)[-4:]
    assert decode(make(name, monkeypatch), frame, len(content)) == (True, content)


def test_the_program_gets_no_environment(
    program: Callable[[str], Decoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZSTD_CLEVEL and the like change what the program does."""
    monkeypatch.setenv("ZSTD_NBTHREADS", "7")
    seen = tmp_path / "seen"
    decode(program(f"cat >/dev/null; /usr/bin/env > {seen}"), GOOD, len(CONTENT))
    assert "ZSTD_NBTHREADS" not in seen.read_text()


def test_a_program_that_vanished_or_was_killed_decides_nothing(
    program: Callable[[str], Decoder], tmp_path: Path
) -> None:
    """The host ended it, for want of memory say: the frame may be good."""
    with pytest.raises(DecoderMissing, match="signal 9"):
        decode(program("kill -9 $$"), GOOD, len(CONTENT))
    decoder = program("exit 0")
    (tmp_path / "zstd").unlink()
    with pytest.raises(DecoderMissing, match="No such file"):
        decode(decoder, GOOD, len(CONTENT))


def test_a_bare_python_finds_a_decoder_by_itself() -> None:
    """What is found in this process may come from what the tests have installed."""
    code = "from verifier.decoders import find_decoder; f = find_decoder(); print(f and f[0])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(decoders.__file__).parents[1],
    )
    here = any(map(os.path.exists, decoders.LIBRARIES + decoders.PROGRAMS))
    assert done.stdout != "None\n" or not (here or sys.version_info >= (3, 14))


def test_a_program_that_never_ends_is_ended(tmp_path: Path) -> None:
    """A frame of many small blocks can mean gigabytes: no more is read than was planned."""
    program = tmp_path / "zstd"
    program.write_text("#!/bin/sh\nexec /bin/cat /dev/zero\n")
    program.chmod(0o755)
    destination = memoryview(bytearray(100_000))
    assert not decoders.ProgramDecoder(str(program)).frame(memoryview(GOOD), destination)
    assert bytes(destination) == bytes(100_000)


def test_a_program_that_reads_nothing_is_no_dead_end(tmp_path: Path) -> None:
    program = tmp_path / "zstd"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    large = memoryview(bytearray(noise(3_000_000)))
    assert not decoders.ProgramDecoder(str(program)).frame(large, memoryview(bytearray(10)))
