"""Reads the evidence of a kit, document by document, into what an audit is made of."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.audit.model import AttestationRow, DocumentRow, Unchecked
from verifier.audit.origins import LOCK, Origin, read_lock
from verifier.audit.signed import Said, Signed
from verifier.core.errors import KitError
from verifier.evidence.documents import NONE, OTHER, REPORT, SBOM, TRX, kind_of
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.index import PATH
from verifier.evidence.sbom import NotAnSbom, Sbom, read_sbom
from verifier.evidence.scans import Scan, read_scan
from verifier.evidence.statement import Statement
from verifier.evidence.vex import VexStatement, is_openvex, read_vex
from verifier.typed import Any, field, record

KIT_SIGNERS = "kit signers"
_SBOM_PREDICATES = ("https://spdx.dev/Document", "https://cyclonedx.org/bom")


@record(frozen=True)
class FoundScan:
    """A scan with where it stands, who is proved to say so, and what it is about."""

    path: str
    by: str
    scan: Scan
    about: tuple[str, ...]


@record(frozen=True)
class FoundVex:
    """A VEX statement with where it stands, and who is proved to say so; empty if nobody is.

    Attributes:
        about: ``sha256:HEX`` of what the statement around it is about; empty without one.
    """

    path: str
    by: str
    statement: VexStatement
    about: tuple[str, ...]


@record
class Documents:
    """All that was read.

    Attributes:
        sboms: Those that lie in the kit as they are; they count for coverage.
        attested: Those inside of signed statements.
        signed: Statements, for whoever looks up what their digests are.
    """

    sboms: list[tuple[str, Sbom]] = field(default_factory=list)
    attested: list[tuple[str, Sbom]] = field(default_factory=list)
    attestations: list[AttestationRow] = field(default_factory=list)
    scans: list[FoundScan] = field(default_factory=list)
    vex: list[FoundVex] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    others: list[DocumentRow] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)


def read_documents(
    carried: Iterable[tuple[str, bytes]], later: Iterable[tuple[str, bytes]], signed: Signed
) -> Documents:
    """Read every document of a kit that is proved, and those that came later.

    Args:
        carried: Path and contents of the evidence in the kit: as its signers signed it.
        later: The same of files that were given beside it: nobody vouches for them as they are.
        signed: What is signed in them, judged already.
    """
    made = Documents(attestations=list(signed.rows), unchecked=list(signed.unchecked))
    known = {row.path for row in signed.rows}.union(item.what for item in signed.unchecked)
    for path, data in carried:
        if path not in known and path != PATH:
            _read(made, path, data, KIT_SIGNERS)
    for path, data in later:
        if path not in known:
            _read(made, path, data, "")
    for said in signed.said:
        _read_predicate(made, said)
    return made


def _read(made: Documents, path: str, data: bytes, by: str) -> None:
    if path == LOCK and by:
        made.origins += read_lock(data)
        made.others.append(DocumentRow(path, "lock", ""))
        return
    if path.lower().endswith(TRX):
        made.others.append(DocumentRow(path, REPORT, "trx"))
        return
    if data.lstrip()[:1] not in (b"{", b"["):
        made.others.append(DocumentRow(path, "other", "no JSON"))
        return
    try:
        _read_plain(made, path, parse_foreign(data, path), by)
    except KitError as error:
        made.unchecked.append(Unchecked(path, f"{error.code}: {error.message}"))


def _read_predicate(made: Documents, said: Said) -> None:
    statement, by = said.statement, ", ".join(said.by)
    kind, predicate = statement.predicate_type, statement.predicate
    about = _about(statement)
    scan = read_scan(predicate, kind)
    if scan is not None:
        made.scans.append(FoundScan(said.path, by, scan, (*scan.about, *about)))
    if is_openvex(predicate):
        made.vex += (FoundVex(said.path, by, one, about) for one in read_vex(predicate))
    if kind.startswith(_SBOM_PREDICATES):
        try:
            made.attested.append((said.path, read_sbom(predicate)))
        except NotAnSbom as error:
            made.unchecked.append(Unchecked(said.path, f"its SBOM {error}"))


def _about(statement: Statement) -> tuple[str, ...]:
    digests = (one.digest.get("sha256", "") for one in statement.subjects)
    return tuple(f"sha256:{digits}" for digits in digests if digits)


def _read_plain(made: Documents, path: str, value: Any, by: str) -> None:
    """Read a document that is not signed itself: in the kit, its signers vouch for its bytes."""
    scan = read_scan(value)
    if scan is not None:
        made.scans.append(FoundScan(path, by, scan, scan.about))
    made.vex += (FoundVex(path, by, one, ()) for one in read_vex(value))
    try:
        sbom = read_sbom(value)
    except NotAnSbom as error:
        form, kind = kind_of(value)
        if form in (OTHER, SBOM) and _looks_like_an_sbom(value):
            made.unchecked.append(Unchecked(path, f"it {error}"))
            form, kind = OTHER, NONE
        if scan is not None:
            form, kind = "scan", scan.scanner
        made.others.append(DocumentRow(path, form, "" if kind == NONE else kind))
        return
    (made.sboms if by else made.attested).append((path, sbom))


def _looks_like_an_sbom(value: Any) -> bool:
    return isinstance(value, dict) and any(
        name in value for name in ("spdxVersion", "bomFormat", "specVersion")
    )
