"""Parsers: any bytes are refused by an error of ours, or are the one spelling of what they mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import naive
from tests.support.assembler import OWN, TOOLS, assemble, zstd
from tests.support.cases.every import every_case
from tests.support.damage import disturb
from tests.support.effort import at_least
from tests.support.hooks import handmade
from tests.support.people import chain, compact, root_line, sign_root, signed_root
from verifier.core.codec import check_zstd_frame
from verifier.core.envelope import encode_page, parse_page
from verifier.core.errors import FrameInvalid, KitError
from verifier.core.jsonstrict import NotStrict, parse_compact, parse_json
from verifier.core.jsonstrict import compact as written
from verifier.core.limits import MAX_CONTENT
from verifier.core.lists import FRAMES_HEAD, INDEX_HEAD, FrameTable, Index, IndexReader
from verifier.core.manifest import check_manifest, encode_manifest, parse_manifest
from verifier.core.model import Manifest
from verifier.core.trust import chain_bytes, parse_chain, parse_root

T = TypeVar("T")


def attempt(parse: Callable[[], T]) -> tuple[T, str] | tuple[None, str]:
    """Return what a parser returns, or the code of its error; any other exception passes."""
    try:
        return parse(), ""
    except KitError as error:
        return None, error.code


def near(*good: bytes) -> st.SearchStrategy[bytes]:
    """Return arbitrary bytes, good ones, and good ones that were changed a little."""
    changed = st.builds(disturb, st.randoms(use_true_random=False), st.sampled_from(good))
    return st.one_of(st.binary(max_size=200), st.sampled_from(good), changed, changed)


def sections(kit: bytes) -> tuple[bytes, bytes]:
    """Return the page and the payload of a kit of the assembler."""
    page = kit[529 : 529 + 65_536]
    return page, base64.b64decode(json.loads(page)["payload"])


ENTRIES = [naive.Entry(b"SHA256SUMS", b"", b"sums"), *OWN, *TOOLS]
INDEX = naive.index_text(ENTRIES)[len(INDEX_HEAD) :]
TABLE = b"".join(naive.table_line(n, k, d) for n, k, d in [(99, b"r", None), (7, b"z", bytes(32))])
PAGE, PAYLOAD = sections(assemble())
JSON = compact({"a": [1, -2, {"b": None, "c": True}], "\u00e9\n\U0001f600": "\x7f\\/", "": {}})
ROOTS = chain(root_line(), sign_root({**signed_root(), "version": 2}))
ZEROS = bytes(20_000)
FRAMES = [zstd(ZEROS), handmade(ZEROS), zstd(ZEROS, window_log=20), zstd(ZEROS, 19)]

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(1 - 2**53, 2**53 - 1),
        st.text(max_size=5),
        st.just("é"),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@at_least(500)
@given(data=near(JSON, PAYLOAD, b"-0", b"[]", b'"\\u00e9"'))
@example(data=b"\xef\xbb\xbf{}")
@example(data=b"[" * 5000)
@example(data=b'"\\ud800"')
@example(data=b"1" * 5000)
def test_compact_json_has_one_spelling(data: bytes) -> None:
    try:
        value = parse_compact(data)
    except NotStrict:
        return
    assert written(value) == data == compact(value)


@given(value=json_values)
def test_compact_json_reads_what_it_writes(value: Any) -> None:
    try:
        data = written(value)
    except NotStrict:  # a lone surrogate
        assert any("\ud800" <= c <= "\udfff" for c in json.dumps(value, ensure_ascii=False))
        return
    assert parse_compact(data) == value
    assert parse_json(json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8")) == value


@at_least(500)
@given(data=near(INDEX, INDEX + b"%b 1 data 0644 tools/z\n" % (b"0" * 64)), cut=st.integers(0, 9))
def test_index_has_one_spelling(data: bytes, cut: int) -> None:
    reader = IndexReader()
    lines = data.splitlines(keepends=True) if cut else [data]  # fed in pieces or at once

    def read() -> Index:
        for at in range(0, len(lines), cut or 1):
            reader.feed(b"".join(lines[at : at + (cut or 1)]))
        return reader.finish()

    index, code = attempt(read)
    assert code in ("", "list-malformed", "member-path-unsafe", "member-paths-collide")
    if index is None:
        return
    assert b"".join(index.text()) == INDEX_HEAD + data
    assert index.text_size() == len(INDEX_HEAD + data)
    assert index.sums_size() == len(b"".join(index.sums()))


@at_least(500)
@given(data=near(TABLE, b"", TABLE * 3))
def test_frame_table_has_one_spelling(data: bytes) -> None:
    table = FrameTable()
    _, code = attempt(lambda: table.feed(data))
    assert code in ("", "list-malformed")
    if code:
        return
    assert b"".join(table.text()) == FRAMES_HEAD + data
    assert len(data) == 75 * len(table)


@at_least(500)
@given(text=near(PAGE.rstrip(b" ")), more=st.sampled_from([0, 0, 1, -1]))
def test_page_has_one_spelling(text: bytes, more: int) -> None:
    page = text.ljust(65_536 + more, b" ")
    envelope, code = attempt(lambda: parse_page(page))
    assert code in ("", "envelope-malformed")
    assert envelope is None or encode_page(envelope, len(page)) == page


MANIFEST_CODES = ("", "manifest-malformed", "format-newer", "member-path-unsafe")


def checked_manifest(data: bytes) -> Manifest:
    """Return a manifest that its shape and all its rules allow."""
    manifest = parse_manifest(data)
    check_manifest(manifest, 65_536)
    return manifest


@at_least(500)
@given(data=near(PAYLOAD))
def test_manifest_has_one_spelling(data: bytes) -> None:
    manifest, code = attempt(lambda: checked_manifest(data))
    assert code in MANIFEST_CODES
    if manifest is not None and not manifest.unknown:  # what is not known is named, not kept
        assert encode_manifest(manifest) == data


@at_least(500)
@given(changes=st.lists(st.tuples(st.integers(0, 200), json_values), min_size=1, max_size=3))
def test_any_value_in_a_manifest_is_taken_or_refused(changes: list[tuple[int, Any]]) -> None:
    value = json.loads(PAYLOAD)
    for number, new in changes:
        places = [*_places(value)]
        node, key = places[number % len(places)]
        node[key] = new
    try:
        data = written(value)
    except NotStrict:
        return
    assert attempt(lambda: checked_manifest(data))[1] in MANIFEST_CODES


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


@at_least(300)
@given(data=near(ROOTS.rstrip(b" "), chain(root_line()).rstrip(b" ")), pad=st.booleans())
def test_root_chain_has_one_spelling(data: bytes, pad: bool) -> None:
    padded = data + b" " * (-len(data) % 512) if pad else data
    roots, code = attempt(lambda: parse_chain(padded))
    assert code in ("", "root-chain-malformed")
    assert roots is None or chain_bytes(roots) == padded


@at_least(300)
@given(changes=st.lists(st.tuples(st.integers(0, 200), json_values), min_size=1, max_size=3))
def test_any_value_in_a_root_is_refused(changes: list[tuple[int, Any]]) -> None:
    value = json.loads(root_line())
    for number, new in changes:
        places = [*_places(value)]
        node, key = places[number % len(places)]
        node[key] = new
    root, code = attempt(lambda: parse_root(compact(value)))
    assert code in ("", "root-invalid")
    if root is not None:  # only what is not signed was changed
        good = parse_root(root_line())
        assert (root.signed, root.targets) == (good.signed, good.targets)


@at_least(500)
@given(
    frame=st.one_of(
        st.builds(disturb, st.randoms(use_true_random=False), st.sampled_from(FRAMES)),
        st.binary(max_size=40).map(lambda tail: b"\x28\xb5\x2f\xfd" + tail),
        st.binary(max_size=40),
    ),
    content=st.sampled_from([0, 1, 255, 256, 20_000, MAX_CONTENT]),
)
@example(frame=FRAMES[0], content=20_000)
@example(frame=FRAMES[2], content=20_000)
def test_frame_header_is_read_as_zstd_reads_it(frame: bytes, content: int) -> None:
    try:
        check_zstd_frame(memoryview(frame), content, "here")
    except FrameInvalid:
        return
    fields = zstandard.get_frame_parameters(frame)
    assert (fields.content_size, fields.has_checksum, fields.dict_id) == (content, True, 0)
    assert fields.window_size <= max(MAX_CONTENT, content)
    try:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        decoded = decoder.decompress(frame)
    except zstandard.ZstdError:
        return
    assert decoder.eof
    assert not decoder.unused_data
    assert len(decoded) == content


@pytest.mark.parametrize("good", FRAMES)
def test_good_frames_are_taken(good: bytes) -> None:
    check_zstd_frame(memoryview(good), len(ZEROS), "here")


@at_least(200)
@given(random=st.randoms(use_true_random=False))
def test_pages_of_bad_vectors_disturbed_again(random: Random) -> None:
    names = [name for name, case in every_case().items() if case.shown == "nothing"]
    kit = every_case()[random.choice(names)].make()
    text = kit[529 : 529 + 65_536].rstrip(b" ")
    page = disturb(random, text).ljust(65_536, b" ")
    _, code = attempt(lambda: parse_manifest(parse_page(page).payload))
    assert code in ("envelope-malformed", *MANIFEST_CODES)
