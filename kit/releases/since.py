"""What is different from the release before, and the mistakes that nothing else would notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.releases.previous import Known
from kit.review.compare import compared
from kit.spec import KitSpec
from kit.spec.settings import Settings
from verifier.core.model import KitInfo
from verifier.core.trust import Root
from verifier.show.diff import compare, silently_changed
from verifier.show.difftext import short_text

MAX_SUPERSEDED = 64  # FORMAT 9.2 has no limit; the spec has this one


@dataclass(frozen=True)
class Since:
    """What has changed since the release before.

    Attributes:
        lines: The short diff, by component.
        warnings: What is most likely a mistake, a sentence each.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def following(spec: KitSpec, previous: Known, settings: Settings) -> KitSpec:
    """Return a spec as the next release after ``previous``: a higher sequence, and `supersedes`.

    A sequence of the spec that is higher stays, and one that was set for this run does in any
    case.
    """
    kit = spec.kit
    sequence = kit.sequence
    if "sequence" not in settings and sequence <= previous.sequence:
        sequence = previous.sequence + 1
    supersedes = kit.supersedes
    if previous.kit_id not in supersedes:
        supersedes = (*supersedes, previous.kit_id)[-MAX_SUPERSEDED:]
    changed = kit.model_copy(update={"sequence": sequence, "supersedes": supersedes})
    following = spec.model_copy(update={"kit": changed})
    following._file, following._lines = spec._file, spec._lines
    return following


def before_building(info: KitInfo, root: Root, previous: Known) -> Iterator[str]:
    """Yield what can be seen to be wrong before anything is built."""
    called = f"{previous.name} {previous.version}"
    if info.version == previous.version:
        yield f"the version is that of {called} already"
    if info.sequence <= previous.sequence:
        yield (
            f"sequence {info.sequence} is not higher than {previous.sequence} of {called}: "
            "hosts that have taken that one will refuse this one"
        )
    if not previous.sealed:
        yield f"{called} is not sealed: its kitId is superseded all the same"
    if previous.head is None:
        yield f"the kit of {called} is not at hand: nothing but its sequence was compared"
        return
    before = previous.head.manifest.kit
    if info.created == before.created:
        yield f"`created` is that of {called}: {info.created}"
    elif info.created < before.created:
        yield f"`created` is before that of {called}: {info.created}, {before.created} there"
    yield from _root_changes(root, previous.head.root, called)


def _root_changes(new: Root, old: Root, called: str) -> Iterator[str]:
    if new.signed == old.signed:
        return
    if new.version < old.version:
        yield f"root version {new.version} is older than version {old.version} of {called}"
    elif new.version == old.version:
        yield f"the root is another one than that of {called}, and has the same version"
    else:
        yield f"the root has version {new.version}; {called} has version {old.version}"
    was, now = set(old.targets.signers()), set(new.targets.signers())
    for name in sorted(was - now):
        yield f"{name} is no kit signer any more"
    for name in sorted(now - was):
        yield f"{name} is a new kit signer"
    if old.targets.threshold != new.targets.threshold:
        now_needed, needed = new.targets.threshold, old.targets.threshold
        yield f"a kit needs {now_needed} signers now; {called} needed {needed}"


def since(kit: Path, previous: Known) -> Since:
    """Compare a kit that was built with the release before it.

    Raises:
        KitError: A kit cannot be read any more as it was.
    """
    if previous.head is None:
        return Since((), ())
    made = compare(compared(previous.head.path), compared(kit))
    called = f"{previous.name} {previous.version}"
    warnings = [
        f"{item} has other contents than in {called}, under the same version"
        for item in silently_changed(made)
    ]
    lines = [line.strip() for line in short_text(made)]
    return Since(tuple(lines) or ("nothing has changed in any component",), tuple(warnings))


def older_than_known(info: KitInfo, known: Known) -> str:
    """Return what is wrong with a kit beside a known release; empty if nothing is."""
    other = (known.name, known.line) != (info.name, info.line) or known.version == info.version
    if other or info.sequence > known.sequence:
        return ""
    return (
        f"sequence {info.sequence} is not higher than {known.sequence} of {known.name} "
        f"{known.version}, which lies beside it: give --after, or a higher `sequence`"
    )
