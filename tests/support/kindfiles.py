"""The smallest component of each kind that keeps its promise, as files by their names."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

OCI = "application/vnd.oci.image"
REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'

Files = dict[str, bytes]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def js(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Layout:
    """An image layout on its way: blobs, and the entries of its index."""

    def __init__(self) -> None:
        self.files: Files = {"oci-layout": LAYOUT}
        self.entries: list[dict[str, Any]] = []

    def blob(self, data: bytes, media: str, **more: Any) -> dict[str, Any]:
        """Add a blob; return what a document says of it."""
        self.files[f"blobs/sha256/{sha256(data)}"] = data
        return {"mediaType": media, "digest": f"sha256:{sha256(data)}", "size": len(data), **more}

    def image(
        self,
        layers: Sequence[bytes] = (b"a layer\n",),
        platform: tuple[str, str] = ("linux", "amd64"),
        **config: Any,
    ) -> dict[str, Any]:
        """Add an image; return its descriptor."""
        made = [self.blob(layer, f"{OCI}.layer.v1.tar") for layer in layers]
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]}
        value = {"os": platform[0], "architecture": platform[1], "rootfs": rootfs, **config}
        return self.manifest(self.blob(js(value), f"{OCI}.config.v1+json"), made)

    def manifest(self, config: Any, layers: Sequence[Any], **more: Any) -> dict[str, Any]:
        """Add a manifest; return its descriptor."""
        value = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config}
        return self.blob(js({**value, "layers": layers, **more}), f"{OCI}.manifest.v1+json")

    def index(self, manifests: Sequence[Any]) -> dict[str, Any]:
        """Add an index of images; return its descriptor."""
        media = f"{OCI}.index.v1+json"
        value = {"schemaVersion": 2, "mediaType": media, "manifests": manifests}
        return self.blob(js(value), media)

    def name(self, found: Mapping[str, Any], name: str | None, **more: Any) -> None:
        """Put a descriptor into index.json."""
        notes = {} if name is None else {"annotations": {REF_NAME: name}}
        self.entries.append({**found, **notes, **more})

    def done(self, **more: Any) -> Files:
        """Return the files of the layout."""
        value = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json"}
        self.files["index.json"] = js({**value, "manifests": self.entries, **more})
        return self.files


def oci() -> Files:
    """Return a layout with an image for two platforms that share a layer, and one more."""
    layout = Layout()
    both = [
        {**layout.image([b"shared\n", cpu.encode()], ("linux", cpu)), "platform": pair}
        for cpu in ("amd64", "arm64")
        for pair in [{"os": "linux", "architecture": cpu}]
    ]
    layout.name(layout.index(both), "app:1")
    layout.name(layout.image(), "tool:2")
    return layout.done()


WHEEL = "runner_tools-1.0-py3-none-any.whl"


def requirements(*pins: tuple[str, Sequence[str]]) -> bytes:
    """Return a requirements.txt of lines and the hashes that each names."""
    lines = ["# of this directory\n"]
    for line, digests in pins:
        lines.append(line + "".join(f" \\\n    --hash=sha256:{d}" for d in digests) + "\n")
    return "".join(lines).encode()


def wheels() -> Files:
    """Return two wheels of one project, and one with a marker."""
    files = {
        WHEEL: b"one\n",
        "Lib.One-2.0+x-1-cp311-cp311-manylinux_2_28_x86_64.whl": b"two\n",
        "lib_one-2.0+x-cp312-abi3-win_amd64.whl": b"three\n",
    }
    one, *rest = (sha256(data) for data in files.values())
    marker = 'lib-one==2.0+x ; python_version >= "3.11"'
    return {**files, "requirements.txt": requirements(("runner-tools==1.0", [one]), (marker, rest))}


def stanza(name: str, data: bytes, **more: str) -> str:
    """Return a paragraph of ``Packages``."""
    fields = {
        "Package": name,
        "Version": "1:2.0-1",
        "Architecture": "all",
        "Description": "a package\n with a longer text\n .\n and its end",
        "Filename": f"./{name}_2.0-1_all.deb",
        "Size": str(len(data)),
        "SHA256": sha256(data),
        **more,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value) + "\n"


def release(packages: bytes, **more: str) -> bytes:
    """Return ``Release``."""
    line = f"\n {sha256(packages)} {len(packages)} Packages"
    fields = {"Date": "Thu, 01 Jan 1970 00:00:00 UTC", "Suite": "kit", "SHA256": line, **more}
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value).encode()


def repository(packages: str, debs: Mapping[str, bytes], **more: str) -> Files:
    """Return a flat repository."""
    data = packages.encode()
    return {**debs, "Packages": data, "Release": release(data, **more)}


def debs() -> Files:
    """Return a flat repository of two packages."""
    text = stanza("one", b"1\n") + stanza("two", b"22\n")
    return repository(text, {"one_2.0-1_all.deb": b"1\n", "two_2.0-1_all.deb": b"22\n"})


def integrity(data: bytes, kind: str = "sha512") -> str:
    """Return a digest as Subresource Integrity has it."""
    return f"{kind}-{base64.b64encode(hashlib.new(kind, data).digest()).decode()}"


def project(packages: Mapping[str, Any], tarballs: Mapping[str, bytes], **more: Any) -> Files:
    """Return an npm project."""
    lock = {"name": "web", "lockfileVersion": 3, "packages": {"": {"name": "web"}, **packages}}
    return {
        "package.json": js({"name": "web"}),
        "package-lock.json": js({**lock, **more}),
        **{f"tarballs/{name}": data for name, data in tarballs.items()},
    }


def npm() -> Files:
    """Return a project with two packages, one of them in two places."""
    left = {"resolved": "file:tarballs/left-1.0.0.tgz", "integrity": integrity(b"left\n")}
    right = {"resolved": "file:tarballs/right-2.0.0.tgz"}
    right["integrity"] = f"{integrity(b'right', 'sha256')} {integrity(b'right', 'sha512')}"
    places = {"node_modules/left": left, "node_modules/x/node_modules/left": left}
    tarballs = {"left-1.0.0.tgz": b"left\n", "right-2.0.0.tgz": b"right"}
    return project({**places, "node_modules/right": right}, tarballs)


COMMIT = "a" * 40


def bundle(*lines: str, first: str = "# v2 git bundle", pack: bytes = b"PACK\0\0\0\2") -> bytes:
    """Return the beginning of a bundle."""
    return "".join(f"{line}\n" for line in (first, *lines, "")).encode() + pack


def git() -> Files:
    """Return two bundles."""
    lines = (f"{COMMIT} HEAD", f"{COMMIT} refs/heads/kit")
    three = bundle("@object-format=sha1", *lines, first="# v3 git bundle")
    return {"app.bundle": bundle(*lines), "more/three.bundle": three}


GOOD = {"oci": oci, "wheels": wheels, "debs": debs, "npm": npm, "git": git}
