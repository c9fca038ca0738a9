"""What a policy asks of evidence, as values: who may attest, and what must be attested."""

from __future__ import annotations

from verifier.typed import record

KIT = "@kit"  # in place of a component: the kit as a whole, named by its kitId
KIT_SIGNERS = "kit-signers"  # whoever signed the kit vouches for what it carries unsigned
EVERY = "*"  # every component that is no placeholder
SEVERITIES = ("low", "medium", "high", "critical")
LAYOUT, LINK = "in-toto:layout", "in-toto:link"  # what has no predicate type of its own


@record(frozen=True)
class Attester:
    """Somebody whose evidence counts; exactly one of ``signer``, ``key`` and ``issuer`` is given.

    Attributes:
        name: What requirements call it.
        signer: A kit signer, by the name that the root gives; any of his keys there.
        key: A public key in PEM.
        trusted_root: SHA-256 of the trusted_root.json that it is held to; may be empty for a key.
        issuer: Who vouches for the identity, exact.
        identity: Exact, or with ``*`` for the whole of a repository, workflow file or ref.
    """

    name: str
    signer: str = ""
    key: str = ""
    trusted_root: str = ""
    issuer: str = ""
    identity: str = ""


@record(frozen=True)
class Requirement:
    """An attestation that a component must have.

    Attributes:
        component: An id, `EVERY` or `KIT`.
        of: Names of attesters, or `KIT_SIGNERS`.
        threshold: How many of them must have signed the same statement.
        subjects: Whether ``all`` parts of the component must be its subjects, or ``any``.
        builder_id: Who must have built it; empty for anybody.
        source_uri: What it must be built from, without ``git+`` and ``@REF``; empty for anything.
        materials: Whether all it was made from must be in the lock.
        tests: Whether tests must have passed.
        maximum_age_days: How old the statement may be; 0 for any age.
        no_open: The lowest severity of which nothing may be open; empty for no such rule.
        vex: Names of attesters whose VEX answers findings.
    """

    component: str
    predicate_type: str
    of: tuple[str, ...] = (KIT_SIGNERS,)
    threshold: int = 1
    subjects: str = "all"
    builder_id: str = ""
    source_uri: str = ""
    materials: bool = False
    tests: bool = False
    maximum_age_days: int = 0
    no_open: str = ""
    vex: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """What it is asked for, in words."""
        if self.component == EVERY:
            return "every component"
        return "the kit" if self.component == KIT else f"component {self.component!r}"

    def sentence(self) -> str:
        """Return the rule in words."""
        who = "the signers of the kit"
        if self.of != (KIT_SIGNERS,):
            who = f"{self.threshold} of {', '.join(map(repr, self.of))}"
        parts = [f"{self.where} needs {self.predicate_type} by {who}"]
        if self.subjects == "any":
            parts.append("about any part of it")
        if self.builder_id:
            parts.append(f"built by {self.builder_id!r}")
        if self.source_uri:
            parts.append(f"from {self.source_uri!r}")
        if self.materials:
            parts.append("of nothing that is not in the lock")
        if self.tests:
            parts.append("with tests that passed")
        if self.maximum_age_days:
            parts.append(f"at most {self.maximum_age_days} days old")
        if self.no_open:
            answers = f", but for what VEX of {', '.join(map(repr, self.vex))} answers"
            parts.append(
                f"with no open finding of {self.no_open} or above{answers * bool(self.vex)}"
            )
        return "; ".join(parts)
