"""Law 2 (CONTRIBUTING, "The laws"): one reader, one header writer, one PAE, one set of names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT, Source, complaints, is_below, load, parse
from tests.support.together import together

FOLDERS = ("kit", "verifier", "runner", "tools")

HOMES = {
    "ustar": "verifier/core/header.py",
    "PaxHeaders": "verifier/core/header.py",
    "DSSEv1": "verifier/core/envelope.py",
    "CONIN$": "verifier/core/names.py",  # the table of Windows device names
    "offline-kit.example/kit/": "verifier/core/model.py",  # the predicate type
}
READERS_OF_TAR = ("tarfile", "shutil.unpack_archive", "shutil.make_archive")
# They look into other people's packages and images, never into a kit (ADR 26); the runner unpacks
# the layers of an image that was proved, and hands it to docker.
OF_OTHERS = (
    *("kit/sbom/inside.py", "kit/sources/debfile.py", "kit/sources/imagefiles.py"),
    *("runner/layers.py", "runner/container.py"),
)


def said_once(source: Source) -> Iterator[str]:
    for line, text in source.literals():
        for mark, home in HOMES.items():
            if mark.lower() in text.lower() and source.path != home:
                yield source.at(line, f"says {mark!r}: that belongs to {home}, call it")


def tar_is_never_read(source: Source) -> Iterator[str]:
    if source.path in OF_OTHERS:
        return
    for line, name in [*source.imports(), *source.uses()]:
        if is_below(name, *READERS_OF_TAR):
            yield source.at(line, f"uses {name}: headers are written and compared, never read")


def test_each_definition_has_one_home() -> None:
    assert complaints(said_once, *FOLDERS) == []


@together(("mark", "home"), HOMES.items())
def test_home_still_has_what_is_looked_for(mark: str, home: str) -> None:
    if not (ROOT / home).exists():
        pytest.fail(f"{home} is gone: say in HOMES where {mark!r} lives now")
    texts = [
        text for source in load("verifier") if source.path == home for _, text in source.literals()
    ]
    assert any(mark.lower() in text.lower() for text in texts)


def test_tar_is_never_read() -> None:
    assert complaints(tar_is_never_read, *FOLDERS) == []


def test_second_definition_is_noticed() -> None:
    assert list(said_once(parse("kit/a.py", "magic = b'ustar\\x0000'")))
    assert list(said_once(parse("kit/a.py", "pae = b'DSSEv1 %d ' % n")))
    assert list(said_once(parse("verifier/core/envelope.py", "bad = {'conin$'}")))
    assert list(said_once(parse("kit/a.py", "'''Writes ustar.'''"))) == []  # prose is no writer


def test_reader_of_tar_is_noticed() -> None:
    assert list(tar_is_never_read(parse("kit/a.py", "import tarfile")))
    assert list(tar_is_never_read(parse("kit/sbom/a.py", "import tarfile")))
    assert list(tar_is_never_read(parse("kit/a.py", "import shutil\nshutil.unpack_archive(p)")))
