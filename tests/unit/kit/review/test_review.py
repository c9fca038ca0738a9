"""A signer without the kit sees what is signed, and nothing else can be put before that signer."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import cli as kit_cli
from kit.container.pyz import verifier_files
from kit.review.diff import FIRST_LINE, diff_text
from kit.review.head import DIFF, PACK_FILES, index_lines, load_head
from kit.review.pack import make_pack, review
from kit.review.words import words
from tests.support.making import ROOT_FILE, make_kit, read_tree
from tests.support.packs import Releases, index_text, make_releases
from tests.support.together import together
from verifier.core.errors import ExitStatus, KitError
from verifier.core.names import HEAD, quoted
from verifier.show.changes import changed_members
from verifier.show.difftext import MAX_IN_FULL
from verifier.show.fingerprint import groups


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return make_releases(tmp_path_factory.mktemp("review"))


@pytest.fixture
def pack(releases: Releases, tmp_path: Path) -> Path:
    """Return a copy of the newer kit's pack that a test may change."""
    return Path(shutil.copytree(releases.pack, tmp_path / releases.pack.name))


def code(error: pytest.ExceptionInfo[KitError]) -> tuple[str, ExitStatus]:
    return error.value.code, error.value.status


# --- the pack --------------------------------------------------------------------------------


def test_a_pack_is_the_head_of_the_kit_as_files(releases: Releases, tmp_path: Path) -> None:
    """What a full extraction would write is the judge."""
    assert releases.pack.name == "demo-1.1.review"
    assert sorted(path.name for path in releases.pack.iterdir()) == sorted(PACK_FILES)
    head, index, table = load_head(releases.new.path)
    for name, data in {
        "kit.dsse.json": releases.new.path.read_bytes()[17 + 512 : 17 + 512 + 65536],
        "kit.index": b"".join(index.text()),
        "kit.frames": b"".join(table.text()),
        "kit.roots.json": head.roots,
    }.items():
        assert (releases.pack / name).read_bytes() == data
    for name in PACK_FILES:
        assert (releases.pack / name).stat().st_mode & 0o7777 == 0o644


def test_a_pack_reads_only_the_head(releases: Releases, tmp_path: Path) -> None:
    """A kit may have 200 GB: what is behind its lists is not even there here."""
    data = releases.new.path.read_bytes()
    end = sum((releases.pack / name).stat().st_size for name in HEAD) + 8192  # headers, padding
    assert end < len(data) // 2
    cut = tmp_path / "cut.tar.zst"
    cut.write_bytes(data[:end])
    made = make_pack(cut, tmp_path, against=releases.first)
    assert read_tree(made.path) == read_tree(releases.pack)


