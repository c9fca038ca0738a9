"""Signing far from the kit: review, review pack, and what `sign` and `seal` have to do with it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kit.cli.common import Json, OptionalRoot, app, note_root, progress, say, secret
from kit.cli.defaults import kit_in
from kit.cli.options import App, Group
from kit.cli.wanted import KIT, PACK, ROOT, wanted
from kit.container.head import check_same_root
from kit.review.attach import Attached, attach
from kit.review.detached import SignedAway, sign_detached
from kit.review.pack import MadePack, Review, make_pack, review
from kit.review.words import CHECKED, NOT_SEEN, words
from kit.roots.files import load_roots
from verifier.core.errors import UsageError
from verifier.show.fingerprint import groups
from verifier.show.plain import shell

_READ = {
    "pack": "all of the pack was checked; the contents of the kit were not read",
    "members": "every frame and member checked",
    "page": "not read again (--checked)",
}


class _ShowUnlessNamed(Group):
    """A group whose command is `show` where the first word is none of its commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


review_app = App(
    cls=_ShowUnlessNamed,
    help="Tell a signer who does not have the kit what would be signed: offline-kit review PACK.",
    no_args_is_help=True,
)
app.add_typer(review_app, name="review")

Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="OLD", help="An earlier kit, or its review pack."),
]


def _old(against: Path | None) -> Path | None:
    return wanted(kit_in(against), KIT, PACK) if against is not None else None


@review_app.command("pack")
def _pack(
    kit: Annotated[Path, typer.Argument(help="The kit; only its head is read.")],
    against: Against = None,
    out: Annotated[Path, typer.Option("--out", help="The directory for the pack.")] = Path("."),
    json_: Json = False,
) -> None:
    """Write NAME-VERSION.review: what signers need instead of the kit, and what has changed."""
    made = make_pack(wanted(kit_in(kit), KIT), out, against=_old(against))
    if json_:
        say(json.dumps(_pack_value(made), indent=2, sort_keys=True))
        return
    say(f"wrote {made.path}: {made.size} bytes")
    if made.against is None:
        say("diff.txt compares with nothing: give --against to name an earlier kit")
    else:
        old = made.against.manifest.kit
        say(f"diff.txt compares with {old.name} {old.version}, kitId {made.against.kit_id}")
    say(f"kitId {made.head.kit_id}")
    say(f"next: {shell('offline-kit', 'review', made.path)}, where the signer is")


def _pack_value(made: MadePack) -> dict[str, Any]:
    return {
        "pack": os.fspath(made.path),
        "size": made.size,
        "kitId": made.head.kit_id,
        "against": made.against.kit_id if made.against else None,
    }


@review_app.command("show")
def _show(
    pack: Annotated[Path, typer.Argument(help="The review pack, or a kit.")],
    against: Against = None,
    root: OptionalRoot = None,
    json_: Json = False,
) -> None:
    """Check all that can be checked without the contents, and say in words what would be signed."""
    trusted = load_roots(wanted(root, ROOT)).last if root else None
    seen = review(wanted(kit_in(pack), KIT, PACK), against=_old(against))
    check_same_root(seen.head.root, trusted)
    note_root(seen.head.root)
    if json_:
        say(json.dumps(_review_value(seen), indent=2, sort_keys=True))
        return
    for line in words(seen.seen):
        say(line)
    _say_diff(seen)
    say("")
    info = seen.head.manifest.kit
    say(f"to sign {info.name} {info.version}:")
    say(f"  {shell('offline-kit', 'sign', '--detached', '--checked', seen.head.kit_id)} \\")
    say(f"    --key SIGNER=URI {shell('--', pack)}")


def _say_diff(seen: Review) -> None:
    if seen.diff_checked is False:
        say("  diff.txt: it compares with an earlier kit that is not at hand here; give yours with")
        say("  --against, and it is checked and shown. Until then do not go by what it says")
    for name in seen.others:
        say(f"also in the directory, and no part of the pack: {name}")
    if seen.diff:
        say("")
        say("what has changed, worked out here and the same as diff.txt says:")
        for line in seen.diff.splitlines():
            say(f"  {line}".rstrip())


