"""What a policy may ask of a predicate: builder, source, materials, tests, age.

Each function returns why a condition is false, and an empty text if it holds.  A predicate of a
type that is not known here is undecided: what it says may be what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

from verifier.core.model import format_time
from verifier.evidence.errors import EvidenceFormUnknown
from verifier.evidence.rules import Requirement
from verifier.evidence.statement import Statement
from verifier.typed import Any, record

SLSA_1 = "https://slsa.dev/provenance/v1"
SLSA_OLD = (
    "https://slsa.dev/provenance/v0.2",
    "https://slsa.dev/provenance/v0.1",
    "https://in-toto.io/Provenance/v0.1",
)
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
DAY = 86_400  # seconds
_TIME = re.compile(
    "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.][0-9]{1,9})?"
    "(Z|[+-][0-9]{2}:[0-9]{2})"
)
# where provenance of v1 says its source: GitHub's, ours, that of generators, Cloud Build's
_SOURCES = (
    ("workflow", "repository"),
    ("source",),
    ("source", "uri"),
    ("repository",),
    ("buildConfigSource", "repository"),
    ("sourceToBuild", "repository"),
)
_COMMIT = re.compile("/commit/[0-9a-f]{40}")  # how Cloud Build before v1 names a commit of a source
# where predicates of known types say when they were made, from the last moment to the first
_TIMES = (
    ("runDetails", "metadata", "finishedOn"),
    ("runDetails", "metadata", "startedOn"),
    ("metadata", "buildFinishedOn"),
    ("metadata", "buildStartedOn"),
    ("metadata", "scanFinishedOn"),
    ("metadata", "scanStartedOn"),
    ("timestamp",),
    ("timeCreated",),
    ("creationInfo", "created"),
    ("at",),
)


@record(frozen=True)
class Moment:
    """When a statement was made.

    Attributes:
        seconds: Since the epoch; None if nobody says.
        source: ``log`` or ``timestamp`` if somebody proved it, ``stated`` if only the signer says.
    """

    seconds: int | None
    source: str

    def told(self) -> str:
        """Return it in words."""
        if self.seconds is None:
            return "no time that anybody says"
        how = "as its signer says" if self.source == "stated" else f"proved by a {self.source}"
        return f"{format_time(self.seconds)}, {how}"


def dig(value: Any, *names: str) -> Any:
    """Return what lies below some names of objects; None if one of them is not there."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def seconds_of(text: Any) -> int | None:
    """Return the seconds since the epoch of a time of RFC 3339; None if it is none."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        zone = "+00:00" if found[2] == "Z" else found[2]
        return int(datetime.fromisoformat(found[1] + zone).timestamp())
    except (ValueError, OverflowError):
        return None


def moment_of(statement: Statement, proved: int | None, source: str) -> Moment:
    """Return when a statement was made: as was proved, else as it says itself."""
    if proved is not None:
        return Moment(proved, source)
    for names in _TIMES:
        text = dig(statement.predicate, *names)
        seconds = seconds_of(text)
        if seconds is not None:
            return Moment(seconds, "stated")
    return Moment(None, "stated")


def check(
    requirement: Requirement,
    statement: Statement,
    moment: Moment,
    now: int,
    locked: Collection[str] | None,
) -> str:
    """Return the first condition of a requirement that is false, in words; empty if all hold.

    Args:
        requirement: What is asked.
        statement: Who signed it is established.
        moment: When that was.
        now: The moment judged by.
        locked: SHA-256 of all that the kit's lock names; None if the kit carries none.

    Raises:
        EvidenceFormUnknown: It is of a type that is not known here, so nothing can be said.
    """
    for wanted, judge in (
        (requirement.builder_id, lambda: _builder(requirement.builder_id, statement)),
        (requirement.source_uri, lambda: _source(requirement.source_uri, statement)),
        (requirement.materials, lambda: _materials(statement, locked)),
        (requirement.tests, lambda: _tests(statement)),
        (requirement.maximum_age_days, lambda: _age(requirement.maximum_age_days, moment, now)),
    ):
        told = _asked(judge) if wanted else ""
        if told:
            return told
    return ""


def _asked(judge: Callable[[], str]) -> str:
    return judge()


def _age(days: int, moment: Moment, now: int) -> str:
    if moment.seconds is None:
        return f"it has {moment.told()}, and may be {days} days old"
    if moment.seconds > now + DAY:
        return f"it is of {moment.told()}, which is still to come"
    if now - moment.seconds > days * DAY:
        return f"it is of {moment.told()}, and may be {days} days old"
    return ""


# --- provenance ----------------------------------------------------------------------------------


def _provenance(statement: Statement) -> bool:
    """Whether a statement is SLSA provenance of the newer form; False for an older one.

    Raises:
        EvidenceFormUnknown: It is neither.
    """
    if statement.predicate_type == SLSA_1:
        return True
    if statement.predicate_type in SLSA_OLD:
        return False
    raise EvidenceFormUnknown(
        f"{statement.predicate_type[:200]!r} says nothing of builds that is known here",
        where="condition",
    )


def _builder(wanted: str, statement: Statement) -> str:
    place = ("runDetails", "builder", "id") if _provenance(statement) else ("builder", "id")
    found = dig(statement.predicate, *place)
    return "" if found == wanted else f"it was built by {_shown(found)}, not by {wanted!r}"


def is_source(wanted: str, found: str) -> bool:
    """Whether a provenance means the source that a policy names, at whatever ref.

    Only what is behind the whole address and an ``@`` is a ref, or behind ``/commit/`` a commit:
    an address without a path could otherwise be somebody else's (``https://host@other/``).
    """
    wanted, found = (text[4:] if text.startswith("git+") else text for text in (wanted, found))
    wanted, found = wanted.rstrip("/"), found.rstrip("/")
    if found == wanted:
        return True
    if "/" not in wanted.partition("://")[2] or not found.startswith(wanted):
        return False
    rest = found[len(wanted) :]
    return rest.startswith("@") or _COMMIT.fullmatch(rest) is not None


def _sources(statement: Statement) -> list[str]:
    """Return all that a provenance calls its source; where it says it twice, both must be right."""
    predicate = statement.predicate
    found: list[Any] = []
    if not _provenance(statement):
        found = [dig(predicate, "invocation", "configSource", "uri")]
        if found == [None]:
            found = [dig(each, "uri") for each in _list(dig(predicate, "materials"))[:1]]
    else:
        given = dig(predicate, "buildDefinition", "externalParameters")
        for names in _SOURCES:
            value = dig(given, *names)
            found += [value] if isinstance(value, str) else []
        first = _list(dig(predicate, "buildDefinition", "resolvedDependencies"))[:1]
        if not found:
            found = [dig(each, "uri") for each in first]
    return [uri for uri in found if isinstance(uri, str)]


def _source(wanted: str, statement: Statement) -> str:
    found = _sources(statement)
    wrong = [uri for uri in found if not is_source(wanted, uri)]
    if found and not wrong:
        return ""
    return f"it was built from {_shown(wrong[0] if wrong else None)}, not from {wanted!r}"


def _materials(statement: Statement, locked: Collection[str] | None) -> str:
    new = _provenance(statement)
    place = ("buildDefinition", "resolvedDependencies") if new else ("materials",)
    materials = _list(dig(statement.predicate, *place))
    if locked is None:
        return "the kit carries no lock that its materials could be in"
    for each in materials:
        digest = dig(each, "digest")
        told = [dig(digest, name) for name in ("sha256", "gitCommit", "sha1")]
        if not any(isinstance(value, str) and value in locked for value in told):
            name = dig(each, "uri") or dig(each, "name") or told[0]
            return f"the lock does not name its material {_shown(name)}"
    return "" if materials else "it names no material"


# --- tests ---------------------------------------------------------------------------------------


def _tests(statement: Statement) -> str:
    if statement.predicate_type != TEST_RESULT:
        raise EvidenceFormUnknown(
            f"{statement.predicate_type[:200]!r} says nothing of tests that is known here",
            where="condition",
        )
    predicate = statement.predicate
    result = dig(predicate, "result")
    if result not in ("PASSED", "WARNED"):
        return f"the result of its tests is {_shown(result)}, not 'PASSED'"
    failed = _list(dig(predicate, "failedTests"))
    if failed or dig(predicate, "failedTests") not in (None, []):
        return f"{len(failed)} of its tests failed, such as {_shown(next(iter(failed), None))}"
    if not _list(dig(predicate, "passedTests")):
        return "none of its tests passed; tests that were left out prove nothing"
    return ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(value: Any) -> str:
    return repr(value[:200]) if isinstance(value, str) else "nobody says what"


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of an array; whatever else is in it is passed over."""
    for item in _list(value):
        if isinstance(item, dict):
            yield item
