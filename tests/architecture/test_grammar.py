"""Verifier and runner are Python 3.9; their first files also Python 2.7, to tell an old one."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Source, complaints, load, parse
from tests.support.together import together

MAINS = ("verifier/__main__.py", "runner/__main__.py")
NEWER_ARGUMENTS = {
    "dataclass": {"slots", "kw_only", "weakref_slot"},  # 3.10, 3.10, 3.11
    "zip": {"strict"},  # 3.10
    "bisect_left": {"key"},  # 3.10
    "bisect_right": {"key"},
}
NOT_IN_PYTHON_2 = (
    *(ast.JoinedStr, ast.AnnAssign, ast.Nonlocal, ast.Starred, ast.NamedExpr, ast.Await),
    *(ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.YieldFrom, ast.MatMult),
)


def is_python_3_9(source: Source) -> Iterator[str]:
    try:
        ast.parse(source.text, feature_version=(3, 9))
    except SyntaxError as error:
        yield source.at(error.lineno or 1, f"not Python 3.9: {error.msg}")
    annotated = any(isinstance(n, (ast.FunctionDef, ast.AnnAssign)) for n in ast.walk(source.tree))
    if annotated and source.path not in MAINS and "annotations" not in futures(source):
        yield source.at(1, "annotations are evaluated: from __future__ import annotations")
    for (line, name), call in source.calls():
        newer = NEWER_ARGUMENTS.get(name.rpartition(".")[2], set())
        for keyword in call.keywords:
            if keyword.arg in newer:
                yield source.at(line, f"{name}({keyword.arg}=) is newer than Python 3.9")


def futures(source: Source) -> set[str]:
    names = [name for _, name in source.imports()]
    return {name.rpartition(".")[2] for name in names if name.startswith("__future__.")}


def is_python_2(source: Source) -> Iterator[str]:
    """Yield what Python 2.7 cannot parse, as far as that shows in a tree of Python 3."""
    if not source.text.isascii():
        yield source.at(1, "Python 2 reads ASCII only")
    if "annotations" in futures(source):
        yield source.at(1, "Python 2 has no such future as annotations")
    prints = "print_function" in futures(source)
    for node in source.nodes:
        line = getattr(node, "lineno", 1)
        if isinstance(node, NOT_IN_PYTHON_2):
            yield source.at(line, f"Python 2 has no {type(node).__name__}")
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args
            annotated = [a for a in ast.walk(arguments) if isinstance(a, ast.arg) and a.annotation]
            if node.returns or annotated or arguments.kwonlyargs or arguments.posonlyargs:
                yield source.at(line, "Python 2 has no annotations, keyword-only arguments or /")
        elif isinstance(node, ast.Raise) and node.cause:
            yield source.at(line, "Python 2 has no `raise from`")
        elif isinstance(node, ast.ClassDef) and node.keywords:
            yield source.at(line, "Python 2 has no keywords in a class line")
    for (line, name), call in source.calls():
        if name == "print" and not prints and (len(call.args) != 1 or call.keywords):
            yield source.at(line, "Python 2 prints a tuple: from __future__ import print_function")


def python_2_7() -> Path | None:
    """Return a Python 2.7 that answers; no distribution packages one any more."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which("python2.7"), *map(str, sorted(versions.glob("2.7*/bin/python2.7")))]
    for path in filter(None, found):
        answer = subprocess.run([path, "--version"], capture_output=True, check=False)
        if answer.returncode == 0:
            return Path(path)
    return None


def test_verifier_and_runner_are_python_3_9() -> None:
    assert complaints(is_python_3_9, "verifier", "runner") == []


def test_first_files_are_python_2() -> None:
    sources = [source for source in load("verifier", "runner") if source.path in MAINS]
    assert len(sources) == len(MAINS)
    assert [complaint for source in sources for complaint in is_python_2(source)] == []


def test_a_real_python_2_7_compiles_the_first_files(tmp_path: Path) -> None:
    python = python_2_7()
    if python is None:
        pytest.skip("not run: python2.7 is not installed")
    compile_it = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec', 0, 1)"
    bad = tmp_path / "bad.py"
    bad.write_text("def f(a: int): pass\n", encoding="ascii")
    for path, status in [(bad, 1), *((ROOT / main, 0) for main in MAINS)]:
        done = subprocess.run(
            [python, "-E", "-s", "-c", compile_it, path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "match x:\n    case 1: pass",
        "def f(x: int | None): pass",  # without the future import it is evaluated
        "from dataclasses import dataclass\n@dataclass(frozen=True, slots=True)\nclass A: pass",
        "for a, b in zip(x, y, strict=True): pass",
    ],
)
def test_newer_python_is_noticed(text: str) -> None:
    assert list(is_python_3_9(parse("verifier/a.py", text)))


@together(
    "text",
    [
        "print(f'{x}')",
        "def f(a: int): pass",
        "def f(*, a): pass",
        "x: int = 1",
        "raise ValueError from None",
        "print('a', 'b')",
        "from __future__ import annotations",
        "text = 'é'",
        "first, *rest = x",
    ],
)
def test_python_3_in_the_first_file_is_noticed(text: str) -> None:
    assert list(is_python_2(parse(MAINS[0], text)))


def test_what_is_allowed_passes() -> None:
    good = "from __future__ import annotations\ndef f(x: int | None) -> str: ..."
    assert list(is_python_3_9(parse("verifier/a.py", good))) == []
    good = "from __future__ import print_function\nimport sys\nprint('old', file=sys.stderr)"
    assert list(is_python_2(parse(MAINS[0], good))) == []
