"""The signed statements of a kit: who signed them, what they are about, what they say.

Judged here are the signatures that the root of trust suffices for: those of kit signers.  Who else
may attest is for a policy to say; what nobody has asked for is reported as unjudged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from verifier.audit.model import BAD, GOOD, UNJUDGED, AttestationRow, SubjectRow
from verifier.core.errors import KitError
from verifier.core.signature import Key
from verifier.core.trust import Root
from verifier.evidence.errors import BundleSignatureInvalid
from verifier.evidence.sigstore.bundle import Bundle
from verifier.evidence.sigstore.x509 import oidc_issuers
from verifier.evidence.statement import Envelope, Statement, Subject, parse_statement
from verifier.typed import record, replace

MAX_SUBJECTS = 100  # of one statement that are listed; the rest is counted
_FORGED = "it names the key of a kit signer, and is not by it"
NO_POLICY = "it is not by a kit signer, and no policy says who else may attest"


@record(frozen=True)
class Said:
    """A statement with who is proved to have made it.

    Attributes:
        path: The document it is in.
        by: Names of kit signers; empty if nothing is proved.
    """

    path: str
    statement: Statement
    by: tuple[str, ...]


@record(frozen=True)
class Signed:
    """One signature over something, as far as it was judged."""

    row: AttestationRow
    said: Said | None


class KitSigners:
    """Those who may sign kits, as judges of envelopes: the keys of the root in force.

    Args:
        root: The root; None where there is none, and so nobody.
    """

    def __init__(self, root: Root | None) -> None:
        self._keys: tuple[Key, ...] = tuple(root.targets.keys.values()) if root is not None else ()

    def signed(self, envelope: Envelope) -> tuple[str, ...]:
        """Return the names of those who signed an envelope, each once, sorted.

        A keyid is a hint (DSSE 1.0, protocol): it says which key is tried first.
        """
        message = envelope.signed
        found: set[str] = set()
        for keyid, signature in envelope.signatures:
            for key in sorted(self._keys, key=lambda key: key.keyid != keyid):
                if key.verify(message, signature, low_s=False):
                    found.add(key.signer)
                    break
        return tuple(sorted(found))

    def named(self, envelope: Envelope) -> tuple[str, ...]:
        """Return whose keys an envelope names; it proves nothing."""
        keyids = {keyid for keyid, _ in envelope.signatures}
        return tuple(sorted({key.signer for key in self._keys if key.keyid in keyids}))


def judge_documents(
    path: str, found: Sequence[Bundle | Envelope], signers: KitSigners
) -> Iterator[Signed]:
    """Yield a row for each signature in a document, with its statement where it has one."""
    for number, item in enumerate(found, start=1):
        place = f"number {number}" if len(found) > 1 else ""
        if isinstance(item, Envelope):
            yield _judge(path, place, "envelope", item, signers.signed(item), signers.named(item))
        elif item.envelope is not None:
            by = signers.signed(item.envelope) if item.certificate is None else ()
            yield _judge(path, place, "bundle", item.envelope, by, _claimed(item))
        else:
            yield Signed(_of_artifact(path, place, item), None)


def _judge(
    path: str,
    place: str,
    form: str,
    envelope: Envelope,
    by: tuple[str, ...],
    claimed: tuple[str, ...],
) -> Signed:
    where = f"{path}, {place}" if place else path
    try:
        statement = parse_statement(envelope, where)
    except KitError as error:
        verdict = BAD if by else UNJUDGED
        row = AttestationRow(
            *(path, place, form, envelope.payload_type, (), 0, verdict, by, claimed),
            code=error.code,
            message=error.message,
        )
        return Signed(row, None)
    forged = form == "envelope" and bool(claimed) and not by
    row = AttestationRow(
        path,
        place,
        form,
        statement.predicate_type,
        tuple(map(_subject, statement.subjects[:MAX_SUBJECTS])),
        len(statement.subjects),
        GOOD if by else BAD if forged else UNJUDGED,
        by,
        () if by else claimed,
        code=BundleSignatureInvalid.code if forged else "",
        message=_FORGED if forged else "" if by else NO_POLICY,
    )
    return Signed(row, Said(path, statement, by))


def _claimed(bundle: Bundle) -> tuple[str, ...]:
    if bundle.certificate is None:
        return ()
    try:
        issuers = ", ".join(oidc_issuers(bundle.certificate))
    except KitError:
        issuers = ""
    return tuple(f"{name} ({issuers})" if issuers else name for name in bundle.certificate.names)


def _of_artifact(path: str, place: str, bundle: Bundle) -> AttestationRow:
    message = bundle.message
    subject: tuple[SubjectRow, ...] = ()
    if message is not None and message.digest:
        subject = (SubjectRow("", f"{message.hash_name}:{message.digest.hex()}", ""),)
    return AttestationRow(
        *(path, place, "bundle", "", subject, len(subject), UNJUDGED, (), _claimed(bundle)),
        message=NO_POLICY,
    )


def _subject(subject: Subject) -> SubjectRow:
    name = "sha256" if "sha256" in subject.digest else min(subject.digest)
    return SubjectRow(subject.name, f"{name}:{subject.digest[name]}", "")


def with_places(rows: Iterable[AttestationRow], known: Mapping[str, str]) -> list[AttestationRow]:
    """Return rows whose subjects say what of the kit they are.

    Args:
        rows: As they were judged.
        known: From ``sha256:HEX`` to what of the kit has that digest.
    """
    made = []
    for row in rows:
        subjects = tuple(
            SubjectRow(one.name, one.digest, known.get(one.digest, "")) for one in row.subjects
        )
        made.append(replace(row, subjects=subjects))
    return made
