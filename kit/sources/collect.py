"""From a spec to the list of files that the kit will carry, with what the index needs of them.

A kit may have a million files, so the list is kept in columns: about 110 bytes a file with a path
of 76, where objects would take ten times that.  `kit.sources.walk` gives the files in the order of
the archive, so that no list of all of them is ever sorted.  Sizes and times are noted here, and
whoever reads a file compares them (`Collection.unchanged`).
"""

from __future__ import annotations

import heapq
import io
import os
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import lt
from typing import TYPE_CHECKING

from kit import errors
from kit.sources.notes import Notes, is_odd, note_mode
from kit.sources.packed import Packed
from kit.sources.places import Base, Directories
from kit.sources.walk import Found, Identity, Walk
from kit.spec import KitSpec
from verifier.core import limits
from verifier.core.errors import KitError
from verifier.core.names import CollisionCheck, check_paths, parse_member_path

if TYPE_CHECKING:
    from kit.sources.taken import Taken

_RUN = 4096  # files held as objects at one time
_MASK = (1 << 64) - 1
_SIGN = 1 << 63
_PRINTABLE = bytes(range(0x20, 0x7F))


class Collection:
    """Files of one class in the order of the archive, in columns.

    Attributes:
        names: All paths in UTF-8, each followed by LF, strictly ascending as bytes.
        offsets: Where each path begins in ``names``; one more entry than files.
        sizes: Bytes of each file.
        mtimes: Nanoseconds, as 64 bits hold them.
        ctimes: The same, of the last change of anything.
        inodes: As 64 bits hold them.
        devices: Index into ``systems`` for each file.
        executable: 1 where the owner may execute the file.
        base: Index into ``bases`` for each file.
        bases: Where the files come from.
        systems: The file systems that they are on: device, and whether it tells each time the
            same.
        directories: What opens them.
        notes: What there is to say about them.
    """

    def __init__(self, bases: list[Base], directories: Directories, notes: Notes) -> None:
        self.names = b""
        self.offsets = array("I", [0])
        self.sizes = array("Q")
        self.mtimes = array("q")
        self.ctimes = array("q")
        self.inodes = array("Q")
        self.devices = array("H")
        self.executable = bytearray()
        self.base = array("I")
        self.bases = bases
        self.systems: list[tuple[int, bool]] = []
        self.directories = directories
        self.notes = notes

    def __len__(self) -> int:
        return len(self.sizes)

    def path(self, i: int) -> bytes:
        """Return the path of file ``i`` in the kit."""
        return self.names[self.offsets[i] : self.offsets[i + 1] - 1]

    def source(self, i: int) -> bytes:
        """Return the path of file ``i`` on this host, absolute."""
        return self.bases[self.base[i]].source(self.path(i))

    def made(self, i: int) -> Packed | None:
        """Return what makes file ``i``, if it is nowhere on this host as it will be carried."""
        return self.bases[self.base[i]].packed

    def read_made(self, i: int, offset: int, view: memoryview, mtime: int) -> None:
        """Fill ``view`` with a part of a file that is made; see `Packed.read`."""
        base = self.bases[self.base[i]]
        assert base.packed is not None
        base.packed.read(
            offset, view, mtime, lambda file: self.directories.open_file(base.top, file)
        )

    def find(self, path: bytes) -> int:
        """Return the number of the file with ``path`` in the kit; -1 if there is none."""
        i = bisect_left(range(len(self)), path, key=self.path)
        return i if i < len(self) and self.path(i) == path else -1

    def has_below(self, directory: bytes) -> bool:
        """Whether a file is in ``directory`` of the kit, at any depth."""
        inside = directory + b"/"
        first = bisect_left(range(len(self)), inside, key=self.path)
        return first < len(self) and self.path(first).startswith(inside)

    def unchanged(self, i: int, facts: os.stat_result) -> bool:
        """Whether ``facts`` are those that were noted for file ``i``."""
        device, stable = self.systems[self.devices[i]]
        return (
            facts.st_size == self.sizes[i]
            and (facts.st_mtime_ns - self.mtimes[i]) & _MASK == 0
            and facts.st_dev == device
            and stat.S_ISREG(facts.st_mode)
            and (
                not stable
                or (
                    facts.st_ino & _MASK == self.inodes[i]
                    and (facts.st_ctime_ns - self.ctimes[i]) & _MASK == 0
                )
            )
        )