def _review_value(seen: Review) -> dict[str, Any]:
    head, facts = seen.head, seen.seen
    info, role = head.manifest.kit, head.root.targets
    return {
        "kit": {
            "name": info.name,
            "version": info.version,
            "line": info.line,
            "sequence": info.sequence,
            "created": info.created,
            "expires": info.expires or None,
            "summary": info.summary,
        },
        "kitId": head.kit_id,
        "kitIdInGroups": groups(head.kit_id),
        "contentId": head.content_id,
        "components": [
            {
                "id": part.component.id,
                "version": part.component.version,
                "members": part.members,
                "size": part.size,
                "lands": part.component.lands,
                "placeholder": part.component.placeholder or None,
            }
            for part in facts.parts
        ],
        "members": facts.counts,
        "verifier": {"sha256": facts.tool, "sameAsHere": facts.own_verifier},
        "root": {
            "version": head.root.version,
            "signers": role.signers(),
            "threshold": role.threshold,
        },
        "signers": head.signing.signers,
        "checked": list(CHECKED),
        "notSeen": list(NOT_SEEN),
        "against": seen.against.kit_id if seen.against else None,
        "diffChecked": seen.diff_checked,
        "diff": seen.diff.splitlines(),
    }


# --- what belongs to `sign` and `seal` ---------------------------------------------------------


def sign_away(
    pack: Path,
    key: Sequence[str],
    *,
    out: Path | None,
    root: Path | None,
    checked: str,
    jobs: int,
    json_: bool,
) -> None:
    """Sign a review pack, or a kit, into files of their own, and say what was checked."""
    trusted = load_roots(root).last if root else None
    with progress(json_) as show:
        made = sign_detached(
            pack,
            key,
            out=out,
            root=trusted,
            checked=checked,
            workers=jobs,
            progress=lambda done, total: show("checking", done, total),
            secrets=secret,
        )
    note_root(made.head.root)
    if json_:
        say(json.dumps(_away_value(made), indent=2, sort_keys=True))
        return
    info = made.head.manifest.kit
    say(f"{pack}: {info.name} {info.version}, {_READ[made.read]}")
    if made.read == "pack" and not made.reviewed:
        say("note: read `offline-kit review` first, and name the kitId it shows with --checked")
    say(f"kitId {groups(made.head.kit_id)}")
    for path in made.files:
        say(f"wrote {path}")
    say(f"signed by {', '.join(made.signers)}")
    attach_it = shell("--attach", made.files[0].name)
    say(f"next, where the kit is: offline-kit seal KIT {attach_it}")


def _away_value(made: SignedAway) -> dict[str, Any]:
    return {
        "kitId": made.head.kit_id,
        "signers": list(made.signers),
        "files": list(map(os.fspath, made.files)),
        "read": made.read,
        "membersRead": made.read == "members",
        "reviewed": made.reviewed,
    }


def attach_first(
    kit: Path, files: Sequence[Path], more: Sequence[Path], *, root: Path | None, reopen: bool
) -> Attached | None:
    """Attach detached signatures before a kit is sealed, if there are any.

    Raises:
        UsageError: There are further arguments, or --reopen, without --attach.
    """
    if not files:
        if more or reopen:
            what = "--reopen" if reopen else f"{more[0].name!r}"
            raise UsageError(f"{what} needs --attach: `seal KIT --attach FILE...`")
        return None
    trusted = load_roots(root).last if root else None
    return attach(kit, [*files, *more], root=trusted, reopen=reopen)


def say_attached(attached: Attached) -> None:
    """Tell people what was attached."""
    for name in attached.already:
        say(f"{name} had signed before; nothing was changed")
    if attached.added:
        say(f"attached {', '.join(attached.added)}: {attached.written} bytes written")
