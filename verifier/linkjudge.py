"""Has the links of a kit's SBOMs to its members judged while it is proved (FORMAT 18.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from verifier.catch import Caught
from verifier.core.errors import KitError
from verifier.core.limits import MIB
from verifier.core.lists import EVIDENCE
from verifier.core.pipeline import Opened


class LinkJudge:
    """See `verifier.catch.Judge`.

    Args:
        asked: Whether the links of a kit are to be judged; by default they are.
        passes: Whether a finding is let pass, which is said elsewhere; by default none is.
    """

    member = 64 * MIB  # bytes of one SBOM
    kit = 128 * MIB

    def __init__(
        self,
        asked: Callable[[Opened], bool] = lambda opened: True,
        passes: Callable[[Opened, KitError], bool] = lambda opened, fault: False,
    ) -> None:
        self._asked, self._passes = asked, passes

    def choose(self, opened: Opened) -> Iterable[int]:
        """Return the links and the SBOMs that they may speak of, the small ones first."""
        index = opened.index
        assert index is not None
        if not self._asked(opened):
            return
        from verifier.evidence.links import BELOW, PATH  # here: evidence is asked for

        links = index.find(PATH.encode())
        if links is None:
            return
        yield links
        first, last = index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1]
        places = [
            first + at
            for at, path in enumerate(index.paths(first, last))
            if path.startswith(BELOW.encode())
        ]
        yield from sorted(places, key=lambda at: index.sizes[at])

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return each link that does not hold."""
        assert opened.index is not None
        if not self._asked(opened):
            return ()
        from verifier.evidence.links import PATH, judge_links  # here: as above

        opened.judged.about.add("links")
        if opened.index.find(PATH.encode()) is None:
            return ()
        found = list(judge_links(opened.index, caught.data, caught.missed))
        if not found:
            opened.judged.done.append("links of SBOMs: each element has the SHA-256 of its member")
        return [fault for fault in found if not self._passes(opened, fault)]
