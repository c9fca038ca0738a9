"""apt as a program, in a root of its own: any user, any architecture, nothing is installed.

The repositories are those of this host, or of a file beside the spec, narrowed to one suite.  What
is installed at the site is said by ``assume`` and stands in the root's status file, so that apt
itself finds out what is still needed (sources.list(5), apt.conf(5)).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kit.net.client import Client
from kit.sources.aptsources import narrowed
from kit.sources.errors import DebAbsent, ResolveFailed, ToolMissing
from kit.sources.smallfile import read_small
from kit.sources.told import not_run, told
from kit.spec import Source
from verifier.core.limits import MIB

_SECONDS = 1800.0
_TRIES = 3  # of an update: a mirror that is being synchronised says so and is right a moment later
_MAX_SOURCES = MIB
_MAX_ANSWER = 256 * MIB  # bytes of what apt says
_URI = re.compile(r"'([^' ]+)' ([^ /]+) ([0-9]{1,15}) SHA256:([0-9a-f]{64})")
_FILE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)_(?:[0-9]+:)?(?P<version>[0-9][A-Za-z0-9.+~-]*)"
    r"_(?P<architecture>[a-z0-9][a-z0-9-]*)\.deb"
)
_DIRECTORIES = (
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"),
)
# Phased updates would hang on this machine's id: the lock must not.
_SETTINGS = """\
Dir "{root}/";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Etc::trusted "{trusted}";
Dir::Etc::trustedparts "{trustedparts}";
Dir::Etc::netrc "{netrc}";
Dir::Etc::netrcparts "{netrcparts}";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Get::Always-Include-Phased-Updates "true";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::ForceHash "sha256";
Acquire::Retries "3";
"""
_HOST = {
    "sourcelist": "f",
    "sourceparts": "d",
    "trusted": "f",
    "trustedparts": "d",
    "netrc": "f",
    "netrcparts": "d",
}


@dataclass(frozen=True)
class Deb:
    """A package as apt would fetch it.

    Attributes:
        file: Its name in a kit, which has no epoch, as in the pool of its repository.
    """

    uri: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Stanza:
    """What an index says of one version of a package."""

    name: str
    version: str
    architecture: str
    sha256: str
    provides: str
    multi_arch: str


class Apt:
    """A private root, filled from the repositories that a source means.

    Raises:
        ToolMissing: There is no apt here.
        UrlRefused: A repository is asked for without TLS.
        ResolveFailed: No repository has the suite, or they do not answer.
    """

    def __init__(self, source: Source, base: Path, scratch: Path, client: Client, where: str):
        self._root, self._where, self._source = scratch, where, source
        self._config = scratch / "apt.conf"
        for name in _DIRECTORIES:
            (scratch / name).mkdir(parents=True)
        host = _host_places(where)
        self._write_settings(host)
        uris = self._write_sources(base, host)
        for uri in uris:
            if uri.startswith(("http:", "https:")):
                client.check(uri)
        self._status("")
        self._update()
        self._status("".join(map(self._assumed, source.assume)))

    def version(self) -> str:
        """Return the version of apt: another one may resolve to something else."""
        return self._run("apt-get", "--version").split("\n", 1)[0].split()[1]

    def closure(self, wanted: Sequence[str]) -> list[Deb]:
        """Return the packages that have to be carried so that ``wanted`` can be installed.

        Raises:
            ResolveFailed: There is no such set.
        """
        answer = self._run("apt-get", "install", "-y", "-qq", "--print-uris", *wanted)
        return [self._deb(line) for line in answer.splitlines() if line.startswith("'")]

    def exactly(self, wanted: Sequence[tuple[str, str]]) -> list[Deb]:
        """Return where packages of given versions are; those that are gone are left out.

        Args:
            wanted: Names and versions.
        """
        there = {(item.name, item.version) for item in self.known([name for name, _ in wanted])}
        left = [f"{name}={version}" for name, version in wanted if (name, version) in there]
        if not left:
            return []
        answer = self._run("apt-get", "download", "-qq", "--print-uris", *left)
        return [self._deb(line) for line in answer.splitlines() if line.startswith("'")]

    def known(self, names: Sequence[str]) -> list[Stanza]:
        """Return every version of packages that the repositories have, the best first."""
        if not names:
            return []
        command = ("apt-cache", "show", "--all-versions", *sorted(set(names)))
        return list(_stanzas(self._run(*command, check=False)))

    def _deb(self, line: str) -> Deb:
        match = _URI.fullmatch(line)
        name = _FILE.fullmatch(unquote(match[2])) if match else None
        if not match or not name:
            raise ResolveFailed(
                f"apt names what is no file of a package: {told([line], 200)}", where=self._where
            )
        uri = match[1]
        if urlsplit(uri).scheme in {"file", "copy"}:
            uri = f"file://{urlsplit(uri).path}"
        elif urlsplit(uri).scheme not in {"http", "https"}:
            raise ResolveFailed(f"nothing is fetched from {told([uri], 200)}", where=self._where)
        file = f"{name['name']}_{name['version']}_{name['architecture']}.deb"
        return Deb(uri, file, int(match[3]), match[4])

    def _assumed(self, text: str) -> str:
        """Return an entry of the status file: a package that the site has.

        Raises:
            DebAbsent: No version is given, and no repository knows the package.
        """
        name, _, version = text.partition("=")
        found = self.known([name])
        if not found and not version:
            raise DebAbsent(f"no repository knows {name!r}, which is assumed", where=self._where)
        best = next((item for item in found if item.version == version), None)
        best = best or (found[0] if found else Stanza(name, version, "", "", "", ""))
        lines = {
            "Package": name,
            "Status": "install ok installed",
            "Architecture": best.architecture or str(self._source.architecture),
            "Version": version or best.version,
            "Multi-Arch": best.multi_arch,
            "Provides": best.provides,
            "Maintainer": "the site",
            "Description": "assumed",
        }
        return "".join(f"{key}: {value}\n" for key, value in lines.items() if value) + "\n"

    # --- the root

    def _write_settings(self, host: Mapping[str, str]) -> None:
        text = _SETTINGS.format(root=self._root, architecture=self._source.architecture, **host)
        text += "".join(_reaching(self._where))
        self._config.write_text(text, "utf-8")

    def _write_sources(self, base: Path, host: Mapping[str, str]) -> list[str]:
        """Write the entries of the suite; return the addresses of their repositories."""
        source, own = self._source, self._source.repositories
        files = [base / own] if own else list(_host_files(host))
        suite, uris, suites = source.suite or "", [], set()
        parts = self._root / "etc" / "apt" / "sources.list.d"
        for number, path in enumerate(files):
            data = read_small(path, _MAX_SOURCES, ResolveFailed, self._where)
            kind = "sources" if path.suffix == ".sources" else "list"
            found = narrowed(data.decode("utf-8", "replace"), kind, suite, flat=bool(own))
            suites |= found.suites
            uris += found.uris
            if found.uris:
                (parts / f"{number:04}.{kind}").write_text(found.text, "utf-8")
        if not uris:
            of = repr(own) if own else "this host's apt"
            there = ", ".join(sorted(suites)) or "none"
            message = f"{of} knows no repository with the suite {suite!r}; its suites are {there}"
            raise ResolveFailed(message[:2000], where=self._where)
        return uris

    def _status(self, text: str) -> None:
        (self._root / "var/lib/dpkg/status").write_text(text, "utf-8")

    def _update(self) -> None:
        for attempt in range(_TRIES):
            try:
                self._run("apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any")
                return
            except ResolveFailed:
                if attempt == _TRIES - 1:
                    raise

    def _run(self, program: str, *arguments: str, check: bool = True) -> str:
        environment = {**os.environ, "LC_ALL": "C", "APT_CONFIG": os.fspath(self._config)}
        return _run([program, *arguments], environment, self._where, check=check)


def _run(command: list[str], environment: Mapping[str, str], where: str, *, check: bool) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise ToolMissing(f"{command[0]} is not installed", where=where) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ResolveFailed(f"{command[0]} {not_run(error)}", where=where) from None
    if len(done.stdout) > _MAX_ANSWER:
        raise ResolveFailed(f"{command[0]} says more than {_MAX_ANSWER} bytes", where=where)
    if check and done.returncode:
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        errors = [line[3:] for line in lines if line.startswith("E: ")]
        raise ResolveFailed(f"{command[0]} says {told(errors or lines)}", where=where)
    return done.stdout.decode("utf-8", "replace")


def _host_places(where: str) -> dict[str, str]:
    """Return where this host's apt has its repositories, keys and passwords."""
    asked = [word for name, kind in _HOST.items() for word in (name, f"Dir::Etc::{name}/{kind}")]
    answer = _run(["apt-config", "shell", *asked], os.environ, where, check=True)
    found = dict(re.findall(r"^([a-z]+)='([^'\"\n]*)'$", answer, re.M))
    return {name: found.get(name, "/nonexistent") for name in _HOST}


def _host_files(host: Mapping[str, str]) -> Iterator[Path]:
    if os.path.exists(host["sourcelist"]):
        yield Path(host["sourcelist"])
    parts = Path(host["sourceparts"])
    if parts.is_dir():
        yield from sorted(one for one in parts.iterdir() if one.suffix in {".list", ".sources"})


def _reaching(where: str) -> Iterator[str]:
    """Yield the settings of this host that say how servers are reached: proxies, authorities."""
    answer = _run(["apt-config", "dump", "Acquire"], os.environ, where, check=True)
    for line in answer.splitlines():
        if re.match(r"Acquire::https?::", line) and not line.endswith(' "";'):
            yield f"{line}\n"


def _stanzas(text: str) -> Iterator[Stanza]:
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", paragraph, re.M))
        if "Package" in fields and "Version" in fields:
            yield Stanza(
                fields["Package"],
                fields["Version"],
                fields.get("Architecture", ""),
                fields.get("SHA256", ""),
                fields.get("Provides", ""),
                fields.get("Multi-Arch", ""),
            )
