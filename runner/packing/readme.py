"""README.txt: the first file an operator sees, in every kit."""

from __future__ import annotations

from verifier.core.model import KitInfo

_TEXT = """\
{name} {version}: {summary}
line {line}, sequence {sequence}, created {created}

This is an offline kit. Before you use anything in it, prove it.

1. You need two numbers from the publisher that did not travel with this kit (paper, telephone):
   the SHA-256 of kit-verify.pyz and the SHA-256 of root.json. Compare them with any hash tool:
       sha256sum kit-verify.pyz root.json
   A number that you find in this file, or anywhere in this kit, proves nothing.
2. With Python 3.9 or newer, beside the kit:
       python3 -I kit-verify.pyz {name}-{version}.tar.zst --root root.json
   0 verified, 2 usage, 3 undecided, 4 rejected. Anything but 0: do not use the kit.
3. To unpack what was proved, into a new directory:
       python3 -I kit-verify.pyz {name}-{version}.tar.zst --root root.json --extract DIR

If you read this because you unpacked the kit with tar: that proves nothing yet. Go back to 1.
`sha256sum -c SHA256SUMS` compares the files named there and never notices extra ones. Where there
is a SHA256SUMS.sig, it is the base64 of an ECDSA P-256 signature for stock tools, checked with
    base64 -d SHA256SUMS.sig > sig.der
    openssl dgst -sha256 -verify PUBLIC.pem -signature sig.der SHA256SUMS

The directory verifier/ is the source of kit-verify.pyz, to be read. `python3 -m verifier` works
beside it, for hosts that trust this directory already; at first contact it proves nothing.
`python3 -I kit-verify.pyz explain CODE` explains an error code without a network.
"""


def readme_text(info: KitInfo) -> str:
    """Return README.txt of a kit.

    It does not name the verifier's digest: a number that travels with the kit vouches for nothing.
    It is the same whoever signs, so that contentId depends on no key (FORMAT 11.1).
    """
    return _TEXT.format(
        name=info.name,
        version=info.version,
        line=info.line,
        sequence=info.sequence,
        created=info.created,
        summary=info.summary,
    )
