"""Writes what the docs say of the sources: the error list, the help texts, the spec, real output.

    python tools/docs.py --check     # names the pages that are stale; exit status 1 if one is
    python tools/docs.py --write     # writes them; `make docs`

Between ``<!-- generated NAME -->`` and ``<!-- end of NAME -->`` a page belongs to this program, and
so does the output below a command in a ``console`` block (see `tools.console`).  Everything else is
written by hand.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
import zstandard
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import kit
import runner
import verifier
from kit.build import Options, build
from kit.cli import app
from kit.seal import seal
from kit.signing import load_signer, load_sums_signer
from kit.spec import (
    Component,
    Evidence,
    Exemption,
    KitTable,
    LayoutTable,
    Release,
    SbomFile,
    Source,
    load_spec,
)
from kit.spec.stages import SiteTable, StepTable, TestTable, VerifyTable
from tools import dochosts
from tools.console import BARE_PYTHON, TOP, Host, has_console, make_host, normalise, ready, run_page
from verifier.arguments import COMMANDS
from verifier.core.errors import KitError, all_errors
from verifier.rootfile import load_root

KIT = "lnm-2026.11.0.tar.zst"
KEYS = TOP / "fixtures" / "keys"
DEMO_NEEDS = (
    *("kit", "verifier", "runner", "fixtures/lnm", "fixtures/keys", "manifests/examples"),
    "tools/demo.py",
)
MANY = 5  # starts of a program on a page, for which one is made that starts at once
MEANING = {2: "usage", 3: "undecided", 4: "rejected"}
_SECTION = re.compile(
    r"(?P<begin><!-- generated (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end of (?P=name) -->)", re.S
)
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", ".mypy_cache", ".ruff_cache")
_WITHOUT_ZSTD = """\
import sys; sys.argv = sys.argv[2:]; sys.path.insert(0, sys.argv[0])
from verifier.decoders import FINDERS
for name in "compression.zstd", "libzstd", "zstd program": del FINDERS[name]
from verifier.cli import entry; entry()"""


def pages() -> list[Path]:
    """Return every page of the docs, the README first."""
    return [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]


# --- hosts that pages run on -----------------------------------------------------------------


def empty(place: Path) -> Host:
    """Make a release host that has nothing yet."""
    return make_host(place)


def checkout(place: Path) -> Host:
    """Make a release host that stands at the top of a checkout."""
    host = make_host(place)
    copy_checkout(host.directory)
    return host


def medium(place: Path) -> Host:
    """Make a disconnected host that stands in the directory of a medium with the LNM kit."""
    host = make_host(place)
    _make_medium(host.directory)
    return host


def arrival(place: Path) -> Host:
    """Make a disconnected host that stands in an empty home; ``$MEDIUM`` is where the kit lies."""
    host = make_host(place)
    there = place / "medium"
    there.mkdir()
    _make_medium(there)
    return replace(host, environment={"MEDIUM": os.fspath(there)})


def medium_without_zstd(place: Path) -> Host:
    """Make the same host without any zstd; somebody has brought the plain .tar too."""
    host = make_host(place, python=(BARE_PYTHON, "-I", "-c", _WITHOUT_ZSTD))
    _make_medium(host.directory)
    with open(host.directory / KIT, "rb") as stream:
        plain = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True).read()
    (host.directory / KIT).with_suffix("").write_bytes(plain)
    return host


HOSTS: dict[str, Callable[[Path], Host]] = {
    "README.md": checkout,
    "docs/howto/accept.md": medium,
    "docs/howto/audit.md": medium,
    "docs/howto/export-evidence.md": dochosts.site,
    "docs/howto/first-contact.md": arrival,
    "docs/howto/policy.md": medium,
    "docs/howto/hosts.md": medium,
    "docs/howto/hosts-without-zstd.md": medium_without_zstd,
    "docs/howto/read-evidence.md": dochosts.desk,
    "docs/report.md": medium,
}
"""Where the commands of a page run; a page that is not here starts in an empty directory."""


def copy_checkout(directory: Path) -> None:
    """Copy what the demo needs of this checkout."""
    for name in DEMO_NEEDS:
        source, target = TOP / name, directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=_NOT_SHIPPED)
        else:
            shutil.copy2(source, target)


def _make_medium(directory: Path) -> None:
    root = load_root(os.fspath(KEYS / "root.json"))
    signers = [load_signer(f"{KEYS / name}.pem", root.targets.keys) for name in ("alice", "bob")]
    spec = load_spec(TOP / "fixtures" / "lnm" / "kit.toml")
    sums = load_sums_signer(os.fspath(KEYS / "sums.pem"))
    seal(build(spec, [root], directory, Options(), signers=signers, sums=sums).path, root=root)
    shutil.copyfile(KEYS / "root.json", directory / "root.json")


# --- the demo --------------------------------------------------------------------------------


@functools.cache
def demo_output() -> str:
    """Run the demo in a copy of what it needs; return what it printed, without what changes."""
    with tempfile.TemporaryDirectory() as directory:
        copy_checkout(Path(directory))
        done = subprocess.run(
            [sys.executable, "tools/demo.py"],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = done.stdout.decode("utf-8")
    if done.returncode:
        raise SystemExit(f"docs: the demo failed:\n{text}")
    here, elsewhere = "network: none, this runs", "network: not taken away, this host permits no"
    lines = normalise(text).splitlines(keepends=True)
    isolated = f"{here} in a network namespace of its own\n"
    return "".join(isolated if line.startswith(elsewhere) else line for line in lines)


# README shows what one kit and its root are about; policies and runbooks are in docs/demo.md
_SHOWN_UNTIL = "== The same release with what is attested of it"


def shorten(transcript: str) -> str:
    """Leave out what a run that failed says below its finding, and the later half."""
    lines: list[str] = []
    failed = False
    for line in transcript.partition(_SHOWN_UNTIL)[0].rstrip("\n").splitlines():
        if line.startswith("$ "):
            failed = False
        if not failed:
            lines.append(line)
        if line.startswith("  fix: "):
            lines += ["", "[...]"]
            failed = True
    return "\n".join(lines) + "\n"


def _fenced(text: str, info: str = "text") -> str:
    return f"```{info}\n{text}```\n"


# --- errors ----------------------------------------------------------------------------------


def import_all() -> None:
    """Import every module, so that every class of errors exists."""
    for package in (verifier, runner, kit):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def errors_of(package: str) -> list[type[KitError]]:
    """Return the classes with a code that a package defines, sorted by code."""
    import_all()
    return [kind for kind in all_errors() if kind.__module__.split(".")[0] == package]


def _error_pages(package: str) -> str:
    parts = ["| code | exit status |\n|---|---|\n"]
    for kind in errors_of(package):
        parts.append(f"| [{kind.code}](#{kind.code}) | {int(kind.status)} |\n")
    for kind in errors_of(package):
        text = inspect.cleandoc(kind.__doc__ or "").split("\n\nAttributes:")[0]
        status = int(kind.status)
        text = text.replace("``", "`")
        parts.append(f"\n### {kind.code}\n\nExit status {status}, {MEANING[status]}. {text}\n\n")
        parts.append(f"**Fix:** {kind.fix}\n")
    return "".join(parts)


# --- help ------------------------------------------------------------------------------------


def _help(program: list[str], name: str) -> str:
    return f"### {name}\n\n{_fenced(_said([*program, '--help']).lstrip())}"


def _said(command: list[str]) -> str:
    done = subprocess.run(
        command,
        cwd=TOP,
        env={**os.environ, "COLUMNS": "80", "TYPER_USE_RICH": "0", "PYTHONPATH": os.fspath(TOP)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _verifier_help() -> str:
    program = [sys.executable, "-m", "verifier"]
    texts = [_help(program, "kit-verify")]
    texts += [_help([*program, name], f"kit-verify {name}") for name in COMMANDS]
    return "\n".join(texts)


_EACH_HELP = """
import contextlib, io, json, sys
from kit.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv[:] = ["offline-kit", *words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main()
    print(json.dumps(text.getvalue()))
"""


def _builder_help() -> str:
    """Return the help of every command; one process says all of it, since each start costs."""
    commands = list(_commands_below(typer.main.get_command(app), []))
    texts = _said([sys.executable, "-c", _EACH_HELP, json.dumps(commands)]).splitlines()
    return "\n".join(
        f"### {' '.join(['offline-kit', *words])}\n\n{_fenced(json.loads(text).lstrip())}"
        for words, text in zip(commands, texts, strict=True)
    )


def _commands_below(command: Any, words: list[str]) -> Iterator[list[str]]:
    """Yield the words of each command; `verify` and `audit` are the other program."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        if [*words, name] not in (["verify"], ["audit"]):
            yield from _commands_below(inner, [*words, name])


# --- the spec --------------------------------------------------------------------------------

TABLES: list[tuple[str, type[BaseModel]]] = [
    ("[kit]", KitTable),
    ("[[component]]", Component),
    ("[[component.source]] and [[evidence.source]]", Source),
    ("[[evidence]]", Evidence),
    ("[[sbom]]", SbomFile),
    ("[[exemption]]", Exemption),
    ("[layout]", LayoutTable),
    ("[release]", Release),
    ("[[release.step]]", StepTable),
    ("[release.test]", TestTable),
    ("[release.verify]", VerifyTable),
    ("[[release.site]]", SiteTable),
]


def _plan_table() -> str:
    """Return the release plan of the example, row by row."""
    from tests.support.lnmplan import table  # here: it can start servers

    return table()


def _spec_tables() -> str:
    parts = []
    for header, model in TABLES:
        text = inspect.cleandoc(model.__doc__ or "")
        parts.append(f"### {header}\n\n{text}\n\n| field | value | example |\n|---|---|---|\n")
        for name, field in model.model_fields.items():
            parts.append(_spec_row(field.alias or name, field))
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _spec_row(name: str, field: FieldInfo) -> str:
    text = re.sub(r"([|*])", r"\\\1", field.description or "")
    if field.is_required():
        text += "; **required**"
    elif field.default not in (None, ()):
        text += f"; default `{_toml(field.default)}`"
    example = f"`{_toml(field.examples[0])}`" if field.examples else ""
    return f"| `{name}` | {text} | {example} |\n"


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, str):
        return f'"{value[:12]}..."' if len(value) == 64 else f'"{value}"'
    return str(value)


