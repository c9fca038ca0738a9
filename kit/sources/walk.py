"""Where the sources of a spec are on this host, and a walk over them in the order of the kit.

Nothing is opened and no link is followed.  What cannot be carried is gathered, so that an author
sees all of it at once; what this host cannot tell ends the walk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from kit import errors
from kit.errors import show
from kit.spec import Component, Evidence, KitSpec, SbomFile, Source
from kit.spec.patterns import Exclude, Glob
from verifier.core import limits
from verifier.core.errors import KitError

Found = tuple[bytes, int, os.stat_result]
"""A file: its path in the kit, the number of its base, what the host says about it."""

_KINDS = {  # all that POSIX has, but for links
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True)
class Base:
    """Where files come from: ``directory`` on this host is ``prefix`` in the kit.

    For a single file both are the file itself.
    """

    directory: bytes
    prefix: bytes


@dataclass
class _Frame:
    """A directory that is being walked."""

    names: list[bytes]  # what is left, from the last to the first; directories end in a /
    below: bytes  # the directory relative to the source, with a final / unless empty
    state: frozenset[int]  # of the glob
    empties: int  # directories without a file that were known before this one
    taken: int  # files that were taken before this one
    partial: bool  # something in it was left out


class Walk:
    """One run over the sources of a spec.

    Attributes:
        components: For each component its path and the files of its sources, one stream a kind,
            each in ascending order of kit paths; nothing is listed before a stream is read.
        evidence: The same for the evidence.
        bases: Where the files come from.
        empty: Kit paths of directories that had no file, known when the streams are at their end.
        unsupported: What is neither a regular file nor a directory, and why it is refused.
        unsafe: What has a name that no kit may have.

    Raises:
        SourceMissing: A source is not there.
        SourceUnreadable: This host did not say what a source is.
    """

    def __init__(self, spec: KitSpec) -> None:
        self._spec = spec
        self._root = os.fsencode(spec.base)
        self._missing: list[tuple[bytes, str]] = []
        self.bases: list[Base] = []
        self.empty: list[bytes] = []
        self.unsupported: list[tuple[bytes, str]] = []
        self.unsafe: list[tuple[bytes, str]] = []
        self.components = [
            (entry.path.encode(), self._streams(entry, b"", "component", index))
            for index, entry in enumerate(spec.components)
        ]
        self.evidence = [
            (entry.path.encode(), self._streams(entry, b"evidence/", "evidence", index))
            for index, entry in enumerate(spec.evidence)
        ] + [
            (entry.path.encode(), self._streams(entry, b"evidence/", "sbom", index))
            for index, entry in enumerate(spec.sboms)
        ]
        if self._missing:
            raise errors.SourceMissing(self._missing)

    def shown(self, path: bytes) -> bytes:
        """Return a path of this host as the spec would name it."""
        root = self._root.rstrip(b"/") + b"/"
        return path[len(root) :] if path.startswith(root) else path

    def source(self, number: int, path: bytes) -> bytes:
        """Return where kit path ``path`` of base ``number`` comes from, as the spec names it."""
        base = self.bases[number]
        return self.shown(base.directory + path[len(base.prefix) :])

    # --- where the sources are

    def _streams(
        self, entry: Component | Evidence | SbomFile, above: bytes, key: str, index: int
    ) -> list[Iterator[Found]]:
        prefix = above + entry.path.encode()
        optional = isinstance(entry, Component) and entry.placeholder is not None
        files: list[Found] = []
        streams: list[Iterator[Found]] = []
        for number, source in enumerate(entry.sources):
            of_file = isinstance(entry, SbomFile)
            place = (key, index, "file") if of_file else (key, index, "source", number)
            where = self._spec.where(*place)
            path = self._locate(source, where)
            if path is None:
                continue
            if source.file is not None:
                kit_path = prefix + b"/" + (source.as_ or source.file.rpartition("/")[2]).encode()
                files.append((kit_path, len(self.bases), self._facts(path)))
                self.bases.append(Base(path, kit_path))
            else:
                streams.append(self._tree(len(self.bases), source, "" if optional else where))
                self.bases.append(Base(path, prefix))
        if files:
            streams.append(iter(sorted(files, key=lambda found: found[:2])))
        return streams

    def _locate(self, source: Source, where: str) -> bytes | None:
        """Return the path of a source, or note why it is none."""
        if source.glob is not None:
            parts = Glob(source.glob).fixed
        else:
            parts = [p for p in (source.file or source.dir or "").split("/") if p not in {"", "."}]
        path = self._root
        try:
            mode = os.stat(path).st_mode
            for part in parts:
                path = path.rstrip(b"/") + b"/" + part.encode()
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    self.unsupported.append((self.shown(path), f"{_link(path)}; {where}"))
                    return None
        except (FileNotFoundError, NotADirectoryError):
            self._missing.append((self.shown(path), f"is not there; {where}"))
            return None
        except OSError as error:
            raise self._unreadable(error, path) from error
        wanted, other = (stat.S_IFREG, "dir") if source.file is not None else (stat.S_IFDIR, "file")
        kind = stat.S_IFMT(mode)
        if kind == wanted:
            return path
        fix = f"; name it with `{other}`" if kind in {stat.S_IFREG, stat.S_IFDIR} else ""
        self.unsupported.append((self.shown(path), f"is {_KINDS[kind]}{fix}; {where}"))
        return None

    # --- the walk

    def _tree(self, number: int, source: Source, needed: str) -> Iterator[Found]:
        """Yield the files of a `dir` or `glob` in ascending order of their kit paths.

        A directory sorts as its name with a `/`: so a walk in the order of names gives whole paths
        in order, and only one directory at a time is held.
        """
        base, lister = self.bases[number], _Lister(self, self.bases[number], source)
        refused = len(self.unsupported) + len(self.unsafe)
        taken = 0
        stack = [lister.top()]
        while stack:
            frame = stack[-1]
            names = frame.names
            above = base.directory + b"/" + frame.below
            prefix = base.prefix + b"/" + frame.below
            while names and names[-1][-1:] != b"/":
                name = names.pop()
                facts = self._facts(above + name)
                taken += 1
                yield prefix + name, number, facts
            if not names:
                self._leave(base, stack, taken)
                continue
            name = names.pop()
            if self._fits(prefix + name, above + name):
                stack.append(lister.enter(frame, name, taken))
        if needed and not taken and refused == len(self.unsupported) + len(self.unsafe):
            why = "no file in it" if source.glob is None else f"nothing matches {source.glob!r}"
            raise errors.SourceMissing([(self.shown(base.directory), f"{why}; {needed}")])

    def _facts(self, path: bytes) -> os.stat_result:
        try:
            facts = os.lstat(path)
        except OSError as error:
            raise self._unreadable(error, path) from error
        if not stat.S_ISREG(facts.st_mode):
            raise self._changed(path)
        return facts

    def _leave(self, base: Base, stack: list[_Frame], taken: int) -> None:
        """Close a directory; one that had nothing at all is noted instead of those inside it."""
        frame = stack.pop()
        if not stack:
            return
        stack[-1].partial |= frame.partial
        if taken == frame.taken and not frame.partial:
            self.empty[frame.empties :] = [base.prefix + b"/" + frame.below[:-1]]

    def _fits(self, prefix: bytes, path: bytes) -> bool:
        """Whether a file in a directory can have a path at all: a tree may be of any depth."""
        if len(prefix) < limits.MAX_PATH and prefix.count(b"/") < limits.MAX_DEPTH:
            return True
        why = f"is deeper than {limits.MAX_DEPTH} components or {limits.MAX_PATH} bytes"
        self.unsafe.append((self.shown(path), why))
        return False

    # --- what ends the walk

    def _changed(self, path: bytes) -> KitError:
        where = f"source {show(self.shown(path))}"
        return errors.SourceChanged("vanished or was replaced while it was looked at", where=where)

    def _unreadable(self, error: OSError, path: bytes) -> KitError:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return self._changed(path)
        where = f"source {show(self.shown(path))}"
        return errors.SourceUnreadable(f"cannot be read: {error.strerror}", where=where)


class _Lister:
    """Lists the directories of one source, without what its patterns leave out."""

    def __init__(self, walk: Walk, base: Base, source: Source) -> None:
        self._walk, self._base = walk, base
        self._exclude = Exclude(source.exclude)
        self._glob = Glob(source.glob) if source.glob is not None else None

    def top(self) -> _Frame:
        """Read the source itself."""
        return self._frame(b"", self._glob.start() if self._glob else frozenset(), 0)

    def enter(self, frame: _Frame, name: bytes, taken: int) -> _Frame:
        """Read directory ``name`` (with its final `/`) of ``frame``."""
        state = self._glob.enter(frame.state, _text(name[:-1])) if self._glob else frame.state
        return self._frame(frame.below + name, state, taken)

    def _frame(self, below: bytes, state: frozenset[int], taken: int) -> _Frame:
        path = self._base.directory + b"/" + below
        try:
            with os.scandir(path) as entries:
                names, partial = self._names(entries, below, state)
        except OSError as error:
            raise self._walk._unreadable(error, path) from error
        names.sort(reverse=True)
        return _Frame(names, below, state, len(self._walk.empty), taken, partial)

    def _names(
        self, entries: Iterator[os.DirEntry[bytes]], below: bytes, state: frozenset[int]
    ) -> tuple[list[bytes], bool]:
        everything = not self._exclude and self._glob is None
        names: list[bytes] = []
        partial = False
        for entry in entries:
            if not everything and self._left_out(entry, below, state):
                partial = True
            elif entry.is_file(follow_symlinks=False):
                names.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                names.append(entry.name + b"/")
            else:
                partial = True
                self._refuse(entry)
        return names, partial or self._glob is not None

    def _left_out(self, entry: os.DirEntry[bytes], below: bytes, state: frozenset[int]) -> bool:
        directory = entry.is_dir(follow_symlinks=False)
        if self._exclude and self._exclude(_text(below + entry.name), directory=directory):
            return True
        if self._glob is None:
            return False
        name = _text(entry.name)
        if directory:
            return not self._glob.enter(state, name)
        if self._glob.takes(state, name):
            return False
        # a link to a directory that the pattern would go into is not passed over in silence
        into = entry.is_symlink() and os.path.isdir(entry.path)
        return not (into and self._glob.enter(state, name))

    def _refuse(self, entry: os.DirEntry[bytes]) -> None:
        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
        why = _link(entry.path) if kind == stat.S_IFLNK else f"is {_KINDS[kind]}"
        self._walk.unsupported.append((self._walk.shown(entry.path), why))


def _text(name: bytes) -> str:
    """Return ``name`` for a pattern; names that are not UTF-8 can at least be excluded."""
    return name.decode("utf-8", "surrogateescape")


def _link(path: bytes) -> str:
    return f"is a link to {show(os.readlink(path))}, and links are not followed"
