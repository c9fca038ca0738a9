"""What goes in comes out: every byte and the executable bit, by every way out of a kit.

The ways out are our own extraction (from a file, a pipe, a plain .tar and a kit that is stored
only) and GNU tar.  The sources are what other carriers are known to lose: line ends, a missing
final newline, template syntax, equal base names, tildes, spaces, files without contents.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.conftest import Judge
from tests.support.making import (
    ROOT_FILE,
    Made,
    build_kit,
    make_kit,
    make_sources,
    noise,
    read_tree,
    run_verifier,
    text,
)
from verifier.core.limits import FRAME, MIB
from verifier.core.pipeline import Job
from verifier.rootfile import load_root
from verifier.run import run

AWKWARD = {
    "text/crlf.txt": b"one\r\ntwo\r\n",
    "text/cr.txt": b"one\rtwo\r",
    "text/mixed.txt": b"one\r\ntwo\nthree\r",
    "text/no newline": b"no final newline",
    "text/only newlines": b"\n\n\n",
    "text/bom.txt": b"\xef\xbb\xbfmarked\n",
    "text/utf-16.txt": "wide\r\n".encode("utf-16"),
    "text/trailing spaces  .txt": b"spaces   \n\t\n",
    "text/control-z": b"before\x1aafter",
    "text/zero byte": b"\0",
    "text/not utf-8": b"\xff\xfe\x80",
    "templates/jinja.yaml": b"{{ .Values.image }} {% if a %} ###ZARF_VAR_NAME### %PATH%\n",
    "templates/shell": b"${HOME} $HOME `id` \\$HOME\n",
    "templates/$Id$": b"$Id$ $Format:%H$\n",
    "templates/go.tmpl": b"{{- range $i := .Items }}\n",
    "same/a/config.json": b"a",
    "same/b/config.json": b"b",
    "same/c/config.json/config.json": b"c",
    "names/~": b"home\n",
    "names/~root/.ssh": b"x",
    "names/a b/ c": b"spaces\n",
    "names/-n": b"dash\n",
    "names/.hidden/..x": b"dots\n",
    "names/#x;y&z'q`(1)[2]{3}!@^=+,%": b"shell\n",
    "names/größe/日本語": b"letters\n",
    "empty/0": b"",
    "empty/1": b"",
    "tars/inner.tar.zst": zstandard.ZstdCompressor().compress(text(4000)),
}
SIZES = (0, 1, 511, 512, 513, MIB - 1, MIB, FRAME, FRAME + 1, 2 * FRAME)
LENGTHS = (99, 100, 101, 155, 156, 255)
EXECUTABLE = ("same/a/config.json", "empty/1", "names/-n", "sizes/text 4194305", "sizes/noise 513")


@functools.cache
def _files() -> dict[str, bytes]:
    files = dict(AWKWARD)
    for size in SIZES:
        files[f"sizes/text {size}"] = text(size, size)
        files[f"sizes/noise {size}"] = noise(size, size)
    files[f"sizes/text {2 * FRAME - 1}"] = text(2 * FRAME - 1)
    files[f"sizes/noise {2 * FRAME + 1}"] = noise(2 * FRAME + 1)
    for length in LENGTHS:
        files["lengths/" + "n" * (length - 8)] = b"the whole path has %d bytes" % length
        files["lengths/" + "d" * 155 + "/" + "n" * (length - 1) + "x"] = b"a name of %d" % length
        files["lengths/" + "q" * (length - 9) + "/n"] = b"a directory of %d bytes" % (length - 1)
    return files


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    """Return the same sources as a kit that is compressed and as one that is stored."""
    directory, files = tmp_path_factory.mktemp("fidelity"), _files()
    return (
        make_kit(directory / "packed", files, EXECUTABLE),
        make_kit(directory / "stored", files, EXECUTABLE, store=True),
    )


def expected(kit: Made) -> dict[str, tuple[int, bytes]]:
    return {path: (0o755 if path in EXECUTABLE else 0o644, data) for path, data in _files().items()}


def arrived(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return the payload in an extracted kit; the rest is ours and begins elsewhere."""
    tops = {path.split("/")[0] for path in _files()}
    tree = read_tree(directory)
    return {path: found for path, found in tree.items() if path.split("/")[0] in tops}


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run under each umask that people have, and the one that takes all away."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def by_file(kit: Made, target: Path) -> None:
    done = run_verifier(kit, kit.path, "--extract", target)
    assert done.returncode == 0, done.stdout + done.stderr


