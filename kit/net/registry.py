"""Container registries by the distribution protocol (OCI distribution-spec 1.1), as a reader.

Credentials are those of `kit.net.logins`.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from kit.net.client import Client, Response, is_loopback, is_named
from kit.net.errors import ArtifactGone, FetchFailed, FetchUnauthorized, ReferenceInvalid
from kit.net.logins import Logins, object_of
from kit.store.errors import ArtifactDiffers, ArtifactTooLarge
from verifier.core.limits import MIB

MAX_MANIFEST = 4 * MIB  # what registries take (distribution-spec 1.1, "Pushing Manifests")
_MAX_TOKEN = MIB
_TOKEN_SECONDS = 60.0  # a token lives at least so long (distribution's token specification)

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_ACCEPT = ", ".join([OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST])

_HOST = r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_REPOSITORY = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
_REFERENCE = re.compile(
    rf"(?P<host>{_HOST})/(?P<repository>{_REPOSITORY})"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?"
)
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')  # RFC 8288
_MAX_PAGES = 50  # of a list of referrers
_NO_LIST = frozenset({400, 405, 501})  # how registries say that they have none, beside 404
_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')


@dataclass(frozen=True)
class Reference:
    """An image by name: ``HOST/REPOSITORY:TAG@DIGEST``, with a tag, a digest, or both."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def manifest(self) -> str:
        """What the manifest is asked for by."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Return the reference that ``text`` is.

    Nothing is added to it: a name without a registry means another image on every host.

    Raises:
        ReferenceInvalid: It is none, or lacks the registry, or both tag and digest.
    """
    match = _REFERENCE.fullmatch(text)
    host = match["host"] if match else ""
    if not match or not ("." in host or ":" in host or host == "localhost"):
        raise ReferenceInvalid(f"{text!r} is not HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST")
    if not match["tag"] and not match["digest"]:
        raise ReferenceInvalid(f"{text!r} has neither tag nor digest")
    return Reference(host, match["repository"], match["tag"] or "", match["digest"] or "")


