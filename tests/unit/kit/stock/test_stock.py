"""Files for stock tools: exactly the bytes they should be, and the reason where there are none.

That the tools agree is shown in `tests/conformance/`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from kit.keys import load_public, public_pem
from kit.seal import seal
from kit.sign import sign
from kit.stock import sshsig
from kit.stock.bundle import TRUSTED_ROOT, dsse_bundle, message_bundle
from kit.stock.keys import hint_of, is_signed, pem_of_text, text_of_pem
from kit.stock.outputs import PAGE_BUNDLE, StockFiles, SumsSignatureWrong, stock_files
from kit.stock.sshsums import keep_sums, sign_sums
from tests.conftest import Judge
from tests.support.making import KEYS, REPOSITORY, Made, key, make_kit, pinned
from tests.support.people import N, person
from tests.support.program import apart
from tests.support.together import together
from verifier.core.envelope import Envelope, evaluate, pae
from verifier.core.errors import KitError
from verifier.core.model import Blob, Built, KitId, KitInfo, Manifest
from verifier.crypto.ecdsa import encode_der_signature

SUMS_PEM = (KEYS / "sums.pub").read_text()
SUMS_TEXT = text_of_pem(SUMS_PEM)
DATA = b"0" * 64 + b"  a/b\n"


def signature_of(name: str, data: bytes = DATA) -> bytes:
    return person(name).sign(data)


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n"], ids=["no last line end", "a last line end"])
def test_a_key_is_one_text_and_one_pem(end: str) -> None:
    pem = SUMS_PEM.rstrip("\n") + end
    assert "\n" not in text_of_pem(pem)
    assert pem_of_text(text_of_pem(pem)) == public_pem(load_public(KEYS / "sums.pub"))


def test_any_p256_key_has_the_form_that_a_manifest_wants() -> None:
    """The parser knows the key by the beginning that base64 gives to all of them (FORMAT 9.2)."""
    from verifier.core.manifest import _SUMS_KEY

    for _ in range(50):
        text = text_of_pem(public_pem(generate_private_key(SECP256R1()).public_key()))
        assert _SUMS_KEY.fullmatch(text)


def test_hint_is_the_digest_of_the_der(judge: Judge) -> None:
    command: list[str | Path] = [judge("openssl"), "pkey", "-pubin", "-in", KEYS / "sums.pub"]
    der = subprocess.run([*command, "-outform", "DER"], capture_output=True, check=True).stdout
    assert hint_of(SUMS_TEXT) == base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_signature_is_of_this_key_over_this_file() -> None:
    assert is_signed(SUMS_TEXT, DATA, signature_of("sums"))
    assert not is_signed(SUMS_TEXT, DATA + b"\n", signature_of("sums"))
    assert not is_signed(SUMS_TEXT, DATA, signature_of("bob"))
    assert not is_signed(SUMS_TEXT, DATA, b"")
    r, s = person("sums").numbers(DATA)
    assert is_signed(SUMS_TEXT, DATA, encode_der_signature(r, max(s, N - s)))  # HSMs write both


def test_point_that_is_on_no_curve_signs_nothing() -> None:
    assert not is_signed(f"{SUMS_TEXT[:-4]}AA==", DATA, signature_of("sums"))


# --- bundles -----------------------------------------------------------------------------------


def test_bundle_of_a_file() -> None:
    made = message_bundle(SUMS_TEXT, DATA, b"\x30\x00")
    value = json.loads(made)
    assert made == json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert value == {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint_of(SUMS_TEXT)}},
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": base64.b64encode(hashlib.sha256(DATA).digest()).decode(),
            },
            "signature": "MAA=",
        },
    }


def test_bundle_of_a_page_has_one_signature_and_no_keyid() -> None:
    made = dsse_bundle(SUMS_TEXT, b"{}", b"\x30\x00")
    value = json.loads(made)
    assert made == json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert value["dsseEnvelope"] == {
        "payload": "e30=",
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": "MAA="}],
    }
    assert value["verificationMaterial"] == {"publicKey": {"hint": hint_of(SUMS_TEXT)}}


def test_trusted_root_for_cosign_names_nobody() -> None:
    media_type = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    assert json.loads(TRUSTED_ROOT) == {"mediaType": media_type}


# --- which files there are -----------------------------------------------------------------------

NONE = Blob(0, {"sha256": "0" * 64})


def files_of(
    *names: str, line: bytes | None = None, sums_key: str = SUMS_TEXT, ssh: bytes | None = None
) -> StockFiles:
    """Return what is made for a kit that some have signed."""
    info = KitInfo("demo", "1.0", "demo/stable", 7, "2026-11-24T00:00:00Z", "a kit")
    manifest = Manifest(info, NONE, NONE, NONE, 65536, Built("none", 0), (), sums_key=sums_key)
    message = pae(b"{}")
    envelope = Envelope(b"{}", {person(name).keyid: person(name).sign(message) for name in names})
    role = pinned().targets
    return stock_files(manifest, envelope, evaluate(envelope, role), role, DATA, line, ssh)


def line_of(signature: bytes) -> bytes:
    return base64.b64encode(signature)


def test_bundle_of_the_page_is_a_signature_that_the_page_has() -> None:
    made = files_of("alice", "bob", "carol")
    bundle = json.loads(made.files[PAGE_BUNDLE])
    signature = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
    assert signature == person("bob").sign(pae(b"{}"))
    assert made.keys == {PAGE_BUNDLE: f"key {person('bob').keyid} of bob"}


def test_key_that_the_manifest_does_not_name_is_not_guessed() -> None:
    """As in kits built before manifests named it: a signature fits more than one key."""
    made = files_of("bob", line=line_of(signature_of("sums")), sums_key="")
    assert made.files["SHA256SUMS.sig"] == line_of(signature_of("sums"))
    why = "the manifest does not name the key of SHA256SUMS.sig"
    assert made.absent["cosign.pub"] == made.absent["SHA256SUMS.sigstore.json"] == why


WRONG_LINES = {
    "of another file": lambda: line_of(signature_of("sums", b"another")),
    "by another key": lambda: line_of(signature_of("bob")),
    "a line end": lambda: line_of(signature_of("sums")) + b"\n",
    "not base64": lambda: b"!" + line_of(signature_of("sums")),
    "no DER": lambda: line_of(b"nothing"),
    "nothing": lambda: b"",
}


@together("line", WRONG_LINES.values(), ids=WRONG_LINES.keys())
def test_signature_that_stock_tools_would_refuse_is_not_published(
    line: Callable[[], bytes],
) -> None:
    with pytest.raises(SumsSignatureWrong) as error:
        files_of("bob", line=line())
    assert error.value.code == "sums-signature-wrong"


# --- SSH signatures ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ssh_keys(tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    """Return a directory with new SSH keys of several kinds."""
    place = tmp_path_factory.mktemp("ssh")
    program = judge("ssh-keygen")
    kinds = {  # what to make, and the passphrase
        "ed25519": (["ed25519"], ""),
        "rsa": (["rsa", "-b", "1024"], ""),  # the largest primes take a second to find
        "ecdsa": (["ecdsa"], ""),
        "locked": (["ed25519"], "secret"),
    }
    for name, (kind, passphrase) in kinds.items():
        command: list[str | Path] = [program, "-q", "-t", *kind, "-N", passphrase]
        command += ["-f", place / name]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return place


def test_ssh_signature_is_the_same_every_time(ssh_keys: Path) -> None:
    made = sshsig.sign(ssh_keys / "ed25519", DATA)
    assert made == sshsig.sign(ssh_keys / "ed25519", DATA)
    public = base64.b64decode((ssh_keys / "ed25519.pub").read_text().split()[1])
    assert sshsig.check(made, DATA) == public


def test_fingerprint_is_what_ssh_keygen_says(ssh_keys: Path) -> None:
    public = sshsig.check(sshsig.sign(ssh_keys / "ed25519", DATA), DATA)
    command: list[str | Path] = ["ssh-keygen", "-l", "-f", ssh_keys / "ed25519.pub"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert sshsig.fingerprint(public) == said.split()[1]


REFUSED_KEYS = {
    "rsa": "of the kind b'ssh-rsa'",
    "ecdsa": "of the kind b'ecdsa-sha2-nistp256'",
    "locked": "ssh-keygen says",
    "missing": "ssh-keygen says",
}


@pytest.mark.parametrize(("name", "said"), REFUSED_KEYS.items(), ids=REFUSED_KEYS.keys())
def test_ssh_key_that_does_not_serve(
    ssh_keys: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")  # nobody is there to type a passphrase
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    with pytest.raises(sshsig.SshKeyRefused) as error:
        sshsig.sign(ssh_keys / name, DATA)
    assert (error.value.code, said in str(error.value)) == ("ssh-key-refused", True)


def test_host_without_ssh_keygen(ssh_keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(sshsig.SshKeygenMissing) as error:
        sshsig.sign(ssh_keys / "ed25519", DATA)
    assert error.value.code == "ssh-keygen-missing"


def armored(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    ends = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
    return "\n".join([ends[0], *lines, ends[1], ""]).encode()


def blob_of(signature: bytes) -> bytes:
    return base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda made: b"",
    "CR and LF": lambda made: made.replace(b"\n", b"\r\n"),
    "no last line end": lambda made: made[:-1],
    "a line more": lambda made: made + b"\n",
    "in one line": lambda made: made[:80].replace(b"\n", b"") + made[80:],
    "longer lines": lambda made: made.replace(  # of 76 characters
        made[30:-30], base64.encodebytes(blob_of(made))[:-1]
    ),
    "not base64": lambda made: made.replace(b"U", b"!", 1),
    "a byte more": lambda made: armored(blob_of(made) + b"\0"),
    "a byte less": lambda made: armored(blob_of(made)[:-1]),
    "another version": lambda made: armored(blob_of(made)[:9] + b"\2" + blob_of(made)[10:]),
    "another magic": lambda made: armored(b"SSHSIh" + blob_of(made)[6:]),
    "another namespace": lambda made: armored(
        blob_of(made).replace(b"offline-kit", b"offline-kid")
    ),
    "another hash": lambda made: armored(blob_of(made).replace(b"sha512", b"sha256")),
    "an unknown hash": lambda made: armored(blob_of(made).replace(b"sha512", b"sha999")),
    "another key": lambda made: armored(blob_of(made)[:40] + b"\1" * 10 + blob_of(made)[50:]),
    "another signature": lambda made: armored(blob_of(made)[:-1] + bytes([blob_of(made)[-1] ^ 1])),
    "a length past the end": lambda made: armored(blob_of(made)[:10] + b"\xff" * 4),
    "nothing after the version": lambda made: armored(blob_of(made)[:10]),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_spoiled_ssh_signature_is_refused(ssh_keys: Path, spoil: Callable[[bytes], bytes]) -> None:
    made = sshsig.sign(ssh_keys / "ed25519", DATA)
    assert spoil(made) != made
    with pytest.raises(ValueError, match=r"."):
        sshsig.check(spoil(made), DATA)


def test_ssh_signature_of_another_file_is_refused(ssh_keys: Path) -> None:
    made = sshsig.sign(ssh_keys / "ed25519", DATA)
    with pytest.raises(ValueError, match="not over this file"):
        sshsig.check(made, DATA + b"\n")


# --- an SSH signature of a kit -------------------------------------------------------------------


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit that nobody has signed; tests take copies."""
    return make_kit(tmp_path_factory.mktemp("stock"), {"a/b": b"c"}, signers=())


