"""How long judging an SBOM takes, beside what the JSON alone takes in the same run.

    .venv/bin/python tests/bench/sbom.py [MB]

Documents of each kind are made as large as asked (5 MB), with a digest, a licence and a package URL
in every element.  Times are of the processor, the best of five: the machine may be shared.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kit.sbom.check import check_sbom
from tests.support.sboms import CYCLONEDX, SPDX2, SPDX3

RUNS = 5


def cyclonedx(size: int) -> bytes:
    """Return a document of components that the first one depends on."""
    base = copy.deepcopy(CYCLONEDX)
    one = json.dumps(base["components"][0])
    count = size // (len(one) + 10)
    base["components"] = [
        json.loads(one.replace('"bson"', f'"b{i}"').replace("1" * 64, f"{i + 1:064x}"))
        for i in range(count)
    ]
    base["dependencies"] = [{"ref": "runner", "dependsOn": [f"b{i}" for i in range(count)]}]
    return json.dumps(base).encode()


def spdx2(size: int) -> bytes:
    """Return a document of packages that the first one depends on."""
    base: dict[str, Any] = {**SPDX2, "files": [], "relationships": SPDX2["relationships"][:1]}
    one = json.dumps(SPDX2["packages"][0])
    count = size // (len(one) + 120)
    more = [
        json.loads(one.replace("-runner", f"-{i}").replace("1" * 64, f"{i + 1:064x}"))
        for i in range(count)
    ]
    base["packages"] = [*SPDX2["packages"], *more]
    base["relationships"] = base["relationships"] + [
        {
            "spdxElementId": "SPDXRef-runner",
            "relationshipType": "DEPENDS_ON",
            "relatedSpdxElement": package["SPDXID"],
        }
        for package in more
    ]
    return json.dumps(base).encode()


def spdx3(size: int) -> bytes:
    """Return a document whose graph is many small ones."""
    one = json.dumps(SPDX3["@graph"])
    graph: list[Any] = []
    for i in range(size // len(one)):
        graph += json.loads(
            one.replace("example.org/", f"example.org/{i}/").replace("_:made", f"_:made{i}")
        )
    return json.dumps({**SPDX3, "@graph": graph}).encode()


def best(work: Callable[[], object]) -> float:
    """Return the least processor time of several runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    """Print a line for each kind; exit status 1 if a document is not good."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    bad = 0
    for make in (cyclonedx, spdx2, spdx3):
        data = make(int(megabytes * 1_000_000))
        checked = check_sbom(data, make.__name__, for_kit=True)
        bad += bool(checked.errors)
        alone = best(lambda data=data: json.loads(data))  # type: ignore[misc]
        ours = best(lambda data=data: check_sbom(data, "x", for_kit=True))  # type: ignore[misc]
        count = len(checked.sbom.elements) if checked.sbom else 0
        print(
            f"{make.__name__:10} {len(data) / 1e6:5.1f} MB  {count:6} elements  json.loads"
            f" {alone:6.3f} s  judged {ours:6.3f} s  {ours / alone:4.1f} times"
        )
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
