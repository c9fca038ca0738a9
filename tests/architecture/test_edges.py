"""Laws 4 and 7 (CONTRIBUTING, "The laws"): who talks to the host, and who may change it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import Law, Source, complaints, is_below, parse
from tests.support.together import together

# and everything in kit/cli/; streams.py is how both programs end
TALKERS = (
    *("__main__.py", "cli.py", "cli_audit.py", "cli_look.py", "cli_trust.py"),
    *("cli_repair.py", "cli_teller.py", "streams.py"),
)
TALK = {
    "print": "prints",
    "input": "asks the user",
    "sys.stdout": "prints",
    "sys.stderr": "prints",
    "sys.argv": "reads the command line",
    "sys.exit": "exits",
    "exit": "exits",
    "quit": "exits",
    "os._exit": "exits",
    "SystemExit": "exits",
}

SCREENS = ("rich", "typer")
SCREEN_ROOM = "kit/cli/"

SURROUNDINGS = (
    *("os.environ", "os.environb", "os.getenv", "os.getcwd", "os.getcwdb"),
    *("os.path.expanduser", "os.path.expandvars", "pathlib.Path.cwd", "pathlib.Path.home"),
)

# members of a kit; and what a host keeps: state, root and policy it took, a receipt it asked for
WRITERS = (
    *("verifier/extract.py", "verifier/memberfiles.py", "verifier/switch.py", "verifier/folder.py"),
    *("verifier/host/files.py", "verifier/repair/mend.py", "verifier/_compat.py"),
    # a run: its journal, its directory, outputs of programs, wheels; and what steps install
    *("runner/journal.py", "runner/rundir.py", "runner/program.py", "runner/site.py"),
    *("runner/preflight.py", "runner/wheels.py", "runner/brought/install.py"),
    *("runner/brought/placing.py", "runner/brought/switch.py", "runner/brought/environment.py"),
    # the image that programs are run in, and the file for Prometheus
    *("runner/layers.py", "runner/container.py", "runner/imaging.py", "runner/alerting.py"),
    *("runner/brought/debs.py", "runner/brought/registry.py"),
    *("runner/packing/head.py", "runner/packing/pyz.py", "runner/homing/pack.py"),
)
WRITING_OS = frozenset(
    "chflags chmod chown copy_file_range fchmod fchown ftruncate lchmod lchown link makedirs mkdir"
    " mkfifo mknod posix_fallocate pwrite pwritev remove removedirs removexattr rename renames"
    " replace rmdir sendfile setxattr symlink truncate umask unlink utime write writev"
    " O_APPEND O_CREAT O_RDWR O_TMPFILE O_TRUNC O_WRONLY".split()
)
WRITING_METHODS = frozenset(
    "chmod hardlink_to link_to mkdir rename rmdir symlink_to touch unlink write_bytes write_text"
    " extractall".split()
)
HARMLESS_SHUTIL = ("shutil.which", "shutil.disk_usage", "shutil.get_terminal_size")

# What some hosts do not have, Windows first of all: the names stand in one file.
COMPAT = "verifier/_compat.py"
NOT_EVERYWHERE = frozenset(
    "O_BINARY O_CLOEXEC O_DIRECTORY O_DSYNC O_NOATIME O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC"
    " O_TMPFILE copy_file_range fchmod fchown fork fstatvfs geteuid getuid killpg mkfifo"
    " posix_fadvise posix_fallocate pread preadv pwrite pwritev readv sched_getaffinity sendfile"
    " setsid statvfs sysconf uname writev".split()
)
MODULES_NOT_EVERYWHERE = ("fcntl", "grp", "msvcrt", "pwd", "resource", "termios", "winreg")


def only_the_command_line_talks(source: Source) -> Iterator[str]:
    if source.path.rsplit("/", 1)[-1] in TALKERS or source.path.startswith(SCREEN_ROOM):
        return
    for line, name in [*source.uses(), *source.imports()]:
        if not is_below(name, *TALK):
            continue
        for talk, verb in TALK.items():
            if is_below(name, talk):
                yield source.at(line, f"{verb} ({name}): only {' and '.join(TALKERS)} may")
    for line, name in source.imports():
        if is_below(name, *SCREENS) and not source.path.startswith(SCREEN_ROOM):
            yield source.at(line, f"imports {name}: only {SCREEN_ROOM} may")


# It empties the environment before anything reads it: the names that are there, and no value.
FORGETS = "verifier/__main__.py"


def verifier_ignores_surroundings(source: Source) -> Iterator[str]:
    forgotten = set(_forgotten(source)) if source.path == FORGETS else set()
    for line, name in [*source.uses(), *source.imports()]:
        if (line, name) in forgotten:
            continue
        if is_below(name, *SURROUNDINGS) or name.endswith((".expanduser", ".cwd")):
            yield source.at(line, f"reads {name}: whoever left the kit may have set it")


# The environment of the runner is taken and emptied at its start: secrets may be in it.  What the
# runner brings is started by it, and is told its arguments in a variable.
READERS = ("runner/__main__.py", "runner/brought/cli.py")


def runner_reads_its_environment_once(source: Source) -> Iterator[str]:
    if source.path in READERS:
        return
    for line, name in [*source.uses(), *source.imports()]:
        if is_below(name, *SURROUNDINGS) or name.endswith((".expanduser", ".cwd")):
            yield source.at(line, f"reads {name}: only {' and '.join(READERS)} may")


def _forgotten(source: Source) -> Iterator[tuple[int, str]]:
    """Yield where a source lists the names of the environment, or takes one of them out."""
    for node in source.nodes:
        if isinstance(node, ast.Delete):
            yield from ((node.lineno, "os.environ") for target in node.targets if _is_item(target))
        if isinstance(node, ast.Call) and ast.unparse(node) == "list(os.environ)":
            yield node.lineno, "os.environ"


def _is_item(target: ast.expr) -> bool:
    return isinstance(target, ast.Subscript) and ast.unparse(target.value) == "os.environ"


def verifier_writes_nothing(source: Source) -> Iterator[str]:
    if source.path in WRITERS:
        return
    for line, name in [*source.uses(), *source.imports()]:
        module, _, last = name.rpartition(".")
        system = module == "os" or module.endswith("_compat")
        if (
            (system and last in WRITING_OS)
            or (module == "shutil" and name not in HARMLESS_SHUTIL)
            or is_below(name, "tempfile")
        ):
            yield source.at(line, f"uses {name}: only {' and '.join(WRITERS)} may write")
    for (line, name), call in source.calls():
        if name.rpartition(".")[2] in WRITING_METHODS and "." in name:
            yield source.at(line, f"calls {name}: only {' and '.join(WRITERS)} may write")
        if _opens_for_writing(name, call):
            yield source.at(line, f"{name} may write here: only {' and '.join(WRITERS)} may write")


def _opens_for_writing(name: str, call: ast.Call) -> bool:
    last = name.rpartition(".")[2]
    if last == "replace":  # Path.replace has one argument, those of str and datetime have others
        return len(call.args) == 1 and not call.keywords
    if last not in {"open", "fdopen", "ZipFile", "FileIO"} or name == "os.open":
        return False
    own_path = name not in {"open", "io.open", "io.FileIO", "os.fdopen", "zipfile.ZipFile"}
    given = call.args[0 if own_path else 1 :][:1] + [
        k.value for k in call.keywords if k.arg == "mode"
    ]
    return any(
        not isinstance(mode, ast.Constant)
        or not isinstance(mode.value, str)
        or not set("wax+").isdisjoint(mode.value)
        for mode in given
    )


# An audit looks: of its room one module has files written, and only by `verifier.host.files`.
AUDIT, AUDIT_WRITER = "verifier/audit/", "verifier/audit/outputs.py"
WRITING_ROOMS = (
    *("verifier.host.files", "verifier.host.directory", "verifier.extract", "verifier.switch"),
    *("verifier.memberfiles", "verifier.folder", "verifier.repair"),
)


def audit_writes_what_was_named(source: Source) -> Iterator[str]:
    """Yield where a module of the audit could have something written."""
    if not source.path.startswith(AUDIT):
        return
    allowed = ("verifier.host.files",) if source.path == AUDIT_WRITER else ()
    for line, name in source.imports():
        if is_below(name, *WRITING_ROOMS) and not is_below(name, *allowed):
            yield source.at(line, f"imports {name}: only {AUDIT_WRITER} has files written")


def quirks_of_hosts_have_one_home(source: Source) -> Iterator[str]:
    if source.path == COMPAT:
        return
    for line, name in [*source.uses(), *source.imports()]:
        module, _, last = name.rpartition(".")
        if module == "os" and (last in NOT_EVERYWHERE or last.startswith("POSIX_FADV")):
            yield source.at(line, f"names {name}, which some hosts lack: only {COMPAT} may")
        if is_below(name, *MODULES_NOT_EVERYWHERE):
            yield source.at(line, f"uses {name}, which some hosts lack: only {COMPAT} may")
    for (line, name), call in source.calls():
        if name in {"getattr", "hasattr"} and len(call.args) > 1:
            asked = call.args[1]
            if isinstance(asked, ast.Constant) and asked.value in NOT_EVERYWHERE:
                yield source.at(line, f"asks for os.{asked.value}: only {COMPAT} may")


LAWS = [
    (only_the_command_line_talks, ["kit", "verifier", "runner"]),
    (verifier_ignores_surroundings, ["verifier"]),
    (verifier_writes_nothing, ["verifier", "runner"]),
    (runner_reads_its_environment_once, ["runner"]),
    (quirks_of_hosts_have_one_home, ["verifier"]),
    (audit_writes_what_was_named, ["verifier"]),
]

BROKEN = [
    (only_the_command_line_talks, "print('verified')"),
    (only_the_command_line_talks, "import sys\nsys.stderr.write('x')"),
    (only_the_command_line_talks, "from sys import exit as leave\nleave(0)"),
    (only_the_command_line_talks, "import sys as s\nname = s.argv[1]"),
    (only_the_command_line_talks, "raise SystemExit(1)"),
    (only_the_command_line_talks, "def f(): return input('sure? ')"),
    (verifier_ignores_surroundings, "import os\nhome = os.environ['HOME']"),
    (verifier_ignores_surroundings, "from os import getenv"),
    (verifier_ignores_surroundings, "from pathlib import Path\nPath('~').expanduser()"),
    (runner_reads_its_environment_once, "import os\nhome = os.environ['HOME']"),
    (verifier_writes_nothing, "open(path, 'wb')"),
    (verifier_writes_nothing, "open(path, mode='r+b')"),
    (verifier_writes_nothing, "open(path, mode)"),
    (verifier_writes_nothing, "path.open('x')"),
    (verifier_writes_nothing, "path.write_bytes(data)"),
    (verifier_writes_nothing, "path.replace(other)"),
    (verifier_writes_nothing, "import os\nos.mkdir(path)"),
    (verifier_writes_nothing, "import os\nos.open(path, os.O_RDONLY | os.O_CREAT)"),
    (verifier_writes_nothing, "from os import unlink as gone\ngone(path)"),
    (verifier_writes_nothing, "import tempfile"),
    (verifier_writes_nothing, "import shutil\nshutil.rmtree(path)"),
    (verifier_writes_nothing, "import zipfile\nzipfile.ZipFile(path, 'w')"),
    (quirks_of_hosts_have_one_home, "import os\nos.pread(3, 5, 7)"),
    (quirks_of_hosts_have_one_home, "import os\nread = getattr(os, 'preadv', None)"),
    (quirks_of_hosts_have_one_home, "import os\nflags = os.O_RDONLY | os.O_NOFOLLOW"),
    (quirks_of_hosts_have_one_home, "import fcntl"),
    (quirks_of_hosts_have_one_home, "from resource import getrusage"),
]

GOOD = """
import os, shutil, sys
with open(path, "rb") as file: data = file.read()
fd = os.open(path, os.O_RDONLY)
name = text.replace("a", "b")
when = when.replace(tzinfo=utc)
with os.fdopen(fd, "rb") as file: pass
with path.open("rb") as file: pass
program = shutil.which("zstd", path="/usr/bin")
"""


@together(("law", "folders"), LAWS, ids=[law.__name__ for law, _ in LAWS])
def test_law_holds(law: Law, folders: list[str]) -> None:
    assert complaints(law, *folders) == []


@together(("law", "text"), BROKEN)
def test_law_can_fail(law: Law, text: str) -> None:
    assert list(law(parse("verifier/a.py", text)))


@together("law", [law for law, _ in LAWS])
def test_what_is_allowed_passes(law: Law) -> None:
    assert list(law(parse("verifier/a.py", GOOD))) == []


FORGETTING = "import os\nfor name in list(os.environ):\n    del os.environ[name]\n"


def test_audit_has_files_written_in_one_place() -> None:
    asking = "from verifier.host import files\n"
    assert list(audit_writes_what_was_named(parse("verifier/audit/html.py", asking)))
    assert list(audit_writes_what_was_named(parse(AUDIT_WRITER, "import verifier.extract\n")))
    assert list(audit_writes_what_was_named(parse(AUDIT_WRITER, asking))) == []
    assert list(audit_writes_what_was_named(parse("verifier/cli.py", asking))) == []


def test_only_the_start_empties_the_environment_and_it_reads_no_value() -> None:
    assert list(verifier_ignores_surroundings(parse(FORGETS, FORGETTING))) == []
    assert list(verifier_ignores_surroundings(parse("verifier/cli.py", FORGETTING)))
    for more in ("home = os.environ['HOME']", "os.getenv('HOME')", "x = dict(os.environ)"):
        assert list(verifier_ignores_surroundings(parse(FORGETS, FORGETTING + more)))


def test_those_who_may_are_let() -> None:
    assert list(only_the_command_line_talks(parse("verifier/cli.py", "print('verified')"))) == []
    assert list(verifier_writes_nothing(parse("verifier/extract.py", "open(p, 'xb')"))) == []
    assert list(quirks_of_hosts_have_one_home(parse(COMPAT, "import fcntl"))) == []
