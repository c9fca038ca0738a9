"""The manifest: from the DSSE payload to a `Manifest` and back (FORMAT 9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from re import Pattern

from verifier.core import limits
from verifier.core.errors import FormatNewer, KitError, ManifestMalformed
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.model import (
    FRAME_RULES,
    KIT_PREDICATE,
    STATEMENT_TYPE,
    TIME,
    Blob,
    Built,
    Component,
    Exemption,
    KitInfo,
    Manifest,
    Subject,
    parse_time,
)
from verifier.core.names import is_reserved, parse_member_path
from verifier.typed import Any, TypeVar

T = TypeVar("T")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
LINE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}")
HEX256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"([0-9a-f]{2}){1,128}")
_ALGORITHM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# RFC 5480: id-ecPublicKey, prime256v1, an uncompressed point; in base64 it has one beginning
_SUMS_KEY = re.compile(r"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{85}[AQgw]==")
_FEATURE = re.compile(r"[!-~]{1,128}")
# no control, and nothing that turns or breaks the line on a terminal
_CHARACTER = r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
_TEXT = re.compile(f"{_CHARACTER}*")
_SOME_TEXT = re.compile(f"{_CHARACTER}+")
MAX_SUMMARY = 500  # characters, here and for every other text for people
MAX_SUBJECTS = 102
MAX_COMPONENTS = 1024
KNOWN_FEATURES: frozenset[str] = frozenset()
_WHERE = "manifest"


class _Object:
    """An object of the manifest, read member by member; what is left over is unknown."""

    def __init__(self, value: Any, path: str, unknown: list[str] | None) -> None:
        if not isinstance(value, dict):
            raise ManifestMalformed(f"{path or 'the payload'} is not an object", where=_WHERE)
        self._left = dict(value)
        self._path = path
        self._unknown = unknown

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def take(self, name: str) -> Any:
        """Return a member that must be there."""
        if name not in self._left:
            raise ManifestMalformed(f"{self._name(name)!r} is missing", where=_WHERE)
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether an optional member is there."""
        return name in self._left

    def text(self, name: str, pattern: Pattern[str], most: int = MAX_SUMMARY) -> str:
        """Return a string that matches all of ``pattern``."""
        return _text(self.take(name), self._name(name), pattern, most)

    def integer(self, name: str, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ManifestMalformed(
                f"{self._name(name)!r} is not an integer from {low} to {high}", where=_WHERE
            )
        return value

    def each(self, name: str, most: int, make: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Return a list of at most ``most`` values."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise ManifestMalformed(
                f"{self._name(name)!r} is not a list of at most {most}", where=_WHERE
            )
        return tuple(make(item, f"{self._name(name)}[{i}]") for i, item in enumerate(value))

    def object(self, name: str) -> _Object:
        """Return a member that is an object."""
        return _Object(self.take(name), self._name(name), self._unknown)

    def done(self) -> None:
        """Note what is left as unknown, or refuse it where nothing may be (FORMAT 9.7)."""
        for name in sorted(self._left):
            if self._unknown is None:
                raise ManifestMalformed(f"{self._name(name)!r} has no place here", where=_WHERE)
            self._unknown.append(self._name(name))


def _text(value: Any, name: str, pattern: Pattern[str], most: int = MAX_SUMMARY) -> str:
    if not isinstance(value, str) or len(value) > most or not pattern.fullmatch(value):
        raise ManifestMalformed(f"{name!r} is not a text of the form it should have", where=_WHERE)
    return value


def _digest(value: Any, name: str) -> dict[str, str]:
    reader = _Object(value, name, None)
    if not isinstance(value, dict) or not 1 <= len(value) <= 8:
        raise ManifestMalformed(f"{name!r} has no digest, or too many", where=_WHERE)
    digest = {"sha256": reader.text("sha256", HEX256)}
    for algorithm in sorted(set(value) - {"sha256"}):
        _text(algorithm, f"{name} (the name of an algorithm)", _ALGORITHM)
        digest[algorithm] = reader.text(algorithm, _HEX)
    return digest


def _blob(reader: _Object, name: str, most: int) -> Blob:
    item = reader.object(name)
    blob = Blob(item.integer("size", 0, most), _digest(item.take("digest"), f"{name}.digest"))
    item.done()
    return blob


def _path(value: Any, name: str) -> str:
    return _text(value, name, _SOME_TEXT, limits.MAX_PATH)


def _some_paths(item: _Object) -> tuple[str, ...]:
    paths = item.each("paths", limits.MAX_MEMBERS, _path)
    if not paths:
        raise ManifestMalformed("`paths` is empty", where=_WHERE)
    return paths


def _subject(value: Any, name: str) -> Subject:
    item = _Object(value, name, None)
    text = item.text("name", _TEXT, limits.MAX_PATH)
    subject = Subject(text, _digest(item.take("digest"), f"{name}.digest"))
    item.done()
    return subject


def parse_manifest(payload: bytes) -> Manifest:
    """Return the manifest in a DSSE payload.

    Its shape is what manifests/schema/manifest.v1.json says; `check_manifest` has the rest.  What
    says that the kit is newer is asked before all that a newer kit may have changed (FORMAT 9.8).

    Raises:
        FormatNewer: It is of another version (predicateType, frame rules, requires).
        ManifestMalformed: It is not a manifest.
    """
    try:
        value = parse_compact(payload)
    except NotStrict as reason:
        raise ManifestMalformed(str(reason), where=_WHERE) from None
    top = _Object(value, "", None)
    if top.take("_type") != STATEMENT_TYPE:
        raise ManifestMalformed(f"_type is not {STATEMENT_TYPE!r}", where=_WHERE)
    predicate_type = top.text("predicateType", _FEATURE)
    if predicate_type != KIT_PREDICATE:
        raise FormatNewer(f"predicateType is {predicate_type!r}", where=_WHERE)
    subjects = top.each("subject", MAX_SUBJECTS, _subject)
    predicate = top.take("predicate")
    top.done()
    return _predicate(predicate, subjects)


def _predicate(value: Any, subjects: tuple[Subject, ...]) -> Manifest:
    unknown: list[str] = []
    top = _Object(value, "predicate", unknown)

    def feature(item: Any, name: str) -> str:
        return _text(item, name, _FEATURE)

    requires = top.each("requires", 32, feature)
    if len(set(requires)) != len(requires):
        raise ManifestMalformed("'predicate.requires' has one feature twice", where=_WHERE)
    missing = [name for name in requires if name not in KNOWN_FEATURES]
    if missing:
        raise FormatNewer(f"the kit requires {missing[0]!r}", where=_WHERE)
    built = _built(top.object("built"))

    def component(item: Any, name: str) -> Component:
        return _component(_Object(item, name, unknown))

    def exemption(item: Any, name: str) -> Exemption:
        reader = _Object(item, name, unknown)
        made = Exemption(_some_paths(reader), reader.text("reason", _SOME_TEXT))
        reader.done()
        return made

    page_size = top.take("pageSize")
    if isinstance(page_size, bool) or page_size not in limits.PAGE_SIZES:
        raise ManifestMalformed("'predicate.pageSize' is not a size of a page", where=_WHERE)
    manifest = Manifest(
        kit=_kit(top.object("kit")),
        index=_blob(top, "index", limits.MAX_LIST),
        frames=_blob(top, "frames", limits.MAX_LIST),
        roots=_blob(top, "roots", limits.MAX_ROOT_CHAIN),
        page_size=page_size,
        built=built,
        subjects=subjects,
        components=top.each("components", MAX_COMPONENTS, component),
        exemptions=top.each("exemptions", MAX_COMPONENTS, exemption),
        requires=requires,
        evidence_index=(
            _blob(top, "evidenceIndex", limits.MAX_LIST) if top.has("evidenceIndex") else None
        ),
        sums_key=top.text("sumsKey", _SUMS_KEY) if top.has("sumsKey") else "",
        unknown=(),
    )
    top.done()
    return _with_unknown(manifest, unknown)


def _with_unknown(manifest: Manifest, unknown: list[str]) -> Manifest:
    fields = {name: getattr(manifest, name) for name in vars(manifest)}
    return Manifest(**{**fields, "unknown": tuple(unknown)})


def _kit(item: _Object) -> KitInfo:
    def kit_id(value: Any, name: str) -> str:
        return _text(value, name, HEX256)

    kit = KitInfo(
        name=item.text("name", NAME),
        version=item.text("version", VERSION),
        line=item.text("line", LINE),
        sequence=item.integer("sequence", 1, limits.MAX_SEQUENCE),
        created=item.text("created", TIME),
        summary=item.text("summary", _TEXT),
        expires=item.text("expires", TIME) if item.has("expires") else "",
        supersedes=item.each("supersedes", 64, kit_id) if item.has("supersedes") else (),
    )
    item.done()
    return kit


def _component(item: _Object) -> Component:
    made = Component(
        id=item.text("id", NAME),
        version=item.text("version", VERSION),
        paths=_some_paths(item),
        lands=item.text("lands", _TEXT),
        placeholder=item.text("placeholder", _SOME_TEXT) if item.has("placeholder") else "",
        kind=item.text("kind", NAME) if item.has("kind") else "",
        owner=item.text("owner", _SOME_TEXT) if item.has("owner") else "",
    )
    item.done()
    return made


def _built(item: _Object) -> Built:
    rules = item.text("rules", _FEATURE)
    if rules != FRAME_RULES:
        raise FormatNewer(f"the kit is cut by the rules {rules!r}", where=_WHERE)
    made = Built(item.text("compressor", _TEXT), item.integer("level", 0, 22), rules)
    item.done()
    return made


def check_manifest(manifest: Manifest, page_size: int) -> None:
    """Hold a manifest to the rules that its shape cannot say (FORMAT 4.8, 9.2 to 9.6).

    Raises:
        ManifestMalformed: One is broken.
        MemberPathUnsafe: A path of a component or exemption is no member path.
    """

    def refuse(message: str) -> KitError:
        return ManifestMalformed(message, where=_WHERE)

    seconds = parse_time(manifest.kit.created)
    if seconds is None or seconds > limits.MAX_TIME:
        raise refuse("'predicate.kit.created' is no date that tar can hold")
    if manifest.kit.expires and parse_time(manifest.kit.expires) is None:
        raise refuse("'predicate.kit.expires' is no date")
    if manifest.page_size != page_size:
        raise refuse(f"pageSize is {manifest.page_size}, the page has {page_size} bytes")
    if [subject.name for subject in manifest.subjects[:2]] != ["kit.index", "SHA256SUMS"]:
        raise refuse("the first subjects are not kit.index and SHA256SUMS")
    if manifest.subjects[0].digest != manifest.index.digest:
        raise refuse("subject kit.index has another digest than 'predicate.index'")
    ids = [component.id for component in manifest.components]
    if len(set(ids)) != len(ids):
        raise refuse("two components have one id")
    paths = sorted(path + "/" for component in manifest.components for path in component.paths)
    for one, other in zip(paths, paths[1:]):
        if other.startswith(one):
            raise refuse(f"the component paths {one[:-1]!r} and {other[:-1]!r} overlap")
    named = [path for component in manifest.components for path in component.paths]
    for path in named:
        if is_reserved(path.partition("/")[0]):
            raise refuse(f"the component path {path!r} is not one of the payload")
    for path in named + [path for item in manifest.exemptions for path in item.paths]:
        parse_member_path(path)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the DSSE payload: the one spelling of the Statement."""
    kit = manifest.kit
    info: dict[str, Any] = {
        "name": kit.name,
        "version": kit.version,
        "line": kit.line,
        "sequence": kit.sequence,
        "created": kit.created,
        "summary": kit.summary,
    }
    if kit.expires:
        info["expires"] = kit.expires
    if kit.supersedes:
        info["supersedes"] = list(kit.supersedes)
    predicate: dict[str, Any] = {
        "kit": info,
        **{
            name: {"size": blob.size, "digest": dict(blob.digest)}
            for name, blob in (
                ("index", manifest.index),
                ("frames", manifest.frames),
                ("roots", manifest.roots),
            )
        },
        "components": [_component_value(component) for component in manifest.components],
        "exemptions": [
            {"paths": list(item.paths), "reason": item.reason} for item in manifest.exemptions
        ],
        "requires": list(manifest.requires),
        "pageSize": manifest.page_size,
        "built": {
            "compressor": manifest.built.compressor,
            "level": manifest.built.level,
            "rules": manifest.built.rules,
        },
    }
    if manifest.evidence_index:
        blob = manifest.evidence_index
        predicate["evidenceIndex"] = {"size": blob.size, "digest": dict(blob.digest)}
    if manifest.sums_key:
        predicate["sumsKey"] = manifest.sums_key
    subjects = [{"name": item.name, "digest": dict(item.digest)} for item in manifest.subjects]
    return compact(
        {
            "_type": STATEMENT_TYPE,
            "predicateType": KIT_PREDICATE,
            "subject": subjects,
            "predicate": predicate,
        }
    )


def _component_value(component: Component) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": component.id,
        "version": component.version,
        "paths": list(component.paths),
        "lands": component.lands,
    }
    if component.placeholder:
        value["placeholder"] = component.placeholder
    if component.kind:
        value["kind"] = component.kind
    if component.owner:
        value["owner"] = component.owner
    return value
