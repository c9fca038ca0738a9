"""SeaweedFS on loopback: a real object store, whose S3 refuses wrong checksums and credentials."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRE_JUDGES
from tests.support.making import REPOSITORY
from tests.support.registry import free_port

KEY, SECRET = "writer", "not-a-secret-of-anybody"
READER = "reader"  # may read and list
BUCKET = "releases"


@dataclass(frozen=True)
class Store:
    """A running store.

    Attributes:
        url: Its endpoint.
        directory: Where its disk is.
        pid: Its process.
        ca: Who vouches for its certificate; None: it speaks without TLS.
    """

    url: str
    directory: Path
    pid: int
    ca: Path | None = None

    def client(self, **more: Any) -> Any:
        """Return a client of boto3 that is not ours."""
        import boto3  # type: ignore[import-untyped]  # has no stubs
        from botocore.config import Config  # type: ignore[import-untyped]

        return boto3.session.Session(KEY, SECRET, region_name="us-east-1").client(
            "s3",
            endpoint_url=self.url,
            verify=str(self.ca) if self.ca else None,
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **more
            ),
        )


def program() -> Path:
    """Return the program, or end the test as "not run"."""
    found = sorted((REPOSITORY / "build" / "seaweedfs").glob("**/weed"))
    for path in found:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    reason = "not run: there is no SeaweedFS; `make seaweedfs` installs it"
    if os.environ.get(REQUIRE_JUDGES) == "1":
        pytest.fail(f"{reason}, and {REQUIRE_JUDGES}=1 asks for it", pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def seaweed(directory: Path, *more: str, tls: tuple[Path, Path] | None = None) -> Iterator[Store]:
    """Run a store with an empty bucket; it ignores SIGTERM, so it is killed by its process.

    Args:
        tls: A certificate that vouches for itself, and its key.
    """
    binary = program()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "data").mkdir()
    identities = [
        {
            "name": KEY,
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": READER,
            "credentials": [{"accessKey": READER, "secretKey": SECRET}],
            "actions": ["Read", "List"],
        },
    ]
    config = directory / "s3.json"
    config.write_text(json.dumps({"identities": identities}), "utf-8")
    ports = _ports(4)
    if tls is not None:
        more += (f"-s3.cert.file={tls[0]}", f"-s3.key.file={tls[1]}")
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(
            [
                *(binary, f"-logdir={directory}", "server", f"-dir={directory / 'data'}"),
                *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
                *(f"-master.port={ports[0]}", f"-volume.port={ports[1]}"),
                *("-filer", f"-filer.port={ports[2]}", "-s3", f"-s3.port={ports[3]}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}"),
                *("-master.volumeSizeLimitMB=64", "-volume.max=20", *more),
            ],
            stdout=log,
            stderr=log,
            cwd=directory,
        )
    url = f"http{'s' if tls else ''}://127.0.0.1:{ports[3]}"
    store = Store(url, directory, process.pid, tls[0] if tls else None)
    try:
        _wait(store, process)
        yield store
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def _ports(count: int) -> list[int]:
    """Return free ports; each also needs the one 10,000 above."""
    found: set[int] = set()
    while len(found) < count:
        port = free_port()
        if port < 55_000 and port > 1024:
            found.add(port)
        elif port - 30_000 > 1024:
            found.add(port - 30_000)
    return sorted(found)


def _wait(store: Store, process: subprocess.Popen[bytes]) -> None:
    """Wait until an object can be put: the bucket is there some seconds before its disk is."""
    until = time.monotonic() + 60
    client = store.client(connect_timeout=2, read_timeout=5)
    while time.monotonic() < until and process.poll() is None:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
            client.delete_object(Bucket=BUCKET, Key="ready")
            return
        except client.exceptions.BucketAlreadyOwnedByYou:
            with contextlib.suppress(Exception):
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
                return
        except Exception:  # whatever: it is not up yet
            pass
        time.sleep(0.2)
    raise AssertionError("the store does not answer")
