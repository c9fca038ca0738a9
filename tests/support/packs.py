"""Two releases of one product and their review packs, for tests of signing far from the kit."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from kit.review.pack import make_pack
from kit.spec import load_spec
from tests.support.making import (
    SMALL,
    SMALL_EXECUTABLE,
    Made,
    build_kit,
    make_kit,
    make_sources,
    write_spec,
)

NEWER = {
    **{path: data for path, data in SMALL.items() if path != "data/empty"},
    "tools/bin/run": b"#!/bin/sh\necho new\n",
    "tools/caf\u00e9": b"x",
    "extra/it's": b"y",
}


@dataclass(frozen=True)
class Releases:
    """A sealed release, the one after it that nobody has signed, and its pack against the first."""

    old: Made
    new: Made
    pack: Path
    first: Path  # the pack of the old one, which is compared with nothing


def make_releases(directory: Path) -> Releases:
    """Build both kits and write their packs."""
    old = make_kit(directory / "old")
    make_sources(directory / "new", NEWER, SMALL_EXECUTABLE)
    spec = write_spec(directory / "new", ["data", "extra", "tools"], version="1.1")
    spec.write_text(spec.read_text("utf-8").replace("sequence = 7", "sequence = 8"))
    new = build_kit(load_spec(spec), directory / "new" / "out", signers=())
    pack = make_pack(new.path, directory, against=old.path)
    first = make_pack(old.path, directory)
    return Releases(old, new, pack.path, first.path)


def index_text(members: int, seed: int = 0) -> list[bytes]:
    """Return lines of an index with many small members; another seed changes some of them."""
    generator = random.Random(seed)
    lines = [b"offline-kit-index/1"]
    for number in range(members):
        change = seed and generator.randrange(1000)
        if change == 1:
            continue
        digest = hashlib.sha256(b"%d %d" % (number, seed if change == 2 else 0)).hexdigest()
        lines.append(b"%b %d data 0644 d/%08d/file" % (digest.encode(), number % 5000, number))
    return lines
