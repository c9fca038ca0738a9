"""What a file is, where another one was wanted: the first bytes of most files say so.

Who swaps two arguments should hear that, and not what is wrong with a key as a kit.
"""

from __future__ import annotations

import os
from pathlib import Path

from kit.errors import show
from kit.releases.layout import ENDING
from kit.review.head import DIFF
from verifier.core.errors import KitUnreadable, Usage

KIT, SPEC, ROOT = "a kit", "a spec", "a root of trust"
PACK, RELEASE, DIRECTORY = "a review pack", "the directory of a release", "a directory"
_ENOUGH = 64 * 1024  # bytes; a root of trust says what it is near its end
_BEGINS = (
    (b"\x28\xb5\x2f\xfd", KIT),
    (b"kit.dsse.json\0", KIT),
    (b"ssh-", "a public key"),
    (b"-----BEGIN PUBLIC KEY", "a public key"),
    (b"PK\x03\x04", "a program or an archive"),
    (b"#!", "a program"),
)
_HOLDS = (
    (b"PRIVATE KEY-----", "a private key"),
    (b'"_type": "root"', ROOT),
    (b'"_type":"root"', ROOT),
    (b"/sealed/v1", "what `seal` noted of a kit"),
    (b"offline-kit-signature/1", "a detached signature"),
    (b"[kit]", SPEC),
)
_INSTEAD = {
    KIT: "Give the kit first, then options: keys with --key, a root with --root.",
    SPEC: "Give the spec first, then options: the root with --root, keys with --key.",
    ROOT: "Give the root.json that the sites have, or the chain roots.json.",
}


class WrongFile(Usage):
    """A file that was given is there, and is something else than the command wants in its place.

    Most often two arguments were swapped.  Nothing was read beyond the first bytes, and nothing
    was changed.
    """

    code = "wrong-file"
    fix = "Look at the order of the arguments: `--help` of the command shows it."


def kind_of(path: Path) -> str:
    """Return what is at a path, as its first bytes say; empty if they do not, or nothing is."""
    if path.is_dir():
        if (path / f"{path.resolve().name}{ENDING}").exists():
            return RELEASE
        return PACK if (path / DIFF).exists() else DIRECTORY
    try:
        if not path.is_file():
            return ""
        with open(path, "rb") as stream:
            data = stream.read(_ENOUGH)
    except OSError:
        return ""
    for begins, kind in _BEGINS:
        if data.startswith(begins):
            return kind
    return next((kind for held, kind in _HOLDS if held in data), "")


def wanted(path: Path, kind: str, *also: str) -> Path:
    """Return a path that may be what is wanted.

    Raises:
        WrongFile: It is plainly something else.
        KitUnreadable: A kit is wanted, and nothing is there.
    """
    if kind == KIT and not os.path.lexists(path):
        raise KitUnreadable(
            "is not there", where=show(path), fix="Check the path; nothing was read or changed."
        )
    found = kind_of(path)
    if found and found not in (kind, *also):
        raise WrongFile(f"is {found}, not {kind}", where=show(path), fix=_INSTEAD[kind])
    return path
