"""Medians, ratios and verdicts on the targets, as Markdown."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.bench_legs import ENVIRONMENT, PYTHON, DataSet, Leg
from tests.bench.bench_measure import CORES, QUIET, Sample

MIB = 1 << 20
Samples = Mapping[str, Sequence[Sample]]


def median(values: Iterable[float]) -> float:
    """Return the middle of some values, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return (ordered[half] + ordered[-half - 1]) / 2


@dataclass(frozen=True)
class Result:
    """Everything measured on one data set; the samples of a leg are one a round, in order."""

    data: DataSet
    legs: Sequence[Leg]
    samples: Samples

    def wall(self, leg: str) -> float:
        """Return the median time of a leg, without what it spent in fsync."""
        return median(sample.wall - sample.fsync for sample in self.samples[leg])

    def rss(self, *legs: str) -> int:
        """Return the largest peak of some legs, in bytes."""
        return max(sample.rss for leg in legs for sample in self.samples[leg])

    def ratio(self, base: str, leg: str) -> float:
        """Return how many times as fast as ``base`` a leg is: the median of the rounds' ratios."""
        pairs = zip(self.samples[base], self.samples[leg], strict=True)
        return median((b.wall - b.fsync) / (a.wall - a.fsync) for b, a in pairs)


@dataclass(frozen=True)
class Target:
    """What shall be reached on one data set; ``legs`` must all have been run."""

    text: str
    data: str
    legs: tuple[str, ...]
    value: Callable[[Result], float]
    least: float = 0.0
    most: float = 0.0
    unit: str = ""


def _fraction(limit: str, leg: str) -> Callable[[Result], float]:
    return lambda result: 100 * result.ratio(limit, leg)


def _times(base: str, leg: str) -> Callable[[Result], float]:
    return lambda result: result.ratio(base, leg)


def _peak(*legs: str) -> Callable[[Result], float]:
    return lambda result: result.rss(*legs) / MIB


# measured when the targets of 90 % were given up: of limit B, times openssl, times tar | zstd
_MEASURED = {"mixed": (88, 1.77, 1.06), "packed": (90, 2.71, 1.99)}
_MAY_FALL = 0.95


def _targets() -> Iterator[Target]:
    for data, (limit, hand, build) in _MEASURED.items():
        pair = ("limit-b", "installed")
        least = _MAY_FALL * limit
        yield Target("verify, of limit B", data, pair, _fraction(*pair), least, unit=" %")
        pair = ("openssl", "installed")
        text = "verify, times `zstd -dc \\| openssl dgst`"
        yield Target(text, data, pair, _times(*pair), _MAY_FALL * hand)
        checks = ("verify", "installed", "pipe", "quick")
        yield Target("verify, peak", data, checks, _peak(*checks), most=80, unit=" MiB")
        pair = ("tar-zstd", "build")
        text = "build without self-check, times `tar \\| zstd -T0 -3`"
        yield Target(text, data, pair, _times(*pair), _MAY_FALL * build)
        pair = ("tar-zstd-sums", "build-check")
        text = "build with self-check, times `tar \\| zstd` and `openssl dgst` of every file"
        yield Target(text, data, pair, _times(*pair), 1.0)
        builds = ("build", "build-check")
        yield Target("build, peak", data, builds, _peak(*builds), most=200, unit=" MiB")
    for data in (*_MEASURED, "quarter"):
        pair = ("tar-x", "extract")
        text = "extraction, times `zstd -dc \\| tar -x`"
        yield Target(text, data, pair, _times(*pair), 1.3)
        pair = ("extract-disk", "cp-disk")
        text = "extraction on a disk, in times of `cp -r` and `sync -f`"
        yield Target(text, data, pair, _times(*pair), most=1.15)
    for leg in ("build-check", "verify", "pipe", "list"):
        yield Target(f"{leg}, peak", "million", (leg,), _peak(leg), most=300, unit=" MiB")


TARGETS = tuple(_targets())


def verdicts(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str, bool]]:
    """Yield (data set, text, wanted, measured, met) for each target that was measured."""
    for result in results:
        for target in TARGETS:
            if target.data != result.data.name or not result.samples.keys() >= set(target.legs):
                continue
            value = target.value(result)
            wanted = f">= {target.least:.3g}" if target.least else f"< {target.most:g}"
            met = value >= target.least if target.least else value < target.most
            digits = 2 if not target.unit else 0
            said = f"{value:.{digits}f}{target.unit}"
            yield result.data.name, target.text, wanted + target.unit, said, met
    yield from _linear({result.data.name: result for result in results})


