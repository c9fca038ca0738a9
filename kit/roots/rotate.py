"""The next version of a root: who comes, who goes, how many it takes (FORMAT 5.6).

It is edited as the JSON that it is, not as python-tuf's objects: python-tuf refuses a root with a
key of a scheme that it does not know, and such a root must be replaceable too.  What nobody asked
to change stays as it was, unknown members included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.roots.metadata import NamedKeys, RootInconsistent, named_keys, utc
from verifier.core.errors import RootInvalid, RootStepInvalid
from verifier.core.jsonstrict import compact
from verifier.core.limits import MAX_ROOT
from verifier.core.rootchain import check_kept
from verifier.core.trust import POLICY_FIELD, RESET_FIELD, SIGNER_FIELD, Root, read_root

_UNUSED = ("timestamp", "snapshot")  # they follow the root role: TUF wants them, a kit does not


@dataclass(frozen=True)
class Change:
    """What the next version does; an empty field leaves things as they are.

    While the same people sign kits and change the root, one change is for both, unless a field of
    the root signers is given.

    Attributes:
        add_signers: New kit signers, or further keys of those there are.
        remove_signers: Names or key ids that go from every role: their keys are revoked.
        threshold: How many signers a kit needs.
        add_root_signers: Who may change the root from now on.
        remove_root_signers: Names or key ids that may not change the root any more.
        root_threshold: How many signers a change of the root needs.
        expires: When the next version should be replaced.
        policy: The bytes of the policy.json that goes with it; empty to bind none.
        reset_lines: Lines whose sequence starts anew with it; what was made before stays old.
    """

    add_signers: NamedKeys = ()
    remove_signers: Sequence[str] = ()
    threshold: int | None = None
    add_root_signers: NamedKeys = ()
    remove_root_signers: Sequence[str] = ()
    root_threshold: int | None = None
    expires: datetime | None = None
    policy: bytes | None = None
    reset_lines: Sequence[str] = ()

    @property
    def parts_roles(self) -> bool:
        """Whether it treats those who change the root apart from the kit signers."""
        return bool(
            self.add_root_signers or self.remove_root_signers or self.root_threshold is not None
        )


def next_root(old: Root, change: Change) -> bytes:
    """Return the version after ``old``, unsigned: compact JSON and an LF.

    Raises:
        ValueError: ``expires`` is naive, has a fraction of a second or lies before 1970.
        RootInconsistent: Names, keys and thresholds do not go together, or nothing would change.
        KitError: A key file is at fault; see `kit.keys.load_public`.
    """
    before = json.loads(old.line)["signed"]
    signed = json.loads(old.line)["signed"]
    _change_roles(signed, change)
    if change.expires is not None:
        signed["expires"] = utc(change.expires).strftime("%Y-%m-%dT%H:%M:%SZ")
    if change.policy is not None:
        signed.pop(POLICY_FIELD, None)
        if change.policy:
            signed[POLICY_FIELD] = {"sha256": hashlib.sha256(change.policy).hexdigest()}
    if change.reset_lines:
        since = dict.fromkeys(change.reset_lines, old.version + 1)
        signed[RESET_FIELD] = {**signed.get(RESET_FIELD, {}), **since}
    if signed == before:
        raise RootInconsistent("nothing would change")
    signed["version"] += 1
    data = compact({"signatures": [], "signed": signed}) + b"\n"
    if len(data) > MAX_ROOT:
        raise RootInconsistent(f"it would have {len(data)} bytes, and may have {MAX_ROOT}")
    try:
        check_kept(old, read_root(data))
    except (RootInvalid, RootStepInvalid) as error:
        raise RootInconsistent(error.message) from None
    return data


def _change_roles(signed: dict[str, Any], change: Change) -> None:
    keys, roles = signed["keys"], signed["roles"]
    kit, root = roles["targets"], roles["root"]
    named_before = {keyid for role in roles.values() for keyid in role["keyids"]}
    together = (
        not change.parts_roles
        and sorted(kit["keyids"]) == sorted(root["keyids"])
        and kit["threshold"] == root["threshold"]
    )
    for name in change.remove_signers:
        _remove(name, keys, [kit, root])
    for name in change.remove_root_signers:
        _remove(name, keys, [root])
    _add(change.add_signers, keys, [kit, root] if together else [kit])
    _add(change.add_root_signers, keys, [root])
    if change.threshold is not None:
        kit["threshold"] = change.threshold
        if together:
            root["threshold"] = change.threshold
    if change.root_threshold is not None:
        root["threshold"] = change.root_threshold
    for name in _UNUSED:
        roles[name].update(keyids=list(root["keyids"]), threshold=root["threshold"])
    named_now = {keyid for role in roles.values() for keyid in role["keyids"]}
    for keyid in named_before - named_now:
        del keys[keyid]


def _remove(name: str, keys: dict[str, Any], roles: Sequence[dict[str, Any]]) -> None:
    going = {keyid for keyid, key in keys.items() if name in (keyid, key[SIGNER_FIELD])}
    if not any(going.intersection(role["keyids"]) for role in roles):
        listed = sorted({keys[keyid][SIGNER_FIELD] for role in roles for keyid in role["keyids"]})
        raise RootInconsistent(
            f"there are {', '.join(map(repr, listed))}", where=f"signer {name!r} to remove"
        )
    for role in roles:
        role["keyids"] = [keyid for keyid in role["keyids"] if keyid not in going]


def _add(people: NamedKeys, keys: dict[str, Any], roles: Sequence[dict[str, Any]]) -> None:
    for key in named_keys(people):
        name = key.unrecognized_fields[SIGNER_FIELD]
        keyid, value = _known_as(key.to_dict(), key.keyid, keys)
        if value[SIGNER_FIELD] != name:
            raise RootInconsistent(
                f"one public key is given for {value[SIGNER_FIELD]!r} and for {name!r}"
            )
        if all(keyid in role["keyids"] for role in roles):
            raise RootInconsistent("the key is there already", where=f"signer {name!r} to add")
        keys[keyid] = value
        for role in roles:
            role["keyids"] = sorted({*role["keyids"], keyid})


def _known_as(
    value: dict[str, Any], keyid: str, keys: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return a key as the root has it already; other programs may have given it another id."""
    for other, known in keys.items():
        same_kind = known["scheme"] == value["scheme"]
        if same_kind and known["keyval"]["public"].strip() == value["keyval"]["public"].strip():
            return other, known
    return keyid, value
