"""The command line of the release host: the only file here that prints, reads argv or exits."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kit import __version__
from kit.build import BuiltKit, Options, build
from kit.keys import KINDS, new_key
from kit.rebuild import rebuild
from kit.rootmeta import build_root, write_root
from kit.seal import SealedKit, seal
from kit.signing import load_signer, load_sums_signer
from kit.signkit import SignedKit, sign
from kit.spec import load_spec, schema_bytes
from verifier import cli as verifier_cli
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.model import parse_time
from verifier.explain import explain
from verifier.run import load_root

app = typer.Typer(
    name="offline-kit",
    help="Builds offline kits: one reproducible, signed file that a disconnected site can prove.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
key_app = typer.Typer(help="Make keys.", no_args_is_help=True)
root_app = typer.Typer(help="Make roots of trust.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(root_app, name="root")

_INTERRUPTED = 130  # what typer makes of Ctrl-C

KeyArguments = Annotated[
    list[str],
    typer.Option(
        "--key", metavar="SIGNER=URI", help="Sign with this key; may be given several times."
    ),
]
OptionalRoot = Annotated[
    Path | None, typer.Option("--root", help="Refuse a kit that was built with another root.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, max=64, help="Threads; 0 takes all cores.")]


def _secret(name: str) -> str:
    """Ask for a PIN or passphrase on the terminal; it is never an argument."""
    return getpass.getpass(f"{name}: ")


def _out(text: str) -> None:
    print(text)


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows progress on a terminal and nothing elsewhere."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(escape(what), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


@app.command("build")
def _build(
    spec: Annotated[Path, typer.Argument(help="The spec: a TOML file.")],
    root: Annotated[Path, typer.Option("--root", help="The root of trust the kit is for.")],
    out: Annotated[Path, typer.Option("--out", help="The directory for the kit.")] = Path("."),
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
    trusted = load_root(os.fspath(root))
    signers = [load_signer(item, trusted.targets.keys, secrets=_secret) for item in key]
    sums = load_sums_signer(sums_key) if sums_key else None
    loaded = load_spec(spec)
    with _progress(json_) as show:
        options = Options(
            store=store, workers=jobs, epoch=os.environ.get("SOURCE_DATE_EPOCH"), progress=show
        )
        built = build(loaded, trusted, out, options, signers=signers, sums=sums)
        sealed = None
        if signers and len(built.signers) >= trusted.targets.threshold:
            sealed = seal(built.path, root=trusted, progress=lambda d, t: show("sealing", d, t))
    if json_:
        _out(json.dumps(_built_value(built, sealed), indent=2, sort_keys=True))
        return
    _show_built(built)
    if sealed is not None:
        _show_sealed(built.path, sealed)
        return
    need = trusted.targets.threshold - len(built.signers)
    _out(f"not sealed: {need} more of {', '.join(trusted.targets.signers())} must sign")
    _out(
        f"next: offline-kit sign {built.path} --key SIGNER=URI, then offline-kit seal {built.path}"
    )


def _built_value(built: BuiltKit, sealed: SealedKit | None) -> dict[str, Any]:
    return {
        "kit": os.fspath(built.path),
        "kitId": built.kit_id,
        "contentId": built.content_id,
        "size": built.size,
        "members": built.members,
        "signers": list(built.signers),
        "emptyDirectories": list(built.empty_directories),
        "sealed": _sealed_value(sealed) if sealed else None,
    }


def _show_built(built: BuiltKit) -> None:
    members = f"{built.members} member{'' if built.members == 1 else 's'}"
    _out(f"built {built.path}: {members}, {built.size} bytes")
    _out(f"contentId  {built.content_id}")
    _out(f"kitId      {built.kit_id}")
    for name in built.empty_directories:
        _out(f"note: the directory {name} is empty and does not arrive: a kit carries files")
    if built.signers:
        _out(f"signed by  {', '.join(built.signers)}")


@app.command("sign")
def _sign(
    kit: Annotated[Path, typer.Argument(help="The kit to sign in place.")],
    key: KeyArguments,
    root: OptionalRoot = None,
    checked: Annotated[
        str,
        typer.Option("--checked", metavar="KITID", help="Skip reading: you verified this kitId."),
    ] = "",
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Sign although the kit is sealed; the seal goes.")
    ] = False,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Verify a kit in full, then add signatures in place."""
    trusted = load_root(os.fspath(root)) if root else None
    with _progress(json_) as show:
        signed = sign(
            kit,
            key,
            root=trusted,
            checked=checked,
            reopen=reopen,
            workers=jobs,
            progress=lambda done, total: show("checking", done, total),
            secrets=_secret,
        )
    if json_:
        _out(json.dumps(_signed_value(signed), indent=2, sort_keys=True))
        return
    how = "not read again (--checked)" if checked else "every frame and member checked"
    _out(f"{kit}: {signed.kit.name} {signed.kit.version}, {how}")
    for name in signed.already:
        _out(f"{name} had signed before; nothing was changed")
    if signed.added:
        _out(f"signed by {', '.join(signed.added)}: {signed.written} bytes written")
    _out(f"kitId {signed.kit_id}")
    _out(f"{len(signed.signers)} of {signed.threshold} signers: {', '.join(signed.signers)}")


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
    root: OptionalRoot = None,
    jobs: Jobs = 0,
    json_: Json = False,
) -> None:
    """Verify a kit under its root's threshold and write what belongs beside it."""
    trusted = load_root(os.fspath(root)) if root else None
    with _progress(json_) as show:
        sealed = seal(
            kit,
            root=trusted,
            workers=jobs,
            progress=lambda done, total: show("sealing", done, total),
        )
    if json_:
        _out(json.dumps(_sealed_value(sealed), indent=2, sort_keys=True))
    else:
        _show_sealed(kit, sealed)


