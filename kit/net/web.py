"""Releases behind a web server: read as they lie there, by nothing but GET."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from kit.net.client import Client
from kit.net.download import Wanted
from kit.net.errors import ArtifactGone
from kit.places.errors import PlaceInvalid
from kit.places.model import entry_key, object_key
from kit.releases.record import MAX_ENTRY, File


class WebPlace:
    """A place below a URL, of any server that gives out files."""

    def __init__(self, url: str, client: Client) -> None:
        client.check(url)
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise PlaceInvalid("has a query or a fragment", where=repr(url))
        self._url = url.rstrip("/")
        self._client = client
        self.where = repr(self._url)
        self.address = self._url

    def entry(self, line: str, n: int) -> bytes | None:
        """Return an entry as it lies there; None if there is none.

        Raises:
            KitError: The server does not say; see `kit.net.client`.
        """
        try:
            with self._client.get(self._at(entry_key(line, n))) as response:
                data: bytes = response.read(MAX_ENTRY + 1)
                return data
        except ArtifactGone:
            return None

    def wanted(self, line: str, n: int, file: File) -> Wanted:
        """Return how a file of an entry is fetched."""
        del line, n
        return Wanted(file.name, (self._at(object_key(file)),), file.sha256, file.size)

    def _at(self, name: str) -> str:
        return f"{self._url}/{quote(name, safe='/~')}"
