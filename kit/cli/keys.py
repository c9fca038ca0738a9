"""Keys: new, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.cli import passphrase
from kit.cli.common import key_app, say
from kit.keys import (
    KINDS,
    load_with_scheme,
    new_key,
    secret_bytes,
    spki_sha256,
    ssh_fingerprint,
    tuf_key,
)
from verifier.core.errors import UsageError
from verifier.show.fingerprint import groups


@key_app.command("new")
def _key_new(
    name: Annotated[str, typer.Argument(help="Name of the files, without an ending.")],
    out: Annotated[Path, typer.Option("--out", help="The directory for them.")] = Path("."),
    kind: Annotated[str, typer.Option("--type", help=" or ".join(KINDS))] = "ed25519",
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Ask for a passphrase; write NAME.key, as cosign.")
    ] = False,
) -> None:
    """Make a key pair: NAME.pem (private, 0600), or NAME.key if encrypted, and NAME.pub."""
    for known in KINDS:
        if known == kind:
            secret = passphrase.ask_new(f"new passphrase of {name}") if encrypt else None
            made = new_key(known, out, name, secret_bytes(secret) if secret else None)
            say(f"private key {made.private_path} (keep it; nobody can make it again)")
            say(f"public key  {made.public_path}")
            say(f"keyid       {made.keyid}")
            return
    raise UsageError(f"--type wants {' or '.join(KINDS)}, not {kind!r}")


@key_app.command("show")
def _key_show(
    public: Annotated[
        Path, typer.Argument(metavar="PUB", help="A public key, or SCHEME:PUB as for a root.")
    ],
) -> None:
    """Show what a root would call a public key, and its fingerprint for reading aloud."""
    key, scheme = load_with_scheme(public)
    say(f"keyid        {tuf_key(key, scheme).keyid}")
    say(f"scheme       {scheme}")
    say(f"fingerprint  {groups(spki_sha256(key))}")
    ssh = ssh_fingerprint(key)
    if ssh:
        say(f"SSH          {ssh}")