def _example(name: str) -> str:
    path = TOP / "manifests" / "examples" / name
    return _fenced(path.read_text(encoding="utf-8"), "toml")


SECTIONS: dict[str, Callable[[], str]] = {
    "plan-table": _plan_table,
    "demo": lambda: _fenced(demo_output()),
    "demo-shortened": lambda: _fenced(shorten(demo_output())),
    "errors-verifier": lambda: _error_pages("verifier"),
    "errors-runner": lambda: _error_pages("runner"),
    "errors-builder": lambda: _error_pages("kit"),
    "help-verifier": _verifier_help,
    "help-builder": _builder_help,
    "spec-tables": _spec_tables,
    "spec-minimal": lambda: _example("minimal.toml"),
    "spec-full": lambda: _example("full.toml"),
    "runbook-example": lambda: _example("runbooks/web.toml"),
}


# --- pages -----------------------------------------------------------------------------------


def fresh(name: str, text: str) -> str:
    """Return a page as it should be: its sections made again, its commands run again."""

    def section(match: re.Match[str]) -> str:
        made = SECTIONS[match["name"]]().strip("\n")
        return f"{match['begin']}\n{made}\n\n{match['end']}"

    text = _SECTION.sub(section, text)
    if not has_console(text):
        return text
    with tempfile.TemporaryDirectory() as place:
        host = HOSTS.get(name, empty)(Path(place))
        if text.count("offline-kit") > MANY:
            ready(host)
        return run_page(text, host)


def stale_lines(before: str, after: str) -> str:
    """Return the first line that differs, for a message."""
    old, new = before.splitlines(), after.splitlines()
    pairs = enumerate(zip(old, new, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(old), len(new)))
    was, now = (lines[at] if at < len(lines) else "(nothing)" for lines in (old, new))
    return textwrap.indent(f"line {at + 1}\n- {was}\n+ {now}", "  ")


def main(arguments: list[str]) -> int:
    """Check or write the pages; return the exit status."""
    parser = argparse.ArgumentParser(description="What the docs say of the sources.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="say which pages are stale")
    mode.add_argument("--write", action="store_true", help="write them")
    parser.add_argument("page", nargs="*", help="only these; default: all")
    options = parser.parse_args(arguments)
    chosen = [Path(name).resolve() for name in options.page] or pages()
    status = 0
    for path in chosen:
        name, before = path.relative_to(TOP).as_posix(), path.read_text(encoding="utf-8")
        after = fresh(name, before)
        if before == after:
            continue
        if options.write:
            path.write_text(after, encoding="utf-8")
            print(f"{name}: written")
        else:
            print(f"{name} is stale, run 'make docs':\n{stale_lines(before, after)}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
