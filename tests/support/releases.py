"""Histories of releases for tests: records of small kits, signed by test keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.releases.entry import Entry, make_entry
from kit.releases.publisher import load_publisher
from kit.releases.record import File, Record
from kit.signing.model import KitSigner
from kit.spec import load_spec
from tests.support import making
from tests.support.making import key
from verifier.core.signature import Key

LINE = "demo/stable"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def publisher(name: str = "sums") -> tuple[KitSigner, Key]:
    """Return a publisher's signer and public key; no root of the tests names that of sums."""
    return load_publisher(key(name))


def record(n: int = 1, previous: str = "", **changed: Any) -> Record:
    """Return the record of release ``1.N`` of the line."""
    version = f"1.{n}"
    kit = f"demo-{version}.tar.zst"
    names = sorted(["SHA256SUMS", "kit-verify.pyz", kit, f"demo-{version}.sealed.json"])
    made = Record(
        line=LINE,
        n=n,
        previous=previous,
        name="demo",
        version=version,
        sequence=10 + n,
        created="2026-11-24T00:00:00Z",
        kit_id=sha256(b"kit %d" % n),
        content_id=sha256(b"content %d" % n),
        kit_file=kit,
        files=tuple(File(name, 100 + n, sha256(f"{name} {n}".encode())) for name in names),
        signers=("alice", "bob"),
        threshold=2,
        root_version=1,
    )
    return replace(made, **changed)


def entries(count: int, signer: KitSigner | None = None) -> list[Entry]:
    """Return a history of so many releases."""
    chosen = signer or publisher()[0]
    made: list[Entry] = []
    for n in range(1, count + 1):
        made.append(make_entry(record(n, made[-1].id if made else ""), chosen))
    return made


def resigned(value: dict[str, Any], names: Sequence[str] = ("sums",)) -> bytes:
    """Return a payload, whatever it says, in an envelope whose signatures are good."""
    from verifier.core.envelope import PAYLOAD_TYPE, pae
    from verifier.core.jsonstrict import compact

    payload = compact(value)
    signatures = []
    for name in names:
        signer = publisher(name)[0]
        sig = base64.b64encode(signer.sign(pae(payload))).decode()
        signatures.append({"keyid": signer.keyid, "sig": sig})
    signatures.sort(key=lambda each: each["keyid"])
    text = base64.b64encode(payload).decode()
    return compact({"payload": text, "payloadType": PAYLOAD_TYPE, "signatures": signatures}) + b"\n"


def releases(top: Path) -> Path:
    """Return a directory with two sealed releases, 1.0 and 1.1, and another 1.0."""
    for name, version, sequence, contents in (
        ("one", "1.0", 7, b"one"),
        ("two", "1.1", 8, b"two"),
        ("other", "1.0", 7, b"other"),
    ):
        release(top / name, version, sequence, contents)
    return top


def release(directory: Path, version: str, sequence: int, contents: bytes) -> Path:
    """Build and seal a release whose directory holds nothing else; return its kit."""
    directory.mkdir(parents=True)
    making.make_sources(directory, {"tools/run": contents}, ())
    text = (directory / "kit.toml").read_text()
    text = text.replace('version = "1.0"', f'version = "{version}"', 1)
    (directory / "kit.toml").write_text(text.replace("sequence = 7", f"sequence = {sequence}"))
    return making.build_kit(load_spec(directory / "kit.toml"), directory / "out").path


def kit_of(made: Path, name: str) -> Path:
    """Return the kit of one of the `releases`."""
    (found,) = sorted((made / name / "out").glob("demo-*.tar.zst"))
    return found
