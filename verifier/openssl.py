"""A second opinion: lets ``openssl dgst`` of this host check the P-256 signatures too (ADR 22).

For hosts that must use a validated module (FIPS 140).  It comes after our own verdict and can only
lower it: what we refuse is never asked about, and what openssl refuses is refused.
"""

from __future__ import annotations

import os

from verifier import _compat
from verifier.core.envelope import pae
from verifier.core.errors import OpensslDisagrees, OpensslFailed, UsageError
from verifier.core.pipeline import Opened
from verifier.core.signature import P256

TIMEOUT_SECONDS = 30  # for one signature; a check takes some milliseconds


def check_program(program: str) -> None:
    """Hold ``--openssl`` to an absolute path: a name would be looked for where others may write.

    Raises:
        UsageError: It is not one.
    """
    if not os.path.isabs(program):
        raise UsageError(
            f"--openssl wants an absolute path, not {program!r}",
            fix="Write for instance --openssl /usr/bin/openssl.",
        )


def check_signatures(program: str, opened: Opened) -> None:
    """Ask openssl about every P-256 signature of the page that is valid, and note the answers.

    Raises:
        OpensslDisagrees: It refuses one of them.
        OpensslFailed: It cannot be asked, takes whatever it is shown, or there is nothing to ask.
    """
    assert opened.envelope is not None
    assert opened.reached is not None
    assert opened.signing is not None
    message = pae(opened.envelope.payload)
    agreed: list[str] = []
    for keyid, signer in sorted(opened.signing.valid.items()):
        key, signature = opened.reached.root.targets.keys[keyid], opened.envelope.signatures[keyid]
        if key.scheme != P256:
            opened.beside.left.append(
                f"openssl on {signer}'s signature: its scheme is {key.scheme}"
            )
            continue
        if not _agrees(program, key.public, message, signature):
            raise OpensslDisagrees(f"refuses the signature of {signer!r}", where=repr(program))
        if not agreed and _agrees(program, key.public, message + b"\0", signature):
            raise OpensslFailed("takes a signature over other bytes too", where=repr(program))
        agreed.append(signer)
    if not agreed:
        raise OpensslFailed(f"no signature of the kit is of {P256}", where=repr(program))
    names = ", ".join(agreed)
    opened.beside.done.append(f"P-256 signatures of {names}: {program} dgst agrees")


def _agrees(program: str, public: str, message: bytes, signature: bytes) -> bool:
    import subprocess  # here: hardly any host needs it, and it takes long to load

    files = {"key.pem": public.encode("ascii"), "signature": signature}
    try:
        with _compat.PrivateFiles(files) as (key, signed):
            done = subprocess.run(
                [program, "dgst", "-sha256", "-verify", key, "-signature", signed],
                input=message,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        why = f"gave no answer in {TIMEOUT_SECONDS} seconds"
        raise OpensslFailed(why, where=repr(program)) from None
    except OSError as error:
        raise OpensslFailed(error.strerror or str(error), where=repr(program)) from None
    said = done.stdout.strip().lower()
    if (done.returncode, said) == (0, b"verified ok"):
        return True
    if (done.returncode, said) == (1, b"verification failure"):
        return False
    answer = f"ended with status {done.returncode} and said {said[:60]!r}"
    raise OpensslFailed(f"gave no verdict: it {answer}", where=repr(program))
