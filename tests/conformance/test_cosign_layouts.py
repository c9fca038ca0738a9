"""Layouts that `cosign save` wrote, in kits: cosign and we say the same of them, and of bent ones.

The older cosign keeps simple signing payloads and envelopes, the newer one bundles that its
own index does not name.  `GAPS` has what cosign passes over: it hashes no layer of a local image.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_cosign_images import run, sign
from tests.conftest import Judge
from tests.services.test_registry_sources import GZIP
from tests.support.assembler import component
from tests.support.attesting import attester, kit_with, sha256
from tests.support.hosting import CLOCK, Site, code, policy, rules
from tests.support.people import KEYS
from tests.support.registry import Layout, layer, push, registry
from verifier.core.pipeline import Job
from verifier.evidence.images import COSIGN_SIGN
from verifier.host.accept import Host
from verifier.run import run as verify

pytestmark = pytest.mark.slow

OURS = "https://ours.example/build"
Files = dict[str, bytes]


class Saved:
    """An image with its signature and its attestation, as one cosign saved them."""

    def __init__(self, cosign: Path, judge: Judge, base: Path) -> None:
        self.cosign, self.base = cosign, base
        made = Layout(base / "layout")
        app = made.manifest([made.blob(layer("app", b"app"), GZIP)], "amd64")
        made.finish(app=app)
        with registry(judge("docker-registry"), base / "registry") as host:
            image = f"{host}/app@{app['digest']}"
            push(judge("skopeo"), made.directory, "app", f"{host}/app:1")
            sign(cosign, base, image)
            done = run(cosign, base, "save", "--dir", "saved", image)
            assert done.returncode == 0, done.stderr
        self.digest = str(app["digest"])[7:]
        root = base / "saved"
        self.files: Files = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
        self.key = (base / "cosign.pub").read_text()


@pytest.fixture(scope="module")
def saved(cosign: Path, judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return Saved(cosign, judge, tmp_path_factory.mktemp("saved"))


# --- what both say -------------------------------------------------------------------------------


def cosign_says(saved: Saved, files: Files, place: Path, kind: str) -> bool:
    """Whether cosign verifies an image that lies here."""
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    key = ("--key", "cosign.pub", "--insecure-ignore-tlog=true", "--local-image")
    what = ["verify"] if kind == COSIGN_SIGN else ["verify-attestation", "--type", kind]
    done: subprocess.CompletedProcess[str] = run(saved.cosign, saved.base, *what, *key, place)
    return done.returncode == 0


def we_say(saved: Saved, files: Files, base: Path, kind: str, **line: Any) -> str:
    """Return the code of what a site says whose policy demands it; empty if it is content."""
    site = Site(base, CLOCK)
    asked = {"component": "image", "predicateType": kind, "by": {"of": ["key"], "threshold": 1}}
    named = [attester("key", publicKey=saved.key)]
    site.pin(policy=policy(attesters=named, lines=rules(attestations=[asked], **line)))
    kit = base / "kit.tar.zst"
    data = {f"image/{name}": text for name, text in files.items()}
    parts = [component("image", "image", **({"kind": "oci"} if line else {}))]
    kit.write_bytes(kit_with({}, data=data, components=parts))
    return code(verify(str(kit), Job(), host=Host(site.directory, CLOCK, "0.1.0")))


@pytest.mark.parametrize("kind", [COSIGN_SIGN, OURS])
def test_what_cosign_saved_is_good(saved: Saved, tmp_path: Path, kind: str) -> None:
    assert cosign_says(saved, saved.files, tmp_path / "image", kind)
    assert we_say(saved, saved.files, tmp_path, kind) == ""


# --- bends, each in a layout that is whole again -------------------------------------------------


def again(files: Files, old: str, data: bytes) -> Files:
    """Return a layout with another blob in place of one, and all that names it following suit."""
    new = sha256(data)
    made = {name: text for name, text in files.items() if name != f"blobs/sha256/{old}"}
    made[f"blobs/sha256/{new}"] = data
    for name, text in list(made.items()):
        if old.encode() not in text or name == f"blobs/sha256/{new}":
            continue
        value = _renamed(json.loads(text), old, new, len(data))
        written = json.dumps(value).encode()
        if name.startswith("blobs/"):
            made = again(made, name.rpartition("/")[2], written)
        else:
            made[name] = written
    return made


def _renamed(value: Any, old: str, new: str, size: int) -> Any:
    """Return JSON in which descriptors name the new blob; what is signed is text and stays."""
    if isinstance(value, list):
        return [_renamed(item, old, new, size) for item in value]
    if isinstance(value, dict):
        if value.get("digest") == f"sha256:{old}" and "mediaType" in value:
            return {**value, "digest": f"sha256:{new}", "size": size}
        return {name: _renamed(item, old, new, size) for name, item in value.items()}
    return value


def signed_blobs(files: Files) -> list[tuple[str, Any]]:
    """Return what was signed: payloads of simple signing, envelopes and bundles."""
    found = []
    for name, text in files.items():
        if text[:1] == b"{" and any(
            word in text[:80] for word in (b'"critical"', b'"payloadType"', b"sigstore.bundle")
        ):
            found.append((name.rpartition("/")[2], json.loads(text)))
    assert len(found) == 2, "a signature and an attestation"
    return found


def flipped(text: str) -> str:
    """Return base64 of other bytes."""
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


def bent(value: Any, names: frozenset[str], change: Callable[[str], str]) -> Any:
    """Return JSON with some strings changed, wherever they are."""
    if isinstance(value, list):
        return [bent(item, names, change) for item in value]
    if isinstance(value, dict):
        return {
            name: change(item)
            if name in names and isinstance(item, str)
            else bent(item, names, change)
            for name, item in value.items()
        }
    return value


def bent_signatures(saved: Saved) -> Files:
    """Every signature has another last byte."""
    files, names = dict(saved.files), frozenset({"sig", "dev.cosignproject.cosign/signature"})
    blobs = [name.rpartition("/")[2] for name, text in files.items() if text[:1] == b"{"]
    for old in blobs:
        text = files.get(f"blobs/sha256/{old}")
        value = json.loads(text) if text is not None else None
        changed = bent(value, names, lambda sig: flipped(sig) if sig else sig)
        if text is not None and changed != value:
            files = again(files, old, json.dumps(changed).encode())
    assert files != saved.files
    return files


def another_payload(saved: Saved) -> Files:
    """What was signed says something else, and its signature is as it was."""
    files = dict(saved.files)
    for old, value in signed_blobs(files):
        if "critical" in value:
            value["critical"]["identity"]["docker-reference"] = "registry.example/other"
        envelope = value.get("dsseEnvelope", value)
        if "payload" in envelope:
            said = json.loads(base64.b64decode(envelope["payload"]))
            said["predicate"] = {"more": "than was signed"}
            envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
        files = again(files, old, json.dumps(value).encode())
    return files


def another_image(saved: Saved) -> Files:
    """The image is another one, and what was said of the first stands beside it."""
    value = json.loads(saved.files[f"blobs/sha256/{saved.digest}"])
    value["annotations"] = {"org.opencontainers.image.version": "2"}
    return again(saved.files, saved.digest, json.dumps(value).encode())


def no_signature(saved: Saved) -> Files:
    """Nothing is said of the image."""
    files = dict(saved.files)
    for digest, _ in signed_blobs(files):
        del files[f"blobs/sha256/{digest}"]
    index = json.loads(files["index.json"])
    index["manifests"] = [
        each for each in index["manifests"] if each["digest"] == f"sha256:{saved.digest}"
    ]
    return {**files, "index.json": json.dumps(index).encode()}


BENDS: dict[str, Callable[[Saved], Files]] = {
    "signatures": bent_signatures,
    "payloads": another_payload,
    "image": another_image,
    "nothing said": no_signature,
}


@pytest.mark.long
@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("kind", [COSIGN_SIGN, OURS])
def test_bent_layouts_are_refused_by_both(
    saved: Saved, tmp_path: Path, kind: str, bend: str
) -> None:
    files = BENDS[bend](saved)
    assert not cosign_says(saved, files, tmp_path / "image", kind)
    assert we_say(saved, files, tmp_path, kind) in ("attestation-missing", "attestation-untrusted")


def test_another_key_is_refused_by_both(saved: Saved, tmp_path: Path) -> None:
    key = KEYS / "bob.pub"  # of P-256, too
    place = tmp_path / "image"
    assert cosign_says(saved, saved.files, place, COSIGN_SIGN)
    words: list[str | Path] = ["--key", key, "--insecure-ignore-tlog=true", "--local-image", place]
    assert run(saved.cosign, saved.base, "verify", *words).returncode != 0
    assert we_say(_with_key(saved, key.read_text()), saved.files, tmp_path, COSIGN_SIGN) == (
        "attestation-untrusted"
    )


def _with_key(saved: Saved, key: str) -> Saved:
    made = object.__new__(Saved)
    made.__dict__ = {**saved.__dict__, "key": key}
    return made


# --- where cosign and we differ ------------------------------------------------------------------


def bent_layer(saved: Saved) -> Files:
    """A byte of a layer is another one, under the old name."""
    manifest = json.loads(saved.files[f"blobs/sha256/{saved.digest}"])
    name = f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"
    data = bytearray(saved.files[name])
    data[-1] ^= 1
    return {**saved.files, name: bytes(data)}


GAPS = {"a layer that is not what its name says": (bent_layer, "oci-blob-renamed")}


@pytest.mark.parametrize("gap", GAPS)
def test_what_cosign_passes_over(saved: Saved, tmp_path: Path, gap: str) -> None:
    bend, ours = GAPS[gap]
    files = bend(saved)
    assert cosign_says(saved, files, tmp_path / "image", COSIGN_SIGN), "the gap is closed"
    assert we_say(saved, files, tmp_path, COSIGN_SIGN, kinds="verify") == ours
