"""The settings of a site: values for inputs, where secrets and programs are (RUNBOOK 8)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from runner.book.asked import asked
from runner.book.model import Input, Runbook
from runner.errors import EnvironmentDiffers, SettingsInvalid, listed
from runner.secret import why_no_place
from runner.values import parse_size, why_no_value
from verifier.core.jsonstrict import NotStrict, compact, parse_json
from verifier.core.manifest import MAX_SUMMARY
from verifier.core.names import printable
from verifier.host import files
from verifier.typed import Any, field, record

TYPE = "https://offline-kit.example/run-settings/v1"
MAX_SETTINGS = 1 << 20  # bytes
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9][0-9]{0,4})")
_MEMBERS = frozenset(
    {
        "type",
        "environment",
        "target",
        "inputs",
        "secrets",
        "programs",
        "container",
        "alerts",
        "limits",
    }
)
ENGINES = ("bwrap", "runc", "podman", "docker")


@record(frozen=True)
class Engine:
    """What runs programs in the image of the kit: one of `ENGINES`, and its absolute path."""

    by: str
    program: str


@record(frozen=True)
class Alerts:
    """Who else is told; see `runner.alerting`.

    Attributes:
        webhook: A URL; empty for none.
        ca: A PEM file of the site's CA; empty for those of the host.
        token: Where its token is, as of a secret; empty for none.
        metrics: The file for Prometheus; empty for none.
    """

    webhook: str = ""
    ca: str = ""
    token: Mapping[str, Any] = field(default_factory=dict)
    metrics: str = ""


@record(frozen=True)
class Limits:
    """What a program may use.

    Attributes:
        memory: Bytes in memory, of all that a step has started; 0 for no limit.
        output: Bytes of its output that are kept.
    """

    memory: int = 0
    output: int = 8 << 20


@record(frozen=True)
class Settings:
    """What a site says.

    Attributes:
        target: What the run changes, in words of the site.
        inputs: Values of inputs that are no secrets, defaults included.
        secrets: Where each secret is: ``{"file": PATH}``, ``{"variable": NAME}`` or
            ``{"descriptor": N}``.
        programs: Absolute paths.
        container: What runs programs in the image of the kit; None to run them on the host.
    """

    environment: str
    target: str
    inputs: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, Any]]
    programs: Mapping[str, str]
    container: Engine | None = None
    alerts: Alerts = Alerts()
    limits: Limits = Limits()

    @property
    def bound(self) -> bytes:
        """What a run binds: not where secrets are, who is told, and limits, which may change."""
        found: dict[str, Any] = {
            "environment": self.environment,
            "inputs": dict(self.inputs),
            "programs": dict(self.programs),
            "secrets": sorted(self.secrets),
            "target": self.target,
        }
        if self.container is not None:
            found["container"] = {"by": self.container.by, "program": self.container.program}
        return compact(found)


def load_settings(path: str, book: Runbook, environment: str = "") -> tuple[Settings, bytes]:
    """Read the settings of a site; return them and the bytes of the file.

    Raises:
        TrustUnsafe: Somebody else may change the file.
        SettingsInvalid: They do not fit the runbook.
        EnvironmentDiffers: The command line names another environment.
    """
    try:
        data = files.read(os.path.abspath(path), MAX_SETTINGS)
    except OSError as error:
        raise SettingsInvalid(error.strerror or str(error), where=repr(path)) from None
    if data is None or len(data) > MAX_SETTINGS:
        why = "is not there" if data is None else f"has more than {MAX_SETTINGS} bytes"
        raise SettingsInvalid(why, where=repr(path))
    settings = parse_settings(data, book)
    if environment and environment != settings.environment:
        raise EnvironmentDiffers(
            f"--environment says {environment!r}, and the settings say {settings.environment!r}"
        )
    return settings, data


def parse_settings(data: bytes, book: Runbook) -> Settings:
    """Return the settings that a file holds, held to a runbook.

    Raises:
        SettingsInvalid: They do not fit it.
    """
    try:
        value = parse_json(data)
    except NotStrict as error:
        raise SettingsInvalid(str(error), where="settings") from None
    if not isinstance(value, dict) or value.get("type") != TYPE:
        raise SettingsInvalid(f"the type is not {TYPE!r}", where="settings")
    unknown = sorted(set(value) - _MEMBERS)
    if unknown:
        raise SettingsInvalid(f"{unknown[0]!r} is not known here", where="settings")
    environment, target = value.get("environment"), value.get("target")
    if environment not in book.environments:
        known = ", ".join(book.environments)
        raise SettingsInvalid(f"{environment!r} is not one of {known}", where="environment")
    if not isinstance(target, str) or not _is_text(target):
        raise SettingsInvalid("is no line that names what is changed", where="target")
    needed = asked(book, str(environment))
    given = _table(value, "inputs", str)
    open_ = {name: item for name, item in book.inputs.items() if item.kind != "secret"}
    inputs = {name: item.default for name, item in open_.items() if item.default}
    inputs.update(given)
    wrong = [*_names("inputs", inputs, open_, needed.inputs)]
    for name in sorted(set(inputs) & set(open_)):
        why = why_no_value(inputs[name]) or _why_not(open_[name], inputs[name])
        wrong += [(f"inputs.{name}", why)] if why else []
    secrets = _table(value, "secrets", dict)
    kept = {name: item for name, item in book.inputs.items() if item.kind == "secret"}
    wrong += _names("secrets", secrets, kept, needed.secrets)
    for name, place in sorted(secrets.items()):
        why = why_no_place(place)
        wrong += [(f"secrets.{name}", why)] if why else []
    programs = _table(value, "programs", str)
    wrong += _names("programs", programs, book.programs, needed.programs)
    for name, path in sorted(programs.items()):
        if not os.path.isabs(path) or why_no_value(path):
            wrong.append((f"programs.{name}", "is no absolute path"))
    if len(wrong) == 1:
        raise SettingsInvalid(wrong[0][1], where=wrong[0][0])
    if wrong:  # all at once: else each is a try of its own
        raise SettingsInvalid(listed([f"{where}: {why}" for where, why in wrong]))
    return Settings(
        str(environment),
        target,
        inputs,
        secrets,
        programs,
        _container(value, book),
        _alerts(value),
        _limits(value),
    )


def _known(value: Mapping[str, Any], name: str, *members: str) -> dict[str, Any]:
    """Return a table that has no other members than these."""
    table = value.get(name, {})
    if not isinstance(table, dict):
        raise SettingsInvalid("is no table", where=name)
    for other in sorted(set(table) - set(members)):
        raise SettingsInvalid("is not known here", where=f"{name}.{other}")
    return dict(table)


def _container(value: Mapping[str, Any], book: Runbook) -> Engine | None:
    if "container" not in value:
        return None
    table = _known(value, "container", "by", "program")
    if not book.image:
        raise SettingsInvalid("the runbook has no image to run programs in", where="container")
    if table.get("by") not in ENGINES:
        raise SettingsInvalid(f"is not one of {', '.join(ENGINES)}", where="container.by")
    program = table.get("program")
    if not isinstance(program, str) or not os.path.isabs(program) or why_no_value(program):
        raise SettingsInvalid("is no absolute path", where="container.program")
    return Engine(str(table["by"]), program)


def _alerts(value: Mapping[str, Any]) -> Alerts:
    table = _known(value, "alerts", "webhook", "ca", "token", "metrics")
    texts = {name: table.get(name, "") for name in ("webhook", "ca", "metrics")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise SettingsInvalid("is no string", where=f"alerts.{name}")
        if name != "webhook" and text and not os.path.isabs(text):
            raise SettingsInvalid("is no absolute path", where=f"alerts.{name}")
    url = texts["webhook"]
    if url and (why_no_value(url) or _why_not(Input("", "url"), url) or not url.startswith("http")):
        why = "is no http or https URL, or has a password in it: give a token"
        raise SettingsInvalid(why, where="alerts.webhook")
    if not url and (texts["ca"] or "token" in table):
        raise SettingsInvalid("is for a webhook, and there is none", where="alerts")
    token = table.get("token", {})
    if token or "token" in table:
        if not isinstance(token, dict):
            raise SettingsInvalid("is no table", where="alerts.token")
        if why_no_place(token):
            raise SettingsInvalid(why_no_place(token), where="alerts.token")
    return Alerts(url, texts["ca"], token, texts["metrics"])


def _limits(value: Mapping[str, Any]) -> Limits:
    table = _known(value, "limits", "memory", "output")
    sizes = {}
    for name, text in table.items():
        size = parse_size(text) if isinstance(text, str) else None
        if size is None:
            raise SettingsInvalid('is no size, such as "2GiB"', where=f"limits.{name}")
        sizes[name] = size
    return Limits(**sizes)


def _is_text(text: str) -> bool:
    return 1 <= len(text) <= MAX_SUMMARY and printable(text)


def _table(value: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    found = value.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(item, kind) for item in found.values()):
        raise SettingsInvalid(f"is no table of {kind.__name__}", where=name)
    return dict(found)


def _names(
    what: str, given: Mapping[str, Any], known: Mapping[str, Any], needed: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield (place, why) for what is given and not known, and for what is needed and not given.

    Args:
        needed: From name to what needs it here; a step that is off needs nothing.
    """
    for name in sorted(set(given) - set(known)):
        yield f"{what}.{name}", "is not what the runbook asks for"
    for name in sorted(set(needed) & set(known) - set(given)):
        yield f"{what}.{name}", f"is not given, and {needed[name]} needs it"


def _why_not(item: Input, text: str) -> str:
    if item.kind == "integer" and not _INTEGER.fullmatch(text):
        return f"{text!r} is no whole number"
    if item.kind in ("directory", "file") and not os.path.isabs(text):
        return f"{text!r} is no absolute path"
    if item.kind == "address":
        found = _ADDRESS.fullmatch(text)
        if not found or int(found[1]) > 65535:
            return f"{text!r} is no HOST:PORT"
    if item.kind == "url":
        try:
            parts = urlsplit(text)
            good = bool(parts.scheme and parts.hostname) and parts.username is None
        except ValueError:
            good = False
        return "" if good else "is no URL, or has a name and password in it: make it a secret"
    return ""
