"""A tree as one tar archive: what stock programs take out of it is what was there."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.build import BuiltKit, Options, build
from kit.errors import KitError
from kit.rebuild import rebuild
from kit.sources.collect import collect
from kit.sources.inputs import Inputs
from kit.sources.packed import DIRECTORY, FILE, LINK, Entry, Packed
from kit.spec import KitSpec, load_spec
from tests.conftest import Judge
from tests.support.effort import at_least
from tests.support.making import key, make_sources, noise, pinned, write_spec
from verifier.core.limits import MIB
from verifier.core.lists import DATA
from verifier.core.pipeline import Job
from verifier.run import run

CREATED = 1795478400  # 2026-11-24T00:00:00Z
LONG = "d" * 90 + "/" + "e" * 120 + "/" + "f" * 200
PACKED = 'dir = "src/a"\npack = "tar"'


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of a tree with all that only an archive keeps."""
    made = make_sources(
        tmp_path / "in",
        {
            "a/bin/run": b"#!/bin/sh\n",
            "a/secret": b"s" * 513,
            "a/big": noise(5 * MIB + 11),
            f"a/{LONG}": b"long",
            "a/\u00fcber": b"u",
            "a/zero": b"",
        },
        ("a/bin/run",),
    )
    tree = made.base / "src/a"
    (tree / "secret").chmod(0o600)
    (tree / "bin/run").chmod(0o4755)
    (tree / "empty/inside").mkdir(parents=True)
    (tree / "empty").chmod(0o700)
    (tree / "bin/again").symlink_to("run")
    (tree / "python").symlink_to("/usr/bin/python3")
    (tree / "far").symlink_to("x" * 150)
    (tree / "gone").symlink_to("nowhere")
    return again(made, PACKED)


def again(spec: KitSpec, source: str) -> KitSpec:
    text = write_spec(spec.base, ["a"]).read_text()
    spec.file.write_text(text.replace('dir = "src/a"', source))
    return load_spec(spec.file)


def made(spec: KitSpec, out: Path) -> BuiltKit:
    return build(spec, [pinned()], out, Options(workers=2))


def refused(call: Callable[[], object]) -> KitError:
    with pytest.raises(KitError) as error:
        call()
    return error.value


def archive(spec: KitSpec, cut: int = 1 << 20) -> bytes:
    """Return the archive as the builder reads it, in pieces."""
    own = {b"README.txt": b"r", b"kit-verify.pyz": b"t", b"verifier/a.py": b"a"}
    inputs = Inputs(collect(spec), own, signed_sums=False, mtime=CREATED)
    member = inputs.index.bounds[DATA]
    path, size = inputs.index.paths(member, member + 1)[0], inputs.index.sizes[member]
    data = bytearray(b"\xff" * (size + 1))
    for at in range(0, size, cut):
        last = at + cut >= size
        view = memoryview(data)[at : size + 1 if last else at + cut]
        inputs.read_piece(member, path, at, view, last=last)
    return bytes(data[:-1])


def tree_of(directory: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(directory.rglob("*")):
        facts, name = path.lstat(), path.relative_to(directory).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory", facts.st_mode & 0o7777)
        else:
            found[name] = ("file", facts.st_mode & 0o7777, path.read_bytes())
    return found


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_stock_tar_gives_back_what_was_there(
    spec: KitSpec, tmp_path: Path, judge: Judge, program: str
) -> None:
    kit = made(spec, tmp_path / "out")
    out = tmp_path / "there"
    report = run(os.fspath(kit.path), Job(kit_id=kit.kit_id), extract=os.fspath(out))
    assert report.error is None
    target = tmp_path / "unpacked"
    target.mkdir()
    command: list[str | Path] = [judge(program), "-xpf", out / "a" / "a.tar", "-C", target]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=60)
    assert tree_of(target) == tree_of(spec.base / "src/a")
    assert (target / "zero").stat().st_mtime == CREATED


def test_python_agrees_on_every_field(spec: KitSpec) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(spec))) as tar:
        members = tar.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", CREATED)}
    names = [member.name for member in members]
    assert names == sorted(names, key=lambda name: name.encode().split(b"/"))
    assert "empty/inside" in names


@pytest.mark.parametrize("cut", [512, 1000, 4096, 65_537, 1 << 22])
def test_any_part_can_be_read_by_itself(spec: KitSpec, cut: int) -> None:
    assert archive(spec, cut) == archive(spec)


