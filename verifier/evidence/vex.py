"""Reads what VEX says of vulnerabilities, and whether a finding is answered by it.

OpenVEX 0.0.1 and 0.2, and the ``analysis`` of CycloneDX.  An answer counts for what it names: the
vulnerability by one of its names, and the package, or the product that was scanned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from urllib.parse import unquote

from verifier.evidence.sbom import cyclonedx_components, objects, text
from verifier.evidence.scans import Vulnerability
from verifier.typed import Any, record

CONTEXT = "https://openvex.dev/ns"
STATUSES = ("not_affected", "affected", "fixed", "under_investigation")
ANSWERS = ("not_affected", "fixed")  # with these a finding is not open
_CYCLONEDX = {
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
}


@record(frozen=True)
class VexStatement:
    """One statement about one vulnerability.

    Attributes:
        names: The vulnerability's, its id first.
        products: What it is about: ids, package URLs, ``sha256:HEX``; empty for all that whoever
            signed it is talking of.
        parts: Of these products the parts that are meant; empty for all of them.
        status: One of `STATUSES`.
        impact: Why, or what to do, in words.
        at: When, as written; empty if nothing says so.
    """

    names: tuple[str, ...]
    products: tuple[str, ...]
    parts: tuple[str, ...]
    status: str
    justification: str
    impact: str
    at: str


def is_openvex(value: Any) -> bool:
    """Whether a parsed document, or a predicate, is OpenVEX."""
    return isinstance(value, dict) and text(value.get("@context")).startswith(CONTEXT)


def read_vex(value: Any) -> tuple[VexStatement, ...]:
    """Return the statements of a parsed document; none if it is of no kind that is known here."""
    if is_openvex(value):
        return tuple(_openvex(value))
    if isinstance(value, dict) and value.get("bomFormat") == "CycloneDX":
        return tuple(_cyclonedx(value))
    return ()


def _openvex(value: Mapping[str, Any]) -> Iterator[VexStatement]:
    stated = text(value.get("last_updated")) or text(value.get("timestamp"))
    for _, item in objects(value.get("statements")):
        names = _names(item.get("vulnerability"), item)
        status = text(item.get("status"))
        if not names or status not in STATUSES:
            continue
        products, parts = _products(item.get("products"))
        parts += _products(item.get("subcomponents"))[0]  # 0.0.1 has them beside the products
        own = text(item.get("last_updated")) or text(item.get("timestamp"))
        yield VexStatement(
            names,
            tuple(products),
            tuple(parts),
            status,
            text(item.get("justification")),
            text(item.get("impact_statement")) or text(item.get("action_statement")),
            own or stated,
        )


def _names(value: Any, statement: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(value, dict):
        found = [text(value.get("name")), text(value.get("@id"))]
        aliases = value.get("aliases")
        found += map(text, aliases) if isinstance(aliases, list) else []
    else:
        found = [text(value) or text(statement.get("vuln_description"))]
    return tuple(dict.fromkeys(name for name in found if name))


def _products(value: Any) -> tuple[list[str], list[str]]:
    """Return all names of products, and of the parts of them that are meant."""
    products: list[str] = []
    parts: list[str] = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str):
            products.append(one)
        elif isinstance(one, dict):
            products.append(text(one.get("@id")))
            identifiers = one.get("identifiers")
            if isinstance(identifiers, dict):
                products += map(text, identifiers.values())
            hashes = one.get("hashes")
            if isinstance(hashes, dict):
                products += [
                    f"{name.lower().replace('-', '')}:{text(digits).lower()}"
                    for name, digits in hashes.items()
                ]
            parts += _products(one.get("subcomponents"))[0]
    return [name for name in products if name], parts


def _cyclonedx(value: dict[str, Any]) -> Iterator[VexStatement]:
    parts = {text(item.get("bom-ref")): item for _, item in cyclonedx_components(value)}
    for _, item in objects(value.get("vulnerabilities")):
        analysis = item.get("analysis")
        status = _CYCLONEDX.get(text(analysis.get("state")) if isinstance(analysis, dict) else "")
        refs = [text(one.get("ref")) for _, one in objects(item.get("affects"))]
        if status is None or not isinstance(analysis, dict) or not text(item.get("id")):
            continue
        about = [ref for ref in refs if ref]
        about += [text(parts[ref].get("purl")) for ref in refs if ref in parts]
        yield VexStatement(
            (text(item["id"]),),
            tuple(filter(None, about)),
            (),
            status,
            text(analysis.get("justification")),
            text(analysis.get("detail")),
            text(analysis.get("lastUpdated")) or text(item.get("updated")),
        )


# --- what a statement answers --------------------------------------------------------------------


def answers(
    statement: VexStatement, finding: Vulnerability, about: Collection[str] = (), *, own: bool
) -> bool:
    """Whether a statement is about a finding.

    Args:
        statement: What VEX says.
        finding: What a scanner found.
        about: Names of what was scanned: ``sha256:HEX`` of an image, a component, ...
        own: Whether a statement that names no product is about what was scanned.
    """
    if not {finding.id, *finding.aliases}.intersection(statement.names):
        return False
    package = [finding.purl] if finding.purl else []
    if any(same_package(name, purl) for name in statement.products for purl in package):
        return True
    meant = any(_names_one(product, about) for product in statement.products)
    if not meant and (statement.products or not own):
        return False
    if not statement.parts:
        return True
    return any(
        same_package(part, purl) or part == finding.package
        for part in statement.parts
        for purl in package or [""]
    )


def _names_one(product: str, about: Collection[str]) -> bool:
    """Whether a product is one of what was scanned; a package URL names an image by its digest."""
    if product in about:
        return True
    version = unquote(product.partition("?")[0].rpartition("@")[2]) if "@" in product else ""
    return version.startswith("sha256:") and version in about


def same_package(meant: str, found: str) -> bool:
    """Whether a package URL means another: what it leaves out (version, qualifiers) may be any."""
    if not meant.startswith("pkg:") or not found.startswith("pkg:"):
        return False
    base, version, qualifiers = _split(meant)
    other, found_version, found_qualifiers = _split(found)
    return (
        base == other
        and (not version or version == found_version)
        and qualifiers.items() <= found_qualifiers.items()
    )


def _split(purl: str) -> tuple[str, str, dict[str, str]]:
    """Return type and name, version, and qualifiers of a package URL."""
    whole, _, query = purl.partition("#")[0].partition("?")
    head, slash, last = whole.rpartition("/")
    name, _, version = last.partition("@")
    pairs = (item.partition("=") for item in query.split("&") if "=" in item)
    qualifiers = {key.lower(): unquote(value) for key, _, value in pairs}
    return unquote(f"{head}{slash}{name}").lower(), unquote(version), qualifiers


def moment(text_: str) -> float:
    """Return the seconds since the epoch of a date of RFC 3339; minus infinity if it is none."""
    try:
        cleaned = text_.strip().replace("Z", "+00:00").replace("z", "+00:00")
        head, dot, rest = cleaned.partition(".")
        if dot:  # Pythons before 3.11 take three or six digits only
            digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
            cleaned = f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
        found = datetime.fromisoformat(cleaned)
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return found.timestamp()
    except (ValueError, OverflowError):
        return float("-inf")


def latest(found: Iterable[tuple[VexStatement, Any]]) -> list[tuple[VexStatement, Any]]:
    """Return statements with the newest first; of one moment, what leaves a finding open first."""
    return sorted(found, key=lambda item: (-moment(item[0].at), item[0].status in ANSWERS))
