"""manifests/schema/manifest.v1.json and the parser accept and refuse the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import at_least
from tests.support.together import together
from verifier.core.errors import FormatNewer, KitError, ManifestMalformed
from verifier.core.jsonstrict import compact
from verifier.core.manifest import check_manifest, encode_manifest, parse_manifest

SCHEMA_FILE = Path(__file__).parents[4] / "manifests" / "schema" / "manifest.v1.json"
SCHEMA = json.loads(SCHEMA_FILE.read_text())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
DIGEST = {"sha256": "ab" * 32}
GOOD: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://offline-kit.example/kit/v1",
    "subject": [
        {"name": "kit.index", "digest": DIGEST},
        {"name": "SHA256SUMS", "digest": {**DIGEST, "sha512": "cd" * 64}},
    ],
    "predicate": {
        "kit": {
            "name": "lnm",
            "version": "2026.11.0",
            "line": "lnm/stable",
            "sequence": 7,
            "created": "2026-11-24T00:00:00Z",
            "expires": "2027-11-24T00:00:00Z",
            "summary": "a kit",
            "supersedes": ["ef" * 32],
        },
        "index": {"size": 100, "digest": DIGEST},
        "frames": {"size": 21, "digest": DIGEST},
        "roots": {"size": 512, "digest": DIGEST},
        "components": [
            {
                "id": "a",
                "version": "1",
                "paths": ["a", "b/c"],
                "lands": "/opt",
                "placeholder": "x",
                "owner": "the guild",
            }
        ],
        "exemptions": [{"paths": ["a/b"], "reason": "text"}],
        "requires": [],
        "pageSize": 65536,
        "built": {"compressor": "zstd 1.5.7", "level": 3, "rules": "offline-kit-frames/1"},
        "sumsKey": f"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE{'ab/' * 28}+Q==",
    },
}
TEXT = json.dumps(GOOD)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside ``value``."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name in value:
            found += places(value[name], (*path, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            found += places(item, (*path, i))
    return found


def changed(path: tuple[Any, ...], new: Any, *, remove: bool = False) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(TEXT)  # a copy
    at: Any = value
    for step in path[:-1]:
        at = at[step]
    if remove:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return value


def accepted(value: dict[str, Any]) -> bool:
    try:
        parse_manifest(compact(value))
    except (ManifestMalformed, FormatNewer):
        return False
    return True


def agree(value: dict[str, Any]) -> bool:
    ours, schema = accepted(value), VALIDATOR.is_valid(value)
    assert ours == schema, value
    return ours


ODD: list[Any] = [
    None, True, 0, 1, -1, 65536, 2**40, 2**40 + 1, 2**53 - 1, 512 * 2**20, 512 * 2**20 + 1, 22, 23,
    "", "a", "A", "a" * 64, "a" * 65, "x" * 500, "x" * 501, "x" * 1024, "x" * 1025, "a\n", "\x7f",
    "\u2028", "a b", "1.0+x", "a/b", "ab" * 32, "AB" * 32, "ab" * 31, "abc", "2026-11-24T00:00:00Z",
    "2026-13-24T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T00:00:00Z\n", "2026-11-24",
    [], ["a"], [""], [1], [[]], {}, {"sha256": "ab" * 32}, {"sha256": "AB" * 32}, {"md5": "ab"},
    {"sha256": "ab" * 32, "Sha3": "ab"}, {"sha256": "ab" * 32, "blake2b": "abc"},
    {f"a{i}": "ab" for i in range(9)}, {"size": 1, "digest": {"sha256": "ab" * 32}},
]  # fmt: skip


def test_the_good_manifest_is_good() -> None:
    assert agree(GOOD)
    manifest = parse_manifest(compact(GOOD))
    assert not manifest.unknown
    again = json.loads(encode_manifest(manifest))
    assert again == GOOD


@together("path", places(GOOD), ids=lambda path: ".".join(map(str, path)))
def test_schema_and_parser_agree_on_every_change(path: tuple[Any, ...]) -> None:
    outcomes = [agree(changed(path, new)) for new in ODD]
    if isinstance(path[-1], str):
        outcomes.append(agree(changed(path, None, remove=True)))
    assert not all(outcomes)


@pytest.mark.parametrize("where", [(), ("subject", 0), ("predicate", "index", "digest")])
def test_unknown_members_are_refused_where_nothing_may_hide(where: tuple[Any, ...]) -> None:
    value = changed((*where, "extra"), 1)
    assert not agree(value)


@pytest.mark.parametrize(
    "where",
    [("predicate",), ("predicate", "kit"), ("predicate", "components", 0), ("predicate", "roots")],
)
def test_other_unknown_members_are_named(where: tuple[Any, ...]) -> None:
    value = changed((*where, "extra"), {"anything": [1]})
    assert agree(value)
    names = parse_manifest(compact(value)).unknown
    assert len(names) == 1
    assert names[0].endswith(".extra")


@at_least(300)
@given(st.sampled_from(places(GOOD)), st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**41) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
))  # fmt: skip
def test_schema_and_parser_agree_on_anything(path: tuple[Any, ...], new: Any) -> None:
    agree(changed(path, new))


@together(
    ("path", "new"),
    [
        (("predicate", "kit", "created"), "2026-02-30T00:00:00Z"),
        (("predicate", "kit", "created"), "1969-12-31T23:59:59Z"),
        (("predicate", "kit", "created"), "2242-03-16T12:56:32Z"),
        (("predicate", "kit", "expires"), "2026-06-31T00:00:00Z"),
        (("predicate", "pageSize"), 262144),
        (("subject", 0, "name"), "kit.indexx"),
        (("subject", 0, "digest"), {"sha256": "cd" * 32}),
        (("subject", 1, "name"), "sha256sums"),
        (("predicate", "components", 0, "paths"), ["a", "a/b"]),
        (("predicate", "components", 0, "paths"), ["a", "a"]),
        (("predicate", "components", 0, "paths"), ["../a"]),
        (("predicate", "exemptions", 0, "paths"), ["a/"]),
    ],
)
def test_rules_beyond_the_schema(path: tuple[Any, ...], new: Any) -> None:
    value = changed(path, new)
    assert agree(value)
    with pytest.raises(KitError) as refused:
        check_manifest(parse_manifest(compact(value)), 65536)
    assert refused.value.code in {"manifest-malformed", "member-path-unsafe"}


def test_two_components_of_one_id_are_refused() -> None:
    parts = GOOD["predicate"]["components"]
    value = changed(("predicate", "components"), [*parts, {**parts[0], "paths": ["z"]}])
    with pytest.raises(ManifestMalformed, match="one id"):
        check_manifest(parse_manifest(compact(value)), 65536)


def test_the_last_second_that_tar_can_say_is_good() -> None:
    value = changed(("predicate", "kit", "created"), "2242-03-16T12:56:31Z")
    check_manifest(parse_manifest(compact(value)), 65536)
