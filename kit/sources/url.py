"""A file from a URL: its digest stands in the spec, so that any mirror serves."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from kit.net.download import Wanted
from kit.net.errors import ArtifactGone
from kit.sources.errors import UrlNameUnclear
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact
from kit.spec import Source
from kit.store import Artifact
from verifier.core.errors import KitError
from verifier.core.names import parse_member_path


class UrlFiles:
    """Sources with ``url``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Fetch the files, which gives their sizes; their digests are given."""
        wanted = [_wanted(source, where, part, None) for where, source in part.sources]
        got = _fetched(wanted, means)
        return Resolved(
            [
                LockedArtifact(
                    component=part.component,
                    path=one.name,
                    size=artifact.size,
                    sha256=artifact.sha256,
                    executable=source.executable,
                )
                for one, artifact, (_, source) in zip(wanted, got, part.sources, strict=True)
            ]
        )

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Fetch from any of their places the files that are missing."""
        sizes = {item.path: item.size for item in locked.artifacts if item.sha256 in missing}
        wanted = {}
        for where, source in part.sources:
            one = _wanted(source, where, part, None)
            if one.name in sizes:
                wanted[one.sha256] = _wanted(source, where, part, sizes[one.name])
        _fetched(list(wanted.values()), means)


def _fetched(wanted: Sequence[Wanted], means: Means) -> list[Artifact]:
    """Fetch files; of one that is gone, say what would take its place."""
    try:
        return means.downloads.fetch_all(wanted)
    except ArtifactGone as error:
        gone = next((one for one in wanted if repr(one.name) in error.message), None)
        if gone is None:
            raise
        from kit.sources.successors import successors  # slow to load, and few files are gone

        message = f"{error.message}; {successors(gone.urls, means.client)}"
        raise ArtifactGone(message, where=error.where) from None


def _wanted(source: Source, where: str, part: Part, size: int | None) -> Wanted:
    assert source.url is not None
    assert source.sha256 is not None
    name = _path(source.url, source.as_, where, part)
    return Wanted(name, (source.url, *source.mirrors), source.sha256, size)


def _path(url: str, name: str | None, where: str, part: Part) -> str:
    """Return where the file lands: under ``as``, or under the last part of its URL.

    Raises:
        UrlNameUnclear: The URL ends in nothing that can be a name in a kit.
    """
    name = name or unquote(urlsplit(url).path.rpartition("/")[2])
    try:
        return parse_member_path(f"{part.path}/{name}")
    except KitError as error:
        raise UrlNameUnclear(f"the URL ends in {name!r}: {error.message}", where=where) from None
