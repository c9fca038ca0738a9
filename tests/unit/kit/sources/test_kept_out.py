"""What a tree must not carry, what is said of it, and links that are meant."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.build import BuiltKit, Options, build
from kit.errors import KitError
from kit.sources.collect import Collected, collect
from kit.sources.inputs import Inputs
from kit.spec import KitSpec, load_spec
from tests.support.making import KEYS, key, make_sources, pinned, read_tree, write_spec
from verifier.core.errors import ExitStatus
from verifier.core.lists import DATA
from verifier.core.pipeline import Job
from verifier.run import run

OWN = {b"README.txt": b"r", b"kit-verify.pyz": b"t", b"verifier/a.py": b"a"}


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of two files."""
    return make_sources(tmp_path / "in", {"a/one": b"one", "a/d/two": b"two"}, ())


def again(spec: KitSpec, more: str = "", **parts: str) -> KitSpec:
    """Return the spec with more said of its only source."""
    text = write_spec(spec.base, ["a"]).read_text()
    text = text.replace('dir = "src/a"', parts.get("source", 'dir = "src/a"')) + more
    spec.file.write_text(text + "\n")
    return load_spec(spec.file)


def made(spec: KitSpec, place: Path, **options: Any) -> BuiltKit:
    return build(spec, [pinned()], place, Options(workers=1, **options))


def refused(call: Callable[[], object]) -> KitError:
    with pytest.raises(KitError) as error:
        call()
    return error.value


def read(collected: Collected) -> Iterator[tuple[str, bytes]]:
    inputs = Inputs(collected, OWN, signed_sums=False)
    for member in range(inputs.index.bounds[DATA], len(inputs.index)):
        path = inputs.index.paths(member, member + 1)[0]
        buffer = bytearray(inputs.index.sizes[member] + 1)
        inputs.read_whole(member, path, memoryview(buffer))
        yield path.decode(), bytes(buffer[:-1])


def files(spec: KitSpec) -> dict[str, bytes]:
    return dict(read(collect(spec)))


# --- keys and the output ---------------------------------------------------------------------


def test_a_private_key_in_a_tree_is_refused_and_all_are_named(
    spec: KitSpec, tmp_path: Path
) -> None:
    for name in ("z.txt", "d/k"):
        shutil.copy(key("alice"), spec.base / "src" / "a" / name)
    error = refused(lambda: made(spec, tmp_path / "out"))
    assert (error.code, error.status) == ("source-secret", ExitStatus.USAGE)
    assert "src/a/d/k" in error.message
    assert "src/a/z.txt" in error.message
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    "source",
    [
        'dir = "src/a"\nprivate_keys = ["d/k"]',
        'dir = "src/a"\nprivate_keys = ["k"]',
        'glob = "src/a/**"\nprivate_keys = ["d/*"]',
        'file = "src/a/d/k"',
    ],
)
def test_a_key_that_the_spec_names_is_carried(spec: KitSpec, tmp_path: Path, source: str) -> None:
    shutil.copy(key("alice"), spec.base / "src/a/d/k")
    kit = made(again(spec, source=source), tmp_path / "out", keys=[spec.base / "src/a/d/k"])
    assert kit.members in (1, 3)


@pytest.mark.parametrize("size", [65_535, 65_536, 200_000, 9_000_000])
def test_a_key_at_the_start_of_a_large_file_is_found(
    spec: KitSpec, tmp_path: Path, size: int
) -> None:
    """A bundle of a key and its chain has no upper size; nor has a key with a long comment."""
    bundle = Path(key("alice")).read_bytes()
    (spec.base / "src/a/bundle.pem").write_bytes(bundle + b"x" * (size - len(bundle)))
    error = refused(lambda: made(spec, tmp_path / "out"))
    assert (error.code, "src/a/bundle.pem" in error.message) == ("source-secret", True)
    packed = again(spec, source='dir = "src/a"\npack = "tar"')
    error = refused(lambda: made(packed, tmp_path / "out"))
    assert (error.code, "src/a/bundle.pem" in error.message) == ("source-secret", True)


def test_a_key_given_as_an_option_is_known_whatever_it_holds(spec: KitSpec, tmp_path: Path) -> None:
    """A token's file, or one in a form that nobody knows by its content."""
    token = spec.base / "src/a/token"
    token.write_bytes(b"opaque")
    os.link(token, tmp_path / "elsewhere")
    error = refused(lambda: made(spec, tmp_path / "out", keys=[tmp_path / "elsewhere"]))
    assert (error.code, "src/a/token" in error.message) == ("source-secret", True)


@pytest.mark.parametrize("out", ["src/a", "src/a/d", "src/a/out/x-1"])
def test_the_directory_of_the_output_is_no_source(spec: KitSpec, out: str) -> None:
    """Else each kit would carry the one before."""
    place = spec.base / out
    error = refused(lambda: made(spec, place, out=place.parent if "out" in out else None))
    assert error.code == "source-secret"
    excluded = again(spec, source='dir = "src/a"\nexclude = ["out/", "d/"]')
    if out != "src/a":
        assert made(excluded, place, out=place).members == 1


# --- what is said ----------------------------------------------------------------------------


def said(spec: KitSpec) -> str:
    return "\n".join(collect(spec).notes.sentences())


def test_modes_that_do_not_arrive_are_named(spec: KitSpec) -> None:
    assert said(spec) == ""
    (spec.base / "src/a/one").chmod(0o600)
    (spec.base / "src/a/d/two").chmod(0o4755)
    assert "readable by everybody at the site: 'src/a/one'" in said(spec)
    assert "set-user-ID or set-group-ID bit does not arrive: 'src/a/d/two'" in said(spec)


