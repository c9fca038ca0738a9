"""Measures offline-kit beside its limits and beside what people do by hand: ``make bench``.

Everything runs in turn in one loop, so that whatever else the machine does hits all alike; the
first round is thrown away.  Targets are judged and never fail: this is a measurement, not a test.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import bench_data
from bench_legs import TOP, DataSet, Leg, clean, legs, prepare
from bench_measure import Sample, measure
from bench_table import Result, render

DOCS = TOP / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
USUAL = ("mixed", "packed", "small")
ROUNDS = {"small": 1, "default": 5, "large": 5}


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--size", choices=sorted(bench_data.SCALES), default="default")
    parser.add_argument(
        "--only",
        action="append",
        choices=bench_data.SETS,
        help="a data set; may be given several times; huge, quarter, million run only so",
    )
    parser.add_argument("--leg", action="append", help="only this leg; may be given several times")
    parser.add_argument("--rounds", type=int, help="rounds that count")
    parser.add_argument("--work", type=Path, help="where the data is made and kept")
    parser.add_argument("--prototype", type=Path, help="a directory with fastbuild, fastverify")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md")
    return parser.parse_args(arguments)


def default_work() -> Path:
    """Return a directory for the data: in memory if the host has such a place."""
    shared = Path("/dev/shm")
    return (shared if os.access(shared, os.W_OK) else TOP / "build") / "offline-kit-bench"


def place_of(directory: Path) -> str:
    """Return the kind of file system a directory is on."""
    device = os.stat(directory).st_dev
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = line.split(" ")
        if fields[2] == f"{os.major(device)}:{os.minor(device)}":
            return fields[fields.index("-") + 1]
    return "a file system that this host does not name"


def run_rounds(data: DataSet, chosen: Sequence[Leg], rounds: int) -> dict[str, list[Sample]]:
    """Run all legs in turn, one round more than counts."""
    samples: dict[str, list[Sample]] = {leg.name: [] for leg in chosen}
    for number in range(rounds + 1):
        for leg in chosen:
            clean(data, leg)
            sample = measure(leg.command, data.directory, data.environment)
            note = "thrown away" if not number else f"round {number}"
            print(f"{data.name} {leg.name}: {sample.wall:.2f} s ({note})", file=sys.stderr)
            if number:
                samples[leg.name].append(sample)
    for leg in chosen:
        if leg.name != "prototype-build":
            clean(data, leg)
    return samples


def write_docs(text: str) -> None:
    """Put the tables between the markers of docs/performance.md."""
    old = DOCS.read_text("utf-8")
    before, _, rest = old.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise SystemExit(f"{DOCS} has no lines {BEGIN.strip()} and {END.strip()}")
    DOCS.write_text(before + BEGIN + "\n" + text + "\n" + END + after, "utf-8")


def main(arguments: Sequence[str]) -> None:
    """Measure what is asked for and print the tables."""
    options = parse_arguments(arguments)
    work = options.work or default_work()
    work.mkdir(parents=True, exist_ok=True)
    rounds = options.rounds or ROUNDS[options.size]
    results = []
    for name in options.only or USUAL:
        data = prepare(name, options.size, work)
        chosen = [
            leg
            for leg in legs(data, options.prototype)
            if not options.leg or leg.name in options.leg
        ]
        results.append(Result(data, chosen, run_rounds(data, chosen, rounds)))
    text = render(results, size=options.size, rounds=rounds, place=place_of(work))
    print(text, end="")
    if options.write_docs:
        write_docs(text)


if __name__ == "__main__":
    main(sys.argv[1:])
