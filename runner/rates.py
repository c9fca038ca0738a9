"""How far a program is and how fast, by lines that it prints: ``progress 1500/4500 files``."""

from __future__ import annotations

import re
from collections import deque

_LINE = re.compile(rb"progress ([0-9]{1,18})(?:/([0-9]{1,18}))?(?: ([A-Za-z][A-Za-z ]{0,30}))?")
_WINDOW = 30.0  # seconds that a rate is taken over
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
MAX_PART = 1 << 16  # bytes of a line that has no end


class Rate:
    """What one program says of its progress."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=1000)
        self.done, self.of, self.unit = 0, 0, ""

    def take(self, line: bytes, now: float) -> bool:
        """Take a line if it is about progress; say whether it was.

        Args:
            now: Seconds of a clock that never goes back.
        """
        found = _LINE.fullmatch(line.rstrip())
        if not found:
            return False
        self.done, self.of = int(found[1]), int(found[2] or 0)
        self.unit = (found[3] or b"").decode("ascii")
        if self._seen and self.done < self._seen[-1][1]:  # another thing is counted now
            self._seen.clear()
        self._seen.append((now, self.done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        return True

    @property
    def known(self) -> bool:
        """Whether anything was said."""
        return bool(self._seen)

    @property
    def per_second(self) -> float:
        """What was done in a second, lately; 0 if that is not known."""
        if len(self._seen) < 2:
            return 0.0
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        return (now - before) / (last - first) if last > first else 0.0

    def words(self) -> str:
        """Return how far it is, for people."""
        if not self._seen:
            return ""
        unit = "" if self.unit == "bytes" else f" {self.unit}" if self.unit else ""
        of = f" of {self._number(self.of)}" if self.of else ""
        text = f"{self._number(self.done)}{of}{unit}"
        rate = self.per_second
        if rate > 0:
            text += f", {self._number(int(rate) if rate >= 10 else round(rate, 1))}/s"
            if self.of > self.done:
                text += f", {elapsed((self.of - self.done) / rate)} left"
        return text

    def _number(self, number: float) -> str:
        if self.unit != "bytes":
            return f"{number:,}"
        scale = 0
        value = float(number)
        while value >= 1024 and scale < len(_UNITS) - 1:
            value, scale = value / 1024, scale + 1
        return f"{value:.0f} {_UNITS[scale]}" if scale == 0 else f"{value:.1f} {_UNITS[scale]}"


class Lines:
    """Cuts what comes in pieces into lines."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take a piece; return the lines that are whole now."""
        *lines, self._kept = (self._kept + data).split(b"\n")
        if len(self._kept) > MAX_PART:
            lines.append(self._kept)
            self._kept = b""
        return lines

    def finish(self) -> list[bytes]:
        """Return what had no line end."""
        left, self._kept = self._kept, b""
        return [left] if left else []


def elapsed(seconds: float) -> str:
    """Return a time as people read it: ``0:35``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
