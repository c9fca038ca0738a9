"""Keys in hardware: a security key in software, ssh-keygen as signer and as judge."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.keys import load_public, load_root_key
from kit.signing.model import evaluated
from kit.signing.ssh import ssh_signer
from tests.conftest import Judge
from tests.support.authenticator import TOUCHED, VERIFIED, Authenticator
from tests.support.together import together
from verifier.core.signature import SSHSIG_SK, Key
from verifier.crypto import sshsig

MESSAGE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
SEED = b"offline-kit in hardware 32 bytes"


@pytest.fixture
def judged(judge: Judge, tmp_path: Path) -> Callable[..., bool]:
    """Return what asks ssh-keygen whether a blob is a signature of a key over the message."""
    program = judge("ssh-keygen")

    def ask(key: Authenticator, blob: bytes, namespace: str = "offline-kit") -> bool:
        text = base64.b64encode(blob).decode()
        lines = [text[at : at + 70] for at in range(0, len(text), 70)]
        (tmp_path / "allowed").write_text(f"carol {key.line}\n")
        armored = ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]
        (tmp_path / "signature").write_text("\n".join(armored))
        command = [str(program), "-Y", "verify", "-n", namespace, "-I", "carol", "-f"]
        command += [str(tmp_path / "allowed"), "-s", str(tmp_path / "signature")]
        done = subprocess.run(command, input=MESSAGE, capture_output=True, check=False)
        return done.returncode == 0

    return ask


@pytest.mark.parametrize("flags", [TOUCHED, TOUCHED | VERIFIED])
def test_both_accept_what_such_hardware_signs(judged: Callable[..., bool], flags: int) -> None:
    key = Authenticator(SEED, flags=flags)
    blob = key.sshsig(MESSAGE)
    assert judged(key, blob)
    assert sshsig.verify_sk(key.public, MESSAGE, blob)
    assert not sshsig.verify_sk(key.public, MESSAGE + b" ", blob)
    assert not sshsig.verify(key.public, MESSAGE, blob)  # a scheme is not another one


def flipped(blob: bytes, at: int) -> bytes:
    """Return a blob with one bit changed."""
    data = bytearray(blob)
    data[at] ^= 1
    return bytes(data)


GOOD = Authenticator(SEED)
BLOB = GOOD.sshsig(MESSAGE)
BAD = {
    "another application": Authenticator(SEED, b"ssh:other").sshsig(MESSAGE),
    "another key": Authenticator(bytes(32)).sshsig(MESSAGE),
    "another namespace": GOOD.sshsig(MESSAGE, b"file"),
    "another message": GOOD.sshsig(MESSAGE + b" "),
    "another counter": flipped(BLOB, -1),
    "other flags": flipped(BLOB, -5),
    "another signature": flipped(BLOB, -6),
    "cut": BLOB[:-1],
    "a byte more": BLOB + b"\0",
    "nothing": b"",
}


STRICTER = {  # ssh-keygen -Y verify does not ask whether somebody was there
    "nobody touched it": Authenticator(SEED, flags=0).sshsig(MESSAGE),
    "verified, not touched": Authenticator(SEED, flags=VERIFIED).sshsig(MESSAGE),
    "flags of tomorrow": Authenticator(SEED, flags=0x41).sshsig(MESSAGE),
}


@together("name", BAD)
def test_both_refuse_what_is_not_its_signature(judged: Callable[..., bool], name: str) -> None:
    assert not judged(GOOD, BAD[name])
    assert not sshsig.verify_sk(GOOD.public, MESSAGE, BAD[name])


@pytest.mark.parametrize("blob", STRICTER.values(), ids=STRICTER)
def test_a_signature_without_a_touch_is_refused_here(
    judged: Callable[..., bool], blob: bytes
) -> None:
    assert judged(GOOD, blob)
    assert not sshsig.verify_sk(GOOD.public, MESSAGE, blob)


def test_ssh_keygen_signs_a_kit_through_an_agent(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge("ssh-keygen")
    public = tmp_path / "id_ed25519_sk.pub"
    public.write_text(f"{GOOD.line} carol\n")
    entry = load_root_key(public)
    assert (entry.scheme, entry.keyval["public"]) == (SSHSIG_SK, GOOD.public.hex())
    named = Key("k", "carol", SSHSIG_SK, GOOD.public.hex(), GOOD.public)
    with GOOD.agent() as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        signer = ssh_signer(public, None, {"k": named})
        blob = signer.sign(MESSAGE)
    assert sshsig.verify_sk(GOOD.public, MESSAGE, blob)
    assert evaluated({"k": named})[0].verify(MESSAGE, blob, low_s=True)
    assert load_public(public).public_bytes_raw() == GOOD.public  # type: ignore[union-attr]
