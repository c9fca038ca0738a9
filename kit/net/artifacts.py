"""Releases in a container registry: each an artifact whose config is the entry (RELEASES 6.4).

A registry has no operation that fails if a tag is there, so `create` looks before and after, and
says what it saw; one writer at a time is the operator's to keep.  A body that a server did not take
is opened anew, never rewound, and what a `Location` leads to gets credentials on our host alone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit

from kit.net.client import Client, pause
from kit.net.download import Wanted
from kit.net.errors import ArtifactGone, FetchFailed, FetchUnauthorized
from kit.net.logins import Logins
from kit.net.registry import OCI_MANIFEST, Reference, Registry
from kit.places.errors import (
    PlaceDiffers,
    PlaceFull,
    PlaceInvalid,
    PlaceUnauthorized,
    PlaceUnreachable,
)
from kit.places.model import (
    ARTIFACT,
    CONFIG,
    LAYER,
    TITLE,
    Measured,
    Progress,
    entry_tag,
)
from kit.releases.record import File, Record
from kit.store.errors import ArtifactDiffers
from verifier.core.jsonstrict import NotStrict, compact, parse_json

_MADE = frozenset({200, 201, 202, 204})
_TRIES = 5  # of one blob; each begins anew, since registries do not go on reliably


class RegistryPlace:
    """A repository of a registry."""

    alone = True

    def __init__(
        self, reference: Reference, client: Client, logins: Logins, progress: Progress | None = None
    ) -> None:
        self._registry = Registry(client, reference, logins)
        self._client = client
        self._progress = progress or (lambda name, done, total: None)
        self.address = f"{self._registry.url.partition('/v2/')[0]}/v2/"
        self.where = repr(f"oci://{reference.host}/{reference.repository}")

    # --- reading

    def entry(self, line: str, n: int) -> bytes | None:
        """Return an entry as it lies there; None if there is none.

        Raises:
            PlaceDiffers: There is something else under its tag, or its bytes are others.
            KitError: The registry does not say.
        """
        found = self._manifest(entry_tag(line, n))
        if found is None:
            return None
        return self._config(found[1], entry_tag(line, n))

    def _manifest(self, tag: str) -> tuple[str, dict[str, Any]] | None:
        found = self._registry.tagged(tag)
        if found is None:
            return None
        data = found[0]
        try:
            value = parse_json(data)
        except NotStrict:
            value = None
        if not isinstance(value, dict) or value.get("artifactType") != ARTIFACT:
            raise PlaceDiffers("is no release, but something else", where=self._at(tag))
        return hashlib.sha256(data).hexdigest(), value

    def _config(self, manifest: Mapping[str, Any], tag: str) -> bytes:
        config = manifest.get("config")
        digest = config.get("digest") if isinstance(config, dict) else None
        if not isinstance(digest, str) or len(digest) != 71 or not digest.startswith("sha256:"):
            raise PlaceDiffers("names no config", where=self._at(tag))
        try:
            return self._registry.small_blob(digest)
        except ArtifactDiffers as error:
            raise PlaceDiffers(error.message, where=self._at(tag)) from None
        except ArtifactGone:
            raise PlaceDiffers("its config is not there", where=self._at(tag)) from None

    def wanted(self, line: str, n: int, file: File) -> Wanted:
        """Return how a file of an entry is fetched."""
        del line, n
        url = self._registry.blob_url(f"sha256:{file.sha256}")
        return Wanted(file.name, (url,), file.sha256, file.size, authorize=self._registry.authorize)

    # --- writing

    def probe(self) -> None:
        """See whether the repository can be written, by beginning an upload and ending it.

        Raises:
            KitError: It cannot.
        """
        place = self._begin()
        self._send("DELETE", place, {}, None, frozenset({*_MADE, 404, 405}))

    def rights(self) -> tuple[str, ...]:
        """See whether uploads can be begun; no tag has a condition.

        Raises:
            KitError: They cannot.
        """
        self.probe()
        return ("create",)

    def put(self, measured: Measured) -> bool:
        """Put a file as a blob; return False if it was there.

        Raises:
            KitError: It could not be put.
        """
        file = measured.file
        if self._is_there(f"sha256:{file.sha256}", file.size):
            return False
        self._put_blob(
            file.sha256,
            file.size,
            lambda: io.BufferedReader(_Counting(measured.open(), file, self._progress)),
        )
        return True

    def begin(self, file: File) -> None:
        """Nothing is taken before it is known."""

    def create(self, record: Record, data: bytes) -> bool:
        """Create an entry, if there is none with its number before and none but it after.

        Raises:
            PlaceDiffers: Another writer was there between both looks.
            KitError: The registry does not say.
        """
        tag = entry_tag(record.line, record.n)
        if self._manifest(tag) is not None:
            return False
        digest = hashlib.sha256(data).hexdigest()
        if not self._is_there(f"sha256:{digest}", len(data)):
            self._put_blob(digest, len(data), lambda: io.BytesIO(data))
        manifest = manifest_bytes(record, data)
        self._send(
            "PUT",
            f"{self._registry.url}/manifests/{tag}",
            {"Content-Type": OCI_MANIFEST},
            lambda: io.BytesIO(manifest),
            _MADE,
        )
        after = self._manifest(tag)
        mine = hashlib.sha256(manifest).hexdigest()
        if after is None or after[0] != mine:
            raise PlaceDiffers(
                f"has manifest {after[0] if after else 'none'} after {mine} was put: "
                "somebody else writes there too",
                where=self._at(tag),
            )
        return True

    def _is_there(self, digest: str, size: int) -> bool:
        try:
            return self._registry.size(digest) == size
        except ArtifactGone:
            return False

    def _put_blob(self, sha256: str, size: int, body: Callable[[], IO[bytes]]) -> None:
        last: Exception | None = None
        for attempt in range(_TRIES):
            if attempt:
                self._client.ways.sleep(pause(attempt - 1))
            place = self._begin()
            joint = "&" if urlsplit(place).query else "?"
            url = f"{place}{joint}{urlencode({'digest': f'sha256:{sha256}'})}"
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            try:
                self._send("PUT", url, headers, body, _MADE, once=True)
            except PlaceUnreachable as error:
                last = error
                continue
            return
        assert last is not None
        raise last

    def _begin(self) -> str:
        """Begin an upload; return where its body goes."""
        url = f"{self._registry.url}/blobs/uploads/"
        location = self._send("POST", url, {"Content-Length": "0"}, None, _MADE)
        if not location:
            raise PlaceUnreachable("the registry does not say where to send to", where=self.where)
        try:
            target = urljoin(url, location)
            plain = urlsplit(target).scheme != "https"
        except ValueError:
            raise PlaceUnreachable(
                "the registry leads to what is no URL", where=self.where
            ) from None
        if urlsplit(url).scheme == "https" and plain:
            raise PlaceUnreachable(
                "the registry leads from https to something else", where=self.where
            )
        return target

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], IO[bytes]] | None,
        accept: frozenset[int],
        *,
        once: bool = False,
    ) -> str:
        """Send with the credentials of the registry; return the Location of the answer.

        Args:
            once: It ends an upload: what was sent in part stays in it, and is not sent there again.
        """
        for attempt in range(2):
            taken = accept | ({401} if attempt == 0 else set())
            try:
                with self._client.get(
                    url,
                    headers,
                    method=method,
                    accept=frozenset({*taken, 413, 507}),
                    authorize=self._registry.authorize,
                    body=body,
                    tries=1 if once else 0,
                ) as response:
                    if response.status in {413, 507}:
                        said = (
                            f"the registry answers {response.status}: it takes nothing that large"
                        )
                        raise PlaceFull(said, where=self.where)
                    if response.status != 401:
                        return response.headers.get("Location", "")
                    challenge = response.headers.get("WWW-Authenticate", "")
                self._registry.renew(challenge)
            except FetchUnauthorized as error:
                raise PlaceUnauthorized(error.message, where=self.where) from None
            except ArtifactGone as error:
                if once:
                    said = "the registry no longer knows the upload"
                    raise PlaceUnreachable(said, where=self.where) from None
                raise PlaceInvalid(
                    f"{error.message}: no such repository", where=self.where
                ) from None
            except FetchFailed as error:
                said = error.message
                if said.endswith(" 500"):  # docker-registry has no other word for it
                    said += ", which may also mean that its disk is full"
                raise PlaceUnreachable(said, where=self.where) from None
        raise AssertionError("the second answer is taken or an error")

    def _at(self, tag: str) -> str:
        return repr(f"{self.where[1:-1]}:{tag}")


def manifest_bytes(record: Record, data: bytes) -> bytes:
    """Return the manifest of a release: the same bytes for the same entry (OCI image-spec 1.1)."""
    config = {
        "mediaType": CONFIG,
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
    }
    layers = [
        {
            "mediaType": LAYER,
            "digest": f"sha256:{file.sha256}",
            "size": file.size,
            "annotations": {TITLE: file.name},
        }
        for file in record.files
    ]
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": ARTIFACT,
        "config": config,
        "layers": layers,
        "annotations": {
            "org.opencontainers.image.created": record.created,
            "org.opencontainers.image.title": record.name,
            "org.opencontainers.image.version": record.version,
        },
    }
    return compact(value)


class _Counting(io.RawIOBase):
    """A file that tells how far it was read, and closes itself."""

    def __init__(self, file: IO[bytes], about: File, progress: Progress) -> None:
        self._file, self._about, self._progress = file, about, progress
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._done += len(data)
        self._progress(self._about.name, self._done, self._about.size)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
