"""Hosts of the pages about evidence: a site that runs a kit, and a desk where evidence comes in."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from pathlib import Path

from kit.build import Options, build
from kit.container.pyz import make_pyz, make_runner_pyz, runner_files, verifier_files
from kit.signing import load_signer
from kit.spec import load_spec
from tools.console import BARE_PYTHON, TOP, Host, make_host
from verifier.rootfile import load_root

KEYS, RUNS = TOP / "fixtures" / "keys", TOP / "fixtures" / "runs"
_SPEC = """\
[kit]
name = "web"
version = "2.0"
line = "web/stable"
sequence = 2
created = 2026-11-24T00:00:00Z
summary = "the web application"
[[component]]
id = "tools"
version = "1"
path = "tools"
lands = "run by kit-run"
[[component.source]]
dir = "tools"
[[component]]
id = "runbook"
version = "1"
path = "runbook"
lands = "read by kit-run"
[[component.source]]
runbook = "runbook.toml"
"""
_RUNBOOK = """\
schema = 1
id = "web"
[environment.staging]
[environment.production]
after = { environment = "staging", maximum-age-days = 30 }
[input.place]
type = "directory"
[[step]]
id = "install"
apply = ["tools/install.py", "{place}", "--report={report}"]
check = ["tools/install.py", "{place}", "--check"]
expect = ["/files == 3"]
undo = { none = "the old version stays beside it" }
"""
_STEP = b"""\
import os, sys
mark = os.path.join(sys.argv[1], "installed")
if sys.argv[2] == "--check":
    sys.exit(0 if os.path.exists(mark) else 10)
print("3 files installed")
open(mark, "w").close()
open(sys.argv[2].partition("=")[2], "w").write('{"files": 3}')
"""


def site(place: Path) -> Host:
    """Make a site: the kit `web`, its runner, a trust directory, settings of two environments."""
    host, source = make_host(place), place / "source"
    (source / "tools").mkdir(parents=True)
    (source / "tools" / "install.py").write_bytes(_STEP)
    (source / "kit.toml").write_text(_SPEC, "utf-8")
    (source / "runbook.toml").write_text(_RUNBOOK, "utf-8")
    root = load_root(os.fspath(KEYS / "root.json"))
    signers = [
        load_signer(os.fspath(KEYS / f"{n}.pem"), root.targets.keys) for n in ("alice", "bob")
    ]
    options = Options(workers=1)
    built = build(load_spec(source / "kit.toml"), [root], source / "out", options, signers=signers)
    home = host.directory
    built.path.rename(home / built.path.name)
    (home / "kit-verify.pyz").write_bytes(make_pyz(verifier_files()))
    (home / "tools").mkdir()
    pyz = make_runner_pyz(verifier_files(), runner_files())
    (home / "tools" / "kit-run.pyz").write_bytes(pyz)
    _pin(home)
    for name in ("staging", "production"):
        (home / f"{name}-place").mkdir()
        _settings(home, name)
    return host


def _pin(home: Path) -> None:
    number = hashlib.sha256((KEYS / "root.json").read_bytes()).hexdigest()
    command = [BARE_PYTHON, "-I", "kit-verify.pyz", "trust", "init", "--trust", "trust"]
    command += ["--root", os.fspath(KEYS / "root.json"), "--fingerprint", number]
    subprocess.run(command, cwd=home, check=True, capture_output=True)


def _settings(home: Path, name: str) -> None:
    value = {
        "type": "https://offline-kit.example/run-settings/v1",
        "environment": name,
        "target": f"the web servers of {name}",
        "inputs": {"place": os.fspath(home / f"{name}-place")},
    }
    path = home / f"{name}.json"
    path.write_text(json.dumps(value), "utf-8")
    path.chmod(0o600)


def desk(place: Path) -> Host:
    """Make a release host to which evidence of a small kit has come, good and other."""
    host = make_host(place)
    home = host.directory
    for name in ("root.json", "operators.json"):
        (home / name).write_bytes((RUNS / name).read_bytes())
    (home / "demo-1.0.tar.zst").write_bytes(gzip.decompress((RUNS / "kit.gz").read_bytes()))
    for case, name in (
        ("closed", "evidence-hall-2-one"),
        ("stopped", "stopped"),
        ("journal_edited", "edited"),
        ("stranger", "stranger"),
        ("another_kit", "other"),
    ):
        data = gzip.decompress((RUNS / case / "evidence.gz").read_bytes())
        (home / f"{name}.tar.zst").write_bytes(data)
    return host
