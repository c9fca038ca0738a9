"""Encrypted key files: cosign's and PKCS#8, and what they say when they do not open."""

from __future__ import annotations

import base64
import functools
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kit.keys import (
    KINDS,
    KeyUnreadable,
    KeyUnsupported,
    Kind,
    PassphraseMissing,
    PassphraseWrong,
    load_private,
    load_public,
    new_key,
    public_pem,
)
from kit.keys import cosign as cosign_keys
from kit.signing import load_signer, load_sums_signer
from tests.support import rsakeys as shared
from tests.support.making import KEYS, pinned
from tests.support.together import together

PASSPHRASE = "correct horse battery \u00e9"
ALICE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BOB = ec.derive_private_key(0xB0B, ec.SECP256R1())


COST = cosign_keys._COST
CHEAP = 1 << 10  # of scrypt: a sixtieth of what cosign asks for


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lower cost be one of those known; what is about the costs puts the real one back."""
    monkeypatch.setattr(cosign_keys, "_COSTS", cosign_keys._COSTS | {CHEAP})
    monkeypatch.setattr(cosign_keys, "_COST", CHEAP)


def ask(answer: str = PASSPHRASE) -> Callable[[str], str]:
    """Return somebody who knows a passphrase, and wants to be asked for it by the file's name."""

    def answered(name: str) -> str:
        assert name.startswith("passphrase of key '")
        return answer

    return answered


def der(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@functools.cache
def alice() -> bytes:
    """Return a cosign.key of alice."""
    return cosign_keys.encrypt(der(ALICE), PASSPHRASE.encode())


def rsa_key() -> bytes:
    """Return a cosign.key of an RSA key."""
    return cosign_keys.encrypt(der(shared.rsa_key()), PASSPHRASE.encode())


def closed(**changes: Any) -> bytes:
    """Return a cosign.key of alice with some of its JSON changed; a dot goes one deeper."""
    value = json.loads(base64.b64decode(b"".join(alice().split(b"\n")[1:-2])))
    for path, change in changes.items():
        node = value
        *above, last = path.split("__")
        for name in above:
            node = node[name]
        if change is None:
            del node[last]
        else:
            node[last] = change
    return armoured(json.dumps(value).encode())


def armoured(body: bytes, label: str = cosign_keys.LABEL) -> bytes:
    text = base64.b64encode(body)
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), text, label.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_new_encrypted_key_is_a_cosign_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    assert COST == 65536
    if kind == "ed25519":  # as it is in earnest: once
        monkeypatch.setattr(cosign_keys, "_COST", COST)
    made = new_key(kind, tmp_path, "alice", PASSPHRASE.encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.key", "alice.pub"]
    assert stat.S_IMODE(made.private_path.stat().st_mode) == 0o600
    text = made.private_path.read_text()
    assert text.startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    value = json.loads(base64.b64decode("".join(text.split("\n")[1:-2])))
    assert value["kdf"]["name"] == "scrypt"
    cost = COST if kind == "ed25519" else CHEAP
    assert value["kdf"]["params"] == {"N": cost, "r": 8, "p": 1}
    assert value["cipher"]["name"] == "nacl/secretbox"
    private = load_private(made.private_path, ask())
    assert public_pem(private.public_key()) == made.public_path.read_text()
    assert public_pem(load_public(made.public_path)) == made.public_path.read_text()


def test_the_same_key_is_closed_in_another_way_every_time() -> None:
    assert len({cosign_keys.encrypt(b"x", b"y") for _ in range(3)}) == 3


def test_an_empty_passphrase_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        new_key("ed25519", tmp_path, "alice", b"")
    assert list(tmp_path.iterdir()) == []


FORMS: dict[str, Callable[[], bytes]] = {
    "cosign": alice,
    "cosign, P-256": lambda: cosign_keys.encrypt(der(BOB), PASSPHRASE.encode()),
    "cosign, RSA": rsa_key,
    "cosign's old label": lambda: alice().replace(b"SIGSTORE", b"COSIGN"),
    "a BOM": lambda: b"\xef\xbb\xbf" + alice(),
    "CR LF": lambda: alice().replace(b"\n", b"\r\n"),
    "PKCS#8": lambda: ALICE.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())
    ),
    "SEC 1": lambda: BOB.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSPHRASE.encode())
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_encrypted_key_opens_with_its_passphrase_only(
    tmp_path: Path, form: Callable[[], bytes]
) -> None:
    (tmp_path / "key").write_bytes(form())
    assert load_private(tmp_path / "key", ask())
    for wrong in ("", "correct horse battery", PASSPHRASE + " "):
        with pytest.raises(PassphraseWrong) as refused:
            load_private(tmp_path / "key", ask(wrong))
        assert refused.value.code == "passphrase-wrong"
        assert str(tmp_path / "key") in str(refused.value)
        assert not wrong or wrong not in str(refused.value)
    with pytest.raises(PassphraseMissing) as missing:
        load_private(tmp_path / "key")
    assert missing.value.code == "passphrase-missing"


def test_a_key_without_a_passphrase_asks_nobody(tmp_path: Path) -> None:
    def nobody(name: str) -> str:
        raise AssertionError(name)

    assert load_private(KEYS / "alice.pem", nobody)


