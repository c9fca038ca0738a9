"""Private keys from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from kit.keys import cosign
from kit.keys.cost import check_cost
from kit.keys.kinds import Ask, PrivateKey, describe, schemes_of
from kit.keys.reading import MAKE, ask_for, label, parse, read, read_variable, unsupported

_PEM = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"})
_HALVES = {"PUBLIC KEY": ("a public key", "give its private half, the .pem or .key file")}


@dataclass(frozen=True)
class Variable:
    """Where a key is: a variable of this process, by its name."""

    name: str

    def __str__(self) -> str:
        return f"variable {self.name!r}"


def load_private(place: Path | Variable, ask: Ask | None = None) -> PrivateKey:
    """Read a private key that a root may name: PEM (PKCS#8, SEC 1, PKCS#1) or a cosign.key.

    Args:
        place: A file, or a variable of this process.
        ask: Asks for the passphrase if the file is encrypted.

    Raises:
        KeyUnreadable: There is no file, or it is no key.
        KeyVariableUnset: There is no such variable.
        KeyUnsupported: It is a key that does not serve; the message says which.
        PassphraseMissing: It is encrypted, and nobody is there to be asked.
        PassphraseWrong: It is encrypted, and not with this passphrase.
    """
    data, where = read_variable(place.name) if isinstance(place, Variable) else read(place)
    found = label(data, where, wanted=_PEM | cosign.LABELS, halves=_HALVES)
    if found in cosign.LABELS:
        box = cosign.parse(data, where)
        der = cosign.decrypt(box, ask_for(where, ask), where)
        key = parse(lambda _: load_der_private_key(der, None), where, None)
    else:
        if found == "ENCRYPTED PRIVATE KEY":
            check_cost(data, where)
        key = parse(lambda passphrase: load_pem_private_key(data, passphrase), where, ask)
    if isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey) and schemes_of(
        key.public_key()
    ):
        return key
    raise unsupported(describe(key), MAKE, where)
