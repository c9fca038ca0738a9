"""Starts one step that the runner brings: ``NAME check|apply|undo|undo-check``."""

from __future__ import annotations

import json
import os
import sys

from runner.brought import debs, images, install, switch, waiting
from runner.brought.action import AGAIN, DONE, FAILED, Action, Around, NotPossible
from runner.site import ARGUMENTS, NOTES

ACTIONS: dict[str, type[Action]] = {
    "install-debs": debs.InstallDebs,
    "install-wheels": install.InstallWheels,
    "push-images": images.PushImages,
    "switch": switch.Switch,
    "wait-http": waiting.WaitHttp,
    "wait-tcp": waiting.WaitTcp,
}


def main() -> None:
    """Do it, and exit with what a check or a program exits with."""
    name, mode = sys.argv[2:4]
    sys.exit(_status(name, mode))


def _status(name: str, mode: str) -> int:
    around = Around(lambda text: print(text, flush=True), os.environ, os.environ.get(NOTES, ""))
    try:
        action = ACTIONS[name](json.loads(os.environ[ARGUMENTS]), around)
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
