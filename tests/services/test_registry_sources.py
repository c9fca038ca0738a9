"""Images out of a real registry, and out of one that lies."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from kit.lock import Locked, LockOptions, lock
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.sources.lockfile import load_lock
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.support.registry import Layout, layer, push, registry
from tests.support.webserver import Answer, Handler, Web, cut, in_turn, status, web, whole
from verifier.core.errors import KitError

SPEC = """\
[kit]
name = "images"
version = "1"
line = "images/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "images"

[[component]]
id = "images"
version = "1"
path = "images"
lands = "/var/lib/images"
"""
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


class Host:
    """A release host: a spec, a store and a client."""

    def __init__(self, directory: Path, *sources: str, logins: Logins | None = None) -> None:
        self.spec = directory / "kit.toml"
        self.store = Store(directory / "store")
        self.logins = logins or Logins()
        self.waits: list[float] = []
        self.write(*sources)

    def write(self, *sources: str) -> None:
        self.spec.parent.mkdir(parents=True, exist_ok=True)
        tables = "".join(f"[[component.source]]\n{source}\n" for source in sources)
        self.spec.write_text(SPEC + tables, "utf-8")

    def lock(self, *update: str, check: bool = False, offline: bool = False) -> Locked:
        client = Client(Ways(proxies={}, sleep=self.waits.append))
        options = LockOptions(frozenset(update), check=check, offline=offline)
        return lock(load_spec(self.spec), self.store, client, self.logins, options)

    def index(self, locked: Locked) -> dict[str, object]:
        (item,) = [one for one in locked.lock.artifacts if one.path == "images/index.json"]
        value: dict[str, object] = json.loads(self.store.read(item.artifact, 1 << 20))
        return value


def blobs(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "blobs" / "sha256").iterdir()}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two platforms with a layer in common, one image of 100 layers, one of zstd."""
    made = Layout(tmp_path_factory.mktemp("layout"))
    common = made.blob(layer("common", b"c" * 5000), GZIP)
    own = [made.blob(layer(name, name.encode() * 900), GZIP) for name in ("amd64", "arm64")]
    platforms = [
        made.manifest([common, one], name)
        for one, name in zip(own, ("amd64", "arm64"), strict=True)
    ]
    many = [made.blob(layer(f"{number}", b"%d" % number), GZIP) for number in range(100)]
    import zstandard

    squeezed = zstandard.compress(gzip.decompress(layer("z", b"z" * 100)))
    return made.finish(
        both=made.index(platforms),
        many=made.manifest(many, "amd64"),
        squeezed=made.manifest([made.blob(squeezed, ZSTD)], "amd64"),
    )


