"""Other people's documents and other people's validators: they decide as we do."""

from __future__ import annotations

import copy
import functools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from kit.sbom.check import check_sbom
from kit.sbom.spdx2 import SCHEMA
from kit.sbom.spdx3 import _classes, _paragraphs
from kit.sbom.spdx3_terms import CLASSES, VOCABULARIES
from kit.sbom.values import _PLAIN_PURL, Values, listed_licences
from tests.support.sboms import CORPORA, CYCLONEDX, SPDX2, SPDX3, changed, corpus

CYCLONEDX_CORPUS = sorted(CORPORA.glob("cyclonedx/*/*.json"))
SPDX_CORPUS = sorted(CORPORA.glob("spdx/examples/*.json"))


def codes(data: bytes) -> set[str]:
    return {error.code for error in check_sbom(data, "x").errors}


# --- documents of others ---------------------------------------------------------------------


def test_cyclonedx_documents_are_decided_as_their_names_say() -> None:
    paths = list(corpus("cyclonedx").glob("*/*.json"))
    assert paths
    found = {path.name: codes(path.read_bytes()) for path in paths}
    assert {
        name: said for name, said in found.items() if (not said) is not name.startswith("valid-")
    } == {}


def test_spdx_examples_are_good() -> None:
    paths = list(corpus("spdx").glob("examples/*.json"))
    assert paths
    found = {path.name: codes(path.read_bytes()) for path in paths}
    assert {name: said for name, said in found.items() if said} == {}


# --- validators of others --------------------------------------------------------------------

ODD: list[Any] = [None, 1, 0, -1, 1.5, "x", "", [], {}, [[]], [1], True, "a:b", "_:a", ["x"]]


