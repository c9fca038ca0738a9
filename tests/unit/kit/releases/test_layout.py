"""A release is one directory: versions side by side, refusals before a build, nothing left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kit.releases.layout import ReleaseExists, kit_path, new_release
from kit.releases.previous import noted_releases
from tests.support.making import KEYS, ROOT_FILE, key, make_sources
from tests.support.program import Run
from verifier.core.errors import KitError

PIN = ("--root", os.fspath(ROOT_FILE))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory with a spec and its sources."""
    make_sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


SEALED = [
    *("FIRST-CONTACT.txt", "README.txt", "SHA256SUMS", "cosign-trusted-root.json"),
    *("demo-1.0.sealed.json", "demo-1.0.tar.zst", "kit-verify.pyz", "kit.dsse.json"),
    *("kit.sigstore.json", "root.json"),
]


def test_two_versions_share_a_directory_for_releases(offline_kit: Run, place: Path) -> None:
    keys = ("--key", key("alice"), "--key", key("bob"))
    words = ("build", "kit.toml", *PIN, "--out", "a/new/out", *keys)
    assert offline_kit(*words)[0] == 0
    first = place / "a/new/out/demo-1.0"
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    assert sorted(before) == SEALED
    spec = place / "kit.toml"
    spec.write_text(spec.read_text().replace('"1.0"', '"1.1"', 1))
    assert offline_kit(*words)[0] == 0
    assert names(place / "a/new/out") == ["demo-1.0", "demo-1.1"]
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


def test_what_is_there_is_refused_before_anything_is_read(offline_kit: Run, place: Path) -> None:
    """The sources are gone: a build that had begun would say so."""
    (place / "out/demo-1.0").mkdir(parents=True)
    (place / "out/demo-1.0/notes.txt").write_text("mine")
    (place / "src").rename(place / "elsewhere")
    status, out, err = offline_kit("build", "kit.toml", *PIN, "--out", "out")
    assert (status, out) == (2, "")
    assert err.startswith("error[release-exists]: 'out/demo-1.0': holds 'notes.txt' already\n")
    assert names(place / "out/demo-1.0") == ["notes.txt"]


@pytest.mark.parametrize("there", [(), ("out",), ("out", "out/demo-1.0")])
def test_a_build_that_fails_leaves_the_directories_that_were_there(
    offline_kit: Run, place: Path, there: tuple[str, ...]
) -> None:
    for name in there:
        (place / name).mkdir()
    (place / "src/tools/link").symlink_to("nowhere")
    before = sorted(place.rglob("*"))
    status, _, err = offline_kit("build", "kit.toml", *PIN, "--out", "out")
    assert (status, "error[source-unsupported]" in err) == (2, True)
    assert sorted(place.rglob("*")) == before


def test_an_unfinished_file_of_an_earlier_run_is_no_obstacle(tmp_path: Path) -> None:
    kit = kit_path(tmp_path, "demo", "1.0")
    kit.parent.mkdir()
    (kit.parent / f".{kit.name}.offline-kit-partial").write_bytes(b"half")
    with new_release(kit):
        pass


def test_a_file_for_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(KitError) as error, new_release(kit_path(tmp_path / "out", "demo", "1.0")):
        pass
    assert error.value.code == "output-unwritable"


def test_a_second_run_into_the_same_directory_is_refused(tmp_path: Path) -> None:
    kit = kit_path(tmp_path, "demo", "1.0")
    with new_release(kit):
        kit.write_bytes(b"kit")
        with pytest.raises(ReleaseExists), new_release(kit):
            pass
    assert kit.read_bytes() == b"kit"


def test_a_kit_whose_seal_fails_is_said_to_be_unsealed(offline_kit: Run, place: Path) -> None:
    """It is signed and lies there: whoever reads the error must know."""
    (place / "out").mkdir()
    keys = ("--key", key("alice"), "--key", key("bob"))
    offline_kit("build", "kit.toml", *PIN, "--out", "out")
    kit = "out/demo-1.0/demo-1.0.tar.zst"
    status, out, _ = offline_kit("sign", kit, *PIN, *keys)
    assert (status, out.splitlines()[-1]) == (0, f"next: offline-kit seal {kit} {' '.join(PIN)}")
    (place / "out/demo-1.0/cosign.pub").write_bytes((KEYS / "bob.pub").read_bytes())
    status, out, err = offline_kit("seal", kit, *PIN)
    assert (status, out, "error[output-exists]" in err) == (2, "", True)
    assert names(place / "out/demo-1.0") == ["cosign.pub", "demo-1.0.tar.zst"]


def test_the_release_tells_its_chain_when_it_has_one(offline_kit: Run, place: Path) -> None:
    keys = ("--key", key("alice"), "--key", key("bob"))
    done = offline_kit("root", "rotate", PIN[1], "--out", "next", "--expires", "2041-01-01")
    assert done[0] == 0
    assert offline_kit("root", "sign", "next", "--roots", PIN[1], *keys)[0] == 0
    assert (
        offline_kit("root", "accept", PIN[1], "next", "--out", "chain", "--newest", "new")[0] == 0
    )
    assert offline_kit("build", "kit.toml", "--root", "chain", "--out", "out", *keys)[0] == 0
    release = place / "out/demo-1.0"
    assert (release / "root.json").read_bytes() == (place / "new").read_bytes()
    assert (release / "roots.json").read_bytes() == (place / "chain").read_bytes()
    marker = json.loads((release / "demo-1.0.sealed.json").read_bytes())
    assert "roots.json" in marker["outputs"]
    status, out, _ = offline_kit("release-note", "out/demo-1.0/demo-1.0.tar.zst")
    assert (status, "root of trust, version 2" in out) == (0, True)


def test_a_fifo_in_the_place_of_a_marker_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "app-1").mkdir()
    os.mkfifo(tmp_path / "app-1" / "app-1.sealed.json")
    assert list(noted_releases(tmp_path)) == []
