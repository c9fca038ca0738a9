"""Images out of registries and layouts, as one OCI image layout a component.

``index.json`` is ours; all below it is byte for byte what the registry has.  Where an index is
narrowed to some platforms, the entries point at the manifests of these platforms, and the index
itself travels as evidence, so that a signature over it still reaches them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kit.net.download import Wanted
from kit.net.errors import ArtifactGone
from kit.net.registry import INDEXES, MAX_MANIFEST, Registry, parse_reference
from kit.sources import companions
from kit.sources.errors import ImageNamesCollide
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.imagefiles import parse_image_file, unpack
from kit.sources.images import (
    Descriptor,
    at,
    children,
    media_type_of,
    narrow,
    parse_manifest,
    walk,
)
from kit.sources.lockfile import LockedArtifact, LockedImage
from kit.spec import Source
from kit.store import Artifact
from verifier.core.errors import KitError

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'  # OCI image-spec 1.1, image-layout.md
_REF_NAME = "org.opencontainers.image.ref.name"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


class _Origin(Protocol):
    """Where an image comes from."""

    def manifest(self, name: str) -> tuple[bytes, str]: ...

    def wanted(self, descriptor: Descriptor, name: str) -> Wanted: ...

    def small_blob(self, digest: str) -> bytes: ...

    def tagged(self, tag: str) -> tuple[bytes, str] | None: ...

    def referrers(self, digest: str) -> Sequence[str]: ...


@dataclass(frozen=True)
class _Remote:
    """A registry."""

    registry: Registry

    def manifest(self, name: str) -> tuple[bytes, str]:
        return self.registry.manifest(name)

    def wanted(self, descriptor: Descriptor, name: str) -> Wanted:
        url = self.registry.blob_url(descriptor.digest)
        return Wanted(
            name,
            (url,),
            descriptor.sha256,
            descriptor.size,
            authorize=self.registry.authorize,
            renew=self.registry.renew,
        )

    def small_blob(self, digest: str) -> bytes:
        return self.registry.small_blob(digest)

    def tagged(self, tag: str) -> tuple[bytes, str] | None:
        return self.registry.tagged(tag)

    def referrers(self, digest: str) -> Sequence[str]:
        return self.registry.referrers(digest)


class OciImages:
    """Sources with ``oci``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Ask each registry what a reference means now, and have the whole graph below it."""
        resolved = Resolved()
        for where, source in part.sources:
            with _opened(source.oci or "", part, means, where) as (origin, asked, name):
                name = source.as_ or name
                images, kept = _choose(asked, name, source, part, origin, where)
                if source.beside:
                    images += _beside(images, name, source, part, origin, means, where)
                resolved.images += [one for one in images if not _again(one, resolved.images)]
                if kept is not None:
                    means.store.add(kept)
                    resolved.artifacts.append(_kept_index(part, kept))
                for image in images:
                    _take(image, source, part, origin, means, where)
        _check_names(resolved.images, part)
        resolved.artifacts += _artifacts(resolved.images, part, means)
        return resolved

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Fetch by digest what is missing, and write our own files again."""
        _write_own(locked.images, part, means)
        by_reference = {source.oci: (where, source) for where, source in part.sources}
        for image in locked.images:
            where, source = by_reference.get(image.reference, ("", None))
            if source is None or image.beside == companions.REFERRERS:
                continue
            with (
                _opened(image.reference, part, means, where) as (origin, asked, _),
                _naming(image, asked, origin),
            ):
                if image.index is not None and image.index in missing:
                    means.store.add(origin.manifest(f"sha256:{image.index}")[0])
                _take(image, source, part, origin, means, where)
        companions.write_indexes(locked.images, part.path, means.store)


@contextlib.contextmanager
def _naming(image: LockedImage, asked: str, origin: _Origin) -> Iterator[None]:
    """Say of an image that is gone what its reference means now."""
    try:
        yield
    except ArtifactGone as error:
        with contextlib.suppress(KitError):
            now = f"sha256:{hashlib.sha256(origin.manifest(asked)[0]).hexdigest()}"
            if now.removeprefix("sha256:") not in {image.sha256, image.index}:
                message = f"{error.message}; {image.reference} means {now} now"
                error = ArtifactGone(message, where=error.where)
        raise error from None


@contextlib.contextmanager
def _opened(text: str, part: Part, means: Means, where: str) -> Iterator[tuple[_Origin, str, str]]:
    """Give where an image comes from, what it is asked for by, and what it is called there."""
    file = parse_image_file(text)
    if file is None:
        reference = parse_reference(text)
        remote = _Remote(Registry(means.client, reference, means.logins))
        name = f"{reference.repository}:{reference.tag or reference.digest[7:19]}"
        yield remote, reference.manifest, name
        return
    with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
        layout = unpack(file, part.base, Path(scratch), where)
        yield layout, layout.find(file.name), file.name or Path(file.path).stem


def _choose(
    asked: str, name: str, source: Source, part: Part, origin: _Origin, where: str
) -> tuple[list[LockedImage], bytes | None]:
    """Return the entries of the layout's index for a source, and an index that was narrowed."""
    data, declared = origin.manifest(asked)
    media = media_type_of(data, declared)
    value = parse_manifest(data, media, at(where, asked))
    digest = hashlib.sha256(data).hexdigest()
    reference = source.oci or ""
    if not source.platforms or media not in INDEXES:
        return [_image(part, name, reference, Descriptor(media, digest, len(data)))], None
    several = len(source.platforms) > 1
    images = [
        _image(
            part,
            f"{name}-{one.platform.replace('/', '-')}" if several else name,
            reference,
            one,
            index=digest,
        )
        for one in narrow(value, source.platforms, where)
    ]
    return images, data


