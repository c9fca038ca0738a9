"""Starts one step that the runner brings: ``NAME check|apply|undo|undo-check``."""

from __future__ import annotations

import json
import os
import sys

from runner.brought import debs, images, install, switch, waiting
from runner.brought.action import DONE, FAILED, Action, NotPossible
from runner.site import ARGUMENTS

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
    action = ACTIONS[name](json.loads(os.environ[ARGUMENTS]))
    try:
        done = {
            "check": action.check,
            "apply": action.apply,
            "undo": action.undo,
            "undo-check": action.undo_check,
        }[mode]()
    except (NotPossible, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(FAILED)
    sys.exit(DONE if done is None else done)
