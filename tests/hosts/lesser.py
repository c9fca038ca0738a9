"""A host that has less: takes away what Windows, macOS or WebAssembly lack, before anything asks.

Run as a program, it does so first of all and then runs pytest with its arguments, so that the
standard library, pytest and the tests see such a host too:

    python tests/hosts/lesser.py tests/unit/verifier -k extract

Only `kit`, which makes the kits of the tests and needs POSIX, still sees all of this host.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

FLAGS = (
    "O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_EXLOCK O_LARGEFILE O_NDELAY"
    " O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC O_SHLOCK O_SYNC O_TMPFILE"
).split()
CALLS = (
    "chown chroot confstr copy_file_range ctermid eventfd fchdir fchmod fchown fdatasync fork"
    " forkpty fpathconf fstatvfs getegid geteuid getgid getgrouplist getgroups getloadavg getpgid"
    " getpgrp getpriority getresgid getresuid getsid getuid getxattr initgroups killpg lchown"
    " listxattr lockf major makedev memfd_create minor mkfifo mknod nice openpty pathconf pipe2"
    " posix_fadvise posix_fallocate posix_openpt posix_spawn posix_spawnp pread preadv pwrite"
    " pwritev readv removexattr sched_get_priority_max sched_getaffinity sched_getparam"
    " sched_getscheduler sched_rr_get_interval sched_setaffinity sched_yield sendfile setegid"
    " seteuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setsid"
    " setuid setxattr splice statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname unshare wait3"
    " wait4 waitid writev"
).split()
MODULES = ("fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "termios", "tty", "winreg")
SETS = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")


def _unless_open(call: Callable[..., None]) -> Callable[..., None]:
    """Return ``call`` as Windows has it, which neither renames nor removes what is open."""

    def checked(*paths: str | os.PathLike[str], **more: Any) -> None:
        caller = sys._getframe(1).f_globals["__name__"].partition(".")[0]
        if caller not in ("shutil", "verifier"):  # tempfile does it here, as it may
            return call(*paths, **more)
        for path in map(os.path.abspath, paths):
            for descriptor in os.listdir("/proc/self/fd"):
                try:
                    target = os.readlink(f"/proc/self/fd/{descriptor}")
                except FileNotFoundError:  # the one that listed them
                    continue
                if f"{target}/".startswith(f"{path}/"):
                    raise PermissionError(13, "is open, as Windows would say", path)
        return call(*paths, **more)

    return checked


class Lesser:
    """This host and the lesser one, and who sees which; a finder of modules (PEP 302)."""

    def __init__(self) -> None:
        self._lesser = os
        self._whole = ModuleType("os")
        self._whole.__dict__.update(os.__dict__)
        self._modules: dict[str, ModuleType] = {}
        for name in MODULES:
            try:
                self._modules[name] = importlib.import_module(name)
            except ModuleNotFoundError:
                continue
        self._sees_all = False

    def take_away(self) -> None:
        """Make this process see a host that has less."""
        for name in (*FLAGS, *CALLS):
            if hasattr(os, name):
                delattr(os, name)
        for name in SETS:
            setattr(os, name, set())
        for name in ("remove", "rename", "replace", "rmdir", "unlink"):
            setattr(os, name, _unless_open(getattr(os, name)))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, self)

    @contextmanager
    def seen(self, all_of_it: bool) -> Iterator[None]:
        """Import under one of the two views."""
        before, self._sees_all = self._sees_all, all_of_it
        self._show()
        try:
            yield
        finally:
            self._sees_all = before
            self._show()

    def _show(self) -> None:
        sys.modules["os"] = self._whole if self._sees_all else self._lesser
        for name, module in self._modules.items():
            if self._sees_all:
                sys.modules[name] = module
            else:
                sys.modules.pop(name, None)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse what such a host does not have, and give each of our packages its view."""
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name.partition(".")[0] not in (*_SEE_ALL, "verifier"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(self, spec.loader)  # type: ignore[assignment]
        return spec


_SEE_ALL = ("kit", "runner")  # they need a POSIX host, and say so


class _Loader:
    """Runs a module under its view of the host."""

    def __init__(self, host: Lesser, loader: Any) -> None:
        self._host, self._loader = host, loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        with self._host.seen(module.__name__.partition(".")[0] in _SEE_ALL):
            self._loader.exec_module(module)


def main() -> int:
    """Run pytest on such a host, or one part of it (``--part I/N``); return its exit status."""
    if not sys.flags.no_site:  # what `site` runs may have imported half of the library already
        import subprocess

        again = [sys.executable, "-S", __file__, *sys.argv[1:]]
        path = os.pathsep.join([os.getcwd(), *sys.path[1:]])
        return subprocess.run(again, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
    words, part, parts = sys.argv[1:], 0, 1
    if words[:1] == ["--part"]:
        part, parts = map(int, words[1].split("/"))
        words = words[2:]
    Lesser().take_away()
    import pytest

    from tests.hosts.honest import Honest

    # what platformdirs adds to pytest asks who the user is as soon as it is loaded
    without = ["-p", "no:cacheprovider", "-p", "no:platformdirs"]
    return int(pytest.main([*words, *without], plugins=[Honest(part, parts)]))


if __name__ == "__main__":
    sys.exit(main())
