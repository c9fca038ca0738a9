"""A kit of what was fetched: built from the store by the lock, without a network, and again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.sources.lockfile import LockedArtifact, load_lock, render
from kit.store import Store
from tests.support.making import KEYS, ROOT_FILE
from tests.support.program import Run, runner
from tests.support.specs import APP

SPEC = (
    APP
    + """\
file = "own.txt"
[[component.source]]
url = "{url}"
sha256 = "{digest}"
as = "bin/tool"
executable = true

[[evidence]]
path = "licences"
[[evidence.source]]
url = "{url}"
sha256 = "{digest}"
as = "tool.txt"
"""
)
DATA = b"#!/bin/sh\necho tool\n"
DIGEST = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"another file").hexdigest()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OFFLINE_KIT_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "tool").write_bytes(DATA)
    (tmp_path / "own.txt").write_text("ours")
    url = (tmp_path / "tool").as_uri()
    (tmp_path / "kit.toml").write_text(SPEC.format(url=url, digest=DIGEST))
    return runner(capsys, monkeypatch)


def build(run: Run) -> tuple[int, str, str]:
    keys = [f"--key={KEYS / name}.pem" for name in ("alice", "bob")]
    return run("build", "kit.toml", "--root", str(ROOT_FILE), "--out", "out", *keys)


def test_what_was_locked_is_what_is_carried(run: Run, tmp_path: Path) -> None:
    assert run("lock")[0] == 0
    (tmp_path / "tool").unlink()  # the source is gone; the store has it
    status, _, err = build(run)
    assert status == 0, err
    kit = tmp_path / "out" / "app-1" / "app-1.tar.zst"
    pyz = kit.with_name("kit-verify.pyz")
    command: list[str | Path] = [sys.executable, "-I", pyz, kit, "--root", ROOT_FILE]
    subprocess.run([*command, "--extract", tmp_path / "site"], check=True, capture_output=True)
    tool = tmp_path / "site" / "app" / "bin" / "tool"
    assert tool.read_bytes() == DATA
    assert tool.stat().st_mode & 0o111
    assert (tmp_path / "site/evidence/licences/tool.txt").read_bytes() == DATA
    lock = (tmp_path / "kit.lock").read_bytes()
    assert (tmp_path / "site/evidence/kit.lock").read_bytes() == lock
    status, out, err = run("rebuild", "--check", str(kit), "kit.toml")
    assert (status, err) == (0, "")
    assert out.startswith("identical")


def test_without_a_lock_nothing_is_built(run: Run, tmp_path: Path) -> None:
    status, _, err = build(run)
    assert status == 2
    assert "lock-missing" in err
    assert not (tmp_path / "out").exists()


def test_a_lock_for_other_sources_builds_nothing(run: Run, tmp_path: Path) -> None:
    run("lock")
    text = (tmp_path / "kit.toml").read_text()
    (tmp_path / "kit.toml").write_text(text.replace('"bin/tool"', '"bin/other"'))
    status, _, err = build(run)
    assert status == 2
    assert "lock-stale" in err
    assert "'app'" in err


def test_what_the_store_lacks_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("lock")
    monkeypatch.setenv("OFFLINE_KIT_STORE", str(tmp_path / "empty"))
    status, _, err = build(run)
    assert status == 3
    assert "artifact-absent" in err
    assert "'app/bin/tool'" in err


def test_a_file_of_the_store_that_was_exchanged_is_never_built_in(run: Run, tmp_path: Path) -> None:
    run("lock")
    file = tmp_path / "store" / "sha256" / DIGEST[:2] / DIGEST
    file.chmod(0o644)
    file.write_bytes(DATA.replace(b"tool", b"evil"))
    status, _, err = build(run)
    assert status == 4
    assert "artifact-differs" in err
    assert not list(tmp_path.rglob("*.tar.zst"))


def test_two_sources_in_one_place_are_refused(run: Run, tmp_path: Path) -> None:
    text = (tmp_path / "kit.toml").read_text()
    text = text.replace('file = "own.txt"', 'file = "own.txt"\nas = "bin/tool"')
    (tmp_path / "kit.toml").write_text(text)
    run("lock")
    status, _, err = build(run)
    assert status == 2
    assert "sources-collide" in err


SMUGGLED = [
    ('component = "app"\n', "other/evil"),
    ('component = "other"\n', "app/evil"),
    ('component = "app"\n', "evidence/oci/other/x.json"),
    ("", "app/evil"),
    ("", "evidence/other/evil"),
]


@pytest.mark.parametrize(("component", "path"), SMUGGLED)
def test_a_file_that_somebody_wrote_into_the_lock(
    component: str, path: str, run: Run, tmp_path: Path
) -> None:
    assert run("lock")[0] == 0
    lock = load_lock(tmp_path / "kit.lock")
    more = LockedArtifact(
        path=path, size=len(DATA), sha256=DIGEST, component=component[13:-2] or None
    )
    edited = lock.model_copy(update={"artifacts": (*lock.artifacts, more)})
    (tmp_path / "kit.lock").write_bytes(render(edited))
    for command in (("lock", "--check"), ("build", "kit.toml", "--root", str(ROOT_FILE))):
        status, _, err = run(*command)
        assert status == 2
        assert "lock-stale" in err
        assert f"no source brings '{path}'" in err


EDITED = [
    ('path = "app/bin/tool"', 'path = "app/bin/other"'),
    (f'sha256 = "{DIGEST}"', f'sha256 = "{OTHER}"'),
    ("executable = true\n", ""),
    ('path = "evidence/licences/tool.txt"', 'path = "evidence/licences/zero.txt"'),
    ('component = "app"\npath = "app/bin/tool"', 'component = "app"\npath = "app/tool"'),
]


@pytest.mark.parametrize(("old", "new"), EDITED)
def test_a_line_of_the_lock_that_was_changed_by_hand(
    old: str, new: str, run: Run, tmp_path: Path
) -> None:
    """Each is in the spelling and order of `lock`, inside a part that the spec fetches."""
    assert run("lock")[0] == 0
    Store(tmp_path / "store").add(b"another file")
    lock = tmp_path / "kit.lock"
    written = lock.read_text()
    size = f"size = {len(DATA)}"
    text = written.replace(old, new, 1)
    if new.endswith(f'{OTHER}"'):
        text = text.replace(size, "size = 12", 1)  # a file that the store has
    assert text != written
    lock.write_text(text)
    evidence = "licences" in old or "sha256" in old  # which stands first, with the same digest
    part = "evidence/licences" if evidence else "app"
    for command in (
        ("lock",),
        ("lock", "--check"),
        ("build", "kit.toml", "--root", str(ROOT_FILE)),
    ):
        status, _, err = run(*command)
        assert status == 2, err
        assert "lock-edited]: " in err
        assert f"what it says of {part!r} is not what" in err
        assert "--update NAME" in err
    assert run("lock", "--update", part)[0] == 0
    assert lock.read_text() == written


# --- a store that lacks what the kit has ------------------------------------------------------


def test_a_rebuild_takes_out_of_the_kit_what_the_store_lacks(run: Run, tmp_path: Path) -> None:
    assert run("lock")[0] == 0
    (tmp_path / "tool").unlink()
    assert build(run)[0] == 0
    kit = tmp_path / "out" / "app-1" / "app-1.tar.zst"
    shutil.rmtree(tmp_path / "store")
    assert run("build", "kit.toml", "--root", str(ROOT_FILE), "--out", "other")[0] == 3
    status, out, err = run("rebuild", "--check", str(kit), "kit.toml")
    assert (status, err) == (0, "")
    assert "the store lacked 2 files, taken out of the kit" in out
    assert "app/bin/tool" in out
    assert "identical" in out
    status, out, _ = run("rebuild", "--check", str(kit), "kit.toml", "--json")
    assert json.loads(out)["fromKit"] == [], "now it has them"


def test_a_kit_that_has_another_file_gives_nothing(run: Run, tmp_path: Path) -> None:
    assert run("lock")[0] == 0
    assert build(run)[0] == 0
    kit = tmp_path / "out" / "app-1" / "app-1.tar.zst"
    (tmp_path / "tool").write_bytes(DATA + b"more")
    digest = hashlib.sha256(DATA + b"more").hexdigest()
    spec = (tmp_path / "kit.toml").read_text().replace(hashlib.sha256(DATA).hexdigest(), digest)
    (tmp_path / "kit.toml").write_text(spec)
    assert run("lock")[0] == 0
    shutil.rmtree(tmp_path / "store")
    status, _, err = run("rebuild", "--check", str(kit), "kit.toml")
    assert status == 3
    assert "artifact-absent" in err
    assert not list((tmp_path / "store").rglob(digest))


def test_a_damaged_kit_gives_nothing(run: Run, tmp_path: Path) -> None:
    assert run("lock")[0] == 0
    assert build(run)[0] == 0
    kit = tmp_path / "out" / "app-1" / "app-1.tar.zst"
    kit.chmod(0o644)
    data = bytearray(kit.read_bytes())
    data[-20] ^= 1
    kit.write_bytes(data)
    shutil.rmtree(tmp_path / "store")
    assert run("rebuild", "--check", str(kit), "kit.toml")[0] == 4
    assert not list((tmp_path / "store").rglob(hashlib.sha256(DATA).hexdigest()))


# --- where the store is ----------------------------------------------------------------------

WAYS = ["option", "variable", "kit.toml", "offline-kit.toml"]


def name_store(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the directory "mine" in one of the ways; return words for each command."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OFFLINE_KIT_STORE")
    if way == "option":
        return ["--store-dir", "mine"]
    if way == "variable":
        monkeypatch.setenv("OFFLINE_KIT_STORE", "mine")
    else:
        with open(tmp_path / way, "a") as file:
            file.write('\n[release]\nstore-dir = "mine"\n')
    return []


@pytest.mark.parametrize("way", WAYS)
def test_all_commands_use_the_store_that_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    words = name_store(way, tmp_path, monkeypatch)
    assert run("lock", *words)[0] == 0
    (tmp_path / "tool").unlink()
    keys = [f"--key={KEYS / name}.pem" for name in ("alice", "bob")]
    status, _, err = run("build", "--root", str(ROOT_FILE), "--out", "out", *keys, *words)
    assert status == 0, err
    subject = ["--type", "https://app.example/t", "--subject", "component:app", "--in", "kit.toml"]
    (tmp_path / "own.json").write_text("{}")
    attest = ["attest", "own.json", *subject, "--key", f"{KEYS}/sums.pem", "--out", "a.json"]
    for command in (
        ["rebuild", "out/app-1"],
        ["digest", "kit.toml", "app"],
        ["sbom", "write"],
        attest,
        ["lock", "--check"],
        ["store", "verify"],
    ):
        status, _, err = run(*command, *words)
        assert status == 0, (command, err)
    assert run("store", "path", *words)[1] == "mine\n"
    monkeypatch.setenv("PATH", str(tmp_path))  # what else this host has takes a second to ask
    assert "store: " in run("doctor", *words)[1]
    assert not (tmp_path / "cache").exists()


def test_the_nearest_word_names_the_store(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")

    def shown() -> tuple[str, str]:
        row = json.loads(run("config", "show", "--json")[1])["values"]["store-dir"]
        assert run("store", "path")[1] == row["value"] + "\n"
        return row["value"], row["from"].partition(":")[0]

    assert shown() == (str(tmp_path / "store"), "the variable OFFLINE_KIT_STORE")
    monkeypatch.delenv("OFFLINE_KIT_STORE")
    assert shown() == ("/cache/offline-kit/store", "nobody")
    (tmp_path / "offline-kit.toml").write_text('[release]\nstore-dir = "far"\n')
    assert shown() == ("far", "offline-kit.toml")
    with open(tmp_path / "kit.toml", "a") as file:
        file.write('\n[release]\nstore-dir = "near"\n')
    assert shown() == ("near", "kit.toml")
    monkeypatch.setenv("OFFLINE_KIT_STORE", "set")
    assert shown() == ("set", "the variable OFFLINE_KIT_STORE")
    assert run("store", "path", "--store", "typed")[1] == "typed\n"
    assert run("store", "path", "--store-dir", "typed")[1] == "typed\n"


def test_a_store_given_to_the_flag_for_raw_frames_is_explained(run: Run, tmp_path: Path) -> None:
    assert run("lock")[0] == 0
    status, _, err = run("build", "--store", "store", "--root", str(ROOT_FILE))
    assert (status, "--store-dir DIR" in err) == (2, True), err
    assert run("build", "--store", "--root", str(ROOT_FILE), "--out", "out")[0] == 0


def test_no_tree_carries_the_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "file").write_text("one")
    text = (tmp_path / "kit.toml").read_text()
    (tmp_path / "kit.toml").write_text(text.replace('file = "own.txt"', 'dir = "src"'))
    inside = ("--store-dir", "src/store")
    assert run("lock", *inside)[0] == 0
    status, _, err = run("build", "--root", str(ROOT_FILE), "--out", "out", *inside)
    assert status == 2
    assert "error[source-secret]" in err
    assert "'src/store': is the store of what was fetched" in err
