"""The steps that the runner brings, as a runbook may name them.

A step says ``use = "wait-http"`` and gives ``arguments``; check, apply and undo are the runner's.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.typed import record


@record(frozen=True)
class Brought:
    """A step that the runner brings.

    Attributes:
        kind: The kind of step that it is.
        must: Arguments that must be given, and what each is.
        may: Arguments that may be given, and what each is.
        undo: Whether it can take itself back.
        words: What it does, for a plan.
    """

    kind: str
    must: Mapping[str, str]
    may: Mapping[str, str]
    undo: bool
    words: str


BROUGHT: Mapping[str, Brought] = {
    "wait-tcp": Brought(
        "wait", {"address": "HOST:PORT"}, {}, False, "waits until something answers at an address"
    ),
    "wait-http": Brought(
        "wait",
        {"url": "an http or https URL"},
        {"status": "the status that is wanted (200)", "ca": "a PEM file of the site's CA"},
        False,
        "waits until a URL answers with a status",
    ),
    "push-images": Brought(
        "command",
        {"from": "an image layout of the kit", "registry": "HOST:PORT", "repository": "a name"},
        {
            "ca": "a PEM file of the site's CA",
            "login": "the variable of the secret that is USER:PASSWORD",
            "mount": "repositories of the registry, with commas, that may have the blobs already",
            "plain": "yes, for a registry without TLS",
        },
        False,
        "sends images that the site's registry lacks, and sets their tags",
    ),
    "switch": Brought(
        "command",
        {"from": "a directory of the kit", "to": "the directory of versions", "name": "a name"},
        {
            "keep": "how many old versions of this step stay (all)",
            "link": "the name of the link (current)",
        },
        True,
        "copies a directory beside the old one and has a link name it",
    ),
    "install-wheels": Brought(
        "command",
        {"from": "a directory of wheels", "to": "the directory of versions", "name": "a name"},
        {"venv": "yes, for a virtual environment with scripts"},
        True,
        "unpacks the wheels that fit this Python into a new directory",
    ),
    "install-debs": Brought(
        "command",
        {
            "from": "a component of Debian packages",
            "packages": "names, with commas between them",
            "name": "a name for what is noted for the way back, such as {run}",
        },
        {
            "back": "a directory of the packages that were there before, for upgrade",
            "root": "the directory of another system to install into (/)",
            "upgrade": "yes, to replace versions that are installed",
        },
        True,
        "has apt-get install packages of the kit, and of nothing else",
    ),
}
