"""Releases in a real registry: pulled unchanged by others' tools, and what is promised of a tag."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.net.artifacts import RegistryPlace
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.net.registry import parse_reference
from kit.places.model import ARTIFACT, CONFIG, TITLE
from kit.places.sending import measure
from kit.publish import read_history
from tests.conftest import Judge
from tests.support.making import key, noise
from tests.support.placing import (
    CLIENT,
    PUBLISHER,
    code,
    flip,
    get,
    killed_in,
    put,
    race,
    there_and_back,
)
from tests.support.program import Run
from tests.support.registry import registry
from tests.support.releases import LINE, entries, kit_of, record, release
from tests.support.webserver import Answer, Handler, Web, in_turn, status, web
from verifier.core.errors import KitError

HTPASSWD = "pusher:$2b$04$veV5jej6jNGCg3bElcpVseYnkt6VZiSE72Pxqfm5cT28QSJKw4UZS\n"
UNAUTHORIZED = {"place-unauthorized", "fetch-unauthorized"}  # while writing, while reading


@pytest.fixture(scope="module")
def oras() -> Path:
    """Return the program, which .ci/run builds where there is Go; else the test is not run."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    program = Path(cache, "offline-kit", "judges", "oras")
    if not program.exists():
        pytest.skip("not run: there is no oras")
    return program


