"""The images of OCI layouts in a kit: their manifests, platforms, layers, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from verifier.audit.model import ImageRow, Layer
from verifier.core.errors import KitError
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.sbom import objects, text
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
    value = _json(read(layout + b"index.json"), layout)
    left = [(item, "") for _, item in objects(_get(value, "manifests"))][::-1]
    seen = 0
    while left and seen < MAX_IMAGES:
        seen += 1
        item, name = left.pop()
        digest, media_type = text(item.get("digest")), text(item.get("mediaType"))
        annotations = item.get("annotations")
        own = annotations.get(_NAME) if isinstance(annotations, dict) else ""
        name = text(own) or name
        blob = _blob(layout, digest)
        inner = _json(read(blob), layout) if blob else None
        if media_type in _INDEXES or isinstance(_get(inner, "manifests"), list):
            left += [(child, name) for _, child in objects(_get(inner, "manifests"))][::-1]
            continue
        yield _image(layout, component, name, item, inner, read, carried)


def _image(
    layout: bytes,
    component: str,
    name: str,
    item: dict[str, Any],
    manifest: Any,
    read: Read,
    carried: Carried,
) -> ImageRow:
    layers = []
    for _, one in objects(_get(manifest, "layers")):
        digest = text(one.get("digest"))
        size = one.get("size")
        blob = _blob(layout, digest)
        there = bool(blob) and carried(blob)
        whole = size if isinstance(size, int) and not isinstance(size, bool) else 0
        layers.append(Layer(digest, whole, text(one.get("mediaType")), there))
    config = text(_get(_get(manifest, "config"), "digest"))
    missing = [layer.digest for layer in layers if not layer.carried]
    for digest in (text(item.get("digest")), config):
        blob = _blob(layout, digest)
        if digest and not (blob and carried(blob)):
            missing.append(digest)
    platform = item.get("platform") or _json(read(_blob(layout, config)), layout)
    words = [text(_get(platform, key)) for key in ("os", "architecture", "variant")]
    return ImageRow(
        component,
        layout.decode("utf-8")[:-1],
        name,
        text(item.get("digest")),
        text(_get(manifest, "artifactType")) or text(item.get("mediaType")),
        "/".join(filter(None, words)),
        tuple(layers),
        tuple(sorted(missing)),
    )


def _blob(layout: bytes, digest: str) -> bytes:
    """Return the path of a blob; empty for what is no digest of SHA-256."""
    algorithm, _, digits = digest.partition(":")
    if algorithm != "sha256" or len(digits) != 64 or digits.strip("0123456789abcdef"):
        return b""
    return layout + b"blobs/sha256/" + digits.encode("ascii")


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _json(data: bytes | None, layout: bytes) -> Any:
    """Return the value of a document; None if it is none: then nothing is known of the image."""
    if data is None:
        return None
    try:
        return parse_foreign(data, repr(layout))
    except KitError:
        return None
