"""The site's registry, by the OCI distribution protocol (spec 1.1), in the standard library.

A large blob goes in parts, and where the registry expects the next one is noted: an attempt that
was cut off is gone on with, also by the next runner.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import os
import re
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urljoin, urlsplit

from runner.brought.action import NotPossible
from runner.brought.placing import flag_of
from verifier.folder import Folder
from verifier.typed import Any, record

MAX_DOCUMENT = 4 << 20  # bytes of a manifest, as in FORMAT 17.1
PART = 16 << 20  # bytes that are sent at once
_SECONDS = 60
_REPOSITORY = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
_REALM = re.compile(r'([a-z]+)="([^"]*)"')
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")

Told = Callable[[int, int], None]
"""Told how many bytes of a blob are sent, of how many."""


@record(frozen=True)
class Manifest:
    """A manifest or an index of a layout."""

    digest: str
    media_type: str
    data: bytes
    tag: str = ""


class Registry:
    """A registry, one repository in it, and those that blobs may be taken over from.

    Args:
        login: ``USER:PASSWORD``, or nothing.
        notes: A directory that outlives this process; empty for none.
    """

    def __init__(self, arguments: Mapping[str, str], login: str, notes: str = "") -> None:
        self._address, self._repository = arguments["registry"], arguments["repository"]
        self._others = [name for name in arguments.get("mount", "").split(",") if name]
        for name in (self._repository, *self._others):
            if not _REPOSITORY.fullmatch(name):
                raise NotPossible(f"{name!r} is no repository")
        self._plain, self._ca = flag_of(arguments, "plain"), arguments.get("ca")
        self._login, self._token, self._notes = login, "", notes

    def _connect(self, plain: bool, address: str) -> http.client.HTTPConnection:
        if plain:
            return http.client.HTTPConnection(address, timeout=_SECONDS)
        context = ssl.create_default_context(cafile=self._ca)
        return http.client.HTTPSConnection(address, timeout=_SECONDS, context=context)

    def ask(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Mapping[str, str]]:
        """Send one request, with a token if the registry wants one; return status and headers.

        Raises:
            NotPossible: It speaks no HTTP, or the login would be sent in the clear.
            OSError: The connection is lost: the same may be tried again.
        """
        for attempt in range(2):
            connection = self._connect(self._plain, self._address)
            try:
                if attempt and hasattr(body, "seek"):
                    body.seek(0)
                sent = {"User-Agent": "kit-run", **headers, **self._authorization()}
                connection.request(method, path, body=body, headers=sent)
                answer = connection.getresponse()
                answer.read(MAX_DOCUMENT)
                found = {name.lower(): value for name, value in answer.getheaders()}
            except http.client.HTTPException as error:
                if isinstance(error, OSError):  # it hung up
                    raise
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
        scopes = [f"repository:{self._repository}:pull,push"]
        scopes += [f"repository:{name}:pull" for name in self._others]
        query = [("scope", scope) for scope in scopes]
        query += [("service", wanted["service"])] if "service" in wanted else []
        self._token = ""  # one that is too old is sent to nobody
        connection = self._connect(realm.scheme == "http", realm.netloc)
        try:
            target = f"{realm.path or '/'}?{urlencode(query)}"
            connection.request("GET", target, headers=self._authorization())
            value = json.loads(connection.getresponse().read(MAX_DOCUMENT))
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

    def put_manifest(self, manifest: Manifest, name: str) -> None:
        """Send a manifest under its digest or a tag."""
        headers = {"Content-Type": manifest.media_type}
        path = self._path("manifests", name)
        status, found = self.ask("PUT", path, body=manifest.data, headers=headers)
        if status != 201 or found.get("docker-content-digest", manifest.digest) != manifest.digest:
            raise NotPossible(f"the registry answers {status} to the manifest {name}")

    # --- blobs -----------------------------------------------------------------------------------

    def put_blob(self, digest: str, path: str, told: Told = lambda sent, size: None) -> str:
        """Have a blob be there; the registry holds it to its digest.

        Args:
            path: Its file.

        Returns:
            How it came there: ``mounted``, ``sent`` or ``sent on``.
        """
        at, offset = self._gone_on_with(digest)
        how = "sent on" if at else "sent"
        if not at:
            at = self._begun(digest)
            if not at:
                return "mounted"
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if offset > size:
                raise NotPossible(f"the registry has more of {digest} than there is")
            file.seek(offset)
            while size - offset > PART:
                part = file.read(PART)
                at = self._send_part(digest, at, part, offset)
                offset += len(part)
                told(offset, size)
            self._send_last(digest, at, file.read(), offset)
        told(size, size)
        self._note(digest, "")
        return how

    def _begun(self, digest: str) -> str:
        """Begin to send a blob; return where, or nothing if it was mounted instead."""
        ways = [urlencode({"mount": digest, "from": other}) for other in self._others]
        for query in ways or [""]:
            target = f"{self._path('blobs', 'uploads')}/" + (f"?{query}" if query else "")
            status, found = self.ask("POST", target, headers={"Content-Length": "0"})
            if status == 201 and query:
                return ""
            if status != 202 or "location" not in found:
                raise NotPossible(f"the registry answers {status} to a new blob")
        return self._target(found)

    def _target(self, headers: Mapping[str, str]) -> str:
        """Return the path and query of where to go on: never on another host."""
        parts = urlsplit(urljoin(f"http://{self._address}/", headers["location"]))
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _send_part(self, digest: str, at: str, part: bytes, offset: int) -> str:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(part))}
        headers["Content-Range"] = f"{offset}-{offset + len(part) - 1}"
        status, found = self.ask("PATCH", at, body=io.BytesIO(part), headers=headers)
        reached = _RANGE.fullmatch(found.get("range", ""))
        if status != 202 or "location" not in found:
            self._note(digest, "")
            raise NotPossible(f"the registry answers {status} to a part of {digest}")
        if reached is not None and int(reached[1]) + 1 != offset + len(part):
            self._note(digest, "")
            raise NotPossible(f"the registry has not the part of {digest} that was sent")
        at = self._target(found)
        self._note(digest, at)
        return at

    def _send_last(self, digest: str, at: str, part: bytes, offset: int) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(part))}
        if offset:
            headers["Content-Range"] = f"{offset}-{offset + len(part) - 1}"
        target = f"{at}{'&' if '?' in at else '?'}{urlencode({'digest': digest})}"
        status, _ = self.ask("PUT", target, body=io.BytesIO(part), headers=headers)
        if status != 201:
            self._note(digest, "")  # what is there is wrong: the next attempt begins anew
            raise NotPossible(f"the registry answers {status} to the blob {digest}")

    def _gone_on_with(self, digest: str) -> tuple[str, int]:
        """Return where an attempt before this one stands, and how far it came; or nothing.

        The registry is asked: not every one looks where a part belongs before it appends it.
        """
        at = self._noted(digest)
        if not at:
            return "", 0
        status, found = self.ask("GET", at)
        reached = _RANGE.fullmatch(found.get("range", ""))
        if status != 204 or reached is None:
            self._note(digest, "")
            return "", 0
        if "location" in found:
            at = self._target(found)
        return at, int(reached[1]) + 1

    def _noted(self, digest: str) -> str:
        path = os.path.join(self._notes, digest.replace(":", "-"))
        try:
            with open(path, encoding="ascii") as file:
                return file.read(1 << 16) if self._notes else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def _note(self, digest: str, at: str) -> None:
        """Note where the registry expects the next part; it need not survive a power failure."""
        if not self._notes:
            return
        name = digest.replace(":", "-").encode()
        with Folder.open(self._notes) as folder:
            folder.discard(b"new")
            if at:
                with os.fdopen(folder.create(b"new"), "wb") as file:
                    file.write(at.encode("ascii", "replace"))
                folder.replace(b"new", name)
            else:
                with contextlib.suppress(FileNotFoundError):
                    folder.unlink(name)
