"""``npm``: a project whose lock finds every tarball beside it, so that npm needs no registry."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from verifier.core.errors import KitError
from verifier.evidence.kinds.errors import (
    KindFileMissing,
    KindFileUnexpected,
    KindUnchecked,
    NpmIntegrityMismatch,
    NpmIntegrityMissing,
    NpmManifestMalformed,
    NpmPackageLockMalformed,
    NpmResolvedElsewhere,
    NpmTarballMissing,
    NpmTarballUnlisted,
)
from verifier.evidence.kinds.model import Documents, Files, Want
from verifier.typed import Any

MANIFEST, LOCK, TARBALLS = "package.json", "package-lock.json", "tarballs/"
_MAX_PACKAGES = 100_000
_BITS = {"sha512": 512, "sha384": 384, "sha256": 256}  # SHA-1 alone proves nothing


class Npm:
    """See `verifier.evidence.kinds.model.Kind`."""

    name = "npm"
    promise = "package locks name what is there"

    def wants(self, files: Files) -> Iterator[Want]:
        """Return the two documents of a project."""
        return (Want(name) for name in (LOCK, MANIFEST) if name in files)

    def hashed(self, files: Files) -> Iterator[str]:
        """Return the tarballs: integrity is mostly SHA-512, which no index has."""
        return (name for name in files if _is_tarball(name))

    def judge(self, files: Files, documents: Documents) -> Iterator[KitError]:
        """Yield what ``npm ci --offline`` would stumble over, and what it would never look at."""
        for name in (MANIFEST, LOCK):
            if name not in files:
                raise KindFileMissing("is not there", where=files.where(name))
        for name in files:
            if name not in (MANIFEST, LOCK) and not _is_tarball(name):
                yield KindFileUnexpected("has no place in the project", where=files.where(name))
        documents.value(MANIFEST, NpmManifestMalformed)
        where, lock = files.where(LOCK), documents.value(LOCK, NpmPackageLockMalformed)
        packages = lock.get("packages")
        if lock.get("lockfileVersion") not in (2, 3) or not isinstance(packages, dict):
            raise NpmPackageLockMalformed("is no lock of npm 7 or newer", where=where)
        if len(packages) > _MAX_PACKAGES:
            raise KindUnchecked(f"has more than {_MAX_PACKAGES} packages", where=where)
        listed: set[str] = set()
        for place, entry in packages.items():
            if place:
                yield from _package(place, entry, files, documents, listed)
        for name in files:
            if _is_tarball(name) and name not in listed:
                yield NpmTarballUnlisted(f"{LOCK} does not name it", where=files.where(name))


def _is_tarball(name: str) -> bool:
    return name.startswith(TARBALLS) and name.endswith(".tgz")


def _package(
    place: str, entry: Any, files: Files, documents: Documents, listed: set[str]
) -> Iterator[KitError]:
    where = f"{files.where(LOCK)}, {place!r:.200}"
    if not isinstance(entry, dict):
        raise NpmPackageLockMalformed("is no object", where=where)
    resolved = entry.get("resolved")
    if not isinstance(resolved, str) or not resolved.startswith("file:") or entry.get("link"):
        yield NpmResolvedElsewhere(f"comes from {resolved!r:.200}", where=where)
        return
    name = resolved[5:]
    name = name[2:] if name.startswith("./") else name
    listed.add(name)
    if not _is_tarball(name) or name not in files:
        yield NpmTarballMissing(f"is to be found at {name!r:.200}", where=where)
        return
    given = integrities(entry.get("integrity"))
    if not given:
        yield NpmIntegrityMissing("has no integrity stronger than SHA-1", where=where)
    truth = {"sha256": {files.sha256(name)}, "sha512": {documents.sha512(name)} - {""}}
    for kind, digests in given.items():
        if truth.get(kind) and not digests & truth[kind]:
            what = f"has another {kind.upper()} than {LOCK} says"
            yield NpmIntegrityMismatch(what, where=files.where(name))


def integrities(value: object) -> Mapping[str, set[str]]:
    """Return the digests in a text of Subresource Integrity, without SHA-1, by algorithm."""
    found: dict[str, set[str]] = {}
    for text in value.split() if isinstance(value, str) else ():
        kind, _, rest = text.partition("-")
        try:
            digest = base64.b64decode(rest.partition("?")[0], validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(digest) * 8 == _BITS.get(kind):
            found.setdefault(kind, set()).add(digest.hex())
    return found