def mutations(document: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Yield copies of a document with one thing removed, replaced or added."""
    chosen = random.Random(count)
    for _ in range(count):
        made = copy.deepcopy(document)
        places = [made, *_inside(made)]
        place = chosen.choice(places)
        if isinstance(place, list):
            if place:
                place[chosen.randrange(len(place))] = chosen.choice(ODD)
        elif place and chosen.random() < 0.4:
            del place[chosen.choice(list(place))]
        else:
            names = [*place, "colour", "name", "comment"]
            place[chosen.choice(names)] = copy.deepcopy(chosen.choice(ODD))
        yield made


def _inside(value: Any) -> Iterator[Any]:
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield inner
            yield from _inside(inner)


def shape_only(value: dict[str, Any]) -> bool:
    """Whether we find no fault of shape; a schema knows no other."""
    return not codes(json.dumps(value).encode()) & {"sbom-shape", "sbom-unsupported"}


@pytest.fixture(scope="module")
def each_reference_once() -> Iterator[None]:
    """Have `jsonschema` remember references: its grammar takes 0.2 seconds for each."""
    from jsonschema import _format

    with pytest.MonkeyPatch.context() as patch:
        name = "_rfc3987_is_valid_syntax"
        patch.setattr(_format, name, functools.cache(getattr(_format, name)))
        yield


@pytest.mark.long  # to import it takes two seconds, and our schemas are those that it has
@pytest.mark.usefixtures("each_reference_once")
@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_the_validator_of_cyclonedx_agrees_on_shapes(version: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    base = {**CYCLONEDX, "specVersion": version}
    judge = JsonStrictValidator(SchemaVersion.from_version(version))
    for value in [base, *mutations(base, 150)]:
        if (value.get("bomFormat"), value.get("specVersion")) != ("CycloneDX", version):
            continue  # what the document is comes before its shape, for us
        assert (judge.validate_str(json.dumps(value)) is None) is shape_only(value), value


def schema_of_spdx(version: str) -> Any:
    return json.loads((corpus("spdx") / "schema" / f"spdx-{version}.json").read_text("utf-8"))


def test_the_schema_of_spdx_2_agrees_on_shapes() -> None:
    judge = jsonschema_rs.validator_for(schema_of_spdx("2.3"))
    for value in [SPDX2, *mutations(SPDX2, 1500)]:
        if value.get("spdxVersion") != "SPDX-2.3":
            continue
        if any(not one.get("checksums") for one in _objects(value.get("files"))):
            continue  # the difference that is wanted (kit/sbom/spdx2.py)
        if re.search(r'"SPDXID": "(?!SPDXRef-)', json.dumps(value)):
            continue  # the specification fixes how an id begins, the schema does not
        assert judge.is_valid(value) is shape_only(value), value


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def test_our_schema_of_spdx_2_has_the_fields_of_theirs() -> None:
    differences = sorted(_differences(schema_of_spdx("2.3"), SCHEMA, ""))
    assert differences == [
        "/files/*: only theirs requires checksums",
        "/packages/*/externalRefs/*/referenceCategory: only ours knows PACKAGE_MANAGER",
        "/packages/*/externalRefs/*/referenceCategory: only ours knows PERSISTENT_ID",
        "/packages/*/primaryPackagePurpose: only ours knows OPERATING-SYSTEM",
    ]


def _differences(theirs: Any, ours: Any, place: str) -> Iterator[str]:
    for word, what in (("properties", "has"), ("required", "requires"), ("enum", "knows")):
        one, other = set(theirs.get(word, ())), set(ours.get(word, ()))
        yield from (f"{place}: only theirs {what} {name}" for name in one - other)
        yield from (f"{place}: only ours {what} {name}" for name in other - one)
    for name in set(theirs.get("properties", ())) & set(ours.get("properties", ())):
        inner = theirs["properties"][name], ours["properties"][name]
        yield from _differences(*inner, f"{place}/{name}")
    if "items" in theirs or "items" in ours:
        yield from _differences(theirs.get("items", {}), ours.get("items", {}), f"{place}/*")


# --- SPDX 3: a document of every class, and what goes wrong with it ---------------------------

_SAMPLES = {
    "text": "x",
    "uri": "x",
    "time": "2026-11-24T00:00:00Z",
    "version": "3.0.1",
    "media": "text/plain",
    "positive": 3,
    "natural": 0,
    "number": 1.5,
    "bool": True,
}


def spdx3_objects(chosen: random.Random) -> Iterator[dict[str, Any]]:
    """Yield an object of each class, with all of its properties, then with some."""
    words = {name: body.split() for name, _, body in _paragraphs(VOCABULARIES)}
    kinds = {}
    for _, _, body in _paragraphs(CLASSES):
        for item in body.split():
            name, _, kind = item.partition(":")
            kinds[name.rstrip("!")] = kind.rstrip("*")
    classes = [one for one in _classes().values() if not one.abstract]
    for share in (1.0, 0.5, 0.2):
        for one in classes:
            made: dict[str, Any] = {"type": one.name}
            for name, rule in one.properties.items():
                if name == "type" or (not rule.least and chosen.random() > share):
                    continue
                kind = kinds.get(name, "")
                value = _SAMPLES.get(kind, "https://example.org/x")
                if kind in words:
                    value = chosen.choice(words[kind])
                made[name] = [value] * max(1, rule.least) if rule.many else value
            yield made


def test_the_schema_of_spdx_3_agrees_on_every_class_and_on_faults_in_it() -> None:
    judge = jsonschema_rs.validator_for(schema_of_spdx("3.0.1"))  # jsonschema takes minutes
    chosen = random.Random(3)
    good = [{"@context": SPDX3["@context"], "@graph": [one]} for one in spdx3_objects(chosen)]
    for value in good:
        assert judge.is_valid(value), value
        assert shape_only(value), codes(json.dumps(value).encode())
    faulty = [one for value in good for one in mutations(value["@graph"][0], 3)]
    for value in [{"@context": SPDX3["@context"], "@graph": [one]} for one in faulty]:
        assert judge.is_valid(value) is shape_only(value), value


def test_the_schema_of_spdx_3_agrees_on_a_document() -> None:
    judge = jsonschema_rs.validator_for(schema_of_spdx("3.0.1"))  # jsonschema takes minutes
    for value in [SPDX3, *mutations(SPDX3, 150)]:
        if value.get("@context") == SPDX3["@context"]:
            assert judge.is_valid(value) is shape_only(value), value


# --- each place of each document of the corpora, with each fault ------------------------------

CYCLONEDX_VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
TEXTS = ["2024-13-45T00:00:00Z", "2024-01-01T00:00:00+25:00", "https://exa mple/ ", "\u00e9", "a@b"]


def every_fault(document: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Change the document at each place in each way, and change it back after each yield."""
    for path, holder, key in list(_places(document, ())):
        old = holder[key]
        if isinstance(holder, dict):
            del holder[key]
            yield path, "absent"
        if isinstance(old, dict):
            holder[key] = {**old, "colour": 1}
            yield path, "a field more"
        if isinstance(old, list) and old:
            holder[key] = [*old, old[0]]
            yield path, "one twice"
        for odd in (*ODD, *TEXTS):
            holder[key] = odd
            yield path, repr(odd)
        holder[key] = old


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key), value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner, (*path, key))


def wanted_difference(path: tuple[Any, ...], what: str, ours: bool) -> bool:
    """Whether SPDX's schema is to be decided against: the table in tests/README.md says why."""
    if path[-1] == "SPDXID":
        return not ours  # clauses 6.3, 7.2, 8.2: an id begins with SPDXRef-; the schema takes any
    return (
        ours and path[-1] == "checksums" and what in ("absent", "[]")
    )  # of a file: covers nothing


@pytest.mark.long
@pytest.mark.parametrize("path", SPDX_CORPUS, ids=lambda path: path.name)
def test_every_fault_in_every_spdx_example_is_decided_as_by_the_schema(path: Path) -> None:
    document = json.loads(path.read_bytes())
    two = "spdxVersion" in document
    judge = jsonschema_rs.validator_for(schema_of_spdx("2.3" if two else "3.0.1"))
    name = "spdxVersion" if two else "@context"
    known, differences, count = document[name], [], 0
    for place, what in every_fault(document):
        if document.get(name) != known:
            continue  # what the document is comes before its shape
        count += 1
        if count % (1 if two else 7):
            continue  # the schema of SPDX 3 takes its time
        ours, theirs = shape_only(document), judge.is_valid(document)
        if ours is not theirs and not (two and wanted_difference(place, what, ours)):
            differences.append((place, what, ours))
    assert differences == []
    assert count > 500


