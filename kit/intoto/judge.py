"""Judges a layout with its links as of a moment: whose, complete, and by its rules."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.attest.errors import ReportUnreadable
from kit.attest.inputs import Input, read_input
from kit.errors import SourceChanged
from kit.intoto.errors import LayoutExpired, LayoutInvalid
from kit.intoto.layout import LayoutFile, load_layout, public_key
from kit.intoto.library import library, short
from kit.spec import KitSpec
from verifier.core.errors import KitError
from verifier.core.model import format_time, parse_time
from verifier.evidence.errors import LayoutInspects, LayoutUnmet
from verifier.evidence.foreign import NotForeign, read_foreign
from verifier.evidence.statement import read_envelope

_MEND = "Do the step that is named again, by those who may, or have the layout corrected."
_NEVER = "9999-12-31T23:59:59Z"


@dataclass(frozen=True)
class Chain:
    """A layout that its links meet.

    Attributes:
        layout: Its file.
        links: Files of the links that counted, by step.
        products: Of all steps, from path to SHA-256.
    """

    layout: Input
    links: dict[str, tuple[Input, ...]]


def judge_chain(layout: Path, links: Path, owners: Sequence[Path], at: int) -> Chain:
    """Hold the links in a directory to a layout, at a moment.

    Args:
        layout: The file of the layout.
        links: The directory of the links, ``STEP.KEYID.link``.
        owners: Files of public keys; each must have signed the layout.
        at: Seconds since the epoch.

    Raises:
        ExtraMissing: in-toto is not installed.
        LayoutInvalid: The layout is none.
        LayoutInspects: It wants commands to be run.
        LayoutExpired: It had expired.
        LayoutUnmet: A signature, a link or a rule is not as it must be.
        KitError: A key does not serve.
    """
    read = load_layout(layout)
    where = read.given.where
    if read.value["inspect"]:
        raise LayoutInspects(
            "its inspections are commands to be run",
            where=where,
            fix="Have the owner sign a layout without `inspect`; do what they do as steps.",
        )
    expires = parse_time(read.value["expires"])
    if expires is None:
        raise LayoutInvalid("`expires` is no time", where=where)
    keys = [public_key(path) for path in owners]
    found = _links(read, links)
    _verify(read, found, {key["keyid"]: key for key in keys}, where)
    if at >= expires:
        told = f"expired at {read.value['expires']}, and is judged at {format_time(at)}"
        raise LayoutExpired(told, where=where)
    return Chain(read.given, found)


def judge_spec(spec: KitSpec, at: int, carried: Mapping[str, str]) -> Chain:
    """Hold the steps of a build to the layout of its spec, at the moment that the kit names.

    Args:
        spec: One with a layout.
        at: ``created``, in seconds: a kit can be built again when its layout has expired.
        carried: From path in the kit to SHA-256, for what the kit will carry as evidence.

    Raises:
        SourceChanged: What was judged is not what the kit would carry.
        KitError: As `judge_chain`.
    """
    wanted = spec.layout
    if wanted is None:
        raise ValueError("the spec has no layout")
    owners = [spec.base / path for path in wanted.keys]
    chain = judge_chain(spec.base / wanted.file, spec.base / wanted.links, owners, at)
    for given in (chain.layout, *(each for step in chain.links.values() for each in step)):
        path = f"evidence/{wanted.path}/{given.path.name}"
        if carried.get(path) != given.sha256:
            raise SourceChanged("was written to while the kit was built", where=given.where)
    return chain


def _links(layout: LayoutFile, directory: Path) -> dict[str, tuple[Input, ...]]:
    """Return the links that could count, by step; each must say that its command succeeded."""
    found: dict[str, tuple[Input, ...]] = {}
    for step in layout.value["steps"]:
        of_step = []
        for keyid in sorted(set(step["pubkeys"])):
            path = directory / f"{step['name']}.{keyid[:8]}.link"
            try:
                given = read_input(path)
            except ReportUnreadable:
                continue
            _check_link(given, step["name"])
            of_step.append(given)
        found[step["name"]] = tuple(of_step)
    return found


def _check_link(given: Input, name: str) -> None:
    """Hold a link to what in-toto does not look at: its name and how its command ended."""
    try:
        link = read_foreign(read_envelope(given.data, given.where).payload)
    except NotForeign as error:
        raise LayoutUnmet(str(error), where=given.where, fix=_MEND) from None
    except KitError as error:
        raise LayoutUnmet(error.message, where=given.where, fix=_MEND) from None
    if not isinstance(link, dict) or link.get("_type") != "link" or link.get("name") != name:
        raise LayoutUnmet(f"is no link of the step {name!r}", where=given.where, fix=_MEND)
    byproducts = link.get("byproducts")
    status = byproducts.get("return-value") if isinstance(byproducts, dict) else None
    if status is not None and status != 0:
        raise LayoutUnmet(f"its command ended with {status!r:.20}", where=given.where, fix=_MEND)


def _verify(
    layout: LayoutFile, links: dict[str, tuple[Input, ...]], owners: dict[str, Any], where: str
) -> None:
    """Have in-toto judge the bytes that were read; when it expires is judged by the caller."""
    metadata, verifylib = library().metadata, library().verifylib

    class Timeless(metadata.Envelope):  # type: ignore[misc,name-defined]
        """The layout, as one that never expires: the library knows no moment but the clock's."""

        def get_payload(self) -> Any:
            value = super().get_payload()
            value.expires = _NEVER
            return value

    with tempfile.TemporaryDirectory(prefix="offline-kit-") as place:
        for given in (each for step in links.values() for each in step):
            Path(place, given.path.name).write_bytes(given.data)
        try:
            verifylib.in_toto_verify(
                Timeless.from_dict(layout.given.object()),
                owners,
                link_dir_path=place,
                persist_inspection_links=False,
            )
        except KitError:
            raise
        except Exception as error:  # the library's, securesystemslib's
            what = f"{type(error).__name__}: {short(error)}"
            raise LayoutUnmet(what, where=where, fix=_MEND) from None
