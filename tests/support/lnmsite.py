"""A site for the plan of Link-Not-Merge: two targets, Concelier's stand-in, operators, a medium."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import importlib
import itertools
import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.homes import operators_root
from tests.support.making import REPOSITORY
from tests.support.migrating import DRIVER, advisories
from tests.support.mongo import DATABASE, WHEELS, Cluster, cluster, driver
from tests.support.transcript import say
from tests.unit.lnm import LNM

PLACE = REPOSITORY / "build" / "lnm-site"
KEYS = "fixtures/keys"
SECONDS = 600
ADVISORIES = 1000  # of each target: the server writes some hundred documents a second
PYTHON = getattr(sys, "_base_executable", sys.executable)  # bare: a site has no environment
SPEED = (  # the drill looks more often, and watches for seconds
    (r'every = "(10s|1m)"', 'every = "1s"'),
    (r'wait = "\w+"', 'wait = "1s"'),
)
SAMPLES = 20  # of the backlog that its window has time for: six of them tell that it rises
USERS: dict[str, tuple[str, list[dict[str, str]]]] = {
    "migrator": ("migrator-secret", [{"role": "root", "db": "admin"}]),
    "ingest": ("ingest-secret", [{"role": "readWrite", "db": DATABASE}]),
}


class Unexpected(Exception):
    """A step did not do what the drill is there to show."""


def has_servers() -> bool:
    """Return whether the database is installed."""
    return (WHEELS / "requirements.txt").exists()


# --- targets -------------------------------------------------------------------------------------


@dataclass
class Target:
    """A cluster of the site.

    Attributes:
        name: The environment.
        number: Of advisories.
        directory: Its settings and secrets.
    """

    name: str
    cluster: Cluster
    number: int
    directory: Path

    @property
    def settings(self) -> Path:
        """The settings file of a run on it."""
        return self.directory / "settings.json"

    @functools.cached_property
    def client(self) -> Any:
        """A client of somebody who may do anything."""
        return driver().MongoClient(self.cluster.uri_of("migrator", USERS["migrator"][0]))

    @property
    def database(self) -> Any:
        """Concelier's database."""
        return self.client[DATABASE]

    def wake(self) -> None:
        """Have the client speak anew: connections that were idle for minutes are gone."""
        self.client.close()
        del self.__dict__["client"]

    def refill(self) -> None:
        """Make the database what it is before the release."""
        self.cluster.tell(shardKeys={}, lagSeconds=0.0, shares=[0.5, 0.5])
        self.client.drop_database(DATABASE)
        self.database.advisories.insert_many(advisories(self.number))
        self.database.advisories.create_index([("advisoryKey", 1)], name="key", unique=True)

    def prepare(self) -> None:
        """Write secrets and settings of a run on it."""
        self.directory.mkdir(parents=True, mode=0o700)
        (self.directory / "work").mkdir(mode=0o700)
        for user in USERS:
            path = self.directory / user
            path.touch(0o600)
            path.write_text(self.cluster.uri_of(user, USERS[user][0]), encoding="utf-8")
        value = {
            "type": "https://offline-kit.example/run-settings/v1",
            "environment": self.name,
            "target": f"{self.name}: 127.0.0.1:{self.cluster.port}",
            "inputs": {"work": str(self.directory / "work")},
            "secrets": {
                "mongo": {"file": str(self.directory / "migrator")},
                "ingest": {"file": str(self.directory / "ingest")},
            },
        }
        self.settings.write_text(json.dumps(value), encoding="utf-8")
        self.settings.chmod(0o600)

    def written(self, run: str) -> int:
        """Return how many observations a backfill has written."""
        query = {"backfill.runId": run}
        return int(self.database.advisory_observations.count_documents(query))

    def break_shards(self) -> None:
        """Let the catalogue say something else than the plan, as after an accident."""
        self.cluster.tell(shardKeys={f"{DATABASE}.advisory_linksets": {"advisoryKey": 1}})

    def contents(self) -> dict[str, Any]:
        """Return every document as the bytes that it is, and every index, by collection."""
        raw = importlib.import_module("bson.raw_bson").RawBSONDocument
        options = importlib.import_module("bson.codec_options").CodecOptions(document_class=raw)
        return {
            name: (
                [d.raw for d in self.database.get_collection(name, options).find().sort("_id", 1)],
                self.database[name].index_information(),
            )
            for name in sorted(self.database.list_collection_names())
            if name != "lnm_rollout"
        }

    def see_equal(self, before: dict[str, Any], *, indexes: bool) -> None:
        """Hold the data to what it was, document by document.

        Raises:
            Unexpected: It is not.
        """
        after = self.contents()
        if indexes and after != before:
            raise Unexpected(f"{self.name} is not what it was: {sorted(after)}")
        left = {name: found[0] for name, found in after.items() if found[0]}
        left.pop("lnm_backfill_runs", None)  # remembers that the run was taken back
        if left != {name: found[0] for name, found in before.items() if found[0]}:
            raise Unexpected(f"{self.name} has other documents than before: {sorted(left)}")
        number = sum(len(found) for found in left.values())
        say(f"({number} documents are, byte for byte, what they were before the run)")

    def see_migrated(self) -> None:
        """Hold the database to what the plan promises, while publishers still work.

        Raises:
            Unexpected: It is not so.
        """
        count = {
            name: self.database[name].count_documents({"backfill.runId": "prod-1"})
            for name in ("advisory_observations", "advisory_linksets", "advisory_linkset_events")
        }
        events, until = self.database.advisory_linkset_events, time.monotonic() + 60
        while waiting := events.count_documents({"published": False}):
            if time.monotonic() > until:
                break
            time.sleep(0.2)
        say(f"({', '.join(f'{number} {name}' for name, number in count.items())}; {waiting} wait)")
        if count["advisory_linksets"] < self.number or waiting:
            raise Unexpected("the plan promises more than that")


