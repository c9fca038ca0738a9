"""The life of a kit: build, sign, seal, rebuild."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.build import BuiltKit, Options, build
from kit.cli.common import (
    Jobs,
    Json,
    KeyArguments,
    OptionalRoot,
    app,
    progress,
    say,
    say_next,
    secret,
    with_value,
)
from kit.cli.review import attach_first, say_attached, sign_away
from kit.rebuild import rebuild
from kit.release import kit_path, new_release
from kit.roots.files import load_roots
from kit.seal import SealedKit, seal
from kit.sign import SignedKit, sign
from kit.signing import load_signer, load_sums_signer
from kit.spec import load_spec
from kit.stock.sshsums import keep_sums, sign_sums
from verifier.core.errors import UsageError
from verifier.core.trust import Role


@app.command("build")
def _build(
    spec: Annotated[Path, typer.Argument(help="The spec: a TOML file.")],
    root: Annotated[Path, typer.Option("--root", help="The root of trust, or the chain.")],
    out: Annotated[
        Path, typer.Option("--out", help="The directory for releases; it gets NAME-VERSION/.")
    ] = Path("."),
    key: KeyArguments = [],  # noqa: B006 - typer reads it, nobody changes it
    sums_key: Annotated[
        str | None,
        typer.Option("--sums-key", metavar="URI", help="Sign SHA256SUMS with this P-256 key file."),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Do not compress: raw frames only.")
    ] = False,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Build a kit; with --key also sign it and, when the threshold is met, seal it."""
    chain = load_roots(root).chain
    trusted = chain[-1]
    signers = [load_signer(item, trusted.targets.keys, secrets=secret) for item in key]
    sums = load_sums_signer(sums_key, secrets=secret) if sums_key else None
    loaded = load_spec(spec)
    path = kit_path(out, loaded.kit.name, loaded.kit.version)
    with progress(json_) as show, new_release(path):
        options = Options(
            store=store, workers=jobs, epoch=os.environ.get("SOURCE_DATE_EPOCH"), progress=show
        )
        built = build(loaded, chain, path.parent, options, signers=signers, sums=sums)
    if not json_:
        _show_built(built)
        if chain[0].version > 1:
            say(f"note: hosts with a root older than version {chain[0].version - 1} cannot follow")
    sealed = None
    if signers and len(built.signers) >= trusted.targets.threshold:
        with progress(json_) as show:
            sealed = seal(path, root=trusted, progress=lambda d, t: show("sealing", d, t))
    if json_:
        say(json.dumps(_built_value(built, sealed), indent=2, sort_keys=True))
    elif sealed is not None:
        _show_sealed(path, sealed)
    else:
        _show_missing(path, root, trusted.targets, built.signers)


def _show_missing(kit: Path, root: Path | None, role: Role, signed: Sequence[str]) -> None:
    """Say who has yet to sign, and with which command; or that nobody has to."""
    need = role.threshold - len(signed)
    if need <= 0:
        say_next("offline-kit", "seal", kit, *with_value("--root", root))
        return
    missing = [name for name in role.signers() if name not in signed]
    who = missing[0] if need == len(missing) == 1 else f"{need} more of {', '.join(missing)}"
    say(f"not sealed: {who} must sign")
    key = f"{missing[0]}=URI" if len(missing) == 1 else "SIGNER=URI"
    say_next("offline-kit", "sign", kit, *with_value("--root", root), "--key", key)


def _built_value(built: BuiltKit, sealed: SealedKit | None) -> dict[str, Any]:
    return {
        "kit": os.fspath(built.path),
        "kitId": built.kit_id,
        "contentId": built.content_id,
        "size": built.size,
        "members": built.members,
        "signers": list(built.signers),
        "emptyDirectories": list(built.empty_directories),
        "sealed": sealed_value(sealed) if sealed else None,
    }


def _show_built(built: BuiltKit) -> None:
    members = f"{built.members} member{'' if built.members == 1 else 's'}"
    say(f"built {built.path}: {members}, {built.size} bytes")
    say(f"contentId  {built.content_id}")
    say(f"kitId      {built.kit_id}")
    for name in built.empty_directories:
        say(f"note: the directory {name} is empty and does not arrive: a kit carries files")
    if built.signers:
        say(f"signed by  {', '.join(built.signers)}")