@pytest.mark.parametrize("cost", [pytest.param(1 << 15, marks=pytest.mark.long), 1 << 17])
def test_the_other_costs_of_cosign_open_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: int
) -> None:
    monkeypatch.setattr(cosign_keys, "_COST", cost)
    (tmp_path / "key").write_bytes(cosign_keys.encrypt(der(ALICE), PASSPHRASE.encode()))
    assert load_private(tmp_path / "key", ask())


EXPENSIVE = {
    "N = 2^30": {"kdf__params__N": 1 << 30},
    "N = 1": {"kdf__params__N": 1},
    "N = 65,535": {"kdf__params__N": 65535},
    "N is a string": {"kdf__params__N": "65536"},
    "N is a list": {"kdf__params__N": [65536]},
    "N is a fraction": {"kdf__params__N": 65536.0},
    "p is true": {"kdf__params__p": True},
    "r = 2^20": {"kdf__params__r": 1 << 20},
    "p = 1,000": {"kdf__params__p": 1000},
    "p = 0": {"kdf__params__p": 0},
    "another kdf": {"kdf__name": "pbkdf2"},
    "another cipher": {"cipher__name": "aes"},
}


@together("changes", EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_a_file_cannot_ask_for_another_cost(tmp_path: Path, changes: dict[str, Any]) -> None:
    def nobody(name: str) -> str:
        raise AssertionError("asked for a passphrase before the cost was looked at")

    (tmp_path / "key").write_bytes(closed(**changes))
    with pytest.raises(KeyUnsupported, match="another cost"):
        load_private(tmp_path / "key", nobody)


DAMAGED: dict[str, Callable[[], bytes]] = {
    "no JSON": lambda: armoured(b"{"),
    "a list": lambda: armoured(b"[]"),
    "deep": lambda: armoured(b"[" * 20000),
    "no kdf": lambda: closed(kdf=None),
    "no salt": lambda: closed(kdf__salt=None),
    "salt is no text": lambda: closed(kdf__salt=7),
    "salt is no base64": lambda: closed(kdf__salt="*"),
    "salt is short": lambda: closed(kdf__salt="AAAA"),
    "nonce is short": lambda: closed(cipher__nonce="AAAA"),
    "no ciphertext": lambda: closed(ciphertext=""),
    "ciphertext of 16 bytes": lambda: closed(ciphertext=base64.b64encode(bytes(16)).decode()),
    "params is a list": lambda: closed(kdf__params=[]),
    "no end": lambda: armoured(b"{}").split(b"\n-----END")[0],
    "no base64": lambda: armoured(b"{}").replace(b"e30=", b"e3*="),
}


@together("form", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_named_before_anybody_is_asked(
    tmp_path: Path, form: Callable[[], bytes]
) -> None:
    def nobody(name: str) -> str:
        raise AssertionError(name)

    (tmp_path / "key").write_bytes(form())
    with pytest.raises(KeyUnreadable, match="damaged"):
        load_private(tmp_path / "key", nobody)


def test_a_changed_bit_does_not_open(tmp_path: Path) -> None:
    value = json.loads(base64.b64decode(b"".join(alice().split(b"\n")[1:-2])))
    box = bytearray(base64.b64decode(value["ciphertext"]))
    box[-1] ^= 1
    (tmp_path / "key").write_bytes(closed(ciphertext=base64.b64encode(box).decode()))
    with pytest.raises(PassphraseWrong):
        load_private(tmp_path / "key", ask())


def test_what_is_inside_must_be_a_key_that_serves(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(cosign_keys.encrypt(b"not DER", PASSPHRASE.encode()))
    with pytest.raises(KeyUnreadable, match="damaged, or no known key"):
        load_private(tmp_path / "key", ask())
    p521 = der(ec.generate_private_key(ec.SECP521R1()))
    (tmp_path / "key").write_bytes(cosign_keys.encrypt(p521, PASSPHRASE.encode()))
    with pytest.raises(KeyUnsupported, match="on the curve P-521"):
        load_private(tmp_path / "key", ask())


def test_encrypted_keys_sign_kits_and_sums(tmp_path: Path) -> None:
    targets = pinned().targets.keys
    for name in ("alice", "bob"):
        plain = load_private(KEYS / f"{name}.pem")
        path = tmp_path / f"{name}.key"
        path.write_bytes(cosign_keys.encrypt(der(plain), PASSPHRASE.encode()))
        signer = load_signer(f"{name}={path}", targets, secrets=ask())
        assert signer.sign(b"x") == load_signer(f"{KEYS}/{name}.pem", targets).sign(b"x")
    sums = load_sums_signer(str(tmp_path / "bob.key"), secrets=ask())
    assert sums.sign_digest(bytes(32)) == load_sums_signer(f"{KEYS}/bob.pem").sign_digest(bytes(32))
    with pytest.raises(PassphraseWrong):
        load_signer(str(tmp_path / "alice.key"), targets, secrets=ask("wrong"))
    with pytest.raises(PassphraseMissing):
        load_signer(str(tmp_path / "alice.key"), targets)
