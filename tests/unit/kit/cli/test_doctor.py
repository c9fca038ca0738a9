"""What `doctor` says of a host: what is missing and its price, what is broken, what was tried."""

from __future__ import annotations

import json
import os
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.support.making import KEYS, ROOT_FILE
from tests.support.program import Run
from tests.support.webserver import Handler, status, web

SPEC = """\
[release]
root = "{root}"
out = "out"
[release.keys]
alice = "{alice}"
bob = "envvar:BOB"
carol = "hsm:2"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OFFLINE_KIT_STORE", str(tmp_path / "store"))
    # what else this host has takes half a second to ask; only the programs are asked for there
    monkeypatch.setenv("PATH", str(tmp_path))
    alice = tmp_path / "alice.pem"
    alice.write_bytes((KEYS / "alice.pem").read_bytes())
    alice.chmod(0o600)
    Path("kit.toml").write_text(SPEC.format(root=ROOT_FILE, alice=alice))


def found(run: Run, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status_, out, _ = run("doctor", *words, "--json")
    value = json.loads(out)
    return status_, {one["name"]: one for one in value["findings"]}


def test_what_is_missing_has_its_price_and_is_no_failure(
    offline_kit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BOB", (KEYS / "bob.pem").read_text())
    ended, by_name = found(offline_kit)
    assert ended == 0
    for name in ("git", "ssh-keygen", "cosign", "apt-get", "unshare", "sha256sum"):
        assert by_name[name]["state"] == "missing"
        assert by_name[name]["costs"]
    assert by_name["python"]["state"] == by_name["zstd"]["state"] == "ok"
    assert by_name["key alice"]["state"] == "ok"
    assert by_name["key bob"]["detail"] == "variable 'BOB' is set"
    assert by_name["key carol"]["state"] == "not tried"
    assert by_name["root"]["state"] == "ok"
    assert not Path("out").exists()
    assert not Path("store").exists()


def test_a_program_that_hangs_or_says_nonsense_is_there_all_the_same(
    offline_kit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '\\033[2J\\377'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    _, by_name = found(offline_kit)
    assert by_name["git"]["detail"].endswith("which does not say its version")


@pytest.mark.parametrize("what", ["key gone", "key open", "variable", "root", "disk"])
def test_what_was_named_and_does_not_serve_is_a_failure(
    offline_kit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.setenv("BOB", "x")
    name = {"root": "root", "disk": "out", "variable": "key bob"}.get(what, "key alice")
    if what == "key gone":
        (tmp_path / "alice.pem").unlink()
    elif what == "key open":
        (tmp_path / "alice.pem").chmod(0o644)
    elif what == "variable":
        monkeypatch.delenv("BOB")
    elif what == "root":
        text = Path("kit.toml").read_text().replace(str(ROOT_FILE), "alice.pem")
        Path("kit.toml").write_text(text)
    else:
        monkeypatch.setattr(os, "statvfs", _refusing)
    ended, by_name = found(offline_kit)
    assert (ended, by_name[name]["state"]) == (3, "broken")


def _refusing(path: object) -> object:
    raise OSError(5, "Input/output error")


def test_places_are_read_and_tried_only_when_asked(
    offline_kit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BOB", "x")
    _, by_name = found(offline_kit, "--place", "dir:place")
    assert by_name["read dir:place"]["state"] == "ok"
    assert by_name["write dir:place"]["state"] == "not tried"
    assert not Path("place").exists()
    _, by_name = found(offline_kit, "--place", "dir:place", "--probe-write")
    assert by_name["write dir:place"]["detail"] == "this host may create, create once"
    assert [path.name for path in Path("place").iterdir()] == [".offline-kit-probe"]
    ended, by_name = found(offline_kit, "--place", "dir:alice.pem")
    assert ended == 3
    assert by_name["read dir:alice.pem"]["detail"].startswith("place-invalid")


def test_a_clock_that_is_off_is_named_with_both_times(
    offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB", "x")
    with web() as server:

        def late(handler: Handler) -> None:
            handler.send_response_only(404)
            handler.send_header("Date", formatdate(1_000_000_000, usegmt=True))
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.routes["/r"] = late
        server.routes["/r/lines/offline-kit-doctor/1.json"] = status(404)
        place = f"{server.url}/r"
        ended, by_name = found(offline_kit, "--place", place)
    assert (ended, by_name[f"clock of {place}"]["state"]) == (3, "broken")
    assert "2001-09-09T01:46:40Z there" in by_name[f"clock of {place}"]["detail"]
    assert f"write {place}" not in by_name


def test_people_get_lines(offline_kit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB", "x")
    monkeypatch.setenv("PATH", "/nowhere")
    ended, out, _ = offline_kit("doctor")
    assert ended == 0
    assert "missing    cosign: is not on PATH\n           without it: " in out


@pytest.mark.parametrize(
    ("publisher", "state"),
    [("gone.pem", "broken"), ("alice.pem", "ok"), ("p.pub=hsm:1", "not tried")],
)
def test_the_key_of_the_publisher_and_the_clock_are_looked_at(
    offline_kit: Run, publisher: str, state: str
) -> None:
    text = Path("kit.toml").read_text()
    Path("kit.toml").write_text(text.replace("out =", f'publisher = "{publisher}"\nout ='))
    _, by_name = found(offline_kit)
    assert by_name["key of the publisher"]["state"] == state
    assert by_name["clock"]["state"] == "not tried"
