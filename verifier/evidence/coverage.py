"""Which file of a kit is described by which element of which SBOM, and the other way round.

A pure function over what somebody else has proved: digests of the index, documents as they are
signed.  So the builder and the operator's verifier mean the same by "covered".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from verifier.core.lists import DATA, Index
from verifier.evidence.sbom import Element, Sbom
from verifier.typed import record


@record(frozen=True)
class Unit:
    """What one element has to describe: a file, or an image by its manifest.

    Attributes:
        path: In the kit; of an image its layout and its digest.
        sha256: Hexadecimal digits.
    """

    path: str
    sha256: str


@record(frozen=True)
class Link:
    """An element of a document that describes something.

    Attributes:
        document: The document, by its path in the kit.
        element: The element in it.
    """

    document: str
    element: Element


@record(frozen=True)
class Uncovered:
    """A unit that no SBOM describes, and nobody exempts.

    Attributes:
        named_by: An element with the name of the unit, which gives no SHA-256 or another one.
    """

    unit: Unit
    named_by: Link | None


@record(frozen=True)
class Coverage:
    """What a comparison found.

    Attributes:
        covered: How many units an element describes.
        exempt: How many need none, because the spec says so.
        uncovered: The others.
        absent: What a document is about and the kit does not carry.
    """

    covered: int
    exempt: int
    uncovered: tuple[Uncovered, ...]
    absent: tuple[Link, ...]


class Exempt:
    """Whether a path, or a directory above it, needs no SBOM.

    Args:
        paths: Those of the exemptions of a spec or a manifest.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)

    def __call__(self, path: str) -> bool:
        """Whether that one is."""
        while path:
            if path in self._paths:
                return True
            path = path.rpartition("/")[0]
        return False


ABOUT = {"wheels": ".whl", "debs": ".deb", "npm": ".tgz"}  # what a kind is about, by its end


def units(
    index: Index, layouts: Mapping[str, Sequence[str]], kinds: Iterable[tuple[str, str]]
) -> Iterator[Unit]:
    """Yield every file of a kit, and in place of the files of an OCI layout its images.

    Of wheels, Debian packages and npm projects the packages are described: what lists them is part
    of the kind (FORMAT 17).

    Args:
        index: The members.
        layouts: Of each directory that is a layout, with a slash at its end, the images in it.
        kinds: The directory and the kind of each component.
    """
    about = [(f"{path}/", ABOUT[kind]) for path, kind in kinds if kind in ABOUT]
    for rank, first, last in index.runs():
        if rank != DATA:
            continue
        for number, path in enumerate(index.paths(first, last), first):
            name = path.decode("utf-8")
            ending = next((end for place, end in about if name.startswith(place)), "")
            if name.endswith(ending) and not any(name.startswith(layout) for layout in layouts):
                yield Unit(name, index.digest(number).hex())
    for layout, images in layouts.items():
        for sha256 in images:
            yield Unit(f"{layout}blobs/sha256/{sha256}", sha256)


class Described:
    """What documents describe, by digest and by name; the first that describes something wins."""

    def __init__(self, documents: Iterable[tuple[str, Sbom]]) -> None:
        self._documents: list[tuple[str, Sbom]] = list(documents)
        self._by_sha256: dict[str, tuple[str, Element]] = {}
        self._by_name: dict[str, tuple[str, Element]] = {}
        for name, sbom in self._documents:
            for element in sbom.elements:
                if element.sha256:
                    self._by_sha256.setdefault(element.sha256, (name, element))
                self._by_name.setdefault(_plain(element.name), (name, element))

    def link(self, unit: Unit) -> Link | None:
        """Return the element that has the SHA-256 of a unit."""
        found = self._by_sha256.get(unit.sha256)
        return Link(*found) if found else None

    def named(self, unit: Unit) -> Link | None:
        """Return an element that has the name of a unit, whatever its digests; for messages."""
        found = self._by_name.get(_plain(unit.path))
        found = found or self._by_name.get(unit.path.rpartition("/")[2])
        return Link(*found) if found else None

    def about(self) -> Iterable[Link]:
        """Yield each element that a document is about, where it gives a SHA-256 for it."""
        for name, sbom in self._documents:
            for element in sbom.described():
                if element.sha256:
                    yield Link(name, element)


def _plain(name: str) -> str:
    return name[2:] if name.startswith("./") else name


def compare(
    units: Iterable[Unit],
    documents: Sequence[tuple[str, Sbom]],
    is_exempt: Callable[[str], bool],
    carried: Callable[[str], bool],
    described: Described | None = None,
) -> Coverage:
    """Compare units with documents, both ways, in one pass over each.

    What lies inside of what a document is about (the files of an image, the libraries of a program)
    is described and carried in it, so it is not looked for in the kit.

    Args:
        units: What has to be described.
        documents: For each its path in the kit, and what it says.
        is_exempt: Whether the path of a unit needs no SBOM.
        carried: Whether the kit has anything with a SHA-256.
        described: What the documents describe, if that is known already.
    """
    described = described or Described(documents)
    covered = exempt = 0
    uncovered = []
    for unit in units:
        if described.link(unit) is not None:
            covered += 1
        elif is_exempt(unit.path):
            exempt += 1
        else:
            uncovered.append(Uncovered(unit, described.named(unit)))
    absent = tuple(link for link in described.about() if not carried(link.element.sha256))
    return Coverage(covered, exempt, tuple(uncovered), absent)
