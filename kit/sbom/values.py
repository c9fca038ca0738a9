"""Single values of an SBOM that have a grammar of their own: licences and package URLs."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable
from importlib.resources import files

from packageurl import PackageURL

MAX_EXPRESSION = 64 * 1024  # characters; the longest of Debian's packages has about 3,000
MAX_PARSED = 100_000  # different values of a document that are parsed: about 6 seconds

_NO_LICENCE = ("NONE", "NOASSERTION")
_OWN = re.compile(
    r"(DocumentRef-[A-Za-z0-9._+-]+:)?LicenseRef-[A-Za-z0-9._+-]+|"
    r"(DocumentRef-[A-Za-z0-9._+-]+:)?AdditionRef-[A-Za-z0-9._+-]+"
)
# What every reader of package URLs takes: no character in it needs a second look.
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._~+-]|%[0-9A-Fa-f]{2})*"
_VALUE = r"(?:[A-Za-z0-9._~:/+-]|%[0-9A-Fa-f]{2})+"
_PLAIN_PURL = re.compile(
    rf"pkg:[A-Za-z][A-Za-z0-9.-]*/(?:(?:%40)?{_WORD}/)*{_WORD}(?:@{_VALUE.replace('/', '')})?"
    rf"(?:\?[a-z][a-z0-9._-]*={_VALUE}(?:&[a-z][a-z0-9._-]*={_VALUE})*)?"
)


class TooMany(ValueError):
    """The document has more different values than are parsed in a bounded time."""


@functools.cache
def listed_licences() -> frozenset[str]:
    """Return the identifiers of SPDX's list, exceptions too, in lower case: case does not count."""
    path = files("cyclonedx") / "schema" / "_res" / "spdx.SNAPSHOT.schema.json"
    return frozenset(name.lower() for name in json.loads(path.read_text("utf-8"))["enum"])


class Values:
    """Judges the values of one document, each different one once."""

    def __init__(self) -> None:
        self._parsed = 0

    def bad_licences(self, texts: Iterable[object]) -> dict[str, str]:
        """Return what is no licence expression, with what is wrong.

        Raises:
            TooMany: The document has more of them than are parsed in a bounded time.
        """
        listed = listed_licences()
        unknown = [
            text
            for text in texts
            if isinstance(text, str) and text not in _NO_LICENCE and text.lower() not in listed
        ]
        return self._judge(unknown, _parse_licence)

    def bad_purls(self, texts: Iterable[object]) -> dict[str, str]:
        """Return what is no package URL, with what is wrong.

        Raises:
            TooMany: The document has more of them than are parsed in a bounded time.
        """
        plain = _PLAIN_PURL.fullmatch
        unknown = [text for text in texts if isinstance(text, str) and not plain(text)]
        return self._judge(unknown, _parse_purl)

    def _judge(self, texts: list[str], parse: Callable[[str], str]) -> dict[str, str]:
        self._parsed += len(texts)
        if self._parsed > MAX_PARSED:
            raise TooMany(f"more than {MAX_PARSED} different licences and package URLs")
        judged = {text: parse(text) for text in texts}
        return {text: wrong for text, wrong in judged.items() if wrong}


# --- licences --------------------------------------------------------------------------------


def _parse_licence(text: str) -> str:
    """Say what is wrong with a licence expression (SPDX 2.3, annex D).

    What binds tighter does not matter for that, so one look at each word is enough, and nothing
    can be nested too deep.
    """
    if len(text) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters"
    depth = 0
    before = "AND"  # the kind of the word before: "(", ")", "AND", "WITH", "licence", "addition"
    for word in _WORDS.findall(text):
        kind = _kind_of(word, before)
        if before not in _MAY_FOLLOW[kind]:
            return f"has {word[:100]!r} where it cannot stand"
        depth += {"(": 1, ")": -1}.get(kind, 0)
        if depth < 0:
            return "has a ')' too many"
        if kind in ("licence", "addition") and not _is_licence(word):
            return f"has {word[:100]!r}, which is neither on SPDX's list nor LicenseRef-"
        before = kind
    if before not in _COMPLETE:
        return "ends too early" if text.strip() else "is empty"
    return "has a '(' too many" if depth else ""


_WORDS = re.compile(r"[()]|[^\s()]+")
_OPERATORS = {"AND": "AND", "OR": "AND", "WITH": "WITH", "and": "AND", "or": "AND", "with": "WITH"}
_COMPLETE = ("licence", "addition", ")")
_MAY_FOLLOW = {
    "(": ("AND", "("),
    ")": _COMPLETE,
    "AND": _COMPLETE,
    "WITH": ("licence",),
    "licence": ("AND", "("),
    "addition": ("WITH",),
}


def _kind_of(word: str, before: str) -> str:
    if word in ("(", ")"):
        return word
    if word in _OPERATORS:
        return _OPERATORS[word]
    return "addition" if before == "WITH" else "licence"


def _is_licence(word: str) -> bool:
    name = word.lower()
    return (
        name in listed_licences()
        or name.removesuffix("+") in listed_licences()
        or _OWN.fullmatch(word) is not None
    )


# --- package URLs ----------------------------------------------------------------------------


def _parse_purl(text: str) -> str:
    if len(text) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters"
    try:
        PackageURL.from_string(text)
    except ValueError as error:
        return f"is no package URL{_because(error)}"
    return ""


def _because(error: Exception) -> str:
    text = str(error)
    return f": {text}" if text.isprintable() and len(text) <= 200 else ""