@contextlib.contextmanager
def target(name: str, advisories: int = ADVISORIES) -> Iterator[Target]:
    """Run a cluster with advisories, and users of its own."""
    with tempfile.TemporaryDirectory() as place, cluster(Path(place), users=USERS) as running:
        one = Target(name, running, advisories, PLACE / "site" / name)
        one.refill()
        one.prepare()
        yield one
        one.client.close()


@dataclass(frozen=True)
class Concelier:
    """The stand-in for Concelier at a target: ingest goes on through it all, as one does.

    Attributes:
        ingest: The process that writes with the credentials that are frozen.
        publisher: The process that empties the outbox.
    """

    where: Target
    ingest: subprocess.Popen[bytes]
    publisher: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def outgrown(self, journal: Path) -> Iterator[None]:
        """Have the publisher hang once it publishes, and the outbox grow until somebody hears."""
        ended = threading.Event()
        filling = threading.Thread(target=self._outgrow, args=(journal, ended))
        filling.start()
        try:
            yield
        finally:
            ended.set()
            filling.join()
            self.publisher.send_signal(signal.SIGCONT)

    def _outgrow(self, journal: Path, ended: threading.Event) -> None:
        events = self.where.database.advisory_linkset_events
        while not ended.wait(0.1) and not events.count_documents({"published": True}, limit=1):
            pass
        self.publisher.send_signal(signal.SIGSTOP)
        for number in itertools.count():
            if ended.wait(0.1) or b'"probe":"backlog"' in journal.read_bytes():
                break
            event = {"linksetId": "l", "type": "linkset.created", "published": False}
            events.insert_one({"_id": f"late:{number}", **event})
        self.publisher.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def concelier(where: Target) -> Iterator[Concelier]:
    """Run ingest and publisher of a target."""
    script = LNM / "concelier" / "concelier.py"
    environment = {"PYTHONPATH": str(DRIVER)}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for part, user in (("ingest", "ingest"), ("publish", "migrator")):
            environment["CONCELIER_MONGO_URI"] = where.cluster.uri_of(user, USERS[user][0])
            words = [sys.executable, str(script), part, f"--to={where.directory / 'published'}"]
            with open(where.directory / f"{part}.log", "ab") as log:
                children.append(subprocess.Popen(words, env=environment, stdout=log, stderr=log))
        yield Concelier(where, *children)
    finally:
        for child in children:
            child.terminate()
            child.wait(15)


# --- the site ------------------------------------------------------------------------------------


