"""Sealing: only above the threshold, exactly these files, and never over another kit's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest

from kit.cli.kits import sealed_value
from kit.seal import SEALED_TYPE, SealedKit, seal
from kit.sign import sign
from tests.support.making import REPOSITORY, Made, key, make_kit, pinned
from tests.support.people import person
from verifier.core.errors import ExitStatus, KitError

ALWAYS = ["FIRST-CONTACT.txt", "README.txt", "SHA256SUMS", "cosign-trusted-root.json"]
ALWAYS += ["kit-verify.pyz", "kit.dsse.json", "root.json"]
OF_THE_SUMS_KEY = ["SHA256SUMS.sig", "SHA256SUMS.sigstore.json", "cosign.pub"]
OUTPUTS = [*ALWAYS, *OF_THE_SUMS_KEY, "kit.sigstore.json"]
MARKER = "demo-1.0.sealed.json"
SCHEMA = json.loads((REPOSITORY / "manifests" / "schema" / "sealed.v1.json").read_bytes())
NO_SSH = {"SHA256SUMS.sshsig": "nobody gave --ssh-key to `offline-kit sign`"}


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that nobody has signed; tests take copies."""
    return make_kit(tmp_path_factory.mktemp("seal"), signers=())


@pytest.fixture
def kit(unsigned: Made, tmp_path: Path) -> Path:
    """Return a kit with two signers, in a directory of its own."""
    path = Path(shutil.copy(unsigned.path, tmp_path))
    sign(path, [key("alice"), key("bob")])
    return path


def beside(path: Path) -> dict[str, bytes]:
    found = [item for item in path.parent.iterdir() if item != path and item.is_file()]
    return {item.name: item.read_bytes() for item in found}


def refused(path: Path) -> KitError:
    with pytest.raises(KitError) as error:
        seal(path)
    return error.value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_marker(path: Path, sealed: SealedKit) -> None:
    files, data = beside(path), path.read_bytes()
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(json.loads(files[MARKER]))
    assert json.loads(files[MARKER]) == {
        "type": SEALED_TYPE,
        "kit": {"name": "demo", "version": "1.0", "line": "demo/stable", "sequence": 7},
        "file": {"name": "demo-1.0.tar.zst", "size": len(data), "sha256": sha256(data)},
        "kitId": sealed.kit_id,
        "contentId": sealed.content_id,
        "signers": list(sealed.signers),
        "threshold": 2,
        "outputs": {name: sha256(files[name]) for name in OUTPUTS},
        "checkedWith": {
            "SHA256SUMS.sig": "cosign.pub",
            "SHA256SUMS.sigstore.json": "cosign.pub",
            "kit.sigstore.json": f"key {person('bob').keyid} of bob",
        },
        "absent": NO_SSH,
    }


def test_exactly_these_files_lie_beside_the_kit(kit: Path, unsigned: Made) -> None:
    before = kit.read_bytes()
    sealed = seal(kit)
    assert kit.read_bytes() == before
    assert sorted(beside(kit)) == sorted([*OUTPUTS, MARKER])
    assert (sealed.kit_id, sealed.content_id) == (unsigned.built.kit_id, unsigned.built.content_id)
    check_marker(kit, sealed)
    value = sealed_value(sealed)
    assert value["outputs"] == sealed.outputs
    assert (value["checkedWith"], value["absent"]) == (sealed.keys, sealed.absent)
    for name in [*OUTPUTS, MARKER]:
        assert (kit.parent / name).stat().st_mode & 0o7777 == 0o644


def test_each_output_is_that_member_of_the_kit(kit: Path) -> None:
    sealed = seal(kit)
    lines = beside(kit)["SHA256SUMS"].decode().splitlines()
    sums = {line[66:]: line[:64] for line in lines}
    assert sums["kit-verify.pyz"] == sealed.outputs["kit-verify.pyz"]
    head = kit.read_bytes()[17 + 512 : 17 + 512 + 65536]
    assert beside(kit)["kit.dsse.json"] == head


def test_sealing_twice_changes_nothing(kit: Path) -> None:
    first = seal(kit)
    before = beside(kit)
    assert seal(kit) == first
    assert beside(kit) == before


def test_without_a_key_for_the_sums_there_is_no_signature_of_them(tmp_path: Path) -> None:
    made = make_kit(tmp_path, {"a/b": b"c"}, sums=False)
    assert made.sealed is not None
    assert sorted(made.sealed.outputs) == sorted([*ALWAYS, "kit.sigstore.json"])
    assert not [name for name in OF_THE_SUMS_KEY if (made.directory / name).exists()]
    why = dict.fromkeys(OF_THE_SUMS_KEY, "the kit was built without --sums-key")
    assert made.sealed.absent == {**why, **NO_SSH}


def test_without_a_p256_signer_there_is_no_bundle_of_the_page(
    unsigned: Made, tmp_path: Path
) -> None:
    path = Path(shutil.copy(unsigned.path, tmp_path))
    sign(path, [key("alice"), key("carol")])
    sealed = seal(path)
    assert sorted(sealed.outputs) == sorted([*ALWAYS, *OF_THE_SUMS_KEY])
    why = "no signer of the kit signed with ECDSA P-256"
    assert sealed.absent == {**NO_SSH, "kit.sigstore.json": why}


def test_what_an_earlier_seal_left_and_this_kit_lacks_goes(kit: Path, tmp_path: Path) -> None:
    seal(kit)
    without = make_kit(tmp_path / "again", {"a/b": b"c"}, sums=False, signers=("alice", "carol"))
    shutil.copy(without.path, kit)
    assert sorted(seal(kit).outputs) == ALWAYS
    assert sorted(beside(kit)) == sorted([*ALWAYS, MARKER])


