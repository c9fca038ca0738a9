"""The two numbers of first contact are those of the files that lie there, or there are none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit import cli as kit_cli
from kit.build import Options, build
from kit.note.note import release_note
from kit.note.qrcode import QUIET, qr_lines, qr_picture
from kit.roots.files import load_roots
from kit.seal import seal
from kit.sign import sign
from kit.signing import load_signer
from tests.conftest import Judge
from tests.support.making import KEYS, ROOT_FILE, Made, key, make_kit, make_sources
from tests.support.people import sign_root, signed_root
from tests.support.program import apart, on_a_terminal
from verifier.core.errors import ExitStatus, KitError

REJECTED, USAGE, UNDECIDED = ExitStatus.REJECTED, ExitStatus.USAGE, ExitStatus.UNDECIDED


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = make_kit(tmp_path_factory.mktemp("note"))
    shutil.copy(ROOT_FILE, made.directory)
    return made


@pytest.fixture
def kit(sealed: Made, tmp_path: Path) -> Path:
    """Return a kit that a test may change, with everything that lies beside it."""
    there = Path(shutil.copytree(sealed.directory, tmp_path / "release"))
    return there / sealed.path.name


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(path: Path, root: Path | None = None) -> tuple[str, ExitStatus]:
    with pytest.raises(KitError) as error:
        release_note(path, root_file=root)
    return error.value.code, error.value.status


def test_the_numbers_are_those_of_the_files(kit: Path, sealed: Made) -> None:
    note = release_note(kit, workers=2)
    assert note.verifier == sha256(kit.with_name("kit-verify.pyz"))
    assert note.root == sha256(kit.with_name("root.json"))
    assert note.file_digest == sha256(kit)
    assert (note.file_name, note.file_size) == (kit.name, kit.stat().st_size)
    assert (note.kit_id, note.content_id) == (sealed.built.kit_id, sealed.built.content_id)
    assert (note.root_version, note.signers, note.threshold) == (1, ("alice", "bob"), 2)


def test_stock_tools_read_them(kit: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict"],
        cwd=kit.parent,
        input=release_note(kit).sums.encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"kit-verify.pyz: OK\nroot.json: OK\n")


def test_the_root_is_the_file_that_is_given(kit: Path, tmp_path: Path) -> None:
    """Its spelling is its own business: sites compare the bytes of the file."""
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(json.loads(ROOT_FILE.read_bytes()), indent=1))
    note = release_note(kit, root_file=pretty)
    assert note.root == sha256(pretty) != sha256(ROOT_FILE)
    kit.with_name("root.json").unlink()
    assert refused(kit) == ("release-root-missing", USAGE)
    assert refused(kit, pretty) == ("release-differs", REJECTED)


def test_a_root_that_the_kit_does_not_end_in_is_not_noted(kit: Path, tmp_path: Path) -> None:
    """An older root that still reaches the kit is no root to begin with."""
    other = {**signed_root(), "expires": "2041-01-01T00:00:00Z"}
    path = tmp_path / "other.json"
    path.write_bytes(sign_root(other))
    assert refused(kit, path)[0] in ("root-fork", "root-differs")
    path.write_bytes(sign_root({**signed_root(), "version": 2}))
    assert refused(kit, path) == ("root-differs", USAGE)


def test_of_a_chain_the_newest_root_is_noted(tmp_path: Path) -> None:
    """New sites begin with it; those that have an older one follow the chain in the kit."""
    chain = load_roots(KEYS / "roots.json").chain
    role = chain[-1].targets
    signers = [load_signer(key(name), role.keys) for name in role.signers()[: role.threshold]]
    spec = make_sources(tmp_path)
    path = build(spec, chain, tmp_path, Options(workers=2), signers=signers).path
    seal(path)
    newest = KEYS / f"root-{chain[-1].version}.json"
    note = release_note(path, root_file=newest)
    assert (note.root, note.root_version) == (sha256(newest), len(chain))
    assert len(chain) > 2
    assert refused(path, KEYS / "root.json") == ("root-differs", USAGE)


def no_file(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, tuple[Callable[[Path], object], str, ExitStatus]] = {
    "not sealed": (
        lambda kit: kit.with_name("demo-1.0.sealed.json").unlink(),
        "kit-not-sealed",
        USAGE,
    ),
    "marker of nothing": (
        lambda kit: kit.with_name("demo-1.0.sealed.json").write_text("{}"),
        "release-differs",
        REJECTED,
    ),
    "marker that leads away": (
        lambda kit: kit.with_name("demo-1.0.sealed.json").write_text(
            kit.with_name("demo-1.0.sealed.json").read_text().replace('"kit.dsse', '"../kit.dsse')
        ),
        "release-differs",
        REJECTED,
    ),
    "marker of another kit": (
        lambda kit: kit.with_name("demo-1.0.sealed.json").write_text(
            kit.with_name("demo-1.0.sealed.json").read_text().replace('"kitId": "', '"kitId": "0')
        ),
        "release-differs",
        REJECTED,
    ),
    "another verifier": (
        lambda kit: kit.with_name("kit-verify.pyz").write_bytes(b"print('VERIFIED')"),
        "release-differs",
        REJECTED,
    ),
    "no verifier": (
        lambda kit: kit.with_name("kit-verify.pyz").unlink(),
        "release-differs",
        REJECTED,
    ),
    "other sums": (
        lambda kit: kit.with_name("SHA256SUMS").write_bytes(b""),
        "release-differs",
        REJECTED,
    ),
    "a root that is none": (
        lambda kit: kit.with_name("root.json").write_bytes(b"{}"),
        "root-invalid",
        USAGE,
    ),
    "a root that is no file": (
        lambda kit: no_file(kit.with_name("root.json")),
        "root-invalid",
        USAGE,
    ),
}


@pytest.mark.parametrize(("change", "code", "status"), CHANGES.values(), ids=CHANGES.keys())
def test_nothing_is_noted_of_what_was_not_sealed(
    kit: Path, change: Callable[[Path], object], code: str, status: ExitStatus
) -> None:
    change(kit)
    assert refused(kit) == (code, status)


def test_a_damaged_kit_has_no_note(kit: Path) -> None:
    data = bytearray(kit.read_bytes())
    data[-9000] ^= 1
    kit.write_bytes(data)
    assert refused(kit)[1] is REJECTED


def test_a_kit_that_was_signed_after_sealing_has_no_note(kit: Path) -> None:
    """Its bytes are good, and not those that were sealed."""
    marker = kit.with_name("demo-1.0.sealed.json")
    kept = marker.read_bytes()
    sign(kit, [key("carol")], reopen=True)
    marker.write_bytes(kept)
    assert refused(kit) == ("release-differs", REJECTED)


# --- the code --------------------------------------------------------------------------------


def test_code_is_read_by_somebody_elses_program(kit: Path, judge: Judge, tmp_path: Path) -> None:
    zbarimg = judge("zbarimg")
    text = release_note(kit).sums
    pictures = {"code.png": qr_picture(text, "png"), "lines.pgm": _picture_of(qr_lines(text))}
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
        command: list[str | Path] = [zbarimg, "--quiet", "--raw", "--nodbus", tmp_path / name]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stdout.decode() == text + "\n", name


def _picture_of(lines: list[str], scale: int = 4) -> bytes:
    """Return half blocks as a PGM, as a terminal or a printer shows them."""
    dark = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}
    rows = [
        b"".join((b"\xff", b"\0")[dark[mark][half]] * scale for mark in line)
        for line in lines
        for half in (0, 1)
        for _ in range(scale)
    ]
    return b"P5 %d %d 255\n" % (len(rows[0]), len(rows)) + b"".join(rows)


def test_code_fits_into_a_terminal_and_is_always_the_same() -> None:
    text = f"{'0' * 64}  kit-verify.pyz\n{'f' * 64}  root.json\n"
    lines = qr_lines(text)
    assert {len(line) for line in lines} == {61}
    assert all(line.startswith(" " * QUIET) for line in lines)
    assert not any(line.strip() for line in (*lines[:2], lines[-1]))
    assert lines == qr_lines(text)
    for kind in ("svg", "png"):
        assert qr_picture(text, kind) == qr_picture(text, kind)
    with pytest.raises(ValueError, match="svg, png"):
        qr_picture(text, "html")


# --- the command -----------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def offline_kit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["offline-kit", *[os.fspath(word) for word in words]])
        with pytest.raises(SystemExit) as ended:
            kit_cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return call


def test_note_is_printed_in_groups(kit: Path, offline_kit: Run) -> None:
    status, out, err = offline_kit("release-note", kit)
    assert (status, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    for name in ("kit-verify.pyz", "root.json"):
        digest = sha256(kit.with_name(name))
        groups = [digest[at : at + 4] for at in range(0, 64, 4)]
        first = lines.index(" ".join(groups[:8]))
        assert lines[first + 1] == " ".join(groups[8:])
        assert lines[first - 1].startswith(f"SHA-256 of {name}")
    assert "SHA-256 of root.json (root of trust, version 1)" in lines
    assert "\x1b" not in out


def test_note_as_json_and_as_a_picture(kit: Path, offline_kit: Run, tmp_path: Path) -> None:
    status, out, _ = offline_kit("release-note", kit, "--json", "--qr", tmp_path / "q.SVG")
    value = json.loads(out)
    note = release_note(kit)
    assert status == 0
    assert value["firstContact"]["kit-verify.pyz"]["sha256"] == note.verifier
    assert value["firstContact"]["root.json"]["version"] == 1
    assert value["qr"] == note.sums
    assert (tmp_path / "q.SVG").read_bytes() == qr_picture(note.sums, "svg")
    assert offline_kit("release-note", kit, "--qr", tmp_path / "q.SVG")[0] == 2, "it is there"
    status, out, err = offline_kit("release-note", kit, "--qr", tmp_path / "q.pdf")
    assert (status, out, err[:13]) == (2, "", "error[usage]:")


def test_a_note_that_would_be_wrong_has_a_status(kit: Path, offline_kit: Run) -> None:
    kit.with_name("kit-verify.pyz").write_bytes(b"")
    status, out, err = offline_kit("release-note", kit)
    assert (status, out) == (4, "")
    assert err.startswith("error[release-differs]")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_console_without_half_blocks_names_the_other_way(kit: Path, encoding: str) -> None:
    done = apart(["release-note", str(kit)], kit.parent, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert ("--qr FILE.svg" in done.stdout) == (encoding != "utf-8")
    assert ("\u2588" in done.stdout) == (encoding == "utf-8")
    assert "\\u2588" not in done.stdout


def test_code_on_a_terminal_is_dark_on_light(kit: Path) -> None:
    """Whatever colours the terminal has."""
    status, printed = on_a_terminal(["release-note", str(kit)], kit.parent, 1)
    assert status == 0
    coded = [line for line in printed.splitlines() if line.startswith(b"\x1b[30;47m")]
    assert len(coded) > 25
    assert all(line.endswith(b"\x1b[0m") for line in coded)
