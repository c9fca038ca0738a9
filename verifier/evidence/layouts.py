"""in-toto layouts and links, judged where nothing may be executed.

Whether each step was done by enough of those who may, of what its rules allow, and whether what
came of it is what the kit carries.  Inspections run commands, so a layout with any is refused.
When a layout expires is the site's rule: it is reported, not enforced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from verifier.core.errors import KitError
from verifier.core.signature import Key, parse_material
from verifier.evidence.artifactrules import (
    MATERIALS,
    MAX_RULES,
    PRODUCTS,
    Done,
    Found,
    Rule,
    Rules,
    parse_rule,
)
from verifier.evidence.documents import LAYOUT, LINK, Claim, check_object
from verifier.evidence.errors import (
    EvidenceAlgorithmUnknown,
    EvidenceFormUnknown,
    EvidenceMalformed,
    EvidenceTooLarge,
    LayoutInspects,
    LayoutUnmet,
)
from verifier.evidence.fields import Fields
from verifier.evidence.judgement import MET, REJECTED, UNDECIDED, Answer, Document, Part
from verifier.evidence.rules import Requirement
from verifier.evidence.statement import Envelope
from verifier.typed import TYPE_CHECKING, Any, record

if TYPE_CHECKING:
    from verifier.evidence.judge import Evidence

MAX_STEPS = 256
MAX_KEYS = 1024
MAX_CHECKS = 8192  # signatures of links that one layout can cost


@record(frozen=True)
class Step:
    """A step of a layout: how many of whom must have done it, and rules of its artifacts."""

    name: str
    keys: tuple[Key, ...]
    threshold: int
    materials: tuple[Rule, ...] = ()
    products: tuple[Rule, ...] = ()


@record(frozen=True)
class Layout:
    """A layout, as far as it is judged here."""

    expires: str
    steps: tuple[Step, ...]


def read_layout(value: Any, where: str) -> Layout:
    """Return the layout in what was signed.

    Raises:
        LayoutInspects: It has inspections.
        EvidenceMalformed: It is none.
        EvidenceTooLarge: It has too many steps or keys.
    """
    fields = check_object(value, where)
    if fields.text("_type") != LAYOUT:
        raise fields.wrong("not a layout", "_type")
    if fields.array("inspect", 1 << 20):
        raise LayoutInspects("its inspections are commands to be run", where=where)
    steps = fields.array("steps", 1 << 20)
    keys = fields.value("keys") if fields.has("keys") else {}
    if not isinstance(keys, dict) or not steps:
        raise fields.wrong("no steps, or no keys")
    if len(steps) > MAX_STEPS or len(keys) > MAX_KEYS:
        raise EvidenceTooLarge(f"more than {MAX_STEPS} steps or {MAX_KEYS} keys", where=where)
    made = tuple(
        _step(check_object(each, f"{where}.steps[{at}]"), keys) for at, each in enumerate(steps)
    )
    if len({step.name for step in made}) != len(made):
        raise fields.wrong("two steps have one name", "steps")
    return Layout(fields.text("expires") if fields.has("expires") else "", made)


def _step(fields: Fields, keys: Mapping[str, Any]) -> Step:
    threshold = fields.number("threshold") if fields.has("threshold") else 1
    if threshold < 1:
        raise fields.wrong("below 1", "threshold")
    found = []
    for keyid in fields.array("pubkeys", MAX_KEYS):
        if not isinstance(keyid, str) or keyid not in keys:
            raise fields.wrong("a key that the layout does not have", "pubkeys")
        found.append(_key(keyid, check_object(keys[keyid], f"{fields.where}.keys")))
    rules = (_rules(fields, f"expected_{of}") for of in (MATERIALS, PRODUCTS))
    return Step(fields.text("name"), tuple(found), threshold, *rules)


def _rules(fields: Fields, name: str) -> tuple[Rule, ...]:
    try:
        return tuple(map(parse_rule, fields.array(name, MAX_RULES)))
    except ValueError as error:
        raise fields.wrong(str(error), name) from None


def _key(keyid: str, fields: Fields) -> Key:
    kind, scheme = fields.text("keytype"), fields.text("scheme")
    public = fields.at("keyval").text("public")
    try:
        material = parse_material(kind, scheme, public)
    except ValueError as error:
        raise fields.wrong(str(error)) from None
    return Key(keyid, "", scheme, public, material)


# --- judging -------------------------------------------------------------------------------------


def answer_layout(
    evidence: Evidence, requirement: Requirement, name: str, part: Part | None
) -> Answer:
    """Return how the layouts of a kit stand to a requirement; see `Evidence.decide`."""
    groups: dict[str, list[tuple[Document, Claim]]] = {}
    for document, claim in evidence.claims:
        if claim.form == LAYOUT:
            groups.setdefault(json.dumps(claim.value, sort_keys=True), []).append((document, claim))
    answers = [_answer(evidence, requirement, name, part, group) for group in groups.values()]
    answers += evidence.unread_answers(requirement, part)
    if not answers:
        return Answer(0, REJECTED, evidence.missing(requirement, name, part))
    return max(answers, key=lambda answer: answer.rank)


def _answer(
    evidence: Evidence,
    requirement: Requirement,
    name: str,
    part: Part | None,
    group: Sequence[tuple[Document, Claim]],
) -> Answer:
    answer = evidence.signed_answer(requirement, name, part, group)
    if answer.verdict != MET:
        return answer
    where = group[0][1].where
    links = [claim for _, claim in evidence.claims if claim.form == LINK]
    try:
        products = check_steps(
            read_layout(group[0][1].value, where), links, evidence.trust.whose, where
        )
        if not evidence.named(products, part, requirement.subjects):
            raise LayoutUnmet(f"no step of it made {requirement.where}", where=where)
    except KitError as error:
        undecided = error.status == EvidenceFormUnknown.status
        return Answer(4 if undecided else 3, UNDECIDED if undecided else REJECTED, error)
    return answer


def check_steps(
    layout: Layout, links: Sequence[Claim], whose: Mapping[bytes, str], where: str
) -> frozenset[str]:
    """Hold links to the steps of a layout; return SHA-256 of all products.

    Args:
        layout: Who signed it is established.
        links: Of any layout, signed by anybody.
        whose: From the bytes of a key to the person whom the root gives it to.
        where: The layout, for people.

    Raises:
        LayoutUnmet: A step was not done by enough of those who may, they contradict each other, or
            a rule is broken.
        EvidenceAlgorithmUnknown: Whether it was hangs on a key that is not judged here.
        EvidenceTooLarge: It would take too many signatures to find out.
    """
    by_name: dict[str, list[Claim]] = {}
    for claim in links:
        by_name.setdefault(str(claim.value.get("name")), []).append(claim)
    chain: dict[str, Done] = {}
    checks = 0
    for step in layout.steps:
        done: dict[str, set[object]] = {}
        for claim in by_name.get(step.name, ()):
            checks += len(step.keys)
            if checks > MAX_CHECKS:
                raise EvidenceTooLarge(f"more than {MAX_CHECKS} signatures of links", where=where)
            people = _functionaries(step, claim, whose)
            if people:
                done.setdefault(_artifacts(claim), set()).update(people)
                made = _done(claim)
        if len(done) > 1:
            raise LayoutUnmet(f"links of step {step.name!r} contradict each other", where=where)
        count = len(next(iter(done.values()))) if done else 0
        if count < step.threshold:
            if any(key.material is None for key in step.keys):
                what = f"step {step.name!r} names a key of a scheme that is not judged here"
                raise EvidenceAlgorithmUnknown(what, where=where)
            message = f"step {step.name!r} was done by {count} of those who may, and "
            raise LayoutUnmet(f"{message}{step.threshold} must", where=where)
        chain[step.name] = made
    rules = Rules(chain, where)
    for step in layout.steps:
        rules.check(step.name, MATERIALS, step.materials)
        rules.check(step.name, PRODUCTS, step.products)
    every = (digests for done in chain.values() for digests in done.products.values())
    return frozenset(digests["sha256"] for digests in every if "sha256" in digests)


def _functionaries(step: Step, claim: Claim, whose: Mapping[bytes, str]) -> set[object]:
    """Return who of a step signed a link: people, and keys that belong to nobody known."""
    envelope = claim.signed
    if not isinstance(envelope, Envelope):
        return set()
    message, found = envelope.signed, set[object]()
    for keyid, signature in envelope.signatures:
        for key in step.keys:
            if key.keyid == keyid and key.verify(message, signature, low_s=False):
                assert key.material is not None
                found.add(whose.get(key.material, key.material))
    return found


def _artifacts(claim: Claim) -> str:
    value = claim.value
    return json.dumps([value.get("materials"), value.get("products")], sort_keys=True)


def _done(claim: Claim) -> Done:
    """Return what a link says that its step used and made."""
    return Done(_found(claim, MATERIALS), _found(claim, PRODUCTS))


def _found(claim: Claim, of: str) -> Found:
    found = claim.value.get(of)
    digests = found.values() if isinstance(found, dict) else ()
    if not isinstance(found, dict) or not all(
        isinstance(each, dict) and all(isinstance(text, str) for text in each.values())
        for each in digests
    ):
        raise EvidenceMalformed(
            f"a link without {of}, or with other than digests", where=claim.where
        )
    return found