@pytest.fixture
def kit(unsigned: Made, tmp_path: Path) -> Path:
    """Return a kit with two signers, in a directory of its own."""
    path = Path(shutil.copy(unsigned.path, tmp_path))
    sign(path, [key("alice"), key("bob")])
    return path


def test_ssh_signature_is_written_after_the_kit_was_proved(kit: Path, ssh_keys: Path) -> None:
    made = sign_sums(kit, ssh_keys / "ed25519")
    assert [path.name for path in kit.parent.iterdir()] == [kit.name]
    path = keep_sums(kit, made, sign(kit, [key("alice")]).kit_id)
    sealed = seal(kit)
    sums = (kit.parent / "SHA256SUMS").read_bytes()
    assert sshsig.fingerprint(sshsig.check(path.read_bytes(), sums)) == made.fingerprint
    assert sealed.keys["SHA256SUMS.sshsig"] == f"key {made.fingerprint}"
    assert sealed.absent == {}
    assert seal(kit) == sealed


def test_ssh_signature_of_another_kit_is_not_kept(kit: Path, ssh_keys: Path) -> None:
    made = sign_sums(kit, ssh_keys / "ed25519")
    with pytest.raises(KitError) as error:
        keep_sums(kit, made, KitId("0" * 64))
    assert error.value.code == "digest-mismatch"
    assert [path.name for path in kit.parent.iterdir()] == [kit.name]


