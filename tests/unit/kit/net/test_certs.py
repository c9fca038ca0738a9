"""Certificates for one server: authorities that others do not get, and a certificate of ours."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kit.net.certs import cert_directories, certs_of
from kit.net.client import Client, Ways
from kit.net.logins import Logins
from kit.net.registry import Registry, parse_reference
from verifier.core.errors import KitError

START = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
END = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)


def certificate(directory: Path, name: str, endings: tuple[str, str]) -> None:
    """Write a certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, START, END)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    built = builder.add_extension(names, critical=False).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    directory.mkdir(parents=True, exist_ok=True)
    signed = built.sign(key, hashes.SHA256())
    (directory / f"{name}{endings[0]}").write_bytes(signed.public_bytes(Encoding.PEM))
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / f"{name}{endings[1]}").write_bytes(text)


class Secure:
    """A server with TLS, which wants to see a certificate of its clients."""

    def __init__(self, directory: Path, *, asks: bool) -> None:
        certificate(directory, "server", (".pem", ".key"))
        certificate(directory, "client", (".cert", ".key"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem", directory / "server.key")
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(directory / "client.cert")

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.oci.image.index.v1+json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.server = Quiet(("127.0.0.1", 0), Answering)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"localhost:{self.server.server_port}"
        self.directory = directory

    def certs(self, top: Path, *files: str, host: str = "") -> Path:
        """Make a directory ``certs.d`` with copies of files, called as Docker wants them."""
        place = top / (host or self.host)
        place.mkdir(parents=True)
        for name in files:
            data = (self.directory / name).read_bytes()
            (place / name.replace("server.pem", "server.crt")).write_bytes(data)
        return top


@pytest.fixture(params=[False, True], ids=["open", "asks"])
def secure(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secure]:
    running = Secure(tmp_path / "server", asks=request.param)
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


def client(*directories: Path) -> Client:
    return Client(Ways(certs=directories, proxies={}, sleep=lambda seconds: None))


def ask(asking: Client, host: str) -> bytes:
    with asking.get(f"https://{host}/") as response:
        return response.read()


ALL = ("server.pem", "client.cert", "client.key")


def test_a_server_is_trusted_and_shown_who_we_are(secure: Secure, tmp_path: Path) -> None:
    asking = client(tmp_path / "none", secure.certs(tmp_path / "certs.d", *ALL))
    assert ask(asking, secure.host) == b"{}"
    registry = Registry(asking, parse_reference(f"{secure.host}/a:1"), Logins())
    assert registry.url.startswith("https://"), "this machine too, where it has certificates"
    assert registry.manifest("1")[0] == b"{}"


def test_another_server_gets_none_of_it(secure: Secure, tmp_path: Path) -> None:
    certs = secure.certs(tmp_path / "certs.d", *ALL, host="other.example")
    with pytest.raises(KitError) as caught:
        ask(client(certs), secure.host)
    assert caught.value.code == "tls-refused"


def test_a_certificate_without_its_key(secure: Secure, tmp_path: Path) -> None:
    certs = secure.certs(tmp_path / "certs.d", "server.pem", "client.cert")
    with pytest.raises(KitError, match=r"has no client\.key beside it") as caught:
        ask(client(certs), secure.host)
    assert caught.value.code == "tls-refused"


@pytest.mark.parametrize("name", ["server.crt", "client.cert"])
def test_a_file_that_is_none(name: str, secure: Secure, tmp_path: Path) -> None:
    certs = secure.certs(tmp_path / "certs.d", *ALL)
    (certs / secure.host / name).write_bytes(b"nothing")
    with pytest.raises(KitError, match=name) as caught:
        ask(client(certs), secure.host)
    assert caught.value.code == "tls-refused"


@pytest.mark.parametrize("host", ["", ".", "..", "a/../b"])
def test_a_host_that_is_a_way(host: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert certs_of([tmp_path / "a"], host) is None


def test_where_they_are() -> None:
    assert [str(path) for path in cert_directories({"HOME": "/h"})] == [
        *("/h/.config/containers/certs.d", "/h/.config/docker/certs.d"),
        *("/etc/containers/certs.d", "/etc/docker/certs.d"),
    ]
