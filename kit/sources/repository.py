"""A commit of a git repository as a bundle: the same bytes however the repository is packed.

``git bundle create`` gives other bytes after each repack.  So the pack is made of a sorted list of
objects, without deltas, behind the header of a version 2 bundle (gitformat-bundle(5)).  The bytes
still depend on git's zlib: the lock pins them.  A commit id is SHA-1; what is signed is the SHA-256
of the bundle.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from kit.net.client import Client
from kit.net.errors import ArtifactGone
from kit.sources.errors import GitFailed, GitSubmodules, ToolMissing
from kit.sources.fetched import Means, Part, Resolved
from kit.sources.lockfile import LockedArtifact
from kit.sources.told import without_logins
from kit.spec import Source
from kit.store.errors import ArtifactDiffers
from kit.store.store import Artifact

_BRANCH = "refs/heads/kit"
_SECONDS = 3600.0  # for one command of git
_STEP = 1 << 20
_PACK = (
    *("pack-objects", "--stdout", "--quiet", "--window=0", "--depth=0", "--no-reuse-delta"),
    *("--no-reuse-object", "--threads=1", "--compression=6"),
)
# Transports that run no program of the other side's choosing (git(1), GIT_ALLOW_PROTOCOL).
_PROTOCOLS = "https:http:ssh:file"


class GitCommits:
    """Sources with ``git``; see `kit.sources.fetched.Kind`."""

    def resolve(self, part: Part, means: Means) -> Resolved:
        """Ask each repository what a revision means now, and bundle it."""
        resolved = Resolved()
        for where, source in part.sources:
            with tempfile.TemporaryDirectory(prefix="offline-kit-") as directory:
                repository = _Repository(Path(directory), where, means.client)
                commit = repository.fetch(_url(source), source.rev)
                bundle = repository.bundle(commit, means, source)
                resolved.tools["git"] = repository.version()
            resolved.artifacts.append(
                LockedArtifact(
                    component=part.component,
                    path=_path(source, part),
                    commit=commit,
                    size=bundle.size,
                    sha256=bundle.sha256,
                )
            )
        return resolved

    def fetch(self, part: Part, locked: Resolved, missing: set[str], means: Means) -> None:
        """Bundle the commits again that are missing; another git may give other bytes.

        Raises:
            ArtifactDiffers: It does.
        """
        wanted = {item.path: item for item in locked.artifacts if item.sha256 in missing}
        for where, source in part.sources:
            item = wanted.get(_path(source, part))
            if item is None or item.commit is None:
                continue
            with tempfile.TemporaryDirectory(prefix="offline-kit-") as directory:
                repository = _Repository(Path(directory), where, means.client)
                repository.fetch(_url(source), item.commit, instead=source.rev)
                made = repository.bundle(item.commit, means, source)
                version = repository.version()
            if made != item.artifact:
                raise ArtifactDiffers(
                    f"git {version} bundles commit {item.commit} in other bytes than those of the"
                    f" lock, made with git {locked.tools.get('git', 'of another version')}",
                    where=item.path,
                    fix="Lock the component again with --update, or use that git.",
                )


class _Repository:
    """A bare repository that holds one revision and what leads to it."""

    def __init__(self, directory: Path, where: str, client: Client) -> None:
        self._directory, self._where, self._client = directory, where, client
        self._git("init", "--quiet", "--bare", ".")

    def fetch(self, url: str, rev: str, instead: str = "") -> str:
        """Fetch a revision with its history; return the id of its commit.

        Args:
            instead: What to fetch where the server gives no commit by its id; it must lead there.

        Raises:
            UrlRefused: The repository is asked for without TLS.
            GitFailed: The repository does not answer, or does not have it.
            ArtifactGone: It no longer has a commit that was locked.
        """
        if url.startswith(("http:", "https:")):
            self._client.check(url)
        for asked in dict.fromkeys((rev, instead or rev)):
            done = self._run("fetch", "--quiet", "--no-tags", "--", url, asked)
            if done.returncode == 0:
                break
        else:
            raise GitFailed(_why(done, url), where=self._where)
        if asked == rev:
            return self._commit("FETCH_HEAD")
        if self._run("cat-file", "-e", f"{rev}^{{commit}}").returncode:
            now = f"{instead!r} is commit {self._commit('FETCH_HEAD')} now"
            raise ArtifactGone(f"{url!r} no longer has commit {rev}; {now}", where=self._where)
        return self._commit(rev)

    def _commit(self, target: str) -> str:
        command = ("rev-parse", "--verify", "--end-of-options", f"{target}^{{commit}}")
        return self._git(*command).strip()

    def bundle(self, commit: str, means: Means, source: Source) -> Artifact:
        """Put the bundle of a commit into the store.

        Raises:
            GitSubmodules: The commit has submodules, which a bundle does not hold.
        """
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit)
        modules = [line.split("\t", 1)[1] for line in listed.split("\0") if line[:7] == "160000 "]
        if modules and not source.submodules:
            named = ", ".join(map(repr, modules[:20]))
            raise GitSubmodules(f"has the submodules {named}", where=self._where)
        objects = self._git("rev-list", "--objects", "--no-object-names", commit)
        ids = "\n".join(sorted(objects.split())) + "\n"
        head = f"# v2 git bundle\n{commit} HEAD\n{commit} {_BRANCH}\n\n".encode()
        packed = self._directory / "bundle"
        with open(packed, "wb") as file:
            file.write(head)
            file.flush()
            self._run(*_PACK, data=ids.encode(), output=file.fileno(), check=True)
        return means.store.take(packed)

    def version(self) -> str:
        """Return which git it is, and whose build: its zlib decides about bytes."""
        return self._git("version").strip().removeprefix("git version ")[:100]

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments, check=True)
        return done.stdout.decode("utf-8", "surrogateescape")

    def _run(
        self, *arguments: str, data: bytes = b"", output: int = subprocess.PIPE, check: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
            "LC_ALL": "C",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }
        command = ["git", "-C", os.fspath(self._directory)]
        try:
            done = subprocess.run(
                [*command, *arguments],
                input=data,
                stdout=output,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise ToolMissing("git is not installed", where=self._where) from None
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {arguments[0]} did not end", where=self._where) from None
        if check and done.returncode:
            raise GitFailed(_why(done, ""), where=self._where)
        return done


def _url(source: Source) -> str:
    assert source.git is not None
    return source.git


def _path(source: Source, part: Part) -> str:
    name = source.as_ or re.sub(r"\.git$", "", _url(source).rstrip("/")).rpartition("/")[2]
    return f"{part.path}/{name if source.as_ else f'{name}.bundle'}"


def _why(done: subprocess.CompletedProcess[bytes], url: str) -> str:
    """Return what git says, on one line and without its advice; it may quote a server."""
    said, _, _ = done.stderr.decode("utf-8", "replace").partition("\nPlease make sure")
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    text = without_logins("; ".join(lines)) or f"status {done.returncode}"
    return f"git says {text[:300]!r}{f' of {url!r}' if url else ''}"
