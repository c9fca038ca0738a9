"""Makes a whole kit of a damaged one, and what is missing of a pack or a second copy (FORMAT 16.4).

Nothing that was given is trusted: the head is authenticated, each part is compared with what was
signed, and the file gets its name only after all of it was proved as any kit is.  This is the one
module of mending that writes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence

from verifier import _compat
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size, seek_table
from verifier.core.container import Source
from verifier.core.errors import (
    DiskFull,
    KitError,
    KitUnreadable,
    Rejected,
    TargetBusy,
    TargetExchanged,
    TargetExists,
    TargetExposed,
    TargetUnwritable,
    WritesLost,
)
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root
from verifier.folder import Folder
from verifier.memberfiles import failed
from verifier.repair.errors import RepairIncomplete
from verifier.repair.papers import Request, encode_request, ranges_of, read_pack
from verifier.repair.survey import Head, Part, Supply
from verifier.run import default_workers, prove_file
from verifier.source import FileSource
from verifier.typed import record

_SUFFIX = b".offline-kit-partial"
_PIECE = limits.MIB


@record(frozen=True)
class Damage:
    """All that is wrong with one copy of a kit.

    Attributes:
        head: The head, if it is good.
        fault: Why it is not.
        frames: Numbers of the frames that are damaged or missing, in order.
        tail: Whether what follows the last frame is damaged, missing, or too much.
    """

    head: Head | None
    fault: KitError | None
    frames: tuple[int, ...]
    tail: bool

    @property
    def request(self) -> Request:
        """What to ask for."""
        kit_id = str(self.head.opened.kit_id) if self.head is not None else ""
        return Request(kit_id, self.head is None, ranges_of(self.frames))

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self.head is not None and not self.frames and not self.tail


def find_damage(path: str, root: Root | None) -> Damage:
    """Look at every frame of a kit.

    Raises:
        KitError: The file cannot be opened, or nobody vouches for it.
    """
    source = FileSource(path)
    try:
        try:
            head = Head(source, root)
        except (Rejected, KitUnreadable) as error:
            return Damage(None, error, (), tail=True)
        supply = Supply(source, head)
        bad = [frame for unit in head.units() if supply.find(unit) is None for frame in unit]
        found = Damage(head, None, tuple(bad), tail=not _is_tail(source, head))
        source.check_unchanged()
        return found
    finally:
        source.close()


def _is_tail(source: Source, head: Head) -> bool:
    want = b"".join(_tail(head))
    if source.size != head.size:
        return False
    have = bytearray(len(want))
    try:
        source.read_into(head.end, [memoryview(have)])
    except (Rejected, KitUnreadable):
        return False
    return have == want


def _tail(head: Head) -> list[bytes]:
    """Return the end and the seek table, which follow from the rest (FORMAT 10)."""
    end = b"".join(map(bytes, raw_parts(memoryview(bytes(limits.END)))))
    stored = array("I", map(raw_size, head.head_contents)) + head.stored
    stored.append(raw_size(limits.END))
    content = head.head_contents + head.layout.plan.content
    content.append(limits.END)
    return [end, seek_table(stored, content)]


@record(frozen=True)
class Mended:
    """A kit that was mended.

    Attributes:
        kit_id: Its kitId.
        taken: How many frames came from each file that was given, in order.
    """

    kit_id: str
    taken: tuple[int, ...]


def mend(
    path: str,
    others: Sequence[str],
    root: Root | None,
    out: str,
    *,
    request: str = "",
    shared: bool = False,
) -> Mended:
    """Write a whole kit.

    Args:
        path: The damaged kit.
        others: Packs, or other copies, which may be damaged too.
        root: The pinned root of trust.
        out: The file to make.
        request: A file to write what is still missing into; empty for none.
        shared: Whether others may write the directory of ``out``.

    Raises:
        RepairIncomplete: Something is in none of them; nothing was made but the request.
        KitError: No head is good, or the host refuses.
    """
    with contextlib.ExitStack() as sources:
        given = []
        for name in (path, *others):
            given.append(FileSource(name))
            sources.callback(given[-1].close)
        head, supplies = _supplies(given, root, request)
        found: list[tuple[range, int, list[int]]] = []
        missing: list[int] = []
        for unit in head.units():
            for number, supply in enumerate(supplies):
                places = supply.find(unit)
                if places is not None:
                    found.append((unit, number, places))
                    break
            else:
                missing += unit
        if missing:
            _refuse(missing, head, request)

        def pieces() -> Iterator[bytes]:
            for at in range(0, head.start, _PIECE):
                piece = bytearray(min(_PIECE, head.start - at))
                head.source.read_into(at, [memoryview(piece)])
                yield bytes(piece)
            for unit, number, places in found:
                for frame, place in zip(unit, places):
                    yield supplies[number].copy(frame, place)
            yield from _tail(head)

        _write_kit(out, pieces(), lambda name: _prove(name, root), shared=shared)
    taken = [0] * len(supplies)
    for unit, number, _ in found:
        taken[number] += len(unit)
    return Mended(str(head.opened.kit_id), tuple(taken))


def _prove(path: str, root: Root | None) -> None:
    prove_file(path, Job(root=root, workers=default_workers()), Opened())


def _supplies(
    given: Sequence[FileSource], root: Root | None, request: str
) -> tuple[Head, list[Supply]]:
    """Return the first good head, and all files as where frames may come from."""
    packs = [read_pack(source) for source in given]
    head: Head | None = None
    first: KitError | None = None
    for source, pack in zip(given, packs):
        part: Source = source if pack is None else Part(source, pack.start, pack.head)
        if pack is not None and not pack.head:
            continue
        try:
            head = Head(part, root)
            break
        except (Rejected, KitUnreadable) as error:
            first = first or error
    if head is None:
        if request:
            write_request(request, Request("", True, ()))
        assert first is not None
        raise first
    return head, [Supply(source, head, pack) for source, pack in zip(given, packs)]


def _refuse(missing: Sequence[int], head: Head, request: str) -> None:
    if request:
        kit_id = str(head.opened.kit_id)
        write_request(request, Request(kit_id, False, ranges_of(missing)))
    raise RepairIncomplete(
        f"{len(missing)} of {len(head.stored)} frames are good in nothing that was given,"
        f" the first of them number {missing[0]}",
    )


# --- writing -----------------------------------------------------------------------------------


def write_request(path: str, request: Request) -> None:
    """Write a request to a new file.

    Raises:
        TargetExists: It is there already.
        KitError: The host refuses.
    """
    try:
        with Folder.open(os.path.dirname(os.path.abspath(path))) as folder:
            name = os.fsencode(os.path.basename(path))
            descriptor = folder.create(name)
            try:
                _compat.write_at(descriptor, memoryview(encode_request(request)), 0)
                _compat.set_mode(descriptor, folder.name(name), 0o644)
                _compat.sync_file(descriptor)
            except OSError:
                folder.discard(name)
                raise
            finally:
                os.close(descriptor)
    except FileExistsError:
        raise TargetExists("is there already", where=repr(path)) from None
    except OSError as error:
        raise failed(error, path) from None


def _write_kit(
    path: str, pieces: Iterator[bytes], prove: Callable[[str], None], *, shared: bool
) -> None:
    """Write a kit beside its place, prove it, and give it its name."""
    try:
        target = _compat.long_path(os.path.abspath(path))
        above, base = os.path.split(target)
        with Folder.open(above) as folder:
            who = _compat.whoever_else_renames(folder.status())
            if who and not shared:
                raise TargetExposed(f"can be changed by {who}", where=repr(above))
            name = os.fsencode(base)
            if folder.look(name) is not None:
                raise TargetExists("is there already", where=repr(path))
            with _partial(folder, b"." + name + _SUFFIX, path, who) as (descriptor, partial):
                _fill(descriptor, pieces, path)
                prove(os.fsdecode(os.path.join(folder.path, partial)))
                _publish(folder, descriptor, partial, name, path)
    except OSError as error:
        raise failed(error, path) from None


@contextlib.contextmanager
def _partial(folder: Folder, name: bytes, path: str, who: str) -> Iterator[tuple[int, bytes]]:
    """Give a new file that nobody else writes; unless it got its name, it goes."""
    held = None
    with contextlib.suppress(_compat.LocksMissing):
        held = folder.take_lock(name + b".lock")
        if held is None:
            raise TargetBusy("is being written by another run", where=repr(path))
    try:
        left = folder.look(name)
        if left is not None and held is not None and not who and stat.S_ISREG(left.st_mode):
            folder.unlink(name)  # of a run that was killed
        descriptor = folder.create(name)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)
            folder.discard(name)
    except FileExistsError:
        where = repr(os.fsdecode(name))
        raise TargetUnwritable(
            "is there, and may be somebody else's: remove it", where=where
        ) from None
    finally:
        if held is not None:
            folder.drop_lock(held, name + b".lock")


def _fill(descriptor: int, pieces: Iterator[bytes], path: str) -> None:
    at = 0
    for piece in pieces:
        _compat.write_at(descriptor, memoryview(piece), at)
        at += len(piece)
    try:
        _compat.sync_file(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("there is no space left", where=repr(path)) from None
        why = error.strerror or str(error)
        raise WritesLost(f"what was written did not stay: {why}", where=repr(path)) from None


def _publish(folder: Folder, descriptor: int, partial: bytes, name: bytes, path: str) -> None:
    _compat.set_mode(descriptor, folder.name(partial), 0o644)
    if folder.look(name) is not None:
        raise TargetExists("has appeared meanwhile", where=repr(path))
    for what in (partial, name):
        if what == name:
            folder.rename(partial, name)
        if not folder.names_file(descriptor, what):
            raise TargetExchanged(
                "somebody put something else in the place of what was written", where=repr(path)
            )
    folder.sync()
