"""Keeps secrets out of what is written: in the forms that programs print them in, across reads."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = b"[secret]"
_LONG = 4096  # bytes: to look for the beginnings of longer forms takes too long
SHORTEST = 6  # bytes; of a shorter text, every page is full


class Masker:
    """Replaces secrets in bytes that come in pieces; one for each stream.

    Attributes:
        found: Whether there was one by now.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = sorted({form for one in secrets for form in forms_of(one)}, key=len, reverse=True)
        self._forms, self._firsts = forms, {form[0] for form in forms}
        self._longest = max(map(len, forms), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, forms))) if forms else None
        self._kept = b""
        self.found = False

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be shown of it and what was held back."""
        if self._pattern is None:
            return data
        text = self._kept + data
        return self._replace(text, self._begun(text))

    def _begun(self, text: bytes) -> int:
        """Return where in a text a secret may begin that is not whole yet; its length if nowhere.

        What is held back is not shown, so it is no more than it must be.
        """
        first = max(0, len(text) - self._longest + 1)  # what begins before is whole
        if self._longest > _LONG:
            return first
        for at in range(first, len(text)):
            if text[at] in self._firsts:
                tail = text[at:]
                if any(form.startswith(tail) for form in self._forms):
                    return at
        return len(text)

    def finish(self) -> bytes:
        """Return what was held back."""
        if self._pattern is None:
            return b""
        return self._replace(self._kept, len(self._kept))

    def _replace(self, text: bytes, safe: int) -> bytes:
        assert self._pattern is not None
        parts, at = [], 0
        for found in self._pattern.finditer(text):
            if found.start() >= safe:
                break
            self.found = True
            parts += [text[at : found.start()], MASK]
            at = found.end()
        parts.append(text[at : max(at, safe)])
        self._kept = text[max(at, safe) :]
        return b"".join(parts)

    def text(self, text: str) -> str:
        """Return a whole text without secrets."""
        made = Masker(())
        made._pattern, made._longest = self._pattern, self._longest
        made._forms, made._firsts = self._forms, self._firsts
        raw = text.encode("utf-8", "surrogateescape")
        return (made.feed(raw) + made.finish()).decode("utf-8", "replace")


def forms_of(secret: str) -> set[bytes]:
    """Return how a secret may be printed: as it is, quoted, in a URL, in base64 at any place.

    Of a URI, also its password: programs print that alone.
    """
    texts = {secret}
    try:
        password = urlsplit(secret).password if "://" in secret else None
    except ValueError:
        password = None
    if password:
        texts |= {password, unquote(password)}
    forms: set[bytes] = set()
    for text in texts:
        raw = text.encode("utf-8", "surrogateescape")
        spelled = {text, quote(text, safe=""), quote(text), quote_plus(text)}
        spelled |= {json.dumps(text)[1:-1], repr(text)[1:-1]}
        forms |= {one.encode("utf-8", "surrogateescape") for one in spelled}
        forms |= set(_in_base64(raw))
    return {form for form in forms if len(form) >= min(SHORTEST, len(secret.encode()))}


def _in_base64(raw: bytes) -> Iterable[bytes]:
    """Yield the characters that a text has in base64 whatever is around it, at each of 3 places."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw + bytes(2))
        first = (before * 8 + 5) // 6  # characters that hold bits of what is before
        last = (before + len(raw)) * 8 // 6  # those from here on hold bits of what is behind
        part = coded[first:last]
        if len(part) >= SHORTEST:
            yield part
            yield part.replace(b"+", b"-").replace(b"/", b"_")
