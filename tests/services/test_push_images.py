"""`push-images` against Debian's docker-registry, looked at with skopeo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.brought.action import DONE, TO_DO, NotPossible
from runner.brought.images import PushImages
from tests.conftest import Judge
from tests.support.registry import OCI, Layout, registry

pytestmark = pytest.mark.slow


def layout(directory: Path) -> Path:
    """Make a layout with an image for two platforms and one for any, which share a layer."""
    made = Layout(directory)
    layer = made.blob(b"layer " * 1000, f"{OCI}layer.v1.tar")
    config = made.blob(b'{"architecture":"amd64","os":"linux"}', f"{OCI}config.v1+json")

    def image(*more: dict[str, object]) -> dict[str, object]:
        value = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json", "config": config}
        data = json.dumps({**value, "layers": [layer, *more]}).encode()
        return made.blob(data, f"{OCI}manifest.v1+json")

    one, two = image(), image(made.blob(b"more", f"{OCI}layer.v1.tar"))
    index = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [one, two]}
    both = made.blob(json.dumps(index).encode(), f"{OCI}index.v1+json")
    name = "org.opencontainers.image.ref.name"
    entries = [
        {**both, "annotations": {name: "registry.example/lnm/runner:1.0"}},
        {**one, "annotations": {name: "tools"}},
    ]
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return directory


def test_images_are_sent_once_and_asked_back(tmp_path: Path, judge: Judge) -> None:
    skopeo = judge("skopeo")
    place = layout(tmp_path / "layout")
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "site/lnm", "plain": "yes"}
        assert PushImages(told).check() == TO_DO
        PushImages(told).apply()
        assert PushImages(told).check() == DONE
        PushImages(told).apply()  # again: nothing is sent, and nothing changes
        entries = json.loads((place / "index.json").read_bytes())["manifests"]
        for tag, entry in zip(("1.0", "tools"), entries, strict=True):
            command: list[str | Path] = [skopeo, "inspect", "--raw", "--tls-verify=false"]
            command.append(f"docker://{address}/site/lnm:{tag}")
            raw = subprocess.run(command, check=True, capture_output=True).stdout
            digest = entry["digest"].partition(":")[2]
            assert raw == (place / "blobs" / "sha256" / digest).read_bytes()
        with pytest.raises(OSError, match=r"(?i)ssl|wrong version"):
            PushImages({**told, "plain": "no"}).check()


def test_a_changed_manifest_and_a_bad_name_are_refused(tmp_path: Path) -> None:
    place = layout(tmp_path / "layout")
    told = {"from": str(place), "registry": "127.0.0.1:1", "repository": "site/lnm"}
    for name, value in (("repository", "../x"), ("login", "NOWHERE")):
        with pytest.raises(NotPossible):
            PushImages({**told, name: value})
    entry = json.loads((place / "index.json").read_bytes())["manifests"][0]
    (place / "blobs" / "sha256" / entry["digest"][7:]).write_bytes(b"{}")
    with pytest.raises(NotPossible, match="is not what its name says"):
        PushImages(told).check()
