"""What time a server says it has; it is told to people, and nothing is ever signed with it."""

from __future__ import annotations

from datetime import timezone
from email.utils import parsedate_to_datetime

from kit.net.client import Client
from verifier.core.errors import KitError

_ANY = frozenset(range(200, 500))


def server_time(client: Client, url: str) -> int | None:
    """Return the seconds since 1970 that a server's ``Date`` says (RFC 9110 6.6.1), if it does."""
    try:
        with client.get(url, method="HEAD", accept=_ANY, authorize=lambda url: {}) as response:
            text = response.headers.get("Date", "")
        moment = parsedate_to_datetime(text)
    except (KitError, ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp())
