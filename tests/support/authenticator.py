"""A security key in software: Ed25519 as in FIDO hardware, offered to ssh-keygen by an agent.

It signs what such hardware signs (OpenSSH's PROTOCOL.u2f), and speaks as much of the agent's
protocol as ``ssh-keygen -Y sign`` asks for (PROTOCOL.agent).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KIND = b"sk-ssh-ed25519@openssh.com"
TOUCHED, VERIFIED = 1, 4  # flags
_LIST, _LISTED, _SIGN, _SIGNED, _FAILED = 11, 12, 13, 14, 5


def string(data: bytes) -> bytes:
    """Return a string as SSH has it."""
    return len(data).to_bytes(4, "big") + data


def take(data: bytes) -> tuple[bytes, bytes]:
    """Return the string that something begins with, and the rest."""
    end = 4 + int.from_bytes(data[:4], "big")
    return data[4:end], data[end:]


class Authenticator:
    """One key, which counts its signatures."""

    def __init__(self, seed: bytes, application: bytes = b"ssh:", flags: int = TOUCHED) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._application, self._flags, self._counter = application, flags, 0

    @property
    def public(self) -> bytes:
        """The 32 bytes of the point."""
        return self._private.public_key().public_bytes_raw()

    @property
    def blob(self) -> bytes:
        """The public key as SSH encodes it."""
        return string(KIND) + string(self.public) + string(self._application)

    @property
    def line(self) -> str:
        """The public key as a file of OpenSSH has it."""
        return f"{KIND.decode()} {base64.b64encode(self.blob).decode()}"

    def sign(self, message: bytes) -> bytes:
        """Return a signature as SSH encodes it."""
        self._counter += 1
        behind = bytes([self._flags]) + self._counter.to_bytes(4, "big")
        hashed = [hashlib.sha256(data).digest() for data in (self._application, message)]
        signature = self._private.sign(hashed[0] + behind + hashed[1])
        return string(KIND) + string(signature) + behind

    def sshsig(self, message: bytes, namespace: bytes = b"offline-kit") -> bytes:
        """Return the blob that ``ssh-keygen -Y sign`` makes with it (PROTOCOL.sshsig)."""
        named = string(namespace) + string(b"") + string(b"sha512")
        signed = self.sign(b"SSHSIG" + named + string(hashlib.sha512(message).digest()))
        return b"SSHSIG\0\0\0\1" + string(self.blob) + named + string(signed)

    @contextlib.contextmanager
    def agent(self) -> Iterator[str]:
        """Offer the key at a socket; give the path of the socket, for SSH_AUTH_SOCK."""
        key = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while True:
                    size = self.rfile.read(4)
                    if len(size) < 4:
                        return
                    body = self.rfile.read(int.from_bytes(size, "big"))
                    self.wfile.write(string(key.answer(body)))

        with tempfile.TemporaryDirectory() as place:
            path = str(Path(place) / "agent")
            with socketserver.ThreadingUnixStreamServer(path, Talk) as server:
                thread = threading.Thread(target=server.serve_forever, args=(0.01,))
                thread.start()
                try:
                    yield path
                finally:
                    server.shutdown()
                    thread.join()

    def answer(self, body: bytes) -> bytes:
        """Return what an agent with this key answers."""
        if body[:1] == bytes([_LIST]):
            return bytes([_LISTED]) + (1).to_bytes(4, "big") + string(self.blob) + string(b"")
        if body[:1] == bytes([_SIGN]):
            blob, rest = take(body[1:])
            if blob == self.blob:
                return bytes([_SIGNED]) + string(self.sign(take(rest)[0]))
        return bytes([_FAILED])
