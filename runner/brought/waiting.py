"""Waiting until something answers: at an address, or at a URL."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from runner.brought.action import DONE, TO_DO, Action, NotPossible

_SECONDS = 10


class WaitTcp(Action):
    """Done when a connection to ``address`` is accepted."""

    def check(self) -> int:
        """Try once."""
        host, _, port = self.arguments["address"].rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
        except ValueError:
            raise NotPossible(f"{self.arguments['address']!r} is no HOST:PORT") from None
        except OSError:
            return TO_DO
        return DONE


class WaitHttp(Action):
    """Done when a GET of ``url`` is answered with ``status``; no redirect is followed."""

    def check(self) -> int:
        """Ask once."""
        parts = urlsplit(self.arguments["url"])
        wanted = self.arguments.get("status", "200")
        if parts.scheme not in ("http", "https") or not parts.hostname or not wanted.isdecimal():
            raise NotPossible(f"{self.arguments['url']!r} is no http or https URL")
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.arguments.get("ca"))
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target, headers={"User-Agent": "kit-run"})
            return DONE if connection.getresponse().status == int(wanted) else TO_DO
        except ssl.SSLCertVerificationError as error:
            raise NotPossible(f"its certificate is refused: {error.verify_message}") from None
        except (OSError, http.client.HTTPException):
            return TO_DO
        finally:
            connection.close()
