"""SBOMs of images by syft, without what changes from run to run.

syft is a program that looks into layers for packages of many kinds.  It writes a random namespace,
the time, and checksums of zeros where it computed none; here they are the same from the same image.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kit.net.registry import INDEXES, MANIFESTS, MAX_MANIFEST
from kit.sbom.errors import SbomScanFailed
from kit.sources.errors import ToolMissing
from verifier.evidence.foreign import MAX_BYTES, NotForeign, read_foreign
from verifier.evidence.imagelist import is_image
from verifier.evidence.sbom import objects, text

_SECONDS = 1800.0
_REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = '{"imageLayoutVersion":"1.0.0"}'
_NAMESPACE = "https://offline-kit.example/spdx"
_ROOT = "SPDXRef-DocumentRoot"
_SETTINGS = {
    "SYFT_CHECK_FOR_APP_UPDATE": "false",
    "SYFT_FILE_METADATA_DIGESTS": "sha256",
    "SYFT_CACHE_DIR": "",
}


@dataclass(frozen=True)
class Image:
    """One image of a layout that syft looks into.

    Attributes:
        name: For the document and its file.
        entry: What index.json says of it: digest, size, media type.
        index: The digest of the index of several platforms that it was found in; empty for none.
    """

    name: str
    entry: Mapping[str, Any]
    index: str = ""

    @property
    def digests(self) -> list[str]:
        """SHA-256 of all that the document is about."""
        return [text(self.entry.get("digest"))[7:], *([self.index[7:]] if self.index else [])]


def images_of(layout: Mapping[str, Path]) -> Iterator[Image]:
    """Yield the images of a layout, one for each platform.

    Args:
        layout: From name in the layout to the file.

    Raises:
        SbomScanFailed: A document of the layout is none.
    """
    for _, entry in objects(_json(layout, "index.json").get("manifests")):
        if not is_image(entry, lambda digest: _small(layout, f"blobs/sha256/{digest}")):
            continue  # a signature, or what else speaks of an image
        notes = entry.get("annotations")
        name = text(notes.get(_REF_NAME)) if isinstance(notes, dict) else ""
        name = name or text(entry.get("digest"))[7:19]
        digest = text(entry.get("digest"))
        if text(entry.get("mediaType")) not in INDEXES:
            yield Image(name, entry)
            continue
        for _, child in objects(_json(layout, _blob(digest)).get("manifests")):
            platform = child.get("platform")
            words = platform if isinstance(platform, dict) else {}
            parts = [text(words.get(key)) for key in ("os", "architecture", "variant")]
            if text(child.get("mediaType")) in MANIFESTS and "unknown" not in parts:
                yield Image("-".join(filter(None, [name, *parts])), child, digest)


def _small(layout: Mapping[str, Path], name: str) -> bytes | None:
    """Return a file of a layout that may be a manifest; None if it cannot be one."""
    try:
        with open(layout[name], "rb") as file:
            data = file.read(MAX_MANIFEST + 1)
    except (KeyError, OSError):
        return None
    return data if len(data) <= MAX_MANIFEST else None


def _json(layout: Mapping[str, Path], name: str) -> dict[str, Any]:
    try:
        value = read_foreign(layout[name].read_bytes())
    except (KeyError, OSError, NotForeign):
        value = None
    if not isinstance(value, dict):
        raise SbomScanFailed("is missing, or no object in JSON", where=name)
    return value


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def file_name(image: Image) -> str:
    """Return a name for the document of an image, of letters, digits, ``.``, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", image.name).strip("-.") or "image"


def scan(image: Image, layout: Mapping[str, Path], created: str) -> bytes:
    """Return an SPDX 2.3 document of an image.

    Args:
        image: One of `images_of`.
        layout: From name in the layout to the file.
        created: The time that the document says.

    Raises:
        ToolMissing: syft is not installed.
        SbomScanFailed: It fails, or says something that is no SBOM.
    """
    program = find_syft()
    with tempfile.TemporaryDirectory(prefix="offline-kit-") as scratch:
        place = Path(scratch) / "image"
        for name, file in layout.items():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith("blobs/"):
                link_or_copy(file, target)
        (place / "oci-layout").write_text(_LAYOUT)
        (place / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": [dict(image.entry)]})
        )
        said = run_syft(program, [f"oci-dir:{place}"], image.name, scratch)
    return normalised(said, image, created)


