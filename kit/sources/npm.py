"""npm packages as tarballs, with a lock that finds them beside it.

What `package-lock.json` names is fetched by its integrity.  The lock that is carried names each
tarball as ``file:tarballs/...`` and keeps the integrity, so that ``npm ci --offline`` works at the
site with an empty cache, for every platform that the lock knows (npm 8 to 11).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kit.net.download import Wanted
from kit.net.errors import ArtifactGone
from kit.sources.errors import NpmLockUnusable
from kit.sources.fetched import NPM_FILES, Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact
from kit.sources.smallfile import read_small
from kit.store import Artifact
from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.core.names import fold

MANIFEST, LOCK = NPM_FILES
_MAX_LOCK = 64 * MIB
_NAME = re.compile(r"(?:@[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*/)?[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*")
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,128}")
_STRENGTH = ("sha512", "sha384", "sha256")  # SHA-1 alone proves nothing
_HEX = 12  # digits of the digest in the name of a tarball whose name another one has


@dataclass(frozen=True)
class _Package:
    """A tarball that a lock names, perhaps for several places in the tree."""

    name: str
    version: str
    resolved: str
    integrity: tuple[str, str]

    @property
    def purl(self) -> str:
        return f"pkg:npm/{quote(self.name, safe='/')}@{quote(self.version)}"

    def file(self, taken: Mapping[str, tuple[str, str]]) -> str:
        """Return the name of the tarball: that of ``npm pack``, unless another one folds to it."""
        plain = f"{self.name.lstrip('@').replace('/', '-')}-{self.version}"
        if taken.get(fold(plain), self.integrity) != self.integrity:
            plain = f"{plain}-{self.integrity[1][:_HEX]}"
        return f"tarballs/{plain}.tgz"


@dataclass(frozen=True)
class _Project:
    """A directory of the spec with its manifest and its lock."""

    manifest: bytes
    lock: dict[str, Any]
    packages: tuple[_Package, ...]
    files: Mapping[tuple[str, str], str]  # from integrity to the name of the tarball


class NpmPackages:
    """Sources with ``npm``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Fetch what the lock of a project names; npm has resolved it."""
        resolved = Resolved()
        for where, source in part.sources:
            project = _load(part.base / (source.npm or ""), where)
            registry = _registry(part.base)
            wanted = [_wanted(package, project, part, registry) for package in project.packages]
            got = _fetched(wanted, project, registry, part, means)
            for package, one, artifact in zip(project.packages, wanted, got, strict=True):
                resolved.artifacts.append(_locked(part, one.name, artifact, package.purl))
            for name, data in _own_files(project).items():
                artifact = means.store.add(data)
                resolved.artifacts.append(_locked(part, f"{part.path}/{name}", artifact, None))
        return resolved

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Fetch the tarballs that are missing, and write our own files again."""
        known = {item.path: item for item in locked.artifacts if item.sha256 in missing}
        for where, source in part.sources:
            project = _load(part.base / (source.npm or ""), where)
            registry = _registry(part.base)
            for data in _own_files(project).values():
                means.store.add(data)
            wanted = []
            for package in project.packages:
                one = _wanted(package, project, part, registry)
                if one.name in known:
                    item = known[one.name]
                    wanted.append(Wanted(one.name, one.urls, item.sha256, item.size))
            _fetched(wanted, project, registry, part, means)


def _fetched(
    wanted: Sequence[Wanted], project: _Project, registry: str, part: Part, means: Means
) -> list[Artifact]:
    """Fetch tarballs; of one that is gone, say what would take its place."""
    try:
        return means.downloads.fetch_all(wanted)
    except ArtifactGone as error:
        names = {f"{part.path}/{project.files[one.integrity]}": one for one in project.packages}
        gone = next((one for name, one in names.items() if repr(name) in error.message), None)
        if gone is None or not registry:
            raise
        message = f"{error.message}; {_latest(gone, registry, means)}"
        raise ArtifactGone(message, where=error.where) from None


