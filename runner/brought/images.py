"""Images of the kit into the site's registry.

What is there is not sent again; manifests come after their blobs, tags after all manifests; every
digest is asked back.  A registry of the site may be plain HTTP only where the runbook says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping

from runner.brought.action import ALONE, DONE, TO_DO, Action, Around, NotPossible
from runner.brought.registry import MAX_DOCUMENT, Manifest, Registry
from verifier.typed import Any

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = "org.opencontainers.image.ref.name"


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
            index = json.loads(file.read(MAX_DOCUMENT))
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
            data = file.read(MAX_DOCUMENT + 1)
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


class PushImages(Action):
    """Every image of the layout ``from``, under ``registry/repository`` and its own tag."""

    def __init__(self, arguments: Mapping[str, str], around: Around = ALONE) -> None:
        super().__init__(arguments, around)
        login = around.variables.get(arguments.get("login", ""), "")
        if "login" in arguments and ":" not in login:
            raise NotPossible(f"{arguments['login']} holds no USER:PASSWORD")
        self._registry = Registry(arguments, login, around.notes)
        self._layout = Layout(arguments["from"])

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
                    path = self._layout.path(digest)
                    told = lambda sent, size: self.progress(sent, size, "bytes")  # noqa: E731
                    how = self._registry.put_blob(digest, path, told)
                    self.around.tell(f"{how}: {digest}, {os.path.getsize(path)} bytes")
            if self._registry.digest_of(manifest, manifest.digest) != manifest.digest:
                self._registry.put_manifest(manifest, manifest.digest)
            if manifest.tag:
                tagged.append(manifest)
        for manifest in tagged:
            self._registry.put_manifest(manifest, manifest.tag)
