"""How the file is written: frames, archive, page, and what every kit carries of ours."""

from __future__ import annotations
