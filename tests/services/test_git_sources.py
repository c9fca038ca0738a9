"""Commits as bundles, out of real repositories: by file, and over HTTP from this machine."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.support.webserver import status, web
from verifier.core.errors import KitError

SPEC = """\
[kit]
name = "tools"
version = "1"
line = "tools/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "tools"

[[component]]
id = "tools"
version = "1"
path = "tools"
lands = "/srv/git"
[[component.source]]
"""


class Repository:
    """A repository that a test writes to."""

    def __init__(self, git: Path, directory: Path) -> None:
        self.git, self.directory = git, directory
        directory.mkdir(parents=True)
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *arguments: str) -> str:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example",
            "GIT_AUTHOR_DATE": "1700000000 +0000",
            "GIT_COMMITTER_DATE": "1700000000 +0000",
            "GIT_ALLOW_PROTOCOL": "file",
        }
        command: list[str | Path] = [self.git, "-C", self.directory, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
        return done.stdout.decode().strip()

    def commit(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        self("add", ".")
        self("commit", "--quiet", "--message", name)
        return self("rev-parse", "HEAD")


@pytest.fixture
def repository(judge: Judge, tmp_path: Path) -> Repository:
    made = Repository(judge("git"), tmp_path / "origin" / "tools")
    for number in range(40):
        made.commit("file", "line\n" * number)
    made("tag", "v1", "HEAD~3")
    return made


def run(directory: Path, source: str, store: str = "store", *, update: bool = False) -> Locked:
    directory.mkdir(exist_ok=True)
    (directory / "kit.toml").write_text(SPEC + source)
    options = LockOptions(frozenset({"tools"} if update else ()))
    client = Client(Ways(proxies={}))
    spec = load_spec(directory / "kit.toml")
    return lock(spec, Store(directory / store), client, Logins(), options)


def test_a_clone_at_the_site_has_the_commit(repository: Repository, tmp_path: Path) -> None:
    locked = run(tmp_path / "h", f'git = "{repository.directory.as_uri()}"\nrev = "v1"')
    (item,) = locked.lock.artifacts
    assert item.path == "tools/tools.bundle"
    assert item.commit == repository("rev-parse", "v1^{commit}")
    bundle = Store(tmp_path / "h" / "store").path(item.sha256)
    subprocess.run([repository.git, "clone", "--quiet", bundle, tmp_path / "clone"], check=True)
    clone: list[str | Path] = [repository.git, "-C", tmp_path / "clone"]
    head = subprocess.run([*clone, "rev-parse", "HEAD"], capture_output=True, check=True)
    assert head.stdout.decode().strip() == item.commit
    log = subprocess.run([*clone, "rev-list", "--count", "HEAD"], capture_output=True, check=True)
    assert log.stdout.strip() == b"37"
    subprocess.run([*clone, "fsck", "--strict"], check=True, capture_output=True)


def test_the_same_bytes_however_the_repository_is_packed(
    repository: Repository, tmp_path: Path
) -> None:
    source = f'git = "{repository.directory.as_uri()}"\nrev = "main"'
    before = run(tmp_path / "h", source).lock
    repository("gc", "--aggressive", "--quiet", "--prune=now")
    repository("repack", "-adf", "--depth=250", "--window=250", "--quiet")
    assert run(tmp_path / "h", source, "another", update=True).lock == before


def test_a_branch_that_moves_is_moved_on_purpose(repository: Repository, tmp_path: Path) -> None:
    source = f'git = "{repository.directory.as_uri()}"\nrev = "main"'
    first = run(tmp_path / "h", source).lock
    moved = repository.commit("file", "new")
    assert run(tmp_path / "h", source).lock == first
    again = run(tmp_path / "h", source, "fresh")
    assert (again.lock, again.fetched) == (first, 1), "the old commit is found behind the branch"
    assert run(tmp_path / "h", source, update=True).lock.artifacts[0].commit == moved


def test_a_commit_that_is_gone_is_named_with_what_would_replace_it(
    repository: Repository, tmp_path: Path
) -> None:
    source = f'git = "{repository.directory.as_uri()}"\nrev = "main"'
    old = run(tmp_path / "h", source).lock.artifacts[0].commit
    repository("commit", "--quiet", "--amend", "--message", "again")
    repository("reflog", "expire", "--expire=now", "--all")
    repository("gc", "--quiet", "--prune=now")
    new = repository("rev-parse", "main")
    with pytest.raises(KitError, match=f"{old}; 'main' is commit {new} now") as caught:
        run(tmp_path / "h", source, "fresh")
    assert caught.value.code == "artifact-gone"


@pytest.fixture
def served(repository: Repository, tmp_path: Path) -> Iterator[str]:
    """Serve the repository over HTTP, as files."""
    bare = tmp_path / "www" / "tools.git"
    repository("clone", "--quiet", "--bare", ".", str(bare))
    subprocess.run([repository.git, "-C", bare, "update-server-info"], check=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "www"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/tools.git"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(served: str, repository: Repository, tmp_path: Path) -> None:
    locked = run(tmp_path / "h", f'git = "{served}"\nrev = "main"\nas = "all.bundle"')
    (item,) = locked.lock.artifacts
    assert (item.path, item.commit) == ("tools/all.bundle", repository("rev-parse", "main"))


def test_submodules_are_named(repository: Repository, judge: Judge, tmp_path: Path) -> None:
    other = Repository(judge("git"), tmp_path / "other")
    other.commit("file", "text")
    allow = ("-c", "protocol.file.allow=always")
    repository(*allow, "submodule", "--quiet", "add", other.directory.as_uri(), "vendor/other")
    repository.commit("more", "text")
    source = f'git = "{repository.directory.as_uri()}"\nrev = "main"'
    with pytest.raises(KitError, match="'vendor/other'") as caught:
        run(tmp_path / "h", source)
    assert caught.value.code == "git-submodules"
    assert run(tmp_path / "h", f"{source}\nsubmodules = true").changed


PACK = {"Content-Type": "application/x-git-upload-pack-advertisement"}
GARBAGE = {
    "a page": status(200, {"Content-Type": "text/html"}, b"<html>"),
    "no packets": status(200, PACK, b"zzzz# service=git-upload-pack\n"),
    "a length of 64 KiB": status(200, PACK, b"fff0" + b"a" * 100),
    "no references": status(200, PACK, b"001e# service=git-upload-pack\n00000000"),
    "a redirect to a file": status(302, {"Location": "file:///etc"}),
    "nothing": status(404),
}


def test_what_git_says_is_told_and_not_its_advice(repository: Repository, tmp_path: Path) -> None:
    nowhere = (repository.directory / "nowhere").as_uri()
    with pytest.raises(KitError, match="does not appear to be a git repository") as caught:
        run(tmp_path / "h", f'git = "{nowhere}"\nrev = "main"')
    assert "make sure" not in caught.value.message


@pytest.mark.parametrize("what", GARBAGE)
def test_a_server_that_is_no_repository(what: str, judge: Judge, tmp_path: Path) -> None:
    judge("git")
    with web() as running:
        running.routes["/a.git/info/refs"] = GARBAGE[what]
        with pytest.raises(KitError) as caught:
            run(tmp_path / "h", f'git = "{running.url}/a.git"\nrev = "main"')
    assert caught.value.code == "git-failed"
    assert not (tmp_path / "h" / "kit.lock").exists()


BAD = [
    ('git = "{url}"\nrev = "gone"', "git-failed"),
    ('git = "{url}/nowhere"\nrev = "main"', "git-failed"),
    ('git = "http://192.0.2.1/a.git"\nrev = "main"', "url-refused"),
    ('git = "{url}"', "spec-invalid"),
    ('git = "{url}"\nrev = "--upload-pack=touch /tmp/x"', "spec-invalid"),
    ('git = "ext::sh -c true"\nrev = "main"', "spec-invalid"),
    ('git = "https://me:secret@git.example/a.git"\nrev = "main"', "spec-invalid"),
]


@pytest.mark.parametrize(("source", "code"), BAD)
def test_what_is_refused(source: str, code: str, repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(KitError) as caught:
        run(tmp_path / "h", source.replace("{url}", repository.directory.as_uri()))
    assert caught.value.code == code
    assert not (tmp_path / "h" / "kit.lock").exists()


def test_another_git_is_named_where_its_bytes_are_others(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git whose zlib packs otherwise, which this one plays with another level."""
    source = f'git = "{repository.directory.as_uri()}"\nrev = "main"'
    locked = run(tmp_path / "h", source).lock
    mine = repository("version").removeprefix("git version ").strip()
    assert locked.tools == {"git": mine}
    (tmp_path / "git").write_text(
        '#!/bin/sh\n[ "$3" = version ] && echo "git version 9.9" && exit\n'
        "for word; do shift\n"
        '  [ "$word" = --compression=6 ] && word=--compression=0\n'
        '  set -- "$@" "$word"\ndone\n'
        f'exec {repository.git} "$@"\n'
    )
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(KitError) as caught:
        run(tmp_path / "h", source, "fresh")
    assert caught.value.code == "artifact-differs"
    assert caught.value.where == "tools/tools.bundle"
    assert f"git 9.9 bundles commit {locked.artifacts[0].commit}" in caught.value.message
    assert f"made with git {mine}" in caught.value.message
    assert run(tmp_path / "h", source, "fresh", update=True).lock.tools == {"git": "9.9"}
