#!/usr/bin/env python3
"""Fuzz all that reads evidence with atheris: by coverage, and along the structure of the inputs.

    make fuzz-guided                                              # two minutes
    build/atheris/bin/python tests/hostile/fuzz_guided.py LEARNED [libFuzzer's options]

LEARNED takes what is new.  The corpus beside this file is read, never written.  JSON is changed
value by value, through base64 and into the JSON or DER that is in it, since bytes that are flipped
in base64 only ever reach the first check.
"""

from __future__ import annotations

import base64
import binascii
import json
import random
import sys
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

with atheris.instrument_imports(include=["verifier"]):
    from tests.hostile.readers import CORPUS, one

from tests.support.dertree import parse

WORDS: list[Any] = [
    None,
    True,
    0,
    -1,
    1 << 63,
    1e308,
    "",
    "\0",
    [],
    {},
    "*",
    "sha256",
    "-1",
    "9" * 30,
]


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    """Return a changed input that is as well formed as it was, seven times out of eight."""
    chance = random.Random(seed)
    if len(data) < 2 or not chance.randrange(8):
        return bytes(atheris.Mutate(data, limit))
    made = data[:1] + _changed(data[1:], chance)
    return made if len(made) <= limit else bytes(atheris.Mutate(data, limit))


def _changed(data: bytes, chance: random.Random) -> bytes:
    """Change something inside: a value of JSON, an element of DER, or bytes."""
    try:
        return json.dumps(_value(json.loads(data), chance), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        pass
    try:
        tree = parse(data)
    except (AssertionError, IndexError, RecursionError):
        return bytes(atheris.Mutate(data, len(data) + 64))
    nodes = [node for _, node in tree.walk()]
    node = chance.choice(nodes)
    if node.children is None:
        node.data = bytes(atheris.Mutate(node.data, len(node.data) + 16))
    elif not node.children or not chance.randrange(3):
        node.tag = chance.choice((node.tag ^ (1 << chance.randrange(5)), chance.choice(nodes).tag))
    elif chance.randrange(2):
        node.children.pop(chance.randrange(len(node.children)))
    else:
        node.children.insert(chance.randrange(len(node.children)), chance.choice(nodes))
    try:
        return tree.encode()
    except RecursionError:  # it was put into itself
        return data


def _value(value: Any, chance: random.Random) -> Any:
    """Change one value, somewhere."""
    if isinstance(value, str):
        return _text(value, chance)
    if isinstance(value, (dict, list)) and value and chance.randrange(12):
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = chance.choice(places)
        kind = chance.randrange(12)
        if kind == 0:
            del value[place]
        elif kind == 1 and isinstance(value, list):
            value.insert(place, value[chance.choice(places)])
        elif kind == 2:
            value[place] = value[chance.choice(places)]
        elif kind == 3:
            value[place] = chance.choice(WORDS)
        else:
            value[place] = _value(value[place], chance)
        return value
    if isinstance(value, int) and not isinstance(value, bool) and chance.randrange(3):
        return value + chance.choice((-1, 1, 256, -value))
    return chance.choice(WORDS)


def _text(value: str, chance: random.Random) -> str:
    try:
        raw = base64.b64decode(value, validate=True) if len(value) > 8 else b""
    except (ValueError, binascii.Error):
        raw = b""
    if raw and chance.randrange(6):
        return base64.b64encode(_changed(raw, chance)).decode()
    if value.isdigit() and chance.randrange(2):
        return str(int(value) + chance.choice((-1, 1, 1 << 32)))
    made = atheris.Mutate(
        value.encode("utf-8", "replace"), len(value.encode("utf-8", "replace")) + 16
    )
    return bytes(made).decode("utf-8", "replace")


def main() -> None:
    """Fuzz, with the committed corpus behind the folder that takes what is new."""
    folders = [word for word in sys.argv[1:] if not word.startswith("-")]
    for folder in folders[:1]:
        Path(folder).mkdir(parents=True, exist_ok=True)
    known = [str(folder) for folder in (CORPUS / "evidence", CORPUS / "learned") if folder.is_dir()]
    atheris.Setup([*sys.argv, *known], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
