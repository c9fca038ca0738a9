"""A Python that this machine does not have: CPython 3.14, for WebAssembly, run by Node.js.

It is another host too: no threads, no processes, no users, no libzstd; but `compression.zstd`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.readers import CORPUS, ISSUER, NAME
from tests.support.making import REPOSITORY, ROOT_FILE, Made, make_kit, read_tree, text
from tests.support.zstdstreams import STREAMS, content_of

JS = Path(__file__).parent / "js"
FILES = {
    "tools/run": b"#!/bin/sh\n",
    "tools/größe.txt": b"\r\n",
    "data/packed": text(5_000_000),
    "data/empty": b"",
}
PROGRAM = """
import contextlib, io, json, sys
sys.path.insert(0, "/medium/kit-verify.pyz")
from verifier import cli, decoders
def run(words, plain=False):
    out, err = io.StringIO(), io.StringIO()
    finders = dict(decoders.FINDERS)
    if plain:
        name = decoders.PlainDecoder.name
        decoders.FINDERS = {name: finders[name]}
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(words)
    finally:
        decoders.FINDERS = finders
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}
json.dumps({"version": sys.version_info[:2], "platform": sys.platform, **{REQUEST}})
"""


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("not run: node is not installed")
    if not (JS / "node_modules" / "pyodide").is_dir():
        pytest.skip(f"not run: `npm ci` has not been run in {JS.relative_to(REPOSITORY)}")
    return found


def ask(medium: Path, target: Path, calls: dict[str, str]) -> dict[str, Any]:
    """Run calls of ``run`` in one Python; return their answers by name."""
    pairs = ", ".join(f"{name!r}: run({call})" for name, call in calls.items())
    program = PROGRAM.replace("{REQUEST}", "{" + pairs + "}")
    return execute({"/medium": str(medium), "/target": str(target)}, program)


def execute(mounts: dict[str, str], program: str) -> dict[str, Any]:
    """Run a program whose last line is the JSON of an object; return that."""
    done = subprocess.run(
        [node(), JS / "run.mjs"],
        input=json.dumps({"mounts": mounts, "program": program}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout)
    assert isinstance(answers, dict)
    return answers


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a kit with the root and a damaged copy beside it."""
    node()
    made = make_kit(tmp_path_factory.mktemp("wasm"), FILES, ("tools/run",))
    shutil.copy(made.path, made.directory / "kit")
    shutil.copy(ROOT_FILE, made.directory / "root.json")
    data = bytearray(made.path.read_bytes())
    data[-9000] ^= 1
    (made.directory / "bad").write_bytes(data)
    return made


CALLS = {
    "selftest": "['selftest']",
    "verify": "['/medium/kit', '--root', '/medium/root.json', '--json']",
    "many": "['/medium/kit', '--root', '/medium/root.json', '--jobs', '4']",
    "plain": "['/medium/kit', '--root', '/medium/root.json', '--json'], plain=True",
    "quick": "['/medium/kit', '--root', '/medium/root.json', '--quick']",
    "list": "['list', '/medium/kit', '--root', '/medium/root.json']",
    "extract": "['/medium/kit', '--root', '/medium/root.json', '--extract', '/target/out']",
    "bad": "['/medium/bad', '--root', '/medium/root.json']",
    "nobody": "['/medium/kit']",
    "explain": "['explain', 'threshold-not-met']",
}


@pytest.mark.slow
def test_python_3_14_proves_the_kit(kit: Made, tmp_path: Path) -> None:
    said = ask(kit.directory, tmp_path, CALLS)
    assert (said["version"], said["platform"]) == ([3, 14], "emscripten")
    statuses = {name: said[name]["status"] for name in CALLS}
    good = dict.fromkeys(CALLS, 0)
    assert statuses == {**good, "bad": 4, "nobody": 3}, {n: said[n]["err"] for n in CALLS}
    assert "decoder for zstd: compression.zstd" in said["selftest"]["out"]
    report, plain = (json.loads(said[name]["out"]) for name in ("verify", "plain"))
    assert (report["verdict"], report["kitId"]) == ("verified", kit.built.kit_id)
    assert report["decoder"] == "compression.zstd"
    assert plain == {**report, "decoder": "plain Python (slow)"}
    assert said["quick"]["out"].startswith("VERIFIED (quick)")
    assert "0755             10 tools/run" in said["list"]["out"].splitlines()
    assert said["nobody"]["out"].startswith("UNDECIDED: nobody vouches for this kit\n")
    tree = read_tree(tmp_path / "out")
    assert {path: tree[path][1] for path in FILES} == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