class Drill:
    """Kits, keys and commands of the drill; its commands are shown as they are typed."""

    def __init__(self) -> None:
        self.site = PLACE / "site"
        self.site.mkdir(mode=0o755)
        (self.site / "evidence").mkdir(mode=0o700)
        self.medium = PLACE / "medium"
        self.keys = {name: self._operator(name) for name in ("ann", "bob")}

    def _operator(self, name: str) -> Path:
        path = self.site / name
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        return path

    def operators(self) -> bytes:
        """Return the root of operators over the keys of two people."""
        named = {}
        for name, path in self.keys.items():
            word = path.with_suffix(".pub").read_text("ascii").split()[1]
            named[name] = ("x-offline-kit-sshsig-ed25519", base64.b64decode(word)[19:].hex())
        return operators_root(named)

    # --- commands

    def do(self, command: list[str], status: int, *wanted: str, cwd: Path | None = None) -> str:
        """Show a command, run it, and hold it to its exit status and to what it says.

        Raises:
            Unexpected: It is another one, or it says something else.
        """
        say(f"$ {_shown(command)}")
        done = subprocess.run(
            _real(command),
            cwd=cwd or PLACE,
            env=_environment(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        text = done.stdout.decode("utf-8", "replace").replace(f"{PLACE}/", "")
        if text:
            say(text.rstrip("\n"))
        say("$ echo $?")
        say(str(done.returncode))
        if done.returncode != status:
            raise Unexpected(f"exit status {done.returncode} where {status} was expected")
        self.expect(text, *wanted)
        return text

    def expect(self, text: str, *wanted: str) -> None:
        """Hold what was printed to what the drill is there to show.

        Raises:
            Unexpected: A sentence is missing.
        """
        for sentence in wanted:
            if sentence not in text:
                raise Unexpected(f"{sentence!r} was expected and not printed")

    # --- release host

    def build(self, version: str = "", sequence: int = 1) -> Path:
        """Build and seal the kit; return its directory on the medium."""
        source = PLACE / f"release{version}"
        _copy_source(source, version, sequence)
        keys = [f"--key={REPOSITORY / KEYS / name}.pem" for name in ("alice", "bob")]
        words = ["offline-kit", "build", f"{source.name}/lnm/site/kit.toml", *keys]
        words += [f"--root={REPOSITORY / KEYS / 'root.json'}", "--out=medium"]
        self.do(words, 0, "signed by alice, bob")
        return self.medium

    @property
    def kit(self) -> str:
        """The kit on the medium, as it is typed."""
        name = "lnm-site-2026.11.0"
        return f"medium/{name}/{name}.tar.zst"

    # --- the site's side

    def first_contact(self) -> None:
        """Pin the root, and take the runner out of the kit that is proved."""
        release = (PLACE / self.kit).parent
        shutil.copy(release / "kit-verify.pyz", self.site)
        root = REPOSITORY / KEYS / "root.json"
        shutil.copy(root, self.site)
        number = hashlib.sha256(root.read_bytes()).hexdigest()
        verify = ["python3", "-I", "-S", "site/kit-verify.pyz"]
        words = [*verify, "trust", "init", "--root=site/root.json", f"--fingerprint={number}"]
        self.do([*words, "--trust=site/trust"], 0)
        words = [*verify, self.kit, "--trust=site/trust", "--only=kit-run.pyz", "--quiet"]
        self.do([*words, "--extract=site/tools"], 0)
        (self.site / "trust" / "operators.json").write_bytes(self.operators())

    def _runner(self, *words: str) -> list[str]:
        return ["python3", "-I", "-S", "site/tools/kit-run.pyz", *words]

    def run(
        self,
        command: str,
        where: Target,
        status: int,
        *wanted: str,
        name: str = "",
        after: Path | None = None,
    ) -> str:
        """Plan or begin a run of the kit on the medium."""
        settings = where.settings.relative_to(PLACE)
        words = self._runner(command, self.kit, "--trust=site/trust", f"--settings={settings}")
        if command == "run":
            words += ["--runs=site/runs", f"--name={name}"]
        if after is not None:
            words.append(f"--after={after.relative_to(PLACE)}")
        return self.do(words, status, *wanted)

    def place_of(self, name: str) -> str:
        """Return the directory of a run, as it is typed."""
        return f"site/runs/lnm/site/{name}"

    def directory_of(self, name: str) -> Path:
        """Return the directory of a run."""
        return PLACE / self.place_of(name)

    def go(
        self, command: str, name: str, status: int, *wanted: str, more: tuple[str, ...] = ()
    ) -> str:
        """Go on with a run in some way."""
        return self.do(self._runner(command, self.place_of(name), *more), status, *wanted)

    def killed(self, command: str, name: str, ready: Callable[[], bool]) -> None:
        """Start a command, and kill it as soon as something is so.

        Raises:
            Unexpected: It ended before.
        """
        words = self._runner(command, self.place_of(name))
        say(f"$ {_shown(words)}")
        child = subprocess.Popen(
            _real(words),
            cwd=PLACE,
            env=_environment(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        until = time.monotonic() + 120
        while not ready() and child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        if child.poll() is not None:
            raise Unexpected(f"{command} ended with {child.returncode} before it was killed")
        os.kill(child.pid, signal.SIGKILL)
        child.wait(30)
        say("(killed by SIGKILL within a batch)")

    def approve(self, name: str, who: str) -> None:
        """Let a person sign what opens the gate, and hand it in."""
        place, statement = self.place_of(name), f"site/{who}.{name}"
        self.do(self._runner("approve", place, "open", f"--out={statement}"), 0)
        sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "offline-kit", "-f", f"site/{who}"]
        self.do([*sign, statement], 0)
        words = ["approve", place, "open", f"--signature={statement}.sig", "--trust=site/trust"]
        self.do(self._runner(*words), 0, f"approved by {who}")

    def lose_medium(self) -> None:
        """Take the medium away."""
        say("(the medium is taken away)")
        self.medium.rename(PLACE / "elsewhere")

    def find_medium(self) -> None:
        """Bring it back."""
        (PLACE / "elsewhere").rename(self.medium)

    def accept_newer(self) -> None:
        """Build the next release, and have the site accept it."""
        self.build("2026.12.0", 2)
        kit = "medium/lnm-site-2026.12.0/lnm-site-2026.12.0.tar.zst"
        words = ["python3", "-I", "-S", "site/kit-verify.pyz", "accept", kit]
        self.do([*words, "--trust=site/trust", "--quiet"], 0)

    # --- evidence

    def export(self, name: str, site: str, who: str) -> Path:
        """Pack what a run leaves, sealed by an operator; return the file."""
        more = (f"--site={site}", "--out=site/evidence", f"--key=ssh:site/{who}")
        text = self.go(
            "export", name, 0, f"SEALED by {who}", more=(*more, "--trust=site/trust", "--yes")
        )
        found = re.search(r"^wrote (\S+)$", text, re.M)
        assert found is not None
        return PLACE / found[1]

    def audit(self, evidence: Path, wanted: str = "\nCLOSED: every step is done") -> None:
        """Hold evidence to its kit, as the release team does."""
        words = ["offline-kit", "evidence", "verify", str(evidence.relative_to(PLACE))]
        words += [f"--kit={self.kit}", "--root=site/root.json"]
        self.do([*words, "--operators=site/trust/operators.json"], 0, wanted)


def faster(runbook: str) -> str:
    """Return the runbook of the plan, but that it looks more often and watches for seconds."""
    for pattern, instead in SPEED:
        runbook = re.sub(pattern, instead, runbook)
    window = f'watch-after = "{math.ceil(SAMPLES * (0.5 + _start_seconds()))}s"'
    return re.sub(r'watch-after = "\w+"', window, runbook)


@functools.cache
def _start_seconds() -> float:
    """Return how long a program with the driver takes to start here, now."""
    began = time.monotonic()
    for _ in range(3):
        words = [sys.executable, "-I", "-c", f"import sys; sys.path.append({str(DRIVER)!r})"]
        words[-1] += "; import pymongo"
        subprocess.run(words, check=True)
    return (time.monotonic() - began) / 3


def _copy_source(source: Path, version: str, sequence: int) -> None:
    """Copy what the kit is made of, quicker to watch and, for the next release, newer."""
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache", "images", "attestations")
    shutil.copytree(LNM, source / "lnm", ignore=left_out)
    shutil.copytree(WHEELS, source / "wheels")
    book = source / "lnm" / "site" / "runbook.toml"
    book.write_text(faster(book.read_text("utf-8")), encoding="utf-8")
    spec = source / "lnm" / "site" / "kit.toml"
    text = spec.read_text("utf-8").replace("../../../build/lnm-servers/wheels", "../../wheels")
    if version:
        text = text.replace('"2026.11.0"', f'"{version}"')
        text = text.replace("sequence = 1", f"sequence = {sequence}")
    spec.write_text(text, encoding="utf-8")


def _shown(command: list[str]) -> str:
    lines = [command[0]]
    for word in command[1:]:
        word = shlex.quote(word.replace(f"{REPOSITORY}/", ""))
        if word.startswith("--") and len(lines[-1]) > 72:
            lines.append("   ")
        lines[-1] += f" {word}"
    return " \\\n".join(lines)


def _real(command: list[str]) -> list[str]:
    if command[0] == "python3":
        return [PYTHON, *command[1:]]
    if command[0] == "offline-kit":
        return [sys.executable, "-m", "kit.cli", *command[1:]]
    return command


def _environment(command: list[str]) -> dict[str, str]:
    """Return an empty environment for the site, and our own for the release host."""
    if command[0] == "offline-kit":
        return {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    return {"PATH": "/usr/bin:/bin"}