@pytest.mark.long
@pytest.mark.usefixtures("each_reference_once")
@pytest.mark.parametrize("version", CYCLONEDX_VERSIONS)
def test_cyclonedx_documents_said_to_be_of_each_version_are_decided_alike(version: str) -> None:
    """The corpus has two versions; what is new or gone in another one is a fault there."""
    from cyclonedx.schema import SchemaVersion  # takes two seconds, which few tests need
    from cyclonedx.validation.json import JsonStrictValidator

    judge = JsonStrictValidator(SchemaVersion.from_version(version))
    chosen = random.Random(version)
    for path in CYCLONEDX_CORPUS:
        document = json.loads(path.read_bytes())
        if document["bomFormat"] != "CycloneDX":
            continue
        document["specVersion"] = version
        for value in [document, *mutations(document, chosen.randrange(3))]:
            if (value.get("bomFormat"), value.get("specVersion")) == ("CycloneDX", version):
                good = judge.validate_str(json.dumps(value)) is None
                assert good is shape_only(value), (path.name, value)
        if judge.validate_str(json.dumps(document)) is None:
            assert codes(json.dumps(document).encode()) == set(), path.name


# --- spdx-tools, which knows meaning too -----------------------------------------------------


def judged_by_spdx_tools(data: bytes) -> list[str]:
    from spdx_tools.spdx.parser.error import SPDXParsingError  # a fifth of a second
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    try:
        document = JsonLikeDictParser().parse(json.loads(data))  # type: ignore[no-untyped-call]
    except SPDXParsingError as error:
        return list(error.get_messages())  # type: ignore[no-untyped-call]
    return [found.validation_message for found in validate_full_spdx_document(document)]


GRAVE = {
    "/relationships/1/relatedSpdxElement": "SPDXRef-gone",
    "/packages/0/licenseDeclared": "MIT AND (",
    "/packages/0/name": 5,
    "/relationships/0/relationshipType": "LIKES",
    "/files/0/checksums/0/algorithm": "CRC",
    "/packages/1": SPDX2["packages"][0],
}


def test_spdx_tools_agrees_on_what_is_grave() -> None:
    plain = changed(
        SPDX2,
        ("/packages/0/filesAnalyzed", False),
        ("/files/0/checksums/1", {"algorithm": "SHA1", "checksumValue": "1" * 40}),
        ("/packages/0/licenseDeclared", "MIT"),
        ("/relationships/1/relatedSpdxElement", "SPDXRef-DOCUMENT"),
    )
    assert judged_by_spdx_tools(plain) == []
    assert codes(plain) == set()
    for place, value in GRAVE.items():
        data = changed(json.loads(plain), (place, value))
        assert judged_by_spdx_tools(data), place
        assert codes(data), place


# --- licences and package URLs ---------------------------------------------------------------


def test_every_licence_of_another_list_is_known_here() -> None:
    """license-expression has a list of its own; ours comes with the schemas of CycloneDX."""
    ours = listed_licences()
    theirs = {key.lower() for key in licensing().known_symbols if not key.startswith("LicenseRef-")}
    assert len(ours) > 700
    assert theirs <= ours


@functools.cache
def licensing() -> Any:
    from license_expression import get_spdx_licensing  # type: ignore[import-untyped]

    return get_spdx_licensing()


WORDS = st.sampled_from(
    [
        "MIT",
        "Apache-2.0",
        "LicenseRef-x",
        "GPL-2.0+",
        "AND",
        "OR",
        "WITH",
        "(",
        ")",
        "Classpath-exception-2.0",
    ]
)


@given(words=st.lists(WORDS, max_size=7))
def test_license_expression_agrees_on_expressions(words: list[str]) -> None:
    from license_expression import ExpressionError

    text = " ".join(words)
    try:
        parsed = licensing().parse(text)
    except (ExpressionError, AssertionError, IndexError):  # the others for "( AND MIT", "( )"
        parsed = None
    known = parsed is not None and not any(" " in key for key in licensing().license_keys(parsed))
    assert (not Values().bad_licences([text])) is known


PURLS = st.text(st.sampled_from("abcAB01:/@?#=&%._~-+ []"), max_size=30)


@given(rest=PURLS | st.from_regex(_PLAIN_PURL, fullmatch=True).map(lambda text: text[4:]))
def test_packageurl_agrees_on_package_urls(rest: str) -> None:
    try:
        PackageURL.from_string(f"pkg:{rest}")
        good = True
    except ValueError:
        good = False
    assert (not Values().bad_purls([f"pkg:{rest}"])) is good
