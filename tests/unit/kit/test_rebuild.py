"""Rebuilding: identical, or the first difference by its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from kit import build
from kit.build import Options
from kit.container import archive, draft
from kit.container.pyz import verifier_files
from kit.errors import KitError
from kit.keys import public_pem
from kit.rebuild import RebuildDiffers, rebuild
from kit.roots.metadata import build_root
from kit.signing import SumsSigner
from kit.spec import KitSpec, load_spec
from tests.support.assembler import OWN, TOOLS, Draft, assemble
from tests.support.making import (
    KEYS,
    Made,
    build_kit,
    key,
    make_kit,
    make_sources,
    noise,
    pinned,
    text,
    write_spec,
)
from tests.support.naive import Entry
from verifier.core.errors import ExitStatus
from verifier.core.limits import FRAME, MIB
from verifier.core.trust import parse_root

FILES = {
    "a/first": b"first\n",
    "a/run": b"#!/bin/sh\n",
    "big/mixed": text(FRAME) + noise(MIB),
    "big/text": text(2 * MIB),
    "z/last": b"last\n",
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a sealed kit."""
    return make_kit(tmp_path_factory.mktemp("rebuild"), FILES, ("a/run",))


@pytest.fixture
def spec(tmp_path: Path) -> KitSpec:
    """Return the spec of the same kit in another directory, which a test may change."""
    return make_sources(tmp_path / "elsewhere", FILES, ("a/run",))


def difference(kit: Made, spec: KitSpec, **options: object) -> str:
    with pytest.raises(RebuildDiffers) as error:
        rebuild(kit.path, spec, Options(**options))  # type: ignore[arg-type]
    assert error.value.status is ExitStatus.REJECTED
    return f"{error.value.where}: {error.value.message}"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_same_sources_elsewhere_are_identical(kit: Made, spec: KitSpec, workers: int) -> None:
    same = rebuild(kit.path, spec, Options(workers=workers), root=pinned())
    assert (same.kit_id, same.content_id) == (kit.built.kit_id, kit.built.content_id)
    assert same.size == kit.path.stat().st_size


@pytest.mark.parametrize("names", [(), ("alice",), ("alice", "bob", "carol")], ids=len)
@pytest.mark.parametrize("sums", [False, True], ids=["no sums key", "sums key"])
@pytest.mark.parametrize("store", [False, True], ids=["packed", "stored"])
def test_signatures_are_taken_from_the_kit(
    tmp_path: Path, names: tuple[str, ...], sums: bool, store: bool
) -> None:
    spec = make_sources(tmp_path / "in", {"a/first": b"first\n", "big/text": text(MIB)}, ())
    made = build_kit(spec, tmp_path / "out", signers=names, sums=sums, store=store)
    assert rebuild(made.path, spec, Options()).size == made.path.stat().st_size


def test_a_signature_of_the_sums_that_is_random_is_an_input(spec: KitSpec, tmp_path: Path) -> None:
    """A hardware module takes a random nonce: nobody can make its signature again."""
    module = generate_private_key(SECP256R1())
    signer = SumsSigner(public_pem(module.public_key()), module, ECDSA(Prehashed(SHA256())))
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made.append(build.build(spec, [pinned()], tmp_path / name, Options(), sums=signer))
    one, other = made
    assert one.path.read_bytes() != other.path.read_bytes()
    assert one.content_id == other.content_id
    for item in made:
        assert rebuild(item.path, spec, Options()).content_id == one.content_id


