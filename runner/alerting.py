"""Who else is told while a run goes on: a webhook of the site, and a file for Prometheus.

Neither may hold up a run or have it fail: the webhook is told by a thread out of a bounded queue,
each time in a few seconds, and what it does not take is counted and left.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from runner import telling
from runner.masking import Masker
from runner.state import RunState
from verifier.core.model import format_time
from verifier.typed import Any, record

WAITING = 100  # messages that wait; what comes then is dropped
SECONDS = 5.0  # for one message, and for all that is left when the run ends
_TOLD = ("alert", "failed", "phase")
_QUIET = ("running", "rolling-back", "complete")  # phases of which nobody is told


@record(frozen=True)
class Webhook:
    """Where the site wants to be told.

    Attributes:
        ca: A PEM file of the site's CA; empty for those of the host.
    """

    url: str
    ca: str = ""


class Caller:
    """Posts JSON to a webhook, beside the run.

    Attributes:
        lost: Messages that it did not take.
        why: What it said to the last one of them.
    """

    def __init__(self, webhook: Webhook, token: str = "", seconds: float = SECONDS) -> None:
        self._webhook, self._token, self._seconds = webhook, token, seconds
        self._queue: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.lost, self.why = 0, ""

    def tell(self, message: Mapping[str, Any]) -> None:
        """Have a message sent; returns at once."""
        try:
            self._queue.put_nowait(json.dumps(message, sort_keys=True).encode())
        except queue.Full:
            self.lost += 1
            self.why = "it takes them too slowly"

    def close(self) -> None:
        """Wait a few seconds for what was not sent yet, and no longer."""
        deadline = time.monotonic() + self._seconds
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=self._seconds)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self.lost += 1 + self._queue.qsize()
            self.why = self.why or "it takes them too slowly"

    def _work(self) -> None:
        while True:
            body = self._queue.get()
            if body is None:
                return
            try:
                self._post(body)
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.lost += 1
                self.why = str(error)[:200] or type(error).__name__

    def _post(self, body: bytes) -> None:
        parts = urlsplit(self._webhook.url)
        connection: http.client.HTTPConnection
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._webhook.ca or None)
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=self._seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self._seconds)
        headers = {"Content-Type": "application/json", "User-Agent": "kit-run"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body=body, headers=headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if not 200 <= status < 300:  # a redirect is not followed: it was not configured
            raise ValueError(f"it answers {status}")


class Alerting:
    """Hears what happens in a run, and tells those whom the settings name.

    Args:
        clock: Returns seconds since the epoch.
        metrics: The file for Prometheus; empty for none.
        masker: Keeps secrets out of what is told.
    """

    def __init__(
        self,
        state: RunState,
        clock: Callable[[], int],
        caller: Caller | None,
        metrics: str,
        masker: Masker,
    ) -> None:
        self._state, self._clock = state, clock
        self._caller, self._metrics, self._masker = caller, metrics, masker
        self.unwritten = ""

    def heard(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take an event of the run."""
        if event in ("alert", "failed", "phase", "outcome", "done", "undone", "watched"):
            self._write()
        if self._caller is None or event not in _TOLD:
            return
        if event == "phase" and facts["phase"] in _QUIET:
            return
        self._caller.tell(self._message(event, facts))

    def _message(self, event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        bound = self._state.bound
        told = {"at": format_time(max(0, self._clock())), "event": event}
        told.update({name: bound[name] for name in ("environment", "kitId", "run", "target")})
        for name in ("back", "phase", "probe", "step", "why"):
            if facts.get(name):
                told[name] = self._masker.text(str(facts[name]))
        return told

    def close(self) -> list[str]:
        """End; return what somebody should know, a sentence each."""
        found = [f"the metrics cannot be written: {self.unwritten}"] if self.unwritten else []
        if self._caller is not None:
            self._caller.close()
            if self._caller.lost:
                lost, why = self._caller.lost, self._masker.text(self._caller.why)
                found.append(f"the webhook did not take {lost} messages: {why}")
        return found

    def _write(self) -> None:
        """Write the metrics anew, whole or not at all: a collector may read at any moment."""
        if not self._metrics:
            return
        beside = f"{self._metrics}.new"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(beside, flags, 0o644), "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in telling.metrics_lines(self._state)))
                os.fchmod(file.fileno(), 0o644)
            os.replace(beside, self._metrics)
            self.unwritten = ""
        except OSError as error:
            self.unwritten = error.strerror or str(error)
