"""Releases in a bucket of a real object store: who wins, what a kill leaves, what servers say."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from kit.net.s3 import PROBE, Bucket, BucketPlace
from kit.places.model import PART, Measured, entry_key, object_key
from kit.places.sending import measure
from kit.publish import publish, read_history
from tests.services.test_push_images import make_site
from tests.support.making import ROOT_FILE, key, noise
from tests.support.placing import PUBLISHER, SIGNER, code, get, killed_in, put, race, there_and_back
from tests.support.program import Run
from tests.support.releases import LINE, kit_of, record, release
from tests.support.seaweed import BUCKET, KEY, READER, SECRET, Store, seaweed
from tests.support.webserver import Answer, Handler, Web, in_turn, status, web
from verifier.core.errors import KitError

BIG = 3 * PART + 12_345


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    path = tmp_path_factory.mktemp("big") / "big.bin"
    path.write_bytes(noise(BIG))
    return measure(path)


def place(url: str, prefix: str, state: Path | None = None, **more: Any) -> BucketPlace:
    return BucketPlace(BUCKET, prefix, Bucket(endpoint=url, state=state, **more))


def test_what_is_published_is_fetched_and_again_is_nothing(
    store: Store, made: Path, tmp_path: Path
) -> None:
    where, other = (place(store.url, prefix) for prefix in ("there/and/back", "mirrored"))
    there_and_back(where, other, made, tmp_path / "low")


def test_parts_have_the_composite_digest_that_we_compute(
    store: Store, big: Measured, tmp_path: Path
) -> None:
    where = place(store.url, "parts", tmp_path / "state")
    assert where.put(big)
    assert not where.put(big)
    key = f"parts/{object_key(big.file)}"
    found = store.client().head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"] == big.file.parts
    digests = [
        hashlib.sha256(big.path.read_bytes()[i : i + PART]).digest() for i in range(0, BIG, PART)
    ]
    whole = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    assert big.file.parts == f"{whole}-4"
    # an ETag is no hash of anything that we know
    assert big.file.sha256 not in found["ETag"]
    assert list((tmp_path / "state").iterdir()) == []


def test_an_upload_that_was_killed_goes_on_where_it_was(
    store: Store, big: Measured, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - it is killed
        sent = [0]

        def killing(name: str, done: int, total: int) -> None:
            sent[0] += 1
            if sent[0] == 2:
                os.kill(os.getpid(), 9)

        how = Bucket(endpoint=store.url, state=tmp_path / "state")
        try:
            BucketPlace(BUCKET, "killed", how, killing).put(big)
        finally:
            os._exit(1)
    _, ended = os.waitpid(child, 0)
    assert os.WTERMSIG(ended) == 9
    (notes,) = (tmp_path / "state").iterdir()
    noted = notes.read_text().count('"part"')
    assert noted >= 2
    where = place(store.url, "killed", tmp_path / "state")
    sent = parts_sent(where)
    assert where.put(big)
    assert len(sent) == 4 - noted


def parts_sent(where: BucketPlace) -> list[int]:
    """Return a list that gets the number of every part that is sent from now on."""
    sent: list[int] = []
    where._client.meta.events.register(
        "before-parameter-build.s3.UploadPart",
        lambda params, **more: sent.append(params["PartNumber"]),
    )
    return sent


def test_an_upload_that_the_server_forgot_begins_anew(
    store: Store, big: Measured, tmp_path: Path
) -> None:
    where = place(store.url, "forgotten", tmp_path / "state")
    notes = where._notes_of(object_key(big.file), big.file)
    assert notes is not None
    notes.parent.mkdir()
    notes.write_text('{"upload": "0123456789abcdef"}\n{"part": 1, "tag": "x"}\n{"par')
    assert where.put(big)


def test_a_file_that_changed_after_it_was_measured_is_refused(store: Store, tmp_path: Path) -> None:
    for size in (1000, BIG):
        path = tmp_path / f"file{size}"
        path.write_bytes(noise(size))
        measured = measure(path)
        path.write_bytes(noise(size, 1))
        where = place(store.url, "changed")
        assert code(partial(where.put, measured)) == "place-differs"


# --- a kit that is sent while it is proved ------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release whose kit goes in parts."""
    return release(tmp_path_factory.mktemp("large") / "r", "1.0", 7, noise(2 * PART + 1000))


