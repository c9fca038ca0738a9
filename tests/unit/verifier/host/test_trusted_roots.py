"""Trusted roots of sigstore in the trust directory (TRUST-FILES 2.1), and evidence beside a kit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.attesting import (
    PROVENANCE,
    attester,
    envelope,
    kit_with,
    provenance,
    sha256,
    statement,
)
from tests.support.bundles import ISSUER, NAME, Wish, World, make_bundle, text, world
from tests.support.cases.attested import ROOT, place, seeded
from tests.support.hosting import Site, policy, rules
from tests.support.making import REPOSITORY, ROOT_FILE
from verifier import cli

ONE, TWO = text(world().trusted_root()), text(World().trusted_root())


def name(data: bytes) -> str:
    return f"sigstore/{hashlib.sha256(data).hexdigest()}.json"


def told(*arguments: Any) -> int:
    return cli.main([os.fspath(word) for word in arguments])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "one.json").write_bytes(ONE)
    (tmp_path / "two.json").write_bytes(TWO)
    return Site(tmp_path)


def pin(site: Site, *more: str | Path) -> int:
    number = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
    command = ["trust", "init", "--root", ROOT_FILE, "--fingerprint", number]
    return told(*command, "--trust", site.trust, *more)


def test_roots_lie_under_their_digests(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    base = site.base
    assert pin(site, "--trusted-root", base / "one.json") == 0
    assert told("trust", "update", "--trusted-root", base / "two.json", "--trust", site.trust) == 0
    assert {name(ONE), name(TWO)} < set(site.files())
    assert site.files()[name(ONE)] == ONE
    capsys.readouterr()
    assert told("trust", "show", "--trust", site.trust) == 0
    said = capsys.readouterr().out.replace(" ", "")
    assert all(hashlib.sha256(data).hexdigest() in said for data in (ONE, TWO))


def test_root_that_is_there_is_never_overwritten(site: Site) -> None:
    pin(site, "--trusted-root", site.base / "one.json")
    path = site.trust / name(ONE)
    path.write_bytes(b"other")
    command = ["trust", "update", "--trusted-root", site.base / "one.json", "--trust", site.trust]
    assert told(*command) == 0
    assert path.read_bytes() == b"other"


def test_what_is_no_trusted_root_pins_nothing(site: Site) -> None:
    (site.base / "one.json").write_bytes(ONE[:-9])
    assert pin(site, "--trusted-root", site.base / "one.json") == 3
    assert not site.trust.exists()


def test_update_wants_a_kit_or_a_root(site: Site) -> None:
    pin(site)
    assert told("trust", "update", "--trust", site.trust) == 2


def judged(site: Site) -> int:
    by = {"of": ["keyless"], "threshold": 1}
    root = hashlib.sha256(ONE).hexdigest()
    who = attester("keyless", trustedRoot=root, issuer="https://issuer.example", identity="a@b.c")
    wanted = [{"component": "tools", "predicateType": PROVENANCE, "by": by}]
    data = policy(attesters=[who], lines=rules(attestations=wanted))
    (site.trust / "policy.json").write_bytes(data)
    kit = site.base / "kit.tar.zst"
    kit.write_bytes(kit_with({"p.json": envelope(provenance(), "alice")}))
    return told(kit, "--trust", site.trust, "--quiet")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="modes")
def test_root_that_others_may_change_is_not_read(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(site, "--trusted-root", site.base / "one.json")
    (site.trust / name(ONE)).chmod(0o666)
    assert judged(site) == 2
    assert "trust-unsafe" in capsys.readouterr().out


def test_evidence_needs_a_policy(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    kit = site.kit()
    command = [kit, "--root", ROOT_FILE, "--evidence", site.base / "one.json"]
    assert told(*command) == 2
    assert "--trust DIR" in capsys.readouterr().err


def test_evidence_that_is_not_there(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    pin(site)
    assert told(site.kit(), "--trust", site.trust, "--evidence", site.base / "nothing") == 2
    assert "nothing" in capsys.readouterr().err


PROGRAM = f"""import sys; sys.path.insert(0, {os.fspath(REPOSITORY)!r})
from verifier.cli import main
status = main(sys.argv[1:])
print(status, [name for name in sys.modules if name.startswith("verifier.evidence")])"""


def test_policy_without_requirements_imports_nothing_of_evidence(site: Site) -> None:
    who = [{"name": "everybody", "of": ["alice"], "threshold": 1}]
    site.pin(policy=policy(lines=rules(signerSets=who)))
    kit = site.base / "kit.tar.zst"
    kit.write_bytes(kit_with({"p.json": envelope(provenance(), "alice")}, index=b""))
    command = [sys.executable, "-I", "-c", PROGRAM, os.fspath(kit), "--quiet"]
    command += ["--trust", os.fspath(site.trust)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n", done.stderr


MEASURED = f"""import sys, time; sys.path.insert(0, {os.fspath(REPOSITORY)!r})
from verifier.cli import main
status = main(sys.argv[1:])
lines = open("/proc/self/status").read().split("\\n")
memory = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(status, time.process_time(), memory >> 10)"""


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="asks Linux for its memory")
def test_a_hundred_bundles_take_seconds_and_little_memory(site: Site) -> None:
    """The limits are 6 s and 30 MB; a loaded host gets some more."""
    bundles, wanted = {}, []
    for number in range(100):
        kind = f"https://kinds.example/{number}"
        wish = Wish(statement=statement(kind), key=seeded(str(number % 7)))
        bundles[f"{number}.json"] = text(make_bundle(wish, place()))
        by = {"of": ["keyless"], "threshold": 1}
        wanted.append({"component": "tools", "predicateType": kind, "by": by})
    who = attester("keyless", trustedRoot=sha256(ROOT), issuer=ISSUER, identity=NAME)
    site.pin(policy=policy(attesters=[who], lines=rules(attestations=wanted)))
    site.directory.add_trusted_roots([ROOT])
    kit = site.base / "kit.tar.zst"
    kit.write_bytes(kit_with(bundles, index=b""))
    command = [sys.executable, "-I", "-c", MEASURED, os.fspath(kit), "--quiet"]
    command += ["--trust", os.fspath(site.trust)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, seconds, memory = done.stdout.split()
    assert (status, float(seconds) < 12, int(memory) < 40) == ("0", True, True), done.stdout
