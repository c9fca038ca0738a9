"""``lock`` and ``store`` as people and scripts meet them."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from kit.sources.lockfile import load_lock
from tests.support.making import ROOT_FILE
from tests.support.program import Run, runner
from tests.support.registry import Layout
from tests.support.specs import APP

SPEC = APP


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tool").write_bytes(b"a tool")
    digest = hashlib.sha256(b"a tool").hexdigest()
    url = (tmp_path / "tool").as_uri()
    (tmp_path / "kit.toml").write_text(f'{SPEC}url = "{url}"\nsha256 = "{digest}"\n')
    return runner(capsys, monkeypatch)


def test_a_lock_is_written_and_says_what_comes_next(run: Run, tmp_path: Path) -> None:
    status, out, err = run("lock")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "resolved app",
        "wrote kit.lock: 1 file",
        "next: look at the difference of kit.lock, and keep it in version control",
    ]
    assert run("lock") == (0, "unchanged: kit.lock: 1 file\n", "")
    assert run("lock", "--check") == (
        0,
        "kit.lock fits the spec, and the store has its 1 file\n",
        "",
    )


def test_json(run: Run) -> None:
    status, out, err = run("lock", "--json")
    assert status == 0
    assert [json.loads(line) for line in err.splitlines()] == [
        {"event": "begins", "name": "app/tool", "size": 6},
        {"event": "done", "name": "app/tool", "size": 6},
    ]
    assert json.loads(out) == {
        "artifacts": 1,
        "changed": True,
        "fetched": 0,
        "lock": "kit.lock",
        "notes": [],
        "resolved": ["app"],
        "size": 6,
    }


def test_the_store(run: Run, tmp_path: Path) -> None:
    run("lock")
    root = tmp_path / "cache" / "offline-kit" / "store"
    assert run("store", "path") == (0, f"{root}\n", "")
    digest = hashlib.sha256(b"a tool").hexdigest()
    file = root / "sha256" / digest[:2] / digest
    assert run("store", "path", digest) == (0, f"{file}\n", "")
    assert run("store", "verify") == (0, "checked 1 files, 6 bytes: 0 damaged\n", "")
    file.chmod(0o644)
    file.write_bytes(b"a fool")
    status, out, err = run("store", "verify")
    assert (status, out) == (4, "checked 1 files, 6 bytes: 1 damaged\n")
    assert "store-damaged" in err
    run("lock")
    assert run("store", "gc", "--keep", "0")[1] == "removed 1 files, 6 bytes\n"
    status, _, err = run("lock", "--offline")
    assert status == 3
    assert "artifact-absent" in err


MISTAKES = [
    (("lock", "gone.toml"), 2, "spec-missing"),
    (("lock", "--update", "ap"), 2, "nothing-to-update"),
    (("lock", "--check"), 2, "lock-missing"),
    (("store", "gc"), 2, "--older-than DAYS, --keep SIZE"),
    (("store", "gc", "--keep", "much"), 2, "a number of bytes"),
    (("store", "path", "abc"), 2, "64 hexadecimal digits"),
    (("store", "path", "0" * 64), 2, "has no file"),
]


@pytest.mark.parametrize(("words", "wanted", "said"), MISTAKES)
def test_mistakes_are_answered(
    words: tuple[str, ...], wanted: int, said: str, run: Run, tmp_path: Path
) -> None:
    status, _, err = run(*words)
    assert status == wanted
    assert said in err


def test_a_docker_archive_gets_a_digest_that_is_said_to_be_ours(run: Run, tmp_path: Path) -> None:
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": []}]
    with tarfile.open(tmp_path / "saved.tar", "w") as archive:
        for name, value in (("c.json", config), ("manifest.json", manifest)):
            data = json.dumps(value).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / "kit.toml").write_text(f'{SPEC}oci = "docker-archive:saved.tar:app:1"\n')
    status, out, err = run("lock")
    assert status == 0, err
    digest = load_lock(tmp_path / "kit.lock").images[0].sha256
    assert f"note: 'app:1' had no manifest in its archive: sha256:{digest}" in out
    assert "ours, which nobody else has signed" in out
    assert "note:" not in run("lock")[1], "said once, when it was resolved"
    notes = json.loads(run("lock", "--update", "app", "--json")[1])["notes"]
    assert len(notes) == 1


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_an_image_that_was_built_again_is_named(kind: str, run: Run, tmp_path: Path) -> None:
    """It moves with --update, as a tag does; who forgets it hears so, and not from the site."""

    def make(architecture: str) -> None:
        shutil.rmtree(tmp_path / "layout", ignore_errors=True)
        layout = Layout(tmp_path / "layout")
        layout.finish(app=layout.manifest([], architecture))
        if kind == "oci-archive":
            with tarfile.open(tmp_path / "layout.tar", "w") as archive:
                archive.add(tmp_path / "layout", ".")
            shutil.rmtree(tmp_path / "layout")

    place = "layout" if kind == "oci" else "layout.tar"
    (tmp_path / "kit.toml").write_text(f'{SPEC}oci = "{kind}:{place}:app"\n')
    make("amd64")
    assert "note:" not in run("lock")[1]
    assert "note:" not in run("lock")[1]
    make("arm64")
    said = f"{kind}:{place}:app is sha256:"
    for words in (["lock"], ["lock", "--check"]):
        status, out, err = run(*words)
        assert (status, out.startswith(f"note: {said}")) == (0, True), (out, err)
        assert "`offline-kit lock --update app`" in out
    status, _, err = run("build", "--root", str(ROOT_FILE), "--out", "out")
    assert status == 0, err
    assert err.startswith(f"warning: {said}")
    assert "note:" not in run("lock", "--update", "app")[1]
    for file in (tmp_path / "layout", tmp_path / "layout.tar"):
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    assert "note:" not in run("lock")[1], "the store has it"
