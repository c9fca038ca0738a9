"""Layouts as files: made, added to and signed; a DSSE envelope around in-toto's layout."""

from __future__ import annotations

import base64
import copy
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.attest.inputs import Input, read_input
from kit.container.output import replace_file
from kit.intoto.errors import LayoutInvalid
from kit.intoto.library import check_name, library, short
from kit.keys.kinds import material_of, tuf_key
from kit.keys.public import load_with_scheme
from kit.signing.errors import SignerUnsupported
from kit.signing.model import KitSigner
from verifier.core.envelope import PAYLOAD_TYPE, pae
from verifier.core.errors import KitError
from verifier.core.jsonstrict import compact
from verifier.core.model import parse_time
from verifier.core.signature import SSH_SCHEMES, parse_material
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.evidence.statement import Envelope, read_envelope

MAX_STEPS = 256
_MAX_TEXT = 10_000  # characters of a readme


@dataclass(frozen=True)
class NewStep:
    """A step for a layout.

    Attributes:
        functionaries: Files of the public keys of those who may do it.
        threshold: How many of them must.
        materials: Rules about what goes in.
        products: Rules about what comes out.
        command: What is expected to run, for people; in-toto compares it and refuses nothing.
    """

    name: str
    functionaries: Sequence[Path]
    threshold: int
    materials: Sequence[str]
    products: Sequence[str]
    command: str = ""


@dataclass(frozen=True)
class LayoutFile:
    """A layout that was read.

    Attributes:
        value: The layout, parsed.
        envelope: What it came in; None if nobody has signed it.
    """

    given: Input
    value: dict[str, Any]
    signatures: tuple[tuple[str, bytes], ...]
    payload: bytes

    @property
    def envelope(self) -> Envelope:
        """The layout with its signatures."""
        return Envelope(self.payload, PAYLOAD_TYPE, self.signatures)


def new_layout(path: Path, expires: str, readme: str) -> None:
    """Write a layout without steps, signed by nobody.

    Raises:
        LayoutInvalid: The date is none.
        AttestationExists: Something has the name.
    """
    from kit.attest.statement import write_attestation

    if parse_time(expires) is None:
        raise LayoutInvalid(f"{expires[:40]!r} is not YYYY-MM-DDTHH:MM:SSZ", where="expires")
    if len(readme) > _MAX_TEXT:
        raise LayoutInvalid(f"it has more than {_MAX_TEXT} characters", where="readme")
    value = {
        "_type": "layout",
        "expires": expires,
        "inspect": [],
        "keys": {},
        "readme": readme,
        "steps": [],
    }
    write_attestation(path, _file(compact(_checked(value, "layout")), ()))


def load_layout(path: Path) -> LayoutFile:
    """Read a layout; who signed it is not judged.

    Raises:
        LayoutInvalid: It is none that can be judged here.
        ReportUnreadable: It cannot be read.
        ReportTooLarge: It is too large.
    """
    return parse_layout(read_input(path))


def parse_layout(given: Input) -> LayoutFile:
    """Return the layout in a file."""
    where = given.where
    signatures: tuple[tuple[str, bytes], ...] = ()
    try:
        outer = given.object()
        if outer.get("payloadType") != PAYLOAD_TYPE:
            raise LayoutInvalid("is no DSSE envelope of in-toto", where=where)
        if outer.get("signatures") == []:
            payload = base64.b64decode(str(outer.get("payload")), validate=True)
        else:
            envelope = read_envelope(given.data, where)
            payload, signatures = envelope.payload, envelope.signatures
        value = read_foreign(payload)
    except (NotForeign, ValueError) as error:
        raise LayoutInvalid(short(error), where=where) from None
    except KitError as error:
        if isinstance(error, LayoutInvalid):
            raise
        raise LayoutInvalid(error.message, where=where) from None
    if not isinstance(value, dict) or value.get("_type") != "layout":
        raise LayoutInvalid("holds no layout", where=where)
    return LayoutFile(given, _checked(value, where), signatures, payload)


def add_step(layout: LayoutFile, step: NewStep) -> int:
    """Write a layout with one more step; signatures go, since they were of another layout.

    Returns:
        How many signatures there were.

    Raises:
        LayoutInvalid: The step does not go into the layout.
        KitError: A key does not serve.
    """
    check_name(step.name)
    where = f"step {step.name}"
    if any(each["name"] == step.name for each in layout.value["steps"]):
        raise LayoutInvalid("is in the layout already", where=where)
    keys = [public_key(path) for path in step.functionaries]
    if len({key["keyid"] for key in keys}) != len(keys):
        raise LayoutInvalid("names a functionary twice", where=where)
    if not 1 <= step.threshold <= len(keys):
        raise LayoutInvalid(f"wants {step.threshold} of {len(keys)} functionaries", where=where)
    made = {
        "_type": "step",
        "name": step.name,
        "pubkeys": [key["keyid"] for key in keys],
        "threshold": step.threshold,
        "expected_materials": [_rule(text, where) for text in step.materials],
        "expected_products": [_rule(text, where) for text in step.products],
        "expected_command": _words(step.command, where),
    }
    value = {
        **layout.value,
        "keys": {**layout.value["keys"], **{key["keyid"]: key for key in keys}},
        "steps": [*layout.value["steps"], made],
    }
    replace_file(layout.given.path, _file(compact(_checked(value, layout.given.where)), ()))
    return len(layout.signatures)


