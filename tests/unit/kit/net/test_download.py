"""Downloads: whatever a server does, what gets a name in the store is what was asked for."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.net.client import Client, Ways
from kit.net.download import Downloads, Wanted
from kit.net.logins import Logins
from kit.net.registry import Registry, parse_reference
from kit.net.s3 import Bucket, BucketPlace
from kit.store import Artifact, Store
from kit.store.errors import ArtifactDiffers
from tests.support.webserver import Answer, Web, cut, in_turn, status, web, whole
from verifier.core.errors import KitError

BODY = random.Random(11).randbytes(300_001)
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as running:
        yield running


class Site:
    """A store and a client whose waits are noted and not waited."""

    def __init__(self, directory: Path, **ways: object) -> None:
        self.store = Store(directory / "store")
        self.waits: list[float] = []
        self.client = Client(Ways(proxies={}, sleep=self.waits.append, **ways))  # type: ignore[arg-type]

    def fetch(self, *urls: str, size: int | None = None, limit: int = 1 << 30) -> Artifact:
        wanted = Wanted("thing", urls, SHA, size, limit)
        return Downloads(self.client, self.store).fetch(wanted)

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.store.root / "sha256").glob("*/*"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("cores", [0, 1, 64])
def test_a_file_is_the_same_whoever_hashes_it(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a core is free another thread hashes; a break in between and a wrong file as well."""
    monkeypatch.setattr("kit.net.download._CORES", cores)
    body = bytes(range(256)) * 8_000
    with web() as server:
        server.routes["/a"] = cut(body, 700_000)
        server.routes["/b"] = whole(body[:-1] + b"x")
        store = Store(tmp_path / "store")
        downloads = Downloads(Client(Ways(proxies={}, sleep=lambda seconds: None)), store)
        digest = hashlib.sha256(body).hexdigest()
        with pytest.raises(ArtifactDiffers):
            downloads.fetch(Wanted("b", (f"{server.url}/b",), digest))
        got = downloads.fetch(Wanted("a", (f"{server.url}/a",), digest))
        assert (got.sha256, got.size) == (digest, len(body))
        assert store.path(digest).read_bytes() == body
    assert not [one for one in threading.enumerate() if one.name.startswith("hash")]