def left(store: Store, prefix: str) -> tuple[list[str], list[str]]:
    """Return the objects below a prefix, and the uploads that nobody ended."""
    client = store.client()
    found = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    open_ = client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads", [])
    return [one["Key"] for one in found], [one["Key"] for one in open_]


def test_a_large_kit_is_no_object_before_it_is_proved(
    store: Store, large: Path, tmp_path: Path
) -> None:
    where = place(store.url, "proved", tmp_path / "state")
    seen: list[tuple[list[str], list[str]]] = []

    def progress(name: str, done: int, total: int) -> None:
        if name == f"proving {large.name}" and done == total:
            seen.append(left(store, "proved/objects"))

    done = publish(large, [where], SIGNER, PUBLISHER, workers=1, progress=progress)
    key = f"proved/{object_key(done.entry.record.kit)}"
    assert seen == [([], [key])]
    assert sorted(done.outcomes[0].sent) == [file.name for file in done.entry.record.files]
    assert left(store, "proved/objects")[1] == []
    assert list((tmp_path / "state").iterdir()) == []
    assert get(where, tmp_path / "low").new
    sent = parts_sent(where)
    again = put(large, where)
    assert (again.outcomes[0].created, again.entry.id, sent) == (False, done.entry.id, [])


def _bent(kit: Path) -> str:
    with open(kit, "r+b") as stream:
        stream.seek(kit.stat().st_size // 2)
        byte = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte[0] ^ 1]))
    return "digest-mismatch"


def _sealed_otherwise(kit: Path) -> str:
    marker = kit.with_name("demo-1.0.sealed.json")
    marker.write_text(marker.read_text().replace(measure(kit).file.sha256, "a" * 64))
    return "release-differs"


def _taken(kit: Path) -> str:
    other = release(kit.parent / ".other", "1.0", 7, b"another")
    put(other, place(os.environ["STORE"], "refused-taken"))
    return "version-taken"


