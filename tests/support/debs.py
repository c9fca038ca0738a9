"""Small Debian packages made by hand, and a repository of them as apt knows it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in ["./", *sorted(files)]:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mode = 0o755 if name.endswith("/") else 0o644
            info.size = len(files.get(name, b""))
            archive.addfile(info, io.BytesIO(files.get(name, b"")))
    return gzip.compress(buffer.getvalue(), mtime=0)


def control(name: str, version: str, architecture: str, **fields: str) -> str:
    """Return a control file."""
    known = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "A <a@app.example>",
        **{key.replace("_", "-"): value for key, value in fields.items()},
        "Description": f"what {name} does\n and more of it",
    }
    return "".join(f"{key}: {value}\n" for key, value in known.items())


def deb(text: str, name: str = "") -> bytes:
    """Return a package with this control file, and one file that is called as the package."""
    name = name or text.split("\n")[0].partition(": ")[2]
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"./control": text.encode()}),
        "data.tar.gz": _tar({"./opt/": b"", f"./opt/{name}": text.encode()}),
    }
    parts = [b"!<arch>\n"]
    for member, data in members.items():
        head = f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        parts.append(head.encode() + data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def write_repository(
    top: Path, packages: Sequence[str | tuple[str, bytes]], suite: str = "stable"
) -> Path:
    """Write a repository of one suite, unsigned; return its directory.

    Args:
        packages: Control files; each may have the bytes of its package beside it.
    """
    by_architecture: dict[str, list[str]] = {"amd64": [], "arm64": []}
    for item in packages:
        text, data = item if isinstance(item, tuple) else (item, deb(item))
        fields = dict(line.partition(": ")[::2] for line in text.splitlines())
        version = fields["Version"].rpartition(":")[2]
        name = f"{fields['Package']}_{version}_{fields['Architecture']}.deb"
        path = top / "pool" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        stanza = text + f"Filename: pool/{name}\nSize: {len(data)}\n"
        stanza += f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        for architecture, stanzas in by_architecture.items():
            if fields["Architecture"] in {architecture, "all"}:
                stanzas.append(stanza)
    lines = []
    for architecture, stanzas in by_architecture.items():
        index = "\n".join(stanzas).encode()
        name = f"main/binary-{architecture}/Packages"
        path = top / "dists" / suite / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(index)
        lines.append(f" {hashlib.sha256(index).hexdigest()} {len(index)} {name}\n")
    release = f"Suite: {suite}\nCodename: {suite}\nArchitectures: amd64 arm64\nComponents: main\n"
    release += "Date: Tue, 24 Nov 2026 00:00:00 UTC\nSHA256:\n" + "".join(lines)
    (top / "dists" / suite / "Release").write_text(release)
    return top
