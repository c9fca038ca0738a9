"""The ceremony of a root: several people sign one file that travels, then it joins the chain.

A new version needs a threshold of the people of the version before it, and one of its own
(FORMAT 5.6).  Nobody needs the key of another, and no host needs a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.signing import SecretsHandler, load_signer
from verifier.core import limits
from verifier.core.errors import Rejected, RootStepInvalid, Undecided, Usage
from verifier.core.jsonstrict import compact
from verifier.core.rootchain import check_chain, check_kept
from verifier.core.signature import Key
from verifier.core.trust import Role, Root, chain_bytes, parse_root, read_root


class RootSignedAlready(Usage):
    """The root has a good signature by this key; nothing was changed."""

    code = "root-signed-already"
    fix = "Send the file to the next signer; `offline-kit root verify` says who is missing."


class RootVersionSkipped(Usage):
    """The root is not the version that follows the last one of the chain.

    Hosts go from version to version, and one that is left out leaves them behind.
    """

    code = "root-version-skipped"
    fix = "Make the next version from the newest chain with `offline-kit root rotate`."


class RootBreaks(Rejected):
    """The next root gives a key id to another key, or forgets that a line was reset.

    Key ids are names, and people compare names.  Whoever prepares a root could put a key of their
    own under the key id of somebody else, and have everybody sign that.  So a key id stays the key
    that it is: signer, scheme and public key (FORMAT 5.6).  A new key has a new key id.
    """

    code = "root-breaks-with-chain"
    fix = "Sign nothing, ask who made the file, and make it again with `offline-kit root rotate`."


class RootBeforeMissing(Usage):
    """The root before the one to be signed was not given, so nobody can say what would change.

    Who signs a root signs a change.  Without the version before it there is nothing to compare
    with, and a key that was put in the place of another is not seen.
    """

    code = "root-before-missing"
    fix = "Give the root or chain that it follows: `offline-kit root sign NEXT --roots ROOTS`."


class RootCopiesDiffer(Usage):
    """The copies of the next root that were given are not one root: people signed other things."""

    code = "root-copies-differ"
    fix = "Compare the copies with `offline-kit root show`, and have one of them signed by all."


class RootUnfinished(Undecided):
    """Signatures are still missing on the root; no verifier would accept it yet."""

    code = "root-unfinished"
    fix = "Send the file to the people named; each adds a signature with `offline-kit root sign`."


class RootChainFull(Usage):
    """The chain would have more roots or bytes than a kit may carry (FORMAT 5.1)."""

    code = "root-chain-full"
    fix = "Leave out the oldest versions, which no host pins now; older hosts need a visit."


@dataclass(frozen=True)
class Side:
    """One of the thresholds that a root must meet.

    Attributes:
        version: The version that says who counts.
        signed: Distinct signers whose signature is good, sorted.
        waiting: The other signers of the role, sorted.
        not_evaluated: Signers who signed with a scheme that is not known here.
    """

    version: int
    threshold: int
    signed: tuple[str, ...]
    waiting: tuple[str, ...]
    not_evaluated: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether enough of them signed."""
        return len(self.signed) >= self.threshold


