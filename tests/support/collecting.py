"""Specs of a few lines, trees of a few files, and what is collected of them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from kit.sources.collect import Collection, collect
from kit.spec import KitSpec, parse_spec

HEAD = """\
[kit]
name = "lnm"
version = "1"
line = "lnm/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "one line"
names = "{names}"
"""


def component(path: str, *sources: str, more: str = "") -> str:
    tables = "".join(f"[[component.source]]\n{source}\n" for source in sources)
    name = path.lower().replace("/", "-")
    fields = f'id = "{name}"\nversion = "1"\npath = "{path}"\nlands = "/x"\n'
    return f"[[component]]\n{fields}{more}{tables}"


def spec(base: Path, *tables: str, names: str = "ascii") -> KitSpec:
    text = HEAD.format(names=names) + "".join(tables)
    return parse_spec(text.encode(), file=base / "kit.toml")


def tree(base: Path, *paths: str) -> None:
    """Make files; each holds its own path."""
    for path in paths:
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_text(path, encoding="utf-8")


def listed(collection: Collection) -> list[str]:
    return [collection.path(i).decode() for i in range(len(collection))]


def sources(collection: Collection) -> dict[str, str]:
    """Return for each path in the kit what the file on this host holds."""
    return {
        collection.path(i).decode(): Path(os.fsdecode(collection.source(i))).read_text("utf-8")
        for i in range(len(collection))
    }


def data_of(base: Path, *source_texts: str, names: str = "ascii") -> Collection:
    return collect(spec(base, component("c", *source_texts), names=names)).data


class Listing:
    """`os.scandir`, with something done to what it lists."""

    def __init__(self, change: Any) -> None:
        self._real, self._change = os.scandir, change

    def __call__(self, path: Any) -> Any:
        with self._real(path) as entries:
            listed = list(entries)
        self._change(os.readlink(b"/proc/self/fd/%d" % path) + b"/", listed)
        return contextlib.nullcontext(iter(listed))
