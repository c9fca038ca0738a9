"""uv as a program: resolves Python packages for all platforms at once (PEP 751)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from kit.sources.errors import ResolveFailed, ToolMissing
from kit.sources.told import not_run, told

_SECONDS = 1800.0


class Uv:
    """uv, with this user's settings for indexes and credentials.

    Raises:
        ToolMissing: It is not installed.
    """

    def __init__(self, scratch: Path) -> None:
        here = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
        self._program = shutil.which("uv", path=here)
        self._scratch, self._count = scratch, 0

    def version(self) -> str:
        """Return the version of uv: another one may resolve to something else."""
        return self._run("--version").split()[1]

    def resolve(self, lines: Sequence[str], python: str, where: str, *, deps: bool = True) -> Path:
        """Resolve requirement lines for every platform; return the pylock.toml that says what.

        Raises:
            ResolveFailed: uv finds no answer.
        """
        answer = self._answer()
        wanted = answer.with_suffix(".in")
        wanted.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        self._run(
            *("pip", "compile", "--quiet", "--universal", "--python-version", python),
            *("--only-binary", ":all:", "--generate-hashes", "--format", "pylock.toml"),
            *(() if deps else ("--no-deps",)),
            *("--output-file", os.fspath(answer), os.fspath(wanted)),
            where=where,
        )
        return answer

    def export(self, project: Path, where: str) -> Path:
        """Return a uv.lock as a pylock.toml, without the project itself and without its groups.

        Raises:
            ResolveFailed: It is none, or the project beside it is not the one that it locks.
        """
        answer = self._answer()
        self._run(
            *("export", "--quiet", "--project", os.fspath(project), "--frozen"),
            *("--no-emit-workspace", "--no-default-groups", "--format", "pylock.toml"),
            *("--output-file", os.fspath(answer)),
            where=where,
        )
        return answer

    def _answer(self) -> Path:
        self._count += 1
        return self._scratch / f"pylock.a{self._count}.toml"

    def _run(self, *arguments: str, where: str = "") -> str:
        if self._program is None:
            raise ToolMissing("uv is not installed: pip install 'offline-kit[wheels]'")
        try:
            done = subprocess.run(
                [self._program, "--no-python-downloads", *arguments],  # nor asks where they are
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                cwd=self._scratch,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ResolveFailed(f"uv {not_run(error)}", where=where) from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").split("\n")
            raise ResolveFailed(f"uv says {told(said)}", where=where)
        return done.stdout.decode("utf-8", "replace")
