"""The commands of the verifier about its host: whom it believes, and what its policy means."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence

from verifier import __version__, _compat
from verifier.core import limits
from verifier.core.container import Container
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.trust import Root, parse_chain
from verifier.host.directory import MAX_TRUSTED_ROOT, TrustDirectory
from verifier.host.errors import PolicyUnmeetable
from verifier.host.fingerprint import parse_digits
from verifier.host.policy import MAX_POLICY, parse_policy
from verifier.host.state import told_time
from verifier.options import Parser
from verifier.rootfile import load_root, load_roots, read_file, read_other
from verifier.show.host import memory_lines, receipt_lines, trusted_lines, trusted_root_lines
from verifier.show.people import root_changes
from verifier.show.policy import policy_lines, unmeetable
from verifier.source import open_source

_TRUST = """\
kit-verify trust init --root FILE --fingerprint HEX [--policy FILE] [--trusted-root FILE]
                      [--trust DIR]
  pins a root of trust; HEX is its SHA-256 from another channel, in any grouping;
  --shared-parent: also where others may rename what is in the directory above
kit-verify trust show [--trust DIR]
  says for reading aloud whom this host believes and what it remembers
kit-verify trust update [KIT] [--policy FILE] [--trusted-root FILE] [--trust DIR]
  takes the newer root that a kit brings, and the policy that goes with it; accepts no kit
  --trusted-root: adds a trusted_root.json of sigstore, which a policy names by its SHA-256; may be
  given several times, and replaces none
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
    "receipt sign": "kit-verify receipt sign RECEIPT --key KEY",
    "receipt verify": "kit-verify receipt verify FILE --key PUB",
}
_RECEIPT = """\
kit-verify receipt sign RECEIPT --key KEY [--out FILE]
  KEY is an Ed25519 key in PEM without a passphrase: writes RECEIPT.dsse.json, the receipt in it
  KEY is ssh:PATH: lets ssh-keygen sign, and writes RECEIPT.sig, which goes beside the receipt
kit-verify receipt verify FILE --key PUB [--signature FILE]
  FILE is RECEIPT.dsse.json, or the receipt with its .sig; says what the receipt says"""


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
            made.add_argument("kit", metavar="KIT", nargs="?")
        if name in ("init", "update"):
            made.add_argument("--policy", metavar="FILE")
            made.add_argument("--trusted-root", metavar="FILE", action="append", default=[])
        if name == "reset":
            made.add_argument("line", metavar="LINE")
            made.add_argument("--take", metavar="KITID", required=True, nargs="+")
            made.add_argument("--reason", metavar="TEXT", required=True)
    check = group("policy", "Say what a policy means.", _POLICY).add_parser(
        "check", example="kit-verify policy check policy.json"
    )
    check.add_argument("file", metavar="FILE")
    check.add_argument("--root", metavar="FILE")
    receipt = group("receipt", "Sign a receipt, or check its signature.", _RECEIPT)
    sign, verify = (
        receipt.add_parser(name, example=_EXAMPLES[f"receipt {name}"])
        for name in ("sign", "verify")
    )
    for made in (sign, verify):
        made.add_argument("receipt", metavar="RECEIPT")
        made.add_argument("--key", metavar="KEY", required=True)
    sign.add_argument("--out", metavar="FILE", default="")
    verify.add_argument("--signature", metavar="FILE", default="")
    return parser


