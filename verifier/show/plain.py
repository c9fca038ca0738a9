"""The one way in which foreign text reaches people: nothing in it moves a cursor or ends a line.

Foreign is what somebody else chose: names on a medium, arguments that a pattern of the shell put
there, what a page says before anybody vouches for it.
"""

from __future__ import annotations

import os
import re

from verifier.core.names import escaped, visible

_SAFE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)  # what no shell looks at twice


def plain(text: str) -> str:
    """Return text with an escape for every character that is not to be seen as it is."""
    return text if visible(text) else "".join(c if visible(c) else escaped(c) for c in text)


def shell(*words: str | os.PathLike[str]) -> str:
    """Return a command as it can be pasted into a shell, whatever its words are."""
    return " ".join(_word(os.fspath(word)) for word in words)


def _word(word: str) -> str:
    if _SAFE.fullmatch(word):
        return word
    if visible(word):
        return "'" + word.replace("'", "'\"'\"'") + "'"
    # POSIX 2.2.4: the only form in which what cannot be seen can be typed
    return "$'" + "".join(map(_typed, word)) + "'"


def _typed(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if visible(character):
        return character
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
