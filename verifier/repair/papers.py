"""The request and the first lines of a pack: what is asked for, and what is sent (FORMAT 16)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.core import limits
from verifier.core.container import Source
from verifier.core.jsonstrict import NotStrict, compact, parse_compact
from verifier.core.manifest import HEX256
from verifier.repair.errors import PackMalformed, RequestMalformed
from verifier.typed import Any, record

REQUEST_TYPE = "https://offline-kit.example/repair-request/v1"
PACK_MAGIC = b"offline-kit-repair-pack/1\n"
MAX_PAPER = limits.MIB  # bytes of a request, and of the second line of a pack
MAX_RANGES = 16_384
_MOST_FRAMES = 1 << 32


@record(frozen=True)
class Request:
    """Which parts of a kit are wanted.

    Attributes:
        kit_id: Of which kit; empty if its head is too damaged to say.
        head: Whether its head is wanted.
        frames: Frames behind the head, in order, none twice; counted from 0 (FORMAT 16.1).
    """

    kit_id: str
    head: bool
    frames: tuple[range, ...]


@record(frozen=True)
class Pack:
    """What a repair pack says it holds, before anything of it is believed.

    Attributes:
        start: Where its contents begin in the file.
        head: Bytes of the head of the kit, which come first; 0 if it is not there.
        frames: The frames that follow, in order.
    """

    start: int
    head: int
    frames: tuple[range, ...]


def ranges_of(frames: Iterable[int]) -> tuple[range, ...]:
    """Return ascending numbers as ranges; if there are too many, the last one goes to the end."""
    found: list[range] = []
    for frame in frames:
        if found and (frame == found[-1].stop or len(found) == MAX_RANGES):
            found[-1] = range(found[-1].start, frame + 1)
        else:
            found.append(range(frame, frame + 1))
    return tuple(found)


def encode_request(request: Request) -> bytes:
    """Return the bytes of a request: compact JSON and an LF."""
    return (
        compact(
            {
                "frames": [[run.start, run.stop - 1] for run in request.frames],
                "head": request.head,
                "kitId": request.kit_id or None,
                "type": REQUEST_TYPE,
            }
        )
        + b"\n"
    )


def parse_request(data: bytes) -> Request:
    """Return a request.

    Raises:
        RequestMalformed: It is none.
    """
    try:
        if len(data) > MAX_PAPER or not data.endswith(b"\n"):
            raise NotStrict("too long, or cut off")
        value = _object(parse_compact(data[:-1]), "frames head kitId type")
        if value["type"] != REQUEST_TYPE or type(value["head"]) is not bool:
            raise NotStrict("of another type")
        kit_id = "" if value["kitId"] is None else _hex(value["kitId"])
        return Request(kit_id, value["head"], _ranges(value["frames"]))
    except NotStrict as reason:
        raise RequestMalformed(str(reason), where="the request") from None


def encode_pack(kit_id: str, head: int, frames: Sequence[range]) -> bytes:
    """Return the first two lines of a pack."""
    value = {
        "frames": [[run.start, run.stop - 1] for run in frames],
        "head": head,
        "kitId": kit_id,
    }
    return PACK_MAGIC + compact(value) + b"\n"


def read_pack(source: Source) -> Pack | None:
    """Return what a pack says it holds; None if the file does not begin as one.

    Raises:
        PackMalformed: It begins as one and goes on as something else.
        KitUnreadable: The medium failed.
    """
    size = source.size or 0
    start = bytearray(min(size, len(PACK_MAGIC) + MAX_PAPER + 1))
    if len(start) < len(PACK_MAGIC):
        return None
    source.read_into(0, [memoryview(start)[: len(PACK_MAGIC)]])
    if not start.startswith(PACK_MAGIC):
        return None
    source.read_into(0, [memoryview(start)])
    end = start.find(b"\n", len(PACK_MAGIC))
    try:
        if end < 0:
            raise NotStrict("its second line has no end")
        value = _object(parse_compact(bytes(start[len(PACK_MAGIC) : end])), "frames head kitId")
        _hex(value["kitId"])
        if type(value["head"]) is not int or not 0 <= value["head"] <= size:
            raise NotStrict("the size of its head cannot be")
        return Pack(end + 1, value["head"], _ranges(value["frames"]))
    except NotStrict as reason:
        raise PackMalformed(str(reason), where="the pack") from None


def _object(value: Any, names: str) -> dict[str, Any]:
    if not isinstance(value, dict) or sorted(value) != names.split():
        raise NotStrict("a field too many or too few")
    return value


def _hex(value: Any) -> str:
    if not isinstance(value, str) or not HEX256.fullmatch(value):
        raise NotStrict("a kitId is not 64 hexadecimal digits")
    return value


def _ranges(value: Any) -> tuple[range, ...]:
    if not isinstance(value, list) or len(value) > MAX_RANGES:
        raise NotStrict("frames are not a list of ranges, or too many")
    found: list[range] = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2 or {type(n) for n in item} != {int}:
            raise NotStrict("a range is not two numbers")
        first, last = item
        if not (found[-1].stop if found else -1) < first <= last < _MOST_FRAMES:
            raise NotStrict("ranges are not ascending, or touch each other")
        found.append(range(first, last + 1))
    return tuple(found)
