"""Whatever stands in files that sources name, it is understood or refused, and nothing else."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from kit.net.registry import OCI_INDEX, OCI_MANIFEST
from kit.sources.aptsources import narrowed
from kit.sources.debfile import BAD_DEB, read_control
from kit.sources.debs import one_stanza
from kit.sources.errors import DebMalformed, ImageMalformed, RequirementsUnusable
from kit.sources.images import children, media_type_of, parse_manifest
from kit.sources.requirementsfile import load_requirements
from tests.support.debs import control, deb

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["manifests", "config", "layers", "digest", "size", "mediaType", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
OF_APT = ["deb", "Types:", "URIs:", "Suites:", "stable", "http://h/", *"[]# :", "\n", "\n\n"]
OF_PIP = ["a", "==", "1", "--hash=sha256:", "\\", "\n", " ", "#", "-r", "@"]
ENTRIES = st.lists(st.sampled_from(OF_APT) | st.text(max_size=5), max_size=30)


@given(ENTRIES, st.sampled_from(["list", "sources"]))
def test_any_list_of_repositories_is_read(words: list[str], style: str) -> None:
    found = narrowed("".join(words), style, "stable", flat=True)
    assert bool(found.text) == bool(found.uris) or "Suites:" in found.text


@given(st.lists(st.sampled_from(OF_PIP)))
def test_any_requirements_file_is_read_or_refused(words: list[str]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "r.txt")
        path.write_text("".join(words))
        with contextlib.suppress(RequirementsUnusable):
            assert load_requirements(path, "here").lines


@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_any_package_is_read_or_is_none(data: bytes, at: int, byte: int) -> None:
    whole = bytearray(deb(control("odd", "1", "amd64")))
    whole[at % len(whole)] = byte
    for each in (bytes(whole), data, b"!<arch>\n" + data):
        with contextlib.suppress(*BAD_DEB):
            read_control(io.BytesIO(each))


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_a_control_file_gives_one_paragraph_or_nothing(more: bytes) -> None:
    with contextlib.suppress(DebMalformed):
        text = one_stanza(control("odd", "1", "amd64").encode() + more, "odd_1_amd64.deb")
        assert "\n\n" not in text
        assert text.splitlines() == text.split("\n"), "no other ends of lines"
        assert text.lower().count("\nfilename:") == 0


@given(JSON, st.sampled_from([OCI_INDEX, OCI_MANIFEST]))
def test_any_manifest_is_read_or_refused(value: object, media: str) -> None:
    data = json.dumps(value).encode()
    media_type_of(data, media)
    with contextlib.suppress(ImageMalformed):
        list(children(parse_manifest(data, media, "here"), media, "here"))
    whole = {"schemaVersion": 2, "manifests": value, "config": value, "layers": value}
    whole.pop("manifests" if media == OCI_MANIFEST else "config")
    with contextlib.suppress(ImageMalformed):
        list(children(whole, media, "here"))
