"""Roots of trust: init, rotate, sign, verify, accept, show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import KeyArguments, note_open_keys, note_root, now, root_app, say, secret
from kit.container.output import replace_file
from kit.errors import show
from kit.roots import ceremony, words
from kit.roots.files import Roots, alone, load_any, load_next, load_roots
from kit.roots.metadata import build_root, write_root
from kit.roots.rotate import Change, next_root
from verifier.core.errors import RootInvalid, UsageError
from verifier.core.model import parse_time
from verifier.core.trust import Root, chain_bytes, read_root
from verifier.host.policy import parse_policy
from verifier.show.plain import shell

RootsArgument = Annotated[
    Path, typer.Argument(metavar="ROOTS", help="A root.json, or the chain file roots.json.")
]
NextArguments = Annotated[
    list[Path], typer.Argument(metavar="NEXT", help="Copies of the next version, signed apart.")
]


def _named(arguments: Sequence[str], option: str) -> list[tuple[str, Path]]:
    named = []
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not (name and equals and path):
            raise UsageError(f"{option} wants NAME=PUBLIC-KEY-FILE, not {argument!r}")
        named.append((name, Path(path)))
    return named


def _moment(text: str) -> datetime:
    seconds = parse_time(text if "T" in text else text + "T00:00:00Z")
    if seconds is None:
        raise UsageError(f"--expires wants YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, not {text!r}")
    return datetime.fromtimestamp(seconds, timezone.utc)


def ends(text: str) -> datetime:
    """Return when a root that is made now is to end."""
    moment = _moment(text)
    if moment.timestamp() <= now():
        raise UsageError(
            f"--expires {text} lies in the past",
            fix="Give a date at which people will meet again, in some years.",
        )
    return moment


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


@root_app.command("init")
def _root_init(
    signer: Annotated[
        list[str],
        typer.Option(
            "--signer", metavar="NAME=PUB", help="A kit signer; a person may have two keys."
        ),
    ],
    threshold: Annotated[int, typer.Option("--threshold", min=1, help="Signers a kit needs.")],
    expires: Annotated[str, typer.Option("--expires", help="When the root should be replaced.")],
    key: KeyArguments = [],  # noqa: B006 - typer reads it, nobody changes it
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("root.json"),
    root_signer: Annotated[
        list[str],
        typer.Option("--root-signer", metavar="NAME=PUB", help="Who may change the root."),
    ] = [],  # noqa: B006
    root_threshold: Annotated[
        int | None, typer.Option("--root-threshold", min=1, help="How many of them it takes.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Others sign later, with `root sign`.")
    ] = False,
) -> None:
    """Make root.json, version 1: who signs kits, and how many of them it takes."""
    data = build_root(
        _named(signer, "--signer"),
        threshold,
        expires=ends(expires),
        sign_with=note_open_keys(key),
        root_signers=_named(root_signer, "--root-signer") if root_signer else None,
        root_threshold=root_threshold,
        allow_incomplete=partial,
        secrets=secret,
    )
    write_root(out, data)
    root = read_root(data)
    say(f"wrote {out}: version {root.version}, expires {root.expires}")
    say(f"kit signers: {root.targets.threshold} of {', '.join(root.targets.signers())}")
    if partial:
        _say_all(words.progress(ceremony.standing(root, None)))


@root_app.command("rotate")
def _root_rotate(
    roots: RootsArgument,
    out: Annotated[Path, typer.Option("--out", help="The file to write, for the signers.")],
    add_signer: Annotated[
        list[str],
        typer.Option("--add-signer", metavar="NAME=PUB", help="A kit signer, or a further key."),
    ] = [],  # noqa: B006
    remove_signer: Annotated[
        list[str],
        typer.Option("--remove-signer", metavar="NAME|KEYID", help="Revoke these keys."),
    ] = [],  # noqa: B006
    threshold: Annotated[
        int | None, typer.Option("--threshold", min=1, help="Signers a kit needs.")
    ] = None,
    add_root_signer: Annotated[
        list[str],
        typer.Option(
            "--add-root-signer", metavar="NAME=PUB", help="May change the root from now on."
        ),
    ] = [],  # noqa: B006
    remove_root_signer: Annotated[
        list[str],
        typer.Option(
            "--remove-root-signer", metavar="NAME|KEYID", help="May no longer change the root."
        ),
    ] = [],  # noqa: B006
    root_threshold: Annotated[
        int | None, typer.Option("--root-threshold", min=1, help="Signers a change needs.")
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", help="When it should be replaced; else as before.")
    ] = "",
    policy: Annotated[
        str, typer.Option("--policy", metavar="FILE|none", help="The policy.json to bind.")
    ] = "",
    reset_line: Annotated[
        list[str],
        typer.Option("--reset-line", metavar="LINE", help="Let its sequence start anew."),
    ] = [],  # noqa: B006
) -> None:
    """Make the next version of a root, unsigned: it travels to its signers."""
    old = load_roots(roots).last
    change = Change(
        add_signers=_named(add_signer, "--add-signer"),
        remove_signers=remove_signer,
        threshold=threshold,
        add_root_signers=_named(add_root_signer, "--add-root-signer"),
        remove_root_signers=remove_root_signer,
        root_threshold=root_threshold,
        expires=ends(expires) if expires else None,
        policy=_policy(policy),
        reset_lines=reset_line,
    )
    data = next_root(old, change)
    new = read_root(data)
    write_root(out, data)
    say(f"wrote {out}: version {new.version}, not signed yet")
    _say_all(f"  {line}" for line in words.changes(old, new))
    _say_all(words.progress(ceremony.standing(new, old)))
    command = shell("offline-kit", "root", "sign", out, "--roots", roots)
    say(f"next: {command} --key SIGNER=URI")
    note_root(new)


def _policy(argument: str) -> bytes | None:
    if not argument:
        return None
    if argument == "none":
        return b""
    try:
        data = Path(argument).read_bytes()
    except OSError as error:
        raise UsageError(f"--policy {argument!r}: {error.strerror or error}") from None
    parse_policy(data)  # hosts could not use another
    return data


@root_app.command("sign")
def _root_sign(
    new: Annotated[Path, typer.Argument(metavar="NEXT", help="The root to sign in place.")],
    key: KeyArguments,
    roots: Annotated[
        Path | None,
        typer.Option("--roots", help="The root or chain that it follows; version 1 has none."),
    ] = None,
) -> None:
    """Add a signature to a root, and say what it changes and who is missing."""
    root = load_next([new])[0]
    old = load_roots(roots).last if roots else None
    _say_all(words.describe(root, signing=True))
    if old is not None:
        say(f"what it changes in version {old.version}:")
        _say_all(f"  {line}" for line in words.changes(old, root))
    data, names = ceremony.add_signatures(root, note_open_keys(key), old=old, secrets=secret)
    signed = read_root(data)
    with alone(new):  # another signer may have signed the same file meanwhile
        signed = ceremony.merge([signed, *load_next([new])], old)
        replace_file(new, signed.line)
    say(f"{new}: signed by {', '.join(names)}")
    _say_all(words.progress(ceremony.standing(signed, old)))
    note_root(signed)


@root_app.command("verify")
def _root_verify(
    roots: Annotated[
        Path, typer.Argument(metavar="ROOTS", help="A root.json, a chain file or a kit.")
    ],
    new: NextArguments = [],  # noqa: B006
) -> None:
    """Say who signed each version, and with NEXT who must still sign it."""
    held = load_any(roots)
    _say_held(roots, held)
    for before, root in zip((None, *held.chain), held.chain, strict=False):
        _say_all(words.progress(ceremony.standing(root, before)))
    note_root(held.last)
    if not new:
        return
    copies = load_next(new)
    for path, copy in zip(new, copies, strict=True):
        for keyid in ceremony.standing(copy, held.last).useless:
            say(f"{path}: the signature of key {keyid!r} counts for nothing")
    merged = ceremony.merge(copies, held.last)
    ceremony.check_follows(merged, held.last)
    _say_all(words.changes(held.last, merged))
    _say_all(_numbers_to_sign(merged))
    _say_all(words.progress(ceremony.standing(merged, held.last)))
    ceremony.check_complete(merged, held.last)
    say(f"complete: {shell('offline-kit', 'root', 'accept', roots, *new)}")


def _say_held(path: Path, held: Roots) -> None:
    first, last = held.chain[0].version, held.last.version
    versions = f"version {last}" if first == last else f"versions {first} to {last}"
    say(f"{path}: {versions}, signed as each version and the one before it want")
    if held.from_kit:
        say("these are the kit's own words: compare the SHA-256 with one from elsewhere")


@root_app.command("accept")
def _root_accept(
    roots: RootsArgument,
    new: NextArguments,
    out: Annotated[
        Path | None, typer.Option("--out", help="The chain file to write; ROOTS if it is one.")
    ] = None,
    newest: Annotated[
        Path | None, typer.Option("--newest", help="Also write its root.json, for new hosts.")
    ] = None,
) -> None:
    """Append a root to the chain once enough people have signed it; build kits with the chain."""
    held = load_roots(roots)
    if out is None and not held.is_chain:
        raise UsageError(f"{show(roots)} is one root: name the chain file with --out roots.json")
    longer = ceremony.accept(held.chain, ceremony.merge(load_next(new), held.last))
    data = chain_bytes(longer)
    if newest is not None:
        write_root(newest, longer[-1].line)
    if out is None or out == roots:
        replace_file(roots, data)
    else:
        write_root(out, data)
    say(f"wrote {out or roots}: versions {longer[0].version} to {longer[-1].version}")
    _say_all(f"  {line}" for line in words.changes(held.last, longer[-1]))
    _say_all(_numbers(longer[-1]))
    note_root(longer[-1])


def _numbers_to_sign(root: Root) -> Iterable[str]:
    yield f"sha256 of what is signed, version {root.version}; compare it with the other signers:"
    yield f"  {words.digest(root.signed)}"


def _numbers(root: Root) -> Iterable[str]:
    yield f"sha256 of root.json, version {root.version}:"
    yield f"  {words.digest(root.line)}"


@root_app.command("show")
def _root_show(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A root.json, a chain file, or a kit.")
    ],
) -> None:
    """Show the roots in a file: people, thresholds, fingerprints, what each version changed."""
    held = _any_or_unsigned(path)
    if held.from_kit:
        say("the kit's own words: compare the SHA-256 with one that reached you another way")
    before: Root | None = None
    for root in held.chain:
        unfinished = not ceremony.standing(root, before).complete
        _say_all(words.describe(root, signing=unfinished))
        if before is not None:
            say(f"  changes in version {before.version}:")
            _say_all(f"    {line}" for line in words.changes(before, root))
        _say_all(f"  {line}" for line in words.progress(ceremony.standing(root, before)))
        before = root
    note_root(held.last)


def _any_or_unsigned(path: Path) -> Roots:
    """Return what is in a file; a root that is not signed by all yet may be looked at too."""
    try:
        return load_any(path)
    except RootInvalid as error:
        try:
            return Roots((load_next([path])[0],))
        except RootInvalid:
            raise error from None
