"""Statements of in-toto, and the envelopes around them: one spelling, the same bytes each time."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.attest.errors import AttestationExists, AttestationTooLarge
from kit.attest.model import Made
from kit.container.newfiles import create_files
from kit.errors import FileExists, show
from kit.signing.errors import SignerArgumentInvalid, SignerUnsupported
from kit.signing.model import KitSigner
from kit.stock.bundle import dsse_bundle
from verifier.core.envelope import PAYLOAD_TYPE, pae
from verifier.core.jsonstrict import compact
from verifier.core.model import STATEMENT_TYPE
from verifier.core.signature import SSH_SCHEMES
from verifier.evidence.foreign import MAX_BYTES

_MOST = MAX_BYTES // 4 * 3 - (64 << 10)  # bytes of a payload, with room for its signatures


@dataclass(frozen=True)
class Subject:
    """What a statement is about.

    Attributes:
        name: For people.
        digest: From algorithm to hexadecimal digits.
    """

    name: str
    digest: tuple[tuple[str, str], ...]

    @property
    def value(self) -> dict[str, Any]:
        """The subject as a Statement has it."""
        return {"name": self.name, "digest": dict(self.digest)}


def statement_bytes(subjects: Sequence[Subject], made: Made) -> bytes:
    """Return a Statement v1 in compact JSON.

    Raises:
        AttestationTooLarge: Nobody would read it.
    """
    value = {
        "_type": STATEMENT_TYPE,
        "subject": [subject.value for subject in subjects],
        "predicateType": made.predicate_type,
        "predicate": made.predicate,
    }
    payload = compact(value)
    if len(payload) > _MOST:
        raise AttestationTooLarge(f"it would have {len(payload)} bytes, and {_MOST} are the most")
    return payload


def envelope_bytes(payload: bytes, signers: Sequence[KitSigner]) -> bytes:
    """Return the DSSE envelope of a payload, signed by each of the signers.

    Raises:
        SignerArgumentInvalid: A key is there twice.
        KitError: A signer cannot sign.
    """
    signatures = {}
    for signer in signers:
        if signer.keyid in signatures:
            raise SignerArgumentInvalid("is given twice", where=f"key {signer.keyid}")
        signatures[signer.keyid] = signer.sign(pae(payload))
    entries = [{"keyid": keyid, "sig": _base64(signatures[keyid])} for keyid in sorted(signatures)]
    value = {"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": entries}
    return compact(value) + b"\n"


def bundle_bytes(payload: bytes, signer: KitSigner) -> bytes:
    """Return a payload as a sigstore bundle with a key.

    Raises:
        SignerUnsupported: Bundles have no signatures of this scheme.
        KitError: The signer cannot sign.
    """
    if signer.scheme in SSH_SCHEMES:
        raise SignerUnsupported(
            "a sigstore bundle takes no signature of ssh-keygen",
            where=f"key {signer.keyid}",
            fix="Leave out --bundle, or sign with a key file.",
        )
    spki = _base64(signer.spki)
    return dsse_bundle(spki, payload, signer.sign(pae(payload)))


def write_attestation(path: Path, data: bytes) -> None:
    """Write an attestation, never over something else; the same one may be there.

    Raises:
        AttestationExists: Something else has the name.
        FileUnwritable: The host refuses.
    """
    try:
        create_files([(path, data, 0o644)])
    except FileExists as error:
        if not _is_there(path, data):
            raise AttestationExists(error.message, where=show(path)) from None


def _is_there(path: Path, data: bytes) -> bool:
    try:
        facts = os.lstat(path)
        return facts.st_size == len(data) and path.is_file() and path.read_bytes() == data
    except OSError:
        return False


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
