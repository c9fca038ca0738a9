"""The full LNM kit at a site: its runbook, with every program in the image that the kit carries.

Called by `make lnm-full`.  The database is that of `make lnm-servers`; without it the run is "not
run".  The programs of the kit meet the Python and the driver of the image and none of the host's.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.conftest import REQUIRE_JUDGES
from tests.support import lnmsite
from tests.support.lnmsite import Drill, Target, Unexpected, has_servers, target
from tests.support.transcript import say

__all__ = ["Unexpected", "at_a_site"]

NAME, LINE = "lnm-full-2026.11.0", "lnm/full"
WAITS = 6  # exit status of kit-run
ENGINES = ("bwrap", "runc")


class Boxed(Drill):
    """The drill of `make lnm-site` with the full kit."""

    @property
    def kit(self) -> str:
        """The kit on the medium."""
        return f"medium/{NAME}/{NAME}.tar.zst"

    def place_of(self, name: str) -> str:
        """Return the directory of a run, as it is typed."""
        return f"site/runs/{LINE}/{name}"


def at_a_site(kit: Path, place: Path) -> None:
    """Run the plan up to its gate in the image of the kit, and take it back; by each engine.

    Raises:
        Unexpected: It goes otherwise, or the database is missing where judges are required.
    """
    if not has_servers():
        why = "the run in the image: not run: `make lnm-servers` installs the database"
        if os.environ.get(REQUIRE_JUDGES) == "1":
            raise Unexpected(why)
        say(why)
        return
    place.mkdir()
    lnmsite.PLACE = place
    drill = Boxed()
    shutil.copytree(kit.parent, place / "medium" / NAME)
    drill.first_contact()
    with target("staging") as where:
        for number, engine in enumerate(ENGINES):
            _run(drill, where, engine, first=not number)


def _run(drill: Boxed, where: Target, engine: str, *, first: bool) -> None:
    say(f"\n== Every program in the image of the kit, by {engine} ==")
    program = shutil.which(engine)
    assert program is not None, "checked before"
    settings = json.loads(where.settings.read_text("utf-8"))
    settings["container"] = {"by": engine, "program": program}
    where.settings.write_text(json.dumps(settings), encoding="utf-8")
    if not first:
        where.refill()
    before = where.contents()
    drill.run("run", where, WAITS, "21-102: done", "validate: done", "waiting: open", name=engine)
    journal = (drill.directory_of(engine) / "journal").read_text("utf-8")
    boxed = journal.count(f'"container":{{"by":"{engine}","image":"sha256:')
    outcomes = journal.count('"type":"outcome"')
    if not boxed == outcomes > 0:
        raise Unexpected(f"{boxed} of {outcomes} programs were run in the image")
    say(f"({boxed} of {outcomes} programs were run in the image)")
    evidence = drill.export(engine, "hall-1", "ann")
    drill.audit(evidence, "NOT CLOSED, unlocks nothing: waiting: open")
    drill.go("rollback", engine, 0, "rolled-back", more=("--answer=undo:21-101=no",))
    where.see_equal(before, indexes=False)