class Registry:
    """One repository of a registry."""

    def __init__(self, client: Client, reference: Reference, logins: Logins) -> None:
        host = reference.host
        self._client = client
        self._logins = logins
        self._host = host
        self._repository = reference.repository
        here = is_loopback(_name(host)) and client.certs_for(host) is None
        plain = here or is_named(host, client.ways.plain_http)
        self.url = f"{'http' if plain else 'https'}://{host}/v2/{reference.repository}"
        self._header: dict[str, str] = {}
        self._until = 0.0
        self._challenge: str | None = None
        self._lock = threading.Lock()

    def manifest(self, name: str) -> tuple[bytes, str]:
        """Return a manifest or an index, as the bytes that the registry has, and its media type.

        Args:
            name: A tag, or a digest, which is compared.

        Raises:
            ArtifactDiffers: It has another digest.
            ArtifactTooLarge: It is larger than a manifest may be.
            KitError: The registry does not give it.
        """
        data, response = self._read(f"{self.url}/manifests/{name}", MAX_MANIFEST)
        if name.startswith("sha256:") and name != f"sha256:{hashlib.sha256(data).hexdigest()}":
            raise ArtifactDiffers(
                "the registry gives a manifest with another digest", where=repr(name)
            )
        return data, response.headers.get("Content-Type", "").partition(";")[0].strip()

    def tagged(self, tag: str) -> tuple[bytes, str] | None:
        """Return a manifest as `manifest` does; None if there is no such tag."""
        try:
            return self.manifest(tag)
        except ArtifactGone:
            return None

    def small_blob(self, digest: str) -> bytes:
        """Return a blob of the size of a manifest, compared with its digest.

        Raises:
            ArtifactDiffers: It has another digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise ArtifactDiffers(
                "a manifest names a blob by this, which is no SHA-256", where=repr(digest[:100])
            )
        data, _ = self._read(self.blob_url(digest), MAX_MANIFEST)
        if hashlib.sha256(data).hexdigest() != digest[7:]:
            raise ArtifactDiffers(
                "the registry gives a blob with another digest", where=repr(digest)
            )
        return data

    def referrers(self, digest: str) -> list[str]:
        """Return the digests of manifests whose subject is ``digest`` (distribution-spec 1.1).

        A registry without that list has them under a tag made of the digest ("Unavailable
        Referrers API").

        Raises:
            FetchFailed: The list has no end, or leads to another host.
        """
        url, found = f"{self.url}/referrers/{digest}", list[str]()
        for page in range(_MAX_PAGES):
            try:
                data, response = self._read(
                    url, MAX_MANIFEST, _NO_LIST if page == 0 else frozenset()
                )
            except ArtifactGone:
                data, response = b"", None
            media = response.headers.get("Content-Type", "") if response is not None else ""
            if response is None or response.status != 200 or not media.startswith(OCI_INDEX):
                fallback = self.tagged(digest.replace(":", "-"))
                return _listed(fallback[0]) if fallback else []
            found += _listed(data)
            match = _NEXT.search(response.headers.get("Link", ""))
            if not match:
                return found
            url = _joined(url, match[1])
            if urlsplit(url).netloc != urlsplit(self.url).netloc:
                raise FetchFailed("its list of referrers leads elsewhere", where=repr(self._host))
        raise FetchFailed("its list of referrers has no end", where=repr(self._host))

    def size(self, digest: str) -> int:
        """Return the size of a blob that is there.

        Raises:
            ArtifactGone: It is not.
            KitError: The registry does not say.
        """
        _, response = self._read(self.blob_url(digest), 0, method="HEAD")
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isascii() and length.isdigit() else -1

    def blob_url(self, digest: str) -> str:
        """Return where a blob is."""
        return f"{self.url}/blobs/{digest}"

    def authorize(self, url: str) -> Mapping[str, str]:
        """Return the header that opens the repository; a token is asked for anew in time."""
        if urlsplit(url).netloc.lower() != self._host.lower():
            return {}  # where an upload is to go may be another host
        with self._lock:
            if self._challenge is not None and time.monotonic() > self._until:
                self._answer(self._challenge)
            return dict(self._header)

    def renew(self, challenge: str) -> None:
        """Answer a challenge that came in the middle: a token ends before a long transfer does."""
        with self._lock:
            self._challenge = challenge
            self._answer(challenge)

    def _read(
        self, url: str, limit: int, also: frozenset[int] = frozenset(), method: str = "GET"
    ) -> tuple[bytes, Response]:
        for attempt in range(2):
            with self._client.get(
                url,
                {"Accept": _ACCEPT},
                method=method,
                accept=also | ({200, 401} if attempt == 0 else {200}),
                authorize=self.authorize,
            ) as response:
                if response.status != 401:
                    data = response.read(limit + 1)
                    if len(data) > limit:
                        raise ArtifactTooLarge(
                            f"answers more than {limit} bytes", where=repr(self._host)
                        )
                    return data, response
                challenge = response.headers.get("WWW-Authenticate", "")
            self.renew(challenge)
        raise AssertionError("the second answer is 200 or an error")

    def _answer(self, challenge: str) -> None:
        """Get what the registry wants to see (RFC 7617; the registry's token specification)."""
        kind = challenge.partition(" ")[0].lower()
        login = self._logins.of(self._host, self._repository)
        if kind == "basic":
            if login is None:
                raise FetchUnauthorized("wants a user name and a password", where=repr(self._host))
            self._header, self._until = {"Authorization": login}, float("inf")
            return
        fields = dict(_CHALLENGE.findall(challenge))
        if kind != "bearer" or not fields.get("realm"):
            raise FetchUnauthorized(
                "asks for a login that is neither Basic nor Bearer", where=repr(self._host)
            )
        scope = fields.get("scope") or f"repository:{self._repository}:pull"
        asked = {"service": fields.get("service", ""), "scope": scope}
        value = self._token(fields["realm"], asked, login)
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise FetchFailed("its token server answers without a token", where=repr(self._host))
        seconds = value.get("expires_in")
        lives = float(seconds) if isinstance(seconds, int) and 0 < seconds < 1 << 20 else 0.0
        self._header = {"Authorization": f"Bearer {token}"}
        self._until = time.monotonic() + max(lives, _TOKEN_SECONDS) * 0.6

    def _token(self, realm: str, asked: dict[str, str], login: str | None) -> dict[str, Any]:
        """Return what a token server says to a login, or to an identity token (its OAuth 2.0)."""
        identity = self._logins.identity(self._host, self._repository)
        if not identity:
            headers = {"Authorization": login} if login else {}
            url = f"{realm}?{urlencode(asked)}"
            with self._client.get(url, authorize=lambda _: headers) as response:
                return object_of(response.read(_MAX_TOKEN))
        form = {
            "grant_type": "refresh_token",
            "client_id": "offline-kit",
            "refresh_token": identity,
        }
        data = urlencode({**form, **asked}).encode()
        with self._client.get(
            realm,
            {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(data))},
            method="POST",
            authorize=lambda _: {},
            body=lambda: io.BytesIO(data),
        ) as response:
            return object_of(response.read(_MAX_TOKEN))


def _listed(data: bytes) -> list[str]:
    """Return the digests that an index lists; what else is in it counts for nothing."""
    entries = object_of(data).get("manifests")
    found = [entry.get("digest") for entry in entries or () if isinstance(entry, dict)]
    return [one for one in found if isinstance(one, str) and _DIGEST.fullmatch(one)]


def _joined(url: str, target: str) -> str:
    """Return where a server leads to; empty if that is no URL."""
    try:
        return urljoin(url, target)
    except ValueError:
        return ""


def _name(host: str) -> str:
    return host.rpartition(":")[0].strip("[]") if host.rpartition(":")[2].isdigit() else host