@pytest.mark.parametrize("how", [_bent, _sealed_otherwise, _taken])
def test_of_a_large_kit_that_is_refused_nothing_is_left(
    store: Store,
    large: Path,
    tmp_path: Path,
    how: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORE", store.url)
    shutil.copytree(large.parent, tmp_path / "r")
    kit = tmp_path / "r" / large.name
    prefix = f"refused-{how.__name__.strip('_')}"
    expected = how(kit)
    before = left(store, prefix)[0]
    where = place(store.url, prefix, tmp_path / "state")
    assert code(lambda: put(kit, where)) == expected
    assert left(store, prefix) == (sorted({*before, f"{prefix}/{PROBE}"}), [])
    assert list((tmp_path / "state").iterdir()) == []


def test_a_publisher_that_was_killed_while_it_proved_goes_on(
    store: Store, large: Path, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - it is killed

        def killing(name: str, done: int, total: int) -> None:
            if name == large.name and done > PART:  # a part has been noted
                os.kill(os.getpid(), 9)

        where = place(store.url, "late", tmp_path / "state")
        try:
            publish(large, [where], SIGNER, PUBLISHER, workers=1, progress=killing)
        finally:
            os._exit(1)
    _, ended = os.waitpid(child, 0)
    assert os.WTERMSIG(ended) == 9
    objects, begun = left(store, "late")
    assert (objects, len(begun)) == ([f"late/{PROBE}"], 1)
    where = place(store.url, "late", tmp_path / "state")
    sent = parts_sent(where)
    assert put(large, where).outcomes[0].created
    assert 1 <= len(sent) < 3
    assert left(store, "late")[1] == []


def test_a_large_kit_that_was_signed_anew_is_there_and_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hardware signs with a nonce: the same kitId, another digest, so nothing lies under that."""
    monkeypatch.setattr("kit.signing.files.rfc_6979", ECDSA)
    contents = noise(2 * PART + 1000)
    one, two = (release(tmp_path / name, "1.0", 7, contents) for name in ("one", "two"))
    where = place(store.url, "anew", tmp_path / "state")
    first = put(one, where)
    before = left(store, "anew")
    again = put(two, where)
    assert (again.entry.data, again.outcomes[0].created) == (first.entry.data, False)
    assert two.name in again.others
    assert left(store, "anew") == before
    assert before[1] == []
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("phase", ["probe", "put", "create"])
def test_a_writer_that_is_killed_leaves_no_half_release(
    store: Store, made: Path, tmp_path: Path, phase: str
) -> None:
    where = place(store.url, f"killed-{phase}")
    killed_in(phase, where, kit_of(made, "one"), tmp_path / "low")


def test_of_eight_that_race_one_wins_and_seven_are_told(store: Store, tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    class Late(BucketPlace):
        def create(self, record: Any, data: bytes) -> bool:
            barrier.wait(120)
            return super().create(record, data)

    results = race(tmp_path, lambda: Late(BUCKET, "race", Bucket(endpoint=store.url)))
    assert sorted(results) == ["entry-taken"] * 7 + ["won"]
    assert len(read_history(place(store.url, "race"), LINE, [PUBLISHER])) == 1


def test_wrong_credentials_are_named_and_are_in_no_message(
    store: Store, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-wrong-secret")
    with pytest.raises(KitError) as caught:
        put(kit_of(made, "one"), place(store.url, "wrong"))
    assert caught.value.code == "place-unauthorized"
    assert "the-wrong-secret" not in str(caught.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert code(lambda: place(store.url, "wrong").entry(LINE, 1)) == "place-unauthorized"


def test_doctor_says_what_this_host_may_do_there(
    store: Store, offline_kit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
    words = ["doctor", "--place", f"s3://{BUCKET}/rights", "--probe-write", "--json"]
    for who, state, said in (
        (KEY, "ok", "this host may create, create once, send in parts, end uploads"),
        (READER, "broken", "place-unauthorized: the server answers 403 'AccessDenied'"),
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", who)
        _, out, _ = offline_kit(*words)
        found = {one["name"]: one for one in json.loads(out)["findings"]}
        assert found[f"read s3://{BUCKET}/rights"]["state"] == "ok"
        wrote = found[f"write s3://{BUCKET}/rights"]
        assert (wrote["state"], wrote["detail"]) == (state, said)
    assert left(store, "rights") == ([f"rights/{PROBE}"], [])


def test_corruption_in_the_bucket_is_noticed_by_fetch(
    store: Store, made: Path, tmp_path: Path
) -> None:
    where = place(store.url, "corrupt")
    entry = put(kit_of(made, "one"), where).entry
    kit = entry.record.kit
    data = bytearray(kit_of(made, "one").read_bytes())
    data[len(data) // 2] ^= 1
    store.client().put_object(Bucket=BUCKET, Key=f"corrupt/{object_key(kit)}", Body=bytes(data))
    assert code(lambda: get(where, tmp_path / "low")) == "artifact-differs"
    assert not (tmp_path / "low" / "demo-1.0").exists()
    # and whoever publishes again puts it right, since the server's own digest is another
    assert put(kit_of(made, "one"), where).outcomes[0].sent == [kit.name]
    assert get(where, tmp_path / "low").new


def turn_a_bit(store: Store, data: bytes) -> None:
    """Turn one bit of a file on the disk of the store, below all that it says of it."""
    piece = data[len(data) // 2 :][:256]
    for volume in sorted((store.directory / "data").glob("*.dat")):
        at = volume.read_bytes().find(piece)
        if at >= 0:
            with open(volume, "r+b") as stream:
                stream.seek(at)
                stream.write(bytes([piece[0] ^ 1]))
            return
    raise AssertionError("no volume has it")


def test_a_bit_that_turned_on_the_disk_is_noticed_by_fetch_and_when_read_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes on saying that it has the SHA-256 that it once received."""
    contents = noise(2 << 20, 7)  # most of the kit, so that its middle is in no other file
    kit = release(tmp_path / "r", "1.0", 7, contents)
    where, client = place(store.url, "read-back"), store.client()
    record = put(kit, where).entry.record  # and not read, or the server gives it from memory
    turn_a_bit(store, contents)
    name, entry = object_key(record.kit), entry_key(LINE, 1)
    found = client.head_object(Bucket=BUCKET, Key=f"read-back/{name}", ChecksumMode="ENABLED")
    assert base64.b64decode(found["ChecksumSHA256"]).hex() == record.kit.sha256
    assert not put(kit, where).outcomes[0].created
    monkeypatch.setattr("kit.net.client.TRIES", 1)  # the store itself tries for many seconds
    assert code(lambda: get(where, tmp_path / "low")) in {"fetch-failed", "artifact-differs"}
    assert not (tmp_path / "low" / "demo-1.0").exists()
    client.delete_object(Bucket=BUCKET, Key=f"read-back/{entry}")
    with pytest.raises(KitError) as caught:
        put(kit, where, read=True)
    assert caught.value.code in {"place-unreachable", "place-differs"}
    assert kit.name in caught.value.where
    assert "read back" in caught.value.message
    assert where.entry(LINE, 1) is None
    assert code(lambda: get(where, tmp_path / "low")) == "release-unknown"
    client.delete_object(Bucket=BUCKET, Key=f"read-back/{name}")
    again = put(kit, where, read=True).outcomes[0]
    assert (again.created, again.sent) == (True, [kit.name])
    assert get(where, tmp_path / "low").new


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_an_hour_off_is_named_by_a_real_store(
    store: Store, made: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """And no request goes out that is signed with another time than the host's own."""
    from botocore import auth  # type: ignore[import-untyped]  # has no stubs

    def late(remove_tzinfo: bool = True) -> datetime:
        asked.append(True)
        moment = datetime.now(timezone.utc) + timedelta(hours=hours)
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    asked: list[bool] = []
    monkeypatch.setattr(auth, "get_current_datetime", late)
    with pytest.raises(KitError) as caught:
        put(kit_of(made, "one"), place(store.url, "late"))
    assert caught.value.code == "clock-skewed"
    assert time.strftime("%d %b %Y", time.gmtime()) in caught.value.message
    assert len(asked) == 1, "nothing is tried again with a guessed time"


@pytest.mark.long
def test_a_full_bucket_is_named_and_nothing_half_is_published(tmp_path: Path) -> None:
    """Its disk is a small one of its own; small objects still pass, so the entry must go last."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", disk],
            check=False,
            capture_output=True,
        ).returncode
    ):
        pytest.skip("not run: this host lets nobody mount a tmpfs here")
    try:
        with seaweed(disk / "store", "-volume.minFreeSpace=1") as store:
            where = place(store.url, "full", tmp_path / "state")
            large = release(tmp_path / "large", "1.0", 7, noise(120 << 20))
            with pytest.raises(KitError) as caught:
                put(large, where)
            assert caught.value.code == "place-unreachable"
            assert "its disk is full" in caught.value.message
            assert "demo-1.0.tar.zst" in caught.value.where
            assert caught.value.fix
            assert where.entry(LINE, 1) is None, "no half release"
            small = release(tmp_path / "small", "1.1", 8, b"small")
            assert read_history(where, LINE, [PUBLISHER]) == []
            assert small.exists()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# --- servers that are not what they should be ---------------------------------------------------


def error(number: int, name: str, headers: dict[str, str] | None = None) -> Answer:
    body = f"<Error><Code>{name}</Code><Message>x</Message></Error>".encode()
    return status(number, {"Content-Type": "application/xml", **(headers or {})}, body)


def at(name: str) -> str:
    return f"/{BUCKET}/p/{name}"


def test_a_server_that_ignores_the_condition_is_named(lying: Web) -> None:
    lying.routes[at(PROBE)] = status(200)
    assert code(place(lying.url, "p").probe) == "no-conditional-write"
    lying.routes[at(PROBE)] = error(501, "NotImplemented")
    assert code(place(lying.url, "p").probe) == "no-conditional-write"
    place(lying.url, "p", one_writer=True).probe()
    lying.routes[at(PROBE)] = error(412, "PreconditionFailed")
    place(lying.url, "p").probe()


@pytest.mark.parametrize(("number", "name"), [(500, "InternalError"), (503, "SlowDown")])
def test_errors_for_a_while_are_outlasted(
    lying: Web, number: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    bad = error(number, name)
    lying.routes[at(entry_key(LINE, 1))] = in_turn(bad, bad, bad, status(200))
    assert place(lying.url, "p").create(record(), b"{}\n")
    lying.routes[at(entry_key(LINE, 1))] = bad
    assert code(lambda: place(lying.url, "p").create(record(), b"{}\n")) == "place-unreachable"


def test_a_clock_an_hour_off_is_named_with_the_time_of_the_server(lying: Web) -> None:
    date = formatdate(time.time() + 3600, usegmt=True)

    def answer(handler: Handler) -> None:
        body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
        handler.send_response_only(403)
        handler.send_header("Date", date)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    lying.routes[at(entry_key(LINE, 1))] = answer
    with pytest.raises(KitError) as caught:
        place(lying.url, "p").create(record(), b"{}\n")
    assert caught.value.code == "clock-skewed"
    assert date in str(caught.value)
    stamps = {asked.headers.get("X-Amz-Date", "")[:8] for asked in lying.asked}
    assert stamps == {time.strftime("%Y%m%d", time.gmtime())}  # nothing signed with its time


def test_a_bucket_that_is_not_there_is_named(lying: Web) -> None:
    lying.routes[at(PROBE)] = error(404, "NoSuchBucket")
    assert code(place(lying.url, "p").probe) == "place-invalid"


def test_a_full_bucket_and_too_large_an_object_are_named(lying: Web) -> None:
    for number, name in ((413, "EntityTooLarge"), (507, "InsufficientStorage")):
        lying.routes[at(entry_key(LINE, 1))] = error(number, name)
        assert code(lambda: place(lying.url, "p").create(record(), b"{}\n")) == "place-full"


def test_credentials_never_follow_a_location_to_another_host(lying: Web) -> None:
    with web() as other:
        for number in (301, 302, 307, 308):
            name = at(entry_key(LINE, 1))
            target = {"Location": f"{other.url.replace('127.0.0.1', 'localhost')}{name}"}
            lying.routes[name] = status(number, target)
            with pytest.raises(KitError):
                place(lying.url, "p").create(record(), b"{}\n")
            with pytest.raises(KitError):
                place(lying.url, "p").entry(LINE, 1)
        assert other.asked == []


def test_a_store_with_tls_is_trusted_by_the_authority_that_was_named(
    made: Path, tmp_path: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with seaweed(tmp_path / "store", tls=site.tls) as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
        where = f"s3://{BUCKET}/tls"
        publish_ = ["publish", str(kit_of(made, "one")), "--to", where, "--key", key("sums")]
        status_, _, err = offline_kit(*publish_)
        assert (status_, "error[tls-refused]" in err, "--ca-file" in err) == (3, True, True)
        ca = ("--ca-file", str(site.ca))
        assert offline_kit(*publish_, "--read-back", *ca)[0] == 0
        words = ["fetch", LINE, "--from", where, "--to", str(tmp_path / "low"), *ca]
        words += ["--root", str(ROOT_FILE), "--publisher", str(ROOT_FILE.with_name("sums.pub"))]
        assert offline_kit(*words)[0] == 0
        for path in sorted(kit_of(made, "one").parent.iterdir()):
            assert (tmp_path / "low" / "demo-1.0" / path.name).read_bytes() == path.read_bytes()


def test_an_endpoint_without_tls_is_refused() -> None:
    assert code(lambda: place("http://s3.example.test:9000", "p")) == "url-refused"
