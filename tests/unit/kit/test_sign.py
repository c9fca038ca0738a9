"""Signing in place: a few hundred bytes by somebody whom the root names, after a full check."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest
import zstandard

from kit.container.head import read_head
from kit.container.page import write_page
from kit.roots.metadata import build_root
from kit.seal import seal
from kit.sign import SignedKit, sign
from tests.support.making import KEYS, Made, key, make_kit, pinned
from verifier.core.errors import ExitStatus, KitError
from verifier.core.pipeline import Job
from verifier.core.trust import parse_root
from verifier.run import run


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that nobody has signed; tests take copies."""
    return make_kit(tmp_path_factory.mktemp("sign"), signers=())


@pytest.fixture
def kit(unsigned: Made, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return Path(shutil.copy(unsigned.path, tmp_path))


def signed(path: Path, *names: str, checked: str = "", reopen: bool = False) -> SignedKit:
    return sign(path, [key(name) for name in names], checked=checked, reopen=reopen, workers=2)


def refused(call: Callable[[], object]) -> KitError:
    with pytest.raises(KitError) as error:
        call()
    return error.value


def verdict(path: Path) -> str:
    report = run(os.fspath(path), Job(root=pinned(), workers=2))
    return report.error.code if report.error else "verified"


def differences(one: bytes, other: bytes) -> list[int]:
    assert len(one) == len(other)
    blocks = [range(at, min(at + 4096, len(one))) for at in range(0, len(one), 4096)]
    odd = [each for each in blocks if one[each.start : each.stop] != other[each.start : each.stop]]
    return [at for each in odd for at in each if one[at] != other[at]]


def test_each_signer_changes_a_few_hundred_bytes_of_the_page(kit: Path) -> None:
    before = kit.read_bytes()
    for count, name in enumerate(("alice", "bob", "carol"), 1):
        done = signed(kit, name)
        after = kit.read_bytes()
        changed = differences(before, after)
        assert done.added == (name,)
        assert done.written == changed[-1] + 1 - changed[0]
        assert 100 < done.written < 200 + 300 * count  # what follows the new entry moves
        assert changed[-1] < 17 + 512 + 65536
        assert len(done.signers) == count
        before = after
    assert verdict(kit) == "verified"


def test_the_order_of_signers_leaves_no_trace(unsigned: Made, tmp_path: Path) -> None:
    """Nor does it matter whether `build` or `sign` was given the keys."""
    together = make_kit(tmp_path / "built", signers=("bob", "alice")).path.read_bytes()
    made = []
    for order in (["alice"], ["bob"]), (["bob"], ["alice"]), (["alice", "bob"],):
        path = Path(shutil.copy(unsigned.path, tmp_path))
        for names in order:
            signed(path, *names)
        made.append(path.read_bytes())
    assert made == [together] * 3


def test_who_has_signed_changes_nothing_by_signing_again(kit: Path) -> None:
    signed(kit, "alice", "bob")
    before, facts = kit.read_bytes(), kit.stat()
    done = signed(kit, "bob", "alice", "bob")
    assert (done.added, done.already, done.written) == ((), ("alice", "bob"), 0)
    assert kit.read_bytes() == before
    assert kit.stat().st_mtime_ns == facts.st_mtime_ns


def test_one_key_given_twice_signs_once(kit: Path) -> None:
    assert signed(kit, "alice", "alice").added == ("alice",)
    assert signed(kit, "bob").signers == ("alice", "bob")


KEYS_REFUSED = {
    "a key that the root does not name": (key("mallory"), "key-not-in-root"),
    "under a name that the root has": (f"alice={key('mallory')}", "key-not-in-root"),
    "under another's name": (f"alice={key('bob')}", "key-of-another-signer"),
    "a name that the root does not have": (f"mallory={key('mallory')}", "signer-not-in-root"),
    "the key of the sums": (key("sums"), "key-not-in-root"),
    "no such file": (key("nobody"), "key-unreadable"),
    "a public key": (os.fspath(KEYS / "alice.pub"), "key-unsupported"),
}


@pytest.mark.parametrize(("argument", "code"), KEYS_REFUSED.values(), ids=KEYS_REFUSED.keys())
def test_a_key_that_does_not_serve_is_refused(kit: Path, argument: str, code: str) -> None:
    before = kit.read_bytes()
    error = refused(lambda: sign(kit, [key("alice"), argument]))
    assert (error.code, error.status) == (code, ExitStatus.USAGE)
    assert kit.read_bytes() == before, "alice signed although the command failed"


def test_a_damaged_kit_is_not_signed_unless_somebody_has_checked_it(kit: Path) -> None:
    """And so `--checked` is seen to read nothing."""
    data = bytearray(kit.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    kit.write_bytes(data)
    error = refused(lambda: signed(kit, "alice"))
    assert error.status is ExitStatus.REJECTED
    assert kit.read_bytes() == data
    kit_id = _kit_id(read_head(kit)[0])
    done = signed(kit, "alice", checked=kit_id)
    assert (done.added, done.kit_id) == (("alice",), kit_id)
    changed = differences(bytes(data), kit.read_bytes())
    assert changed[-1] < 17 + 512 + 65536, "more than the page was changed"


def _kit_id(page: bytes) -> str:
    return hashlib.sha256(base64.b64decode(json.loads(page)["payload"])).hexdigest()


@pytest.mark.parametrize("wrong", ["0" * 64, "nonsense"])
def test_checked_is_about_this_very_kit(kit: Path, wrong: str) -> None:
    before = kit.read_bytes()
    error = refused(lambda: signed(kit, "alice", checked=wrong))
    assert (error.code, error.status) == ("checked-another-kit", ExitStatus.REJECTED)
    assert kit.read_bytes() == before


def test_a_sealed_kit_is_signed_only_when_it_is_reopened(kit: Path) -> None:
    signed(kit, "alice", "bob")
    seal(kit)
    before = kit.read_bytes()
    error = refused(lambda: signed(kit, "carol"))
    assert (error.code, error.status) == ("kit-sealed", ExitStatus.USAGE)
    assert kit.read_bytes() == before
    assert signed(kit, "carol", reopen=True).signers == ("alice", "bob", "carol")
    assert not (kit.parent / "demo-1.0.sealed.json").exists()
    again = seal(kit)
    assert again.signers == ("alice", "bob", "carol")


def test_a_sealed_kit_stays_sealed_when_there_is_nothing_to_add(kit: Path) -> None:
    signed(kit, "alice", "bob")
    seal(kit)
    assert signed(kit, "bob", reopen=True).added == ()
    assert (kit.parent / "demo-1.0.sealed.json").exists()


def test_two_runs_at_once(kit: Path) -> None:
    before = kit.read_bytes()
    with open(kit, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for call in (lambda: signed(kit, "alice"), lambda: seal(kit)):
            error = refused(call)
            assert (error.code, error.status) == ("kit-busy", ExitStatus.USAGE)
    assert kit.read_bytes() == before
    assert signed(kit, "alice").added == ("alice",)


def test_another_root_than_the_signer_expects(kit: Path) -> None:
    other = parse_root(
        build_root(
            [("carol", KEYS / "carol.pub")],
            1,
            expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
            sign_with=[key("carol")],
        )
    )
    before = kit.read_bytes()
    error = refused(lambda: sign(kit, [key("carol")], root=other))
    assert (error.code, error.status) == ("root-differs", ExitStatus.USAGE)
    assert refused(lambda: seal(kit, root=other)).code == "root-differs"
    assert kit.read_bytes() == before


def test_what_is_no_kit_in_frames(kit: Path, tmp_path: Path) -> None:
    plain = tmp_path / "demo.tar"
    with open(kit, "rb") as source, open(plain, "wb") as sink:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        shutil.copyfileobj(reader, sink)
    text = tmp_path / "text"
    text.write_text("no kit\n")
    table = {
        plain: ("kit-plain", ExitStatus.USAGE),
        text: ("kit-truncated", ExitStatus.REJECTED),
        tmp_path: ("kit-unreadable", ExitStatus.UNDECIDED),
        tmp_path / "missing": ("kit-unreadable", ExitStatus.UNDECIDED),
    }
    for path, expected in table.items():
        with pytest.raises(KitError) as error:
            signed(path, "alice")
        assert (error.value.code, error.value.status) == expected, path


def test_below_the_threshold_the_verifier_says_no(kit: Path) -> None:
    signed(kit, "carol")
    assert verdict(kit) == "threshold-not-met"
    signed(kit, "alice")
    assert verdict(kit) == "verified"


# --- a page that was torn --------------------------------------------------------------------


def backup_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.head")


def frame_of_bytes(kit: bytes) -> bytes:
    return kit[: 17 + 512 + 65536]


def frame_of(path: Path) -> bytes:
    return frame_of_bytes(path.read_bytes())


def signed_by(unsigned: Made, path: Path, names: Sequence[str]) -> bytes:
    shutil.copy(unsigned.path, path)
    for name in names:
        signed(path, name)
    return path.read_bytes()


def test_a_torn_page_is_put_right_wherever_it_was_torn(unsigned: Made, tmp_path: Path) -> None:
    """Carol's entry comes before alice's, and both have 64 bytes: half of each can be parsed."""
    path = tmp_path / "demo-1.0.tar.zst"
    old = signed_by(unsigned, path, ["alice"])
    new = signed_by(unsigned, path, ["alice", "carol"])
    changed = differences(old, new)
    for cut in [*range(changed[0], changed[-1], 23), changed[-1], changed[-1] + 1]:
        path.write_bytes(new[:cut] + old[cut:])
        backup_of(path).write_bytes(old[: 17 + 512 + 65536])
        signed(path, "carol")
        assert path.read_bytes() == new, f"torn at {cut}"
        assert not backup_of(path).exists()


def test_a_backup_beside_a_whole_page_goes_away(unsigned: Made, tmp_path: Path) -> None:
    """The kill came after the page was written, or before: nothing is undone."""
    path = tmp_path / "demo-1.0.tar.zst"
    old = signed_by(unsigned, path, ["alice"])
    new = signed_by(unsigned, path, ["alice", "bob"])
    for backup in (old, old[:1000], b""):
        backup_of(path).write_bytes(backup[: 17 + 512 + 65536])
        assert signed(path, "bob").added == ()
        assert path.read_bytes() == new
        assert not backup_of(path).exists()


def test_a_backup_of_another_kit_is_never_written_into_this_one(
    unsigned: Made, tmp_path: Path
) -> None:
    """Somebody removed a kit whose signing was killed, and built another one of its name."""
    other = make_kit(tmp_path / "other", {"a/other": b"other"}, signers=("alice",))
    path = tmp_path / "demo-1.0.tar.zst"
    signed_by(unsigned, path, ["alice"])
    data = bytearray(path.read_bytes())
    end = data.index(b"]}", 600)
    data[end : end + 2] = b"  "  # a page that is not whole
    path.write_bytes(data)
    backup_of(path).write_bytes(frame_of(other.path))
    error = refused(lambda: signed(path, "bob"))
    assert error.code == "envelope-malformed"
    assert path.read_bytes() == data


def without_entry(page: bytes) -> bytes:
    """Return a first frame whose last signature is as long as it was, and wrong."""
    at = page.rindex(b'"sig":"') + 7
    return page[:at] + b"AAAA" + page[at + 4 :]


def test_a_planted_backup_is_never_written_over_good_signatures(
    unsigned: Made, tmp_path: Path
) -> None:
    path = tmp_path / "demo-1.0.tar.zst"
    alice = frame_of_bytes(signed_by(unsigned, path, ["alice"]))
    carol = frame_of_bytes(signed_by(unsigned, path, ["carol"]))
    good = signed_by(unsigned, path, ["alice", "bob"])
    for planted in (without_entry(alice), without_entry(carol), alice):
        backup_of(path).write_bytes(planted)
        assert seal(path).signers == ("alice", "bob")
        assert path.read_bytes() == good
        assert not backup_of(path).exists()
    backup_of(path).write_bytes(carol)  # good too: nothing is lost that was good
    assert seal(path).signers == ("alice", "bob", "carol")


@pytest.mark.parametrize("command", [lambda path: seal(path), lambda path: signed(path, "bob")])
def test_a_planted_backup_hangs_nothing(
    unsigned: Made, tmp_path: Path, command: Callable[[Path], object]
) -> None:
    path = tmp_path / "demo-1.0.tar.zst"
    good = signed_by(unsigned, path, ["alice", "bob"])
    theirs = tmp_path / "theirs"
    theirs.write_bytes(good[: 17 + 512 + 65536])
    for plant in (
        os.mkfifo,
        lambda place: place.symlink_to("/dev/zero"),
        lambda place: place.symlink_to(theirs),
        lambda place: os.link(theirs, place),
        lambda place: place.mkdir(),
    ):
        plant(backup_of(path))
        error = refused(lambda: command(path))
        assert (error.code, error.status) == ("output-foreign", ExitStatus.USAGE)
        assert (path.read_bytes(), backup_of(path).lstat() is not None) == (good, True)
        backup_of(path).rmdir() if backup_of(path).is_dir() else backup_of(path).unlink()


def test_seal_puts_a_torn_page_right_too(unsigned: Made, tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.zst"
    old = signed_by(unsigned, path, ["alice", "bob"])
    new = signed_by(unsigned, path, ["alice", "bob", "carol"])
    changed = differences(old, new)
    middle = (changed[0] + changed[-1]) // 2
    path.write_bytes(new[:middle] + old[middle:])
    assert verdict(path) != "verified"
    backup_of(path).write_bytes(old[: 17 + 512 + 65536])
    assert seal(path).signers == ("alice", "bob")
    assert path.read_bytes() == old


@pytest.mark.parametrize("places", [(0,), (65535,), (7,), (100, 101), (0, 65535), ()], ids=str)
def test_nothing_is_written_but_from_the_first_to_the_last_byte_that_differs(
    kit: Path, places: tuple[int, ...]
) -> None:
    before = kit.read_bytes()
    page = bytearray(before[17 + 512 :][:65536])
    for place in places:
        page[place] ^= 0x80
    with open(kit, "r+b") as file:
        first, length = write_page(file.fileno(), bytes(page))
    after = kit.read_bytes()
    differ = differences(before, after)
    assert len(differ) == len(places)
    assert (first, first + length) == ((differ[0], differ[-1] + 1) if differ else (0, 0))


def test_a_page_of_another_size_is_a_bug_of_the_caller(kit: Path) -> None:
    descriptor = os.open(kit, os.O_RDWR)
    try:
        with pytest.raises(ValueError, match="65536 bytes, not 3"):
            write_page(descriptor, b"{} ")
    finally:
        os.close(descriptor)