def _beside(
    images: Sequence[LockedImage],
    name: str,
    source: Source,
    part: Part,
    origin: _Origin,
    means: Means,
    where: str,
) -> list[LockedImage]:
    """Return what stands beside images, as entries of the same layout; it is in the store."""
    subjects: list[str] = []
    indexes: dict[str, dict[str, Any]] = {}
    for image in images:
        index = image.index or (image.sha256 if image.media in INDEXES else None)
        subjects += [index, image.sha256] if index else [image.sha256]
        if index and index not in indexes:
            data, declared = origin.manifest(f"sha256:{index}")
            media = media_type_of(data, declared)
            indexes[index] = parse_manifest(data, media, at(where, f"sha256:{index}"))
            if not image.index:
                subjects += [child.sha256 for child in children(indexes[index], media, where)]
    found = companions.find(subjects, source.beside, origin, where, list(indexes.values()))
    for one in found:
        means.store.add(one.data)
    repository = name.rpartition(":")[0] or name
    beside = list(companions.locked(found, part.path, repository, source.oci or ""))
    companions.write_indexes(beside, part.path, means.store)
    return beside


def _again(image: LockedImage, known: Sequence[LockedImage]) -> bool:
    """Whether another source has brought the same thing that stands beside both."""
    return image.beside is not None and any(
        (one.name, one.sha256) == (image.name, image.sha256) for one in known
    )


def _image(
    part: Part, name: str, reference: str, found: Descriptor, index: str | None = None
) -> LockedImage:
    return LockedImage(
        path=part.path,
        name=name,
        reference=reference,
        index=index,
        platform=found.platform or None,
        media=found.media_type,
        size=found.size,
        sha256=found.sha256,
    )


def _take(
    image: LockedImage, source: Source, part: Part, origin: _Origin, means: Means, where: str
) -> None:
    """Have everything below an image in the store: manifests first, then the blobs they name."""

    def read(digest: str) -> tuple[bytes, str]:
        size = means.store.size_of(digest.removeprefix("sha256:"))
        if size is not None and size <= MAX_MANIFEST:
            artifact = Artifact(digest.removeprefix("sha256:"), size)
            return means.store.read(artifact, MAX_MANIFEST), ""
        data, media = origin.manifest(digest)
        means.store.add(data)
        return data, media

    root = Descriptor(image.media, f"sha256:{image.sha256}", image.size)
    found = walk(root, read, where, restricted=source.nondistributable)
    means.downloads.fetch_all(
        [
            origin.wanted(one.descriptor, _blob(part, one.descriptor.sha256))
            for one in found
            if one.data is None
        ]
    )


def _artifacts(images: Sequence[LockedImage], part: Part, means: Means) -> list[LockedArtifact]:
    """Return every file of the layout; all of them are in the store by now."""
    blobs: dict[str, int] = {}

    def read(digest: str) -> tuple[bytes, str]:
        sha256 = digest.removeprefix("sha256:")
        size = means.store.size_of(sha256)
        return means.store.read(Artifact(sha256, size or 0), MAX_MANIFEST), ""

    for image in images:
        root = Descriptor(image.media, f"sha256:{image.sha256}", image.size)
        for one in walk(root, read, part.path, restricted=True):
            blobs[one.descriptor.sha256] = one.descriptor.size
    own = _write_own(images, part, means)
    files = {f"{part.path}/{name}": artifact for name, artifact in own.items()}
    files |= {_blob(part, sha256): Artifact(sha256, size) for sha256, size in blobs.items()}
    return [
        LockedArtifact(component=part.component, path=path, size=item.size, sha256=item.sha256)
        for path, item in files.items()
    ]


def _write_own(images: Sequence[LockedImage], part: Part, means: Means) -> dict[str, Artifact]:
    """Put the two files of a layout that are ours into the store (OCI image-layout)."""
    return {
        "oci-layout": means.store.add(_LAYOUT),
        "index.json": means.store.add(
            index_bytes([one for one in images if one.path == part.path])
        ),
    }


def index_bytes(images: Sequence[LockedImage]) -> bytes:
    """Return the index of a layout: one entry an image, in the order of names."""
    entries = [
        {
            "mediaType": image.media,
            "digest": f"sha256:{image.sha256}",
            "size": image.size,
            "annotations": {_REF_NAME: image.name, **companions.annotations_of(image)},
        }
        for image in sorted(images, key=lambda item: item.name)
    ]
    value = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": entries}
    return json.dumps(value, separators=(",", ":")).encode()


def _blob(part: Part, sha256: str) -> str:
    return f"{part.path}/blobs/sha256/{sha256}"


def _kept_index(part: Part, data: bytes) -> LockedArtifact:
    """Return the index that an image was chosen from, as evidence."""
    digest = hashlib.sha256(data).hexdigest()
    path = f"evidence/oci/{part.component or 'evidence'}/{digest}.json"
    return LockedArtifact(component=part.component, path=path, size=len(data), sha256=digest)


def _check_names(images: Sequence[LockedImage], part: Part) -> None:
    names = [image.name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImageNamesCollide(f"{', '.join(map(repr, twice))} in one layout", where=part.path)
