"""``git``: bundles that can be cloned without another repository (gitformat-bundle(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.evidence.kinds.errors import (
    GitBundleHeadless,
    GitBundleIncomplete,
    GitBundleMalformed,
    KindUnchecked,
)
from verifier.evidence.kinds.model import Documents, Files, Want

_HEAD = 64 * 1024  # bytes; a bundle of one branch has a head of 200
_LONG_HEAD = 4 * MIB  # bytes, where there is room for them; about 60,000 branches
_FIRST = (b"# v2 git bundle", b"# v3 git bundle")
_REFERENCE = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([!-~]{1,1024})")
_FORMATS = (b"@object-format=sha1", b"@object-format=sha256")


class Git:
    """See `verifier.evidence.kinds.model.Kind`."""

    name = "git"
    promise = "bundles are whole and can be cloned"

    def wants(self, files: Files) -> Iterator[Want]:
        """Return the heads of the bundles."""
        for name in files:
            yield Want(name, _HEAD)
            if files.size(name) > _HEAD:
                yield Want(name, _LONG_HEAD, perhaps=True)

    def hashed(self, files: Files) -> Iterator[str]:
        """Return nothing: what a bundle holds is git's business."""
        return iter(())

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield what git would stumble over before it unpacks anything."""
        for name in files:
            try:
                data = documents.read(name)
                whole = len(data) == files.size(name)
                yield from _bundle(data, files.where(name), whole=whole)
            except KitError as fault:
                yield fault


def _bundle(data: bytes, where: str, *, whole: bool) -> Iterator[KitError]:
    head, end, rest = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if lines[0] not in _FIRST:
        raise GitBundleMalformed("does not begin as a bundle", where=where)
    if not whole and (not end or (len(rest) < 4 and b"PACK".startswith(rest))):
        what = f"was not looked into: its head does not end in {len(data)} bytes"
        raise KindUnchecked(what, where=where)
    if not end or not rest.startswith(b"PACK"):
        raise GitBundleMalformed("has no end of its head, or no pack behind it", where=where)
    found: dict[bytes, bytes] = {}
    for line in lines[1:]:
        match = _REFERENCE.fullmatch(line)
        if line.startswith((b"-", b"@filter")):
            raise GitBundleIncomplete("needs what it does not hold", where=where)
        if match:
            found[match[2]] = match[1]
        elif lines[0] == _FIRST[0] or line not in _FORMATS:
            raise GitBundleMalformed(f"has the line {line[:80]!r} in its head", where=where)
    branches = [value for name, value in found.items() if name.startswith(b"refs/heads/")]
    if found.get(b"HEAD") not in branches:
        yield GitBundleHeadless("has no branch with its HEAD", where=where)
