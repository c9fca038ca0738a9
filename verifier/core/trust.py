"""Roots of trust: TUF root metadata in a strict profile (FORMAT 5).  Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from verifier.core import limits
from verifier.core.errors import KitError, RootChainMalformed, RootInvalid
from verifier.core.jsonstrict import NotStrict, compact, olpc, parse_compact, parse_json
from verifier.core.manifest import HEX256, LINE
from verifier.core.model import parse_time
from verifier.core.names import fold, printable
from verifier.core.signature import KEYID, SCHEME, Key, parse_material
from verifier.typed import Any, record

ROLES = ("root", "snapshot", "targets", "timestamp")
SIGNER_FIELD = "x-offline-kit-signer"
POLICY_FIELD = "x-offline-kit-policy"
RESET_FIELD = "x-offline-kit-reset-lines"
_SPEC_VERSION = re.compile(r"1\.0(\.[0-9]{1,4})?")
_HEX = re.compile(r"([0-9a-f]{2}){1,8192}")


class _Invalid(ValueError):
    """A rule of the profile is broken; `parse_root` gives it a code."""


@record(frozen=True)
class Role:
    """Who may sign, and how many distinct signers it takes."""

    keys: Mapping[str, Key]
    threshold: int

    def signers(self) -> list[str]:
        """Return the names of the role's signers, each once, sorted."""
        return sorted({key.signer for key in self.keys.values()})


@record(frozen=True)
class Root:
    """A root of trust in the profile; `parse_root` also holds it to its own signatures.

    Attributes:
        version: TUF's version of the root, from 1.
        expires: ``YYYY-MM-DDTHH:MM:SSZ``; reported, not enforced here.
        role: The four roles by name.
        signed: OLPC canonical bytes of what was signed: two roots are the same root when these
            are equal, whatever their spelling and surplus signatures.
        line: The root in compact JSON with an LF, as a kit carries it.
        signatures: Keyid and signature of each entry that is well formed; not judged.
        keys: All its keys by key id, those of no role too.
        policy_sha256: Digest of the policy.json that goes with this root; empty if none does.
        reset_lines: From a line to the version of the root that let its sequence start anew last.
    """

    version: int
    expires: str
    role: Mapping[str, Role]
    signed: bytes
    line: bytes
    signatures: tuple[tuple[str, bytes], ...]
    keys: Mapping[str, Key]
    policy_sha256: str
    reset_lines: Mapping[str, int]

    @property
    def targets(self) -> Role:
        """The kit signers."""
        return self.role["targets"]


def parse_root(data: bytes) -> Root:
    """Return the root in a file of this host, whose JSON may be spelled freely.

    Raises:
        RootInvalid: It is not a root in the profile of FORMAT 5, or not signed by itself.
    """
    root = read_root(data)
    role = root.role["root"]
    count = count_signers(root, role)
    if count < role.threshold:
        raise RootInvalid(
            f"signed by {count} of the {role.threshold} signers its root role wants",
            where="root.json",
        )
    return root


def read_root(data: bytes) -> Root:
    """Return the root in a file, whose signatures nobody has judged yet.

    Raises:
        RootInvalid: It is not a root in the profile of FORMAT 5.
    """
    return _parse(data, parse_json, RootInvalid, "root.json")


def parse_chain(data: bytes, known: Root | None = None) -> list[Root]:
    """Return the roots of ``kit.roots.json``, each held to the profile (FORMAT 5.1 to 5.4).

    Their signatures are judged by `verifier.core.rootchain`: only those that matter to a host.

    Args:
        data: The member, with its padding.
        known: A root that this host has parsed; a line with the same bytes is not parsed again.

    Raises:
        RootChainMalformed: The bytes are not such a chain.
    """
    lines = data.split(b"\n")
    spaces = lines.pop()
    if len(data) % 512 or len(data) > limits.MAX_ROOT_CHAIN or spaces.strip(b" "):
        raise RootChainMalformed("not lines padded to a multiple of 512", where="kit.roots.json")
    if not 1 <= len(lines) <= limits.MAX_ROOTS or len(spaces) > 511:
        raise RootChainMalformed("no root, too many, or too much padding", where="kit.roots.json")
    roots = [
        known
        if known is not None and line + b"\n" == known.line
        else _parse(line, parse_compact, RootChainMalformed, "kit.roots.json")
        for line in lines
    ]
    versions = [root.version for root in roots]
    if versions != list(range(versions[0], versions[0] + len(versions))):
        raise RootChainMalformed("versions do not ascend one by one", where="kit.roots.json")
    return roots


