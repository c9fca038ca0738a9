"""Judges that are not us: seven stock readers see the same members in one kit.

None of them knows what a kit is.  Each reads names, modes and every byte of the archive; they must
agree with the sources, with the index, and so with each other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard

from tests.conftest import Judge
from tests.support.making import HEAD_MEMBERS, Made, make_kit, noise, run_verifier, text
from verifier.core.limits import FRAME, KIB, MIB

pytestmark = pytest.mark.slow

Tree = dict[str, tuple[int, str]]
"""Mode and SHA-256 of each member, from its path."""

UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}  # tar and 7z take names for bytes of the locale

PLACES = {
    "100 bytes": "a/" + "n" * 98,
    "prefix": f"a/{'p' * 120}/{'n' * 100}",
    "longest prefix": f"a/{'p' * 153}/{'n' * 100}",
    "PAX because of its length": f"a/{'x' * 255}",
    "PAX because no slash fits": f"a/{'d' * 200}/{'n' * 99}",
    "PAX because of its letters": "b/größe/日本語/ß.txt",
    "space": "b/with space/ lead and  two",
    "tilde": "b/~/~root",
    "dash": "b/-rf",
    "leading dots": "b/..config/.hidden",
}
GO = """package main

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

func main() {
	reader := tar.NewReader(os.Stdin)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(err)
		}
		state := sha256.New()
		if _, err := io.Copy(state, reader); err != nil {
			panic(err)
		}
		fmt.Printf("%o %x %s\\n", header.Mode, state.Sum(nil), header.Name)
	}
}
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with every kind of frame and of header."""
    files = {path: f"{what}\n".encode() for what, path in PLACES.items()}
    files |= {f"many/{n:03}": text(n * 37, n) for n in range(130)}
    files |= {
        "big/packed": text(5 * MIB + 3),
        "big/stored": noise(3 * MIB + 1),
        "big/mixed": text(FRAME) + noise(FRAME + 5) + text(MIB),
        "big/limit": text(MIB),
        "big/below": noise(MIB - 1),
        "big/" + "l" * 200: text(FRAME + 1),  # its first frame has PAX headers too
        "b/empty": b"",
    }
    executable = ("many/007", "big/mixed", PLACES["prefix"], PLACES["PAX because of its letters"])
    made = make_kit(tmp_path_factory.mktemp("judges"), files, executable)
    kinds = _frame_kinds(made)
    assert {"r -", "r", "z"} <= kinds, "the kit lacks a kind of frame, so this judges too little"
    return made


def _frame_kinds(made: Made) -> set[str]:
    with open(made.path, "rb") as raw, _stream(raw) as stream, _tar(stream) as archive:
        for item in archive:
            if item.name == "kit.frames":
                found = archive.extractfile(item)
                assert found is not None
                lines = found.read().decode("ascii").splitlines()[1:]
                return {f"{line[8]} -" if line.endswith("-") else line[8] for line in lines}
    raise AssertionError("there is no kit.frames")


def _stream(raw: object) -> zstandard.ZstdDecompressionReader:
    decoder = zstandard.ZstdDecompressor()
    return decoder.stream_reader(raw, read_across_frames=True)  # type: ignore[arg-type]


def _tar(stream: zstandard.ZstdDecompressionReader) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", errorlevel=2)


@pytest.fixture(scope="module")
def expected(kit: Made) -> Tree:
    """Return what the kit must hold: the sources, and for our own members the index."""
    index = (kit.directory / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = {line[66:]: line[:64] for line in index}
    tree = {path: (0o644, digest) for path, digest in sums.items()}
    for path, data in kit.files.items():
        mode = 0o755 if path in kit.executable else 0o644
        tree[path] = (mode, hashlib.sha256(data).hexdigest())
        assert sums[path] == tree[path][1]
    for name in ("SHA256SUMS", "SHA256SUMS.sig", "kit.dsse.json"):
        tree[name] = (0o644, _sha256(kit.directory / name))
    unpacked = kit.directory / "by us"
    made = run_verifier(kit, kit.path, "--extract", unpacked)
    assert made.returncode == 0, made.stdout + made.stderr
    for name in HEAD_MEMBERS:
        tree[name] = (0o644, _sha256(unpacked / name))
    return tree


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(command: Sequence[str | Path], **more: object) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command, capture_output=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done  # type: ignore[no-any-return]


def _unpacked(directory: Path) -> Tree:
    tree: Tree = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            assert not path.is_symlink()
            tree[path.relative_to(directory).as_posix()] = (
                path.stat().st_mode & 0o7777,
                _sha256(path),
            )
    return tree


def _plain(judge: Judge, kit: Made, directory: Path) -> Path:
    plain = directory / "kit.tar"
    _run([judge("zstd"), "-q", "-d", kit.path, "-o", plain])
    return plain


def test_zstd_finds_every_frame_good(kit: Made, judge: Judge) -> None:
    _run([judge("zstd"), "-t", kit.path])


def test_zstd_and_tarfile(kit: Made, judge: Judge, expected: Tree, tmp_path: Path) -> None:
    """Python's tarfile reads what zstd decodes; nothing follows the end of the archive."""
    plain = _plain(judge, kit, tmp_path)
    tree: Tree = {}
    with tarfile.open(plain, "r:", errorlevel=2) as archive:
        for item in archive:
            assert item.isreg()
            assert (item.uid, item.gid, item.uname, item.gname) == (0, 0, "", "")
            found = archive.extractfile(item)
            assert found is not None
            tree[item.name] = (item.mode, hashlib.sha256(found.read()).hexdigest())
        assert len(archive.getmembers()) == len(tree)
        assert plain.stat().st_size == archive.offset + 1024  # two zero blocks and no more
    assert tree == expected