@app.command("sign")
def _sign(
    kit: Annotated[
        Path, typer.Argument(help="The kit to sign in place; with --detached also a review pack.")
    ],
    key: KeyArguments,
    root: OptionalRoot = None,
    checked: Annotated[
        str,
        typer.Option("--checked", metavar="KITID", help="Skip reading: you verified this kitId."),
    ] = "",
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Sign although the kit is sealed; the seal goes.")
    ] = False,
    ssh_key: Annotated[
        Path | None,
        typer.Option("--ssh-key", help="Also sign SHA256SUMS with this key, by ssh-keygen."),
    ] = None,
    detached: Annotated[
        bool, typer.Option("--detached", help="Write NAME-VERSION.SIGNER.sig, and change nothing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The directory for detached signatures.")
    ] = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Verify a kit in full, then add signatures in place; or sign a review pack of it."""
    if detached:
        if reopen or ssh_key:
            raise UsageError("--detached changes no kit: it goes with no --reopen or --ssh-key")
        sign_away(kit, key, out=out, root=root, checked=checked, jobs=jobs, json_=json_)
        return
    if out is not None or kit.is_dir():
        what = "--out" if out is not None else "a review pack"
        raise UsageError(f"{what} needs --detached: `sign --detached PACK --key SIGNER=URI`")
    trusted = load_roots(root).last if root else None
    ssh = sign_sums(kit, ssh_key) if ssh_key else None
    with progress(json_) as show:
        signed = sign(
            kit,
            key,
            root=trusted,
            checked=checked,
            reopen=reopen,
            workers=jobs,
            progress=lambda done, total: show("checking", done, total),
            secrets=secret,
        )
    kept = keep_sums(kit, ssh, signed.kit_id) if ssh else None
    if json_:
        value = {**_signed_value(signed), "sshSignature": os.fspath(kept) if kept else None}
        say(json.dumps(value, indent=2, sort_keys=True))
        return
    how = "not read again (--checked)" if checked else "every frame and member checked"
    say(f"{kit}: {signed.kit.name} {signed.kit.version}, {how}")
    for name in signed.already:
        say(f"{name} had signed before; nothing was changed")
    if signed.added:
        say(f"signed by {', '.join(signed.added)}: {signed.written} bytes written")
    if ssh and kept:
        say(f"wrote {kept}, an SSH signature by {ssh.fingerprint}")
    say(f"kitId {signed.kit_id}")
    say(f"{len(signed.signers)} of {signed.threshold} signers: {', '.join(signed.signers)}")
    _show_missing(kit, root, signed.role, signed.signers)


def _signed_value(signed: SignedKit) -> dict[str, Any]:
    return {
        "kitId": signed.kit_id,
        "added": list(signed.added),
        "already": list(signed.already),
        "signers": list(signed.signers),
        "threshold": signed.threshold,
        "bytesWritten": signed.written,
    }


@app.command("seal")
def _seal(
    kit: Annotated[Path, typer.Argument(help="The kit to seal.")],
    more: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="More signatures for --attach.")
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    attach: Annotated[
        list[Path],
        typer.Option("--attach", metavar="FILE", help="Detached signatures to put in first."),
    ] = [],  # noqa: B006
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Attach although the kit is sealed, and seal anew.")
    ] = False,
    root: OptionalRoot = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Verify a kit under its root's threshold and write what belongs beside it."""
    attached = attach_first(kit, attach, more, root=root, reopen=reopen)
    trusted = load_roots(root).last if root else None
    with progress(json_) as show:
        sealed = seal(
            kit,
            root=trusted,
            workers=jobs,
            progress=lambda done, total: show("sealing", done, total),
        )
    if json_:
        added = list(attached.added) if attached else []
        say(json.dumps({**sealed_value(sealed), "attached": added}, indent=2, sort_keys=True))
        return
    if attached is not None:
        say_attached(attached)
    _show_sealed(kit, sealed)


def sealed_value(sealed: SealedKit) -> dict[str, Any]:
    """Return what ``--json`` says of a sealed kit."""
    return {
        "kitId": sealed.kit_id,
        "contentId": sealed.content_id,
        "fileDigest": sealed.file_digest,
        "size": sealed.size,
        "signers": list(sealed.signers),
        "threshold": sealed.threshold,
        "outputs": sealed.outputs,
        "checkedWith": sealed.keys,
        "absent": sealed.absent,
    }


def _show_sealed(kit: Path, sealed: SealedKit) -> None:
    say(f"sealed {kit}: signed by {', '.join(sealed.signers)} (threshold {sealed.threshold})")
    say(f"file       {sealed.file_digest}")
    for name, digest in sealed.outputs.items():
        say(f"  {digest}  {name}")
    for name, checked_with in sealed.keys.items():
        say(f"  {name} is checked with {checked_with}")
    for name, why in sealed.absent.items():
        say(f"  {name} is absent: {why}")
    say(f"to be carried: all of {kit.parent}")
    say_next("offline-kit", "release-note", kit)


@app.command("rebuild")
def _rebuild(
    kit: Annotated[Path, typer.Argument(help="The kit to compare with.")],
    spec: Annotated[Path, typer.Argument(help="The spec it was built from.")],
    check: Annotated[bool, typer.Option("--check", help="Compare and keep nothing.")] = False,
    root: OptionalRoot = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Build again from the spec and say whether the bytes are those of KIT, else where not."""
    if not check:
        raise UsageError("`rebuild` only compares so far: give --check")
    trusted = load_roots(root).last if root else None
    with progress(json_) as show:
        options = Options(workers=jobs, epoch=os.environ.get("SOURCE_DATE_EPOCH"), progress=show)
        same = rebuild(kit, load_spec(spec), options, root=trusted)
    if json_:
        value = {"identical": True, "kitId": same.kit_id, "contentId": same.content_id}
        say(json.dumps({**value, "size": same.size}, indent=2, sort_keys=True))
    else:
        say(f"identical: {same.size} bytes, kitId {same.kit_id}")
