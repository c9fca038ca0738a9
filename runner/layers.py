"""The root file system of an image of the kit: its layers, one over the other (OCI image spec 1.1).

Every layer is held to the digest that the image's configuration gives for it.  Nothing is written
outside of the new directory: no name leads through a link, and devices are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
import zlib
from collections.abc import Mapping

from runner.errors import PreflightFailed
from runner.unzstd import NotZstd, unpacked
from verifier.typed import Any, BinaryIO

_DIGEST = re.compile("sha256:([0-9a-f]{64})")
_MAX_DOCUMENT = 4 << 20  # bytes of a manifest, as in FORMAT 17.1
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le"}
MAX_IMAGE = 64 << 30  # bytes of all layers, unpacked
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


def unpack_image(layout: str, target: str) -> str:
    """Unpack the one image of a layout into an empty directory; return the digest of its manifest.

    Args:
        layout: An OCI image layout whose files were proved.

    Raises:
        PreflightFailed: It has no image for this host, or one that cannot be unpacked.
        OSError: The host refuses.
    """
    try:
        digest, manifest = _chosen(layout)
        config = _document(layout, manifest["config"]["digest"])
        ids, layers = config["rootfs"]["diff_ids"], manifest["layers"]
        if len(ids) != len(layers):
            raise PreflightFailed("the image names another number of layers than it has")
        room = _Room(MAX_IMAGE)
        for wanted, layer in zip(ids, layers):
            blob = _blob(layout, layer["digest"])
            _unpack_layer(blob, str(layer["mediaType"]), wanted, target, room)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PreflightFailed(f"the image is not one of OCI: {error}") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, NotZstd) as error:
        raise PreflightFailed(f"a layer of the image cannot be read: {error}") from None
    return digest


def _blob(layout: str, digest: object) -> str:
    found = _DIGEST.fullmatch(str(digest))
    if not found:
        raise PreflightFailed(f"{digest!r} is no digest by SHA-256")
    return os.path.join(layout, "blobs", "sha256", found[1])


def _document(layout: str, digest: object) -> Any:
    with open(_blob(layout, digest), "rb") as file:
        data = file.read(_MAX_DOCUMENT + 1)
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise PreflightFailed(f"{digest} is not what its name says, or is too large")
    return json.loads(data)


def _chosen(layout: str) -> tuple[str, Mapping[str, Any]]:
    """Return digest and manifest of the one image; of several platforms, that of this host."""
    with open(os.path.join(layout, "index.json"), "rb") as file:
        entries = json.loads(file.read(_MAX_DOCUMENT))["manifests"]
    digests = sorted({str(entry["digest"]) for entry in entries})
    if len(digests) != 1:
        raise PreflightFailed(f"the component has {len(digests)} images, and one is wanted")
    digest, value = digests[0], _document(layout, digests[0])
    machine = _MACHINES.get(os.uname().machine, os.uname().machine)
    if "manifests" in value:
        for entry in value["manifests"]:
            platform = entry.get("platform", {})
            if (platform.get("os"), platform.get("architecture")) == ("linux", machine):
                digest = str(entry["digest"])
                return digest, _document(layout, digest)
        raise PreflightFailed(f"the image has nothing for linux/{machine}")
    return digest, value


class _Room:
    """How much an image may become: a few bytes can be packed that unpack to more than any disk."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, size: int) -> None:
        """Take some of it.

        Raises:
            PreflightFailed: There is not so much left.
        """
        self._left -= size
        if self._left < 0:
            raise PreflightFailed(f"the image has more than {MAX_IMAGE} bytes when it is unpacked")


class _Held:
    """A file that is digested, and counted, while it is read."""

    def __init__(self, file: Any, room: _Room) -> None:
        self._file, self._room, self.digest = file, room, hashlib.sha256()

    def read(self, size: int = 1 << 20) -> bytes:
        data: bytes = self._file.read(size)
        self._room.take(len(data))
        self.digest.update(data)
        return data


def _unpack_layer(path: str, media: str, wanted: str, target: str, room: _Room) -> None:
    with open(path, "rb") as packed:
        held = _Held(_plain(packed, media), room)
        with tarfile.open(fileobj=held, mode="r|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for entry in archive:
                if entry.issparse():
                    room.take(entry.size)  # its holes are in no byte that was read
                _take(archive, entry, target)
        while held.read(1 << 20):
            pass
    if f"sha256:{held.digest.hexdigest()}" != wanted:
        raise PreflightFailed("a layer of the image is not what its configuration says")


def _plain(packed: BinaryIO, media: str) -> Any:
    """Return what is packed, as its media type says (OCI image spec 1.1, layer.md)."""
    if media.endswith("gzip"):
        return gzip.GzipFile(fileobj=packed)
    return unpacked(packed) if media.endswith("zstd") else packed


def _place(target: str, name: str) -> str:
    """Return where an entry goes, with the directories above it made; never through a link."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        return "" if not parts else _refuse(name)
    at = target
    for part in parts[:-1]:
        at = os.path.join(at, part)
        try:
            mode = os.lstat(at).st_mode
        except FileNotFoundError:
            os.mkdir(at, 0o755)
            continue
        if not stat.S_ISDIR(mode):
            _refuse(name)
    return os.path.join(at, parts[-1])


def _refuse(name: str) -> str:
    raise PreflightFailed(f"{name!r} of the image leads through a link, or out of it")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _take(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: str) -> None:
    """Write one entry over what the layers below have."""
    path = _place(target, entry.name)
    if not path:
        return
    name = os.path.basename(path)
    if name == _OPAQUE:
        above = os.path.dirname(path)
        for one in os.listdir(above):
            _remove(os.path.join(above, one))
        return
    if name.startswith(_WHITEOUT):
        _remove(os.path.join(os.path.dirname(path), name[len(_WHITEOUT) :]))
        return
    if entry.isdir():
        if os.path.islink(path) or not os.path.isdir(path):
            _remove(path)
            os.mkdir(path)
    elif entry.isreg():
        _remove(path)
        source = archive.extractfile(entry)
        assert source is not None
        with open(path, "xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    elif entry.issym():
        _remove(path)
        os.symlink(entry.linkname, path)
    elif entry.islnk():
        _remove(path)
        first = _place(target, entry.linkname)
        if os.path.islink(first) or not os.path.isfile(first):
            _refuse(entry.linkname)
        os.link(first, path, follow_symlinks=False)
        return
    else:  # devices and the like: /dev is not the image's
        return
    if os.getuid() == 0:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if not entry.issym():
        os.chmod(path, entry.mode & 0o7777 if os.getuid() == 0 else entry.mode & 0o777 | 0o600)
