"""Changes the signed page of a kit in place: a few hundred bytes, never half (FORMAT 4.1).

Before the page is touched, the old first frame is kept in a file beside the kit and synced.  A run
that finds such a file puts the old frame back if the page is not whole, and removes the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.container.frames import read_content
from kit.container.output import lock, open_left, refused, sync_directory
from kit.errors import show
from runner.packing.head import write_parts
from verifier import _compat
from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size
from verifier.core.container import Container
from verifier.core.envelope import Envelope, check_surplus, encode_page, evaluate, pae, parse_page
from verifier.core.errors import EnvelopeMalformed, KitError, KitUnreadable, Usage
from verifier.core.trust import parse_chain
from verifier.source import FileSource

if TYPE_CHECKING:
    from kit.signing import KitSigner  # slow to load, and a page may need no key

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class KitBusy(Usage):
    """Another run is signing or sealing this kit."""

    code = "kit-busy"
    fix = "Wait for the other run to end, then run again."


class KitPlain(Usage):
    """The kit is a plain .tar, which has no page that could be signed in place."""

    code = "kit-plain"
    fix = "Sign the .tar.zst that was built."


def _backup_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.head")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Give a descriptor of a kit for reading and writing that nobody else has.

    What a killed run left unfinished is put right first.

    Raises:
        KitUnreadable: It cannot be opened.
        KitBusy: Another run has it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KitUnreadable(error.strerror or str(error), where=show(path)) from None
    try:
        held = lock(descriptor)
        if held is False or (held is None and os.path.lexists(_backup_of(path))):
            why = "is being changed by another run"
            if held is None:
                why += ", or was when one was killed: its file system has no locks to tell"
            raise KitBusy(why, where=show(path))
        _recover(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _recover(descriptor: int, path: Path) -> None:
    """Undo a page that was being written when a run was killed."""
    backup = _backup_of(path)
    try:
        kept = open_left(backup)
        if kept is None:
            return
        try:
            frame = _to_restore(descriptor, kept, path)
        finally:
            os.close(kept)
        if frame:
            write_parts(descriptor, [frame], 0)
            _compat.sync_file(descriptor)
        backup.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise refused(error, path) from None


def _to_restore(descriptor: int, kept: int, path: Path) -> bytes:
    """Return the first frame that a kit should have; empty if it has it.

    A kept frame counts when it is whole and of this kit: signing changes nothing before
    `signatures`.  One that is not whole was being written itself, and the page had not been
    touched.  Anybody may have put it there, so its signatures are judged as those of the page are,
    and no good signature is ever lost: a page cut short may parse and be valid, half of it old.
    """
    frame, size = _frame(descriptor)
    old, end = os.pread(kept, len(frame) + 1, 0), frame.find(b'"signatures":')
    if len(old) != len(frame) or end < 0 or old[:end] != frame[:end]:
        return b""
    now = _good_page(bytes(read_content(descriptor, 0, size + 512)[512:]), path)
    before = _good_page(bytes(read_content(kept, 0, size + 512)[512:]), path)
    if now is None:
        mine = os.fstat(kept).st_uid == os.geteuid()
        return old if before is not None or mine else b""
    if before is None or before.signatures.items() <= now.signatures.items():
        return b""
    both = Envelope(now.payload, {**before.signatures, **now.signatures})
    try:
        page = encode_page(both, size)
    except ValueError:  # no page of ours: one that was being written had room for all
        return b""
    return b"".join(map(bytes, raw_parts(memoryview(bytes(frame[17 : 17 + 512]) + page))))


def _good_page(page: bytes, path: Path) -> Envelope | None:
    """Return a page that has only good signatures under the kit's own root."""
    source = FileSource(os.fspath(path))
    try:
        container = Container(source)
        container.read_page()  # as it is; roots stand behind it
        root = parse_chain(container.read_roots()[512:])[-1]
        envelope = parse_page(page)
        check_surplus(evaluate(envelope, root.targets))
    except KitError:
        return None
    finally:
        source.close()
    return envelope


def _frame_size(head: bytes | bytearray) -> int:
    """Return the size in the file of the first frame of a kit.

    Raises:
        EnvelopeMalformed: It is no page.
    """
    content = int.from_bytes(head[6:14], "little")
    if content - 512 not in limits.PAGE_SIZES:
        raise EnvelopeMalformed("the first frame is no page", where="kit.dsse.json")
    return raw_size(content)


def _frame(descriptor: int) -> tuple[bytearray, int]:
    """Return the first frame as it is and the size of its page."""
    head = os.pread(descriptor, 14, 0)
    frame = os.pread(descriptor, _frame_size(head), 0)
    return bytearray(frame), int.from_bytes(head[6:14], "little") - 512


def write_page(descriptor: int, page: bytes) -> tuple[int, int]:
    """Write a page over one of the same size; return offset and length of what was written."""
    old, size = _frame(descriptor)
    if len(page) != size:
        raise ValueError(f"the page has {size} bytes, not {len(page)}")
    header = bytes(old[17 : 17 + 512])  # behind the frame header and that of the first block
    new = b"".join(map(bytes, raw_parts(memoryview(header + page))))
    # as numbers, since a page has a mebibyte, and to look at one by one takes a tenth of a second
    difference = int.from_bytes(new, "big") ^ int.from_bytes(old, "big")
    if not difference:
        return 0, 0
    first = len(new) - (difference.bit_length() + 7) // 8
    last = len(new) - ((difference & -difference).bit_length() - 1) // 8
    write_parts(descriptor, [new[first:last]], first)
    return first, last - first


def replace_page(descriptor: int, path: Path, page: bytes) -> int:
    """Write a page so that a kill at any moment leaves the old or the new one.

    Returns:
        How many bytes were written into the kit.

    Raises:
        OutputUnwritable: The host refuses.
    """
    backup = _backup_of(path)
    try:
        old, _ = _frame(descriptor)
        kept = os.open(backup, _NEW, 0o600)
        try:
            write_parts(kept, [bytes(old)], 0)
            _compat.sync_file(kept)
            sync_directory(path.parent)
        except OSError:
            backup.unlink()  # the page has not been touched
            raise
        finally:
            os.close(kept)
        _, length = write_page(descriptor, page)
        _compat.sync_file(descriptor)
        backup.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise refused(error, path) from None
    return length


def sign_page(
    payload: bytes, signatures: Mapping[str, bytes], signers: Sequence[KitSigner], size: int
) -> bytes:
    """Return a page with the signatures that are there and those of ``signers``."""
    all_signatures = dict(signatures)
    for signer in signers:
        all_signatures[signer.keyid] = signer.sign(pae(payload))
    return encode_page(Envelope(payload, all_signatures), size)
