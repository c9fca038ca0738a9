"""Debian packages: apt resolves them out of real repositories, and takes them at the site."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.support.debs import control, deb, write_repository
from tests.support.killing import ended, fork
from verifier.core.errors import KitError

SPEC = """\
[kit]
name = "debs"
version = "1"
line = "debs/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "debs"

[[component]]
id = "debs"
version = "1"
path = "debs"
lands = "/srv/debs"
"""
PACKAGES = [
    control("app", "1.0-1", "amd64", Depends="lib (>= 1:2.0~rc1), data | none", Recommends="extra"),
    control("app", "1.0-1", "arm64", Depends="lib, data"),
    control("lib", "1:2.0~rc1+x", "amd64", Depends="base (>= 5)", Multi_Arch="same"),
    control("lib", "1:2.0~rc1+x", "arm64", Depends="base", Multi_Arch="same"),
    control("base", "5", "amd64", Depends="deep"),
    control("base", "5", "arm64"),
    control("deep", "1", "amd64"),
    control("data", "3", "all"),
    control("extra", "1", "all"),
    control("vital", "1", "amd64", Essential="yes"),
]


class Host:
    """A release host with a repository of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.store = directory, Store(directory / "store")
        self.repository = write_repository(directory / "repository", PACKAGES)
        self.address = self.repository.as_uri()
        self.sources(f"deb [trusted=yes] {self.address} stable main\n")

    def sources(self, text: str, name: str = "debian.list") -> None:
        (self.directory / name).write_text(text)

    def write(self, *sources: str) -> None:
        tables = "".join(f"[[component.source]]\n{source}\n" for source in sources)
        (self.directory / "kit.toml").write_text(SPEC + tables)

    def lock(self, *sources: str, update: bool = False, offline: bool = False) -> Locked:
        if sources:
            self.write(*sources)
        client = Client(Ways(proxies={}, sleep=lambda seconds: None))
        options = LockOptions(frozenset({"debs"} if update else ()), offline=offline)
        spec = load_spec(self.directory / "kit.toml")
        return lock(spec, self.store, client, Logins(), options)

    def carry(self, locked: Locked, target: Path) -> Path:
        for item in locked.lock.artifacts:
            path = target / item.path.removeprefix("debs/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.path(item.sha256).read_bytes())
        return target


def wants(*names: str, architecture: str = "amd64", more: str = "") -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    text = f'debs = [{listed}]\nsuite = "stable"\narchitecture = "{architecture}"\n'
    return f'{text}repositories = "debian.list"\n{more}'


def carried(locked: Locked) -> set[str]:
    names = {item.path.removeprefix("debs/") for item in locked.lock.artifacts}
    assert {"Packages", "Release"} <= names
    return names - {"Packages", "Release"}


@pytest.fixture
def host(judge: Judge, tmp_path: Path) -> Host:
    judge("apt-get")
    return Host(tmp_path / "host")


def test_what_is_needed_and_nothing_else(host: Host) -> None:
    locked = host.lock(wants("app"))
    assert carried(locked) == {
        *("app_1.0-1_amd64.deb", "lib_2.0~rc1+x_amd64.deb", "base_5_amd64.deb"),
        *("deep_1_amd64.deb", "data_3_all.deb"),
    }
    purls = {item.purl for item in locked.lock.artifacts}
    assert "pkg:deb/debian/lib@1:2.0~rc1%2Bx?arch=amd64" in purls
    assert locked.lock.tools["apt"]
    again = Host(host.directory.with_name("again")).lock(wants("app"))
    assert again.lock.artifacts == locked.lock.artifacts, "the same bytes on another host"


def test_for_an_architecture_that_is_not_this_one(host: Host) -> None:
    both = host.lock(wants("app", architecture="arm64"), wants("deep=1"))
    assert carried(both) == {
        *("app_1.0-1_arm64.deb", "lib_2.0~rc1+x_arm64.deb", "base_5_arm64.deb"),
        *("deep_1_amd64.deb", "data_3_all.deb"),
    }


def test_what_the_site_has_is_not_carried_nor_what_it_needs(host: Host) -> None:
    locked = host.lock(wants("app", more='assume = ["base", "data=2"]'))
    assert carried(locked) == {"app_1.0-1_amd64.deb", "lib_2.0~rc1+x_amd64.deb"}


def test_an_older_one_at_the_site_is_replaced(host: Host) -> None:
    locked = host.lock(wants("app", more='assume = ["base=4", "deep", "lib=1:1.0"]'))
    assert carried(locked) == {
        *("app_1.0-1_amd64.deb", "lib_2.0~rc1+x_amd64.deb", "base_5_amd64.deb", "data_3_all.deb")
    }


def _apt(root: Path, repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run apt at a site, for a system below ``root``, with the directory of the kit alone."""
    for name in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("var/log/apt", "var/lib/dpkg/updates"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/info").mkdir(exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "kit.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    settings = root / "apt.conf"
    settings.write_text(
        f'Dir "{root}/";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "";\n'
        f'DPkg::Options {{ "--root={root}"; "--force-not-root"; "--force-architecture"; '
        '"--force-bad-path"; };\n'
    )
    command = ["apt-get", "-o", f"Dir::Etc::SourceList={root}/kit.list", *arguments]
    command[1:1] = ["-o", "Dir::Etc::SourceParts=/dev/null"]
    return subprocess.run(
        command,
        env={"APT_CONFIG": str(settings), "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        check=False,
    )


def test_apt_installs_it_at_the_site(host: Host, judge: Judge, tmp_path: Path) -> None:
    judge("dpkg")
    there = host.carry(host.lock(wants("app", "extra")), tmp_path / "carried")
    root = tmp_path / "site"
    updated = _apt(root, there, "update")
    assert updated.returncode == 0, updated.stderr
    assert b"E:" not in updated.stderr
    done = _apt(root, there, "install", "-y", "app", "extra")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (root / "opt").iterdir()} == {
        *("app", "lib", "base", "deep", "data", "extra")
    }
    (there / "app_1.0-1_amd64.deb").write_bytes(deb(control("app", "1.0-1", "amd64"), "evil"))
    assert _apt(tmp_path / "other", there, "update").returncode == 0
    again = _apt(tmp_path / "other", there, "install", "-y", "app")
    assert again.returncode
    assert not (tmp_path / "other" / "opt").exists()


def test_a_fresh_machine_gets_the_same_and_a_second_lock_asks_nobody(host: Host) -> None:
    first = host.lock(wants("app"), wants("app", architecture="arm64"))
    host.store = Store(host.directory / "fresh")
    again = host.lock()
    assert (again.lock, again.changed) == (first.lock, False)
    assert again.fetched == len(first.lock.artifacts)
    (host.repository / "dists/stable/Release").unlink()
    assert host.lock(offline=True).lock == first.lock


def test_a_version_that_is_gone_is_named_with_what_would_replace_it(host: Host) -> None:
    host.lock(wants("deep", "extra"))
    newer = [control("deep", "1+deb1", "amd64"), control("deep", "0.9", "amd64")]
    write_repository(host.repository, [*newer, control("app", "1", "amd64")])
    host.store = Store(host.directory / "fresh")
    with pytest.raises(KitError, match=r"deep 1; it has 1\+deb1, 0\.9; extra, in any") as caught:
        host.lock()
    assert caught.value.code == "deb-absent"
    moved = host.lock(wants("deep"), update=True)
    assert carried(moved) == {"deep_1+deb1_amd64.deb"}


def test_another_file_of_the_same_version_is_named(host: Host) -> None:
    host.lock(wants("deep"))
    text = control("deep", "1", "amd64")
    write_repository(host.repository, [(text, deb(text, "other"))])
    host.store = Store(host.directory / "fresh")
    with pytest.raises(KitError, match="deep 1, which is another file now") as caught:
        host.lock()
    assert caught.value.code == "deb-absent"


def test_repositories_that_change_are_locked_again(host: Host) -> None:
    host.lock(wants("deep"))
    host.sources(f"deb [trusted=yes] {host.address} stable main # nearer\n")
    assert host.lock().resolved == ("debs",)


DEB822 = """\
# ours
Types: deb deb-src
URIs: {address}
Suites: older stable stable-updates
Components: main
Trusted: yes

Types: deb
URIs: {address}/nowhere
Suites: stable
Components: main
Enabled: no
"""


def test_the_other_style_of_writing_repositories(host: Host) -> None:
    write_repository(host.repository, [control("deep", "2", "amd64")], "stable-updates")
    host.sources(DEB822.format(address=host.address), "debian.sources")
    source = wants("deep").replace("debian.list", "debian.sources")
    assert carried(host.lock(source)) == {"deep_2_amd64.deb"}, "the newest of all that it knows"


def test_the_repositories_of_this_host_are_used_by_default(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = host.directory / "apt.conf"
    settings.write_text(f'Dir::Etc::SourceList "{host.directory}/debian.list";\n')
    with settings.open("a") as file:
        file.write('Dir::Etc::SourceParts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(settings))
    source = wants("deep").replace('repositories = "debian.list"\n', "")
    assert carried(host.lock(source)) == {"deep_1_amd64.deb"}
    with pytest.raises(KitError, match="no repository with the suite 'sid'; its suites are stable"):
        host.lock(source.replace("stable", "sid"))


@pytest.fixture
def served(host: Host) -> Iterator[str]:
    """Serve the repository over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(host.repository))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    host.sources(f"deb [trusted=yes] http://127.0.0.1:{server.server_port} stable main\n")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(served: str, host: Host) -> None:
    assert "app_1.0-1_amd64.deb" in carried(host.lock(wants("app")))


def test_a_package_that_is_not_what_its_index_says(served: str, host: Host) -> None:
    path = host.repository / "pool" / "deep_1_amd64.deb"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(KitError) as caught:
        host.lock(wants("deep"))
    assert caught.value.code == "artifact-differs"
    assert not (host.directory / "kit.lock").exists()


def test_an_index_that_is_not_what_its_release_says(served: str, host: Host) -> None:
    path = host.repository / "dists/stable/main/binary-amd64/Packages"
    path.write_bytes(path.read_bytes().replace(b"Version: 5", b"Version: 6"))
    with pytest.raises(KitError) as caught:
        host.lock(wants("deep"))
    assert caught.value.code == "resolve-failed"


def _lying(control_: str, said: str) -> tuple[str, bytes]:
    return control_, deb(said, "evil")


GOOD = control("odd", "1", "amd64")
LIES = {
    "another package": GOOD.replace("odd", "even"),
    "another version": GOOD.replace("Version: 1", "Version: 2"),
    "two paragraphs": GOOD.replace("Maintainer", "\nPackage: evil\nMaintainer"),
    "a file elsewhere": f"{GOOD}Filename: ../../etc/passwd\n",
    "a digest of its own": f"{GOOD}SHA256: {'0' * 64}\n",
    "a field twice": f"{GOOD}Architecture: amd64\n",
    "an escape": GOOD.replace("what odd", "what \x1b[2Jodd"),
    "a line that is a space": GOOD.replace(" and more", " \n and more"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_package_that_says_what_it_is_not(lie: str, host: Host) -> None:
    write_repository(host.repository, [_lying(GOOD, LIES[lie])])
    with pytest.raises(KitError) as caught:
        host.lock(wants("odd"))
    assert caught.value.code == "deb-malformed"
    assert not (host.directory / "kit.lock").exists()


@pytest.mark.parametrize("data", [b"", b"!<arch>\n", b"\x00" * 4096, deb(GOOD)[:200]])
def test_a_file_that_is_no_package(data: bytes, host: Host) -> None:
    write_repository(host.repository, [(GOOD, data or b"x")])
    with pytest.raises(KitError) as caught:
        host.lock(wants("odd"))
    assert caught.value.code == "deb-malformed"


BAD = [
    (wants("gone"), "resolve-failed", "gone"),
    (wants("app=2"), "resolve-failed", "app"),
    (wants("app", architecture="s390x"), "resolve-failed", "app"),
    (wants("app", more='assume = ["nowhere"]'), "deb-absent", "nowhere"),
    (wants("../app"), "spec-invalid", "debs"),
    (wants("app:arm64"), "spec-invalid", "debs"),
    (wants("-oDir=/"), "spec-invalid", "debs"),
    (wants("app").replace('"stable"', '"../stable"'), "spec-invalid", "suite"),
    ('debs = ["app"]', "spec-invalid", "does not say what it is for"),
    (wants("app").replace("debian.list", "gone.list"), "resolve-failed", "gone.list"),
]


@pytest.mark.parametrize(("text", "code", "said"), BAD)
def test_what_cannot_be_had_is_named(text: str, code: str, said: str, host: Host) -> None:
    with pytest.raises(KitError) as caught:
        host.lock(text)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert not (host.directory / "kit.lock").exists()


def test_without_tls_only_where_it_is_said(host: Host) -> None:
    host.sources("deb http://192.0.2.1/debian stable main\n")
    with pytest.raises(KitError) as caught:
        host.lock(wants("app"))
    assert caught.value.code == "url-refused"


def test_a_repository_that_nobody_signed_is_refused(host: Host) -> None:
    host.sources(f"deb {host.address} stable main\n")
    with pytest.raises(KitError, match="not signed") as caught:
        host.lock(wants("app"))
    assert caught.value.code == "resolve-failed"


@pytest.mark.slow
def test_out_of_the_mirrors_of_this_host(host: Host) -> None:
    """What apt is set up for here, for another architecture; "not run" where nothing answers."""
    settings = ["apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)"]
    listed = subprocess.run(settings, capture_output=True, text=True, check=False).stdout
    known = [line.split(" ", 1) for line in listed.splitlines() if line.count(" ") == 1]
    suites = [(suite, urlsplit(site).hostname or "") for suite, site in known if "-" not in suite]
    if not suites:
        pytest.skip("not run: apt has no repository here")
    text = wants("hello", more='assume = ["libc6"]').replace('"amd64"', '"arm64"')
    text = text.replace('repositories = "debian.list"\n', "").replace("stable", suites[0][0])
    host.write(text)
    client = Client(Ways(plain_http=frozenset(name for _, name in suites)))
    try:
        locked = lock(
            load_spec(host.directory / "kit.toml"), host.store, client, Logins(), LockOptions()
        )
    except KitError as error:
        silent = r"Could not (resolve|connect)|Temporary failure|Failed to fetch|timed out"
        if error.code != "fetch-failed" and not re.search(silent, str(error)):
            raise  # a mistake of ours is no silent mirror
        pytest.skip(f"not run: {error.code}: {str(error)[:200]}")
    (name,) = carried(locked)
    assert name.startswith("hello_")
    assert name.endswith("_arm64.deb")


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can be another user")
def test_any_user_resolves_with_apt(host: Host) -> None:
    """Nothing of apt's own state on this host is read for writing, and no user of apt is needed."""

    def as_another() -> None:
        os.setgroups([])
        os.setgid(23_456)
        os.setuid(23_456)
        assert carried(host.lock(wants("app"))) >= {"app_1.0-1_amd64.deb"}

    for path in (host.directory, *host.directory.rglob("*")):
        os.chown(path, 23_456, 23_456, follow_symlinks=False)
    above = [path for path in host.directory.parents if path.stat().st_mode & 0o005 != 0o005]
    try:
        for path in above:  # pytest closes its directories to others
            path.chmod(path.stat().st_mode | 0o005)
        assert ended(fork(as_another)) == 0
    finally:
        for path in above:
            path.chmod(path.stat().st_mode & ~0o005)