def sign_layout(layout: LayoutFile, signers: Sequence[KitSigner]) -> list[str]:
    """Add signatures to a layout; one by the same key is replaced.

    Raises:
        LayoutInvalid: It has no steps.
        KitError: A signer cannot sign.
    """
    if not layout.value["steps"]:
        raise LayoutInvalid("has no steps", where=layout.given.where)
    signatures = dict(layout.signatures)
    for signer in signers:
        if signer.scheme in SSH_SCHEMES:
            raise SignerUnsupported(
                "in-toto knows no signatures of ssh-keygen",
                where=f"key {signer.keyid}",
                fix="Sign with a key file, or with hardware.",
            )
        signatures[signer.keyid] = signer.sign(pae(layout.payload))
    ordered = tuple((keyid, signatures[keyid]) for keyid in sorted(signatures))
    replace_file(layout.given.path, _file(layout.payload, ordered))
    return sorted(signatures)


def public_key(path: Path) -> dict[str, Any]:
    """Return a public key as a layout has it.

    Raises:
        SignerUnsupported: in-toto judges no signatures of it.
        KitError: The file does not serve.
    """
    key, scheme = load_with_scheme(path)
    if scheme in SSH_SCHEMES:
        raise SignerUnsupported(
            "in-toto knows no signatures of ssh-keygen",
            where=f"key {str(path)!r}",
            fix="Give a PEM file, such as `offline-kit key new` makes.",
        )
    material_of(key)
    named = tuf_key(key, scheme)
    public = named.keyval["public"]
    return {
        "keyid": named.keyid,
        "keytype": named.keytype,
        "scheme": scheme,
        "keyval": {"public": public},
    }


def _file(payload: bytes, signatures: Sequence[tuple[str, bytes]]) -> bytes:
    value = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": keyid, "sig": base64.b64encode(each).decode("ascii")}
            for keyid, each in signatures
        ],
    }
    return compact(value) + b"\n"


# --- what a layout must be -------------------------------------------------------------------


def _checked(value: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a layout that the library reads and that has no key for two functionaries.

    Raises:
        LayoutInvalid: It is otherwise.
    """
    absent = {"expires", "inspect", "keys", "readme", "steps"} - set(value)
    if absent:
        raise LayoutInvalid(f"has no {' and no '.join(sorted(absent))}", where=where)
    try:
        library().layout.Layout.read(copy.deepcopy(value)).validate()
    except Exception as error:  # the library's, securesystemslib's, and those of a missing field
        if isinstance(error, KitError):
            raise
        raise LayoutInvalid(short(error), where=where) from None
    if len(value["steps"]) > MAX_STEPS:
        raise LayoutInvalid(f"has more than {MAX_STEPS} steps", where=where)
    names = [each["name"] for each in value["steps"]]
    if len(set(names)) != len(names):
        raise LayoutInvalid("two steps have one name", where=where)
    for name in names:
        check_name(name)
    _check_keys(value, where)
    return value


def _check_keys(value: dict[str, Any], where: str) -> None:
    seen: dict[bytes, str] = {}
    short_ids: set[str] = set()
    for keyid, key in value["keys"].items():
        try:
            material = parse_material(key["keytype"], key["scheme"], key["keyval"]["public"])
        except (ValueError, KeyError, TypeError):
            raise LayoutInvalid(f"key {keyid[:64]} cannot be read", where=where) from None
        if material is None:
            raise LayoutInvalid(f"key {keyid[:64]} is of an unknown scheme", where=where)
        if key.get("keyid") != keyid or key.get("subkeys"):
            raise LayoutInvalid(f"key {keyid[:64]} has another id, or subkeys", where=where)
        if material in seen:
            raise LayoutInvalid(f"one key is there as {seen[material]} and {keyid}", where=where)
        seen[material] = keyid
        short_ids.add(keyid[:8])
    if len(short_ids) != len(seen):
        raise LayoutInvalid("two key ids begin alike, and so do the names of links", where=where)
    for step in value["steps"]:
        if not set(step["pubkeys"]) <= set(value["keys"]):
            raise LayoutInvalid(f"step {step['name']} names a key that is not there", where=where)
        if not 1 <= step["threshold"] <= len(set(step["pubkeys"])):
            raise LayoutInvalid(f"step {step['name']} can never be done", where=where)


def _words(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise LayoutInvalid(f"{text[:100]!r}: {error}", where=where) from None


def _rule(text: str, where: str) -> list[str]:
    """Return a rule of artifacts as in-toto writes it (in-toto specification, 4.3.3)."""
    words = _words(text, where)
    try:
        library().rulelib.unpack_rule(list(words))
    except KitError:
        raise
    except Exception:  # securesystemslib's
        raise LayoutInvalid(
            f"{text[:200]!r} is no rule",
            where=where,
            fix="Write ALLOW, DISALLOW, REQUIRE, CREATE, DELETE or MODIFY and a pattern, or "
            "`MATCH PATTERN WITH PRODUCTS FROM STEP`.",
        ) from None
    return words