def write(path: str, data: bytes) -> Callable[[Path], object]:
    return lambda source: (source / path).write_bytes(data)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one byte": (write("a/first", b"First\n"), "member 'a/first': sha256 "),
    "one byte more": (write("a/first", b"first\n\n"), "member 'a/first': sha256 "),
    "a byte of a big member": (write("big/text", text(2 * MIB - 1) + b"!"), "member 'big/text': "),
    "the mode": (
        lambda source: (source / "a/run").chmod(0o644),
        "member 'a/run': mode 0755 there, 0644 here",
    ),
    "a file more, first": (write("a/also", b""), "member 'a/also' is only here"),
    "a file more, last": (write("z/very last", b""), "member 'z/very last' is only here"),
    "a file less, first": (
        lambda source: (source / "a/first").unlink(),
        "member 'a/first' is only there",
    ),
    "a file less, in the middle": (
        lambda source: (source / "big/mixed").unlink(),
        "member 'big/mixed' is only there",
    ),
    "another name": (
        lambda source: (source / "z/last").rename(source / "z/least"),
        "member 'z/last' is only there",
    ),
    "two changes": (
        lambda source: [write("z/last", b"x")(source), write("a/first", b"x")(source)],
        "member 'a/first': sha256 ",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES.keys())
def test_the_first_member_that_differs_is_named(
    kit: Made, spec: KitSpec, change: Callable[[Path], object], said: str
) -> None:
    change(spec.base / "src")
    assert difference(kit, spec).startswith(f"kit.index: {said}")


def test_times_owners_and_other_modes_of_sources_make_no_difference(
    kit: Made, spec: KitSpec
) -> None:
    for path in (spec.base / "src").rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o100 | 0o400)
            os.utime(path, (1, 1))
    rebuild(kit.path, spec, Options())


SPECS = {
    "level": ({"level": 4}, "manifest: built.level: ", "3 there, 4 here"),
    "version": ({"version": "1.1"}, "manifest: kit.version: ", "1.1"),
    "created": (
        {"created": "2026-11-25T00:00:00Z"},
        "manifest: kit.created: ",
        "2026-11-25T00:00:00Z",
    ),
    "name": ({"name": "other"}, "manifest: kit.name: ", "'other'"),
}


@pytest.mark.parametrize(("more", "start", "part"), SPECS.values(), ids=SPECS.keys())
def test_what_the_spec_says_otherwise_is_named(
    kit: Made, spec: KitSpec, more: dict[str, str], start: str, part: str
) -> None:
    changed = load_spec(write_spec(spec.base, ["a", "big", "z"], **more))  # type: ignore[arg-type]
    said = difference(kit, changed)
    assert said.startswith(start)
    assert part in said


def test_a_component_more_is_named(kit: Made, spec: KitSpec) -> None:
    (spec.base / "src" / "new").mkdir()
    (spec.base / "src" / "new" / "file").write_bytes(b"")
    changed = load_spec(write_spec(spec.base, ["a", "big", "new", "z"]))
    assert difference(kit, changed).startswith("manifest: components[2].id: ")


def test_source_date_epoch_is_part_of_how_it_was_built(kit: Made, spec: KitSpec) -> None:
    rebuild(kit.path, spec, Options(epoch="1795478400"))
    assert difference(kit, spec, epoch="1795478401").startswith("manifest: kit.created: ")


# --- who built it ----------------------------------------------------------------------------


