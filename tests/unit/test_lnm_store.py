"""The client of 21-103 for object stores: signatures as botocore makes them, and all answers."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.server
import io
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.webserver import Answer, Handler, Web, status, web
from tests.unit.lnm import load

s3 = load("seeds/object-store", "lnm_s3")
common = load("seeds/object-store", "lnm_common")
Exit = common.Exit
WHO = s3.Credentials("who", "se/cr+et=", "eu-central-9")
NOW = datetime.datetime(2026, 11, 30, 1, 2, 3, tzinfo=datetime.timezone.utc)
DATA = b"payload"
SHA256 = hashlib.sha256(DATA).hexdigest()
KEY = f"sha256/{SHA256}"


@pytest.mark.parametrize(
    ("method", "key", "headers"),
    [
        ("GET", KEY, {}),
        ("HEAD", "", {"x-amz-checksum-mode": "ENABLED"}),
        ("PUT", KEY, {"if-none-match": "*", "content-length": "7", "x-amz-checksum-sha256": "a="}),
    ],
)
def test_signature_is_that_of_botocore(
    method: str, key: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, host = f"/bucket/{key}".rstrip("/"), "store.example:8333"
    digest = SHA256 if method == "PUT" else s3.NOTHING
    ours = s3.signed(WHO, method, host, path, headers, digest, NOW)
    request = AWSRequest(method, f"https://{host}{path}", headers, b"")
    request.headers["X-Amz-Content-SHA256"] = digest
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW)
    judge = S3SigV4Auth(Credentials(WHO.key, WHO.secret), "s3", WHO.region)
    monkeypatch.setattr(judge, "payload", lambda request: digest)
    judge.add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


class Store:
    """A server that answers as it is told, one answer a request."""

    def __init__(self, server: Web, **more: Any) -> None:
        self.server = server
        self.slept: list[float] = []
        self.client = s3.ObjectStore(
            server.url, "bucket", WHO, sleep=self.slept.append, timeout_seconds=5, **more
        )

    def answers(self, *answers: Answer) -> None:
        left = list(answers)
        self.server.routes[f"/bucket/{KEY}"] = lambda handler: left.pop(0)(handler)

    def put(self) -> Any:
        return self.client.put_new(KEY, io.BytesIO(DATA), len(DATA), SHA256)


@pytest.fixture
def store() -> Iterator[Store]:
    with web() as server:
        made = Store(server)
        yield made
        made.client.close()


def error(number: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    def answer(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        body = f"<Error><Code>{code}</Code></Error>".encode()
        handler.send_response(number)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_errors_for_a_while_are_outlasted_and_no_longer(store: Store) -> None:
    store.answers(error(503, "SlowDown"), error(500, "InternalError"), error(200, ""))
    assert store.put()
    assert store.slept == [0.5, 1.0]
    store.answers(*[error(500, "InternalError")] * 4)
    with pytest.raises(s3.StoreRefused) as caught:
        store.put()
    assert (caught.value.status, len(store.slept)) == (Exit.UNAVAILABLE, 5)


@pytest.mark.parametrize(
    ("number", "code", "expected"),
    [
        (403, "AccessDenied", Exit.USAGE),
        (403, "SignatureDoesNotMatch", Exit.USAGE),
        (404, "NoSuchBucket", Exit.USAGE),
        (507, "XMinioStorageFull", Exit.FAILED),
        (400, "BadDigest", Exit.FAILED),
        (400, "QuotaExceeded", Exit.FAILED),
    ],
)
def test_what_no_second_try_mends_is_said_at_once(
    store: Store, number: int, code: str, expected: Any
) -> None:
    store.answers(error(number, code))
    with pytest.raises(s3.StoreRefused, match=code) as caught:
        store.put()
    assert (caught.value.status, store.slept) == (expected, [])


def test_an_object_that_is_there_is_left(store: Store) -> None:
    # the first answer was lost, and the second try meets what it made
    store.answers(error(500, "InternalError"), error(412, "PreconditionFailed"))
    assert not store.put()


def test_a_clock_that_is_off_is_set_by_the_server_once() -> None:
    with web() as server:
        made = Store(server, clock=lambda: time.time() - 7200)
        ahead = {"Date": formatdate(time.time(), usegmt=True)}
        made.answers(error(403, "RequestTimeTooSkewed", ahead), error(200, ""))
        assert made.put()
        dates = [asked.headers["x-amz-date"] for asked in server.asked]
        assert (dates[0] < dates[1], made.slept) == (True, [])
        made.answers(*[error(403, "RequestTimeTooSkewed", ahead)] * 2)
        with pytest.raises(s3.StoreRefused, match="TooSkewed"):
            made.put()
        made.client.close()


def test_an_object_that_breaks_off_is_no_object(store: Store) -> None:
    def short(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x" * 50)
        handler.close_connection = True

    store.answers(short)
    with pytest.raises(s3.StoreRefused) as caught:
        list(store.client.read(KEY))
    assert caught.value.status == Exit.UNAVAILABLE
    store.answers(status(404))
    assert store.client.head(KEY) is None


def certificate(directory: Path) -> tuple[Path, Path]:
    """Return a certificate of this host that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (directory / "key.pem").write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption())
    )
    (directory / "ca.pem").write_bytes(made.public_bytes(encoding))
    return directory / "ca.pem", directory / "key.pem"


def test_a_store_with_tls_is_judged_by_the_authorities_that_the_site_names(tmp_path: Path) -> None:
    ca, key = certificate(tmp_path)

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, key)
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with contextlib.closing(s3.ObjectStore(url, "bucket", WHO, ca_file=str(ca))) as store:
                store.check()
            stranger = s3.ObjectStore(url, "bucket", WHO)
            with pytest.raises(s3.StoreRefused, match="certificate") as caught:
                stranger.check()
            assert caught.value.status == Exit.USAGE
        finally:
            server.shutdown()
            thread.join()
    for bad in (str(key), str(tmp_path / "none")):
        with pytest.raises(common.MigrationError) as refused:
            s3.ObjectStore(url, "bucket", WHO, ca_file=bad)
        assert refused.value.status == Exit.USAGE


@pytest.mark.parametrize(
    ("endpoint", "bucket"),
    [
        ("ftp://store.example", "bucket"),
        ("http://store.example", "bucket"),
        ("https://store.example/path", "bucket"),
        ("https://store.example", "Bucket/.."),
    ],
)
def test_a_place_that_is_none_is_refused(endpoint: str, bucket: str) -> None:
    with pytest.raises(common.MigrationError) as caught:
        s3.ObjectStore(endpoint, bucket, WHO)
    assert caught.value.status == Exit.USAGE
