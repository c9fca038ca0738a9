"""Medians, ratios and verdicts on the targets, as Markdown."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import ssl
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench_legs import DataSet, Leg
from bench_measure import Sample

MIB = 1 << 20
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True)
class Result:
    """Everything measured on one data set; the samples of a leg are one a round, in order."""

    data: DataSet
    legs: Sequence[Leg]
    samples: Samples

    def wall(self, leg: str) -> float:
        """Return the median time of a leg, without what it spent in fsync."""
        return statistics.median(sample.wall - sample.fsync for sample in self.samples[leg])

    def rss(self, *legs: str) -> int:
        """Return the largest peak of some legs, in bytes."""
        return max(sample.rss for leg in legs for sample in self.samples[leg])

    def ratio(self, base: str, leg: str) -> float:
        """Return how many times as fast as ``base`` a leg is: the median of the rounds' ratios."""
        pairs = zip(self.samples[base], self.samples[leg], strict=True)
        return statistics.median((b.wall - b.fsync) / (a.wall - a.fsync) for b, a in pairs)


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


def _targets() -> Iterator[Target]:
    for data, times in (("mixed", 1.75), ("packed", 2.4)):
        pair = ("limit-b", "verify")
        yield Target("verify, of limit B", data, pair, _fraction(*pair), 90, unit=" %")
        pair = ("openssl", "verify")
        text = "verify, times `zstd -dc \\| openssl dgst`"
        yield Target(text, data, pair, _times(*pair), times)
        pair = ("limit-q", "quick")
        yield Target("quick, of limit Q", data, pair, _fraction(*pair), 90, unit=" %")
        peak = ("verify", "pipe", "quick")
        yield Target("verify, peak", data, peak, _peak(*peak), most=80, unit=" MiB")
        pair = ("tar-zstd", "build")
        text = "build without self-check, times `tar \\| zstd -T0 -3`"
        yield Target(text, data, pair, _times(*pair), 1.1)
        pair = ("tar-zstd-sums", "build-check")
        text = "build with self-check, times `tar \\| zstd` and `openssl dgst` of every file"
        yield Target(text, data, pair, _times(*pair), 1.0)
        peak = ("build", "build-check")
        yield Target("build, peak", data, peak, _peak(*peak), most=200, unit=" MiB")
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
            wanted = f">= {target.least:g}" if target.least else f"< {target.most:g}"
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


def machine() -> str:
    """Return one line about what this was measured on."""
    parts = [f"{len(os.sched_getaffinity(0))} cores", f"Python {platform.python_version()}"]
    parts.append(ssl.OPENSSL_VERSION.split(" ")[0] + " " + ssl.OPENSSL_VERSION.split(" ")[1])
    parts.append(f"Linux {platform.release().split('-')[0]}, {platform.machine()}")
    for name in ("zstd", "openssl", "tar"):
        program = shutil.which(name)
        if program is not None:
            flag = "version" if name == "openssl" else "--version"
            said = subprocess.run([program, flag], capture_output=True, text=True, check=False)
            parts.append(f"`{said.stdout.splitlines()[0].strip('* ').split(',')[0]}`")
    return "; ".join(parts)


def library_version(path: str) -> str:
    """Return the version of a libzstd."""
    library = ctypes.CDLL(path)
    library.ZSTD_versionString.restype = ctypes.c_char_p
    version: bytes = library.ZSTD_versionString()
    return version.decode("ascii")


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
        wall = statistics.median(walls)
        cells = [
            leg.text,
            f"{wall:.2f}",
            f"{walls[0]:.2f} - {walls[-1]:.2f}",
            f"{statistics.median(sample.cpu for sample in samples):.2f}",
            f"{statistics.median(s.fsync for s in samples):.2f}" if "build" in leg.name else "",
            f"{result.data.bytes / wall / 1e9:.2f}",
            f"{max(sample.rss for sample in samples) / MIB:.0f}",
        ]
        for base, _ in bases:
            cells.append(_beside(result, base, leg.name))
        yield "| " + " | ".join(cells) + " |"


def _beside(result: Result, base: str, leg: str) -> str:
    """Return a ratio where the comparison means something."""
    if leg not in ("verify", "pipe", "quick", "limit-b", "limit-q", "openssl", "unpack", "extract"):
        return ""
    if base == "limit-b":
        return f"{100 * result.ratio(base, leg):.0f} %" if leg in ("verify", "limit-b") else ""
    return f"{result.ratio(base, leg):.2f}"


def render(results: Sequence[Result], *, size: str, rounds: int, place: str) -> str:
    """Return everything as Markdown."""
    first = results[0].data
    lines = [
        f"Machine: {machine()}; libzstd {library_version(first.library)} in the verifier.",
        f"Size `{size}`, {rounds} rounds after one that was thrown away, files on {place}.",
        "Times are medians of whole processes, without fsync, which has its own column.",
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
        lines += ["", "| data | target | wanted | measured | |", "|---|---|---:|---:|---|"]
        for data_name, text, wanted, said, met in judged:
            verdict = "met" if met else "**not met**"
            lines.append(f"| {data_name} | {text} | {wanted} | {said} | {verdict} |")
    return "\n".join(lines) + "\n"
