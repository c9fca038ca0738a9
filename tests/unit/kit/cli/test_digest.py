"""`digest` names a component as the kit does, before it is built and afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.making import REPOSITORY, make_kit
from tests.support.program import apart

TOOLS = {"tools/bin/run": b"#!/bin/sh\n", "tools/big": bytes(5 << 20), "data/x": b"x\n"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("digest")
    kit = make_kit(place, TOOLS, executable=["tools/bin/run"])
    return kit.path, next(place.rglob("kit.toml"))


def run(*arguments: object) -> tuple[int, bytes, str]:
    """Run `offline-kit digest` with descriptors of its own: its output is bytes."""
    done = apart(["digest", *map(str, arguments)], REPOSITORY, lambda: None)
    return done.returncode, done.stdout.encode(), done.stderr


def test_kit_and_spec_say_the_same(made: tuple[Path, Path]) -> None:
    kit, spec = made
    assert run(kit) == run(spec)
    assert run(kit.parent) == run(kit)
    value = json.loads(run(kit, "--json")[1])
    assert value == json.loads(run(spec, "--json")[1])
    tools = next(item for item in value["components"] if item["id"] == "tools")
    assert (tools["files"], tools["bytes"]) == (2, (5 << 20) + len(TOOLS["tools/bin/run"]))


def test_list_alone_has_the_digest(made: tuple[Path, Path], tmp_path: Path, judge: Judge) -> None:
    kit, _ = made
    status, alone, _ = run(kit, "tools", "--list")
    big = hashlib.sha256(TOOLS["tools/big"]).hexdigest()
    program = hashlib.sha256(TOOLS["tools/bin/run"]).hexdigest()
    lines = [b"offline-kit-component/1"]
    lines += [f"{big} {5 << 20} data 0644 big".encode()]
    lines += [f"{program} 10 data 0755 bin/run".encode()]
    assert (status, alone) == (0, b"".join(line + b"\n" for line in lines))
    digest = hashlib.sha256(alone).hexdigest()
    assert run(kit, "tools")[1] == f"{digest}  tools\n".encode() + alone
    (tmp_path / "tools.list").write_bytes(alone)
    done = subprocess.run(
        [judge("sha256sum"), tmp_path / "tools.list"], capture_output=True, check=True, text=True
    )
    assert done.stdout.split()[0] == digest


def test_component_that_is_not_there(made: tuple[Path, Path]) -> None:
    status, _, said = run(made[0], "tool")
    assert (status, "Did you mean tools?" in said) == (2, True)
    assert run(made[0], "--list")[0] == 2
