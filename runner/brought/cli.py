"""Starts one step that the runner brings: ``NAME check|apply|undo|undo-check``."""

from __future__ import annotations

import json
import os
import sys

from runner.brought.action import (
    AGAIN,
    ARGUMENTS,
    DONE,
    FAILED,
    NOTES,
    Action,
    Around,
    NotPossible,
)


def main() -> None:
    """Do it, and exit with what a check or a program exits with."""
    name, mode = sys.argv[2:4]
    sys.exit(_status(name, mode))


def _kind(name: str) -> type[Action]:
    """Return what a step does; nothing else is loaded, since one that waits starts each second."""
    found: type[Action]
    if name == "install-debs":
        from runner.brought.debs import InstallDebs as found
    elif name == "install-wheels":
        from runner.brought.install import InstallWheels as found
    elif name == "push-images":
        from runner.brought.images import PushImages as found
    elif name == "switch":
        from runner.brought.switch import Switch as found
    elif name == "wait-http":
        from runner.brought.waiting import WaitHttp as found
    elif name == "wait-tcp":
        from runner.brought.waiting import WaitTcp as found
    else:
        raise KeyError(name)
    return found


def _status(name: str, mode: str) -> int:
    around = Around(lambda text: print(text, flush=True), os.environ, os.environ.get(NOTES, ""))
    try:
        action = _kind(name)(json.loads(os.environ[ARGUMENTS]), around)
        done = {
            "check": action.check,
            "apply": action.apply,
            "undo": action.undo,
            "undo-check": action.undo_check,
        }[mode]()
        return DONE if done is None else done
    except NotPossible as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except (ConnectionError, TimeoutError) as error:
        print(f"{name}: the connection is lost: {error}", file=sys.stderr)
        return AGAIN
    except OSError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
