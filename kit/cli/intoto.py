"""The steps of a build and the layout that they follow, as in-toto has them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.common import KeyArguments, app, now, say, say_next, seconds, secret
from kit.cli.defaults import Chosen
from kit.cli.options import App
from verifier.core.errors import UsageError
from verifier.core.model import format_time, parse_time

if TYPE_CHECKING:
    from kit.signing import KitSigner

layout_app = App(help="Make, sign and verify layouts of in-toto.", no_args_is_help=True)
app.add_typer(layout_app, name="layout")

LayoutArgument = Annotated[Path, typer.Argument(metavar="LAYOUT", help="The file of the layout.")]
Rules = Annotated[list[str], typer.Option(help="A rule; several, the first that fits counts.")]
_NONE: list[str] = []


@app.command("step")
def _step(
    name: Annotated[str, typer.Argument(help="The step, as the layout calls it.")],
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What is done, and its arguments.")
    ],
    key: Annotated[
        str, typer.Option("--key", metavar="URI", help="Who does it; PUB=URI for hardware.")
    ],
    materials: Annotated[
        list[str], typer.Option("--materials", help="A file or directory that goes in.")
    ] = _NONE,
    products: Annotated[
        list[str], typer.Option("--products", help="A file or directory that comes out.")
    ] = _NONE,
    out: Annotated[Path, typer.Option("--out", help="The directory for the link.")] = Path("."),
    keep_output: Annotated[
        bool, typer.Option("--keep-output", help="Also keep the last MiB of what it prints.")
    ] = False,
) -> None:
    """Run a command and sign a link of it: what went in, what came out, how it ended."""
    from kit.intoto.errors import StepFailed
    from kit.intoto.step import Step, do_step

    (signer,) = _signers([key])
    sink = os.write if keep_output else None
    step = Step(name, command, materials, products, seconds, sink)
    made = do_step(step, signer, out)
    if made.status:
        how = f"status {made.status}" if made.status > 0 else f"signal {-made.status}"
        raise StepFailed(f"its command ended with {how}; {made.path} says so", where=f"step {name}")
    say(f"wrote {made.path}: materials {made.materials}, products {made.products}")


@layout_app.command("init")
def _init(
    layout: LayoutArgument,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="Its end, YYYY-MM-DDTHH:MM:SSZ.")
    ],
    readme: Annotated[str, typer.Option("--readme", help="What it is, for people.")] = "",
) -> None:
    """Write a layout without steps."""
    from kit.intoto.layout import new_layout

    new_layout(layout, expires, readme)
    say(f"wrote {layout}")


@layout_app.command("add")
def _add(
    layout: LayoutArgument,
    name: Annotated[str, typer.Argument(metavar="STEP", help="The name of the step.")],
    functionary: Annotated[
        list[Path], typer.Option("--functionary", metavar="PUB", help="Who may do it; several.")
    ],
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, max=64, help="How many of them must.")
    ] = 1,
    materials: Rules = _NONE,
    products: Rules = _NONE,
    run: Annotated[str, typer.Option("--run", help="The expected command, for people.")] = "",
) -> None:
    """Add a step to a layout: who may do it, and what may go in and come out."""
    from kit.intoto.layout import NewStep, add_step, load_layout

    step = NewStep(name, functionary, threshold, materials, products, run)
    gone = add_step(load_layout(layout), step)
    say(f"added {name} to {layout}")
    if gone:
        say(f"{gone} signatures went: they were of another layout")
    say_next("offline-kit", "layout", "sign", layout, "--key", "URI")


@layout_app.command("sign")
def _sign(layout: LayoutArgument, key: KeyArguments) -> None:
    """Sign a layout, as its owner."""
    from kit.intoto.layout import load_layout, sign_layout

    for keyid in sign_layout(load_layout(layout), _signers(key)):
        say(f"signed  {keyid}")


@layout_app.command("verify")
def _verify(
    layout: LayoutArgument,
    key: Annotated[
        list[Path], typer.Option("--key", metavar="PUB", help="Its owners; each must have signed.")
    ],
    links: Annotated[Path, typer.Option("--links", help="The directory of the links.")] = Path("."),
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="The moment; now if not given.")
    ] = None,
) -> None:
    """Hold the links of a build to a layout; nothing is executed."""
    from kit.intoto.judge import judge_chain

    moment = now() if at is None else parse_time(at)
    if moment is None:
        raise UsageError(f"--at {at!r} is not YYYY-MM-DDTHH:MM:SSZ")
    chain = judge_chain(layout, links, key, moment)
    for step, found in chain.links.items():
        say(f"{step}: {', '.join(given.path.name for given in found)}")
    say(f"{layout} is met, at {format_time(moment)}")


def _signers(keys: list[str]) -> list[KitSigner]:
    """Return who signs; a name out of [release.keys] stands for its key."""
    from kit.signing.attesters import load_attester

    known = Chosen().defaults.keys
    named = [known[each].value if each in known else each for each in keys]
    return [load_attester(each, {}, secrets=secret) for each in named]
