"""One look of a host at a kit: judged by root, policy and memory; remembered when it is accepted.

Looking is not accepting.  `Host.judge` reads; only `Host.accept` writes, after everything is
proved, under the lock, from what is in the trust directory at that moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from verifier.core.envelope import check_threshold, evaluate
from verifier.core.errors import KitError
from verifier.core.pipeline import Opened
from verifier.core.rootchain import follow
from verifier.core.trust import Root, parse_chain
from verifier.host.directory import TrustDirectory, set_back
from verifier.host.errors import StateUnwritable, TrustUnwritable
from verifier.host.judge import Facts, Judgement, Notice, judge
from verifier.host.policy import LinePolicy, Policy, parse_policy
from verifier.host.state import (
    EMPTY,
    State,
    told_time,
    with_accepted,
    with_all_reset,
)
from verifier.typed import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from verifier.catch import Judge
    from verifier.host.attestations import EvidenceJudge, Given, Judged

LOOKED, ACCEPTED, AGAIN, NOT_RECORDED = "looked", "accepted", "accepted before", "not recorded"


class Host:
    """What a host has to say about one kit.

    Attributes:
        directory: Its trust directory.
        judgement: What policy and memory say; None until the kit is authentic.
        outcome: ``looked``, ``accepted``, ``accepted before`` (nothing had to be written) or ``not
            recorded``.
        why: Why it is not recorded.
        given: Files of evidence that came beside the kit.
    """

    def __init__(
        self, directory: TrustDirectory, clock: int, verifier: str, given: Sequence[Given] = ()
    ) -> None:
        """Read the trust directory.

        Args:
            directory: The trust directory.
            clock: Seconds since the epoch by the clock of this host.
            verifier: The version of this verifier.
            given: Files of evidence that came beside the kit.

        Raises:
            KitError: The directory is missing, unsafe or damaged.
        """
        self.directory = directory
        self._clock = told_time(clock)
        self._verifier = verifier
        self._trusted = directory.load()
        self.judgement: Judgement | None = None
        self.outcome = LOOKED
        self.why = ""
        self.given = given
        self._evidence: EvidenceJudge | None = None
        self._passed: list[Notice] = []

    @property
    def root(self) -> Root:
        """The pinned root."""
        return self._trusted.root

    def judges(self) -> Sequence[Judge]:
        """Return who looks into members for this host when a kit is proved.

        From now on what a policy requires of evidence is decided then, and not before.
        """
        found: list[Judge] = []
        asked = [rules for policy in self._policies() for rules in policy.lines]
        if any(rules.kinds for rules in asked):
            from verifier.host.kinds import KindsByPolicy  # here, since a zipapp compiles it

            found.append(KindsByPolicy(self))
        if any(rules.sbom_links for rules in asked):
            from verifier.host.links import LinksByPolicy  # here, as above

            found.append(LinksByPolicy(self))
        if any(rules.attestations for rules in asked):
            from verifier.host.attestations import EvidenceJudge  # here, as above

            self._evidence = EvidenceJudge(self)
            found.append(self._evidence)
        return found

    @property
    def evidence(self) -> Judged | None:
        """What the evidence comes to; None if nothing was required, or the run ended before."""
        return self._evidence.judged if self._evidence is not None else None

    def trusted_roots(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the trusted roots of this host that have these SHA-256, as far as it has them."""
        return self.directory.trusted_roots(names)

    def _policies(self) -> Iterator[Policy]:
        """Yield the policies that may be in force: the root that a kit brings decides."""
        for data in (self._trusted.policy, self._trusted.coming):
            with contextlib.suppress(KitError):  # said when it is chosen
                if data is not None:
                    yield parse_policy(data)

    def rules_for(self, opened: Opened) -> LinePolicy | None:
        """Return what the policy says of the line of a kit that was judged."""
        assert self.judgement is not None
        assert opened.manifest is not None
        return self.judgement.chosen.policy.rules_for(opened.manifest.kit.line)

    def judge(self, opened: Opened) -> None:
        """Judge a kit that is authentic; see `verifier.core.pipeline.Job.judge`.

        Raises:
            KitError: Policy or memory refuse it.
        """
        self.judgement = self._judge(opened)
        self.judgement.check()

    def let_pass(self, notice: Notice) -> None:
        """Note what an override lets pass of what was found in the kit."""
        assert self.judgement is not None
        self._passed.append(notice)
        self.judgement = replace(self.judgement, notices=(*self.judgement.notices, notice))

    def _judge(self, opened: Opened) -> Judgement:
        assert opened.manifest is not None
        assert opened.kit_id is not None
        assert opened.reached is not None
        assert opened.signing is not None
        chosen = self._trusted.choose(opened.reached.root)
        memory = self._trusted.memory
        if isinstance(memory, State):
            memory = set_back(memory, opened.reached, self._clock)
        facts = Facts(
            opened.manifest.kit,
            opened.kit_id,
            tuple(opened.signing.signers),
            opened.reached,
            self._evidence is not None,
        )
        made = judge(facts, chosen, memory, self._clock, self._verifier)
        return replace(made, notices=(*made.notices, *self._passed))

    def accept(self, opened: Opened, finish: Callable[[], None]) -> None:
        """Remember a kit that is proved in full.

        The trust directory is read again under its lock and the kit judged again, since another run
        may have accepted a newer kit or root meanwhile.  Everything that can fail for want of room
        or permission comes first; then ``finish`` runs, which gives extracted members their name;
        then one rename makes the kit accepted.  A run that is killed has never accepted what it did
        not extract.

        Args:
            opened: What was proved.
            finish: What must be done before the kit counts as accepted.

        Raises:
            KitError: Policy or memory refuse the kit now, or it cannot be recorded and the policy
                requires that; ``finish`` has not run then.
        """
        steps: list[str] = []

        def finish_once() -> None:
            steps.append("begun")
            finish()
            steps.append("done")

        try:
            with self.directory.locked():
                self._accept(opened, finish_once)
        except TrustUnwritable as error:
            if steps == ["begun"]:
                raise  # the members are not there, whatever the policy says of the state
            self._not_recorded(opened, error, done=bool(steps))
            if not steps:
                finish()

    def _accept(self, opened: Opened, finish: Callable[[], None]) -> None:
        self._trusted = self.directory.load()
        self._follow_again(opened)
        self.judge(opened)
        self._judge_evidence(opened)
        self._check_judged(opened)
        assert self.judgement is not None
        outcome = AGAIN if self.judgement.freshness == "same" else ACCEPTED
        state = self._remembered(opened)
        assert opened.reached is not None
        assert opened.manifest is not None
        if opened.manifest.kit.line not in state.lines:
            outcome, self.why = NOT_RECORDED, "it is older than the beginning of its line"
        self.directory.advance(self._trusted, opened.reached, self._clock)
        if state == self._trusted.memory:
            finish()
            self.outcome = outcome
            return
        prepared = self.directory.prepare_state(state)
        try:
            finish()
        except BaseException:
            self.directory.discard_state(prepared)
            raise
        self.directory.commit_state(prepared)
        self.outcome = outcome

    def _check_judged(self, opened: Opened) -> None:
        """Refuse what was not looked into, when the policy has come to ask for it meanwhile."""
        rules = self.rules_for(opened)
        if rules is not None and rules.kinds and "kinds" not in opened.judged.about:
            from verifier.evidence.kinds.errors import KindUnchecked

            raise KindUnchecked("the policy asks what kinds promise, since this run began")
        if rules is not None and rules.sbom_links and "links" not in opened.judged.about:
            from verifier.evidence.errors import SbomLinkUnchecked

            raise SbomLinkUnchecked("the policy asks for the links, since this run began")

    def _follow_again(self, opened: Opened) -> None:
        """Count the signatures again if the root was changed since they were counted."""
        assert opened.reached is not None
        assert opened.envelope is not None
        reached = follow(self._trusted.root, parse_chain(opened.roots[512:]))
        if reached.root.signed != opened.reached.root.signed:
            opened.signing = evaluate(opened.envelope, reached.root.targets)
            check_threshold(opened.signing, reached.root.targets, reached.older())
        opened.reached = reached

    def _judge_evidence(self, opened: Opened) -> None:
        """Judge the evidence by the policy as it is now; what was judged already is not again."""
        if self._evidence is None:
            return
        faults = self._evidence.again(opened)
        for fault in sorted(faults, key=lambda fault: -fault.status):
            raise fault

    def _remembered(self, opened: Opened) -> State:
        assert self.judgement is not None
        assert opened.manifest is not None
        assert opened.kit_id is not None
        assert opened.reached is not None
        memory = self._trusted.memory
        if isinstance(memory, State):
            state = set_back(memory, opened.reached, self._clock)
        elif memory.code == "state-missing":
            state = EMPTY
        else:
            why = f"memory lost: {memory.code}"
            state = with_all_reset("policy", why, self._clock)
        try:
            return with_accepted(
                state,
                opened.manifest.kit,
                opened.kit_id,
                opened.reached.root.version,
                self._clock,
                older=self.judgement.freshness == "older",
            )
        except ValueError as error:
            raise TrustUnwritable(str(error), where="state.json") from None

    def _not_recorded(self, opened: Opened, error: KitError, *, done: bool) -> None:
        """Decide what becomes of a good kit that cannot be recorded.

        Raises:
            KitError: The policy refuses the kit, or requires that it is recorded.
        """
        self.judge(opened)
        self._judge_evidence(opened)
        assert self.judgement is not None
        if self.judgement.chosen.policy.state_required:
            note = "; its members were extracted" if done else ""
            raise StateUnwritable(f"{error.message}{note}", where=error.where) from None
        self.outcome, self.why = NOT_RECORDED, error.message
