"""Collecting, over any tree: exactly its files, in one order, whatever the host lists first."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import kit.sources.collect
from kit.sources.collect import Collection, collect
from kit.spec import parse_spec
from verifier.core.errors import KitError
from verifier.core.names import fold, parse_member_path

SPEC = """\
[kit]
name = "x"
version = "1"
line = "x"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "x"
names = "unicode"
[[component]]
id = "x"
version = "1"
path = "p"
lands = "x"
placeholder = "may be empty"
[[component.source]]
dir = "one"
empty = "drop"
[[component.source]]
dir = "two"
empty = "drop"
"""

good_names = st.text(st.sampled_from("ab-.~ \u00e9/0"), min_size=1, max_size=3).filter(
    lambda name: "/" not in name and name.strip(". ") != ""
)
any_names = st.binary(min_size=1, max_size=4).filter(
    lambda name: not {*name} & {0, ord("/")} and name not in {b".", b".."}
)
file_trees: st.SearchStrategy[Any] = st.recursive(
    st.binary(max_size=3),
    lambda inner: st.dictionaries(good_names.map(str.encode), inner, max_size=4),
    max_leaves=15,
)
wild_trees: st.SearchStrategy[Any] = st.recursive(
    st.binary(max_size=3),
    lambda inner: st.dictionaries(any_names | good_names.map(str.encode), inner, max_size=4),
    max_leaves=10,
)


def plant(path: bytes, tree: Any) -> dict[bytes, bytes]:
    """Make a tree; return the contents of its files by relative path."""
    os.mkdir(path)
    files: dict[bytes, bytes] = {}
    for name, inner in tree.items():
        below = path + b"/" + name
        if isinstance(inner, dict):
            files.update({name + b"/" + key: data for key, data in plant(below, inner).items()})
        else:
            Path(os.fsdecode(below)).write_bytes(inner)
            files[name] = inner
    return files


def run(base: str, seed: int) -> tuple[Collection, tuple[bytes, ...]]:
    """Collect with directories listed in an order that ``seed`` decides."""
    real, order = os.scandir, random.Random(seed)

    def shuffled(path: Any) -> Any:
        with real(path) as entries:
            listed = list(entries)
        order.shuffle(listed)
        return contextlib.nullcontext(iter(listed))

    run_of = mock.patch.object(kit.sources.collect, "_RUN", order.choice([1, 3, 4096]))
    with mock.patch.object(os, "scandir", shuffled), run_of:
        found = collect(parse_spec(SPEC.encode(), file=Path(base) / "kit.toml"))
    return found.data, found.empty_directories


def facts_of(found: Collection) -> dict[str, Any]:
    return {name: value for name, value in vars(found).items() if name != "directories"}


def paths(found: Collection) -> list[bytes]:
    return [found.path(i) for i in range(len(found))]


@given(one=file_trees, two=file_trees, seeds=st.tuples(st.integers(), st.integers()))
def test_exactly_the_regular_files_in_one_order(one: Any, two: Any, seeds: tuple[int, int]) -> None:
    trees = [tree if isinstance(tree, dict) else {b"f": tree} for tree in (one, two)]
    with tempfile.TemporaryDirectory() as base:
        planted = [
            plant(os.fsencode(base) + b"/" + name, tree)
            for name, tree in zip((b"one", b"two"), trees, strict=True)
        ]
        expected = {b"p/" + path: data for files in planted for path, data in files.items()}
        try:
            found, empty = run(base, seeds[0])
        except KitError:
            assert collides([path for files in planted for path in files])
            return
        assert not collides([path for files in planted for path in files])
        assert paths(found) == sorted(expected)
        for i, path in enumerate(paths(found)):
            source = Path(os.fsdecode(found.source(i)))
            assert source.read_bytes() == expected[path]
            assert found.unchanged(i, source.stat())
        again, empty_again = run(base, seeds[1])
        assert facts_of(again) == facts_of(found)
        assert empty_again == empty
        assert all(not path.startswith(name + b"/") for path in paths(found) for name in empty)


def collides(all_paths: list[bytes]) -> bool:
    """Whether two of the paths are one on some host, or one is bad; by the rule itself, slowly."""
    folded = [fold(path.decode()) for path in all_paths]
    try:
        for path in all_paths:
            parse_member_path(path.decode())
    except KitError:
        return True
    return len(set(folded)) < len(folded) or any(
        other.startswith(f"{path}/") for path in folded for other in folded
    )


@given(wild_trees)
def test_any_tree_is_refused_or_has_only_names_that_every_host_takes(tree: Any) -> None:
    with tempfile.TemporaryDirectory() as base:
        plant(os.fsencode(base) + b"/one", tree if isinstance(tree, dict) else {})
        os.mkdir(os.path.join(base, "two"))
        try:
            found, _ = run(base, 0)
        except KitError:
            return  # refusing is always allowed; any other exception fails the test
        for path in paths(found):
            parse_member_path(path.decode())
