"""Programs of the kit inside of an image of the kit, where the settings say so (RUNBOOK 8.2).

The image sees the kit, the files and directories of the settings, and the scratch directory, at the
paths that they have outside; its own files cannot be written.  It has the network of the host.
A container is no child of the runner: it has a name, and is ended by it.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from runner.errors import PreflightFailed
from runner.program import PATH
from verifier.typed import Any, record

_DONE = ".offline-kit-image"  # beside it: the digest of what was unpacked
_SECONDS = 600
_CAPABILITIES = (  # to act as root on files; nothing of networks and mounts
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID".split()
)
_MEMORY = ("/dev/shm", "/run")  # what is written there never reaches a disk


@record(frozen=True)
class Box:
    """An image, and what runs programs in it.

    Attributes:
        by: One of `runner.settings.ENGINES`.
        program: Its absolute path.
        root: The directory of the unpacked image.
        digest: The digest of its manifest.
        read: What may be read, at the same paths.
        write: What may be written.
    """

    by: str
    program: str
    root: str
    digest: str
    read: Sequence[str]
    write: Sequence[str]

    def name(self, mark: str) -> str:
        """Return how a container is called: the same for the same mark."""
        step = mark.split("/")[1] or "way"
        return f"kit-{step[:30]}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"

    def ending(self, name: str) -> list[list[str]]:
        """Return what ends a container by its name, whether it is there or not."""
        if self.by == "bwrap":  # it is a process, with the mark
            return []
        if self.by == "runc":
            return [[self.program, "delete", "--force", name]]
        return [[self.program, "rm", "--force", name]]

    @contextlib.contextmanager
    def words(
        self,
        command: Sequence[str],
        name: str,
        scratch: str,
        plain: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> Iterator[list[str]]:
        """Give what starts a command in the image.

        Args:
            plain: Variables that it gets.
            secrets: More of them; they are handed on, and stand in no command line.
        """
        if self.by == "bwrap":
            yield self._bwrap(command, scratch)
        elif self.by == "runc":
            with self._bundle(command, scratch, {**plain, **secrets}) as place:
                yield [self.program, "run", "--bundle", place, name]
        else:
            yield self._podman(command, name, scratch, plain, secrets)

    @property
    def home(self) -> str:
        """The home of what runs the image; empty if it is that of the program, too.

        podman and docker have their configuration there, and podman without root all it knows.
        """
        return home_of_user() if self.by in ("podman", "docker") else ""

    def _bwrap(self, command: Sequence[str], scratch: str) -> list[str]:
        words = [self.program, "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        words += ["--ro-bind", self.root, "/", "--proc", "/proc", "--dev", "/dev"]
        words += ["--tmpfs", "/tmp"]
        for path in self.read:
            words += ["--ro-bind", path, path]
        for path in self.write:
            words += ["--bind", path, path]
        # the place of this attempt is made in memory: the image cannot be written
        words += ["--tmpfs", os.path.dirname(os.path.dirname(scratch)), "--bind", scratch, scratch]
        return [*words, "--chdir", scratch, "--", *command]

    def _podman(
        self,
        command: Sequence[str],
        name: str,
        scratch: str,
        plain: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> list[str]:
        words = [self.program, "run", "--rm", "--name", name, "--network=host", "--read-only"]
        words += ["--workdir", scratch, "--tmpfs", "/tmp"]
        for variable, value in sorted(plain.items()):
            words += ["--env", f"{variable}={value}"]
        for variable in sorted(secrets):
            words += ["--env", variable]  # its value is taken from ours
        for path in self.read:
            words += ["--volume", f"{path}:{path}:ro"]
        for path in (*self.write, scratch):
            words += ["--volume", f"{path}:{path}"]
        if self.by == "podman":
            return [*words, "--rootfs", self.root, *command]
        return [*words, self.tag, *command]

    @property
    def tag(self) -> str:
        """What docker calls the image."""
        return f"offline-kit:{self.digest.partition(':')[2][:32]}"

    # --- runc ------------------------------------------------------------------------------------

    @property
    def _prefix(self) -> str:
        return f"offline-kit-{hashlib.sha256(self.root.encode()).hexdigest()[:16]}-"

    def forget(self) -> None:
        """Remove what a runner of this run that was killed has left in memory: secrets."""
        for above in _MEMORY:
            for place in glob.glob(os.path.join(above, f"{self._prefix}*")):
                shutil.rmtree(place, ignore_errors=True)

    @contextlib.contextmanager
    def _bundle(
        self, command: Sequence[str], scratch: str, variables: Mapping[str, str]
    ) -> Iterator[str]:
        """Give a bundle; it holds secrets, so it lies in memory, and goes when the program ends."""
        above = next((path for path in _MEMORY if os.access(path, os.W_OK | os.X_OK)), None)
        if above is None:
            raise OSError("there is no file system in memory for what runc reads")
        place = tempfile.mkdtemp(prefix=self._prefix, dir=above)
        try:
            path = os.path.join(place, "config.json")
            with open(path, "x", encoding="utf-8", opener=_private) as file:
                json.dump(self._config(command, scratch, variables), file)
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _config(
        self, command: Sequence[str], scratch: str, variables: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return what the OCI runtime specification 1.0 asks for."""
        mounts: list[dict[str, Any]] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            _memory("/dev", "mode=755", "size=65536k"),
            _memory("/dev/shm", "mode=1777", "size=65536k"),
            _memory("/tmp", "mode=1777"),
        ]
        mounts += [_bind(path, "ro") for path in self.read]
        mounts += [_bind(path, "rw") for path in (*self.write, scratch)]
        kinds = ("bounding", "effective", "permitted")
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False,
                "user": {"uid": 0, "gid": 0},
                "args": list(command),
                "env": [f"{name}={value}" for name, value in sorted(variables.items())],
                "cwd": scratch,
                "capabilities": dict.fromkeys(kinds, _CAPABILITIES),
                "noNewPrivileges": True,
            },
            "root": {"path": self.root, "readonly": True},
            "hostname": "kit",
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
        }


