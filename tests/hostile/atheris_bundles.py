#!/usr/bin/env python3
"""Fuzz what reads bundles with atheris, guided by coverage; nothing but a `KitError` may come out.

    python tests/hostile/atheris_bundles.py CORPUS [-max_total_time=120] [libFuzzer's options]

atheris is in no lock, since it has no wheel for every Python: ``pip install atheris`` where this
runs.  The first byte of an input says what reads the rest.  CORPUS is filled with good inputs when
it is empty.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

with atheris.instrument_imports(include=["verifier"]):
    from verifier.core.errors import KitError
    from verifier.evidence.sigstore.bundle import parse_bundle
    from verifier.evidence.sigstore.checkpoint import parse_checkpoint
    from verifier.evidence.sigstore.identity import Identity
    from verifier.evidence.sigstore.keys import parse_key, parse_key_pem
    from verifier.evidence.sigstore.roots import parse_trusted_root
    from verifier.evidence.sigstore.sct import check_scts
    from verifier.evidence.sigstore.timestamp import check_timestamp, parse_token
    from verifier.evidence.sigstore.verify import verify_bundle
    from verifier.evidence.sigstore.x509 import oidc_issuers, parse_certificate
    from verifier.evidence.statement import parse_statement, read_envelope

import contextlib

from tests.support.bundlebends import WISHES
from tests.support.bundles import ISSUER, NAME, make_bundle, text, world

ROOT = parse_trusted_root(text(world().trusted_root()))
WHO = Identity(ISSUER, NAME)


def bundle(data: bytes) -> None:
    """Read and verify a bundle."""
    verify_bundle(parse_bundle(data), WHO, [ROOT])


def certificate(data: bytes) -> None:
    """Read a certificate, its names and its SCTs."""
    found = parse_certificate(data, "fuzz")
    oidc_issuers(found)
    check_scts(found, found, ROOT.ct_logs)


def timestamp(data: bytes) -> None:
    """Read and judge a timestamp."""
    parse_token(data)
    check_timestamp(data, b"", ROOT.timestamps)


def checkpoint(data: bytes) -> None:
    """Read a checkpoint."""
    parse_checkpoint(data.decode("utf-8", "replace"))


def key(data: bytes) -> None:
    """Read a public key; `ValueError` says that there is none."""
    with contextlib.suppress(ValueError):
        parse_key_pem(data.decode("latin-1")) if data[:1] == b"-" else parse_key(data)


def statement(data: bytes) -> None:
    """Read an envelope and what is in it."""
    parse_statement(read_envelope(data, "fuzz"), "fuzz")


READERS: list[Callable[[bytes], Any]] = [
    *(bundle, certificate, timestamp, checkpoint, key, statement),
    parse_trusted_root,
]


def one(data: bytes) -> None:
    """Let the reader named by the first byte read the rest."""
    if not data:
        return
    with contextlib.suppress(KitError):
        READERS[data[0] % len(READERS)](data[1:])


def seeds() -> list[bytes]:
    """Return a good input of each kind for each reader."""
    found = [bytes([6]) + text(world().trusted_root())]
    for wish in WISHES.values():
        value = make_bundle(wish)
        material = value["verificationMaterial"]
        found.append(bytes([0]) + text(value))
        for each in material.get("timestampVerificationData", {}).get("rfc3161Timestamps", []):
            found.append(bytes([2]) + base64.b64decode(each["signedTimestamp"]))
        for entry in material["tlogEntries"]:
            envelope = entry["inclusionProof"]["checkpoint"]["envelope"]
            found.append(bytes([3]) + envelope.encode("utf-8"))
        if "certificate" in material:
            found.append(bytes([1]) + base64.b64decode(material["certificate"]["rawBytes"]))
        if "dsseEnvelope" in value:
            found.append(bytes([5]) + text(value["dsseEnvelope"]))
    root = world().trusted_root()["tlogs"][0]["publicKey"]["rawBytes"]
    return [*found, bytes([4]) + base64.b64decode(root)]


def main() -> None:
    """Fill an empty corpus and fuzz."""
    places = [Path(word) for word in sys.argv[1:] if not word.startswith("-")]
    for place in places[:1]:
        place.mkdir(parents=True, exist_ok=True)
        if not any(place.iterdir()):
            for number, data in enumerate(seeds()):
                (place / f"seed-{number}").write_bytes(data)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
