"""What cosign signs in one registry it verifies in another, by way of a kit's layout."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from kit.lock import Locked
from tests.conftest import Judge
from tests.services.test_image_companions import put
from tests.services.test_registry_sources import GZIP, Host
from tests.support.registry import Layout, layer, push, registry

pytestmark = pytest.mark.slow


def run(cosign: Path, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(home)}
    command = [cosign, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=120, cwd=home
    )


@functools.cache
def pair(cosign: Path) -> dict[str, bytes]:
    """Return the files of a pair of keys: made once, for to close one takes long."""
    with tempfile.TemporaryDirectory() as home:
        assert run(cosign, Path(home), "generate-key-pair").returncode == 0
        return {path.name: path.read_bytes() for path in Path(home).glob("cosign.*")}


def sign(cosign: Path, home: Path, image: str) -> None:
    """Sign and attest without a network, as each version wants to be asked."""
    for name, data in pair(cosign).items():
        (home / name).write_bytes(data)
    (home / "predicate.json").write_text('{"builder": "ours"}')
    common: list[str | Path] = ["--key", "cosign.key", "--tlog-upload=false", "--yes"]
    if run(cosign, home, "sign", "--help").stdout.count("--use-signing-config"):
        common.append("--use-signing-config=false")
    done = run(cosign, home, "sign", *common, image)
    assert done.returncode == 0, done.stderr
    more = ("--predicate", "predicate.json", "--type", "https://ours.example/build")
    done = run(cosign, home, "attest", *common, *more, image)
    assert done.returncode == 0, done.stderr


def carry(host: Host, locked: Locked, layout: Path, skopeo: Path, site: str) -> None:
    for item in locked.lock.artifacts:
        path = layout / item.path.removeprefix("images/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(host.store.path(item.sha256).read_bytes())
    for image in sorted(locked.lock.images, key=lambda one: one.beside == "referrers"):
        if image.beside == "referrers":
            put(site, image.name, layout / "blobs" / "sha256" / image.sha256)
        else:
            push(skopeo, layout, image.name, f"{site}/{image.name}")


def test_cosign_verifies_at_the_site_what_it_signed(
    cosign: Path, judge: Judge, tmp_path: Path
) -> None:
    made = Layout(tmp_path / "layout")
    app = made.manifest([made.blob(layer("app", b"app"), GZIP)], "amd64")
    made.finish(app=app)
    program, skopeo = judge("docker-registry"), judge("skopeo")
    with (
        registry(program, tmp_path / "source") as source,
        registry(program, tmp_path / "site") as site,
    ):
        push(skopeo, made.directory, "app", f"{source}/app:1")
        sign(cosign, tmp_path, f"{source}/app@{app['digest']}")
        text = f'oci = "{source}/app:1"\nbeside = ["signatures", "attestations"]'
        host = Host(tmp_path / "h", text)
        locked = host.lock()
        carry(host, locked, tmp_path / "carried", skopeo, site)
        image = f"{site}/app@{app['digest']}"
        key = ("--key", "cosign.pub", "--insecure-ignore-tlog=true")
        done = run(cosign, tmp_path, "verify", *key, image)
        assert done.returncode == 0, done.stderr
        kind = ("--type", "https://ours.example/build")
        done = run(cosign, tmp_path, "verify-attestation", *key, *kind, image)
        assert done.returncode == 0, done.stderr
    with registry(program, tmp_path / "bare") as bare:
        push(skopeo, made.directory, "app", f"{bare}/app:1")
        assert run(cosign, tmp_path, "verify", *key, f"{bare}/app:1").returncode != 0