@dataclass(frozen=True)
class Standing:
    """How far a root is.

    Attributes:
        sides: The rules of the version before it, if there is one, and its own.
        useless: Key ids whose signature is wrong or by a key that neither version names.
    """

    sides: tuple[Side, ...]
    useless: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether a host would take it."""
        return all(side.met for side in self.sides)


def standing(new: Root, old: Root | None) -> Standing:
    """Return who has signed a root and who is missing, under both versions."""
    sides = []
    useful: set[str] = set()
    for asked in (old, new):
        if asked is not None:
            side, good = _side(new, asked)
            sides.append(side)
            useful |= good
    useless = {keyid for keyid, _ in new.signatures} - useful
    if old is None and new.version > 1:  # the others may be those of the version before it
        useless &= new.role["root"].keys.keys()
    return Standing(tuple(sides), tuple(sorted(useless)))


def _side(new: Root, asked: Root) -> tuple[Side, set[str]]:
    role = asked.role["root"]
    good: set[str] = set()
    unknown: set[str] = set()
    for keyid, signature in new.signatures:
        key = role.keys.get(keyid)
        if key is None:
            continue
        if not key.evaluated:
            unknown.add(keyid)
        elif key.verify(new.signed, signature, low_s=False):
            good.add(keyid)
    signed = _names(role, good)
    waiting = [name for name in role.signers() if name not in signed]
    side = Side(asked.version, role.threshold, signed, tuple(waiting), _names(role, unknown))
    return side, good | unknown


def _names(role: Role, keyids: set[str]) -> tuple[str, ...]:
    return tuple(sorted({role.keys[keyid].signer for keyid in keyids}))


def check_follows(new: Root, old: Root) -> None:
    """Hold a root to the version number after ``old``, and to the keys that it keeps.

    Raises:
        RootVersionSkipped: It has another number.
        RootBreaks: A key id is another key in it, or a line is no longer reset.
    """
    if new.version == old.version and new.signed == old.signed:
        raise RootVersionSkipped(f"version {new.version} is in the chain already")
    if new.version != old.version + 1:
        raise RootVersionSkipped(
            f"it is version {new.version}, and after version {old.version} comes {old.version + 1}"
        )
    try:
        check_kept(old, new)
    except RootStepInvalid as error:
        raise RootBreaks(error.message) from None


def add_signatures(
    new: Root,
    keys: Sequence[str],
    *,
    old: Root | None = None,
    secrets: SecretsHandler | None = None,
) -> tuple[bytes, list[str]]:
    """Return a root with further signatures, and who made them.

    Args:
        new: The root, with the signatures it has.
        keys: ``--key`` arguments of root signers of the new version or of the one before it.
        old: The version before it; version 1 has none.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        RootBeforeMissing: There is a version before it, and it was not given.
        RootVersionSkipped: ``new`` does not follow ``old``.
        RootBreaks: It gives a key id of ``old`` to another key.
        RootSignedAlready: One of the keys has signed before.
        KitError: A key is at fault; see `kit.signing.load_signer`.
    """
    known: dict[str, Key] = dict(new.role["root"].keys)
    if old is not None:
        check_follows(new, old)
        known = {**old.role["root"].keys, **known}
    elif new.version > 1:
        raise RootBeforeMissing(f"version {new.version} follows version {new.version - 1}")
    before = dict(new.signatures)
    entries = {entry["keyid"]: entry for entry in json.loads(new.line)["signatures"]}
    names = []
    for maker in [load_signer(key, known, secrets=secrets) for key in keys]:
        signature = before.get(maker.keyid)
        if signature and known[maker.keyid].verify(new.signed, signature, low_s=False):
            raise RootSignedAlready(f"{maker.signer!r} has signed version {new.version} before")
        sig = maker.sign(new.signed).hex()
        entries[maker.keyid] = {"keyid": maker.keyid, "sig": sig}
        names.append(maker.signer)
    return _with(new, entries), sorted(set(names))


def _with(root: Root, entries: Mapping[str, object]) -> bytes:
    signed = json.loads(root.line)["signed"]
    value = {"signatures": [entries[keyid] for keyid in sorted(entries)], "signed": signed}
    data = compact(value) + b"\n"
    read_root(data)
    return data


def merge(copies: Sequence[Root], old: Root | None) -> Root:
    """Return one root with the good signatures of all its copies, which were signed apart.

    Raises:
        RootCopiesDiffer: They are not copies of one root.
    """
    first = copies[0]
    entries: dict[str, object] = {}
    for copy in copies:
        if copy.signed != first.signed:
            raise RootCopiesDiffer(f"both are called version {first.version}, or one is older")
        useless = standing(copy, old).useless
        for entry in json.loads(copy.line)["signatures"]:
            if entry["keyid"] not in useless:
                entries.setdefault(entry["keyid"], entry)
    return read_root(_with(first, entries))


def accept(chain: Sequence[Root], new: Root) -> list[Root]:
    """Return the chain with one root more.

    Raises:
        RootVersionSkipped: It is not the next version.
        RootUnfinished: Not all whom it takes have signed.
        RootChainFull: There is no room for it.
    """
    old = chain[-1] if chain else None
    if old is not None:
        check_follows(new, old)
    check_complete(new, old)
    longer = [*chain, parse_root(new.line)]
    check_chain(longer)
    if len(longer) > limits.MAX_ROOTS or len(chain_bytes(longer)) > limits.MAX_ROOT_CHAIN:
        raise RootChainFull(
            f"{len(longer)} roots of {len(chain_bytes(longer))} bytes; a kit carries at most "
            f"{limits.MAX_ROOTS} roots of {limits.MAX_ROOT_CHAIN} bytes"
        )
    return longer


def check_complete(new: Root, old: Root | None) -> None:
    """Hold a root to all whom it takes.

    Raises:
        RootUnfinished: Some have not signed.
    """
    missing = [
        f"{side.threshold - len(side.signed)} more of {', '.join(map(repr, side.waiting))} must "
        f"sign by the rules of version {side.version}"
        for side in standing(new, old).sides
        if not side.met
    ]
    if missing:
        raise RootUnfinished("; ".join(missing), where=f"version {new.version}")
