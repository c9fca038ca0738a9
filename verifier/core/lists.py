"""The two signed lists, kept as columns, and the derived one (FORMAT 6).

A list has one spelling, and the reader takes no other.  Columns instead of an object a member: a
million members take about 130 MB here, most of it their names.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice

from verifier.core import limits
from verifier.core.errors import ListMalformed
from verifier.core.names import (
    HEAD,
    CollisionCheck,
    check_order,
    check_paths,
    first_components,
    is_reserved,
)

INDEX_HEAD = b"offline-kit-index/1\n"
FRAMES_HEAD = b"offline-kit-frames/1\n"
FRAME_LINE = 75  # bytes of a line of kit.frames, LF included
RAW, ZSTD = ord("r"), ord("z")
CLASSES = (b"sums", b"sig", b"readme", b"tool", b"verifier", b"evidence", b"data")
SUMS, SIG, README, TOOL, VERIFIER, EVIDENCE, DATA = range(7)
_RANK = {name: rank for rank, name in enumerate(CLASSES)}
VERIFIER_TOOL, RUNNER_TOOL = b"kit-verify.pyz", b"kit-run.pyz"
_FIXED = {SUMS: {b"SHA256SUMS"}, SIG: {b"SHA256SUMS.sig"}, README: {b"README.txt"}}
_FIXED[TOOL] = {RUNNER_TOOL, VERIFIER_TOOL}
_BELOW = {VERIFIER: b"verifier/", EVIDENCE: b"evidence/"}
_MODES = (b"0644", b"0755")
_NOT_IN_SUMS = (SUMS, SIG)
_DASHES = b"-" * 64
# the one spelling of a line; ^ keeps the search for the next one from looking inside of a line
_INDEX_LINE = re.compile(rb"(?m)^(.{64}) (0|[1-9][0-9]{,15}) ([a-z]+) (0644|0755) (.*)\n")
_FRAMES_LINE = re.compile(rb"(?m)^([0-9]{7}) ([rz]) ([0-9a-f]{64}|-{64})\n")
_RUN = 8192  # members written or walked at once


class Index:
    """The members of a kit in archive order, in columns.

    Attributes:
        names: All paths in UTF-8, each followed by LF.
        offsets: Where each path begins in ``names``; one more entry than members.
        sizes: Bytes of each member's contents.
        digests: SHA-256 of each member's contents, 32 bytes each, one behind the other.
        executable: 1 where a member lands as 0755.
        bounds: First member of each class, and the number of members at the end (8 entries).
    """

    def __init__(self) -> None:
        self.names = bytearray()
        self.offsets = array("I", [0])
        self.sizes = array("Q")
        self.digests = bytearray()
        self.executable = bytearray()
        self.bounds = [0] * 8

    def __len__(self) -> int:
        return len(self.sizes)

    def extend(
        self, rank: int, names: Sequence[bytes], sizes: Sequence[int], executable: Sequence[int]
    ) -> None:
        """Append members of class number ``rank``, not before the last class appended."""
        ends = accumulate([len(name) + 1 for name in names], initial=self.offsets[-1])
        self.offsets.extend(islice(ends, 1, None))
        if names:
            self.names += b"\n".join(names) + b"\n"
        self.sizes.extend(sizes)
        self.executable += bytes(executable)
        self.bounds[rank + 1 :] = [len(self.sizes)] * (7 - rank)

    def paths(self, first: int, last: int) -> list[bytes]:
        """Return the paths of members ``first`` to ``last - 1``."""
        if first >= last:
            return []
        return bytes(self.names[self.offsets[first] : self.offsets[last] - 1]).split(b"\n")

    def path(self, member: int) -> str:
        """Return one path as text."""
        return self.names[self.offsets[member] : self.offsets[member + 1] - 1].decode("utf-8")

    def digest(self, member: int) -> bytes:
        """Return the SHA-256 of one member's contents."""
        return bytes(self.digests[32 * member : 32 * member + 32])

    def rank(self, member: int) -> int:
        """Return the class number of one member."""
        return bisect_right(self.bounds, member) - 1

    def count(self, rank: int) -> int:
        """Return how many members the class number ``rank`` has."""
        return self.bounds[rank + 1] - self.bounds[rank]

    def find(self, path: bytes) -> int | None:
        """Return the number of the member at ``path``, or None."""
        for rank in range(7):
            at = self.first_at_or_after(path, rank)
            if at < self.bounds[rank + 1] and self.paths(at, at + 1) == [path]:
                return at
        return None

    def first_at_or_after(self, path: bytes, rank: int = DATA) -> int:
        """Return the first member of a class whose path is not below ``path`` in byte order."""
        low, high = self.bounds[rank], self.bounds[rank + 1]
        while low < high:
            middle = (low + high) // 2
            if self.paths(middle, middle + 1)[0] < path:
                low = middle + 1
            else:
                high = middle
        return low

    def below(self, path: bytes, rank: int = DATA) -> list[range]:
        """Return the members of a class at ``path`` or, if it is a directory, below it."""
        at = self.first_at_or_after(path, rank)
        exact = range(at, at + (at < self.bounds[rank + 1] and self.paths(at, at + 1) == [path]))
        first, last = (self.first_at_or_after(path + end, rank) for end in (b"/", b"0"))
        return [run for run in (exact, range(first, last)) if run]

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (class number, first, last) for runs of members that fit in memory as objects."""
        for rank in range(7):
            for first in range(self.bounds[rank], self.bounds[rank + 1], _RUN):
                yield rank, first, min(first + _RUN, self.bounds[rank + 1])

    def lines(self, rank: int, first: int, last: int, *, without: int = 0) -> bytes:
        """Return lines of ``kit.index`` for members of one class (FORMAT 6.1).

        Args:
            without: Bytes that each path is shorter by, at its beginning.
        """
        digests = self.digests[32 * first : 32 * last].hex(" ", 32).encode().split(b" ")
        modes = map(_MODES.__getitem__, self.executable[first:last])
        names = self.paths(first, last)
        if without:
            names = [name[without:] for name in names]
        rows = zip(digests, self.sizes[first:last], modes, names)
        row = b"%b %d " + CLASSES[rank] + b" %b %b\n"
        return b"".join([row % columns for columns in rows])

    def text(self, *, signatures: bool = True) -> Iterator[bytes]:
        """Yield ``kit.index``; without the class ``sig`` it is what contentId is over."""
        yield INDEX_HEAD
        for rank, first, last in self.runs():
            if signatures or rank != SIG:
                yield self.lines(rank, first, last)

    def text_size(self) -> int:
        """Return the bytes of ``kit.index``, known before any digest is."""
        digits = sum(map(len, map(str, self.sizes)))
        classes = sum(self.count(rank) * len(CLASSES[rank]) for rank in range(7))
        # 64 digits, four spaces, four digits of mode; `names` has the LF of each line
        return len(INDEX_HEAD) + len(self) * 72 + digits + classes + len(self.names)

    def sums(self) -> Iterator[bytes]:
        """Yield ``SHA256SUMS`` (FORMAT 6.7)."""
        for rank, first, last in self.runs():
            if rank not in _NOT_IN_SUMS:
                digests = self.digests[32 * first : 32 * last].hex(" ", 32).encode().split(b" ")
                yield _sums_lines(digests, self.paths(first, last))

    def sums_size(self) -> int:
        """Return the bytes of ``SHA256SUMS``."""
        skipped = self.bounds[README]
        return (len(self) - skipped) * 66 + len(self.names) - self.offsets[skipped]


def _sums_lines(digests: Iterable[bytes], paths: Iterable[bytes]) -> bytes:
    """Return lines of ``SHA256SUMS``, one or more, for digests in hexadecimal."""
    return b"\n".join(map(b"  ".join, zip(digests, paths))) + b"\n"


class IndexReader:
    """Makes an `Index` of the text of ``kit.index``, fed in pieces that end at line ends.

    Args:
        algorithms: Names of the hashes to take of ``SHA256SUMS`` on the way.

    Attributes:
        index: What was fed so far.
        content: SHA-256 over what contentId is of: all lines but those of class ``sig``.
        sums: For each of ``algorithms`` the hash of ``SHA256SUMS`` as it follows from the lines.
    """

    def __init__(self, algorithms: Iterable[str] = ("sha256",)) -> None:
        self.index = Index()
        self.content = hashlib.sha256(INDEX_HEAD)
        self.sums = {name: hashlib.new(name) for name in algorithms}
        self._collisions = CollisionCheck()
        self._collisions.add([name.encode() for name in HEAD])
        self._last = b""

    def feed(self, text: bytes) -> None:
        """Take whole lines.

        Raises:
            ListMalformed: A line is not in the one spelling, or lines are not in order.
            MemberPathUnsafe: A path breaks FORMAT 6.3.
        """
        # what is between two lines that are as they must be, then the five fields of a line, ...
        parts = _INDEX_LINE.split(text)
        if any(parts[::6]):
            raise ListMalformed("a line is not in its one spelling", where="kit.index")
        columns = [parts[field::6] for field in range(1, 6)]
        del parts
        at, count = 0, len(columns[0])
        if len(self.index) + count > limits.MAX_MEMBERS:
            raise ListMalformed(f"more than {limits.MAX_MEMBERS} members", where="kit.index")
        for rank, last in _classes(columns[2]):
            run = columns if last - at == count else [column[at:last] for column in columns]
            self._run(rank, run)
            if rank == SIG:
                first = self.index.bounds[SIG]
                line = self.index.lines(SIG, first, len(self.index))
                before, _, text = text.partition(line)
                self.content.update(before)
            at = last
        self.content.update(text)

    def _run(self, rank: int, columns: list[list[bytes]]) -> None:
        index = self.index
        if index.bounds[rank + 1] != len(index):  # members of a later class came before
            raise ListMalformed("classes are not in order", where="kit.index")
        digits, names = b"".join(columns[0]), columns[4]
        sizes = list(map(int, columns[1]))
        try:
            digests = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            digests = b""
        if digests.hex().encode() != digits:
            raise ListMalformed("a digest is not in its one spelling", where="kit.index")
        check_paths(names)
        check_order(names, self._last if index.count(rank) else b"")
        self._last = names[-1]
        _check_class(rank, names, sizes)
        self._collisions.add(names)
        index.digests += digests
        index.extend(rank, names, sizes, [mode == b"0755" for mode in columns[3]])
        if rank not in _NOT_IN_SUMS:
            lines = _sums_lines(columns[0], names)
            for state in self.sums.values():
                state.update(lines)

    def finish(self) -> Index:
        """Return the index.

        Raises:
            ListMalformed: A member that every kit has is missing, or a limit is passed.
            MemberPathsCollide: Two paths are one on some host.
        """
        index = self.index
        last = index.bounds[VERIFIER]  # behind the class of tools
        tool = index.paths(last - 1, last) == [VERIFIER_TOOL]
        if [index.count(SUMS), index.count(README), tool] != [1, 1, True]:
            raise ListMalformed(
                "SHA256SUMS, README.txt or kit-verify.pyz is missing", where="kit.index"
            )
        if index.count(SIG) > 1 or not index.count(VERIFIER):
            raise ListMalformed(
                "there is no verifier/, or more than one signature", where="kit.index"
            )
        if any(index.executable[: index.bounds[DATA]]):
            raise ListMalformed("a member outside the payload is executable", where="kit.index")
        self._collisions.finish(
            [name.encode() for name in HEAD]
            + [name for _, first, last in index.runs() for name in index.paths(first, last)]
            if self._collisions.suspicious()
            else ()
        )
        return index


def _classes(kinds: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (class number, end) for the classes in ``kinds``, each of which is one run."""
    at = 0
    while at < len(kinds):
        kind, count = kinds[at], kinds.count(kinds[at])
        if kind not in _RANK:
            raise ListMalformed(f"unknown class {kind[:24]!r}", where="kit.index")
        if kinds[at : at + count].count(kind) != count:
            raise ListMalformed("classes are not in order", where="kit.index")
        at += count
        yield _RANK[kind], at


