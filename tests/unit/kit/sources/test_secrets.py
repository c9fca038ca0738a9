"""Private keys are known by their content, whatever program made them; texts about keys are not."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from kit.sources import secrets
from kit.sources.secrets import MAX_KEY, may_hold_key
from tests.conftest import Judge
from tests.support.making import KEYS, REPOSITORY
from tests.support.rsakeys import rsa_key
from tests.support.together import together

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEY_KINDS: dict[str, Key] = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "RSA": rsa_key(),
}
OPEN = ser.NoEncryption()
LOCKED = ser.BestAvailableEncryption(b"secret")


def private_key_in(data: bytes | memoryview) -> str:
    """Ask, and see that the short look at a file in a larger buffer would not have passed it."""
    found = secrets.private_key_in(data)
    if found:
        buffer = bytearray(b"before" + bytes(data) + b"behind")
        assert may_hold_key(buffer, 6, 6 + len(data)), found
    return found


def test_the_short_look_sees_its_own_file_only() -> None:
    buffer = bytearray(b"{PRIVATE KEY" + b"a text" + b"PRIVATE KEY")
    assert not may_hold_key(buffer, 12, 18)
    assert not may_hold_key(buffer, 12, 12)
    assert may_hold_key(buffer, 12, len(buffer))
    far = bytearray(MAX_KEY + 20)
    far[MAX_KEY - 5 : MAX_KEY + 6] = b"PRIVATE KEY"
    assert not may_hold_key(far, 0, len(far))


@pytest.mark.parametrize("kind", KEY_KINDS)
@pytest.mark.parametrize("lock", [OPEN, LOCKED], ids=["open", "locked"])
@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER])
def test_pkcs8(kind: str, lock: ser.KeySerializationEncryption, encoding: ser.Encoding) -> None:
    key = KEY_KINDS[kind]
    data = key.private_bytes(encoding, ser.PrivateFormat.PKCS8, lock)
    assert private_key_in(data)
    assert private_key_in(memoryview(bytearray(data)))


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER])
def test_the_older_form(kind: str, encoding: ser.Encoding) -> None:
    key = KEY_KINDS[kind]
    data = key.private_bytes(encoding, ser.PrivateFormat.TraditionalOpenSSL, OPEN)
    assert private_key_in(data)


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_openssh(kind: str) -> None:
    key = KEY_KINDS[kind]
    assert private_key_in(key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.OpenSSH, OPEN))


@pytest.mark.parametrize("kind", KEY_KINDS)
@pytest.mark.parametrize("encoding", [ser.Encoding.PEM, ser.Encoding.DER])
def test_public_halves_are_no_secret(kind: str, encoding: ser.Encoding) -> None:
    public = KEY_KINDS[kind].public_key()
    assert not private_key_in(public.public_bytes(encoding, ser.PublicFormat.SubjectPublicKeyInfo))


def test_the_keys_of_the_fixtures() -> None:
    for path in sorted(KEYS.glob("*.pem")):
        assert private_key_in(path.read_bytes()), path
    for path in sorted(KEYS.glob("*.pub")):
        assert not private_key_in(path.read_bytes()), path


def line(start: bytes, size: int) -> bytes:
    """Return base64 that begins as a key of some program does."""
    return base64.b64encode(start + bytes(range(1, 200)))[:size]


MORE = {
    "a bundle of chain and key": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    + (KEYS / "alice.pem").read_bytes(),
    "with attributes": b"Bag Attributes\n    friendlyName: x\n" + (KEYS / "alice.pem").read_bytes(),
    "encrypted as OpenSSL once did": b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
    b"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n" + line(b"x", 64) + b"\n",
    "cosign": b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n" + line(b"{", 64) + b"\n",
    "CR LF": (KEYS / "alice.pem").read_bytes().replace(b"\n", b"\r\n"),
    "GnuPG": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n" + line(b"\x94", 64),
    "GnuPG without a version": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + line(b"\x94", 64),
    "GnuPG's agent": b"(21:protected-private-key(3:rsa(1:n257:",
    "GnuPG's agent, newer": b"Created: 20240101T000000\nKey: (private-key (ecc (curve Ed25519)))",
    "OpenPGP": bytes.fromhex("c558 04 60000000 16 092b06"),
    "OpenPGP, old form": bytes.fromhex("95 03be 04 60000000 01 0800"),
    "age": b"# created: 2026-01-01T00:00:00Z\n# public key: age1xyz\nAGE-SECRET-KEY-1" + b"Q" * 58,
    "minisign": b"untrusted comment: minisign encrypted secret key\n" + line(b"EdScB2", 212),
    "minisign without a password": b"untrusted comment: key\n" + line(b"Ed\0\0B2", 212),
    "signify": b"untrusted comment: signify secret key\n" + line(b"EdBK\0\0\0\x2a", 140),
    "PuTTY": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
}


@together("data", MORE.values(), ids=MORE)
def test_other_programs(data: bytes) -> None:
    assert private_key_in(data)


NONE = {
    "nothing": b"",
    "one byte": b"\x30",
    "a text about keys": b"A file begins with `-----BEGIN PRIVATE KEY-----` and is PEM text.\n",
    "a program that knows the armour": b'if "-----BEGIN PRIVATE KEY-----" in text:\n    x\n',
    "the armour alone": b"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
    "a key on a card": b"(20:shadowed-private-key(3:rsa",
    "a public key of minisign": b"untrusted comment: key\nRWQf6LRCGA9i53mlYecO4IzT5",
    "a certificate": b"\x30\x82\x01\x0a\x30\x81\xb0\xa0\x03\x02\x01\x02",
    "a signature in DER": b"\x30\x06\x02\x01\x01\x02\x01\x02",
    "OpenPGP of somebody else": b"\x99\x01\x0d\x04\x60\x00\x00\x00\x01",
    "noise that begins like OpenPGP": b"\x95\x01\x02\x03",
}


@together("data", NONE.values(), ids=NONE)
def test_what_is_no_key(data: bytes) -> None:
    assert not private_key_in(data)


def jks(*tags: int, version: int = 2) -> bytes:
    """Return a Java key store with an entry of each tag; what follows a key is not looked at."""
    data = b"\xfe\xed\xfe\xed" + version.to_bytes(4, "big") + len(tags).to_bytes(4, "big")
    for tag in tags:
        data += tag.to_bytes(4, "big") + b"\0\x05alias" + bytes(8)
        data += (b"\0\x05X.509" if version == 2 else b"") + b"\0\0\0\x03abc" if tag == 2 else b"\1"
    return data


@pytest.mark.parametrize("version", [1, 2])
def test_a_java_key_store_is_a_secret_when_it_holds_a_key(version: int) -> None:
    assert private_key_in(jks(1, version=version))
    assert private_key_in(jks(2, 2, 1, version=version))
    assert private_key_in(jks(2, 3, version=version).replace(b"\xfe\xed\xfe\xed", b"\xce" * 4))
    assert not private_key_in(jks(2, 2, version=version))
    assert not private_key_in(jks(2)[:-5])


def certificate_of(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    day = datetime(2026, 1, 1, tzinfo=timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(1))
    return made.sign(key, hashes.SHA256())


@pytest.mark.parametrize("lock", [OPEN, LOCKED], ids=["open", "locked"])
def test_pkcs12(lock: ser.KeySerializationEncryption) -> None:
    key = KEY_KINDS["P-256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = certificate_of(key)
    assert private_key_in(pkcs12.serialize_key_and_certificates(b"a", key, certificate, None, lock))
    trust = pkcs12.serialize_java_truststore(
        [pkcs12.PKCS12Certificate(certificate, b"a")], ser.BestAvailableEncryption(b"changeit")
    )
    assert not private_key_in(trust)


# starts in half the time where nothing runs for long
LITTLE_JAVA = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Xshare:auto"]


@pytest.mark.parametrize(
    "kind", ["PKCS12", *(pytest.param(name, marks=pytest.mark.long) for name in ("JKS", "JCEKS"))]
)
def test_what_keytool_writes(tmp_path: Path, kind: str) -> None:
    program = shutil.which("keytool")
    if program is None:
        pytest.skip("not run: keytool is not installed")
    store = ["-storetype", kind, "-storepass", "changeit", "-noprompt"]

    def keytool(*arguments: str | Path) -> None:
        command = [program, *LITTLE_JAVA, *arguments, *store]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=tmp_path)

    keytool("-genkeypair", "-keystore", "keys", "-alias", "a", "-keyalg", "EC", "-dname", "CN=a")
    key = KEY_KINDS["P-256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (tmp_path / "a.crt").write_bytes(certificate_of(key).public_bytes(ser.Encoding.PEM))
    keytool("-importcert", "-keystore", "trust", "-alias", "a", "-file", "a.crt")
    assert private_key_in((tmp_path / "keys").read_bytes())
    assert not private_key_in((tmp_path / "trust").read_bytes())


D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"


@together(
    ("text", "secret"),
    [
        (f'{{"kty": "OKP", "crv": "Ed25519", "d": "{D}", "x": "{D}"}}', True),
        (f'{{"d":"{D}","kty":"EC","crv":"P-256","x":"{D}","y":"{D}"}}', True),
        (f'{{"keys": [{{"kty": "EC", "x": "{D}"}}, {{"kty": "RSA", "d": "{D}"}}]}}', True),
        (f'{{"kty": "oct", "k": "{D}"}}', True),
        (f'{{"kty": "OKP", "crv": "Ed25519", "x": "{D}"}}', False),
        (f'{{"keys": [{{"kty": "EC", "x": "{D}", "kid": "d"}}]}}', False),
        ('{"kty": "EC", "d": "a word"}', False),
        (f'A JSON Web Key looks like {{"kty": "OKP", "d": "{D}"}}.', False),
    ],
)
def test_json_web_keys(text: str, secret: bool) -> None:
    assert bool(private_key_in(text.encode())) is secret
    assert bool(private_key_in(f"\n  {text}".encode())) is secret


def test_nothing_of_this_repository_but_its_test_keys_is_one() -> None:
    """Two thousand files of all kinds: no false alarm."""
    for folder in ("kit", "verifier", "docs", "manifests", "fixtures/lnm", "tools"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                assert not private_key_in(path.read_bytes()[:65_536]), path


def test_what_ssh_keygen_writes(judge: Judge, tmp_path: Path) -> None:
    for number, more in enumerate((["-N", ""], ["-N", "secret"], ["-N", "", "-m", "PEM"])):
        path = tmp_path / str(number)
        kind = ["rsa", "-b", "1024"] if "-m" in more else ["ed25519"]
        command: list[str | Path] = [judge("ssh-keygen"), "-q", "-t", *kind, "-f", path, *more]
        subprocess.run(command, check=True, timeout=60)
        assert private_key_in(path.read_bytes())
        assert not private_key_in(path.with_suffix(".pub").read_bytes())


def test_what_gpg_writes(tmp_path: Path) -> None:
    gpg = shutil.which("gpg")
    if gpg is None:
        pytest.skip("not run: gpg is not installed")
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    command: list[str | Path] = [
        gpg,
        "--homedir",
        home,
        "--batch",
        "--quiet",
        "--pinentry-mode",
        "loopback",
    ]
    made = [*command, "--passphrase", "", "--quick-gen-key", "a@example.com", "ed25519"]
    if subprocess.run(made, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("not run: gpg makes no key here")
    for armour in ([], ["--armor"]):
        run = [*command, *armour, "--passphrase", "", "--export-secret-keys"]
        assert private_key_in(subprocess.run(run, capture_output=True, check=True).stdout)
        run = [*command, *armour, "--export"]
        assert not private_key_in(subprocess.run(run, capture_output=True, check=True).stdout)
    for path in (home / "private-keys-v1.d").iterdir():
        assert private_key_in(path.read_bytes()), path.read_bytes()[:40]
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
