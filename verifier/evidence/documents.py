"""What a document of evidence is, and what it claims to be about; nothing of it is judged here.

A document is known by its contents, not by its name.  What it holds becomes claims: a claim of a
statement counts for nothing before somebody whom policy names has signed it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from verifier.core.envelope import PAYLOAD_TYPE
from verifier.core.errors import KitError
from verifier.core.jsonstrict import NotStrict, olpc
from verifier.evidence.errors import EvidenceFormUnknown, EvidenceMalformed
from verifier.evidence.fields import Fields
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.forms import is_bundle, read_value, values_of
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.statement import (
    MAX_SIGNATURES,
    Envelope,
    Statement,
    parse_statement,
    read_statement,
)
from verifier.typed import Any, field, record

STATEMENT, BUNDLE, ENVELOPE, SBOM = "statement", "bundle", "envelope", "sbom"
LAYOUT, LINK, VEX, REPORT, OTHER = "layout", "link", "vex", "report", "other"
FORMS = (STATEMENT, BUNDLE, ENVELOPE, SBOM, LAYOUT, LINK, VEX, REPORT, OTHER)
JSON_NAMES = (".json", ".jsonl", ".sigstore", ".intoto", ".attestation", ".link", ".layout")
TRX = ".trx"  # test results of .NET, which are XML
SPDX, CYCLONEDX = "https://spdx.dev/Document", "https://cyclonedx.org/bom"
OPENVEX = "https://openvex.dev/ns"
NONE = "-"  # no type, or no subject that is compared
MAX_TYPE = 512  # characters of a type that is told
_TYPE = re.compile("[!-~]{1,512}")
_DIGESTS = {"sha256": re.compile("[0-9a-f]{64}"), "sha512": re.compile("[0-9a-f]{128}")}
_SPACE = b" \t\r\n"


@record(frozen=True)
class Claim:
    """One thing that a document holds.

    Attributes:
        form: One of `FORMS`.
        type: The predicate type, or what kind of document it is; ``-`` if there is none to tell.
        subjects: ``sha256:HEX`` or ``sha512:HEX`` each; ``-`` for one without such a digest.
        signed: What carries the signatures; None if nobody signed it by itself.
        statement: What is stated, if it is a statement; of a bundle or envelope an unproved claim.
        value: The parsed layout, link, VEX document or report; None for the others.
        where: The document, and the place in it.
        payload: What a signature is over, where the bundle does not hold it.
        in_kit: Whether the kit carries it, so that its signers vouch for the bytes.
    """

    form: str
    type: str = NONE
    subjects: tuple[str, ...] = (NONE,)
    signed: Bundle | Envelope | None = None
    statement: Statement | None = None
    value: Any = field(default=None, compare=False)
    where: str = ""
    payload: bytes = field(default=b"", compare=False)
    in_kit: bool = True


def is_json_by_name(path: str) -> bool:
    """Whether the name of a document says that it is JSON."""
    return path.lower().endswith(JSON_NAMES)


def looks_like_json(data: bytes) -> bool:
    """Whether a document begins as an object or array does; the rest decides."""
    return data[:64].lstrip(_SPACE)[:1] in (b"{", b"[")


def read_document(path: str, data: bytes) -> list[Claim]:
    """Return what a document holds; of one that is no JSON only that it is there.

    Raises:
        EvidenceMalformed: It is not of its form.
        EvidenceFormUnknown: It is of a form, or a version of one, that is not known here.
        EvidenceTooLarge: It is above a limit.
        CertificateMalformed: A certificate in it is none.
    """
    if path.lower().endswith(TRX):
        return [Claim(REPORT, "trx", where=path)]
    if not looks_like_json(data) and not is_json_by_name(path):
        return [Claim(OTHER, where=path)]
    claims: list[Claim] = []
    for value, place in values_of(data, path):
        claims += _claims(value, place)
    return claims


def _claims(value: Any, where: str) -> Iterator[Claim]:
    if not isinstance(value, dict):
        yield Claim(OTHER, where=where)
        return
    form, kind = kind_of(value)
    if form in (SBOM, VEX, REPORT):
        kept = None if form == SBOM else value  # there may be many, and large ones
        yield Claim(form, kind, value=kept, where=where)
    elif form in (LAYOUT, LINK):
        yield _of_intoto(value, where)
    elif form == STATEMENT:
        yield of_statement(STATEMENT, read_statement(value, where), None, where)
    else:
        signed = list(read_value(value, where)) if _is_signed(value) else []
        if not signed:  # or a file of several that holds none
            yield Claim(OTHER, where=where)
        for number, each in enumerate(signed):
            yield claim_of(each, where if not number else f"{where}, number {number + 1}")


def kind_of(value: Any) -> tuple[str, str]:
    """Return form and type of a document by what it says of itself; `OTHER` if that is nothing.

    What is signed around it, as bundles and envelopes are, is not asked about here.
    """
    if not isinstance(value, dict):
        return OTHER, NONE
    plain = _plain_kind(value)
    if plain is not None:
        return plain
    intoto = _metablock(value)
    if intoto is not None:
        return intoto, f"in-toto:{intoto}"
    if isinstance(value.get("_type"), str) and "/Statement/" in value["_type"]:
        kind = value.get("predicateType")
        return STATEMENT, kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else NONE
    return OTHER, NONE


def _is_signed(value: Mapping[str, Any]) -> bool:
    """Whether it has the shape of a bundle, an envelope, or a file of several."""
    return (
        is_bundle(value)
        or ("payloadType" in value and "payload" in value)
        or "verification_material" in value
        or "attestation_bundles" in value
        or isinstance(value.get("attestations"), list)
        or isinstance(value.get("provenance_summary"), dict)
    )


def _plain_kind(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return form and type of a document that carries no signature; None if it is none of them."""
    context = value.get("@context")
    if isinstance(value.get("spdxVersion"), str):
        return SBOM, SPDX
    if value.get("bomFormat") == "CycloneDX":
        return SBOM, CYCLONEDX
    if isinstance(context, str) and context.startswith("https://spdx.org/rdf/"):
        return SBOM, SPDX
    if isinstance(context, str) and context.startswith(OPENVEX):
        return VEX, context if _TYPE.fullmatch(context) else NONE
    if isinstance(value.get("runs"), list) and isinstance(value.get("version"), str):
        return REPORT, "sarif"
    if isinstance(value.get("matches"), list) and isinstance(value.get("descriptor"), dict):
        return REPORT, "grype"
    if isinstance(value.get("SchemaVersion"), int) and "ArtifactName" in value:
        return REPORT, "trivy"
    return None


