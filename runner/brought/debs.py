"""Debian packages of the kit, by the host's own apt-get, from the component and from nowhere else.

The kit was verified, so its repository needs no signature of its own (docs/howto/debs.md).  What
was installed, and by which package another one was replaced, is noted before anything is changed:
that is the way back.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from runner.brought.action import ALONE, DONE, TO_DO, Action, Around, NotPossible
from runner.brought.placing import flag_of, name_of
from runner.program import PATH
from verifier.folder import Folder
from verifier.typed import record

NOTES = "var/lib/offline-kit/debs"
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_INST = re.compile(r"Inst (\S+?)(?::\S+)? (?:\[(\S+)\] )?\((\S+) .*")  # apt-get --simulate
_REMV = re.compile(r"(?:Remv|Purg) (\S+?)(?::\S+)? .*")
_INDEX = "Packages"
_SECONDS = 3600


@record(frozen=True)
class Changes:
    """What apt-get would change.

    Attributes:
        new: Packages that are not there.
        replaced: Packages that are there, with the version that would go.
        removed: Packages that would be gone.
    """

    new: tuple[str, ...]
    replaced: Mapping[str, str]
    removed: tuple[str, ...]


class InstallDebs(Action):
    """The packages ``packages`` and what they need, out of the repository ``from``."""

    def __init__(self, arguments: Mapping[str, str], around: Around = ALONE) -> None:
        super().__init__(arguments, around)
        self._from, self._root = arguments["from"], arguments.get("root", "/")
        self._names = arguments["packages"].split(",")
        for name in self._names:
            if not _PACKAGE.fullmatch(name):
                raise NotPossible(f"{name!r} is no name of a package")
        self._upgrade, self._back = flag_of(arguments, "upgrade"), arguments.get("back", "")
        self._notes = os.path.join(self._root, NOTES, name_of(arguments, "name"))

    # --- what the host says ----------------------------------------------------------------------

    def _call(self, words: Sequence[str], *, may_fail: bool = False, where: str = ".") -> str:
        told = {"PATH": PATH}
        told.update({"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        done = subprocess.run(
            [_program(words[0]), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=told,
            cwd=where,
            timeout=_SECONDS,
            check=False,
        )
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode and not may_fail:
            raise NotPossible(f"{words[0]} exits {done.returncode}: {text.strip()[-400:]}")
        return text

    def _dpkg(self, *words: str) -> str:
        return self._call(["dpkg", f"--root={self._root}", *words])

    def _apt(self, *words: str, own_sources: bool = False) -> str:
        """Call apt-get on the system of the root, with lists and cache of this attempt."""
        options = ["-qq", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root"]
        options += ["-o", "DPkg::Lock::Timeout=60", "-o", "DPkg::Options::=--force-confold"]
        options += ["-o", "APT::Get::AutomaticRemove=false"]
        if self._root != "/":
            options += ["-o", f"Dir={self._root}", "-o", f"DPkg::Options::=--root={self._root}"]
            options += ["-o", f"Dir::State::status={self._root}/var/lib/dpkg/status"]
        if not own_sources:
            here = os.path.abspath("apt")
            for name in ("lists/partial", "cache/archives/partial"):
                os.makedirs(os.path.join(here, name), exist_ok=True)
            source = os.path.join(here, "kit.list")
            with open(source, "w", encoding="utf-8") as file:
                file.write(f"deb [trusted=yes] file:{self._from} ./\n")
            options += [
                "-o",
                f"Dir::Etc::SourceList={source}",
                "-o",
                "Dir::Etc::SourceParts=/dev/null",
            ]
            options += ["-o", f"Dir::State::Lists={here}/lists", "-o", f"Dir::Cache={here}/cache"]
        where = self._notes if own_sources else "."
        return self._call(["apt-get", *options, *words], where=where)

    def _installed(self, name: str) -> str:
        """Return the version of a package that is installed; empty if it is not."""
        words = ["dpkg-query", f"--admindir={self._root}/var/lib/dpkg", "--show"]
        words += ["--showformat=${db:Status-Status} ${Version}", name]
        status, _, version = self._call(words, may_fail=True).strip().partition(" ")
        return version if status == "installed" else ""

    def _carried(self, name: str) -> str:
        """Return the version of a package that the kit has; the highest."""
        found = ""
        for one, version, _ in _index(self._from):
            if one == name and (not found or self._newer(version, found)):
                found = version
        if not found:
            raise NotPossible(f"the kit has no package {name!r}")
        return found

    def _newer(self, one: str, other: str) -> bool:
        words = [_program("dpkg"), "--compare-versions", one, "gt", other]
        return subprocess.run(words, check=False).returncode == 0

    # --- what the runner asks for ----------------------------------------------------------------

    def check(self) -> int:
        """Say whether each of the packages is installed as the kit has it."""
        answer = DONE
        for name in self._names:
            wanted, there = self._carried(name), self._installed(name)
            if there == wanted:
                continue
            if there and self._newer(there, wanted):
                raise NotPossible(f"{name} {there} is installed, newer than {wanted} of the kit")
            if there and not self._upgrade:
                why = "which is only replaced with upgrade = yes"
                raise NotPossible(f"{name} {there} is installed, {why}")
            answer = TO_DO
        return answer

    def apply(self) -> None:
        """Note what will change, have ready what leads back, and install."""
        self._dpkg("--configure", "-a")  # what a kill left
        self._apt("update")
        words = ["install", "--no-remove", *(f"{n}={self._carried(n)}" for n in self._names)]
        changes = self._simulated(*words)
        if changes.removed:
            raise NotPossible(f"it would remove {', '.join(changes.removed)}")
        if changes.replaced and not self._upgrade:
            names = ", ".join(changes.replaced)
            raise NotPossible(f"it would replace {names}, and upgrade = yes is not given")
        self._write_notes(changes)
        self._apt(*words)

    def _simulated(self, *words: str) -> Changes:
        new, replaced, removed = [], {}, []
        for line in self._apt("--simulate", *words).splitlines():
            found = _INST.fullmatch(line)
            if found and found[2]:
                replaced[found[1]] = found[2]
            elif found:
                new.append(found[1])
            gone = _REMV.fullmatch(line)
            if gone:
                removed.append(gone[1])
        return Changes(tuple(new), replaced, tuple(removed))

    def undo_check(self) -> int:
        """Say whether what this step noted is taken back: then its notes are gone."""
        return TO_DO if os.path.lexists(self._notes) else DONE

    def undo(self) -> None:
        """Bring back what was replaced, remove what was new, and nothing else."""
        if not os.path.lexists(self._notes):
            return
        self._dpkg("--configure", "-a")
        notes = self._read_notes()
        saved = sorted(glob.glob(os.path.join(glob.escape(self._notes), "*.deb")))
        if saved:
            self._dpkg("--force-confold", "--install", *saved)
        new = [name for name in notes["new"] if self._installed(name)]
        if new:
            others = set(self._simulated("remove", *new).removed) - set(new)
            if others:
                names = ", ".join(sorted(others))
                raise NotPossible(f"{names} would be removed too, which came after this step")
            self._apt("remove", *new)
        for name, version in notes["replaced"].items():
            if self._installed(name) != version:
                raise NotPossible(f"{name} is not {version} again")
        shutil.rmtree(self._notes)

    # --- what leads back -------------------------------------------------------------------------

    def _read_notes(self) -> dict[str, dict[str, str]]:
        path = os.path.join(self._notes, "changes.json")
        if not os.path.exists(path):
            return {"new": {}, "replaced": {}}
        with open(path, "rb") as file:
            found: dict[str, dict[str, str]] = json.loads(file.read(1 << 24))
        return found

    def _write_notes(self, changes: Changes) -> None:
        """Note what will change, beside what an attempt before this one has noted.

        Raises:
            NotPossible: A package that will be replaced is not to be had again.
        """
        os.makedirs(self._notes, 0o700, exist_ok=True)
        notes = self._read_notes()
        for name, version in changes.replaced.items():
            if name not in notes["new"] and name not in notes["replaced"]:
                self._save(name, version)
                notes["replaced"][name] = version
        for name in changes.new:
            notes["new"].setdefault(name, "")
        with Folder.open(self._notes) as folder:
            folder.discard(b"changes.new")
            descriptor = folder.create(b"changes.new")
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(notes, sort_keys=True).encode())
                file.flush()
                os.fsync(descriptor)
            folder.replace(b"changes.new", b"changes.json")
            folder.sync()

    def _save(self, name: str, version: str) -> None:
        """Keep the package that is installed now, so that the way back needs nothing else."""
        for one, other, path in _index(self._back) if self._back else ():
            if (one, other) == (name, version):
                target = os.path.join(self._notes, os.path.basename(path))
                shutil.copyfile(os.path.join(self._back, path), target)
                return
        try:
            self._apt("download", f"{name}={version}", own_sources=True)
        except NotPossible:
            why = "is installed and not to be had again: give it with `back`"
            raise NotPossible(f"{name} {version} {why}") from None


def _program(name: str) -> str:
    path = shutil.which(name, path=PATH)
    if path is None:
        raise NotPossible(f"this host has no {name}")
    return path


def _index(directory: str) -> list[tuple[str, str, str]]:
    """Return name, version and file of each package that a directory has (Debian Policy 5)."""
    try:
        with open(os.path.join(directory, _INDEX), encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise NotPossible(f"{directory!r} has no index of packages: {error}") from None
    found = []
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): *(.*)$", paragraph, re.M))
        if {"Package", "Version", "Filename"} <= fields.keys():
            found.append((fields["Package"], fields["Version"], fields["Filename"]))
    return found
