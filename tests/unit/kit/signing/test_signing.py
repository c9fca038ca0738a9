"""Signers: matched by the root, the same bytes twice, checked before anybody sees a signature."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.backends.openssl.backend import backend
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    Key,
    Signature,
    Signer,
    SSlibKey,
)

from kit.keys import KeyUnreadable, KeyUnsupported, load_private, new_key, tuf_key
from kit.roots.metadata import RootKey
from kit.signing import (
    KeyNotInRoot,
    KeyOfAnotherSigner,
    RootKeyLike,
    SecretsHandler,
    SignatureSelfCheckFailed,
    SignerArgumentInvalid,
    SignerNotInRoot,
    SignerUnavailable,
    SignerUnsupported,
    load_signer,
    load_sums_signer,
)
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.core.signature import Key as SignatureKey
from verifier.crypto import ecdsa, ed25519
from verifier.rootfile import load_root
from verifier.typed import replace

KEYS = Path(__file__).parents[4] / "fixtures" / "keys"
TARGETS = load_root(os.fspath(KEYS / "root.json")).targets.keys
PAE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
PIN = "47110815"
VALUE = "hunter22"  # a secret in a URI
ED25519, P256 = "ed25519", "ecdsa-sha2-nistp256"


def key_of(signer: str) -> SignatureKey:
    return next(key for key in TARGETS.values() if key.signer == signer)


def accepted_by_the_verifier(key: RootKeyLike, message: bytes, signature: bytes) -> bool:
    if key.scheme == ED25519:
        return ed25519.verify(bytes.fromhex(key.public), message, signature)
    point, digest = ecdsa.parse_spki(key.public), hashlib.sha256(message).digest()
    return ecdsa.verify(ecdsa.P256, point, digest, signature, low_s=True)


# --- key files -------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", ["alice", "bob", "carol"])
@pytest.mark.parametrize("form", ["{0}={1}", "{2}={1}", "{1}", "file2:{1}", "{0}=file2:{1}",
                                  "file:{1}", "file://{1}", "{0}=file:{1}"])  # fmt: skip
def test_a_key_file_signs_for_its_signer_the_same_way_every_time(signer: str, form: str) -> None:
    key = key_of(signer)
    argument = form.format(signer, KEYS / f"{signer}.pem", key.keyid)
    made = load_signer(argument, TARGETS)
    assert (made.keyid, made.signer, made.scheme) == (key.keyid, signer, key.scheme)
    signature = made.sign(PAE)
    assert accepted_by_the_verifier(key, PAE, signature)
    assert not accepted_by_the_verifier(key, PAE + b" ", signature)
    assert load_signer(argument, TARGETS).sign(PAE) == signature == made.sign(PAE)


def test_securesystemslib_accepts_our_signatures() -> None:
    for key in TARGETS.values():
        signature = load_signer(str(KEYS / f"{key.signer}.pem"), TARGETS).sign(PAE)
        public = tuf_key(load_private(KEYS / f"{key.signer}.pem").public_key())
        public.verify_signature(Signature(key.keyid, signature.hex()), PAE)


def test_p256_is_rfc_6979_with_the_low_s(tmp_path: Path) -> None:
    """RFC 6979 A.2.5, SHA-256, the messages ``sample`` and ``test``."""
    number = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    private = ec.derive_private_key(number, ec.SECP256R1())
    (tmp_path / "key").write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    published = {
        b"sample": (
            0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
            0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
        ),
        b"test": (
            0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
            0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
        ),
    }
    public = tuf_key(private.public_key())
    root = {public.keyid: RootKey(public.keyid, "rfc", P256, public.keyval["public"])}
    signer, sums = load_signer(str(tmp_path / "key"), root), load_sums_signer(str(tmp_path / "key"))
    for message, (r, s) in published.items():
        expected = (r, min(s, ecdsa.P256.n - s))
        assert decode_dss_signature(signer.sign(message)) == expected
        assert decode_dss_signature(sums.sign_digest(hashlib.sha256(message).digest())) == expected


def test_a_key_is_matched_by_what_it_is_and_not_by_its_id() -> None:
    spelled = key_of("bob").public.rstrip("\n")  # as a cloud gives it: another id, the same key
    root = {"somebody-else's-id": RootKey("somebody-else's-id", "bob", P256, spelled)}
    made = load_signer(str(KEYS / "bob.pem"), root)
    assert made.keyid == "somebody-else's-id"
    assert accepted_by_the_verifier(key_of("bob"), PAE, made.sign(PAE))


def test_of_one_key_under_two_ids_the_id_asked_for_signs() -> None:
    alice = key_of("alice")
    root = {keyid: replace(alice, keyid=keyid) for keyid in ("b", "a")}
    pem = str(KEYS / "alice.pem")
    assert [load_signer(f"{who}{pem}", root).keyid for who in ("", "alice=", "b=")] == [
        "a",
        "a",
        "b",
    ]


def test_keys_that_this_version_does_not_evaluate_are_passed_over() -> None:
    others = [
        RootKey("0", "alice", "ml-dsa-65/1", "00"),
        RootKey("1", "alice", ED25519, "not hexadecimal"),
        RootKey("2", "alice", P256, "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"),
        RootKey("3", "alice", P256, "é"),
    ]
    root: dict[str, RootKeyLike] = {**{key.keyid: key for key in others}, **TARGETS}
    assert load_signer(f"alice={KEYS}/alice.pem", root).keyid == key_of("alice").keyid


@pytest.mark.parametrize(
    ("argument", "error", "code", "says"),
    [
        ("mallory.pem", KeyNotInRoot, "key-not-in-root", "does not name this key"),
        ("alice=mallory.pem", KeyNotInRoot, "key-not-in-root", "does not name this key"),
        ("file2:sums.pem", KeyNotInRoot, "key-not-in-root", "does not name this key"),
        ("alice=bob.pem", KeyOfAnotherSigner, "key-of-another-signer", "not for 'alice'"),
        ("mallory=mallory.pem", SignerNotInRoot, "signer-not-in-root", "'alice', 'bob', 'carol'"),
        ("Alice=alice.pem", SignerNotInRoot, "signer-not-in-root", "signer 'Alice'"),
        ("=alice.pem", SignerNotInRoot, "signer-not-in-root", "signer ''"),
        ("alice=", SignerArgumentInvalid, "signer-argument-invalid", "nothing after"),
        ("hsm:2?label=token", SignerArgumentInvalid, "signer-argument-invalid", "whose key"),
        ("alice=absent.pem", KeyUnreadable, "key-unreadable", "No such file"),
        ("", KeyUnreadable, "key-unreadable", ""),
        ("alice=.", KeyUnreadable, "key-unreadable", "Is a directory"),
        ("alice=root.json", KeyUnreadable, "key-unreadable", "no PEM block"),
        ("alice=alice.pub", KeyUnsupported, "key-unsupported", "a public key"),
        ("file://host/alice.pem", KeyUnreadable, "key-unreadable", "No such file"),
        ("alice=nosuch:x", SignerUnsupported, "signer-unsupported", "known are awskms"),
        ("ssh:absent", KeyUnreadable, "key-unreadable", "its public half 'absent.pub' is not"),
        ("ssh:alice.pub", KeyNotInRoot, "key-not-in-root", "but with the scheme ed25519"),
        ("alice=gnupg:/home", SignerUnsupported, "signer-unsupported", "OpenPGP packets"),
        ("alice=tkey:?digest=00", SignerUnsupported, "signer-unsupported", "ML-DSA-44"),
        ("alice=sigstore:?a", SignerUnsupported, "signer-unsupported", "one-time keys"),
        ("alice=hsm:2", SignerUnsupported, "signer-unsupported", "and the root has ed25519"),
        ("bob=hv:name/1", SignerUnsupported, "signer-unsupported", "it signs with ed25519"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_count_is_refused(
    monkeypatch: pytest.MonkeyPatch, argument: str, error: type[KitError], code: str, says: str
) -> None:
    monkeypatch.chdir(KEYS)
    with pytest.raises(error) as refused:
        load_signer(argument, TARGETS)
    assert refused.value.code == code
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["a=b.pem", "key:2.pem", "alic=x.pem", "file=.pem"])
def test_a_path_may_have_a_colon_or_an_equals_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes((KEYS / "alice.pem").read_bytes())
    for argument in (name, f"alice={name}", f"{tmp_path}/{name}", f"file2:{name}"):
        assert load_signer(argument, TARGETS).signer == "alice"


def test_the_path_of_a_file_uri_is_not_looked_up_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CryptoSigner.PREFIX_ENV_VAR, str(KEYS))  # securesystemslib would obey it
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyUnreadable):
        load_signer("file2:alice.pem", TARGETS)


def test_old_openssl_is_named_before_a_kit_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(backend), "ecdsa_deterministic_supported", lambda self: False)
    with pytest.raises(SignerUnavailable, match=r"OpenSSL 3\.2"):
        load_signer(str(KEYS / "bob.pem"), TARGETS)
    with pytest.raises(SignerUnavailable, match=r"OpenSSL 3\.2"):
        load_sums_signer(str(KEYS / "sums.pem"))
    load_signer(str(KEYS / "alice.pem"), TARGETS)


# --- hardware and clouds ---------------------------------------------------------------------


class Kms(Signer):
    """A key service: real keys and random nonces, and a URI that names the key and how it fails."""

    keys: Path

    def __init__(self, uri: str, public_key: Key, secrets_handler: SecretsHandler | None) -> None:
        name, _, how = uri.removeprefix("kms:").partition("?")
        self.uri, self.how, self.secrets = uri, how.partition("&")[0], secrets_handler
        self.crypto = CryptoSigner(load_private(self.keys / f"{name}.pem"))
        self._public_key = public_key
        if self.how == "no-library":
            raise UnsupportedLibraryError("'kms-client' required")
        other = self.crypto.public_key.keyval != public_key.keyval
        if self.how == "no-token" or (self.how == "strict" and other):
            raise RuntimeError(f"no such key in {uri}\x1b[2J")

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Kms:
        return cls(priv_key_uri, public_key, secrets_handler)

    @property
    def public_key(self) -> Key:
        return self._public_key

    def sign(self, payload: bytes) -> Signature:
        if self.how == "pin":
            assert self.secrets is not None
            raise PermissionError(f"the token refused the PIN {self.secrets('pin')}")
        if self.how == "not-hex":
            return Signature(self.public_key.keyid, "zz")
        signature = self.crypto.sign(payload).signature
        if self.how == "short":
            signature = signature[:-2]
        if self.how == "trailing":
            signature += "00"
        return Signature(self.public_key.keyid, signature)


@pytest.fixture(autouse=True)
def kms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "kms", Kms)
    monkeypatch.setattr(Kms, "keys", KEYS, raising=False)


def test_a_service_with_random_nonces_gives_the_low_s() -> None:
    signer = load_signer("bob=kms:bob", TARGETS)
    half = ecdsa.P256.n // 2
    raw = Kms("kms:bob", SSlibKey("", "ecdsa", P256, {"public": ""}), None)
    drawn = [decode_dss_signature(bytes.fromhex(raw.sign(PAE).signature))[1] for _ in range(64)]
    assert any(s > half for s in drawn)  # the service does give high ones: half of the time
    signatures = [signer.sign(PAE) for _ in range(64)]
    assert len(set(signatures)) == 64
    assert all(decode_dss_signature(signature)[1] <= half for signature in signatures)
    assert all(accepted_by_the_verifier(key_of("bob"), PAE, made) for made in signatures)


def test_a_service_may_make_ed25519_too() -> None:
    signer = load_signer("alice=kms:alice", TARGETS)
    assert signer.sign(PAE) == load_signer(str(KEYS / "alice.pem"), TARGETS).sign(PAE)


@together(
    "argument",
    ["alice=kms:carol", "alice=kms:mallory", "alice=kms:bob", "bob=kms:sums", "bob=kms:alice",
     "alice=kms:alice?short", "alice=kms:alice?trailing", "bob=kms:bob?short",
     "bob=kms:bob?trailing"],
)  # fmt: skip
def test_a_signature_that_the_root_would_not_accept_never_leaves(argument: str) -> None:
    signer = load_signer(argument, TARGETS)
    with pytest.raises(SignatureSelfCheckFailed) as refused:
        signer.sign(PAE)
    assert refused.value.code == "signature-self-check"
    assert signer.keyid in str(refused.value)


@together(
    ("argument", "says"),
    [
        ("bob=kms:bob?no-library", "'kms-client' required (install securesystemslib[kms])"),
        ("bob=awskms:alias/kits", "NoRegionError"),  # its library is that of an extra of ours
        ("bob=azurekms://x.vault.azure.net/keys/y/1", "(install securesystemslib[azurekms])"),
        ("bob=gcpkms:projects/x", "(install securesystemslib[gcpkms])"),
        ("alice=hv:kits/1", "(install securesystemslib[vault])"),
        ("bob=kms:bob?no-token", f"key {key_of('bob').keyid}: RuntimeError: no such key in"),
        ("bob=kms:absent", "KeyUnreadable"),
    ],
)
def test_a_signer_that_cannot_be_had_says_what_is_missing(argument: str, says: str) -> None:
    with pytest.raises(SignerUnavailable) as refused:
        load_signer(argument, TARGETS)
    assert refused.value.code == "signer-unavailable"
    assert says in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_signer_that_fails_at_work_is_unavailable() -> None:
    for how in ("not-hex", "pin"):
        with pytest.raises(SignerUnavailable, match="could not sign"):
            load_signer(f"bob=kms:bob?{how}", TARGETS).sign(PAE)


def test_no_secret_is_in_a_message_or_a_traceback_or_a_repr() -> None:
    def ask(name: str) -> str:
        assert name == "pin"
        return PIN

    signer = load_signer(f"bob=kms:bob?pin&value={VALUE}", TARGETS, secrets=ask)
    with pytest.raises(SignerUnavailable) as refused:
        signer.sign(PAE)
    with pytest.raises(SignerUnavailable) as unavailable:
        load_signer(f"bob=kms:bob?no-token&value={VALUE}", TARGETS, secrets=ask)
    for error in (refused.value, unavailable.value):
        text = str(error) + "".join(traceback.format_exception(error))
        assert PIN not in text
        assert VALUE not in text
    bob = key_of("bob")
    for shown in (signer, load_signer(str(KEYS / "bob.pem"), TARGETS)):
        assert repr(shown) == f"KitSigner(keyid={bob.keyid!r}, signer='bob', scheme={P256!r})"
    sums = load_sums_signer(str(KEYS / "sums.pem"))
    assert repr(sums) == f"SumsSigner(public_pem={sums.public_pem!r})"
    assert "the token refused the PIN ..." in str(refused.value)


def test_without_somebody_to_ask_a_pin_is_missing() -> None:
    with pytest.raises(SignerUnavailable, match="it needs the secret 'pin', and nobody is there"):
        load_signer("bob=kms:bob?pin", TARGETS).sign(PAE)


@pytest.fixture
def two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RootKey]:
    """Bob with two P-256 keys and one Ed25519 key; the order of ids is known only by looking."""
    monkeypatch.setattr(Kms, "keys", tmp_path)
    root = {}
    for kind, name in (("ecdsa-p256", "one"), ("ecdsa-p256", "two"), ("ed25519", "three")):
        made = new_key(kind, tmp_path, name)  # type: ignore[arg-type]
        public = tuf_key(load_private(made.private_path).public_key())
        root[made.keyid] = RootKey(made.keyid, "bob", made.scheme, public.keyval["public"])
    return root


def test_of_several_keys_the_first_that_the_signer_takes_is_used(
    two_keys: dict[str, RootKey], tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        signer = load_signer(f"bob=kms:{name}?strict", two_keys)
        own = tuf_key(load_private(tmp_path / f"{name}.pem").public_key())
        assert signer.keyid == own.keyid
        assert accepted_by_the_verifier(two_keys[signer.keyid], PAE, signer.sign(PAE))


def test_of_several_keys_one_can_be_named_by_its_id(
    two_keys: dict[str, RootKey], tmp_path: Path
) -> None:
    own = tuf_key(load_private(tmp_path / "two.pem").public_key())
    assert load_signer(f"{own.keyid}=kms:two", two_keys).keyid == own.keyid
    wrong = next(keyid for keyid in sorted(two_keys) if keyid != own.keyid)
    with pytest.raises(SignatureSelfCheckFailed, match="KEYID=URI"):
        load_signer(f"{wrong}=kms:two", two_keys).sign(PAE)


def test_when_no_key_is_taken_each_is_listed(two_keys: dict[str, RootKey]) -> None:
    with pytest.raises(SignerUnavailable) as refused:
        load_signer("bob=kms:one?no-token", two_keys)
    assert all(keyid in str(refused.value) for keyid in two_keys)


# --- SHA256SUMS ------------------------------------------------------------------------------


def test_sums_are_signed_for_stock_tools_the_same_way_every_time() -> None:
    text = b"0" * 64 + b"  README.txt\n"
    digest = hashlib.sha256(text).digest()
    for argument in (f"{KEYS}/sums.pem", f"file2:{KEYS}/sums.pem", f"file://{KEYS}/sums.pem"):
        signer = load_sums_signer(argument)
        assert signer.public_pem == (KEYS / "sums.pub").read_text()
        signature = signer.sign_digest(digest)
        assert signature == load_sums_signer(argument).sign_digest(digest)
        public = load_pem_public_key(signer.public_pem.encode())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, text, ec.ECDSA(SHA256()))
        assert decode_dss_signature(signature)[1] <= ecdsa.P256.n // 2


def p384(path: Path) -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def alices(path: Path) -> None:
    path.write_bytes((KEYS / "alice.pem").read_bytes())


@pytest.mark.parametrize(
    ("write", "says"), [(p384, "on the curve P-384"), (alices, "is an Ed25519 private key")]
)
def test_sums_are_signed_with_p256_only(
    tmp_path: Path, write: Callable[[Path], None], says: str
) -> None:
    write(tmp_path / "key")
    with pytest.raises(KeyUnsupported, match=says):
        load_sums_signer(str(tmp_path / "key"))


def test_sums_are_signed_by_key_files_only() -> None:
    with pytest.raises(SignerUnsupported, match="'hsm:' cannot sign SHA256SUMS"):
        load_sums_signer("hsm:2")
    with pytest.raises(KeyUnreadable):
        load_sums_signer(os.devnull)


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33), b"0" * 64])
def test_a_digest_is_32_bytes(digest: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        load_sums_signer(str(KEYS / "sums.pem")).sign_digest(digest)
