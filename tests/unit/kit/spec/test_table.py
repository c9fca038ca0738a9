"""What every table of our files has in common: no code of others judges them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.making import write_spec

TOP = Path(__file__).resolve().parents[4]
PROGRAM = """\
import os
from pathlib import Path
from kit.sources.lockfile import Lock
from kit.spec import load_spec
from kit.spec.release import Release
load_spec(Path("kit.toml"))
Release.read({})
Lock.read({"version": 1})
print(os.environ.get("PYDANTIC_DISABLE_PLUGINS"))
"""
PLUGIN = """\
class Plugin:
    def new_schema_validator(self, *args, **kwargs):
        print("a plugin was asked")
        return None, None, None

plugin = Plugin()
"""


def test_no_plugin_of_pydantic_is_asked(tmp_path: Path) -> None:
    write_spec(tmp_path, ["a"])
    (tmp_path / "judging.py").write_text(PLUGIN)
    about = tmp_path / "judging-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: judging\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[pydantic]\njudging = judging:plugin\n")
    paths = os.pathsep.join([os.fspath(TOP), os.fspath(tmp_path)])

    def said(program: str) -> list[str]:
        command = [sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONPATH": paths}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split("\n")[:-1]

    assert said(PROGRAM) == ["None"], "and no program that is started inherits the switch"
    others = "from pydantic import BaseModel\nclass A(BaseModel):\n    a: int\n"
    assert said(others) == ["a plugin was asked"], "pydantic found it otherwise"
