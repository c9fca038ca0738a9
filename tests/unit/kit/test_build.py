"""Building: one pass over the sources, a clear refusal for each, and nothing half left."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kit import build as building
from kit.build import BuiltKit, Options, SelfCheckFailed, build
from kit.container.output import partial_of
from kit.sign import sign
from kit.signing import load_signer, load_sums_signer
from kit.spec import KitSpec, load_spec
from tests.support.making import key, make_sources, noise, pinned, text, write_spec
from verifier.core.errors import ExitStatus, KitError
from verifier.core.limits import FRAME, KIB, MIB
from verifier.core.pipeline import Job
from verifier.run import run
from verifier.show.reportvalue import report_value

NAME = "demo-1.0.tar.zst"
FILES = {
    "a/first": b"first\n",
    "a/second": text(5000),
    "big/file": text(2 * FRAME + 11),
    "big/stored": noise(MIB),
}


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of a kit with small and big members."""
    return make_sources(tmp_path / "in", FILES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return an empty directory for the kit."""
    place = tmp_path / "out"
    place.mkdir()
    return place


def made(spec: KitSpec, out: Path, **options: Any) -> BuiltKit:
    return build(spec, [pinned()], out, Options(workers=2, **options))


def refused(call: Callable[[], object]) -> KitError:
    with pytest.raises(KitError) as error:
        call()
    assert error.value.fix.endswith(".")
    return error.value


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def read(path: Path) -> dict[str, Any]:
    report = run(os.fspath(path), Job(root=pinned(), workers=2))
    return {**report_value(report), "code": report.error.code if report.error else ""}


# --- what it says and makes ------------------------------------------------------------------


def test_what_it_returns_is_what_the_verifier_finds(spec: KitSpec, out: Path) -> None:
    signers = [load_signer(key(name), pinned().targets.keys) for name in ("bob", "alice")]
    kit = build(spec, [pinned()], out, Options(), signers=signers)
    assert kit.path == out / NAME
    assert kit.path.stat().st_mode & 0o7777 == 0o644
    found = read(kit.path)
    assert found["code"] == ""
    assert (found["kitId"], found["contentId"]) == (kit.kit_id, kit.content_id)
    assert found["members"]["payload"] == kit.members == len(FILES)
    assert (kit.size, kit.signers) == (kit.path.stat().st_size, ("alice", "bob"))
    assert kit.report is not None
    assert kit.report.proof == "full"
    assert names(out) == [NAME]


def test_the_content_id_depends_on_no_compressor_and_no_key(tmp_path: Path) -> None:
    sources = tmp_path / "in"
    make_sources(sources, FILES)
    path = write_spec(sources, ["a", "big"])
    ids = set()
    for number, (level, store) in enumerate([(1, False), (3, False), (9, False), (3, True)]):
        place = tmp_path / str(number)
        place.mkdir()
        spec = load_spec(path, {"level": level})
        sums = load_sums_signer(key("sums")) if number % 2 else None
        kit = build(spec, [pinned()], place, Options(store=store), sums=sums)
        ids.add(kit.content_id)
        assert kit.manifest.built.level == (0 if store else level)
    assert len(ids) == 1


def test_directories_that_do_not_arrive_are_named(spec: KitSpec, out: Path) -> None:
    (spec.base / "src" / "a" / "empty" / "inside").mkdir(parents=True)
    assert refused(lambda: made(spec, out)).code == "source-directory-empty"
    text = spec.file.read_text().replace('dir = "src/a"', 'dir = "src/a"\nempty = "drop"')
    spec.file.write_text(text)
    kit = made(load_spec(spec.file), out)
    assert kit.empty_directories == ("'a/empty'",)
    assert any("'a/empty'" in note for note in kit.notes)


def test_progress_ends_at_the_whole(spec: KitSpec, out: Path) -> None:
    told: list[tuple[str, int, int]] = []
    made(spec, out, progress=lambda *what: told.append(what))
    for what in ("building", "checking"):
        numbers = [(done, total) for name, done, total in told if name == what]
        assert numbers == sorted(numbers)
        assert numbers[-1][0] == numbers[-1][1] > sum(map(len, FILES.values()))


def test_every_byte_of_the_sources_is_read_once(
    spec: KitSpec, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = 0
    preadv = os.preadv
    source = os.fspath(spec.base / "src")

    def counting(descriptor: int, *arguments: Any) -> int:
        nonlocal counted
        done = preadv(descriptor, *arguments)
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(source):
            counted += done
        return done

    monkeypatch.setattr(os, "preadv", counting)
    build(spec, [pinned()], out, Options(workers=1))
    assert counted == sum(map(len, FILES.values()))


# --- the page grows --------------------------------------------------------------------------


def many(directory: Path, components: int, words: int) -> KitSpec:
    """Write a spec with many components that are placeholders, each with so many bytes to say."""
    make_sources(directory, {"a/b": b"c"})
    path = write_spec(directory, ["a"])
    lines = [path.read_text()]
    for number in range(components):
        lines.append(f'[[component]]\nid = "c{number}"\nversion = "1"\npath = "c{number}"')
        lines.append(f'lands = "/opt/c{number}"\nplaceholder = "{"w" * words}"')
    path.write_text("\n".join(lines) + "\n")
    return load_spec(path)


@pytest.mark.parametrize(
    ("components", "page"), [(1, 64 * KIB), (120, 256 * KIB), (500, MIB)], ids=str
)
def test_a_longer_manifest_takes_a_larger_page_and_is_signed_in_place(
    tmp_path: Path, out: Path, components: int, page: int
) -> None:
    kit = made(many(tmp_path / "in", components, 400), out)
    assert kit.manifest.page_size == page
    before = kit.path.read_bytes()
    for name in ("alice", "bob"):
        sign(kit.path, [key(name)])
    assert read(kit.path)["code"] == ""
    after = kit.path.read_bytes()
    step = 64
    changed = [
        at for at in range(0, len(after), step) if before[at : at + step] != after[at : at + step]
    ]
    assert changed[-1] + step - changed[0] < 1000


def test_a_manifest_that_fits_no_page_is_refused(tmp_path: Path, out: Path) -> None:
    error = refused(lambda: made(many(tmp_path / "in", 1000, 500), out))
    assert (error.code, error.status) == ("kit-too-large", ExitStatus.USAGE)
    assert names(out) == []


# --- the output ------------------------------------------------------------------------------

IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.write_bytes(b"mine"),
    "a directory": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("plant", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_what_has_the_name_is_not_touched(
    spec: KitSpec, out: Path, plant: Callable[[Path], object]
) -> None:
    plant(out / NAME)
    before = (out / NAME).lstat()
    error = refused(lambda: made(spec, out))
    assert (error.code, error.status) == ("output-exists", ExitStatus.USAGE)
    assert (out / NAME).lstat() == before
    assert names(out) == [NAME]


def test_what_gets_the_name_meanwhile_is_not_touched(spec: KitSpec, out: Path) -> None:
    def appear(what: str, done: int, total: int) -> None:
        if what == "checking" and done == total:
            (out / NAME).write_bytes(b"mine")

    error = refused(lambda: made(spec, out, progress=appear))
    assert error.code == "output-exists"
    assert (out / NAME).read_bytes() == b"mine"
    assert names(out) == [NAME]


def test_two_builds_of_one_kit_at_once(spec: KitSpec, out: Path) -> None:
    partial = partial_of(out / NAME)
    partial.write_bytes(b"being written")
    with open(partial, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        error = refused(lambda: made(spec, out))
        assert (error.code, error.status) == ("output-exists", ExitStatus.USAGE)
        assert "another run" in error.message
    assert partial.read_bytes() == b"being written"
    made(spec, out)
    assert names(out) == [NAME]


def test_a_kit_that_is_left_under_both_names_is_not_cut(spec: KitSpec, out: Path) -> None:
    """A run was killed between the two steps of publishing, and its kit was moved away."""
    moved = out / "moved"
    moved.write_bytes(b"a kit")
    os.link(moved, partial_of(out / NAME))
    made(spec, out)
    assert moved.read_bytes() == b"a kit"
    assert names(out) == [NAME, "moved"]


def test_a_link_in_place_of_the_unfinished_file_is_not_followed(spec: KitSpec, out: Path) -> None:
    theirs = out / "theirs"
    theirs.write_bytes(b"theirs")
    partial_of(out / NAME).symlink_to(theirs)
    error = refused(lambda: made(spec, out))
    assert (error.code, error.status) == ("output-foreign", ExitStatus.USAGE)
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("place", ["file/x", "file", "/proc/x"])
def test_a_directory_that_cannot_be_written(spec: KitSpec, out: Path, place: str) -> None:
    (out / "file").write_bytes(b"")
    error = refused(lambda: made(spec, out / place))
    assert (error.code, error.status) == ("output-unwritable", ExitStatus.UNDECIDED)
    assert names(out) == ["file"]


# --- the sources -----------------------------------------------------------------------------


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


def grow(path: Path) -> None:
    facts = path.stat()
    with open(path, "ab") as stream:
        stream.write(b"!")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def shrink(path: Path) -> None:
    facts = path.stat()
    os.truncate(path, facts.st_size - 1)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replace(path: Path) -> None:
    """Put a copy in its place, with the same size and times."""
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def become_a_link(path: Path) -> None:
    path.rename(path.with_name("there"))
    path.symlink_to("there")


CHANGES = {
    "touched": (touch, "source-changed"),
    "grows": (grow, "source-changed"),
    "shrinks": (shrink, "source-changed"),
    "is replaced": (replace, "source-changed"),
    "vanishes": (Path.unlink, "source-changed"),
    "becomes a link": (become_a_link, "source-changed"),
}


@pytest.mark.parametrize("when", ["before it is read", "while it is read"])
@pytest.mark.parametrize("member", ["a/second", "big/file"])
@pytest.mark.parametrize(("change", "code"), CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_changes_fails_the_build(
    spec: KitSpec,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    code: str,
    member: str,
    when: str,
) -> None:
    """The change comes in front of the first read, or behind it."""
    path = spec.base / "src" / member
    preadv, opened = os.preadv, os.open
    state = {"done": False}

    def strike() -> None:
        if not state["done"]:
            state["done"] = True
            change(path)

    def opening(name: Any, *arguments: Any, **more: Any) -> int:
        if name == os.fsencode(path.name) and "dir_fd" in more and when == "before it is read":
            strike()
        return opened(name, *arguments, **more)

    def reading(descriptor: int, *arguments: Any) -> int:
        ours = os.readlink(f"/proc/self/fd/{descriptor}") == os.fspath(path)
        done = preadv(descriptor, *arguments)
        if ours and when == "while it is read":
            strike()
        return done

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "preadv", reading)
    error = refused(lambda: build(spec, [pinned()], out, Options(workers=1)))
    assert (error.code, error.status) == (code, ExitStatus.UNDECIDED)
    assert member in error.where
    assert names(out) == []


def test_a_file_that_cannot_be_read(
    spec: KitSpec, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spec.base / "src" / "a" / "second"
    if os.geteuid():
        path.chmod(0)
    else:  # root may read everything
        opened = os.open

        def opening(name: Any, *arguments: Any, **more: Any) -> int:
            if name == os.fsencode(path.name) and "dir_fd" in more:
                raise PermissionError(13, "Permission denied")
            return opened(name, *arguments, **more)

        monkeypatch.setattr(os, "open", opening)
    error = refused(lambda: made(spec, out))
    assert (error.code, error.status) == ("source-unreadable", ExitStatus.UNDECIDED)
    assert "a/second" in error.where
    assert names(out) == []


def test_all_that_a_host_refuses_against_the_modes_is_named(
    spec: KitSpec, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ACL or a label is seen when a file is opened; one at a time meant a build for each."""
    barred = {b"p", b"r"}
    for name in (b"p", b"q", b"r"):
        (spec.base / "src" / "a" / os.fsdecode(name)).write_text("x")
    opened = os.open

    def opening(name: Any, *arguments: Any, **more: Any) -> int:
        if name in barred and "dir_fd" in more:
            raise PermissionError(13, "Permission denied")
        return opened(name, *arguments, **more)

    monkeypatch.setattr(os, "open", opening)
    error = refused(lambda: made(spec, out))
    assert (error.code, error.status) == ("source-unreadable", ExitStatus.UNDECIDED)
    assert ("a/p" in str(error), "a/q" in str(error), "a/r" in str(error)) == (True, False, True)
    assert names(out) == []


def test_a_link_is_refused_by_its_name(spec: KitSpec, out: Path) -> None:
    (spec.base / "src" / "a" / "link").symlink_to("first")
    error = refused(lambda: made(spec, out))
    assert (error.code, error.status) == ("source-unsupported", ExitStatus.USAGE)
    assert "a/link" in str(error)
    assert names(out) == []


# --- SOURCE_DATE_EPOCH and the self-check ------------------------------------------------------


@pytest.mark.parametrize(
    "epoch", ["", "-1", "1.5", " 1", "1 ", "0x10", "١", "8589934592", "9" * 30]
)
def test_an_epoch_that_is_no_time(spec: KitSpec, out: Path, epoch: str) -> None:
    error = refused(lambda: made(spec, out, epoch=epoch))
    assert (error.code, error.status) == ("source-date-epoch-invalid", ExitStatus.USAGE)
    assert repr(epoch) in str(error)


@pytest.mark.parametrize(
    ("epoch", "created"),
    [("0", "1970-01-01T00:00:00Z"), ("8589934591", "2242-03-16T12:56:31Z"), (None, "2026-")],
)
def test_an_epoch_that_is_one(spec: KitSpec, out: Path, epoch: str | None, created: str) -> None:
    assert made(spec, out, epoch=epoch).manifest.kit.created.startswith(created)


DAMAGE: dict[str, Sequence[int]] = {"payload": (-3000,), "head": (1000,), "seek table": (-20,)}


@pytest.mark.parametrize("at", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_the_disk_damaged_never_gets_a_name(
    spec: KitSpec, out: Path, monkeypatch: pytest.MonkeyPatch, at: Sequence[int]
) -> None:
    write = building.write

    def writing(descriptor: int, *arguments: Any, **more: Any) -> Any:
        written = write(descriptor, *arguments, **more)
        place = at[0] % written.size
        byte = os.pread(descriptor, 1, place)
        os.pwrite(descriptor, bytes([byte[0] ^ 1]), place)
        return written

    monkeypatch.setattr(building, "write", writing)
    error = refused(lambda: made(spec, out))
    assert isinstance(error, SelfCheckFailed)
    assert names(out) == []
