"""OpenSSL makes timestamps that we take, and takes those that the tests' own authority makes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.conftest import Judge
from tests.support.bundles import authority, stamp_extensions
from tests.support.certificates import Issue, load, p256, p384
from tests.support.rsakeys import rsa_key
from tests.support.stamps import PrivateKey, Stamp
from verifier.core.errors import KitError
from verifier.evidence.sigstore.chain import Authority
from verifier.evidence.sigstore.timestamp import check_timestamp
from verifier.evidence.sigstore.x509 import parse_certificate

MESSAGE = b"a signature\n"
CONFIG = """[ tsa ]
default_tsa = here
[ here ]
serial = {place}/serial
certs = {place}/root.pem
signer_cert = {place}/stamp.pem
signer_key = {place}/key.pem
signer_digest = {digest}
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = {named}
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "P-256": p256,
    "P-384": p384,
    "RSA": rsa_key,
}


def make_authority(place: Path, key: PrivateKey) -> list[bytes]:
    """Write an authority that counts now, and return its chain."""
    now, day = datetime.now(timezone.utc).replace(microsecond=0), timedelta(days=1)
    root_key = p384()
    root = Issue(root_key, "root", start=now - day, end=now + day, extensions=authority()).make()
    issue = Issue(key, "stamps", ("root", root_key), now - day, now + day, stamp_extensions())
    chain = [issue.make(), root]
    for name, data in zip(("stamp.pem", "root.pem"), chain, strict=True):
        (place / name).write_bytes(load(data).public_bytes(Encoding.PEM))
    (place / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (place / "serial").write_text("01\n")
    (place / "message").write_bytes(MESSAGE)
    return chain


def authority_of(chain: list[bytes], *, without_leaf: bool = False) -> Authority:
    parsed = [parse_certificate(data, "a test") for data in chain[without_leaf:]]
    return Authority(tuple(parsed), 0, None)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("digest", "ess", "options"),
    [
        ("sha256", "sha256", ["-cert"]),
        ("sha384", "sha512", []),
        ("sha512", "sha1", ["-cert"]),
    ],
)
def test_we_take_what_openssl_makes(
    judge: Judge, tmp_path: Path, kind: str, digest: str, ess: str, options: list[str]
) -> None:
    chain = make_authority(tmp_path, KEYS[kind]())
    named = "yes" if options else "no"
    config = CONFIG.format(place=tmp_path, digest=digest, ess=ess, named=named)
    (tmp_path / "tsa.cnf").write_text(config)

    def openssl(*words: str) -> None:
        command: list[str | Path] = [judge("openssl"), "ts", *words, "-config", "tsa.cnf"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    openssl("-query", "-data", "message", f"-{digest}", *options, "-out", "query")
    openssl("-reply", "-queryfile", "query", "-out", "reply")
    reply = (tmp_path / "reply").read_bytes()
    moment = check_timestamp(reply, MESSAGE, [authority_of(chain)])
    assert abs(moment / 1000 - time.time()) < 60
    if options:  # its certificate came along, so the root alone is enough
        assert check_timestamp(reply, MESSAGE, [authority_of(chain, without_leaf=True)]) == moment
    with pytest.raises(KitError) as refused:
        check_timestamp(reply, MESSAGE + b"?", [authority_of(chain)])
    assert refused.value.code == "timestamp-invalid"


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
def test_openssl_takes_what_the_tests_make(
    judge: Judge, tmp_path: Path, kind: str, hashed: str
) -> None:
    """Else our authority and our verifier might agree on something that is no timestamp."""
    key = KEYS[kind]()
    chain = make_authority(tmp_path, key)
    now = datetime.now(timezone.utc)
    stamp = Stamp(key, load(chain[0]), now, [load(chain[0])], hash_name=hashed)
    (tmp_path / "reply").write_bytes(stamp.make(MESSAGE))
    command = ["ts", "-verify", "-data", "message", "-in", "reply", "-CAfile", "root.pem"]
    done = subprocess.run(
        [judge("openssl"), *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Verification: OK" in done.stdout) == (0, True), done.stderr
