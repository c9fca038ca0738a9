"""Member names: which ones mean the same file on every host (FORMAT 6.3 to 6.5).

`parse_member_path` is the rule, one name at a time and with a reason.  `check_paths` gives the
same answer for a million names: it looks at whole columns and hands only odd ones to the rule.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import lt

from verifier.core import limits
from verifier.core.errors import ListMalformed, MemberPathsCollide, MemberPathUnsafe
from verifier.typed import NewType

MemberPath = NewType("MemberPath", str)
"""A path that has been through `parse_member_path`; nothing else makes one."""

TABLES = unicodedata.ucd_3_2_0  # frozen: a newer Python must not change a verdict
FORBIDDEN = frozenset('\\:*?"<>|')
BAD_CATEGORIES = frozenset({"Cn", "Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
INVISIBLE = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180D),  # Mongolian variation selectors
    (0x200B, 0x200B),  # zero width space
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
)  # with the categories above, all of Default_Ignorable_Code_Point of Unicode 17 (FORMAT 6.3)
_INVISIBLE = re.compile("|".join(f"[{chr(a)}-{chr(b)}]" for a, b in INVISIBLE))
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [stem + digit for stem in ("com", "lpt") for digit in "123456789\u00b9\u00b2\u00b3"]
)  # Windows opens a device whatever the directory and the extension
_DEVICE_BYTES = frozenset(name.encode() for name in DEVICES)
_LIKELY_DEVICES = re.compile(b"/((?:con|prn|aux|nul|com|lpt)[^/]*)")
_PLAIN = bytes(sorted({*range(0x20, 0x7F)} - {ord(c) for c in FORBIDDEN}))

HEAD = ("kit.dsse.json", "kit.roots.json", "kit.index", "kit.frames")
RESERVED = frozenset(
    {*HEAD, "sha256sums", "sha256sums.sig", "readme.txt", "kit-run.pyz"}
    | {"kit-verify.pyz", "verifier", "evidence"}
)  # folded first components that no `data` member may have (FORMAT 6.5)


def printable(text: str) -> bool:
    """Whether all characters are assigned in Unicode 3.2 and none is a control or invisible.

    Both tables are fixed: what is invisible must not depend on the Unicode of this Python either.
    """
    return not _INVISIBLE.search(text) and not any(
        TABLES.category(c) in BAD_CATEGORIES for c in text
    )


def quoted(text: str) -> str:
    """Return a text from elsewhere in quotes, for people, on one line and as it is.

    Whoever wrote it may want to move the cursor, forge a line or hide a character.  What a reader
    could not see for what it is comes out as its number, by a fixed table: every Python writes the
    same.  Bytes that were no text (`os.fsdecode`) come out so too.
    """
    return f"'{''.join(map(_quoted, text))}'"


def _quoted(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    return character if printable(character) else escaped(character)


def escaped(character: str) -> str:
    """Return what stands for a character that a reader would not see for what it is."""
    return f"\\u{{{ord(character):x}}}"


def visible(text: str) -> bool:
    """Whether nothing in a text moves a cursor, ends a line or hides, as this host knows it.

    Unlike `printable` it lets characters pass that are newer than Unicode 3.2: for a terminal, and
    not for bytes that every Python has to write alike.
    """
    return text.isprintable() and (text.isascii() or not _INVISIBLE.search(text))


def fold(path: str) -> str:
    """Return what two paths share when some host takes them for the same file (FORMAT 6.4)."""
    return TABLES.normalize("NFC", TABLES.normalize("NFC", path).casefold())


def is_reserved(first: str) -> bool:
    """Whether no `data` path may have ``first`` as its first component (FORMAT 6.5)."""
    return fold(first) in RESERVED


def parse_member_path(raw: str) -> MemberPath:
    """Return ``raw`` if it means the same file, inside the target, on every host.

    Nothing is repaired: a name that needs normalising was not made by our builder.

    Raises:
        MemberPathUnsafe: A rule of FORMAT 6.3 is broken; the message says which.
    """
    reason = _why_unsafe(raw)
    if reason:
        raise MemberPathUnsafe(reason, where=f"member {raw!r}")
    return MemberPath(raw)


def _why_unsafe(raw: str) -> str:
    parts = raw.split("/")
    try:
        longest, total = max(len(part.encode()) for part in parts), len(raw.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if total > limits.MAX_PATH or longest > limits.MAX_NAME:
        return f"is longer than {limits.MAX_PATH} bytes, or has a component over {limits.MAX_NAME}"
    if len(parts) > limits.MAX_DEPTH:
        return f"has more than {limits.MAX_DEPTH} components"
    if not {"", ".", ".."}.isdisjoint(parts):
        return "has an empty, '.' or '..' component"
    if not FORBIDDEN.isdisjoint(raw):
        return "has a character that some host cannot write"
    if not printable(raw):
        return "has a control, invisible or private character, or one newer than Unicode 3.2"
    if TABLES.normalize("NFC", raw) != raw:
        return "is not in Unicode normal form C"
    if any(part[-1:] in {".", " "} for part in parts):
        return "has a component ending in '.' or ' '"
    if any(part.split(".", 1)[0].rstrip(" ").lower() in DEVICES for part in parts):
        return "has a component that is a device on Windows"
    return ""


def check_paths(names: Sequence[bytes]) -> None:
    """Hold each of ``names`` (UTF-8) to the rule of `parse_member_path`, in bulk.

    Raises:
        MemberPathUnsafe: For the first name that breaks a rule.
    """
    if names and not _surely_safe(names):
        for name in names:
            parse_member_path(name.decode("utf-8", "surrogateescape"))


def _surely_safe(names: Sequence[bytes]) -> bool:
    """Whether all of ``names`` are safe by tests on whole columns; False means look closer."""
    ends, longest = b"/" + b"/".join(names) + b"/", max(map(len, names))
    if ends.translate(None, _PLAIN) or longest > limits.MAX_PATH:
        return False
    if b"//" in ends or b"./" in ends or b" /" in ends:
        return False
    if longest > limits.MAX_NAME and max(map(len, ends.split(b"/"))) > limits.MAX_NAME:
        return False
    deep = longest > 2 * limits.MAX_DEPTH  # else there are not bytes enough for the components
    if deep and max(name.count(b"/") for name in names) >= limits.MAX_DEPTH:
        return False
    likely = _LIKELY_DEVICES.findall(ends.lower())
    stems = {part.partition(b".")[0].rstrip(b" ") for part in likely}
    return stems.isdisjoint(_DEVICE_BYTES)


def _folded(name: bytes) -> bytes:
    return name.lower() if name.isascii() else fold(name.decode("utf-8")).encode("utf-8")


class CollisionCheck:
    """Finds two names that fold to the same, or a file that is another's directory (FORMAT 6.4).

    Fed with names in runs, it keeps 8 bytes a name: 64-bit hashes.  At the end they are put into
    heaps by their low bits, so that only one heap at a time becomes a set.  Only when two hashes
    are equal does it ask for the names again, so an answer never rests on a hash.
    """

    def __init__(self) -> None:
        self._files = array("q")
        self._directories: set[int] = set()
        self._last = b""

    def add(self, names: Iterable[bytes]) -> None:
        """Take a run of names, each already held to the rules of FORMAT 6.3."""
        listed = list(names)
        joined = b"\n".join(listed)
        if not joined.isascii():
            folded = list(map(_folded, listed))
        elif joined == (lower := joined.lower()):
            folded = listed
        else:
            folded = lower.split(b"\n")
        self._files.extend(map(hash, folded))
        last = self._last
        for directory in dict.fromkeys([name.rpartition(b"/")[0] for name in folded]):
            cut = len(directory)
            while cut > 0 and directory[:cut] + b"/" != last[: cut + 1]:
                self._directories.add(hash(directory[:cut]))
                cut = directory.rfind(b"/", 0, cut)
            last = directory + b"/"
        self._last = last

    def _heaps(self) -> list[array[int]]:
        """Return the hashes in heaps of about 65,536."""
        heaps = [array("q") for _ in range(1 << (len(self._files) >> 16).bit_length())]
        if len(heaps) == 1:
            return [self._files]
        mask = len(heaps) - 1
        for value in self._files:
            heaps[value & mask].append(value)
        return heaps

    def suspicious(self) -> bool:
        """Whether some pair may collide; False is certain."""
        for heap in self._heaps():
            different = set(heap)
            if len(different) != len(heap) or not different.isdisjoint(self._directories):
                return True
        return False

    def pair(self, names: Iterable[bytes]) -> tuple[bytes, bytes, str] | None:
        """Return two names that do not go together, and what they do; None if all do.

        Args:
            names: All the names again, in the same order; read only when there is a suspicion.
        """
        if not self.suspicious():
            return None
        files: dict[bytes, bytes] = {}
        listed = list(names)
        for name in listed:
            folded = _folded(name)
            if folded in files:
                return files[folded], name, "are the same name on hosts that ignore case"
            files[folded] = name
        for name in listed:
            folded = _folded(name)
            cut = folded.rfind(b"/")
            while cut > 0:
                if folded[:cut] in files:
                    return files[folded[:cut]], name, "make one name file and directory"
                cut = folded.rfind(b"/", 0, cut)
        return None

    def finish(self, names: Iterable[bytes]) -> None:
        """Decide; for ``names`` see `pair`.

        Raises:
            MemberPathsCollide: Two of them fold to the same, or one folds to the directory of
                another; both are named.
        """
        found = self.pair(names)
        if found is not None:
            one, other = (name.decode("utf-8") for name in found[:2])
            raise MemberPathsCollide(f"{one!r} and {other!r} {found[2]}", where="kit.index")


def check_order(names: Sequence[bytes], before: bytes) -> None:
    """Hold ``names`` to strictly ascending order, all of them behind ``before``.

    Raises:
        ListMalformed: Two names are equal or in the wrong order.
    """
    if not names:
        return
    if not before < names[0] or not all(map(lt, names, names[1:])):
        raise ListMalformed("members are not in ascending order", where="kit.index")


def first_components(names: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the first component of each of ``names``, which ascend; of most directories once."""
    at = 0
    while at < len(names):
        first, slash, _ = names[at].partition(b"/")
        yield first
        # what begins with `first/` is one run, and the byte behind "/" is "0"
        at = bisect_left(names, first + b"0", at) if slash else at + 1
