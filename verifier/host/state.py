"""What a host remembers of the kits it accepted, line by line (TRUST-FILES 4).  Does no I/O.

A memory that only rises would brick a line after one mistake; each entry has its recorded way back.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.core import limits
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.manifest import HEX256, LINE
from verifier.core.model import KitInfo, format_time, parse_time
from verifier.core.names import printable
from verifier.host.errors import StateCorrupt
from verifier.typed import Any, field, record, replace

STATE_TYPE = "https://offline-kit.example/state/v1"
MAX_STATE = 1024 * 1024  # bytes
MAX_LINES = 1024
MAX_RESETS = 256  # the last ones; older ones are counted
MAX_REASON = 200  # characters
EVERY_LINE = "*"  # in a reset: the memory of all lines was lost


@record(frozen=True)
class Remembered:
    """The highest kit of a line that was accepted.

    Attributes:
        root_version: The highest root under which a kit of the line was accepted.
        last_seen: Seconds since the epoch: a moment that has certainly passed.
        not_before: Seconds since the epoch: what was made earlier is old whatever its sequence; 0
            if the line never began anew by hand.
    """

    sequence: int
    kit_id: str
    root_version: int
    last_seen: int
    not_before: int = 0


@record(frozen=True)
class Awaited:
    """The only kit that is taken of a line, which was reset by hand to begin anew with it.

    Attributes:
        root_version: The root that was pinned then; a newer one may reset the line once more.
    """

    kit_id: str
    root_version: int


@record(frozen=True)
class Reset:
    """A line whose memory was given up: when, by whom, why, and what it was.

    Attributes:
        at: What the clock of the host said, in seconds since the epoch.
        by: ``operator``, or ``root N``: version N of the root has the line among its reset lines.
        sequence: What was forgotten; 0 if nothing was known.
    """

    line: str
    at: int
    by: str
    reason: str
    sequence: int = 0
    kit_id: str = ""


@record(frozen=True)
class State:
    """The memory of a host.

    Attributes:
        forgotten: How many resets happened before those in ``resets``.
        root_version: The highest root that this host ever had, for all lines; 0 for none yet.
        awaited: Lines that are to begin anew with one kit, which was not accepted yet.
    """

    lines: Mapping[str, Remembered]
    resets: tuple[Reset, ...] = ()
    forgotten: int = 0
    root_version: int = 0
    awaited: Mapping[str, Awaited] = field(default_factory=dict)


EMPTY = State({})
NEWEST_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment that can be written


def told_time(clock: float) -> int:
    """Return what a clock says as a moment that can be written, whatever it says."""
    return int(min(max(clock, 0), NEWEST_TIME))


def with_root(state: State, version: int) -> State:
    """Return the memory of a host that has a root of some version now; it never falls."""
    return replace(state, root_version=max(state.root_version, version))


def with_accepted(
    state: State, kit: KitInfo, kit_id: str, root_version: int, now: int, *, older: bool = False
) -> State:
    """Return the memory after a kit was accepted; nothing in it ever falls.

    Args:
        state: The memory before.
        kit: The accepted kit.
        kit_id: Its kitId.
        root_version: The version of the root it was accepted under.
        now: The clock of this host.  What was last seen rises to the date of the kit at most, and
            not beyond the clock: neither a kit nor a clock dated 2099 can brick the line.
        older: Whether the kit is older than what the line is at, and let pass all the same: its
            sequence says nothing then.

    Raises:
        ValueError: There are too many lines.
    """
    state = with_root(state, root_version)
    known = state.lines.get(kit.line)
    if known is None and older:
        return state
    if known is None and len(state.lines) >= MAX_LINES:
        raise ValueError(f"more than {MAX_LINES} lines")
    begun = kit.mtime if kit.line in state.awaited else 0
    made = Remembered(kit.sequence, kit_id, root_version, min(kit.mtime, now), begun)
    if known is not None:
        higher = kit.sequence >= known.sequence and not older
        made = Remembered(
            kit.sequence if higher else known.sequence,
            kit_id if higher else known.kit_id,
            max(known.root_version, root_version),
            max(known.last_seen, made.last_seen),
            known.not_before,
        )
    awaited = {name: item for name, item in state.awaited.items() if name != kit.line}
    return replace(state, lines={**state.lines, kit.line: made}, awaited=awaited)


def with_reset(state: State, line: str, by: str, reason: str, now: int, *, take: str = "") -> State:
    """Return the memory without a line, and with the record that it was given up.

    Args:
        take: The kitId of the only kit that the line may begin anew with; empty for any.
    """
    known = state.lines.get(line)
    made = Reset(
        line, now, by, reason, known.sequence if known else 0, known.kit_id if known else ""
    )
    resets = (*state.resets, made)
    awaited = {name: item for name, item in state.awaited.items() if name != line}
    if take:
        awaited[line] = Awaited(take, state.root_version)
    return State(
        {name: item for name, item in state.lines.items() if name != line},
        resets[-MAX_RESETS:],
        state.forgotten + max(0, len(resets) - MAX_RESETS),
        state.root_version,
        awaited,
    )


def with_all_reset(by: str, reason: str, now: int, root_version: int = 0) -> State:
    """Return the memory of a host that begins anew, and knows that it did."""
    return with_reset(State({}, root_version=root_version), EVERY_LINE, by, reason, now)


def with_reset_lines(state: State, lines: Mapping[str, int], now: int) -> State:
    """Return the memory after roots set lines back; what was accepted since then stays.

    Args:
        lines: From a line to the version of the root that let it start anew last.
    """
    for line, version in sorted(lines.items()):
        known = state.lines.get(line) or state.awaited.get(line)
        if known is not None and known.root_version < version:
            reason = f"set back by version {version} of the root"
            state = with_reset(state, line, f"root {version}", reason, now)
    return state


# --- bytes -------------------------------------------------------------------------------------


def encode_state(state: State) -> bytes:
    """Return state.json: compact JSON and an LF, one spelling (TRUST-FILES 4.1)."""
    value = {
        "awaited": {
            line: {"kitId": item.kit_id, "rootVersion": item.root_version}
            for line, item in state.awaited.items()
        },
        "forgottenResets": state.forgotten,
        "lines": {
            line: {
                "kitId": item.kit_id,
                "lastSeen": format_time(item.last_seen),
                "notBefore": format_time(item.not_before),
                "rootVersion": item.root_version,
                "sequence": item.sequence,
            }
            for line, item in state.lines.items()
        },
        "resets": [
            {
                "at": format_time(item.at),
                "by": item.by,
                "kitId": item.kit_id,
                "line": item.line,
                "reason": item.reason,
                "sequence": item.sequence,
            }
            for item in state.resets
        ],
        "rootVersion": state.root_version,
        "type": STATE_TYPE,
    }
    return compact(value) + b"\n"


def parse_state(data: bytes) -> State:
    """Return the memory in state.json.

    Raises:
        StateCorrupt: It is not in its one spelling.
    """
    try:
        if len(data) > MAX_STATE or not data.endswith(b"\n"):
            raise NotStrict("too long, or cut off")
        return _state(parse_compact(data[:-1]))
    except NotStrict as reason:
        raise StateCorrupt(str(reason), where="state.json") from None


def _state(value: Any) -> State:
    value = _object(value, "awaited forgottenResets lines resets rootVersion type", "the state")
    if value["type"] != STATE_TYPE:
        raise NotStrict("of another type than this verifier knows")
    lines, resets, awaited = value["lines"], value["resets"], value["awaited"]
    if not isinstance(lines, dict) or len(lines) > MAX_LINES:
        raise NotStrict("lines are not an object, or too many")
    if not isinstance(resets, list) or len(resets) > MAX_RESETS:
        raise NotStrict("resets are not an array, or too many")
    if not isinstance(awaited, dict) or len(awaited) > MAX_LINES or awaited.keys() & lines.keys():
        raise NotStrict("awaited is not an object, has too many lines, or one that is known")
    return State(
        {_line(line): _remembered(item) for line, item in lines.items()},
        tuple(_reset(item) for item in resets),
        _number(value["forgottenResets"], 0, limits.MAX_JSON_INT),
        _number(value["rootVersion"], 0, limits.MAX_JSON_INT),
        {_line(line): _awaited(item) for line, item in awaited.items()},
    )


def _remembered(value: Any) -> Remembered:
    value = _object(value, "kitId lastSeen notBefore rootVersion sequence", "a line")
    return Remembered(
        _number(value["sequence"], 1, limits.MAX_SEQUENCE),
        _kit_id(value["kitId"]),
        _number(value["rootVersion"], 1, limits.MAX_JSON_INT),
        _time(value["lastSeen"]),
        _time(value["notBefore"]),
    )


def _awaited(value: Any) -> Awaited:
    value = _object(value, "kitId rootVersion", "an awaited kit")
    return Awaited(_kit_id(value["kitId"]), _number(value["rootVersion"], 0, limits.MAX_JSON_INT))


def _reset(value: Any) -> Reset:
    value = _object(value, "at by kitId line reason sequence", "a reset")
    return Reset(
        value["line"] if value["line"] == EVERY_LINE else _line(value["line"]),
        _time(value["at"]),
        _text(value["by"]),
        _text(value["reason"]),
        _number(value["sequence"], 0, limits.MAX_SEQUENCE),
        value["kitId"] if value["kitId"] == "" else _kit_id(value["kitId"]),
    )


def _object(value: Any, names: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or sorted(value) != names.split():
        raise NotStrict(f"{what} has a field too many or too few")
    return value


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise NotStrict("a number is missing or out of its range")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_REASON or not printable(value):
        raise NotStrict("a text is missing, too long or not printable")
    return value


def _kit_id(value: Any) -> str:
    if not isinstance(value, str) or not HEX256.fullmatch(value):
        raise NotStrict("a kitId is not 64 hexadecimal digits")
    return value


def _line(value: Any) -> str:
    if not isinstance(value, str) or not LINE.fullmatch(value):
        raise NotStrict("the name of a line is not one")
    return value


def _time(value: Any) -> int:
    seconds = parse_time(value) if isinstance(value, str) else None
    if seconds is None:
        raise NotStrict("a moment is not of the form YYYY-MM-DDTHH:MM:SSZ")
    return seconds
