"""Measures offline-kit beside its limits and beside what people do by hand: ``make bench``.

Everything runs in turn in one loop, so that whatever else the machine does hits all alike; the
first round is thrown away.  Targets are judged and never fail: this is a measurement, not a test.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import bench_data
from tests.bench.bench_legs import TOP, DataSet, Leg, clean, legs, prepare
from tests.bench.bench_measure import Sample, measure, settle
from tests.bench.bench_table import Result, render

DOCS = TOP / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
USUAL = ("mixed", "packed", "small")
ROUNDS = {"tiny": 1, "small": 3, "default": 5, "large": 5}
TRIES = {"tiny": 1, "small": 1, "default": 4, "large": 4}


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--size", choices=list(bench_data.SCALES), default="default")
    parser.add_argument(
        "--only",
        action="append",
        choices=bench_data.SETS,
        help="a data set; may be given several times; huge, quarter, million run only so",
    )
    parser.add_argument("--leg", action="append", help="only this leg; may be given several times")
    parser.add_argument("--rounds", type=int, help="rounds that count")
    parser.add_argument("--tries", type=int, help="runs to get an undisturbed one")
    parser.add_argument("--work", type=Path, help="where the data is made and kept")
    parser.add_argument("--disk", type=Path, help="a directory on a disk; default: build/")
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


def disk_of(chosen: Path | None) -> Path | None:
    """Return a new, empty directory on a disk; None where the default one is in memory."""
    place = (chosen or TOP / "build").absolute()
    place.mkdir(parents=True, exist_ok=True)
    if chosen is None and place_of(place) in ("tmpfs", "ramfs"):
        return None
    disk = place / "offline-kit-bench-disk"
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    return disk


def run_leg(data: DataSet, leg: Leg, tries: int) -> Sample:
    """Run a leg until nothing else disturbed it, at most ``tries`` times; return the best run."""
    found: list[Sample] = []
    while len(found) < tries and not any(sample.quiet for sample in found):
        clean(data, leg)
        if tries > 1:
            settle(seconds=3)
        found.append(measure(leg.command, data.directory, data.environment))
    return min(found, key=lambda sample: sample.others / sample.wall)


def run_rounds(
    data: DataSet, chosen: Sequence[Leg], rounds: int, tries: int, *, first: int = 0
) -> dict[str, list[Sample]]:
    """Run all legs in turn, one round more than counts: the first, 0, is thrown away."""
    samples: dict[str, list[Sample]] = {leg.name: [] for leg in chosen}
    for number in range(first, rounds + 1):
        for leg in chosen:
            sample = run_leg(data, leg, tries if number else 1)
            note = "thrown away" if not number else f"round {number}"
            note += "" if sample.quiet else f"; others took {sample.others:.2f} s"
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
    work = (options.work or default_work()).absolute()
    work.mkdir(parents=True, exist_ok=True)
    rounds = options.rounds or ROUNDS[options.size]
    tries = options.tries or TRIES[options.size]
    disk = disk_of(options.disk)
    results = []
    for name in options.only or USUAL:
        data = prepare(name, options.size, work, disk)
        chosen = [
            leg
            for leg in legs(data, options.prototype and options.prototype.absolute())
            if not options.leg or leg.name in options.leg
        ]
        results.append(Result(data, chosen, run_rounds(data, chosen, rounds, tries)))
    on_disk = place_of(disk) if disk is not None else ""
    if disk is not None:
        shutil.rmtree(disk)
    text = render(results, size=options.size, rounds=rounds, place=place_of(work), disk=on_disk)
    print(text, end="")
    if options.write_docs:
        write_docs(text)


if __name__ == "__main__":
    main(sys.argv[1:])
