"""No secret of this host gets into a lock, a store, a kit, a message or a traceback.

Passwords of netrc, logins of registries, what a helper and a token server say, and a proxy's
password are used for real, against a server that answers in every way it should not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.lock import LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.support.making import ROOT_FILE
from tests.support.program import Run, runner
from tests.support.specs import APP
from tests.support.webserver import Answer, Handler, Web, cut, status, web, whole
from verifier.core.errors import KitError

PASSWORD, TOKEN, QUERY = "sesame-7719", "token-5521", "query-3310"
SECRETS = [PASSWORD, TOKEN, QUERY, base64.b64encode(f"alice:{PASSWORD}".encode()).decode()]
DATA = b"a tool" * 1000
SPEC = (
    APP
    + """\
{source}
"""
)


class Host:
    """A release host with secrets, in a directory that has nothing else."""

    def __init__(self, directory: Path, server: Web) -> None:
        self.place, self.private = directory / "place", directory / "private"
        self.place.mkdir()
        self.private.mkdir()
        self.server = server
        self.netrc = self.private / "netrc"
        self.netrc.write_text(f"machine 127.0.0.1 login alice password {PASSWORD}\n")
        self.login("auths", {self.host: {"auth": SECRETS[-1]}})
        self.proxies: dict[str, str] = {}

    @property
    def host(self) -> str:
        return self.server.url.removeprefix("http://")

    def login(self, name: str, value: object) -> None:
        (self.private / "config.json").write_text(json.dumps({name: value}))

    def url(self, path: str = "/tool") -> None:
        digest = hashlib.sha256(DATA).hexdigest()
        self.write(f'url = "{self.server.url}{path}?key={QUERY}"\nas = "t"\nsha256 = "{digest}"')

    def write(self, source: str) -> None:
        (self.place / "kit.toml").write_text(SPEC.format(source=source))

    def lock(self) -> str:
        """Lock; return all that is said, or would be by Python itself, of a failure."""
        ways = Ways(proxies=self.proxies, netrc=self.netrc, sleep=lambda seconds: None)
        try:
            logins = Logins([self.private / "config.json"])
            spec = load_spec(self.place / "kit.toml")
            lock(spec, Store(self.place / "store"), Client(ways), logins, LockOptions())
        except KitError as error:
            said = "".join(traceback.format_exception(error))
            return f"{said}{error.code}{error.message}{error.where}{error.fix}"
        return ""

    def written(self) -> Iterator[tuple[str, bytes]]:
        for path in self.place.rglob("*"):
            if path.is_file() and path.name != "kit.toml":
                yield path.name, path.name.encode() + path.read_bytes()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with web() as server:
        yield Host(tmp_path, server)


def check(host: Host, said: str) -> None:
    for secret in SECRETS:
        assert secret not in said, said
        for name, data in host.written():
            assert secret.encode() not in data, name


def echo(code: int) -> Answer:
    """Say in the answer what was asked with: a server may be the one that tells."""

    def answer(handler: Handler) -> None:
        given = f"{handler.headers.get('Authorization')} {handler.path}"
        challenge = {"WWW-Authenticate": f'Basic realm="{given}"', "X-Given": given}
        status(code, challenge, given.encode())(handler)

    return answer


def moved(target: str) -> Answer:
    return status(302, {"Location": target})


FILES: dict[str, Callable[[Web], Answer]] = {
    "401": lambda server: echo(401),
    "403": lambda server: echo(403),
    "404": lambda server: echo(404),
    "407": lambda server: echo(407),
    "429": lambda server: status(429, {"Retry-After": "9999"}),
    "500": lambda server: echo(500),
    "another file": lambda server: echo(200),
    "cut": lambda server: cut(DATA, 0),
    "moved to http": lambda server: moved(f"http://alice:{PASSWORD}@other.example/?{QUERY}"),
    "moved to nothing": lambda server: moved(f"http://127.0.0.1:1/?key={QUERY}"),
    "moved for ever": lambda server: moved(f"{server.url}/tool?key={QUERY}"),
    "moved to nonsense": lambda server: moved(f"http://[::/?key={QUERY}"),
    "moved to a space": lambda server: moved(f"{server.url}/ a?key={QUERY}"),
    "moved to a port": lambda server: moved(f"http://127.0.0.1:99999999/?key={QUERY}"),
}


@pytest.mark.parametrize("how", FILES)
def test_a_server_of_files(how: str, host: Host) -> None:
    host.server.routes["/tool"] = FILES[how](host.server)
    host.url()
    said = host.lock()
    assert said
    asked = [one for one in host.server.asked if "Authorization" in one.headers]
    assert asked, "the password was never used, so this shows nothing"
    check(host, said)


@pytest.mark.parametrize(
    "url",
    [
        f"https://alice:{PASSWORD}@files.example/tool",
        f"https://{PASSWORD}@files.example/tool",
        f"ftp://alice:{PASSWORD}@files.example/tool",
    ],
)
def test_a_url_with_a_password_is_not_repeated(url: str, host: Host) -> None:
    host.write(f'url = "{url}"\nsha256 = "{"0" * 64}"')
    assert PASSWORD not in host.lock().replace(f"{url!r}", "")
    check(host, "")


def test_a_proxy(host: Host) -> None:
    host.proxies = {"http": f"http://alice:{PASSWORD}@127.0.0.1:1"}
    host.write(f'url = "http://files.localdomain/t"\nsha256 = "{"0" * 64}"')
    check(host, host.lock())
    host.proxies = {"https": f"socks9://alice:{PASSWORD}@proxy.example:1"}
    host.write(f'url = "https://files.example/t"\nsha256 = "{"0" * 64}"')
    said = host.lock()
    assert said
    check(host, said)
    host.proxies = {"https": f"http://alice:{PASSWORD}@127.0.0.1:1"}
    check(host, host.lock())


def bearer(server: Web, token: Answer, then: Answer) -> None:
    """Have a registry want a token, give one, and answer in some way to it."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="s"'}

    def guard(handler: Handler) -> None:
        (then if handler.headers.get("Authorization") else status(401, challenge))(handler)

    server.routes["/token"] = token
    server.routes["/v2/app/manifests/1"] = guard


