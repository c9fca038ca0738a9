#!/usr/bin/env python3
"""Make every small change to bundles of every kind; each must be refused, by an error of ours.

    python tests/hostile/bundle_fuzz.py [--runs N] [--seed 1] [--jobs 2]

Without ``--runs`` each change is made once (`tests.support.bundlebends`); with it, so many of them
are drawn.  It fails if a changed bundle is accepted (but for changes where nobody signs) or if
anything but a `KitError` comes out.

The arithmetic of signatures is remembered: the same key, message and signature are judged once.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

from tests.support.bundlebends import WISHES, Bend, every_bend, may_pass
from tests.support.bundles import ARTIFACT, ISSUER, NAME, text, world
from tests.support.certificates import pem
from verifier.core.errors import KitError
from verifier.crypto import ecdsa, ed25519
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import Identity, Key, make_key
from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root
from verifier.evidence.sigstore.verify import Artifact, verify_bundle

WHAT = Artifact({"sha256": hashlib.sha256(ARTIFACT).hexdigest()}, ARTIFACT)
CHUNK = 200
Item = tuple[str, bool, Bend]


def remember_signatures() -> None:
    """Judge each (key, message, signature) once: most changed bundles have the same ones."""
    for module in (ed25519, ecdsa):
        judged: Callable[..., bool] = module.verify
        if not hasattr(judged, "cache_info"):
            module.verify = functools.lru_cache(maxsize=4096)(judged)  # type: ignore[attr-defined]


@functools.cache
def trusted_root() -> TrustedRoot:
    return parse_trusted_root(text(world().trusted_root()))


@functools.cache
def wanted(kind: str) -> Identity | Key:
    wish = WISHES[kind]
    return make_key(pem(wish.key)) if wish.by_key else Identity(ISSUER, NAME)


def one(item: Item) -> tuple[str, str]:
    """Return what the verifier said of a change, and what is wrong with that."""
    kind, logged, bend = item
    name = f"{kind}{', logged' if logged else ''}: {bend.where} {bend.what}"
    try:
        verify_bundle(parse_bundle(bend.bundle), wanted(kind), [trusted_root()], WHAT)
    except KitError as error:
        return error.code, ""
    except Exception as error:  # the very thing that is looked for
        return type(error).__name__, f"{name}: {error!r}"
    passed = may_pass(bend, kind, logged=logged)
    return "verified (nobody signs it)", "" if passed else f"{name}: accepted"


def chunk(items: list[Item]) -> tuple[Counter[str], list[str]]:
    """Do some changes; return counts by code and the failures."""
    remember_signatures()
    found = [one(item) for item in items]
    return Counter(code for code, _ in found), [wrong for _, wrong in found if wrong]


def chunks(runs: int, seed: int) -> Iterator[list[Item]]:
    """Yield changes, some at a time."""
    items: Iterator[Item] = every_bend()
    if runs:
        items = iter(Random(seed).sample(list(items), runs))
    while part := list(itertools.islice(items, CHUNK)):
        yield part


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Change bundles; all must be refused.")
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="draw so many")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    options = parser.parse_args()
    start, codes, failures = time.monotonic(), Counter[str](), 0
    trusted_root()  # made once, inherited by the processes
    with multiprocessing.Pool(options.jobs) as pool:
        for part, wrong in pool.imap_unordered(chunk, chunks(options.runs, options.seed)):
            codes += part
            failures += len(wrong)
            for line in wrong:
                print(f"FAILED {line}", flush=True)
    for code, count in codes.most_common():
        print(f"{count:>10} {code}")
    print(f"{sum(codes.values())} changes in {time.monotonic() - start:.0f} s")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
