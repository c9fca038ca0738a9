"""Keys: new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import key_app, say
from kit.keys import KINDS, new_key
from verifier.core.errors import UsageError


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
            say(f"private key {made.private_path} (keep it; nobody can make it again)")
            say(f"public key  {made.public_path}")
            say(f"keyid       {made.keyid}")
            return
    raise UsageError(f"--type wants {' or '.join(KINDS)}, not {kind!r}")
