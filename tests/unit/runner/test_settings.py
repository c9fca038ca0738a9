"""What a site may say: which programs run images, who is told, what is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.book.parse import parse_tree
from runner.errors import SettingsInvalid
from runner.settings import TYPE, Alerts, Engine, Limits, Settings, parse_settings

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
        for kind, full in given(*who).items():
            with pytest.raises(SettingsInvalid) as refused:
                parsed(NEEDY, **{**given(*who), kind: others[kind]})
            assert refused.value.message == f"is not given, and {asks} needs it"
            assert str(refused.value.where).startswith(f"{kind}.{name}")
            assert full != others[kind]
    with pytest.raises(SettingsInvalid, match="not what the runbook asks for"):
        parsed(NEEDY, **given(*NAMES, "more"))


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
