"""Makes an audit of what was proved and what was kept: pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from verifier.audit.catch import Catch
from verifier.audit.decisions import decisions
from verifier.audit.documents import Documents, read_documents
from verifier.audit.images import images_of
from verifier.audit.model import (
    GOOD,
    UNJUDGED,
    Audit,
    ComponentRow,
    CoverageRow,
    ImageRow,
    PackageRow,
    SbomRow,
    Unchecked,
)
from verifier.audit.origins import Origin
from verifier.audit.signed import judge_signed, with_places
from verifier.audit.vulnerabilities import vulnerability_rows
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.model import Component
from verifier.core.pipeline import Opened
from verifier.core.trust import Root
from verifier.evidence.components import component_digest, members_of
from verifier.evidence.coverage import (
    Described,
    Exempt,
    Unit,
    compare,
    units,
)
from verifier.evidence.imagelist import ReadBlob, images_in
from verifier.evidence.sbom import Element, Sbom
from verifier.host.attestations import Given
from verifier.show.changes import owner_of, owners
from verifier.show.report import Report
from verifier.typed import record, replace

MAX_OF_A_COMPONENT = 50  # licences, and origins, that are named; the packages have them all
_KINDS = ((".whl", "wheel"), (".deb", "deb"), (".rpm", "rpm"), (".tgz", "npm"))
_PURL_KINDS = {"pypi": "wheel", "oci": "image", "docker": "image", "generic": "file"}
_NO_FILE = ("NOASSERTION", "NONE", "")
_INDEX = "the index of the evidence"
_ABOUT_EVIDENCE = ("what the evidence says", "what else the evidence says")


def make_audit(
    report: Report,
    catch: Catch,
    later: Sequence[Given] = (),
    root: Root | None = None,
) -> Audit:
    """Return the audit of a kit.

    Args:
        report: What proving it has found.
        catch: What was kept while it was proved.
        later: Evidence that was given beside the kit.
        root: Whose kit signers attest; None for the root that the kit was proved under.
    """
    audit = Audit(report, decisions=list(decisions(report)))
    audit.not_checked += map(_unchecked, report.not_checked)
    opened = report.opened
    if opened.manifest is None:
        return audit
    if not catch.read or opened.index is None:
        why = "nothing of a kit is read before all of it is proved"
        audit.not_checked.append(Unchecked("evidence, images and packages", why))
        audit.components += (_component(opened, item) for item in opened.manifest.components)
        return audit
    signed = judge_signed(opened, catch.caught, later, report.host, root or report.effective)
    catch.let_go()
    given = ((item.path, item.data) for item in later)
    read = read_documents(catch.evidence(), given, signed)
    told = _ABOUT_EVIDENCE + ((_INDEX,) if signed.indexed else ())
    audit.not_checked = [item for item in audit.not_checked if not item.what.startswith(told)]
    audit.not_checked += (Unchecked(path, why) for path, why in sorted(catch.missed.items()))
    audit.not_checked += read.unchecked
    _fill(audit, opened, opened.index, read, catch)
    return audit


def _unchecked(sentence: str) -> Unchecked:
    what, colon, why = sentence.partition(": ")
    return Unchecked(what, why) if colon else Unchecked(sentence, "")


def _fill(audit: Audit, opened: Opened, index: Index, read: Documents, catch: Catch) -> None:
    assert opened.manifest is not None
    places = owners(opened.manifest.components)
    for layout in catch.layouts:
        component = owner_of(layout[:-1], places)
        rows = images_of(layout, component, catch.find, lambda path: index.find(path) is not None)
        audit.images += rows
    described = Described(read.sboms)
    carried_images = _images(catch)
    found = _Found(index, described, places, read.origins)
    kinds = [(path, item.kind) for item in opened.manifest.components for path in item.paths]
    found.read(units(index, carried_images, kinds), Exempt(_exempt(opened)))
    audit.coverage = found.coverage(read, index)
    audit.components += (_component(opened, item, found) for item in opened.manifest.components)
    audit.sboms += (_sbom(path, sbom, found.used.get(path, 0)) for path, sbom in read.sboms)
    audit.sboms += (_sbom(path, sbom, 0) for path, sbom in read.attested)
    audit.packages += _packages([*read.sboms, *read.attested])
    audit.attestations += with_places(read.attestations, _known(read, opened, index, audit.images))
    audit.images[:] = [_signed(image, audit) for image in audit.images]
    audit.vulnerabilities += vulnerability_rows(read.scans, read.vex)
    audit.statements += read.vex
    audit.documents += read.others
    unjudged = sum(row.verdict == UNJUDGED for row in audit.attestations)
    if unjudged:
        why = "they are not by kit signers, and no policy says that their signers count"
        audit.not_checked.append(Unchecked(f"{unjudged} signatures of attestations", why))


def _exempt(opened: Opened) -> Iterator[str]:
    assert opened.manifest is not None
    return (path for item in opened.manifest.exemptions for path in item.paths)


def _images(catch: Catch) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for layout in catch.layouts:
        images = images_in(catch.find(layout + b"index.json"), _blobs(catch, layout))
        if images is not None:
            found[layout.decode("utf-8")] = images
    return found


def _blobs(catch: Catch, layout: bytes) -> ReadBlob:
    return lambda digest: catch.find(layout + b"blobs/sha256/" + digest.encode())


# --- components ----------------------------------------------------------------------------------


@record
class _Of:
    """What is known of one component beyond the manifest."""

    licences: dict[str, None]
    origins: dict[str, None]
    kinds: set[str]


class _Found:
    """Goes once over everything that an SBOM has to describe."""

    def __init__(
        self,
        index: Index,
        described: Described,
        places: dict[bytes, str],
        origins: Sequence[Origin],
    ) -> None:
        self._described, self._places = described, places
        self._index = index
        self._origins = {item.path: item.text for item in origins}
        self.used: dict[str, int] = {}
        self.of: dict[str, _Of] = {}
        self._units: list[Unit] = []
        self._exempt: Exempt = Exempt(())

    def read(self, of: Iterable[Unit], exempt: Exempt) -> None:
        """Look at each unit: which component it is of, and what an SBOM and the lock say of it."""
        self._exempt = exempt
        for path, text in self._origins.items():
            self._of(path).origins[text] = None
        for unit in of:
            self._units.append(unit)
            one = self._of(unit.path)
            link = self._described.link(unit)
            origin = self._origins.get(unit.path, "")
            one.kinds.add(_kind(unit.path, origin, link.element if link else None))
            if link is None:
                continue
            self.used[link.document] = self.used.get(link.document, 0) + 1
            if link.element.licence not in _NO_FILE:
                one.licences[link.element.licence] = None
            if link.element.purl and not origin:
                one.origins[link.element.purl] = None

    def _of(self, path: str) -> _Of:
        component = owner_of(path.encode("utf-8"), self._places)
        return self.of.setdefault(component, _Of({}, {}, set()))

    def coverage(self, read: Documents, index: Index) -> CoverageRow:
        """Return how much of the kit is described."""
        wanted = {
            bytes.fromhex(element.sha256)
            for _, sbom in read.sboms
            for element in sbom.described()
            if element.sha256
        }
        members = range(index.bounds[EVIDENCE], index.bounds[DATA + 1])
        carried = wanted.intersection(map(index.digest, members)) if wanted else wanted
        found = compare(
            self._units,
            read.sboms,
            self._exempt,
            lambda digits: bytes.fromhex(digits) in carried,
            self._described,
        )
        return CoverageRow(
            len(self._units),
            found.covered,
            found.exempt,
            tuple(one.unit.path for one in found.uncovered),
            tuple(
                f"{link.document}: {link.element.name} {link.element.sha256}"
                for link in found.absent
            ),
        )


def _kind(path: str, origin: str, element: Element | None) -> str:
    purl = origin or (element.purl if element is not None else "")
    if "/blobs/sha256/" in path:
        return "image"
    if purl.startswith("pkg:"):
        kind = purl[4:].partition("/")[0]
        return _PURL_KINDS.get(kind, kind)
    return next((kind for ending, kind in _KINDS if path.endswith(ending)), "file")


def _component(opened: Opened, item: Component, found: _Found | None = None) -> ComponentRow:
    index = opened.index
    runs = members_of(index, item) if index is not None else []
    sizes = index.sizes if index is not None else ()
    more = found.of.get(item.id) if found is not None else None
    return ComponentRow(
        item.id,
        item.version,
        item.lands,
        item.placeholder,
        item.owner,
        (item.kind,) if item.kind else tuple(sorted(more.kinds)) if more is not None else (),
        sum(map(len, runs)),
        sum(sum(sizes[run.start : run.stop]) for run in runs),
        f"sha256:{component_digest(index, item)}" if index is not None and runs else "",
        tuple(sorted(more.licences)[:MAX_OF_A_COMPONENT]) if more is not None else (),
        tuple(sorted(more.origins)[:MAX_OF_A_COMPONENT]) if more is not None else (),
    )


# --- SBOMs, and what statements are about --------------------------------------------------------


def _is_package(element: Element) -> bool:
    return element.kind != "file"


def _sbom(path: str, sbom: Sbom, describes: int) -> SbomRow:
    packages = list(filter(_is_package, sbom.elements))
    return SbomRow(
        path,
        sbom.format,
        sbom.version,
        sbom.name,
        len(packages),
        len(sbom.elements) - len(packages),
        describes,
        sum(element.licence not in _NO_FILE for element in packages),
    )


def _packages(documents: Iterable[tuple[str, Sbom]]) -> list[PackageRow]:
    found: dict[tuple[str, str, str, str], tuple[str, ...]] = {}
    for path, sbom in documents:
        for item in filter(_is_package, sbom.elements):
            key = (item.name, item.version, item.purl, item.licence)
            paths = found.get(key, ())
            if path not in paths[-1:]:  # documents come one after the other
                found[key] = (*paths, path)
    return [PackageRow(*key, found.pop(key)) for key in sorted(found)]


def _known(
    read: Documents, opened: Opened, index: Index, images: Iterable[ImageRow]
) -> dict[str, str]:
    """Return what of the kit has each digest that a statement is about."""
    wanted = {
        bytes.fromhex(one.digest[7:])
        for row in read.attestations
        for one in row.subjects
        if one.digest.startswith("sha256:") and len(one.digest) == 71 and _is_hex(one.digest[7:])
    }
    known: dict[str, str] = {}
    for member in range(len(index)) if wanted else ():
        digest = index.digest(member)
        if digest in wanted:
            known.setdefault(f"sha256:{digest.hex()}", index.path(member))
    for item in opened.manifest.components if opened.manifest is not None else ():
        if members_of(index, item):  # that of nothing says nothing (FORMAT 11.2)
            known[f"sha256:{component_digest(index, item)}"] = f"component {item.id}"
    for image in images:
        known[image.digest] = f"image {image.name or image.layout}"
    known.update({f"sha256:{name}": "kitId" for name in [opened.kit_id] if name})
    known.update({f"sha256:{name}": "contentId" for name in [opened.content_id] if name})
    return known


def _is_hex(digits: str) -> bool:
    return not digits.strip("0123456789abcdef")


def _signed(image: ImageRow, audit: Audit) -> ImageRow:
    by = {
        name
        for row in audit.attestations
        if row.verdict == GOOD and any(one.digest == image.digest for one in row.subjects)
        for name in row.signed_by
    }
    if not by:
        return image
    return replace(image, signed_by=tuple(sorted(by)))
