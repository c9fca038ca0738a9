"""What would take the place of a file that its server no longer has: names like it, beside it.

A URL names no package, so nobody can be asked for its versions.  But most servers of files list a
directory, and a newer file there has the name of the old one with other numbers in it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from kit.net.client import Client
from verifier.core.errors import KitError
from verifier.core.limits import MIB

MAX_SHOWN = 5
_MAX_LISTING = MIB  # bytes of a page that lists a directory
_MAX_NAMES = 100_000  # of a directory of this host
_NAME = re.compile(r"[A-Za-z0-9._~+@-]{1,200}/?")  # what a server says is hostile
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:[-.~+]?(?:alpha|beta|rc|a|b|p)\.?[0-9]+)?")


def successors(urls: Sequence[str], client: Client) -> str:
    """Return in words what stands where a file was, as far as its servers list it."""
    for url in urls:
        parent, _, name = url.partition("?")[0].rpartition("/")
        found = _alike(name, _listed(f"{parent}/", client))
        if found:
            return f"in its place there is {found}"
        above, _, directory = parent.rpartition("/")
        found = _alike(f"{directory}/", _listed(f"{above}/", client))
        if found:
            return f"beside its directory {directory!r} there is {found}"
    if all(url.startswith("file:") for url in urls):
        return "its directory has no file like it, with other numbers in its name"
    return "no server of it lists a file with other numbers in its name"


def _alike(name: str, listed: Iterator[str]) -> str:
    """Return the newest names that differ from one in their numbers only."""
    name = unquote(name)
    shape = _NUMBERS.sub("#", name)
    if shape == name:
        return ""
    found = {one for one in listed if one != name and _NUMBERS.sub("#", one) == shape}
    newest = sorted(found, key=_order, reverse=True)[:MAX_SHOWN]
    return ", ".join(map(repr, newest))


def _order(name: str) -> list[tuple[int, ...]]:
    return [
        tuple(int(part[:18]) for part in re.findall("[0-9]+", one))
        for one in _NUMBERS.findall(name)
    ]


def _listed(directory: str, client: Client) -> Iterator[str]:
    """Return the names in a directory; none if nobody lists it."""
    names: Iterator[str] = iter(())
    if directory.startswith("file:"):
        path = unquote(urlsplit(directory).path)
        with contextlib.suppress(OSError):
            some = sorted(os.listdir(path))[:_MAX_NAMES]
            names = (name + "/" * os.path.isdir(path + name) for name in some)
    else:
        with contextlib.suppress(KitError), client.get(directory) as answer:
            page = answer.read(_MAX_LISTING).decode("utf-8", "replace")
            names = _links(page, directory)
    return (name for name in names if _NAME.fullmatch(name))


def _links(page: str, directory: str) -> Iterator[str]:
    """Yield the names right below a directory that a page of HTML leads to."""
    links = _Links()
    links.feed(page)
    for link in links.found:
        with contextlib.suppress(ValueError):
            target = urljoin(directory, link)
            if target.startswith(directory):
                yield unquote(target.removeprefix(directory))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