def test_a_file_that_would_seem_to_be_of_this_kit_is_not_left_lying(
    kit: Path, tmp_path: Path
) -> None:
    (tmp_path / "SHA256SUMS.sshsig").write_bytes(b"of another kit")
    error = refused(kit)
    assert (error.code, "SHA256SUMS.sshsig" in error.where) == ("output-exists", True)
    assert sorted(beside(kit)) == ["SHA256SUMS.sshsig"]


@pytest.mark.parametrize("names", [[], ["alice"]], ids=["nobody", "one of two"])
def test_below_the_threshold_nothing_is_written(
    unsigned: Made, tmp_path: Path, names: list[str]
) -> None:
    path = Path(shutil.copy(unsigned.path, tmp_path))
    if names:
        sign(path, [key(name) for name in names])
    error = refused(path)
    assert (error.code, error.status) == ("threshold-not-met", ExitStatus.REJECTED)
    assert beside(path) == {}


@pytest.mark.parametrize("at", [-20, -3000, 250_000])
def test_a_damaged_kit_is_not_sealed(kit: Path, at: int) -> None:
    data = bytearray(kit.read_bytes())
    data[at] ^= 1
    kit.write_bytes(data)
    assert refused(kit).status is ExitStatus.REJECTED
    assert beside(kit) == {}


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.write_bytes(b"of another kit"),
    "an empty file": lambda path: path.write_bytes(b""),
    "a directory": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        pytest.param(name, thing, marks=() if (row - column) % 4 == 0 else pytest.mark.long)
        for row, name in enumerate(OUTPUTS)
        for column, thing in enumerate(IN_THE_WAY)
    ],
)
def test_what_belongs_to_something_else_is_not_replaced(kit: Path, name: str, thing: str) -> None:
    """Each name and each thing; all of both in the long runs."""
    IN_THE_WAY[thing](kit.parent / name)
    before = (kit.parent / name).lstat().st_mtime_ns
    error = refused(kit)
    assert (error.code, error.status) == ("output-exists", ExitStatus.USAGE)
    assert name in error.where
    assert [item.name for item in kit.parent.iterdir() if item != kit] == [name]
    assert (kit.parent / name).lstat().st_mtime_ns == before


def test_the_files_of_this_kit_may_lie_there_already(kit: Path, tmp_path: Path) -> None:
    """A run that was killed left some; the verifier and the sums are the same ones."""
    seal(kit)
    before = beside(kit)
    (tmp_path / MARKER).unlink()
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / ".SHA256SUMS.offline-kit-partial").write_bytes(b"half")
    seal(kit)
    assert beside(kit) == before


@pytest.mark.parametrize(
    "marker", [b"[" * 100_000, b'{"outputs": []}', b'{"outputs": {"a": 1}}', b"9" * 5000, b"\xff"]
)
def test_a_foreign_marker_says_nothing_of_what_lies_there(
    kit: Path, tmp_path: Path, marker: bytes
) -> None:
    (tmp_path / MARKER).write_bytes(marker)
    (tmp_path / "SHA256SUMS").write_bytes(b"foreign")
    error = refused(kit)
    assert (error.code, error.status) == ("output-exists", ExitStatus.USAGE)


def test_a_page_with_fewer_signatures_of_this_kit_is_replaced(kit: Path, tmp_path: Path) -> None:
    """A seal was killed before its last step, and then carol signed."""
    seal(kit)
    (tmp_path / MARKER).unlink()
    sign(kit, [key("carol")])
    sealed = seal(kit)
    assert sealed.signers == ("alice", "bob", "carol")
    check_marker(kit, sealed)


def test_kits_in_one_directory_do_not_take_each_others_files(kit: Path, tmp_path: Path) -> None:
    """And a marker of the older kit is no leave to write over what the newer one left."""
    seal(kit)
    newer = make_kit(tmp_path / "newer", {"a/b": b"another"}, signers=("alice", "bob"))
    other = tmp_path / "demo-1.1.tar.zst"
    shutil.copy(newer.path, other)
    error = refused(other)
    assert error.code == "output-exists"
    for name in OUTPUTS:
        (tmp_path / name).unlink()
    seal(other)
    before = beside(kit)
    assert refused(kit).code == "output-exists"
    assert beside(kit) == before


def test_a_kit_that_was_built_again_under_its_name_replaces_its_own_files(
    kit: Path, tmp_path: Path
) -> None:
    """Before anybody has a version, its author builds it many times."""
    seal(kit)
    rebuilt = make_kit(tmp_path / "again", {"a/b": b"corrected"})
    shutil.copy(rebuilt.path, kit)
    sealed = seal(kit)
    check_marker(kit, sealed)
    assert sealed.kit_id == rebuilt.built.kit_id


def test_a_marker_that_cannot_be_read_vouches_for_nothing(kit: Path, tmp_path: Path) -> None:
    for text in ("", "[]", "null", '{"outputs": 5}', '{"outputs": ["SHA256SUMS"]}', "{"):
        (tmp_path / MARKER).write_text(text)
        (tmp_path / "SHA256SUMS").write_bytes(b"of another kit")
        assert refused(kit).code == "output-exists", text
    (tmp_path / "SHA256SUMS").unlink()
    check_marker(kit, seal(kit))


def test_the_root_of_the_kit_decides(kit: Path) -> None:
    assert seal(kit, root=pinned()).threshold == 2
