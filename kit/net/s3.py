"""Releases in a bucket, by the protocol of S3: the file that loads boto3, an extra.

Credentials, region and endpoint are found as boto3 always finds them.  What counts as written is
what the server's SHA-256 says; an ETag is no hash.  One small PutObject with ``If-None-Match``
decides who published: CompleteMultipartUpload with the condition had several winners on a real
server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kit.net.client import CONNECT_SECONDS, READ_SECONDS, is_loopback, is_named
from kit.net.download import Wanted
from kit.net.errors import UrlRefused
from kit.net.s3answers import Gone, Taken, asking
from kit.net.s3parts import Notes, Upload
from kit.places.errors import NoConditionalWrite, PlaceDiffers, PlaceInvalid
from kit.places.model import Measured, Progress, entry_key, object_key
from kit.places.sending import AT_ONCE, Sending
from kit.releases.record import MAX_ENTRY, File, Record

PROBE = "offline-kit-probe"
_TRIES = 6  # of one request, in all
_SIGNED_SECONDS = 12 * 3600  # how long a signed address serves; a break within is asked on from


@dataclass(frozen=True)
class Bucket:
    """How a bucket is reached.

    Attributes:
        endpoint: Another server than Amazon's; empty for what boto3 finds.
        ca_file: Authorities to trust for it.
        plain_http: Hosts that may be asked without TLS, beside this machine itself.
        state: Where unfinished uploads are noted; None: they begin anew.
        one_writer: The caller says that nobody else publishes there meanwhile.
    """

    endpoint: str = ""
    ca_file: Path | None = None
    plain_http: frozenset[str] = frozenset()
    state: Path | None = None
    one_writer: bool = False


class BucketPlace:
    """A place below a prefix of a bucket."""

    def __init__(
        self, bucket: str, prefix: str, how: Bucket, progress: Progress | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._how = how
        self.alone = how.one_writer
        self._progress = progress or (lambda name, done, total: None)
        self.where = repr(f"s3://{bucket}/{self._prefix}".rstrip("/"))
        self._probed = False
        self._client = self._connect()
        self.address: str = self._client.meta.endpoint_url

    def _connect(self) -> Any:
        import boto3  # type: ignore[import-untyped]  # an extra
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        settings = Config(
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=2 * AT_ONCE,
            s3={
                **({"addressing_style": "path"} if self._how.endpoint else {}),
                # a body is bound by its SHA-256, a header that is signed and that the server
                # compares: to sign the body as well would only hash it once more
                "payload_signing_enabled": False,
            },
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            client = boto3.session.Session().client(
                "s3",
                endpoint_url=self._how.endpoint or None,
                verify=os.fspath(self._how.ca_file) if self._how.ca_file else None,
                config=settings,
            )
        except (BotoCoreError, ValueError) as error:
            raise PlaceInvalid(str(error), where=self.where) from None
        parts = urlsplit(client.meta.endpoint_url)
        named = is_named(parts.netloc, self._how.plain_http)
        if parts.scheme != "https" and not (is_loopback(parts.hostname or "") or named):
            raise UrlRefused("the endpoint is without TLS", where=repr(parts.netloc))
        return client

    # --- reading

    def entry(self, line: str, n: int) -> bytes | None:
        """Return an entry as it lies there; None if there is none.

        Raises:
            KitError: The server does not say.
        """
        return self._read(entry_key(line, n))

    def _read(self, name: str) -> bytes | None:
        try:
            with self._asking(name):
                found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                with contextlib.closing(found["Body"]) as body:
                    data: bytes = body.read(MAX_ENTRY + 1)
                    return data
        except Gone:
            return None

    def wanted(self, line: str, n: int, file: File) -> Wanted:
        """Return how a file of an entry is fetched: by an address that is signed for a while."""
        del line, n
        name = object_key(file)
        with self._asking(name):
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": self._prefix + name},
                ExpiresIn=_SIGNED_SECONDS,
            )
        return Wanted(file.name, (url,), file.sha256, file.size, authorize=lambda url: {})

    # --- writing

    def probe(self) -> None:
        """See whether the server keeps the condition that decides who publishes.

        Raises:
            NoConditionalWrite: It does not.
            KitError: The bucket cannot be written.
        """
        if self._probed:
            return
        kept = False
        for _ in range(2):
            try:
                with self._asking(PROBE):
                    self._put_small(PROBE, b"offline-kit\n", new=True)
            except Taken:
                kept = True
            except NoConditionalWrite:
                if not self._how.one_writer:
                    raise
                kept = True
        if not kept and not self._how.one_writer:
            raise NoConditionalWrite("created one object twice", where=self.where)
        self._probed = True

    def rights(self) -> tuple[str, ...]:
        """Create the probe, look at it, and begin, look at and end an upload in parts.

        Raises:
            KitError: One of these is not permitted, or does not hold.
        """
        self.probe()
        self._look(PROBE)
        where = {"Bucket": self._bucket, "Key": self._prefix + PROBE}
        with self._asking(f"{PROBE} in parts"):
            upload = self._client.create_multipart_upload(
                **where, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
            )["UploadId"]
            try:
                self._client.list_parts(**where, UploadId=upload, MaxParts=1)
            finally:
                self._client.abort_multipart_upload(**where, UploadId=upload)
        return ("create", *(() if self.alone else ("create once",)), "send in parts", "end uploads")

    def put(self, measured: Measured) -> bool:
        """Put a file under its digest; return False if it was there.

        Raises:
            KitError: It could not be put; parts that arrived are kept for the next run.
        """
        file, name = measured.file, object_key(measured.file)
        if self._is_there(name, file):
            return False
        if file.part_size:
            with Sending(measured.path, file, [self._upload(name, file)], self._progress) as sent:
                sent.complete()
            return True
        with self._asking(name):
            with measured.open() as stream:
                data = stream.read()
            self._put_small(name, data, sha256=bytes.fromhex(file.sha256))
        self._progress(file.name, file.size, file.size)
        self._check(name, file)
        return True

    def _check(self, name: str, file: File) -> None:
        if not self._is_there(name, file, or_unknown=True):
            raise PlaceDiffers("the server has another SHA-256 of it", where=self._at(name))

    def create(self, record: Record, data: bytes) -> bool:
        """Create an entry; return False if there is one with its number.

        Raises:
            KitError: It is not known whether it was created.
        """
        name = entry_key(record.line, record.n)
        if self._how.one_writer and self._read(name) is not None:
            return False
        try:
            with self._asking(name):
                self._put_small(name, data, new=not self._how.one_writer)
        except Taken:
            # an answer that was lost and asked for again looks the same
            return False
        return True

    def _put_small(
        self, name: str, data: bytes, *, new: bool = False, sha256: bytes | None = None
    ) -> None:
        digest = hashlib.sha256(data).digest() if sha256 is None else sha256
        condition = {"IfNoneMatch": "*"} if new else {}
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._prefix + name,
            Body=data,
            ChecksumSHA256=base64.b64encode(digest).decode("ascii"),
            **condition,
        )

    def _look(self, name: str) -> Mapping[str, Any] | None:
        """Return what the server says of an object; None if there is none."""
        try:
            with self._asking(name):
                found: Mapping[str, Any] = self._client.head_object(
                    Bucket=self._bucket, Key=self._prefix + name, ChecksumMode="ENABLED"
                )
                return found
        except Gone:
            return None

    def _is_there(self, name: str, file: File, *, or_unknown: bool = False) -> bool:
        """Whether the server says that it has a file with this SHA-256; an ETag says nothing."""
        found = self._look(name)
        if found is None or found["ContentLength"] != file.size:
            return False
        said = found.get("ChecksumSHA256", "")
        if not said:  # a server that keeps none: it compared while it received
            return or_unknown
        whole = base64.b64encode(bytes.fromhex(file.sha256)).decode("ascii")
        return said in {whole, file.parts}

    # --- in parts

    def begin(self, file: File) -> Upload | None:
        """Begin to take a file in parts, when its digest is promised and not yet known.

        Returns:
            None where nothing is to be sent: something of its size lies under its digest already,
            or it goes in one piece.

        Raises:
            KitError: The bucket cannot be written as it must be.
        """
        name = object_key(file)
        if not file.part_size:
            return None
        found = self._look(name)
        if found is not None and found["ContentLength"] == file.size:
            return None  # `put` compares, as soon as the digests of the parts are known
        self.probe()
        return self._upload(name, file)

    def _upload(self, name: str, file: File) -> Upload:
        return Upload(
            self._client,
            {"Bucket": self._bucket, "Key": self._prefix + name},
            Notes(self._notes_of(name, file)),
            lambda: self._asking(name),
            lambda measured: self._check(name, measured.file),
        )

    def _notes_of(self, name: str, file: File) -> Path | None:
        if self._how.state is None:
            return None
        what = [self._client.meta.endpoint_url, self._bucket, self._prefix + name, file.part_size]
        digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        return self._how.state / f"{digest}.jsonl"

    def _asking(self, name: str) -> contextlib.AbstractContextManager[None]:
        return asking(self.where, self._at(name))

    def _at(self, name: str) -> str:
        return repr(f"s3://{self._bucket}/{self._prefix}{name}")
