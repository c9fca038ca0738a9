"""Every small change to a bundle: each value of its JSON, each element of DER, each line of a note.

A change is made where it stands and nothing is signed again, so a bundle that was bent must be
refused; the tables below name the places that sigstore's design leaves unauthenticated.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from tests.support.bundles import (
    STATEMENT,
    Transparency,
    Wish,
    b64,
    make_bundle,
    text,
    world,
)
from tests.support.certificates import NOW
from tests.support.dertree import CONSTRUCTED, Node, parse, tlv


class Bend(NamedTuple):
    """A change.

    Attributes:
        where: Names and places on the way to it.
        what: What is done.
        bundle: What came of it.
    """

    where: str
    what: str
    bundle: bytes


Change = tuple[str, str, Any]
"""Where, what and the new value."""
Asked = Callable[[str], bool]
"""Says whether a change at a place is wanted; asked once for each, in their order."""

# Where nobody signed and nobody reads, so that a change may pass; of each kind of bundle by name.
ANYWHERE = [
    r"verificationMaterial\.publicKey(\.| {})",  # a hint
    r"dsseEnvelope\.signatures\.0\.keyid",  # another
    r"messageSignature\.messageDigest (gone|null)",  # the artifact is known without it
    # of a chain, what came along and is not needed; the signer's own once more
    r"x509CertificateChain\.certificates\.[12]",
    r"x509CertificateChain\.certificates\.0 twice",
    # of a timestamp: granted or granted with changes, and all of SignedData that is not signed
    r"signedTimestamp/0(/0)? ",
    r"signedTimestamp/1/1/0/[013]",
]
OF_KIND = {
    "message, by a key": [r"inclusionPromise (gone|null)"],  # a key needs no time
    "version 0.1": [r"inclusionProof (gone|null)"],
    "Rekor v2": [r"tlogEntries\.0\.logIndex "],
    "Rekor v2, by a key": [r"tlogEntries\.0\.logIndex ", r"timestampVerificationData"],
    "promise and timestamp": [  # either is enough; a timestamp by nobody known is passed over
        r"inclusionPromise (gone|null)",
        r"timestampVerificationData(\.rfc3161Timestamps(\.0)?)? ",
        r"signedTimestamp/1/1/0/4/0/1(/|$)",
        r"signedTimestamp/1/1/0/4/0/3/2/1/0/0/0/0 ",
    ],
}
# Fields of a logged body that say nothing about the bundle.
OF_BODIES = [
    r"spec\.envelopeHash",
    r"spec\.content\.hash ",
    r"spec\.content\.hash\.",
    r"spec\.content\.envelope\.signatures\.0\.keyid",
    r"keyDetails",
    r"another spelling",
]


def bends(bundle: Any, asked: Asked) -> Iterator[Bend]:
    """Yield changes of a bundle."""
    before = text(bundle)
    for where, what, value in _json(bundle):
        if asked(where) and (after := text(value)) != before:
            yield Bend(where, what, after)


def logged_bends(bundle: Any, log: Transparency, asked: Asked) -> Iterator[Bend]:
    """Yield changes of the logged body, which the log then takes: all it signs is genuine."""
    for entry in bundle["verificationMaterial"]["tlogEntries"]:
        body = base64.b64decode(entry["canonicalizedBody"])
        for where, what, changed in _data(body):
            if not asked(where) or changed == body:
                continue
            again = copy.deepcopy(bundle)
            try:
                logged = log.entry(changed, NOW + timedelta(seconds=5))
            except (KeyError, TypeError):  # without a kind or a version
                continue
            again["verificationMaterial"]["tlogEntries"] = [logged]
            yield Bend(where, what, text(again))


def may_pass(bend: Bend, kind: str, *, logged: bool = False) -> bool:
    """Return whether a change is one that nobody could notice."""
    said = f"{bend.where} {bend.what}"
    free = OF_BODIES if logged else ANYWHERE + OF_KIND.get(kind, [])
    return any(re.search(pattern, said) for pattern in free)


WISHES: dict[str, Wish] = {
    "version 0.1": Wish(version=1),
    "message": Wish(),
    "message, by a key": Wish(by_key=True),
    "dsse": Wish(STATEMENT, form=("dsse", "0.0.1")),
    "intoto": Wish(STATEMENT, 2, form=("intoto", "0.0.2")),
    "hashedrekord of a statement": Wish(STATEMENT),
    "Rekor v2": Wish(form=("hashedrekord", "0.0.2")),
    "Rekor v2, by a key": Wish(STATEMENT, form=("hashedrekord", "0.0.2"), by_key=True),
    "promise and timestamp": Wish(stamps=[world().stamp()]),
}


def every_bend(share: int = 1, ends: tuple[str, ...] = ()) -> Iterator[tuple[str, bool, Bend]]:
    """Yield changes of every kind of bundle: its kind, whether it is of a body, the change.

    Args:
        share: One in so many is made; the others cost little.
        ends: How places end whose changes are made all the same.
    """
    count = itertools.count()

    def asked(where: str) -> bool:
        return next(count) % share == 0 or where.endswith(ends)

    for kind, wish in WISHES.items():
        bundle = make_bundle(wish)
        v2 = wish.form == ("hashedrekord", "0.0.2")
        for bend in bends(bundle, asked):
            yield kind, False, bend
        for bend in logged_bends(bundle, world().rekor2 if v2 else world().rekor, asked):
            yield kind, True, bend


# --- JSON ----------------------------------------------------------------------------------------


def _json(value: Any) -> Iterator[Change]:
    """Yield changes of a value of JSON, and of everything in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, "gone", {k: v for k, v in value.items() if k != name}
            others: list[Any] = [None, "", [], {}, 0, "x", -1, 2**63]
            for other in others:
                if other != inner:
                    yield name, f"{other!r}".replace("None", "null"), {**value, name: other}
            for where, what, changed in _leaf(name, inner):
                yield _join(name, where), what, {**value, name: changed}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield f"{place}", "gone", value[:place] + value[place + 1 :]
            yield f"{place}", "twice", [*value[: place + 1], *value[place:]]
            for where, what, changed in _leaf("", inner):
                yield _join(f"{place}", where), what, [*value[:place], changed, *value[place + 1 :]]
        if len(value) > 1:
            yield "", "turned", value[::-1]


