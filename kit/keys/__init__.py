"""Keys: made, read from files, and named for what they are when they are not what is needed.

Roots name Ed25519, ECDSA P-256 and P-384, and RSA (FORMAT 4.5, 5.4).  A private key is a PEM file
of PKCS#8 (RFC 5958), encrypted or not, or an encrypted key of cosign; a public key is a PEM file of
SubjectPublicKeyInfo (RFC 5280 4.1) or a line of OpenSSH.
"""

from __future__ import annotations

from kit.container.newfiles import create_files
from kit.errors import FileExists, FileUnwritable, PassphraseMissing
from kit.keys.errors import (
    KeyNameInvalid,
    KeyUnreadable,
    KeyUnsupported,
    PassphraseWrong,
)
from kit.keys.kinds import (
    Ask,
    PrivateKey,
    PublicKey,
    material_of,
    public_pem,
    spki_sha256,
    ssh_fingerprint,
    tuf_key,
)
from kit.keys.new import KINDS, Kind, NewKey, new_key
from kit.keys.private import load_private
from kit.keys.public import load_public, load_root_key, load_with_scheme
from kit.keys.reading import MAX_KEY_FILE, secret_bytes

__all__ = [
    "KINDS",
    "MAX_KEY_FILE",
    "Ask",
    "FileExists",
    "FileUnwritable",
    "KeyNameInvalid",
    "KeyUnreadable",
    "KeyUnsupported",
    "Kind",
    "NewKey",
    "PassphraseMissing",
    "PassphraseWrong",
    "PrivateKey",
    "PublicKey",
    "create_files",
    "load_private",
    "load_public",
    "load_root_key",
    "load_with_scheme",
    "material_of",
    "new_key",
    "public_pem",
    "secret_bytes",
    "spki_sha256",
    "ssh_fingerprint",
    "tuf_key",
]
