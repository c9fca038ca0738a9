"""Sign a kit off without being one of its signers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.cli.common import KeyArguments, app, now, say, say_next, secret
from kit.cli.defaults import Chosen
from kit.cli.wanted import KIT, wanted

_NONE: list[str] = []


@app.command("approve")
def _approve(
    kit: Annotated[Path, typer.Argument(metavar="KIT", help="The kit.")],
    policy: Annotated[
        Path, typer.Option("--policy", help="The policy.json that the kit is held to.")
    ],
    key: KeyArguments,
    root: Annotated[Path | None, typer.Option("--root", help="The root of trust.")] = None,
    evidence: Annotated[
        list[str], typer.Option("--evidence", help="Evidence that came later; several times.")
    ] = _NONE,
    trusted_root: Annotated[
        list[Path],
        typer.Option("--trusted-root", help="A trusted root of sigstore that the policy names."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    out: Annotated[
        Path, typer.Option("--out", help="The directory for audit.json and approval.dsse.json.")
    ] = Path("."),
) -> None:
    """Audit a kit under a policy, and sign that it may be used."""
    from kit.approve import Wish, approve
    from kit.attest.inputs import read_input
    from kit.roots.files import load_roots
    from kit.signing.attesters import load_attester
    from verifier.host.attestations import read_given

    chosen = Chosen()
    pinned = load_roots(chosen.needed_root(root)).last
    wish = Wish(
        wanted(kit, KIT),
        pinned,
        read_input(policy).data,
        read_given(evidence),
        [read_input(path).data for path in trusted_root],
        now(),
        out,
    )
    keys = chosen.named_keys(key)
    signers = [load_attester(each, pinned.targets.keys, secrets=secret) for each in keys]
    made = approve(wish, signers)
    say(f"kitId   {made.approval.kit_id}")
    say(f"verdict {made.approval.verdict}")
    say(f"wrote {made.audit}")
    say(f"wrote {made.signed}")
    for keyid in made.signers:
        say(f"signed  {keyid}")
    say_next("kit-verify", "accept", kit, "--trust", "TRUST", "--evidence", made.signed)