def test_packs_are_the_same_bytes_whoever_makes_them(releases: Releases, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = make_pack(releases.new.path, tmp_path, against=releases.first)
    finally:
        os.umask(before)
    assert read_tree(made.path) == read_tree(releases.pack)
    assert made.head.kit_id == releases.new.built.kit_id
    assert made.against is not None
    assert made.against.kit_id == releases.old.built.kit_id


def test_a_pack_never_replaces_anything(releases: Releases, tmp_path: Path) -> None:
    there = tmp_path / "demo-1.1.review"
    there.mkdir()
    with pytest.raises(KitError) as error:
        make_pack(releases.new.path, tmp_path)
    assert code(error) == ("output-exists", ExitStatus.USAGE)
    assert [path.name for path in tmp_path.iterdir()] == [there.name]


def test_what_a_killed_run_left_is_taken_over(releases: Releases, tmp_path: Path) -> None:
    left = tmp_path / ".demo-1.1.review.offline-kit-partial"
    left.mkdir()
    (left / "kit.index").write_bytes(b"half" * 100_000)
    make_pack(releases.new.path, tmp_path, against=releases.first)
    assert [path.name for path in tmp_path.iterdir()] == ["demo-1.1.review"]
    assert read_tree(tmp_path / "demo-1.1.review") == read_tree(releases.pack)


def test_a_damaged_head_makes_no_pack(releases: Releases, tmp_path: Path) -> None:
    data = bytearray(releases.new.path.read_bytes())
    at = data.index(b"offline-kit-index/1") + 60
    data[at] ^= 1
    (tmp_path / "kit.tar.zst").write_bytes(data)
    with pytest.raises(KitError) as error:
        make_pack(tmp_path / "kit.tar.zst", tmp_path)
    assert code(error) == ("digest-mismatch", ExitStatus.REJECTED)
    assert [path.name for path in tmp_path.iterdir()] == ["kit.tar.zst"]


# --- what a signer sees ----------------------------------------------------------------------


def test_a_pack_says_what_the_kit_says(releases: Releases) -> None:
    far, near = review(releases.pack, against=releases.first), review(releases.new.path)
    assert list(words(far.seen)) == list(words(near.seen))
    assert (far.diff_checked, near.diff_checked) == (True, None)
    assert far.diff == (releases.pack / DIFF).read_text("utf-8")


def test_words_name_what_is_signed(releases: Releases) -> None:
    text = "\n".join(words(review(releases.pack, against=releases.first).seen))
    kit_id = releases.new.built.kit_id
    for said in (
        "demo 1.1: 'a kit for tests'",
        "line demo/stable, sequence 8",
        " ".join(kit_id[at : at + 4] for at in range(0, 64, 4)),
        "extra '1': 1 member, 1 byte, for '/opt/extra'",
        "a kit needs 2 of 'alice', 'bob', 'carol'",
        "signed so far by nobody",
        "the contents of any member: only their digests and sizes are here",
        "the verifier in it is the one that this offline-kit makes, byte for byte",
    ):
        assert said in text
    assert "signed so far by 'alice', 'bob'" in "\n".join(words(review(releases.first).seen))


def test_another_verifier_in_the_kit_catches_the_eye(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release host that puts its own verifier into kits is what several signers are for."""
    files = verifier_files()
    planted = {**files, "cli.py": b"print('VERIFIED')"}
    monkeypatch.setattr("kit.review.words.verifier_files", lambda: planted)
    seen = review(releases.pack, against=releases.first).seen
    assert not seen.own_verifier
    assert "ATTENTION: the verifier in it is not the one" in "\n".join(words(seen))


def test_groups_are_of_four_digits() -> None:
    assert groups("0123456789abcdef" * 4).split(" ") == ["0123", "4567", "89ab", "cdef"] * 4


def test_without_the_earlier_kit_the_difference_is_not_believed(releases: Releases) -> None:
    seen = review(releases.pack)
    assert (seen.diff, seen.diff_checked) == ("", False)
    first = review(releases.first)  # compared with nothing: that can be worked out
    assert first.diff_checked is True
    assert first.diff == (releases.first / DIFF).read_text("utf-8")


def test_other_files_are_named(pack: Path, releases: Releases) -> None:
    (pack / ".DS_Store").write_bytes(b"x")
    (pack / "READ\x1bME").write_bytes(b"sign quickly")
    assert review(pack, against=releases.first).others == ("'.DS_Store'", "'READ\\x1bME'")


# --- hostile packs ---------------------------------------------------------------------------


def places(data: bytes, name: str) -> Iterator[int]:
    step = {"kit.dsse.json": 997, "kit.index": 151, "kit.roots.json": 97, DIFF: 97}.get(name, 17)
    yield from range(0, len(data), step)
    yield len(data) - 1


@pytest.mark.parametrize("name", HEAD)
def test_any_byte_changed_is_refused(pack: Path, name: str, releases: Releases) -> None:
    """What is padding, too: the bytes signed are those reviewed, all of them."""
    data = (pack / name).read_bytes()
    for at in places(data, name):
        (pack / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(KitError) as error:
            review(pack)
        assert error.value.status in (ExitStatus.REJECTED, ExitStatus.UNDECIDED), (name, at)


def test_any_byte_of_the_difference_changed_is_refused(pack: Path, releases: Releases) -> None:
    data = (pack / DIFF).read_bytes()
    for at in places(data, DIFF):
        (pack / DIFF).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(KitError) as error:
            review(pack, against=releases.old.path)
        assert code(error) == ("review-diff-differs", ExitStatus.REJECTED)
    assert review(pack).diff == ""


def test_lengths_are_those_of_the_page(pack: Path) -> None:
    for name in HEAD:
        data = (pack / name).read_bytes()
        for changed in (data + b"\n", data[:-1], b"", data + data):
            (pack / name).write_bytes(changed)
            with pytest.raises(KitError) as error:
                review(pack)
            assert error.value.status is ExitStatus.REJECTED, name
        (pack / name).write_bytes(data)
    assert review(pack).diff_checked is False


def test_parts_of_two_packs_do_not_mix(pack: Path, releases: Releases) -> None:
    for name in ("kit.dsse.json", "kit.index", "kit.frames"):
        data = (pack / name).read_bytes()
        (pack / name).write_bytes((releases.first / name).read_bytes())
        with pytest.raises(KitError) as error:
            review(pack)
        assert code(error) == ("digest-mismatch", ExitStatus.REJECTED), name
        (pack / name).write_bytes(data)


@pytest.mark.parametrize("name", PACK_FILES)
def test_a_file_that_is_missing_or_no_file(pack: Path, name: str) -> None:
    (pack / name).unlink()
    with pytest.raises(KitError) as error:
        review(pack)
    assert code(error) == ("review-pack-incomplete", ExitStatus.USAGE)
    os.mkfifo(pack / name)
    with pytest.raises(KitError) as error:
        review(pack)
    assert code(error) == ("kit-unreadable", ExitStatus.UNDECIDED)


def test_a_difference_without_end_is_not_read(pack: Path, releases: Releases) -> None:
    with open(pack / DIFF, "r+b") as stream:
        stream.truncate(1 << 40)  # sparse
    with pytest.raises(KitError) as error:
        review(pack, against=releases.first)
    assert code(error) == ("review-diff-differs", ExitStatus.REJECTED)


# --- the difference --------------------------------------------------------------------------


def test_the_difference_names_what_changed(releases: Releases) -> None:
    lines = (releases.pack / DIFF).read_text("utf-8").splitlines()
    assert lines[0] == FIRST_LINE
    for line in (
        "new: demo 1.1, line demo/stable, sequence 8",
        f"     kitId {releases.old.built.kit_id}",
        "  ~ version: 1.0 -> 1.1",
        "  ~ sequence: 7 -> 8",
        "  + extra '1': 1 added, 1 bytes, lands '/opt/extra', in 'extra'",
        "  ~ data '1' (the same version): 1 removed, 0 bytes",
        "  ~ tools '1' (the same version): 1 added, 1 changed, 20 bytes",
    ):
        assert line in lines
    text = "\n".join(lines)
    assert "\n  + 'extra/it\\'s': 1 bytes, sha256 " in text
    assert "\n  + 'tools/café': 1 bytes, sha256 " in text
    assert "\n  - 'data/empty': 0 bytes, sha256 " in text
    assert "\n  ~ 'tools/bin/run': 19 bytes, sha256 " in text
    assert "SHA256SUMS'" not in text, "it follows from the rest"


def test_no_difference(releases: Releases) -> None:
    head = load_head(releases.new.path)[0]
    text = diff_text(head, load_head(releases.pack)[0])
    assert text.count(": the same\n") == 8
    assert text.endswith("\nin all: the same members, 0 bytes\n")


def test_a_bit_of_the_mode_is_a_difference(tmp_path: Path) -> None:
    one = make_kit(tmp_path / "one", {"a/b": b"c", "a/d": b"e"}, ("a/b",))
    two = make_kit(tmp_path / "two", {"a/b": b"c", "a/d": b"e"}, ("a/d",))
    text = diff_text(load_head(two.path)[0], load_head(one.path)[0])
    assert "~ 'a/b': 1 bytes, no longer executable, the same contents" in text
    assert "~ 'a/d': 1 bytes, executable now, the same contents" in text


def test_a_great_many_changes_are_counted(tmp_path: Path) -> None:
    files = {f"a/{number:04}": b"x" for number in range(MAX_IN_FULL + 50)}
    made = make_kit(tmp_path, files)
    text = diff_text(load_head(made.path)[0], None)
    assert text.count("\n  + 'a/") == MAX_IN_FULL
    assert "a '1'" in text
    assert f": {len(files)} added, " in text
    assert "\n    and 50 more added\n" in text
    assert len(text.splitlines()) < MAX_IN_FULL + 250


HOSTILE = {
    "quote": ("it's", "'it\\'s'"),
    "backslash": ("a\\b", "'a\\\\b'"),
    "new line": ("a\nb", "'a\\u{a}b'"),
    "terminal": ("\x1b[2J", "'\\u{1b}[2J'"),
    "right to left": ("\u202egnp", "'\\u{202e}gnp'"),
    "newer than the table": ("\U0001fae0", "'\\u{1fae0}'"),
    "accent": ("é", "'é'"),
}


@together(("text", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_text_is_shown_for_what_it_is(text: str, shown: str) -> None:
    assert quoted(text) == shown


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_texts_are_shown_as_two(one: str, other: str) -> None:
    assert (quoted(one) == quoted(other)) == (one == other)
    assert "\n" not in quoted(one)


members = st.dictionaries(st.integers(0, 30), st.integers(0, 3), max_size=20)


@given(members, members, st.integers(1, 7))
def test_side_by_side_finds_what_sets_find(
    one: dict[int, int], other: dict[int, int], run: int
) -> None:
    def lines(table: dict[int, int]) -> Iterator[list[bytes]]:
        text = [b"head", *(b"%064x 1 data 0644 p%04d" % (table[n], n) for n in sorted(table))]
        for at in range(0, len(text), run):
            yield text[at : at + run]

    found = {
        int(path[1:]): (int(old[0], 16) if old else None, int(new[0], 16) if new else None)
        for _, path, old, new in changed_members(lines(one), lines(other))
    }
    expected = {n: (one.get(n), other.get(n)) for n in {*one, *other}}
    assert found == {n: pair for n, pair in expected.items() if pair[0] != pair[1]}


def test_many_members_need_little_memory() -> None:
    """The lists are given in pieces and never held: what is measured is the comparison."""
    old, new = index_text(20_000), index_text(20_000, seed=1)

    def pieces(lines: list[bytes]) -> Iterator[list[bytes]]:
        for at in range(0, len(lines), 1000):
            yield lines[at : at + 1000]

    tracemalloc.start()
    try:
        count = sum(1 for _ in changed_members(pieces(old), pieces(new)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 20 < count < 200
    assert peak < 200_000


def test_index_is_read_again_in_pieces(releases: Releases) -> None:
    for path in (releases.pack, releases.new.path):
        head, index, _ = load_head(path)
        lines = [line for piece in index_lines(head) for line in piece]
        assert b"\n".join(lines) + b"\n" == b"".join(index.text())


def test_an_index_that_changed_meanwhile_is_noticed(pack: Path) -> None:
    head = load_head(pack)[0]
    data = (pack / "kit.index").read_bytes()
    (pack / "kit.index").write_bytes(data.replace(b"tools/bin/run", b"tools/bin/fun"))
    with pytest.raises(KitError) as error:
        list(index_lines(head))
    assert code(error) == ("kit-changed", ExitStatus.UNDECIDED)


# --- the command -----------------------------------------------------------------------------


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> tuple[int, str, str]:
    monkeypatch.setattr(
        sys, "argv", ["offline-kit", *[os.fspath(argument) for argument in arguments]]
    )
    with pytest.raises(SystemExit) as ended:
        kit_cli.main()
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


def test_commands(
    releases: Releases,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, out, _ = run(
        *(capsys, monkeypatch, "review", "pack", releases.new.path),
        *("--against", releases.old.path, "--out", tmp_path, "--json"),
    )
    value = json.loads(out)
    assert (status, value["kitId"]) == (0, releases.new.built.kit_id)
    for words_ in (["review"], ["review", "show"]):
        pack = tmp_path / "demo-1.1.review"
        status, out, _ = run(capsys, monkeypatch, *words_, pack, "--against", releases.first)
        assert status == 0
        assert "what has changed, worked out here and the same as diff.txt says:" in out
        assert f"--checked {releases.new.built.kit_id}" in out
    status, out, _ = run(capsys, monkeypatch, "review", "--root", ROOT_FILE, pack)
    assert status == 0
    assert "it compares with an earlier kit that is not at hand here" in out
    assert "what has changed" not in out
    status, out, _ = run(capsys, monkeypatch, "review", pack, "--json")
    value = json.loads(out)
    assert (value["diffChecked"], value["diff"], value["signers"]) == (False, [], [])
    assert value["verifier"]["sameAsHere"] is True


def test_a_refused_pack_has_its_status(
    pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pack / "kit.frames").write_bytes(b"")
    status, out, err = run(capsys, monkeypatch, "review", pack)
    assert (status, out) == (4, "")
    assert err.startswith("error[digest-mismatch]: kit.frames")