def given(token: object) -> Answer:
    return status(200, {}, json.dumps({"token": token}).encode())


TOKENS: dict[str, tuple[Answer, Answer]] = {
    "is refused": (given(TOKEN), echo(401)),
    "is told": (given(TOKEN), echo(500)),
    "is in a manifest": (given(TOKEN), echo(200)),
    "has a line end": (given(f"{TOKEN}\r\nX-Evil: 1"), echo(200)),
    "is not ASCII": (given(f"{TOKEN}\u00e9"), echo(200)),
    "is a number": (given([TOKEN]), echo(200)),
    "is told by its server": (echo(401), echo(200)),
    "is lost": (echo(500), echo(200)),
}


@pytest.mark.parametrize("what", TOKENS)
def test_a_token(what: str, host: Host) -> None:
    bearer(host.server, *TOKENS[what])
    host.write(f'oci = "{host.host}/app:1"')
    said = host.lock()
    assert said
    assert any(one.path.startswith("/token") for one in host.server.asked)
    check(host, said)


@pytest.mark.parametrize("auth", [SECRETS[-1], f"{TOKEN}\r\nX-Evil: 1", f"{TOKEN}\u00e9", TOKEN])
def test_a_login(auth: str, host: Host) -> None:
    host.login("auths", {host.host: {"auth": auth}})
    host.server.routes["/v2/app/manifests/1"] = echo(401)
    host.write(f'oci = "{host.host}/app:1"')
    said = host.lock()
    assert said
    check(host, said)


@pytest.mark.parametrize("code", [200, 401, 500])
def test_an_identity_token(code: int, host: Host) -> None:
    def tell(handler: Handler) -> None:
        status(code, {"WWW-Authenticate": f"Bearer realm={TOKEN}"}, handler.rfile.read())(handler)

    host.login("auths", {host.host: {"auth": "YTo=", "identitytoken": TOKEN}})
    bearer(host.server, tell, echo(200))
    host.write(f'oci = "{host.host}/app:1"')
    said = host.lock()
    assert said
    assert any((one.method, one.path) == ("POST", "/token") for one in host.server.asked)
    check(host, said)


