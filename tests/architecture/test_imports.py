"""Laws 1 and 6 (CONTRIBUTING, "The laws"): who may import whom."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tests.architecture.source import (
    ROOT,
    Law,
    Source,
    Use,
    complaints,
    is_below,
    load,
    parse,
)
from tests.support.together import together

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# In the standard library of some Pythons from 3.9 to 3.14 and not of others (PEP 594, PEP 632).
NOT_IN_EVERY_PYTHON = frozenset(
    "annotationlib asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3"
    " mailcap msilib nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib tomllib uu"
    " xdrlib".split()
)
ON_TRIAL = frozenset({"compression"})  # Python 3.14's, asked for where it is and done without
NETWORK = frozenset("asyncio ftplib http imaplib poplib smtplib socket socketserver ssl".split())
BROUGHT_ALONG = frozenset(
    {
        "pydantic_core",  # pydantic's own half, with its exact version
        "botocore",  # boto3's own half, with its exact version
        "nacl",  # what PyNaCl is called in Python
        "packageurl",  # packageurl-python
    }
)
STANDARD_LIBRARY = (sys.stdlib_module_names | ON_TRIAL) - NOT_IN_EVERY_PYTHON

ORDERS = tuple(
    f"kit.{name}"
    for name in "approve build cli fetch lock pipeline publish rebuild repair seal sign".split()
)
OF_ORDERS = ("cli", "pipeline")  # no rooms: the command line, and the order of orders
ASKED_FOR = ("verifier/evidence/", "verifier/audit/")
ERROR_PAGES = "verifier/show/explain.py"  # imported when a code is asked about
BELOW_CORE = ("verifier.crypto", "verifier.typed")
CORE_LINES = 2_730  # of code in verifier/core: what somebody reads before trusting it


def verifier_stands_alone(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        top = name.split(".")[0]
        if top in NETWORK or is_below(name, "urllib.request"):
            yield source.at(line, f"imports {name}: the verifier knows no network")
        elif top != "verifier" and top not in STANDARD_LIBRARY:
            yield source.at(line, f"imports {name}: not in the standard library of every Python")


def runner_needs_the_verifier_only(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if name.split(".")[0] not in STANDARD_LIBRARY | {"runner", "verifier"}:
            yield source.at(line, f"imports {name}: shipped in kits, it has no dependency")


def kit_names_its_dependencies(source: Source) -> Iterator[str]:
    allowed = sys.stdlib_module_names | dependencies() | BROUGHT_ALONG
    ours = {"kit", "runner", "verifier", "tomllib"}  # tomllib where there is one, tomli elsewhere
    allowed |= ours | extras()
    for line, name in source.imports():
        if name.split(".")[0] not in allowed:
            yield source.at(line, f"imports {name}: not a dependency of pyproject.toml")


def extras_are_asked_for(source: Source) -> Iterator[str]:
    """Yield where a module brings in an extra when it is itself imported."""
    for line, name in _imported_at_once(source, source.functions()):
        if name.split(".")[0] in extras():
            yield source.at(line, f"imports {name}: an extra is imported where it is used")


def _imported_at_once(source: Source, later: Iterable[ast.AST]) -> Iterator[Use]:
    """Yield what is imported, but by what runs ``later``, by the lines that this takes."""
    lines = {
        line
        for node in later
        if isinstance(node, ast.stmt)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return (use for use in source.imports() if use.line not in lines)


def nothing_needs_kit(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if is_below(name, "kit"):
            yield source.at(line, f"imports {name}: nothing may need the builder")


def core_stands_alone(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if is_below(name, "verifier") and not is_below(name, *BELOW_CORE, "verifier.core"):
            yield source.at(line, f"imports {name}: core decides, and knows nothing around it")


def crypto_knows_no_kit(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if is_below(name, "verifier") and not is_below(name, *BELOW_CORE):
            yield source.at(line, f"imports {name}: arithmetic, which knows nothing of kits")


def rooms_stand_below_orders(source: Source) -> Iterator[str]:
    room = source.path.split("/")[1]
    if room.endswith(".py") or room in OF_ORDERS:
        return
    for line, name in source.imports():
        if is_below(name, *ORDERS):
            yield source.at(
                line, f"imports {name}: one way down, cli -> orders -> rooms -> verifier"
            )


def orders_know_no_command_line(source: Source) -> Iterator[str]:
    room = source.path.split("/")[1]
    if room == "cli" or source.path == "kit/__main__.py":
        return
    for line, name in source.imports():
        if is_below(name, "kit.cli"):
            yield source.at(line, f"imports {name}: the command line stands above")
        elif room != "pipeline" and is_below(name, "kit.pipeline"):
            yield source.at(line, f"imports {name}: only the command line gives the whole order")


def evidence_is_asked_for(source: Source) -> Iterator[str]:
    """Yield where a module brings in evidence, or audits, when it is itself imported."""
    if source.path.startswith(ASKED_FOR) or source.path == ERROR_PAGES:
        return
    later = [*source.functions(), *filter(_is_for_checkers, source.nodes)]
    for line, name in _imported_at_once(source, later):
        if is_below(name, "verifier.evidence", "verifier.audit"):
            yield source.at(line, f"imports {name}: evidence is imported where it is asked for")


def _is_for_checkers(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def evidence_knows_no_host(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if is_below(name, "verifier") and not is_below(
            name, *BELOW_CORE, "verifier.core", "verifier.evidence"
        ):
            yield source.at(line, f"imports {name}: evidence is judged, by rules that come in")


def only_locking_needs_a_network(source: Source) -> Iterator[str]:
    if source.path.startswith("kit/net/"):
        return
    for line, name in source.imports():
        if is_below(name, "urllib3", "socket", "http", "urllib.request", "boto3", "botocore"):
            yield source.at(line, f"imports {name}: only kit/net/ speaks to a network")


@functools.cache
def dependencies() -> set[str]:
    return _imported(_project()["dependencies"])


@functools.cache
def extras() -> set[str]:
    """Return what is only installed where somebody asks for it."""
    named = _project()["optional-dependencies"].values()
    return _imported([text for texts in named for text in texts])


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def _imported(texts: list[str]) -> set[str]:
    names = [re.split(r"[\[<>=~!;, ]", text)[0] for text in texts]
    return {name.lower().replace("-", "_") for name in names}


def folders_without_builder() -> list[str]:
    """Return every folder of the project but those of the builder and of us who try it."""
    folders = {path.parent.name for path in ROOT.glob("[!.]*/__init__.py")}
    return sorted(folders - {"kit", "tests", "tools", "fixtures", "build"})


LAWS = [
    (verifier_stands_alone, ["verifier"]),
    (core_stands_alone, ["verifier/core"]),
    (crypto_knows_no_kit, ["verifier/crypto"]),
    (evidence_is_asked_for, ["verifier"]),
    (evidence_knows_no_host, ["verifier/evidence"]),
    (nothing_needs_kit, folders_without_builder()),
    (kit_names_its_dependencies, ["kit"]),
    (extras_are_asked_for, ["kit"]),
    (rooms_stand_below_orders, ["kit"]),
    (orders_know_no_command_line, ["kit"]),
    (only_locking_needs_a_network, ["kit"]),
    (runner_needs_the_verifier_only, ["runner"]),
]

BROKEN = [
    (verifier_stands_alone, "verifier/a.py", "import zstandard"),
    (verifier_stands_alone, "verifier/a.py", "from kit import build"),
    (verifier_stands_alone, "verifier/a.py", "def f():\n    import tomllib"),
    (verifier_stands_alone, "verifier/a.py", "from urllib.request import urlopen"),
    (verifier_stands_alone, "verifier/a.py", "import importlib\nimportlib.import_module('rich')"),
    (verifier_stands_alone, "verifier/a.py", "__import__(name)"),
    (core_stands_alone, "verifier/core/a.py", "from verifier import report"),
    (core_stands_alone, "verifier/core/a.py", "from .. import report"),
    (core_stands_alone, "verifier/core/a.py", "from ..report import text"),
    (crypto_knows_no_kit, "verifier/crypto/a.py", "from verifier.core import names"),
    (core_stands_alone, "verifier/core/a.py", "from verifier.evidence import errors"),
    (evidence_is_asked_for, "verifier/run.py", "from verifier.evidence import errors"),
    (evidence_is_asked_for, "verifier/run.py", "if x:\n    import verifier.evidence.foreign"),
    (evidence_is_asked_for, "verifier/cli.py", "from verifier.audit.order import audit_kit"),
    (evidence_knows_no_host, "verifier/evidence/a.py", "from verifier.host import policy"),
    (nothing_needs_kit, "verifier/a.py", "import kit.build"),
    (kit_names_its_dependencies, "kit/a.py", "import requests"),
    (extras_are_asked_for, "kit/a.py", "from sigstore import models"),
    (only_locking_needs_a_network, "kit/sources/a.py", "import urllib3"),
    (only_locking_needs_a_network, "kit/places/a.py", "def f():\n    import boto3"),
    (rooms_stand_below_orders, "kit/spec/a.py", "from kit.build import build"),
    (rooms_stand_below_orders, "kit/roots/a.py", "import kit.cli.roots"),
    (rooms_stand_below_orders, "kit/releases/a.py", "from kit.pipeline import numbers"),
    (orders_know_no_command_line, "kit/build.py", "from kit.cli import app"),
    (orders_know_no_command_line, "kit/pipeline/a.py", "def f():\n    import kit.cli.common"),
    (orders_know_no_command_line, "kit/publish.py", "from kit.pipeline.numbers import numbered"),
    (runner_needs_the_verifier_only, "runner/a.py", "import rich"),
]


@together(("law", "folders"), LAWS, ids=[law.__name__ for law, _ in LAWS])
def test_law_holds(law: Law, folders: list[str]) -> None:
    assert complaints(law, *folders) == []


@together(("law", "path", "text"), BROKEN)
def test_law_can_fail(law: Law, path: str, text: str) -> None:
    assert list(law(parse(path, text)))


def test_what_is_allowed_passes() -> None:
    good = "import json\nfrom compression import zstd\nfrom verifier.core import names"
    assert list(verifier_stands_alone(parse("verifier/a.py", good))) == []
    assert list(core_stands_alone(parse("verifier/core/a.py", "from . import names"))) == []
    good = "def f():\n    from verifier.evidence import errors"
    good += "\nif TYPE_CHECKING:\n    from verifier.evidence.errors import SctMissing"
    assert list(evidence_is_asked_for(parse("verifier/run.py", good))) == []
    good = "import tuf\nfrom securesystemslib.signer import Signer\nfrom kit import spec"
    assert list(kit_names_its_dependencies(parse("kit/a.py", good))) == []


def test_core_is_small_enough_to_read() -> None:
    lines = sum(source.code_lines for source in load("verifier/core"))
    assert lines <= CORE_LINES, "move what does not decide about the kit out of verifier/core"