@pytest.fixture(scope="module")
def site(layout: Path, judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that has them."""
    with registry(judge("docker-registry"), tmp_path_factory.mktemp("r") / "registry") as host:
        for name in ("both", "many", "squeezed"):
            push(judge("skopeo"), layout, name, f"{host}/lnm/{name}:1")
        yield host


def test_what_arrives_is_what_the_registry_has(site: str, layout: Path, tmp_path: Path) -> None:
    host = Host(
        tmp_path, *(f'oci = "{site}/lnm/{name}:1"' for name in ("both", "many", "squeezed"))
    )
    locked = host.lock()
    there = blobs(layout)
    arrived = {
        item.sha256: host.store.read(item.artifact, 1 << 24)
        for item in locked.lock.artifacts
        if "/blobs/" in item.path
    }
    assert arrived == there
    entries = host.index(locked)["manifests"]
    original = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert isinstance(entries, list)
    assert {e["digest"] for e in entries} == {e["digest"] for e in original}
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries]
    assert names == ["lnm/both:1", "lnm/many:1", "lnm/squeezed:1"]


def test_a_second_lock_asks_nobody(site: str, tmp_path: Path) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"')
    first = host.lock()
    assert first.changed
    second = host.lock(offline=True)
    assert not second.changed
    assert second.lock == first.lock == load_lock(tmp_path / "kit.lock")
    assert host.lock(check=True).fetched == 0


def test_a_fresh_machine_fetches_by_digest_and_writes_nothing(site: str, tmp_path: Path) -> None:
    source = f'oci = "{site}/lnm/both:1"\nplatforms = ["linux/arm64"]'
    host = Host(tmp_path, source)
    first = host.lock()
    before = (tmp_path / "kit.lock").stat().st_mtime_ns
    host.store = Store(tmp_path / "fresh")
    again = host.lock()
    assert not again.changed
    assert again.fetched == len({item.sha256 for item in first.lock.artifacts})
    assert (tmp_path / "kit.lock").stat().st_mtime_ns == before
    assert host.lock(check=True).lock == first.lock


def test_a_tag_that_moves_is_moved_on_purpose(layout: Path, judge: Judge, tmp_path: Path) -> None:
    with registry(judge("docker-registry"), tmp_path / "registry") as site:
        push(judge("skopeo"), layout, "many", f"{site}/moving:1")
        host = Host(tmp_path / "host", f'oci = "{site}/moving:1"')
        first = host.lock()
        push(judge("skopeo"), layout, "both", f"{site}/moving:1")
        assert host.lock().lock == first.lock
        host.store = Store(tmp_path / "fresh")
        assert host.lock().lock == first.lock, "what the tag meant is fetched by digest"
        moved = host.lock("images")
        assert moved.resolved == ("images",)
        assert moved.lock.images[0].sha256 != first.lock.images[0].sha256


def test_one_platform_of_an_index(site: str, layout: Path, tmp_path: Path) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"\nplatforms = ["linux/arm64"]')
    locked = host.lock()
    (image,) = locked.lock.images
    assert image.platform == "linux/arm64"
    original = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    assert f"sha256:{image.index}" == original
    kept = [item for item in locked.lock.artifacts if item.path.startswith("evidence/")]
    assert [item.sha256 for item in kept] == [image.index]
    carried = {item.sha256 for item in locked.lock.artifacts if "/blobs/" in item.path}
    assert len(carried) == 4  # manifest, config, the common layer and its own
    assert image.index not in carried


def test_a_platform_that_is_not_there_is_named_with_those_that_are(
    site: str, tmp_path: Path
) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"\nplatforms = ["linux/s390x"]')
    with pytest.raises(KitError, match="it has linux/amd64, linux/arm64") as caught:
        host.lock()
    assert caught.value.code == "image-platform-absent"
    assert not (tmp_path / "kit.lock").exists()


def test_a_lock_for_other_sources_is_named(site: str, tmp_path: Path) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"')
    host.lock()
    host.write(f'oci = "{site}/lnm/many:1"')
    with pytest.raises(KitError, match="the sources of 'images' changed") as caught:
        host.lock(check=True)
    assert caught.value.code == "lock-stale"


def test_what_the_store_lacks_is_named(site: str, tmp_path: Path) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"')
    host.lock()
    host.store = Store(tmp_path / "fresh")
    with pytest.raises(KitError, match=r"images/index\.json") as caught:
        host.lock(offline=True)
    assert caught.value.code == "artifact-absent"


def test_an_image_that_is_gone(site: str, tmp_path: Path) -> None:
    with pytest.raises(KitError) as caught:
        Host(tmp_path, f'oci = "{site}/lnm/gone:1"').lock()
    assert caught.value.code == "artifact-gone"


# --- images in files ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_a_layout_gives_what_the_registry_gives(
    kind: str, site: str, layout: Path, judge: Judge, tmp_path: Path
) -> None:
    host = Host(tmp_path, f'oci = "{site}/lnm/both:1"\nas = "both"')
    expected = {item.path: item.sha256 for item in host.lock().lock.artifacts}
    made = tmp_path / "image"
    copy: list[str | Path] = [judge("skopeo"), "copy", "--quiet", "--all", "--preserve-digests"]
    copy += ["--insecure-policy", f"oci:{layout}:both", f"{kind}:{made}:both"]
    subprocess.run(copy, check=True)
    host.write(f'oci = "{kind}:image:both"')
    assert {item.path: item.sha256 for item in host.lock().lock.artifacts} == expected
    host.store = Store(tmp_path / "fresh")
    assert not host.lock().changed, "a fresh machine takes it out of the file again"


def test_a_docker_archive_gets_one_manifest_of_ours(
    layout: Path, judge: Judge, tmp_path: Path
) -> None:
    made = tmp_path / "saved.tar"
    copy: list[str | Path] = [judge("skopeo"), "copy", "--quiet", "--insecure-policy"]
    copy += [f"oci:{layout}:many", f"docker-archive:{made}:site.example/many:1"]
    subprocess.run(copy, check=True)
    host = Host(tmp_path, 'oci = "docker-archive:saved.tar:site.example/many:1"')
    first = host.lock()
    assert len(first.lock.images) == 1
    host.store = Store(tmp_path / "fresh")
    assert host.lock("images").lock == first.lock
    target = tmp_path / "site"
    for item in first.lock.artifacts:
        path = target / item.path.removeprefix("images/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(host.store.path(item.sha256).read_bytes())
    inspect: list[str | Path] = [judge("skopeo"), "inspect", "--raw"]
    raw = subprocess.run([*inspect, f"oci:{target}"], check=True, capture_output=True).stdout
    assert hashlib.sha256(raw).hexdigest() == first.lock.images[0].sha256
    with_layers: list[str | Path] = [
        judge("skopeo"),
        "copy",
        "--quiet",
        "--insecure-policy",
        "--preserve-digests",
    ]
    subprocess.run([*with_layers, f"oci:{target}", f"dir:{tmp_path / 'copied'}"], check=True)


FILES = [
    ("oci:nowhere", "No such file"),
    ("oci:layout:gone", "it has 'both', 'many'"),
    ("oci:layout", "has 3 images"),
    ("oci-archive:file:both", "is no tar archive"),
    ("docker-archive:empty.tar:a", "has no manifest.json"),
]


@pytest.mark.parametrize(("source", "said"), FILES)
def test_image_files_that_are_none(source: str, said: str, layout: Path, tmp_path: Path) -> None:
    (tmp_path / "layout").symlink_to(layout)
    (tmp_path / "file").write_bytes(b"no archive at all" * 100)
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    with pytest.raises(KitError) as caught:
        Host(tmp_path, f'oci = "{source}"').lock()
    assert caught.value.code == "image-file-unusable"
    assert said in str(caught.value)


def test_an_image_without_a_name_is_found_by_its_digest(layout: Path, tmp_path: Path) -> None:
    """Tools write layouts whose index names nothing; ours names what it carries."""
    shutil.copytree(layout, tmp_path / "layout")
    index = json.loads((layout / "index.json").read_bytes())
    for entry in index["manifests"]:
        entry.pop("annotations", None)
    (tmp_path / "layout/index.json").write_text(json.dumps(index))
    wanted = index["manifests"][1]["digest"]
    with pytest.raises(KitError, match="it has 'sha256:"):
        Host(tmp_path, 'oci = "oci:layout:both"').lock()
    host = Host(tmp_path, f'oci = "oci:layout:{wanted}"\nas = "found-1"')
    (image,) = host.lock().lock.images
    assert (f"sha256:{image.sha256}", image.name) == (wanted, "found-1")


# --- a registry that lies ------------------------------------------------------------------------


class Lying:
    """A registry of ours with one small image, whose answers a test exchanges."""

    def __init__(self, web: Web, directory: Path) -> None:
        self.web = web
        made = Layout(directory)
        self.layer = layer("file", b"contents" * 4000)
        self.descriptor = made.blob(self.layer, GZIP)
        entry = made.manifest([self.descriptor], "amd64")
        self.manifest = blobs(directory)[entry["digest"][7:]]
        for digest, data in blobs(directory).items():
            self.web.routes[f"/v2/a/blobs/sha256:{digest}"] = whole(data)
        self.serve(self.manifest)
        self.host = web.url.removeprefix("http://")

    def serve(
        self, manifest: bytes, media: str = "application/vnd.oci.image.manifest.v1+json"
    ) -> None:
        answer = status(200, {"Content-Type": media}, manifest)
        digest = hashlib.sha256(manifest).hexdigest()
        for name in ("1", f"sha256:{digest}"):
            self.web.routes[f"/v2/a/manifests/{name}"] = answer

    @property
    def blob(self) -> str:
        return f"/v2/a/blobs/{self.descriptor['digest']}"


@pytest.fixture
def lying(tmp_path: Path) -> Iterator[Lying]:
    with web() as running:
        yield Lying(running, tmp_path / "layout")


def _changed(manifest: bytes, **changes: object) -> bytes:
    return json.dumps({**json.loads(manifest), **changes}).encode()


def test_an_honest_one_is_believed(lying: Lying, tmp_path: Path) -> None:
    assert Host(tmp_path / "h", f'oci = "{lying.host}/a:1"').lock().changed


LIES: dict[str, tuple[Callable[[Lying], None], str]] = {
    "another layer": (
        lambda it: it.web.routes.update({it.blob: whole(b"x" * len(it.layer))}),
        "artifact-differs",
    ),
    "a short layer": (
        lambda it: it.web.routes.update({it.blob: whole(it.layer[:-1])}),
        "artifact-differs",
    ),
    "a long layer": (
        lambda it: it.web.routes.update({it.blob: whole(it.layer + b"x")}),
        "artifact-too-large",
    ),
    "no layer": (lambda it: it.web.routes.update({it.blob: status(404)}), "artifact-gone"),
    "not JSON": (lambda it: it.serve(b"{"), "image-malformed"),
    "a list": (lambda it: it.serve(b"[]"), "image-malformed"),
    "schema 1": (lambda it: it.serve(_changed(it.manifest, schemaVersion=1)), "image-malformed"),
    "both at once": (lambda it: it.serve(_changed(it.manifest, manifests=[])), "image-malformed"),
    "layers that are none": (
        lambda it: it.serve(_changed(it.manifest, layers={})),
        "image-malformed",
    ),
    "a negative size": (
        lambda it: it.serve(_changed(it.manifest, layers=[{**it.descriptor, "size": -1}])),
        "image-malformed",
    ),
    "a size of 10^30": (
        lambda it: it.serve(_changed(it.manifest, layers=[{**it.descriptor, "size": 10**30}])),
        "image-malformed",
    ),
    "a size that is true": (
        lambda it: it.serve(_changed(it.manifest, layers=[{**it.descriptor, "size": True}])),
        "image-malformed",
    ),
    "a way up": (
        lambda it: it.serve(
            _changed(it.manifest, layers=[{**it.descriptor, "digest": "sha256:../../x"}])
        ),
        "image-malformed",
    ),
    "another hash": (
        lambda it: it.serve(
            _changed(it.manifest, layers=[{**it.descriptor, "digest": "md5:" + "0" * 32}])
        ),
        "image-malformed",
    ),
    "two sizes": (
        lambda it: it.serve(
            _changed(it.manifest, layers=[it.descriptor, {**it.descriptor, "size": 1}])
        ),
        "image-malformed",
    ),
    "more layers than any image has": (
        lambda it: it.serve(
            _changed(
                it.manifest,
                layers=[
                    {"mediaType": GZIP, "digest": f"sha256:{n:064x}", "size": 1}
                    for n in range(22_000)
                ],
            )
        ),
        "image-malformed",
    ),
    "100,000 layers": (
        lambda it: it.serve(
            _changed(
                it.manifest,
                layers=[
                    {"mediaType": GZIP, "digest": f"sha256:{n:064x}", "size": 1}
                    for n in range(100_000)
                ],
            )
        ),
        "artifact-too-large",
    ),
    "a layer of 10 GB that is not": (
        lambda it: it.serve(
            _changed(it.manifest, layers=[{**it.descriptor, "size": 10_000_000_000}])
        ),
        "artifact-differs",
    ),
    "a manifest of 5 MB": (
        lambda it: it.serve(_changed(it.manifest, annotations={"a": "a" * 5_000_000})),
        "artifact-too-large",
    ),
    "a foreign layer": (
        lambda it: it.serve(
            _changed(
                it.manifest,
                layers=[
                    {
                        **it.descriptor,
                        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                    }
                ],
            )
        ),
        "image-restricted",
    ),
    "another media type": (
        lambda it: it.serve(_changed(it.manifest, mediaType="text/plain")),
        "image-malformed",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_lies_is_told_from_an_image(lie: str, lying: Lying, tmp_path: Path) -> None:
    change, code = LIES[lie]
    change(lying)
    host = Host(tmp_path / "h", f'oci = "{lying.host}/a:1"')
    with pytest.raises(KitError) as caught:
        host.lock()
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.fix
    assert not (tmp_path / "h" / "kit.lock").exists()
    assert host.store.verify().damaged == ()


def test_an_index_nested_too_deep(lying: Lying, tmp_path: Path) -> None:
    media = "application/vnd.oci.image.index.v1+json"
    inner, kind = lying.manifest, "application/vnd.oci.image.manifest.v1+json"
    for _ in range(6):
        entry = {
            "mediaType": kind,
            "digest": f"sha256:{hashlib.sha256(inner).hexdigest()}",
            "size": len(inner),
        }
        inner = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": [entry]}).encode()
        kind = media
        lying.serve(inner, media)
    with pytest.raises(KitError, match="nested deeper") as caught:
        Host(tmp_path / "h", f'oci = "{lying.host}/a:1"').lock()
    assert caught.value.code == "image-malformed"


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_connection_cut_at_every_tenth(tenth: int, lying: Lying, tmp_path: Path) -> None:
    lying.web.routes[lying.blob] = in_turn(
        cut(lying.layer, len(lying.layer) * tenth // 10), whole(lying.layer)
    )
    assert Host(tmp_path / "h", f'oci = "{lying.host}/a:1"').lock().changed


def test_a_busy_registry_is_asked_again(lying: Lying, tmp_path: Path) -> None:
    name = "/v2/a/manifests/1"
    lying.web.routes[name] = in_turn(status(429, {"Retry-After": "3"}), lying.web.routes[name])
    host = Host(tmp_path / "h", f'oci = "{lying.host}/a:1"')
    assert host.lock().changed
    assert host.waits == [3.0]


def test_a_token_is_got_and_goes_nowhere_else(lying: Lying, tmp_path: Path) -> None:
    """401 with a challenge, a token from its realm, a redirect to storage without the token."""
    with web() as storage:
        elsewhere = storage.url.replace("127.0.0.1", "localhost")
        storage.routes["/bytes"] = whole(lying.layer)
        for path, answer in list(lying.web.routes.items()):
            lying.web.routes[path] = _guarded(lying, answer)
        lying.web.routes[lying.blob] = _guarded(
            lying, status(307, {"Location": f"{elsewhere}/bytes"})
        )
        lying.web.routes["/token"] = status(200, {}, b'{"token": "open"}')
        (tmp_path / "config.json").write_text(
            json.dumps({"auths": {lying.host: {"auth": "YWxpY2U6c2VzYW1l"}}})
        )
        host = Host(
            tmp_path / "h",
            f'oci = "{lying.host}/a:1"',
            logins=Logins([tmp_path / "config.json"]),
        )
        assert host.lock().changed
        asked = [one for one in lying.web.asked if one.path.startswith("/token")]
        assert asked[0].headers["Authorization"] == "Basic YWxpY2U6c2VzYW1l"
        assert "scope=repository%3Aa%3Apull" in asked[0].path
        assert len(asked) == 1
        assert all("Authorization" not in one.headers for one in storage.asked)
        text = (tmp_path / "h" / "kit.lock").read_text()
        assert "YWxpY2U6" not in text
        assert "open" not in text


def test_an_identity_token_is_exchanged_for_one_of_the_registry(
    lying: Lying, tmp_path: Path
) -> None:
    """As registries of cloud providers have it (distribution's OAuth 2.0 specification)."""
    forms: list[dict[str, list[str]]] = []

    def exchange(handler: Handler) -> None:
        assert handler.command == "POST"
        forms.append(parse_qs(handler.rfile.read().decode()))
        status(200, {}, b'{"access_token": "open", "expires_in": 300}')(handler)

    for path, answer in list(lying.web.routes.items()):
        lying.web.routes[path] = _guarded(lying, answer)
    lying.web.routes["/token"] = exchange
    entry = {"auth": "YWxpY2U6", "identitytoken": "long & secret"}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {lying.host: entry}}))
    logins = Logins([tmp_path / "config.json"])
    assert Host(tmp_path / "h", f'oci = "{lying.host}/a:1"', logins=logins).lock().changed
    assert forms == [
        {
            "grant_type": ["refresh_token"],
            "client_id": ["offline-kit"],
            "refresh_token": ["long & secret"],
            "service": ["s"],
            "scope": ["repository:a:pull"],
        }
    ]
    (asked,) = [one for one in lying.web.asked if one.path.startswith("/token")]
    assert "Authorization" not in asked.headers


def _guarded(lying: Lying, answer: Answer) -> Answer:
    realm = f'realm="{lying.web.url}/token",service="s",scope="repository:a:pull"'
    challenge = {"WWW-Authenticate": f"Bearer {realm}"}

    def guard(handler: Handler) -> None:
        allowed = handler.headers.get("Authorization") == "Bearer open"
        (answer if allowed else status(401, challenge))(handler)

    return guard


def test_a_registry_that_wants_a_login_that_we_lack(lying: Lying, tmp_path: Path) -> None:
    lying.web.routes["/v2/a/manifests/1"] = status(401, {"WWW-Authenticate": 'Basic realm="x"'})
    with pytest.raises(KitError) as caught:
        Host(tmp_path / "h", f'oci = "{lying.host}/a:1"').lock()
    assert caught.value.code == "fetch-unauthorized"
