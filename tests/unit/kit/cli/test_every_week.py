"""The commands of every week: defaults, the next version, keys in variables, failures as JSON."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from kit.spec.release import load_defaults
from kit.spec.stages import PipelineFields
from tests.support.making import KEYS, ROOT_FILE, key, make_sources
from tests.support.program import Run
from verifier.core.errors import KitError

PIN = ("--root", os.fspath(ROOT_FILE))
TABLE = f"""
[release]
root = "{ROOT_FILE}"
out = "releases"
[release.keys]
alice = "{KEYS}/alice.pem"
bob = "{KEYS}/bob.pem"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory with a spec and its sources."""
    top = tmp_path / "top"
    (top / "product").mkdir(parents=True)
    make_sources(top / "product")
    monkeypatch.chdir(top / "product")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return top / "product"


def edit(spec: Path, old: str, new: str) -> None:
    text = spec.read_text("utf-8")
    assert old in text
    spec.write_text(text.replace(old, new, 1), "utf-8")


# --- defaults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["kit.toml", "offline-kit.toml", "../offline-kit.toml"])
def test_a_week_has_no_options(offline_kit: Run, place: Path, where: str) -> None:
    file = place / where
    file.write_text((file.read_text() if file.exists() else "") + TABLE)
    status, out, err = offline_kit("build")
    assert (status, err) == (0, "")
    releases = file.resolve().parent / "releases"
    kit = releases / "demo-1.0" / "demo-1.0.tar.zst"
    assert kit.exists()
    shown = os.path.relpath(kit, place)
    assert out.endswith(f"next: offline-kit sign {shown}\n")
    status, out, _ = offline_kit("sign")
    assert (status, "signed by alice, bob" in out) == (0, True)
    assert out.endswith(f"next: offline-kit seal {shown}\n")
    assert offline_kit("seal")[0] == 0
    assert offline_kit("release-note")[0] == 0
    assert offline_kit("rebuild", shown)[0] == 0


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_keys_are_looked_at_whoever_named_them(offline_kit: Run, place: Path, mode: int) -> None:
    for name in ("alice", "bob"):
        shutil.copy(key(name), place / f"../{name}.pem")
        os.chmod(place / f"../{name}.pem", mode)
    shutil.copy(ROOT_FILE, place / "../root.json")
    shutil.copy(KEYS / "sums.pem", place / "../sums.pem")
    os.chmod(place / "../sums.pem", mode)
    table = TABLE.replace(f"{KEYS}/", "../").replace(
        "[release.keys]", 'sums-key = "../sums.pem"\n[release.keys]'
    )
    (place / "kit.toml").write_text((place / "kit.toml").read_text() + table)
    noted = "note: others can read the private key '{}.pem' (mode 0644): chmod 600 it\n"
    typed = ["build", "--out", "typed", "--key", "alice=../alice.pem", "--sums-key", "../sums.pem"]
    for command, names in (
        (["build"], ["../sums"]),
        (["sign"], ["../alice", "../bob"]),
        (typed, ["../alice", "../sums"]),
    ):
        status, _, err = offline_kit(*command)
        assert status == 0
        assert err == ("".join(map(noted.format, names)) if mode == 0o644 else "")


def test_an_option_wins_and_the_spec_wins_over_what_is_above(offline_kit: Run, place: Path) -> None:
    (place / "../offline-kit.toml").write_text(TABLE)
    (place / "kit.toml").write_text(
        (place / "kit.toml").read_text() + '[release]\nout = "mine"\n[release.keys]\nbob = "none"\n'
    )
    lines = offline_kit("config", "show")[1].splitlines()
    assert lines[0] == "read: kit.toml, ../offline-kit.toml"
    assert re.fullmatch(r"out +mine +from kit.toml:\d+", lines[2])
    assert lines[1].endswith(" from ../offline-kit.toml:3")
    assert re.fullmatch(r"keys\.bob +none +from kit.toml:\d+", lines[6])
    assert offline_kit("build")[0] == 0
    assert (place / "mine/demo-1.0").exists()
    assert offline_kit("build", "--out", "other")[0] == 0
    assert (place / "other/demo-1.0").exists()
    status, _, err = offline_kit("sign", "--key", "bob")
    assert (status, "error[key-unreadable]" in err) == (2, True)
    assert offline_kit("sign", "--key", "alice")[0] == 0


def test_config_show_as_json_hides_what_may_be_a_pin(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[release]\nroot = "r"\n[release.keys]\nhana = "hsm:2?pin-value=1234"\n'
    (place / "offline-kit.toml").write_text(text)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    status, out, _ = offline_kit("config", "show", "--json")
    assert (status, "1234" in out) == (0, False)
    values = json.loads(out)["values"]
    assert values["keys.hana"] == {"value": "hsm:2?...", "from": "offline-kit.toml:4"}
    assert values["root"] == {"value": "r", "from": "offline-kit.toml:2"}
    assert values["created"] == {"value": "5", "from": "the variable SOURCE_DATE_EPOCH"}
    assert values["sums-key"] is None


EVERYTHING = """\
[release]
root = "r.json"
out = "o"
store-dir = "st"
sums-key = "s.pem"
stages = ["publish", "build"]
sbom = "check"
sign = ["alice"]
to = ["dir:r", "s3://b/p"]
publisher = "hsm:1?pin-value=1234"
publishers = ["old.pub"]
owners = ["Guild"]
plain-http = ["127.0.0.1:1"]
ca-file = "ca.pem"
one-writer = true
read-back = true
[release.keys]
alice = "a.pem"
[[release.step]]
name = "image"
run = ["make", "an image"]
materials = ["in"]
products = ["out", "more"]
key = "alice"
[release.test]
run = ["pytest"]
reports = ["t.xml"]
inputs = ["tests"]
attestation = "t.json"
key = "ci.pem"
[release.verify]
key = "ci.pem"
[[release.site]]
name = "north"
trust = "n"
"""


def test_config_show_has_every_field_of_release_with_its_line(
    offline_kit: Run, place: Path
) -> None:
    (place / "../offline-kit.toml").write_text(EVERYTHING)
    (place / "kit.toml").write_text(
        (place / "kit.toml").read_text() + '[release]\nto = ["oci://h/r"]'
    )
    status, out, _ = offline_kit("config", "show", "--json")
    assert (status, "1234" in out) == (0, False)
    values = json.loads(out)["values"]
    expected, table = set(), ""
    for line in EVERYTHING.splitlines():
        name = line.partition(" = ")[0].strip("[]").removeprefix("release").removeprefix(".")
        if line.startswith("["):
            table = {"step": "step.image.", "site": "site.north.", "": ""}.get(name, f"{name}.")
        elif name != "name":
            expected.add(table + name)
            where = values[table + name]["from"]
            if name == "to":
                assert re.fullmatch(r"kit\.toml:\d+", where)
            else:
                at = int(where.removeprefix("../offline-kit.toml:"))
                assert EVERYTHING.splitlines()[at - 1] == line
    assert values.keys() - {"created"} == expected
    fields = {field.alias or name for name, field in PipelineFields.model_fields.items()}
    assert {name.partition(".")[0] for name in expected} == fields
    assert values["to"]["value"] == "oci://h/r"
    assert values["stages"]["value"] == "build, publish"
    assert values["publishers"]["value"] == "../old.pub"
    assert values["step.image.run"]["value"] == "make 'an image'"
    assert values["step.image.key"]["value"] == "../a.pem"


def test_paths_of_the_table_are_relative_to_its_file(tmp_path: Path) -> None:
    config = tmp_path / "offline-kit.toml"
    lines = ["[release]", 'sums-key = "file:k/s.pem"', "[release.keys]", 'a = "k/a.pem"']
    lines += ['b = "ssh:k/b"', 'c = "envvar:K"', 'd = "hsm:2"', 'e = "/abs/e.pem"']
    config.write_text("\n".join(lines))
    defaults = load_defaults(tmp_path / "kit.toml")
    assert defaults.sums_key is not None
    assert defaults.sums_key.value == f"file:{tmp_path}/k/s.pem"
    assert {name: item.value for name, item in defaults.keys.items()} == {
        "a": f"{tmp_path}/k/a.pem",
        "b": f"ssh:{tmp_path}/k/b",
        "c": "envvar:K",
        "d": "hsm:2",
        "e": "/abs/e.pem",
    }


@pytest.mark.parametrize("ending", ["git", "others may write"])
def test_the_way_up_ends_where_others_begin(tmp_path: Path, ending: str) -> None:
    """Somebody who may write in /tmp must not choose the root of a release made below it."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "offline-kit.toml").write_text('[release]\nroot = "foreign"\n')
    assert load_defaults(tmp_path / "a/b/kit.toml").root is not None
    if ending == "git":
        (tmp_path / "a/.git").mkdir()
    else:
        tmp_path.chmod(0o1777)
    assert load_defaults(tmp_path / "a/b/kit.toml").root is None