def _sealed_value(sealed: SealedKit) -> dict[str, Any]:
    return {
        "kitId": sealed.kit_id,
        "contentId": sealed.content_id,
        "fileDigest": sealed.file_digest,
        "size": sealed.size,
        "signers": list(sealed.signers),
        "threshold": sealed.threshold,
        "outputs": sealed.outputs,
    }


def _show_sealed(kit: Path, sealed: SealedKit) -> None:
    _out(f"sealed {kit}: signed by {', '.join(sealed.signers)} (threshold {sealed.threshold})")
    _out(f"file       {sealed.file_digest}")
    for name, digest in sealed.outputs.items():
        _out(f"  {digest}  {name}")
    if "SHA256SUMS.sig" not in sealed.outputs:
        _out("  SHA256SUMS.sig is absent: the kit was built without --sums-key")


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
    trusted = load_root(os.fspath(root)) if root else None
    with _progress(json_) as show:
        options = Options(workers=jobs, epoch=os.environ.get("SOURCE_DATE_EPOCH"), progress=show)
        same = rebuild(kit, load_spec(spec), options, root=trusted)
    if json_:
        value = {"identical": True, "kitId": same.kit_id, "contentId": same.content_id}
        _out(json.dumps({**value, "size": same.size}, indent=2, sort_keys=True))
    else:
        _out(f"identical: {same.size} bytes, kitId {same.kit_id}")


@app.command(
    "verify",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def _verify(context: typer.Context) -> None:
    """Verify a kit; the same program as kit-verify: see `offline-kit verify --help`."""
    raise typer.Exit(verifier_cli.main(["verify", *context.args]))


@app.command("explain")
def _explain(code: Annotated[str, typer.Argument(help="An error code.")]) -> None:
    """Explain an error code of either program."""
    print(explain(code), end="")


@app.command("schema")
def _schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    _out(schema_bytes().decode("utf-8").rstrip("\n"))


@key_app.command("new")
def _key_new(
    name: Annotated[str, typer.Argument(help="Name of the files: NAME.pem and NAME.pub.")],
    out: Annotated[Path, typer.Option("--out", help="The directory for them.")] = Path("."),
    kind: Annotated[str, typer.Option("--type", help=" or ".join(KINDS))] = "ed25519",
) -> None:
    """Make a key pair: NAME.pem (private, 0600) and NAME.pub."""
    for known in KINDS:
        if known == kind:
            made = new_key(known, out, name)
            _out(f"private key {made.private_path} (keep it; nobody can make it again)")
            _out(f"public key  {made.public_path}")
            _out(f"keyid       {made.keyid}")
            return
    raise UsageError(f"--type wants {' or '.join(KINDS)}, not {kind!r}")


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


@root_app.command("init")
def _root_init(
    signer: Annotated[
        list[str],
        typer.Option(
            "--signer", metavar="NAME=PUB", help="A kit signer; a person may have two keys."
        ),
    ],
    threshold: Annotated[int, typer.Option("--threshold", min=1, help="Signers a kit needs.")],
    key: KeyArguments,
    expires: Annotated[str, typer.Option("--expires", help="When the root should be replaced.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("root.json"),
    root_signer: Annotated[
        list[str],
        typer.Option("--root-signer", metavar="NAME=PUB", help="Who may change the root."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    root_threshold: Annotated[
        int | None, typer.Option("--root-threshold", min=1, help="How many of them it takes.")
    ] = None,
) -> None:
    """Make root.json, version 1: who signs kits, and how many of them it takes."""
    data = build_root(
        _named(signer, "--signer"),
        threshold,
        expires=_moment(expires),
        sign_with=key,
        root_signers=_named(root_signer, "--root-signer") if root_signer else None,
        root_threshold=root_threshold,
        secrets=_secret,
    )
    write_root(out, data)
    root = load_root(os.fspath(out))
    _out(f"wrote {out}: version {root.version}, expires {root.expires}")
    _out(f"kit signers: {root.targets.threshold} of {', '.join(root.targets.signers())}")


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        _out(f"offline-kit {__version__}")
        raise typer.Exit(0)


def main() -> NoReturn:
    """Run offline-kit as a program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except KitError as error:
        print(error, file=sys.stderr)
        sys.exit(int(error.status))
    except SystemExit as ended:
        if ended.code != _INTERRUPTED:
            raise
        print("interrupted; nothing was kept", file=sys.stderr)
        sys.exit(int(ExitStatus.UNDECIDED))
    sys.exit(0)


if __name__ == "__main__":
    main()
