"""Review packs: the head of a kit as files that travel to signers, made and read back (FORMAT 14).

A pack of a 200 GB kit has some megabytes, and everything that a signature is over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.container.output import is_still, lock, refused, sync_directory
from kit.errors import OutputExists, OutputForeign, show
from kit.review.diff import NO_OLD, diff_text
from kit.review.errors import ReviewDiffDiffers
from kit.review.head import DIFF, PACK_FILES, Head, load_head
from kit.review.words import Seen, see
from runner.packing.head import write_parts
from verifier import _compat
from verifier.core.model import KitInfo
from verifier.core.names import HEAD
from verifier.source import FileSource

MAX_DIFF = 16 * 1024 * 1024  # bytes; diff.txt is bounded far below that
_PARTIAL = ".offline-kit-partial"


@dataclass(frozen=True)
class MadePack:
    """A review pack that was written.

    Attributes:
        size: Bytes of all its files.
        against: The kit that diff.txt compares with; None if there was none.
    """

    path: Path
    head: Head
    size: int
    against: Head | None


@dataclass(frozen=True)
class Review:
    """A pack, or a kit, as a signer sees it.

    Attributes:
        diff: The difference to what was given; empty if nothing can be said.
        diff_checked: Whether diff.txt of the pack is what follows; None for a kit, which has none.
        others: Files in the directory that are no part of a pack, escaped for a message.
    """

    seen: Seen
    against: Head | None
    diff: str
    diff_checked: bool | None
    others: tuple[str, ...] = ()

    @property
    def head(self) -> Head:
        """What was proved."""
        return self.seen.head


def pack_name(info: KitInfo) -> str:
    """Return the name of the directory of a review pack."""
    return f"{info.name}-{info.version}.review"


def make_pack(kit: Path, out: Path, *, against: Path | None = None) -> MadePack:
    """Write the review pack of a kit into a new directory in ``out``, whole or not at all.

    Of the kit only the head is read.

    Args:
        against: An earlier kit or its review pack, for diff.txt.

    Raises:
        OutputExists: The directory is there, or another run is making it.
        KitError: A kit or the disk is at fault.
    """
    old = load_head(against)[0] if against is not None else None
    head, index, table = load_head(kit)
    path = out / pack_name(head.manifest.kit)
    texts: dict[str, Iterable[bytes]] = {
        HEAD[0]: [head.page],
        HEAD[1]: [head.roots],
        HEAD[2]: index.text(),
        HEAD[3]: table.text(),
    }
    with _new_directory(path) as staging:
        for name in HEAD:
            _write(staging / name, texts.pop(name))
        del index, table, texts  # a million members: the comparison needs no list in memory
        _write(staging / DIFF, [diff_text(head, old).encode("utf-8")])
        size = sum((staging / name).stat().st_size for name in PACK_FILES)
    return MadePack(path, head, size, old)


def review(path: Path, *, against: Path | None = None) -> Review:
    """Prove all that can be proved of a pack (or of a kit's head), and see what it is.

    diff.txt is no part of what is signed, so it is made again and compared, and the text that is
    returned is the one made here.  Where the earlier kit is not at hand that cannot be done.

    Args:
        against: The earlier kit or its review pack, as the signer has it.

    Raises:
        ReviewDiffDiffers: diff.txt is not what follows.
        KitError: Something is not as it must be.
    """
    old = load_head(against)[0] if against is not None else None
    head, index, table = load_head(path)
    seen = see(head, index, table)
    del index, table
    if not path.is_dir():
        return Review(seen, old, diff_text(head, old) if old is not None else "", None)
    there = _read_diff(path)
    made = ""
    if old is not None or NO_OLD.encode("utf-8") in there:  # else it cannot be the same
        made = diff_text(head, old)
    same = there == made.encode("utf-8")
    if not same and old is not None:
        raise ReviewDiffDiffers(
            f"it is not the difference to {old.manifest.kit.name} {old.manifest.kit.version} "
            f"with the kitId {old.kit_id}, as given here",
            where=DIFF,
        )
    others = sorted(set(os.listdir(path)) - set(PACK_FILES))
    return Review(seen, old, made if same else "", same, tuple(map(show, others)))


def _read_diff(path: Path) -> bytes:
    source = FileSource(os.fspath(path / DIFF))
    try:
        if source.size is None or source.size > MAX_DIFF:
            raise ReviewDiffDiffers(f"it has {source.size} bytes", where=DIFF)
        data = bytearray(source.size)
        source.read_into(0, [memoryview(data)])
        return bytes(data)
    finally:
        source.close()


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o644)
    try:
        _compat.set_mode(descriptor, os.fspath(path), 0o644)
        at = 0
        for piece in pieces:
            write_parts(descriptor, [piece], at)
            at += len(piece)
        _compat.sync_file(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _new_directory(path: Path) -> Iterator[Path]:
    """Give an unfinished directory that becomes ``path`` when the block ends well."""
    staging = path.with_name(f".{path.name}{_PARTIAL}")
    try:
        if os.path.lexists(path):
            raise OutputExists("is there already", where=show(path))
        left = _make(staging)
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        raise OutputForeign("is no directory that a run left", where=show(staging)) from None
    except OSError as error:
        raise refused(error, path) from None
    try:
        _lock(descriptor, path)
        if left:
            _check_ours(descriptor, staging)
            _remove(staging, keep=True)
        try:
            _compat.set_mode(descriptor, os.fspath(staging), 0o755)
            yield staging
            _compat.sync_folder(descriptor)
            if not is_still(staging, descriptor):
                raise OutputForeign("was exchanged while it was written", where=show(staging))
            if os.path.lexists(path):  # a rename would replace an empty directory
                raise OutputExists("has appeared meanwhile", where=show(path))
            os.rename(staging, path)
            sync_directory(path.parent)
        except BaseException:
            _remove(staging)
            raise
    except OSError as error:
        raise refused(error, path) from None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    if lock(descriptor) is False:
        raise OutputExists(
            "is being written by another run",
            where=show(path),
            fix="Wait until the other run has ended, then run again.",
        )


def _make(staging: Path) -> bool:
    """Make a directory; return whether a killed run had left it, which is then taken over."""
    try:
        os.mkdir(staging, 0o755)
    except FileExistsError:
        return True
    return False


def _check_ours(descriptor: int, staging: Path) -> None:
    """Refuse a directory in which somebody else could exchange what is written."""
    facts = os.fstat(descriptor)
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise OutputForeign("others may write in it", where=show(staging))


def _remove(staging: Path, *, keep: bool = False) -> None:
    """Remove what a pack holds, and, unless told otherwise, its directory."""
    with contextlib.suppress(OSError):
        for name in PACK_FILES:
            (staging / name).unlink(missing_ok=True)
        if not keep:
            staging.rmdir()