def count_signers(root: Root, role: Role, judged: dict[Any, bool] | None = None) -> int:
    """Return how many distinct signers of a role signed a root; it stops at the threshold.

    Only signatures whose keyid the role names are judged at all (FORMAT 5.5).

    Args:
        root: What was signed.
        role: The root role of this root, or of the one before it.
        judged: Verdicts on signatures of this root, kept from one role to the next.
    """
    judged = {} if judged is None else judged
    signers: set[str] = set()
    for keyid, signature in root.signatures:
        key = role.keys.get(keyid)
        if key is None or key.signer in signers:
            continue
        what = (key.scheme, key.public, signature)
        if what not in judged:
            judged[what] = key.verify(root.signed, signature, low_s=False)
        if judged[what]:
            signers.add(key.signer)
            if len(signers) == role.threshold:
                break
    return len(signers)


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
    _expect(signed.get("consistent_snapshot", False), bool, "consistent_snapshot")
    keys = _keys(_expect(signed.get("keys"), dict, "keys"))
    roles = _expect(signed.get("roles"), dict, "roles")
    if set(roles) != set(ROLES):
        raise _Invalid("roles are not exactly root, targets, snapshot and timestamp")
    role = {name: _role(name, roles[name], keys) for name in ROLES}
    signatures = _signatures(_expect(value["signatures"], list, "signatures"))
    line = compact(value)
    if len(line) > limits.MAX_ROOT:  # what is not ASCII grows when it is spelled compactly
        raise _Invalid(f"a root is at most {limits.MAX_ROOT} bytes in compact JSON")
    return Root(
        version,
        expires,
        role,
        olpc(signed),
        line + b"\n",
        signatures,
        keys,
        _policy(signed),
        _reset_lines(signed, version),
    )


def _keys(value: dict[str, Any]) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    signer_of: dict[bytes | str, str] = {}
    names: dict[str, str] = {}
    for keyid, item in value.items():
        if not KEYID.fullmatch(keyid):
            raise _Invalid("a keyid is not 1 to 128 characters from '!' to '~'")
        item = _expect(item, dict, f"key {keyid[:64]!r}")
        keytype, scheme = (
            _expect(item.get(f), str, f"{f} of a key") for f in ("keytype", "scheme")
        )
        if not SCHEME.fullmatch(keytype) or not SCHEME.fullmatch(scheme):
            raise _Invalid(f"keytype or scheme of key {keyid[:64]!r} is not letters, digits, . _ -")
        keyval = _expect(item.get("keyval"), dict, "keyval of a key")
        public = _expect(keyval.get("public"), str, "keyval.public of a key")
        signer = _expect(item.get(SIGNER_FIELD), str, f"{SIGNER_FIELD} of key {keyid[:64]!r}")
        if not 1 <= len(signer) <= 64 or not printable(signer):
            raise _Invalid("the name of a signer is empty, too long or not printable")
        other = names.setdefault(fold(signer), signer)
        if other != signer:
            raise _Invalid(f"signers {other!r} and {signer!r} are one name to people")
        try:
            material = parse_material(keytype, scheme, public)
        except ValueError as reason:
            raise _Invalid(f"key {keyid[:64]!r}: {reason}") from None
        # a PEM may lack its last LF: the same key is the same bytes; and of a scheme that nobody
        # here knows it is the same text
        for same in (material or public, public):
            if signer_of.setdefault(same, signer) != signer:
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
        raise _Invalid(f"the threshold of role {name} is {threshold}, and it has {_signers(role)}")
    return role


def _signers(role: Role) -> str:
    count = len(role.signers())
    return f"{count} distinct signer{'' if count == 1 else 's'}"


def _signatures(entries: list[Any]) -> tuple[tuple[str, bytes], ...]:
    """Return the entries whose signature is hexadecimal; the others count for nothing."""
    if len(entries) > limits.MAX_SIGNATURES:
        raise _Invalid("the root has too many signatures")
    found: dict[str, bytes] = {}
    seen: set[str] = set()
    for entry in entries:
        entry = _expect(entry, dict, "an entry of signatures")
        keyid, text = (_expect(entry.get(f), str, f"{f} of a signature") for f in ("keyid", "sig"))
        if keyid in seen:
            raise _Invalid("one keyid signs twice")
        seen.add(keyid)
        if _HEX.fullmatch(text):
            found[keyid] = bytes.fromhex(text)
    return tuple(found.items())


def _policy(signed: Mapping[str, Any]) -> str:
    if POLICY_FIELD not in signed:
        return ""
    digest = _expect(_expect(signed[POLICY_FIELD], dict, POLICY_FIELD).get("sha256"), str, "sha256")
    if not HEX256.fullmatch(digest):
        raise _Invalid(f"sha256 of {POLICY_FIELD} is not 64 lower-case hexadecimal digits")
    return str(digest)


def _reset_lines(signed: Mapping[str, Any], version: int) -> dict[str, int]:
    lines: dict[str, int] = _expect(signed.get(RESET_FIELD, {}), dict, RESET_FIELD)
    for line, since in lines.items():
        if not LINE.fullmatch(line):
            raise _Invalid(f"{RESET_FIELD} holds something other than names of lines")
        if not 1 <= _expect(since, int, f"the version of a line in {RESET_FIELD}") <= version:
            raise _Invalid(f"{RESET_FIELD} gives a line a version that is not up to this one")
    return lines
