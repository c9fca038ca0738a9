"""What was done of a release: ``NAME.release.json`` beside the spec, whole or as it was before."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kit.container.output import refused, replace_file
from kit.errors import show
from kit.pipeline.errors import ReleaseRuns, StateUnreadable
from verifier.core.limits import MIB

STATE_TYPE = "https://offline-kit.example/release-state/v1"
BEGUN, DONE, FAILED, WAITS = "begun", "done", "failed", "waits"
_MAX_STATE = 16 * MIB


@dataclass(frozen=True)
class Entry:
    """How far a task is.

    Attributes:
        state: ``begun``, ``done``, ``failed`` or ``waits``.
        version: Of the kit, when it last ran or was found unchanged.
        inputs: Digests of what went in.
        outputs: Digests of what came out.
        said: What was said then.
    """

    state: str
    version: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    said: str = ""


def state_path(spec: Path) -> Path:
    """Return where the state of a spec is."""
    return spec.with_name(f"{spec.stem}.release.json")


class State:
    """The entries of all tasks; each change is on the disk before it counts."""

    def __init__(self, path: Path, entries: dict[str, Entry]) -> None:
        self._path, self._entries = path, entries

    def get(self, task: str) -> Entry | None:
        """Return the entry of a task, if it has one."""
        return self._entries.get(task)

    def put(self, task: str, entry: Entry) -> None:
        """Note a task.

        Raises:
            OutputUnwritable: The host refuses.
        """
        self._entries[task] = entry
        value = {
            "type": STATE_TYPE,
            "tasks": {name: asdict(one) for name, one in sorted(self._entries.items())},
        }
        data = json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n"
        replace_file(self._path, data)


def load_state(spec: Path) -> State:
    """Return what was done for a spec; nothing, where there is no file.

    Raises:
        StateUnreadable: The file is none of ours.
    """
    path = state_path(spec)
    value = read_json(path, STATE_TYPE, _MAX_STATE)
    if value is None:
        return State(path, {})
    try:
        entries = {name: _entry(one) for name, one in value["tasks"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise StateUnreadable("is not what `release` writes", where=show(path)) from None
    return State(path, entries)


def _entry(value: Any) -> Entry:
    entry = Entry(**value)
    texts = [entry.state, entry.version, entry.said]
    for each in (entry.inputs, entry.outputs):
        texts += [text for pair in each.items() for text in pair]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError
    return entry


def read_json(path: Path, kind: str, most: int) -> dict[str, Any] | None:
    """Return a JSON object of ours; None where there is no file.

    Raises:
        StateUnreadable: It is another one, or none.
    """
    try:
        with open(path, "rb") as stream:
            value = json.loads(stream.read(most))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateUnreadable(error.strerror or str(error), where=show(path)) from None
    except (ValueError, RecursionError):
        raise StateUnreadable("is no JSON", where=show(path)) from None
    if not isinstance(value, dict) or value.get("type") != kind:
        raise StateUnreadable(f"is not of the type {kind}", where=show(path))
    return value


@contextlib.contextmanager
def alone(spec: Path) -> Iterator[None]:
    """Keep other runs on this spec away while the block lasts.

    Raises:
        ReleaseRuns: There is one.
        OutputUnwritable: The host refuses.
    """
    path = spec.with_name(f".{spec.stem}.release.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise refused(error, path) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ReleaseRuns("another run holds its lock", where=show(path)) from None
        yield
    finally:
        os.close(descriptor)
