"""Text as a QR code (ISO/IEC 18004), for a terminal, for paper, or as a picture."""

from __future__ import annotations

import io
from typing import Final

import segno

QUIET = 4  # modules of white around the code, ISO/IEC 18004 6.3.8
KINDS: Final = ("svg", "png")
_SCALE = 8  # pixels a module
_HALVES = {(0, 0): " ", (1, 0): "\u2580", (0, 1): "\u2584", (1, 1): "\u2588"}


def _code(text: str) -> segno.QRCode:
    # everything is fixed: another version of the library must not choose another picture
    return segno.make_qr(text, error="m", mode="byte", encoding="utf-8", boost_error=False)


def qr_lines(text: str) -> list[str]:
    """Return the code in half blocks, dark on light: two rows of it in one line of text."""
    rows = [bytes(row) for row in _code(text).matrix_iter(border=QUIET)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def qr_picture(text: str, kind: str) -> bytes:
    """Return the code as a picture, black on white.

    Raises:
        ValueError: ``kind`` is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, got {kind!r}")
    stream = io.BytesIO()
    _code(text).save(stream, kind=kind, scale=_SCALE, border=QUIET, light="#fff")
    return stream.getvalue()
