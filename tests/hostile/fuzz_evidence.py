#!/usr/bin/env python3
"""Fuzz what reads evidence: nothing but a `KitError` may come out, and never a requirement met.

    python tests/hostile/fuzz_evidence.py --seconds 120      # mutates the corpus at random
    python tests/hostile/fuzz_evidence.py --atheris DIR [libFuzzer's options]   # by coverage

The first byte of an input says what reads the rest.  `corpus/evidence` has a good input of each
kind; ``--write-corpus`` makes it again.  atheris is in no lock, since it has no wheel for every
Python: ``pip install atheris`` where this runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works from anywhere

from tests.support.attesting import COMPONENT, true_index
from tests.support.cases.attested import TABLE
from verifier.core.errors import KitError
from verifier.evidence.attesters import Trust
from verifier.evidence.documents import read_document
from verifier.evidence.findings import answers_of
from verifier.evidence.foreign import parse_foreign
from verifier.evidence.images import Layout, claims_in, images_of, lists_of
from verifier.evidence.index import parse_index
from verifier.evidence.judge import Evidence
from verifier.evidence.judgement import MET, Contents, Document, Facts, Part
from verifier.evidence.layouts import read_layout
from verifier.evidence.rules import Attester, Requirement
from verifier.host.policy import parse_policy

CORPUS = Path(__file__).resolve().parent / "corpus" / "evidence"
NOW = 1_795_564_800  # 2026-11-25
TYPES = sorted({str(case.requirement["predicateType"]) for case in TABLE})


def document(data: bytes) -> None:
    """Read a document, as one that is JSON and as one that may be anything."""
    for name in ("a.json", "a.jsonl", "a"):
        with contextlib.suppress(KitError):
            read_document(name, data)


def index(data: bytes) -> None:
    """Read an index."""
    parse_index(b"offline-kit-evidence/1\n" + data)


def policy(data: bytes) -> None:
    """Read a policy."""
    parse_policy(data)


def layout(data: bytes) -> None:
    """Read an in-toto layout."""
    read_layout(parse_foreign(data, "fuzz"), "fuzz")


def vex(data: bytes) -> None:
    """Read an OpenVEX document."""
    answers_of([parse_foreign(data, "fuzz")])


def image(data: bytes) -> None:
    """Read a blob of an image layout as its index, as a manifest and as a layer."""
    found = Layout("image/", data, {"ab" * 32: data, "cd" * 32: data})
    images_of(found)
    lists_of(data)
    list(claims_in(found))


def decide(data: bytes) -> None:
    """Judge a document by requirements that nobody meets: nobody signed anything here."""
    part = Part("tools", False, lambda: Contents(COMPONENT["sha256"], frozenset({"ab" * 32})))
    facts = Facts("00" * 32, "11" * 32, (part,), {}, {}, "", None, NOW)
    papers = [Document("evidence/a.json", "22" * 32, data, given=True)]
    evidence = Evidence(facts, papers, Trust({}, {}), {"alice": Attester("alice", signer="alice")})
    wanted = [
        Requirement("tools", kind, ("alice",), 1, no_open="low", vex=("alice",))
        for kind in (*TYPES, "in-toto:layout")
    ]
    for decision in evidence.decide(wanted):
        if decision.verdict == MET:
            raise AssertionError("nobody signed it, and it is met")
    list(evidence.attestations())


TARGETS: list[Callable[[bytes], Any]] = [document, index, policy, layout, vex, image, decide]


def one(data: bytes) -> None:
    """Let the reader named by the first byte read the rest."""
    if data:
        with contextlib.suppress(KitError):
            TARGETS[data[0] % len(TARGETS)](data[1:])


def seeds() -> dict[str, bytes]:
    """Return a good input of each kind for each reader."""
    found: dict[str, bytes] = {}
    seen: set[bytes] = set()
    for case in TABLE:
        for number, (name, text) in enumerate(sorted(case.evidence.items())):
            if name.endswith("json") and text not in seen and len(seen) < 24:
                seen.add(text)
                found[f"{case.name}-{number}"] = bytes([0]) + text
                found[f"{case.name}-{number}-decided"] = bytes([6]) + text
    papers = {f"evidence/{name}": text for name, text in TABLE[0].evidence.items()}
    found["index"] = bytes([1]) + true_index(papers).partition(b"\n")[2]
    found["policy"] = bytes([2]) + TABLE[0].policy()
    step = {"name": "a", "pubkeys": ["k"], "threshold": 1}
    key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "ab" * 32}}
    chain = {"_type": "layout", "keys": {"k": key}, "steps": [step], "inspect": []}
    found["layout"] = bytes([3]) + json.dumps(chain).encode()
    answer = {"vulnerability": {"name": "C", "aliases": ["D"]}, "status": "fixed"}
    found["vex"] = (
        bytes([4])
        + json.dumps({"timestamp": "2026-11-20T00:00:00+01:00", "statements": [answer]}).encode()
    )
    layer = {
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": f"sha256:{'cd' * 32}",
        "annotations": {"dev.cosignproject.cosign/signature": "AAAA"},
    }
    entry = {"digest": f"sha256:{'ab' * 32}", "annotations": {"kind": "x"}}
    manifest = {"manifests": [entry], "layers": [layer], "config": {}}
    found["manifest"] = bytes([5]) + json.dumps(manifest).encode()
    return found


def corpus() -> list[bytes]:
    """Return the committed corpus, or good inputs where there is none."""
    files = sorted(CORPUS.glob("*")) if CORPUS.is_dir() else []
    return [path.read_bytes() for path in files] or list(seeds().values())


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
    for data in inputs:
        one(data)
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
    parser.add_argument("--atheris", metavar="DIR", help="fuzz by coverage into DIR")
    options, rest = parser.parse_known_args()
    if options.write_corpus:
        CORPUS.mkdir(parents=True, exist_ok=True)
        for name, data in seeds().items():
            (CORPUS / name).write_bytes(data)
        return 0
    if options.atheris:
        import atheris  # type: ignore[import-untyped]

        atheris.instrument_all()
        atheris.Setup([sys.argv[0], options.atheris, str(CORPUS), *rest], one)
        atheris.Fuzz()
        return 0
    count = run(options.seconds, options.seed)
    print(f"evidence: {count} inputs in {options.seconds:.0f} s, and nothing but answers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