def test_what_is_left_out_is_said(spec: KitSpec) -> None:
    more = again(spec, source='dir = "src/a"\nexclude = ["d/"]')
    assert said(more) == "left out of 'src/a': 'd/'"


def test_the_history_of_a_repository_is_said(spec: KitSpec) -> None:
    (spec.base / "src/a/.git").mkdir()
    (spec.base / "src/a/.git/HEAD").write_text("ref")
    assert "history of a repository: 'src/a/.git'" in said(spec)


def test_capabilities_that_do_not_arrive_are_named(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spec.base / "src/a/one").chmod(0o755)
    monkeypatch.setattr(os, "getxattr", lambda *_: b"\1\0\0\2", raising=False)
    assert "capabilities do not arrive: 'a/one'" in made(spec, tmp_path / "out").notes


def test_inode_numbers_that_change_at_each_look_are_not_compared(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on sshfs, mergerfs and gvfs; everything else still is compared."""
    look, numbers = os.fstat, iter(range(1 << 40, 1 << 41))

    def made_up(descriptor: int) -> os.stat_result:
        facts = list(look(descriptor))
        facts[1] = next(numbers)
        return os.stat_result(facts, {"st_mtime_ns": look(descriptor).st_mtime_ns})

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", made_up)
        collected = collect(spec)
        assert dict(read(collected)) == {"a/one": b"one", "a/d/two": b"two"}
        assert "makes up inode numbers" in "\n".join(collected.notes.sentences())
        collected = collect(spec)
        (spec.base / "src/a/one").write_bytes(b"ONE")
        assert refused(lambda: dict(read(collected))).code == "source-changed"


def test_source_date_epoch_is_held_to_expires(spec: KitSpec, tmp_path: Path) -> None:
    kit = made(spec, tmp_path / "out", epoch="315532800")
    assert kit.manifest.kit.created == "1980-01-01T00:00:00Z"
    text = spec.file.read_text().replace("summary", "expires = 2027-01-01T00:00:00Z\nsummary")
    spec.file.write_text(text)
    error = refused(lambda: made(load_spec(spec.file), tmp_path / "2", epoch="1798761600"))
    assert (error.code, error.status) == ("source-date-epoch-invalid", ExitStatus.USAGE)
    assert made(load_spec(spec.file), tmp_path / "2", epoch="1798761599").members == 2


# --- links -----------------------------------------------------------------------------------


def test_a_named_source_that_is_a_link_says_what_helps(spec: KitSpec) -> None:
    (spec.base / "latest").symlink_to("src/a")
    linked = again(spec, source='dir = "latest"')
    error = refused(lambda: collect(linked))
    assert (error.code, "`follow = true`" in error.message) == ("source-unsupported", True)
    assert "cp -RL" in error.message
    followed = again(spec, source='dir = "latest"\nfollow = true')
    assert files(followed) == {"a/one": b"one", "a/d/two": b"two"}
    (spec.base / "newest").symlink_to("latest/d/two")
    followed = again(spec, source='file = "newest"\nfollow = true')
    assert files(followed) == {"a/newest": b"two"}
    (spec.base / "newest").unlink()
    assert refused(lambda: collect(followed)).code == "source-missing"


def test_links_inside_a_source_are_copied_when_asked(spec: KitSpec, tmp_path: Path) -> None:
    """As in a virtual environment, in node_modules/.bin, and in a chart's sub-chart."""
    inside = spec.base / "src/a"
    (inside / "d" / "up").symlink_to("../one")
    (inside / "file").symlink_to("d/up")
    (inside / "dir").symlink_to("d")
    (inside / "one").chmod(0o755)
    copied = again(spec, source='dir = "src/a"\nlinks = "copy"')
    expected = {
        "a/one": b"one",
        "a/file": b"one",
        "a/d/two": b"two",
        "a/d/up": b"one",
        "a/dir/two": b"two",
        "a/dir/up": b"one",
    }
    assert files(copied) == expected
    kit = made(copied, tmp_path / "out")
    report = run(os.fspath(kit.path), Job(kit_id=kit.kit_id), extract=os.fspath(tmp_path / "x"))
    assert report.error is None
    there = read_tree(tmp_path / "x")
    for path, data in expected.items():
        assert there[path] == (0o755 if data == b"one" else 0o644, data)


BAD_LINKS = {
    "outside": ("../../../outside", "outside of the source"),
    "outside and back": ("../../src/a/one", "outside of the source"),
    "absolute": ("/etc/passwd", "begins with /"),
    "nothing": ("gone", "leads to nothing"),
    "itself": ("bad", "leads to itself"),
    "a directory that it is in": (".", "without end"),
    "a FIFO": ("fifo", "neither a regular file"),
    "a file as a directory": ("one/x", "leads to nothing"),
}


@pytest.mark.parametrize(("target", "why"), BAD_LINKS.values(), ids=BAD_LINKS)
def test_links_that_cannot_be_copied(spec: KitSpec, target: str, why: str) -> None:
    (spec.base / "src/a/bad").symlink_to(target)
    if target == "fifo":
        os.mkfifo(spec.base / "src/a/fifo")
    copied = again(spec, source='dir = "src/a"\nlinks = "copy"\nexclude = ["fifo"]')
    error = refused(lambda: collect(copied))
    assert (error.code, why in error.message) == ("source-unsupported", True), error.message


def test_a_private_key_behind_a_link_is_one(spec: KitSpec) -> None:
    shutil.copy(KEYS / "alice.pem", spec.base / "src/a/d/k")
    (spec.base / "src/a/link").symlink_to("d/k")
    keys = 'dir = "src/a"\nlinks = "copy"\nprivate_keys = ["d/k"]'
    error = refused(lambda: files(again(spec, source=keys)))
    assert error.code == "source-secret"
    assert len(files(again(spec, source=keys.replace("d/k", "*")))) == 4
