"""Law 5 (CONTRIBUTING, "The laws"): nothing of this moment or this host becomes bytes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, complaints, is_below, parse
from tests.support.together import together

EXCEPTIONS = {
    "kit/cli/common.py": "tells the time",
    "kit/cli/passphrase.py": "asks for secrets",
    "kit/net/client.py": "waits before it tries again",
    "kit/places/directory.py": "waits for other runs",
    "kit/net/registry.py": "knows when a token ends",
    "kit/store/partial.py": "waits for other runs",
    "kit/store/store.py": "names its notes, and forgets by age",
    "kit/keys/cosign.py": "what closes a new key is random, and an input from then on",
    "verifier/cli.py": "shows people the progress of this moment",
    "verifier/cli_trust.py": "tells the time",
}
MODULES = ("time", "random", "secrets", "uuid", "locale", "getpass", "platform", "socket")
NAMES = (
    *("os.urandom", "os.umask", "os.getlogin", "os.uname"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    "datetime.date.today",
)
LISTERS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob", "glob.iglob")
LISTING_METHODS = (".iterdir", ".glob", ".rglob")


def nothing_of_this_moment(source: Source) -> Iterator[str]:
    if source.path in EXCEPTIONS:
        return
    for line, name in source.imports():
        if is_below(name, *MODULES):
            yield source.at(line, f"imports {name}: an argument, from the command line")
    for line, name in [*source.uses(), *source.imports()]:
        if is_below(name, *NAMES):
            yield source.at(line, f"uses {name}: an argument, from the command line")


def directories_are_sorted(source: Source) -> Iterator[str]:
    for node in source.functions():
        function = Source(source.path, "", ast.Module([node], []))
        names = {source.resolve(call.func) for _, call in function.calls()}
        listed = {n for n in names if n in LISTERS or n.endswith(LISTING_METHODS)}
        if listed and not any(n == "sorted" or n.endswith(".sort") for n in names):
            what = f"{node.name} lists with {', '.join(sorted(listed))}"
            yield source.at(node.lineno, f"{what} and sorts nothing: the order is the host's")


def test_nothing_of_this_moment_becomes_bytes() -> None:
    assert complaints(nothing_of_this_moment, "kit", "verifier") == []


def test_order_of_directories_becomes_no_bytes() -> None:
    assert complaints(directories_are_sorted, "kit", "verifier") == []


@together(
    "text",
    [
        "import time",
        "from random import shuffle",
        "def f():\n    import uuid",
        "from datetime import datetime\nnow = datetime.now(utc)",
        "import datetime as dt\nnow = dt.datetime.utcnow()",
        "import os\nsalt = os.urandom(8)",
        "from os import umask",
    ],
)
def test_moment_is_noticed(text: str) -> None:
    assert list(nothing_of_this_moment(parse("kit/container/archive.py", text)))


@pytest.mark.parametrize(
    "text",
    [
        "import os\ndef f(): return os.listdir(p)",
        "from os import scandir\ndef f(): return [e.name for e in scandir(p)]",
        "def f(): return list(path.rglob('*'))",
    ],
)
def test_order_of_the_host_is_noticed(text: str) -> None:
    assert list(directories_are_sorted(parse("kit/sources/collect.py", text)))


def test_what_is_allowed_passes() -> None:
    good = "import datetime\ntime = 7\nwhen = datetime.datetime(2026, 11, 24)"
    assert list(nothing_of_this_moment(parse("kit/a.py", good))) == []
    assert list(nothing_of_this_moment(parse("kit/keys/cosign.py", "import secrets"))) == []
    good = "import os\ndef f(): return sorted(os.listdir(p))"
    assert list(directories_are_sorted(parse("kit/a.py", good))) == []
