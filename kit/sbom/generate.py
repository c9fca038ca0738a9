"""Writes the SBOMs that a spec lacks: for each component one, of its files and packages.

A document says nothing that changes from run to run or host to host, so that one that differs is
stale.  Files that another SBOM of the spec describes, that are exempt, or that belong to an image
are left out: syft looks into images (`kit.sbom.scan`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.container.output import refused, replace_file
from kit.errors import SourceChanged, SourceUnreadable, show
from kit.sbom.check import check_file, check_sbom
from kit.sbom.errors import SbomRefused, SbomStale
from kit.sbom.packages import Package, read_package
from kit.sbom.scan import file_name, images_of, scan
from kit.sbom.scantree import scan_tree
from kit.sbom.writing import Draft, Part, write_cyclonedx
from kit.sources.collect import Collection, collect
from kit.sources.taken import Taken
from kit.spec import Component, KitSpec, parse_spec
from verifier.core.model import format_time
from verifier.evidence.coverage import ABOUT

FOLDER = "sboms"
_LAYOUT = b"/oci-layout"
_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Made:
    """A document for one component.

    Attributes:
        file: Relative to the spec, as ``[[sbom]]`` names it.
        files: How many plain files it describes.
        packages: How many packages.
    """

    file: str
    data: bytes
    files: int
    packages: int


@dataclass(frozen=True)
class Plan:
    """What is to be written so that nothing is missing.

    Attributes:
        made: Every document of ours, as it should be.
        stale: Those of them that are not there, or are otherwise.
        unlisted: Those that the spec does not name yet.
        idle: Documents of ours that are listed and describe nothing any more.
    """

    made: tuple[Made, ...]
    stale: tuple[str, ...]
    unlisted: tuple[str, ...]
    idle: tuple[str, ...]


def file_of(component: Component) -> str:
    """Return where the document of a component lies, relative to the spec."""
    return f"{FOLDER}/{component.id}.{'spdx' if component.scan else 'cdx'}.json"


def _is_of_image(component: Component, file: str) -> bool:
    """Whether a file is a document of ours of an image."""
    return file.startswith(f"{FOLDER}/{component.id}-image-") and file.endswith(".spdx.json")


def plan_sboms(spec: KitSpec, taken: Taken | None = None) -> Plan:
    """Look at the sources of a spec and make the documents that it lacks; nothing is written.

    Args:
        taken: What comes out of the store, for sources that are fetched.

    Raises:
        ToolMissing: An image is described by nobody, and syft is not installed.
        SbomRefused: An SBOM of somebody else is bad, so that nobody knows what it covers.
        KitError: A source is at fault.
    """
    ours = {file_of(component) for component in spec.components}
    ours |= {
        entry.file
        for entry in spec.sboms
        for component in spec.components
        if _is_of_image(component, entry.file)
    }
    covered = set(_covered_by_others(spec, ours))
    # the documents themselves may not be there yet
    data = collect(spec.model_copy(update={"sboms": ()}), taken=taken).data
    names = [data.path(i) for i in range(len(data))]
    layouts = tuple(sorted(name[: -len(_LAYOUT) + 1] for name in names if name.endswith(_LAYOUT)))
    exempt = tuple(path.encode() for entry in spec.exemptions for path in entry.paths)
    files = [
        (i, name)
        for i, name in enumerate(names)
        if not name.startswith(layouts) and not _is_below(name, exempt)
    ]
    made = []
    for component in spec.components:
        below = component.path.encode() + b"/"
        ending = ABOUT.get(component.what, "").encode()
        inside = [
            (i, name) for i, name in files if name.startswith(below) and name.endswith(ending)
        ]
        describe = _tree if component.scan else _document
        found = describe(spec, component, data, inside, covered)
        if found is not None:
            made.append(found)
        for layout in layouts:
            if layout.startswith(below) and not _is_below(layout.rstrip(b"/"), exempt):
                made += _images(spec, component, data, layout, covered)
    listed = {entry.file for entry in spec.sboms}
    return Plan(
        made=tuple(made),
        stale=tuple(one.file for one in made if _on_disk(spec, one.file) != one.data),
        unlisted=tuple(one.file for one in made if one.file not in listed),
        idle=tuple(sorted(ours & listed - {one.file for one in made})),
    )


def write_sboms(spec: KitSpec, plan: Plan) -> None:
    """Write what is stale beside the spec, and name in the spec what it does not name yet.

    Raises:
        SpecInvalid: The spec names its SBOMs in a way that nothing can be put behind.
        KitError: The host refuses; what was written before is whole.
    """
    for one in plan.made:
        if one.file in plan.stale:
            path = spec.base / one.file
            _make_folder(path.parent)
            replace_file(path, one.data)
    if plan.unlisted:
        try:
            text = spec.file.read_bytes().rstrip(b"\n")
        except OSError as error:
            raise refused(error, spec.file) from None
        for name in plan.unlisted:
            text += f'\n\n[[sbom]]\nfile = "{name}"'.encode()
        parse_spec(text + b"\n", file=spec.file)
        replace_file(spec.file, text + b"\n")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise refused(error, path) from None


def check_plan(spec: KitSpec, plan: Plan) -> None:
    """Hold what is on the disk to a plan.

    Raises:
        SbomStale: Something would be written.
    """
    lines = [f"{name} is not what its component is" for name in plan.stale]
    lines += [f"{name} is not named in the spec" for name in plan.unlisted]
    lines += [f"{name} is named in the spec and describes nothing any more" for name in plan.idle]
    if lines:
        raise SbomStale(lines, where=show(spec.file).strip("'"))


# --- what is there ---------------------------------------------------------------------------


def _covered_by_others(spec: KitSpec, ours: set[str]) -> Iterator[str]:
    faults: list[str] = []
    for entry in spec.sboms:
        if entry.file in ours:
            continue
        checked = check_file(spec.base / entry.file)
        faults += [str(error) for error in checked.errors]
        if checked.sbom is not None:
            yield from (element.sha256 for element in checked.sbom.elements)
    if faults:
        raise SbomRefused(faults)


def _on_disk(spec: KitSpec, name: str) -> bytes | None:
    try:
        return (spec.base / name).read_bytes()
    except OSError:
        return None


def _is_below(name: bytes, paths: tuple[bytes, ...]) -> bool:
    return any(name == path or name.startswith(path + b"/") for path in paths)


# --- one document ----------------------------------------------------------------------------


def _document(
    spec: KitSpec,
    component: Component,
    data: Collection,
    files: list[tuple[int, bytes]],
    covered: set[str],
) -> Made | None:
    parts: list[Part] = []
    packages: dict[str, Package] = {}
    for i, name in files:
        digest = _hash(data, i, name, int(spec.kit.created.timestamp()))
        if digest in covered:
            continue
        path = name.decode("utf-8")
        package = None
        if data.made(i) is None:
            package = read_package(Path(os.fsdecode(data.source(i))), path)
        if package is not None:
            packages[path] = package
        parts.append(_part(path, digest, package))
    if not parts:
        return None
    ref = f"component:{component.id}"
    root = Part(ref, "application", component.id, component.version)
    edges = [(ref, part.ref) for part in parts] + list(_edges(packages))
    draft = Draft(root, parts, edges, format_time(int(spec.kit.created.timestamp())))
    count = len(packages)
    return Made(file_of(component), write_cyclonedx(draft), len(parts) - count, count)


def _tree(
    spec: KitSpec,
    component: Component,
    data: Collection,
    files: list[tuple[int, bytes]],
    covered: set[str],
) -> Made | None:
    """Return a document by syft of the files of a component that nobody else describes."""
    mtime = int(spec.kit.created.timestamp())
    tree = {
        name[len(component.path) + 1 :].decode("utf-8"): (
            data.made(i) or Path(os.fsdecode(data.source(i))),
            _hash(data, i, name, mtime),
        )
        for i, name in files
    }
    if covered.issuperset(sha256 for _, sha256 in tree.values()):
        return None
    created = format_time(mtime)
    made = scan_tree(component.id, component.version, tree, created)
    checked = check_sbom(made, component.id, for_kit=True)
    if checked.errors:
        raise SbomRefused([str(error) for error in checked.errors])
    elements = checked.sbom.elements if checked.sbom else ()
    packages = sum(element.kind == "package" for element in elements) - 1  # but for the tree
    return Made(file_of(component), made, len(tree), packages)


def _images(
    spec: KitSpec, component: Component, data: Collection, layout: bytes, covered: set[str]
) -> Iterator[Made]:
    """Yield a document for each image of a layout that nobody else describes."""
    names = {data.path(i): i for i in range(len(data)) if data.path(i).startswith(layout)}
    files = {
        name[len(layout) :].decode("utf-8"): Path(os.fsdecode(data.source(i)))
        for name, i in names.items()
    }
    created = format_time(int(spec.kit.created.timestamp()))
    for image in images_of(files):
        if covered.issuperset(image.digests):
            continue
        made = scan(image, files, created)
        checked = check_sbom(made, image.name, for_kit=True)
        if checked.errors:
            raise SbomRefused([str(error) for error in checked.errors])
        packages = len(checked.sbom.elements) - len(image.digests) if checked.sbom else 0
        name = f"{FOLDER}/{component.id}-image-{file_name(image)}.spdx.json"
        yield Made(name, made, 0, packages)


def _part(path: str, digest: str, package: Package | None) -> Part:
    if package is None:
        return Part(path, "file", path, digests={"sha256": digest})
    kept = tuple(("offline-kit:sbom", name) for name in package.sboms)
    return Part(
        path,
        "library",
        package.name,
        package.version,
        package.purl,
        package.licence,
        {"sha256": digest},
        (("offline-kit:path", path), *kept),
    )


def _edges(packages: dict[str, Package]) -> Iterator[tuple[str, str]]:
    """Yield what needs what, as far as both are there."""
    by_name: dict[tuple[str, str], list[str]] = {}
    for path, package in packages.items():
        by_name.setdefault((package.ecosystem, package.name), []).append(path)
    for path, package in packages.items():
        for need in package.needs:
            for other in by_name.get((package.ecosystem, need), ()):
                if other != path:
                    yield path, other


def _hash(data: Collection, i: int, name: bytes, mtime: int) -> str:
    hashed = hashlib.sha256()
    if data.made(i) is not None:
        size, buffer = data.sizes[i], memoryview(bytearray(_BLOCK))
        for offset in range(0, size, _BLOCK):
            view = buffer[: min(_BLOCK, size - offset)]
            data.read_made(i, offset, view, mtime)
            hashed.update(view)
        return hashed.hexdigest()
    try:
        with open(data.source(i), "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                hashed.update(block)
            same = data.unchanged(i, os.fstat(file.fileno()))
    except OSError as error:
        raise SourceUnreadable([(name, error.strerror or str(error))]) from None
    if not same:
        raise SourceChanged("was written to while it was read", where=show(name))
    return hashed.hexdigest()
