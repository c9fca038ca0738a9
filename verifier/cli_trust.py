"""The commands of the verifier about its host: whom it believes, and what its policy means."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence

from verifier import _compat
from verifier.core.container import Container
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.trust import Root, parse_chain
from verifier.host.directory import TrustDirectory, parse_digits
from verifier.host.policy import MAX_POLICY, parse_policy
from verifier.host.state import told_time
from verifier.options import Parser
from verifier.run import load_root, read_root_file
from verifier.show.host import memory_lines, policy_lines, trusted_lines
from verifier.source import FileSource, open_source

_TRUST = """\
kit-verify trust init --root FILE --fingerprint HEX [--policy FILE] [--trust DIR]
  pins a root of trust; HEX is its SHA-256 from another channel, in any grouping;
  --shared-parent: also where others may rename what is in the directory above
kit-verify trust show [--trust DIR]
  says for reading aloud whom this host believes and what it remembers
kit-verify trust update KIT [--policy FILE] [--trust DIR]
  takes the newer root that a kit brings, and the policy that goes with it; accepts no kit
kit-verify trust reset LINE --take KITID|any --reason TEXT [--trust DIR]
  forgets the accepted kits of a line, and takes the kit named first; what was made before it
  stays old.  `any` takes any kit first, an old one too.  That is recorded and shown."""
_POLICY = """\
kit-verify policy check FILE [--root FILE]
  says in words what a policy means, and whether it goes with a root"""


_EXAMPLES = {
    "init": "kit-verify trust init --root root.json --fingerprint HEX",
    "show": "kit-verify trust show",
    "update": "kit-verify trust update KIT",
    "reset": "kit-verify trust reset LINE --take KITID --reason TEXT",
}


def _parser() -> Parser:
    parser = Parser(prog="kit-verify")
    commands = parser.add_subparsers(dest="command", required=True)

    def group(name: str, text: str, epilog: str) -> argparse._SubParsersAction[Parser]:
        made = commands.add_parser(name, description=text, epilog=epilog)
        return made.add_subparsers(dest="action", required=True, metavar="ACTION")

    trust = group("trust", "Show or change whom this host believes.", _TRUST)
    for name in ("init", "show", "update", "reset"):
        made = trust.add_parser(name, example=_EXAMPLES[name])
        made.add_argument("--trust", metavar="DIR", default=_compat.SYSTEM_TRUST)
        if name == "init":
            made.add_argument("--root", metavar="FILE", required=True)
            made.add_argument("--fingerprint", metavar="HEX", required=True, nargs="+")
            made.add_argument("--shared-parent", action="store_true")
        if name == "update":
            made.add_argument("kit", metavar="KIT")
        if name in ("init", "update"):
            made.add_argument("--policy", metavar="FILE")
        if name == "reset":
            made.add_argument("line", metavar="LINE")
            made.add_argument("--take", metavar="KITID", required=True, nargs="+")
            made.add_argument("--reason", metavar="TEXT", required=True)
    check = group("policy", "Say what a policy means.", _POLICY).add_parser(
        "check", example="kit-verify policy check policy.json"
    )
    check.add_argument("file", metavar="FILE")
    check.add_argument("--root", metavar="FILE")
    return parser


def command(arguments: Sequence[str]) -> ExitStatus:
    """Run ``trust ...`` or ``policy ...`` and return the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "policy":
        _check(options.file, options.root)
        return ExitStatus.VERIFIED
    directory = TrustDirectory(options.trust)
    clock = told_time(time.time())
    policy = _read(options.policy, MAX_POLICY) if getattr(options, "policy", None) else None
    if options.action == "init":
        root = read_root_file(options.root)
        if not root.lstrip().startswith(b"{"):
            load_root(options.root)  # says what the file is instead
        directory.make(root, " ".join(options.fingerprint), policy, shared=options.shared_parent)
        print("pinned; from now on only kits that its kit signers sign are taken")
    elif options.action == "update":
        reached = directory.update(_chain(options.kit), policy, clock)
        print(f"{reached.sentence()}")
        if reached.reset_lines:
            print(f"lines set back: {', '.join(reached.reset_lines)}")
    elif options.action == "reset":
        take = " ".join(options.take)
        take = "" if take == "any" else parse_digits(take, "--take")
        state = directory.reset(options.line, options.reason, clock, take=take)
        print("\n".join(memory_lines(state)))
        return ExitStatus.VERIFIED
    print("\n".join(trusted_lines(directory.load(), directory.path)))
    return ExitStatus.VERIFIED


def _read(path: str, most: int) -> bytes:
    """Return a file of the command line, at most one byte more than it may have."""
    try:
        source = FileSource(path)
    except KitError as error:
        raise UsageError(
            error.message, where=repr(path), fix="Check the path; it names a file of this host."
        ) from None
    try:
        assert source.size is not None
        data = bytearray(min(source.size, most + 1))
        source.read_into(0, [memoryview(data)])
        return bytes(data)
    finally:
        source.close()


def _chain(path: str) -> list[Root]:
    """Return the root chain at the head of a kit; it proves itself, whoever made the kit."""
    source = open_source(path)
    try:
        container = Container(source)
        container.read_page()
        return parse_chain(container.read_roots()[512:])
    finally:
        source.close()


def _check(path: str, root: str | None) -> None:
    data = _read(path, MAX_POLICY)
    pinned = load_root(root) if root else None
    lines = policy_lines(parse_policy(data), pinned, hashlib.sha256(data).hexdigest())
    print("\n".join(lines))
