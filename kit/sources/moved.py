"""Images in files of this host that are others now than the lock says.

A tag of a registry moves when somebody says `--update`, and an image that was just built moves like
one.  Who builds images beside the spec would ship the one of before, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.sources.fetched import parts
from kit.sources.lockfile import Lock
from kit.spec import KitSpec

_LOCAL = ("oci:", "oci-archive:")


def moved_images(spec: KitSpec, lock: Lock) -> Iterator[str]:
    """Yield a sentence for each image of a layout here that the lock has in another form.

    What is not here any more, or is none, is no matter: the store has what is locked.  A
    docker-archive has no manifest to compare.
    """
    for part in parts(spec):
        for _, source in part.only("oci").sources:
            text = source.oci or ""
            if not text.startswith(_LOCAL):
                continue
            from kit.sources.imagefiles import digest_now  # here: it loads what speaks to networks

            locked = {
                digest
                for image in lock.images
                if image.path == part.path and image.reference == text and image.beside is None
                for digest in (image.sha256, image.index)
            }
            now = digest_now(text, part.base)
            if locked and now is not None and now.removeprefix("sha256:") not in locked:
                named = part.component or part.path
                yield (
                    f"{text} is {now} now, and kit.lock has another: `offline-kit lock --update"
                    f" {named}` takes the new one"
                )