@dataclass(frozen=True)
class Collected:
    """What a kit will carry.

    Attributes:
        data: Members of class ``data``.
        evidence: Members of class ``evidence``; none is executable (FORMAT 6.2).
        empty_directories: Where directories without any file would be in the kit.  A kit has no
            directories of their own, so they do not arrive; the spec says that they may be dropped.
        notes: What else there is to say.
    """

    data: Collection
    evidence: Collection
    empty_directories: tuple[bytes, ...]
    notes: Notes


def collect(
    spec: KitSpec,
    kept_out: Mapping[Identity, str] | None = None,
    taken: Taken | None = None,
) -> Collected:
    """Find every file that ``spec`` names.

    The result is the same whatever the order in which the host lists directories, its locale and
    its umask.

    Args:
        kept_out: Files and directories by device and inode, and what they are: keys, the output.
            A tree that holds one is refused, unless the spec names it.
        taken: What comes out of the store, for sources that are fetched.

    Raises:
        SourceMissing: A source is not there, or has no file in it.
        SourceUnsupported: Something is neither a regular file nor a directory.
        SourceNameUnsafe: A name breaks FORMAT 6.3, or is not printable ASCII and ``names`` is not
            "unicode".
        SourceTooLarge: A file is larger than FORMAT 6.8 allows.
        SourcesCollide: Two files would be one on some host (FORMAT 6.4).
        KitTooLarge: There are more files than FORMAT 6.8 allows.
        ExemptionIdle: An exemption names nothing that the kit will carry.
        SourceChanged: A file or directory vanished during the walk.
        SourceUnreadable: This host did not list or describe a file or directory.
        SourceSecret: A tree holds what must not leave this host.
        SourceDirectoryEmpty: A directory has no file, and the spec does not say that it may go.
    """
    walk = Walk(spec, kept_out, taken)
    # components are disjoint directories: one behind the other, only their sources interleave
    ordered = sorted(walk.components, key=lambda entry: entry[0] + b"/")
    data = _Builder(walk, ascii_only=spec.kit.names == "ascii")
    for _, streams in ordered:
        data.take(_merged(streams))
    evidence = _Builder(walk, ascii_only=spec.kit.names == "ascii")
    evidence.take(_merged([stream for _, streams in walk.evidence for stream in streams]))
    if walk.unsupported:
        raise errors.SourceUnsupported(sorted(walk.unsupported))
    if walk.unsafe:
        raise errors.SourceNameUnsafe(sorted(walk.unsafe))
    if walk.secret:
        raise errors.SourceSecret(sorted(walk.secret))
    if walk.unreadable:
        raise errors.SourceUnreadable(sorted(walk.unreadable))
    evidence.columns.executable = bytearray(len(evidence.columns.executable))
    both = data.finish(limits.MAX_MEMBER), evidence.finish(limits.MAX_FIXED_MEMBER)
    for path in taken.executables() if taken else ():
        both[0].executable[both[0].find(path)] = 1
    _check_exemptions(spec, both)
    dropped = _check_empty(walk, both)
    walk.notes.dropped.extend(dropped)
    return Collected(*both, tuple(dropped), walk.notes)


def _check_empty(walk: Walk, carried: Sequence[Collection]) -> list[bytes]:
    """Return the empty directories that the spec lets go; of one source may be full in another."""
    dropped: set[bytes] = set()
    lost: set[bytes] = set()
    for source, paths in walk.empty:
        there = {path for path in paths if not any(found.has_below(path) for found in carried)}
        (dropped if source.empty == "drop" else lost).update(there)
    if lost:
        raise errors.SourceDirectoryEmpty([(path, "has no file in it") for path in sorted(lost)])
    return sorted(dropped)


def _check_exemptions(spec: KitSpec, carried: Sequence[Collection]) -> None:
    """Hold each path of an exemption to what there is: a misspelt one would exempt nothing."""
    idle: list[tuple[str, str]] = []
    for number, exemption in enumerate(spec.exemptions):
        for at, text in enumerate(exemption.paths):
            path = text.encode()
            if not any(found.find(path) >= 0 or found.has_below(path) for found in carried):
                where = spec.where("exemption", number, "paths", at)
                idle.append((where, f"the kit will carry no {errors.show(path)}"))
    if idle:
        first, *more = idle
        message = "; ".join([first[1], *(f"{where}: {what}" for where, what in more)])
        raise errors.ExemptionIdle(message, where=first[0])


def _merged(streams: Sequence[Iterator[Found]]) -> Iterator[Found]:
    return streams[0] if len(streams) == 1 else heapq.merge(*streams)


