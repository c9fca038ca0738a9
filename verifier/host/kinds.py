"""Has the kinds of components judged where the policy of a host asks for it (TRUST-FILES 3.7)."""

from __future__ import annotations

from verifier.core.errors import KitError
from verifier.core.pipeline import Opened
from verifier.host.judge import Notice, override_of
from verifier.kindjudge import KindJudge
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.host.accept import Host


class KindsByPolicy(KindJudge):
    """See `verifier.kindjudge.KindJudge`.

    Args:
        host: Whose policy asks.
        always: Whether somebody asks whatever the policy says; it may still let findings pass.
        sha512: See there.
    """

    def __init__(self, host: Host, *, always: bool = False, sha512: bool = False) -> None:
        super().__init__(
            self._are_asked_for,
            lambda opened, fault: lets_pass(host, opened, fault),
            sha512=sha512,
        )
        self._host, self._always = host, always

    def _are_asked_for(self, opened: Opened) -> bool:
        rules = self._host.rules_for(opened)
        return self._always or (rules is not None and rules.kinds)


def lets_pass(host: Host, opened: Opened, fault: KitError) -> bool:
    """Whether an override of a host lets a finding pass; that is noted for the report."""
    judgement = host.judgement
    assert judgement is not None
    assert opened.manifest is not None
    assert opened.kit_id is not None
    line, kit_id = opened.manifest.kit.line, opened.kit_id
    by = override_of(judgement.chosen.policy, fault.code, line, kit_id, judgement.now)
    if by:
        host.let_pass(Notice(fault.code, f"{fault.where}: {fault.message}", by))
    return bool(by)
