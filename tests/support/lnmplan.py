"""The release plan of Link-Not-Merge at the release host: its project, places, and report."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.lnmsite import faster
from tests.support.making import KEYS, REPOSITORY
from tests.support.registry import registry
from tests.support.seaweed import BUCKET, KEY, SECRET, seaweed

LNM = REPOSITORY / "fixtures" / "lnm"
WHEELS = REPOSITORY / "build" / "lnm-servers" / "wheels"
NAME, LINE, VERSION, NEXT = "lnm", "lnm/stable", "2026.11.0", "2026.12.0"
OWNERS = ["DevOps Guild", "Concelier Storage Guild", "Platform Security"]
LEFT_OUT = ("__pycache__", ".*_cache", "*.pyc", "full", "packaged")
EXPORTED = ("migrations/21-101", "migrations/21-102", "seeds/object-store", "rollout")
ARTIFACTS = "artifacts/lnm"
MORE = """
[[component]]
id = "rollout"
version = "2026.11.0"
path = "rollout"
lands = "run by kit-run"
owner = "DevOps Guild"
[[component.source]]
dir = "artifacts/lnm/rollout"

[[component]]
id = "runbook"
version = "2026.11.0"
path = "runbook"
lands = "read by kit-run"
owner = "DevOps Guild"
[[component.source]]
runbook = "site/runbook.toml"

[[component]]
id = "driver"
kind = "wheels"
version = "4"
path = "packages/driver"
lands = "unpacked by kit-run"
owner = "DevOps Guild"
{driver}
[[exemption]]
paths = ["runbook/runbook.json"]
reason = "the signed runbook, no software: not in an SBOM"

[[attestation]]
file = "attestations/tests.dsse.json"
component = "migrations-21-101"
[[attestation]]
file = "attestations/tests.dsse.json"
component = "migrations-21-102"
"""
EXPORT = """\
import shutil
for name in {names}:
    shutil.copytree(name, "{artifacts}/" + name, dirs_exist_ok=True)
"""
RELEASE = """\
# What `offline-kit release plan.toml` does; no part of the kit.
[release]
root = "{keys}/root.json"
out = "../../../out"
sums-key = "{keys}/sums.pem"
sbom = "write"
sign = ["alice"]
to = ["s3://{bucket}/lnm", "oci://{registry}/releases/lnm"]
publisher = "{keys}/mallory.pem"
owners = {owners}
plain-http = ["{store}", "{registry}"]
one-writer = true

[release.keys]
alice = "{keys}/alice.pem"

[[release.step]]
name = "image"
run = ["python3", "make_runner_image.py", "--write"]
materials = ["make_runner_image.py", "generated.py", "runner", "migrations", "kit.toml"]
products = ["images/migration-runner"]
key = "{keys}/grace.pem"

[[release.step]]
name = "export"
run = ["python3", "export.py"]
materials = ["export.py", "migrations", "seeds", "rollout"]
products = ["artifacts/lnm"]
key = "{keys}/grace.pem"

[release.test]
reports = ["attestations/tests.trx"]
attestation = "attestations/tests.dsse.json"
key = "{keys}/grace.pem"

[release.verify]
key = "{keys}/grace.pem"

