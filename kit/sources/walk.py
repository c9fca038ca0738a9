"""Where the sources of a spec are on this host, and a walk over them in the order of the kit.

Everything is looked at from the directory that holds it (`kit.sources.places`), and no link is
followed that the spec does not ask for.  What cannot be carried is gathered, so that an author sees
all of it at once; what this host cannot tell ends the walk.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit import errors
from kit.errors import show
from kit.sources.listing import Frame, Lister
from kit.sources.notes import Notes
from kit.sources.packed import Packed, Rendered
from kit.sources.packing import pack_tree
from kit.sources.places import KINDS, Base, Directories
from kit.spec import (
    AttestationFile,
    Component,
    Evidence,
    KitSpec,
    LayoutTable,
    SbomFile,
    Source,
)
from kit.spec.patterns import Glob
from verifier.core import limits
from verifier.core.errors import KitError

if TYPE_CHECKING:
    from kit.sources.taken import Taken

LOCK_PATH = b"evidence/kit.lock"  # in the kit
Found = tuple[bytes, int, os.stat_result]
"""A file: its path in the kit, the number of its base, what the host says about it."""

Identity = tuple[int, int]
"""Device and inode."""


class Walk:
    """One run over the sources of a spec.

    Args:
        kept_out: Files and directories that no tree may carry, and why: keys, the output.
        taken: What comes out of the store, for sources that are fetched.

    Attributes:
        components: For each component its path and the files of its sources, one stream a kind,
            each in ascending order of kit paths; nothing is listed before a stream is read.
        evidence: The same for the evidence.
        bases: Where the files come from.
        empty: Kit paths of directories that had no file, known when the streams are at their end;
            one list for each source, with the source.
        unsupported: What is neither a regular file nor a directory, and why it is refused.
        unsafe: What has a name that no kit may have.
        unreadable: What this user may not read.
        secret: What a tree holds that must stay here.

    Raises:
        SourceMissing: A source is not there.
        SourceKindWrong: It is a directory named as a file, or the other way round.
        SourceUnreadable: This host did not say what a source is.
    """

    def __init__(
        self,
        spec: KitSpec,
        kept_out: Mapping[Identity, str] | None = None,
        taken: Taken | None = None,
    ) -> None:
        self._spec = spec
        self._taken = taken.components() if taken else {}
        self._store = taken.top if taken else b""
        self._root = os.fsencode(spec.base)
        self._missing: list[tuple[bytes, str]] = []
        self._mistaken: list[tuple[bytes, str]] = []
        self._kept_out = kept_out or {}
        self.directories = Directories()
        self.notes = Notes()
        self.bases: list[Base] = []
        self.empty: list[tuple[Source, list[bytes]]] = []
        self.unsupported: list[tuple[bytes, str]] = []
        self.unsafe: list[tuple[bytes, str]] = []
        self.unreadable: list[tuple[bytes, str]] = []
        self.secret: list[tuple[bytes, str]] = []
        self.components = [
            (entry.path.encode(), self._streams(entry, b"", "component", index))
            for index, entry in enumerate(spec.components)
        ]
        self.evidence = (
            [
                (entry.path.encode(), self._streams(entry, b"evidence/", "evidence", index))
                for index, entry in enumerate(spec.evidence)
            ]
            + [
                (entry.path.encode(), self._streams(entry, b"evidence/", "sbom", index))
                for index, entry in enumerate(spec.sboms)
            ]
            + [
                (entry.path.encode(), self._streams(entry, b"evidence/", "attestation", index))
                for index, entry in enumerate(spec.attestations)
            ]
        )
        if spec.layout is not None:
            streams = self._streams(spec.layout, b"evidence/", "layout", 0)
            self.evidence.append((spec.layout.path.encode(), streams))
        if taken is not None:
            lock = os.fsencode(taken.file.absolute())
            above = lock.rpartition(b"/")[0] or b"/"
            files = [self._file(LOCK_PATH, above, lock)]
            files += (self._file(path, taken.top, file) for path, file in taken.evidence())
            self.evidence.append((b"", [iter(sorted(files, key=lambda found: found[:2]))]))
        if self._missing:
            raise errors.SourceMissing(self._missing)
        if self._mistaken:
            raise errors.SourceKindWrong(self._mistaken)

    def shown(self, path: bytes) -> bytes:
        """Return a path of this host as the spec would name it."""
        root = self._root.rstrip(b"/") + b"/"
        return path[len(root) :] if path.startswith(root) else path

    def source(self, number: int, path: bytes) -> bytes:
        """Return where kit path ``path`` of base ``number`` comes from, as the spec names it."""
        base = self.bases[number]
        return self.shown(base.source(path))

    # --- where the sources are

    def _streams(
        self,
        entry: Component | Evidence | SbomFile | AttestationFile | LayoutTable,
        above: bytes,
        key: str,
        index: int,
    ) -> list[Iterator[Found]]:
        prefix = above + entry.path.encode()
        optional = isinstance(entry, Component) and entry.placeholder is not None
        files: list[Found] = []
        streams: list[Iterator[Found]] = []
        if isinstance(entry, Component):
            for kit_path, file in self._taken.get(entry.id, ()):
                files.append(self._file(kit_path, self._store, file))
        for number, source in enumerate(entry.sources):
            if source.fetched is not None:
                continue
            named: tuple[str | int, ...] = (key, index, "source", number)
            if isinstance(entry, LayoutTable):
                named = (key, ("file", "links")[number])
            elif isinstance(entry, (SbomFile, AttestationFile)):
                named = (key, index, "file")
            where = self._spec.where(*named)
            place = self._locate(source, where)
            if place is None:
                continue
            top, path = place
            if source.pack is not None:
                files.append(self._packed(prefix, source, top, path))
            elif source.runbook is not None:
                files.append(self._runbook(prefix, top, path))
            elif source.file is not None:
                kit_path = prefix + b"/" + (source.as_ or source.file.rpartition("/")[2]).encode()
                files.append(self._file(kit_path, top, path))
            else:
                self.bases.append(Base(path, prefix, top, keys=source.private_keys))
                streams.append(self._tree(len(self.bases) - 1, source, "" if optional else where))
        if files:
            streams.append(iter(sorted(files, key=lambda found: found[:2])))
        return streams

    def _packed(self, prefix: bytes, source: Source, top: bytes, path: bytes) -> Found:
        """Return the file that a tree becomes."""
        name = source.as_ or f"{(source.dir or '').rstrip('/').rpartition('/')[2]}.tar"
        kit_path = prefix + b"/" + name.encode()
        base = Base(path, kit_path, top, keys=source.private_keys)
        return self._made(kit_path, base, pack_tree(self, base, source))

    def _runbook(self, prefix: bytes, top: bytes, path: bytes) -> Found:
        """Return the file that a runbook in TOML becomes."""
        from kit.runbook.source import MEMBER, load_runbook  # few kits have one

        kit_path = prefix + b"/" + MEMBER.encode()
        written = load_runbook(Path(os.fsdecode(path)))
        return self._made(kit_path, Base(path, kit_path, top), Rendered(path, written.member))

    def _made(self, kit_path: bytes, base: Base, packed: Packed) -> Found:
        """Return a file that is nowhere on this host; nothing but its size is known of it."""
        self.bases.append(replace(base, packed=packed))
        known = (stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, packed.size, 0, 0, 0)
        facts = os.stat_result(known, {"st_mtime_ns": 0, "st_ctime_ns": 0})
        return kit_path, len(self.bases) - 1, facts

    def _file(self, kit_path: bytes, top: bytes, path: bytes) -> Found:
        """Return a single file, with a base of its own."""
        directory, _, name = path.rpartition(b"/")
        facts = self.file_facts(top, directory, name)
        self.bases.append(Base(path, kit_path, top, named=True))
        return kit_path, len(self.bases) - 1, facts

    def _locate(self, source: Source, where: str) -> tuple[bytes, bytes] | None:
        """Return the path of a source and the top it is reached from, or note why it is none."""
        if source.glob is not None:
            texts = Glob(source.glob).fixed
        else:
            texts = [
                p
                for p in (source.file or source.runbook or source.dir or "").split("/")
                if p not in {"", "."}
            ]
        parts = [text.encode() for text in texts]
        top = path = self._root
        try:
            if source.follow:
                real = os.path.realpath(os.path.join(self._root, *parts), strict=True)
                top, path, parts = b"/", b"", [part for part in real.split(b"/") if part]
            mode = os.stat(top).st_mode
            for name in parts:
                directory = path
                path = path.rstrip(b"/") + b"/" + name
                mode = self.directories.look(top, directory, name).st_mode
                if stat.S_ISLNK(mode):
                    link = self.directories.link(top, directory, name)
                    why = f"is a link to {show(link)}: write `follow = true` beside it, or copy"
                    why += " what it leads to with `cp -RL`"
                    self.unsupported.append((self.shown(path), f"{why}; {where}"))
                    return None
        except (FileNotFoundError, NotADirectoryError):
            self._missing.append((self.shown(path), f"is not there; {where}"))
            return None
        except OSError as error:
            raise self.unreadable_here(error, path) from error
        return self._of_its_kind(source, top, path or b"/", mode, where)

    def _of_its_kind(
        self, source: Source, top: bytes, path: bytes, mode: int, where: str
    ) -> tuple[bytes, bytes] | None:
        is_file = source.file is not None or source.runbook is not None
        wanted, other = (stat.S_IFREG, "dir") if is_file else (stat.S_IFDIR, "file")
        kind = stat.S_IFMT(mode)
        if kind == wanted:
            return top, path
        if kind in {stat.S_IFREG, stat.S_IFDIR}:
            why = f"is {KINDS[kind]}; name it with `{other}`; {where}"
            self._mistaken.append((self.shown(path), why))
        else:
            self.unsupported.append((self.shown(path), f"is {KINDS[kind]}; {where}"))
        return None

    # --- the walk

    def _tree(self, number: int, source: Source, needed: str) -> Iterator[Found]:
        """Yield the files of a `dir` or `glob` in ascending order of their kit paths.

        A directory sorts as its name with a `/`: so a walk in the order of names gives whole paths
        in order, and only one directory at a time is held.
        """
        base, lister = self.bases[number], Lister(self, number, source)
        refused = self._refused()
        taken = 0
        empty: list[bytes] = []
        self.empty.append((source, empty))
        stack = [lister.top()]
        while stack:
            frame = stack[-1]
            names, origin = frame.names, self.bases[frame.base]
            above = origin.directory + (b"/" + frame.below).rstrip(b"/")
            prefix = origin.prefix + b"/" + frame.below
            while names and names[-1][-1:] != b"/":
                name = names.pop()
                if name in frame.links:
                    taken += 1
                    yield self._copied(prefix + name, frame, name)
                    continue
                facts = self.file_facts(base.top, above, name)
                kit_path = prefix + name
                if self._kept_out and self._must_stay(facts, origin, kit_path):
                    continue
                taken += 1
                yield kit_path, frame.base, facts
            if not names:
                self._leave(stack, taken, empty)
                continue
            name = names.pop()
            if self._fits(prefix + name, above + b"/" + name):
                stack.extend(lister.enter(stack, name, taken, len(empty)))
        lister.tell()
        if needed and not taken and refused == self._refused():
            why = "no file in it" if source.glob is None else f"nothing matches {source.glob!r}"
            raise errors.SourceMissing([(self.shown(base.directory), f"{why}; {needed}")])

    def _refused(self) -> int:
        gathered = (self.unsupported, self.unsafe, self.unreadable, self.secret)
        return sum(map(len, gathered))

    def file_facts(self, top: bytes, directory: bytes, name: bytes) -> os.stat_result:
        """Return what the host says about a regular file that this user may read."""
        path = directory + b"/" + name
        try:
            facts = self.directories.look(top, directory, name)
        except OSError as error:
            raise self.unreadable_here(error, path) from error
        if not stat.S_ISREG(facts.st_mode):
            raise self.changed(path)
        if facts.st_mode & 0o004 == 0 or facts.st_dev not in self.notes.devices:
            self._ask(top, path, facts)
        return facts

    def _ask(self, top: bytes, path: bytes, facts: os.stat_result) -> None:
        """Open a file that not everybody may read, and the first one of each file system."""
        try:
            descriptor = self.directories.open_file(top, path)
        except PermissionError as error:
            self.unreadable.append((self.shown(path), error.strerror or "may not be read"))
            return
        except OSError as error:
            raise self.unreadable_here(error, path) from error
        try:
            looks = [facts, os.fstat(descriptor), os.fstat(descriptor)]
        finally:
            os.close(descriptor)
        if facts.st_dev not in self.notes.devices:
            same = len({(one.st_ino, one.st_ctime_ns) for one in looks}) == 1
            self.notes.devices[facts.st_dev] = same
            if not same:
                self.notes.made_up.append(self.shown(path))

    def _copied(self, kit_path: bytes, frame: Frame, name: bytes) -> Found:
        """Return a link that is carried as the file that it leads to."""
        origin, target = self.bases[frame.base], frame.links[name]
        inside = frame.inside + name
        self.bases.append(Base(target, kit_path, origin.top, inside, origin.keys))
        directory, _, name = target.rpartition(b"/")
        return kit_path, len(self.bases) - 1, self.file_facts(origin.top, directory, name)

    def _must_stay(self, facts: os.stat_result, origin: Base, kit_path: bytes) -> bool:
        """Whether a file is kept out and the spec does not name it; then that is noted."""
        return (
            (facts.st_dev, facts.st_ino) in self._kept_out
            and not origin.may_be_secret(kit_path)
            and self.is_kept_out(facts, origin.source(kit_path))
        )

    def is_kept_out(self, facts: os.stat_result, path: bytes) -> bool:
        """Whether a file of a tree is one that no tree may carry; then that is noted."""
        why = self._kept_out.get((facts.st_dev, facts.st_ino))
        if why is not None:
            self.secret.append((self.shown(path), f"is {why}"))
        return why is not None

    def keeps_out(self, top: bytes, directory: bytes) -> bool:
        """Whether a directory of a tree is one that no tree may carry; then that is noted."""
        if not self._kept_out:
            return False
        facts = self.directories.look(top, directory, b".")
        why = self._kept_out.get((facts.st_dev, facts.st_ino))
        if why is not None:
            self.secret.append((self.shown(directory) or b".", f"is {why}"))
        return why is not None

    def _leave(self, stack: list[Frame], taken: int, empty: list[bytes]) -> None:
        """Close a directory; one that had nothing at all is noted instead of those inside it."""
        frame = stack.pop()
        if not stack:
            return
        stack[-1].partial |= frame.partial
        if taken == frame.taken and not frame.partial:
            origin = self.bases[frame.base]
            empty[frame.empties :] = [(origin.prefix + b"/" + frame.below).rstrip(b"/")]

    def _fits(self, prefix: bytes, path: bytes) -> bool:
        """Whether a file in a directory can have a path at all: a tree may be of any depth."""
        if len(prefix) < limits.MAX_PATH and prefix.count(b"/") < limits.MAX_DEPTH:
            return True
        why = f"is deeper than {limits.MAX_DEPTH} components or {limits.MAX_PATH} bytes"
        self.unsafe.append((self.shown(path), why))
        return False

    # --- what ends the walk

    def changed(self, path: bytes) -> KitError:
        """Return the error for what is no longer what it was a moment ago."""
        where = f"source {show(self.shown(path))}"
        return errors.SourceChanged("vanished or was replaced while it was looked at", where=where)

    def unreadable_here(self, error: OSError, path: bytes) -> KitError:
        """Return our error for what the host says about a source."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)) or error.errno == errno.ELOOP:
            return self.changed(path)
        return errors.SourceUnreadable([(self.shown(path), error.strerror or str(error))])
