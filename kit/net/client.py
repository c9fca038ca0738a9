"""HTTP as a careful client speaks it: TLS, proxies and credentials as the host has them.

What a server says is hostile.  Redirects are followed by us, so that credentials never go to
another host and nothing falls back from TLS; tries again are few and bounded; no secret gets into
a message (RFC 9110 15.4, 10.2.3; RFC 6750).
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import netrc
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
    TimeoutError,
)

from kit.net.certs import HostCerts, certs_of
from kit.net.errors import ArtifactGone, FetchFailed, FetchUnauthorized, TlsRefused, UrlRefused
from verifier.core.errors import KitError

CONNECT_SECONDS = 20.0
READ_SECONDS = 60.0  # between two bytes
TRIES = 5  # of one request, in all
MAX_WAIT_SECONDS = 60.0  # a server that asks for more is not waited for
MAX_REDIRECTS = 5
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_READING = frozenset({"GET", "HEAD"})

Response = urllib3.BaseHTTPResponse
Body = Callable[[], IO[bytes]]
Authorize = Callable[[str], Mapping[str, str]]
"""Gives the headers with credentials for a URL; called for the host that was asked for only."""


@dataclass(frozen=True)
class Ways:
    """How this host reaches servers.

    Attributes:
        plain_http: Hosts that may be asked without TLS, beside this machine itself; with a port:
            there alone.
        ca_file: Authorities to trust beside those of the host.
        proxies: From scheme to proxy, as `urllib.request.getproxies` gives them.
        certs: Directories with certificates for single servers, as `certs_of` takes them.
        netrc: Where user names and passwords are; None: nowhere.
        sleep: Waits for so many seconds.
    """

    plain_http: frozenset[str] = frozenset()
    ca_file: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=urllib.request.getproxies)
    certs: tuple[Path, ...] = ()
    netrc: Path | None = None
    sleep: Callable[[float], object] = time.sleep


class Client:
    """Asks servers; one for a whole run, used by several threads."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        # the host's authorities take longer to read than a small file to fetch: for TLS alone
        self._context = None if ways.ca_file is None else _tls(ways.ca_file)
        self._pools: dict[tuple[str, str, bool], urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._netrc = _netrc(ways.netrc)

    @contextlib.contextmanager
    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        accept: frozenset[int] = frozenset({200}),
        authorize: Authorize | None = None,
        body: Body | None = None,
        tries: int = 0,
    ) -> Iterator[Response]:
        """Ask for ``url`` and give the answer, whose body is still to be read.

        Args:
            headers: What is sent beside ours; nothing secret.
            accept: Statuses that the caller knows what to do with.
            authorize: Who gives credentials; None: netrc.
            body: Opens what is sent, anew for each try: a body that was read is not rewound.
            tries: In all; 0 for as many as usual.  Once, where a server keeps half of what it got.

        Raises:
            UrlRefused: The URL, or one that it leads to, is not one that we fetch.
            ArtifactGone: 404 or 410.
            FetchUnauthorized: 401, 403 or 407.
            TlsRefused: The certificate is not trusted.
            FetchFailed: Anything else, after a few tries.
        """
        sent = dict(headers or {})
        response = self._answer(url, sent, method, accept, authorize, body, tries or TRIES)
        try:
            yield response
        finally:
            response.close()  # a body that was not read to its end is not waited for
            response.release_conn()

    def _answer(
        self,
        url: str,
        headers: dict[str, str],
        method: str,
        accept: frozenset[int],
        authorize: Authorize | None,
        body: Body | None,
        tries: int,
    ) -> Response:
        for attempt in range(tries):
            last = attempt == tries - 1
            try:
                response = self._follow(url, headers, method, authorize, body)
            except (HTTPError, OSError) as error:
                if last or isinstance(_cause(error), ssl.SSLCertVerificationError):
                    raise _unreachable(error, url) from None
                self.ways.sleep(pause(attempt))
                continue
            if response.status in accept:
                return response
            wait = _retry_after(response.headers.get("Retry-After", ""))
            response.drain_conn()
            response.release_conn()
            if response.status not in _AGAIN or last or wait > MAX_WAIT_SECONDS:
                raise _refusal(response.status, url, wait)
            self.ways.sleep(max(wait, pause(attempt)))
        raise AssertionError("the last try returns or raises")

    def _follow(
        self,
        url: str,
        headers: dict[str, str],
        method: str,
        authorize: Authorize | None,
        body: Body | None,
    ) -> Response:
        """Ask, and go where the server sends us, with credentials for the first host alone.

        What changes something is sent to where we chose, and nowhere else.
        """
        self.check(url)
        home = _host(url)
        for _ in range(MAX_REDIRECTS + 1):
            self.check(url)
            sent = {"Accept-Encoding": "identity", "User-Agent": "offline-kit", **headers}
            if _host(url) == home:
                sent.update(authorize(url) if authorize else self.credentials(url))
            response = self._request(method, url, sent, body)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location or method not in _READING:
                if response.status == 401 and _host(url) != home:
                    # its challenge is not one that a login for the first host may answer
                    response.close()
                    raise FetchUnauthorized("is redirected to and answers 401", where=_shown(url))
                return response
            response.drain_conn()
            response.release_conn()
            try:
                target = urljoin(url, location)
                plain = urlsplit(target).scheme != "https"
            except ValueError:
                raise FetchFailed("redirects to what is no URL", where=_shown(url)) from None
            if urlsplit(url).scheme == "https" and plain:
                raise UrlRefused("redirects from https to something else", where=_shown(url))
            url = target
        raise FetchFailed(f"redirects more than {MAX_REDIRECTS} times", where=_shown(url))

    def _request(
        self, method: str, url: str, headers: dict[str, str], body: Body | None
    ) -> Response:
        with contextlib.ExitStack() as stack:
            return self._pool(url).request(
                method,
                url,
                body=stack.enter_context(body()) if body is not None else None,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )

    def check(self, url: str) -> None:
        """Hold a URL to what we fetch.

        Raises:
            UrlRefused: It is none that we fetch.
        """
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError as error:
            raise UrlRefused(f"is no URL: {error}", where=_shown(url)) from None
        if parts.username is not None or parts.password is not None:
            raise UrlRefused("has a user name or password in it", where=_shown(url))
        if parts.scheme not in {"http", "https"} or not host:
            raise UrlRefused("is neither http nor https", where=_shown(url))
        if any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):
            raise UrlRefused(
                "has a space, a control character or one outside ASCII", where=_shown(url)
            )
        if parts.scheme == "http" and not (
            is_loopback(host) or is_named(parts.netloc, self.ways.plain_http)
        ):
            raise UrlRefused("is without TLS", where=_shown(url))

    def credentials(self, url: str) -> Mapping[str, str]:
        """Return the header for the host's entry in netrc, if there is one (RFC 7617)."""
        found = self._netrc.authenticators(_host(url).partition(":")[0]) if self._netrc else None
        if not found or not self._netrc or _host(url).partition(":")[0] not in self._netrc.hosts:
            return {}
        login, _, password = found
        pair = f"{login}:{password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = self.ways.proxies.get(parts.scheme, "")
        if is_loopback(parts.hostname or "") or _bypassed(parts.netloc, self.ways.proxies):
            proxy = ""
        with self._lock:
            certs = self.certs_for(parts.netloc)
            secure = parts.scheme == "https" or proxy.startswith("https:")
            key = proxy, _host(url) if certs else "", secure
            if key not in self._pools:
                context = None
                if secure and certs is not None:
                    context = _tls(self.ways.ca_file)
                    certs.load_into(context)
                elif secure:
                    context = self._context = self._context or _tls(None)
                self._pools[key] = _pool_of(proxy, context)
            return self._pools[key]

    def certs_for(self, host: str) -> HostCerts | None:
        """Return the certificates that this host has for one server alone.

        Raises:
            TlsRefused: They cannot be read.
        """
        return certs_of(self.ways.certs, host)


