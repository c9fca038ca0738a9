"""Collecting: which files a spec means, and what is refused instead of carried wrongly."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import errors
from kit.sources.collect import Collected, collect
from kit.spec import parse_spec
from tests.support.collecting import HEAD, Listing, component, data_of, listed, sources, spec, tree
from verifier.core import limits
from verifier.core.errors import ExitStatus

REPOSITORY = Path(__file__).resolve().parents[4]


# --- what is taken


def test_a_directory_is_taken_whole_in_the_order_of_bytes(tmp_path: Path) -> None:
    names = ["a/b", "a-b", "a.txt", "a/b.d/c", "a/b-", "B", "~", " x", "z/a.txt", "z/z/a.txt", ".h"]
    tree(tmp_path / "t", *names)
    found = data_of(tmp_path, 'dir = "t"')
    assert listed(found) == sorted(f"c/{name}" for name in names)
    assert sources(found) == {f"c/{name}": name for name in names}
    assert found.names == b"".join(f"c/{name}\n".encode() for name in sorted(names))


def test_a_file_lands_under_its_name_or_under_as(tmp_path: Path) -> None:
    tree(tmp_path, "out/runner.bin", "x y")
    found = data_of(tmp_path, 'file = "out/runner.bin"', 'file = "x y"\nas = "bin/~ x"')
    assert sources(found) == {"c/runner.bin": "out/runner.bin", "c/bin/~ x": "x y"}


def test_sources_of_a_component_are_one_ascending_list(tmp_path: Path) -> None:
    tree(tmp_path, "one/a", "one/c", "one/d/a", "two/b", "two/d/b", "m")
    found = data_of(tmp_path, 'dir = "one"', 'dir = "two"', 'file = "m"\nas = "d/aa"')
    assert listed(found) == ["c/a", "c/b", "c/c", "c/d/a", "c/d/aa", "c/d/b"]
    assert sources(found)["c/d/aa"] == "m"


def test_components_are_one_ascending_list(tmp_path: Path) -> None:
    tree(tmp_path, "x/f", "y/f")
    tables = [
        component("a", 'dir = "x"'),
        component("a-b", 'dir = "y"'),
        component("A1", 'dir = "x"'),
    ]
    assert listed(collect(spec(tmp_path, *tables)).data) == ["A1/f", "a-b/f", "a/f"]


def test_equal_names_in_different_directories_stay_apart(tmp_path: Path) -> None:
    tree(tmp_path, "x/run/a.txt", "y/run/a.txt")
    tables = [component("x", 'dir = "x"'), component("y", 'dir = "y"')]
    found = collect(spec(tmp_path, *tables)).data
    assert sources(found) == {"x/run/a.txt": "x/run/a.txt", "y/run/a.txt": "y/run/a.txt"}


def test_evidence_is_a_list_of_its_own_and_never_executable(tmp_path: Path) -> None:
    tree(tmp_path, "t/a", "s/b.json", "s/a.json")
    os.chmod(tmp_path / "s/a.json", 0o755)
    tables = [
        component("c", 'dir = "t"'),
        '[[evidence]]\npath = "sbom"\nsource = [{ file = "s/b.json" }]\n',
        '[[evidence]]\npath = "sbom"\nsource = [{ file = "s/a.json" }]\n',
    ]
    found = collect(spec(tmp_path, *tables))
    assert listed(found.data) == ["c/a"]
    assert listed(found.evidence) == ["evidence/sbom/a.json", "evidence/sbom/b.json"]
    assert found.evidence.executable == bytearray(2)
    assert sources(found.evidence)["evidence/sbom/a.json"] == "s/a.json"


def test_facts_of_a_file_are_noted_and_compared(tmp_path: Path) -> None:
    tree(tmp_path, "t/a", "t/b")
    path = tmp_path / "t/b"
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    found = data_of(tmp_path, 'dir = "t"')
    facts = os.stat(path)
    assert (found.sizes[1], found.mtimes[1]) == (3, 1_700_000_000_123_456_789)
    assert found.inodes[1] == facts.st_ino
    assert found.unchanged(1, facts)
    assert not found.unchanged(0, facts)
    os.utime(path, ns=(0, 1_700_000_000_123_456_788))
    assert not found.unchanged(1, os.stat(path))
    (tmp_path / "other").write_text("new")
    os.utime(tmp_path / "other", ns=(0, 1_700_000_000_123_456_789))
    assert not found.unchanged(1, os.stat(tmp_path / "other"))
    path.write_text("longer")
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    assert not found.unchanged(1, os.stat(path))


@pytest.mark.parametrize("seconds", [-1, 0, 9_300_000_000, 13_000_000_000])
def test_times_that_64_bits_do_not_hold_still_compare(tmp_path: Path, seconds: int) -> None:
    tree(tmp_path, "t/a")
    os.utime(tmp_path / "t/a", (seconds, seconds))
    facts = os.stat(tmp_path / "t/a")
    assert data_of(tmp_path, 'dir = "t"').unchanged(0, facts)


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o644, 0), (0o700, 1), (0o755, 1), (0o4711, 1), (0o655, 0), (0o500, 1)],
)
def test_the_owners_bit_decides(tmp_path: Path, mode: int, executable: int) -> None:
    tree(tmp_path, "t/a")
    os.chmod(tmp_path / "t/a", mode)
    assert data_of(tmp_path, 'dir = "t"').executable == bytes([executable])


def test_hard_links_are_files(tmp_path: Path) -> None:
    tree(tmp_path, "t/a")
    os.link(tmp_path / "t/a", tmp_path / "t/b")
    assert listed(data_of(tmp_path, 'dir = "t"')) == ["c/a", "c/b"]


def test_the_directory_of_the_spec_itself_can_be_a_source(tmp_path: Path) -> None:
    tree(tmp_path, "a", "b/c")
    assert listed(data_of(tmp_path, 'dir = "."')) == ["c/a", "c/b/c"]
    assert listed(data_of(tmp_path / "b", 'dir = "./../b//"')) == ["c/c"]


def test_a_spec_reached_through_a_link_has_its_sources(tmp_path: Path) -> None:
    tree(tmp_path, "real/t/a")
    (tmp_path / "link").symlink_to("real")
    assert listed(data_of(tmp_path / "link", 'dir = "t"')) == ["c/a"]


# --- patterns

GLOBS = {
    "w/*.whl": ["a.whl"],
    "w/**/*.whl": ["a.whl", "x/b.whl", "x/y/c.whl"],
    "w/**": ["a.whl", "a.txt", ".hidden", "x/b.whl", "x/y/c.whl", "x/y/d.txt", "X/e.WHL"],
    "w/*/*": ["x/b.whl", "X/e.WHL"],
    "w/x/**/c.whl": ["y/c.whl"],
    "w/[xX]/?.*": ["x/b.whl", "X/e.WHL"],
    "w/**/y/**": ["x/y/c.whl", "x/y/d.txt"],
    "w/**/**/*.txt": ["a.txt", "x/y/d.txt"],
    "w/[!a]*": [".hidden"],
    "*/a.whl": ["w/a.whl"],
}


@pytest.mark.parametrize("pattern", GLOBS)
def test_a_pattern_takes_what_it_says(tmp_path: Path, pattern: str) -> None:
    files = ["a.whl", "a.txt", ".hidden", "x/b.whl", "x/y/c.whl", "x/y/d.txt", "X/e.WHL"]
    tree(tmp_path, *(f"w/{name}" for name in files))
    found = data_of(tmp_path, f'glob = "{pattern}"')
    assert listed(found) == sorted(f"c/{name}" for name in GLOBS[pattern])
    fixed = pattern.split("*")[0].split("[")[0]
    assert sources(found) == {f"c/{name}": f"{fixed}{name}" for name in GLOBS[pattern]}


EXCLUDES = {
    "*.pyc": ["a.py", "p/b.py", "p/__pycache__/x", "q/__pycache__"],
    "__pycache__/": ["a.py", "a.pyc", "p/b.py", "q/__pycache__"],
    "__pycache__": ["a.py", "a.pyc", "p/b.py"],
    "p/*": ["a.py", "a.pyc", "q/__pycache__"],
    "p": ["a.py", "a.pyc", "q/__pycache__"],
    "q/__pycache__": ["a.py", "a.pyc", "p/b.py", "p/__pycache__/b.pyc", "p/__pycache__/x"],
    "b.py": ["a.py", "a.pyc", "p/__pycache__/b.pyc", "p/__pycache__/x", "q/__pycache__"],
    "A.py": ["a.py", "a.pyc", "p/b.py", "p/__pycache__/b.pyc", "p/__pycache__/x", "q/__pycache__"],
}


@pytest.mark.parametrize("kind", ["dir", "glob"])
@pytest.mark.parametrize("pattern", EXCLUDES)
def test_exclude_leaves_out_what_it_says(tmp_path: Path, pattern: str, kind: str) -> None:
    files = ["a.py", "a.pyc", "p/b.py", "p/__pycache__/b.pyc", "p/__pycache__/x", "q/__pycache__"]
    tree(tmp_path, *(f"t/{name}" for name in files))
    source = 'dir = "t"' if kind == "dir" else 'glob = "t/**"'
    found = data_of(tmp_path, f'{source}\nexclude = ["{pattern}"]')
    assert listed(found) == sorted(f"c/{name}" for name in EXCLUDES[pattern])


# --- what cannot be carried


def refused(
    base: Path, *source_texts: str, kind: type[errors.KitError], names: str = "ascii"
) -> Any:
    with pytest.raises(kind) as caught:
        data_of(base, *source_texts, names=names)
    return caught.value


def _link_to_file(path: Path) -> str:
    (path.parent / "real").write_text("x")
    path.symlink_to("real")
    return "a link to 'real'"


def _link_to_directory(path: Path) -> str:
    path.symlink_to("/etc")
    return "a link to '/etc'"


def _link_to_nothing(path: Path) -> str:
    path.symlink_to("../\x1b[2J")
    return r"a link to '../\x1b[2J'"


def _fifo(path: Path) -> str:
    os.mkfifo(path)
    return "a FIFO"


def _socket(path: Path) -> str:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket has at most 108 bytes
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)
    return "a socket"


def _device(path: Path) -> str:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("not run: making a device needs root")
    return "a character device"


ODD = [_link_to_file, _link_to_directory, _link_to_nothing, _fifo, _socket, _device]


@pytest.mark.parametrize("make", ODD)
def test_odd_files_in_a_directory_are_refused_by_name(tmp_path: Path, make: Any) -> None:
    tree(tmp_path, "t/a/b")
    kind = make(tmp_path / "t/a/odd")
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceUnsupported)
    assert error.sources == (b"t/a/odd",)
    assert f"'t/a/odd': is {kind}" in str(error)
    assert error.status is ExitStatus.USAGE
    assert listed(data_of(tmp_path, 'dir = "t"\nexclude = ["odd", "real"]')) == ["c/a/b"]


@pytest.mark.parametrize("make", ODD)
def test_odd_files_as_sources_are_refused_by_name(tmp_path: Path, make: Any) -> None:
    kind = make(tmp_path / "odd")
    for source in ('file = "odd"', 'dir = "odd"', 'glob = "odd/*"'):
        error = refused(tmp_path, source, kind=errors.SourceUnsupported)
        assert error.sources == (b"odd",)
        assert f"'odd': is {kind}" in str(error)
        assert "kit.toml:14: component[0].source[0]" in str(error)


def test_a_link_on_the_way_to_a_source_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "real/x/a")
    (tmp_path / "link").symlink_to("real")
    for source in ('file = "link/x/a"', 'dir = "link/x"', 'glob = "link/x/*"', 'dir = "link/../x"'):
        assert refused(tmp_path, source, kind=errors.SourceUnsupported).sources == (b"link",)


def test_a_pattern_refuses_the_links_it_means_and_no_others(tmp_path: Path) -> None:
    tree(tmp_path, "w/x/a.whl", "w/b.whl")
    (tmp_path / "w/other").symlink_to("b.whl")
    assert listed(data_of(tmp_path, 'glob = "w/**/*.whl"')) == ["c/b.whl", "c/x/a.whl"]
    (tmp_path / "w/c.whl").symlink_to("b.whl")
    (tmp_path / "w/y").symlink_to("x")
    error = refused(tmp_path, 'glob = "w/**/*.whl"', kind=errors.SourceUnsupported)
    assert error.sources == (b"w/c.whl", b"w/y")
    assert listed(data_of(tmp_path, 'glob = "w/*/*.whl"\nexclude = ["y"]')) == ["c/x/a.whl"]


def test_many_odd_files_are_named_at_once_and_counted(tmp_path: Path) -> None:
    tree(tmp_path, "t/a")
    for number in range(30):
        (tmp_path / f"t/link{number:02}").symlink_to("a")
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceUnsupported)
    assert error.sources == tuple(f"t/link{number:02}".encode() for number in range(30))
    assert "30 sources cannot be carried" in str(error)
    assert "and 10 more" in str(error)


def test_a_file_named_as_a_directory_and_the_other_way_round(tmp_path: Path) -> None:
    tree(tmp_path, "t/a")
    error = refused(tmp_path, 'file = "t"', kind=errors.SourceKindWrong)
    assert "is a directory; name it with `dir`" in str(error)
    error = refused(tmp_path, 'dir = "t/a"', kind=errors.SourceKindWrong)
    assert "is a regular file; name it with `file`" in str(error)


def test_missing_sources_are_all_named_with_their_lines(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    error = refused(
        tmp_path,
        'file = "no/x"',
        'dir = "t"',
        'glob = "w/*"',
        'dir = "a/b"',
        kind=errors.SourceMissing,
    )
    assert error.sources == (b"no", b"t", b"w", b"a/b")
    for number, line in enumerate((14, 16, 18, 20)):
        assert f"kit.toml:{line}: component[0].source[{number}]" in str(error)
    assert error.status is ExitStatus.USAGE


@pytest.mark.parametrize("source", ['dir = "t"', 'dir = "u"\nexclude = ["*"]', 'glob = "u/*.x"'])
def test_a_source_without_a_file_is_missing_unless_it_is_a_placeholder(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "t/empty").mkdir(parents=True)
    tree(tmp_path, "u/a")
    source += '\nempty = "drop"' if source.startswith("dir") else ""
    assert "component[0].source[0]" in str(refused(tmp_path, source, kind=errors.SourceMissing))
    table = component("c", source, more='placeholder = "soon"\n')
    assert len(collect(spec(tmp_path, table)).data) == 0


def test_directories_without_files_are_named(tmp_path: Path) -> None:
    tree(tmp_path, "t/a/x", "t/d/skipped.pyc", "u/a")
    for empty in ("t/a/e", "t/b/c/d", "t/b/f", "t/z", "u/e"):
        (tmp_path / empty).mkdir(parents=True)
    tables = [component("c", 'dir = "t"\nexclude = ["*.pyc"]\nempty = "drop"')]
    tables.append(component("d", 'glob = "u/**"'))
    found = collect(spec(tmp_path, *tables))
    assert listed(found.data) == ["c/a/x", "d/a"]
    assert found.empty_directories == (b"c/a/e", b"c/b", b"c/z")
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceDirectoryEmpty)
    assert (error.sources, error.status) == (found.empty_directories, ExitStatus.USAGE)


def test_what_only_one_source_has_empty_arrives(tmp_path: Path) -> None:
    tree(tmp_path, "x/d/b", "x/a", "y/a0")
    for empty in ("y/d", "y/e", "x/e", "x/d0"):
        (tmp_path / empty).mkdir()
    drop = '\nempty = "drop"'
    found = collect(spec(tmp_path, component("c", f'dir = "x"{drop}', f'dir = "y"{drop}')))
    assert found.empty_directories == (b"c/d0", b"c/e")


def test_a_directory_with_something_left_out_is_not_empty(tmp_path: Path) -> None:
    tree(tmp_path, "t/a", "t/b/c/x.pyc")
    found = collect(spec(tmp_path, component("c", 'dir = "t"\nexclude = ["*.pyc"]')))
    assert found.empty_directories == ()


@contextlib.contextmanager
def as_somebody() -> Iterator[Path]:
    """Give a directory and run as a user who is not root."""
    base = Path(tempfile.mkdtemp())
    os.chmod(base, 0o755)
    root = os.geteuid() == 0
    try:
        yield base
    finally:
        if root:
            os.seteuid(0)
        for directory, names, _ in os.walk(base):
            for name in names:
                os.chmod(Path(directory) / name, 0o700)
        shutil.rmtree(base)


def drop_root() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_a_directory_that_cannot_be_listed(tmp_path: Path) -> None:
    with as_somebody() as base:
        tree(base, "t/a", "t/closed/b")
        os.chmod(base / "t/closed", 0)
        drop_root()
        error = refused(base, 'dir = "t"', kind=errors.SourceUnreadable)
        assert "'t/closed': Permission denied" in str(error)
        assert error.status is ExitStatus.UNDECIDED
        assert listed(data_of(base, 'dir = "t"\nexclude = ["closed/"]')) == ["c/a"]


def test_files_that_may_not_be_read_are_named_at_once(tmp_path: Path) -> None:
    with as_somebody() as base:
        tree(base, "t/a", "t/b", "t/d/c", "t/ok")
        for name in ("a", "b", "d/c"):
            os.chmod(base / "t" / name, 0o200)
        drop_root()
        error = refused(base, 'dir = "t"', kind=errors.SourceUnreadable)
        assert error.message.count("Permission denied") == 3


def test_a_source_that_cannot_be_reached(tmp_path: Path) -> None:
    with as_somebody() as base:
        tree(base, "closed/b/c")
        os.chmod(base / "closed", 0)
        drop_root()
        for source in ('dir = "closed/b"', 'file = "closed/b/c"'):
            error = refused(base, source, kind=errors.SourceUnreadable)
            assert "'closed/b': Permission denied" in str(error)


# --- names

BAD_NAMES = {
    "colon": b"a:b",
    "backslash": b"a\\b",
    "line feed": b"a\nb",
    "escape": b"a\x1b[2Jb",
    "delete": b"a\x7fb",
    "ends in a dot": b"a.",
    "ends in a space": b"a ",
    "device": b"con",
    "device with extension": b"x/Aux.txt",
    "not UTF-8": b"a\xff",
    "UTF-8 of a surrogate": b"a\xed\xb2\x80",
    "decomposed": "cafe\u0301".encode(),
    "turns the line": "a\u202eb".encode(),
    "newer than Unicode 3.2": "\U0001f600".encode(),
    "directory with a star": b"a*/b",
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_bad_name_is_refused_with_its_source(tmp_path: Path, case: str) -> None:
    name = BAD_NAMES[case]
    path = os.fsencode(tmp_path) + b"/t/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).write_text("x")
    tree(tmp_path, "t/good")
    error = refused(tmp_path, 'dir = "t"', names="unicode", kind=errors.SourceNameUnsafe)
    assert error.sources == (b"t/" + name,)
    assert str(error).isprintable() or "\x1b" not in str(error)
    assert "rename" in str(error).lower()
    assert error.status is ExitStatus.USAGE


def test_all_bad_names_are_told_at_once(tmp_path: Path) -> None:
    tree(tmp_path, "t/a:b", "t/c", "t/d/e:f")
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceNameUnsafe)
    assert error.sources == (b"t/a:b", b"t/d/e:f")
    assert "(in the kit 'c/a:b')" in str(error)


def test_a_bad_name_can_be_given_another_or_be_excluded(tmp_path: Path) -> None:
    tree(tmp_path, "t/a:b", "t/c")
    found = data_of(tmp_path, 'file = "t/a:b"\nas = "a-b"', 'dir = "t"\nexclude = ["*:*"]')
    assert sources(found) == {"c/a-b": "t/a:b", "c/c": "t/c"}
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/t/\xff.pyc")).write_text("x")
    assert listed(data_of(tmp_path, 'dir = "t"\nexclude = ["*.pyc", "a:b"]')) == ["c/c"]


def test_more_than_ascii_must_be_asked_for(tmp_path: Path) -> None:
    tree(tmp_path, "t/caf\u00e9", "t/a")
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceNameUnsafe)
    assert error.sources == ("t/caf\u00e9".encode(),)
    assert 'names = "unicode"' in str(error)
    assert listed(data_of(tmp_path, 'dir = "t"', names="unicode")) == ["c/a", "c/caf\u00e9"]


def test_paths_that_are_too_long_or_too_deep(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in ["t", *["d" * 250] * 20]:  # longer than a path may be on this host, too
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("f", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here))
    finally:
        os.close(here)
    error = refused(tmp_path, 'dir = "t"', kind=errors.SourceNameUnsafe)
    assert f"{limits.MAX_PATH} bytes" in str(error)
    tree(tmp_path, "u/" + "d/" * 62 + "f")
    assert len(data_of(tmp_path, 'dir = "u"')) == 1
    tree(tmp_path, "u/" + "d/" * 63 + "f")
    error = refused(tmp_path, 'dir = "u"', kind=errors.SourceNameUnsafe)
    assert error.sources == (b"u/" + b"d/" * 63,)


# --- collisions


def collision(base: Path, *source_texts: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...], str]:
    error = refused(base, *source_texts, names="unicode", kind=errors.SourcesCollide)
    assert error.status is ExitStatus.USAGE
    for name in (*error.sources, *error.paths):
        assert errors.show(name) in str(error)
    return error.sources, error.paths, str(error)


@pytest.mark.parametrize("run", [1, 2, 4096])
def test_two_sources_of_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int) -> None:
    monkeypatch.setattr("kit.sources.collect._RUN", run)
    tree(tmp_path, "x/a", "x/b", "y/b")
    found, paths, message = collision(tmp_path, 'dir = "x"', 'dir = "y"')
    assert (found, paths) == ((b"x/b", b"y/b"), (b"c/b", b"c/b"))
    assert "they would be one file" in message
    found, paths, _ = collision(tmp_path, 'file = "y/b"\nas = "a"', 'dir = "x"')
    assert (sorted(found), paths) == ([b"x/a", b"y/b"], (b"c/a", b"c/a"))
    found, _, _ = collision(tmp_path, 'file = "x/a"', 'file = "x/a"')
    assert found == (b"x/a", b"x/a")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Readme", "README"),
        ("d/x.TXT", "D/X.txt"),
        ("stra\u00dfe", "STRASSE"),
        ("\u00c4", "\u00e4"),
        ("\u03c3", "\u03c2"),
    ],
)
def test_two_names_that_differ_in_case_only(tmp_path: Path, one: str, other: str) -> None:
    tree(tmp_path, f"t/{one}", f"t/{other}", "t/z")
    found, _, message = collision(tmp_path, 'dir = "t"')
    assert set(found) == {f"t/{one}".encode(), f"t/{other}".encode()}
    assert "ignore case" in message


def test_a_name_that_is_file_and_directory(tmp_path: Path) -> None:
    tree(tmp_path, "x/a", "y/A/b/c", "x/q")
    found, paths, message = collision(tmp_path, 'dir = "x"', 'dir = "y"')
    assert (found, paths) == ((b"x/a", b"y/A/b/c"), (b"c/a", b"c/A/b/c"))
    assert "directory" in message
    found, _, _ = collision(tmp_path, 'file = "x/a"\nas = "q"', 'file = "x/q"\nas = "q/r"')
    assert found == (b"x/a", b"x/q")


def test_directories_that_differ_in_case_only_are_merged_by_such_hosts(tmp_path: Path) -> None:
    tree(tmp_path, "t/D/a", "t/d/b")
    assert listed(data_of(tmp_path, 'dir = "t"')) == ["c/D/a", "c/d/b"]


def test_evidence_collides_with_evidence(tmp_path: Path) -> None:
    tree(tmp_path, "t/a", "e/a", "e/A")
    table = '[[evidence]]\npath = "x"\nsource = [{ dir = "e" }]\n'
    with pytest.raises(errors.SourcesCollide) as caught:
        collect(spec(tmp_path, component("c", 'dir = "t"'), table))
    assert set(caught.value.sources) == {b"e/a", b"e/A"}


# --- exemptions


EXEMPTING = '[[evidence]]\npath = "x"\nsource = [{ dir = "e" }]\n[[exemption]]\n'


def exempting(base: Path, *paths: str) -> Collected:
    tree(base, "t/doc/a", "t/b", "e/c")
    table = f'{EXEMPTING}paths = {list(paths)!r}\nreason = "text"\n'
    return collect(spec(base, component("c", 'dir = "t"'), table))


@pytest.mark.parametrize("path", ["c", "c/b", "c/doc", "c/doc/a", "evidence/x/c", "evidence"])
def test_exemption_of_a_file_or_directory(tmp_path: Path, path: str) -> None:
    assert len(exempting(tmp_path, path).data) == 2


@pytest.mark.parametrize("path", ["c/do", "c/doc/b", "c/B", "x", "t/b", "c/b/a"])
def test_exemption_of_nothing_is_a_mistake_with_its_line(tmp_path: Path, path: str) -> None:
    with pytest.raises(errors.ExemptionIdle) as caught:
        exempting(tmp_path, "c/b", path)
    assert caught.value.status is ExitStatus.USAGE
    line = 1 + EXEMPTING.count("\n") + HEAD.count("\n") + component("c", "").count("\n")
    assert caught.value.where == f"{tmp_path / 'kit.toml'}:{line}: exemption[0].paths[1]"
    assert repr(path) in caught.value.message


# --- sizes


def test_evidence_that_is_too_large(tmp_path: Path) -> None:
    tree(tmp_path, "t/a", "e/a")
    os.truncate(tmp_path / "e/a", limits.MAX_FIXED_MEMBER)
    os.truncate(tmp_path / "t/a", limits.MAX_FIXED_MEMBER + 1)
    tables = [component("c", 'dir = "t"'), '[[evidence]]\npath = "x"\nsource = [{ dir = "e" }]\n']
    assert collect(spec(tmp_path, *tables)).evidence.sizes[0] == limits.MAX_FIXED_MEMBER
    os.truncate(tmp_path / "e/a", limits.MAX_FIXED_MEMBER + 1)
    with pytest.raises(errors.SourceTooLarge) as caught:
        collect(spec(tmp_path, *tables))
    assert caught.value.sources == (b"e/a",)


def test_more_files_than_a_kit_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "t/a", "t/b", "t/c")
    monkeypatch.setattr(limits, "MAX_MEMBERS", 3)
    assert len(data_of(tmp_path, 'dir = "t"')) == 3
    monkeypatch.setattr(limits, "MAX_MEMBERS", 2)
    with pytest.raises(errors.KitTooLarge, match="more than 2 files"):
        data_of(tmp_path, 'dir = "t"')


# --- the host lists in any order, the locale is another


def columns(found: Collected) -> list[Any]:
    return [
        (c.names, c.offsets, c.sizes, c.mtimes, c.ctimes, c.inodes, c.executable, c.base, c.bases)
        for c in (found.data, found.evidence)
    ] + [found.empty_directories]


def test_the_order_of_listing_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, *(f"t/{a}/{b}{c}" for a in "xyz" for b in "ab" for c in ("", ".d/e", "-")))
    (tmp_path / "t/empty").mkdir()
    tables = [component("c", 'dir = "t"\nempty = "drop"', 'file = "t/x/a"\nas = "y/zz"')]
    tables.append('[[evidence]]\npath = "x"\nsource = [{ glob = "t/**/*-" }]\n')
    first = columns(collect(spec(tmp_path, *tables)))
    for seed in range(5):
        shuffle = random.Random(seed).shuffle
        monkeypatch.setattr(os, "scandir", Listing(lambda _, listed, do=shuffle: do(listed)))
        assert columns(collect(spec(tmp_path, *tables))) == first
        monkeypatch.undo()


@pytest.mark.parametrize("locale", ["C", pytest.param("C.UTF-8", marks=pytest.mark.long)])
def test_the_locale_does_not_matter(tmp_path: Path, locale: str) -> None:
    tree(tmp_path, "\u00fc/t/caf\u00e9", "\u00fc/t/Zoe", "\u00fc/t/\u00c4")
    text = HEAD.format(names="unicode") + component(
        "c", 'dir = "t"', 'file = "t/\u00c4"\nas = "\u00fc"'
    )
    (tmp_path / "\u00fc/kit.toml").write_text(text, encoding="utf-8")
    program = (
        "import os, sys; from pathlib import Path\n"
        "from kit.sources.collect import collect; from kit.spec import load_spec\n"
        "data = collect(load_spec(Path(sys.argv[1]))).data\n"
        "print(data.names.hex(), data.source(0).hex())"
    )
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program, os.fsencode(tmp_path) + "/\u00fc/kit.toml".encode()],
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=True,
    )
    names, source = (bytes.fromhex(part) for part in done.stdout.decode().split())
    assert names == "c/Zoe\nc/caf\u00e9\nc/\u00c4\nc/\u00fc\n".encode()
    assert source == os.fsencode(tmp_path) + "/\u00fc/t/Zoe".encode()


def test_the_minimal_example_collects(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "manifests/examples/minimal.toml", tmp_path / "kit.toml")
    tree(tmp_path, "hello/hello.txt")
    raw = (tmp_path / "kit.toml").read_bytes()
    found = collect(parse_spec(raw, file=tmp_path / "kit.toml"))
    assert listed(found.data) == ["hello/hello.txt"]


def test_the_full_example_collects(tmp_path: Path) -> None:
    raw = (REPOSITORY / "manifests/examples/full.toml").read_bytes()
    tree(tmp_path, "migrations/21-101/up.py", "migrations/21-101/__pycache__/up.pyc")
    tree(tmp_path, "migrations/21-101/README.md")
    tree(
        tmp_path,
        "out/runner.bin",
        "charts/migrations/Chart.yaml",
        "wheels/cp311/a.whl",
        "wheels/a-debug-1.whl",
        "sboms/runner.spdx.json",
        "attestations/runner.dsse.json",
        "supply/root.layout",
        "supply/links/build.0123abcd.link",
        "supply/links/notes.txt",
        "LICENSE",
    )
    book = REPOSITORY / "manifests/examples/runbooks/web.toml"
    shutil.copy(book, tmp_path / "runbook.toml")
    found = collect(parse_spec(raw, file=tmp_path / "kit.toml"))
    assert listed(found.data) == [
        "migrations/21-101/README.md",
        "migrations/21-101/chart.tar",
        "migrations/21-101/up.py",
        "runbook/runbook.json",
        "runner/bin/runner",
        "runner/cp311/a.whl",
    ]
    assert listed(found.evidence) == [
        "evidence/attestations/runner/runner.dsse.json",
        "evidence/in-toto/build.0123abcd.link",
        "evidence/in-toto/root.layout",
        "evidence/licences/LICENSE",
        "evidence/sbom/runner.spdx.json",
    ]