@pytest.fixture
def older(spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Return the same kit as a builder with another libzstd would make it."""
    with monkeypatch.context() as patch:
        patch.setattr(zstandard, "ZSTD_VERSION", (1, 4, 8))
        patch.setattr(zstandard, "ZstdCompressor", _other_compressor)
        return build_kit(spec, tmp_path / "older")


def _other_compressor(level: int = 3, **options: Any) -> zstandard.ZstdCompressor:
    return _compressor(level=level + 5, **options)


_compressor = zstandard.ZstdCompressor


def test_another_version_of_the_compressor_is_said_first(older: Made, spec: KitSpec) -> None:
    said = difference(older, spec)
    assert said.startswith("manifest: compressor version: ")
    assert "made with 'zstd 1.4.8'" in said
    assert archive.compressor_name() in said
    assert "contentId is the same" in said


def test_the_contents_are_compared_even_then(older: Made, spec: KitSpec) -> None:
    (spec.base / "src" / "a" / "first").write_bytes(b"other\n")
    assert "contentId is different too" in difference(older, spec)


def test_frames_that_were_compressed_otherwise_are_named(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest says the same compressor and level, and it is not true."""
    with monkeypatch.context() as patch:
        patch.setattr(zstandard, "ZstdCompressor", _other_compressor)
        made = build_kit(spec, tmp_path / "forged")
    said = difference(made, spec)
    assert said.startswith("kit.frames: frame ")
    assert "which begins in member 'a/first', was compressed otherwise" in said


def test_a_stored_kit_does_not_depend_on_the_compressor(
    spec: KitSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = build_kit(spec, tmp_path / "one", store=True)
    monkeypatch.setattr(zstandard, "ZSTD_VERSION", (1, 4, 8))
    monkeypatch.setattr(zstandard, "ZstdCompressor", _other_compressor)
    other = build_kit(spec, tmp_path / "other", store=True)
    assert one.path.read_bytes() == other.path.read_bytes()
    rebuild(one.path, spec, Options())


def test_another_verifier_inside_is_named(
    kit: Made, spec: KitSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The builder's own version is an input too: it is in the kit."""
    files = verifier_files()
    less = {name: data for name, data in files.items() if name != "source.py"}
    monkeypatch.setattr(draft, "verifier_files", lambda: less)
    said = difference(kit, spec)
    assert said.startswith("kit.index: member 'kit-verify.pyz': sha256 ")
    monkeypatch.setattr(draft, "make_pyz", lambda files: (kit.pyz).read_bytes())
    assert difference(kit, spec) == "kit.index: member 'verifier/source.py' is only there"


# --- what is no rebuild ----------------------------------------------------------------------


def test_a_damaged_kit_is_refused_before_anything_is_compared(
    kit: Made, spec: KitSpec, tmp_path: Path
) -> None:
    data = bytearray(kit.path.read_bytes())
    data[-5000] ^= 1
    bad = tmp_path / "bad.tar.zst"
    bad.write_bytes(data)
    with pytest.raises(KitError) as error:
        rebuild(bad, spec, Options())
    assert error.value.code != "rebuild-differs"
    assert error.value.status is ExitStatus.REJECTED


@pytest.mark.parametrize("line", [b"", b"AA==", b"A" * 8, b"A" * 400])
def test_a_strangers_kit_whose_signature_is_none(
    spec: KitSpec, tmp_path: Path, line: bytes
) -> None:
    """FORMAT lets a verifier pass over SHA256SUMS.sig, so anything may be in it."""
    draft = Draft((Entry(b"SHA256SUMS.sig", line, b"sig"), *OWN, *TOOLS))
    path = tmp_path / "stranger.tar.zst"
    path.write_bytes(assemble(draft))
    with pytest.raises(KitError) as error:
        rebuild(path, spec, Options())
    assert (error.value.code, error.value.where) == ("rebuild-differs", "SHA256SUMS.sig")


def test_another_spec_is_told_in_words(kit: Made, spec: KitSpec) -> None:
    text_of = spec.file.read_text()
    for old, new, said in (
        ("sequence = 7", "sequence = 8", "manifest: kit.sequence: 7 there, 8 here"),
        ('lands = "/opt/big"', 'lands = "/x"', "components[1].lands: '/opt/big' there, '/x' here"),
    ):
        spec.file.write_text(text_of.replace(old, new))
        found = difference(kit, load_spec(spec.file))
        assert said in found
        assert "(" not in found, "a Python object is shown"


def test_another_root_than_expected(kit: Made, spec: KitSpec) -> None:
    data = build_root(
        [("carol", KEYS / "carol.pub")],
        1,
        expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
        sign_with=[key("carol")],
    )
    with pytest.raises(KitError) as error:
        rebuild(kit.path, spec, Options(), root=parse_root(data))
    assert error.value.code == "root-differs"


def test_nothing_is_left_behind(kit: Made, spec: KitSpec) -> None:
    before = sorted(path.name for path in [*kit.directory.iterdir(), *spec.base.iterdir()])
    rebuild(kit.path, spec, Options())
    shutil.rmtree(spec.base / "src" / "a")
    with pytest.raises(KitError):
        rebuild(kit.path, spec, Options())
    after = sorted(path.name for path in [*kit.directory.iterdir(), *spec.base.iterdir()])
    assert after == before