def test_a_file_is_fetched_once(site: Site, server: Web) -> None:
    server.routes["/a"] = whole(BODY)
    assert site.fetch(f"{server.url}/a") == Artifact(SHA, len(BODY))
    assert site.fetch(f"{server.url}/a", size=len(BODY)) == Artifact(SHA, len(BODY))
    assert len(server.asked) == 1
    assert site.store.path(SHA).read_bytes() == BODY
    assert site.store.path(SHA).stat().st_mode & 0o777 == 0o444
    assert os.listdir(site.store.root / "partial") == []


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_connection_that_breaks_at_every_tenth_is_continued(
    tenth: int, site: Site, server: Web
) -> None:
    server.routes["/a"] = in_turn(cut(BODY, len(BODY) * tenth // 10), whole(BODY))
    assert site.fetch(f"{server.url}/a").sha256 == SHA
    assert server.asked[1].headers["Range"] == f"bytes={len(BODY) * tenth // 10}-"


def test_a_connection_that_breaks_again_and_again_gets_there(site: Site, server: Web) -> None:
    server.routes["/a"] = cut(BODY, 10_000)
    assert site.fetch(f"{server.url}/a").size == len(BODY)
    assert len(server.asked) == 31


def test_a_server_without_ranges_begins_anew(site: Site, server: Web) -> None:
    server.routes["/a"] = in_turn(cut(BODY, 100_000), whole(BODY, ranges=False))
    assert site.fetch(f"{server.url}/a").sha256 == SHA


def test_what_another_run_left_is_continued(site: Site, server: Web) -> None:
    with site.store.receive(SHA) as partial:
        partial.write(BODY[:250_000])
    server.routes["/a"] = whole(BODY)
    assert site.fetch(f"{server.url}/a").sha256 == SHA
    assert server.asked[0].headers["Range"] == "bytes=250000-"


@pytest.mark.parametrize("left", [b"x" * 1000, BODY + b"more", BODY[:-1] + b"?"])
def test_what_another_run_left_and_is_wrong_is_dropped(
    left: bytes, site: Site, server: Web
) -> None:
    with site.store.receive(SHA) as partial:
        partial.write(left)
    server.routes["/a"] = whole(BODY)
    assert site.fetch(f"{server.url}/a").sha256 == SHA


def test_all_that_is_there_is_not_asked_for_again(site: Site, server: Web) -> None:
    with site.store.receive(SHA) as partial:
        partial.write(BODY)
    server.routes["/a"] = whole(BODY)
    assert site.fetch(f"{server.url}/a").sha256 == SHA


def _bytes_anew(body: bytes) -> Answer:
    return status(200, {}, body)


LIES: list[tuple[str, Answer, str]] = [
    ("another file", whole(BODY[:-1] + b"?"), "artifact-differs"),
    ("a shorter file", whole(BODY[:-1]), "artifact-differs"),
    ("a longer file", whole(BODY + b"?"), "artifact-differs"),
    ("nothing", whole(b""), "artifact-differs"),
    ("a body that ends early, always", cut(BODY, 0), "fetch-failed"),
    ("a range nobody asked for", status(206, {"Content-Range": "bytes 5-9/10"}), "fetch-failed"),
    ("416 to a whole request", status(416), "fetch-failed"),
    ("500 for ever", status(500), "fetch-failed"),
    ("429 for a day", status(429, {"Retry-After": "86400"}), "fetch-failed"),
    ("404", status(404), "artifact-gone"),
    ("410", status(410), "artifact-gone"),
    ("401", status(401), "fetch-unauthorized"),
    ("403", status(403), "fetch-unauthorized"),
    ("a circle", status(302, {"Location": "/a"}), "fetch-failed"),
    ("a way to a file", status(302, {"Location": "file:///etc/passwd"}), "url-refused"),
    ("a way to no TLS", status(302, {"Location": "http://192.0.2.1/a"}), "url-refused"),
    ("a status that is none of ours", status(201), "fetch-failed"),
]


@pytest.mark.parametrize(("what", "answer", "code"), LIES, ids=[lie[0] for lie in LIES])
def test_a_server_that_lies_leaves_nothing(
    what: str, answer: Answer, code: str, site: Site, server: Web
) -> None:
    server.routes["/a"] = answer
    with pytest.raises(KitError) as caught:
        site.fetch(f"{server.url}/a")
    assert caught.value.code == code, what
    assert site.names() == []
    assert sum(site.waits) < 60, "no wait that somebody else decides"


def test_a_declared_size_above_the_limit_is_not_received(site: Site, server: Web) -> None:
    server.routes["/a"] = status(200, {"X": "y"}, BODY)
    with pytest.raises(KitError) as caught:
        site.fetch(f"{server.url}/a", limit=1000)
    assert caught.value.code == "artifact-too-large"
    assert site.names() == []


def test_more_than_was_declared_is_never_kept(site: Site, server: Web) -> None:
    server.routes["/a"] = whole(BODY + b"more")
    with pytest.raises(KitError) as caught:
        site.fetch(f"{server.url}/a", size=len(BODY))
    assert caught.value.code == "artifact-too-large"


def test_a_server_that_is_busy_is_asked_again_when_it_says(site: Site, server: Web) -> None:
    server.routes["/a"] = in_turn(status(429, {"Retry-After": "7"}), status(503), whole(BODY))
    assert site.fetch(f"{server.url}/a").sha256 == SHA
    assert site.waits[0] == 7
    assert len(site.waits) == 2


def test_mirrors_are_tried_in_order(site: Site, server: Web) -> None:
    server.routes["/b"] = whole(BODY)
    server.routes["/c"] = whole(BODY)
    urls = [f"{server.url}/{name}" for name in "abc"]
    assert site.fetch(*urls).sha256 == SHA
    assert [asked.path for asked in server.asked] == ["/a", "/b"]


def test_a_mirror_with_a_wrong_file_is_named_before_one_without(site: Site, server: Web) -> None:
    server.routes["/a"] = whole(b"other")
    with pytest.raises(KitError) as caught:
        site.fetch(f"{server.url}/a", f"{server.url}/b")
    assert caught.value.code == "artifact-differs"


def test_a_file_of_this_host(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_bytes(BODY)
    assert site.fetch(path.as_uri()).sha256 == SHA
    path.write_bytes(BODY + b"?")
    with pytest.raises(KitError) as caught:
        Site(tmp_path / "other").fetch(path.as_uri())
    assert caught.value.code == "artifact-differs"


URLS = [
    ("http://192.0.2.1/a", "url-refused"),
    ("ftp://192.0.2.1/a", "url-refused"),
    ("https://user:secret@192.0.2.1/a", "url-refused"),
    ("https://", "url-refused"),
    ("https://[::1/a", "url-refused"),
    ("https://host:99999/a", "url-refused"),
    ("https://host/a b", "url-refused"),
    ("https://host/a\nb", "url-refused"),
    ("file://host/a", "url-refused"),
    ("file:///nowhere/at/all", "artifact-gone"),
    ("data:,a", "url-refused"),
]


@pytest.mark.parametrize(("url", "code"), URLS)
def test_urls_that_are_not_fetched(url: str, code: str, site: Site) -> None:
    with pytest.raises(KitError) as caught:
        site.fetch(url)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_nothing_answers(site: Site, server: Web) -> None:
    with web() as gone:
        url = gone.url
    with pytest.raises(KitError, match="nothing answers") as caught:
        site.fetch(f"{url}/a")
    assert caught.value.code == "fetch-failed"
    assert len(site.waits) == 4


def test_credentials_go_to_their_host_and_no_further(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login alice password open-sesame\n")
    with web() as home, web() as elsewhere:
        elsewhere_url = elsewhere.url.replace("127.0.0.1", "localhost")
        home.routes["/a"] = status(307, {"Location": f"{elsewhere_url}/b"})
        elsewhere.routes["/b"] = whole(BODY)
        site = Site(tmp_path, netrc=tmp_path / "netrc")
        assert site.fetch(f"{home.url}/a").sha256 == SHA
        assert home.asked[0].headers["Authorization"].startswith("Basic ")
        assert "Authorization" not in elsewhere.asked[0].headers


def test_a_default_entry_of_netrc_goes_to_nobody(tmp_path: Path, server: Web) -> None:
    (tmp_path / "netrc").write_text("default login alice password open-sesame\n")
    server.routes["/a"] = whole(BODY)
    Site(tmp_path, netrc=tmp_path / "netrc").fetch(f"{server.url}/a")
    assert "Authorization" not in server.asked[0].headers


def test_a_netrc_that_is_none_does_not_show_its_lines(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine a login b passwrd open-sesame\n")
    with pytest.raises(KitError) as caught:
        Site(tmp_path, netrc=tmp_path / "netrc")
    assert "open-sesame" not in str(caught.value)


def test_a_proxy_is_asked_for_other_hosts_only(tmp_path: Path, server: Web) -> None:
    server.routes["http://files.example/a"] = whole(BODY)
    store = Store(tmp_path / "store")
    ways = Ways(proxies={"http": server.url}, plain_http=frozenset({"files.example"}))
    wanted = Wanted("thing", ("http://files.example/a",), SHA)
    assert Downloads(Client(ways), store).fetch(wanted).sha256 == SHA
    assert server.asked[0].path == "http://files.example/a"


@pytest.mark.parametrize(
    ("named", "refused"),
    [
        ("files.example", False),
        ("Files.Example:8080", False),  # as an image names its registry, and [release] its hosts
        ("files.example:80", True),
        ("example", True),
        ("files.example:8080.evil", True),
    ],
)
def test_a_host_without_tls_is_named_with_its_port_or_without_one(
    named: str, refused: bool
) -> None:
    client = Client(Ways(proxies={}, plain_http=frozenset({named})))
    url = "http://files.example:8080/a"
    with pytest.raises(KitError) if refused else contextlib.nullcontext():
        client.check(url)
    reference = parse_reference("files.example:8080/r:1")
    assert Registry(client, reference, Logins()).url.startswith("https:") == refused
    how = Bucket(endpoint="http://files.example:8080", plain_http=frozenset({named}))
    with pytest.raises(KitError) if refused else contextlib.nullcontext():
        BucketPlace("b", "p", how)


def test_several_at_once_come_in_order(site: Site, server: Web) -> None:
    bodies = [os.urandom(1000 * number + 1) for number in range(30)]
    wanted = []
    for number, body in enumerate(bodies):
        server.routes[f"/{number}"] = whole(body)
        sha = hashlib.sha256(body).hexdigest()
        wanted.append(Wanted(str(number), (f"{server.url}/{number}",), sha))
    got = Downloads(site.client, site.store).fetch_all(wanted)
    assert [artifact.size for artifact in got] == [len(body) for body in bodies]


def test_the_first_failure_is_the_one_that_is_named(site: Site, server: Web) -> None:
    server.routes["/good"] = whole(BODY)
    wanted = [
        Wanted("good", (f"{server.url}/good",), SHA),
        Wanted("bad", (f"{server.url}/gone",), "0" * 64),
    ]
    with pytest.raises(KitError) as caught:
        Downloads(site.client, site.store).fetch_all(wanted)
    assert caught.value.code == "artifact-gone"


NONSENSE = ["http://[", "http://[::1", "//[", "http://a:b:c/", "http://127.0.0.1:99999999/", "::"]
NONSENSE += ["http://a..b/", f"http://{'a' * 300}/", "http:///a", "http://\xff/", "a b", "mailto:a"]
NONSENSE += ["http://%00/", "file:///etc/passwd", "http://127.0.0.1:1:1/", "?", "#", "http://@/"]


@pytest.mark.parametrize("location", NONSENSE)
def test_a_server_that_leads_nowhere_is_named(location: str, site: Site, server: Web) -> None:
    server.routes["/a"] = status(302, {"Location": location})
    with pytest.raises(KitError) as caught:
        site.fetch(f"{server.url}/a")
    assert caught.value.code in {"fetch-failed", "url-refused", "artifact-gone"}
