"""Releases in a bucket, by the protocol of S3: the one file that knows boto3, an extra.

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
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kit.errors import show
from kit.net.client import CONNECT_SECONDS, READ_SECONDS, is_loopback
from kit.net.download import Wanted
from kit.net.errors import UrlRefused
from kit.places.errors import (
    ClockSkewed,
    NoConditionalWrite,
    PlaceDiffers,
    PlaceFull,
    PlaceInvalid,
    PlaceUnauthorized,
    PlaceUnreachable,
)
from kit.places.model import Measured, Progress, entry_key, object_key
from kit.releases.record import MAX_ENTRY, File, Record
from verifier.core.errors import KitError

AT_ONCE = 6  # parts; each is held in memory
PROBE = "offline-kit-probe"
_TRIES = 6  # of one request, in all
_SIGNED_SECONDS = 12 * 3600  # how long a signed address serves; a break within is asked on from
_UNAUTHORIZED = frozenset(
    "401 403 AccessDenied InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken"
    " Forbidden AllAccessDisabled AccountProblem".split()
)
_FULL = frozenset(
    "QuotaExceeded EntityTooLarge 413 507 InsufficientStorage XMinioStorageFull".split()
)
_DIFFERS = frozenset("BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch".split())
_TAKEN = frozenset({"PreconditionFailed", "412"})
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})


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
        host = parts.hostname or ""
        if parts.scheme != "https" and not (is_loopback(host) or host in self._how.plain_http):
            raise UrlRefused("the endpoint is without TLS", where=repr(host))
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
        except _Gone:
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
        kept = False
        for _ in range(2):
            try:
                with self._asking(PROBE):
                    self._put_small(PROBE, b"offline-kit\n", new=True)
            except _Taken:
                kept = True
            except NoConditionalWrite:
                if not self._how.one_writer:
                    raise
                return
        if not kept and not self._how.one_writer:
            raise NoConditionalWrite("created one object twice", where=self.where)

    def put(self, measured: Measured) -> bool:
        """Put a file under its digest; return False if it was there.

        Raises:
            KitError: It could not be put; parts that arrived are kept for the next run.
        """
        file, name = measured.file, object_key(measured.file)
        if self._is_there(name, file):
            return False
        if file.part_size:
            self._put_parts(name, measured)
        else:
            with self._asking(name):
                with measured.open() as stream:
                    data = stream.read()
                self._put_small(name, data, sha256=bytes.fromhex(file.sha256))
            self._progress(file.name, file.size, file.size)
        if not self._is_there(name, file, or_unknown=True):
            raise PlaceDiffers("the server has another SHA-256 of it", where=self._at(name))
        return True

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
        except _Taken:
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

    def _is_there(self, name: str, file: File, *, or_unknown: bool = False) -> bool:
        """Whether the server says that it has a file with this SHA-256; an ETag says nothing."""
        try:
            with self._asking(name):
                found = self._client.head_object(
                    Bucket=self._bucket, Key=self._prefix + name, ChecksumMode="ENABLED"
                )
        except _Gone:
            return False
        if found["ContentLength"] != file.size:
            return False
        said = found.get("ChecksumSHA256", "")
        if not said:  # a server that keeps none: it compared while it received
            return or_unknown
        whole = base64.b64encode(bytes.fromhex(file.sha256)).decode("ascii")
        return said in {whole, file.parts}

    # --- in parts

    def _put_parts(self, name: str, measured: Measured) -> None:
        notes = _Notes(self._notes_of(name, measured.file))
        where = {"Bucket": self._bucket, "Key": self._prefix + name}
        upload, done = notes.read()
        if upload and not self._goes_on(where, upload):
            upload, done = "", {}
        if not upload:
            with self._asking(name):
                upload = self._client.create_multipart_upload(
                    **where, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
                )["UploadId"]
            notes.begin(upload)
        where["UploadId"] = upload
        tags = _Parts(measured, done, notes, self._progress).send(
            lambda number, data: self._put_part(name, where, measured, number, data)
        )
        parts = [
            {
                "PartNumber": number,
                "ETag": tags[number],
                "ChecksumSHA256": base64.b64encode(digest).decode("ascii"),
            }
            for number, digest in enumerate(measured.digests, 1)
        ]
        with contextlib.suppress(_Gone), self._asking(name):  # another run completed it
            self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        notes.end()

    def _put_part(
        self, name: str, where: Mapping[str, str], measured: Measured, number: int, data: bytes
    ) -> str:
        with self._asking(name):
            made = self._client.upload_part(
                **where,
                PartNumber=number,
                Body=data,
                ChecksumSHA256=base64.b64encode(measured.digests[number - 1]).decode("ascii"),
            )
            tag: str = made["ETag"]
            return tag

    def _goes_on(self, where: Mapping[str, str], upload: str) -> bool:
        try:
            with self._asking(where["Key"]):
                self._client.list_parts(**where, UploadId=upload, MaxParts=1)
        except _Gone:
            return False
        return True

    def _notes_of(self, name: str, file: File) -> Path | None:
        if self._how.state is None:
            return None
        what = [self._client.meta.endpoint_url, self._bucket, self._prefix + name, file.part_size]
        digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        return self._how.state / f"{digest}.jsonl"

    # --- what servers say

    @contextlib.contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn what boto3 raises into our own; `_Taken` and `_Gone` are for our callers."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            ParamValidationError,
            PartialCredentialsError,
        )

        try:
            yield
        except ClientError as error:
            raise self._refused(error.response, name) from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise PlaceUnauthorized(str(error), where=self.where) from None
        except ParamValidationError as error:
            raise PlaceInvalid(str(error).splitlines()[-1], where=self.where) from None
        except (BotoCoreError, OSError) as error:
            why = type(error).__name__
            raise PlaceUnreachable(
                f"the server does not answer ({why})", where=self._at(name)
            ) from None

    def _refused(self, response: Mapping[str, Any], name: str) -> Exception:
        code, where = str(response.get("Error", {}).get("Code", "")), self._at(name)
        answer = response.get("ResponseMetadata", {})
        if code in _TAKEN:
            return _Taken()
        if code in _GONE or code == "NoSuchUpload":
            return _Gone()
        return _error_of(code, answer, where, self.where)

    def _at(self, name: str) -> str:
        return repr(f"s3://{self._bucket}/{self._prefix}{name}")


def _error_of(code: str, answer: Mapping[str, Any], where: str, place: str) -> KitError:
    status = answer.get("HTTPStatusCode", 0)
    said = f"the server answers {status} {code[:60]!r}"
    if code == "RequestTimeTooSkewed":
        date = str(answer.get("HTTPHeaders", {}).get("date", "unknown"))[:40]
        return ClockSkewed(f"the server says that it is {date!r}", where=place)
    if code == "NoSuchBucket":
        return PlaceInvalid("there is no such bucket", where=place)
    if code in _UNAUTHORIZED:
        return PlaceUnauthorized(said, where=where)
    if code in _FULL:
        return PlaceFull(said, where=where)
    if code in _DIFFERS:
        return PlaceDiffers(f"{said}: it received other bytes", where=where)
    if code == "NotImplemented" or status == 501:
        return NoConditionalWrite(said, where=place)
    if code == "InternalError":  # SeaweedFS has no other word for it
        said += ", which may also mean that its disk is full"
    return PlaceUnreachable(said, where=where)


class _Taken(Exception):
    """There is an object of this name already."""


class _Gone(Exception):
    """There is no object, or no upload, of this name."""


class _Parts:
    """Sends the parts of one file, several at once."""

    def __init__(
        self, measured: Measured, done: dict[int, str], notes: _Notes, progress: Progress
    ) -> None:
        self._measured, self._tags, self._notes = measured, dict(done), notes
        self._progress = progress
        self._lock = threading.Lock()
        self._next = iter(n for n in range(1, len(measured.digests) + 1) if n not in done)

    def send(self, put: Callable[[int, bytes], str]) -> dict[int, str]:
        """Send what is missing; return the tag of every part.

        Raises:
            KitError: The first failure; it ends the others.
        """
        stop = threading.Event()
        descriptor = os.open(self._measured.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="part") as pool:
                jobs = [pool.submit(self._work, put, descriptor, stop) for _ in range(AT_ONCE)]
                wait(jobs, return_when=FIRST_EXCEPTION)
                stop.set()
            for job in jobs:
                job.result()
        finally:
            os.close(descriptor)
        return self._tags

    def _work(
        self, put: Callable[[int, bytes], str], descriptor: int, stop: threading.Event
    ) -> None:
        part = self._measured.file.part_size
        try:
            while not stop.is_set():
                with self._lock:
                    number = next(self._next, 0)
                if not number:
                    return
                data = os.pread(descriptor, part, (number - 1) * part)
                tag = put(number, data)
                with self._lock:
                    self._tags[number] = tag
                    self._notes.add(number, tag)
                    sent = min(len(self._tags) * part, self._measured.file.size)
                self._progress(self._measured.file.name, sent, self._measured.file.size)
        except BaseException:
            stop.set()
            raise


class _Notes:
    """What a run writes down of an upload, so that the next one goes on: a line for each part.

    A server lists the parts that it has without their SHA-256, so only what we noted counts.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> tuple[str, dict[int, str]]:
        """Return the upload that was begun, and the tags of parts that arrived."""
        upload, tags = "", {}
        try:
            text = self._path.read_text("utf-8") if self._path else ""
        except (OSError, ValueError):
            return "", {}
        for line in text.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue  # torn by a kill
            if "upload" in value:
                upload = str(value["upload"])
            else:
                tags[int(value["part"])] = str(value["tag"])
        return upload, tags if upload else {}

    def begin(self, upload: str) -> None:
        """Note a new upload."""
        if self._path is not None:
            with self._writing():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.write_text(json.dumps({"upload": upload}) + "\n", "utf-8")

    def add(self, number: int, tag: str) -> None:
        """Note a part that arrived."""
        if self._path is not None:
            with self._writing(), open(self._path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps({"part": number, "tag": tag}) + "\n")

    def end(self) -> None:
        """Forget an upload."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            assert self._path is not None
            why = f"the note of an unfinished upload: {error.strerror or error}"
            raise PlaceUnreachable(why, where=show(self._path)) from None
