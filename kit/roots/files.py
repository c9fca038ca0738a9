"""Files of roots: root.json, the chain ``roots.json``, and the next version on its way to signers.

A chain file has the bytes of ``kit.roots.json`` (FORMAT 5.1), so that it can be compared with what
a kit carries.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import show
from verifier import rootfile
from verifier.core import limits
from verifier.core.container import Container
from verifier.core.errors import KitError, RootInvalid
from verifier.core.rootchain import check_chain
from verifier.core.trust import Root, parse_chain, read_root
from verifier.source import FileSource

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})
_FRAME_BEGINS = b"\x28\xb5\x2f\xfd"
_TAR_BEGINS = b"kit.dsse.json\0"


@dataclass(frozen=True)
class Roots:
    """Roots that a file holds, oldest first.

    Attributes:
        is_chain: Whether the file is a chain that can be made longer in place.
        from_kit: Whether the file is a kit; nobody has vouched for it.
    """

    chain: tuple[Root, ...]
    is_chain: bool = False
    from_kit: bool = False

    @property
    def last(self) -> Root:
        """The newest root."""
        return self.chain[-1]


def load_roots(path: Path) -> Roots:
    """Return the roots of a root.json or of a chain file, held to their own signatures.

    Raises:
        RootInvalid: The file cannot be read, or is neither, or a signature is missing.
    """
    chain, is_chain = rootfile.load_roots(os.fspath(path))
    return Roots(tuple(chain), is_chain=is_chain)


def load_any(path: Path) -> Roots:
    """Return the roots of a root.json, a chain file, or a kit that nobody has vouched for.

    Raises:
        KitError: The file cannot be read or holds no roots.
    """
    head = _read(path, len(_TAR_BEGINS))
    if not head.startswith((_FRAME_BEGINS, _TAR_BEGINS)):
        return load_roots(path)
    return Roots(tuple(read_kit_roots(path)), is_chain=True, from_kit=True)


def read_kit_roots(path: Path) -> list[Root]:
    """Return the roots that a kit carries, held to their own signatures.

    Raises:
        KitError: It does not begin as a kit does, or its chain is not good.
    """
    source = FileSource(os.fspath(path))
    try:
        container = Container(source)
        container.read_page()
        chain = parse_chain(container.read_roots()[512:])
    finally:
        source.close()
    check_chain(chain)
    return chain


def load_next(paths: Sequence[Path]) -> list[Root]:
    """Return copies of the next version of a root, whose signatures may not be complete.

    Raises:
        RootInvalid: A file cannot be read or is not a root.
    """
    copies = []
    for path in paths:
        try:
            copies.append(read_root(_read(path, limits.MAX_ROOT + 1)))
        except RootInvalid as error:
            raise RootInvalid(error.message, where=show(path)) from None
    return copies


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only run that replaces a file; waits for another one to end.

    Who waited finds another file under the name, and takes the lock of that one.

    Raises:
        RootInvalid: It cannot be opened.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise RootInvalid(error.strerror or str(error), where=show(path)) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise RootInvalid(error.strerror or str(error), where=show(path)) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    yield
                    return
        finally:
            os.close(descriptor)


def _read(path: Path, most: int) -> bytes:
    """Return the first bytes of a file; what is longer than allowed fails where it is parsed."""
    try:
        return rootfile.read_file(os.fspath(path), most)
    except KitError as error:
        raise RootInvalid(error.message, where=show(path), fix=rootfile.MISSING) from None
