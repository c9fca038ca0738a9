"""Small files that somebody names on a command line: roots, policies, keys, receipts.

A root may come as root.json, as the chain file that `offline-kit` writes, or out of a pipe; and a
file that is something else is named for what it is, since arguments are swapped easily.
"""

from __future__ import annotations

import os
import stat

from verifier.core import limits
from verifier.core.errors import KitError, RootInvalid, UsageError
from verifier.core.rootchain import check_chain
from verifier.core.trust import Root, parse_chain, parse_root
from verifier.source import FileSource

_CHAIN_BEGINS = b'{"signatures":['  # compact JSON; one root in a file of its own may have it too
_PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # what a shell makes of <(...) and |
_LOOKED = 4096  # bytes; enough to see what a file is
MISSING = "Check the path: it is the root.json that you compared the number of, or roots.json."


def read_file(path: str, most: int) -> bytes:
    """Return a file of the command line, at most one byte more than it may have.

    A pipe is read where the name says that there is one; a FIFO that lies about under another name
    would let the program wait for ever.

    Raises:
        KitUnreadable: It cannot be opened or read, or is no regular file.
    """
    if path.startswith(_PIPES):
        try:
            with open(path, "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    return stream.read(most + 1)
        except OSError:
            pass  # what follows says why
    source = FileSource(path)
    try:
        assert source.size is not None
        data = bytearray(min(source.size, most + 1))
        source.read_into(0, [memoryview(data)])
        return bytes(data)
    finally:
        source.close()


def what_is(data: bytes) -> str:
    """Return in words what a file begins as, for who named the wrong one; empty if unknown."""
    head = data[:_LOOKED].lstrip()
    for begins, what in (
        (b"\x28\xb5\x2f\xfd", "a kit"),
        (b"kit.dsse.json\0", "a kit"),
        (b"-----BEGIN PUBLIC KEY", "a public key"),
        (b"ssh-ed25519 ", "a public key"),
        (b"-----BEGIN ", "a key or a certificate"),
    ):
        if head.startswith(begins):
            return what
    if not head.startswith(b"{"):
        return ""
    for has, what in (
        (b'"x-offline-kit-signer"', "a root of trust"),
        (b"https://offline-kit.example/policy/", "a policy"),
        (b"https://offline-kit.example/state/", "a memory of accepted kits"),
        (b"https://offline-kit.example/receipt/", "a receipt"),
    ):
        if has in head:
            return what
    return ""


def load_roots(path: str) -> tuple[list[Root], bool]:
    """Return the roots in a root.json or a chain file, each held to its signatures; which of both.

    Raises:
        RootInvalid: There is no file, or it is something else.
    """
    data = _read_root(path)
    return _parse(data, path), _is_chain(data)


def load_root(path: str, fingerprint: str = "") -> Root:
    """Return the root of trust in a file; the newest one of a chain.

    Args:
        path: The file.
        fingerprint: SHA-256 of root.json from another channel, in any grouping; empty to compare
            nothing.  Of a chain it is that of its newest root.

    Raises:
        RootInvalid: There is no file, or it is something else.
        FingerprintMismatch: It is another one.
    """
    data = _read_root(path)
    if not fingerprint:
        return _parse(data, path)[-1]
    from verifier.host.fingerprint import check_fingerprint  # here: seldom asked for

    if not _is_chain(data):
        check_fingerprint(data, fingerprint)
    root = _parse(data, path)[-1]
    if _is_chain(data):
        check_fingerprint(root.line, fingerprint)
    return root


def _read_root(path: str) -> bytes:
    try:
        return read_file(path, limits.MAX_ROOT_CHAIN)
    except KitError as error:
        raise RootInvalid(error.message, where=repr(path), fix=MISSING) from None


def _is_chain(data: bytes) -> bool:
    return len(data) % 512 == 0 and data.startswith(_CHAIN_BEGINS)


def _parse(data: bytes, path: str) -> list[Root]:
    where = repr(path)
    try:
        if not _is_chain(data):
            return [parse_root(data)]
        chain = parse_chain(data)
        check_chain(chain)
        return chain
    except KitError as error:
        if not data:
            raise RootInvalid("the file is empty", where=where, fix=MISSING) from None
        what = what_is(data)
        if what in ("", "a root of trust"):
            raise RootInvalid(error.message, where=where) from None
        raise RootInvalid(
            f"is {what}, not a root of trust",
            where=where,
            fix="Give root.json or roots.json here; did two arguments change places?",
        ) from None


def read_other(path: str, most: int, wanted: str) -> bytes:
    """Return a file that is no root and no kit, such as a policy.

    Args:
        path: The file.
        most: Bytes it may have; one more may be returned.
        wanted: What it should be, for the message: ``a policy``.

    Raises:
        UsageError: It cannot be read, or is plainly something else.
    """
    try:
        data = read_file(path, most)
    except KitError as error:
        raise UsageError(error.message, where=repr(path), fix="Check the path.") from None
    what = what_is(data)
    if what not in ("", wanted):
        raise UsageError(
            f"is {what}, not {wanted}",
            where=repr(path),
            fix="Name the right file; did two arguments change places?",
        )
    return data
