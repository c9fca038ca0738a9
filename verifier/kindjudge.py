"""Has the kinds of a kit's components judged while it is proved (FORMAT 17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from verifier.catch import KIT, MEMBER, Beginning, Caught, Sha512
from verifier.core.errors import KitError
from verifier.core.pipeline import Opened


class KindJudge:
    """See `verifier.catch.Judge`.

    Args:
        asked: Whether the kinds of a kit are to be judged; by default they are.
        passes: Whether a finding is let pass, which is said elsewhere; by default none is.
        sha512: Whether files are also compared by their SHA-512, where something gives it.

    Attributes:
        faults: What was found and not let pass.
    """

    member = MEMBER
    kit = KIT

    def __init__(
        self,
        asked: Callable[[Opened], bool] = lambda opened: True,
        passes: Callable[[Opened, KitError], bool] = lambda opened, fault: False,
        *,
        sha512: bool = False,
    ) -> None:
        self._asked, self._passes, self._sha512 = asked, passes, sha512
        self.faults: list[KitError] = []

    def choose(self, opened: Opened) -> Iterable[int | Beginning | Sha512]:
        """Return the documents that kinds are judged by."""
        assert opened.manifest is not None
        assert opened.index is not None
        if not self._asked(opened):
            return
        from verifier.evidence.kinds.model import WHOLE  # here: evidence is asked for
        from verifier.evidence.kinds.registry import judged, wants_of

        for files, want in wants_of(opened.manifest, opened.index):
            member = files.members[want.name]
            yield member if want.size == WHOLE else Beginning(member, want.size)
        if self._sha512:
            for kind, files in judged(opened.manifest, opened.index):
                yield from (Sha512(files.members[name]) for name in kind.hashed(files))

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return each promise that a component breaks."""
        assert opened.manifest is not None
        assert opened.index is not None
        if not self._asked(opened):
            return ()
        from verifier.evidence.kinds.registry import judge_kinds, promises  # here: as above

        found = judge_kinds(
            opened.manifest, opened.index, caught.data, caught.missed, caught.sha512
        )
        self.faults = [fault for fault in found if not self._passes(opened, fault)]
        opened.judged.about.add("kinds")
        said = promises(opened.manifest)
        if said and not found:
            opened.judged.done.append(f"what kinds promise: {said}")
        return self.faults
