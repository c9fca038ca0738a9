"""The text of a small spec, for tests that add sources to it."""

from __future__ import annotations

APP_KIT = """\
[kit]
name = "app"
version = "1"
line = "app/stable"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "app"
"""
APP = f"""\
{APP_KIT}
[[component]]
id = "app"
version = "1"
path = "app"
lands = "/opt/app"
[[component.source]]
"""  # up to its first source
