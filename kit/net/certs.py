"""Certificates for single servers, where Docker's and podman's users put them.

``certs.d/HOST:PORT/*.crt`` are authorities for that server alone; ``NAME.cert`` and ``NAME.key``
are what we show it (containers-certs.d(5), Docker's "Verify repository client with certificates").
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.net.errors import TlsRefused

_FIX = "Mend or remove the file named; NAME.cert needs NAME.key beside it, both PEM and open."


@dataclass(frozen=True)
class HostCerts:
    """What one directory has.

    Attributes:
        pairs: Certificates of our own with their keys.
    """

    authorities: tuple[Path, ...]
    pairs: tuple[tuple[Path, Path], ...]

    def load_into(self, context: ssl.SSLContext) -> None:
        """Use them for connections with ``context``.

        Raises:
            TlsRefused: A file is none, or cannot be read.
        """
        for file in self.authorities:
            with _using(file):
                context.load_verify_locations(file)
        for certificate, key in self.pairs:
            with _using(certificate):
                # a key that wants a passphrase would ask the terminal
                context.load_cert_chain(certificate, key, lambda: "")


@contextlib.contextmanager
def _using(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        why = "is no PEM of its kind, or its key wants a passphrase"
        if not isinstance(error, ssl.SSLError):
            why = f"cannot be read: {error.strerror}"
        raise TlsRefused(why, where=repr(os.fspath(file)), fix=_FIX) from None


def certs_of(directories: Sequence[Path], host: str) -> HostCerts | None:
    """Return what there is for a server; the first directory that knows it counts.

    Args:
        host: ``HOST`` or ``HOST:PORT``, as in its URL.

    Raises:
        TlsRefused: The directory cannot be read, or a certificate of ours has no key.
    """
    if host in {"", ".", ".."} or "/" in host:
        return None
    for directory in directories:
        place = directory / host
        try:
            names = sorted(os.listdir(place))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise TlsRefused(
                f"cannot be read: {error.strerror}", where=repr(os.fspath(place)), fix=_FIX
            ) from None
        pairs = []
        for name in names:
            if name.endswith(".cert"):
                key = f"{name[:-5]}.key"
                if key not in names:
                    raise TlsRefused(
                        f"has no {key} beside it", where=repr(f"{place / name}"), fix=_FIX
                    )
                pairs.append((place / name, place / key))
        found = tuple(place / name for name in names if name.endswith(".crt"))
        return HostCerts(found, tuple(pairs))
    return None


def cert_directories(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where certificates for single servers are, this user's first."""
    home = environment.get("HOME", "/")
    config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return (
        Path(config, "containers", "certs.d"),
        Path(config, "docker", "certs.d"),
        Path("/etc/containers/certs.d"),
        Path("/etc/docker/certs.d"),
    )