BUNDLES = """
import base64, glob, json, sys
sys.path.insert(0, MEDIUM + "/kit-verify.pyz")
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import make_identity, make_key
from verifier.evidence.sigstore.roots import parse_trusted_root
from verifier.evidence.sigstore.verify import verify_bundle
root = parse_trusted_root(open(CORPUS + "/trusted_root.json", "rb").read())
owner = make_key(open(CORPUS + "/key.pub").read())
who = make_identity(*WHO)
def say(data):
    try:
        bundle = parse_bundle(data)
        verify_bundle(bundle, who if bundle.certificate is not None else owner, [root])
    except KitError as error:
        return error.code
    return "good"
found = {"version": sys.version_info[:2]}
for path in sorted(glob.glob(CORPUS + "/evidence/bundle-*")):
    data = open(path, "rb").read()[1:]
    value = json.loads(data)
    entry = value["verificationMaterial"]["tlogEntries"][0]
    entry["inclusionProof"]["rootHash"] = base64.b64encode(bytes(32)).decode()
    told = [say(data), say(json.dumps(value).encode())]
    body = json.loads(data)
    place = body.get("messageSignature") or body["dsseEnvelope"]["signatures"][0]
    name = "signature" if "signature" in place else "sig"
    raw = bytearray(base64.b64decode(place[name]))
    raw[-1] ^= 1
    place[name] = base64.b64encode(bytes(raw)).decode()
    found[path.rpartition("/")[2]] = [*told, say(json.dumps(body).encode())]
json.dumps(found)
"""


@pytest.mark.slow
def test_python_3_14_judges_bundles_as_this_one_does(kit: Made) -> None:
    def program(medium: str, corpus: str) -> str:
        head = f"MEDIUM, CORPUS, WHO = {medium!r}, {corpus!r}, {(ISSUER, NAME)!r}"
        return f"{head}\n{BUNDLES}"

    said = execute(
        {"/medium": str(kit.directory), "/corpus": str(CORPUS)}, program("/medium", "/corpus")
    )
    here = program(str(kit.directory), str(CORPUS)).replace("\njson.dumps(", "\nprint(json.dumps(")
    command = [sys.executable, "-I", "-c", f"{here.rstrip()})"]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert said.pop("version") == [3, 14]
    assert ours.pop("version") == list(sys.version_info[:2])
    assert said == ours
    assert len(said) == 9
    assert all(told[0] == "good" and "good" not in told[1:] for told in said.values()), said


LAYERS = """
import hashlib, io, json, sys
sys.path.insert(0, "/sources")
from runner.unzstd import NotZstd, Reader, by_python
pieces, found = by_python(), {}
def read(data):
    reader, digest = Reader(pieces(io.BytesIO(data))), hashlib.sha256()
    try:
        while data := reader.read(10007):
            digest.update(data)
    except (NotZstd, EOFError) as error:
        return type(error).__name__
    return digest.hexdigest()
with open("/medium/streams", "rb") as file:
    streams = file.read()
for name, begin, end in json.loads(open("/medium/places").read()):
    data = streams[begin:end]
    found[name] = [read(data), read(data[: len(data) // 2]), read(data + b"more")]
json.dumps(found)
"""


@pytest.mark.slow
def test_python_3_14_reads_layers_packed_by_zstd(tmp_path: Path) -> None:
    node()
    places, at = [], 0
    for name, packed in STREAMS.items():
        places.append((name, at, at + len(packed)))
        at += len(packed)
    (tmp_path / "streams").write_bytes(b"".join(STREAMS.values()))
    (tmp_path / "places").write_text(json.dumps(places), encoding="utf-8")
    said = execute({"/medium": str(tmp_path), "/sources": str(REPOSITORY)}, LAYERS)
    for name, packed in STREAMS.items():
        whole, half, more = said[name]
        assert whole == hashlib.sha256(content_of(packed)).hexdigest(), name
        assert half in ("EOFError", "NotZstd"), name
        assert more in ("EOFError", "NotZstd"), name