# --- what is signed ------------------------------------------------------------------------------


def claim_of(signed: Bundle | Envelope, where: str) -> Claim:
    """Return the claim that a bundle or envelope is.

    Raises:
        EvidenceFormUnknown: It holds a Statement of another version.
        StatementMalformed: It holds one that is none.
        EvidenceTooLarge: It is above a limit.
    """
    envelope = signed.envelope if isinstance(signed, Bundle) else signed
    form = BUNDLE if isinstance(signed, Bundle) else ENVELOPE
    if envelope is None:
        assert isinstance(signed, Bundle)
        return Claim(form, NONE, (_of_message(signed),), signed, where=where)
    inner = _intoto_payload(envelope)
    if inner is not None:
        return Claim(inner[0], inner[1], signed=signed, value=inner[2], where=where)
    try:
        statement = parse_statement(envelope, where)
    except EvidenceFormUnknown:
        if envelope.payload_type == PAYLOAD_TYPE:
            raise
        kind = envelope.payload_type
        return Claim(form, kind if _TYPE.fullmatch(kind) else NONE, signed=signed, where=where)
    return of_statement(form, statement, signed, where)


def of_statement(
    form: str, statement: Statement, signed: Bundle | Envelope | None, where: str
) -> Claim:
    """Return the claim that a statement is."""
    subjects = sorted({told_digest(subject.digest) for subject in statement.subjects})
    kind = statement.predicate_type
    kind = kind if _TYPE.fullmatch(kind) else NONE
    return Claim(form, kind, tuple(subjects), signed, statement, where=where)


def told_digest(digest: Mapping[str, str]) -> str:
    """Return how a subject is told: by SHA-256, else by SHA-512, else not at all."""
    for name, pattern in _DIGESTS.items():
        if name in digest and pattern.fullmatch(digest[name]):
            return f"{name}:{digest[name]}"
    return NONE


def _of_message(bundle: Bundle) -> str:
    message = bundle.message
    if message is None or message.hash_name not in _DIGESTS or not message.digest:
        return NONE
    return told_digest({message.hash_name: message.digest.hex()})


# --- in-toto's own metadata ----------------------------------------------------------------------


class Metablock(Envelope):
    """An older file of in-toto, whose signatures are over OLPC canonical JSON and not over PAE."""

    @property
    def signed(self) -> bytes:
        """What a signature is over."""
        return self.payload


def _metablock(value: Mapping[str, Any]) -> str | None:
    """Return what an older in-toto file holds; None if it is none."""
    signed = value.get("signed")
    if not isinstance(signed, dict) or not isinstance(value.get("signatures"), list):
        return None
    kind = signed.get("_type")
    return kind if kind in (LAYOUT, LINK) else None


def _of_intoto(value: Mapping[str, Any], where: str) -> Claim:
    kind = _metablock(value)
    assert kind is not None
    try:
        signed = olpc(value["signed"])
    except (NotStrict, TypeError, ValueError) as reason:
        raise EvidenceMalformed(str(reason), where=where) from None
    signatures = []
    for each in Fields(value, where, EvidenceMalformed).each("signatures", MAX_SIGNATURES):
        try:
            signatures.append((each.text("keyid"), bytes.fromhex(each.text("sig"))))
        except ValueError:
            raise each.wrong("not hexadecimal", "sig") from None
    block = Metablock(signed, "", tuple(signatures))
    return Claim(kind, f"in-toto:{kind}", signed=block, value=value["signed"], where=where)


def _intoto_payload(envelope: Envelope) -> tuple[str, str, Any] | None:
    """Return form, type and value of a layout or link in an envelope; None if it is neither."""
    if envelope.payload_type != PAYLOAD_TYPE or b'"_type"' not in envelope.payload:
        return None
    try:
        value = parse_foreign(envelope.payload, "payload")
    except KitError:
        return None
    kind = value.get("_type") if isinstance(value, dict) else None
    return (kind, f"in-toto:{kind}", value) if kind in (LAYOUT, LINK) else None


# --- sameness ------------------------------------------------------------------------------------


def content_of(statement: Statement) -> str:
    """Return what makes a statement this one: digests, type and predicate, whoever signed it.

    Two people who sign the same statement may spell its JSON in two ways.
    """
    subjects = sorted(json.dumps(dict(each.digest), sort_keys=True) for each in statement.subjects)
    return json.dumps([subjects, statement.predicate_type, statement.predicate], sort_keys=True)


def check_object(value: Any, where: str) -> Fields:
    """Return a value that must be an object.

    Raises:
        EvidenceMalformed: It is none.
    """
    return Fields(value, where, EvidenceMalformed)


def types_of(claims: Sequence[Claim]) -> list[str]:
    """Return the types that are claimed, each once, sorted."""
    return sorted({claim.type for claim in claims} - {NONE})
