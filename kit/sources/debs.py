"""Debian packages with all that they need, as a flat repository that apt takes at the site.

apt decides what is needed, in a root of its own (`kit.sources.apt`); the index is made by us, of
what each package says of itself and of the digests that are locked.  Its `Release` is dated 1970:
apt refuses a repository from the future, and no site's clock is before that.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from email.parser import BytesHeaderParser
from pathlib import Path

from packageurl import PackageURL

from kit.net.download import Wanted
from kit.sbom.packages import read_package
from kit.sources.apt import Apt, Deb
from kit.sources.debfile import load_control
from kit.sources.errors import DebAbsent, DebMalformed
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact
from kit.spec import Source
from kit.store import Store

INDEX, RELEASE = "Packages", "Release"
_OURS = ("filename", "size", "sha256")  # fields that a repository adds
_RELEASE = """\
Origin: offline-kit
Label: offline-kit
Suite: kit
Codename: kit
Date: Thu, 01 Jan 1970 00:00:00 UTC
Architectures: {architectures}
SHA256:
 {sha256} {size} {index}
"""


class DebPackages:
    """Sources with ``debs``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Have apt find out what each source needs, and fetch it."""
        resolved = Resolved()
        found: dict[tuple[str, str], Deb] = {}
        for where, source in part.sources:
            with _apt(source, part, means, where) as apt:
                for deb in apt.closure(source.debs):
                    found.setdefault((deb.file, deb.sha256), deb)
                resolved.tools["apt"] = apt.version()
        debs = [found[key] for key in sorted(found)]
        means.downloads.fetch_all([_wanted(part, deb) for deb in debs])
        for deb in debs:
            package = read_package(means.store.path(deb.sha256), deb.file)
            resolved.artifacts.append(
                LockedArtifact(
                    component=part.component,
                    path=f"{part.path}/{deb.file}",
                    purl=package.purl if package else None,
                    size=deb.size,
                    sha256=deb.sha256,
                )
            )
        resolved.artifacts += _own_files(resolved.artifacts, part, means)
        return resolved

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Ask where the packages that are missing are now, and fetch them by digest.

        Raises:
            DebAbsent: A repository no longer has one; what it has now is named.
        """
        debs = [item for item in locked.artifacts if item.path.endswith(".deb")]
        gone = {item.sha256: item for item in debs if item.sha256 in missing}
        offers: list[str] = []
        for where, source in part.sources:
            if not gone:
                break
            names = [_name_and_version(item) for item in gone.values()]
            with _apt(source, part, means, where) as apt:
                there = [deb for deb in apt.exactly(names) if deb.sha256 in gone]
                means.downloads.fetch_all([_wanted(part, deb) for deb in there])
                for deb in there:
                    del gone[deb.sha256]
                offers += _offers(gone.values(), apt) if gone else []
        if gone:
            listed = "; ".join(dict.fromkeys(offers[:20]))
            raise DebAbsent(f"the repository no longer has {listed}", where=part.path)
        _own_files(debs, part, means)


@contextlib.contextmanager
def _apt(source: Source, part: Part, means: Means, where: str) -> Iterator[Apt]:
    with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
        yield Apt(source, part.base, Path(scratch), means.client, where)


def _name_and_version(item: LockedArtifact) -> tuple[str, str]:
    purl = PackageURL.from_string(item.purl or "")
    return purl.name, purl.version or ""


def _offers(gone: Iterable[LockedArtifact], apt: Apt) -> Iterator[str]:
    """Yield each package that is gone with what would take its place."""
    for item in gone:
        name, version = _name_and_version(item)
        now = apt.known([name])
        if any(one.version == version for one in now):
            yield f"{name} {version}, which is another file now"
        elif now:
            yield f"{name} {version}; it has {', '.join(one.version for one in now[:5])}"
        else:
            yield f"{name}, in any version"


def _wanted(part: Part, deb: Deb) -> Wanted:
    return Wanted(f"{part.path}/{deb.file}", (deb.uri,), deb.sha256, deb.size)


def _own_files(debs: Sequence[LockedArtifact], part: Part, means: Means) -> list[LockedArtifact]:
    """Put the index into the store: a function of what is locked, and of the packages."""
    architectures = {source.architecture or "" for _, source in part.sources}
    index = packages_index(debs, means.store)
    files = {INDEX: index, RELEASE: release_of(index, architectures)}
    own = []
    for name, data in files.items():
        artifact = means.store.add(data)
        own.append(
            LockedArtifact(
                component=part.component,
                path=f"{part.path}/{name}",
                size=artifact.size,
                sha256=artifact.sha256,
            )
        )
    return own


def packages_index(debs: Sequence[LockedArtifact], store: Store) -> bytes:
    """Return the index of a flat repository, in the order of names (deb822(5)).

    Raises:
        DebMalformed: A package does not say that it is the one that its name says.
    """
    stanzas = []
    for item in sorted(debs, key=lambda one: one.path):
        name = item.path.rpartition("/")[2]
        control = load_control(store.path(item.sha256)) or b""
        text = one_stanza(control, name)
        stanzas.append(f"{text}\nFilename: ./{name}\nSize: {item.size}\nSHA256: {item.sha256}\n")
    return "\n".join(stanzas).encode()


def release_of(index: bytes, architectures: set[str]) -> bytes:
    """Return the file that says what the index is (DebianRepository/Format, "Release")."""
    text = _RELEASE.format(
        architectures=" ".join(sorted(architectures)),
        sha256=hashlib.sha256(index).hexdigest(),
        size=len(index),
        index=INDEX,
    )
    return text.encode()


def one_stanza(control: bytes, name: str) -> str:
    """Return what a package says of itself, if that is one paragraph about this package."""
    try:
        text = control.decode("utf-8").rstrip("\n")
    except UnicodeDecodeError:
        raise DebMalformed("its control file is not UTF-8", where=name) from None
    fields = BytesHeaderParser().parsebytes(control)
    parts = [str(fields[key] or "") for key in ("Package", "Version", "Architecture")]
    parts[1] = re.sub("^[0-9]+:", "", parts[1])
    if f"{'_'.join(parts)}.deb" != name:
        raise DebMalformed(f"says that it is {'_'.join(parts)!r:.200}", where=name)
    lines = text.split("\n")
    if any(not line.strip() or not line.isprintable() for line in map(_untabbed, lines)):
        raise DebMalformed("its control file has an empty line or a control character", where=name)
    keys = [line.partition(":")[0].lower() for line in lines if line[0] not in " \t"]
    if len(set(keys)) != len(keys) or set(keys) & set(_OURS):
        raise DebMalformed("its control file has a field twice, or one of an index", where=name)
    return text


def _untabbed(line: str) -> str:
    return line.replace("\t", " ")
