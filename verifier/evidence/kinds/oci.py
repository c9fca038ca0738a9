"""``oci``: one OCI image layout, complete, and with nothing in it that no image needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.core.manifest import HEX256
from verifier.evidence.kinds.errors import (
    KindFileMissing,
    KindFileUnexpected,
    KindUnchecked,
    OciBlobMissing,
    OciBlobRenamed,
    OciBlobUnreferenced,
    OciConfigMalformed,
    OciIndexMalformed,
    OciLayoutMalformed,
    OciManifestMalformed,
    OciNameMissing,
    OciPlatformMismatch,
    OciSizeMismatch,
)
from verifier.evidence.kinds.model import Documents, Files, Want
from verifier.typed import Any, record

LAYOUT, INDEX, BLOBS = "oci-layout", "index.json", "blobs/sha256/"
REF_NAME = "org.opencontainers.image.ref.name"
_BLOB = re.compile(re.escape(BLOBS) + HEX256.pattern)
_OCI, _DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
_INDEXES = (f"{_OCI}index.v1+json", f"{_DOCKER}distribution.manifest.list.v2+json")
_MANIFESTS = (f"{_OCI}manifest.v1+json", f"{_DOCKER}distribution.manifest.v2+json")
_CONFIGS = (f"{_OCI}config.v1+json", f"{_DOCKER}container.image.v1+json")
_RESTRICTED = ("nondistributable", "foreign")
_MAX_DOCUMENT = 4 * MIB
_MAX_DEPTH = 4  # an index in an index in an index: no real one is deeper than 2
_MAX_DESCRIPTORS = 20_000  # of a layout


@record(frozen=True)
class _Part:
    """What a document says of another one (OCI image-spec 1.1, "Content Descriptors")."""

    media: str
    sha256: str
    size: int
    platform: tuple[str, str]
    depth: int


class Oci:
    """See `verifier.evidence.kinds.model.Kind`."""

    name = "oci"
    promise = "image layouts are complete"

    def wants(self, files: Files) -> Iterator[Want]:
        """Return the documents of a layout; which blobs are some, only reading tells."""
        yield from (Want(name) for name in (INDEX, LAYOUT) if name in files)
        for name in files:
            if name.startswith(BLOBS) and files.size(name) <= _MAX_DOCUMENT:
                yield Want(name, perhaps=True)

    def hashed(self, files: Files) -> Iterator[str]:
        """Return nothing: images know SHA-256."""
        return iter(())

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield what is wrong with a layout, and then with the images in it."""
        for name in (LAYOUT, INDEX):
            if name not in files:
                raise KindFileMissing("is not there", where=files.where(name))
        yield from _names(files)
        if documents.value(LAYOUT, OciLayoutMalformed).get("imageLayoutVersion") != "1.0.0":
            yield OciLayoutMalformed("is not of version 1.0.0", where=files.where(LAYOUT))
        walk = _Walk(files, documents)
        yield from walk.run()
        if not walk.lost:
            for name in files:
                if _BLOB.fullmatch(name) and name[len(BLOBS) :] not in walk.seen:
                    yield OciBlobUnreferenced("no image needs it", where=files.where(name))


def _names(files: Files) -> Iterator[KitError]:
    for name in files:
        if _BLOB.fullmatch(name):
            if name[len(BLOBS) :] != files.sha256(name):
                what = f"has the SHA-256 {files.sha256(name)}"
                yield OciBlobRenamed(what, where=files.where(name))
        elif name not in (LAYOUT, INDEX):
            yield KindFileUnexpected("has no place in a layout", where=files.where(name))


