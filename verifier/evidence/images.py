"""What the image layouts of a kit hold: images, and cosign's signatures in all of its forms.

Every blob is a member of the kit, so its digest is proved; whether it can be reached from the index
of its layout does not matter (`cosign save` writes bundles that its own index does not name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verifier.core.errors import KitError
from verifier.core.model import STATEMENT_TYPE
from verifier.evidence.conditions import objects
from verifier.evidence.documents import BUNDLE, Claim, claim_of, read_document
from verifier.evidence.errors import EvidenceMalformed, EvidenceTooLarge
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.imagelist import object_of, sha256_of
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
        for number, layer in enumerate(objects(manifest.get("layers")), 1):
            digest = sha256_of(layer)
            data = layout.blobs.get(digest)
            where = f"{layout.path}blobs/sha256/{digest}"
            if data is None or number > MAX_LAYERS:
                why = layout.missed.get(digest, "")
                if number > MAX_LAYERS:
                    why = f"it is behind the first {MAX_LAYERS} layers of its manifest"
                if why and _is_signed(layer.get("mediaType")):
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