[[release.site]]
name = "hall-1"
trust = "../../../sites/hall-1"
"""


@dataclass(frozen=True)
class Places:
    """Where releases go, and what they are made of: servers on loopback, as HOST:PORT.

    Attributes:
        files: The web server that has the driver.
    """

    store: str
    registry: str
    files: str

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 finds its server and its credentials in."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://{self.store}",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def bucket(self) -> str:
        """The bucket, as `--from` takes it."""
        return f"s3://{BUCKET}/lnm"

    @property
    def repository(self) -> str:
        """The repository, as `--from` takes it."""
        return f"oci://{self.registry}/releases/lnm"


@contextlib.contextmanager
def places(directory: Path) -> Iterator[Places]:
    """Run SeaweedFS, docker-registry, and a web server for the driver."""
    program = shutil.which("docker-registry")
    assert program is not None
    with (
        seaweed(directory / "store") as store,
        registry(Path(program), directory / "registry") as host,
        files(WHEELS) as web,
    ):
        yield Places(store.url.removeprefix("http://"), host, web)


@contextlib.contextmanager
def files(directory: Path) -> Iterator[str]:
    """Serve a directory."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=directory)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def give_cosign(directory: Path) -> bool:
    """Make `cosign` in a directory mean the newest one of the judges; return whether there is one.

    `.ci/run` builds them; they stand under the names of their versions.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = sorted(Path(cache, "offline-kit", "judges").glob("cosign-v*"))
    if found:
        directory.mkdir(parents=True)
        (directory / "cosign").symlink_to(found[-1])
    return bool(found)


def make_project(top: Path, where: Places) -> Path:
    """Write the project of the plan below a directory; return its spec."""
    place = top / "fixtures" / "lnm"
    shutil.copytree(LNM, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for old in ("supply", "images"):
        shutil.rmtree(place / old)
    (place / "supply").mkdir()
    (place / ARTIFACTS).mkdir(parents=True)
    shutil.copy(KEYS / "frank.pub", place / "supply" / "owner.pub")
    book = place / "site" / "runbook.toml"
    book.write_text(faster(book.read_text("utf-8")), encoding="utf-8")
    names = [name for name in EXPORTED if (place / name).is_dir()]
    (place / "export.py").write_text(EXPORT.format(names=names, artifacts=ARTIFACTS))
    (place / "plan.toml").write_text(spec_text(where), encoding="utf-8")
    release = RELEASE.format(
        keys=KEYS,
        bucket=BUCKET,
        store=where.store,
        registry=where.registry,
        owners=json.dumps(OWNERS),
    )
    (place / "offline-kit.toml").write_text(release, encoding="utf-8")
    return place / "plan.toml"


def spec_text(where: Places) -> str:
    """Return the spec of the plan: the attested one of the fixture, out of `artifacts/`."""
    driver = "\n".join(
        f'[[component.source]]\nurl = "http://{where.files}/{path.name}"\n'
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"'
        for path in sorted(WHEELS.iterdir())
    )
    text = (LNM / "attested.toml").read_text("utf-8").split("\n", 1)[1]
    for name in EXPORTED:
        text = text.replace(f'dir = "{name}"', f'dir = "{ARTIFACTS}/{name}"')
    return text.replace('links = "supply"', 'links = "links"') + MORE.format(driver=driver)


# --- the report ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of the plan.

    Attributes:
        plan: As the plan has it.
        commands: What does it, as it is typed, but for names in capitals.
        here: What this checkout cannot run of it; empty if all of it runs.
    """

    plan: str
    commands: tuple[str, ...]
    here: str = ""

    @property
    def code(self) -> str:
        """The commands as Markdown."""
        return ", ".join(f"`{command}`" for command in self.commands)


PLAN: Mapping[str, Row] = {
    "image": Row(
        "Build the migration runner image, its SBOM, pin its digest; export to `artifacts/lnm/`",
        ("offline-kit release --until sbom",),
        "the runner is Python: there are no DLLs",
    ),
    "test": Row(
        "`dotnet test` on the runner",
        ("offline-kit release --until test",),
        "there is no .NET: its TRX comes as a file, and is read, attested and carried",
    ),
    "bundle": Row(
        "Offline bundle: 21-101, 21-102, seeds, `SHA256SUMS` + `.sig`, SBOMs, cosign attestations, "
        "DSSE manifest",
        ("offline-kit release --until build",),
        "21-103 is a declared placeholder until its contract is final",
    ),
    "policy": Row(
        "Signing policy: two of three",
        (
            "offline-kit release",
            "offline-kit sign --detached KIT",
            "offline-kit release --resume --only sign",
        ),
    ),
    "verify": Row(
        "`cosign verify-blob`, `sha256sum --check`",
        ("offline-kit release --only verify",),
        "cosign where it is installed; our own check of the same always",
    ),
    "publish": Row(
        "Upload to the release bucket and a registry; record manifest",
        ("offline-kit release", "offline-kit releases verify LINE --from PLACE"),
    ),
    "carry": Row(
        "Fetch at the low side, and carry", ("offline-kit fetch LINE --from PLACE --media DIR",)
    ),
    "accept": Row(
        "Prove it at the site, without a network, under a strict policy",
        ("kit-verify.pyz verify KIT --trust TRUST",),
    ),
    "staging": Row(
        "Staging: backup, freeze ingest, 21-101 with its duration, 21-102 `--batch-size=500 "
        "--stop-on-error` with the hash of its report, validate counts and shards, publishers",
        ("kit-run.pyz plan KIT", "kit-run.pyz run KIT", "kit-run.pyz approve RUN open"),
        "a database on loopback that answers as a sharded cluster would",
    ),
    "production": Row(
        "Production: refused without the evidence of staging, then by two people; alerts: errors, "
        "oplog lag > 60 s, outbox backlog",
        (
            "kit-run.pyz run KIT --after EVIDENCE",
            "kit-run.pyz status RUN",
            "kit-run.pyz resume RUN",
        ),
        "the lag is set, no real secondary falls behind; no document fails here: `make test-long`",
    ),
    "move": Row(
        "When ready: 21-103, raw payloads to the object store, CAS URIs verified; and its way back",
        ("kit-run.pyz plan KIT",),
        "the step is off until its contract is final; its programs are tried by `make test-long`",
    ),
    "rollback": Row(
        "Rollback of 21-102 and 21-101, also by restoring the backup",
        ("kit-run.pyz rollback RUN",),
    ),
    "evidence": Row(
        "Who did what, when, with which kit: for the owners",
        ("kit-run.pyz export RUN", "offline-kit evidence verify KIT"),
    ),
}


