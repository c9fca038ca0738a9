"""The command line of `kit-verify`: its commands, their options, and what help says of them."""

from __future__ import annotations

import argparse

from verifier import __version__, _compat
from verifier.core.errors import UsageError
from verifier.options import Parser, given_empty

_OF_A_KIT = ("verify", "accept", "list", "inspect", "diff", "audit")
_EPILOG = """\
exit status: 0 verified, 2 usage, 3 undecided (this host could not find out), 4 rejected.
`kit-verify KIT` is short for `kit-verify verify KIT`; a kit named like a command is ./NAME."""
_EXAMPLES = {
    "verify": "kit-verify verify KIT --root root.json",
    "accept": "kit-verify accept KIT --extract DIR",
    "list": "kit-verify list KIT --root root.json",
    "inspect": "kit-verify inspect KIT --root root.json",
    "diff": "kit-verify diff OLD NEW --root root.json",
    "audit": "kit-verify audit KIT --root root.json --html audit.html",
    "explain": "kit-verify explain digest-mismatch",
}
COMMANDS = {
    "verify": "Prove every byte of a kit (the default command).",
    "accept": "Prove a kit, and have this host remember it: no older one.",
    "list": "List the members of a kit whose signatures are good.",
    "inspect": "Show the signed page: what the kit is and who signed it.",
    "audit": "Say all that is known of a kit, to sign it off: as text, JSON or files.",
    "damage": "List all that is damaged in a kit, and write a request for just that.",
    "repair": "Make a whole kit of a damaged one and a repair pack, or a second copy.",
    "diff": "Show what is different between two kits whose signatures are good.",
    "trust": "Show or change whom this host believes.",
    "policy": "Say what a policy means.",
    "receipt": "Sign a receipt with a key of this host, or check such a signature.",
    "explain": "Explain an error code.",
    "selftest": "Check this verifier and this Python against built-in answers.",
}


def _parser() -> Parser:
    parser = Parser(
        prog="kit-verify",
        description="Proves an offline kit with no network and nothing but Python.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"kit-verify {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        made = commands.add_parser(
            name, help=text, description=text, example=_EXAMPLES.get(name, "")
        )
        _add_options(made, name)
    return parser


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a command line; a parser of all commands takes longer to make than to check a kit."""
    name = arguments[0]
    if name not in _OF_A_KIT:
        return _parser().parse_args(arguments)  # type: ignore[no-any-return]
    parser = Parser(prog=f"kit-verify {name}", description=COMMANDS[name], example=_EXAMPLES[name])
    _add_options(parser, name)
    options = parser.parse_args(arguments[1:], argparse.Namespace(command=name))
    return options  # type: ignore[no-any-return]


def _add_options(command: Parser, name: str) -> None:
    if name in _OF_A_KIT:
        _add_kit(command, name)
    if name in ("verify", "accept"):
        _add_proof(command)
    if name == "verify":
        command.add_argument("--quick", action="store_true", help="compare bytes, decode nothing")
        command.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="COMPONENT|PATH",
            help="check (and extract) only this part; may be given several times",
        )
        command.add_argument(
            "--accept", action="store_true", help="then remember it, as `accept` does"
        )
        command.add_argument(
            "--fingerprint",
            nargs="+",
            metavar="HEX",
            help="hold the file of --root to its SHA-256 from another channel, in any grouping",
        )
        command.add_argument(
            "--self-fingerprint",
            nargs="+",
            metavar="HEX",
            help="hold this kit-verify.pyz to its SHA-256 from another channel",
        )
    if name == "accept":
        command.add_argument("--root", metavar="FILE", help=argparse.SUPPRESS)
        command.add_argument(
            "--switch",
            metavar="DIR",
            help="extract to DIR/NAME-VERSION and then make the link DIR/current point there",
        )
        command.set_defaults(quick=False, only=[], accept=True)
    if name == "audit":
        from verifier import cli_audit  # here, since a zipapp compiles what it imports

        cli_audit.add_options(command)
    if name == "explain":
        command.add_argument("code", metavar="CODE", nargs="?", help="all of them if none is given")


def _add_kit(command: Parser, name: str) -> None:
    if name == "diff":
        command.add_argument("old", metavar="OLD", help="the earlier kit, or its review pack")
        command.add_argument("new", metavar="NEW", help="the later one")
        command.add_argument("--html", metavar="FILE", help="also write it as one HTML file")
    else:
        command.add_argument("kit", metavar="KIT", help="the kit; - reads a pipe")
    pinned = command.add_mutually_exclusive_group()
    if name != "accept":
        pinned.add_argument(
            "--root", metavar="FILE", help="the root of trust, from outside the kit"
        )
    pinned.add_argument(
        "--trust",
        metavar="DIR",
        help=f"the trust directory of this host (default: {_compat.SYSTEM_TRUST}, if it is there)",
    )
    if name != "diff":
        command.add_argument("--expect-line", metavar="LINE", help="refuse a kit of any other line")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    if name == "list":
        _add_filters(command)


def _add_filters(command: Parser) -> None:
    command.add_argument(
        "--long", action="store_true", help="also print digest, class and component"
    )
    command.add_argument(
        "--component",
        action="append",
        default=[],
        metavar="ID",
        help="list only this component; may be given several times",
    )
    command.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="PATTERN",
        help="list only paths that match, such as '*.whl'; may be given several times",
    )


def _add_proof(command: Parser) -> None:
    command.add_argument("--expect", metavar="NAME[@VERSION]", help="refuse any other kit")
    command.add_argument(
        "--extract", metavar="DIR", help="also write the members to a new directory"
    )
    command.add_argument(
        "--shared-parent", action="store_true", help="extract also where others may rename things"
    )
    command.add_argument(
        "--openssl", default="", metavar="PROGRAM", help="let openssl check P-256 signatures too"
    )
    command.add_argument(
        "--evidence",
        action="append",
        default=[],
        metavar="FILE",
        help="evidence that came later; counts by who signed it; may be given several times",
    )
    command.add_argument("--receipt", metavar="FILE", help="write the report as a Statement")
    command.add_argument("--jobs", type=_jobs, default=0, metavar="N", help="threads")
    command.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _jobs(text: str) -> int:
    """Return how many threads ``--jobs`` asks for; 0 leaves it to the host."""
    if not text:
        raise given_empty("--jobs")
    if len(text) > 2 or not (text.isascii() and text.isdecimal()) or int(text) > 64:
        raise UsageError(
            f"--jobs wants a number from 1 to 64, not {text!r}",
            fix="Leave it out: then there are as many threads as processors.",
        )
    return int(text)
