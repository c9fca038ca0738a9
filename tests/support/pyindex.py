"""An index of Python packages on loopback, with wheels made by hand (PEP 503, 427)."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence

from tests.support.webserver import Web, status, whole


def wheel(name: str, version: str, tag: str, requires: Sequence[str] = ()) -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel with one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    pure = "true" if tag.endswith("-any") else "false"
    about = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    files = {
        f"{module}.py": f"version = {version!r}\ntag = {tag!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": about,
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record += f"{path},sha256={digest.rstrip(b'=').decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return f"{module}-{version}-{tag}.whl", buffer.getvalue()


def serve(web: Web, files: Sequence[tuple[str, str, bytes]]) -> str:
    """Serve files, each with its project's name; return the address of the index."""
    pages: dict[str, str] = {}
    for project, name, data in files:
        web.routes[f"/files/{name}"] = whole(data)
        digest = hashlib.sha256(data).hexdigest()
        link = f'<a href="/files/{name}#sha256={digest}">{name}</a>\n'
        pages[project] = pages.get(project, "") + link
    for project, links in pages.items():
        page = f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode()
        web.routes[f"/simple/{project}/"] = status(200, {"Content-Type": "text/html"}, page)
    return f"{web.url}/simple"