def by_pipe(kit: Made, target: Path) -> None:
    with open(kit.path, "rb") as stream:
        command: list[str | Path] = [
            sys.executable,
            "-I",
            kit.pyz,
            "-",
            "--root",
            ROOT_FILE,
        ]
        subprocess.run(
            [*command, "--extract", target], stdin=stream, check=True, capture_output=True
        )


def by_one_thread(kit: Made, target: Path) -> None:
    job = Job(root=load_root(os.fspath(ROOT_FILE)), workers=1)
    report = run(os.fspath(kit.path), job, extract=os.fspath(target))
    assert report.error is None


def by_plain_tar(kit: Made, target: Path) -> None:
    plain = target.with_suffix(".tar")
    with open(kit.path, "rb") as source, open(plain, "wb") as sink:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        while piece := reader.read(MIB):
            sink.write(piece)
    done = run_verifier(kit, plain, "--extract", target)
    assert done.returncode == 0, done.stdout + done.stderr


WAYS = {"file": by_file, "pipe": by_pipe, "one thread": by_one_thread, "plain tar": by_plain_tar}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "store"),
    [
        *(pytest.param(way, False, id=f"{name}-packed") for name, way in WAYS.items()),
        pytest.param(by_file, True, id="file-stored"),
        *(
            pytest.param(way, True, id=f"{name}-stored", marks=pytest.mark.long)
            for name, way in WAYS.items()
            if way is not by_file
        ),
    ],
)
def test_what_went_in_comes_out(
    kits: tuple[Made, Made], way: Callable[[Made, Path], None], store: bool, tmp_path: Path
) -> None:
    kit = kits[store]
    way(kit, tmp_path / "out")
    assert arrived(tmp_path / "out") == expected(kit)


@pytest.mark.slow
def test_what_went_in_comes_out_of_gnu_tar(
    kits: tuple[Made, Made], judge: Judge, tmp_path: Path
) -> None:
    judge("zstd")
    for kit in kits:
        target = tmp_path / kit.path.parents[1].name
        target.mkdir()
        subprocess.run(
            [judge("tar"), "--zstd", "-xpf", kit.path, "-C", target],
            check=True,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert arrived(target) == expected(kit)


def test_no_umask_changes_what_is_built_or_extracted(umask: int, tmp_path: Path) -> None:
    """The owner's executable bit goes in; 0755 and 0644 come out, whatever else the modes were."""
    files = {"a/run": b"run", "a/plain": b"plain", "a/group only": b"g", "a/odd": b"o"}
    spec = make_sources(tmp_path, files, executable=("a/run",))
    for path, mode in {"run": 0o700, "plain": 0o600, "group only": 0o671, "odd": 0o744}.items():
        (tmp_path / "src" / "a" / path).chmod(mode)
    made = build_kit(spec, tmp_path / "out")
    assert made.path.stat().st_mode & 0o777 == 0o644
    run_verifier(made, made.path, "--extract", tmp_path / "there").check_returncode()
    modes = {path: mode for path, (mode, _) in read_tree(tmp_path / "there" / "a").items()}
    assert modes == {"run": 0o755, "plain": 0o644, "group only": 0o644, "odd": 0o755}
    for folder, _, _ in os.walk(tmp_path / "there"):
        assert Path(folder).stat().st_mode & 0o700 == 0o700


def test_a_part_that_is_asked_for_arrives_alone(kits: tuple[Made, Made], tmp_path: Path) -> None:
    kit = kits[0]
    target = tmp_path / "part"
    only = ("--only", "same", "--only", "sizes/noise 4194305", "--only", "names/~root")
    done = run_verifier(kit, kit.path, "--extract", target, *only)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = {
        path: found
        for path, found in expected(kit).items()
        if path.startswith(("same/", "names/~root/")) or path == "sizes/noise 4194305"
    }
    assert arrived(target) == wanted
