"""What `make lnm` does: the whole release plan of Link-Not-Merge, from sources to the audit.

The pipeline builds, signs, verifies and publishes to a real bucket and a real registry; the release
is fetched, carried, proved without a network under a strict policy, run in staging and production,
taken back, and its evidence is audited at home.  Every line that begins with ``$`` was run.

    python tools/lnm_plan.py                # build/lnm-plan/plan.html and plan.md: row by row
    python tools/lnm_plan.py --write FILE   # and the transcript as a page
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from anywhere

from tests.support import lnmsite
from tests.support.lnmplan import (
    LINE,
    LNM,
    NAME,
    NEXT,
    OWNERS,
    PLAN,
    VERSION,
    Page,
    Places,
    give_cosign,
    make_project,
)
from tests.support.lnmplan import places as servers
from tests.support.lnmsite import Drill, Unexpected, has_servers, target
from tests.support.making import KEYS, REPOSITORY
from tests.support.transcript import page, say
from tools import lnm_site
from tools.demo import isolation

PLACE = REPOSITORY / "build" / "lnm-plan"
SPEC = "release/fixtures/lnm/plan.toml"
POLICY = LNM / "supply" / "policy.json"
WAITS = 3  # exit status of a release whose signatures are missing
PAGE = """\
# The whole release plan, unabridged

