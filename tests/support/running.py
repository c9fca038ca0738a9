"""A site for whole runs: a kit with a runbook, a trust directory, settings, and kit-run.pyz."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.build import Options, build
from kit.signing import load_signer
from kit.spec import load_spec
from tests.support.compiled import compiled, write_kit_verify
from tests.support.making import ROOT_FILE, key, pinned, write_files, write_spec
from tests.support.warm import Started, warm

LONG_AGO = "2020-01-01T00:00:00Z"  # a clock before the kit begins no run
COMPONENT = """
[[component]]
id = "runbook"
version = "1"
path = "runbook"
lands = "read by kit-run"
[[component.source]]
runbook = "runbook.toml"
"""
# the trust directory and the programs of the first kit: they are those of every kit
_KEPT: list[tempfile.TemporaryDirectory[str]] = []
# appends a line for each time it works; `--check` asks whether one is there
STEP = b"""\
import os, sys, time
place, name = sys.argv[1].partition("=")[2], sys.argv[2].partition("=")[2]
mode = next((w for w in sys.argv[3:] if w in ("--check", "--undo", "--undone")), "")
mark = os.path.join(place, name)
if mode == "--check":
    sys.exit(0 if os.path.exists(mark) else 10)
if mode == "--undone":
    sys.exit(10 if os.path.exists(mark) else 0)
print("working", name, flush=True)  # before the log: with its runner gone, the pipe is too
with open(os.path.join(place, "log"), "a") as log:
    log.write(f"{mode or '--apply'} {name}\\n")
if mode == "--undo":
    os.unlink(mark)
    sys.exit(0)
for option in sys.argv[3:]:
    if option.startswith("--slow="):
        time.sleep(float(option[7:]))
    while option.startswith("--until=") and not os.path.exists(os.path.join(place, option[8:])):
        time.sleep(0.02)
    if option.startswith("--exit="):
        sys.exit(int(option[7:]))