def test_the_same_tree_elsewhere_is_the_same_archive(spec: KitSpec, tmp_path: Path) -> None:
    kit = made(spec, tmp_path / "out")
    shutil.copytree(spec.base, tmp_path / "copy", symlinks=True)
    for path in (tmp_path / "copy").rglob("*"):
        os.utime(path, (random.Random(0).randrange(10**9), 1), follow_symlinks=False)
    same = rebuild(kit.path, load_spec(tmp_path / "copy" / "kit.toml"), Options())
    assert same.kit_id == kit.kit_id


def test_what_is_said_of_it(spec: KitSpec, tmp_path: Path) -> None:
    said = "\n".join(made(spec, tmp_path / "out").notes)
    assert "lead out of their packed tree: 'src/a/python'" in said
    assert "secret" not in said, "its mode arrives"


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (lambda tree: os.mkfifo(tree / "fifo"), "source-unsupported"),
        (lambda tree: (tree / "a\nb").write_bytes(b""), "source-name-unsafe"),
        (lambda tree: (tree / "a\u202eb").write_bytes(b""), "source-name-unsafe"),
        (lambda tree: (tree / "link").symlink_to("a\x1b[2Jb"), "source-name-unsafe"),
        (
            lambda tree: Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).touch(),
            "source-name-unsafe",
        ),
        (lambda tree: shutil.copy(key("alice"), tree / "k"), "source-secret"),
    ],
)
def test_what_it_cannot_hold(
    spec: KitSpec, tmp_path: Path, plant: Callable[[Path], object], code: str
) -> None:
    plant(spec.base / "src/a")
    assert refused(lambda: made(spec, tmp_path / "out")).code == code
    assert os.listdir(tmp_path / "out") == []


def test_what_is_left_out_or_meant(spec: KitSpec, tmp_path: Path) -> None:
    shutil.copy(key("alice"), spec.base / "src/a/k")
    more = f'{PACKED}\nas = "x/tree.tar"\nexclude = ["big", "empty/"]\nprivate_keys = ["k"]'
    kit = made(again(spec, more), tmp_path / "out")
    assert "left out of 'src/a': 'big', 'empty/'" in kit.notes
    with tarfile.open(fileobj=io.BytesIO(archive(load_spec(spec.file)))) as tar:
        names = tar.getnames()
    assert ("k" in names, "big" in names, "empty" in names) == (True, False, False)


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(b"S" * 513), Path.unlink])
def test_a_file_that_changes_is_refused(spec: KitSpec, change: Callable[[Path], object]) -> None:
    own = {b"README.txt": b"r", b"kit-verify.pyz": b"t", b"verifier/a.py": b"a"}
    inputs = Inputs(collect(spec), own, signed_sums=False)
    change(spec.base / "src/a/secret")
    member = inputs.index.bounds[DATA]
    view = memoryview(bytearray(inputs.index.sizes[member] + 1))
    path = inputs.index.paths(member, member + 1)[0]
    assert refused(lambda: inputs.read_piece(member, path, 0, view, last=True)).code == (
        "source-changed"
    )


@pytest.mark.parametrize(
    "source",
    [
        'file = "src/a/zero"\npack = "tar"',
        'glob = "src/**"\npack = "tar"',
        f'{PACKED}\nlinks = "copy"',
        f'{PACKED}\nempty = "drop"',
        'dir = "."\npack = "tar"',
        'dir = "src/a"\nempty = "keep"',
        'dir = "src/a"\nas = "x"',
    ],
)
def test_what_does_not_go_with_it(spec: KitSpec, source: str) -> None:
    assert refused(lambda: again(spec, source)).code == "spec-invalid"


names = st.text("ab\u00e9\u4e2d.-_ ", min_size=1, max_size=130).filter(
    lambda text: text not in (".", "..") and len(text.encode()) < 250
)


@at_least(100)
@given(st.lists(names, min_size=1, max_size=6), names, st.integers(0, 0o7777))
def test_python_reads_any_name(parts: list[str], link: str, mode: int) -> None:
    path = "/".join(parts)
    packed = Packed(b"/")
    packed.add(Entry(path.encode(), DIRECTORY, mode))
    packed.add(Entry(path.encode() + b"/l", LINK, 0o777, link=link.encode()))
    packed.add(Entry(path.encode() + b"/f", FILE, mode))
    view = memoryview(bytearray(packed.size))
    packed.read(0, view, 7, lambda _: -1)
    with tarfile.open(fileobj=io.BytesIO(view)) as tar:
        directory, to, file = tar.getmembers()
    assert (directory.name, directory.isdir(), directory.mode) == (path, True, mode)
    assert (to.name, to.issym(), to.linkname) == (f"{path}/l", True, link)
    assert (file.name, file.isreg(), file.mode, file.mtime) == (f"{path}/f", True, mode, 7)
