"""Roots of trust: TUF root metadata in a strict profile (FORMAT 5).  Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from verifier.core import limits
from verifier.core.errors import KitError, RootChainMalformed, RootInvalid
from verifier.core.jsonstrict import NotStrict, compact, olpc, parse_compact, parse_json
from verifier.core.model import parse_time
from verifier.core.names import fold, printable
from verifier.core.signature import Key, parse_material

ROLES = ("root", "snapshot", "targets", "timestamp")
SIGNER_FIELD = "x-offline-kit-signer"
_SPEC_VERSION = re.compile(r"1\.0(\.[0-9]{1,4})?")
_HEX = re.compile(r"([0-9a-f]{2}){1,8192}")


class _Invalid(ValueError):
    """A rule of the profile is broken; `parse_root` gives it a code."""


@dataclass(frozen=True)
class Role:
    """Who may sign, and how many distinct signers it takes."""

    keys: Mapping[str, Key]
    threshold: int

    def signers(self) -> list[str]:
        """Return the names of the role's signers, each once, sorted."""
        return sorted({key.signer for key in self.keys.values()})


@dataclass(frozen=True)
class Root:
    """A root of trust that is signed by its own root role.

    Attributes:
        version: TUF's version of the root, from 1.
        expires: ``YYYY-MM-DDTHH:MM:SSZ``; reported, not enforced here.
        role: The four roles by name.
        signed: OLPC canonical bytes of what was signed: two roots are the same root when these
            are equal, whatever their spelling and surplus signatures.
        line: The root in compact JSON with an LF, as a kit carries it.
    """

    version: int
    expires: str
    role: Mapping[str, Role]
    signed: bytes
    line: bytes

    @property
    def targets(self) -> Role:
        """The kit signers."""
        return self.role["targets"]


def parse_root(data: bytes) -> Root:
    """Return the root in a file of this host, whose JSON may be spelled freely.

    Raises:
        RootInvalid: It is not a root in the profile of FORMAT 5, or not signed by itself.
    """
    return _parse(data, parse_json, RootInvalid, "root.json")


def parse_chain(data: bytes) -> list[Root]:
    """Return the roots of ``kit.roots.json``, each held to the profile (FORMAT 5.1).

    Raises:
        RootChainMalformed: The bytes are not such a chain.
    """
    lines = data.split(b"\n")
    spaces = lines.pop()
    if len(data) % 512 or len(data) > limits.MAX_ROOT_CHAIN or spaces.strip(b" "):
        raise RootChainMalformed("not lines padded to a multiple of 512", where="kit.roots.json")
    if not 1 <= len(lines) <= limits.MAX_ROOTS or len(spaces) > 511:
        raise RootChainMalformed("no root, too many, or too much padding", where="kit.roots.json")
    roots = [_parse(line, parse_compact, RootChainMalformed, "kit.roots.json") for line in lines]
    versions = [root.version for root in roots]
    if versions != list(range(versions[0], versions[0] + len(versions))):
        raise RootChainMalformed("versions do not ascend one by one", where="kit.roots.json")
    return roots


def chain_bytes(roots: Iterable[Root]) -> bytes:
    """Return ``kit.roots.json`` for ``roots``."""
    lines = b"".join(root.line for root in roots)
    return lines + b" " * (-len(lines) % 512)


def _parse(data: bytes, parse: Callable[[bytes], Any], error: type[KitError], where: str) -> Root:
    if len(data) > limits.MAX_ROOT:
        raise error(f"a root is at most {limits.MAX_ROOT} bytes", where=where)
    try:
        return _root(parse(data))
    except (NotStrict, _Invalid) as reason:
        raise error(str(reason), where=where) from None