def is_named(netloc: str, hosts: frozenset[str]) -> bool:
    """Whether HOST or HOST:PORT is among hosts, which are named with their port or without one."""
    host = urlsplit(f"//{netloc}").hostname or ""
    return not {host, netloc.rpartition("@")[2].lower()}.isdisjoint(map(str.lower, hosts))


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine (RFC 6761 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pool_of(proxy: str, context: ssl.SSLContext | None) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not proxy:
        return urllib3.PoolManager(ssl_context=context, timeout=timeout, maxsize=16)
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    headers = None
    if parts.username:
        pair = f"{parts.username}:{parts.password or ''}"
        headers = urllib3.make_headers(proxy_basic_auth=pair)
        proxy = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        return urllib3.ProxyManager(
            proxy, proxy_headers=headers, ssl_context=context, timeout=timeout, maxsize=16
        )
    except HTTPError:
        raise UrlRefused("is no proxy that can be used", where=repr(_host(proxy))) from None


def _bypassed(netloc: str, proxies: Mapping[str, str]) -> bool:
    hosts = proxies.get("no", "")
    names = [name.strip().lstrip(".").lower() for name in hosts.split(",") if name.strip()]
    host = netloc.rpartition("@")[2].partition(":")[0].lower()
    return "*" in names or any(host == name or host.endswith(f".{name}") for name in names)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            why = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise TlsRefused(
                str(why),
                where=repr(str(ca_file)),
                fix="Name a PEM file with the certificates of authorities.",
            ) from None
    return context


def _netrc(path: Path | None) -> netrc.netrc | None:
    if path is None or not path.exists():
        return None
    try:
        return netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:
        # the text of the error may have a line of the file in it
        reason = error.strerror if isinstance(error, OSError) else "is not in the form of netrc"
        raise FetchUnauthorized(
            str(reason),
            where=repr(str(path)),
            fix="Mend the file, or name another in the variable NETRC.",
        ) from None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _shown(url: str) -> str:
    """Return a URL for a message: without user, password and query, which may hold secrets."""
    plain = url.partition("#")[0].partition("?")[0]
    scheme, separator, rest = plain.partition("://")
    host, slash, path = rest.partition("/")
    return repr(f"{scheme}{separator}{host.rpartition('@')[2].lower()}{slash}{path}")


def pause(attempt: int) -> float:
    """Return the seconds to wait before the next try, after the first one (0) and so on."""
    return 0.5 * float(2**attempt)


def _retry_after(value: str) -> float:
    """Return the seconds that a server asks for; a date is not one that we can trust (RFC 9110)."""
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else 0.0


def _cause(error: BaseException) -> BaseException:
    """Return what is at the bottom of urllib3's wrappings."""
    while isinstance(error, (MaxRetryError, ProxyError, SSLError)):
        inner = error.reason if isinstance(error, MaxRetryError) else error.args[-1]
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _unreachable(error: Exception, url: str) -> KitError:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TlsRefused(cause.verify_message or "is not trusted", where=_shown(url))
    if isinstance(cause, NewConnectionError):
        why = "nothing answers there"
    elif isinstance(cause, TimeoutError):
        why = "did not answer in time"
    else:
        why = f"the connection broke ({type(cause).__name__})"
    return FetchFailed(why, where=_shown(url))


def _refusal(status: int, url: str, wait: float) -> KitError:
    where = _shown(url)
    if status in {404, 410}:
        return ArtifactGone(f"the server answers {status}", where=where)
    if status in {401, 403, 407}:
        return FetchUnauthorized(f"the server answers {status}", where=where)
    later = f" and asks to wait for {wait:.0f} s" if wait > MAX_WAIT_SECONDS else ""
    return FetchFailed(f"the server answers {status}{later}", where=where)
