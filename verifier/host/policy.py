"""The policy of a host: which kits it takes, from whom, and how old (TRUST-FILES 3).  Does no I/O.

A policy only ever takes away: what the root of trust refuses, no policy lets through.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from verifier.core.jsonstrict import NotStrict, parse_json
from verifier.core.manifest import HEX256, LINE, NAME
from verifier.core.model import parse_time
from verifier.core.names import printable
from verifier.core.trust import Root
from verifier.host.errors import PolicyInvalid, PolicyMismatch, PolicyMissing
from verifier.typed import Any, record

POLICY_TYPE = "https://offline-kit.example/policy/v1"
MAX_POLICY = 256 * 1024  # bytes
MAX_ITEMS = 1024  # lines, overrides, requirements and members of a set, each
MAX_AGE_DAYS = 36_500  # a hundred years: more is no limit
OVERRIDABLE = (
    "attestation-unchecked",
    "clock-differs",
    "kind-unchecked",
    "kit-equivocation",
    "kit-expired",
    "kit-older",
    "kit-stale",
    "kit-too-old",
    "line-refused",
    "root-expired",
    "root-older",
    "signer-set-unmet",
)
_RELEASE = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){0,3}")
_COMPONENT = re.compile(r"\*|" + NAME.pattern)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,490}")


@record(frozen=True)
class SignerSet:
    """People of whom some must have signed, such as those who build, or those of security."""

    name: str
    of: tuple[str, ...]
    threshold: int


@record(frozen=True)
class Requirement:
    """An attestation that a component must have; ``*`` stands for every component."""

    component: str
    predicate_type: str


@record(frozen=True)
class LinePolicy:
    """What holds for the kits of one line.

    Attributes:
        maximum_age_days: How old a kit may be; 0 for any age.
        kinds: Whether components must keep what their kinds promise; else it is only said.
    """

    line: str
    signer_sets: tuple[SignerSet, ...] = ()
    attestations: tuple[Requirement, ...] = ()
    maximum_age_days: int = 0
    kinds: bool = False


@record(frozen=True)
class Override:
    """One named relaxation: a code that does not refuse, for a line or for one kit.

    Attributes:
        line: The line it is for; empty if it is for a kit.
        kit_id: The kit it is for; empty if it is for a line.
        until: ``YYYY-MM-DDTHH:MM:SSZ``, the last second of it; empty for ever.
    """

    name: str
    code: str
    reason: str
    line: str = ""
    kit_id: str = ""
    until: str = ""

    def covers(self, code: str, line: str, kit_id: str, now: int) -> bool:
        """Whether it relaxes a code for a kit at a moment."""
        until = parse_time(self.until) if self.until else None
        return (
            code == self.code
            and (self.line == line if self.line else self.kit_id == kit_id)
            and (until is None or now <= until)
        )


@record(frozen=True)
class Policy:
    """All rules of a host.

    Attributes:
        other_lines: Whether kits of lines that are not named are taken.
        downgrade: Whether a lower sequence than one accepted is taken.
        state_required: Whether nothing is decided without the memory of earlier kits.
        enforce_root_expiry: Whether an expired root refuses; else it is reported.
        enforce_kit_expiry: Whether an expired kit is refused; else it is reported.
    """

    name: str
    lines: tuple[LinePolicy, ...] = ()
    other_lines: bool = False
    minimum_verifier: str = "0"
    downgrade: bool = False
    state_required: bool = True
    enforce_root_expiry: bool = False
    enforce_kit_expiry: bool = False
    overrides: tuple[Override, ...] = ()

    def rules_for(self, line: str) -> LinePolicy | None:
        """Return what is said about a line; None if it is not named."""
        return next((rules for rules in self.lines if rules.line == line), None)


BUILT_IN = Policy("built-in", other_lines=True)


@record(frozen=True)
class Chosen:
    """The policy in force.

    Attributes:
        sha256: Of the bytes of policy.json; empty for the built-in one.
        bound_by: ``root`` if the root names its digest, ``host`` if it is the host's own, and
            ``nobody`` for the built-in one.
    """

    policy: Policy
    sha256: str
    bound_by: str


def choose(root: Root, own: bytes | None, coming: bytes | None) -> Chosen:
    """Return the policy that goes with a root.

    Args:
        root: The effective root.
        own: The bytes of policy.json; None if there is none.
        coming: The bytes of policy.next.json: a change of root and policy that was cut short leaves
            the new policy there, and the root says which of the two counts.

    Raises:
        PolicyMissing: The root names one and there is none.
        PolicyMismatch: The root names one and it is not among them.
        PolicyInvalid: It is not a policy.
    """
    if not root.policy_sha256:
        if own is None:
            return Chosen(BUILT_IN, "", "nobody")
        return Chosen(parse_policy(own), hashlib.sha256(own).hexdigest(), "host")
    found = [data for data in (own, coming) if data is not None]
    for data in found:
        if hashlib.sha256(data).hexdigest() == root.policy_sha256:
            return Chosen(parse_policy(data), root.policy_sha256, "root")
    told = f"root version {root.version} names the policy with SHA-256 {root.policy_sha256}"
    if not found:
        raise PolicyMissing(f"{told}, and there is none here", where="policy.json")
    digest = hashlib.sha256(found[0]).hexdigest()
    raise PolicyMismatch(f"{told}, and this one has {digest}", where="policy.json")


def release(text: str) -> tuple[int, ...]:
    """Return a version of the verifier as numbers to compare, without zeros at its end.

    What follows the numbers is passed over: a candidate counts as what it is a candidate for.
    """
    numbers = re.match(r"[0-9]+(\.[0-9]+)*", text)
    parts = [int(part) for part in numbers[0].split(".")] if numbers else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


# --- reading -----------------------------------------------------------------------------------


def parse_policy(data: bytes) -> Policy:
    """Return the policy in a file; strict JSON, spelled freely (TRUST-FILES 3.1).

    Raises:
        PolicyInvalid: A rule is broken, or a field is not known.
    """
    try:
        if len(data) > MAX_POLICY:
            raise NotStrict(f"a policy is at most {MAX_POLICY} bytes")
        return _policy(_Fields(parse_json(data), ""))
    except NotStrict as reason:
        raise PolicyInvalid(str(reason), where="policy.json") from None


class _Fields:
    """Takes the fields of an object one by one; what is left at the end is not known."""

    def __init__(self, value: Any, name: str) -> None:
        self._name = name
        if not isinstance(value, dict):
            raise NotStrict(f"{name or 'the policy'!r} is not an object")
        self._left = dict(value)

    def _path(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise NotStrict(f"{self._path(name)!r} is missing")
        return self._left.pop(name)

    def text(self, name: str, good: Callable[[str], object], default: str | None = None) -> str:
        """Return a string that ``good`` finds good, or the default if there is none."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if not isinstance(value, str) or not good(value):
            raise NotStrict(f"{self._path(name)!r} is not a text of the form it should have")
        return value

    def word(self, name: str, default: str, other: str) -> bool:
        """Whether a field has the other of two words."""
        return self.text(name, (default, other).__contains__, default) == other

    def number(self, name: str, most: int, default: int | None = None) -> int:
        """Return an integer from 1 on, or the default if there is none."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if type(value) is not int or not 1 <= value <= most:
            raise NotStrict(f"{self._path(name)!r} is not a number from 1 to {most}")
        return value

    def items(self, name: str) -> list[Any]:
        """Return the items of an array; a missing one is empty."""
        value = self._take(name) if self.has(name) else []
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise NotStrict(f"{self._path(name)!r} is not an array of at most {MAX_ITEMS}")
        return value

    def objects(self, name: str) -> list[_Fields]:
        """Return the items of an array of objects."""
        items = self.items(name)
        return [_Fields(item, f"{self._path(name)}[{at}]") for at, item in enumerate(items)]

    def has(self, name: str) -> bool:
        """Whether a field is there and not yet taken."""
        return name in self._left

    def done(self) -> None:
        """Refuse what nobody asked for: it may be a rule of a later version."""
        for name in sorted(self._left):
            raise NotStrict(f"{self._path(name)[:200]!r} is not known to this verifier")


def _label(text: str) -> bool:
    return 1 <= len(text) <= 64 and printable(text)


def _sentence(text: str) -> bool:
    return 1 <= len(text) <= 500 and printable(text)


def _once(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise NotStrict(f"{what} {name!r} stands there twice")
        seen.add(name)


def _policy(fields: _Fields) -> Policy:
    fields.text("type", lambda value: value == POLICY_TYPE)
    policy = Policy(
        name=fields.text("name", _label),
        lines=tuple(_line(item) for item in fields.objects("lines")),
        other_lines=fields.word("otherLines", "refuse", "allow"),
        minimum_verifier=fields.text("minimumVerifier", _RELEASE.fullmatch, "0"),
        downgrade=fields.word("downgrade", "refuse", "allow"),
        state_required=not fields.word("state", "required", "optional"),
        enforce_root_expiry=fields.word("rootExpiry", "report", "enforce"),
        enforce_kit_expiry=fields.word("kitExpiry", "report", "enforce"),
        overrides=tuple(_override(item) for item in fields.objects("overrides")),
    )
    fields.done()
    _once([rules.line for rules in policy.lines], "line")
    _once([item.name for item in policy.overrides], "override")
    return policy


def _line(fields: _Fields) -> LinePolicy:
    rules = LinePolicy(
        line=fields.text("line", LINE.fullmatch),
        signer_sets=tuple(_signer_set(item) for item in fields.objects("signerSets")),
        attestations=tuple(_requirement(item) for item in fields.objects("attestations")),
        maximum_age_days=fields.number("maximumAgeDays", MAX_AGE_DAYS, 0),
        kinds=fields.word("kinds", "report", "verify"),
    )
    fields.done()
    _once([item.name for item in rules.signer_sets], "signer set")
    # nobody is two people: who stands in two sets would meet both alone
    _once([name for item in rules.signer_sets for name in item.of], "signer")
    return rules


def _signer_set(fields: _Fields) -> SignerSet:
    name = fields.text("name", _label)
    of = fields.items("of")
    if not all(isinstance(signer, str) and _label(signer) for signer in of) or not of:
        raise NotStrict(f"signer set {name!r} is not of names")
    threshold = fields.number("threshold", len(of))
    fields.done()
    return SignerSet(name, tuple(of), threshold)


def _requirement(fields: _Fields) -> Requirement:
    made = Requirement(
        fields.text("component", _COMPONENT.fullmatch), fields.text("predicateType", _URI.fullmatch)
    )
    fields.done()
    return made


def _override(fields: _Fields) -> Override:
    if fields.has("line") == fields.has("kitId"):
        raise NotStrict("an override is for a line or for a kitId, and not for both")
    made = Override(
        name=fields.text("name", _label),
        code=fields.text("code", OVERRIDABLE.__contains__),
        reason=fields.text("reason", _sentence),
        line=fields.text("line", LINE.fullmatch, ""),
        kit_id=fields.text("kitId", HEX256.fullmatch, ""),
        until=fields.text("until", parse_time, ""),
    )
    fields.done()
    return made
