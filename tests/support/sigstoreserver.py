"""A Fulcio, a Rekor (v1 and v2) and a timestamp authority on loopback, of the world of `bundles`.

They speak as much of the real ones' HTTP as a signer needs, and can be told to misbehave.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.bundles import World, b64, signer_extensions, text
from tests.support.bundles import world as one_world
from tests.support.certificates import Log
from tests.support.dertree import parse

TOKEN_ISSUER = "https://issuer.example"


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def token(subject: str, *, audience: str = "sigstore", seconds: int = 300) -> str:
    """Return a JWT as an OIDC provider gives it; its signature is for Fulcio alone to check."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    issued = int(clock.time())
    claims = {"iss": TOKEN_ISSUER, "sub": subject, "aud": audience, "iat": issued}
    head = {"alg": "RS256", "typ": "JWT"}
    return ".".join([part(head), part({**claims, "exp": issued + seconds}), part("signature")])


@dataclass
class Services:
    """What is running.

    Attributes:
        url: Its address.
        refuse: Statuses by the beginning of a path that is to be refused.
        silent: Whether nothing is answered.
        wrong: Whether certificates are for another key than the one asked for.
        asked: Paths in order, with the Authorization that came.
    """

    world: World
    url: str = ""
    v2: bool = False
    refuse: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    name: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def config(self) -> dict[str, Any]:
        """Return the client trust configuration that names these services."""
        period = {"start": "2024-01-01T00:00:00Z"}
        service = {"url": self.url, "validFor": period, "operator": "example"}
        signing: dict[str, Any] = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [{**service, "majorApiVersion": 1}],
            "oidcUrls": [{**service, "majorApiVersion": 1}],
            "rekorTlogUrls": [{**service, "majorApiVersion": 2 if self.v2 else 1}],
            "tsaUrls": [],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        }
        if self.v2:
            at = {"url": f"{self.url}/api/v1/timestamp", "majorApiVersion": 1}
            signing["tsaUrls"] = [{**service, **at}]
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.world.trusted_root(),
            "signingConfig": signing,
        }

    def certificate(self, body: bytes, bearer: str) -> dict[str, Any]:
        """Issue a certificate to whom a token names, as Fulcio does."""
        request = x509.load_pem_x509_csr(
            base64.b64decode(json.loads(body)["certificateSigningRequest"])
        )
        claims = bearer.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        issue = self.world.issue(
            _Public(request.public_key()),  # type: ignore[arg-type]
            start=now() - timedelta(seconds=60),
            end=now() + timedelta(seconds=540),
            extensions=signer_extensions(self.name or said["sub"], said["iss"]),
        )
        log = replace(self.world.log, moment=now()) if isinstance(self.world.log, Log) else None
        assert log is not None
        chain = [issue.make(log), *self.world.chain]
        pems = [
            x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM).decode()
            for each in chain
        ]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}}

    def log_entry(self, body: bytes) -> dict[str, Any]:
        """Take a statement into the log, as Rekor v1 does."""
        content = json.loads(body)["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        payload = base64.b64decode(envelope["payload"])
        whole = content["envelope"].encode()
        signatures = [
            {"signature": envelope["signatures"][0]["sig"], "verifier": content["verifiers"][0]}
        ]
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(whole).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": signatures,
        }
        logged = text({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        entry = self.world.rekor.entry(logged, now())
        proof = entry["inclusionProof"]
        made = {
            "body": b64(logged),
            "integratedTime": int(entry["integratedTime"]),
            "logID": self.world.rekor.key_id.hex(),
            "logIndex": int(entry["logIndex"]),
            "verification": {
                "inclusionProof": {
                    "checkpoint": proof["checkpoint"]["envelope"],
                    "hashes": [base64.b64decode(each).hex() for each in proof["hashes"]],
                    "logIndex": int(proof["logIndex"]),
                    "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                    "treeSize": int(proof["treeSize"]),
                },
                "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            },
        }
        return {"24296fb24b8ad77a" + hashlib.sha256(b"\0" + logged).hexdigest(): made}

    def log_entry_2(self, body: bytes) -> dict[str, Any]:
        """Take a statement into the log, as Rekor v2 does."""
        asked = json.loads(body)["hashedRekordRequestV002"]
        spec = {
            "data": {"algorithm": "SHA2_256", "digest": asked["digest"]},
            "signature": asked["signature"],
        }
        value = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}}
        return self.world.rekor2.entry(text(value), now())

    def timestamp(self, body: bytes) -> bytes:
        """Stamp a digest, as an authority of RFC 3161 does."""
        imprint = parse(body).at(1).at(1).data
        return self.world.stamp(now(), imprint=imprint).make(b"")


@dataclass
class _Public:
    """A key of which only the public half is known."""

    key: Any

    def public_key(self) -> Any:
        return self.key


def _handler(services: Services) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test prints what it wants."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            bearer = self.headers.get("Authorization", "")
            services.asked.append((self.path, bearer))
            while services.silent:
                clock.sleep(0.05)
            for path, status in services.refuse.items():
                if self.path.startswith(path):
                    self.answer(status, json.dumps({"message": f"no: {bearer}"}).encode())
                    return
            if self.path == "/api/v2/signingCert":
                self.answer(200, json.dumps(services.certificate(body, bearer)).encode())
            elif self.path == "/api/v1/log/entries":
                self.answer(201, json.dumps(services.log_entry(body)).encode())
            elif self.path == "/api/v2/log/entries":
                self.answer(201, json.dumps(services.log_entry_2(body)).encode())
            elif self.path == "/api/v1/timestamp":
                self.answer(201, services.timestamp(body))
            else:
                self.answer(404, b"{}")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextlib.contextmanager
def sigstore_services(*, v2: bool = False) -> Iterator[Services]:
    """Run the services on a free port of loopback."""
    services = Services(one_world(), v2=v2)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(services))
    server.daemon_threads = True
    services.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield services
    finally:
        services.silent = False
        server.shutdown()
        server.server_close()
        thread.join()