def _check_class(rank: int, names: Sequence[bytes], sizes: Sequence[int]) -> None:
    """Hold ascending paths and sizes to the class they stand in (FORMAT 6.2, 6.5, 6.8)."""
    limit = limits.MAX_MEMBER if rank in (DATA, SUMS) else limits.MAX_FIXED_MEMBER
    if max(sizes) > limit or (rank == SUMS and max(sizes) > limits.MAX_LIST):
        raise ListMalformed(f"a member is larger than {limit} bytes", where="kit.index")
    if rank in _FIXED:
        good = _FIXED[rank].issuperset(names)
    elif rank in _BELOW:
        good = all(name.startswith(_BELOW[rank]) for name in names)
    else:
        firsts = first_components(names)
        good = not any(is_reserved(first.decode("utf-8")) for first in firsts)
    if not good:
        kind = CLASSES[rank].decode()
        raise ListMalformed(f"a path does not belong to class {kind}", where="kit.index")


class FrameTable:
    """The payload frames of a kit in order, in columns (FORMAT 6.6).

    Attributes:
        stored: Bytes of each frame in the file.
        kinds: ``r`` or ``z`` for each frame, as bytes.
        digests: 32 bytes a frame; zeros where there is none.
        dashed: 1 where the frame has no digest of its own.
    """

    def __init__(self) -> None:
        self.stored = array("I")
        self.kinds = bytearray()
        self.digests = bytearray()
        self.dashed = bytearray()

    def __len__(self) -> int:
        return len(self.stored)

    def append(self, stored: int, kind: int, digest: bytes | None) -> None:
        """Add the next frame."""
        self.stored.append(stored)
        self.kinds.append(kind)
        self.digests += digest or bytes(32)
        self.dashed.append(digest is None)

    def digest(self, frame: int) -> bytes:
        """Return the digest of one frame; zeros where it has none."""
        return bytes(self.digests[32 * frame : 32 * frame + 32])

    def lines(self, first: int, last: int) -> bytes:
        """Return lines of ``kit.frames``."""
        digests = self.digests[32 * first : 32 * last].hex(" ", 32).split(" ")
        rows = zip(
            self.stored[first:last], self.kinds[first:last], self.dashed[first:last], digests
        )
        return b"".join(
            [b"%07d %c %b\n" % (n, k, _DASHES if dash else d.encode()) for n, k, dash, d in rows]
        )

    def text(self) -> Iterator[bytes]:
        """Yield ``kit.frames``."""
        yield FRAMES_HEAD
        for first in range(0, len(self), _RUN):
            yield self.lines(first, min(first + _RUN, len(self)))

    def feed(self, text: bytes) -> None:
        """Take whole lines.

        Raises:
            ListMalformed: A line is not in the one spelling.
        """
        parts = _FRAMES_LINE.split(text)
        if any(parts[::4]):
            raise ListMalformed("a line is not in its one spelling", where="kit.frames")
        sizes, kinds, digests = (parts[field::4] for field in range(1, 4))
        dashed = [digest == _DASHES for digest in digests]
        self.stored.extend(map(int, sizes))
        self.kinds += b"".join(kinds)
        self.digests += bytes.fromhex(b"".join(digests).replace(b"-", b"0").decode("ascii"))
        self.dashed += bytes(dashed)
