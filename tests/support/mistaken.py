"""A release host as people have it in front of them, for the mistakes that they make on it."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

from kit.build import Options, build
from kit.review.pack import make_pack
from kit.roots.metadata import build_root
from kit.seal import seal
from kit.sign import sign
from kit.spec import load_spec
from tests.support.making import KEYS, ROOT_FILE, key, make_sources, pinned

_NAMES = ("alice", "bob", "carol", "mallory", "sums")


def furnish(place: Path) -> None:
    """Fill a directory: a spec, keys, roots, and a release in each of its states."""
    make_sources(place)
    for name in _NAMES:
        for ending in ("pem", "pub"):
            if (KEYS / f"{name}.{ending}").exists():
                shutil.copy(KEYS / f"{name}.{ending}", place)
    shutil.copy(ROOT_FILE, place / "root.json")
    other = build_root(
        [("mallory", KEYS / "mallory.pub")],
        1,
        expires=datetime(2040, 1, 1, tzinfo=timezone.utc),
        sign_with=[key("mallory")],
    )
    (place / "other.json").write_bytes(other)
    spec = load_spec(place / "kit.toml")
    for state, names in (("out", ("alice", "bob")), ("one", ("alice",)), ("none", ())):
        directory = place / state / "demo-1.0"
        directory.mkdir(parents=True)
        kit = build(spec, [pinned()], directory, Options(workers=1)).path
        if names:
            sign(kit, [key(name) for name in names])
        if state == "out":
            seal(kit)
    (place / "damaged").mkdir()
    data = bytearray((place / "out/demo-1.0/demo-1.0.tar.zst").read_bytes())
    data[-6000] ^= 1
    (place / "damaged/demo-1.0.tar.zst").write_bytes(data)
    make_pack(place / "none/demo-1.0/demo-1.0.tar.zst", place)
    (place / "text").write_text("nothing of ours\n" * 40)
    (place / "empty").write_bytes(b"")
    (place / "text.svg").write_bytes(b"")
    (place / "there").mkdir()
    (place / "there/notes.txt").write_text("mine")
    os.mkfifo(place / "fifo")