def _join(first: str, rest: str) -> str:
    return f"{first}{'' if rest.startswith('/') or not rest else '.'}{rest}"


def _leaf(name: str, value: Any) -> Iterator[Change]:
    if isinstance(value, (dict, list)):
        yield from _json(value)
    elif isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):
        for number in (int(value) + 1, int(value) - 1, int(value) << 8):
            yield "", f"{number - int(value):+}", str(number)
    elif name == "envelope":
        yield from _note(value)
    elif isinstance(value, str):
        yield from _text(value)


def _text(value: str) -> Iterator[Change]:
    """Yield changes of a string: of what it is in base64, if it is, else of its letters."""
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        data = b""
    if len(data) < 16:
        for what, changed in _letters(value):
            yield "", what, changed
        return
    yield "", "without padding", value.rstrip("=") if value.endswith("=") else value + "="
    for where, what, inner in _data(data):
        yield where, what, b64(inner)


def _letters(value: str) -> Iterator[tuple[str, str]]:
    yield "a letter more", value + "a"
    yield "a space before", " " + value
    if value:
        yield "a letter less", value[:-1]
        yield "another letter", value[:-1] + ("b" if value[-1] != "b" else "c")
        yield "capitals", value.swapcase()


def _data(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield changes of bytes: of JSON, PEM, DER, base64 or nothing of these."""
    if _is_json(data):
        for where, what, value in _json(json.loads(data)):
            yield _join("", where), what, text(value)
        yield "", "another spelling", json.dumps(json.loads(data), indent=1).encode()
    elif data[:5] == b"-----":
        inner = b"".join(data.split(b"\n")[1:-2])
        for where, what, new in _data(base64.b64decode(inner)):
            yield "/pem" + where, what, data.replace(data[28:-27], b64(new).encode()[:-1] + b"\n")
        yield "", "another label", data.replace(b"CERT", b"CART").replace(b"PUBLIC", b"PUBLIK")
    elif _is_der(data):
        for where, what, node in _der(parse(data)):
            yield where, what, node
        yield "", "a byte more", data + b"\0"
        yield "", "a byte less", data[:-1]
    elif re.fullmatch(rb"[A-Za-z0-9+/]{24,}={0,2}", data):
        for where, what, new in _data(base64.b64decode(data)):
            yield "/64" + where, what, b64(new).encode()
    else:
        yield "", "another first bit", bytes([data[0] ^ 0x80]) + data[1:]
        yield "", "another last bit", data[:-1] + bytes([data[-1] ^ 1])
        yield "", "a byte more", data + b"\0"
        yield "", "a byte less", data[:-1]


def _is_json(data: bytes) -> bool:
    """Return whether it is an object; one hash in 256 begins like one."""
    try:
        return data[:1] == b"{" and isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _note(value: str) -> Iterator[Change]:
    """Yield changes of a checkpoint, line by line."""
    lines = value.split("\n")
    for place, line in enumerate(lines):
        yield f"/{place}", "gone", "\n".join([*lines[:place], *lines[place + 1 :]])
        if line:
            for what, changed in _letters(line):
                yield f"/{place}", what, "\n".join([*lines[:place], changed, *lines[place + 1 :]])
        if place:
            turned = [*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]
            if turned != lines:
                yield f"/{place}", "one line up", "\n".join(turned)


# --- DER -----------------------------------------------------------------------------------------


def _is_der(data: bytes) -> bool:
    try:
        return parse(data).encode() == data and data[:1] in (b"\x30", b"\x31", b"\x04", b"\x0c")
    except (AssertionError, IndexError):
        return False


def _der(tree: Node) -> Iterator[tuple[str, str, bytes]]:
    """Yield changes of each element; lengths above it follow."""
    before = {id(node): node.encode() for _, node in tree.walk()}

    def around(path: tuple[int, ...], data: bytes) -> bytes:
        """Return the tree with other bytes in place of an element."""
        for depth in reversed(range(len(path))):
            above = tree.at(*path[:depth])
            parts = [before[id(child)] for child in above.children or ()]
            parts[path[depth]] = data
            data = tlv(above.tag, *parts)
        return data

    for path, node in tree.walk():

        def other(path: tuple[int, ...] = path, node: Node = node, **changes: Any) -> bytes:
            return around(path, replace(node, **changes).encode())

        where = "".join(f"/{place}" for place in path)
        yield where, "another tag", other(tag=node.tag ^ 1)
        yield where, "a long length", other(long=True)
        for what, data in _contents(node):
            yield where, what, other(data=data)
        if node.tag in (3, 4) and _is_der(node.data[node.tag == 3 :]):
            first = node.data[: node.tag == 3]
            for below, what, inner in _der(parse(node.data[len(first) :])):
                yield f"{where}/in{below}", what, other(data=first + inner)
        children = node.children or []
        for place, child in enumerate(children):
            rest = children[place + 1 :]
            gone, twice = [*children[:place], *rest], [*children[:place], child, child, *rest]
            yield f"{where}/{place}", "gone", other(children=gone)
            yield f"{where}/{place}", "twice", other(children=twice)
        if len({child.encode() for child in children}) > 1:
            yield where, "turned", other(children=children[::-1])


def _contents(node: Node) -> Iterator[tuple[str, bytes]]:
    if node.tag & CONSTRUCTED:
        return
    data = node.data
    yield "a byte more", data + b"\0"
    if data:
        yield "a byte less", data[:-1]
        yield "another first bit", bytes([data[0] ^ 0x80]) + data[1:]
        yield "another last bit", data[:-1] + bytes([data[-1] ^ 1])
        yield "a byte before", b"\0" + data
