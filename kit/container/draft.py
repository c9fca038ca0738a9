"""What a spec says of a kit before anything is read: its manifest so far, and our own members."""

from __future__ import annotations

from kit.container.pyz import make_pyz, make_runner_pyz, runner_files, verifier_files
from kit.spec import KitSpec
from runner.packing.readme import readme_text
from verifier.core.errors import Usage
from verifier.core.limits import MAX_TIME
from verifier.core.lists import RUNNER_TOOL, VERIFIER_TOOL
from verifier.core.model import Blob, Built, Component, Exemption, KitInfo, Manifest, format_time


class EpochInvalid(Usage):
    """SOURCE_DATE_EPOCH is set and is not a number of seconds that a kit can hold.

    It takes the place of `created` in the spec, so it must also be before `expires`.
    """

    code = "source-date-epoch-invalid"
    fix = "Unset SOURCE_DATE_EPOCH, or set it to whole seconds since 1970-01-01T00:00:00Z."


def created_of(spec: KitSpec, epoch: str | None) -> str:
    """Return ``created``: SOURCE_DATE_EPOCH if it is set, else the spec's.

    Raises:
        EpochInvalid: It is set to something else than seconds, or not before `expires`.
    """
    if epoch is None:
        return format_time(int(spec.kit.created.timestamp()))
    if not (epoch.isascii() and epoch.isdigit()) or len(epoch) > 11 or int(epoch) > MAX_TIME:
        raise EpochInvalid(f"it is {epoch!r}", where="SOURCE_DATE_EPOCH")
    created, expires = int(epoch), spec.kit.expires
    if expires is not None and created >= expires.timestamp():
        late = f"it means {format_time(created)}, and {spec.where('kit', 'expires')} is not later"
        raise EpochInvalid(late, where="SOURCE_DATE_EPOCH")
    return format_time(created)


def draft_manifest(spec: KitSpec, created: str, sums_key: str = "") -> Manifest:
    """Return the manifest of a spec, but for what is computed while building."""
    kit = spec.kit
    empty = Blob(0, {"sha256": "0" * 64})
    return Manifest(
        kit=KitInfo(
            name=kit.name,
            version=kit.version,
            line=kit.line,
            sequence=kit.sequence,
            created=created,
            summary=kit.summary,
            expires=format_time(int(kit.expires.timestamp())) if kit.expires else "",
            supersedes=tuple(kit.supersedes),
        ),
        index=empty,
        frames=empty,
        roots=empty,
        page_size=0,
        built=Built("", 0),
        subjects=(),
        components=tuple(
            Component(
                item.id,
                item.version,
                (item.path,),
                item.lands,
                item.placeholder or "",
                item.what,
                item.owner or "",
            )
            for item in spec.components
        ),
        exemptions=tuple(Exemption(tuple(item.paths), item.reason) for item in spec.exemptions),
        sums_key=sums_key,
    )


def own_members(info: KitInfo, *, runner: bool = False) -> dict[bytes, bytes]:
    """Return the members that the builder makes itself, from path to contents.

    Args:
        runner: Whether the kit carries what runs a runbook.
    """
    files = verifier_files()
    own = {f"verifier/{path}".encode(): data for path, data in files.items()}
    own[VERIFIER_TOOL] = make_pyz(files)
    if runner:
        own[RUNNER_TOOL] = make_runner_pyz(files, runner_files())
    own[b"README.txt"] = readme_text(info).encode("utf-8")
    return own
