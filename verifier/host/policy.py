"""The policy of a host: which kits it takes, from whom, and how old (TRUST-FILES 3).  Does no I/O.

A policy only ever takes away: what the root of trust refuses, no policy lets through.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from verifier.core.jsonstrict import NotStrict, parse_json
from verifier.core.manifest import HEX256, LINE
from verifier.core.model import parse_time
from verifier.core.trust import Root
from verifier.host.errors import PolicyInvalid, PolicyMismatch, PolicyMissing
from verifier.host.fields import Fields, label, once, sentence
from verifier.host.requirements import (
    MAX_AGE_DAYS,
    check_attesters,
    read_attester,
    read_requirement,
)
from verifier.typed import TYPE_CHECKING, record

if TYPE_CHECKING:
    from verifier.evidence.rules import Attester, Requirement

POLICY_TYPE = "https://offline-kit.example/policy/v1"
MAX_POLICY = 256 * 1024  # bytes
OVERRIDABLE = (
    "artifact-needed",
    "attestation-missing",
    "attestation-unchecked",
    "certificate-unknown-extension",
    "clock-differs",
    "evidence-algorithm-unknown",
    "evidence-form-unknown",
    "evidence-too-large",
    "evidence-unread",
    "kind-unchecked",
    "kit-equivocation",
    "kit-expired",
    "kit-older",
    "kit-stale",
    "kit-too-old",
    "line-refused",
    "root-expired",
    "root-older",
    "sbom-link-unchecked",
    "signer-set-unmet",
    "staging-missing",
    "staging-unfit",
    "trusted-root-malformed",
    "trusted-root-missing",
)
_RELEASE = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){0,3}")


@record(frozen=True)
class SignerSet:
    """People of whom some must have signed, such as those who build, or those of security."""

    name: str
    of: tuple[str, ...]
    threshold: int


@record(frozen=True)
class LinePolicy:
    """What holds for the kits of one line.

    Attributes:
        maximum_age_days: How old a kit may be; 0 for any age.
        kinds: Whether components must keep what their kinds promise; else it is only said.
        sbom_links: Whether SBOMs must describe the members that they are linked to.
    """

    line: str
    signer_sets: tuple[SignerSet, ...] = ()
    attestations: tuple[Requirement, ...] = ()
    maximum_age_days: int = 0
    kinds: bool = False
    sbom_links: bool = False


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
        attesters: Whose evidence counts; requirements call them by their names.
        enforce_root_expiry: Whether an expired root refuses; else it is reported.
        enforce_kit_expiry: Whether an expired kit is refused; else it is reported.
    """

    name: str
    attesters: tuple[Attester, ...] = ()
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
        return _policy(Fields(parse_json(data), ""))
    except NotStrict as reason:
        raise PolicyInvalid(str(reason), where="policy.json") from None


def _policy(fields: Fields) -> Policy:
    fields.text("type", lambda value: value == POLICY_TYPE)
    name = fields.text("name", label)
    attesters = tuple(read_attester(item) for item in fields.objects("attesters"))
    check_attesters(attesters)
    known = [item.name for item in attesters]
    policy = Policy(
        name=name,
        attesters=attesters,
        lines=tuple(_line(item, known) for item in fields.objects("lines")),
        other_lines=fields.word("otherLines", "refuse", "allow"),
        minimum_verifier=fields.text("minimumVerifier", _RELEASE.fullmatch, "0"),
        downgrade=fields.word("downgrade", "refuse", "allow"),
        state_required=not fields.word("state", "required", "optional"),
        enforce_root_expiry=fields.word("rootExpiry", "report", "enforce"),
        enforce_kit_expiry=fields.word("kitExpiry", "report", "enforce"),
        overrides=tuple(_override(item) for item in fields.objects("overrides")),
    )
    fields.done()
    once([rules.line for rules in policy.lines], "line")
    once([item.name for item in policy.overrides], "override")
    return policy


def _line(fields: Fields, attesters: Sequence[str]) -> LinePolicy:
    rules = LinePolicy(
        line=fields.text("line", LINE.fullmatch),
        signer_sets=tuple(_signer_set(item) for item in fields.objects("signerSets")),
        attestations=tuple(
            read_requirement(item, attesters) for item in fields.objects("attestations")
        ),
        maximum_age_days=fields.number("maximumAgeDays", MAX_AGE_DAYS, 0),
        kinds=fields.word("kinds", "report", "verify"),
        sbom_links=fields.word("sbomLinks", "report", "verify"),
    )
    fields.done()
    once([item.name for item in rules.signer_sets], "signer set")
    # nobody is two people: who stands in two sets would meet both alone
    once([name for item in rules.signer_sets for name in item.of], "signer")
    return rules


def _signer_set(fields: Fields) -> SignerSet:
    name = fields.text("name", label)
    of = fields.items("of")
    if not all(isinstance(signer, str) and label(signer) for signer in of) or not of:
        raise NotStrict(f"signer set {name!r} is not of names")
    threshold = fields.number("threshold", len(of))
    fields.done()
    return SignerSet(name, tuple(of), threshold)


def _override(fields: Fields) -> Override:
    if fields.has("line") == fields.has("kitId"):
        raise NotStrict("an override is for a line or for a kitId, and not for both")
    made = Override(
        name=fields.text("name", label),
        code=fields.text("code", OVERRIDABLE.__contains__),
        reason=fields.text("reason", sentence),
        line=fields.text("line", LINE.fullmatch, ""),
        kit_id=fields.text("kitId", HEX256.fullmatch, ""),
        until=fields.text("until", parse_time, ""),
    )
    fields.done()
    return made
