"""Payload frames that break RFC 8878, not FORMAT 2.2, and that no decoder may decide alone."""

from __future__ import annotations

from tests.support.assembler import MTIME, OWN, Draft, assemble, z_frame, zstd
from tests.support.hooks import reframe
from tests.support.naive import Entry, headers, pad, raw_frame
from tests.support.vector import Case, bad, ok
from tests.support.zstdcases import BAD, LAX
from tests.support.zstdframes import within


def lax(name: str, frame: str) -> Case:
    """Return a vector with blocks that RFC 8878 does not allow and every reader takes."""
    odd, data, why = LAX[frame]
    content = tar_bytes(data)
    made = around(odd, data)
    return ok(
        f"frame_lax_{name}",
        "2.4",
        f"A frame that breaks a rule of entropy coding, and its content is clear: {frame} ({why}).",
        lambda: assemble(
            Draft((*OWN, Entry(b"tools/z", data))), **reframe(lambda c: z_frame(made))
        ),
        readable=lambda kit: kit.replace(made, raw_frame(content)),
    )


def doubtful(name: str, frame: str) -> Case:
    """Return a vector with blocks that decoders disagree about, for a content that none gives."""
    data = bytes(BAD[frame].size)
    made = around(BAD[frame].frame, data)
    return bad(
        f"zstd_doubtful_{name}",
        "2.4",
        "decoder-missing",
        f"A frame that decoders disagree about: {frame}.",
        lambda: assemble(
            Draft((*OWN, Entry(b"tools/z", data))), **reframe(lambda c: z_frame(made))
        ),
        quick="",
    )


def tar_bytes(data: bytes) -> bytes:
    """Return header, contents and padding of ``tools/z``."""
    return headers(b"tools/z", len(data), False, MTIME) + data + pad(len(data))


def around(odd: bytes, data: bytes) -> bytes:
    """Return a frame for the tar bytes of ``tools/z`` with the blocks of another frame in it."""
    content = tar_bytes(data)
    return within(content[:512], odd, len(pad(len(data))), content, zstd(content)[-4:])


CASES: list[Case] = [
    lax("second_stream_long", "second stream too long"),
    lax("short_stream_long", "second of four short streams too long"),
    lax("stream_goes_on", "second stream goes on in the first"),
    lax("no_end_mark", "third stream without an end mark"),
    lax("codes_of_12_bits", "codes of 12 bits"),
    lax("reserved_modes", "reserved bits of the modes"),
    lax("bits_left_over", "a bit of the stream too much"),
    lax("literals_over_window", "more literals than the window"),
    lax("offset_over_window", "offset beyond the window"),
    lax("block_over_window", "match beyond the block"),
    doubtful("first_stream", "first of four streams runs out"),
    doubtful("weights", "first states of weights cut"),
    doubtful("sequences", "a bit of the stream missing"),
    doubtful("offset_zero", "offset of 0"),
]
