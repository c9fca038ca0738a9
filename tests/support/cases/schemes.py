"""Keys of the further schemes as kit signers: P-384, RSA and SSH (FORMAT 4.5, 5.4).

In each kit alice has signed, two signers are wanted, and the second one has a key of the scheme.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from kit.keys import PrivateKey, load_private, public_pem
from tests.support.assembler import Draft, assemble
from tests.support.authenticator import Authenticator
from tests.support.cases.roots import raw
from tests.support.cases.trust import Make, also, by, short
from tests.support.drafts import with_key
from tests.support.people import KEYS, SIGNER, chain, person
from tests.support.rsanaive import pkcs1v15, pss
from tests.support.rsanaive import raw as rsa_raw
from tests.support.vector import Case, ok

P384, PSS, V15 = "ecdsa-sha2-nistp384", "rsassa-pss-sha256", "rsa-pkcs1v15-sha256"
SSH = "x-offline-kit-sshsig-ed25519"
SK = "x-offline-kit-sshsig-sk-ed25519"
N384 = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)  # order of P-384's group


@functools.cache
def private(name: str) -> PrivateKey:
    """Return a test key: dave has P-384, erin RSA, carol Ed25519."""
    return load_private(KEYS / f"{name}.pem")


def entry(name: str, keytype: str, scheme: str, public: str = "") -> dict[str, Any]:
    """Return a key as a root names it."""
    public = public or public_pem(private(name).public_key())
    return {"keytype": keytype, "scheme": scheme, "keyval": {"public": public}, SIGNER: name}


def raw_public(name: str) -> str:
    """Return the hexadecimal digits of an Ed25519 key."""
    return str(person(name).key["keyval"]["public"])


DAVE = with_key("dd", entry("dave", "ecdsa", P384), "targets")
ERIN_PSS = with_key("ee", entry("erin", "rsa", PSS), "targets")
ERIN_V15 = with_key("ee", entry("erin", "rsa", V15), "targets")
SK_SEED = b"a key in hardware, of mallory's!"
SK_PUBLIC = Authenticator(SK_SEED).public.hex()
SK_KEY = with_key("ff", entry("mallory", "ed25519", SK, SK_PUBLIC), "targets")
SSH_KEY = with_key("ff", entry("mallory", "ed25519", SSH, raw_public("mallory")), "targets")


def good(name: str, why: str, root: bytes, keyid: str, make: Make, rules: str = "4.5") -> Case:
    """Return a vector that alice and one more have signed."""
    draft = Draft(signers=("alice",), chain=chain(root))
    return ok(name, rules, why, lambda: assemble(draft, **also(keyid, make)), root=root)


def refused(name: str, why: str, root: bytes, keyid: str, make: Make) -> Case:
    """Return a vector whose second signature is not one."""
    draft = Draft(signers=("alice",), chain=chain(root))
    return short(name, "4.5", why, draft, root=root, **also(keyid, make))


def numbers(message: bytes, algorithm: SHA256 | SHA384) -> tuple[int, int]:
    """Return ``r`` and ``s`` of dave's signature, the same ones every time (RFC 6979)."""
    key = private("dave")
    assert isinstance(key, EllipticCurvePrivateKey)
    return decode_dss_signature(key.sign(message, ECDSA(algorithm, deterministic_signing=True)))


def daves(change: Callable[[int, int], bytes], algorithm: SHA256 | SHA384 | None = None) -> Make:
    """Return what makes an encoding of dave's two numbers."""
    return lambda message: change(*numbers(message, algorithm or SHA384()))


def low(r: int, s: int) -> bytes:
    """Return DER with the smaller ``s``."""
    return encode_dss_signature(r, min(s, N384 - s))


def erins(pad: Callable[..., int], size: int, **more: Any) -> Make:
    """Return what opens to a padded message under erin's key."""
    key = private("erin")
    assert isinstance(key, RSAPrivateKey)
    return lambda message: rsa_raw(key, pad(message, size, **more))


