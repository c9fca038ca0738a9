"""Whether servers answer before a run begins, and what they say of the time."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_SECONDS = 5
_MOST = 32  # servers that are asked at once
SKEW = 300  # seconds by which a clock may differ: object stores refuse from 900 on
_PORTS = {"http": 80, "https": 443, "mongodb": 27017, "amqp": 5672, "redis": 6379, "ldap": 389}


def problems(named: Mapping[str, str], clock: int) -> list[str]:
    """Return what does not answer, a sentence each; of secrets only the input is named.

    Args:
        named: URLs and addresses, by input.
        clock: Seconds since the epoch, by this host.
    """
    if not named:
        return []
    with ThreadPoolExecutor(min(len(named), _MOST)) as pool:
        names = sorted(named)
        asked = pool.map(lambda name: list(_problems(name, named[name], clock)), names)
        return [sentence for found in asked for sentence in found]


def _problems(name: str, text: str, clock: int) -> Iterator[str]:
    try:
        scheme, hosts = servers(text)
    except ValueError:
        yield f"{name}: it is not known which server it names"
        return
    if not any(_answers(host, port) for host, port in hosts):  # a replica set has several
        yield f"{name}: nothing answers there"
    elif scheme in ("http", "https"):
        said = _time_of(scheme == "https", *hosts[0])
        if said is not None and abs(said - clock) > SKEW:
            word = "ahead of" if clock > said else "behind"
            yield f"{name}: this host's clock is {abs(said - clock)} seconds {word} the server's"


def servers(text: str) -> tuple[str, list[tuple[str, int]]]:
    """Return scheme, hosts and ports of a URL, or of HOST:PORT.

    Raises:
        ValueError: It names no server, or one whose port nobody knows.
    """
    scheme, netloc = "", text
    if "://" in text:
        parts = urlsplit(text)
        scheme, netloc = parts.scheme, parts.netloc.rpartition("@")[2]
    found = []
    for one in netloc.split(","):
        parts = urlsplit(f"//{one}")
        port = parts.port or _PORTS.get(scheme)
        if not parts.hostname or not port:
            raise ValueError(text)
        found.append((parts.hostname, port))
    return scheme, found


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError:
        return False
    return True


def _time_of(tls: bool, host: str, port: int) -> int | None:
    """Return the time by a server, in seconds since the epoch; None if it does not say.

    Its certificate is not looked at: nothing is sent, and the time only leads to a question.
    """
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("HEAD", "/", headers={"User-Agent": "kit-run"})
        text = connection.getresponse().getheader("Date")
        return None if text is None else int(parsedate_to_datetime(text).timestamp())
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None
    finally:
        connection.close()
