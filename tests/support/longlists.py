"""Kits of as many members as wanted, as `list` and `diff` see them; nothing lies on a disk.

What is imported here is the verifier alone: a program measures its memory with it.
"""

from __future__ import annotations

from pathlib import Path

from verifier.core.lists import DATA, Index
from verifier.core.model import Blob, Built, Component, KitInfo, Manifest
from verifier.core.trust import parse_root
from verifier.show.changes import lines_of
from verifier.show.diff import Compared

ROOT_FILE = Path(__file__).parents[2] / "fixtures" / "keys" / "root.json"


def long_index(count: int, changed: int) -> Index:
    """Return the list of many members, some of them different from those of another."""
    index = Index()
    for first in range(0, count, 10_000):
        names = [b"all/%07d/x" % number for number in range(first, first + 10_000)]
        index.digests += b"".join(
            (number < changed).to_bytes(1, "big") * 32 for number in range(first, first + 10_000)
        )
        index.extend(DATA, names, [1] * 10_000, [0] * 10_000)
    return index


def big(index: Index) -> Compared:
    """Return a kit with these members."""
    info = KitInfo("demo", "1", "demo/stable", 1, "2026-11-24T00:00:00Z", "s")
    component = Component("all", "1", ("all",), "/opt")
    blob = Blob(0, {})
    built = Built("", 0)
    manifest = Manifest(info, blob, blob, blob, 65_536, built, (), (component,))
    root = parse_root(ROOT_FILE.read_bytes())
    return Compared(manifest, lambda: lines_of(index), "0" * 64, (root,))
