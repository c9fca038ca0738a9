"""The runner's own writer of kits, byte for byte against the builder's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.build import BuiltKit, Options, build
from kit.container.pyz import verifier_files
from kit.signing import load_signer
from kit.spec import load_spec
from runner import __version__
from runner.packing.pyz import make_pyz, sources_in
from runner.packing.store import Source, SourceMoved, write_store
from tests.support.making import key, pinned, write_files, write_spec
from verifier.core.envelope import pae
from verifier.core.trust import chain_bytes

FILES = {
    "a/empty": b"",
    "a/small": b"x" * 700,
    "a/with a long name, so that its header needs a record" + "/deep" * 30 + "/ü": b"1",
    "b/joined": bytes(range(256)) * 4095,  # just below what has frames of its own
    "b/own": b"\7" * (1 << 20),
    "b/two": os.urandom((4 << 20) + 1),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltKit:
    """Return a signed kit that `build --store` made."""
    place = tmp_path_factory.mktemp("store")
    write_files(place / "src", FILES)
    spec = write_spec(place, ["a", "b"])
    root, options = pinned(), Options(store=True, workers=1)
    signers = [load_signer(key("alice"), root.targets.keys)]
    return build(load_spec(spec), [root], place / "out", options, signers=signers)


def write(built: BuiltKit, path: Path, members: dict[str, Source]) -> None:
    """Write the same kit with the runner's writer."""
    signer = load_signer(key("alice"), pinned().targets.keys)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        write_store(
            descriptor,
            built.manifest.kit,
            built.manifest.components,
            members,
            verifier_files(),
            chain_bytes([pinned()]),
            ((built.path.parents[1] / "kit.toml").read_bytes(), __version__),
            lambda payload: {signer.keyid: signer.sign(pae(payload))},
        )
    finally:
        os.close(descriptor)


def test_it_writes_what_the_builder_writes(built: BuiltKit, tmp_path: Path) -> None:
    members = {name: Source(path=str(built.path.parents[1] / "src" / name)) for name in FILES}
    members["a/small"] = Source(FILES["a/small"])
    write(built, tmp_path / "kit", members)
    assert (tmp_path / "kit").read_bytes() == built.path.read_bytes()


def test_a_file_that_changes_meanwhile_is_noticed(built: BuiltKit, tmp_path: Path) -> None:
    members = {name: Source(data) for name, data in FILES.items()}
    for said, other in (("changed", b"behind"), ("shorter", b"be")):
        source = _Moving([b"before", other])
        with pytest.raises(SourceMoved, match=said):
            write(built, tmp_path / said, {**members, "a/small": source})


class _Moving(Source):
    """Contents that are others each time they are read."""

    contents: list[bytes]

    def __init__(self, contents: list[bytes]) -> None:
        object.__setattr__(self, "contents", contents)

    def read(self):  # type: ignore[no-untyped-def]
        yield self.contents.pop(0)


def test_sources_are_the_same_out_of_a_zipapp(tmp_path: Path) -> None:
    (tmp_path / "kit-verify.pyz").write_bytes(make_pyz(verifier_files()))
    assert sources_in(str(tmp_path / "kit-verify.pyz"), "verifier") == verifier_files()
