"""The commands of the verifier about a damaged kit: what is damaged, and mending it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from verifier import _compat
from verifier.core.errors import ExitStatus, NoRoot
from verifier.core.trust import Root
from verifier.options import Parser
from verifier.repair.errors import KitDamaged
from verifier.repair.mend import find_damage, mend, write_request
from verifier.repair.words import count, damage_lines, summary
from verifier.rootfile import load_root
from verifier.show.plain import plain

_DAMAGE = "List all that is damaged in a kit, and write a request for just that."
_REPAIR = "Make a whole kit of a damaged one and a repair pack, or a second copy."


def _parser() -> Parser:
    parser = Parser(prog="kit-verify")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("damage", _DAMAGE), ("repair", _REPAIR)):
        made = commands.add_parser(name, description=text)
        made.add_argument("kit", metavar="KIT", help="the damaged kit")
        if name == "repair":
            made.add_argument(
                "others", metavar="PACK|COPY", nargs="+", help="what may have the missing parts"
            )
            made.add_argument("--out", metavar="NEW", required=True, help="the kit to make")
            made.add_argument("--shared-parent", action="store_true", help="as for --extract")
        pinned = made.add_mutually_exclusive_group()
        pinned.add_argument("--root", metavar="FILE", help="the root of trust")
        pinned.add_argument("--trust", metavar="DIR", help="the trust directory of this host")
        made.add_argument("--request", metavar="FILE", help="write here what to ask for")
    return parser


def command(arguments: Sequence[str]) -> ExitStatus:
    """Run ``damage ...`` or ``repair ...`` and return the exit status."""
    options = _parser().parse_args(arguments)
    root = _root(options)
    if options.command == "damage":
        return _damage(options.kit, root, options.request or "")
    made = mend(
        options.kit,
        options.others,
        root,
        options.out,
        request=options.request or "",
        shared=options.shared_parent,
    )
    for name, taken in zip((options.kit, *options.others), made.taken):
        print(f"{count(taken, 'frame')} from {plain(name)}")
    print(f"mended, and every byte proved: {plain(options.out)}")
    print(f"kitId: {made.kit_id}")
    return ExitStatus.VERIFIED


def _root(options: argparse.Namespace) -> Root:
    if options.root is not None:
        return load_root(options.root)
    place = options.trust
    if place is None and os.path.lexists(_compat.SYSTEM_TRUST):
        place = _compat.SYSTEM_TRUST
    if place is None:
        raise NoRoot("nobody vouches for what a part should be: no root of trust was given")
    from verifier.host.directory import TrustDirectory  # here: mostly there is none

    return TrustDirectory(place).load().root


def _damage(kit: str, root: Root, request: str) -> ExitStatus:
    found = find_damage(kit, root)
    print(summary(found))
    if found.is_good:
        return ExitStatus.VERIFIED
    print("\n".join(damage_lines(found)))
    if request:
        write_request(request, found.request)
        print(f"the request is in {plain(request)}")
    raise KitDamaged(summary(found), where=plain(kit))
