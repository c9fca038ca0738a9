"""Images of the kit into the site's registry, by the OCI distribution protocol (spec 1.1).

What is there is not sent again; manifests come after their blobs, tags after all manifests; every
digest is asked back.  A registry of the site may be plain HTTP only where the runbook says so.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode, urljoin, urlsplit

from runner.brought.action import DONE, TO_DO, Action, NotPossible
from verifier.typed import Any, record

_SECONDS = 60
_MAX_DOCUMENT = 4 << 20  # bytes of a manifest, as in FORMAT 17.1
_REPOSITORY = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = "org.opencontainers.image.ref.name"
_REALM = re.compile(r'([a-z]+)="([^"]*)"')


@record(frozen=True)
class Manifest:
    """A manifest or an index of the layout."""

    digest: str
    media_type: str
    data: bytes
    tag: str = ""


class Layout:
    """An OCI image layout of the kit; its members were proved when the step was started."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def path(self, digest: str) -> str:
        """Return the file of a blob."""
        found = re.fullmatch("sha256:([0-9a-f]{64})", digest)
        if not found:
            raise NotPossible(f"{digest!r} is no digest by SHA-256")
        return os.path.join(self._directory, "blobs", "sha256", found[1])

    def manifests(self) -> Iterator[Manifest]:
        """Yield every manifest, those that others refer to first."""
        with open(os.path.join(self._directory, "index.json"), "rb") as file:
            index = json.loads(file.read(_MAX_DOCUMENT))
        seen: set[str] = set()
        for entry in index["manifests"]:
            name = entry.get("annotations", {}).get(_NAME, "")
            tag = name.rpartition(":")[2].rpartition("/")[2]
            if not _TAG.fullmatch(tag):
                raise NotPossible(f"{name!r} has no tag that a registry takes")
            yield from self._walk(entry, tag, seen, 0)

    def _walk(
        self, entry: Mapping[str, Any], tag: str, seen: set[str], depth: int
    ) -> Iterator[Manifest]:
        if depth > 4:
            raise NotPossible("indexes lie deeper in each other than four")
        with open(self.path(entry["digest"]), "rb") as file:
            data = file.read(_MAX_DOCUMENT + 1)
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != entry["digest"]:
            raise NotPossible(f"{entry['digest']} is not what its name says, or is too large")
        for below in json.loads(data).get("manifests", ()):
            yield from self._walk(below, "", seen, depth + 1)
        if tag or entry["digest"] not in seen:
            seen.add(entry["digest"])
            yield Manifest(entry["digest"], entry["mediaType"], data, tag)

    def blobs(self, manifest: Manifest) -> Iterator[str]:
        """Yield the digests of what a manifest needs beside other manifests."""
        value = json.loads(manifest.data)
        for descriptor in (value.get("config"), *value.get("layers", ())):
            if descriptor and os.path.exists(self.path(descriptor["digest"])):
                yield descriptor["digest"]


