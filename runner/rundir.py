"""The directory of a run: made once, held open, its kit proved again member by member at use.

~beginning         locked by who makes the directory, until there is a journal; removed last
journal, reserve   what was done (`runner.journal`)
settings.json      what the site said when the run began
members            the list of what was written of the kit; the first record has its digest
kit/               those members, and the head of the kit
attempts/          a directory for each thing that was run: output, scratch/
notes/             what steps that the runner brings remember from one attempt to the next
image/             the image of the kit that programs are run in, unpacked
wheels/            what programs of the kit may import, unpacked
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable

from runner.book.model import Runbook
from runner.book.parse import parse_again
from runner.chain import Record
from runner.errors import MemberChanged, RunChanged, RunExists, RunMissing, RunUnsafe
from runner.journal import NAME, JournalFile
from verifier import _compat
from verifier.core.errors import TargetUnwritable
from verifier.core.jsonstrict import NotStrict
from verifier.folder import Folder
from verifier.typed import record

KIT, MEMBERS, SETTINGS, ATTEMPTS, WHEELS = "kit", "members", "settings.json", "attempts", "wheels"
BEGINNING = b"~beginning"  # behind all others: what is half removed is known by it
NOTES, IMAGE = "notes", "image"
MAX_SMALL = 512 << 20  # bytes of `members`, and of other files that are read whole
_STEP = 1 << 20


@record(frozen=True)
class Member:
    """What a file of the kit must be."""

    sha256: str
    size: int
    executable: bool


def _made(parent: Folder, name: bytes) -> Folder:
    """Return a new directory; what a runner left that was killed before its run began makes room.

    Raises:
        FileExistsError: Something else is there.
        OSError: The host refuses.
    """
    try:
        return parent.make(name, 0o700)
    except FileExistsError:
        if not _is_cleared(parent, name):
            raise
        return parent.make(name, 0o700)


def _is_cleared(parent: Folder, name: bytes) -> bool:
    """Remove what is left of a run that did not begin; return whether it was that.

    It is known by the file that its runner made in it first, which nobody has locked any more.
    """
    with contextlib.suppress(OSError), parent.sub(name) as folder:
        if _compat.whoever_else_writes(folder.status()) or folder.look(NAME) is not None:
            return False
        if not folder.names():  # killed before even that
            parent.remove(name, folder)
            return True
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(BEGINNING, flags, dir_fd=folder.descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # else somebody was faster
                parent.remove(name, folder)
                return True
        finally:
            os.close(descriptor)
    return False


def _hold(folder: Folder) -> int:
    """Make and lock the file that says that a run is beginning; return it, open.

    Raises:
        BlockingIOError: Somebody else has it.
        OSError: The host refuses.
    """
    descriptor = folder.create(BEGINNING)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # no locks here: the journal will say so
        pass
    return descriptor


class RunDirectory:
    """The directory of a run, open."""

    def __init__(self, path: str, folder: Folder) -> None:
        self.path, self.folder = path, folder
        self._members: dict[str, Member] = {}
        self._beginning = -1

    @classmethod
    def create(cls, path: str) -> RunDirectory:
        """Make it; those above are made too, for this user alone.

        Raises:
            RunExists: It is there already.
            RunUnsafe: Others may rename things where it is made.
            TargetUnwritable: The host refuses.
        """
        path = os.path.abspath(path)
        above = os.path.dirname(path)
        try:
            os.makedirs(above, mode=0o700, exist_ok=True)
            with Folder.open(above) as parent:
                who = _compat.whoever_else_renames(parent.status())
                if who:
                    raise RunUnsafe(f"can be changed by {who}", where=repr(above))
                folder = _made(parent, os.fsencode(os.path.basename(path)))
                parent.sync()
                beginning = _hold(folder)
        except (FileExistsError, BlockingIOError):
            raise RunExists("is there already", where=repr(path)) from None
        except OSError as error:
            raise TargetUnwritable(error.strerror or str(error), where=repr(path)) from None
        made = cls(path, folder)
        made._beginning = beginning
        return made

    @classmethod
    def at(cls, path: str) -> RunDirectory:
        """Open one that is there.

        Raises:
            RunMissing: There is none.
            RunUnsafe: Somebody else may change it.
        """
        path = os.path.abspath(path)
        try:
            folder = Folder.open(path, follow=False)
        except OSError as error:
            raise RunMissing(error.strerror or str(error), where=repr(path)) from None
        who = _compat.whoever_else_writes(folder.status())
        if who:
            folder.close()
            raise RunUnsafe(f"can be changed by {who}", where=repr(path))
        return cls(path, folder)

    def close(self) -> None:
        """Close it."""
        self.folder.close()
        if self._beginning >= 0:
            os.close(self._beginning)
            self._beginning = -1

    def remove(self) -> None:
        """Remove it with all that is in it: of a run that did not begin."""
        with contextlib.suppress(OSError), Folder.open(os.path.dirname(self.path)) as parent:
            parent.remove(os.fsencode(os.path.basename(self.path)), self.folder)

    def place(self, *names: str) -> str:
        """Return the path of something in it."""
        return os.path.join(self.path, *names)

    # --- files that are written once -----------------------------------------------------------

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the run, durably.

        Raises:
            OSError: The host refuses.
        """
        descriptor = self.folder.create(name.encode())
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.folder.sync()

    def read(self, name: str) -> bytes:
        """Return what a file of the run holds.

        Raises:
            RunChanged: It is gone.
        """
        try:
            descriptor = self.folder.read(name.encode())
        except OSError as error:
            raise RunChanged(error.strerror or str(error), where=self.place(name)) from None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_SMALL)

    def begin(self, first: Record, members: bytes, settings: bytes) -> JournalFile:
        """Write what a run begins with; the journal comes last, and without it there is no run.

        Raises:
            JournalUnwritable: The host refuses.
        """
        self.write(MEMBERS, members)
        self.write(SETTINGS, settings)
        os.mkdir(ATTEMPTS, 0o700, dir_fd=self.folder.descriptor)
        journal = JournalFile.create(self.folder, first)
        self.folder.discard(BEGINNING)
        return journal

    # --- the kit -------------------------------------------------------------------------------

    def load_members(self, bound: Record) -> Runbook:
        """Hold the list of members to the first record, and return the runbook, held to the list.

        Raises:
            RunChanged: The list or the runbook is not what the run began with.
            MemberChanged: The runbook is another.
        """
        data = self.read(MEMBERS)
        if hashlib.sha256(data).hexdigest() != bound["members"]:
            raise RunChanged("is not the list that the run began with", where=MEMBERS)
        for line in data.decode("utf-8").splitlines():
            sha256, size, _, mode, path = line.split(" ", 4)
            self._members[path] = Member(sha256, int(size), mode == "0755")
        path = bound["runbookPath"]
        book = self.prove([path])[path]
        if hashlib.sha256(book).hexdigest() != bound["runbook"]:
            raise RunChanged("is not the runbook that the run began with", where=path)
        self._check_head(bound)
        return parse_again(book)

    def _check_head(self, bound: Record) -> None:
        """See that the page in the run's directory is that of the kit that was accepted."""
        from verifier.core.envelope import parse_page
        from verifier.core.errors import KitError
        from verifier.core.names import HEAD
        from verifier.core.pipeline import kit_id_of

        where = f"{KIT}/{HEAD[0]}"
        try:
            with self.folder.sub(KIT.encode()) as kit:
                descriptor = kit.read(HEAD[0].encode())
            with os.fdopen(descriptor, "rb") as file:
                page = file.read(2 << 20)
            found = kit_id_of(parse_page(page))
        except (OSError, KitError, NotStrict) as error:
            raise RunChanged(f"cannot be read: {error}", where=where) from None
        if found != bound["kitId"]:
            raise RunChanged("is the page of another kit", where=where)

    def digest(self, path: str) -> str:
        """Return the SHA-256 that a member must have; empty if it is none that was written."""
        return self._members[path].sha256 if path in self._members else ""

    def below(self, path: str) -> list[str]:
        """Return the members at a path or below it."""
        return [name for name in self._members if name == path or name.startswith(f"{path}/")]

    def prove(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Hold members to their digests, and return the contents of the small ones.

        Files that are no members, where members are, are refused too: a program would import them.

        Raises:
            MemberChanged: One is not what was proved.
        """
        found = {}
        for path in paths:
            wanted = self._members[path]
            data = self._read_member(path, wanted)
            if data is not None:
                found[path] = data
        return found

    def _read_member(self, path: str, wanted: Member) -> bytes | None:
        where, digest, parts = f"{KIT}/{path}", hashlib.sha256(), []
        try:
            descriptor = self._open_member(path)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                while True:
                    data = file.read(_STEP)
                    if not data:
                        break
                    digest.update(data)
                    parts.append(data if wanted.size <= 16 * _STEP else b"")
        except OSError as error:
            raise MemberChanged(error.strerror or str(error), where=where) from None
        mode = bool(status.st_mode & stat.S_IXUSR)
        if digest.hexdigest() != wanted.sha256 or mode != wanted.executable:
            raise MemberChanged("is not what was proved", where=where)
        if _compat.whoever_else_writes(status):
            raise MemberChanged("others may change it", where=where)
        return b"".join(parts) if wanted.size <= 16 * _STEP else None

    def _open_member(self, path: str) -> int:
        at = self.folder.sub(KIT.encode())
        try:
            *above, name = path.split("/")
            for part in above:
                below = at.sub(part.encode())
                at.close()
                at = below
            return at.read(name.encode())
        finally:
            at.close()

    def prove_program(self, path: str) -> None:
        """Hold a program to its digest, and all that lies beside and below it: it may import that.

        Raises:
            MemberChanged: Something is not what was proved, or is there and is no member.
        """
        directory = path.rpartition("/")[0]
        self.prove(self.below(directory) if directory else [path])
        if not directory:
            return
        top = self.place(KIT, directory)
        for here, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                full = os.path.relpath(os.path.join(here, name), self.place(KIT))
                if full.replace(os.sep, "/") not in self._members:
                    raise MemberChanged("is no member of the kit", where=f"{KIT}/{full}")

    def notes(self, step: str) -> str:
        """Return the directory of what a step remembers from one attempt to the next."""
        path = self.place(NOTES, step)
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    # --- attempts ------------------------------------------------------------------------------

    def attempt(self, name: str) -> str:
        """Make a new directory for something that is run, with an empty one in it; return it.

        Raises:
            OSError: The host refuses.
        """
        base, number = self.place(ATTEMPTS, name), 0
        while True:
            path = base if not number else f"{base}.{number}"
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                number += 1
                continue
            os.mkdir(os.path.join(path, "scratch"), 0o700)
            return path
