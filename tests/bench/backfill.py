"""Compares the backfill of 21-102 with its bulk writes alone: how much of their rate it keeps.

The same documents go into the same collections with the indexes of 21-101, in the same batches and
with the same write concern; the backfill also reads, plans, hashes and stores its checkpoints.
Both run in turn on one server, and the first round is thrown away.  On a busy host two runs are
hard to compare, so each backfill is also compared with itself: what part of its time its own bulk
writes took.  That is the same figure, and it decides.  The aim is 90 %.

    .venv/bin/python tests/bench/backfill.py [--advisories 500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.lnm import BACKFILL, Exit, advisory, expected, model, run
from tests.support.mongo import driver, mongo
from tests.unit.lnm import BUNDLES

AIM = 0.9  # of the rate of the bulk writes alone
BATCH = 500  # advisories, and documents of a bulk write


def prepare(database: Any) -> None:
    """Make the collections empty, with the indexes of 21-101."""
    plan = json.loads((BUNDLES / "21-101" / "indexes.json").read_bytes())
    database.lnm_backfill_runs.drop()
    for collection in plan["collections"]:
        database[collection["name"]].drop()
        for index in collection["indexes"]:
            keys = [tuple(pair) for pair in index["key"]]
            options = index.get("options", {})
            database[collection["name"]].create_index(keys, name=index["name"], **options)


def bulk_writes(database: Any, advisories: Sequence[dict[str, Any]]) -> float:
    """Write the documents of all batches, and return the seconds."""
    pymongo = driver()
    batches = []
    for first in range(0, len(advisories), BATCH):
        for name, documents in expected(advisories[first : first + BATCH], "r").items():
            operations = [
                pymongo.UpdateOne(
                    {"_id": document.pop("_id"), "tenant": document.pop("tenant")},
                    {"$setOnInsert": document},
                    upsert=True,
                )
                for document in documents.values()
            ]
            batches += [
                (name, operations[at : at + BATCH]) for at in range(0, len(operations), BATCH)
            ]
    started = time.monotonic()
    for name, operations in batches:
        database[name].bulk_write(operations, ordered=False)
    return time.monotonic() - started


def backfill(database: Any, uri: str) -> tuple[float, float]:
    """Run the program; return the seconds that it reports, and those of its bulk writes."""
    words = ("--run-id=r", f"--database={database.name}", f"--batch-size={BATCH}")
    collection: Any = importlib.import_module("pymongo.collection").Collection
    bulk_write, seconds = collection.bulk_write, [0.0]

    def timed(self: Any, *arguments: Any, **options: Any) -> Any:
        started = time.monotonic()
        try:
            return bulk_write(self, *arguments, **options)
        finally:
            seconds[0] += time.monotonic() - started

    collection.bulk_write = timed
    try:
        ended = run(BACKFILL, *words, "--stop-on-error", uri=uri)
    finally:
        collection.bulk_write = bulk_write
    assert ended.status == Exit.DONE, ended.errors
    return float(ended.run["durationMs"]) / 1000, seconds[0]


def rounds_of(number: int, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield what each round says, and what part of its time the backfill spent in bulk writes."""
    advisories = [advisory(one) for one in range(number)]
    count = sum(map(len, expected(advisories, "r").values()))
    with (
        tempfile.TemporaryDirectory() as place,
        mongo(Path(place)) as server,
        contextlib.closing(server.client(w="majority", journal=True)) as client,
    ):
        database = client.bench
        database.advisories.insert_many(advisories)
        for turn in range(rounds + 1):
            prepare(database)
            alone = bulk_writes(database, advisories)
            prepare(database)
            whole, writing = backfill(database, server.uri)
            assert database[model.LINKSETS].count_documents({}) == len(advisories)
            said = (
                f"{'thrown away' if not turn else f'round {turn}'}: bulk writes "
                f"{count / alone:.0f} documents/s, backfill {count / whole:.0f} "
                f"({alone / whole:.1%}), of its time {writing / whole:.1%} bulk writes"
            )
            yield said, writing / whole


def main() -> None:
    """Measure, and print a line a round and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--advisories", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ratios = []
    for said, ratio in rounds_of(arguments.advisories, arguments.rounds):
        print(said, flush=True)
        ratios.append(ratio)
    kept = statistics.median(ratios[1:])
    print(f"the backfill keeps {kept:.1%} (aim: {AIM:.0%}): {'yes' if kept >= AIM else 'no'}")


if __name__ == "__main__":
    main()
