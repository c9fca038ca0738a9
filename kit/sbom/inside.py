"""Compares what an SBOM says of an image with the files in its layers.

Layers are read once, one behind the other, and what a later one removes is gone (OCI image-spec
1.1, layer.md).  An image is of strangers: sizes and counts have bounds.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from kit.errors import show
from kit.net.registry import INDEXES
from kit.sbom.errors import SbomImageUnreadable
from kit.sbom.findings import shown
from kit.sources.imagefiles import ImageFile, LayoutFiles, parse_image_file, unpack
from kit.sources.images import children, media_type_of, parse_manifest
from verifier.evidence.sbom import Element, Sbom

MAX_FILES = 1_000_000  # of an image
MAX_BYTES = 64 << 30  # of all files of an image, those that later layers replace too
MAX_SHOWN = 20
_STEP = 1 << 20
_REMOVED, _OPAQUE = ".wh.", ".wh..wh..opq"
_DIGESTS = ("sha256", "sha1")  # what is compared: the first one that an element gives
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Inside:
    """What a comparison found.

    Attributes:
        same: How many files the document describes as they are.
        absent: Names of files that it describes and the image does not have.
        other: Names of files that it describes otherwise than they are.
        unlisted: Names of files that it does not describe.
        unproved: How many it names without a digest that is compared.
    """

    same: int
    absent: tuple[str, ...]
    other: tuple[str, ...]
    unlisted: tuple[str, ...]
    unproved: int

    def lines(self) -> Iterator[str]:
        """Yield what stands against the document, a line each, the first ones of a kind."""
        for names, what in (
            (self.absent, "is described, and the image has no such file"),
            (self.other, "is described with another digest than it has"),
        ):
            yield from (f"{shown(name)} {what}" for name in names[:MAX_SHOWN])
            if len(names) > MAX_SHOWN:
                yield f"and {len(names) - MAX_SHOWN} more"


def compare_inside(sbom: Sbom, files: dict[str, dict[str, str]]) -> Inside:
    """Compare the files that a document describes with those of an image.

    Args:
        files: From path to digests; see `files_of`.
    """
    described: dict[str, Element] = {}
    for element in sbom.elements:
        if element.kind == "file" and element.name:
            described.setdefault(_plain(element.name), element)
    absent, other, same, unproved = [], [], 0, 0
    for name, element in described.items():
        if name not in files:
            absent.append(name)
            continue
        kind = next((one for one in _DIGESTS if one in element.digests), "")
        if not kind:
            unproved += 1
        elif element.digests[kind] == files[name][kind]:
            same += 1
        else:
            other.append(name)
    unlisted = tuple(sorted(files.keys() - described.keys()))
    return Inside(same, tuple(sorted(absent)), tuple(sorted(other)), unlisted, unproved)


def _plain(name: str) -> str:
    while name.startswith(("/", "./")):
        name = name.removeprefix(".").lstrip("/")
    return name


def files_of(image: str, base: Path) -> dict[str, dict[str, str]]:
    """Return the digests of the files of an image, by their paths in it.

    Args:
        image: As a source names it (``oci:DIR:NAME``, ...), or a directory with one image.
        base: What a path is relative to.

    Raises:
        SbomImageUnreadable: It is none, or is above a bound.
        ImageFileUnusable: It cannot be read.
    """
    where = show(image).strip("'")
    file = parse_image_file(image) or ImageFile("oci", image, "")
    with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
        layout = unpack(file, base, Path(scratch), where)
        files: dict[str, dict[str, str]] = {}
        seen = _Seen(where)
        try:
            for path in _layers(layout, layout.find(file.name), where):
                _apply(path, files, seen)
        except (OSError, EOFError, tarfile.TarError, zlib.error, zstandard.ZstdError) as error:
            raise SbomImageUnreadable(f"a layer: {error}", where=where) from None
        return files


class _Seen:
    """What was read, and how much of it may be."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._files = self._bytes = 0

    def add(self, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files > MAX_FILES or self._bytes > MAX_BYTES:
            raise SbomImageUnreadable(
                f"has more than {MAX_FILES} files, or {MAX_BYTES} bytes", where=self._where
            )


def _layers(layout: LayoutFiles, digest: str, where: str) -> Iterator[Path]:
    data, declared = layout.manifest(digest)
    media = media_type_of(data, declared)
    value = parse_manifest(data, media, where)
    if media in INDEXES:
        raise SbomImageUnreadable(
            "is for several platforms: name the manifest of one, as oci:DIR:@sha256:DIGITS",
            where=where,
        )
    for descriptor in list(children(value, media, where))[1:]:
        yield layout.blob(descriptor.digest)


def _apply(path: Path, files: dict[str, dict[str, str]], seen: _Seen) -> None:
    """Put a layer over those before it; whiteouts count against these alone."""
    with open(path, "rb") as raw, tarfile.open(fileobj=_unpacked(raw), mode="r|") as archive:
        added: dict[str, dict[str, str]] = {}
        links: list[tuple[str, str]] = []
        for member in archive:
            seen.add(member.size)
            name = _plain(member.name)
            folder, _, last = name.rpartition("/")
            if last == _OPAQUE:
                _drop(files, folder)
            elif last.startswith(_REMOVED):
                _drop(files, f"{folder}/{last[4:]}".lstrip("/"))
            elif member.islnk():
                links.append((name, _plain(member.linkname)))
            elif member.isreg():
                stream = archive.extractfile(member)
                assert stream is not None
                added[name] = _digests(stream)
            elif not member.isdir():
                _drop(files, name)
        files.update(added)
        for name, target in links:
            if target in files:
                files[name] = files[target]


def _drop(files: dict[str, dict[str, str]], name: str) -> None:
    below = f"{name}/"
    for path in [path for path in files if path == name or path.startswith(below)]:
        del files[path]


def _digests(stream: IO[bytes]) -> dict[str, str]:
    states = {kind: hashlib.new(kind, usedforsecurity=False) for kind in _DIGESTS}
    while data := stream.read(_STEP):
        for state in states.values():
            state.update(data)
    return {kind: state.hexdigest() for kind, state in states.items()}


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    """Return the tar in a layer, whatever packs it: its media type is not believed."""
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return cast("IO[bytes]", reader.stream_reader(raw, read_across_frames=True))
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    return raw
