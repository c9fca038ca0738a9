#!/usr/bin/env python3
"""Damage whole kits by the thousand; every copy must be refused, by an error of ours.

    python tests/hostile/fuzz.py --runs 20000 [--seed 1] [--jobs 2]

Each run damages one of six kits (`tests.support.damage`), as a file or as a pipe, in full or
quickly.  It fails if a damaged kit is accepted (but for the copies that FORMAT 4.7 names), or if
anything but a `KitError` comes out.  A failing run is named by its seed: `--seed N --runs 1` has it
again, and `--keep FILE` writes the kit.

The arithmetic of signatures is remembered: the same key, message and signature are judged once.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

from tests.support.damage import Base, bases, damage, may_pass
from tests.support.judging import judge
from verifier.crypto import ecdsa, ed25519

CHUNK = 500  # runs that a process does before it reports
Result = tuple[Counter[str], list[str]]


def remember_signatures() -> None:
    """Judge each (key, message, signature) once: most damaged copies have the same ones."""
    for module in (ed25519, ecdsa):
        judged: Callable[..., bool] = module.verify
        if not hasattr(judged, "cache_info"):
            module.verify = functools.lru_cache(maxsize=4096)(judged)  # type: ignore[attr-defined]


def kit_of(seed: int) -> tuple[Base, bytes, dict[str, bool]]:
    """Return the kit, the damaged copy and the way of reading it that belong to a seed."""
    random = Random(seed)
    base = random.choice(list(bases().values()))
    ways = {"pipe": random.random() < 0.3, "quick": base.name != "plain" and random.random() < 0.3}
    kit = damage(random, base)
    while kit == base.data:
        kit = damage(random, base)
    return base, kit, ways


def one(seed: int) -> tuple[str, str]:
    """Return what the verifier said about a seed's kit, and what is wrong with that."""
    base, kit, ways = kit_of(seed)
    try:
        verdict = judge(kit, root=base.root, **ways)
    except Exception as error:  # the very thing that is looked for
        return type(error).__name__, f"seed {seed}: {base.name} {ways}: {error!r}"
    if verdict.status == 0:
        wrong = "" if may_pass(base, kit) else f"seed {seed}: {base.name} {ways}: accepted"
        return "verified (FORMAT 4.7)", wrong
    wrong = "" if verdict.status in (3, 4) else f"seed {seed}: exit status {verdict.status}"
    return verdict.code, wrong


def chunk(seeds: range) -> Result:
    """Do some runs; return counts by code and the failures."""
    remember_signatures()
    codes: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        code, wrong = one(seed)
        codes[code] += 1
        if wrong:
            failures.append(wrong)
    return codes, failures


def results(seeds: range, jobs: int) -> Iterator[Result]:
    """Yield what comes of the seeds, some at a time."""
    bases()  # made once, inherited by the processes
    parts = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    if jobs == 1:
        yield from map(chunk, parts)
        return
    with multiprocessing.Pool(jobs) as pool:
        yield from pool.imap_unordered(chunk, parts)


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Damage whole kits; all must be refused.")
    parser.add_argument("--runs", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first run")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    parser.add_argument("--keep", metavar="FILE", help="write the kit of the first seed, run none")
    options = parser.parse_args()
    if options.keep:
        Path(options.keep).write_bytes(kit_of(options.seed)[1])
        return 0
    start = time.monotonic()
    codes: Counter[str] = Counter()
    failures: list[str] = []
    seeds = range(options.seed, options.seed + options.runs)
    for part, wrong in results(seeds, options.jobs):
        codes += part
        failures += wrong
        for line in wrong:
            print(f"FAILED {line}", flush=True)
    seconds = time.monotonic() - start
    for code, count in codes.most_common():
        print(f"{count:>10} {code}")
    rate = options.runs / seconds
    print(f"{seconds:.0f} s, {rate:.0f} runs a second on {options.jobs} processes")
    print(f"{sum(codes.values()) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or sum(codes.values()) != options.runs else 0


if __name__ == "__main__":
    sys.exit(main())
