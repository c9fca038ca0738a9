"""From a registry into a kit, and out of the extracted kit into the registry of the site."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from kit.build import Options, build
from kit.net.logins import Logins
from kit.seal import seal
from kit.signing import load_signer
from kit.sources.taken import take
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.services.test_image_companions import put
from tests.services.test_registry_sources import GZIP, ZSTD, Host, Lying
from tests.support.making import ROOT_FILE, key, pinned
from tests.support.registry import Layout, layer, push, registry, send
from tests.support.webserver import Answer, Handler, cut, in_turn, status, web, whole
from verifier.core.errors import KitError

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
HELM = "application/vnd.cncf.helm"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """What real registries hold: platforms, many layers, zstd, a foreign layer, a chart."""
    made = Layout(tmp_path_factory.mktemp("layout"))
    blob = made.blob
    both = made.index(
        [
            made.manifest([blob(layer(name, name.encode()), GZIP)], name)
            for name in ("amd64", "arm64")
        ]
    )
    many = made.manifest([blob(layer(f"{n}", b"%d" % n), GZIP) for n in range(100)], "amd64")
    squeezed = zstandard.compress(gzip.decompress(layer("z", b"z" * 100)))
    zstd = made.manifest([blob(squeezed, ZSTD)], "amd64")
    elsewhere = {"urls": ["https://vendor.example/layer"]}
    foreign = made.manifest([blob(layer("f", b"foreign"), FOREIGN, **elsewhere)], "amd64")
    chart = made.manifest(
        [blob(layer("chart/Chart.yaml", b"name: chart\n"), f"{HELM}.chart.content.v1.tar+gzip")],
        "none",
        config=blob(b'{"name":"chart","version":"1.0.0"}', f"{HELM}.config.v1+json"),
    )
    subject = {key: both[key] for key in ("mediaType", "digest", "size")}
    referrer = made.manifest([blob(b"{}", BUNDLE)], "none", artifactType=BUNDLE, subject=subject)
    named = {"both": both, "many": many, "zstd": zstd, "foreign": foreign, "chart": chart}
    fallback = {f"sha256-{both['digest'][7:]}": made.index([referrer])}
    made.finish(**named, **fallback)
    return made


@pytest.fixture(scope="module")
def source(layout: Layout, judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("source")
    with registry(judge("docker-registry"), directory / "registry") as host:
        for entry in json.loads((layout.directory / "index.json").read_bytes())["manifests"]:
            name = entry["annotations"]["org.opencontainers.image.ref.name"]
            if name == "foreign":  # skopeo leaves such layers where they are
                _upload(host, layout, entry)
            elif name.startswith("sha256-"):
                push(judge("skopeo"), layout.directory, name, f"{host}/lnm/both:{name}")
            else:
                push(judge("skopeo"), layout.directory, name, f"{host}/lnm/{name}:1")
        yield host


def _upload(host: str, layout: Layout, entry: dict[str, object]) -> None:
    """Put a manifest and all its blobs into a registry, as its publisher does."""
    blobs = layout.directory / "blobs" / "sha256"
    digest = str(entry["digest"])[7:]
    value = json.loads((blobs / digest).read_bytes())
    for one in (value["config"], *value["layers"]):
        _upload_blob(host, "lnm/foreign", blobs / one["digest"][7:])
    path, data = "/v2/lnm/foreign/manifests/1", (blobs / digest).read_bytes()
    assert send(host, "PUT", path, data, MANIFEST)[0] == 201


def _upload_blob(host: str, repository: str, file: Path) -> None:
    _, place = send(host, "POST", f"/v2/{repository}/blobs/uploads/")
    query = f"{'&' if '?' in place else '?'}digest=sha256:{file.name}"
    assert send(host, "PUT", f"{place}{query}", file.read_bytes())[0] == 201


def test_every_image_arrives_at_the_site_as_it_was(
    layout: Layout, source: str, judge: Judge, tmp_path: Path
) -> None:
    tables = [f'oci = "{source}/lnm/{name}:1"' for name in ("many", "zstd", "chart")]
    tables.append(f'oci = "{source}/lnm/both:1"\nbeside = ["signatures"]')
    tables.append(f'oci = "{source}/lnm/foreign:1"\nnondistributable = true')
    host = Host(tmp_path / "h", *tables)
    locked = host.lock().lock
    spec = load_spec(host.spec)
    known = pinned().targets.keys
    signers = [load_signer(key(name), known) for name in ("alice", "bob")]
    with take(spec, host.store) as taken:
        kit = build(spec, [pinned()], tmp_path, Options(taken=taken), signers=signers).path
    seal(kit, root=pinned())
    command: list[str | Path] = [sys.executable, "-I", kit.with_name("kit-verify.pyz"), kit]
    command += ["--root", ROOT_FILE, "--extract", tmp_path / "site"]
    subprocess.run(command, check=True, capture_output=True)
    carried = tmp_path / "site" / "images"
    with registry(judge("docker-registry"), tmp_path / "registry") as there:
        for image in sorted(locked.images, key=lambda one: one.beside == "referrers"):
            if image.beside == "referrers":
                put(there, image.name, carried / "blobs" / "sha256" / image.sha256)
            elif "foreign" not in image.name:
                push(judge("skopeo"), carried, image.name, f"{there}/{image.name}")
        for image in locked.images:
            if "foreign" in image.name:
                continue
            command = [judge("skopeo"), "inspect", "--raw", "--tls-verify=false"]
            command.append(f"docker://{there}/{image.name}")
            raw = subprocess.run(command, check=True, capture_output=True).stdout
            assert hashlib.sha256(raw).hexdigest() == image.sha256
        again = Host(tmp_path / "again", f'oci = "{there}/lnm/both:1"\nbeside = ["signatures"]')
        assert {one.subject for one in again.lock().lock.images if one.beside} == {
            next(one.sha256 for one in locked.images if one.name == "lnm/both:1")
        }
    foreign = next(one for one in locked.images if "foreign" in one.name)
    value = json.loads((carried / "blobs" / "sha256" / foreign.sha256).read_bytes())
    assert (carried / "blobs" / "sha256" / value["layers"][0]["digest"][7:]).exists()


def test_a_foreign_layer_is_carried_when_the_spec_says_so_and_not_before(
    source: str, tmp_path: Path
) -> None:
    host = Host(tmp_path, f'oci = "{source}/lnm/foreign:1"')
    with pytest.raises(KitError) as caught:
        host.lock()
    assert caught.value.code == "image-restricted"


# --- tokens that end in the middle ---------------------------------------------------------------


def _counted(lying: Lying, answer: Answer, good: list[str]) -> Answer:
    """Answer who shows the token of the moment; with others, say 401."""
    realm = f'Bearer realm="{lying.web.url}/token",service="s"'

    def guard(handler: Handler) -> None:
        allowed = handler.headers.get("Authorization") == f"Bearer {good[0]}"
        (answer if allowed else status(401, {"WWW-Authenticate": realm}))(handler)

    return guard


def test_a_token_that_ends_in_the_middle_of_a_layer(tmp_path: Path) -> None:
    """What was received stays, and is continued with a new token."""
    with web() as running:
        lying = Lying(running, tmp_path / "layout")
        good = ["one"]

        def token(handler: Handler) -> None:
            good[0] = f"{good[0]}+"
            status(200, {}, json.dumps({"token": good[0]}).encode())(handler)

        def broken(handler: Handler) -> None:
            good[0] = f"{good[0]}+"  # from the next request on another token is asked for
            cut(lying.layer, len(lying.layer) // 2)(handler)

        routes = lying.web.routes
        routes[lying.blob] = in_turn(broken, whole(lying.layer))
        for path, answer in list(routes.items()):
            routes[path] = _counted(lying, answer, good)
        routes["/token"] = token
        host = Host(tmp_path / "h", f'oci = "{lying.host}/a:1"')
        assert host.lock().changed
        ranges = [one.headers.get("Range") for one in running.asked if one.path == lying.blob]
        assert f"bytes={len(lying.layer) // 2}-" in ranges


def test_a_registry_that_never_has_enough_of_tokens(tmp_path: Path) -> None:
    with web() as running:
        lying = Lying(running, tmp_path / "layout")
        realm = f'Bearer realm="{running.url}/token",service="s"'
        running.routes[lying.blob] = status(401, {"WWW-Authenticate": realm})
        running.routes["/token"] = status(200, {}, b'{"token": "t"}')
        with pytest.raises(KitError) as caught:
            Host(tmp_path / "h", f'oci = "{lying.host}/a:1"').lock()
        assert caught.value.code == "fetch-unauthorized"
        assert sum(one.path.startswith("/token") for one in running.asked) <= 2


def test_a_login_does_not_answer_where_one_was_sent(tmp_path: Path) -> None:
    """A challenge behind a redirect would send the login of the registry to somebody else."""
    with web() as running, web() as storage:
        lying = Lying(running, tmp_path / "layout")
        elsewhere = storage.url.replace("127.0.0.1", "localhost")
        realm = f'Bearer realm="{elsewhere}/token"'
        storage.routes["/bytes"] = status(401, {"WWW-Authenticate": realm})
        storage.routes["/token"] = status(200, {}, b'{"token": "t"}')
        running.routes[lying.blob] = status(307, {"Location": f"{elsewhere}/bytes"})
        login = {"auths": {lying.host: {"auth": "YWxpY2U6c2VzYW1l"}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        logins = Logins([tmp_path / "config.json"])
        with pytest.raises(KitError) as caught:
            Host(tmp_path / "h", f'oci = "{lying.host}/a:1"', logins=logins).lock()
        assert caught.value.code == "fetch-unauthorized"
        assert [one.path for one in storage.asked] == ["/bytes"]
        assert all("Authorization" not in one.headers for one in storage.asked)


def test_an_image_that_is_gone_is_named_with_what_its_tag_means_now(tmp_path: Path) -> None:
    with web() as running:
        lying = Lying(running, tmp_path / "layout")
        host = Host(tmp_path / "h", f'oci = "{lying.host}/a:1"')
        old = host.lock().lock.images[0].sha256
        value = {**json.loads(lying.manifest), "annotations": {"built": "again"}}
        new = json.dumps(value).encode()
        lying.serve(new)
        del running.routes[f"/v2/a/manifests/sha256:{old}"]
        host.store = Store(tmp_path / "fresh")
        digest = hashlib.sha256(new).hexdigest()
        with pytest.raises(KitError, match=f"/a:1 means sha256:{digest} now") as caught:
            host.lock()
        assert caught.value.code == "artifact-gone"
        assert old in str(caught.value)
