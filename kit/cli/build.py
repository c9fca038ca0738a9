"""From a spec to a release: build, rebuild."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.build import BuiltKit, Options, build
from kit.cli.common import (
    Jobs,
    Json,
    OptionalRoot,
    app,
    note_root,
    now,
    progress,
    say,
    secret,
)
from kit.cli.defaults import SPEC, Chosen, SpecArgument, StoreOption, kit_in
from kit.cli.kits import say_missing, say_sealed, sealed_value
from kit.cli.wanted import KIT, ROOT, wanted
from kit.cli.wanted import SPEC as SPEC_FILE
from kit.container.draft import created_of, draft_manifest
from kit.errors import show as shown
from kit.pipeline.numbers import numbered
from kit.rebuild import rebuild
from kit.releases.layout import kit_path, new_release
from kit.releases.previous import Known, noted_releases, previous_release
from kit.releases.since import Since, before_building, following, older_than_known, since
from kit.roots.files import load_roots
from kit.roots.words import expiry
from kit.seal import SealedKit, seal
from kit.signing import KitSigner, SumsSigner, key_files, load_signer, load_sums_signer
from kit.sources.moved import moved_images
from kit.sources.taken import take
from kit.spec import KitSpec, load_spec
from kit.spec.settings import parse_settings
from verifier.core.errors import UsageError
from verifier.core.trust import Root

SetOptions = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="kit.FIELD=VALUE", help="Take this for a field; kit.created=now."
    ),
]


After = Annotated[
    Path | None,
    typer.Option(
        "--after", metavar="PREVIOUS", help="The release before: a kit, or where releases lie."
    ),
]


@dataclass
class _Order:
    """What is to be built, and all that was noticed on the way."""

    spec: KitSpec
    chain: Sequence[Root]
    kit: Path
    signers: Sequence[KitSigner]
    sums: SumsSigner | None
    previous: Known | None
    epoch: str | None
    secrets: Sequence[Path]
    warnings: list[str] = field(default_factory=list)
    diff: Sequence[str] = ()


@app.command("build")
def _build(
    spec: SpecArgument = SPEC,
    root: Annotated[
        Path | None, typer.Option("--root", help="The root of trust, or the chain.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The directory for releases; gets NAME-VERSION/.")
    ] = None,
    key: Annotated[
        list[str],
        typer.Option("--key", metavar="SIGNER=URI", help="Sign with this key; several times."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    sums_key: Annotated[
        str | None,
        typer.Option("--sums-key", metavar="URI", help="Sign SHA256SUMS with this P-256 key."),
    ] = None,
    after: After = None,
    set_: SetOptions = [],  # noqa: B006
    store: Annotated[
        bool, typer.Option("--store", help="Do not compress: raw frames only.")
    ] = False,
    store_dir: StoreOption = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Build a kit; with --key also sign it and, when the threshold is met, seal it."""
    _check_store(store, spec)
    chosen = Chosen(spec)
    order = _order(chosen, spec, root, out, key, sums_key, after, set_)
    _warn(order.warnings)
    with (
        take(order.spec, chosen.store(store_dir)) as taken,
        progress(json_) as show,
        new_release(order.kit),
    ):
        moved = list(moved_images(order.spec, taken.lock)) if taken is not None else []
        order.warnings += moved
        _warn(moved)
        options = Options(
            store=store,
            workers=jobs,
            epoch=order.epoch,
            keys=order.secrets,
            out=order.kit.parent.parent,
            taken=taken,
            progress=show,
        )
        built = build(
            order.spec,
            order.chain,
            order.kit.parent,
            options,
            signers=order.signers,
            sums=order.sums,
        )
    changed = since(order.kit, order.previous) if order.previous else Since((), ())
    order.diff = changed.lines
    order.warnings += changed.warnings
    if not json_:
        _say_built(built, order)
    _warn(changed.warnings)
    role, sealed = order.chain[-1].targets, None
    if order.signers and len(built.signers) >= role.threshold:
        with progress(json_) as show:
            sealed = seal(
                order.kit, root=order.chain[-1], progress=lambda d, t: show("sealing", d, t)
            )
    if json_:
        say(json.dumps(_built_value(built, sealed, order), indent=2, sort_keys=True))
    elif sealed is not None:
        say_sealed(order.kit, sealed)
    else:
        here = spec == SPEC  # else the next command would not find what this one found
        known = chosen.defaults.keys if here else {}
        say_missing(order.kit, root if here else chosen.root(root), role, built.signers, known)


def _check_store(store: bool, spec: Path) -> None:
    """Explain a flag that is taken for the option of `lock` with the same name.

    Raises:
        UsageError: A directory stands behind it.
    """
    if store and spec.is_dir():
        raise UsageError(
            f"--store means raw frames and takes no value, so {shown(spec)} is read as the spec",
            fix="Name the store with --store-dir DIR.",
        )


