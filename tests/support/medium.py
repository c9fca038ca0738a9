"""The medium of first contact: a kit, its verifier and a root, and what an attacker adds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.compiled import kit_verify
from tests.support.people import ROOT_FILE
from tests.support.vector import VECTORS, load_kit


class Medium:
    """A directory with a kit, its verifier and a root, and a file that planted code would make."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.marker = directory / "planted-code-ran"
        self.kit = directory / "kit.tar.zst"
        self.pyz = directory / "kit-verify.pyz"
        self.kit.write_bytes(load_kit(VECTORS / "built_zstd"))
        self.pyz.write_bytes(kit_verify())
        (directory / "root.json").write_bytes(ROOT_FILE.read_bytes())

    @property
    def code(self) -> str:
        """What planted code does."""
        return f"open({os.fspath(self.marker)!r}, 'w').close()\nraise SystemExit(0)\n"

    def plant(self, directory: Path, names: Iterable[str]) -> Path:
        """Write modules that must never be imported; return the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            (directory / f"{name}.py").write_text(self.code)
        return directory

    def run(
        self,
        *arguments: str,
        options: tuple[str, ...] = ("-I",),
        python: str = sys.executable,
        **environment: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run the verifier in the medium's directory as the documents say."""
        return subprocess.run(
            [python, *options, *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def assert_verified(self, done: subprocess.CompletedProcess[str]) -> None:
        """Check that the kit was proved, and by nobody else's code."""
        assert not self.marker.exists()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("VERIFIED: memory 1")


VERIFY = ("kit-verify.pyz", "kit.tar.zst", "--root", "root.json")


LIBRARY = """
#include <fcntl.h>
__attribute__((constructor)) static void planted(void) { open("%s", O_CREAT | O_WRONLY, 0600); }
"""


def library(medium: Medium, name: str) -> Path:
    """Return a shared library that leaves a mark when it is loaded."""
    compiler = next((p for p in ("/usr/bin/cc", "/usr/bin/gcc") if os.path.exists(p)), None)
    if compiler is None:
        pytest.skip("not run: no C compiler is installed")
    made = medium.directory / "lib" / name
    made.parent.mkdir()
    source = made.with_suffix(".c")
    source.write_text(LIBRARY % medium.marker)
    command = [compiler, "-shared", "-fPIC", "-o", os.fspath(made), os.fspath(source)]
    subprocess.run(command, check=True, capture_output=True)
    return made
