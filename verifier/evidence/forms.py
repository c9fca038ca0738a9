"""Documents of evidence as others write them, and the bundles and envelopes that are in them.

Known are: a sigstore bundle, a DSSE envelope, several of either with a line each
(``.intoto.jsonl``), the attestations of an npm package, those of PEP 740, alone or in the
provenance file of an index, and what Google's Artifact Registry says of an image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from verifier.core.envelope import PAYLOAD_TYPE
from verifier.evidence.errors import EvidenceFormUnknown, EvidenceMalformed, EvidenceTooLarge
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import MAX_BYTES, parse_foreign
from verifier.evidence.sigstore.bundle import Bundle, read_bundle
from verifier.evidence.statement import Envelope, parse_envelope
from verifier.typed import Any

MAX_DOCUMENTS = 4096  # in one file
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def read_evidence(data: bytes, where: str) -> list[Bundle | Envelope]:
    """Return the bundles and envelopes in a file; nothing of them is judged.

    Raises:
        EvidenceMalformed: It is not of its form.
        EvidenceFormUnknown: It is of a form, or a version of one, that is not known here.
        EvidenceTooLarge: It is above a limit.
        CertificateMalformed: A certificate in it is none.
    """
    found: list[Bundle | Envelope] = []
    for value, place in values_of(data, where):
        found += read_value(value, place)
    return found


def values_of(data: bytes, where: str) -> Iterator[tuple[Any, str]]:
    """Yield the JSON values of a file: of each line, if it has several and each is an object.

    Raises:
        EvidenceMalformed: It is no JSON.
        EvidenceTooLarge: It is above a limit.
    """
    if len(data) > MAX_BYTES:
        raise EvidenceTooLarge(f"more than {MAX_BYTES} bytes", where=where)
    lines = [line.strip() for line in data.split(b"\n")]
    lines = [line for line in lines if line]
    if len(lines) < 2 or not all(line[:1] + line[-1:] == b"{}" for line in lines):
        yield parse_foreign(data, where), where
        return
    if len(lines) > MAX_DOCUMENTS:
        raise EvidenceTooLarge(f"more than {MAX_DOCUMENTS} lines", where=where)
    for number, line in enumerate(lines, start=1):
        place = f"{where}, line {number}"
        yield parse_foreign(line, place), place


def read_value(value: Any, where: str) -> Iterator[Bundle | Envelope]:
    """Yield the bundles and envelopes in a value of JSON.

    Raises:
        KitError: As `read_evidence` says.
    """
    fields = Fields(value, where, EvidenceMalformed)
    if is_bundle(value):
        yield read_bundle(value)
    elif fields.has("payloadType"):
        yield parse_envelope(fields)
    elif fields.has("attestations"):  # of an npm package
        for each in fields.each("attestations", MAX_DOCUMENTS):
            yield read_bundle(each.value("bundle"))
    elif fields.has("attestation_bundles"):  # PEP 740, of an index
        _check_version(fields)
        for each in fields.each("attestation_bundles", MAX_DOCUMENTS):
            for one in each.each("attestations", MAX_DOCUMENTS):
                yield _attestation(one)
    elif fields.has("verification_material"):  # PEP 740
        yield _attestation(fields)
    elif fields.has("provenance_summary"):  # `gcloud artifacts docker images describe`, as JSON
        summary = fields.at("provenance_summary")
        for each in summary.each("provenance", MAX_DOCUMENTS):
            if each.has("envelope"):  # else nobody signed it: what stands beside it proves nothing
                yield parse_envelope(each.at("envelope"))
    else:
        raise EvidenceFormUnknown("no form of evidence that is known", where=where)


def is_bundle(value: Mapping[str, Any]) -> bool:
    """Whether an object says that it is a sigstore bundle, of whatever version."""
    kind = value.get("mediaType")
    return isinstance(kind, str) and "sigstore.bundle" in kind


def _check_version(fields: Fields) -> None:
    if fields.number("version") != 1:
        raise EvidenceFormUnknown("of another version than 1", where=fields.where)


def _attestation(fields: Fields) -> Bundle:
    """Return an attestation of PEP 740 as the bundle that it was made from.

    It says nothing of the payload's type, which PEP 740 fixes.
    """
    _check_version(fields)
    material, envelope = fields.at("verification_material"), fields.at("envelope")
    return read_bundle(
        {
            "mediaType": _BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": material.text("certificate")},
                "tlogEntries": material.array("transparency_entries", MAX_DOCUMENTS),
            },
            "dsseEnvelope": {
                "payload": envelope.text("statement"),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": envelope.text("signature")}],
            },
        }
    )
