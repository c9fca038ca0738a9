"""Which entries of an index.json are images: the same for coverage, policies and scanners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.together import together
from verifier.evidence.imagelist import BESIDE, images_in

DIGEST = "ab" * 32
NAME = "org.opencontainers.image.ref.name"
NO_IMAGES: dict[str, dict[str, Any]] = {
    "ours": {"annotations": {BESIDE: "signatures", NAME: "app:1"}},
    "cosign's signatures": {"annotations": {"kind": "dev.cosignproject.cosign/sigs"}},
    "cosign's attestations": {"annotations": {"kind": "dev.cosignproject.cosign/atts"}},
    "a tag of cosign": {"annotations": {NAME: f"app:sha256-{DIGEST}.sig"}},
    "no SHA-256": {"digest": "sha512:" + "ab" * 64},
    "no digest": {"digest": 7},
}
IMAGES: dict[str, dict[str, Any]] = {
    "an image": {},
    "an image of cosign": {"annotations": {"kind": "dev.cosignproject.cosign/image"}},
    "a name": {"annotations": {NAME: "sha256.example/app:1"}},
    "notes that are none": {"annotations": ["kind"]},
}


def listed(entry: dict[str, Any], manifest: bytes | None = None) -> list[str] | None:
    whole = {"mediaType": "m", "size": 1, "digest": f"sha256:{DIGEST}", **entry}
    data = json.dumps({"schemaVersion": 2, "manifests": [whole]}).encode()
    return images_in(data, lambda digest: manifest if digest == DIGEST else None)


@together("what", NO_IMAGES)
def test_what_speaks_of_an_image_is_none(what: str) -> None:
    assert listed(NO_IMAGES[what]) == []


@pytest.mark.parametrize("what", IMAGES)
def test_images(what: str) -> None:
    for manifest in (None, b"{}", b"no JSON"):
        assert listed(IMAGES[what], manifest) == [DIGEST]


def test_a_manifest_with_a_subject_is_none() -> None:
    assert listed({}, b'{"subject": {"digest": "sha256:00"}}') == []
    assert listed({}, b' \n{"subject": {"digest": "sha256:00"}}') == []


@together("data", [None, b"", b"[]", b"{}", b'{"manifests": {}}', b"\xff"])
def test_what_is_no_index(data: bytes | None) -> None:
    assert images_in(data, lambda digest: None) is None


def test_each_once_and_in_order() -> None:
    entries = [{"digest": f"sha256:{digit * 64}"} for digit in ("c", "a", "c", "b")]
    data = b"\n" + json.dumps({"manifests": [*entries, 7]}).encode()
    assert images_in(data, lambda digest: None) == ["a" * 64, "b" * 64, "c" * 64]
