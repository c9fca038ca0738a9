"""Public P-256 keys as stock tools take them and as a manifest names them.

In a manifest a key is one line (FORMAT 9.2, `sumsKey`), on a disk it is the PEM that openssl and
cosign read; both are the same DER of a SubjectPublicKeyInfo (RFC 5480 2).
"""

from __future__ import annotations

import base64
import hashlib

from verifier.crypto import ecdsa

_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_LINE = 64  # characters, RFC 7468 2


def text_of_pem(pem: str) -> str:
    """Return the base64 of a PEM in one line.

    Raises:
        ValueError: It is not the PEM of a P-256 key in its one spelling.
    """
    ecdsa.parse_spki(pem)
    return "".join(pem.split("\n")[1:]).removesuffix(_END)


def pem_of_text(text: str) -> str:
    """Return the PEM, with a final LF, of what `text_of_pem` returns."""
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def hint_of(text: str) -> str:
    """Return what a sigstore bundle calls a key: base64 of the SHA-256 of its DER."""
    return base64.b64encode(hashlib.sha256(base64.b64decode(text)).digest()).decode("ascii")


def is_signed(text: str, data: bytes, signature: bytes) -> bool:
    """Return whether the owner of a key made this DER signature over the SHA-256 of ``data``."""
    try:
        point = ecdsa.parse_spki(pem_of_text(text))
    except ValueError:  # the manifest's parser does not look whether the point is on the curve
        return False
    digest = hashlib.sha256(data).digest()
    return ecdsa.verify(ecdsa.P256, point, digest, signature, low_s=False)
