"""The head of a kit that nobody has vouched for yet: where signing, sealing and review begin."""

from __future__ import annotations

import os
from pathlib import Path

from kit.container.page import KitPlain
from kit.errors import show
from verifier.core.container import Container
from verifier.core.errors import Rejected, Usage
from verifier.core.rootchain import check_chain
from verifier.core.trust import Root, parse_chain
from verifier.source import FileSource


class KitSealed(Usage):
    """The kit is sealed: its file digest is published, and a signature would change it."""

    code = "kit-sealed"
    fix = "Build a new version, or give --reopen if nobody has the sealed file yet."


class CheckedAnother(Rejected):
    """The kitId given with --checked is not that of this kit."""

    code = "checked-another-kit"
    fix = "Verify this kit yourself, or sign without --checked."


class NoTwoRoots(Usage):
    """The root given is not the one that this kit was built with."""

    code = "root-differs"
    fix = "Give the root the kit was built with, or build the kit again with this root."


def sealed_marker(path: Path) -> Path:
    """Return where ``seal`` notes that a kit is sealed."""
    name = path.name.removesuffix(".tar.zst")
    return path.with_name(f"{name}.sealed.json")


def read_head(path: Path) -> tuple[bytes, Root]:
    """Return the page and the last root of a kit that nobody has vouched for yet.

    Raises:
        KitError: It does not begin as a kit does.
    """
    source = FileSource(os.fspath(path))
    try:
        container = Container(source)
        if container.plain:
            raise KitPlain("has no frames", where=show(path))
        page = container.read_page()[512:]
        chain = parse_chain(container.read_roots()[512:])
    finally:
        source.close()
    check_chain(chain)
    return page, chain[-1]


def check_same_root(kit_root: Root, given: Root | None) -> None:
    """Hold the kit's root to the one given, if one is.

    Raises:
        NoTwoRoots: They differ.
    """
    if given is not None and given.signed != kit_root.signed:
        raise NoTwoRoots(f"the kit has root version {kit_root.version}, another one than given")