def home_of_user() -> str:
    """Return the home of the user that runs this."""
    import pwd  # here: hardly any run needs it

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _memory(place: str, *options: str) -> dict[str, Any]:
    words = ["nosuid", "nodev", *options] if place != "/dev" else ["nosuid", *options]
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": words}


def _bind(path: str, mode: str) -> dict[str, Any]:
    return {"destination": path, "type": "bind", "source": path, "options": ["rbind", mode]}


# --- the image, before the first step ------------------------------------------------------------


def digest_of(directory: str) -> str:
    """Return the digest of the image that was unpacked into the directory of a run, or nothing."""
    try:
        with open(os.path.join(directory, _DONE), encoding="ascii") as file:
            return file.read(100).strip()
    except OSError:
        return ""


def note_digest(directory: str, digest: str) -> None:
    """Note that an image is unpacked."""
    with open(os.path.join(directory, _DONE), "w", encoding="ascii") as file:
        file.write(f"{digest}\n")


def make_places(root: str, paths: Sequence[str]) -> None:
    """Have the image have a place for what is mounted: a container cannot make it later.

    Raises:
        PreflightFailed: Where it should be, the image has a link or a file.
    """
    for path, wanted in [(path, os.path.isdir(path)) for path in paths] + [
        (path, True) for path in ("/proc", "/dev", "/tmp")
    ]:
        at, parts = root, [part for part in path.split("/") if part]
        for number, part in enumerate(parts, start=1):
            at = os.path.join(at, part)
            last = number == len(parts)
            try:
                mode = os.lstat(at).st_mode
            except FileNotFoundError:
                if last and not wanted:
                    with open(at, "x"):
                        continue
                os.mkdir(at, 0o755)
                continue
            good = stat.S_ISREG(mode) if last and not wanted else stat.S_ISDIR(mode)
            if not good:
                raise PreflightFailed(f"the image has something else where {path!r} is mounted")


def hand_over(box: Box) -> None:
    """Give docker the image, which takes none as a directory.

    Raises:
        PreflightFailed: It refuses.
    """
    told = {"PATH": PATH, "HOME": box.home}
    known = [box.program, "image", "inspect", box.tag]
    silent = {"stdin": subprocess.DEVNULL, "capture_output": True, "check": False, "env": told}
    if subprocess.run(known, timeout=_SECONDS, **silent).returncode == 0:  # type: ignore[call-overload]
        return
    command = [box.program, "import", "-", box.tag]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=told
    )
    assert child.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            with tarfile.open(fileobj=child.stdin, mode="w|") as archive:
                archive.add(box.root, arcname=".")
            child.stdin.close()
        child.stdin = None  # else it is flushed once more
        _, said = child.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise PreflightFailed(f"{box.program} takes no image in ten minutes") from None
    if child.returncode:
        text = said.decode("utf-8", "replace").strip()[-300:]
        raise PreflightFailed(f"{box.program} does not take the image: {text}")
