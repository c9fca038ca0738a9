"""Has the links of SBOMs judged where the policy of a host asks for it (TRUST-FILES 3.12)."""

from __future__ import annotations

from verifier.core.pipeline import Opened
from verifier.host.kinds import lets_pass
from verifier.linkjudge import LinkJudge
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.host.accept import Host


class LinksByPolicy(LinkJudge):
    """See `verifier.linkjudge.LinkJudge`.

    Args:
        host: Whose policy asks.
        always: Whether somebody asks whatever the policy says; it may still let findings pass.
    """

    def __init__(self, host: Host, *, always: bool = False) -> None:
        super().__init__(self._are_asked_for, lambda opened, fault: lets_pass(host, opened, fault))
        self._host, self._always = host, always

    def _are_asked_for(self, opened: Opened) -> bool:
        rules = self._host.rules_for(opened)
        return self._always or (rules is not None and rules.sbom_links)
