"""A host without native zstd: it verifies in full, says how, and says that it will be slow."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit, noise, text
from verifier import cli, decoders
from verifier.decoders import PlainDecoder

NOTE = "note: this host has no native zstd, so plain Python decodes: a few MB a second.\n"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with several zstd frames."""
    files = {f"a/{n}": text(1_100_000, n) for n in range(8)}
    return make_kit(tmp_path_factory.mktemp("host"), files)


@pytest.fixture
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    name = PlainDecoder.name
    monkeypatch.setattr(decoders, "FINDERS", {name: decoders.FINDERS[name]})


def verify(kit: Path, *arguments: str) -> int:
    return cli.main([os.fspath(kit), "--root", os.fspath(ROOT_FILE), *arguments])


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


# --- what is said ----------------------------------------------------------------------------


@pytest.mark.usefixtures("_plain")
def test_note_comes_once_and_beside_the_report(
    kit: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(kit.path, "--json") == 0
    said = capsys.readouterr()
    assert said.err.startswith(NOTE)
    assert said.err.count("note:") == 1
    assert "--quick" in said.err
    assert "\r" not in said.err, "a file is no terminal"
    assert json.loads(said.out)["decoder"] == "plain Python (slow)"


@pytest.mark.usefixtures("_plain")
def test_progress_moves_on_a_terminal(kit: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert verify(kit.path, "--jobs", "2") == 0
    said = terminal.getvalue()
    assert said.startswith(NOTE)
    shown = [int(percent) for percent in re.findall(r"\rchecking +(\d+) % of \d+ MiB", said)]
    assert shown == sorted(set(shown))
    assert shown[0] == 0, "before anything is decoded"
    assert len(shown) >= 9, "frame by frame"
    assert shown[-1] == 100
    assert said.endswith("\r\x1b[K"), "and then it is gone"


@pytest.mark.usefixtures("_plain")
@pytest.mark.parametrize("option", ["--quiet", "--quick", "--only=README.txt"])
def test_nothing_slow_or_nothing_wanted_is_no_note(
    kit: Made, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert verify(kit.path, option) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("_plain")
def test_kits_without_zstd_frames_are_no_note(
    kit: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = make_kit(tmp_path / "stored", {"a/b": noise(2_000_000)})
    reader = zstandard.ZstdDecompressor().stream_reader(
        kit.path.read_bytes(), read_across_frames=True
    )
    (tmp_path / "plain.tar").write_bytes(reader.read())
    assert verify(stored.path) == 0
    assert verify(tmp_path / "plain.tar") == 0
    assert capsys.readouterr().err == ""


def test_host_with_native_zstd_gets_no_note(kit: Made, capsys: pytest.CaptureFixture[str]) -> None:
    found = decoders.find_decoder()
    assert found is not None
    if found[0] == PlainDecoder.name:
        pytest.skip("not run: this host has no native zstd")
    assert verify(kit.path) == 0
    assert capsys.readouterr().err == ""


# --- what is imported ------------------------------------------------------------------------

ASK = """
import sys
{before}
from verifier import decoders
{after}
print(decoders.find_decoder()[0], "verifier.zstd" in sys.modules)"""


def ask(before: str = "", after: str = "") -> str:
    """Return which decoder a Python of its own finds, and whether it imported the plain one."""
    code = ASK.format(before=before, after=after)
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    ).stdout.strip()


def test_plain_decoder_is_the_last() -> None:
    assert list(decoders.FINDERS)[-1] == PlainDecoder.name == "plain Python (slow)"


def test_it_is_imported_only_where_nothing_else_is_found() -> None:
    narrowed = f"decoders.FINDERS = {{{PlainDecoder.name!r}: decoders._plain}}"
    assert ask(after=narrowed) == "plain Python (slow) True"
    name, _, imported = ask().rpartition(" ")
    assert (imported == "True") == (name == PlainDecoder.name)


def test_python_without_ctypes_finds_a_decoder_too() -> None:
    """Some are built without libffi."""
    before = "sys.modules['ctypes'] = sys.modules['compression'] = None"
    after = "decoders.PROGRAMS = ()"
    assert ask(before, after) == "plain Python (slow) True"