def run_syft(program: str, arguments: list[str], name: str, scratch: str) -> bytes:
    """Return what syft writes of something.

    Args:
        program: From `find_syft`.
        arguments: What is looked into, and options.
        name: What the document calls it.
        scratch: A directory for what it keeps meanwhile.

    Raises:
        SbomScanFailed: It fails.
    """
    command = [program, "scan", *arguments, "--quiet", "--output", "spdx-json"]
    try:
        done = subprocess.run(
            [*command, "--source-name", name],
            env={**os.environ, **_SETTINGS, "SYFT_CACHE_DIR": os.path.join(scratch, "cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SbomScanFailed(f"syft: {type(error).__name__}", where=name) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise SbomScanFailed(f"syft says {said[:300]!r}", where=name)
    return done.stdout


def find_syft() -> str:
    """Return where syft is.

    Raises:
        ToolMissing: It is not installed.
    """
    here = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    program = shutil.which("syft", path=here)
    if program is None:
        raise ToolMissing("syft is not installed: pip install 'offline-kit[sbom]'")
    return program


def link_or_copy(file: Path, target: Path) -> None:
    """Have a file at a second place."""
    try:
        os.link(file, target)
    except OSError:  # another file system
        shutil.copyfile(file, target)


def normalised(data: bytes, image: Image, created: str) -> bytes:
    """Return what syft wrote without what changes, and about what the kit carries.

    Raises:
        SbomScanFailed: It is no SPDX document.
    """
    written = read_written(data, image.name)
    written.relationships += _about(written.root, image, written.packages)
    return written.finished(image.name, created)


@dataclass
class Written:
    """What syft wrote, without checksums of zeros.

    Attributes:
        root: That of the packages which is what was looked into.
    """

    value: dict[str, Any]
    root: dict[str, Any]
    packages: list[dict[str, Any]]
    files: list[dict[str, Any]]
    relationships: list[dict[str, Any]]

    def finished(self, name: str, created: str) -> bytes:
        """Return the document, with one order, a time that is given and a name for its contents."""
        value = dict(self.value)
        value["creationInfo"] = {**value["creationInfo"], "created": created}
        value["packages"] = sorted(self.packages, key=_id)
        value.pop("files", None)
        if self.files:
            value["files"] = sorted(self.files, key=_id)
        value["relationships"] = sorted(
            self.relationships, key=lambda item: json.dumps(item, sort_keys=True)
        )
        value.pop("documentNamespace", None)
        digest = hashlib.sha256(_spelled(value)).hexdigest()
        value["documentNamespace"] = f"{_NAMESPACE}/{quote(name, safe='')}-{digest}"
        return _spelled(value)


def read_written(data: bytes, where: str) -> Written:
    """Read what syft wrote.

    Raises:
        SbomScanFailed: It is no SPDX document, or is about nothing.
    """
    if len(data) > MAX_BYTES:
        raise SbomScanFailed(f"syft wrote more than {MAX_BYTES} bytes", where=where)
    try:
        value = read_foreign(data)
    except NotForeign as error:
        raise SbomScanFailed(f"syft wrote no JSON: {error}", where=where) from None
    if not isinstance(value, dict) or not str(value.get("spdxVersion", "")).startswith("SPDX-2"):
        raise SbomScanFailed("syft wrote no SPDX document", where=where)
    packages, files = _list(value, "packages"), _list(value, "files")
    roots = [item for item in packages if text(item.get("SPDXID")).startswith(_ROOT)]
    if len(roots) != 1 or not isinstance(value.get("creationInfo"), dict):
        raise SbomScanFailed("syft wrote a document that is about nothing", where=where)
    for item in (*packages, *files):
        kept = [one for _, one in objects(item.get("checksums")) if _is_digest(one)]
        item.pop("checksums", None)
        if kept:
            item["checksums"] = kept
    return Written(value, roots[0], packages, files, _list(value, "relationships"))


def _about(
    root: dict[str, Any], image: Image, packages: list[dict[str, Any]]
) -> Iterator[dict[str, str]]:
    """Have the root be the manifest that the kit carries, and name the index around it."""
    manifest, *index = image.digests
    short = quote(image.name.rpartition("/")[2].partition(":")[0].lower() or "image", safe="")
    for number, (item, digest) in enumerate([(root, manifest), *(({}, one) for one in index)]):
        item.update(
            checksums=[{"algorithm": "SHA256", "checksumValue": digest}],
            versionInfo=f"sha256:{digest}",
            externalRefs=[
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:oci/{short}@sha256%3A{digest}",
                }
            ],
        )
        if number:
            name = f"{_ROOT}-Index"
            packages.append(
                {**item, "SPDXID": name, "name": image.name, "downloadLocation": "NOASSERTION"}
            )
            yield _relation("SPDXRef-DOCUMENT", "DESCRIBES", name)
            yield _relation(name, "CONTAINS", text(root["SPDXID"]))


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _list(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for _, item in objects(value.get(name))]


def _id(item: Mapping[str, Any]) -> str:
    return text(item.get("SPDXID"))


def _is_digest(checksum: Mapping[str, Any]) -> bool:
    return bool(text(checksum.get("checksumValue")).strip("0"))


def _spelled(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode("ascii")
