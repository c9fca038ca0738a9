"""Verify: the sealed kit, as sites and stock tools will see it; one report lies beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit.attest.inputs import Input
from kit.attest.results import results
from kit.attest.statement import Subject, envelope_bytes, statement_bytes
from kit.container.head import read_head, sealed_marker
from kit.container.output import refused, replace_file
from kit.errors import show
from kit.note.note import KitNotSealed
from kit.pipeline import digests, report
from kit.pipeline.checks import (
    Ground,
    check_again,
    check_blobs,
    check_seal,
    check_shipped,
    check_site,
    check_sums,
)
from kit.pipeline.errors import StageUnready, VerificationFailed
from kit.pipeline.model import Digests, Order, counted
from kit.pipeline.report import Verified
from kit.releases.same import VERIFICATION
from verifier.core.envelope import parse_page
from verifier.core.manifest import parse_manifest
from verifier.core.pipeline import kit_id_of

TEXT, JSON, JUNIT, STATEMENT = VERIFICATION


class VerifyTask:
    """The verification of a sealed kit."""

    stage = label = "verify"

    def __init__(self, order: Order) -> None:
        self._order = order

    def _beside(self, ending: str) -> Path:
        return self._order.kit.parent / f"{self._order.kit.parent.name}{ending}"

    def _key(self) -> str:
        key = self._order.plan.verify_key or self._order.plan.publisher
        if key is None:
            raise StageUnready(
                "nobody signs its result: `key` in [release.verify], or `publisher`",
                where="verify",
            )
        return key

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return the kit, what was sealed with it, and the sites that are asked."""
        path = self._order.kit
        marker = sealed_marker(path)
        if not marker.exists():
            raise KitNotSealed(f"{show(marker)} is not there", where=show(path))
        found = {path.name: digests.of_file(path), marker.name: digests.of_file(marker)}
        found["the key"] = self._order.signer(self._key()).keyid
        for name, trust in self._order.sites.items():
            found[f"site {name}"] = digests.of_tree(trust)
        return found

    def outputs(self) -> Digests:
        """Return the four forms of the report."""
        paths = [self._beside(ending) for ending in (TEXT, JSON, JUNIT, STATEMENT)]
        return {path.name: digests.of_file(path) for path in paths}

    def run(self, *, interrupted: bool) -> str:
        """Do every check, and write the report; only one that passed is signed.

        Raises:
            VerificationFailed: A check did not pass.
        """
        del interrupted
        key = self._key()
        verified = self._verified()
        text, junit = report.text(verified).encode("utf-8"), report.junit_bytes(verified)
        statement = self._beside(STATEMENT)
        if verified.failed:
            statement.unlink(missing_ok=True)  # of an earlier run: it no longer is so
        replace_file(self._beside(JSON), report.json_bytes(verified))
        replace_file(self._beside(JUNIT), junit)
        replace_file(self._beside(TEXT), text)
        if verified.failed:
            said = "; ".join(f"{one.name}: {one.detail}" for one in verified.failed)
            raise VerificationFailed(said, where=show(self._order.kit))
        made = results([Input(self._beside(JUNIT), junit)])
        about = [
            Subject(verified.file, (("sha256", verified.file_digest),)),
            Subject("kitId", (("sha256", verified.kit_id),)),
        ]
        signer = self._order.signer(key)
        replace_file(statement, envelope_bytes(statement_bytes(about, made), [signer]))
        idle = [one.name for one in verified.checks if one.state == report.NOT_RUN]
        passed = len(verified.checks) - len(idle)
        more = f"; not run: {', '.join(idle)}" if idle else ""
        return f"{counted(passed, 'check')} passed{more}"

    def _verified(self) -> Verified:
        path, host = self._order.kit, self._order.host
        scratch = path.parent.parent / f".{path.parent.name}.verification"
        try:
            shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
            scratch.mkdir()
        except OSError as error:
            raise refused(error, scratch) from None
        try:
            ground = Ground(
                path,
                self._order.chain[-1],
                scratch.absolute(),
                host.python,
                self._order.spec,
                host.settings,
                host.epoch,
                host.store,
                host.workers,
            )
            checks = [check_seal(ground), *check_shipped(ground), *check_sums(ground)]
            checks += [*check_blobs(ground), check_again(ground)]
            checks += [check_site(ground, *site) for site in self._order.sites.items()]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        envelope = parse_page(read_head(path)[0])
        kit = parse_manifest(envelope.payload).kit
        return Verified(
            *(kit.name, kit.version, kit.line, kit.sequence, str(kit_id_of(envelope))),
            *(path.name, digests.of_file(path), tuple(checks)),
        )
