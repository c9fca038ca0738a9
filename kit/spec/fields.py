"""The fields of a spec: what each may be, for pydantic, for JSON Schema and for messages."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from kit.spec.mistakes import mistake
from kit.spec.patterns import Glob
from verifier.core import limits
from verifier.core.errors import KitError
from verifier.core.manifest import HEX256, LINE, MAX_SUMMARY, NAME, VERSION
from verifier.core.model import TIME
from verifier.core.names import RESERVED, fold, parse_member_path

# `$(?!\n)`: the end of the text in Python too, where a bare `$` stands before a final LF
_END = r"$(?!\n)"
_NAME, _VERSION, _LINE, _KIT_ID = (
    f"^{rule.pattern}{_END}" for rule in (NAME, VERSION, LINE, HEX256)
)
# no control, and nothing that turns or breaks the line on a terminal
_TEXT = rf"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*{_END}"
_YEAR = "(19[7-9][0-9]|2[01][0-9]{2}|22[0-3][0-9]|224[0-2])"
_MOMENT = rf"^{_YEAR}{TIME.pattern.removeprefix('[0-9]{4}')}{_END}"
_URL = rf"^(https?://[!-.0-~][!-~]*|file:///[!-~]+){_END}"
_TAG = r"(:[a-zA-Z0-9._-]+)?(@sha256:[0-9a-f]{64})?"
_REMOTE = rf"[a-zA-Z0-9.:\[\]-]+/[a-z0-9._/-]+{_TAG}"
_IN_FILE = r"(oci|oci-archive|docker-archive):[^:/\\\x00-\x1f\x7f][^:\\\x00-\x1f\x7f]*(:[!-~]+)?"
_REFERENCE = rf"^({_REMOTE}|{_IN_FILE}){_END}"
_GIT_URL = rf"^((https?|ssh)://[!-.0-~][!-~]*|file:///[!-~]+){_END}"
_GIT_REV = rf"^([A-Za-z0-9][A-Za-z0-9._/+@-]*)?{_END}"
_IMAGE_PLATFORM = rf"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9._-]+)?{_END}"
_WHEEL_PLATFORM = (
    "^(manylinux_2_[0-9]{1,2}_[a-z0-9_]+|musllinux_1_[0-9]{1,2}_[a-z0-9_]+"
    f"|macosx_[0-9]{{1,2}}_[0-9]{{1,2}}_(x86_64|arm64)|win_amd64|win_arm64|win32){_END}"
)
_PLATFORM = rf"^[a-z0-9._/-]+{_END}"
_DEB = rf"^[a-z0-9][a-z0-9+.-]+(=([0-9]+:)?[0-9][A-Za-z0-9.+~-]*)?{_END}"
_SUITE = rf"^[A-Za-z0-9][A-Za-z0-9._-]*{_END}"
_ARCHITECTURE = rf"^[a-z0-9][a-z0-9-]*{_END}"
_PYTHON = rf"^3\.([89]|[1-9][0-9]){_END}"
_PART = r'[^\x00-\x1f\x7f\\:*?"<>|/]+'
_KIT_PATH = rf"^(?!.*[. ](/|$)){_PART}(/{_PART})*{_END}"
_SOURCE_PATH = rf"^(?!/)[^\x00-\x1f\x7f\\]+{_END}"
_GLOB = rf"^(?!/)(?=.*[*?\[])[^\x00-\x1f\x7f\\]+{_END}"


def parse_moment(value: object) -> datetime.datetime:
    """Return a TOML date-time, or its text, as UTC; the builder's times have whole seconds."""
    if isinstance(value, str):
        try:
            if not re.match(_MOMENT, value):
                raise ValueError
            value = datetime.datetime.fromisoformat(f"{value[:-1]}+00:00")
        except ValueError:
            raise mistake("is not such a time") from None
    if not isinstance(value, datetime.datetime):
        raise mistake("is not a date with a time")
    if value.utcoffset() != datetime.timedelta(0):
        raise mistake("is not in UTC")
    if value.microsecond:
        raise mistake("has a fraction of a second")
    if not 0 <= int(value.timestamp()) <= limits.MAX_TIME:
        raise mistake("is before 1970 or after what a tar header can hold (FORMAT 7.2)")
    return value.astimezone(datetime.timezone.utc)


def _kit_path(value: str) -> str:
    try:
        return parse_member_path(value)
    except KitError as error:
        raise mistake(error.message) from None


def _data_path(value: str) -> str:
    first = _kit_path(value).split("/")[0]
    if fold(first) in RESERVED:
        raise mistake(f"begins with {first!r}, a name the kit needs itself (FORMAT 6.5)")
    return value


def _evidence_path(value: str) -> str:
    if fold(_kit_path(f"evidence/{value}").split("/")[1]) == "evidence.index":
        raise mistake("begins with 'evidence.index', a name the kit needs itself (FORMAT 9.2)")
    return value


