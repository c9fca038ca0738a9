"""Schemes: each by published answers, chosen by the key alone, and imported only when named."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.keys import load_private, tuf_key
from kit.signing.files import maker
from tests.support.authenticator import Authenticator
from tests.support.people import olpc, person
from tests.support.together import together
from verifier.core.signature import (
    ED25519,
    KEYTYPES,
    P256,
    P384,
    RSA_PKCS1,
    RSA_PSS,
    SSHSIG,
    SSHSIG_SK,
    Key,
    parse_material,
)
from verifier.crypto import ecdsa, rsa, sshsig

REPOSITORY = Path(__file__).parents[4]
KEYS = REPOSITORY / "fixtures" / "keys"
MESSAGE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
OWNERS = {ED25519: "alice", P256: "bob", P384: "dave", RSA_PSS: "erin", RSA_PKCS1: "erin",
          SSHSIG: "carol", SSHSIG_SK: "carol"}  # fmt: skip
MADE = "16478d2cbc16628c9aa767298d64c011333af617c2110227ed58f953a29bdfbf"


def test_p384_answers_of_rfc_6979() -> None:
    """RFC 6979 A.2.6, SHA-384, the messages ``sample`` and ``test``."""
    point = bytes.fromhex(
        "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
        "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720"
    )
    for message, r, s in (
        (
            b"sample",
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
            "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
        ),
        (
            b"test",
            "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca3cf023db",
            "ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5",
        ),
    ):
        signature = ecdsa.encode_der_signature(int(r, 16), int(s, 16))
        digest = hashlib.sha384(message).digest()
        assert ecdsa.verify(ecdsa.P384, point, digest, signature, low_s=False)
        assert not ecdsa.verify(ecdsa.P384, point, digest, signature, low_s=True)
        low = ecdsa.encode_der_signature(int(r, 16), ecdsa.P384.n - int(s, 16))
        assert ecdsa.verify(ecdsa.P384, point, digest, low, low_s=True)
        assert not ecdsa.verify(ecdsa.P384, point, hashlib.sha384(b"?").digest(), low, low_s=True)


@functools.cache
def signed(scheme: str) -> bytes:
    """Return a signature by who has a key of a scheme; one in hardware is of that key too."""
    private = load_private(KEYS / f"{OWNERS[scheme]}.pem")
    if scheme != SSHSIG_SK:
        return maker(private, scheme)(MESSAGE)
    assert isinstance(private, Ed25519PrivateKey)
    return Authenticator(private.private_bytes_raw()).sshsig(MESSAGE)


@together("scheme", KEYTYPES)
def test_a_key_accepts_signatures_of_its_own_scheme_only(scheme: str) -> None:
    private = load_private(KEYS / f"{OWNERS[scheme]}.pem")
    named = tuf_key(private.public_key(), scheme)
    assert named.keytype == KEYTYPES[scheme][0]
    public = named.keyval["public"]
    key = Key("k", "x", scheme, public, parse_material(named.keytype, scheme, public))
    assert key.evaluated
    for other in OWNERS:
        signature = signed(other)
        good = other == scheme
        assert key.verify(MESSAGE, signature, low_s=False) is good, (scheme, other)
        assert key.verify(MESSAGE + b" ", signature, low_s=False) is False
        for odd in (b"", signature[:-1], signature + b"\0"):
            assert key.verify(MESSAGE, odd, low_s=False) is False


def test_one_rsa_key_is_the_same_material_in_both_schemes() -> None:
    public = tuf_key(load_private(KEYS / "erin.pem").public_key()).keyval["public"]
    assert parse_material("rsa", RSA_PSS, public) == parse_material("rsa", RSA_PKCS1, public)
    digits = tuf_key(load_private(KEYS / "alice.pem").public_key()).keyval["public"]
    assert parse_material("ed25519", ED25519, digits) == parse_material("ed25519", SSHSIG, digits)


PEMS = {
    name: load_private(KEYS / f"{name}.pem")
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
    for name in ("alice", "bob", "dave", "erin")
}


@together(
    ("keytype", "scheme", "public"),
    [
        ("ecdsa", ED25519, "00" * 32),
        ("ed25519", P256, PEMS["bob"]),
        ("rsa", P384, PEMS["dave"]),
        ("ecdsa", RSA_PSS, PEMS["erin"]),
        (P256, P384, PEMS["dave"]),
        ("ecdsa", P384, PEMS["bob"]),
        ("ecdsa", P256, PEMS["dave"]),
        ("ecdsa", P256, PEMS["erin"]),
        ("rsa", RSA_PKCS1, PEMS["bob"]),
        ("ed25519", SSHSIG, PEMS["alice"]),
        ("ed25519", SSHSIG, "AB" * 32),
        ("ed25519", ED25519, "ab" * 31),
        ("ed25519", ED25519, "ab cd " * 10 + "abcd"),
        ("ed25519", ED25519, "\u0661" * 64),
    ],
)
def test_a_key_that_is_not_of_its_scheme_is_refused(keytype: str, scheme: str, public: str) -> None:
    with pytest.raises(ValueError, match="key"):
        parse_material(keytype, scheme, public)


def test_an_unknown_scheme_is_not_evaluated() -> None:
    assert parse_material("ml-dsa", "ml-dsa-65/1", "00") is None
    assert not Key("k", "x", "ml-dsa-65/1", "00", None).verify(MESSAGE, b"x", low_s=True)


def test_sizes_of_rsa_keys_have_ends() -> None:
    assert (rsa.MIN_BITS, rsa.MAX_BITS, rsa.MIN_E, rsa.MAX_E) == (2048, 8192, 65537, 2**64 - 1)


def test_an_ssh_signature_is_what_ssh_keygen_made() -> None:
    """Made once with ``ssh-keygen -Y sign -n offline-kit`` of OpenSSH 9.2 and carol's test key."""
    public = bytes.fromhex(tuf_key(load_private(KEYS / "carol.pem").public_key()).keyval["public"])
    blob = maker(load_private(KEYS / "carol.pem"), SSHSIG)(b"a message\n")
    assert hashlib.sha256(blob).hexdigest() == MADE
    assert sshsig.verify(public, b"a message\n", blob)


WATCH = """
import sys
from verifier.core.trust import parse_root
parse_root(open(sys.argv[1], "rb").read())
print(*sorted(name[16:] for name in sys.modules if name.startswith("verifier.crypto.")))
"""


def test_arithmetic_is_imported_only_when_a_root_names_a_key_of_it(tmp_path: Path) -> None:
    value = json.loads((KEYS / "root.json").read_bytes())
    bobs = [keyid for keyid, key in value["signed"]["keys"].items() if key["scheme"] == P256]
    signed = value["signed"]
    for keyid in bobs:
        del signed["keys"][keyid]
        for role in signed["roles"].values():
            role["keyids"].remove(keyid)
    signatures = [
        {"keyid": person(name).keyid, "sig": person(name).sign(olpc(signed)).hex()}
        for name in ("alice", "carol")
    ]
    only_ed25519 = tmp_path / "root.json"
    only_ed25519.write_text(json.dumps({"signatures": signatures, "signed": signed}))

    def imported(path: Path) -> set[str]:
        command = [sys.executable, "-c", WATCH, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
        schemes = {"ed25519", "ecdsa", "rsa", "sshsig", "der", "windows"}
        return schemes.intersection(done.stdout.split())

    assert imported(only_ed25519) == {"ed25519", "windows"}
    assert imported(KEYS / "root.json") == {"ed25519", "windows", "ecdsa", "der"}
