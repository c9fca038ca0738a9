"""Reads our own sources without importing them."""

from __future__ import annotations

import ast
import functools
import gc
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_VECTORS = ROOT / "fixtures" / "vectors"
_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Use(NamedTuple):
    """A dotted name that a source mentions, resolved through its imports."""

    line: int
    name: str


@dataclass(frozen=True)
class Source:
    """One Python file, parsed.

    Attributes:
        path: Where it is, relative to the project and with ``/``: ``verifier/core/names.py``.
    """

    path: str
    text: str
    tree: ast.Module

    @property
    def code_lines(self) -> int:
        """Lines that run: without blank ones, comments and docstrings."""
        layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER}
        layout |= {tokenize.INDENT, tokenize.DEDENT}
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in layout:
                lines.update(range(token.start[0], token.end[0] + 1))
        for text in self.docstrings():
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
        return len(lines)

    def docstrings(self) -> Iterator[ast.Expr]:
        for node in self.nodes:
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                first = node.body[0]
                assert isinstance(first, ast.Expr)
                yield first

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function; only statements are looked through, since no expression has one."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node
            for field in ("cases", "finalbody", "orelse", "handlers", "body"):
                inner = getattr(node, field, None)
                if isinstance(inner, list):  # a lambda's body is an expression
                    waiting.extend(reversed(inner))

    def at(self, line: int, complaint: str) -> str:
        """Return a complaint the way compilers print them, so that editors jump to it."""
        return f"{self.path}:{line}: {complaint}"

    def imports(self) -> list[Use]:
        """Return what is imported, absolute and down to the name: ``from os import x`` is ``os.x``.

        An ``importlib.import_module`` or ``__import__`` counts too; when what it imports is not
        written down there, it is given as ``?``.
        """
        return self._imports

    @functools.cached_property
    def _imports(self) -> list[Use]:
        return list(self._find_imports())

    def _find_imports(self) -> Iterator[Use]:
        package = self.path.removesuffix(".py").split("/")[:-1]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (Use(node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                base = base + (node.module.split(".") if node.module else [])
                yield from (Use(node.lineno, ".".join([*base, a.name])) for a in node.names)
        for use, call in self.calls():
            if use.name in {"importlib.import_module", "__import__"}:
                what = call.args[0] if call.args else None
                known = isinstance(what, ast.Constant) and what.value
                yield Use(use.line, known if isinstance(known, str) else "?")

    def uses(self) -> list[Use]:
        """Return every name and attribute, as long as it goes: ``os.environ.get``, ``x.write``.

        A name imported under another one is given back its own: after ``from os import open as
        o``, ``o(p)`` is ``os.open``.  What an expression returns is ``()``: ``f().read`` is
        ``().read``.
        """
        return self._uses

    @functools.cached_property
    def _uses(self) -> list[Use]:
        known = self._aliases
        found: list[Use] = []
        inner: set[int] = set()  # parts of a longer name that has been found
        for node in self.nodes:
            if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in inner:
                found.append(Use(node.lineno, _dotted(node, known, inner)))
        return found

    def calls(self) -> list[tuple[Use, ast.Call]]:
        """Return every call with the name of what is called, resolved like `uses`."""
        return self._calls

    @functools.cached_property
    def _calls(self) -> list[tuple[Use, ast.Call]]:
        known = self._aliases
        return [
            (Use(node.lineno, _dotted(node.func, known, set())), node)
            for node in self.nodes
            if isinstance(node, ast.Call)
        ]

    def literals(self) -> Iterator[tuple[int, str]]:
        """Yield every string and bytes constant but the docstrings; bytes as Latin-1."""
        docstrings = {id(text.value) for text in self.docstrings()}
        for node in self.nodes:
            if isinstance(node, ast.Constant) and id(node) not in docstrings:
                if isinstance(node.value, str):
                    yield node.lineno, node.value
                elif isinstance(node.value, bytes):
                    yield node.lineno, node.value.decode("latin-1")

    def resolve(self, node: ast.expr) -> str:
        """Return the dotted name of an expression of this source, like `uses`."""
        return _dotted(node, self._aliases, set())

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in the tree but operators and contexts, once for all laws."""
        found: list[ast.AST] = [self.tree]
        for node in found:  # grows meanwhile: breadth first, as `ast.walk` is, in half its time
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, list):
                    found.extend(one for one in value if isinstance(one, ast.AST))
                elif isinstance(value, ast.AST) and not isinstance(value, _MARKS):
                    found.append(value)
        return found

    @functools.cached_property
    def _aliases(self) -> dict[str, str]:
        known = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                known.update({a.asname: a.name for a in node.names if a.asname})
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                known.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        return known


def _dotted(node: ast.expr, known: dict[str, str], inner: set[int]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
        inner.add(id(node))
    parts.append(known.get(node.id, node.id) if isinstance(node, ast.Name) else "()")
    return ".".join(reversed(parts))


Law = Callable[[Source], Iterator[str]]
"""Yields a complaint for each place where a source breaks one rule."""


def is_below(name: str, *parents: str) -> bool:
    """Return whether a dotted name is one of ``parents`` or something in it."""
    if not name.startswith(parents):
        return False  # nearly every name
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def parse(path: str, text: str) -> Source:
    """Return the source ``text`` as if it stood at ``path``; tests of the laws make bad ones."""
    return Source(path, text, ast.parse(text, filename=path))


@functools.cache
def load(*folders: str) -> list[Source]:
    """Return every Python file below the folders that exist, in a fixed order."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    gc.disable()  # of what a tree is made of nothing can go, and it is not looked through later
    try:
        return [_read(path) for path in files if not path.is_relative_to(_VECTORS)]
    finally:
        gc.enable()
        gc.freeze()


@functools.cache
def _read(path: Path) -> Source:
    return parse(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def complaints(law: Law, *folders: str) -> list[str]:
    """Return what ``law`` has to say about the project; a test compares it with nothing."""
    return [complaint for source in load(*folders) for complaint in law(source)]
