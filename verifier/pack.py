"""A review pack as the head of a kit (FORMAT 14.1).

The four files of a pack are the four head members, and the head of a kit is a function of them
(FORMAT 1.3).  So the one reader there is judges both.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from verifier.core.envelope import parse_page
from verifier.core.errors import DigestMismatch, NotAKit, Usage
from verifier.core.header import Headers, padding
from verifier.core.limits import PAGE_SIZES
from verifier.core.manifest import parse_manifest
from verifier.core.model import Manifest
from verifier.core.names import HEAD
from verifier.core.pipeline import kit_id_of
from verifier.source import FileSource

DIFF = "diff.txt"
PACK_FILES = (*HEAD, DIFF)


class ReviewPackIncomplete(Usage):
    """The directory is not a whole review pack.

    A pack is a directory with kit.dsse.json, kit.roots.json, kit.index, kit.frames and diff.txt,
    as `offline-kit review pack KIT` writes it.
    """

    code = "review-pack-incomplete"
    fix = "Copy the whole directory NAME-VERSION.review again, or ask for a new pack."


def is_pack(path: str) -> bool:
    """Whether a path is the directory of a review pack, whole or not."""
    return os.path.isdir(path) and os.path.exists(os.path.join(path, HEAD[2]))


class PackSource:
    """A review pack as the source of a plain kit that ends behind its head.

    Args:
        path: The directory.

    Raises:
        ReviewPackIncomplete: One of the files is not there.
        KitError: The page is no page, or a file has not the size that the page gives.
    """

    sequential = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        for name in PACK_FILES:
            if not os.path.lexists(os.path.join(path, name)):
                raise ReviewPackIncomplete(f"{name} is not there", where=repr(os.fspath(path)))
        self._files: list[FileSource] = []
        try:
            for name in HEAD:
                self._files.append(FileSource(os.path.join(path, name)))
            page = _read_page(self._files[0])
            self.kit_id = kit_id_of(parse_page(page))
            manifest = parse_manifest(parse_page(page).payload)
            self._parts = self._lay_out(manifest)
        except BaseException:
            self.close()
            raise
        self._starts = list(accumulate([size for size, _ in self._parts], initial=0))
        self.size: int | None = self._starts[-1]

    def _lay_out(self, manifest: Manifest) -> list[tuple[int, bytes | FileSource]]:
        blobs = (manifest.roots, manifest.index, manifest.frames)
        for name, file, blob in zip(HEAD[1:], self._files[1:], blobs):
            if file.size != blob.size:
                raise DigestMismatch(f"has {file.size} bytes, not {blob.size}", where=name)
        headers = Headers(manifest.kit.mtime)
        parts: list[tuple[int, bytes | FileSource]] = []
        for name, file in zip(HEAD, self._files):
            assert file.size is not None
            header, end = headers(name.encode(), file.size, False), padding(file.size)
            parts += [(len(header), header), (file.size, file), (len(end), end)]
        return parts

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views`` from ``offset`` on; see `verifier.core.container.Source`."""
        for view in views:
            done = 0
            while done < len(view):
                part = bisect_right(self._starts, offset) - 1
                if part >= len(self._parts):
                    raise NotAKit("nothing is behind the head", where="the review pack")
                size, source = self._parts[part]
                inside = offset - self._starts[part]
                piece = view[done : done + min(len(view) - done, size - inside)]
                if isinstance(source, bytes):
                    piece[:] = source[inside : inside + len(piece)]
                else:
                    source.read_into(inside, [piece])
                done, offset = done + len(piece), offset + len(piece)

    def ends_at(self, offset: int) -> bool:
        """Whether the head ends at ``offset``."""
        return offset == self._starts[-1]

    def check_unchanged(self) -> None:
        """Hold the files to what they were when they were opened."""
        for file in self._files:
            file.check_unchanged()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _read_page(file: FileSource) -> bytes:
    """Return the page; what a page cannot be is not read."""
    if file.size not in PAGE_SIZES:
        raise NotAKit("has no size that a page may have", where=HEAD[0])
    page = bytearray(file.size)
    file.read_into(0, [memoryview(page)])
    return bytes(page)
