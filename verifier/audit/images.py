"""The images of OCI layouts in a kit: their manifests, platforms, layers, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from verifier.audit.model import ImageRow, Layer
from verifier.evidence.conditions import dig, objects
from verifier.evidence.imagelist import object_of, sha256_of
from verifier.evidence.sbom import text
from verifier.typed import Any

MAX_IMAGES = 4096  # of one layout: manifests, those of indexes counted in
_NAME = "org.opencontainers.image.ref.name"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

Read = Callable[[bytes], "bytes | None"]
Carried = Callable[[bytes], bool]


def images_of(layout: bytes, component: str, read: Read, carried: Carried) -> Iterator[ImageRow]:
    """Yield the images of a layout, those of an index one by one.

    Args:
        layout: Its directory, with a slash at the end.
        component: That it belongs to.
        read: Gives the contents of a member that was proved; None if it was not kept.
        carried: Whether there is a member at a path.
    """
    value = object_of(read(layout + b"index.json"))
    left = [(item, "") for item in objects(value.get("manifests"))][::-1]
    seen = 0
    while left and seen < MAX_IMAGES:
        seen += 1
        item, name = left.pop()
        name = text(dig(item, "annotations", _NAME)) or name
        inner = _read(layout, item, read)
        if item.get("mediaType") in _INDEXES or isinstance(inner.get("manifests"), list):
            left += [(child, name) for child in objects(inner.get("manifests"))][::-1]
            continue
        yield _image(layout, component, name, item, inner, read, carried)


def _image(
    layout: bytes,
    component: str,
    name: str,
    item: Mapping[str, Any],
    manifest: Mapping[str, Any],
    read: Read,
    carried: Carried,
) -> ImageRow:
    layers = []
    for one in objects(manifest.get("layers")):
        blob, size = _blob(layout, one), one.get("size")
        there = bool(blob) and carried(blob)
        whole = size if isinstance(size, int) and not isinstance(size, bool) else 0
        layers.append(Layer(text(one.get("digest")), whole, text(one.get("mediaType")), there))
    config = manifest.get("config")
    missing = [layer.digest for layer in layers if not layer.carried]
    for each in (item, config):
        blob, digest = _blob(layout, each), text(dig(each, "digest"))
        if digest and not (blob and carried(blob)):
            missing.append(digest)
    platform = item.get("platform") or _read(layout, config, read)
    words = [text(dig(platform, key)) for key in ("os", "architecture", "variant")]
    return ImageRow(
        component,
        layout.decode("utf-8")[:-1],
        name,
        text(item.get("digest")),
        text(manifest.get("artifactType")) or text(item.get("mediaType")),
        "/".join(filter(None, words)),
        tuple(layers),
        tuple(sorted(missing)),
    )


def _read(layout: bytes, descriptor: Any, read: Read) -> dict[str, Any]:
    """Return the object in a blob; empty if it was not kept or is none."""
    blob = _blob(layout, descriptor)
    return object_of(read(blob)) if blob else {}


def _blob(layout: bytes, descriptor: Any) -> bytes:
    """Return the path of a blob; empty for one that has no digest of SHA-256."""
    digits = sha256_of(descriptor)
    return layout + b"blobs/sha256/" + digits.encode("ascii") if digits else b""
