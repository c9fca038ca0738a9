"""What a transparency log says of an entry: its promise (SET), and its proof with a checkpoint."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from verifier.core.jsonstrict import compact
from verifier.evidence.errors import EvidenceMalformed
from verifier.evidence.sigstore.bundle import LogEntry, Proof
from verifier.evidence.sigstore.checkpoint import is_by, parse_checkpoint
from verifier.evidence.sigstore.errors import (
    CheckpointInvalid,
    CheckpointMismatch,
    CheckpointMissing,
    LogPromiseInvalid,
    LogPromiseMissing,
    LogProofInvalid,
    LogProofMissing,
    LogUntrusted,
)
from verifier.evidence.sigstore.merkle import leaf_hash, root_of
from verifier.evidence.sigstore.roots import Log

_WHERE = "log entry"


def promised_time(entry: LogEntry, logs: Sequence[Log]) -> int | None:
    """Return when a log of the trusted root says that it took an entry, in milliseconds.

    None if there is no promise, so that nobody has signed the time that the bundle states.

    Args:
        logs: Those of the trusted root that the entry names.

    Raises:
        LogPromiseInvalid: None of them signed it.
        LogUntrusted: The one that did does not count at that time.
        EvidenceMalformed: The promise is about no time.
    """
    if not entry.promise:
        return None
    if entry.integrated is None:
        raise EvidenceMalformed("a promise without a time", where=_WHERE)
    signed = compact(  # RFC 8785 of these four
        {
            "body": base64.b64encode(entry.body).decode("ascii"),
            "integratedTime": entry.integrated,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        }
    )
    signers = [log for log in logs if log.key.verify(signed, entry.promise, log.hash_name)]
    if not signers:
        raise LogPromiseInvalid("the log did not sign the entry at this time", where=_WHERE)
    moment = entry.integrated * 1000
    check_period(signers, [moment])
    return moment


def check_period(logs: Sequence[Log], moments: Sequence[int]) -> list[Log]:
    """Return the logs that count at all moments.

    Raises:
        LogUntrusted: There is none.
    """
    found = [log for log in logs if all(map(log.covers, moments))]
    if not found:
        raise LogUntrusted("the trusted root does not name the log at that time", where=_WHERE)
    return found


def check_inclusion(entry: LogEntry, logs: Sequence[Log], version: int) -> None:
    """Hold an entry to its proof, which only a bundle of version 0.1 may do without.

    Args:
        logs: Those of the trusted root that the entry names, at the time of the signature.
        version: The bundle's.

    Raises:
        LogPromiseMissing: A bundle of version 0.1 has no promise.
        LogProofMissing: The entry has no proof and needs one.
        KitError: The proof, or its checkpoint, is not what it should be.
    """
    if version == 1 and not entry.promise:
        raise LogPromiseMissing("a bundle of version 0.1 needs the log's promise", where=_WHERE)
    if entry.proof is None:
        if version > 1:
            raise LogProofMissing("a bundle from version 0.2 on needs it", where=_WHERE)
        return
    _check_proof(entry, entry.proof, logs)


def _check_proof(entry: LogEntry, proof: Proof, logs: Sequence[Log]) -> None:
    if not proof.checkpoint:
        raise CheckpointMissing("the inclusion proof has no checkpoint", where=_WHERE)
    checkpoint = parse_checkpoint(proof.checkpoint)
    if not any(is_by(checkpoint, log) for log in logs):
        raise CheckpointInvalid("not signed by the log that the entry names", where="checkpoint")
    if (checkpoint.size, checkpoint.root) != (proof.size, proof.root):
        raise CheckpointMismatch("the checkpoint is of another tree than the proof", where=_WHERE)
    if root_of(leaf_hash(entry.body), proof.index, proof.size, proof.path) != proof.root:
        raise LogProofInvalid("the hashes do not lead to the root", where=_WHERE)
