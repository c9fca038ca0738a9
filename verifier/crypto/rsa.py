"""RSA signatures, checked strictly: PKCS #1 v1.5 and PSS (RFC 8017 8; FORMAT 4.5).

Those of kits are over SHA-256; what others signed may be over its longer brothers.
Everything here is public, so nothing needs to run in constant time.  There is no signing.
"""

from __future__ import annotations

import hashlib

from verifier.crypto import der

# Below 2,048 bits a modulus can be factored by those who pay for it; above 8,192 a signature costs
# more than its gain.  FIPS 186-5 A.1.1 wants e above 2**16: with e = 3 the verifiers that parsed
# the padding instead of comparing it were forged with a pencil, and no key in use needs a small
# one.  Above 2**64, where OpenSSL ends too, an exponent could only waste time.
MIN_BITS, MAX_BITS = 2048, 8192
MIN_E, MAX_E = 65537, 2**64 - 1

RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1, RFC 3279 2.3.1
_DIGEST_INFO = {  # RFC 8017 9.2
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_SALT = 32  # bytes: the length of the digest, as securesystemslib, clouds and FIPS 186-5 have it


def parse_spki(pem: str) -> bytes:
    """Return the RSAPublicKey in the PEM of a SubjectPublicKeyInfo (RFC 3279 2.3.1).

    One spelling only: that of `der.parse_spki`, with NULL as the parameters.

    Raises:
        ValueError: Another spelling, another kind of key, or numbers out of the ranges above.
    """
    return _checked(*der.parse_spki(pem, RSA_ENCRYPTION, "for RSA (rsaEncryption)"))


def parse_key_info(data: bytes) -> bytes:
    """Return the same of a SubjectPublicKeyInfo in DER.

    Raises:
        ValueError: It is no such thing, or no RSA key that `parse_spki` would take.
    """
    return _checked(*der.parse_key_info(data, RSA_ENCRYPTION, "for RSA (rsaEncryption)"))


def _checked(parameters: bytes, key: bytes) -> bytes:
    if parameters != der.element(der.NULL, b""):
        raise ValueError("The parameters of an RSA key are NULL.")
    _parse_key(key)
    return key


def verify_pkcs1v15(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the owner of ``key`` signed ``message`` (RFC 8017 8.2.2).

    Whatever the bytes are, the answer is True or False.
    """
    return verify_digest(key, "sha256", hashlib.sha256(message).digest(), signature)


def verify_digest(key: bytes, hash_name: str, digest: bytes, signature: bytes) -> bool:
    """Return the same, given what the message hashes to.

    The padding is written and compared, never parsed.
    """
    bits, opened = _open(key, signature)
    if opened < 0:
        return False
    size = (bits + 7) // 8
    tail = b"\0" + _DIGEST_INFO[hash_name] + digest
    padded = b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail
    return opened == int.from_bytes(padded, "big")


def verify_pss(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the owner of ``key`` signed ``message`` (RFC 8017 8.1.2, 9.1.2).

    MGF1 with SHA-256, and a salt of exactly 32 bytes.  Whatever the bytes are, the answer is True
    or False.
    """
    bits, opened = _open(key, signature)
    bits -= 1  # the padded message has one bit less than the modulus
    if opened < 0 or opened >> bits:
        return False
    size = (bits + 7) // 8
    encoded = opened.to_bytes(size, "big")
    masked, digest, end = encoded[:-33], encoded[-33:-1], encoded[-1:]
    mask = int.from_bytes(_mgf1(digest, len(masked)), "big")
    block = (int.from_bytes(masked, "big") ^ mask) & (1 << bits - 8 * 33) - 1
    salt = (block & (1 << 8 * _SALT) - 1).to_bytes(_SALT, "big")
    hashed = hashlib.sha256(bytes(8) + hashlib.sha256(message).digest() + salt).digest()
    return end == b"\xbc" and block >> 8 * _SALT == 1 and hashed == digest


def _parse_key(key: bytes) -> tuple[int, int]:
    """Return ``n`` and ``e`` of DER of ``SEQUENCE { n INTEGER, e INTEGER }`` (RFC 8017 A.1.1)."""
    numbers, after = der.take(key, der.SEQUENCE, "the two numbers")
    first, numbers = der.take(numbers, der.INTEGER, "n")
    second, rest = der.take(numbers, der.INTEGER, "e")
    if after or rest:
        raise ValueError("There are bytes after an element of the key.")
    n = der.parse_number(first, 1 << MAX_BITS, "n")
    e = der.parse_number(second, MAX_E + 1, "e")
    if n.bit_length() < MIN_BITS:
        raise ValueError(f"An RSA key has at least {MIN_BITS} bits, this one {n.bit_length()}.")
    if e < MIN_E:
        raise ValueError(f"The exponent e is at least {MIN_E}, this one {e}.")
    if not (n & 1 and e & 1):
        raise ValueError("Both numbers of an RSA key are odd.")
    return n, e


def _open(key: bytes, signature: bytes) -> tuple[int, int]:
    """Return the bits of ``n`` and ``signature**e mod n`` (RSAVP1); -1 in its place if none is."""
    try:
        n, e = _parse_key(key)
    except ValueError:
        return 0, -1
    bits, s = n.bit_length(), int.from_bytes(signature, "big")
    if len(signature) != (bits + 7) // 8 or s >= n:
        return bits, -1
    return bits, pow(s, e, n)


def _mgf1(seed: bytes, size: int) -> bytes:
    """Return the mask of RFC 8017 B.2.1."""
    blocks = [
        hashlib.sha256(seed + number.to_bytes(4, "big")).digest()
        for number in range(-(-size // 32))
    ]
    return b"".join(blocks)[:size]
