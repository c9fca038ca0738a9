"""From the pinned root to the newest one of a chain, step by step (FORMAT 5.6).  Does no I/O.

A host believes its pinned root and nothing else.  A newer root counts when those whom the root
before it names made it, and those whom it names itself agreed: a threshold of both.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.core.errors import RootChainMalformed, RootFork, RootGap, RootStepInvalid
from verifier.core.trust import Root, count_signers
from verifier.typed import Any, record

_WHERE = "kit.roots.json"


@record(frozen=True)
class Reached:
    """The root under which a kit is judged, and how this host came to it.

    Attributes:
        root: The effective root: the newest of the pinned one and the chain's.
        steps: Versions walked from the pinned root to it; empty if the pinned root is effective.
        kit_version: Version of the kit's own last root.
        reset_lines: Lines that the roots walked set back, sorted.
        kit_signers: The kit signers of the kit's own last root.
    """

    root: Root
    steps: tuple[int, ...]
    kit_version: int
    reset_lines: tuple[str, ...] = ()
    kit_signers: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return for a report how the root was reached."""
        version = self.root.version
        if self.steps:
            path = ", ".join(map(str, (self.steps[0] - 1, *self.steps)))
            return f"root of trust: version {version}, reached step by step from the pinned: {path}"
        pinned = f"root of trust: version {version}, as pinned"
        return f"{pinned}; {self.older()}" if self.older() else pinned

    def floor(self, line: str) -> int:
        """Return the version of the root that let a line start anew last; 0 if none did.

        A kit of the line whose own root is older was made before that.
        """
        return self.root.reset_lines.get(line, 0)

    def older(self) -> str:
        """Return in words that the kit's own root is older than the one that counts, if it is."""
        if self.kit_version >= self.root.version:
            return ""
        gone = set(self.kit_signers) - set(self.root.targets.signers())
        told = f"; gone since then: {', '.join(map(repr, sorted(gone)))}" if gone else ""
        return (
            f"the kit's own root is older (version {self.kit_version}), so only signers of version "
            f"{self.root.version} count{told}"
        )


def follow(pinned: Root, chain: Sequence[Root]) -> Reached:
    """Walk from the pinned root to the newest of the chain.

    Roots of the chain that are older than the pinned one are not judged: nothing rests on them.
    The work is bounded: the first step that fails ends it, and in each step only signatures by
    keys that a root accepted so far names, or the new root itself after that, are tried.

    Args:
        pinned: The root that this host believes.
        chain: Roots of consecutive versions, as `verifier.core.trust.parse_chain` returns them.

    Raises:
        RootGap: The chain begins after the version that follows the pinned one.
        RootFork: The chain has another root of the pinned version.
        RootChainMalformed: The chain's root of the pinned version is not signed by itself.
        RootStepInvalid: A step is not signed by enough signers of the old and of the new root, or
            changes what must stay.
    """
    first, last = chain[0].version, chain[-1].version
    if first > pinned.version + 1:
        raise RootGap(
            f"the kit brings root versions {first} to {last}, and version {pinned.version} is "
            f"pinned here: version {pinned.version + 1} is missing",
            where=_WHERE,
        )
    root = pinned
    steps: list[int] = []
    for new in chain:
        if new.version == pinned.version:
            if new.signed != pinned.signed:
                raise RootFork(
                    f"this root of version {new.version} is not the one that is pinned here",
                    where=_WHERE,
                )
            if new.line != pinned.line:  # the same root with other signatures
                _check_own(new)
        if new.version > pinned.version:
            _check_step(root, new)
            root = new
            steps.append(new.version)
    resets = [line for line, since in root.reset_lines.items() if since > pinned.version]
    signers = tuple(chain[-1].targets.signers())
    return Reached(root, tuple(steps), last, tuple(sorted(resets)), signers)


def check_chain(chain: Sequence[Root]) -> None:
    """Hold a whole chain to its own signatures, as a host does that has only its first root.

    For those who build and sign kits, who pin nothing: no chain may leave their hands that some
    host would refuse.

    Raises:
        RootChainMalformed: The first root is not signed by itself.
        RootStepInvalid: A step is not signed by enough signers of the old and of the new root, or
            changes what must stay.
    """
    _check_own(chain[0])
    for old, new in zip(chain, chain[1:]):
        _check_step(old, new)


def _check_own(root: Root) -> None:
    """Hold a root to its own root role, as `parse_root` does with a file (FORMAT 5.5)."""
    role = root.role["root"]
    count = count_signers(root, role)
    if count < role.threshold:
        raise RootChainMalformed(
            f"version {root.version} is signed by {count} of the {role.threshold} signers its "
            "root role wants",
            where=_WHERE,
        )


def _check_step(old: Root, new: Root) -> None:
    """Hold one step to a threshold of the old root first, then to one of the new (TUF 5.3.4)."""
    if new.version != old.version + 1:
        raise RootStepInvalid(
            f"version {new.version} does not follow version {old.version}", where=_WHERE
        )
    judged: dict[Any, bool] = {}
    for asked in (old, new):
        role = asked.role["root"]
        count = count_signers(new, role, judged)
        if count < role.threshold:
            raise RootStepInvalid(
                f"version {new.version} is signed by {count} of the {role.threshold} signers "
                f"that version {asked.version} wants",
                where=_WHERE,
            )
    check_kept(old, new)


def check_kept(old: Root, new: Root) -> None:
    """Hold a root to what it must leave as the root before it has it (FORMAT 5.6).

    People compare the names of keys.  So a keyid that both versions have is the same key in both,
    and a new key has a new keyid, which everybody sees.

    Raises:
        RootStepInvalid: A keyid is another key now, or a line was reset and is no longer.
    """
    for keyid, key in new.keys.items():
        known = old.keys.get(keyid)
        if known is None or known.identity == key.identity:
            continue
        parts = zip(("signer", "scheme", "public key"), known.identity, key.identity)
        what = " and ".join(name for name, was, now in parts if was != now)
        raise RootStepInvalid(
            f"version {new.version} has another {what} under the key id {keyid!r}, which is a key "
            f"of {known.signer!r} in version {old.version}",
            where=_WHERE,
        )
    for line, since in old.reset_lines.items():
        if new.reset_lines.get(line, 0) < since:
            raise RootStepInvalid(
                f"version {new.version} forgets that version {since} let the line {line!r} start "
                "anew",
                where=_WHERE,
            )
