"""What a release note says: the two numbers of first contact, in digits and as a QR code."""

from __future__ import annotations