class Registry:
    """A registry and one repository in it."""

    def __init__(self, arguments: Mapping[str, str], login: str) -> None:
        self._address, self._repository = arguments["registry"], arguments["repository"]
        if not _REPOSITORY.fullmatch(self._repository):
            raise NotPossible(f"{self._repository!r} is no repository")
        self._plain, self._ca = arguments.get("plain") == "yes", arguments.get("ca")
        self._login, self._token = login, ""

    def _connect(self, plain: bool, address: str) -> http.client.HTTPConnection:
        if plain:
            return http.client.HTTPConnection(address, timeout=_SECONDS)
        context = ssl.create_default_context(cafile=self._ca)
        return http.client.HTTPSConnection(address, timeout=_SECONDS, context=context)

    def ask(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Mapping[str, str]]:
        """Send one request, with a token if the registry wants one; return status and headers."""
        for attempt in range(2):
            connection = self._connect(self._plain, self._address)
            try:
                if attempt and hasattr(body, "seek"):
                    body.seek(0)
                sent = {"User-Agent": "kit-run", **headers, **self._authorization()}
                connection.request(method, path, body=body, headers=sent)
                answer = connection.getresponse()
                answer.read(_MAX_DOCUMENT)
                found = {name.lower(): value for name, value in answer.getheaders()}
            except http.client.HTTPException as error:
                raise NotPossible(f"the registry says nothing that HTTP allows: {error}") from None
            finally:
                connection.close()
            if answer.status != 401 or attempt or not self._log_in(found):
                return answer.status, found
        raise AssertionError("the second answer is returned")

    def _authorization(self) -> dict[str, str]:
        if self._token:
            return {"Authorization": f"Bearer {self._token}"}
        if self._login:
            coded = base64.b64encode(self._login.encode()).decode("ascii")
            return {"Authorization": f"Basic {coded}"}
        return {}

    def _log_in(self, headers: Mapping[str, str]) -> bool:
        """Fetch a token from where the registry says; only from a place as safe as itself."""
        challenge = headers.get("www-authenticate", "")
        wanted = dict(_REALM.findall(challenge))
        if not challenge.lower().startswith("bearer ") or "realm" not in wanted:
            return False
        realm = urlsplit(wanted["realm"])
        if realm.scheme != "https" and not self._plain:
            raise NotPossible("the registry wants the login sent without TLS")
        query = {"scope": f"repository:{self._repository}:pull,push"}
        query.update({"service": wanted["service"]} if "service" in wanted else {})
        connection = self._connect(realm.scheme == "http", realm.netloc)
        try:
            target = f"{realm.path or '/'}?{urlencode(query)}"
            connection.request("GET", target, headers=self._authorization())
            value = json.loads(connection.getresponse().read(_MAX_DOCUMENT))
            self._token = str(value.get("token") or value.get("access_token") or "")
        except (ValueError, AttributeError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return bool(self._token)

    def _path(self, kind: str, name: str) -> str:
        return f"/v2/{self._repository}/{kind}/{name}"

    def digest_of(self, manifest: Manifest, name: str) -> str:
        """Return the digest that the registry has under a name; empty if it has none."""
        headers = {"Accept": manifest.media_type}
        status, found = self.ask("HEAD", self._path("manifests", name), headers=headers)
        if status == 404:
            return ""
        if status != 200:
            raise NotPossible(f"the registry answers {status} when asked for {name}")
        return found.get("docker-content-digest", "")

    def has_blob(self, digest: str) -> bool:
        """Whether a blob is there."""
        status, _ = self.ask("HEAD", self._path("blobs", digest))
        if status not in (200, 404):
            raise NotPossible(f"the registry answers {status} when asked for a blob")
        return status == 200

    def put_blob(self, digest: str, path: str) -> None:
        """Send a blob, from its file; the registry holds it to its digest."""
        status, found = self.ask("POST", f"{self._path('blobs', 'uploads')}/")
        if status != 202 or "location" not in found:
            raise NotPossible(f"the registry answers {status} to a new blob")
        parts = urlsplit(urljoin(f"http://{self._address}/", found["location"]))
        query = f"{parts.query}&" if parts.query else ""
        target = f"{parts.path}?{query}{urlencode({'digest': digest})}"
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
            status, _ = self.ask("PUT", target, body=file, headers=headers)
        if status != 201:
            raise NotPossible(f"the registry answers {status} to the blob {digest}")

    def put_manifest(self, manifest: Manifest, name: str) -> None:
        """Send a manifest under its digest or a tag."""
        headers = {"Content-Type": manifest.media_type}
        path = self._path("manifests", name)
        status, found = self.ask("PUT", path, body=manifest.data, headers=headers)
        if status != 201 or found.get("docker-content-digest", manifest.digest) != manifest.digest:
            raise NotPossible(f"the registry answers {status} to the manifest {name}")


class PushImages(Action):
    """Every image of the layout ``from``, under ``registry/repository`` and its own tag."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        super().__init__(arguments)
        login = os.environ.get(arguments.get("login", ""), "")
        if "login" in arguments and ":" not in login:
            raise NotPossible(f"{arguments['login']} holds no USER:PASSWORD")
        self._registry, self._layout = Registry(arguments, login), Layout(arguments["from"])

    def check(self) -> int:
        """Say whether every tag names its image, and all that the images need is there."""
        for manifest in self._layout.manifests():
            for name in filter(None, [manifest.digest, manifest.tag]):
                if self._registry.digest_of(manifest, name) != manifest.digest:
                    return TO_DO
            if not all(map(self._registry.has_blob, self._layout.blobs(manifest))):
                return TO_DO
        return DONE

    def apply(self) -> None:
        """Send what is missing: blobs, then manifests, then tags."""
        tagged = []
        for manifest in self._layout.manifests():
            for digest in self._layout.blobs(manifest):
                if not self._registry.has_blob(digest):
                    self._registry.put_blob(digest, self._layout.path(digest))
            if self._registry.digest_of(manifest, manifest.digest) != manifest.digest:
                self._registry.put_manifest(manifest, manifest.digest)
            if manifest.tag:
                tagged.append(manifest)
        for manifest in tagged:
            self._registry.put_manifest(manifest, manifest.tag)