def _load(directory: Path, where: str) -> _Project:
    """Read a project.

    Raises:
        NpmLockUnusable: Its lock is none, or names what cannot be carried; all of it is listed.
    """
    manifest = read_small(directory / MANIFEST, _MAX_LOCK, NpmLockUnusable, where)
    try:
        lock = json.loads(read_small(directory / LOCK, _MAX_LOCK, NpmLockUnusable, where))
        entries = lock["packages"]
        if lock.get("lockfileVersion") not in {2, 3} or not isinstance(entries, dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NpmLockUnusable(f"{LOCK} is no lock of npm 7 or newer", where=where) from None
    packages: dict[tuple[str, str], _Package] = {}
    faults: list[str] = []
    for place, entry in entries.items():
        if place == "":
            continue
        package = _package(place, entry)
        if isinstance(package, str):
            faults.append(f"{place!r} {package}")
        else:
            packages.setdefault(package.integrity, package)
    if faults:
        more = f"; and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise NpmLockUnusable("; ".join(faults[:20]) + more, where=where)
    ordered = tuple(sorted(packages.values(), key=lambda item: (item.name, item.version)))
    return _Project(manifest, lock, ordered, dict(_files(ordered)))


def _files(packages: tuple[_Package, ...]) -> Iterator[tuple[tuple[str, str], str]]:
    taken: dict[str, tuple[str, str]] = {}
    for package in packages:
        name = package.file(taken)
        taken.setdefault(
            fold(name.removeprefix("tarballs/").removesuffix(".tgz")), package.integrity
        )
        yield package.integrity, name


def _package(place: str, entry: object) -> _Package | str:
    """Return the tarball that an entry of a lock names, or why there is none."""
    if not isinstance(entry, dict):
        return "is no entry"
    if "node_modules/" not in place or entry.get("link"):
        return "is a directory of the project (a workspace or a link)"
    name = entry.get("name") or place.rpartition("node_modules/")[2]
    version, resolved = entry.get("version"), entry.get("resolved", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        return "has no name that npm knows"
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return "has no version"
    if not isinstance(resolved, str) or resolved.startswith(("git", "file:")):
        return f"comes from {str(resolved)[:200]!r} and not from a registry"
    integrity = _integrity(entry.get("integrity"))
    if integrity is None:
        return "has no integrity stronger than SHA-1"
    return _Package(name, version, resolved, integrity)


def _integrity(value: object) -> tuple[str, str] | None:
    """Return the strongest digest of a Subresource Integrity text, as hexadecimal digits."""
    if not isinstance(value, str):
        return None
    given = dict(text.partition("-")[::2] for text in reversed(value.split()))
    for kind in _STRENGTH:
        try:
            digest = base64.b64decode(given.get(kind, "").partition("?")[0], validate=True)
        except binascii.Error:
            return None
        if len(digest) * 8 == int(kind[3:]):
            return kind, digest.hex()
    return None


def _own_files(project: _Project) -> dict[str, bytes]:
    """Return the manifest as it is, and the lock that names each tarball beside it."""
    packages = {}
    for place, entry in project.lock["packages"].items():
        packages[place] = dict(entry)
        if place:
            integrity = _integrity(entry.get("integrity"))
            assert integrity is not None
            packages[place]["resolved"] = f"file:{project.files[integrity]}"
    lock = {k: v for k, v in project.lock.items() if k != "dependencies"}  # npm 6's copy of it
    text = json.dumps({**lock, "packages": packages}, indent=2, ensure_ascii=False)
    return {MANIFEST: project.manifest, LOCK: f"{text}\n".encode()}


def _wanted(package: _Package, project: _Project, part: Part, registry: str) -> Wanted:
    """Say where a tarball is: at this user's registry, or where the lock says."""
    last = package.name.rpartition("/")[2]
    path = f"{quote(package.name, safe='@/')}/-/{quote(last)}-{quote(package.version)}.tgz"
    urls = [f"{registry.rstrip('/')}/{path}"] if registry else []
    if package.resolved and urlsplit(package.resolved).scheme in {"http", "https"}:
        urls.append(package.resolved)
    name = f"{part.path}/{project.files[package.integrity]}"
    return Wanted(name, tuple(dict.fromkeys(urls)), "", other=package.integrity)


def _latest(package: _Package, registry: str, means: Means) -> str:
    """Return what would take the place of a package, in words (npm's registry API, dist-tags)."""
    url = f"{registry.rstrip('/')}/-/package/{quote(package.name, safe='@')}/dist-tags"
    version = None
    with contextlib.suppress(KitError, ValueError, RecursionError), means.client.get(url) as answer:
        value = json.loads(answer.read(MIB))
        version = value.get("latest") if isinstance(value, dict) else None
    if isinstance(version, str) and _VERSION.fullmatch(version):
        return f"the latest of {package.name} is {version}"
    return f"the registry says of no other {package.name}"


def _registry(directory: Path) -> str:
    """Return the registry that npm has for this user and project; empty if there is no npm."""
    program = shutil.which("npm")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "config", "get", "registry"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            cwd=directory,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = done.stdout.decode("utf-8", "replace").strip()
    return text if urlsplit(text).scheme in {"http", "https"} else ""


def _locked(part: Part, path: str, artifact: Artifact, purl: str | None) -> LockedArtifact:
    return LockedArtifact(
        component=part.component, path=path, purl=purl, size=artifact.size, sha256=artifact.sha256
    )
