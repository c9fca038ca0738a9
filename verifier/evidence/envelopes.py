"""Who signed a DSSE envelope, of those whose keys policy names."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.evidence.errors import EvidenceAlgorithmUnknown
from verifier.evidence.sigstore.errors import BundleSignatureInvalid
from verifier.evidence.sigstore.identity import Key
from verifier.evidence.sigstore.keys import HASHES
from verifier.evidence.statement import MAX_SIGNATURES, Envelope

MAX_KEYS = 64
assert MAX_SIGNATURES * MAX_KEYS <= 4096  # signatures that one envelope can cost


def signers(envelope: Envelope, keys: Sequence[Key], where: str) -> list[Key]:
    """Return those who signed an envelope, each once, in the order of ``keys``.

    A keyid is only a hint, so each signature is tried with each key.  Signatures by others count
    for nothing.

    Raises:
        BundleSignatureInvalid: None of them did.
        EvidenceAlgorithmUnknown: None did, and there are keys that this verifier does not judge.
        ValueError: There are too many keys: the caller's mistake.
    """
    if len(keys) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    unknown = False
    found: dict[bytes, Key] = {}
    for key in keys:
        if key.public.spki in found:
            continue
        if not key.public.kind:
            unknown = True
        elif any(_signed(envelope, key, signature) for _, signature in envelope.signatures):
            found[key.public.spki] = key
    if found:
        return list(found.values())
    if unknown:
        raise EvidenceAlgorithmUnknown("no signature by a key that is judged here", where=where)
    raise BundleSignatureInvalid("by none of the keys asked for", where=where)


def _signed(envelope: Envelope, key: Key, signature: bytes) -> bool:
    public = key.public
    names = (public.hash_name,) if public.signs_messages else tuple(HASHES)
    return any(public.verify(envelope.signed, signature, name) for name in names)
