"""What stands beside an image in its registry: signatures, attestations, SBOMs and the like.

Registries keep them in three ways, and all are looked for: under tags that are made of the image's
digest (``sha256-HEX.sig``, ``.att``, ``.sbom``: cosign's older form); as manifests that have the
image for ``subject``, listed by the referrers API or under the tag ``sha256-HEX`` where a registry
has none (OCI distribution-spec 1.1); sigstore bundles are such manifests.  A mirror that copies an
image easily leaves them behind, so each kind that the spec asks for must be there, and must speak
of this image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kit.net.registry import INDEXES, MAX_MANIFEST, OCI_INDEX
from kit.sources.errors import CompanionAbsent, ImageMalformed
from kit.sources.images import Descriptor, at, children, media_type_of, parse_manifest
from kit.sources.lockfile import Lock, LockedImage
from kit.spec import KitSpec, Source
from kit.store import Artifact, Store
from verifier.evidence.imagelist import BESIDE

MAX_REFERRERS = 1_000  # of one image
MAX_PAYLOADS = 100  # of one manifest of signatures, in the older form
TAGS = {"signatures": "sig", "attestations": "att", "sboms": "sbom"}
REFERRERS = "referrers"  # what we call the index that lists the manifests with a subject
_COSIGN = {"signatures": "sigs", "attestations": "atts"}  # annotation `kind`, as in `cosign save`
_OF_TYPE, _ATTESTS = "vnd.docker.reference.type", "attestation-manifest"  # BuildKit's annotations
_OF = "vnd.docker.reference.digest"
_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_PREDICATE = "dev.sigstore.bundle.predicateType"
_SIGN = "https://sigstore.dev/cosign/sign/v1"
_SIGNATURES = ("application/vnd.cncf.notary.signature", "application/vnd.dev.cosign.artifact.sig")


class Beside(Protocol):
    """Where the things beside an image are."""

    def manifest(self, name: str) -> tuple[bytes, str]: ...

    def small_blob(self, digest: str) -> bytes:
        """Return a blob of the size of a manifest, compared with its digest."""
        ...

    def tagged(self, tag: str) -> tuple[bytes, str] | None:
        """Return what a tag made of a digest means; None if it is not there."""
        ...

    def referrers(self, digest: str) -> Sequence[str]:
        """Return the digests of manifests that say that they speak of a digest."""
        ...


@dataclass(frozen=True)
class Companion:
    """A manifest beside an image.

    Attributes:
        subject: The SHA-256 of the manifest that it speaks of.
        kind: One of the words of the spec.
        tag: What it is called in its repository.
    """

    subject: str
    kind: str
    tag: str
    descriptor: Descriptor
    data: bytes


def find(
    subjects: Sequence[str],
    wanted: Sequence[str],
    origin: Beside,
    where: str,
    indexes: Sequence[Mapping[str, Any]] = (),
) -> list[Companion]:
    """Return what stands beside any of ``subjects`` and is of the kinds wanted.

    Args:
        subjects: SHA-256 digests: of an image, of its index, of its platforms.
        indexes: Indexes of the image, which may list attestations of its platforms: BuildKit's way.

    Raises:
        CompanionAbsent: Nothing of one kind is there, or what is there speaks of another image.
        ImageMalformed: What is there is no manifest.
    """
    found: list[Companion] = []
    for subject in dict.fromkeys(subjects):
        found += _by_tag(subject, wanted, origin, where)
        found += _by_subject(subject, wanted, origin, where)
    if "attestations" in wanted:
        found += [one for value in indexes for one in _in_index(value, subjects, origin, where)]
    lacking = [kind for kind in wanted if not any(one.kind == kind for one in found)]
    if lacking:
        shown = ", ".join(f"sha256:{subject}" for subject in list(dict.fromkeys(subjects))[:8])
        raise CompanionAbsent(f"no {' and no '.join(lacking)} beside {shown}", where=where)
    return found


def _by_tag(subject: str, wanted: Sequence[str], origin: Beside, where: str) -> Iterator[Companion]:
    for kind in wanted:
        if kind not in TAGS:
            continue
        tag = f"sha256-{subject}.{TAGS[kind]}"
        got = origin.tagged(tag)
        if got is None:
            continue
        data, media = got[0], media_type_of(*got)
        value = parse_manifest(data, media, at(where, tag))
        if kind == "signatures" and not _signs(value, subject, origin):
            raise CompanionAbsent(f"{tag} signs another image than its name says", where=where)
        digest = hashlib.sha256(data).hexdigest()
        yield Companion(subject, kind, tag, Descriptor(media, f"sha256:{digest}", len(data)), data)


def _signs(value: Mapping[str, Any], subject: str, origin: Beside) -> bool:
    """Whether a payload among the layers names the image; layers of other types are let be."""
    layers = [one for one in value.get("layers") or () if isinstance(one, dict)]
    mine = [one for one in layers if one.get("mediaType") == _PAYLOAD]
    names = f"sha256:{subject}"
    payloads = [origin.small_blob(str(one.get("digest"))) for one in mine[:MAX_PAYLOADS]]
    return not mine or any(_named(payload) == names for payload in payloads)


def _named(payload: bytes) -> str:
    try:
        critical = json.loads(payload)["critical"]["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return str(critical)


def _by_subject(
    subject: str, wanted: Sequence[str], origin: Beside, where: str
) -> Iterator[Companion]:
    listed = origin.referrers(f"sha256:{subject}")
    if len(listed) > MAX_REFERRERS:
        raise ImageMalformed(f"has more than {MAX_REFERRERS} referrers", where=where)
    for digest in sorted(set(listed)):
        data, declared = origin.manifest(digest)
        media = media_type_of(data, declared)
        value = parse_manifest(data, media, at(where, digest))
        if _subject_of(value) != f"sha256:{subject}":
            raise CompanionAbsent(f"{digest} is listed and speaks of another image", where=where)
        kinds = _kinds(_artifact_type(value), value.get("annotations"))
        kind = next((one for one in wanted if one in kinds), None)
        if kind is not None:
            tag = f"sha256-{subject}.ref-{digest[7:19]}"
            yield Companion(subject, kind, tag, Descriptor(media, digest, len(data)), data)


def _in_index(
    value: Mapping[str, Any], subjects: Sequence[str], origin: Beside, where: str
) -> Iterator[Companion]:
    for entry in value.get("manifests") or ():
        annotations = entry.get("annotations") if isinstance(entry, dict) else None
        if not isinstance(annotations, dict) or annotations.get(_OF_TYPE) != _ATTESTS:
            continue
        subject = str(annotations.get(_OF)).removeprefix("sha256:")
        if subject in subjects:
            digest = str(entry.get("digest"))
            data, declared = origin.manifest(digest)
            media = media_type_of(data, declared)
            parse_manifest(data, media, at(where, digest))
            tag = f"sha256-{subject}.index-{digest[7:19]}"
            descriptor = Descriptor(media, digest, len(data))
            yield Companion(subject, "attestations", tag, descriptor, data)


def _subject_of(value: Mapping[str, Any]) -> str:
    subject = value.get("subject")
    return str(subject.get("digest")) if isinstance(subject, dict) else ""


def _artifact_type(value: Mapping[str, Any]) -> str:
    """Return what a manifest is (image-spec 1.1, "Guidelines for Artifact Usage")."""
    if isinstance(value.get("artifactType"), str):
        return str(value["artifactType"])
    config = value.get("config")
    return str(config.get("mediaType", "")) if isinstance(config, dict) else ""


def _kinds(artifact_type: str, annotations: object) -> set[str]:
    """Return the words of the spec that a manifest with a subject answers to."""
    if "spdx" in artifact_type or "cyclonedx" in artifact_type or ".cosign.sbom" in artifact_type:
        return {"sboms"}
    if artifact_type.startswith(_SIGNATURES):
        return {"signatures"}
    if artifact_type.startswith(_BUNDLE):
        said = annotations.get(_PREDICATE) if isinstance(annotations, dict) else None
        if not isinstance(said, str):
            return {"signatures", "attestations"}  # its content alone would tell
        if said == _SIGN:
            return {"signatures"}
        sbom = "spdx" in said or "cyclonedx" in said
        return {"attestations", "sboms"} if sbom else {"attestations"}
    if "in-toto" in artifact_type or "dsse" in artifact_type or "cosign" in artifact_type:
        return {"attestations"}
    return {"others"}


# --- in the lock and in the layout --------------------------------------------------------------


def locked(
    found: Iterable[Companion], path: str, repository: str, reference: str
) -> Iterator[LockedImage]:
    """Yield the entries of the layout for what was found, an index of referrers for each image."""
    by_subject: dict[str, list[Companion]] = {}
    for one in found:
        yield LockedImage(
            path=path,
            name=f"{repository}:{one.tag}",
            reference=reference,
            beside=one.kind,
            subject=one.subject,
            media=one.descriptor.media_type,
            size=one.descriptor.size,
            sha256=one.descriptor.sha256,
        )
        if ".ref-" in one.tag:
            by_subject.setdefault(one.subject, []).append(one)
    for subject, all_ in by_subject.items():
        data = referrers_index([(one.descriptor, one.data) for one in all_])
        yield LockedImage(
            path=path,
            name=f"{repository}:sha256-{subject}",
            reference=reference,
            beside=REFERRERS,
            subject=subject,
            media=OCI_INDEX,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )


def referrers_index(manifests: Sequence[tuple[Descriptor, bytes]]) -> bytes:
    """Return the index that a registry without a referrers API has under ``sha256-HEX``.

    It is ours, since we may carry fewer than the registry has: a function of what is carried.
    """
    entries = []
    for descriptor, data in sorted(manifests, key=lambda pair: pair[0].digest):
        value = json.loads(data)
        entry: dict[str, Any] = {
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "artifactType": _artifact_type(value),
        }
        if isinstance(value.get("annotations"), dict):
            entry["annotations"] = value["annotations"]
        entries.append(entry)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return json.dumps(index, separators=(",", ":"), sort_keys=True).encode()


def write_indexes(images: Sequence[LockedImage], path: str, store: Store) -> None:
    """Put the indexes of referrers into the store again; what they list is there already."""
    mine = [one for one in images if one.path == path and one.subject]
    for index in mine:
        if index.beside == REFERRERS:
            listed = [
                (
                    Descriptor(one.media, f"sha256:{one.sha256}", one.size),
                    store.read(Artifact(one.sha256, one.size), MAX_MANIFEST),
                )
                for one in mine
                if one.subject == index.subject and ":sha256-" in one.name and ".ref-" in one.name
            ]
            store.add(referrers_index(listed))


def annotations_of(image: LockedImage) -> dict[str, str]:
    """Return the annotations of an entry that is no image, for index.json."""
    if image.beside is None:
        return {}
    kind = _COSIGN.get(image.beside) if ".ref-" not in image.name else None
    return {BESIDE: image.beside, **({"kind": f"dev.cosignproject.cosign/{kind}"} if kind else {})}


def check_companions(spec: KitSpec, lock: Lock, store: Store) -> None:
    """Hold what a build takes to what the spec asks for: each kind, beside the image that is there.

    Raises:
        CompanionAbsent: It is not in the lock, or speaks of another image.
    """
    for number, component in enumerate(spec.components):
        for index, source in enumerate(component.sources):
            if source.beside:
                where = spec.where("component", number, "source", index, "beside")
                mine = [one for one in lock.images if one.reference == source.oci]
                _check_beside(
                    [one for one in mine if one.path == component.path], source, store, where
                )


def _check_beside(images: Sequence[LockedImage], source: Source, store: Store, where: str) -> None:
    subjects = _subjects([one for one in images if one.beside is None], store, where)
    for kind in source.beside:
        there = [one for one in images if one.beside == kind]
        if not there:
            raise CompanionAbsent(
                f"the lock has no {kind}",
                where=where,
                fix="Lock the component again with --update.",
            )
        for one in there:
            data = store.read(Artifact(one.sha256, one.size), MAX_MANIFEST)
            said = _subject_of(parse_manifest(data, one.media, at(where, f"sha256:{one.sha256}")))
            by_subject = ".ref-" in one.name
            if one.subject not in subjects or (by_subject and said != f"sha256:{one.subject}"):
                raise CompanionAbsent(f"{one.name!r} speaks of another image", where=where)


def _subjects(images: Sequence[LockedImage], store: Store, where: str) -> set[str | None]:
    """Return the SHA-256 digests of images, of their indexes, and of what these list."""
    found: set[str | None] = {one.index for one in images} | {one.sha256 for one in images}
    for one in images:
        if one.media in INDEXES:
            data = store.read(Artifact(one.sha256, one.size), MAX_MANIFEST)
            value = parse_manifest(data, one.media, at(where, f"sha256:{one.sha256}"))
            found |= {child.sha256 for child in children(value, one.media, where)}
    return found - {None}


__all__ = ["Beside", "Companion", "check_companions", "find", "locked", "referrers_index"]