def _order(
    chosen: Chosen,
    spec: Path,
    root: Path | None,
    out: Path | None,
    key: Sequence[str],
    sums_key: str | None,
    after: Path | None,
    set_: Sequence[str],
) -> _Order:
    """Load what is to be built, and look at the releases that are there already."""
    settings = parse_settings(set_, now())
    loaded = load_spec(wanted(spec, SPEC_FILE), settings)
    chain = load_roots(chosen.needed_root(root)).chain
    named, keys = chosen.named_keys(key), chain[-1].targets.keys
    signers = [load_signer(item, keys, secrets=secret) for item in named]
    sums_uri = chosen.sums_key(sums_key)
    sums = load_sums_signer(sums_uri, secrets=secret) if sums_uri else None
    directory, epoch = chosen.out(out), os.environ.get("SOURCE_DATE_EPOCH")
    previous = None
    if after is not None:
        previous = previous_release(after, loaded.kit.name, loaded.kit.line)
        loaded = following(loaded, previous, settings)
    else:
        loaded = numbered(loaded, settings)
    kit = kit_path(directory, loaded.kit.name, loaded.kit.version)
    files = key_files([*named, *chosen.known_keys(), *([sums_uri] if sums_uri else [])], keys)
    order = _Order(loaded, chain, kit, signers, sums, previous, epoch, files)
    order.warnings += expiry(chain[-1], now())
    info = draft_manifest(loaded, created_of(loaded, epoch)).kit
    if previous is not None:
        order.warnings += before_building(info, chain[-1], previous)
    else:
        beside = (older_than_known(info, known) for known in noted_releases(directory))
        order.warnings += [sentence for sentence in beside if sentence][-1:]
    return order


def _warn(sentences: Sequence[str]) -> None:
    """Say what is most likely a mistake, where it does not mix with the result."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def _built_value(built: BuiltKit, sealed: SealedKit | None, order: _Order) -> dict[str, Any]:
    info = built.manifest.kit
    return {
        "kit": os.fspath(built.path),
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": info.sequence,
        "created": info.created,
        "supersedes": list(info.supersedes),
        "kitId": built.kit_id,
        "contentId": built.content_id,
        "size": built.size,
        "members": built.members,
        "signers": list(built.signers),
        "emptyDirectories": list(built.empty_directories),
        "notes": list(built.notes),
        "coverage": _coverage_value(built),
        "after": order.previous.kit_id if order.previous else None,
        "changes": list(order.diff),
        "warnings": order.warnings,
        "sealed": sealed_value(sealed) if sealed else None,
    }


def _coverage_value(built: BuiltKit) -> dict[str, Any] | None:
    found = built.coverage
    if found is None:
        return None
    return {
        "covered": found.covered,
        "exempt": found.exempt,
        "uncovered": [one.unit.path for one in found.uncovered],
        "absent": [{"sbom": link.document, "place": link.element.place} for link in found.absent],
    }


def _say_coverage(built: BuiltKit) -> None:
    if built.coverage is None:
        return
    from kit.sbom.coverage import describe  # slow to load

    found = built.coverage
    total = found.covered + found.exempt + len(found.uncovered)
    say(f"SBOMs      {found.covered} of {total} files and images described, {found.exempt} exempt")
    for line in describe(found):
        say(f"note: {line}")


def _say_built(built: BuiltKit, order: _Order) -> None:
    info = built.manifest.kit
    members = f"{built.members} member{'' if built.members == 1 else 's'}"
    say(f"built {built.path}: {members}, {built.size} bytes")
    if order.previous is not None:
        before = order.previous
        say(f"after      {before.name} {before.version}, sequence {before.sequence}")
        say(f"sequence   {info.sequence}")
        for line in order.diff:
            say(f"  {line}")
    if order.epoch is not None:
        say(f"created    {info.created}, as SOURCE_DATE_EPOCH says")
    say(f"contentId  {built.content_id}")
    say(f"kitId      {built.kit_id}")
    for note in built.notes:
        say(f"note: {note}")
    _say_coverage(built)
    if built.signers:
        say(f"signed by  {', '.join(built.signers)}")
    first = order.chain[0].version
    if first > 1:
        say(f"note: hosts with a root older than version {first - 1} cannot follow")


@app.command("rebuild")
def _rebuild(
    kit: Annotated[Path, typer.Argument(help="The kit to compare with, or its directory.")],
    spec: SpecArgument = SPEC,
    check: Annotated[
        bool, typer.Option("--check", help="Compare and keep nothing: what it does anyway.")
    ] = True,
    after: After = None,
    set_: SetOptions = [],  # noqa: B006 - typer reads it, nobody changes it
    root: OptionalRoot = None,
    store_dir: StoreOption = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Build again from the spec and say whether the bytes are those of KIT, else where not."""
    del check
    kit = wanted(kit_in(kit), KIT)
    trusted = load_roots(wanted(root, ROOT)).last if root else None
    note_root(trusted)
    settings = parse_settings(set_, now())
    loaded = load_spec(wanted(spec, SPEC_FILE), settings)
    if after is not None:
        previous = previous_release(after, loaded.kit.name, loaded.kit.line)
        loaded = following(loaded, previous, settings)
    else:
        loaded = numbered(loaded, settings)
    with take(loaded, Chosen(spec).store(store_dir), whole=False) as taken, progress(json_) as show:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        options = Options(workers=jobs, epoch=epoch, taken=taken, progress=show)
        same = rebuild(kit, loaded, options, root=trusted)
    if json_:
        value: dict[str, Any] = {"identical": True, "kitId": same.kit_id}
        value["contentId"] = same.content_id
        value["fromKit"] = list(same.from_kit)
        say(json.dumps({**value, "size": same.size}, indent=2, sort_keys=True))
    else:
        if same.from_kit:
            count, more = len(same.from_kit), ", ..." if len(same.from_kit) > 5 else ""
            files = f"{count} file{'' if count == 1 else 's'}"
            say(f"note: the store lacked {files}, taken out of the kit, which was proved before:")
            say(f"  {', '.join(same.from_kit[:5])}{more}")
        say(f"identical: {same.size} bytes, kitId {same.kit_id}")
