"""The rules of a policy about evidence: who may attest, and what must be (TRUST-FILES 3.7, 3.8).

They become values of the rooms of evidence, which are imported when a policy has such rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifier.core.errors import KitError
from verifier.core.jsonstrict import NotStrict
from verifier.core.manifest import HEX256, NAME
from verifier.core.names import printable
from verifier.host.fields import Fields, label, once, sentence
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.evidence.rules import Attester, Requirement

MAX_ATTESTERS = 256
MAX_AGE_DAYS = 36_500  # a hundred years: more is no limit
_COMPONENT = re.compile(r"\*|@kit|" + NAME.pattern)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,490}")


def read_attester(fields: Fields) -> Attester:
    """Return one of those whose evidence counts.

    Raises:
        NotStrict: A rule is broken.
    """
    from verifier.evidence.rules import KIT_SIGNERS, Attester  # here: mostly nobody is named

    name = fields.text("name", lambda text: label(text) and text != KIT_SIGNERS)
    kinds = [kind for kind in ("signer", "publicKey", "identity") if fields.has(kind)]
    if len(kinds) != 1:
        raise NotStrict(f"attester {name!r} has not exactly one of signer, publicKey and identity")
    root = fields.text("trustedRoot", HEX256.fullmatch, "") if kinds != ["signer"] else ""
    made = Attester(
        name,
        signer=fields.text("signer", label, ""),
        key=fields.text("publicKey", _is_key, ""),
        trusted_root=root,
        issuer=fields.text("issuer", _is_issuer) if kinds == ["identity"] else "",
        identity=fields.text("identity", _is_identity, ""),
    )
    if made.identity and not root:
        raise NotStrict(f"attester {name!r} has an identity, and names no trustedRoot for it")
    fields.done()
    return made


def _is_key(text: str) -> bool:
    from verifier.evidence.sigstore.identity import make_key

    try:
        return len(text) <= 8192 and bool(make_key(text).public.kind)
    except (ValueError, KitError):
        return False


def _is_issuer(text: str) -> bool:
    return _URI.fullmatch(text) is not None and "*" not in text


def _is_identity(text: str) -> bool:
    from verifier.evidence.sigstore.identity import make_identity

    try:
        return len(text) <= 1024 and printable(text) and bool(make_identity("issuer:", text))
    except ValueError:
        return False


def check_attesters(attesters: Sequence[Attester]) -> None:
    """Hold attesters to being different people, as far as that shows.

    Raises:
        NotStrict: Two are one.
    """
    if len(attesters) > MAX_ATTESTERS:
        raise NotStrict(f"'attesters' has more than {MAX_ATTESTERS}")
    once([item.name for item in attesters], "attester")
    once([item.signer for item in attesters if item.signer], "the attester who is signer")
    once([key_digest(item.key) for item in attesters if item.key], "the attester whose key is")
    identities = [f"{item.identity} of {item.issuer}" for item in attesters if item.identity]
    once(identities, "the attester who is")


def key_digest(pem: str) -> str:
    """Return the SHA-256 of a public key in a policy, as people compare it."""
    from verifier.evidence.sigstore.identity import make_key

    return make_key(pem).sha256


def read_requirement(fields: Fields, attesters: Sequence[str]) -> Requirement:
    """Return what a component must have.

    Raises:
        NotStrict: A rule is broken, or it names an attester who is none.
    """
    from verifier.evidence.rules import KIT_SIGNERS, SEVERITIES, Requirement

    known = (*attesters, KIT_SIGNERS)
    component = fields.text("component", _COMPONENT.fullmatch)
    predicate_type = fields.text("predicateType", _URI.fullmatch)
    of, threshold = _by(fields, known)
    no_open = ""
    vex: tuple[str, ...] = ()
    if fields.has("noOpen"):
        rule = fields.object("noOpen")
        no_open = rule.text("severity", SEVERITIES.__contains__)
        vex = _names(rule, "vex", known) if rule.has("vex") else ()
        rule.done()
    made = Requirement(
        component,
        predicate_type,
        of,
        threshold,
        subjects=fields.text("subjects", ("all", "any").__contains__, "all"),
        builder_id=fields.text("builderId", _URI.fullmatch, ""),
        source_uri=fields.text("sourceUri", sentence, ""),
        materials=fields.word("materials", "any", "locked"),
        tests=fields.word("tests", "any", "passed"),
        maximum_age_days=fields.number("maximumAgeDays", MAX_AGE_DAYS, 0),
        no_open=no_open,
        vex=vex,
    )
    fields.done()
    return made


def _by(fields: Fields, known: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return who must have signed, and how many; the signers of the kit if nobody is named."""
    from verifier.evidence.rules import KIT_SIGNERS

    if not fields.has("by") or fields.is_text("by"):
        fields.text("by", (KIT_SIGNERS,).__contains__, KIT_SIGNERS)
        return (KIT_SIGNERS,), 1
    by = fields.object("by")
    of = _names(by, "of", known)
    threshold = by.number("threshold", len(of))
    by.done()
    return of, threshold


def _names(fields: Fields, name: str, known: Sequence[str]) -> tuple[str, ...]:
    of = fields.items(name)
    if not of or not all(isinstance(item, str) and item in known for item in of):
        raise NotStrict(f"{name!r} is not of names of attesters")
    once(of, "attester")
    return tuple(of)
