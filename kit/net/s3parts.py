"""A file that goes into a bucket in parts: begun under its name, seen by nobody before the end."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import show
from kit.net.s3answers import Gone
from kit.places.errors import PlaceUnreachable
from kit.places.model import Measured

Asking = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Arrived:
    """A part that the server has.

    Attributes:
        tag: What the server calls it; no hash of anything.
        sha256: Of its bytes, as they were sent.
    """

    tag: str
    sha256: str


class Upload:
    """One upload of one file (S3 CreateMultipartUpload), for `kit.places.sending`.

    Args:
        where: The bucket and the key.
        asking: Turns what boto3 raises into our errors.
        check: Raises if the server has another file than the one that was measured.
    """

    def __init__(
        self,
        client: Any,
        where: Mapping[str, str],
        notes: Notes,
        asking: Asking,
        check: Callable[[Measured], None],
    ) -> None:
        self._client, self._notes, self._asking, self._check = client, notes, asking, check
        self._lock = threading.Lock()
        upload, self._parts = notes.read()
        if upload and not self._goes_on(where, upload):
            upload, self._parts = "", {}
        if not upload:
            with asking():
                upload = client.create_multipart_upload(
                    **where, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
                )["UploadId"]
            notes.begin(upload)
        self._where = {**where, "UploadId": upload}

    def _goes_on(self, where: Mapping[str, str], upload: str) -> bool:
        try:
            with self._asking():
                self._client.list_parts(**where, UploadId=upload, MaxParts=1)
        except Gone:
            return False
        return True

    def take(self, number: int, data: bytes | bytearray, digest: bytes) -> None:
        """Send a part, unless it arrived in an earlier run; any thread may, in any order.

        Raises:
            KitError: It did not arrive.
        """
        with self._lock:
            there = self._parts.get(number)
        if there is not None and there.sha256 == digest.hex():
            return
        with self._asking():
            made = self._client.upload_part(
                **self._where, PartNumber=number, Body=data, ChecksumSHA256=_base64(digest)
            )
        part = Arrived(made["ETag"], digest.hex())
        with self._lock:
            self._parts[number] = part
            self._notes.add(number, part)

    def complete(self, measured: Measured) -> None:
        """Make a file of the parts.

        Raises:
            PlaceDiffers: The server has another SHA-256 of it.
            KitError: It did not become one.
        """
        parts = [
            {
                "PartNumber": number,
                "ETag": self._parts[number].tag,
                "ChecksumSHA256": _base64(digest),
            }
            for number, digest in enumerate(measured.digests, 1)
        ]
        with contextlib.suppress(Gone), self._asking():  # another run completed it
            self._client.complete_multipart_upload(**self._where, MultipartUpload={"Parts": parts})
        self._notes.end()
        self._check(measured)

    def abort(self) -> None:
        """Have the server throw away what arrived.

        Raises:
            KitError: The server does not say that it did.
        """
        with contextlib.suppress(Gone), self._asking():
            self._client.abort_multipart_upload(**self._where)
        self._notes.end()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


class Notes:
    """What a run writes down of an upload, so that the next one goes on: a line for each part.

    A server lists the parts that it has without their SHA-256, so only what we noted counts.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> tuple[str, dict[int, Arrived]]:
        """Return the upload that was begun, and the parts that arrived."""
        upload, parts = "", {}
        try:
            text = self._path.read_text("utf-8") if self._path else ""
        except (OSError, ValueError):
            return "", {}
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # torn by a kill
                value = json.loads(line)
                if "upload" in value:
                    upload = str(value["upload"])
                else:
                    parts[int(value["part"])] = Arrived(value["tag"], value["sha256"])
        return upload, parts if upload else {}

    def begin(self, upload: str) -> None:
        """Note a new upload."""
        if self._path is not None:
            with self._writing():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.write_text(json.dumps({"upload": upload}) + "\n", "utf-8")

    def add(self, number: int, part: Arrived) -> None:
        """Note a part that arrived."""
        line = {"part": number, "tag": part.tag, "sha256": part.sha256}
        if self._path is not None:
            with self._writing(), open(self._path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

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