def _linear(results: Mapping[str, Result]) -> Iterator[tuple[str, str, str, str, bool]]:
    """Yield whether four times the members take at most five times the time."""
    if not {"quarter", "million"} <= results.keys():
        return
    for leg in ("build-check", "verify", "pipe", "list"):
        if leg in results["million"].samples and leg in results["quarter"].samples:
            times = results["million"].wall(leg) / results["quarter"].wall(leg)
            text = f"{leg}, times the time of a quarter of the members"
            yield "million", text, "< 5", f"{times:.2f}", times < 5


_VERSIONS = """
import ctypes, ssl, sys
library = ctypes.CDLL(sys.argv[1])
library.ZSTD_versionString.restype = ctypes.c_char_p
version = library.ZSTD_versionString().decode()
print(" ".join(ssl.OPENSSL_VERSION.split()[:2]) + ", libzstd " + version)
"""


def machine(library: str) -> str:
    """Return one line about what this was measured on."""
    asked = {"zstd": "--version", "openssl": "version", "tar": "--version"}
    parts = [f"{CORES} cores", f"Linux {platform.release().split('-')[0]}, {platform.machine()}"]
    # in a process of its own: what this program loads counts in the peak of what it starts
    inside = _said([PYTHON, "-c", _VERSIONS, library])
    parts.append(f"Python {platform.python_version()} with {inside}")
    for name, flag in asked.items():
        program = shutil.which(name)
        if program is not None:
            first = _said([program, flag]).strip("* ").split(",")[0]
            parts.append(first.split(" (Library")[0])
    return "; ".join(parts)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[0]


def _rows(result: Result) -> Iterator[str]:
    bases = [("limit-b", "of limit B"), ("openssl", "times by hand")]
    bases = [base for base in bases if base[0] in result.samples]
    yield "| | median s | least - most | CPU s | fsync s | GB/s | peak MiB |" + "".join(
        f" {text} |" for _, text in bases
    )
    yield "|---|" + "---:|" * (6 + len(bases))
    for leg in result.legs:
        if leg.name not in result.samples:
            continue
        samples = result.samples[leg.name]
        walls = sorted(sample.wall - sample.fsync for sample in samples)
        wall = median(walls)
        cells = [
            leg.text,
            f"{wall:.2f}",
            f"{walls[0]:.2f} - {walls[-1]:.2f}",
            f"{median(sample.cpu for sample in samples):.2f}",
            f"{median(s.fsync for s in samples):.2f}" if "build" in leg.name else "",
            f"{result.data.bytes / wall / 1e9:.2f}",
            f"{max(sample.rss for sample in samples) / MIB:.0f}",
        ]
        for base, _ in bases:
            cells.append(_beside(result, base, leg.name))
        yield "| " + " | ".join(cells) + " |"


_COMPARED = {
    "limit-b": ("verify", "installed", "limit-b"),
    "openssl": (
        *("verify", "installed", "pipe", "quick", "limit-b", "limit-q", "openssl", "unpack"),
        *("extract", "tar-x"),
    ),
}


def _beside(result: Result, base: str, leg: str) -> str:
    """Return a ratio where the comparison means something."""
    if leg not in _COMPARED[base]:
        return ""
    if base == "limit-b":
        return f"{100 * result.ratio(base, leg):.0f} %"
    return f"{result.ratio(base, leg):.2f}"


def render(results: Sequence[Result], *, size: str, rounds: int, place: str, disk: str = "") -> str:
    """Return everything as Markdown."""
    first = results[0].data
    everything = [s for result in results for runs in result.samples.values() for s in runs]
    disturbed = sum(not sample.quiet for sample in everything)
    lines = [
        f"Machine: {machine(first.library)}.",
        f"Size `{size}`, {rounds} rounds after one that was thrown away, files on {place}"
        f"{f', the disk has {disk}' if disk else ''}.",
        f"In {disturbed} of {len(everything)} runs something else took more than {QUIET:.0%} of "
        "the cores.",
    ]
    for result in results:
        data = result.data
        lines += [
            "",
            f"**{data.name}**: {data.files:,} files, {data.bytes / 1e9:.2f} GB, "
            f"kit {data.kit_bytes / 1e9:.2f} GB",
            "",
            *_rows(result),
        ]
    judged = list(verdicts(results))
    if judged:
        if size not in ("default", "large"):
            lines += ["", "The targets are meant for larger data than this."]
        lines += ["", "| data | target | wanted | measured | |", "|---|---|---:|---:|---|"]
        for data_name, text, wanted, said, met in judged:
            verdict = "met" if met else "**not met**"
            lines.append(f"| {data_name} | {text} | {wanted} | {said} | {verdict} |")
    return "\n".join(lines) + "\n"