What `make lnm` prints; CI runs it. Digests and ports are replaced, times are those of one run. The
plan itself stands [in the README](../README.md#the-release-plan-row-by-row).

```text
TRANSCRIPT
```
"""


class Carried(Drill):
    """The drill of `make lnm-site` with a kit that came the whole way."""

    def __init__(self, where: Places) -> None:
        super().__init__()
        self._where = where
        self._version = VERSION
        self.page = Page()

    @property
    def kit(self) -> str:
        """The kit on the medium that the runs are of."""
        return f"medium/{NAME}-{VERSION}/{NAME}-{VERSION}.tar.zst"

    def place_of(self, name: str) -> str:
        """Return the directory of a run, as it is typed."""
        return f"site/runs/{LINE}/{name}"

    @contextlib.contextmanager
    def row(self, name: str) -> Iterator[list[str]]:
        """Do a row of the plan; what is put into the list is its result."""
        say(f"\n=== {PLAN[name].plan} ===")
        begun, said = time.monotonic(), list[str]()
        try:
            yield said
        except BaseException as error:
            self.page.failed = f"{PLAN[name].plan}: {str(error) or 'it was ended'}"
            raise
        self.page.add(name, "; ".join(said) or "done", time.monotonic() - begun)

    # --- the release host

    def prepare(self) -> None:
        """Write the project, the layout of its steps, and the copy of the site's trust."""
        spec = make_project(PLACE / "release", self._where)
        layout = ["offline-kit", "layout"]
        base, ci = spec.parent, KEYS / "grace.pub"
        words = ["supply/root.layout", "--expires", "2027-11-24T00:00:00Z"]
        self.do(
            [*layout, "init", *words, "--readme", "Made by CI, and by nobody else"], 0, cwd=base
        )
        for step, made in (("image", "images/*"), ("export", "artifacts/lnm/*")):
            words = ["supply/root.layout", step, "--functionary", str(ci), "--materials", "ALLOW *"]
            words += ["--products", f"ALLOW {made}", "--products", "DISALLOW *"]
            self.do([*layout, "add", *words], 0, cwd=base)
        owner = str(KEYS / "frank.pem")
        self.do([*layout, "sign", "supply/root.layout", "--key", owner], 0, cwd=base)
        (PLACE / "sites").mkdir()
        number = hashlib.sha256((KEYS / "root.json").read_bytes()).hexdigest()
        words = ["trust", "init", f"--root={KEYS / 'root.json'}", f"--fingerprint={number}"]
        words += [f"--policy={POLICY}", f"--trust={PLACE / 'sites' / 'hall-1'}"]
        self.do(["python3", "-S", "-m", "verifier", *words], 0, cwd=REPOSITORY)

    def release(self, status: int, *wanted: str, more: tuple[str, ...] = ()) -> str:
        """Run the pipeline."""
        return self.do(["offline-kit", "release", SPEC, *more], status, *wanted)

    def sign_far(self, version: str) -> None:
        """Have Bob sign, who does not sit at the release host."""
        words = ["sign", "--detached", f"out/{NAME}-{version}", f"--key=bob={KEYS / 'bob.pem'}"]
        self.do(["offline-kit", *words, "--out=out"], 0, "signed by bob")

    def fetch(self, version: str) -> None:
        """Fetch a release from the bucket onto the medium."""
        words = ["fetch", f"{LINE}@{version}", "--from", self._where.bucket, "--media=medium"]
        words += [f"--root={KEYS / 'root.json'}", f"--publisher={KEYS / 'mallory.pub'}"]
        words += ["--plain-http", self._where.store]
        self.do(["offline-kit", *words], 0, "fetched and proved")

    def fetch_again(self, version: str) -> None:
        """Fetch the release from the registry too, and compare: it is the same, byte for byte."""
        words = ["fetch", f"{LINE}@{version}", "--from", self._where.repository, "--to=registry"]
        words += [f"--root={KEYS / 'root.json'}", f"--publisher={KEYS / 'mallory.pub'}"]
        words += ["--plain-http", self._where.registry]
        self.do(["offline-kit", *words], 0, "fetched and proved")
        name = f"{NAME}-{version}"
        self.do(["diff", "--recursive", f"medium/{name}", f"registry/{name}"], 0)

    def see_history(self) -> None:
        """Have the bucket's history of the line verified, as any reader can."""
        words = ["releases", "verify", LINE, "--from", self._where.bucket]
        words += [f"--publisher={KEYS / 'mallory.pub'}", "--plain-http", self._where.store]
        self.do(["offline-kit", *words], 0)

    def accept_newer(self) -> None:
        """Release the next version, and have the site accept it."""
        spec = PLACE / SPEC
        text = spec.read_text("utf-8")
        text = text.replace(f'version = "{VERSION}"\nline', f'version = "{NEXT}"\nline')
        spec.write_text(text.replace("created = 2026-11-24", "created = 2026-12-24"), "utf-8")
        self.release(WAITS, "sequence 2")
        self.sign_far(NEXT)
        self.release(0, "entry 2 of lnm/stable", more=("--resume",))
        self.fetch(NEXT)
        kit = f"medium/{NAME}-{NEXT}/{NAME}-{NEXT}.tar.zst"
        words = ["python3", "-I", "-S", "site/kit-verify.pyz", "accept", kit]
        self.do([*words, "--trust=site/trust", "--quiet"], 0)

    # --- the site

    def first_contact(self) -> None:
        """Pin root and policy, prove the kit without a network, and take the runner out of it."""
        shutil.copy((PLACE / self.kit).with_name("kit-verify.pyz"), self.site)
        shutil.copy(KEYS / "root.json", self.site)
        number = hashlib.sha256((KEYS / "root.json").read_bytes()).hexdigest()
        verify = ["python3", "-I", "-S", "site/kit-verify.pyz"]
        words = [*verify, "trust", "init", "--root=site/root.json", f"--fingerprint={number}"]
        self.do([*words, f"--policy={POLICY}", "--trust=site/trust"], 0)
        words = [self.kit, "--trust=site/trust"]
        alone = [*isolation(), lnmsite.PYTHON, *verify[1:]]
        self.do([*alone, *words], 0, "VERIFIED: lnm", "attestation in-toto:layout")
        self.do([*verify, *words, "--only=kit-run.pyz", "--quiet", "--extract=site/tools"], 0)
        (self.site / "trust" / "operators.json").write_bytes(self.operators())


def first(pattern: str, text: str) -> str:
    """Return what a pattern finds, or that it found nothing."""
    found = re.search(pattern, text, re.M)
    return found[1] if found else "not said"


def release_half(drill: Carried) -> None:
    """From sources to a bucket, a registry, and a medium."""
    say("== Release host: the project, the layout of its steps, a copy of the site's trust ==")
    drill.prepare()
    about = drill.page.about
    about["Release"] = f"{NAME} {VERSION} of line {LINE}"
    about["Answered for by"] = ", ".join(OWNERS)
    with drill.row("image") as said:
        text = drill.release(0, more=("--until", "sbom"))
        said += [
            first(rf"^done +({stage}: .*)$", text) for stage in ("steps image", "lock", "sbom")
        ]
    with drill.row("test") as said:
        said.append(first(r"^done +test: (.*)$", drill.release(0, more=("--until", "test"))))
    with drill.row("bundle") as said:
        text = drill.release(0, more=("--until", "build"))
        said.append(first(r"^done +build: (.*)$", text))
        about["kitId, to compare with what sites report"] = first(r"kitId ([0-9a-f]{64})", text)
    with drill.row("policy") as said:
        drill.release(WAITS, "1 more of bob, carol must sign")
        drill.sign_far(VERSION)
        text = drill.release(0, more=("--resume", "--only", "sign"))
        said.append(first(r"^done +sign: (.*)$", text))
        about["Signatures"] = said[-1]
    with drill.row("verify") as said:
        text = drill.release(0, more=("--only", "verify"))
        if shutil.which("cosign") and "not run: cosign" in text:
            raise Unexpected("cosign is here, and was not asked")
        said.append(first(r"^done +verify: (.*)$", text))
    with drill.row("publish") as said:
        said.append(first(r"^done +publish: (.*)$", drill.release(0)))
        about["Published"] = said[-1]
        drill.release(0, "nothing to do")
        drill.see_history()
    with drill.row("carry") as said:
        drill.fetch(VERSION)
        said.append(f"{sum(1 for _ in (PLACE / drill.kit).parent.iterdir())} files on the medium")
        drill.fetch_again(VERSION)
        said.append("from the registry the same, byte for byte")


def site_half(drill: Carried) -> None:
    """From the medium to the audit at home."""
    with drill.row("accept") as said:
        drill.first_contact()
        said.append("verified; every attestation that the policy demands is there")
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(target("staging"))
        two = stack.enter_context(target("production"))
        with drill.row("staging") as said:
            evidence = lnm_site.staging(drill, one)
            said.append("closed; evidence sealed by ann")
        with drill.row("production") as said:
            home = lnm_site.production(drill, two, evidence)
            said.append(
                "refused without evidence; stopped by the lag alert; killed, resumed without the "
                "medium; opened by two people; the backlog's growth raised its alert; closed; "
                "evidence sealed by bob"
            )
        with drill.row("move") as said:
            drill.run("plan", one, 0, "not run here: 21-103")
            said.append("planned, and not run: the runbook has it off")
        with drill.row("rollback") as said:
            lnm_site.back(drill, one)
            said.append("every document is byte for byte what it was, by both ways")
        with drill.row("evidence") as said:
            drill.audit(home)
            said.append("chain, seal, kit, hosts, people and every step hold")


def main() -> int:
    """Run the plan and return its exit status."""
    parser = argparse.ArgumentParser(description="The whole LNM plan, with real servers.")
    parser.add_argument("--write", metavar="FILE", help="write the transcript as a page")
    options = parser.parse_args()
    if not has_servers() or shutil.which("docker-registry") is None:
        why = "`make lnm-servers` installs the databases, the system docker-registry"
        print(f"lnm: not run: {why}", file=sys.stderr)
        return 1
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    lnmsite.PLACE = PLACE
    for path in sorted(KEYS.glob("*.pem")):
        path.chmod(0o600)  # git keeps no such mode, and a key that others may read is named
    begun = time.monotonic()
    with servers(PLACE / "servers") as where:
        os.environ.update(where.environment, OFFLINE_KIT_STORE=os.fspath(PLACE / "store"))
        if give_cosign(PLACE / "bin"):
            os.environ["PATH"] = f"{PLACE / 'bin'}{os.pathsep}{os.environ['PATH']}"
        drill = Carried(where)
        try:
            release_half(drill)
            site_half(drill)
        except Unexpected as error:
            say()
            print(f"lnm: {error}", file=sys.stderr)
            drill.page.failed = drill.page.failed or str(error)
        finally:  # also of a run that ended otherwise there is a page
            _write(drill.page)
    say(f"\n{drill.page.verdict()} ({time.monotonic() - begun:.0f} seconds)")
    say("build/lnm-plan/plan.html and plan.md say so row by row")
    if options.write and drill.page.is_done:
        text = page(PAGE).replace(f"{REPOSITORY}/", "").replace(lnmsite.PYTHON, "python3")
        Path(options.write).write_text(text, encoding="utf-8")
    return 0 if drill.page.is_done else 1


def _write(page: Page) -> None:
    (PLACE / "plan.md").write_text(page.markdown(), encoding="utf-8")
    (PLACE / "plan.html").write_text(page.html(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