@pytest.fixture(scope="module")
def host(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    directory = tmp_path_factory.mktemp("registry") / "r"
    with registry(judge("docker-registry"), directory) as running:
        yield running, directory


def place(
    host: str, repository: str, logins: Logins | None = None, client: Client = CLIENT
) -> RegistryPlace:
    reference = parse_reference(f"{host}/{repository}:any")
    return RegistryPlace(reference, client, logins or Logins())


def test_what_is_published_is_fetched_and_again_is_nothing(
    host: tuple[str, Path], made: Path, tmp_path: Path
) -> None:
    where, other = (place(host[0], name) for name in ("there/back", "mirrored"))
    there_and_back(where, other, made, tmp_path / "low")


def test_skopeo_copies_it_byte_for_byte(
    host: tuple[str, Path], made: Path, tmp_path: Path, judge: Judge
) -> None:
    where = place(host[0], "skopeo")
    entry = put(kit_of(made, "one"), where).entry
    layout = tmp_path / "layout"
    subprocess.run(
        [
            *(judge("skopeo"), "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false"),
            *("--insecure-policy", f"docker://{host[0]}/skopeo:demoZstable-1", f"oci:{layout}:x"),
        ],
        check=True,
    )
    blobs = layout / "blobs" / "sha256"
    index = json.loads((layout / "index.json").read_bytes())
    digest = index["manifests"][0]["digest"].partition(":")[2]
    manifest = json.loads((blobs / digest).read_bytes())
    assert manifest["artifactType"] == ARTIFACT
    assert manifest["config"]["mediaType"] == CONFIG
    config = manifest["config"]["digest"].partition(":")[2]
    assert (blobs / config).read_bytes() == entry.data
    named = {layer["annotations"][TITLE]: layer["digest"] for layer in manifest["layers"]}
    assert named == {file.name: f"sha256:{file.sha256}" for file in entry.record.files}
    for path in sorted(kit_of(made, "one").parent.iterdir()):
        assert (blobs / named[path.name].partition(":")[2]).read_bytes() == path.read_bytes()


def test_what_skopeo_copied_to_another_registry_is_fetched_there(
    host: tuple[str, Path], made: Path, tmp_path: Path, judge: Judge
) -> None:
    """Its config is the record, so a copy by anybody's tool is a whole release."""
    entry = put(kit_of(made, "one"), place(host[0], "near")).entry
    with registry(judge("docker-registry"), tmp_path / "far") as far:
        words: list[str | Path] = [judge("skopeo"), "copy", "--quiet", "--preserve-digests"]
        words += ["--src-tls-verify=false", "--dest-tls-verify=false", "--insecure-policy"]
        tag = "demoZstable-1"
        words += [f"docker://{host[0]}/near:{tag}", f"docker://{far}/low/copy:{tag}"]
        subprocess.run(words, check=True)
        copy = place(far, "low/copy")
        assert copy.entry(LINE, 1) == entry.data
        assert get(copy, tmp_path / "low").new


def test_oras_pulls_the_files_by_their_names_and_the_record(
    host: tuple[str, Path], made: Path, tmp_path: Path, oras: Path
) -> None:
    entry = put(kit_of(made, "one"), place(host[0], "oras")).entry
    words: list[str | Path] = [oras, "pull", "--plain-http", "--output", tmp_path / "pulled"]
    words += ["--config", f"record.json:{CONFIG}", f"{host[0]}/oras:demoZstable-1"]
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    pulled = {path.name: path.read_bytes() for path in (tmp_path / "pulled").iterdir()}
    assert pulled.pop("record.json") == entry.data
    assert sorted(pulled) == [file.name for file in entry.record.files]
    for path in sorted(kit_of(made, "one").parent.iterdir()):
        assert pulled[path.name] == path.read_bytes()


def test_a_blob_that_was_flipped_on_its_disk_is_noticed_when_read_back(
    host: tuple[str, Path], made: Path, tmp_path: Path, offline_kit: Run
) -> None:
    """A registry gives out whatever its disk has."""
    kit = kit_of(made, "other")
    words = ["publish", str(kit), "--to", f"oci://{host[0]}/read/back", "--key", key("sums")]
    assert offline_kit(*words, "--read-back")[0] == 0
    where = place(host[0], "read/back")
    (link,) = host[1].glob("data/**/repositories/read/back/_manifests/tags/*/current/link")
    (data,) = host[1].glob(f"data/**/{measure(kit).file.sha256}/data")
    flip(data)
    assert offline_kit(*words)[0] == 0, "nobody asked"
    for gone in (False, True):  # at any time, and before there is an entry
        if gone:
            shutil.rmtree(link.parents[2])
        status, _, err = offline_kit(*words, "--read-back")
        assert (status, "error[place-differs]" in err, kit.name in err) == (4, True, True)
    assert where.entry(LINE, 1) is None
    data.unlink()
    status, out, _ = offline_kit(*words, "--read-back")
    assert (status, "published; 1 file sent" in out) == (0, True)
    assert get(where, tmp_path / "low").new


def test_wrong_credentials_are_named_and_are_in_no_message(
    made: Path, tmp_path: Path, judge: Judge
) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD, encoding="utf-8")
    auth = f"auth: {{htpasswd: {{realm: site, path: {tmp_path / 'htpasswd'}}}}}\n"
    with registry(judge("docker-registry"), tmp_path / "registry", auth=auth) as running:
        for password, good in (("wrong horse", False), ("correct horse", True)):
            pair = base64.b64encode(f"pusher:{password}".encode()).decode()
            login = tmp_path / "auth.json"
            login.write_text(json.dumps({"auths": {running: {"auth": pair}}}), "utf-8")
            where = place(running, "kits", Logins([login]))
            if good:
                assert put(kit_of(made, "one"), where).outcomes[0].created
                continue
            with pytest.raises(KitError) as caught:
                put(kit_of(made, "one"), where)
            assert caught.value.code in UNAUTHORIZED
            assert not any(secret in str(caught.value) for secret in (password, pair))
        assert code(lambda: put(kit_of(made, "two"), place(running, "kits"))) in UNAUTHORIZED


