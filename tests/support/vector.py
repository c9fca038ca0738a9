"""A vector: a kit, what a verifier must say about it, and how both lie in `fixtures/vectors`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

VECTORS = Path(__file__).resolve().parents[2] / "fixtures" / "vectors"
KIT_FILE = "kit.gz"
EXPECTED_FILE = "expected.json"
ROOT_FILE = "root.json"
TEST_ROOT = "../../keys/root.json"
HEAD = ("kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames")

NOTHING, CLAIMS, KIT = "nothing", "claims", "kit"
UNDECIDED = frozenset({"no-root", "root-gap", "format-newer", "decoder-missing"})
USAGE = frozenset({"usage", "root-invalid"})


@dataclass(frozen=True)
class Case:
    """One vector.

    Attributes:
        rules: Numbers of the rules of FORMAT that it is about.
        why: What is special or wrong, for whoever's verifier answers something else.
        make: Makes the kit.
        code: Of the error; empty if the kit is good.
        shown: What may be shown of the kit's page: nothing, its claims, or a kit that a threshold
            of signers vouches for.
        root: The root to pin; empty for that of the test keys, None for no root at all.
        quick: Code with ``--quick``, empty for verified; None if it is `code`.
        kinds: Codes of what is found when its kinds are judged; None where that is not asked.
        readable: Makes of a good kit one that stock programs can read, with the same members.
        pipe: Code when the kit comes through a pipe, where its length is not known before; None if
            it is `code`.
    """

    name: str
    rules: tuple[str, ...]
    why: str
    make: Callable[[], bytes]
    code: str = ""
    shown: str = KIT
    root: bytes | None = b""
    args: tuple[str, ...] = ()
    quick: str | None = None
    pipe: str | None = None
    kinds: tuple[str, ...] | None = None
    readable: Callable[[bytes], bytes] = bytes

    @property
    def directory(self) -> str:
        """Its name below `fixtures/vectors`."""
        return f"{self.name}_fail" if self.code else self.name

    def files(self) -> dict[str, bytes]:
        """Return what belongs into the directory; the kit is not compressed here."""
        kit = self.make()
        files = {KIT_FILE: kit, EXPECTED_FILE: pretty(self.expected(kit))}
        if self.root:
            files[ROOT_FILE] = self.root
        return files

    def expected(self, kit: bytes) -> dict[str, Any]:
        """Return what a verifier must say."""
        value: dict[str, Any] = {
            "description": self.why,
            "rules": list(self.rules),
            "kitSha256": hashlib.sha256(kit).hexdigest(),
            "root": ROOT_FILE if self.root else None if self.root is None else TEST_ROOT,
            "args": list(self.args),
            **outcome(self.code),
            "shown": self.shown,
            "released": [],
        }
        if not self.code:
            value.update(contents(self.readable(kit)))
        if self.quick is not None:
            value["quick"] = outcome(self.quick)
        if self.kinds is not None:
            value["kinds"] = list(self.kinds)
        if self.pipe is not None:
            value["pipe"] = outcome(self.pipe)
        return value


def ok(name: str, rules: str, why: str, make: Callable[[], bytes], **more: Any) -> Case:
    """Return a vector that must be accepted."""
    return Case(name, tuple(rules.split()), why, make, **more)


def bad(name: str, rules: str, code: str, why: str, make: Callable[[], bytes], **more: Any) -> Case:
    """Return a vector that must be refused with ``code``."""
    return Case(name, tuple(rules.split()), why, make, code, **more)


def outcome(code: str) -> dict[str, Any]:
    """Return verdict, exit status and code (FORMAT 12.3)."""
    if not code:
        return {"verdict": "verified", "exitStatus": 0, "code": None}
    if code in USAGE:
        return {"verdict": "usage", "exitStatus": 2, "code": code}
    if code in UNDECIDED:
        return {"verdict": "undecided", "exitStatus": 3, "code": code}
    return {"verdict": "rejected", "exitStatus": 4, "code": code}


def contents(kit: bytes) -> dict[str, Any]:
    """Return what is in a good kit, read with other people's programs: zstandard and tarfile."""
    tar = kit
    if kit.startswith(b"\x28\xb5\x2f\xfd"):
        stream = zstandard.ZstdDecompressor().stream_reader(kit, read_across_frames=True)
        tar = stream.read()
    files, modes = {}, {}
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive:
            taken = archive.extractfile(member)
            assert taken is not None
            files[member.name], modes[member.name] = taken.read(), f"{member.mode:04o}"
    payload = json.loads(files["kit.dsse.json"])["payload"]
    lines = files["kit.index"].splitlines(keepends=True)
    statement = json.loads(base64.b64decode(payload, validate=True))
    unsigned = b"".join(line for line in lines if line.split(b" ")[2:3] != [b"sig"])
    return {
        "kitId": hashlib.sha256(base64.b64decode(payload, validate=True)).hexdigest(),
        "contentId": hashlib.sha256(unsigned).hexdigest(),
        "components": {
            item["id"]: component_digest(files["kit.index"].decode("utf-8"), item["paths"])
            for item in statement["predicate"]["components"]
        },
        "released": [
            {
                "path": name,
                "mode": modes[name],
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, data in sorted(files.items())
            if name not in HEAD
        ],
    }


def component_digest(index: str, places: list[str]) -> str:
    """Return the digest of a component, word by word after FORMAT 11.2."""
    rows = [line.split(" ", 4) for line in index.split("\n")[1:-1]]
    mine = [
        row
        for row in rows
        if row[2] == "data" and any(f"{row[4]}/".startswith(f"{place}/") for place in places)
    ]
    members = {row[4] for row in mine}
    directories = [posixpath.dirname(one) if one in members else one for one in places]
    base = posixpath.commonpath(directories) if all(directories) else ""
    text = "offline-kit-component/1\n"
    for row in mine:
        text += " ".join([*row[:4], posixpath.relpath(row[4], base or ".")]) + "\n"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def pretty(value: Any) -> bytes:
    """Return JSON for people and for programs, in ASCII."""
    return json.dumps(value, indent=2).encode("ascii") + b"\n"


def load_kit(directory: Path) -> bytes:
    """Return the kit of a vector as it was before it was packed for the repository."""
    return gzip.decompress((directory / KIT_FILE).read_bytes())


def load_expected(directory: Path) -> dict[str, Any]:
    """Return what a verifier must say about a vector."""
    value: dict[str, Any] = json.loads((directory / EXPECTED_FILE).read_text("ascii"))
    return value
