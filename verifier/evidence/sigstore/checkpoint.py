"""Checkpoints: what a log signs of its size and root (C2SP tlog-checkpoint, signed-note)."""

from __future__ import annotations

import hashlib
import re

from verifier.core.jsonstrict import NotStrict, parse_base64
from verifier.evidence.sigstore.errors import CheckpointMalformed
from verifier.evidence.sigstore.keys import ED25519
from verifier.evidence.sigstore.roots import Log
from verifier.typed import record

MAX_CHECKPOINT = 64 << 10  # bytes
MAX_LINES = 128  # signatures; a log has a handful of witnesses
_WHERE = "checkpoint"
_SIGNATURE = re.compile("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_ALGORITHM_ED25519 = b"\1"


@record(frozen=True)
class Checkpoint:
    """A checkpoint whose signatures nobody has judged yet.

    Attributes:
        origin: The log's name for itself.
        size: Entries of the tree.
        root: Its hash.
        signed: What signatures are over.
        signatures: Name, key hint of four bytes, and signature of each line.
    """

    origin: str
    size: int
    root: bytes
    signed: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]


def parse_checkpoint(text: str) -> Checkpoint:
    """Return a checkpoint.

    Raises:
        CheckpointMalformed: It is none.
    """
    body, blank, lines = text.rpartition("\n\n")
    head = body.split("\n")
    if len(text) > MAX_CHECKPOINT or not blank or len(head) < 3 or not _SIZE.fullmatch(head[1]):
        raise CheckpointMalformed("not origin, size, root hash and signatures", where=_WHERE)
    try:
        root = parse_base64(head[2], "the root hash")
    except NotStrict as reason:
        raise CheckpointMalformed(str(reason), where=_WHERE) from None
    if not head[0] or len(root) != 32:
        raise CheckpointMalformed("no origin, or a root hash that is not 32 bytes", where=_WHERE)
    signed = (body + "\n").encode("utf-8")
    return Checkpoint(head[0], int(head[1]), root, signed, _signatures(lines))


def _signatures(text: str) -> tuple[tuple[str, bytes, bytes], ...]:
    lines = text.split("\n")
    if lines.pop() or len(lines) > MAX_LINES:
        raise CheckpointMalformed("its last line has no end, or it has too many", where=_WHERE)
    found = []
    for line in lines:
        parts = _SIGNATURE.fullmatch(line)
        try:
            data = parse_base64(parts[2] if parts else None, "a signature")
        except NotStrict as reason:
            raise CheckpointMalformed(str(reason), where=_WHERE) from None
        if parts is None or len(data) < 5:
            raise CheckpointMalformed("a signature is too short", where=_WHERE)
        found.append((parts[1], data[:4], data[4:]))
    return tuple(found)


def is_by(checkpoint: Checkpoint, log: Log) -> bool:
    """Return whether a log signed a checkpoint; lines of witnesses and of others count for nothing.

    Raises:
        EvidenceAlgorithmUnknown: The log's key is not evaluated.
    """
    for name, hint, signature in checkpoint.signatures:
        ours = name in (checkpoint.origin, checkpoint.origin.split(" ")[0])  # v1: "HOST - TREE"
        if not ours or hint != log.checkpoint_id[:4] or not _names_origin(checkpoint.origin, log):
            continue
        if log.key.verify(checkpoint.signed, signature, log.hash_name):
            return True
    return False


def _names_origin(origin: str, log: Log) -> bool:
    """Return whether a log whose id is made of its name and key (Rekor v2) has this name."""
    key = log.key
    if key.kind != ED25519 or log.checkpoint_id == hashlib.sha256(key.spki).digest():
        return True
    name = origin.encode("utf-8") + b"\n" + _ALGORITHM_ED25519 + key.material
    return hashlib.sha256(name).digest()[: len(log.checkpoint_id)] == log.checkpoint_id
