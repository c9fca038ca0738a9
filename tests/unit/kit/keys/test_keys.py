"""Key files: written whole or not at all, and named for what they are when they do not serve."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # no __all__ there

from kit import keys
from kit.keys import (
    KINDS,
    FileExists,
    FileUnwritable,
    KeyNameInvalid,
    KeyUnreadable,
    KeyUnsupported,
    Kind,
    load_private,
    load_public,
    new_key,
    public_pem,
    tuf_key,
)
from tests.support.killing import ended, fork
from tests.support.rsakeys import rsa_key
from tests.support.together import together

PASSPHRASE = b"correct horse battery"

ALICE = ed25519.Ed25519PrivateKey.generate()
BOB = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa_key()
RSA_3 = rsa_key(e=3)
RSA_1024 = rsa_key(1024)
P521 = ec.generate_private_key(ec.SECP521R1())
DSA = dsa.generate_private_key(key_size=1024)


def pkcs8(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]


def spki(key: object) -> bytes:
    public = key.public_key()  # type: ignore[attr-defined]
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


def traditional(key: object, format: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> bytes:
    return key.private_bytes(Encoding.PEM, format, NoEncryption())  # type: ignore[attr-defined, no-any-return]


def encrypted(key: object, format: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, format, BestAvailableEncryption(PASSPHRASE))  # type: ignore[attr-defined, no-any-return]


# --- made ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_new_key_writes_two_halves_that_belong_together(tmp_path: Path, kind: Kind) -> None:
    made = new_key(kind, tmp_path, "alice")
    assert (made.private_path, made.public_path) == (tmp_path / "alice.pem", tmp_path / "alice.pub")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.pem", "alice.pub"]
    private = load_private(made.private_path)
    assert public_pem(private.public_key()) == made.public_path.read_text()
    assert made.keyid == SSlibKey.from_crypto(load_public(made.public_path)).keyid
    assert made.scheme == {"ed25519": "ed25519", "ecdsa-p256": "ecdsa-sha2-nistp256"}[kind]
    assert b"-----BEGIN PRIVATE KEY-----" in made.private_path.read_bytes()  # PKCS#8
    load_pem_private_key(made.private_path.read_bytes(), None)
    load_pem_public_key(made.public_path.read_bytes())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_private_half_is_for_its_owner_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = new_key("ed25519", tmp_path, "alice")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.private_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.public_path.stat().st_mode) == 0o644 & ~umask


def test_each_key_is_another(tmp_path: Path) -> None:
    assert new_key("ed25519", tmp_path, "a").keyid != new_key("ed25519", tmp_path, "b").keyid


@pytest.mark.parametrize("there", ["alice.pem", "alice.pub", ".alice.pem.part", ".alice.pub.part"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"precious")
    with pytest.raises(FileExists) as refused:
        new_key("ed25519", tmp_path, "alice")
    assert refused.value.code == "file-exists"
    assert there in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


def test_a_dangling_link_counts_as_being_there(tmp_path: Path) -> None:
    (tmp_path / "alice.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExists):
        new_key("ed25519", tmp_path, "alice")
    assert not (tmp_path / "elsewhere").exists()


@together(
    "name", ["", ".", "..", "../a", "a/b", ".hidden", "-rf", "a b", "é", "a\0", "a\n", "a" * 65]
)
def test_a_name_that_is_no_portable_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyNameInvalid) as refused:
        new_key("ed25519", tmp_path, name)
    assert refused.value.code == "key-name-invalid"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileUnwritable) as refused:
        new_key("ed25519", tmp_path / "absent", "alice")
    assert "absent" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ed25519, ecdsa-p256"):
        new_key("rsa", tmp_path, "alice")  # type: ignore[arg-type]


def failing(call: Callable[..., None], fail_at: int) -> Callable[..., None]:
    count = 0

    def replacement(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count == fail_at:
            raise OSError(28, "No space left on device")
        call(*arguments)

    return replacement


@pytest.mark.parametrize("fail_at", [1, 2, 3])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(os.fsync, fail_at))  # two files, then the directory
    with pytest.raises(FileUnwritable, match="No space left"):
        new_key("ed25519", tmp_path, "alice")
    assert list(tmp_path.iterdir()) == []


def refuse_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_file_system_without_links_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse_links)  # what FAT says
    made = new_key("ed25519", tmp_path, "alice")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.pem", "alice.pub"]
    assert stat.S_IMODE(made.private_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_meanwhile_wins_and_the_other_half_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    link = os.link if links else refuse_links

    def somebody_is_faster(source: Path, target: Path) -> None:
        if target.name == "alice.pem":
            target.write_bytes(b"precious")
        link(source, target)

    monkeypatch.setattr(os, "link", somebody_is_faster)
    with pytest.raises(FileExists):
        new_key("ed25519", tmp_path, "alice")
    assert [path.name for path in tmp_path.iterdir()] == ["alice.pem"]
    assert (tmp_path / "alice.pem").read_bytes() == b"precious"


def making(directory: Path, moment: int) -> None:
    """Make a key, and be killed before the call with this number; for a process of its own."""
    calls = itertools.count(1)

    def killing(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def replacement(*arguments: Any, **options: Any) -> Any:
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return replacement

    for name in ("fsync", "link", "unlink"):
        setattr(os, name, killing(name))
    new_key("ed25519", directory, "alice")


def test_killed_at_any_moment_there_is_no_private_half_alone_and_no_silence(tmp_path: Path) -> None:
    outcomes = set()
    for moment in range(1, 20):
        directory = tmp_path / str(moment)
        directory.mkdir()
        status = ended(fork(functools.partial(making, directory, moment)))
        names = {path.name for path in directory.iterdir()}
        outcomes.add(frozenset(names))
        for name in names:
            assert (
                load_public(directory / name) if "pub" in name else load_private(directory / name)
            )
        assert "alice.pem" not in names or "alice.pub" in names
        if status == 0:
            break
        assert status == -signal.SIGKILL
        if names:
            hint = "left by one that" if any("part" in name for name in names) else "is there"
            with pytest.raises(FileExists, match=hint):
                new_key("ed25519", directory, "alice")
    assert status == 0
    assert names == {"alice.pem", "alice.pub"}
    assert len(outcomes) >= 4  # killed before, between and after the two names


# --- read ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pkcs8(ALICE), ed25519.Ed25519PrivateKey),
        (pkcs8(BOB), ec.EllipticCurvePrivateKey),
        (traditional(BOB), ec.EllipticCurvePrivateKey),
        (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
         + traditional(BOB), ec.EllipticCurvePrivateKey),
        (pkcs8(P384), ec.EllipticCurvePrivateKey),
        (pkcs8(RSA), rsa.RSAPrivateKey),
        (traditional(RSA), rsa.RSAPrivateKey),
        (b"\xef\xbb\xbf" + pkcs8(ALICE), ed25519.Ed25519PrivateKey),
        (b"Bag Attributes\n" + pkcs8(BOB).replace(b"\n", b"\r\n"), ec.EllipticCurvePrivateKey),
    ],
    ids=["ed25519", "p256", "p256 SEC 1", "openssl ecparam -genkey", "p384", "rsa", "rsa PKCS#1",
         "BOM", "CRLF, text before"],
)  # fmt: skip
def test_private_keys_that_serve(tmp_path: Path, data: bytes, kind: type) -> None:
    (tmp_path / "key").write_bytes(data)
    assert isinstance(load_private(tmp_path / "key"), kind)


PRIVATE_UNSUPPORTED = {
    "RSA, 1,024 bits": (pkcs8(RSA_1024), "an RSA private key of 1024 bits"),
    "RSA, e = 3": (traditional(RSA_3), "an RSA private key of 2048 bits"),
    "P-521": (pkcs8(P521), "on the curve P-521"),
    "secp256k1": (pkcs8(ec.generate_private_key(ec.SECP256K1())), "on the curve secp256k1"),
    "Ed448": (pkcs8(ed448.Ed448PrivateKey.generate()), "of the kind Ed448"),
    "X25519": (pkcs8(x25519.X25519PrivateKey.generate()), "of the kind X25519"),
    "DSA, traditional": (traditional(DSA), "a DSA private key"),
    "OpenSSH": (traditional(ALICE, PrivateFormat.OpenSSH), "give it as ssh:PATH"),
    "public": (spki(ALICE), "a public key; give its private half"),
    "OpenSSH, public": (b"ssh-ed25519 AAAAC3Nza alice@example\n", "a public key in OpenSSH's own"),
    "certificate": (
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a certificate"
    ),
    "something else": (b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", "'X509 CRL'"),
    "DER": (
        ALICE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "-inform DER"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "what"), PRIVATE_UNSUPPORTED.values(), ids=PRIVATE_UNSUPPORTED.keys()
)
def test_a_private_key_that_does_not_serve_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(KeyUnsupported) as refused:
        load_private(tmp_path / "key")
    assert refused.value.code == "key-unsupported"
    assert what in str(refused.value)
    assert repr(str(tmp_path / "key")) in str(refused.value)
    secret = b"".join(data.splitlines()[1:2])[:40].decode("latin-1")
    assert len(secret) < 8 or secret not in str(refused.value)


PUBLIC_UNSUPPORTED = {
    "private": (pkcs8(ALICE), "a private key; give its public half"),
    "private, SEC 1": (traditional(BOB), "a private key; give its public half"),
    "private, encrypted": (encrypted(ALICE), "a private key; give its public half"),
    "RSA, 1,024 bits": (spki(RSA_1024), "an RSA public key of 1024 bits"),
    "RSA, e = 3": (spki(RSA_3), "an RSA public key of 2048 bits"),
    "P-521": (spki(P521), "an ECDSA public key on the curve P-521"),
    "X25519": (spki(x25519.X25519PrivateKey.generate()), "a public key of the kind X25519"),
    "certificate": (
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "openssl x509 -in FILE -noout -pubkey",
    ),
    "OpenSSH, P-256": (
        BOB.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "OpenSSH's own"
    ),
    "OpenSSH, security key": (
        b"sk-ecdsa-sha2-nistp256@openssh.com AAAA\n", "a security key of OpenSSH that is none of"
    ),
    "DER": (
        BOB.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "-pubin"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "what"), PUBLIC_UNSUPPORTED.values(), ids=PUBLIC_UNSUPPORTED.keys()
)
def test_a_public_key_that_does_not_serve_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(KeyUnsupported) as refused:
        load_public(tmp_path / "key")
    assert what in str(refused.value)


UNREADABLE = {
    "empty": (b"", "empty"),
    "garbage": (bytes(range(128, 256)), "no PEM block"),
    "PEM inside of JSON": (b'{"a": "' + pkcs8(BOB).replace(b"\n", b"\\n"), "no PEM block"),
    "prose": (b"this is not a key\n", "no PEM block"),
    "cut off": (pkcs8(BOB)[:-60], "damaged"),
    "wrong base64": (pkcs8(BOB).replace(b"M", b"!", 1), "damaged"),
    "cut DER": (
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n", "damaged"
    ),
    "huge": (b"\n" * (keys.MAX_KEY_FILE + 1), "more than 65536 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_key_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(KeyUnreadable, match=why) as refused:
        load_private(tmp_path / "key")
    assert refused.value.code == "key-unreadable"
    (tmp_path / "key").write_bytes(data.replace(b"PRIVATE", b"PUBLIC"))
    with pytest.raises(KeyUnreadable, match=why):
        load_public(tmp_path / "key")


@pytest.mark.parametrize("load", [load_private, load_public])
def test_what_is_no_file_is_refused(tmp_path: Path, load: Callable[[Path], object]) -> None:
    for path, why in [
        (tmp_path, "Is a directory"),
        (tmp_path / "absent\x1b[2J", "No such file"),
        (tmp_path / "a\0b", "not a path"),
    ]:
        with pytest.raises(KeyUnreadable, match=why) as refused:
            load(path)
        assert "\x1b" not in str(refused.value)
        assert "\0" not in str(refused.value)


def test_a_key_from_a_pipe_serves(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, pkcs8(ALICE))
    os.close(writer)
    try:
        private = load_private(Path(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
    assert private.public_key() == ALICE.public_key()


def test_a_compressed_point_is_the_same_key() -> None:
    point = BOB.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    again = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    assert public_pem(again) == spki(BOB).decode()
    assert tuf_key(again) == tuf_key(BOB.public_key())
