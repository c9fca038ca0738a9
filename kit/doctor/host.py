"""Programs, packages and disks of this host.  Programs are asked for their version, and no more."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

from kit.doctor.model import BROKEN, MISSING, OK, Finding
from kit.errors import show
from verifier import _compat
from verifier.core.limits import MIB

_SECONDS = 10  # a program that says its version takes milliseconds
_LOW = 1024 * MIB  # bytes free, below which a release of any size may not fit
_NUMBER = re.compile(r"[0-9]+\.[0-9][0-9A-Za-z.+~-]*")

_PROGRAMS = (  # name, how it says its version, what is lost without it
    ("git", ("--version",), "no `git` sources"),
    ("ssh-keygen", (), "no SSH keys as signers (ssh:PATH), no SSH signature of SHA256SUMS"),
    ("cosign", ("version",), "none but our own check of SHA256SUMS.sig at the release host"),
    ("apt-get", ("--version",), "no `debs` sources in `lock`"),
    ("npm", ("--version",), "its registry is not asked for: `npm` sources name theirs in the lock"),
    ("unshare", ("--version",), "`release` cannot take the network away from the shipped verifier"),
    ("sha256sum", ("--version",), "none but our own check of SHA256SUMS at the release host"),
    ("skopeo", ("--version",), "nothing: images are fetched without it"),
    ("openssl", ("version",), "no second opinion on P-256 (`verify --openssl`)"),
)
_PACKAGES = (  # module, extra, what is lost without it
    ("boto3", "s3", "no `publish` or `fetch` with s3://"),
    ("sigstore", "sigstore", "no `attest --keyless`"),
    ("in_toto", "intoto", "no in-toto links and layouts"),
    ("uv", "wheels", "no `wheels` sources in `lock`"),
)


def look_at_host() -> Iterator[Finding]:
    """Yield what is installed here."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", OK, f"{version}, {sys.executable}")
    library = ".".join(map(str, zstandard.ZSTD_VERSION))
    yield Finding("zstd", OK, f"zstandard {zstandard.__version__} with libzstd {library}")
    for name, arguments, costs in _PROGRAMS:
        path = shutil.which(name)
        if path is None:
            yield Finding(name, MISSING, "is not on PATH", costs)
        else:
            yield Finding(name, OK, f"{path}{_version(path, arguments)}")
    for module, extra, costs in _PACKAGES:
        if importlib.util.find_spec(module) is None:
            how = f"is not installed: pip install 'offline-kit[{extra}]'"
            yield Finding(module, MISSING, how, costs)
        else:
            yield Finding(module, OK, "is installed")


def look_at_disk(name: str, directory: Path) -> Finding:
    """Return how much room there is where files of a kind go."""
    there = directory
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        room = os.statvfs(there)
    except OSError as error:
        return Finding(name, BROKEN, f"{show(there)}: {error.strerror}")
    free = room.f_bavail * room.f_frsize
    detail = f"{show(directory)}: {free // MIB} MiB free"
    if not os.access(there, os.W_OK):
        return Finding(name, BROKEN, f"{detail}, and this user may not write there")
    if free < _LOW:
        return Finding(name, BROKEN, detail, "a release may not fit")
    cores = _compat.cores()
    return Finding(name, OK, f"{detail}; {cores} core{'' if cores == 1 else 's'}")


def _version(path: str, arguments: tuple[str, ...]) -> str:
    """Return the number that a program says it has, with a comma before; empty if it says none."""
    if not arguments:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ", which does not say its version"
    found = _NUMBER.search((done.stdout + done.stderr)[:4096].decode("ascii", "replace"))
    return f", {found[0]}" if found else ", which does not say its version"
