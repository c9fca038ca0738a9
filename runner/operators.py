"""The root of the operators of a site: who may sign at gates and seal evidence (RUNBOOK 10, 11).

It stands beside the publisher's root in the trust directory, and is held to its date as that one
is: reported always, refused where the policy says ``rootExpiry: enforce``.
"""

from __future__ import annotations

import os

from runner.errors import OperatorsMissing, OperatorsShareKey
from verifier.core import limits
from verifier.core.errors import KitError
from verifier.core.model import format_time, parse_time
from verifier.core.trust import Root, parse_root
from verifier.host import files
from verifier.host.directory import TrustDirectory
from verifier.host.errors import RootExpired
from verifier.host.judge import override_of
from verifier.host.policy import Policy
from verifier.host.state import State
from verifier.typed import Any, record

OPERATORS = "operators.json"


@record(frozen=True)
class Dated:
    """A root of operators and its date.

    Attributes:
        expired: Whether it is past that date.
    """

    version: int
    expires: str
    expired: bool

    def value(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {"expired": self.expired, "expires": self.expires, "version": self.version}

    def warning(self) -> str:
        """Return what people are told if it is past its date; else nothing."""
        if not self.expired:
            return ""
        return f"the operators' root, version {self.version}, expired on {self.expires}"


@record(frozen=True)
class Admitted:
    """A root of operators that may be used here.

    Attributes:
        override: The override of the policy that lets its date pass; empty if none had to.
    """

    root: Root
    dated: Dated
    override: str = ""


def load_operators(trust: str, publisher: Root) -> Root:
    """Return the root of those who may approve.

    Raises:
        OperatorsMissing: There is none.
        OperatorsShareKey: It has a key of the publisher: one person could then both make a
            release and let it in.
        KitError: It is unsafe, or no root.
    """
    path = os.path.join(os.path.abspath(trust), OPERATORS)
    try:
        data = files.read(path, limits.MAX_ROOT)
    except OSError as error:
        raise OperatorsMissing(error.strerror or str(error), where=repr(path)) from None
    if data is None:
        raise OperatorsMissing("is not there", where=repr(path))
    root = parse_root(data)
    check_apart(root, publisher, path)
    return root


def check_apart(operators: Root, publisher: Root, path: str) -> None:
    """See that no key stands in both roots, in whatever role.

    Raises:
        OperatorsShareKey: One does.
    """
    theirs = {key.material or key.public.encode() for key in publisher.keys.values()}
    for key in operators.keys.values():
        if (key.material or key.public.encode()) in theirs:
            why = f"has a key of the publisher ({key.signer})"
            raise OperatorsShareKey(why, where=repr(path))


def expired(operators: Root, now: int) -> bool:
    """Whether the root of operators is past its date; the moment itself is past, as in TUF.

    Args:
        operators: The root.
        now: Seconds since the epoch.
    """
    end = parse_time(operators.expires)
    return end is not None and now >= end


def check_in_date(operators: Root, now: int) -> None:
    """See that the root of operators is good at a time.

    Raises:
        RootExpired: It is past its date.
    """
    if expired(operators, now):
        why = f"version {operators.version} is good until {operators.expires}"
        raise RootExpired(
            f"{why}, and it is {format_time(now)}",
            where=OPERATORS,
            fix="Have the operators make a newer operators.json; if the clock is wrong, set it; or"
            " record an override.",
        )


def dated(operators: Root, now: int) -> Dated:
    """Return the date of a root of operators, seen from a moment in seconds since the epoch."""
    return Dated(operators.version, operators.expires, expired(operators, now))


def look_at(trust: str, now: int) -> Dated | None:
    """Return the date of the root in a trust directory, for a report; None if there is none.

    What is wrong with it otherwise is said by whoever uses it.

    Args:
        trust: The trust directory.
        now: Seconds since the epoch.
    """
    try:
        data = files.read(os.path.join(os.path.abspath(trust), OPERATORS), limits.MAX_ROOT)
        return None if data is None else dated(parse_root(data), now)
    except (OSError, KitError):
        return None


def admit(trust: str, clock: int, line: str, kit_id: str) -> Admitted:
    """Return the root of the operators of a trust directory, held to its date as the policy says.

    Args:
        trust: The trust directory.
        clock: Seconds since the epoch by the clock of this host.
        line: The line of the kit that is run.
        kit_id: Its kitId.

    Raises:
        OperatorsMissing: There is none.
        OperatorsShareKey: It has a key of the publisher.
        RootExpired: It is past its date, and the policy enforces that.
        KitError: The trust directory is unsafe or damaged.
    """
    directory = TrustDirectory(trust)
    trusted = directory.load()
    operators = load_operators(directory.path, trusted.root)
    known = trusted.memory.lines.get(line) if isinstance(trusted.memory, State) else None
    now = max(clock, known.last_seen if known is not None else 0)  # TRUST-FILES 5.1
    policy = trusted.choose(trusted.root).policy
    override = hold_to_date(operators, policy, line, kit_id, now)
    return Admitted(operators, dated(operators, now), override)


def hold_to_date(operators: Root, policy: Policy, line: str, kit_id: str, now: int) -> str:
    """Hold the root of operators to its date, where the policy does so with roots.

    Returns:
        The override of the policy that lets it pass; empty if none had to.

    Raises:
        RootExpired: It is past its date.
    """
    if not policy.enforce_root_expiry:
        return ""
    try:
        check_in_date(operators, now)
    except RootExpired as fault:
        by = passed_by(fault, policy, line, kit_id, now)
        if not by:
            raise
        return by
    return ""


def passed_by(fault: KitError, policy: Policy, line: str, kit_id: str, now: int) -> str:
    """Return the override of a policy that lets a fault pass, with its code; empty if none does."""
    by = override_of(policy, fault.code, line, kit_id, now)
    return f"{fault.code}: {by}" if by else ""
