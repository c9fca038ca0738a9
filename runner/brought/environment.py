"""A virtual environment without pip and without `ensurepip`, which `python3-minimal` has not.

It is what PEP 405 asks for: ``pyvenv.cfg``, a link to the interpreter, a directory of packages.
"""

from __future__ import annotations

import configparser
import os
import re
import sys

from runner.brought.action import NotPossible

_ENTRY = re.compile(r"([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)(?:\s*\[[^\]]*\])?")  # module:object
_SCRIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_LONGEST = 120  # characters of a path behind #!, which Linux cuts at 127 in old versions


def make(top: str) -> str:
    """Make an environment of this Python in an empty directory; return where packages go."""
    python = getattr(sys, "_base_executable", "") or sys.executable
    number = ".".join(map(str, sys.version_info[:2]))
    packages = os.path.join(top, "lib", f"python{number}", "site-packages")
    os.makedirs(packages, 0o755)
    os.mkdir(os.path.join(top, "bin"), 0o755)
    for name in ("python", "python3", f"python{number}"):
        os.symlink(python, os.path.join(top, "bin", name))
    version = ".".join(map(str, sys.version_info[:3]))
    text = f"home = {os.path.dirname(python)}\ninclude-system-site-packages = false\n"
    with open(os.path.join(top, "pyvenv.cfg"), "w", encoding="utf-8") as file:
        file.write(f"{text}version = {version}\n")
    return packages


def write_scripts(top: str, packages: str, place: str) -> None:
    """Write the console scripts that wheels name (entry points).

    Args:
        place: Where the environment will be when it is whole: scripts name their interpreter.

    Raises:
        NotPossible: A wheel names one that is none.
    """
    for directory in sorted(os.listdir(packages)):
        path = os.path.join(packages, directory, "entry_points.txt")
        if not directory.endswith(".dist-info") or not os.path.isfile(path):
            continue
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            raise NotPossible(f"{directory}: its entry points cannot be read") from None
        section = parser["console_scripts"] if parser.has_section("console_scripts") else {}
        for name, target in section.items():
            found = _ENTRY.fullmatch(target.strip())
            if not found or not _SCRIPT.fullmatch(name):
                raise NotPossible(f"{directory}: {name!r} is no script")
            _write(os.path.join(top, "bin", name), place, found[1], found[2])


def _write(path: str, place: str, module: str, call: str) -> None:
    python = os.path.join(place, "bin", "python3")
    first = f"#!{python}\n"
    if len(python) > _LONGEST or " " in python:  # the shell finds it, and Python reads a text
        first = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    body = f"import sys\nfrom {module} import {call.partition('.')[0]}\nsys.exit({call}())\n"
    with open(path, "x", encoding="utf-8") as file:
        file.write(first + body)
    os.chmod(path, 0o755)