class _Builder:
    """Takes files in ascending order into the columns of one class."""

    def __init__(self, walk: Walk, *, ascii_only: bool) -> None:
        self.columns = Collection(walk.bases, walk.directories, walk.notes)
        self._systems: dict[int, int] = {}
        self._walk, self._ascii = walk, ascii_only
        self._names = io.BytesIO()
        self._last: tuple[bytes, int] = (b"", 0)
        self._collisions = CollisionCheck()

    def take(self, found: Iterator[Found]) -> None:
        """Append files, all of them behind those taken before."""
        columns = self.columns
        while run := list(islice(found, _RUN)):
            paths, numbers, facts = zip(*run, strict=True)
            if not self._last[0] < paths[0] or not all(map(lt, paths, paths[1:])):
                raise self._twice(run)
            self._last = run[-1][:2]
            if self._names_are_safe(run, paths):
                self._collisions.add(paths)
            ends = accumulate((len(path) + 1 for path in paths), initial=columns.offsets[-1])
            columns.offsets.extend(islice(ends, 1, None))
            self._names.write(b"\n".join(paths) + b"\n")
            columns.sizes.extend([one.st_size for one in facts])
            columns.mtimes.extend(_signed([one.st_mtime_ns for one in facts]))
            columns.ctimes.extend(_signed([one.st_ctime_ns for one in facts]))
            columns.inodes.extend([one.st_ino & _MASK for one in facts])
            columns.devices.extend([self._system(one.st_dev) for one in facts])
            columns.executable += bytes([one.st_mode >> 6 & 1 for one in facts])
            columns.base.extend(numbers)
            for path, number, one in run:
                if is_odd(one.st_mode):
                    note_mode(columns.notes, one.st_mode, self._walk.source(number, path))
            if len(columns) > limits.MAX_MEMBERS or self._names.tell() > limits.MAX_LIST:
                most = f"{limits.MAX_MEMBERS} files, or {limits.MAX_LIST} bytes of names"
                raise errors.KitTooLarge(f"the sources have more than {most}")

    def finish(self, largest: int) -> Collection:
        """Return the columns when sizes and names go together."""
        columns = self.columns
        columns.names = self._names.getvalue()  # the buffer itself, not a copy
        if max(columns.sizes, default=0) > largest:
            large = [
                (self._walk.shown(columns.source(i)), f"has {size} bytes, more than {largest}")
                for i, size in enumerate(columns.sizes)
                if size > largest
            ]
            raise errors.SourceTooLarge(large)
        found = self._collisions.pair(map(columns.path, range(len(columns))))
        if found is not None:
            raise self._collide(*found)
        return columns

    def _system(self, device: int) -> int:
        number = self._systems.get(device)
        if number is None:
            number = self._systems[device] = len(self.columns.systems)
            self.columns.systems.append((device, self._walk.notes.devices.get(device, True)))
        return number

    # --- names

    def _names_are_safe(self, run: Sequence[Found], paths: Sequence[bytes]) -> bool:
        try:
            check_paths(paths)
            if not self._ascii or not b"".join(paths).translate(None, _PRINTABLE):
                return True
        except KitError:
            pass  # said below for each name, with its source
        for path, number, _ in run:
            why = self._why_unsafe(path)
            if why:
                source = self._walk.source(number, path)
                self._walk.unsafe.append((source, f"{why} (in the kit {errors.show(path)})"))
        return False

    def _why_unsafe(self, path: bytes) -> str:
        try:
            parse_member_path(path.decode("utf-8"))
        except UnicodeDecodeError:
            return "has a name that is not UTF-8"
        except KitError as error:
            return error.message
        if self._ascii and path.translate(None, _PRINTABLE):
            return 'is not printable ASCII; write `names = "unicode"` in [kit] to carry it'
        return ""

    def _twice(self, run: Sequence[Found]) -> KitError:
        before = self._last
        for path, number, _ in run:
            if path == before[0]:
                sources = self._walk.source(before[1], path), self._walk.source(number, path)
                return errors.SourcesCollide(sources, (path, path), "they would be one file")
            before = path, number
        raise AssertionError("files out of order")

    def _collide(self, one: bytes, other: bytes, why: str) -> KitError:
        columns, shown = self.columns, self._walk.shown
        sources = tuple(shown(columns.source(columns.find(path))) for path in (one, other))
        return errors.SourcesCollide((sources[0], sources[1]), (one, other), f"they {why}")


def _signed(times: list[int]) -> list[int]:
    """Return times as 64 bits hold them: a year after 2262 wraps, and still compares equal."""
    if min(times) >= -_SIGN and max(times) < _SIGN:
        return times
    return [(time + _SIGN & _MASK) - _SIGN for time in times]
