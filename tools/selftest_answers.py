"""Makes the signed answers that `kit-verify selftest` has built in.

    python tools/selftest_answers.py --check     # exit status 1 if they are not what they should be
    python tools/selftest_answers.py --write     # writes them into verifier/selftest.py

They are a root and a signature over the statement of the tiny kit that the selftest puts together.
The key is no secret: its seed is the SHA-256 of a text, so that anybody can make it again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier import selftest
from verifier.core.jsonstrict import compact, olpc

SOURCE = Path(selftest.__file__)
SEED = b"offline-kit selftest"
EXPIRES = "2100-01-01T00:00:00Z"
_COLUMNS = 88  # of a literal, so that its line has at most 100
_ROOT = re.compile(r"^(ROOT = \([^\n]*\n)(?:    b.*\n)+(?=\)$)", re.M)
_SIGNATURE = re.compile(r'^(SIGNATURE = bytes\.fromhex\(\n)(?:    "[0-9a-f]*"\n)+(?=\)$)', re.M)


def key() -> Ed25519PrivateKey:
    """Return the key that everybody can make."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(SEED).digest())


def root_line() -> bytes:
    """Return a root that names the key as the only signer, in compact JSON with an LF."""
    name = selftest.KEYID
    public = key().public_key().public_bytes_raw().hex()
    role = {"keyids": [name], "threshold": 1}
    signed: dict[str, Any] = {
        "_type": "root",
        "spec_version": "1.0.31",
        "version": 1,
        "expires": EXPIRES,
        "keys": {
            name: {
                "keytype": "ed25519",
                "scheme": "ed25519",
                "keyval": {"public": public},
                "x-offline-kit-signer": name,
            }
        },
        "roles": dict.fromkeys(("root", "targets", "snapshot", "timestamp"), role),
    }
    signature = {"keyid": name, "sig": key().sign(olpc(signed)).hex()}
    return compact({"signatures": [signature], "signed": signed}) + b"\n"


def signature() -> bytes:
    """Return the key's signature over the statement of the tiny kit, which names the root."""
    selftest.ROOT = root_line()
    return key().sign(selftest.signed_message())


def fresh(text: str) -> str:
    """Return the source of the selftest with the answers that it should have."""
    line = root_line()[:-1].decode("ascii")
    pieces = [line[at : at + _COLUMNS] for at in range(0, len(line), _COLUMNS)]
    root = "".join(f"    b{piece!r}\n" for piece in pieces) + '    b"\\n"\n'
    digits = signature().hex()
    lines = f'    "{digits[:64]}"\n    "{digits[64:]}"\n'
    text = _ROOT.sub(lambda found: found[1] + root, text)
    return _SIGNATURE.sub(lambda found: found[1] + lines, text)


def main(arguments: list[str]) -> int:
    """Check or write the answers; return the exit status."""
    parser = argparse.ArgumentParser(description="The signed answers of kit-verify selftest.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="say whether they are as they should be")
    mode.add_argument("--write", action="store_true", help="write them")
    write = parser.parse_args(arguments).write
    text = SOURCE.read_text(encoding="utf-8")
    if fresh(text) == text:
        return 0
    if write:
        SOURCE.write_text(fresh(text), encoding="utf-8")
        return 0
    print("verifier/selftest.py is stale: run tools/selftest_answers.py --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