def ssh(
    *,
    namespace: bytes = b"offline-kit",
    reserved: bytes = b"",
    hash_name: str = "sha512",
    version: int = 1,
    kind: bytes = b"ssh-ed25519",
    more: bytes = b"",
) -> Make:
    """Return what signs as ``ssh-keygen -Y sign`` does (PROTOCOL.sshsig), with faults to order."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    def make(message: bytes) -> bytes:
        key = private("mallory")
        assert isinstance(key, Ed25519PrivateKey)
        digest = hashlib.new(hash_name, message).digest()
        named = string(namespace) + string(reserved) + string(hash_name.encode())
        signature = key.sign(b"SSHSIG" + named + string(digest))
        public = string(kind) + string(key.public_key().public_bytes_raw())
        front = b"SSHSIG" + version.to_bytes(4, "big") + string(public)
        return front + named + string(string(b"ssh-ed25519") + string(signature)) + more

    return make


def hardware(*, namespace: bytes = b"offline-kit", more: bytes = b"", **key: Any) -> Make:
    """Return what signs as ``ssh-keygen -Y sign`` does with a security key."""
    return lambda message: Authenticator(SK_SEED, **key).sshsig(message, namespace) + more


ACCEPTED = [
    good("scheme_p384", "dave has a P-384 key.", DAVE, "dd", daves(low)),
    good("scheme_rsa_pss", "erin signs with RSA-PSS.", ERIN_PSS, "ee", erins(pss, 2048)),
    good(
        "scheme_rsa_pkcs1v15", "erin signs with PKCS #1 v1.5.", ERIN_V15, "ee", erins(pkcs1v15, 256)
    ),
    good("scheme_sshsig", "mallory signs with ssh-keygen.", SSH_KEY, "ff", ssh()),
    good(
        "scheme_sshsig_sha256",
        "mallory signs with ssh-keygen and SHA-256.",
        SSH_KEY,
        "ff",
        ssh(hash_name="sha256"),
    ),
    good("scheme_sshsig_sk", "mallory signs with a key in hardware.", SK_KEY, "ff", hardware()),
    good("scheme_sshsig_sk_pin", "Touched, and by a PIN.", SK_KEY, "ff", hardware(flags=5)),
]

NISTP384 = [
    refused(
        "p384_high_s",
        "n - s instead of s.",
        DAVE,
        "dd",
        daves(lambda r, s: encode_dss_signature(r, max(s, N384 - s))),
    ),
    refused(
        "p384_trailing_byte", "A byte more.", DAVE, "dd", daves(lambda r, s: low(r, s) + b"\0")
    ),
    refused(
        "p384_r_plus_n", "r + n instead of r.", DAVE, "dd", daves(lambda r, s: low(r + N384, s))
    ),
    refused("p384_s_zero", "s = 0.", DAVE, "dd", daves(lambda r, s: encode_dss_signature(r, 0))),
    refused("p384_sha256", "Over SHA-256 instead of SHA-384.", DAVE, "dd", daves(low, SHA256())),
    refused("p384_by_p256", "A signature of bob's P-256 key.", DAVE, "dd", by("bob")),
]

RSA = [
    refused(
        "rsa_pss_salt_20", "A salt of 20 bytes.", ERIN_PSS, "ee", erins(pss, 2048, salt=b"s" * 20)
    ),
    refused("rsa_pss_salt_none", "No salt.", ERIN_PSS, "ee", erins(pss, 2048, salt=b"")),
    refused(
        "rsa_pss_salt_222", "The longest salt.", ERIN_PSS, "ee", erins(pss, 2048, salt=b"s" * 222)
    ),
    refused(
        "rsa_pss_mask_sha1",
        "MGF1 with SHA-1.",
        ERIN_PSS,
        "ee",
        erins(pss, 2048, mask_digest=hashlib.sha1),
    ),
    refused("rsa_pss_trailer", "CC at the end.", ERIN_PSS, "ee", erins(pss, 2048, trailer=0xCC)),
    refused("rsa_pss_filling", "Filling of ones.", ERIN_PSS, "ee", erins(pss, 2048, filling=1)),
    refused("rsa_pss_by_v15", "PKCS #1 v1.5 for PSS.", ERIN_PSS, "ee", erins(pkcs1v15, 256)),
    refused("rsa_v15_by_pss", "PSS for PKCS #1 v1.5.", ERIN_V15, "ee", erins(pss, 2048)),
    refused(
        "rsa_v15_garbage",
        "Garbage behind the digest instead of filling.",
        ERIN_V15,
        "ee",
        erins(pkcs1v15, 256, garbage=193),
    ),
    refused(
        "rsa_v15_no_null",
        "DigestInfo without NULL.",
        ERIN_V15,
        "ee",
        erins(pkcs1v15, 256, info=bytes.fromhex("302f300b06096086480165030402010420")),
    ),
    refused("rsa_v15_type_2", "Block type 2.", ERIN_V15, "ee", erins(pkcs1v15, 256, kind=b"\0\2")),
    refused(
        "rsa_v15_leading_zero",
        "A zero byte before the signature.",
        ERIN_V15,
        "ee",
        lambda m: b"\0" + erins(pkcs1v15, 256)(m),
    ),
    refused(
        "rsa_v15_cut",
        "The last byte is missing.",
        ERIN_V15,
        "ee",
        lambda m: erins(pkcs1v15, 256)(m)[:-1],
    ),
]

SSHSIG = [
    refused("sshsig_namespace", "For the namespace file.", SSH_KEY, "ff", ssh(namespace=b"file")),
    refused("sshsig_reserved", "Reserved bytes.", SSH_KEY, "ff", ssh(reserved=b"later")),
    refused("sshsig_version", "Version 0.", SSH_KEY, "ff", ssh(version=0)),
    refused("sshsig_sha384", "Another hash.", SSH_KEY, "ff", ssh(hash_name="sha384")),
    refused("sshsig_trailing_byte", "A byte more.", SSH_KEY, "ff", ssh(more=b"\0")),
    refused("sshsig_other_kind", "The kind ssh-rsa.", SSH_KEY, "ff", ssh(kind=b"ssh-rsa")),
    refused("sshsig_sk_untouched", "Nobody touched it.", SK_KEY, "ff", hardware(flags=0)),
    refused("sshsig_sk_flags", "Flags of tomorrow.", SK_KEY, "ff", hardware(flags=0x41)),
    refused(
        "sshsig_sk_application",
        "Made for another application.",
        SK_KEY,
        "ff",
        hardware(application=b"ssh:other"),
    ),
    refused(
        "sshsig_sk_namespace", "For another namespace.", SK_KEY, "ff", hardware(namespace=b"file")
    ),
    refused("sshsig_sk_trailing_byte", "A byte more.", SK_KEY, "ff", hardware(more=b"\0")),
    refused("sshsig_sk_by_file", "A key file signed.", SK_KEY, "ff", ssh()),
    refused(
        "sshsig_by_sk",
        "A key in hardware where the root names one in a file.",
        with_key("ff", entry("mallory", "ed25519", SSH, SK_PUBLIC), "targets"),
        "ff",
        hardware(),
    ),
    refused("sshsig_by_ed25519", "A plain Ed25519 signature.", SSH_KEY, "ff", by("mallory")),
    refused(
        "ed25519_by_sshsig",
        "An SSH signature for a key whose scheme is ed25519.",
        with_key("ff", entry("mallory", "ed25519", "ed25519", raw_public("mallory")), "targets"),
        "ff",
        ssh(),
    ),
]


def bad_key(name: str, why: str, key: dict[str, Any], **more: dict[str, Any]) -> Case:
    """Return a vector whose root names a key that it must not."""
    return raw(name, "5.4", why, chain(with_key("cc", key, "targets", more=more)))


def with_numbers(n: int, e: int) -> str:
    """Return the PEM of an RSA key with these numbers."""
    return public_pem(RSAPublicNumbers(e, n).public_key())


ERIN_N = private("erin").public_key().public_numbers().n  # type: ignore[union-attr]
ROOTS = [
    bad_key("key_rsa_e_3", "e = 3.", entry("erin", "rsa", PSS, with_numbers(ERIN_N, 3))),
    bad_key(
        "key_rsa_even", "n is even.", entry("erin", "rsa", PSS, with_numbers(ERIN_N + 1, 65537))
    ),
    bad_key(
        "key_rsa_short",
        "n has 2,047 bits.",
        entry("erin", "rsa", V15, with_numbers(ERIN_N >> 1 | 1, 65537)),
    ),
    bad_key("key_rsa_p384", "A P-384 key as RSA.", entry("dave", "rsa", PSS)),
    bad_key("key_p384_p256", "A P-256 key as P-384.", entry("bob", "ecdsa", P384)),
    bad_key(
        "key_p256_p384", "A P-384 key as P-256.", entry("dave", "ecdsa", "ecdsa-sha2-nistp256")
    ),
    bad_key(
        "key_sshsig_type", "The type of RSA.", entry("mallory", "rsa", SSH, raw_public("mallory"))
    ),
    bad_key(
        "key_rsa_two_signers",
        "One RSA key with PSS for erin and with PKCS #1 v1.5 for dave.",
        entry("erin", "rsa", PSS),
        dd={**entry("erin", "rsa", V15), SIGNER: "dave"},
    ),
    bad_key(
        "key_sshsig_two_signers",
        "alice's key as an SSH key of dave.",
        entry("dave", "ed25519", SSH, raw_public("alice")),
    ),
]

CASES: list[Case] = [*ACCEPTED, *NISTP384, *RSA, *SSHSIG, *ROOTS]
