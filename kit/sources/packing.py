"""Finds what a packed tree holds: files, links and directories, in one order, with their modes."""

from __future__ import annotations

import os
import stat
import unicodedata
from typing import TYPE_CHECKING

from kit.errors import KitTooLarge
from kit.sources.packed import DIRECTORY, FILE, LINK, Entry, Packed, facts_of
from kit.sources.places import KINDS, Base
from kit.spec import Source
from kit.spec.patterns import Exclude
from verifier.core import limits

if TYPE_CHECKING:
    from kit.sources.walk import Walk

_MAX_NAME = 4095  # bytes of a path inside: what Linux takes at the site
_MODE = 0o7777


def pack_tree(walk: Walk, base: Base, source: Source) -> Packed:
    """Return the archive of a tree, as far as it can be known without reading any file.

    Raises:
        SourceChanged: Something vanished meanwhile.
        KitTooLarge: The tree has more files than a whole kit may have.
    """
    packer = _Packer(walk, base, source)
    packer.gather(base.directory, b"")
    packer.tell()
    return packer.packed


class _Packer:
    def __init__(self, walk: Walk, base: Base, source: Source) -> None:
        self._walk, self._base = walk, base
        self._exclude = Exclude(source.exclude)
        self._left_out: list[bytes] = []
        self.packed = Packed(base.directory)

    def gather(self, directory: bytes, inside: bytes) -> None:
        """Add what is in a directory and below it."""
        walk, top = self._walk, self._base.top
        try:
            if walk.keeps_out(top, directory):
                return
            entries = list(walk.directories.entries(top, directory))
        except PermissionError as error:
            walk.unreadable.append((walk.shown(directory), error.strerror or "may not be listed"))
            return
        except OSError as error:
            raise walk.unreadable_here(error, directory) from error
        for entry, name in entries:
            is_directory = entry.is_dir(follow_symlinks=False)
            below, path = inside + name, directory + b"/" + name
            text = below.decode("utf-8", "surrogateescape")
            if self._exclude(text, directory=is_directory):
                self._left_out.append(below + (b"/" if is_directory else b""))
            elif self._is_named_safely(path, below):
                self._add(directory, name, below, is_directory)
                if is_directory:
                    self.gather(path, below + b"/")

    def tell(self) -> None:
        """Note what is left out, and links that lead out of the tree."""
        notes, source = self._walk.notes, self._walk.shown(self._base.directory) or b"."
        if self._left_out:
            notes.left_out.append((source, sorted(self._left_out)))
        notes.leading_out.extend(
            source + b"/" + entry.name for entry in self.packed.entries if _leads_out(entry)
        )

    def _add(self, directory: bytes, name: bytes, below: bytes, is_directory: bool) -> None:
        walk, top, path = self._walk, self._base.top, directory + b"/" + name
        try:
            facts = walk.directories.look(top, directory, name)
            mode = facts.st_mode & _MODE
            if stat.S_ISDIR(facts.st_mode) and is_directory:
                entry = Entry(below, DIRECTORY, mode)
            elif stat.S_ISLNK(facts.st_mode):
                link = walk.directories.link(top, directory, name)
                if not self._is_named_safely(path, link):
                    return
                entry = Entry(below, LINK, 0o777, link=link)
            elif stat.S_ISREG(facts.st_mode):
                found = walk.file_facts(top, directory, name)
                may = self._base.may_be_secret(self._base.prefix + b"/" + below)
                if not may and walk.is_kept_out(found, path):
                    return
                held = facts_of(found, stable=walk.notes.devices.get(found.st_dev, True))
                entry = Entry(below, FILE, mode, found.st_size, b"", held, may)
            else:
                kind = KINDS[stat.S_IFMT(facts.st_mode)]
                walk.unsupported.append((walk.shown(path), f"is {kind}"))
                return
        except OSError as error:
            raise walk.unreadable_here(error, path) from error
        self.packed.add(entry)
        if len(self.packed.entries) > limits.MAX_MEMBERS:
            raise KitTooLarge(f"{walk.shown(self._base.directory)!r} has too many files")

    def _is_named_safely(self, path: bytes, name: bytes) -> bool:
        """Whether a name, or what a link says, is text that a tar can hold; else it is noted."""
        why = ""
        try:
            text = name.decode("utf-8")
            if any(unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp"} for one in text):
                why = "has a character that does not show"
        except UnicodeDecodeError:
            why = "has a name, or leads to one, that is not UTF-8"
        if len(name) > _MAX_NAME:
            why = f"has a name of more than {_MAX_NAME} bytes"
        if why:
            self._walk.unsafe.append((self._walk.shown(path), why))
        return not why


def _leads_out(entry: Entry) -> bool:
    """Whether a link says something that is not inside of the tree, whatever lies there."""
    if entry.kind != LINK:
        return False
    above = os.path.normpath(os.path.join(b"/" * 1, os.path.dirname(entry.name)))
    depth = [part for part in above.split(b"/") if part]
    for part in entry.link.split(b"/"):
        if part == b"..":
            if not depth:
                return True
            depth.pop()
        elif part not in {b"", b"."}:
            depth.append(part)
    return entry.link.startswith(b"/")
