"""Signers: whoever makes a signature for a key that the root names, file or hardware.

A key is a signer URI of securesystemslib, or ``ssh:PATH``.  Key files are signed with here, so that
the same kit has the same signature twice (RFC 8032; RFC 6979 for ECDSA, where securesystemslib
takes a random nonce); ``ssh:`` goes to ssh-keygen and every other URI to securesystemslib.  Whoever
made a signature, the verifier checks it against the public key *in the root* before anybody sees
it: a wrong slot of a hardware module gives a signature too.
"""

from __future__ import annotations

from kit.keys.kinds import Ask as SecretsHandler
from kit.signing.errors import (
    KeyNotInRoot,
    KeyOfAnotherSigner,
    SignatureSelfCheckFailed,
    SignerArgumentInvalid,
    SignerNotInRoot,
    SignerUnavailable,
    SignerUnsupported,
)
from kit.signing.load import key_files, load_signer
from kit.signing.model import KitSigner, RootKeyLike, Targets
from kit.signing.sums import SumsSigner, load_sums_signer

__all__ = [
    "KeyNotInRoot",
    "KeyOfAnotherSigner",
    "KitSigner",
    "RootKeyLike",
    "SecretsHandler",
    "SignatureSelfCheckFailed",
    "SignerArgumentInvalid",
    "SignerNotInRoot",
    "SignerUnavailable",
    "SignerUnsupported",
    "SumsSigner",
    "Targets",
    "key_files",
    "load_signer",
    "load_sums_signer",
]
