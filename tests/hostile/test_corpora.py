"""Archives that others made to break readers: alone, and behind the head of a good kit."""

from __future__ import annotations

import functools
import importlib.util
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.assembler import OWN, Draft, assemble, z_frame
from tests.support.hooks import at, reframe
from tests.support.judging import judge
from tests.support.naive import Entry, raw_frame
from tests.support.together import together

PAYLOAD = Draft((*OWN, Entry(b"tools/z", bytes(40_000))))


def python_archives() -> list[Path]:
    """Return the tar files of Python's own tests, where they are installed."""
    spec = importlib.util.find_spec("test")
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    return sorted(path for folder in folders for path in folder.rglob("*tar*") if path.is_file())


def attacks() -> Iterator[tuple[str, bytes]]:
    """Yield tar files in the manner of the holes in tarfile's filters, made with tarfile."""

    def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        return info

    chains = {
        "link to the outside": [member("tools/z", tarfile.SYMTYPE, "/etc")],
        "two steps": [
            member("tools/a", tarfile.SYMTYPE, "."),
            member("tools/a/b", tarfile.SYMTYPE, ".."),
            member("tools/a/b/c"),
        ],
        "long chain of links": [
            *(member(f"{'d' * 247}/{i}", tarfile.SYMTYPE, "d" * 247) for i in range(16)),
            member("tools/z", tarfile.LNKTYPE, "tools/escape"),
        ],
        "hard link": [member("tools/z", tarfile.LNKTYPE, "../../outside")],
        "device": [member("tools/z", tarfile.CHRTYPE)],
        "mode of a directory": [member("tools", tarfile.DIRTYPE)],
        "absolute": [member("/etc/cron.d/x")],
        "climbs": [member("../../x")],
    }
    for name, members in chains.items():
        for style in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w", format=style) as archive:
                for info in members:
                    archive.addfile(info)
            yield f"{name}, {style}", stream.getvalue()


ATTACKS = dict(attacks())


@functools.cache
def plain_kit() -> bytes:
    return assemble(Draft(PAYLOAD.members, plain=True))


def spliced(archive: bytes) -> Iterator[bytes]:
    """Yield kits with an archive in the place of the payload, in every way it can be put there."""
    plain = plain_kit()
    start = len(plain) - 1024 - 40_448 - 512  # header, contents and padding of tools/z
    yield plain[:start] + archive
    yield plain[:start] + archive.ljust(len(plain) - start, b"\0")[: len(plain) - start]
    room = archive[:40_000].ljust(40_960, b"\0")
    yield assemble(PAYLOAD, frames=at(-2, lambda old: raw_frame(room)))
    yield assemble(PAYLOAD, contents=at(-1, lambda old: room))  # signed, as a raw frame
    if len(set(room)) > 1:
        yield assemble(PAYLOAD, **reframe(lambda old: z_frame(archive[:30_000] or b"?")))


def assert_refused(kit: bytes) -> None:
    """Check that a kit is refused in every way of reading it."""
    for way in ({}, {"pipe": True}, {"workers": 2}):
        assert judge(kit, **way).status == 4


@together("name", ATTACKS)
def test_attacks_on_tarfile_are_no_kits(name: str) -> None:
    assert_refused(ATTACKS[name])
    for kit in spliced(ATTACKS[name]):
        assert_refused(kit)


def test_archives_of_python_are_no_kits() -> None:
    archives = python_archives()
    if not archives:
        pytest.skip("not run: Python's own tests are not installed")
    for path in archives:
        data = path.read_bytes()
        assert_refused(data)
        for kit in spliced(data):
            assert_refused(kit)
