"""Where a site keeps its secrets, and how they are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping

from runner.errors import SecretUnsafe, SettingsInvalid
from runner.here import Here
from verifier import _compat
from verifier.typed import Any

MAX_SECRET = 1 << 16  # bytes
SHORTEST = 6  # characters of a secret: a shorter one cannot be kept out of outputs


def why_no_place(place: Mapping[str, Any]) -> str:
    """Return what is wrong with what says where a secret is; empty if nothing is."""
    kinds: Mapping[str, Callable[[Any], bool]] = {
        "file": lambda one: isinstance(one, str) and os.path.isabs(one),
        "variable": lambda one: isinstance(one, str) and bool(one),
        "descriptor": lambda one: type(one) is int and 3 <= one < 1024,
    }
    if len(place) != 1 or not all(kind in kinds and kinds[kind](v) for kind, v in place.items()):
        return "must have one of file (an absolute path), variable, descriptor (from 3)"
    return ""


def read_secrets(
    places: Mapping[str, Mapping[str, Any]], needed: Iterable[str], here: Here
) -> dict[str, str]:
    """Return the secrets by name; a final line end is no part of one.

    What nothing needs here may be missing; if it can be read, it is kept out of outputs too.

    Args:
        places: From the name of a secret to where it is.
        needed: Those that must be there.

    Raises:
        SecretUnsafe: Others can read or change a file.
        SettingsInvalid: One is missing, or too short to be kept out of outputs.
    """
    found, must = {}, frozenset(needed)
    for name, place in places.items():
        try:
            found[name] = read_secret(f"secrets.{name}", place, here)
        except SettingsInvalid:
            if name in must:
                raise
    return found


def read_secret(name: str, place: Mapping[str, Any], here: Here) -> str:
    """Return one secret.

    Args:
        name: Where the settings name it, for errors.

    Raises:
        SecretUnsafe: Others can read or change its file.
        SettingsInvalid: It is missing, or too short to be kept out of outputs.
    """
    ((kind, where),) = place.items()
    if kind == "variable":
        text = here.environment.get(where, "")
    elif kind == "file":
        text = _in_file(name, where)
    else:
        if where not in here.descriptors:  # a pipe says it once
            here.descriptors[where] = _in_descriptor(name, where)
        text = here.descriptors[where]
    if len(text) < SHORTEST or "\x00" in text:
        why = f"is not there, or has fewer than {SHORTEST} characters"
        raise SettingsInvalid(why, where=name)
    return text


def _in_file(name: str, path: str) -> str:
    try:
        descriptor = os.open(path, _compat.OPEN_TRUSTED)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SettingsInvalid("is no file", where=name)
            if _compat.others_read(status) or _compat.whoever_else_writes(status):
                raise SecretUnsafe("others can read or change it", where=repr(path))
            return _text(name, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SettingsInvalid(error.strerror or str(error), where=name) from None


def _in_descriptor(name: str, number: int) -> str:
    try:
        return _text(name, number)
    except OSError as error:
        raise SettingsInvalid(error.strerror or str(error), where=name) from None


def _text(name: str, descriptor: int) -> str:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(MAX_SECRET + 1)
    if len(data) > MAX_SECRET:
        raise SettingsInvalid(f"has more than {MAX_SECRET} bytes", where=name)
    try:
        return data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsInvalid("is no UTF-8", where=name) from None
