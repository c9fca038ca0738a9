"""What ``--key`` arguments say: whose key, and where it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    SIGNER_FOR_URI_SCHEME,
)

from kit.signing.errors import SignerArgumentInvalid, SignerNotInRoot
from kit.signing.model import Targets

SSH = "ssh"
VARIABLE = "envvar"
FILES = frozenset({"file", "file2"})
REFUSED = {
    "gnupg": "GnuPG signs OpenPGP packets, not the DSSE encoding, and no root can name such a key",
    "tkey": "a TKey signs with ML-DSA-44, which is none of the schemes of kits",
    "sigstore": "sigstore signs with one-time keys, and a root names keys",
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # RFC 3986 3.1; one letter is a Windows drive


def split(argument: str, targets: Targets) -> tuple[str | None, str]:
    """Split ``SIGNER=URI``; paths and URIs may have a ``=`` of their own.

    Raises:
        SignerArgumentInvalid: There is nothing behind the ``=``.
        SignerNotInRoot: SIGNER is not in the root; the message lists who is.
    """
    before, equals, after = argument.partition("=")
    known = {key.signer for key in targets.values()}
    if equals and (before in known or before in targets):
        if not after:
            raise SignerArgumentInvalid("there is nothing after the '='", where=repr(argument))
        return before, after
    if not equals or "/" in before or _SCHEME.match(before) or os.path.exists(argument):
        return None, argument
    names = ", ".join(repr(name) for name in sorted(known)) or "nobody"
    raise SignerNotInRoot(f"the root names {names}", where=f"signer {before!r}")


def parse_uri(uri: str) -> tuple[str, Path]:
    """Return the scheme, empty for a key file, and what a path would be."""
    found = _SCHEME.match(uri)
    if not found:
        return "", Path(uri)
    scheme, rest = found.group(1), uri[found.end() :]
    path = Path(rest[2:] if rest.startswith("///") else rest)
    if scheme in FILES:
        return "", path
    if scheme in (SSH, VARIABLE) and not os.path.exists(uri):
        return scheme, path
    if scheme in SIGNER_FOR_URI_SCHEME or scheme in REFUSED or not os.path.exists(uri):
        return scheme, Path()
    return "", Path(uri)
