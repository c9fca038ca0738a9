"""The graph of an image: what hangs together below a digest, read with bounds (OCI image-spec 1.1).

Manifests stay the bytes that the registry has: a tool that writes one again makes another image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kit.net.registry import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    MAX_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from kit.sources.errors import ImageMalformed, ImageRestricted, PlatformAbsent
from verifier.core import limits
from verifier.core.manifest import HEX256

MAX_DEPTH = 4  # an index in an index in an index: no real one is deeper than 2
MAX_DESCRIPTORS = 20_000  # of one image, all platforms together
_DIGEST = "sha256:"
_RESTRICTED = ("nondistributable", "foreign")

Read = Callable[[str], tuple[bytes, str]]
"""Gives a manifest by digest, compared with it, and its media type."""


@dataclass(frozen=True)
class Descriptor:
    """What one document says of another (OCI image-spec, "Content Descriptors")."""

    media_type: str
    digest: str
    size: int
    platform: str = ""

    @property
    def sha256(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix(_DIGEST)


@dataclass(frozen=True)
class Found:
    """A part of an image: a manifest or an index with its bytes, or a blob without."""

    descriptor: Descriptor
    data: bytes | None


def at(where: str, digest: str) -> str:
    """Return the place of a document of an image: the source, and its digest."""
    return f"{where}: {digest}" if where else digest


def parse_manifest(data: bytes, media_type: str, where: str) -> dict[str, Any]:
    """Return a manifest or index as a value.

    Raises:
        ImageMalformed: It is none, or says that it is of another type than its descriptor.
    """
    if len(data) > MAX_MANIFEST:
        raise ImageMalformed(f"has more than {MAX_MANIFEST} bytes", where=where)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ImageMalformed("is no JSON in UTF-8", where=where) from None
    if not isinstance(value, dict) or value.get("schemaVersion") != 2:
        raise ImageMalformed("is no manifest of schema 2", where=where)
    if value.get("mediaType", media_type) != media_type:
        raise ImageMalformed(
            f"says {str(value['mediaType'])[:100]!r}, and was announced as {media_type[:100]!r}",
            where=where,
        )
    if media_type not in INDEXES | MANIFESTS:
        raise ImageMalformed(
            f"has the media type {media_type[:200]!r}, which is no image or index", where=where
        )
    both = "manifests" in value and ("layers" in value or "config" in value)
    if both:  # one text that is two things to two readers (CVE-2021-41190)
        raise ImageMalformed("is both an index and a manifest", where=where)
    return value


def media_type_of(data: bytes, declared: str) -> str:
    """Return the media type of a manifest of which only the server's word is known."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return declared
    inside = value.get("mediaType") if isinstance(value, dict) else None
    return inside if isinstance(inside, str) else declared


def children(value: dict[str, Any], media_type: str, where: str) -> Iterator[Descriptor]:
    """Yield what a manifest or index refers to.

    Raises:
        ImageMalformed: A descriptor is none.
    """
    if media_type in INDEXES:
        entries = _list(value.get("manifests"), "manifests", where)
    else:
        entries = [value.get("config"), *_list(value.get("layers"), "layers", where)]
    for entry in entries:
        yield _descriptor(entry, where)


def _list(value: object, name: str, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ImageMalformed(f"has no list `{name}`", where=where)
    return value


def _descriptor(entry: object, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ImageMalformed(
            "has an entry of `manifests`, `config` or `layers` that is no object", where=where
        )
    media, digest, size = entry.get("mediaType"), entry.get("digest"), entry.get("size")
    if not isinstance(media, str) or not media.isascii() or not media.isprintable():
        raise ImageMalformed("has a descriptor without a media type", where=where)
    if not isinstance(digest, str) or not HEX256.fullmatch(digest.removeprefix(_DIGEST)):
        raise ImageMalformed(f"has a descriptor whose digest is {digest!r:.90}", where=where)
    if type(size) is not int or not 0 <= size <= limits.MAX_MEMBER:
        raise ImageMalformed(f"has a descriptor whose size is {size!r:.40}", where=where)
    if not digest.startswith(_DIGEST):
        raise ImageMalformed("has a digest without its algorithm", where=where)
    return Descriptor(media, digest, size, _platform(entry.get("platform")))


def _platform(value: object) -> str:
    """Return ``os/architecture`` and, where there is one, ``/variant``."""
    if not isinstance(value, dict):
        return ""
    parts = [value.get("os"), value.get("architecture"), value.get("variant")]
    named = [part for part in parts if isinstance(part, str) and part]
    return "/".join(named) if all(map(_is_word, named)) else ""


def _is_word(text: str) -> bool:
    return text.isascii() and text.replace(".", "").replace("-", "").replace("_", "").isalnum()


def narrow(value: dict[str, Any], platforms: tuple[str, ...], where: str) -> list[Descriptor]:
    """Return the manifests of an index for the platforms asked for, in that order.

    Raises:
        PlatformAbsent: The index has none for one of them; those it has are named.
    """
    there = [entry for entry in children(value, OCI_INDEX, where) if entry.platform]
    found = []
    for wanted in platforms:
        match = [one for one in there if one.platform == wanted]
        match = match or [one for one in there if one.platform.startswith(f"{wanted}/")]
        if not match:
            has = ", ".join(sorted({one.platform for one in there})) or "no platform at all"
            raise PlatformAbsent(f"has nothing for {wanted}; it has {has}", where=where)
        found.append(match[0])
    return found


def walk(root: Descriptor, read: Read, where: str, *, restricted: bool = False) -> Iterator[Found]:
    """Yield everything below ``root``, it included, each digest once, manifests before blobs.

    Args:
        restricted: Whether layers that may not be distributed are carried.

    Raises:
        ImageMalformed: It is deeper, larger or odder than an image can be.
        ImageRestricted: It has such layers.
    """
    seen: dict[str, Descriptor] = {}
    level, blobs = [root], []
    for _ in range(MAX_DEPTH + 1):
        below: list[Descriptor] = []
        for item in level:
            if not _first(item, seen, where):
                continue
            if item.media_type not in INDEXES | MANIFESTS:
                blobs.append(item)
                continue
            data, _ = read(item.digest)
            if len(data) != item.size:
                what = f"has {len(data)} bytes, and not the {item.size} that are said of it"
                raise ImageMalformed(what, where=at(where, item.digest))
            yield Found(item, data)
            here = at(where, item.digest)
            below += children(parse_manifest(data, item.media_type, here), item.media_type, here)
            if len(below) + len(seen) > MAX_DESCRIPTORS:
                raise ImageMalformed(f"refers to more than {MAX_DESCRIPTORS} things", where=where)
        if not below:
            break
        level = below
    else:
        raise ImageMalformed(f"is nested deeper than {MAX_DEPTH}", where=where)
    for item in blobs:
        if any(word in item.media_type for word in _RESTRICTED) and not restricted:
            raise ImageRestricted(f"{item.digest} is {item.media_type}", where=where)
        yield Found(item, None)


def _first(item: Descriptor, seen: dict[str, Descriptor], where: str) -> bool:
    before = seen.setdefault(item.digest, item)
    if (before.size, before.media_type in INDEXES | MANIFESTS) != (
        item.size,
        item.media_type in INDEXES | MANIFESTS,
    ):
        raise ImageMalformed(f"{item.digest} is named with two sizes or kinds", where=where)
    return before is item


__all__ = [
    "DOCKER_LIST",
    "DOCKER_MANIFEST",
    "OCI_MANIFEST",
    "Descriptor",
    "Found",
    "at",
    "children",
    "media_type_of",
    "narrow",
    "parse_manifest",
    "walk",
]
