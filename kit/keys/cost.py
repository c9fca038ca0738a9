"""How much work an encrypted PKCS#8 file may ask for before its passphrase is known to be right.

The file names the cost of its own key derivation (RFC 8018; RFC 7914 for scrypt), and a number is
quickly written: 2^31 rounds of PBKDF2 take an hour, scrypt with N = 2^30 takes a terabyte.  Whoever
can exchange a key file could so stop a release, or a host.
"""

from __future__ import annotations

import base64

from kit.keys.reading import unsupported
from verifier.crypto.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, take

MAX_ROUNDS = 10_000_000  # of PBKDF2 and PKCS#12: some seconds; openssl writes 2,048
MAX_SCRYPT = 256 * 1024 * 1024  # bytes: 128 * N * r; openssl writes 16 MiB
MAX_PARALLEL = 16  # scrypt's p: how often that much is gone through
_OCTETS = 0x04  # OCTET STRING, X.680 8.4
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_WAY = "encrypt it again, as `openssl pkcs8 -topk8 -v2 aes-256-cbc` or `offline-kit key new` do"


def check_cost(pem: bytes, where: str) -> None:
    """Hold an encrypted PKCS#8 file to costs that a host can bear.

    What cannot be read here is left to the library, which refuses what it does not know.

    Raises:
        KeyUnsupported: It asks for more.
    """
    try:
        cost = _cost(_der(pem))
    except ValueError:
        return
    if cost:
        raise unsupported(f"an encrypted key that asks for {cost}", _WAY, where)


def _der(pem: bytes) -> bytes:
    lines = [line.strip() for line in pem.split(b"\n")]
    begin = lines.index(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    end = lines.index(b"-----END ENCRYPTED PRIVATE KEY-----")
    return base64.b64decode(b"".join(lines[begin + 1 : end]), validate=True)


def _cost(der: bytes) -> str:
    """Return in words what is too much; empty if nothing is.

    Raises:
        ValueError: It is no EncryptedPrivateKeyInfo (RFC 5958 3).
    """
    info, _ = take(der, SEQUENCE, "the key")
    algorithm, _ = take(info, SEQUENCE, "the algorithm")
    name, parameters = take(algorithm, OBJECT_IDENTIFIER, "its name")
    parameters, _ = take(parameters, SEQUENCE, "its parameters")
    if name != _PBES2:  # those of PKCS#5 v1 and PKCS#12: a salt and a count (RFC 8018 A.3)
        _, count = take(parameters, _OCTETS, "the salt")
        return _rounds(count)
    derivation, _ = take(parameters, SEQUENCE, "the key derivation")
    name, parameters = take(derivation, OBJECT_IDENTIFIER, "its name")
    parameters, _ = take(parameters, SEQUENCE, "its parameters")
    _, numbers = take(parameters, _OCTETS, "the salt")
    if name != _SCRYPT:
        return _rounds(numbers)
    cost, numbers = _number(numbers)
    block, numbers = _number(numbers)
    parallel, _ = _number(numbers)
    if 128 * cost * block > MAX_SCRYPT or parallel > MAX_PARALLEL:
        return f"scrypt with N = {cost}, r = {block}, p = {parallel}"
    return ""


def _rounds(numbers: bytes) -> str:
    count, _ = _number(numbers)
    return f"{count} rounds of key derivation" if count > MAX_ROUNDS else ""


def _number(data: bytes) -> tuple[int, bytes]:
    contents, rest = take(data, INTEGER, "a number")
    return int.from_bytes(contents[:64], "big", signed=True), rest
