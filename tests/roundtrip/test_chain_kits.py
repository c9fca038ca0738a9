"""Kits whose root rotated, with the real builder: each host verifies what it should, from its root.

The chain is that of `fixtures/keys/roots.json`: version 2 revoked bob, version 4 alice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.build import Options, build
from kit.container.head import NoTwoRoots
from kit.rebuild import rebuild
from kit.roots.files import load_roots, read_kit_roots
from kit.seal import SealedKit, seal
from kit.sign import sign
from kit.signing import SignerNotInRoot, load_signer
from kit.spec import KitSpec
from tests.support.making import KEYS, key, make_sources
from verifier.core.errors import KitError, ThresholdNotMet
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, parse_root
from verifier.run import run
from verifier.show.report import Report

CHAIN = load_roots(KEYS / "roots.json").chain
SMALL = {"tools/run": b"#!/bin/sh\n", "tools/doc": b"read me\n"}


def pinned(version: int) -> Root:
    name = "root.json" if version == 1 else f"root-{version}.json"
    return parse_root((KEYS / name).read_bytes())


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> KitSpec:
    return make_sources(tmp_path_factory.mktemp("sources"), SMALL, ())


def made(spec: KitSpec, out: Path, chain: Sequence[Root], *names: str) -> Path:
    """Build a kit that carries a chain, signed under its last root."""
    out.mkdir(exist_ok=True)
    signers = [load_signer(key(name), chain[-1].targets.keys) for name in names]
    return build(spec, chain, out, Options(workers=1), signers=signers).path


def sealed(path: Path) -> SealedKit:
    return seal(path, workers=1)


def verified(path: Path, version: int) -> Report:
    return run(os.fspath(path), Job(root=pinned(version)), opened=Opened())


def code(report: Report) -> str:
    return report.error.code if report.error else ""


@pytest.fixture(scope="module")
def newest(spec: KitSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sealed kit under version 4."""
    path = made(spec, tmp_path_factory.mktemp("newest"), CHAIN, "frank", "grace")
    assert sealed(path).signers == ("frank", "grace")
    return path


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_host_on_any_version_verifies_a_kit_signed_under_the_fourth(
    newest: Path, version: int
) -> None:
    report = verified(newest, version)
    assert (code(report), report.proof) == ("", "full")
    reached = report.opened.reached
    assert reached is not None
    assert (reached.root.version, reached.steps) == (4, tuple(range(version + 1, 5)))
    assert report.checked[0] == reached.sentence()


def test_the_kit_carries_the_bytes_of_the_chain_file(newest: Path) -> None:
    roots = read_kit_roots(newest)
    assert [root.version for root in roots] == [1, 2, 3, 4]
    opened = verified(newest, 4).opened
    assert opened.roots[512:] == (KEYS / "roots.json").read_bytes()


def test_a_kit_with_a_chain_is_rebuilt_byte_for_byte(spec: KitSpec, newest: Path) -> None:
    same = rebuild(newest, spec, Options(workers=1), root=CHAIN[-1])
    assert same.size == newest.stat().st_size
    with pytest.raises(NoTwoRoots, match="root version 4"):
        rebuild(newest, spec, Options(workers=1), root=CHAIN[0])


def test_signers_come_later_and_are_those_of_the_newest_root(spec: KitSpec, tmp_path: Path) -> None:
    path = made(spec, tmp_path, CHAIN, "carol")
    with pytest.raises(ThresholdNotMet):
        sealed(path)
    with pytest.raises(SignerNotInRoot):
        sign(path, [f"alice={key('alice')}"], workers=1)
    assert sign(path, [key("grace")], root=CHAIN[-1], workers=1).signers == ("carol", "grace")
    assert sealed(path).signers == ("carol", "grace")
    assert code(verified(path, 1)) == ""


def test_a_revoked_key_is_refused_by_a_host_that_has_seen_its_end(
    spec: KitSpec, tmp_path: Path
) -> None:
    path = made(spec, tmp_path, CHAIN[:1], "alice", "bob")
    sealed(path)
    assert code(verified(path, 1)) == ""
    for version in (2, 3, 4):
        assert code(verified(path, version)) == "threshold-not-met"


def test_an_older_kit_whose_signers_are_still_there_is_verified_and_called_older(
    spec: KitSpec, tmp_path: Path
) -> None:
    path = made(spec, tmp_path, CHAIN[:2], "carol", "frank")
    sealed(path)
    report = verified(path, 4)
    assert code(report) == ""
    assert "the kit's own root is older (version 2)" in report.checked[0]


def test_a_kit_with_the_last_root_alone_leaves_older_hosts_behind(
    spec: KitSpec, tmp_path: Path
) -> None:
    path = made(spec, tmp_path, CHAIN[3:], "frank", "grace")
    sealed(path)
    assert [code(verified(path, version)) for version in (1, 2, 3, 4)] == ["root-gap"] * 2 + [
        ""
    ] * 2


def test_a_chain_with_a_step_that_nobody_allowed_is_not_built(
    spec: KitSpec, tmp_path: Path
) -> None:
    """The verifier proves each build, and holds the whole chain to its signatures."""
    stripped = [*CHAIN[:2], CHAIN[3]]
    with pytest.raises(KitError) as refused:
        made(spec, tmp_path, stripped, "frank", "grace")
    assert refused.value.code == "self-check-failed"
    assert not list(tmp_path.glob("*.tar.zst"))