def _source_path(value: str) -> str:
    if value.startswith("/"):
        raise mistake("is absolute", fix="write it relative to the directory of the spec")
    if not re.match(_SOURCE_PATH, value):
        raise mistake("is empty, or has a backslash or a control character", fix="use / and text")
    return value


def _glob(value: str) -> str:
    try:
        Glob(_source_path(value))
    except ValueError as error:
        raise mistake(str(error)) from None
    return value


def _url(value: str) -> str:
    """Hold a URL to what may stand in a spec; whether it is fetched is the client's question."""
    return _without_secret(value, _URL, "https, http or file")


def _git_url(value: str) -> str:
    if value.startswith("ssh://") and re.match(_GIT_URL, value):
        return value  # a user name is part of ssh's addresses, a password is not asked for
    return _without_secret(value, _GIT_URL, "https, http, ssh or file")


def _without_secret(value: str, pattern: str, kinds: str) -> str:
    if not re.match(pattern, value):
        raise mistake(f"is no {kinds} URL in ASCII without spaces")
    if "@" in urlsplit(value).netloc:
        raise mistake(
            "has a user name or password in it", fix="remove it; ~/.netrc is the place for them"
        )
    return value


def _requirement(value: str) -> str:
    # here, since most specs name no wheels, and it takes longer to load than a small spec to read
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        raise mistake(f"is no requirement: {str(error).splitlines()[0]}") from None
    if parsed.url is not None:
        raise mistake("names a URL", fix="carry that file with `url` in a source of its own")
    return value


def check_platforms(platforms: tuple[str, ...], *, of_wheels: bool) -> None:
    """Hold platforms to the form of their kind."""
    pattern = _WHEEL_PLATFORM if of_wheels else _IMAGE_PLATFORM
    for text in platforms:
        if not re.match(pattern, text):
            known = "manylinux_2_28_x86_64, musllinux_1_2_aarch64, win_amd64, macosx_11_0_arm64"
            expected = f"a tag like {known}" if of_wheels else "OS/ARCHITECTURE, like linux/amd64"
            raise mistake(f"has the platform {text!r}", expected=expected)


Name = Annotated[str, StringConstraints(pattern=_NAME)]
Version = Annotated[str, StringConstraints(pattern=_VERSION)]
Line = Annotated[str, StringConstraints(pattern=_LINE)]
KitId = Annotated[str, StringConstraints(pattern=_KIT_ID)]
Text = Annotated[str, StringConstraints(pattern=_TEXT, min_length=1, max_length=MAX_SUMMARY)]
Moment = Annotated[
    datetime.datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "pattern": _MOMENT}),
]
_PATH_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": _KIT_PATH,
    "maxLength": limits.MAX_PATH,
}
KitPath = Annotated[str, AfterValidator(_kit_path), WithJsonSchema(_PATH_SCHEMA)]
DataPath = Annotated[str, AfterValidator(_data_path), WithJsonSchema(_PATH_SCHEMA)]
EvidencePath = Annotated[str, AfterValidator(_evidence_path), WithJsonSchema(_PATH_SCHEMA)]
SourcePath = Annotated[
    str, AfterValidator(_source_path), WithJsonSchema({"type": "string", "pattern": _SOURCE_PATH})
]
GlobPattern = Annotated[
    str, AfterValidator(_glob), WithJsonSchema({"type": "string", "pattern": _GLOB})
]
Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": _URL})]
GitUrl = Annotated[
    str, AfterValidator(_git_url), WithJsonSchema({"type": "string", "pattern": _GIT_URL})
]
GitRev = Annotated[str, StringConstraints(pattern=_GIT_REV, max_length=256)]
ImageReference = Annotated[str, StringConstraints(pattern=_REFERENCE, max_length=512)]
DebName = Annotated[str, StringConstraints(pattern=_DEB, max_length=256)]
Suite = Annotated[str, StringConstraints(pattern=_SUITE, max_length=64)]
Architecture = Annotated[str, StringConstraints(pattern=_ARCHITECTURE, max_length=32)]
PythonVersion = Annotated[str, StringConstraints(pattern=_PYTHON)]
Requirement = Annotated[str, AfterValidator(_requirement)]
Platform = Annotated[str, StringConstraints(pattern=_PLATFORM, max_length=128)]
Exclude = Annotated[
    str, AfterValidator(_source_path), WithJsonSchema({"type": "string", "pattern": _SOURCE_PATH})
]


AttestedSubject = Annotated[
    str, AfterValidator(_data_path), WithJsonSchema(_PATH_SCHEMA)
]  # a word, or a path


def filled(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return ``value`` if it has an entry."""
    # not `min_length`: pydantic counts only the entries without a mistake
    if not value:
        raise mistake("is empty")
    return value


FILLED: dict[str, Any] = {"minItems": 1}  # what `filled` means in JSON Schema