def table() -> str:
    """Return the plan as a table of Markdown."""
    lines = ["| the plan | the command | what does not run here |", "|---|---|---|"]
    lines += [f"| {row.plan} | {row.code} | {row.here} |" for row in PLAN.values()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Done:
    """What became of a row.

    Attributes:
        result: In words.
        seconds: How long it took.
    """

    row: Row
    result: str
    seconds: float


@dataclass
class Page:
    """The page that whoever answers for the release reads.

    Attributes:
        about: What the release is, in words: which, by whom, where.
    """

    rows: list[Done] = field(default_factory=list)
    failed: str = ""
    about: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, result: str, seconds: float) -> None:
        """Note that a row is done."""
        self.rows.append(Done(PLAN[name], result, seconds))

    @property
    def is_done(self) -> bool:
        """Whether every row of the plan is done."""
        return not self.failed and [done.row for done in self.rows] == list(PLAN.values())

    def verdict(self) -> str:
        """Return one sentence for all of it."""
        if self.is_done:
            return f"DONE: all {len(PLAN)} rows of the plan"
        rows = f"{len(self.rows)} of {len(PLAN)} rows of the plan"
        return f"NOT DONE: {self.failed or 'it was ended'} ({rows} are done)"

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = ["# The Link-Not-Merge release, row by row", "", f"**{self.verdict()}**", ""]
        lines += [*(f"* {name}: {text}" for name, text in self.about.items()), ""]
        lines += ["| the plan | done with | result | not here | s |", "|---|---|---|---|---|"]
        for done in self.rows:
            row = done.row
            cells = row.plan, row.code, done.result, row.here, f"{done.seconds:.0f}"
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join([*lines, ""])

    def html(self) -> str:
        """Return it as one HTML file that needs nothing else."""
        color = "#161" if self.is_done else "#a11"
        parts = [_HEAD, f'<p class="verdict" style="color:{color}">{_esc(self.verdict())}</p>']
        about = (f"<dt>{_esc(name)}</dt><dd>{_esc(text)}</dd>" for name, text in self.about.items())
        parts.append(f"<dl>{''.join(about)}</dl>")
        heads = ("The plan", "Done with", "Result", "What this run cannot show", "Seconds")
        parts.append("<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>")
        for done in self.rows:
            row = done.row
            commands = "".join(f"<code>{_esc(one)}</code>" for one in row.commands)
            cells = [_esc(row.plan), commands, _esc(done.result)]
            cells += [_esc(row.here), f"{done.seconds:.0f}"]
            parts.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        return "\n".join([*parts, "</table></html>", ""])


_HEAD = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Link-Not-Merge release</title>
<style>body{font:16px/1.4 sans-serif;margin:2em auto;max-width:70em}table{border-collapse:collapse}
td,th{border:1px solid #999;padding:.4em .6em;text-align:left;vertical-align:top}
code{font-size:.85em}dt{font-weight:bold}dd{margin:0 0 .4em 0;overflow-wrap:anywhere}
td code{display:block;margin-bottom:.4em}td:nth-child(2){min-width:17em}
td:nth-child(1),td:nth-child(4){min-width:10em}td:nth-child(3){overflow-wrap:anywhere}.verdict{font-size:1.4em;font-weight:bold}</style>
<h1>The Link-Not-Merge release, row by row</h1>"""


def _esc(text: str) -> str:
    return html.escape(text.replace("`", ""))
