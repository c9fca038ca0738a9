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