def test_a_blob_that_was_flipped_on_its_disk_is_noticed_by_fetch(
    host: tuple[str, Path], made: Path, tmp_path: Path
) -> None:
    where = place(host[0], "flipped")
    kit = put(kit_of(made, "one"), where).entry.record.kit
    (data,) = host[1].glob(f"data/**/{kit.sha256}/data")
    original = data.read_bytes()
    bent = bytearray(original)
    bent[len(bent) // 2] ^= 1
    data.write_bytes(bytes(bent))
    try:
        assert code(lambda: get(where, tmp_path / "low")) == "artifact-differs"
        assert not (tmp_path / "low" / "demo-1.0").exists()
    finally:
        data.write_bytes(original)


def test_racing_writers_are_told_what_a_registry_can_tell(
    host: tuple[str, Path], tmp_path: Path
) -> None:
    """No tag is conditional: what is promised is that the line stays readable, and what is seen.

    Each waits before it asks again, as in earnest: see the next test.
    """
    waiting = Client(Ways(proxies={}))
    results = race(tmp_path, lambda: place(host[0], "race", client=waiting))
    assert "won" in results
    assert {*results} <= {"won", "entry-taken", "place-differs"}
    (entry,) = read_history(place(host[0], "race"), LINE, [PUBLISHER])
    assert entry.record.version.startswith("2.")
    assert get(place(host[0], "race"), tmp_path / "low").new
    assert place(host[0], "race").alone


@pytest.mark.parametrize("kind", ["_layers/sha256/{}/link", "_manifests/tags/*/current/link"])
def test_what_another_writer_is_just_writing_is_asked_for_again(
    host: tuple[str, Path], made: Path, kind: str
) -> None:
    """This registry empties a link and then writes it; whoever reads it between gets a 500."""
    name = f"written-{len(kind)}"
    entry = put(kit_of(made, "one"), place(host[0], name)).entry
    pattern = kind.format(entry.record.kit.sha256)
    (link,) = host[1].glob(f"data/docker/registry/v2/repositories/{name}/{pattern}")
    whole = link.read_bytes()
    waits: list[float] = []

    def until_it_is_written(seconds: float) -> None:
        waits.append(seconds)
        link.write_bytes(whole)

    link.write_bytes(b"")
    where = place(host[0], name, client=Client(Ways(proxies={}, sleep=until_it_is_written)))
    if kind.startswith("_layers"):
        assert not where.put(measure(kit_of(made, "one")))
    else:
        assert not put(kit_of(made, "one"), where).outcomes[0].created
    assert len(waits) == 1
    assert waits[0] > 0.1


@pytest.mark.parametrize("phase", ["put", "create"])
def test_a_writer_that_is_killed_leaves_no_half_release(
    host: tuple[str, Path], made: Path, tmp_path: Path, phase: str
) -> None:
    where = place(host[0], f"killed-{phase}")
    killed_in(phase, where, kit_of(made, "one"), tmp_path / "low")


# --- registries that are not what they should be ------------------------------------------------


def body_of(handler: Handler) -> bytes:
    return handler.rfile.read(int(handler.headers.get("Content-Length", "0")))


def taking(received: list[bytes], then: Answer) -> Answer:
    def answer(handler: Handler) -> None:
        received.append(body_of(handler))
        then(handler)

    return answer


def at(lying: Web) -> RegistryPlace:
    return place(lying.url.removeprefix("http://"), "r")


def test_a_body_is_opened_anew_after_401_and_503(lying: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"contents" * 10_000)
    received: list[bytes] = []
    lying.routes["/token"] = status(200, {}, b'{"token":"t"}')
    realm = {"WWW-Authenticate": f'Bearer realm="{lying.url}/token",service="s"'}
    lying.routes["/v2/r/blobs/uploads/"] = status(202, {"Location": "/upload?state=1"})
    lying.routes["/upload"] = in_turn(
        taking(received, status(503)),
        taking(received, status(401, realm)),
        taking(received, status(201)),
    )
    assert at(lying).put(measure(path))
    assert received == [path.read_bytes()] * 3
    last = [asked for asked in lying.asked if asked.path.startswith("/upload")][-1]
    assert last.headers["Authorization"] == "Bearer t"


def test_an_upload_that_failed_begins_anew(lying: Web, tmp_path: Path) -> None:
    """Half a body stays in an upload: sent there again, it would be appended."""
    path = tmp_path / "file"
    path.write_bytes(b"contents" * 10_000)
    received: list[bytes] = []
    lying.routes["/v2/r/blobs/uploads/"] = in_turn(
        *(status(202, {"Location": f"/upload/{n}"}) for n in range(4))
    )
    for n, answer in enumerate((status(500), status(404), status(503), status(201))):
        lying.routes[f"/upload/{n}"] = in_turn(taking(received, answer), status(400))
    assert at(lying).put(measure(path))
    assert received == [path.read_bytes()] * 4


def test_a_full_registry_is_named_and_nothing_half_is_published(
    tmp_path: Path, judge: Judge
) -> None:
    """Its disk is a small one of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk]
    if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("not run: this host lets nobody mount a tmpfs here")
    try:
        with registry(judge("docker-registry"), disk / "r") as running:
            where = place(running, "full")
            with pytest.raises(KitError) as caught:
                put(release(tmp_path / "large", "1.0", 7, noise(30 << 20)), where)
            assert caught.value.code == "place-unreachable"
            assert "its disk is full" in caught.value.message
            assert where.entry(LINE, 1) is None, "no half release"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_too_large_a_blob_is_named(lying: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    lying.routes["/v2/r/blobs/uploads/"] = status(202, {"Location": "/upload"})
    lying.routes["/upload"] = taking([], status(413))
    assert code(lambda: at(lying).put(measure(path))) == "place-full"


def test_credentials_never_follow_a_location_to_another_host(lying: Web, tmp_path: Path) -> None:
    path, logins = tmp_path / "file", tmp_path / "auth.json"
    path.write_bytes(b"x" * 100)
    name = lying.url.removeprefix("http://")
    logins.write_text(json.dumps({"auths": {name: {"auth": "dXNlcjpzZWNyZXQ="}}}))
    wants = status(401, {"WWW-Authenticate": "Basic realm=x"})
    with web() as other:
        target = other.url.replace("127.0.0.1", "localhost")
        lying.routes["/v2/r/blobs/uploads/"] = in_turn(
            wants, status(202, {"Location": f"{target}/upload"})
        )
        other.routes["/upload"] = taking([], status(201))
        where = place(name, "r", Logins([logins]))
        assert where.put(measure(path))
        (asked,) = other.asked
        assert "Authorization" not in asked.headers
        assert any("Authorization" in one.headers for one in lying.asked)
        # and a body is not sent to where an answer points
        lying.routes["/v2/r/blobs/uploads/"] = status(202, {"Location": "/upload"})
        lying.routes["/upload"] = taking([], status(307, {"Location": f"{target}/elsewhere"}))
        assert code(lambda: where.put(measure(path))) == "place-unreachable"
        assert [one.path.partition("?")[0] for one in other.asked] == ["/upload"]


def test_a_tag_that_another_writer_took_between_both_looks_is_named(lying: Web) -> None:
    entry = entries(1)[0]
    tag = "/v2/r/manifests/demoZstable-1"
    lying.routes["/v2/r/blobs/uploads/"] = status(202, {"Location": "/upload"})
    lying.routes["/upload"] = taking([], status(201))
    other = json.dumps({"artifactType": ARTIFACT}).encode()
    lying.routes[tag] = in_turn(status(404), taking([], status(201)), status(200, {}, other))
    with pytest.raises(KitError) as caught:
        at(lying).create(record(), entry.data)
    assert caught.value.code == "place-differs"
    assert "somebody else writes there too" in str(caught.value)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b'{"artifactType":"application/vnd.other"}',
        b'{"artifactType":"application/vnd.offline-kit.release.v1"}',
        b'{"artifactType":"application/vnd.offline-kit.release.v1","config":{"digest":"sha256:x"}}',
        b'{"artifactType":"application/vnd.offline-kit.release.v1","config":{"digest":"sha256:'
        + b"a" * 64
        + b'"}}',
    ],
)
def test_something_else_under_the_tag_is_no_release(lying: Web, manifest: bytes) -> None:
    lying.routes["/v2/r/manifests/demoZstable-1"] = status(200, {}, manifest)
    lying.routes[f"/v2/r/blobs/sha256:{'a' * 64}"] = status(200, {}, b"another blob")
    assert code(lambda: at(lying).entry(LINE, 1)) == "place-differs"
