"""Where the contents of members come from while a kit is built."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from kit.errors import (
    KitError,
    SourceChanged,
    SourceSecret,
    SourceUnreadable,
    show,
)
from kit.sources.collect import Collected, Collection
from kit.sources.notes import has_capabilities
from kit.sources.packed import EXCHANGED
from kit.sources.places import Base
from kit.sources.secrets import MAX_KEY, may_hold_key, private_key_in
from verifier.core.lists import (
    DATA,
    EVIDENCE,
    README,
    RUNNER_TOOL,
    SIG,
    SUMS,
    TOOL,
    VERIFIER,
    VERIFIER_TOOL,
    Index,
)

Late = Callable[[Index], bytes]
"""Makes the contents of a member when those that it speaks about have their digests."""

SIGNATURE_SIZE = 96  # base64 of 70 to 72 bytes of DER; corrected when it is made


class Inputs:
    """The index of a kit to be built, without digests, and the contents behind it.

    Attributes:
        late: Members that are made when others have their digests, in order.
        made: What was made of them, by path.

    Args:
        collected: Files of this host.
        own: Members that the builder makes itself: from path to contents; those below evidence/
            take their place among the others, and may be made late (`make_late`).
        signed_sums: Whether the kit will have SHA256SUMS.sig.
        mtime: The time of what is in a packed tree, in seconds.
    """

    def __init__(
        self,
        collected: Collected,
        own: Mapping[bytes, bytes],
        *,
        signed_sums: bool,
        mtime: int = 0,
    ) -> None:
        self.index = Index()
        self._mtime = mtime
        self._own: dict[int, bytes] = {}
        self._add(SUMS, [b"SHA256SUMS"], [0])
        if signed_sums:
            self._add(SIG, [b"SHA256SUMS.sig"], [SIGNATURE_SIZE])
        fixed = {README: (b"README.txt",), TOOL: (RUNNER_TOOL, VERIFIER_TOOL)}
        for rank, names in fixed.items():
            self._add_own(rank, {name: own[name] for name in names if name in own})
        below = {path: data for path, data in own.items() if path.startswith(b"verifier/")}
        self._add_own(VERIFIER, below)
        self._collections: list[tuple[int, Collection]] = []
        self._inserted: list[int] = []
        self._refused: list[tuple[bytes, str]] | None = None
        self.late: list[tuple[int, Late]] = []
        self.made: dict[bytes, bytes] = {}
        mine = {path: data for path, data in own.items() if path.startswith(b"evidence/")}
        self._add_evidence(collected.evidence, mine)
        self._add_collection(DATA, collected.data)
        self.index.digests = bytearray(32 * len(self.index))
        self.index.sizes[0] = self.index.sums_size()

    def _add(self, rank: int, names: Sequence[bytes], sizes: Sequence[int]) -> None:
        self.index.extend(rank, names, sizes, bytes(len(names)))

    def _add_own(self, rank: int, members: Mapping[bytes, bytes]) -> None:
        for path in sorted(members):
            self._own[len(self.index)] = members[path]
            self._add(rank, [path], [len(members[path])])

    def _add_evidence(self, collection: Collection, own: Mapping[bytes, bytes]) -> None:
        """Append evidence in the order of paths, with what the builder makes of it itself."""
        found = collection.names.split(b"\n")[:-1]
        sizes = dict(zip(found, collection.sizes, strict=True))
        sizes.update((path, len(data)) for path, data in own.items())
        names = sorted({*found, *own})
        first = len(self.index)
        self._collections.append((first, collection))
        for member, path in enumerate(names, first):
            if path in own:
                self._own[member] = own[path]
                self._inserted.append(member)
        self._add(EVIDENCE, names, [sizes[path] for path in names])
        collection.names = b""

    def make_late(self, path: bytes, size: int, make: Late) -> None:
        """Have one of the builder's own members made when the payload and earlier ones are there.

        Args:
            path: A member that `own` names.
            size: Of what will be made; known before.
            make: Makes it; called in the order in which members were named here.
        """
        member = self.index.find(path)
        assert member is not None
        assert member in self._own
        self.index.sizes[member] = size
        self.late.append((member, make))

    def _add_collection(self, rank: int, collection: Collection) -> None:
        self._collections.append((len(self.index), collection))
        for first in range(0, len(collection), 8192):
            last = min(first + 8192, len(collection))
            start, end = collection.offsets[first], collection.offsets[last]
            names = collection.names[start : end - 1].split(b"\n")
            executable = collection.executable[first:last] if rank == DATA else bytes(last - first)
            self.index.extend(rank, names, collection.sizes[first:last], executable)
        collection.names = b""  # the index has them now

    def _place(self, member: int) -> tuple[Collection, int]:
        evidence, data = self._collections
        first, collection = data if member >= data[0] else evidence
        before = 0 if member >= data[0] else bisect_left(self._inserted, member)
        return collection, member - first - before

    def _source(self, member: int, path: bytes) -> tuple[Base, Collection, int]:
        collection, at = self._place(member)
        return collection.bases[collection.base[at]], collection, at

    def read_whole(self, member: int, path: bytes, view: memoryview) -> None:
        """Fill ``view`` with a small member; it has room for one byte more than the member.

        Raises:
            SourceChanged: The file is not what it was when it was found.
            SourceUnreadable: The host refuses.
            SourceSecret: It is a private key, and the spec does not name it.
        """
        base = self._fill_whole(member, path, view)
        if base is not None:
            self._keep_secret(base, path, view[:-1])

    def put_whole(self, member: int, path: bytes, data: bytearray, start: int) -> None:
        """Do what `read_whole` does with the bytes of ``data`` from ``start`` on.

        Nothing is copied to see whether the member is a private key; raises the same.
        """
        end = start + self.index.sizes[member]
        view = memoryview(data)
        base = self._fill_whole(member, path, view[start : end + 1])
        if base is not None and may_hold_key(data, start, end):
            self._keep_secret(base, path, view[start:end])

    def _fill_whole(self, member: int, path: bytes, view: memoryview) -> Base | None:
        """Fill ``view``; return where the member comes from, None if the builder makes it."""
        own = self._own.get(member)
        if own is not None:
            view[: len(own)] = own
            return None
        base, collection, at = self._source(member, path)
        self._read(base, path, collection, at, 0, view, last=True)
        return base

    def _keep_secret(self, base: Base, path: bytes, start: memoryview) -> None:
        if base.packed is None and private_key_in(start[:MAX_KEY]) and not base.may_be_secret(path):
            raise SourceSecret(self._secrets())

    def read_piece(
        self, member: int, path: bytes, offset: int, view: memoryview, *, last: bool
    ) -> None:
        """Fill ``view`` from ``offset`` on; at the last piece it has room for one byte more.

        Raises:
            SourceChanged: The file is not what it was when it was found.
            SourceUnreadable: The host refuses.
            SourceSecret: It is a private key, and the spec does not name it.
        """
        own = self._own.get(member)
        if own is not None:
            data = own[offset : offset + len(view)]
            view[: len(data)] = data
            return
        base, collection, at = self._source(member, path)
        self._read(base, path, collection, at, offset, view, last=last)
        if offset == 0:
            self._keep_secret(base, path, view)

    def _read(
        self,
        base: Base,
        path: bytes,
        collection: Collection,
        at: int,
        offset: int,
        view: memoryview,
        *,
        last: bool,
    ) -> None:
        """Read with one call where possible: a short count is the end of the file, for free."""
        want, source = len(view) - last, base.source(path)
        if base.packed is not None:
            collection.read_made(at, offset, view[:want], self._mtime)
            return
        try:
            descriptor = collection.directories.open_file(base.top, source)
            try:
                done = os.preadv(descriptor, [view], offset)
                while 0 < done < want:
                    more = os.preadv(descriptor, [view[done:]], offset + done)
                    if not more:
                        break
                    done += more
                facts = os.fstat(descriptor)
                if offset == 0 and facts.st_mode & 0o100 and has_capabilities(descriptor):
                    collection.notes.capable.append(path)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise SourceChanged("was there and is gone", where=show(source)) from None
        except OSError as error:
            if error.errno in EXCHANGED:
                raise SourceChanged("has been exchanged", where=show(source)) from None
            named = [(source, error.strerror or str(error))]
            if isinstance(error, PermissionError):
                named = self._all_refused() or named
            raise SourceUnreadable(named) from None
        if done != want or not collection.unchanged(at, facts):
            raise SourceChanged("was written to while the kit was built", where=show(source))

    def _from_this_host(self) -> Iterator[tuple[int, Base, Collection, int, bytes]]:
        """Yield member, base, collection, number in it and path of each file that is carried."""
        for member in range(self._collections[0][0], len(self.index)):
            if member not in self._own:
                path = self.index.paths(member, member + 1)[0]
                yield member, *self._source(member, path), path

    def _all_refused(self) -> list[tuple[bytes, str]]:
        """Return all files that may not be opened though their modes say so (ACLs, labels)."""
        if self._refused is None:
            refused: list[tuple[bytes, str]] = []
            for _, base, collection, _, path in self._from_this_host():
                if base.packed is not None:
                    continue
                source = base.source(path)
                try:
                    os.close(collection.directories.open_file(base.top, source))
                except PermissionError as error:
                    refused.append((source, error.strerror or "may not be read"))
                except OSError:
                    continue  # said when its turn comes
            self._refused = sorted(refused)
        return self._refused

    def _secrets(self) -> list[tuple[bytes, str]]:
        """Return all private keys among the members: one was found, and an author wants all."""
        found: list[tuple[bytes, str]] = []
        for member, base, collection, at, path in self._from_this_host():
            size = self.index.sizes[member]
            data = bytearray(min(size + 1, MAX_KEY))
            try:
                self._read(base, path, collection, at, 0, memoryview(data), last=size < MAX_KEY)
            except SourceSecret as error:
                found.extend((source, "holds a private key") for source in error.sources)
                continue
            except KitError:
                continue  # said when its turn comes
            kind = private_key_in(memoryview(data)[:size])
            if kind and base.packed is None and not base.may_be_secret(path):
                found.append((base.source(path), f"holds {kind}"))
        return sorted(found)
