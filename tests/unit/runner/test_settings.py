"""What a site may say: which programs run images, who is told, what is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.book.parse import parse_tree
from runner.errors import SettingsInvalid
from runner.settings import TYPE, Alerts, Engine, Limits, Settings, parse_settings
from runner.wanting import pattern, wanted_lines

BOOK: dict[str, Any] = {
    "schema": 1,
    "id": "small",
    "environment": {"staging": {}},
    "with": {"image": "image"},
    "step": [{"id": "go", "kind": "gate", "ask": "Go?"}],
}


def parsed(book: dict[str, Any] = BOOK, **more: Any) -> Settings:
    value = {"type": TYPE, "environment": "staging", "target": "a test", **more}
    return parse_settings(json.dumps(value).encode(), parse_tree(book))


def test_what_may_be_said() -> None:
    bwrap = {"by": "bwrap", "program": "/usr/bin/bwrap"}
    hook = {
        "webhook": "https://alerts.site/hook",
        "ca": "/etc/ca.pem",
        "token": {"file": "/etc/token"},
        "metrics": "/var/lib/node/run.prom",
    }
    found = parsed(container=bwrap, alerts=hook, limits={"memory": "2GiB", "output": "1MiB"})
    assert found.container == Engine("bwrap", "/usr/bin/bwrap")
    assert found.alerts == Alerts(hook["webhook"], "/etc/ca.pem", hook["token"], hook["metrics"])  # type: ignore[arg-type]
    assert found.limits == Limits(2 << 30, 1 << 20)


def run_of(name: str, **more: Any) -> dict[str, Any]:
    words = ["tools/x", f"--in={{{name}-in}}", f"--dir={{{name}-dir}}"]
    return {"id": name, "apply": ["site:" + name], "check": words, **more}


NAMES = ("both", "staged", "off", "back")
NEEDY: dict[str, Any] = {
    "schema": 1,
    "id": "needy",
    "environment": {"staging": {}, "production": {}},
    "program": {name: {} for name in NAMES},
    "input": {
        **{f"{name}-in": {"type": "text"} for name in NAMES},
        **{f"{name}-dir": {"type": "directory"} for name in NAMES},
        **{f"{name}-key": {"type": "secret", "env": f"KEY_{at}"} for at, name in enumerate(NAMES)},
    },
    "way": {
        "back": {
            "run": ["site:back"],
            "check": ["tools/x", "{back-in}", "{back-dir}"],
            "secrets": ["back-key"],
        }
    },
    "step": [
        run_of("both", secrets=["both-key"], undo={"none": "x"}),
        run_of("staged", secrets=["staged-key"], only=["staging"], undo={"way": "back"}),
        run_of("off", secrets=["off-key"], enabled=False, undo={"none": "x"}),
    ],
}


def given(*names: str) -> dict[str, dict[str, Any]]:
    """Return what settings say of everything that steps of these names ask for."""
    return {
        "inputs": {
            **{f"{name}-in": "x" for name in names},
            **{f"{name}-dir": "/x" for name in names},
        },
        "secrets": {f"{name}-key": {"variable": "X"} for name in names},
        "programs": dict.fromkeys(names, "/bin/x"),
    }


def test_only_what_is_run_asks_for_something() -> None:
    parsed(NEEDY, environment="production", **given("both"))
    parsed(NEEDY, environment="production", **given(*NAMES))  # more does no harm
    parsed(NEEDY, **given("both", "staged", "back"))
    who = {"both": "step 'both'", "staged": "step 'staged'", "back": "way 'back'"}
    for name, asks in who.items():
        others = given(*(other for other in who if other != name))
        for kind in given():
            with pytest.raises(SettingsInvalid) as refused:
                parsed(NEEDY, **{**given(*who), kind: others[kind]})
            said = str(refused.value)
            assert f"{kind}.{name}" in said
            assert f"is not given, and {asks} needs it" in said
    with pytest.raises(SettingsInvalid, match="not what the runbook asks for"):
        parsed(NEEDY, **given(*NAMES, "more"))


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        parsed(NEEDY, environment="production", inputs={"both-dir": "here", "more": "x"})
    assert refused.value.message.splitlines() == [
        "5 things:",
        "  inputs.more: is not what the runbook asks for",
        "  inputs.both-in: is not given, and step 'both' needs it",
        "  inputs.both-dir: 'here' is no absolute path",
        "  secrets.both-key: is not given, and step 'both' needs it",
        "  programs.both: is not given, and step 'both' needs it",
    ]


def test_the_pattern_of_settings_is_what_is_wanted_and_nobody_can_run_it_as_it_is() -> None:
    book = parse_tree(NEEDY)
    for environment, names in (("production", ["both"]), ("staging", ["back", "both", "staged"])):
        made = pattern(book, environment)
        assert made["programs"] == dict.fromkeys(names, "")
        with pytest.raises(SettingsInvalid, match="is no line that names what is changed"):
            parse_settings(json.dumps(made).encode(), book)
        with pytest.raises(SettingsInvalid) as refused:
            parse_settings(json.dumps({**made, "target": "x"}).encode(), book)
        for name in names:
            assert f"inputs.{name}-in: has no character" in refused.value.message
            assert f"secrets.{name}-key: must have one of" in refused.value.message
        filled = {**made, "target": "x", **given(*names)}
        parse_settings(json.dumps(filled).encode(), book)
        lines = "\n".join(wanted_lines(book, environment))
        assert "programs.both: the absolute path of a program; step 'both' needs it" in lines
        assert "off-" not in lines


def test_what_runs_images_is_bound_and_who_is_told_is_not() -> None:
    bwrap = {"by": "bwrap", "program": "/usr/bin/bwrap"}
    assert parsed().bound != parsed(container=bwrap).bound
    assert parsed().bound == parsed(limits={"memory": "1GiB"}).bound
    assert parsed().bound == parsed(alerts={"metrics": "/x"}).bound


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"container": {"by": "chroot", "program": "/x"}}, "container.by"),
        ({"container": {"by": "runc", "program": "runc"}}, "container.program"),
        ({"container": {"by": "runc"}}, "container.program"),
        (
            {"container": {"by": "runc", "program": "/x", "arguments": ["-v"]}},
            "container.arguments",
        ),
        ({"container": "runc"}, "container"),
        ({"alerts": {"webhook": "ftp://x/"}}, "alerts.webhook"),
        ({"alerts": {"webhook": "https://u:p@x/"}}, "alerts.webhook"),
        ({"alerts": {"webhook": "https://"}}, "alerts.webhook"),
        ({"alerts": {"webhook": 1}}, "alerts.webhook"),
        ({"alerts": {"ca": "/x"}}, "alerts"),
        ({"alerts": {"webhook": "https://x/", "token": "abc"}}, "alerts.token"),
        ({"alerts": {"webhook": "https://x/", "token": {}}}, "alerts.token"),
        ({"alerts": {"webhook": "https://x/", "token": {"text": "abc"}}}, "alerts.token"),
        ({"alerts": {"metrics": "run.prom"}}, "alerts.metrics"),
        ({"alerts": {"mail": "x"}}, "alerts.mail"),
        ({"limits": {"memory": 5}}, "limits.memory"),
        ({"limits": {"memory": "2"}}, "limits.memory"),
        ({"limits": {"cpu": "2GiB"}}, "limits.cpu"),
    ],
)
def test_what_may_not(more: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parsed(**more)
    assert caught.value.where == where


def test_without_an_image_nothing_is_run_in_one() -> None:
    book = {name: item for name, item in BOOK.items() if name != "with"}
    with pytest.raises(SettingsInvalid, match="no image"):
        parsed(book, container={"by": "bwrap", "program": "/usr/bin/bwrap"})
