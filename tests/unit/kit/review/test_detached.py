"""A signature made far from the kit counts as one made in place, and any other is refused."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from kit import cli as kit_cli
from kit.review.attach import attach
from kit.review.detached import (
    MAX_FILE,
    Detached,
    detached_name,
    encode_detached,
    load_detached,
    parse_detached,
    sign_detached,
)
from kit.review.head import load_head
from kit.seal import seal
from kit.sign import sign
from kit.signing import load_signer
from tests.support.making import KEYS, ROOT_FILE, key, pinned
from tests.support.packs import Releases, make_releases
from tests.support.people import N, person
from verifier.core.envelope import pae
from verifier.core.errors import ExitStatus, KitError
from verifier.core.jsonstrict import compact
from verifier.core.model import KitId
from verifier.core.pipeline import Job
from verifier.run import run


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return make_releases(tmp_path_factory.mktemp("detached"))


@pytest.fixture
def kit(releases: Releases, tmp_path: Path) -> Path:
    """Return a copy of the newer kit, which nobody has signed."""
    return Path(shutil.copy(releases.new.path, tmp_path))


@pytest.fixture
def made(releases: Releases, tmp_path: Path) -> dict[str, Path]:
    """Return detached signatures of alice, bob and carol over the newer kit."""
    out = tmp_path / "signed"
    out.mkdir()
    names = ("alice", "bob", "carol")
    files = sign_detached(releases.pack, [key(name) for name in names], out=out).files
    return dict(zip(names, files, strict=True))


def refused(call: Callable[[], object]) -> tuple[str, ExitStatus]:
    with pytest.raises(KitError) as error:
        call()
    return error.value.code, error.value.status


def verdict(path: Path) -> str:
    report = run(os.fspath(path), Job(root=pinned(), workers=2))
    return report.error.code if report.error else "verified"


# --- away ------------------------------------------------------------------------------------


def test_attached_is_the_same_kit_as_signed_in_place(
    kit: Path, releases: Releases, made: dict[str, Path], tmp_path: Path
) -> None:
    """In whatever order the files come back."""
    (tmp_path / "there").mkdir()
    there = Path(shutil.copy(releases.new.path, tmp_path / "there"))
    sign(there, [key("alice"), key("bob")])
    done = attach(kit, [made["bob"], made["alice"]])
    assert (done.added, done.already) == (("alice", "bob"), ())
    assert kit.read_bytes() == there.read_bytes()
    assert verdict(kit) == "verified"
    assert seal(kit).signers == ("alice", "bob")


def test_a_detached_signature_is_small_and_says_what_it_is_over(
    made: dict[str, Path], releases: Releases
) -> None:
    assert made["alice"].name == "demo-1.1.alice.sig"
    for name, path in made.items():
        data = path.read_bytes()
        assert len(data) < 300
        assert json.loads(data) == {
            "keyid": person(name).keyid,
            "kitId": releases.new.built.kit_id,
            "sig": json.loads(data)["sig"],
            "type": "offline-kit-signature/1",
        }
        assert path.stat().st_mode & 0o7777 == 0o644


def test_a_signature_from_a_pack_is_that_from_the_kit(
    kit: Path, made: dict[str, Path], tmp_path: Path
) -> None:
    done = sign_detached(kit, [key("alice")], workers=2)
    assert done.files == (tmp_path / "demo-1.1.alice.sig",), "beside the kit"
    assert done.files[0].read_bytes() == made["alice"].read_bytes()
    assert (done.read, done.signers) == ("members", ("alice",))


def test_who_signs_a_kit_away_has_read_it(kit: Path, tmp_path: Path) -> None:
    """And who names a kitId has read it before."""
    data = bytearray(kit.read_bytes())
    data[-9000] ^= 1
    kit.write_bytes(data)
    assert refused(lambda: sign_detached(kit, [key("alice")]))[1] is ExitStatus.REJECTED
    assert sorted(path.name for path in tmp_path.iterdir()) == [kit.name]
    head = load_head(kit)[0]
    done = sign_detached(kit, [key("alice")], checked=head.kit_id)
    assert (done.read, done.reviewed) == ("page", True)


def test_checked_ties_a_signature_to_the_review(releases: Releases, tmp_path: Path) -> None:
    def away(checked: str) -> Any:
        return sign_detached(releases.pack, [key("bob")], out=tmp_path, checked=checked)

    assert refused(lambda: away(releases.old.built.kit_id))[0] == "checked-another-kit"
    assert list(tmp_path.iterdir()) == []
    done = away(releases.new.built.kit_id)
    assert (done.read, done.reviewed) == ("pack", True)


def test_a_changed_pack_is_not_signed(releases: Releases, tmp_path: Path) -> None:
    pack = Path(shutil.copytree(releases.pack, tmp_path / "pack"))
    data = (pack / "kit.index").read_bytes()
    (pack / "kit.index").write_bytes(data.replace(b"extra", b"extrb"))
    code = refused(lambda: sign_detached(pack, [key("alice")]))
    assert code == ("digest-mismatch", ExitStatus.REJECTED)
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


KEYS_REFUSED = {
    "not in the root": (key("mallory"), "key-not-in-root"),
    "another's name": (f"alice={key('bob')}", "key-of-another-signer"),
    "no such file": (key("nobody"), "key-unreadable"),
    "a public key": (os.fspath(KEYS / "alice.pub"), "key-unsupported"),
}


@pytest.mark.parametrize(("argument", "code"), KEYS_REFUSED.values(), ids=KEYS_REFUSED.keys())
def test_a_key_that_does_not_serve(
    releases: Releases, tmp_path: Path, argument: str, code: str
) -> None:
    keys = [key("alice"), argument]
    assert refused(lambda: sign_detached(releases.pack, keys, out=tmp_path))[0] == code
    assert list(tmp_path.iterdir()) == [], "alice signed although the command failed"


def test_a_file_that_is_there_is_not_replaced(releases: Releases, tmp_path: Path) -> None:
    path = tmp_path / "demo-1.1.alice.sig"
    path.write_bytes(b"of something else")

    def away() -> Any:
        return sign_detached(releases.pack, [key("alice")], out=tmp_path)

    assert refused(away) == ("output-exists", ExitStatus.USAGE)
    path.unlink()
    assert away() == away(), "the same bytes again are no mistake"


NAMES = {
    "alice": "demo-1.1.alice.sig",
    "release team": "demo-1.1.release_team-{short}.sig",
    "../../etc": "demo-1.1.______etc-{short}.sig",
    "José": "demo-1.1.Jos_-{short}.sig",
    "a.b": "demo-1.1.a_b-{short}.sig",
}


@pytest.mark.parametrize(("signer", "name"), NAMES.items(), ids=NAMES.keys())
def test_a_name_of_a_signer_makes_a_name_of_a_file(
    releases: Releases, signer: str, name: str
) -> None:
    head = load_head(releases.pack)[0]
    alice = load_signer(key("alice"), head.root.targets.keys)
    made = detached_name(head, replace(alice, signer=signer))
    parts = made.rsplit("-", 1)
    short = parts[1].removesuffix(".sig") if "{short}" in name else ""
    assert made == name.format(short=short)
    assert len(short) in (0, 8)


# --- back ------------------------------------------------------------------------------------


def one(path: Path, **changed: Any) -> Path:
    """Return a file like another one with some members changed."""
    value = {**json.loads(path.read_bytes()), **changed}
    there = path.with_name(f"changed {path.name}")
    there.write_bytes(compact(value) + b"\n")
    return there


def flipped(path: Path) -> str:
    data = bytearray(base64.b64decode(json.loads(path.read_bytes())["sig"]))
    data[10] ^= 1
    return base64.b64encode(data).decode()


def sparse(directory: Path) -> Path:
    path = directory / "large.sig"
    with open(path, "wb") as stream:
        stream.truncate(MAX_FILE + 1)
    return path


def text(directory: Path, data: bytes) -> Path:
    path = directory / "text.sig"
    path.write_bytes(data)
    return path


REJECTED, USAGE, UNDECIDED = ExitStatus.REJECTED, ExitStatus.USAGE, ExitStatus.UNDECIDED
Make = Callable[[dict[str, Path], Path], list[Path]]
BAD: dict[str, tuple[Make, str, ExitStatus]] = {
    "another kit": (lambda m, d: [one(m["bob"], kitId="0" * 64)], "detached-foreign-kit", REJECTED),
    "unknown key": (lambda m, d: [one(m["bob"], keyid="1" * 64)], "detached-key-unknown", REJECTED),
    "another's key": (
        lambda m, d: [one(m["bob"], keyid=person("carol").keyid)],
        "detached-signature-invalid",
        REJECTED,
    ),
    "a bit": (
        lambda m, d: [one(m["bob"], sig=flipped(m["bob"]))],
        "detached-signature-invalid",
        REJECTED,
    ),
    "by one key twice": (lambda m, d: [m["bob"], m["bob"]], "detached-twice", USAGE),
    "a copy of a file": (
        lambda m, d: [m["bob"], Path(shutil.copy(m["bob"], d / "copy"))],
        "detached-twice",
        USAGE,
    ),
    "too large": (lambda m, d: [sparse(d)], "detached-too-large", REJECTED),
    "nothing": (lambda m, d: [text(d, b"")], "detached-malformed", REJECTED),
    "for stock tools": (lambda m, d: [text(d, b"MEUCIQ==")], "detached-malformed", REJECTED),
    "later version": (
        lambda m, d: [one(m["bob"], type="offline-kit-signature/2")],
        "format-newer",
        UNDECIDED,
    ),
    "another type": (lambda m, d: [one(m["bob"], type="x")], "detached-malformed", REJECTED),
    "one member more": (lambda m, d: [one(m["bob"], note="hi")], "detached-malformed", REJECTED),
    "a directory": (lambda m, d: [d], "detached-unreadable", UNDECIDED),
    "not there": (lambda m, d: [d / "missing.sig"], "detached-unreadable", UNDECIDED),
}


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize(("make", "code", "status"), BAD.values(), ids=BAD.keys())
def test_one_bad_file_and_nothing_is_changed(
    kit: Path,
    made: dict[str, Path],
    tmp_path: Path,
    make: Make,
    code: str,
    status: ExitStatus,
    first: bool,
) -> None:
    before, facts = kit.read_bytes(), kit.stat()
    bad = make(made, tmp_path)
    good = [made["alice"], made["carol"]]
    files = [*bad, *good] if first else [*good, *bad]
    assert refused(lambda: attach(kit, files)) == (code, status)
    assert kit.read_bytes() == before
    assert kit.stat().st_mtime_ns == facts.st_mtime_ns


def test_below_the_threshold_nothing_is_changed(kit: Path, made: dict[str, Path]) -> None:
    before = kit.read_bytes()
    assert refused(lambda: attach(kit, [made["alice"]]))[0] == "threshold-not-met"
    assert kit.read_bytes() == before
    sign(kit, [key("carol")])
    assert attach(kit, [made["alice"]]).added == ("alice",)
    assert verdict(kit) == "verified"


def test_attaching_again_changes_nothing(kit: Path, made: dict[str, Path]) -> None:
    """As after a kill between attaching and sealing; and a sealed kit may be given them again."""
    attach(kit, [made["alice"], made["bob"]])
    before = kit.read_bytes()
    for _ in range(2):
        done = attach(kit, [made["alice"], made["bob"]])
        assert (done.added, done.already, done.written) == ((), ("alice", "bob"), 0)
        assert kit.read_bytes() == before
        seal(kit)


def test_another_good_signature_of_the_same_key_changes_nothing(
    kit: Path, made: dict[str, Path], releases: Releases
) -> None:
    """A hardware module makes another ECDSA signature each time."""
    attach(kit, [made["alice"], made["bob"]])
    before = kit.read_bytes()
    bob, payload = person("bob"), load_head(kit)[0].envelope.payload
    assert isinstance(bob.private, EllipticCurvePrivateKey)
    r, s = decode_dss_signature(bob.private.sign(pae(payload), ECDSA(SHA256())))
    other = base64.b64encode(encode_dss_signature(r, min(s, N - s))).decode()
    path = one(made["bob"], sig=other)
    assert path.read_bytes() != made["bob"].read_bytes()
    assert attach(kit, [path]).already == ("bob",)
    assert kit.read_bytes() == before


def test_a_sealed_kit_takes_another_signature_only_when_reopened(
    kit: Path, made: dict[str, Path]
) -> None:
    attach(kit, [made["alice"], made["bob"]])
    seal(kit)
    before = kit.read_bytes()
    assert refused(lambda: attach(kit, [made["carol"]])) == ("kit-sealed", USAGE)
    assert kit.read_bytes() == before
    assert attach(kit, [made["carol"]], reopen=True).added == ("carol",)
    assert not (kit.parent / "demo-1.1.sealed.json").exists()
    assert seal(kit).signers == ("alice", "bob", "carol")


def test_a_kit_that_somebody_else_changes_is_left_alone(kit: Path, made: dict[str, Path]) -> None:
    with open(kit, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert refused(lambda: attach(kit, [made["alice"], made["bob"]]))[0] == "kit-busy"


# --- the file --------------------------------------------------------------------------------

texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)


@given(texts, st.binary(min_size=1, max_size=200), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(keyid: str, signature: bytes, digest: bytes) -> None:
    detached = Detached(KitId(digest.hex()), keyid, signature)
    data = encode_detached(detached)
    for around in (data, data.strip(), b"\r\n" + data.strip() + b"\r\n \t"):
        assert parse_detached(around, "x") == detached


@given(st.data())
def test_any_other_bytes_are_refused_or_mean_the_same(data: st.DataObject) -> None:
    good = encode_detached(Detached(KitId("0" * 64), "k", b"signature"))
    at = data.draw(st.integers(0, len(good) - 1))
    changed = good[:at] + data.draw(st.binary(max_size=2)) + good[at + 1 :]
    try:
        parsed = parse_detached(changed, "x")
    except KitError:
        return
    assert encode_detached(parsed).strip() == changed.strip()


@pytest.mark.parametrize("kind", ["fifo", "link to a fifo"])
def test_a_fifo_does_not_hang(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link to a fifo").symlink_to("fifo")
    assert refused(lambda: load_detached(tmp_path / kind)) == ("detached-unreadable", UNDECIDED)


# --- the commands ----------------------------------------------------------------------------

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


def test_a_release_in_five_commands(
    kit: Path, releases: Releases, tmp_path: Path, offline_kit: Run
) -> None:
    pack = Path(shutil.copytree(releases.pack, tmp_path / "pack" / releases.pack.name))
    kit_id = releases.new.built.kit_id
    status, out, _ = offline_kit("sign", "--detached", pack, "--key", key("alice"))
    assert status == 0
    assert "all of the pack was checked; the contents of the kit were not read" in out
    assert "note: read `offline-kit review` first" in out
    status, out, _ = offline_kit(
        *("sign", "--detached", pack, "--key", f"bob={key('bob')}", "--checked", kit_id),
        *("--root", ROOT_FILE, "--json"),
    )
    value = json.loads(out)
    assert (value["read"], value["membersRead"], value["reviewed"]) == ("pack", False, True)
    # the shell makes many words of `--attach *.sig`
    files = sorted((tmp_path / "pack").glob("*.sig"))
    status, out, _ = offline_kit("seal", kit, "--attach", *files)
    assert status == 0
    assert out.startswith("attached alice, bob: ")
    assert verdict(kit) == "verified"
    status, out, _ = offline_kit("seal", kit, "--attach", files[0], "--attach", files[1], "--json")
    assert (status, json.loads(out)["attached"]) == (0, [])


WRONG = {
    "a pack in place": ["sign", "PACK", "--key", "K"],
    "a place for nothing": ["sign", "KIT", "--key", "K", "--out", "."],
    "reopen what is not touched": ["sign", "--detached", "PACK", "--key", "K", "--reopen"],
    "files without attach": ["seal", "KIT", "a.sig"],
    "reopen without attach": ["seal", "KIT", "--reopen"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG.keys())
def test_what_does_not_go_together(
    kit: Path, releases: Releases, offline_kit: Run, words: list[str]
) -> None:
    named = {"PACK": releases.pack, "KIT": kit, "K": key("alice")}
    before = kit.read_bytes()
    status, out, err = offline_kit(*[named.get(word, word) for word in words])
    assert (status, out) == (2, "")
    assert err.startswith("error[usage]: ")
    assert kit.read_bytes() == before
    assert [path.name for path in kit.parent.iterdir()] == [kit.name]
