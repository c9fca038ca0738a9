"""What `make lnm-site` shows: the release plan of Link-Not-Merge, done at a site and taken back.

Every line that begins with ``$`` is a command that was run, and what follows is what it printed.
Two databases on loopback stand for two clusters, and a stand-in for Concelier.  The runbook is that
of ``fixtures/lnm/site``, but that it looks more often and watches for seconds instead of an hour.
Everything lands in ``build/lnm-site``; an earlier run is removed first.

    python tools/lnm_site.py                # some minutes; fails if the page says something else
    python tools/lnm_site.py --write FILE   # and the transcript as a page, docs/lnm-site.md
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from anywhere

from tests.support.lnmsite import (
    PLACE,
    Drill,
    Target,
    Unexpected,
    concelier,
    has_servers,
    target,
)
from tests.support.making import REPOSITORY
from tests.support.transcript import differences, page, say

KEPT = REPOSITORY / "docs" / "lnm-site.md"
PAGE = """\
# The plan at a site, unabridged

What `make lnm-site` printed, written by `tools/lnm_site.py --write`. CI runs it, and holds this
page to what it prints then. Digests and ports are replaced; times and sizes are those of one run.
[What it proves, and what only a real cluster can](explanation/lnm-site.md).

```text
TRANSCRIPT
```
"""
UNDECIDED, REJECTED, STOPPED, WAITS = 3, 4, 5, 6  # exit statuses of kit-run


def staging(drill: Drill, where: Target) -> Path:
    """Run the plan in staging, and return the evidence of it."""
    say("\n== Staging: plan, and run up to the gate ==")
    drill.run("plan", where, 0, "point of no return", "the site has what it needs")
    with concelier(where):
        drill.run("run", where, WAITS, "waiting: open", name="staging-1")
        say("\n== One person is enough in staging ==")
        drill.approve("staging-1", "ann")
        drill.go("resume", "staging-1", 0, "closed")
    say("\n== What leaves the site, sealed by an operator ==")
    return drill.export("staging-1", "hall-1", "ann")


def production(drill: Drill, where: Target, evidence: Path) -> Path:
    """Run the plan in production, through an alert, a kill and a lost medium."""
    say("\n== Production without evidence of staging ==")
    drill.run("run", where, UNDECIDED, "staging-missing", name="prod-1")
    say("\n== With it; and the secondaries fall behind ==")
    where.cluster.tell(lagSeconds=75.0)
    with concelier(where) as staff:
        text = drill.run("run", where, STOPPED, "lag", name="prod-1", after=evidence)
        drill.expect(text, "21-102")
        drill.go("status", "prod-1", 0, "lagSeconds > 60")
        say("\n== They caught up; the runner is killed in the middle, and the medium is gone ==")
        where.cluster.tell(lagSeconds=0.0)
        before = where.written("prod-1")
        drill.killed("resume", "prod-1", lambda: where.written("prod-1") > before)
        drill.lose_medium()
        drill.go("resume", "prod-1", WAITS, "waiting: open", more=("--end-survivors",))
        say("\n== Two people open the gate; one alone does not ==")
        drill.approve("prod-1", "ann")
        drill.go("resume", "prod-1", WAITS, "waiting: open")
        drill.approve("prod-1", "bob")
        say("\n== It goes on; a publisher hangs, the outbox grows, and somebody wakes it ==")
        with staff.outgrown(drill.directory_of("prod-1") / "journal"):
            drill.go("resume", "prod-1", 0, "ALERT backlog: /unpublished rises", "closed")
        drill.go("status", "prod-1", 0, "closed", "/unpublished rises")
        where.see_migrated()
    drill.find_medium()
    return drill.export("prod-1", "hall-1", "bob")


def back(drill: Drill, where: Target) -> None:
    """Take a run back by each answer, once after a newer kit was accepted."""
    where.wake()
    for name, answer in (("back-1", "yes"), ("back-2", "no")):
        where.refill()
        before = where.contents()
        say(f"\n== A run in staging that stops at its gate ({name}) ==")
        drill.run("run", where, WAITS, "waiting: open", name=name)
        if answer == "yes":
            say("\n== The shard layout broke: the backup is the way back ==")
            where.break_shards()
        else:
            say("\n== Meanwhile the site accepts a newer kit: the older one is refused ==")
            drill.accept_newer()
            drill.run("plan", where, REJECTED, "kit-older")
            say("\n== And back, from the directory of the run ==")
        told = [f"--answer=undo:21-101={answer}"]
        told += ["--answer=way:restore=yes"] if answer == "yes" else []
        drill.go("rollback", name, WAITS, "21-101")
        drill.go("rollback", name, 0, "rolled-back", more=tuple(told))
        where.see_equal(before, indexes=answer == "yes")


def drills() -> None:
    """Bring the servers up, and do all of it."""
    drill = Drill()
    say("== Release host: build the kit, signed by two of three ==")
    drill.build()
    say("\n== Site: prove the kit, and take the runner out of it ==")
    drill.first_contact()
    with contextlib.ExitStack() as stack:
        say("\n(two databases on loopback are up: staging and production)")
        first = stack.enter_context(target("staging"))
        second = stack.enter_context(target("production"))
        evidence = staging(drill, first)
        home = production(drill, second, evidence)
        say("\n== Home: the evidence is held to the kit ==")
        drill.audit(home)
        back(drill, first)


def main() -> int:
    """Run the drill and return its exit status."""
    parser = argparse.ArgumentParser(description="The LNM plan at a site, on loopback.")
    parser.add_argument("--write", metavar="FILE", help="write the transcript as a page")
    options = parser.parse_args()
    if not has_servers():
        print("lnm-site: not run: `make lnm-servers` installs the database", file=sys.stderr)
        return 1
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    started = time.monotonic()
    try:
        drills()
    except Unexpected as error:
        say()
        print(f"lnm-site: {error}", file=sys.stderr)
        return 1
    say("\n== Done: staged, proved, done, and taken back, each as it should be ==")
    print(f"({time.monotonic() - started:.0f} seconds)")
    if options.write:
        Path(options.write).write_text(page(PAGE), encoding="utf-8")
        return 0
    other = list(differences(KEPT.read_text("utf-8"), page(PAGE)))
    for line in other:
        print(line, file=sys.stderr)
    if other:
        why = "docs/lnm-site.md is another one; `make lnm-site ARGS='--write docs/lnm-site.md'`"
        print(f"lnm-site: {why}", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
