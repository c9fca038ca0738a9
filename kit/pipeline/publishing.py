"""Publish: the release goes to every place that `[release]` names, its entry last."""

from __future__ import annotations

import os
from pathlib import Path

from kit.errors import show
from kit.pipeline import digests
from kit.pipeline.errors import StageFailedBefore, StageUnready
from kit.pipeline.model import Digests, Order
from kit.pipeline.state import DONE, State
from kit.pipeline.verifying import VerifyTask
from kit.places.choose import open_writer
from kit.places.readback import reading_back
from kit.publish import publish
from kit.releases.publisher import load_publishers
from kit.releases.same import STATEMENT
from verifier.core.errors import KitError


class PublishTask:
    """The places that a release goes to."""

    stage = label = "publish"

    def __init__(self, order: Order, state: State) -> None:
        if not order.plan.to:
            raise StageUnready("there is no place: `to`", where="publish")
        self._order, self._state = order, state

    def _publisher(self) -> str:
        if self._order.plan.publisher is None:
            raise StageUnready("nobody signs the entry: `publisher`", where="publish")
        return self._order.plan.publisher

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return every file of the release, where it goes, and who says so."""
        plan, directory = self._order.plan, self._order.kit.parent
        found = {
            "the places": digests.of_value(list(plan.to)),
            "the owners": digests.of_value(list(plan.owners)),
            "the publisher": self._order.signer(self._publisher()).keyid,
        }
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            raise StageUnready(error.strerror or str(error), where=show(directory)) from None
        for name in names:
            if not name.startswith(".") and not name.endswith(STATEMENT):
                found[name] = digests.of_file(directory / name)
        return found

    def outputs(self) -> Digests:
        """Return nothing: what is published is never exchanged, so nobody is asked again."""
        return {}

    def run(self, *, interrupted: bool) -> str:
        """Publish, if the verification says so.

        Raises:
            StageFailedBefore: The kit is to be verified, and is not.
            KitError: A place, the release or this host is at fault.
        """
        del interrupted  # publishing finds out what is there
        order, plan, path = self._order, self._order.plan, self._order.kit
        if plan.stages is None or "verify" in plan.stages:
            self._check_verified()
        signer = order.signer(self._publisher())
        with order.host.access() as ways:
            done = publish(
                path,
                [open_writer(text, ways) for text in plan.to],
                signer,
                signer.key,
                owners=plan.owners,
                also=load_publishers(map(Path, plan.publishers)),
                workers=order.host.workers,
                progress=ways.progress,
                read_back=reading_back(ways) if plan.read_back else None,
            )
        record = done.entry.record
        places = [
            f"{one.place.where.strip(chr(39))} {'published' if one.created else 'had it'}"
            for one in done.outcomes
        ]
        said = f"entry {record.n} of {record.line}, {done.entry.id}: {', '.join(places)}"
        return said + ("; published with other signatures than here" if done.others else "")

    def _check_verified(self) -> None:
        task = VerifyTask(self._order)
        entry = self._state.get(task.label)
        try:
            good = (
                entry is not None
                and entry.state == DONE
                and dict(entry.inputs) == dict(task.inputs())
                and dict(entry.outputs) == dict(task.outputs())
            )
        except KitError:
            good = False
        if not good:
            raise StageFailedBefore("this kit is not verified", where="verify")
