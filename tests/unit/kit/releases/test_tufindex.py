"""The index of lines as a TUF repository: python-tuf's client fetches a kit from it."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.updater import Updater

from kit.places.directory import DirectoryPlace
from kit.places.model import entry_key, object_key
from kit.publish import publish, read_history
from kit.releases.entry import Entry
from kit.releases.errors import TufIndexUnusable
from kit.releases.publisher import load_publisher
from kit.releases.tufindex import TufKeys, targets_of, write_tuf_index
from tests.support.making import KEYS
from tests.support.program import Run, runner
from tests.support.releases import LINE, kit_of, publisher, releases

SIGNER, PUBLISHER = publisher()
ROOT = load_publisher(str(KEYS / "carol.pem"))[0]
ONLINE = load_publisher(str(KEYS / "bob.pem"))[0]
BOTH = TufKeys([ROOT], ONLINE)
LATER = datetime(2090, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return releases(tmp_path_factory.mktemp("releases"))


class Site:
    """A place with releases and a repository beside it, behind a server of files."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self.place = DirectoryPlace(directory / "place")
        self.metadata = directory / "tuf"

    def publish(self, kit: Path) -> Entry:
        return publish(kit, [self.place], SIGNER, PUBLISHER, workers=1).entry

    def write(self, keys: TufKeys = BOTH, expires: datetime = LATER) -> tuple[str, ...]:
        history = read_history(self.place, LINE, [PUBLISHER])
        return write_tuf_index(
            self.metadata, targets_of([history]), keys, expires=expires, root_expires=LATER
        ).written

    def client(self, name: str = "client") -> Updater:
        """Return python-tuf's client, which begins with the root that it was told."""
        for part in ("", "targets"):
            (self.directory / name / part).mkdir(parents=True, exist_ok=True)
        return Updater(
            str(self.directory / name),
            f"{self.url}/tuf/",
            str(self.directory / name / "targets"),
            f"{self.url}/place/",
            config=UpdaterConfig(prefix_targets_with_hash=False),
            bootstrap=(self.metadata / "1.root.json").read_bytes(),
        )

    def fetch(self, target: str, name: str = "client") -> bytes:
        client = self.client(name)
        client.refresh()
        found = client.get_targetinfo(target)
        assert found is not None
        return Path(client.download_target(found)).read_bytes()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    make = functools.partial(Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Site(tmp_path, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_client_fetches_a_kit_and_follows_the_line(site: Site, made: Path) -> None:
    one = site.publish(kit_of(made, "one"))
    assert site.write() == (
        "1.root.json",
        "1.targets.json",
        "1.snapshot.json",
        "timestamp.json",
    )
    assert site.fetch(object_key(one.record.kit)) == kit_of(made, "one").read_bytes()
    assert site.fetch(entry_key(LINE, 1)) == one.data
    assert site.write() == (), "again it is nothing"
    two = site.publish(kit_of(made, "two"))
    assert site.write() == ("2.targets.json", "2.snapshot.json", "timestamp.json")
    assert site.fetch(object_key(two.record.kit)) == kit_of(made, "two").read_bytes()


def test_a_client_refuses_what_is_old_or_bent(site: Site, made: Path) -> None:
    one = site.publish(kit_of(made, "one"))
    site.write(expires=datetime(2020, 1, 1, tzinfo=timezone.utc))
    with pytest.raises(ExpiredMetadataError):
        site.client().refresh()
    assert site.write() == ("2.targets.json", "2.snapshot.json", "timestamp.json")
    kit = site.directory / "place" / object_key(one.record.kit)
    data = bytearray(kit.read_bytes())
    data[100] ^= 1
    kit.chmod(0o644)
    kit.write_bytes(bytes(data))
    with pytest.raises(RepositoryError):
        site.fetch(object_key(one.record.kit))
    stamp = (site.metadata / "timestamp.json").read_bytes()
    site.fetch(entry_key(LINE, 1), "other")
    (site.metadata / "timestamp.json").write_bytes(stamp.replace(b'"version":2', b'"version":1'))
    with pytest.raises(RepositoryError):
        site.client("other").refresh()


def test_its_root_is_one_of_its_own(site: Site, made: Path) -> None:
    site.publish(kit_of(made, "one"))
    with pytest.raises(TufIndexUnusable, match="nobody to sign one"):
        site.write(TufKeys([], ONLINE))
    site.write()
    with pytest.raises(TufIndexUnusable, match="not that of its root"):
        site.write(TufKeys([], ROOT))
    root = json.loads((site.metadata / "1.root.json").read_bytes())["signed"]
    assert root["roles"]["root"]["keyids"] == [ROOT.keyid]
    assert root["roles"]["timestamp"]["keyids"] == [ONLINE.keyid]


def test_what_a_line_lost_is_not_signed_away(site: Site, made: Path) -> None:
    site.publish(kit_of(made, "one"))
    site.write()
    with pytest.raises(TufIndexUnusable, match="no longer has"):
        write_tuf_index(site.metadata, {}, BOTH, expires=LATER)
    (site.metadata / "1.targets.json").write_bytes(b"{}")
    with pytest.raises(TufIndexUnusable):
        site.write()


def test_the_command(
    site: Site, made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Run = runner(capsys, monkeypatch)
    monkeypatch.chdir(site.directory)
    one = site.publish(kit_of(made, "one"))
    words = ["releases", "tuf", LINE, "--from", "dir:place", "--out", "tuf"]
    words += ["--key", str(KEYS / "bob.pem"), "--expires", "2090-01-01"]
    words += ["--publisher", str(KEYS / "sums.pub")]
    status, _, err = run(*words)
    assert (status, "tuf-index-unusable" in err) == (2, True)
    more = ["--root-key", str(KEYS / "carol.pem"), "--root-expires", "2090-01-01"]
    status, out, err = run(*words, *more)
    assert (status, err) == (0, "")
    assert out.endswith(f"{len(one.record.files) + 1} targets\n")
    assert run(*words)[1].startswith("nothing new: ")
    assert site.fetch(object_key(one.record.kit)) == kit_of(made, "one").read_bytes()
