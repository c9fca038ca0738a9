"""Artifact rules of in-toto layouts: what a step may use, and what may come of it.

in-toto specification 1.0, 4.3.3.  A rule takes from a queue of paths what it allows; `DISALLOW`
refuses what is left of its pattern, `REQUIRE` wants what must be left.  The rest is allowed.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from verifier.evidence.errors import EvidenceTooLarge, LayoutUnmet
from verifier.typed import Any, record

MATERIALS, PRODUCTS = "materials", "products"
MAX_RULES = 1024  # of one list
MAX_PATTERN = 1024  # characters
MAX_MATCHES = 4_000_000  # paths held to patterns, for one layout
_SIMPLE = ("create", "delete", "modify", "allow", "disallow", "require")
_SHOWN = 3  # paths named in one message

Found = Mapping[str, Mapping[str, str]]
"""From path to digests."""


@record(frozen=True)
class Rule:
    """A rule.

    Attributes:
        kind: Its first word, in lower case.
        pattern: Of paths, as a shell has them; of `REQUIRE` a path.
        source: Directory below which the pattern holds; empty for all.
        target: Directory in the other step; empty for all.
        of: `MATERIALS` or `PRODUCTS` of the other step.
        step: The other step; empty but for `MATCH`.
    """

    kind: str
    pattern: str
    source: str = ""
    target: str = ""
    of: str = ""
    step: str = ""


@record(frozen=True)
class Done:
    """What the links of a step agree on."""

    materials: Found
    products: Found


def parse_rule(value: Any) -> Rule:
    """Return a rule as a layout has it: a list of words.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("a rule that is no list of words")
    words = [word.lower() for word in value]
    if len(value) < 2 or len(value[1]) > MAX_PATTERN:
        raise ValueError("a rule without a pattern, or with an endless one")
    if words[0] in _SIMPLE and len(value) == 2:
        made = Rule(words[0], value[1])
    elif words[0] == "match":
        made = _parse_match(value, words)
    else:
        raise ValueError(f"a rule that is not known: {' '.join(value)[:80]!r}")
    _compile(made.pattern)
    return made


def _parse_match(value: Sequence[str], words: Sequence[str]) -> Rule:
    """Parse ``MATCH pattern [IN dir] WITH (MATERIALS|PRODUCTS) [IN dir] FROM step``."""
    rest, source, target = list(zip(value, words))[2:], "", ""
    if len(rest) > 2 and rest[0][1] == "in":
        source, rest = rest[1][0], rest[2:]
    if len(rest) > 2 and rest[0][1] == "with":
        of, rest = rest[1][1], rest[2:]
        if len(rest) > 2 and rest[0][1] == "in":
            target, rest = rest[1][0], rest[2:]
        if len(rest) == 2 and rest[0][1] == "from" and of in (MATERIALS, PRODUCTS):
            return Rule("match", value[1], source, target, of, rest[1][0])
    raise ValueError(f"a rule that is not whole: {' '.join(value)[:80]!r}")


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(fnmatch.translate(pattern))
    except re.error:
        raise ValueError(f"a pattern that is none: {pattern[:80]!r}") from None


class Rules:
    """Holds the steps of one layout to their rules.

    Args:
        done: What came of each step.
        where: The layout, for people.
    """

    def __init__(self, done: Mapping[str, Done], where: str) -> None:
        self._done, self._where, self._left = done, where, MAX_MATCHES

    def check(self, name: str, of: str, rules: Iterable[Rule]) -> None:
        """Hold the materials or the products of a step to rules, in their order.

        Raises:
            LayoutUnmet: One is broken.
            EvidenceTooLarge: It would take too long to find out.
        """
        done = self._done[name]
        found: Found = done.materials if of == MATERIALS else done.products
        queue = set(found)
        for rule in rules:
            if rule.kind == "require":
                if rule.pattern not in queue:
                    raise self._unmet(name, of, f"lack {rule.pattern[:200]!r}")
                continue
            taken = set(self._taken(rule, queue, found, done))
            if rule.kind == "disallow" and taken:
                named = ", ".join(f"{path[:200]!r}" for path in sorted(taken)[:_SHOWN])
                raise self._unmet(name, of, f"have {named}, which no rule allows")
            queue -= taken

    def _unmet(self, name: str, of: str, what: str) -> LayoutUnmet:
        return LayoutUnmet(f"the {of} of step {name!r} {what}", where=self._where)

    def _taken(self, rule: Rule, queue: set[str], found: Found, done: Done) -> Iterator[str]:
        """Yield the paths of a queue that a rule takes."""
        if rule.kind == "match":
            yield from self._matched(rule, queue, found)
            return
        for path in self._fitting(rule.pattern, queue):
            used, made = path in done.materials, path in done.products
            if (
                rule.kind in ("allow", "disallow")
                or (rule.kind == "create" and made and not used)
                or (rule.kind == "delete" and used and not made)
                or (
                    rule.kind == "modify"
                    and used
                    and made
                    and done.materials[path] != done.products[path]
                )
            ):
                yield path

    def _matched(self, rule: Rule, queue: set[str], found: Found) -> Iterator[str]:
        """Yield what is, by path and all digests, what another step had."""
        other = self._done.get(rule.step)
        if other is None:
            return
        theirs = other.materials if rule.of == MATERIALS else other.products
        below = _join(rule.source, "") if rule.source else ""
        inside = {path[len(below) :]: path for path in queue if path.startswith(below)}
        for path in self._fitting(rule.pattern, inside):
            full = inside[path]
            if theirs.get(_join(rule.target, path)) == found[full]:
                yield full

    def _fitting(self, pattern: str, paths: Iterable[str]) -> list[str]:
        candidates = list(paths)
        self._left -= len(candidates)
        if self._left < 0:
            what = f"more than {MAX_MATCHES} paths to hold to rules"
            raise EvidenceTooLarge(what, where=self._where)
        fits = _compile(pattern).match
        return [path for path in candidates if fits(path)]


def _join(directory: str, path: str) -> str:
    """Return a path below a directory, as in-toto joins them."""
    if not directory or path.startswith("/"):
        return path
    joined = directory + path if directory.endswith("/") else f"{directory}/{path}"
    return joined.replace("\\", "/")
