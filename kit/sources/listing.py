"""Lists the directories of one source, without what its patterns leave out.

Where the spec says `links = "copy"`, a link is what it leads to, as long as that is inside the
source: what is outside is nothing that the spec names.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.errors import KitTooLarge, show
from kit.sources.places import KINDS, Base
from kit.spec import Source
from kit.spec.patterns import Exclude, Glob

if TYPE_CHECKING:
    from kit.sources.walk import Walk

_MAX_HOPS = 40  # links one behind the other, as Linux has it
_MAX_BASES = 1 << 20  # links that are carried as copies, in a whole kit


@dataclass
class Frame:
    """A directory that is being walked.

    Attributes:
        names: What is left, from the last to the first; directories end in a /.
        base: The number of the base that it is below; another one below a link to a directory.
        below: The directory relative to the base, with a final / unless empty.
        inside: The same relative to the source, as patterns see it.
        state: Of the glob.
        empties: Directories without a file that were known before this one.
        taken: Files that were taken before this one.
        links: Names that are links, and what they lead to.
        partial: Whether something in it was left out.
    """

    names: list[bytes]
    base: int
    below: bytes
    inside: bytes
    state: frozenset[int]
    empties: int
    taken: int
    links: dict[bytes, bytes] = field(default_factory=dict)
    partial: bool = False


class Lister:
    """Lists the directories of one source."""

    def __init__(self, walk: Walk, number: int, source: Source) -> None:
        self._walk, self._number, self._source = walk, number, source
        self._base = walk.bases[number]
        self._exclude = Exclude(source.exclude)
        self._glob = Glob(source.glob) if source.glob is not None else None
        self._left_out: list[bytes] = []

    def top(self) -> Frame:
        """Read the source itself."""
        state = self._glob.start() if self._glob else frozenset()
        frame = Frame([], self._number, b"", b"", state, 0, 0)
        self._read(frame)
        return frame

    def enter(self, stack: list[Frame], name: bytes, taken: int, empties: int) -> list[Frame]:
        """Read directory ``name`` (it ends in `/`) of the innermost frame; none if it is bad."""
        frame, walk = stack[-1], self._walk
        state = self._glob.enter(frame.state, _text(name[:-1])) if self._glob else frame.state
        base, below = frame.base, frame.below + name
        target = frame.links.get(name)
        if target is not None:
            if target in (self.directory(outer) for outer in stack):
                origin = walk.bases[frame.base]
                path = origin.directory + b"/" + frame.below + name[:-1]
                why = "is a link to a directory that it is in, and would be copied without end"
                walk.unsupported.append((walk.shown(path), why))
                frame.partial = True
                return []
            prefix = walk.bases[frame.base].prefix + b"/" + frame.below + name[:-1]
            if len(walk.bases) > _MAX_BASES:
                raise KitTooLarge(f"more than {_MAX_BASES} links would be carried as copies")
            base, below = len(walk.bases), b""
            keys = self._source.private_keys
            walk.bases.append(Base(target, prefix, self._base.top, frame.inside + name, keys))
        inner = Frame([], base, below, frame.inside + name, state, empties, taken)
        self._read(inner)
        return [inner]

    def directory(self, frame: Frame) -> bytes:
        """Return the path of a frame's directory on this host."""
        return self._walk.bases[frame.base].directory + (b"/" + frame.below).rstrip(b"/")

    def tell(self) -> None:
        """Note what was left out."""
        if self._left_out:
            source = self._walk.shown(self._base.directory) or b"."
            self._walk.notes.left_out.append((source, sorted(self._left_out)))

    def _read(self, frame: Frame) -> None:
        walk, path = self._walk, self.directory(frame)
        top = self._base.top
        try:
            if walk.keeps_out(top, path):
                frame.partial = True
                return
            for entry, name in walk.directories.entries(top, path):
                self._take(frame, path, entry, name)
        except PermissionError as error:
            walk.unreadable.append((walk.shown(path), error.strerror or "may not be listed"))
            frame.partial = True
        except OSError as error:
            raise walk.unreadable_here(error, path) from error
        frame.partial |= self._glob is not None
        frame.names.sort(reverse=True)

    def _take(self, frame: Frame, path: bytes, entry: os.DirEntry[str], name: bytes) -> None:
        if self._is_left_out(frame, path, entry, name):
            frame.partial = True
        elif entry.is_file(follow_symlinks=False):
            frame.names.append(name)
        elif entry.is_dir(follow_symlinks=False):
            frame.names.append(name + b"/")
            if name == b".git":
                self._walk.notes.histories.append(self._walk.shown(path + b"/" + name))
        elif not (entry.is_symlink() and self._source.links == "copy"):
            frame.partial = True
            self._refuse(path, entry, name)
        else:
            self._take_link(frame, path, name)

    def _take_link(self, frame: Frame, path: bytes, name: bytes) -> None:
        """Put what a link leads to in its place, or note why not."""
        found = self._resolve(path, name)
        if isinstance(found, str):
            link = self._walk.directories.link(self._base.top, path, name)
            why = f"is a link to {show(link)}, {found}"
            self._walk.unsupported.append((self._walk.shown(path + b"/" + name), why))
            frame.partial = True
            return
        target, is_directory = found
        if self._glob is not None and not self._meant(frame.state, name, is_directory):
            frame.partial = True
            return
        name += b"/" if is_directory else b""
        frame.names.append(name)
        frame.links[name] = target

    def _resolve(self, path: bytes, name: bytes) -> tuple[bytes, bool] | str:
        """Return what a link leads to and whether that is a directory, or why it is refused.

        The steps are taken here, each from a directory that is held, so that the answer does not
        depend on what somebody exchanges between two questions to the host.
        """
        source, directories, top = self._base.directory, self._walk.directories, self._base.top
        at, steps, hops = path, [name], 0
        is_directory = True
        while steps:
            step = steps.pop()
            if step == b"..":
                at, is_directory = at.rpartition(b"/")[0], True
                if at != source and not at.startswith(source + b"/"):
                    return "which is outside of the source"
                continue
            try:
                mode = directories.look(top, at, step).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return "which leads to nothing"
            if stat.S_ISLNK(mode):
                text, hops = directories.link(top, at, step), hops + 1
                if text.startswith(b"/"):
                    return "which is outside of the source: it begins with /"
                if hops > _MAX_HOPS:
                    return "which leads to itself"
                steps += [part for part in reversed(text.split(b"/")) if part not in {b"", b"."}]
                continue
            at, is_directory = at + b"/" + step, stat.S_ISDIR(mode)
            if not (is_directory or stat.S_ISREG(mode)):
                return "which is neither a regular file nor a directory"
        return at, is_directory

    def _is_left_out(self, frame: Frame, path: bytes, entry: os.DirEntry[str], name: bytes) -> bool:
        if not self._exclude and self._glob is None:
            return False
        directory = entry.is_dir(follow_symlinks=False)
        if self._exclude and self._exclude(_text(frame.inside + name), directory=directory):
            self._left_out.append(frame.inside + name + (b"/" if directory else b""))
            return True
        if self._glob is None or self._meant(frame.state, name, directory):
            return False
        if not entry.is_symlink():
            return True
        # a link to a directory that the pattern would go into is not passed over in silence
        return not (
            os.path.isdir(path + b"/" + name) and self._glob.enter(frame.state, _text(name))
        )

    def _meant(self, state: frozenset[int], name: bytes, directory: bool) -> bool:
        assert self._glob is not None
        if directory:
            return bool(self._glob.enter(state, _text(name)))
        return self._glob.takes(state, _text(name))

    def _refuse(self, path: bytes, entry: os.DirEntry[str], name: bytes) -> None:
        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
        why = f"is {KINDS[kind]}"
        if kind == stat.S_IFLNK:
            link = self._walk.directories.link(self._base.top, path, name)
            why = f"is a link to {show(link)}, and links are not followed"
        self._walk.unsupported.append((self._walk.shown(path + b"/" + name), why))


def _text(name: bytes) -> str:
    """Return ``name`` for a pattern; names that are not UTF-8 can at least be excluded."""
    return name.decode("utf-8", "surrogateescape")
