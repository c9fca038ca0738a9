"""Attestations: make and sign what is said about files, components and images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.common import KeyArguments, OptionalRoot, app, note, say, secret
from kit.cli.defaults import Chosen, StoreOption
from verifier.core.errors import UsageError
from verifier.core.lists import Index
from verifier.core.model import Component as Part

if TYPE_CHECKING:
    from kit.attest.subjects import Component  # its libraries are slow to load
    from kit.signing import KitSigner


@app.command("attest")
def _attest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="What the attestation is made of.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            help="test-result, slsa-provenance, sbom, vex, vulns, release; or a URI, and FILE is "
            "the predicate.",
        ),
    ],
    subject: Annotated[
        list[str],
        typer.Option(
            "--subject",
            help="PATH, component:ID, image:DIR, kit:KIT or NAME=sha256:HEX; several times.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write; nothing is overwritten.")],
    key: KeyArguments = [],  # noqa: B006 - typer reads it, nobody changes it
    within: Annotated[
        Path | None, typer.Option("--in", metavar="SPEC|KIT", help="What has the components.")
    ] = None,
    root: OptionalRoot = None,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write a sigstore bundle, which has one signature.")
    ] = False,
    keyless: Annotated[
        Path | None,
        typer.Option(
            "--keyless",
            metavar="CONFIG",
            help="Sign with an identity at these services; its token is asked for.",
        ),
    ] = None,
    store_dir: StoreOption = None,
) -> None:
    """Make an in-toto Statement of what tools reported, and sign it as a DSSE envelope."""
    from kit.attest.inputs import read_input
    from kit.attest.predicates import make_predicate
    from kit.attest.statement import statement_bytes, write_attestation
    from kit.attest.subjects import read_subjects

    _check_signing(key, bundle, keyless)
    made = make_predicate(kind, [read_input(path) for path in files])
    subjects = read_subjects(subject, _components(within, store_dir))
    payload = statement_bytes(subjects, made)
    data, signed = _signed(payload, key, root, bundle, keyless)
    write_attestation(out, data)
    say(f"wrote {out}")
    say(f"type    {made.predicate_type}")
    for item in subjects:
        say(f"about   {item.digest[0][0]}:{item.digest[0][1]}  {item.name}")
    for name in signed:
        say(f"signed  {name}")
    for text in made.notes:
        note(text)


def _check_signing(keys: list[str], bundle: bool, keyless: Path | None) -> None:
    """Hold the options that say who signs to each other.

    Raises:
        UsageError: They do not go together.
    """
    if bool(keys) == (keyless is not None):
        raise UsageError(
            "nobody signs" if keyless is None else "an identity and a key do not sign together",
            fix="Give --key URI, or --keyless CONFIG.",
        )
    if bundle and len(keys) > 1:
        raise UsageError(f"a bundle has one signature, and {len(keys)} keys are given")


def _signed(
    payload: bytes, keys: list[str], root: Path | None, bundle: bool, keyless: Path | None
) -> tuple[bytes, list[str]]:
    """Return a statement with its signatures, and who made them."""
    if keyless is not None:
        from kit.net.keyless import sign_keyless

        made = sign_keyless(payload, keyless, secret)
        return made.bundle, [f"{made.identity}  vouched for by {made.issuer}"]
    from kit.attest.statement import bundle_bytes, envelope_bytes

    signers = _signers(keys, root)
    data = bundle_bytes(payload, signers[0]) if bundle else envelope_bytes(payload, signers)
    return data, [signer.keyid for signer in signers]


def _signers(keys: list[str], root: Path | None) -> list[KitSigner]:
    """Return who signs; a root gives names to its keys, and none is needed."""
    from kit.roots.files import load_roots
    from kit.signing.attesters import load_attester

    chosen = Chosen()
    known = chosen.root(root)
    targets = load_roots(known).last.targets.keys if known is not None else {}
    return [load_attester(each, targets, secrets=secret) for each in chosen.named_keys(keys)]


def _components(within: Path | None, store_dir: Path | None) -> Component | None:
    """Return how components of a spec or kit are found; they are read when one is asked for."""
    if within is None:
        return None

    def find(name: str) -> str:
        from kit.cli.digest import components_of, named_component
        from verifier.evidence.components import component_digest

        if not found:
            found.append(components_of(within, store_dir))
        components, index = found[0]
        return component_digest(index, named_component(components, name))

    found: list[tuple[Sequence[Part], Index]] = []
    return find
