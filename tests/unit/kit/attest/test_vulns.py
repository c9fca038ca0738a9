"""Reports of grype and trivy become findings, with the date of the database or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.attest.errors import DatabaseUndated, ReportMalformed, ReportUnknown
from kit.attest.inputs import read_input
from kit.attest.model import Made
from kit.attest.vulns import VULNS, vulns
from tests.support.reports import DATABASE, REPORTS, grype

BUILT = "2026-11-20T06:13:47Z"


def made_of(place: Path, *values: Any) -> Made:
    given = []
    for number, value in enumerate(values):
        path = value if isinstance(value, Path) else place / f"{number}.json"
        if not isinstance(value, Path):
            path.write_text(json.dumps(value))
        given.append(read_input(path))
    return vulns(given)


def test_grype(tmp_path: Path) -> None:
    ignored = [{**grype()["matches"][0], "appliedIgnoreRules": [{"vulnerability": "any"}]}]
    made = made_of(tmp_path, grype(ignoredMatches=ignored))
    scanner = made.predicate["scanner"]
    assert made.predicate_type == VULNS
    assert scanner["uri"] == "pkg:github/anchore/grype@0.121.2"
    assert scanner["db"]["lastUpdate"] == "2026-11-20T06:13:47Z"
    assert scanner["db"]["version"] == "v6.1.2"
    assert made.predicate["metadata"]["scanFinishedOn"] == "2026-11-23T08:12:01Z"
    first, again, other = scanner["result"]
    assert first["id"] == again["id"] == "CVE-1999-0001"
    assert first["severity"] == [
        {"method": "grype", "score": "Low"},
        {"method": "CVSS:3.1", "score": "8.2"},
    ]
    assert {"ignored": "yes"} in [*first["annotations"], *again["annotations"]]
    assert {"purl": "pkg:deb/package-2@2.2.2"} in other["annotations"]


def test_grype_of_before_0_88_has_the_date_one_level_higher(tmp_path: Path) -> None:
    value = grype()
    value["descriptor"]["db"] = DATABASE["status"]
    made = made_of(tmp_path, value)
    assert made.predicate["scanner"]["db"]["lastUpdate"] == "2026-11-20T06:13:47Z"


def test_trivy_with_what_it_says_of_its_database(tmp_path: Path) -> None:
    version = {
        "Version": "0.74.0",
        "VulnerabilityDB": json.loads((REPORTS / "trivy-db.json").read_bytes()),
    }
    made = made_of(tmp_path, REPORTS / "trivy.json", version)
    scanner = made.predicate["scanner"]
    assert scanner["version"] == "0.74.0"
    assert scanner["db"]["lastUpdate"] == "2023-07-20T12:11:37Z"
    found = {each["id"]: each for each in scanner["result"]}
    assert {"method": "CVSS:3 nvd", "score": "5.3"} in [
        severity for each in found.values() for severity in each["severity"]
    ]
    other_order = made_of(tmp_path, version, REPORTS / "trivy.json")
    assert other_order.predicate == made.predicate


def test_what_trivy_passed_over_is_a_finding(tmp_path: Path) -> None:
    made = made_of(tmp_path, REPORTS / "trivy-suppressed.json", REPORTS / "trivy-db.json")
    found = {each["id"]: each["annotations"] for each in made.predicate["scanner"]["result"]}
    assert {"ignored": "yes"} in found["CVE-2017-16137"]
    assert {"ignored": "yes"} not in found["CVE-2017-20165"]


def test_a_scan_without_the_date_of_its_database(tmp_path: Path) -> None:
    for value in (REPORTS / "grype.json", REPORTS / "trivy.json"):
        with pytest.raises(DatabaseUndated):
            made_of(tmp_path, value)
    never = {"Version": 2, "UpdatedAt": "0001-01-01T00:00:00Z"}
    with pytest.raises(DatabaseUndated):
        made_of(tmp_path, REPORTS / "trivy.json", never)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{}], ReportUnknown),
        ([grype(), grype()], ReportUnknown),
        ([{"Version": 2, "UpdatedAt": "2026-11-20T00:00:00Z"}], ReportUnknown),
        ([grype(matches=[{"vulnerability": {}}])], ReportMalformed),
        ([grype(matches={})], ReportMalformed),
        ([grype(matches=[1])], ReportMalformed),
        ([grype(matches=[{"vulnerability": {"id": 7}}])], ReportMalformed),
        (
            [grype(descriptor={"db": {"status": {"built": BUILT}}})],
            ReportMalformed,
        ),
        ([grype(descriptor=[])], ReportMalformed),
        ([{"SchemaVersion": 1}], ReportUnknown),
        ([[]], ReportMalformed),
    ],
)
def test_what_is_no_report(tmp_path: Path, values: list[Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        made_of(tmp_path, *values)
