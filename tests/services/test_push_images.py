"""`push-images` against Debian's docker-registry, looked at with skopeo."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from runner.brought.action import ARGUMENTS, DONE, NOTES, TO_DO, Around, NotPossible
from runner.brought.images import PushImages
from runner.brought.registry import Registry
from runner.site import BRING
from tests.conftest import Judge
from tests.support.images import image_layout
from tests.support.registry import OCI, Layout, registry

TOP = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def layout(directory: Path, data: bytes = b"layer " * 1000) -> Path:
    """Make a layout with an image for two platforms and one for any, which share a layer."""
    made = Layout(directory)
    layer = made.blob(data, f"{OCI}layer.v1.tar")
    config = made.blob(b'{"architecture":"amd64","os":"linux"}', f"{OCI}config.v1+json")

    def image(*more: dict[str, object]) -> dict[str, object]:
        value = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json", "config": config}
        data = json.dumps({**value, "layers": [layer, *more]}).encode()
        return made.blob(data, f"{OCI}manifest.v1+json")

    one, two = image(), image(made.blob(b"more", f"{OCI}layer.v1.tar"))
    index = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [one, two]}
    both = made.blob(json.dumps(index).encode(), f"{OCI}index.v1+json")
    name = "org.opencontainers.image.ref.name"
    entries = [
        {**both, "annotations": {name: "registry.example/lnm/runner:1.0"}},
        {**one, "annotations": {name: "tools"}},
    ]
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return directory


def test_images_are_sent_once_and_asked_back(tmp_path: Path, judge: Judge) -> None:
    skopeo = judge("skopeo")
    place = layout(tmp_path / "layout")
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "site/lnm", "plain": "yes"}
        assert PushImages(told).check() == TO_DO
        PushImages(told).apply()
        assert PushImages(told).check() == DONE
        PushImages(told).apply()  # again: nothing is sent, and nothing changes
        entries = json.loads((place / "index.json").read_bytes())["manifests"]
        for tag, entry in zip(("1.0", "tools"), entries, strict=True):
            command: list[str | Path] = [skopeo, "inspect", "--raw", "--tls-verify=false"]
            command.append(f"docker://{address}/site/lnm:{tag}")
            raw = subprocess.run(command, check=True, capture_output=True).stdout
            digest = entry["digest"].partition(":")[2]
            assert raw == (place / "blobs" / "sha256" / digest).read_bytes()
        with pytest.raises(OSError, match=r"(?i)ssl|wrong version"):
            PushImages({**told, "plain": "no"}).check()


def test_a_changed_manifest_and_a_bad_name_are_refused(tmp_path: Path) -> None:
    place = layout(tmp_path / "layout")
    told = {"from": str(place), "registry": "127.0.0.1:1", "repository": "site/lnm"}
    for name, value in (("repository", "../x"), ("login", "NOWHERE"), ("plain", "true")):
        with pytest.raises(NotPossible):
            PushImages({**told, name: value})
    entry = json.loads((place / "index.json").read_bytes())["manifests"][0]
    (place / "blobs" / "sha256" / entry["digest"][7:]).write_bytes(b"{}")
    with pytest.raises(NotPossible, match="is not what its name says"):
        PushImages(told).check()


@contextlib.contextmanager
def counting(monkeypatch: pytest.MonkeyPatch, lose_after: int = 10**9) -> Iterator[dict[str, int]]:
    """Count what is sent to a registry; lose the connection behind so many parts."""
    seen = {"PATCH": 0, "bytes": 0, "lost": 0}
    ask = Registry.ask

    def asked(self: Registry, method: str, path: str, **more: Any) -> Any:
        body = more.get("body")
        if method == "PATCH" and seen["PATCH"] >= lose_after:
            seen["lost"] += 1
            raise ConnectionResetError(104, "Connection reset by peer")
        if method in ("PATCH", "PUT") and isinstance(body, io.BytesIO):
            seen["bytes"] += len(body.getbuffer())
            seen["PATCH"] += method == "PATCH"
        return ask(self, method, path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "ask", asked)
        yield seen


def test_an_upload_that_was_cut_off_is_gone_on_with(
    tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.brought.registry.PART", 1 << 16)
    data = os.urandom(1_000_000)
    place, notes = layout(tmp_path / "layout", data), tmp_path / "notes"
    notes.mkdir()
    said: list[str] = []
    around = Around(said.append, {}, str(notes))
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "site/lnm", "plain": "yes"}
        with counting(monkeypatch, lose_after=7), pytest.raises(ConnectionResetError):
            PushImages(told, around).apply()
        assert len(list(notes.iterdir())) == 1
        with counting(monkeypatch) as seen:
            PushImages(told, around).apply()
        assert PushImages(told).check() == DONE
        assert len(data) - 8 * 65536 < seen["bytes"] < len(data) - 6 * 65536
        assert any(line.startswith("sent on: ") for line in said)
        assert f"progress {7 * 65536}/1000000 bytes" in said
        assert not list(notes.iterdir())
        # what the registry forgot, or has otherwise, is sent anew
        for path in ("nowhere", f"/v2/site/lnm/blobs/uploads/{uuid.uuid4()}"):
            digest = hashlib.sha256(data).hexdigest()
            (notes / f"sha256-{digest}").write_text(path)
            PushImages({**told, "repository": f"again{len(path)}"}, around).apply()
            assert not list(notes.iterdir())


@pytest.mark.long
def test_a_step_that_was_killed_in_an_upload_goes_on_in_another_process(
    tmp_path: Path, judge: Judge
) -> None:
    """The program that the runner starts, by SIGKILL between two parts."""
    data = os.urandom(64 << 20)
    place, notes = layout(tmp_path / "layout", data), tmp_path / "notes"
    notes.mkdir()
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "r", "plain": "yes"}
        variables = {ARGUMENTS: json.dumps(told), NOTES: str(notes)}
        command = [sys.executable, "-I", "-B", "-c", BRING, str(TOP), "push-images", "apply"]
        child = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("progress 16777216/"):
                child.kill()
                break
        child.communicate()
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        assert f"sent on: sha256:{hashlib.sha256(data).hexdigest()}" in done.stdout
        command[-1] = "check"
        assert subprocess.run(command, env=variables, check=False).returncode == DONE


def test_blobs_are_mounted_across_repositories(
    tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = layout(tmp_path / "layout", os.urandom(100_000))
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "one", "plain": "yes"}
        PushImages(told).apply()
        said: list[str] = []
        other = {**told, "repository": "other", "mount": "nothing/here,one"}
        with counting(monkeypatch) as seen:
            PushImages(other, Around(said.append)).apply()
        assert PushImages(other).check() == DONE
        assert seen["bytes"] == 0
        assert {line.partition(":")[0] for line in said} == {"mounted"}


TLS_NAME = "127.0.0.1"


@dataclass
class Site:
    """What a site has before its registry: a CA, a certificate, and who may log in."""

    directory: Path
    ca: Path
    certificate: Path
    key: Path
    private: ec.EllipticCurvePrivateKey
    der: bytes

    @property
    def tls(self) -> tuple[Path, Path]:
        return self.certificate, self.key


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


def make_site(above: Path) -> Site:
    """Make what a site has before its registry, in a new directory."""
    place = above / "certificates"
    place.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the site")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=2))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    address = x509.IPAddress(ipaddress.ip_address(TLS_NAME))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), False)
    made = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (place / "ca.crt").write_bytes(made.public_bytes(pem))
    (place / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    der = made.public_bytes(serialization.Encoding.DER)
    return Site(place, place / "ca.crt", place / "ca.crt", place / "key.pem", key, der)


# bcrypt of "correct horse", as `htpasswd -B` writes it
HTPASSWD = "pusher:$2b$04$veV5jej6jNGCg3bElcpVseYnkt6VZiSE72Pxqfm5cT28QSJKw4UZS\n"


def test_tls_with_the_sites_ca_and_a_basic_login(tmp_path: Path, judge: Judge, site: Site) -> None:
    place = layout(tmp_path / "layout")
    (tmp_path / "htpasswd").write_text(HTPASSWD, encoding="utf-8")
    auth = f"auth: {{htpasswd: {{realm: site, path: {tmp_path / 'htpasswd'}}}}}\n"
    program = judge("docker-registry")
    with registry(program, tmp_path / "registry", tls=site.tls, auth=auth) as address:
        told = {"from": str(place), "registry": address, "repository": "r", "login": "LOGIN"}
        told["ca"] = str(site.ca)
        around = Around(variables={"LOGIN": "pusher:correct horse"})
        assert PushImages(told, around).check() == TO_DO
        PushImages(told, around).apply()
        assert PushImages(told, around).check() == DONE
        with pytest.raises(NotPossible, match="401"):
            PushImages(told, Around(variables={"LOGIN": "pusher:wrong"})).check()
        del told["ca"]
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            PushImages(told, around).check()


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@contextlib.contextmanager
def tokens(site: Site, seen: list[str]) -> Iterator[str]:
    """Issue tokens as the registry's own service does (distribution/spec/auth/jwt), over TLS."""

    def token(scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(site.der).decode()]}
        body = {"iss": "site", "aud": "registry", "sub": "pusher", "exp": now + 60, "jti": "1"}
        body.update({"nbf": now - 60, "iat": now, "access": access})
        text = f"{_coded(json.dumps(head).encode())}.{_coded(json.dumps(body).encode())}"
        r, s = decode_dss_signature(site.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_coded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            login = base64.b64encode(b"pusher:correct horse").decode()
            good = self.headers.get("Authorization") == f"Basic {login}"
            scopes = parse_qs(urlsplit(self.path).query)["scope"]
            self.send_response(200 if good else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"token": token(scopes)} if good else {}).encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer((TLS_NAME, 0), Answer) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(site.certificate, site.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://{TLS_NAME}:{server.server_address[1]}/token"
        server.shutdown()
        thread.join()


def test_a_token_from_where_the_registry_says(tmp_path: Path, judge: Judge, site: Site) -> None:
    place = layout(tmp_path / "layout")
    seen: list[str] = []
    with tokens(site, seen) as realm:
        auth = f"auth: {{token: {{realm: '{realm}', service: registry, issuer: site,"
        auth += f" rootcertbundle: {site.certificate}}}}}\n"
        program = judge("docker-registry")
        with registry(program, tmp_path / "registry", tls=site.tls, auth=auth) as address:
            told = {"from": str(place), "registry": address, "repository": "r", "login": "LOGIN"}
            told["ca"] = str(site.ca)
            around = Around(variables={"LOGIN": "pusher:correct horse"})
            PushImages(told, around).apply()
            assert PushImages(told, around).check() == DONE
            other = {**told, "repository": "other", "mount": "r"}
            said: list[str] = []
            PushImages(other, Around(said.append, around.variables)).apply()
            assert {line.partition(":")[0] for line in said} == {"mounted"}
            assert "repository%3Ar%3Apull&" in seen[-1]
            with pytest.raises(NotPossible, match="401"):
                PushImages(told, Around(variables={"LOGIN": "pusher:wrong"})).check()


def test_podman_pulls_what_was_pushed(tmp_path: Path, judge: Judge) -> None:
    podman = judge("podman")
    place = image_layout(tmp_path / "layout", [{"hello": b"hello"}])
    with registry(judge("docker-registry"), tmp_path / "registry") as address:
        told = {"from": str(place), "registry": address, "repository": "r", "plain": "yes"}
        PushImages(told).apply()
        with tempfile.TemporaryDirectory() as short:  # podman takes 50 characters
            command: list[str | Path] = [
                podman,
                "--root",
                f"{short}/store",
                "--runroot",
                f"{short}/run",
            ]
            command += ["--storage-driver=vfs", "pull", "--tls-verify=false"]
            done = subprocess.run([*command, f"{address}/r:1.0"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
