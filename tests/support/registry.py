"""Debian's docker-registry on loopback, and images made by hand that are pushed to it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image."
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"{tls}}}
validation: {{manifests: {{urls: {{allow: ["^https://"]}}}}}}
"""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def registry(
    program: Path, directory: Path, *, tls: tuple[Path, Path] | None = None, auth: str = ""
) -> Iterator[str]:
    """Run a registry; give its ``HOST:PORT``. It is ended by its process, whatever happens.

    Args:
        tls: A certificate and its key, for a registry with TLS.
        auth: A line of its configuration, for one that wants a login.
    """
    port = free_port()
    directory.mkdir(parents=True)
    config = directory / "config.yml"
    more = f", tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
    text = _CONFIG.format(root=directory / "data", port=port, tls=more)
    config.write_text(text + auth, "utf-8")
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the registry does not answer")


@dataclass
class Layout:
    """An OCI image layout that is being made."""

    directory: Path
    entries: list[dict[str, Any]] = field(default_factory=list)

    def blob(self, data: bytes, media_type: str, **more: object) -> dict[str, Any]:
        """Write a blob; return its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        place = self.directory / "blobs" / "sha256"
        place.mkdir(parents=True, exist_ok=True)
        (place / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    def manifest(
        self, layers: Sequence[dict[str, Any]], architecture: str, **more: object
    ) -> dict[str, Any]:
        """Write an image of these layers; return its descriptor."""
        config = json.dumps(
            {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}}
        )
        value = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "config": self.blob(config.encode(), f"{OCI}config.v1+json"),
            "layers": list(layers),
            **more,
        }
        platform = {"os": "linux", "architecture": architecture}
        data = json.dumps(value, indent=1).encode()
        return self.blob(data, f"{OCI}manifest.v1+json", platform=platform)

    def index(self, manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Write an index of several platforms; return its descriptor."""
        value = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}index.v1+json",
            "manifests": list(manifests),
        }
        return self.blob(json.dumps(value, indent=2).encode(), f"{OCI}index.v1+json")

    def finish(self, **named: dict[str, Any]) -> Path:
        """Write what makes a directory a layout, with an entry for each name."""
        entries = [
            {**entry, "annotations": {"org.opencontainers.image.ref.name": name}}
            for name, entry in named.items()
        ]
        index = {"schemaVersion": 2, "manifests": entries}
        (self.directory / "index.json").write_text(json.dumps(index), "utf-8")
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', "utf-8")
        return self.directory


def layer(name: str, contents: bytes) -> bytes:
    """Return a layer with one file, packed with gzip, the same bytes every time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(contents)
        archive.addfile(info, io.BytesIO(contents))
    return gzip.compress(buffer.getvalue(), mtime=0)


def send(
    host: str, method: str, path: str, data: bytes = b"", media: str = "application/octet-stream"
) -> tuple[int, str]:
    """Send a request to a registry, as `curl` does; return status and ``Location``."""
    with contextlib.closing(http.client.HTTPConnection(host)) as connection:
        connection.request(method, path, data, {"Content-Type": media})
        with connection.getresponse() as answer:
            answer.read()
            return answer.status, answer.headers.get("Location", "")


def push(skopeo: Path, layout: Path, name: str, target: str) -> None:
    """Copy an image of a layout into a registry, byte for byte."""
    subprocess.run(
        [
            *(skopeo, "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"),
            *("--insecure-policy", f"oci:{layout}:{name}", f"docker://{target}"),
        ],
        check=True,
    )
