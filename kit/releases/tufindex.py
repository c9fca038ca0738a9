"""The index of lines as a TUF repository too, so that online mirrors have freshness.

The root of it is one of its own: a root of kits is signed by people, and a timestamp is not.  Its
targets are entries and files of releases, called as they are at a place (RELEASES 6.1).  It gives
order and freshness to whoever reads by a TUF client, and never trust in a kit.

Time comes in as arguments.  Metadata that would say the same keeps its version, so that running it
again is nothing; the timestamp goes last, since it is what a reader begins with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import Key, Signature, SSlibKey  # type: ignore[attr-defined]
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # no __all__
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from kit.container.output import refused, replace_file
from kit.errors import show
from kit.places.model import entry_key, object_key
from kit.releases.entry import Entry
from kit.releases.errors import TufIndexUnusable
from kit.roots.metadata import utc
from kit.signing.model import KitSigner
from verifier.core.limits import MIB

SPEC_VERSION: Final = "1.0.31"  # of TUF; fixed, as that of roots
ONLINE = ("targets", "snapshot", "timestamp")
_MAX_METADATA = 64 * MIB  # bytes of one file


@dataclass(frozen=True)
class TufKeys:
    """Who signs.

    Attributes:
        root: Signs the root, when the repository is made.
        online: Signs all else, each time.
    """

    root: Sequence[KitSigner]
    online: KitSigner


@dataclass(frozen=True)
class TufIndex:
    """What a run did.

    Attributes:
        written: Names of the files that are new.
        targets: How many targets there are.
    """

    written: tuple[str, ...]
    targets: int


def targets_of(lines: Iterable[Sequence[Entry]]) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each entry and each file of lines, by their place."""
    found: dict[str, tuple[int, str]] = {}
    for entries in lines:
        for entry in entries:
            record = entry.record
            digest = hashlib.sha256(entry.data).hexdigest()
            found[entry_key(record.line, record.n)] = len(entry.data), digest
            for file in record.files:
                found[object_key(file)] = file.size, file.sha256
    return found


