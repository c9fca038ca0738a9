"""Runs the commands that a page of the docs shows, and gives the page what they print today.

A block of a page that is fenced as ``console`` holds commands behind ``$`` and their output; a
command goes on in the next line behind a backslash.  All blocks of a page run in one shell, in an
empty directory.  A fenced block whose info string has a second word (``toml kit.toml``) is a file:
the shell finds it there from then on.  So a reader who does what the page says gets what it says.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.ready import caller

TOP = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 120
BARE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)
_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<body>.*?)^```$", re.M | re.S)
_MARK = "\x1e"  # what no command prints
_BETWEEN = "{ status=$?; printf '\\036'; (exit $status); }"  # the next command may ask for $?
_OFFLINE_KIT = "import sys; sys.argv[0] = 'offline-kit'; from kit.cli import main; main()"

# What changes with every change of the verifier, since each kit carries it, or with every new key.
_CHANGING = [
    (re.compile(r"\b(?:[0-9a-f]{4} ){15}[0-9a-f]{4}\b"), "<sha256 in groups>"),
    (re.compile(r"\b(?:[0-9a-f]{4} ){7}[0-9a-f]{4}\b"), "<half a sha256 in groups>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}"), "SHA256:<base64>"),  # of an SSH key
    (re.compile(r"\.[0-9a-f]{8}\.link\b"), ".<keyid>.link"),
    (re.compile(r"\b\d+( of \d+)? bytes\b"), "<n> bytes"),
    (re.compile(r"\boffset \d+\b"), "offset <n>"),
    (re.compile(r"\bindex: \d+ members\b"), "index: <n> members"),
    (re.compile(r"\bof \d+ members\b"), "of <n> members"),
    (re.compile(r"\b\d+ of \d+ good\b"), "<n> of <n> good"),
    (re.compile(r'("(?:size|bytes|count)": )\d+\b'), r"\1<n>"),
    (re.compile(r'("decoder": )"[^"]+"'), r'\1"libzstd"'),  # the best one of this host
]


class PageBroken(Exception):
    """A page cannot be run to its end."""


def normalise(text: str) -> str:
    """Return output without what differs from one checkout, or one new key, to the next."""
    for pattern, stable in _CHANGING:
        text = pattern.sub(stable, text)
    return text


@dataclass(frozen=True)
class Host:
    """A directory to stand in, and the programs that the docs name, as a reader has them.

    ``offline-kit`` is the one of this checkout; ``python3`` is an interpreter with nothing
    installed.
    """

    directory: Path
    programs: Path
    environment: Mapping[str, str] = field(default_factory=dict)  # what somebody else has set

    def shell(self, script: str) -> str:
        """Run a script with nothing else in its environment; return what it printed."""
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec 2>&1\n{script}"],
            cwd=self.directory,
            env={
                "PATH": f"{self.programs}:/usr/bin:/bin",
                "HOME": os.fspath(self.directory),
                "LC_ALL": "C.UTF-8",
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return done.stdout.decode("utf-8", "backslashreplace")


def make_host(place: Path, *, python: Sequence[str] = (BARE_PYTHON,)) -> Host:
    """Make a host with an empty directory; ``python`` is what ``python3`` runs on it."""
    programs, directory = place / "bin", place / "home"
    for folder in (programs, directory):
        folder.mkdir(parents=True)
    path = shlex.quote(os.fspath(TOP))
    kit = shlex.join([sys.executable, "-c", _OFFLINE_KIT])
    _write_program(programs / "offline-kit", f"PYTHONPATH={path} exec {kit}")
    _write_program(programs / "python3", f"exec {shlex.join(python)}")
    return Host(directory, programs)


def ready(host: Host) -> None:
    """Have `offline-kit` on a host be a fork of one that has everything imported."""
    path = shlex.quote(os.fspath(TOP))
    _write_program(host.programs / "offline-kit", f"PYTHONPATH={path} exec {caller()}")


def _write_program(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\n{command} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def commands(block: str) -> Iterator[str]:
    """Yield the commands of a console block, each with the lines that it goes on in."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line
            while command.endswith("\\"):
                command += "\n" + next(lines, "")
            yield command[2:]


def has_console(text: str) -> bool:
    """Whether a page shows commands that run."""
    return any(match["info"] == "console" for match in _FENCE.finditer(text))


def _file(name: str, text: str) -> str:
    path = shlex.quote(name)
    return f"mkdir -p $(dirname {path}); cat > {path} <<'end of file'\n{text}end of file"


def run_page(text: str, host: Host) -> str:
    """Run the commands of a page; return the page with what they print now.

    Raises:
        PageBroken: A command ended the shell, or printed what would break the page.
    """
    script: list[str] = []
    for match in _FENCE.finditer(text):
        words = match["info"].split()
        if words == ["console"]:
            script += [f"{command}\n{_BETWEEN}" for command in commands(match["body"])]
        elif len(words) == 2:
            script.append(_file(words[1], match["body"]))
    printed = host.shell("\n".join([*script, ""])).split(_MARK)
    outputs = iter(printed)

    def fresh(match: re.Match[str]) -> str:
        if match["info"] != "console":
            return match[0]
        lines = ["```console\n"]
        for command in commands(match["body"]):
            output = normalise(next(outputs, "```").rstrip("\n"))
            if "```" in output:
                raise PageBroken(f"{command!r} did not run to its end")
            lines.append(f"$ {command}\n" + (f"{output}\n" if output else ""))
        return "".join([*lines, "```"])

    made = _FENCE.sub(fresh, text)
    if next(outputs, None) != "" or next(outputs, None) is not None:
        raise PageBroken("the shell ended early, or printed something that no command printed")
    return made