def test_second_ssh_signature_is_refused_and_the_same_one_is_not(
    kit: Path, ssh_keys: Path, tmp_path: Path
) -> None:
    kit_id = sign(kit, [key("alice")]).kit_id
    keep_sums(kit, sign_sums(kit, ssh_keys / "ed25519"), kit_id)
    keep_sums(kit, sign_sums(kit, ssh_keys / "ed25519"), kit_id)
    other = tmp_path / "other"
    command: list[str | Path] = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(KitError) as error:
        sign_sums(kit, other)
    assert error.value.code == "output-exists"


def test_ssh_signature_opens_a_seal_that_does_not_name_it(kit: Path, ssh_keys: Path) -> None:
    seal(kit)
    marker = kit.with_name("demo-1.0.sealed.json")
    assert marker.exists()
    kit_id = sign(kit, [key("alice")], reopen=True).kit_id
    keep_sums(kit, sign_sums(kit, ssh_keys / "ed25519"), kit_id)
    assert not marker.exists()
    assert "SHA256SUMS.sshsig" in seal(kit).outputs


def test_ssh_signature_of_what_is_no_kit(tmp_path: Path, ssh_keys: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(b"no kit")
    with pytest.raises(KitError):
        sign_sums(path, ssh_keys / "ed25519")


def test_command_line_signs_for_ssh_too(kit: Path, ssh_keys: Path) -> None:
    words = ["sign", str(kit), "--key", key("carol"), "--ssh-key", str(ssh_keys / "ed25519")]
    done = apart(words, REPOSITORY)
    path = kit.with_name("SHA256SUMS.sshsig")
    assert (done.returncode, f"wrote {path}, an SSH signature by SHA256:" in done.stdout) == (
        0,
        True,
    )
    said = apart([*words, "--json"], REPOSITORY)
    assert json.loads(said.stdout)["sshSignature"] == str(path)


def test_command_line_keeps_no_ssh_signature_of_a_damaged_kit(kit: Path, ssh_keys: Path) -> None:
    data = bytearray(kit.read_bytes())
    data[-9000] ^= 1
    kit.write_bytes(data)
    words = ["sign", str(kit), "--key", key("carol"), "--ssh-key", str(ssh_keys / "ed25519")]
    done = apart(words, REPOSITORY)
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert [path.name for path in kit.parent.iterdir()] == [kit.name]


SSH_REFUSALS = {
    "no passwd entry": (["setpriv", "--reuid", "54321", "--clear-groups"], "/etc/passwd"),
    "an open mode": (["chmod"], "chmod 600"),
    "no agent": (["agent"], "ssh-add KEY"),
}


@pytest.mark.parametrize(("how", "fix"), SSH_REFUSALS.values(), ids=SSH_REFUSALS.keys())
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="not run: no ssh-keygen")
def test_what_ssh_keygen_refuses_has_a_fix(
    how: list[str], fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.fspath(key)]
    subprocess.run(make, check=True)
    if how[0] == "setpriv":
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("not run: needs the administrator and setpriv")
        program = tmp_path / "bin" / "ssh-keygen"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {" ".join(how)} {shutil.which("ssh-keygen")} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    elif how[0] == "chmod":
        key.chmod(0o644)
    else:
        key.unlink()
        key = tmp_path / "key.pub"
    with pytest.raises(sshsig.SshKeyRefused) as refused:
        sshsig.sign(key, b"data")
    assert fix in refused.value.fix