class _Walk:
    """From ``index.json`` down to every blob.

    Attributes:
        seen: SHA-256 of what was referred to.
        lost: Whether a document could not be read, so that more may be referred to.
    """

    def __init__(self, files: Files, documents: Documents) -> None:
        self._files, self._documents = files, documents
        self.seen: set[str] = set()
        self.lost = False
        self._count = 0
        self._configs: dict[str, tuple[int | None, tuple[str, str]]] = {}
        self._platforms: dict[str, tuple[str, str]] = {}  # from manifest to what its image is for

    def run(self) -> Iterator[KitError]:
        """Yield each fault; a document that is none ends only its own branch."""
        where = self._files.where(INDEX)
        top = self._documents.value(INDEX, OciIndexMalformed)
        entries = top.get("manifests")
        if top.get("schemaVersion") != 2 or not isinstance(entries, list) or not entries:
            self.lost = True
            yield OciIndexMalformed("is no index with an image", where=where)
            return
        yield from self._check_names(entries)
        parts = list[_Part]()
        for entry in entries:
            try:
                parts.append(self._part(entry, INDEX, OciIndexMalformed, 1))
            except KitError as fault:
                self.lost = True
                yield fault
        while parts:
            part = parts.pop()
            try:
                yield from self._look(part, parts)
            except KitError as fault:
                self.lost = True
                yield fault

    def _check_names(self, entries: list[Any]) -> Iterator[KitError]:
        known: set[str] = set()
        for entry in entries:
            notes = entry.get("annotations") if isinstance(entry, dict) else None
            name = notes.get(REF_NAME) if isinstance(notes, dict) else None
            where = self._files.where(INDEX)
            if not isinstance(name, str) or not name:
                digest = entry.get("digest") if isinstance(entry, dict) else None
                yield OciNameMissing(f"{digest!r:.90} has no name", where=where)
            elif name in known:
                yield OciNameMissing(f"{name!r:.200} is the name of two images", where=where)
            else:
                known.add(name)

    def _part(self, entry: Any, name: str, error: type[KitError], depth: int) -> _Part:
        where = self._files.where(name)
        self._count += 1
        if self._count > _MAX_DESCRIPTORS:
            raise KindUnchecked(f"has more than {_MAX_DESCRIPTORS} parts", where=where)
        value = entry if isinstance(entry, dict) else {}
        media, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
        if not isinstance(media, str) or not isinstance(digest, str) or type(size) is not int:
            raise error("has something else where a descriptor belongs", where=where)
        if not digest.startswith("sha256:") or not HEX256.fullmatch(digest[7:]):
            raise error(f"has a descriptor whose digest is {digest!r:.90}", where=where)
        platform = value.get("platform")
        both = platform if isinstance(platform, dict) else {}
        pair = _word(both.get("os")), _word(both.get("architecture"))
        return _Part(media, digest[7:], size, pair, depth)

    def _look(self, part: _Part, parts: list[_Part]) -> Iterator[KitError]:
        """Yield what is wrong with one part, and put what it refers to on the pile."""
        name = BLOBS + part.sha256
        where = self._files.where(name)
        new = part.sha256 not in self.seen
        self.seen.add(part.sha256)
        is_document = part.media in _INDEXES + _MANIFESTS
        if part.depth == 1 and not is_document:
            raise OciManifestMalformed(f"has the media type {part.media!r:.90}", where=where)
        if name not in self._files:
            if new and not any(word in part.media for word in _RESTRICTED):
                yield OciBlobMissing("is not there", where=where)
            return
        if self._files.size(name) != part.size:
            said = f"has {self._files.size(name)} bytes, and an image says {part.size}"
            yield OciSizeMismatch(said, where=where)
        if is_document and new:
            yield from self._document(part, name, parts)
        pair = self._platforms.get(part.sha256, ("", ""))
        if any(part.platform) and any(pair) and part.platform != pair:
            said = f"is for {'/'.join(pair)}, and an index says {'/'.join(part.platform)}"
            yield OciPlatformMismatch(said, where=where)

    def _document(self, part: _Part, name: str, parts: list[_Part]) -> Iterator[KitError]:
        value = self._documents.value(name, OciManifestMalformed)
        where = self._files.where(name)
        if value.get("schemaVersion") != 2 or value.get("mediaType", part.media) != part.media:
            raise OciManifestMalformed("is not of its media type", where=where)
        if "manifests" in value and ("layers" in value or "config" in value):
            # one text that is two things to two readers (CVE-2021-41190)
            raise OciManifestMalformed("is both an index and a manifest", where=where)
        index = part.media in _INDEXES
        listed = value.get("manifests" if index else "layers")
        if not isinstance(listed, list):
            raise OciManifestMalformed("has no list where one belongs", where=where)
        if part.depth > _MAX_DEPTH:
            raise KindUnchecked(f"is nested deeper than {_MAX_DEPTH}", where=where)
        depth = part.depth + 1
        below = [self._part(item, name, OciManifestMalformed, depth) for item in listed]
        if index:
            wrong = [one for one in below if one.media not in _INDEXES + _MANIFESTS]
            if wrong:
                what = f"refers to the media type {wrong[0].media!r:.90}"
                raise OciManifestMalformed(what, where=where)
        else:
            config = self._part(value.get("config"), name, OciManifestMalformed, depth)
            if config.media in _CONFIGS and BLOBS + config.sha256 in self._files:
                yield from self._config(part, config, len(below))
            below.append(config)
        parts += below

    def _config(self, part: _Part, config: _Part, layers: int) -> Iterator[KitError]:
        """Yield what is wrong with a configuration; it is read once, whoever refers to it."""
        name = BLOBS + config.sha256
        if config.sha256 not in self._configs:
            value = self._documents.value(name, OciConfigMalformed)
            rootfs = value.get("rootfs")
            ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
            pair = _word(value.get("os")), _word(value.get("architecture"))
            count = len(ids) if isinstance(ids, list) else None
            self._configs[config.sha256] = count, pair
        count, self._platforms[part.sha256] = self._configs[config.sha256]
        if count is not None and count != layers:
            what = f"speaks of {count} layers, and its manifest has {layers}"
            yield OciConfigMalformed(what, where=self._files.where(name))


def _word(value: object) -> str:
    return value[:64] if isinstance(value, str) else ""
