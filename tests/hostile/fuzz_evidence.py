#!/usr/bin/env python3
"""Fuzz all that reads evidence: changes at random, with nothing installed but the project.

    python tests/hostile/fuzz_evidence.py --seconds 120
    python tests/hostile/fuzz_evidence.py --write-corpus    # good inputs, under new keys

`tests.hostile.readers` says what may come out.  ``fuzz_guided.py`` does the same by coverage.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

from tests.hostile.readers import CORPUS, one


def corpus() -> list[bytes]:
    """Return the committed inputs: good ones, and those that a guided run learned."""
    folders = (CORPUS / "evidence", CORPUS / "learned")
    return [path.read_bytes() for folder in folders for path in sorted(folder.glob("*"))]


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return an input with a few changes: bytes, numbers, cuts, and pieces of another one."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(made)) if made else 0
        kind = chance.randrange(6)
        if kind == 0 and made:
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            made[at:at] = chance.choice((b'"', b"{", b"}", b"[", b"]", b",", b"null", b"-1", b"\0"))
        elif kind == 2:
            del made[at : at + chance.randint(1, 40)]
        elif kind == 3:
            start = chance.randrange(max(1, len(other)))
            made[at:at] = other[start : start + chance.randint(1, 200)]
        elif kind == 4:
            made[at : at + 4] = chance.choice((b"1e99", b"9" * 20, b"true", b'"" '))
        else:
            made[at:at] = made[at : at + chance.randint(1, 60)]
    return bytes(made)


def run(seconds: float, seed: int) -> int:
    """Mutate the corpus for a time; return how many inputs were read."""
    chance, inputs = random.Random(seed), corpus()
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        one(mutate(chance.choice(inputs), chance.choice(inputs), chance))
        count += 1
    return count


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz what reads evidence.")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write-corpus", action="store_true", help="write good inputs")
    options = parser.parse_args()
    if options.write_corpus:
        from tests.hostile.seeds import write

        write()
        return 0
    for data in corpus():
        one(data)
    count = run(options.seconds, options.seed)
    print(f"evidence: {count} inputs in {options.seconds:.0f} s, and nothing but answers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
