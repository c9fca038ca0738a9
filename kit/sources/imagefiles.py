"""Images out of files: an OCI layout, or an archive that ``docker save`` or skopeo wrote.

A docker-archive has no manifest.  We make one, the same from the same archive, and say so: its
digest is one of ours, which no registry knows and nobody else has signed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kit.net.download import Wanted
from kit.net.registry import MAX_MANIFEST, OCI_MANIFEST
from kit.sources.errors import ImageFileUnusable
from kit.sources.images import Descriptor, parse_manifest
from kit.sources.smallfile import read_small
from verifier.core import limits
from verifier.core.errors import KitError
from verifier.core.manifest import HEX256

KINDS = ("oci", "oci-archive", "docker-archive")
_REF_NAME = "org.opencontainers.image.ref.name"
_FORM = re.compile(rf"({'|'.join(KINDS)}):([^:]+)(?::(.+))?")
_MAX_ENTRIES = 100_000  # of an archive
_MAX_LAYERS = 1_000  # of an image of docker's
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_GZIP = b"\x1f\x8b"
_STEP = 1 << 20


@dataclass(frozen=True)
class ImageFile:
    """An image in a file, as a source names it: ``oci:DIR:NAME``."""

    kind: str
    path: str
    name: str


def parse_image_file(text: str) -> ImageFile | None:
    """Return what ``text`` names if it is a file; None if it is a reference in a registry."""
    match = _FORM.fullmatch(text)
    return ImageFile(match[1], match[2], match[3] or "") if match else None


class LayoutFiles:
    """An OCI image layout in a directory (OCI image-spec 1.1, image-layout.md)."""

    def __init__(self, directory: Path, where: str) -> None:
        self._directory, self._where = directory, where
        self._media: dict[str, str] = {}  # a manifest itself need not say what it is

    def find(self, name: str) -> str:
        """Return the digest of the image with a name, or of the only one; digests are names too.

        Raises:
            ImageFileUnusable: There is no such image, or no layout.
        """
        data = read_small(
            self._directory / "index.json", MAX_MANIFEST, ImageFileUnusable, self._where
        )
        value = parse_manifest(data, "application/vnd.oci.image.index.v1+json", self._where)
        entries = _dicts(value.get("manifests"))
        named = {_name_of(entry): entry for entry in entries}
        by_digest = {str(entry.get("digest")): entry for entry in entries}
        if name:
            found = named.get(name) or by_digest.get(name.removeprefix("@"))
        else:
            found = entries[0] if len(entries) == 1 else None
        if found is None:
            there = ", ".join(map(repr, sorted(filter(None, {*named, *by_digest})))) or "no image"
            what = f"has no image {name!r}" if name else f"has {len(entries)} images"
            raise ImageFileUnusable(f"{what}; it has {there[:2000]}", where=self._where)
        digest = str(found.get("digest"))
        self._media[digest] = str(found.get("mediaType", ""))
        return digest

    def manifest(self, name: str) -> tuple[bytes, str]:
        """Return a manifest by its digest, which is compared."""
        data = _read(self.blob(name), self._where)
        if hashlib.sha256(data).hexdigest() != name.removeprefix("sha256:"):
            raise ImageFileUnusable(f"its blob {name} has another digest", where=self._where)
        return data, self._media.get(name, "")

    def wanted(self, descriptor: Descriptor, name: str) -> Wanted:
        """Say where a blob is."""
        url = self.blob(descriptor.digest).absolute().as_uri()
        return Wanted(name, (url,), descriptor.sha256, descriptor.size)

    def small_blob(self, digest: str) -> bytes:
        """Return a blob of the size of a manifest, compared with its digest."""
        return self.manifest(digest)[0]

    def tagged(self, tag: str) -> tuple[bytes, str] | None:
        """Return what a tag made of a digest means; a layout may have the repository before it."""
        for entry in self._entries():
            name = _name_of(entry)
            if name == tag or name.endswith(f":{tag}"):
                digest = str(entry.get("digest"))
                return self.manifest(digest)[0], str(entry.get("mediaType", ""))
        return None

    def referrers(self, digest: str) -> list[str]:
        """Return the manifests of the layout that say that they speak of a digest."""
        found: list[str] = []
        seen: set[str] = set()
        level = self._entries()
        for _ in range(2):  # entries, and what an index of referrers lists
            below: list[dict[str, Any]] = []
            for entry in level:
                name = str(entry.get("digest"))
                if name in seen or len(seen) > _MAX_ENTRIES:
                    continue
                seen.add(name)
                value = _object(self.manifest(name)[0])
                self._media.setdefault(name, str(entry.get("mediaType", "")))
                below += _dicts(value.get("manifests"))
                subject = value.get("subject")
                if isinstance(subject, dict) and subject.get("digest") == digest:
                    found.append(name)
            level = below
        return found

    def _entries(self) -> list[dict[str, Any]]:
        value = _object(_read(self._directory / "index.json", self._where))
        return _dicts(value.get("manifests"))

    def blob(self, digest: str) -> Path:
        """Return the file of a blob; nothing of it is compared."""
        digits = digest.removeprefix("sha256:")
        if not HEX256.fullmatch(digits):
            what = f"names a blob by {digest!r:.100}, which is no SHA-256"
            raise ImageFileUnusable(what, where=self._where)
        return self._directory / "blobs" / "sha256" / digits


def unpack(image: ImageFile, base: Path, scratch: Path, where: str) -> LayoutFiles:
    """Return an image in a file as a layout, which of an archive is written to ``scratch``.

    Raises:
        ImageFileUnusable: It cannot be read, or is none.
    """
    path = base / image.path
    if image.kind == "oci":
        return LayoutFiles(path, where)
    try:
        with tarfile.open(path, "r:") as archive:
            members = _members(archive, where)
            if image.kind == "oci-archive":
                _unpack_layout(archive, members, scratch, where)
            else:
                _convert(archive, members, image.name, scratch, where)
    except tarfile.TarError:
        why = "is no tar archive; one that is compressed must be unpacked first"
        raise ImageFileUnusable(why, where=where) from None
    except OSError as error:
        raise ImageFileUnusable(error.strerror or str(error), where=where) from None
    return LayoutFiles(scratch, where)


def digest_now(text: str, base: Path) -> str | None:
    """Return the digest of the image that a layout, or an archive of one, has under a name now.

    None where that cannot be told; nothing but the index is read.
    """
    image = parse_image_file(text)
    if image is None or image.kind == "docker-archive":
        return None
    path = base / image.path
    try:
        if image.kind == "oci":
            return LayoutFiles(path, text).find(image.name)
        with (
            tarfile.open(path, "r:") as archive,
            tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch,
        ):
            index = _small(archive, _members(archive, text)["index.json"], text)
            Path(scratch, "index.json").write_bytes(index)
            return LayoutFiles(Path(scratch), text).find(image.name)
    except (KitError, KeyError, OSError, tarfile.TarError):
        return None


def _members(archive: tarfile.TarFile, where: str) -> dict[str, tarfile.TarInfo]:
    """Return the regular files of an archive, by name; of one name the last, as tar has it."""
    members: dict[str, tarfile.TarInfo] = {}
    for count, item in enumerate(archive):
        if count >= _MAX_ENTRIES:
            raise ImageFileUnusable(f"has more than {_MAX_ENTRIES} entries", where=where)
        if item.isreg() and 0 <= item.size <= limits.MAX_MEMBER:
            members[item.name.removeprefix("./")] = item
    return members


def _unpack_layout(
    archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], scratch: Path, where: str
) -> None:
    blobs = scratch / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name, item in members.items():
        digits = name.removeprefix("blobs/sha256/")
        if name == "index.json":
            (scratch / name).write_bytes(_small(archive, item, where))
        elif name != digits and HEX256.fullmatch(digits):
            _copy(archive, item, blobs / digits)


def _convert(
    archive: tarfile.TarFile,
    members: Mapping[str, tarfile.TarInfo],
    name: str,
    scratch: Path,
    where: str,
) -> None:
    """Write a layout with one image of what ``docker save`` wrote, with a manifest of ours."""
    entry = _chosen(_json(archive, members, "manifest.json", where), name, where)
    config, layers = entry.get("Config"), entry.get("Layers")
    if not isinstance(config, str) or not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise ImageFileUnusable(
            "its manifest.json is not one that `docker save` writes", where=where
        )
    blobs = scratch / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(wanted: object, media_type: str) -> dict[str, Any]:
        if not isinstance(wanted, str) or wanted not in members:
            raise ImageFileUnusable(
                f"lacks {wanted!r:.200}, which its manifest.json names", where=where
            )
        made = scratch / "blob"
        digest, size, head = _copy(archive, members[wanted], made)
        os.replace(made, blobs / digest)
        packed = "+gzip" if media_type == _LAYER and head.startswith(_GZIP) else ""
        return {"digest": f"sha256:{digest}", "mediaType": f"{media_type}{packed}", "size": size}

    value = {
        "config": blob(config, _CONFIG),
        "layers": [blob(layer, _LAYER) for layer in layers],
        "mediaType": OCI_MANIFEST,
        "schemaVersion": 2,
    }
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    only = {"digest": f"sha256:{digest}", "mediaType": OCI_MANIFEST, "size": len(data)}
    only["annotations"] = {_REF_NAME: name}
    (scratch / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [only]}))


def _chosen(value: object, name: str, where: str) -> dict[str, Any]:
    """Return the image with a tag, or the only one."""
    entries = _dicts(value)
    tags = [[str(tag) for tag in entry.get("RepoTags") or []] for entry in entries]
    found = [entry for entry, has in zip(entries, tags, strict=True) if not name or name in has]
    if len(found) != 1:
        there = ", ".join(map(repr, sorted(tag for has in tags for tag in has))) or "no tag"
        raise ImageFileUnusable(
            f"has no image {name!r}, or several; it has {there[:2000]}", where=where
        )
    return found[0]


def _json(
    archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str, where: str
) -> object:
    if name not in members:
        raise ImageFileUnusable(f"has no {name}", where=where)
    try:
        return json.loads(_small(archive, members[name], where))
    except (ValueError, RecursionError):
        raise ImageFileUnusable(f"its {name} is no JSON", where=where) from None


def _small(archive: tarfile.TarFile, item: tarfile.TarInfo, where: str) -> bytes:
    if item.size > MAX_MANIFEST:
        raise ImageFileUnusable(
            f"its {item.name!r:.200} has more than {MAX_MANIFEST} bytes", where=where
        )
    return _stream(archive, item).read(MAX_MANIFEST)


def _copy(archive: tarfile.TarFile, item: tarfile.TarInfo, target: Path) -> tuple[str, int, bytes]:
    """Copy a file out of an archive; return its digest, its size and how it begins."""
    digest, size, head = hashlib.sha256(), 0, b""
    with open(target, "wb") as file:
        stream = _stream(archive, item)
        while data := stream.read(_STEP):
            head = head or data[:2]
            digest.update(data)
            size += file.write(data)
    return digest.hexdigest(), size, head


def _stream(archive: tarfile.TarFile, item: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(item)
    if stream is None:
        raise tarfile.TarError("no regular file")
    return stream


def _read(path: Path, where: str) -> bytes:
    return read_small(path, MAX_MANIFEST, ImageFileUnusable, where)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _name_of(entry: dict[str, Any]) -> str:
    annotations = entry.get("annotations")
    return str(annotations.get(_REF_NAME, "")) if isinstance(annotations, dict) else ""