def write_tuf_index(
    directory: Path,
    targets: Mapping[str, tuple[int, str]],
    keys: TufKeys,
    *,
    expires: datetime,
    root_expires: datetime | None = None,
) -> TufIndex:
    """Bring the metadata in a directory up to what lines have.

    Args:
        directory: Where the metadata are; made if it is not there.
        targets: From `targets_of`.
        keys: Who signs.
        expires: When a reader no longer takes what is written now.
        root_expires: The same of the root; needed when it is made.

    Raises:
        TufIndexUnusable: What is there cannot be gone on with.
        KitError: A key or the host is at fault.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(error, directory) from None
    moment, written = utc(expires), list[str]()
    root = _root(directory, keys, root_expires, written)
    wanted = {
        name: TargetFile(size, {"sha256": sha256}, name)
        for name, (size, sha256) in sorted(targets.items())
    }
    old = _newest(directory, root)
    _check_kept(old, wanted, directory)
    version, data = _next(old["targets"], Targets(1, SPEC_VERSION, moment, wanted), keys.online)
    _put(directory, f"{version}.targets.json", data, written)
    meta = {"targets.json": _file(version, data)}
    version, data = _next(old["snapshot"], Snapshot(1, SPEC_VERSION, moment, meta), keys.online)
    _put(directory, f"{version}.snapshot.json", data, written)
    stamp = Timestamp(1, SPEC_VERSION, moment, _file(version, data))
    _, data = _next(old["timestamp"], stamp, keys.online)
    _put(directory, "timestamp.json", data, written)
    return TufIndex(tuple(written), len(wanted))


def _root(
    directory: Path, keys: TufKeys, expires: datetime | None, written: list[str]
) -> Metadata[Root]:
    """Return the newest root that is there, or make the first one."""
    versions = sorted(
        int(path.name[: -len(".root.json")])
        for path in directory.glob("*.root.json")
        if path.name[: -len(".root.json")].isdigit()
    )
    if versions:
        root: Metadata[Root] = _load(directory / f"{versions[-1]}.root.json")
        if not isinstance(root.signed, Root):
            raise TufIndexUnusable("is no root", where=show(directory))
        roles = root.signed.roles
        if any(keys.online.keyid not in roles[name].keyids for name in ONLINE):
            raise TufIndexUnusable("the key given is not that of its root", where=show(directory))
        return root
    if expires is None or not keys.root:
        raise TufIndexUnusable(
            "there is no root yet, and nobody to sign one",
            where=show(directory),
            fix="Give --root-key and --root-expires once, when the repository is made.",
        )
    known = {signer.keyid: _tuf_key(signer) for signer in (*keys.root, keys.online)}
    roles = {name: Role([keys.online.keyid], 1) for name in ONLINE}
    roles["root"] = Role([signer.keyid for signer in keys.root], len(keys.root))
    made = Metadata(Root(1, SPEC_VERSION, utc(expires), known, roles, consistent_snapshot=True))
    _put(directory, "1.root.json", _signed(made, keys.root), written)
    return made


def _tuf_key(signer: KitSigner) -> Key:
    key = signer.key
    kinds = {"ed25519": "ed25519", "ecdsa-sha2-nistp256": "ecdsa", "ecdsa-sha2-nistp384": "ecdsa"}
    kind = kinds.get(key.scheme)
    if kind is None:
        raise TufIndexUnusable(f"a TUF client takes no key of scheme {key.scheme!r}")
    return SSlibKey(key.keyid, kind, key.scheme, {"public": key.public})


def _newest(directory: Path, root: Metadata[Root]) -> dict[str, Metadata[Any] | None]:
    """Return the metadata that are there, each verified by the one above it."""
    path = directory / "timestamp.json"
    if not path.exists():
        return dict.fromkeys(ONLINE)
    stamp: Metadata[Timestamp] = _load(path)
    try:
        root.verify_delegate("timestamp", stamp)
        version = stamp.signed.snapshot_meta.version
        snapshot: Metadata[Snapshot] = _load(directory / f"{version}.snapshot.json")
        root.verify_delegate("snapshot", snapshot)
        version = snapshot.signed.meta["targets.json"].version
        targets: Metadata[Targets] = _load(directory / f"{version}.targets.json")
        root.verify_delegate("targets", targets)
    except (RepositoryError, KeyError, AttributeError, ValueError) as error:
        raise TufIndexUnusable(str(error)[:300], where=show(directory)) from None
    return {"targets": targets, "snapshot": snapshot, "timestamp": stamp}


def _load(path: Path) -> Metadata[Any]:
    try:
        with open(path, "rb") as file:
            return Metadata.from_bytes(file.read(_MAX_METADATA))
    except OSError as error:
        raise TufIndexUnusable(error.strerror or str(error), where=show(path)) from None
    except DeserializationError:
        raise TufIndexUnusable("is no metadata of TUF", where=show(path)) from None


def _check_kept(
    old: Mapping[str, Metadata[Any] | None], wanted: Mapping[str, TargetFile], directory: Path
) -> None:
    """Hold what is published to what was: a history loses nothing, and changes nothing."""
    targets = old["targets"]
    before = targets.signed.targets if targets is not None else {}
    lost = sorted(name for name, target in before.items() if wanted.get(name) != target)
    if lost:
        what = f"no longer has {lost[0]!r} as it was, nor {len(lost) - 1} more"
        raise TufIndexUnusable(
            what if len(lost) > 1 else what.partition(", nor")[0],
            where=show(directory),
            fix="Name every line that the repository has, and see why its history changed.",
        )


def _next(
    old: Metadata[Any] | None, new: Targets | Snapshot | Timestamp, by: KitSigner
) -> tuple[int, bytes]:
    """Return version and bytes of metadata: those that are there, if they say the same."""
    if old is not None:
        new.version = old.signed.version
        if new == old.signed:
            return new.version, old.to_bytes(JSONSerializer(compact=True))
        new.version += 1
    return new.version, _signed(Metadata(new), [by])


def _signed(metadata: Metadata[Any], signers: Sequence[KitSigner]) -> bytes:
    message = metadata.signed_bytes
    metadata.signatures = {
        signer.keyid: Signature(signer.keyid, signer.sign(message).hex()) for signer in signers
    }
    return metadata.to_bytes(JSONSerializer(compact=True))


def _file(version: int, data: bytes) -> MetaFile:
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def _put(directory: Path, name: str, data: bytes, written: list[str]) -> None:
    path = directory / name
    try:
        same = path.read_bytes() == data
    except FileNotFoundError:
        same = False
    except OSError as error:
        raise refused(error, path) from None
    if not same:
        replace_file(path, data)
        written.append(name)
