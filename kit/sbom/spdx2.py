"""SPDX 2.2 and 2.3: the shape, written from the specification, and meaning in one pass.

Specification: SPDX 2.3, clauses 6 to 13, and its annex on the JSON form.  What differs between 2.2
and 2.3 is small, so both have one schema, which takes what either allows:

* 2.2 spells categories of references with `_`, 2.3 with `-`; tools write both in either;
* a file without checksums is no error here, although the specification wants a SHA-1: such an
  entry covers nothing (`kit.sbom.coverage`), and everything else that it says may be right.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from kit.sbom.errors import SbomDangling, SbomDuplicateId, SbomLicenceInvalid, SbomPurlInvalid
from kit.sbom.findings import Findings, pointer, shown
from kit.sbom.schemas import check_shape, compile_schema
from kit.sbom.values import Values

_Schema = dict[str, Any]

_NOTHING = ("NONE", "NOASSERTION")
_DOCUMENT_REF = "DocumentRef-"

# --- the shape -------------------------------------------------------------------------------

_TEXT: _Schema = {"type": "string"}
_FLAG: _Schema = {"type": "boolean"}
_NUMBER: _Schema = {"type": "integer"}
_ID: _Schema = {"type": "string", "pattern": "^SPDXRef-"}  # 6.3, 7.2, 8.2, 9.1

_ALGORITHMS = (  # 7.10
    "SHA1 SHA224 SHA256 SHA384 SHA512 SHA3-256 SHA3-384 SHA3-512 BLAKE2b-256 BLAKE2b-384"
    " BLAKE2b-512 BLAKE3 MD2 MD4 MD5 MD6 ADLER32"
)
_CATEGORIES = (  # 7.21, in both spellings
    "OTHER SECURITY PERSISTENT-ID PERSISTENT_ID PACKAGE-MANAGER PACKAGE_MANAGER"
)
_PURPOSES = (  # 7.24
    "APPLICATION FRAMEWORK LIBRARY CONTAINER OPERATING-SYSTEM OPERATING_SYSTEM DEVICE FIRMWARE"
    " SOURCE ARCHIVE FILE INSTALL OTHER"
)
_FILE_TYPES = (  # 8.3
    "SOURCE BINARY ARCHIVE APPLICATION AUDIO IMAGE TEXT VIDEO DOCUMENTATION SPDX OTHER"
)
_RELATIONSHIPS = (  # 11.1
    "DESCRIBES DESCRIBED_BY CONTAINS CONTAINED_BY DEPENDS_ON DEPENDENCY_OF DEPENDENCY_MANIFEST_OF"
    " BUILD_DEPENDENCY_OF DEV_DEPENDENCY_OF OPTIONAL_DEPENDENCY_OF PROVIDED_DEPENDENCY_OF"
    " TEST_DEPENDENCY_OF RUNTIME_DEPENDENCY_OF EXAMPLE_OF GENERATES GENERATED_FROM ANCESTOR_OF"
    " DESCENDANT_OF VARIANT_OF DISTRIBUTION_ARTIFACT PATCH_FOR PATCH_APPLIED COPY_OF FILE_ADDED"
    " FILE_DELETED FILE_MODIFIED EXPANDED_FROM_ARCHIVE DYNAMIC_LINK STATIC_LINK DATA_FILE_OF"
    " TEST_CASE_OF BUILD_TOOL_OF DEV_TOOL_OF TEST_OF TEST_TOOL_OF DOCUMENTATION_OF"
    " OPTIONAL_COMPONENT_OF METAFILE_OF PACKAGE_OF AMENDS PREREQUISITE_FOR HAS_PREREQUISITE"
    " REQUIREMENT_DESCRIPTION_FOR SPECIFICATION_FOR OTHER"
)


def _one_of(names: str) -> _Schema:
    return {"enum": names.split()}


def _list(items: _Schema, least: int = 0) -> _Schema:
    return {"type": "array", "items": items, "minItems": least}


def _object(required: str = "", /, **fields: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": required.split(),
        "additionalProperties": False,
    }


_CHECKSUM = _object("algorithm checksumValue", algorithm=_one_of(_ALGORITHMS), checksumValue=_TEXT)
_ANNOTATION = _object(
    "annotationDate annotationType annotator comment",
    annotationDate=_TEXT,
    annotationType=_one_of("REVIEW OTHER"),
    annotator=_TEXT,
    comment=_TEXT,
)
_POINTER = _object("reference", reference=_TEXT, offset=_NUMBER, lineNumber=_NUMBER)
_ANY_ELEMENT = {  # what packages, files and snippets have in common
    "SPDXID": _ID,
    "annotations": _list(_ANNOTATION),
    "attributionTexts": _list(_TEXT),
    "comment": _TEXT,
    "copyrightText": _TEXT,
    "licenseComments": _TEXT,
    "licenseConcluded": _TEXT,
}
_PACKAGE = _object(
    "SPDXID name downloadLocation",
    **_ANY_ELEMENT,
    builtDate=_TEXT,
    checksums=_list(_CHECKSUM),
    description=_TEXT,
    downloadLocation=_TEXT,
    externalRefs=_list(
        _object(
            "referenceCategory referenceType referenceLocator",
            comment=_TEXT,
            referenceCategory=_one_of(_CATEGORIES),
            referenceLocator=_TEXT,
            referenceType=_TEXT,
        )
    ),
    filesAnalyzed=_FLAG,
    hasFiles=_list(_TEXT),
    homepage=_TEXT,
    licenseDeclared=_TEXT,
    licenseInfoFromFiles=_list(_TEXT),
    name=_TEXT,
    originator=_TEXT,
    packageFileName=_TEXT,
    packageVerificationCode=_object(
        "packageVerificationCodeValue",
        packageVerificationCodeExcludedFiles=_list(_TEXT),
        packageVerificationCodeValue=_TEXT,
    ),
    primaryPackagePurpose=_one_of(_PURPOSES),
    releaseDate=_TEXT,
    sourceInfo=_TEXT,
    summary=_TEXT,
    supplier=_TEXT,
    validUntilDate=_TEXT,
    versionInfo=_TEXT,
)
_FILE = _object(
    "SPDXID fileName",
    **_ANY_ELEMENT,
    artifactOfs=_list({"type": "object"}),
    checksums=_list(_CHECKSUM),
    fileContributors=_list(_TEXT),
    fileDependencies=_list(_TEXT),
    fileName=_TEXT,
    fileTypes=_list(_one_of(_FILE_TYPES)),
    licenseInfoInFiles=_list(_TEXT),
    noticeText=_TEXT,
)
_SNIPPET = _object(
    "SPDXID name ranges snippetFromFile",
    **_ANY_ELEMENT,
    licenseInfoInSnippets=_list(_TEXT),
    name=_TEXT,
    ranges=_list(_object("startPointer endPointer", startPointer=_POINTER, endPointer=_POINTER), 1),
    snippetFromFile=_TEXT,
)
_EXTRACTED = _object(
    "licenseId extractedText",
    comment=_TEXT,
    crossRefs=_list(
        _object(
            "url",
            isLive=_FLAG,
            isValid=_FLAG,
            isWayBackLink=_FLAG,
            match=_TEXT,
            order=_NUMBER,
            timestamp=_TEXT,
            url=_TEXT,
        )
    ),
    extractedText=_TEXT,
    licenseId=_TEXT,
    name=_TEXT,
    seeAlsos=_list(_TEXT),
)
SCHEMA = _object(
    "SPDXID creationInfo dataLicense name spdxVersion",
    SPDXID=_ID,
    annotations=_list(_ANNOTATION),
    comment=_TEXT,
    creationInfo=_object(
        "created creators",
        comment=_TEXT,
        created=_TEXT,
        creators=_list(_TEXT, 1),
        licenseListVersion=_TEXT,
    ),
    dataLicense=_TEXT,
    documentDescribes=_list(_TEXT),
    documentNamespace=_TEXT,
    externalDocumentRefs=_list(
        _object(
            "checksum externalDocumentId spdxDocument",
            checksum=_CHECKSUM,
            externalDocumentId=_TEXT,
            spdxDocument=_TEXT,
        )
    ),
    files=_list(_FILE),
    hasExtractedLicensingInfos=_list(_EXTRACTED),
    name=_TEXT,
    packages=_list(_PACKAGE),
    relationships=_list(
        _object(
            "spdxElementId relatedSpdxElement relationshipType",
            comment=_TEXT,
            relatedSpdxElement=_TEXT,
            relationshipType=_one_of(_RELATIONSHIPS),
            spdxElementId=_TEXT,
        )
    ),
    revieweds=_list(_object("reviewDate", comment=_TEXT, reviewDate=_TEXT, reviewer=_TEXT)),
    snippets=_list(_SNIPPET),
    spdxVersion=_TEXT,
)


@functools.cache
def _validator() -> jsonschema_rs.Draft7Validator:
    return compile_schema(SCHEMA, {})


def check_spdx2(value: dict[str, Any], findings: Findings) -> None:
    """Add the faults of an SPDX 2 document."""
    check_shape(_validator(), value, findings)
    if not findings.errors:
        _check_ids(value, findings)
        _check_licences(value, findings)
        _check_purls(value, findings)
        _note_files_analyzed(value, findings)


# --- the meaning -----------------------------------------------------------------------------

_KINDS = ("package", "file", "snippet")
_LICENCE_FIELDS = ("licenseConcluded", "licenseDeclared")
_LICENCE_LISTS = ("licenseInfoFromFiles", "licenseInfoInFiles", "licenseInfoInSnippets")
_Path = tuple[str | int, ...]


def _elements(value: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for kind in _KINDS:
        for i, item in enumerate(value.get(f"{kind}s", ())):
            yield kind, i, item


def _check_ids(value: dict[str, Any], findings: Findings) -> None:
    ids = {value["SPDXID"]}
    for kind in _KINDS:
        seen: set[str] = set()
        for i, item in enumerate(value.get(f"{kind}s", ())):
            if item["SPDXID"] in seen:
                place = pointer(f"{kind}s", i, "SPDXID")
                message = f"another {kind} is {shown(item['SPDXID'])} too"
                findings.add(SbomDuplicateId, place, message)
            seen.add(item["SPDXID"])
        ids |= seen
    ids.update(_NOTHING)
    documents = {item["externalDocumentId"] for item in value.get("externalDocumentRefs", ())}
    for path, ref in _references(value):
        if ref in ids:
            continue
        document = ref.partition(":")[0]
        if not (ref.startswith(_DOCUMENT_REF) and document in documents):
            findings.add(SbomDangling, pointer(*path), f"{shown(ref)} is not in the document")


def _references(value: dict[str, Any]) -> Iterator[tuple[_Path, str]]:
    for i, ref in enumerate(value.get("documentDescribes", ())):
        yield ("documentDescribes", i), ref
    for i, item in enumerate(value.get("relationships", ())):
        yield ("relationships", i, "spdxElementId"), item["spdxElementId"]
        yield ("relationships", i, "relatedSpdxElement"), item["relatedSpdxElement"]
    for i, item in enumerate(value.get("packages", ())):
        for k, ref in enumerate(item.get("hasFiles", ())):
            yield ("packages", i, "hasFiles", k), ref
    for i, item in enumerate(value.get("files", ())):
        for k, ref in enumerate(item.get("fileDependencies", ())):
            yield ("files", i, "fileDependencies", k), ref
    for i, item in enumerate(value.get("snippets", ())):
        yield ("snippets", i, "snippetFromFile"), item["snippetFromFile"]


def _licences(value: dict[str, Any]) -> Iterator[tuple[_Path, str]]:
    for kind, i, item in _elements(value):
        for name in _LICENCE_FIELDS:
            if name in item:
                yield (f"{kind}s", i, name), item[name]
        for name in _LICENCE_LISTS:
            for k, text in enumerate(item.get(name, ())):
                yield (f"{kind}s", i, name, k), text


def _check_licences(value: dict[str, Any], findings: Findings) -> None:
    bad = Values().bad_licences({text for _, text in _licences(value)})
    if bad:
        for path, text in _licences(value):
            if text in bad:
                findings.add(SbomLicenceInvalid, pointer(*path), f"{shown(text)} {bad[text]}")


def _purls(value: dict[str, Any]) -> Iterator[tuple[_Path, str]]:
    for i, item in enumerate(value.get("packages", ())):
        for k, ref in enumerate(item.get("externalRefs", ())):
            if ref["referenceType"].rpartition("/")[2] == "purl":
                yield (
                    ("packages", i, "externalRefs", k, "referenceLocator"),
                    ref["referenceLocator"],
                )


def _check_purls(value: dict[str, Any], findings: Findings) -> None:
    bad = Values().bad_purls({text for _, text in _purls(value)})
    if bad:
        for path, text in _purls(value):
            if text in bad:
                findings.add(SbomPurlInvalid, pointer(*path), f"{shown(text)} {bad[text]}")


def _note_files_analyzed(value: dict[str, Any], findings: Findings) -> None:
    """Note packages that say that no files were looked at, and then list some.

    Tools write that, and what they list may be right: each file covers by its own checksum.
    """
    files = {item["SPDXID"] for item in value.get("files", ())}
    if not files:
        return
    holders = {
        item["spdxElementId"]
        for item in value.get("relationships", ())
        if item["relationshipType"] == "CONTAINS" and item["relatedSpdxElement"] in files
    }
    for i, item in enumerate(value.get("packages", ())):
        has = item.get("hasFiles") or item["SPDXID"] in holders
        if has and item.get("filesAnalyzed") is False:
            place = pointer("packages", i, "filesAnalyzed")
            findings.note(place, f"{shown(item['SPDXID'])} lists files and says that none was read")