WRONG = {
    "a field": ('[release]\nrot = "x"\n', "offline-kit.toml:2: release.rot: is not known here"),
    "a value": ("[release]\nroot = 5\n", "offline-kit.toml:2: release.root: 5"),
    "another table": ('[kit]\nname = "x"\n', "offline-kit.toml:1: kit: is not known here"),
    "no TOML": ("[release\n", "offline-kit.toml:1: "),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_mistakes_in_the_file_are_named_with_their_lines(
    offline_kit: Run, place: Path, text: str, said: str
) -> None:
    (place / "offline-kit.toml").write_text(text)
    status, _, err = offline_kit("build")
    assert (status, "error[spec-invalid]" in err, said in err) == (2, True, True), err


def test_which_kit_is_meant_must_be_clear(offline_kit: Run, place: Path) -> None:
    (place / "offline-kit.toml").write_text(TABLE)
    status, _, err = offline_kit("seal")
    assert (status, "holds none that is not sealed yet" in err) == (2, True)
    for version in ("1.0", "1.1"):
        assert offline_kit("build", "--set", f"kit.version={version}")[0] == 0
    status, _, err = offline_kit("sign")
    assert (status, "several are not sealed yet" in err) == (2, True)
    assert offline_kit("sign", "releases/demo-1.1")[0] == 0


# --- the next version ---------------------------------------------------------------------------


@pytest.fixture
def first(offline_kit: Run, place: Path) -> Path:
    """Return the directory of releases with a first release in it."""
    (place / "offline-kit.toml").write_text(TABLE)
    for step in ("build", "sign", "seal"):
        assert offline_kit(step)[0] == 0
    return place / "releases"


PREVIOUS = {
    "directory of releases": "releases",
    "release": "releases/demo-1.0",
    "kit": "releases/demo-1.0/demo-1.0.tar.zst",
    "note": "releases/demo-1.0/demo-1.0.sealed.json",
}


@pytest.mark.parametrize("previous", PREVIOUS.values(), ids=PREVIOUS.keys())
def test_the_next_version_follows_the_one_before(
    offline_kit: Run, place: Path, first: Path, previous: str
) -> None:
    old = json.loads((first / "demo-1.0/demo-1.0.sealed.json").read_bytes())
    edit(place / "kit.toml", 'version = "1.0"', 'version = "1.1"')
    edit(place / "kit.toml", "2026-11-24", "2026-12-01")
    edit(place / "kit.toml", 'id = "tools"\nversion = "1"', 'id = "tools"\nversion = "2"')
    (place / "src/tools/bin/run").write_bytes(b"#!/bin/sh\necho newer\n")
    status, out, err = offline_kit("build", "--after", previous, "--json")
    assert (status, err) == (0, "")
    value = json.loads(out)
    assert (value["sequence"], value["supersedes"]) == (8, [old["kitId"]])
    assert (value["after"], value["warnings"]) == (old["kitId"], [])
    tools = [line for line in value["changes"] if line.startswith("~ tools ")]
    assert len(tools) == 1
    assert tools[0].endswith("'1' -> '2': 1 changed, 21 bytes")
    assert offline_kit("sign")[0] == offline_kit("seal")[0] == 0
    assert offline_kit("rebuild", "releases/demo-1.1", "--after", previous)[0] == (
        0 if "demo-1.0" in previous else 4  # the newest there is the kit itself by now
    )


def test_silent_mistakes_are_warned_of(offline_kit: Run, place: Path, first: Path) -> None:
    (place / "src/data/zeros").write_bytes(b"other bytes under the same version")
    words = ("--after", "releases", "--set", "kit.version=1.1", "--set", "kit.sequence=7")
    status, out, err = offline_kit("build", *words)
    assert status == 0
    warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert [line[9:] for line in warnings] == [
        "sequence 7 is not higher than 7 of demo 1.0: hosts that have taken that one will refuse"
        " this one",
        "`created` is that of demo 1.0: 2026-11-24T00:00:00Z",
        "data has other contents than in demo 1.0, under the same version",
    ]
    assert "after      demo 1.0, sequence 7\n" in out
    assert "~ data '1' (the same version): 1 changed, 34 bytes\n" in out


def test_another_root_and_other_signers_are_warned_of(
    offline_kit: Run, place: Path, first: Path
) -> None:
    root = place / "other.json"
    signers = [f"{name}={KEYS}/{name}.pub" for name in ("alice", "carol", "mallory")]
    words = [word for signer in signers for word in ("--signer", signer)]
    done = offline_kit(
        *("root", "init", *words, "--threshold", "1", "--expires", "2040-01-01"),
        *("--key", key("alice"), "--out", str(root)),
    )
    assert done[0] == 0, done
    words = ["--after", "releases", "--set", "kit.version=2", "--set", "kit.created=now"]
    err = offline_kit("build", *words, "--root", str(root))[2]
    assert err.splitlines() == [
        "warning: the root is another one than that of demo 1.0, and has the same version",
        "warning: bob is no kit signer any more",
        "warning: mallory is a new kit signer",
        "warning: a kit needs 1 signers now; demo 1.0 needed 2",
    ]


def test_a_known_newer_release_beside_it_is_named_before_the_build(
    offline_kit: Run, place: Path, first: Path
) -> None:
    (place / "src").rename(place / "gone")
    err = offline_kit("build", "--set", "kit.version=0.9", "--set", "kit.sequence=6")[2]
    assert err.startswith("warning: sequence 6 is not higher than 7 of demo 1.0, which lies beside")


REFUSED = {
    "nothing": ("nowhere", "previous-missing"),
    "no kit": ("kit.toml", "previous-missing"),
    "no releases": ("src", "previous-missing"),
    "another line": ("other/demo-5/demo-5.tar.zst", "previous-of-another-line"),
}


@pytest.mark.parametrize(("previous", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_previous_release_is_refused(
    offline_kit: Run, place: Path, first: Path, previous: str, code: str
) -> None:
    edit(place / "kit.toml", "demo/stable", "demo/other")
    assert offline_kit("build", "--out", "other", "--set", "kit.version=5")[0] == 0
    edit(place / "kit.toml", "demo/other", "demo/stable")
    status, out, err = offline_kit("build", "--after", previous, "--set", "kit.version=1.1")
    assert (status, out, f"error[{code}]" in err) == (2, "", True), err


# --- --set --------------------------------------------------------------------------------------


def test_fields_that_change_with_every_release_can_be_set(offline_kit: Run, place: Path) -> None:
    words = ["--set", "kit.version=9", "--set", "kit.sequence=90", "--set", "kit.summary=a = b"]
    words += [
        "--set",
        "kit.created=2030-01-01T00:00:00Z",
        "--set",
        "kit.expires=2031-01-01T00:00:00Z",
    ]
    value = json.loads(offline_kit("build", *PIN, *words, "--json")[1])
    assert (value["version"], value["sequence"]) == ("9", 90)
    assert value["created"] == "2030-01-01T00:00:00Z"
    assert (place / "demo-9/demo-9.tar.zst").exists()


def test_now_is_the_time_of_the_build(offline_kit: Run, place: Path) -> None:
    value = json.loads(offline_kit("build", *PIN, "--set", "kit.created=now", "--json")[1])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", value["created"])
    assert value["created"] > "2026-11-2"


def test_the_epoch_of_the_surroundings_is_shown(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    out = offline_kit("build", *PIN)[1]
    assert "created    2027-01-15T08:00:00Z, as SOURCE_DATE_EPOCH says\n" in out


NOT_SET = {
    "no value": ("kit.version", "usage"),
    "an empty value": ("kit.version=", "usage"),
    "no such table": ("component.version=1", "usage"),
    "no table": ("version=1", "usage"),
    "what cannot be set": ("kit.name=x", "usage"),
    "no number": ("kit.sequence=many", "usage"),
    "a sequence of none": ("kit.sequence=0", "spec-invalid"),
    "no version": ("kit.version=a b", "spec-invalid"),
    "no time": ("kit.created=yesterday", "spec-invalid"),
    "now for a version": ("kit.created=NOW", "spec-invalid"),
}


@pytest.mark.parametrize(("argument", "code"), NOT_SET.values(), ids=NOT_SET.keys())
def test_what_cannot_be_set_is_refused(
    offline_kit: Run, place: Path, argument: str, code: str
) -> None:
    status, out, err = offline_kit("build", *PIN, "--set", argument)
    assert (status, out, f"error[{code}]" in err) == (2, "", True), err


# --- continuous integration ---------------------------------------------------------------------


def test_keys_come_out_of_variables(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PEM, and as base64 of it, which fits on a line that a log can hide."""
    monkeypatch.setenv("ALICE", (KEYS / "alice.pem").read_text())
    monkeypatch.setenv("BOB", base64.b64encode((KEYS / "bob.pem").read_bytes()).decode())
    monkeypatch.setenv("SUMS", (KEYS / "sums.pem").read_text())
    words = ["--key", "envvar:ALICE", "--key", "bob=envvar:BOB", "--sums-key", "envvar:SUMS"]
    status, out, err = offline_kit("build", *PIN, *words)
    assert (status, "signed by  alice, bob\n" in out, "sealed " in out) == (0, True, True), err


BAD_VARIABLES = {
    "unset": (None, "key-variable-unset"),
    "empty": (" \n", "key-variable-unset"),
    "no key": ("hunter2", "key-unreadable"),
    "too long": ("x" * 70_000, "key-unreadable"),
    "somebody else's": ((KEYS / "mallory.pem").read_text(), "key-not-in-root"),
}


@pytest.mark.parametrize(("text", "code"), BAD_VARIABLES.values(), ids=BAD_VARIABLES.keys())
def test_a_variable_without_a_key_is_refused_and_not_shown(
    offline_kit: Run, place: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, code: str
) -> None:
    monkeypatch.delenv("K", raising=False)
    if text is not None:
        monkeypatch.setenv("K", text)
    status, _, err = offline_kit("build", *PIN, "--key", "alice=envvar:K")
    assert (status, f"error[{code}]: variable 'K': " in err) == (2, True), err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("build", "missing.toml", "--json"), "spec-missing", 2),
        (("sign", "missing", "--key", "x", "--json"), "kit-unreadable", 3),
        (("seal", "text", "--json"), "not-a-kit", 4),
        (("release-note", "text", "--json"), "kit-not-sealed", 2),
    ],
)
def test_a_failure_is_json_where_json_was_asked_for(
    offline_kit: Run, place: Path, words: tuple[str, ...], code: str, status: int
) -> None:
    (place / "text").write_text("nothing of ours\n" * 40)
    got, out, err = offline_kit(*words)
    value = json.loads(out)
    assert (got, value["exitStatus"], value["error"]["code"]) == (status, status, code)
    assert value["error"]["message"] in err
    assert value["error"]["fix"] in err


def test_errors_are_raised_by_the_loader_too(tmp_path: Path) -> None:
    (tmp_path / "offline-kit.toml").write_text("release = 5\n")
    with pytest.raises(KitError):
        load_defaults(tmp_path / "kit.toml")
