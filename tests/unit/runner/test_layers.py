"""Layers of an image: one over the other, never outside, and only those that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import PreflightFailed
from runner.layers import unpack_image
from tests.support.images import Files, image_layout


@pytest.mark.parametrize("packed", ["gzip", "zstd"])
def test_layers_lie_over_each_other_and_take_away(tmp_path: Path, packed: str) -> None:
    low: Files = {"a/one": b"1", "a/two": b"2", "b/three": b"3", "c": b"4", "d": "a"}
    high: Files = {"a/.wh.one": b"", "b/.wh..wh..opq": b"", "b/new": b"5", ".wh.c": b"", "d": b"6"}
    layout = image_layout(tmp_path / "layout", [low, high], packed=packed)
    (tmp_path / "root").mkdir()
    unpack_image(str(layout), str(tmp_path / "root"))
    found = {
        str(path.relative_to(tmp_path / "root")): path.read_bytes()
        for path in (tmp_path / "root").rglob("*")
        if path.is_file()
    }
    assert found == {"a/two": b"2", "b/new": b"5", "d": b"6"}


@pytest.mark.parametrize(
    "layers",
    [
        [{"../out": b"x"}],
        [{"a/../../out": b"x"}],
        [{"a": "../../..", "a/out": b"x"}],
        [{"a": "/tmp"}, {"a/out": b"x"}],
        [{"a": "/tmp"}, {"a/.wh.out": b"x"}],
    ],
)
def test_no_layer_writes_outside(tmp_path: Path, layers: list[Files]) -> None:
    layout = image_layout(tmp_path / "layout", layers)
    (tmp_path / "deep" / "root").mkdir(parents=True)
    with pytest.raises(PreflightFailed, match="leads through a link"):
        unpack_image(str(layout), str(tmp_path / "deep" / "root"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packed", ["gzip", "zstd"])
def test_a_layer_that_is_damaged_is_said_to_be(tmp_path: Path, packed: str) -> None:
    """Whatever was signed: a tool that packs wrongly must not end in a traceback."""
    layout = image_layout(tmp_path / "layout", [{"a": bytes(range(256)) * 400}], packed=packed)
    begins = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}[packed]
    blobs = (layout / "blobs" / "sha256").iterdir()
    blob = next(path for path in blobs if path.read_bytes().startswith(begins))
    whole = blob.read_bytes()
    (tmp_path / "root").mkdir()
    cases = [whole[:-9], whole[: len(whole) // 2], begins, b"", whole + b"more"]
    cases += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(12, 40)]
    for data in cases:
        blob.write_bytes(data)
        with pytest.raises(PreflightFailed, match=r"a layer of the image|is not one of OCI"):
            unpack_image(str(layout), str(tmp_path / "root"))


def test_what_unpacks_to_too_much_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = image_layout(tmp_path / "layout", [{"a": bytes(70_000)}, {"b": bytes(70_000)}])
    (tmp_path / "root").mkdir()
    monkeypatch.setattr("runner.layers.MAX_IMAGE", 100_000)
    with pytest.raises(PreflightFailed, match="more than 100000 bytes"):
        unpack_image(str(layout), str(tmp_path / "root"))


def test_a_layer_that_is_another_is_refused(tmp_path: Path) -> None:
    layout = image_layout(tmp_path / "layout", [{"a": b"1"}])
    other = image_layout(tmp_path / "other", [{"a": b"2"}])
    blobs = layout / "blobs" / "sha256"
    sizes = sorted(blobs.iterdir(), key=lambda path: path.read_bytes()[:2] != b"\x1f\x8b")
    spare = sorted(
        (other / "blobs" / "sha256").iterdir(), key=lambda p: p.read_bytes()[:2] != b"\x1f\x8b"
    )
    sizes[0].write_bytes(spare[0].read_bytes())
    (tmp_path / "root").mkdir()
    with pytest.raises(PreflightFailed, match="not what its configuration says"):
        unpack_image(str(layout), str(tmp_path / "root"))
