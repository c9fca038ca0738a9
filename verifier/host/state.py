"""What a host remembers of the kits it accepted, line by line (TRUST-FILES 4).  Does no I/O.

A memory that only rises would brick a line after one mistake; each entry has its recorded way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.core import limits
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.manifest import HEX256, LINE
from verifier.core.model import KitInfo, format_time, parse_time
from verifier.core.names import printable
from verifier.host.errors import StateCorrupt
from verifier.typed import Any, record, replace

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
    """

    sequence: int
    kit_id: str
    root_version: int
    last_seen: int


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
    """

    lines: Mapping[str, Remembered]
    resets: tuple[Reset, ...] = ()
    forgotten: int = 0


EMPTY = State({})
NEWEST_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment that can be written


def told_time(clock: float) -> int:
    """Return what a clock says as a moment that can be written, whatever it says."""
    return int(min(max(clock, 0), NEWEST_TIME))


def with_accepted(state: State, kit: KitInfo, kit_id: str, root_version: int, now: int) -> State:
    """Return the memory after a kit was accepted; nothing in it ever falls.

    Args:
        state: The memory before.
        kit: The accepted kit.
        kit_id: Its kitId.
        root_version: The version of the root it was accepted under.
        now: The clock of this host.  What was last seen rises to the date of the kit at most, and
            not beyond the clock: neither a kit nor a clock dated 2099 can brick the line.

    Raises:
        ValueError: There are too many lines.
    """
    known = state.lines.get(kit.line)
    if known is None and len(state.lines) >= MAX_LINES:
        raise ValueError(f"more than {MAX_LINES} lines")
    made = Remembered(kit.sequence, kit_id, root_version, min(kit.mtime, now))
    if known is not None:
        made = Remembered(
            max(known.sequence, kit.sequence),
            kit_id if kit.sequence >= known.sequence else known.kit_id,
            max(known.root_version, root_version),
            max(known.last_seen, made.last_seen),
        )
    return replace(state, lines={**state.lines, kit.line: made})


def with_reset(state: State, line: str, by: str, reason: str, now: int) -> State:
    """Return the memory without a line, and with the record that it was given up."""
    known = state.lines.get(line)
    made = Reset(
        line, now, by, reason, known.sequence if known else 0, known.kit_id if known else ""
    )
    resets = (*state.resets, made)
    return State(
        {name: item for name, item in state.lines.items() if name != line},
        resets[-MAX_RESETS:],
        state.forgotten + max(0, len(resets) - MAX_RESETS),
    )


def with_reset_lines(state: State, lines: Iterable[str], version: int, now: int) -> State:
    """Return the memory after new roots set lines back; lines not known stay as they are."""
    for line in lines:
        if line in state.lines:
            reason = f"set back by the roots up to version {version}"
            state = with_reset(state, line, f"root {version}", reason, now)
    return state


# --- bytes -------------------------------------------------------------------------------------


def encode_state(state: State) -> bytes:
    """Return state.json: compact JSON and an LF, one spelling (TRUST-FILES 4.1)."""
    value = {
        "forgottenResets": state.forgotten,
        "lines": {
            line: {
                "kitId": item.kit_id,
                "lastSeen": format_time(item.last_seen),
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
    value = _object(value, "forgottenResets lines resets type", "the state")
    if value["type"] != STATE_TYPE:
        raise NotStrict("of another type than this verifier knows")
    lines, resets = value["lines"], value["resets"]
    if not isinstance(lines, dict) or len(lines) > MAX_LINES:
        raise NotStrict("lines are not an object, or too many")
    if not isinstance(resets, list) or len(resets) > MAX_RESETS:
        raise NotStrict("resets are not an array, or too many")
    return State(
        {_line(line): _remembered(item) for line, item in lines.items()},
        tuple(_reset(item) for item in resets),
        _number(value["forgottenResets"], 0, limits.MAX_JSON_INT),
    )


def _remembered(value: Any) -> Remembered:
    value = _object(value, "kitId lastSeen rootVersion sequence", "a line")
    return Remembered(
        _number(value["sequence"], 1, limits.MAX_SEQUENCE),
        _kit_id(value["kitId"]),
        _number(value["rootVersion"], 1, limits.MAX_JSON_INT),
        _time(value["lastSeen"]),
    )


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