open(mark, "w").close()
"""


def step(name: str, *more: str, **fields: Any) -> str:
    """Return a step of the runbook in TOML that works as above."""
    words = ["tools/step.py", "--place={place}", f"--name={name}"]
    lines = ["[[step]]", f'id = "{name}"']
    lines.append(f"apply = {json.dumps([*words, *more])}")
    lines.append(f"check = {json.dumps([*words, '--check'])}")
    undo = (
        f"{{ run = {json.dumps([*words, '--undo'])}, check = {json.dumps([*words, '--undone'])} }}"
    )
    fields.setdefault("undo", undo)
    fields.setdefault("secrets", '["word"]')
    lines += [f"{key.replace('_', '-')} = {value}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"


HEAD = """\
schema = 1
id = "small"
title = "a runbook for tests"
[environment.staging]
[environment.production]
[input.place]
type = "directory"
[input.word]
type = "secret"
env = "SMALL_SECRET"
"""
NO_SECRET = HEAD.partition("[input.word]")[0]  # for steps that are given none


@dataclass
class Grounds:
    """A directory with everything that a run needs.

    Attributes:
        place: What the steps change.
        patience: Seconds that a command may take.
    """

    top: Path
    patience: float = 120.0
    kit: Path = field(init=False)
    pyz: Path = field(init=False)
    place: Path = field(init=False)
    trust: Path = field(init=False)
    settings: Path = field(init=False)

    def make(
        self,
        runbook: str,
        files: Mapping[str, bytes] = {},  # never changed
        executable: tuple[str, ...] = (),
        head: str = HEAD,
        **settings: Any,
    ) -> Grounds:
        """Build and sign the kit, pin its root, and take kit-run.pyz out of it."""
        source = self.top / "release"
        source.mkdir(mode=0o755)
        given = {"tools/step.py": STEP, **files}
        write_files(source / "src", given, executable)
        (source / "runbook.toml").write_text(head + runbook, encoding="utf-8")
        names = sorted({name.split("/")[0] for name in given})
        spec = write_spec(source, names, created=LONG_AGO)
        spec.write_text(spec.read_text("utf-8") + COMPONENT, encoding="utf-8")
        self.kit = self.build(spec)
        for name in ("place", "host"):
            (self.top / name).mkdir(mode=0o755)
        self.place, self.trust = self.top / "place", self.top / "host" / "trust"
        self._take_tools()
        self.settings = self.top / "host" / "settings.json"
        (self.top / "host" / "secret").write_text("hunter2hunter2\n", encoding="utf-8")
        (self.top / "host" / "secret").chmod(0o600)
        secret = {"file": str(self.top / "host" / "secret")}
        value: dict[str, Any] = {
            "type": "https://offline-kit.example/run-settings/v1",
            "environment": "production",
            "target": "a directory of a test",
            "inputs": {"place": str(self.place)},
            "secrets": {"word": secret} if "[input.word]" in head else {},
            **settings,
        }
        self.write_settings(value)
        return self

    def build(self, spec: Path, out: str = "out") -> Path:
        """Build and sign a kit of a spec."""
        root = pinned()
        directory = spec.parent / out
        signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
        return build(load_spec(spec), [root], directory, Options(workers=1), signers=signers).path

    def write_settings(self, value: dict[str, Any]) -> None:
        """Write the settings of the site."""
        self.settings.write_text(json.dumps(value), encoding="utf-8")
        self.settings.chmod(0o600)

    def _take_tools(self) -> None:
        """Take the programs out of the kit, as the documentation says; the same for every kit."""
        host = self.top / "host"
        self.pyz = host / "tools" / "kit-run.pyz"
        if not _KEPT:
            self._take_tools_of_the_kit()
            kept = tempfile.TemporaryDirectory(prefix="kit-run-")
            shutil.copytree(host, kept.name, dirs_exist_ok=True)
            _KEPT.append(kept)
        else:
            shutil.copytree(_KEPT[0].name, host, dirs_exist_ok=True)

    def _take_tools_of_the_kit(self) -> None:
        verifier = write_kit_verify(self.top / "host")
        number = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
        command = [sys.executable, "-I", str(verifier), "trust", "init", "--root", str(ROOT_FILE)]
        command += ["--fingerprint", number, "--trust", str(self.trust)]
        subprocess.run(command, check=True, capture_output=True)
        command = [sys.executable, "-I", str(verifier), str(self.kit), "--trust", str(self.trust)]
        command += ["--only", "kit-run.pyz", "--extract", str(self.pyz.parent)]
        subprocess.run(command, check=True, capture_output=True)
        self.pyz.write_bytes(compiled(self.pyz.read_bytes()))

    # --- running ---------------------------------------------------------------------------------

    @property
    def runs(self) -> Path:
        """Where runs are kept."""
        return self.top / "runs"

    @property
    def run_directory(self) -> Path:
        """The directory of the run named `one`."""
        return self.runs / "demo" / "stable" / "one"

    def command(self, *words: str | Path) -> list[str]:
        """Return what starts the runner."""
        return [sys.executable, "-I", "-S", str(self.pyz), *map(str, words)]

    def new(self, command: str = "run", *more: str | Path) -> list[str]:
        """Return what begins a run, or plans one."""
        words: list[str | Path] = [command, self.kit, "--trust", self.trust]
        words += ["--settings", self.settings, *more]
        if command == "run":
            words += ["--runs", self.runs]
            words += [] if "--name" in more else ["--name", "one"]
        return self.command(*words)

    def go(
        self, command: list[str], status: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and hold it to its exit status; the runner is forked, not started."""
        done = self._run(command, environment)
        said = done.stdout + done.stderr
        assert status is None or done.returncode == status, f"exit {done.returncode}\n{said}"
        assert "Traceback" not in said, said
        return done

    def started(
        self, command: list[str], stdout: int | None = None, terminal: int | None = None
    ) -> Started:
        """Start a command of the runner in a fork; its streams lead nowhere else."""
        start = self.command()
        assert command[: len(start)] == start
        runner = warm(self.pyz.read_bytes())
        return runner.start(command[len(start) :], stdout=stdout, terminal=terminal)

    def _run(
        self, command: list[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        start = self.command()
        if command[: len(start)] == start:
            words, runner = command[len(start) :], warm(self.pyz.read_bytes())
            ended = runner.run(words, env=environment, timeout=self.patience)
            said = (text.decode("utf-8") for text in (ended.stdout, ended.stderr))
            return subprocess.CompletedProcess(command, ended.returncode, *said)
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=self.patience,
            env=environment,
            check=False,
        )

    def begin(self, status: int | None = 0, *more: str) -> subprocess.CompletedProcess[str]:
        """Begin a run."""
        return self.go(self.new("run", *more), status)

    def then(
        self, command: str, status: int | None = 0, *more: str
    ) -> subprocess.CompletedProcess[str]:
        """Go on with it in some way."""
        return self.go(self.command(command, self.run_directory, *more), status)

    def state(self) -> dict[str, Any]:
        """Return what ``status --json`` says."""
        value: dict[str, Any] = json.loads(self.then("status", 0, "--json").stdout)
        return value

    def log(self) -> list[str]:
        """Return what the steps did, in order."""
        path = self.place / "log"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def kill_when(self, command: list[str], ready: Any, number: int = signal.SIGKILL) -> int:
        """Start a command, send it a signal as soon as something is so; return how it ended."""
        child = self.started(command)
        deadline = time.monotonic() + self.patience
        while not ready() and child.poll() is None:
            assert time.monotonic() < deadline, "it never came so far"
            time.sleep(0.005)
        if child.poll() is None:
            os.kill(child.pid, number)
        return child.wait(60)