def test_tarfile_over_the_stream_reader_of_zstandard(kit: Made, expected: Tree) -> None:
    tree: Tree = {}
    with open(kit.path, "rb") as raw, _stream(raw) as stream, _tar(stream) as archive:
        for item in archive:
            found = archive.extractfile(item)
            assert found is not None
            tree[item.name] = (item.mode, hashlib.sha256(found.read()).hexdigest())
    assert tree == expected


def test_gnu_tar(kit: Made, judge: Judge, expected: Tree, tmp_path: Path) -> None:
    judge("zstd")  # tar runs it
    _run([judge("tar"), "--zstd", "-xpf", kit.path, "-C", tmp_path], env=UTF8)
    assert _unpacked(tmp_path) == expected


def test_gnu_tar_finds_no_difference_from_our_own_extraction(
    kit: Made, judge: Judge, tmp_path: Path
) -> None:
    """``tar --compare`` looks at what unpacking hides: times and sizes."""
    target = tmp_path / "target"
    assert run_verifier(kit, kit.path, "--extract", target).returncode == 0
    done = subprocess.run(
        [judge("tar"), "--zstd", "-df", kit.path, "-C", target],
        capture_output=True,
        check=False,
        env=UTF8,
    )
    said = (done.stdout + done.stderr).decode().splitlines()
    owner = () if os.geteuid() == 0 else ("Uid differs", "Gid differs")  # the archive says 0
    assert [line for line in said if not line.endswith(owner or "\0")] == []


def test_bsdtar(kit: Made, judge: Judge, expected: Tree, tmp_path: Path) -> None:
    _run([judge("bsdtar"), "-xpf", kit.path, "-C", tmp_path], env=UTF8)
    assert _unpacked(tmp_path) == expected


def test_7z(kit: Made, judge: Judge, expected: Tree, tmp_path: Path) -> None:
    program = judge("7zz", "7z")
    plain, target = tmp_path / "plain", tmp_path / "target"
    if b"zstd" in _run([program, "i"]).stdout.lower():
        _run([program, "x", "-tzstd", f"-o{plain}", kit.path], env=UTF8)
        (tar,) = plain.iterdir()
    else:  # older ones do not read zstd; their reader of tar is a judge all the same
        plain.mkdir()
        tar = _plain(judge, kit, plain)
    _run([program, "x", "-ttar", f"-o{target}", tar], env=UTF8)
    assert _unpacked(target) == expected


def test_sha256sum_checks_what_tar_unpacked(kit: Made, judge: Judge, tmp_path: Path) -> None:
    judge("zstd")
    _run([judge("tar"), "--zstd", "-xf", kit.path, "-C", tmp_path], env=UTF8)
    check: list[str | Path] = [judge("sha256sum"), "--check", "--strict", "--quiet", "SHA256SUMS"]
    _run(check, cwd=tmp_path)
    (tmp_path / "b" / "-rf").write_bytes(b"another\n")
    failed = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    assert failed.returncode == 1
    assert b"b/-rf: FAILED" in failed.stdout


def test_go(kit: Made, judge: Judge, expected: Tree, tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("not run: go is not installed")
    program = tmp_path / "members.go"
    program.write_text(GO)
    with open(_plain(judge, kit, tmp_path), "rb") as plain:
        lines = _run(
            [go, "run", program], stdin=plain, env={**UTF8, "GO111MODULE": "off"}
        ).stdout.decode("utf-8")
    tree: Tree = {}
    for line in lines.splitlines():
        mode, digest, path = line.split(" ", 2)
        tree[path] = (int(mode, 8), digest)
    assert tree == expected


def test_block_and_frame_headers_of_a_raw_frame_are_all_that_a_raw_member_costs(kit: Made) -> None:
    """The page is readable at a fixed place, with nothing but a hex viewer."""
    with open(kit.path, "rb") as stream:
        head = stream.read(17 + 512 + 64 * KIB)
    assert head[17:].startswith(b"kit.dsse.json\0")
    assert head[17 + 512 :] == (kit.directory / "kit.dsse.json").read_bytes()
