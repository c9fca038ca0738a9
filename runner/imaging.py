"""The image of the kit made ready in the directory of a run, once in a run."""

from __future__ import annotations

import os
import shutil

from runner.book.asked import asked
from runner.book.model import Runbook
from runner.container import Box, digest_of, hand_over, make_places, note_digest
from runner.errors import PreflightFailed
from runner.layers import unpack_image
from runner.rundir import ATTEMPTS, IMAGE, KIT, RunDirectory
from runner.settings import Settings
from verifier.core.errors import KitError


def make_box(directory: RunDirectory, book: Runbook, settings: Settings, layout: str) -> Box:
    """Return what runs programs in the image, with the image unpacked.

    Args:
        layout: Where the image is in the kit.

    Raises:
        PreflightFailed: It cannot be unpacked, or has no place for what is mounted.
        MemberChanged: A file of it is not what was proved.
    """
    assert settings.container is not None
    root = directory.place(IMAGE, "root")
    if not digest_of(directory.place(IMAGE)):
        _unpack(directory, layout)
    named = asked(book, settings.environment).inputs
    read = [settings.inputs[name] for name in named if book.inputs[name].kind == "file"]
    write = [settings.inputs[name] for name in named if book.inputs[name].kind == "directory"]
    read.append(directory.place(KIT))
    box = Box(
        by=settings.container.by,
        program=settings.container.program,
        root=root,
        digest=digest_of(directory.place(IMAGE)),
        read=tuple(sorted(read)),
        write=tuple(sorted(write)),
    )
    box.forget()
    try:
        make_places(root, [*box.read, *box.write, directory.place(ATTEMPTS)])
        if box.by == "docker":
            hand_over(box)
    except OSError as error:
        raise PreflightFailed(f"the image cannot be made ready: {error}") from None
    return box


def _unpack(directory: RunDirectory, layout: str) -> None:
    place = directory.place(IMAGE)
    directory.prove(directory.below(layout))
    shutil.rmtree(place, ignore_errors=True)  # of an attempt that was killed
    try:
        os.makedirs(os.path.join(place, "root"), 0o755)
        os.chmod(place, 0o700)
        kit = directory.place(KIT, *layout.split("/"))
        digest = unpack_image(kit, os.path.join(place, "root"))
        note_digest(place, digest)
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise PreflightFailed(f"the image cannot be unpacked: {error}") from None
    except KitError:
        shutil.rmtree(place, ignore_errors=True)
        raise
