"""What the release needs: keys, the root, and places that can be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kit.doctor.model import BROKEN, MISSING, OK, UNKNOWN, Finding
from kit.errors import show
from kit.keys.reading import readable_by_others
from kit.net.client import Client
from kit.net.date import server_time
from kit.places.choose import Access, open_reader, open_writer
from kit.roots.files import load_roots
from kit.roots.words import expiry
from kit.signing.arguments import SSH, VARIABLE, parse_uri
from verifier.core.errors import KitError
from verifier.core.model import format_time

LINE = "offline-kit-doctor"  # a line that nobody publishes
_SKEW_SECONDS = 300  # S3 refuses requests that are 15 minutes off, others 5


def look_at_keys(keys: Mapping[str, str]) -> Iterator[Finding]:
    """Yield whether each key can be reached; none is opened, and no secret is asked for."""
    if not keys:
        yield Finding("keys", MISSING, "[release.keys] names none", "`sign` needs --key")
    for signer, uri in sorted(keys.items()):
        yield _key(f"key {signer}", uri)


def look_at_publisher(argument: str | None) -> Iterator[Finding]:
    """Yield whether the key of whoever publishes can be reached, if one is named."""
    if argument is not None:
        _, equals, uri = argument.partition("=")  # hardware has its public half first
        named = bool(equals) and not os.path.lexists(argument)
        yield _key("key of the publisher", uri if named else argument)


def look_at_clock(found: Sequence[Finding], now: int) -> Iterator[Finding]:
    """Yield what time it is here, if nobody who was asked has another clock to compare it with."""
    if not any(one.name.startswith("clock of ") for one in found):
        yield Finding("clock", UNKNOWN, f"{format_time(now)} here; no server to compare it with")


def _key(name: str, uri: str) -> Finding:
    scheme, path = parse_uri(uri)
    if scheme == VARIABLE:
        variable = uri.partition(":")[2]
        there = bool(os.environ.get(variable, "").strip())
        return Finding(name, OK if there else BROKEN, f"variable {variable!r} is {_set(there)}")
    if scheme not in ("", SSH):
        return Finding(name, UNKNOWN, f"{scheme}: is asked when it signs")
    if not path.is_file():
        return Finding(name, BROKEN, f"{show(path)} is not there")
    if not os.access(path, os.R_OK):
        return Finding(name, BROKEN, f"this user may not read {show(path)}")
    mode = readable_by_others(path)
    if mode:
        return Finding(name, BROKEN, f"others may read {show(path)} (mode {mode}): chmod 600 it")
    return Finding(name, OK, show(path))


def _set(there: bool) -> str:
    return "set" if there else "not set"


def look_at_root(path: Path | None, now: int) -> Iterator[Finding]:
    """Yield whether there is a root, and whether it will serve for a while."""
    if path is None:
        yield Finding("root", MISSING, "none is named", "`build` needs --root")
        return
    try:
        root = load_roots(path).last
    except KitError as error:
        yield Finding("root", BROKEN, f"{error.where}: {error.message}")
        return
    soon = list(expiry(root, now))
    detail = f"{show(path)}, version {root.version}, expires {root.expires}"
    yield Finding("root", BROKEN if soon else OK, "; ".join([detail, *soon]))


def look_at_place(text: str, access: Access, now: int, *, write: bool) -> Iterator[Finding]:
    """Yield whether a place can be read, how its clock goes, and with ``write`` its rights.

    Args:
        write: Try to create there, which leaves an object ``offline-kit-probe`` in a bucket.
    """
    try:
        reader = open_reader(text, access)
        reader.entry(LINE, 1)
    except KitError as error:
        yield Finding(f"read {text}", BROKEN, f"{error.code}: {error.message}")
        return
    yield Finding(f"read {text}", OK, "answers")
    clock = _clock(text, reader, access.client, now)
    if clock is not None:
        yield clock
    if text.startswith(("https://", "http://")):
        return
    if not write:
        yield Finding(f"write {text}", UNKNOWN, "--probe-write tries it")
        return
    try:
        writer = open_writer(text, access)
        rights = writer.rights()
    except KitError as error:
        yield Finding(f"write {text}", BROKEN, f"{error.code}: {error.message}")
        return
    alone = "; nothing decides between two writers there, so one at a time is yours to keep"
    may = f"this host may {', '.join(rights)}"
    yield Finding(f"write {text}", OK, f"{may}{alone if writer.alone else ''}")


def _clock(text: str, reader: object, client: Client, now: int) -> Finding | None:
    url = getattr(reader, "address", "")
    if not url:
        return None
    said = server_time(client, url)
    if said is None:
        return Finding(f"clock of {text}", UNKNOWN, "the server does not say what time it has")
    off = abs(said - now)
    detail = f"{format_time(said)} there, {format_time(now)} here"
    if off > _SKEW_SECONDS:
        return Finding(f"clock of {text}", BROKEN, detail, "signed requests will be refused")
    return Finding(f"clock of {text}", OK, detail)
