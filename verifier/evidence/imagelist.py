"""Which entries of an image layout are images, and which only speak of one.

One rule for all who ask: what an SBOM has to describe, what a policy wants attested, and what a
scanner looks into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from verifier.evidence.conditions import dig, objects
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.typed import Any

BESIDE = "vnd.offline-kit.beside"  # annotation of an entry of an index.json that is no image
_NAME = "org.opencontainers.image.ref.name"
_KIND = "kind"
_SPACES = 64  # bytes of blanks that may stand before an object
_NOT_IMAGES = ("dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts")
_SHA256 = re.compile("sha256:([0-9a-f]{64})")

ReadBlob = Callable[[str], "bytes | None"]
"""Gives a blob by its SHA-256; None if it is not there, is large, or was not read."""


def object_of(data: bytes | None) -> dict[str, Any]:
    """Return what a blob is as JSON; empty if it is something else, which most blobs are."""
    if data is None or data[:_SPACES].lstrip(b" \t\r\n")[:1] != b"{":
        return {}
    try:
        value = read_foreign(data)
    except NotForeign:
        return {}
    return value if isinstance(value, dict) else {}


def sha256_of(value: Any) -> str:
    """Return the hexadecimal digits of a descriptor's digest; empty if it has no SHA-256."""
    digest = dig(value, "digest")
    found = _SHA256.fullmatch(digest) if isinstance(digest, str) else None
    return found[1] if found is not None else ""


def images_in(index: bytes | None, blob: ReadBlob) -> list[str] | None:
    """Return the SHA-256 of the images that an index.json names, sorted; None if it is none."""
    manifests = object_of(index).get("manifests")
    if not isinstance(manifests, list):
        return None
    named = ((sha256_of(entry), entry) for entry in objects(manifests))
    return sorted({digest for digest, entry in named if digest and is_image(entry, blob)})


def is_image(entry: Mapping[str, Any], blob: ReadBlob) -> bool:
    """Whether an entry is an image, and no signature, attestation or other artifact about one.

    Such are marked by us or by `cosign save`, have a tag of cosign's older form, or a manifest with
    a ``subject`` (OCI image-spec 1.1).
    """
    notes = entry.get("annotations")
    if isinstance(notes, dict):
        name = notes.get(_NAME)
        if isinstance(name, str) and name.rpartition(":")[2].startswith("sha256-"):
            return False
        if BESIDE in notes or notes.get(_KIND) in _NOT_IMAGES:
            return False
    return "subject" not in object_of(blob(sha256_of(entry)))