def _expect(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise _Invalid(f"{what} is missing or not what it should be")
    return value


def _root(value: Any) -> Root:
    if not isinstance(value, dict) or set(value) != {"signatures", "signed"}:
        raise _Invalid("not TUF metadata: an object with `signatures` and `signed`")
    signed = _expect(value["signed"], dict, "signed")
    if signed.get("_type") != "root":
        raise _Invalid("signed._type is not 'root'")
    if not _SPEC_VERSION.fullmatch(_expect(signed.get("spec_version"), str, "spec_version")):
        raise _Invalid("spec_version is not 1.0")
    version = _expect(signed.get("version"), int, "version")
    expires = _expect(signed.get("expires"), str, "expires")
    if version < 1 or parse_time(expires) is None:
        raise _Invalid("version or expires is not what it should be")
    keys = _keys(_expect(signed.get("keys"), dict, "keys"))
    roles = _expect(signed.get("roles"), dict, "roles")
    if set(roles) != set(ROLES):
        raise _Invalid("roles are not exactly root, targets, snapshot and timestamp")
    role = {name: _role(name, roles[name], keys) for name in ROLES}
    canonical = olpc(signed)
    _check_signed(_expect(value["signatures"], list, "signatures"), canonical, role["root"])
    return Root(version, expires, role, canonical, compact(value) + b"\n")


def _keys(value: dict[str, Any]) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    signer_of: dict[tuple[str, str | bytes], str] = {}
    names: dict[str, str] = {}
    for keyid, item in value.items():
        item = _expect(item, dict, f"key {keyid[:64]!r}")
        keytype, scheme = (
            _expect(item.get(f), str, f"{f} of a key") for f in ("keytype", "scheme")
        )
        keyval = _expect(item.get("keyval"), dict, "keyval of a key")
        public = _expect(keyval.get("public"), str, "keyval.public of a key")
        signer = _expect(item.get(SIGNER_FIELD), str, f"{SIGNER_FIELD} of key {keyid[:64]!r}")
        if not 1 <= len(signer) <= 64 or not printable(signer) or not 1 <= len(keyid) <= 128:
            raise _Invalid("the name of a signer or a keyid is empty, too long or not printable")
        other = names.setdefault(fold(signer), signer)
        if other != signer:
            raise _Invalid(f"signers {other!r} and {signer!r} are one name to people")
        try:
            material = parse_material(keytype, scheme, public)
        except ValueError as reason:
            raise _Invalid(f"key {keyid[:64]!r}: {reason}") from None
        # a PEM may lack its last LF: the same key is the same bytes, not the same text
        if signer_of.setdefault((scheme, material or public), signer) != signer:
            raise _Invalid(f"one public key belongs to {signer!r} and to another signer")
        keys[keyid] = Key(keyid, signer, scheme, public, material)
    return keys


def _role(name: str, value: Any, keys: Mapping[str, Key]) -> Role:
    value = _expect(value, dict, f"role {name}")
    keyids = _expect(value.get("keyids"), list, f"keyids of role {name}")
    threshold = _expect(value.get("threshold"), int, f"threshold of role {name}")
    if not all(isinstance(keyid, str) and keyid in keys for keyid in keyids):
        raise _Invalid(f"role {name} names a key that is not there")
    if len(set(keyids)) != len(keyids):
        raise _Invalid(f"role {name} names a key twice")
    role = Role({keyid: keys[keyid] for keyid in keyids}, threshold)
    if not 1 <= threshold <= len(role.signers()):
        raise _Invalid(
            f"the threshold of role {name} is {threshold}, of {len(role.signers())} signers"
        )
    return role


def _check_signed(signatures: list[Any], canonical: bytes, role: Role) -> None:
    """Hold a root to a threshold of distinct signers of its own root role (FORMAT 5.5)."""
    if len(signatures) > limits.MAX_SIGNATURES:
        raise _Invalid("the root has too many signatures")
    signed_by: set[str] = set()
    seen: set[str] = set()
    for entry in signatures:
        entry = _expect(entry, dict, "an entry of signatures")
        keyid, text = (_expect(entry.get(f), str, f"{f} of a signature") for f in ("keyid", "sig"))
        if keyid in seen:
            raise _Invalid("one keyid signs twice")
        seen.add(keyid)
        key = role.keys.get(keyid)
        if key is None or key.signer in signed_by or not _HEX.fullmatch(text):
            continue
        if key.verify(canonical, bytes.fromhex(text), low_s=False):
            signed_by.add(key.signer)
    if len(signed_by) < role.threshold:
        raise _Invalid(
            f"signed by {len(signed_by)} of the {role.threshold} signers its root role wants"
        )
