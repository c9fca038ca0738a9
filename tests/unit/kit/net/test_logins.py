"""Logins as Docker's and podman's users have them; helper programs are bounded, secrets stay."""

from __future__ import annotations

import base64
import json
import os
import time
import traceback
from pathlib import Path

import pytest

from kit.net import logins as module
from kit.net.logins import Logins, login_files
from verifier.core.errors import KitError

HOST = "registry.app.example:5000"


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def config(path: Path, **value: object) -> Logins:
    (path / "config.json").write_text(json.dumps(value))
    return Logins([path / "none.json", path / "config.json"])


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a credential helper `test`, which the test writes as a shell script."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "docker-credential-test"


def script(helper: Path, text: str) -> Logins:
    helper.write_text(f"#!/bin/sh\n{text}\n")
    helper.chmod(0o755)
    return config(helper.parent, credHelpers={HOST: "test"})


@pytest.mark.parametrize(
    ("key", "repository", "found"),
    [
        (HOST, "app/runner", True),
        (f"{HOST}/app", "app/runner", True),
        (f"{HOST}/app/runner", "app/runner", True),
        (f"{HOST}/other", "app/runner", False),
        (f"{HOST}/ap", "app/runner", False),
        (f"https://{HOST}/v1/", "app/runner", True),
        (f"https://{HOST}", "app/runner", True),
        ("https://[", "app/runner", False),
        ("https://registry.app.example/v1/", "app/runner", False),
        ("registry.app.example", "app/runner", False),
    ],
)
def test_an_entry_is_found_by_the_spellings_of_docker_and_podman(
    key: str, repository: str, found: bool, tmp_path: Path
) -> None:
    known = config(tmp_path, auths={key: {"auth": "YTpi"}})
    assert known.of(HOST, repository) == ("Basic YTpi" if found else None)


def test_the_nearest_login_counts(tmp_path: Path) -> None:
    known = config(tmp_path, auths={HOST: {"auth": "YTpi"}, f"{HOST}/app": {"auth": "Yzpk"}})
    assert known.of(HOST, "app/runner") == "Basic Yzpk"
    assert known.of(HOST, "other") == "Basic YTpi"


def test_a_helper_is_asked_for_the_registry_and_sees_nothing_else(helper: Path) -> None:
    said = f'cat > {helper.parent}/asked; echo "$@" > {helper.parent}/words'
    known = script(helper, f"""{said}; echo '{{"Username": "alice", "Secret": "sesame"}}'""")
    assert known.of(HOST, "app/runner") == basic("alice:sesame")
    assert (helper.parent / "asked").read_text() == HOST
    assert (helper.parent / "words").read_text() == "get\n"


def test_a_store_of_all_credentials_is_a_helper_too(helper: Path) -> None:
    script(helper, """echo '{"Username": "alice", "Secret": "sesame"}'""")
    known = config(helper.parent, credsStore="test", auths={HOST: {}})
    assert known.of(HOST) == basic("alice:sesame")


@pytest.mark.parametrize("said", ["exit 1", "echo nothing", "echo '{}'", "true"])
def test_a_helper_that_knows_nothing_leaves_it_to_the_next(said: str, helper: Path) -> None:
    script(helper, said)
    known = config(helper.parent, credsStore="test", auths={HOST: {"auth": "YTpi"}})
    assert known.of(HOST) == "Basic YTpi"


ENDLESS = {
    "says nothing": "sleep 60",
    "leaves somebody behind": "sleep 60 & echo '{'",
    "says too much": "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
    "says too much at once": "exec cat /dev/zero",
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_helper_is_bounded(what: str, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HELPER_SECONDS", 0.3)
    known = script(helper, ENDLESS[what])
    start = time.monotonic()
    with pytest.raises(KitError, match="said nothing whole within") as caught:
        known.of(HOST)
    assert time.monotonic() - start < 10
    assert caught.value.code == "fetch-unauthorized"
    assert caught.value.where == "docker-credential-test"


def test_a_helper_that_is_not_there_is_named(helper: Path) -> None:
    known = config(helper.parent, credHelpers={HOST: "test"})
    with pytest.raises(KitError, match="cannot be run: No such file") as caught:
        known.of(HOST)
    assert caught.value.where == "docker-credential-test"
    for name in ("../evil", "a b", ""):
        bad = config(helper.parent, credHelpers={HOST: name})
        if name:
            with pytest.raises(KitError, match="is no name of a credential helper"):
                bad.of(HOST)


@pytest.mark.parametrize("auth", ["c2Vz\r\nX-Evil: 1", "s\u00e9same", "c2Vz YW1l", "\ud800"])
def test_an_entry_that_cannot_be_a_header_is_not_shown(auth: str, tmp_path: Path) -> None:
    """urllib3 would refuse it too, with the secret in its message."""
    known = config(tmp_path, auths={HOST: {"auth": auth}})
    with pytest.raises(KitError) as caught:
        known.of(HOST)
    told = "".join(traceback.format_exception(caught.value)) + str(caught.value.fix)
    assert "c2Vz" not in told
    assert "same" not in told


def test_where_logins_are(tmp_path: Path) -> None:
    assert login_files({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/u"}) == [
        Path("/run/u/containers/auth.json"),
        Path("/h/.config/containers/auth.json"),
        Path("/h/.docker/config.json"),
    ]
    given = {"HOME": "/h", "REGISTRY_AUTH_FILE": "/a", "DOCKER_CONFIG": "/d"}
    assert login_files(given)[0] == Path("/a")
    assert login_files(given)[-1] == Path("/d/config.json")


def test_an_identity_token_is_no_password(helper: Path) -> None:
    known = config(helper.parent, auths={HOST: {"auth": "YTo=", "identitytoken": "long"}})
    assert (known.of(HOST), known.identity(HOST)) == ("Basic YTo=", "long")
    known = script(helper, """echo '{"Username": "<token>", "Secret": "longer"}'""")
    assert (known.of(HOST), known.identity(HOST)) == (None, "longer")
    assert config(helper.parent, auths={HOST: {"auth": "YTpi"}}).identity(HOST) == ""


def test_a_helper_is_asked_once(helper: Path) -> None:
    known = script(
        helper, f"""echo x >> {helper.parent}/n; echo '{{"Username": "a", "Secret": "b"}}'"""
    )
    assert {known.of(HOST) for _ in range(3)} == {basic("a:b")}
    assert known.identity(HOST) == ""
    assert (helper.parent / "n").read_text() == "x\n"
