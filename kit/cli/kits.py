"""What a kit that was built still needs: sign, seal."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.cli.common import (
    Jobs,
    Json,
    OptionalRoot,
    app,
    note_root,
    of_this_host,
    progress,
    say,
    say_next,
    secret,
    with_value,
)
from kit.cli.defaults import Chosen, KitArgument, kit_in
from kit.cli.review import attach_first, say_attached, sign_away
from kit.cli.wanted import KIT, PACK, kind_of, wanted
from kit.roots.files import load_roots
from kit.seal import SealedKit, seal
from kit.sign import SignedKit, sign
from kit.stock.sshsums import keep_sums, sign_sums
from verifier.core.errors import UsageError
from verifier.core.manifest import HEX256
from verifier.core.trust import Role


def say_missing(
    kit: Path, root: Path | None, role: Role, signed: Sequence[str], known: Collection[str]
) -> None:
    """Say who has yet to sign, and with which command; or that nobody has to.

    Args:
        root: As it was given; None where the next command finds it by itself.
        known: Signers whose key the next command finds by itself.
    """
    need = role.threshold - len(signed)
    if need <= 0:
        say_next("offline-kit", "seal", kit, *with_value("--root", root))
        return
    missing = [name for name in role.signers() if name not in signed]
    who = missing[0] if need == len(missing) == 1 else f"{need} more of {', '.join(missing)}"
    say(f"not sealed: {who} must sign")
    ready = any(name in known for name in missing)
    name = f"{missing[0] if len(missing) == 1 else 'SIGNER'}=URI"
    say_next(
        *("offline-kit", "sign", kit, *with_value("--root", root)),
        *([] if ready else ["--key", name]),
    )


def _check_together(
    kit: Path | None, checked: str, detached: bool, changing: bool, elsewhere: bool
) -> None:
    """Hold the options of `sign` to each other.

    Args:
        changing: An option is given that changes a kit.
        elsewhere: A directory is given for what is written.

    Raises:
        UsageError: They do not go together.
    """
    if checked and not HEX256.fullmatch(checked):
        raise UsageError(
            f"--checked wants a kitId, 64 hexadecimal digits, not {checked!r}",
            fix="Copy the kitId that `offline-kit review` or `kit-verify` shows.",
        )
    if detached and changing:
        raise UsageError("--detached changes no kit: it goes with no --reopen or --ssh-key")
    if not detached and (elsewhere or (kit is not None and kind_of(kit) == PACK)):
        what = "--out" if elsewhere else "a review pack"
        raise UsageError(f"{what} needs --detached: `sign --detached PACK --key SIGNER=URI`")


@app.command("sign")
def _sign(
    kit: KitArgument = None,
    key: Annotated[
        list[str],
        typer.Option(
            "--key",
            metavar="SIGNER=URI",
            help="Sign with this key; several times. If not given: all of [release.keys].",
        ),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
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
    chosen = Chosen()
    keys = chosen.keys(key)
    _check_together(kit, checked, detached, reopen or ssh_key is not None, out is not None)
    if detached:
        what = kit if kit is not None and kit_in(kit) == kit else chosen.kit_to_finish(kit)
        pack = wanted(what, KIT, PACK)
        sign_away(pack, keys, out=out, root=root, checked=checked, jobs=jobs, json_=json_)
        return
    path = chosen.kit_to_finish(kit)
    root_file = chosen.root(root)
    trusted = load_roots(root_file).last if root_file else None
    note_root(trusted, path)
    ssh = sign_sums(path, ssh_key) if ssh_key else None
    with progress(json_) as show, of_this_host():
        signed = sign(
            path,
            keys,
            root=trusted,
            checked=checked,
            reopen=reopen,
            workers=jobs,
            progress=lambda done, total: show("checking", done, total),
            secrets=secret,
        )
    kept = keep_sums(path, ssh, signed.kit_id) if ssh else None
    if json_:
        value = {**_signed_value(signed), "sshSignature": os.fspath(kept) if kept else None}
        say(json.dumps(value, indent=2, sort_keys=True))
        return
    how = "not read again (--checked)" if checked else "every frame and member checked"
    say(f"{path}: {signed.kit.name} {signed.kit.version}, {how}")
    for name in signed.already:
        say(f"{name} had signed before; nothing was changed")
    if signed.added:
        say(f"signed by {', '.join(signed.added)}: {signed.written} bytes written")
    if ssh and kept:
        say(f"wrote {kept}, an SSH signature by {ssh.fingerprint}")
    say(f"kitId {signed.kit_id}")
    say(f"{len(signed.signers)} of {signed.threshold} signers: {', '.join(signed.signers)}")
    say_missing(path, root, signed.role, signed.signers, chosen.defaults.keys)


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
    kit: KitArgument = None,
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
    chosen = Chosen()
    path, root_file = chosen.kit_to_finish(kit), chosen.root(root)
    attached = attach_first(path, attach, more, root=root_file, reopen=reopen)
    trusted = load_roots(root_file).last if root_file else None
    note_root(trusted, path)
    with progress(json_) as show, of_this_host():
        sealed = seal(
            path,
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
    say_sealed(path, sealed)


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


def say_sealed(kit: Path, sealed: SealedKit) -> None:
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