@pytest.mark.parametrize("secret", [PASSWORD, f"{PASSWORD}\r\nX-Evil: 1", "\ud800" + PASSWORD])
def test_a_helper(secret: str, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = host.private / "docker-credential-test"
    value = json.dumps({"Username": "alice", "Secret": secret})
    helper.write_text(f"#!/bin/sh\necho {PASSWORD} >&2\ncat <<'END'\n{value}\nEND\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{host.private}:/usr/bin:/bin")
    host.login("credHelpers", {host.host: "test"})
    host.server.routes["/v2/app/manifests/1"] = echo(401)
    host.write(f'oci = "{host.host}/app:1"')
    said = host.lock()
    assert said
    check(host, said)


def test_a_password_in_netrc_that_cannot_be_sent(host: Host) -> None:
    host.netrc.write_text(f'machine 127.0.0.1 login "al\u00e9\u4e2d" password "{PASSWORD}\u4e2d"\n')
    host.server.routes["/tool"] = echo(401)
    host.url()
    said = host.lock()
    assert said
    check(host, said)


def test_what_went_well_has_none_either(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Run = runner(capsys, monkeypatch)
    monkeypatch.chdir(host.place)
    monkeypatch.setenv("OFFLINE_KIT_STORE", "store")
    monkeypatch.setenv("NETRC", str(host.netrc))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    host.server.routes["/tool"] = whole(DATA)
    host.url()
    for words in (
        ["lock", "--json"],
        ["build", "--store", "--root", str(ROOT_FILE), "--out", "out"],
    ):
        code, out, err = run(*words)
        assert code == 0, err
        check(host, out + err)
    assert any("Authorization" in one.headers for one in host.server.asked)


# --- programs that resolve, which have logins of their own ---------------------------------------


def test_apt_with_a_login_in_its_list(host: Host, judge: Judge) -> None:
    """It is refused before apt sees it: auth.conf is the place for logins."""
    judge("apt-get")
    url = host.server.url.replace("://", f"://alice:{PASSWORD}@")
    (host.place / "mine.list").write_text(f"deb [trusted=yes] {url} stable main\n")
    host.write(
        'debs = ["app"]\nsuite = "stable"\narchitecture = "amd64"\nrepositories = "mine.list"'
    )
    said = host.lock()
    assert "url-refused" in said
    assert host.server.asked == []
    (host.place / "mine.list").unlink()
    check(host, said)


@pytest.mark.parametrize(
    "code", [401, *(pytest.param(code, marks=pytest.mark.long) for code in (403, 404, 500))]
)
def test_uv_with_a_login_in_its_index(
    code: int, host: Host, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.server.routes["/simple/app/"] = echo(code)
    url = host.server.url.replace("://", f"://alice:{PASSWORD}@")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{url}/simple/")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(host.private / "uv"))
    host.write('wheels = ["app"]\npythons = ["3.11"]\nplatforms = ["manylinux_2_28_x86_64"]')
    said = host.lock()
    assert said
    assert any("Authorization" in one.headers for one in host.server.asked)
    check(host, said)


@pytest.mark.parametrize("code", [401, 404, 500])
def test_git_with_a_login_in_its_configuration(
    code: int, host: Host, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge("git")
    host.server.routes["/r/info/refs"] = echo(code)
    login = host.server.url.replace("://", f"://alice:{PASSWORD}@")
    (host.private / "gitconfig").write_text(f'[url "{login}/"]\n  insteadOf = {host.server.url}/\n')
    monkeypatch.setenv("HOME", str(host.private))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(host.private))
    (host.private / "gitconfig").rename(host.private / ".gitconfig")
    host.write(f'git = "{host.server.url}/r"\nrev = "main"')
    said = host.lock()
    assert said
    assert host.server.asked
    check(host, said)