def command(arguments: Sequence[str]) -> ExitStatus:
    """Run ``trust ...``, ``policy ...`` or ``receipt ...`` and return the exit status."""
    options = _parser().parse_args(arguments)
    if options.command != "trust":
        if options.command == "policy":
            _check(options.file, options.root)
        else:
            _receipt(options)
        return ExitStatus.VERIFIED
    directory = TrustDirectory(options.trust)
    clock = told_time(time.time())
    named = getattr(options, "policy", None)
    policy = read_other(named, MAX_POLICY, "a policy") if named else None
    roots = [
        read_other(path, MAX_TRUSTED_ROOT, "a trusted root")
        for path in getattr(options, "trusted_root", ())
    ]
    _check_roots(roots)
    if options.action == "init":
        _init(options, directory, policy)
        _add_roots(directory, roots)
    elif options.action == "update":
        if options.kit is None and (policy is not None or not roots):
            raise UsageError(
                "KIT is missing",
                fix="Give the kit that brings the newer root, or only --trusted-root FILE.",
            )
        if options.kit is not None:
            _update(options, directory, policy)
        _add_roots(directory, roots)
    elif options.action == "reset":
        take = " ".join(options.take)
        take = "" if take == "any" else parse_digits(take, "--take")
        state = directory.reset(options.line, options.reason, clock, take=take)
        print("\n".join(memory_lines(state)))
        return ExitStatus.VERIFIED
    lines = trusted_lines(directory.load(), directory.path)
    print("\n".join(lines + trusted_root_lines(directory.known_trusted_roots())))
    return ExitStatus.VERIFIED


def _check_roots(roots: Sequence[bytes]) -> None:
    """Read trusted roots before anything is pinned or changed.

    Raises:
        TrustedRootMalformed: One of them is none.
    """
    for data in roots:
        from verifier.evidence.sigstore.roots import (
            parse_trusted_root,  # here: mostly none is given
        )

        parse_trusted_root(data)


def _add_roots(directory: TrustDirectory, roots: Sequence[bytes]) -> None:
    if roots:
        print("\n".join(trusted_root_lines(directory.add_trusted_roots(roots))))


def _chain(path: str) -> list[Root]:
    """Return the root chain of a kit, or of a file of roots; it proves itself, whoever made it."""
    try:
        begins = read_file(path, 1) if path != "-" else b""
    except KitError:
        begins = b""
    if begins[:1] == b"{":
        return load_roots(path)[0]
    source = open_source(path)
    try:
        container = Container(source)
        container.read_page()
        return parse_chain(container.read_roots()[512:])
    finally:
        source.close()


def _check(path: str, root: str | None) -> None:
    """Say what a policy means.

    Raises:
        PolicyUnmeetable: No kit could be taken by it, or none of a line that it names.
    """
    data = read_other(path, MAX_POLICY, "a policy")
    pinned = load_root(root) if root else None
    policy, sha256 = parse_policy(data), hashlib.sha256(data).hexdigest()
    print("\n".join(policy_lines(policy, pinned, sha256)))
    reasons = unmeetable(policy, pinned, sha256, __version__)
    if reasons:
        raise PolicyUnmeetable("; ".join(reasons), where=repr(path))


def _init(options: argparse.Namespace, directory: TrustDirectory, policy: bytes | None) -> None:
    root = read_other(options.root, limits.MAX_ROOT_CHAIN, "a root of trust")
    if len(root) % 512 == 0 and root.endswith(b" "):
        raise UsageError(
            "is a chain of roots, and one is pinned",
            where=repr(options.root),
            fix="Give root.json, whose number you compared: the newest root is in it.",
        )
    directory.make(root, " ".join(options.fingerprint), policy, shared=options.shared_parent)
    print("pinned; from now on only kits that its kit signers sign are taken")


def _update(options: argparse.Namespace, directory: TrustDirectory, policy: bytes | None) -> None:
    before = directory.load().root
    reached = directory.update(_chain(options.kit), policy, told_time(time.time()))
    print(reached.sentence())
    for line in root_changes(before, reached.root) if reached.steps else ():
        print(f"  {line}")
    if reached.reset_lines:
        print(f"lines set back: {', '.join(reached.reset_lines)}")


def _receipt(options: argparse.Namespace) -> None:
    from verifier.host.attest import check_signature, sign_receipt

    if options.action == "sign":
        made = sign_receipt(options.receipt, options.key, options.out)
        print(f"wrote {made}")
        return
    signed = check_signature(options.receipt, options.key, options.signature)
    print("\n".join(receipt_lines(signed)))
