"""The members of a kit, one after the other, in memory that does not grow with them."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Sequence

from verifier.core.errors import NoSuchMember
from verifier.core.lists import CLASSES, Index
from verifier.core.model import Manifest
from verifier.show.changes import owner_of, owners
from verifier.typed import Any, record


@record(frozen=True)
class Listed:
    """One member, as the index and the manifest have it.

    Attributes:
        kind: Its class: ``data``, ``evidence``, ...
        component: Of the manifest; empty for what belongs to none.
        mode: As it lands, in octal digits.
        digest: SHA-256 in hexadecimal.
    """

    path: str
    size: int
    digest: str
    mode: str
    component: str
    kind: str


def listed(
    index: Index,
    manifest: Manifest,
    components: Sequence[str] = (),
    patterns: Sequence[str] = (),
) -> Iterator[Listed]:
    """Return the members that are wanted, in the order of the index.

    Args:
        components: Ids of components; empty for all members.
        patterns: Patterns of the shell over the whole path, where ``*`` also takes ``/``; a member
            is wanted if one of them matches. Empty for all.

    Raises:
        NoSuchMember: There is no such component.
    """
    known = {item.id for item in manifest.components}
    for name in components:
        if name not in known:
            raise NoSuchMember(f"{name!r} is no component of this kit")
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match if patterns else None
    return _listed(index, manifest, frozenset(components), matches)


def _listed(
    index: Index,
    manifest: Manifest,
    wanted: frozenset[str],
    matches: Callable[[str], object] | None,
) -> Iterator[Listed]:
    places = owners(manifest.components)
    for rank, first, last in index.runs():
        kind = CLASSES[rank].decode("ascii")
        digests = index.digests[32 * first : 32 * last].hex(" ", 32).split(" ")
        columns = zip(
            index.paths(first, last), index.sizes[first:last], digests, index.executable[first:last]
        )
        for raw, size, digest, executable in columns:
            path = raw.decode("utf-8")
            component = owner_of(raw, places)
            if (wanted and component not in wanted) or (matches and not matches(path)):
                continue
            mode = "0755" if executable else "0644"
            yield Listed(path, size, digest, mode, component, kind)


def short_line(item: Listed) -> str:
    """Return mode, size and path."""
    return f"{item.mode} {item.size:>14} {item.path}"


def long_line(item: Listed) -> str:
    """Return digest, mode, size, class, component, and last the path, which may hold spaces."""
    return (
        f"{item.digest} {item.mode} {item.size:>14} {item.kind:<8} "
        f"{item.component or '-'} {item.path}"
    )


def json_text(report: dict[str, Any], items: Iterator[Listed]) -> Iterator[str]:
    """Yield a report as JSON with the members as ``entries``, a line each."""
    yield json.dumps(report, indent=2, sort_keys=True)[:-2] + ',\n  "entries": ['
    before = "\n"
    for item in items:
        value = {
            "path": item.path,
            "size": item.size,
            "sha256": item.digest,
            "mode": item.mode,
            "component": item.component or None,
            "class": item.kind,
        }
        yield f"{before}    {json.dumps(value)}"
        before = ",\n"
    yield "\n  ]\n}\n"
