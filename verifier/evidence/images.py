"""What the image layouts of a kit hold: images, and cosign's signatures in all of its forms.

Every blob is a member of the kit, so its digest is proved; whether it can be reached from the index
of its layout does not matter (`cosign save` writes bundles that its own index does not name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from verifier.core.errors import KitError
from verifier.core.model import STATEMENT_TYPE
from verifier.evidence.conditions import dig, objects
from verifier.evidence.documents import BUNDLE, Claim, claim_of, read_document
from verifier.evidence.errors import EvidenceMalformed, EvidenceTooLarge
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import NotForeign, parse_foreign, read_foreign
from verifier.evidence.simplesigning import (
    KINDS,
    MEDIA_TYPE,
    parse_payload,
    read_attestation,
    read_layer,
)
from verifier.evidence.statement import Statement, Subject, parse_envelope
from verifier.typed import Any, field, record

MAX_BLOB = 256 << 10  # bytes of a blob that is looked into: manifests, signatures, attestations
MAX_LAYERS = 256  # of one manifest
COSIGN_SIGN = KINDS[1]
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_KIND = "kind"
_SHA256 = re.compile("sha256:([0-9a-f]{64})")
_NOT_IMAGES = ("dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts")


@record(frozen=True)
class Layout:
    """An OCI image layout in the kit.

    Attributes:
        path: Its directory, with a final ``/``; empty for the kit itself.
        index: Its index.json; None if it was not read.
        blobs: Small blobs by SHA-256.
        missed: Why others were not looked into.
    """

    path: str
    index: bytes | None
    blobs: Mapping[str, bytes]
    missed: Mapping[str, str] = field(default_factory=dict)


def object_of(data: bytes | None) -> dict[str, Any]:
    """Return what a blob is as JSON; empty if it is something else, which most blobs are."""
    if data is None or data[:1] != b"{":
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


def images_of(layout: Layout) -> list[str] | None:
    """Return the SHA-256 of each image that a layout names, without what is said about images."""
    index = object_of(layout.index)
    if not isinstance(index.get("manifests"), list):
        return None
    found = []
    for each in objects(index["manifests"]):
        digest = sha256_of(each)
        manifest = object_of(layout.blobs.get(digest))
        name = dig(each, "annotations", "org.opencontainers.image.ref.name")
        tagged = isinstance(name, str) and name.rpartition(":")[2].startswith("sha256-")
        if digest and not tagged and not _is_about(each, manifest):
            found.append(digest)
    return sorted(set(found))


def _is_about(entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Whether an entry is a signature, an attestation or another artifact about an image."""
    return dig(entry, "annotations", _KIND) in _NOT_IMAGES or "subject" in manifest


def lists_of(data: bytes) -> tuple[str, ...]:
    """Return the SHA-256 of the manifests that an image index lists; none if it is no index."""
    value = object_of(data) if b'"manifests"' in data else {}
    if not isinstance(value.get("manifests"), list):
        return ()
    return tuple(filter(None, map(sha256_of, objects(value["manifests"]))))


def claims_in(layout: Layout) -> Iterator[tuple[str, str, list[Claim] | KitError]]:
    """Yield what is said of images: path and SHA-256 of a blob, and its claims or what is wrong."""
    for manifest_digest in sorted(layout.blobs):
        manifest = object_of(layout.blobs[manifest_digest])
        for layer in list(objects(manifest.get("layers")))[:MAX_LAYERS]:
            digest = sha256_of(layer)
            data = layout.blobs.get(digest)
            where = f"{layout.path}blobs/sha256/{digest}"
            if data is None:
                if digest in layout.missed and _is_signed(layer.get("mediaType")):
                    why = layout.missed[digest]
                    yield where, digest, EvidenceTooLarge(f"it was not read: {why}", where=where)
                continue
            try:
                claims = list(_claims(layer, data, where))
            except KitError as error:
                yield where, digest, error
                continue
            if claims:
                yield where, digest, claims


def _is_signed(media_type: Any) -> bool:
    """Whether a layer is a signature or an attestation, by what its manifest says."""
    return isinstance(media_type, str) and (
        media_type in (MEDIA_TYPE, ENVELOPE) or "sigstore.bundle" in media_type
    )


def _claims(layer: Mapping[str, Any], data: bytes, where: str) -> Iterator[Claim]:
    kind = layer.get("mediaType")
    given = layer.get("annotations")
    annotations = given if isinstance(given, dict) else {}
    texts = {name: text for name, text in annotations.items() if isinstance(text, str)}
    if kind == MEDIA_TYPE:
        yield _of_simple_signing(texts, data, where)
    elif kind == ENVELOPE:
        fields = Fields(parse_foreign(data, where), where, EvidenceMalformed)
        yield claim_of(read_attestation(texts, parse_envelope(fields)), where)
    elif isinstance(kind, str) and "sigstore.bundle" in kind:
        yield from read_document(f"{where}.json", data)


def _of_simple_signing(annotations: Mapping[str, str], data: bytes, where: str) -> Claim:
    """Return cosign's older signature as the statement that it writes today (`cosign sign`)."""
    payload = parse_payload(data)
    subject = Subject(payload.reference, {"sha256": payload.digest[7:]})
    statement = Statement(STATEMENT_TYPE, (subject,), COSIGN_SIGN, dict(payload.optional))
    return Claim(
        BUNDLE,
        COSIGN_SIGN,
        (payload.digest,),
        read_layer(annotations),
        statement,
        where=where,
        payload=data,
    )
