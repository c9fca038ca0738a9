"""Images that run: layers of files, as an OCI layout that a kit carries."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import zstandard

from tests.support.registry import OCI, Layout

Files = Mapping[str, "bytes | str"]
"""Contents by path; a text is what a link names, and a path that ends in ``/`` is a directory."""


_PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": lambda data: zstandard.ZstdCompressor(3, write_content_size=False).compress(data),
}


def tar_of(files: Files) -> bytes:
    """Return an archive; programs below ``bin/`` may be started."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
            else:
                info.mode = 0o755 if "bin/" in name or "lib" in name else 0o644
                info.size = len(data)
            content = data if isinstance(data, bytes) else b""
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image_layout(
    directory: Path,
    layers: Sequence[Files],
    name: str = "registry.example/tools:1.0",
    packed: str = "gzip",
) -> Path:
    """Write a layout with one image of such layers, by gzip or zstd; return it."""
    made = Layout(directory)
    tars = [tar_of(files) for files in layers]
    ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ids},
    }
    value = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}manifest.v1+json",
        "config": made.blob(json.dumps(config).encode(), f"{OCI}config.v1+json"),
        "layers": [made.blob(_PACK[packed](data), f"{OCI}layer.v1.tar+{packed}") for data in tars],
    }
    manifest = made.blob(json.dumps(value).encode(), f"{OCI}manifest.v1+json")
    entry = {**manifest, "annotations": {"org.opencontainers.image.ref.name": name}}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (directory / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', encoding="utf-8")
    return directory
