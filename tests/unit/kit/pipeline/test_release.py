"""`offline-kit release`: stages in order, skipped by digest, nothing after a failure."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.attest.inputs import read_input
from kit.attest.results import results
from kit.container import draft
from kit.container.pyz import make_pyz, verifier_files
from kit.pipeline import checks
from kit.pipeline.checks import isolation
from kit.releases.publisher import load_publishers
from tests.support.compiled import compiled
from tests.support.making import KEYS, key
from tests.support.pipelines import PASSES, RELEASE, SPEC, make_project, state, tree, without
from tests.support.program import Run, quiet_run
from tests.support.webserver import web, whole
from verifier.core.envelope import pae
from verifier.evidence.statement import read_envelope

STAGES = ["steps export", "test", "build", "sign", "verify", "publish"]
NO_STEP = ("[[release.step]]",)


def ran(out: str) -> list[str]:
    """Return which tasks were done, or what else became of them, line by line."""
    kept = [line for line in out.splitlines() if not line.startswith("begins")]
    found = [re.match(r"(\S+(?: run)?)\s+(steps \w+|\w+): ", line) for line in kept]
    return [f"{match[1]} {match[2]}" for match in found if match]


@pytest.fixture(scope="module", autouse=True)
def compiled_verifier() -> Iterator[None]:
    """Have kits carry a verifier that is not compiled anew each time a release starts it."""
    made = compiled(make_pyz(verifier_files()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draft, "make_pyz", lambda files: made)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, compiled_verifier: None) -> Path:
    """Return a project that is released; nobody changes it."""
    top = tmp_path_factory.mktemp("finished") / "project"
    make_project(top)
    before = os.getcwd()
    os.chdir(top)
    try:
        assert quiet_run("release") == 0
    finally:
        os.chdir(before)
    return top


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of the released project."""
    copy = tmp_path / "project"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return copy


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a project of which nothing is done."""
    make_project(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path / "project"


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))


# --- order, and twice is nothing -------------------------------------------------------------


def test_all_stages_are_done_in_their_order_and_twice_is_nothing(
    offline_kit: Run, project: Path
) -> None:
    assert [name for name, one in state(project).items() if one["state"] == "done"] == sorted(
        STAGES
    )
    before = tree(project)
    status, out, err = offline_kit("release")
    assert (status, err) == (0, "")
    assert ran(out) == [f"unchanged {stage}" for stage in STAGES]
    assert out.endswith("not part of this release: lock, sbom\napp 1.0: nothing to do\n")
    assert tree(project) == before


def test_each_stage_can_be_run_alone(
    offline_kit: Run, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All eight of them, one command each; then there is nothing left to do."""
    monkeypatch.setenv("OFFLINE_KIT_STORE", str(fresh / "store"))
    source = fresh.parent / "elsewhere"
    source.write_bytes(b"of somebody else")
    fetched = '[[component]]\nid = "more"\nversion = "1"\npath = "more"\nlands = "/opt/more"\n'
    fetched += f'[[component.source]]\nurl = "{source.as_uri()}"\n'
    fetched += f'sha256 = "{hashlib.sha256(source.read_bytes()).hexdigest()}"\n\n'
    edit("kit.toml", "[[evidence]]", f"{fetched}[[evidence]]")
    edit("offline-kit.toml", 'out = "out"', 'out = "out"\nsbom = "write"')
    labels = ["steps export", "lock", "sbom", *STAGES[1:]]
    for label in labels:
        status, out, err = offline_kit("release", "--only", label.split()[0])
        assert (status, ran(out)) == (0, [f"done {label}"]), err
    status, out, _ = offline_kit("release")
    assert (status, ran(out)) == (0, [f"unchanged {label}" for label in labels])
    assert out.endswith("app 1.0: nothing to do\n")
    _, out, _ = offline_kit(
        *("releases", "show", "app/stable", "--from", "dir:releases", "--json"),
        *("--publisher", str(KEYS / "frank.pub")),
    )
    entry = json.loads(out)
    lock = hashlib.sha256((fresh / "kit.lock").read_bytes()).hexdigest()
    assert (entry["lock"], entry["owners"]) == (lock, ["App Guild"])
    assert (entry["threshold"], entry["evidence"] is not None) == (2, True)


def test_the_kit_carries_report_and_attestation_and_the_links_are_there(project: Path) -> None:
    made = project / "out" / "app-1.0"
    words: list[str | Path] = ["python3", "-I", made / "kit-verify.pyz", "verify"]
    words += [made / "app-1.0.tar.zst", "--root", made / "root.json"]
    words += ["--extract", project / "unpacked", "--quiet"]
    assert subprocess.run(words, check=False).returncode == 0
    evidence = project / "unpacked" / "evidence"
    assert (evidence / "tests" / "tests.xml").read_text() == PASSES
    attested = (evidence / "attestations" / "app" / "tests.dsse.json").read_bytes()
    assert attested == (project / "artifacts" / "tests.dsse.json").read_bytes()
    assert len(list((project / "links").glob("export.*.link"))) == 1


def test_dry_run_says_the_plan_and_writes_nothing(offline_kit: Run, fresh: Path) -> None:
    before = tree(fresh)
    status, out, _ = offline_kit("release", "--dry-run")
    assert status == 0
    assert ran(out) == [f"would run {stage}" for stage in STAGES]
    assert tree(fresh) == before


def test_dry_run_of_what_is_done_finds_each_change(offline_kit: Run, project: Path) -> None:
    edit("expected.xml", "starts", "still starts")
    _, out, _ = offline_kit("release", "--dry-run")
    assert ran(out)[:3] == ["unchanged steps export", "would run test", "would run build"]
    assert "would run  test: changed: expected.xml\n" in out


def test_what_did_not_change_is_skipped_and_what_did_is_named(
    offline_kit: Run, project: Path
) -> None:
    edit("expected.xml", ' name="starts"', '  name="starts"')  # the same result, other bytes
    status, out, _ = offline_kit("release", "--until", "test")
    assert (status, ran(out)) == (0, ["unchanged steps export", "done test"])
    assert "begins     test: changed: expected.xml\n" in out
    (project / "artifacts" / "tests.dsse.json").unlink()
    _, out, _ = offline_kit("release", "--until", "test")
    assert "begins     test: not as it was made: artifacts/tests.dsse.json\n" in out


def test_json_is_one_object(offline_kit: Run, project: Path) -> None:
    status, out, _ = offline_kit("release", "--json")
    value = json.loads(out)
    assert (status, [one["what"] for one in value["tasks"]]) == (0, ["unchanged"] * 6)


# --- failures --------------------------------------------------------------------------------


def test_nothing_runs_after_a_failure_also_not_alone(offline_kit: Run, fresh: Path) -> None:
    edit("expected.xml", "/></testsuite>", "><failure/></testcase></testsuite>")
    edit("expected.xml", 'failures="0"><testcase', 'failures="1"><testcase')
    status, out, err = offline_kit("release")
    assert status == 4
    assert "error[tests-not-passed]" in err
    assert ran(out) == ["done steps export", "failed test"]
    assert not (fresh / "out").exists()
    status, _, err = offline_kit("release", "--only", "build")
    assert (status, "error[stage-failed-before]: test: failed" in err) == (2, True)
    (fresh / "expected.xml").write_text(PASSES)
    status, out, _ = offline_kit("release", "--until", "build")
    assert ran(out) == ["unchanged steps export", "done test", "done build"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (".write_text(", "; print(", "report-stale"),
        ("import pathlib", "import sys; sys.exit(3); import pathlib", "test-command-failed"),
        ('run = ["python3", "-c", "import pathlib', 'run = ["no-such", "', "command-unusable"),
        ('reports = ["', 'reports = ["artifacts/../other.xml", "', "report-not-carried"),
        ('attestation = "', 'attestation = "elsewhere/', "report-not-carried"),
    ],
)
def test_tests_that_show_nothing_stop_the_release(
    offline_kit: Run, fresh: Path, old: str, new: str, code: str
) -> None:
    offline_kit("release", "--only", "steps")
    edit("offline-kit.toml", old, new)
    status, out, err = offline_kit("release", "--until", "test")
    assert status in (2, 4)
    assert f"error[{code}]" in err
    assert ran(out)[-1] == "failed test"
    assert not (fresh / "artifacts" / "tests.dsse.json").exists()


def test_report_of_yesterday_is_none_of_today(offline_kit: Run, fresh: Path) -> None:
    assert offline_kit("release", "--until", "test")[0] == 0
    edit("offline-kit.toml", "import pathlib; pathlib.Path('artifacts/tests.xml')", "print#")
    edit("offline-kit.toml", "print#.write_text", "print")
    status, _, err = offline_kit("release", "--until", "test")
    assert (status, "error[report-stale]" in err) == (4, True)


def test_reports_from_elsewhere_need_no_command(offline_kit: Run, fresh: Path) -> None:
    """As where `dotnet test` ran on another machine, and its TRX comes along."""
    lines = Path("offline-kit.toml").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "pathlib" not in line]
    Path("offline-kit.toml").write_text("".join(kept))
    Path("artifacts/tests.xml").write_text(PASSES)
    status, out, _ = offline_kit("release", "--until", "test")
    assert (status, ran(out)) == (0, ["done steps export", "done test"])
    Path("artifacts/tests.xml").write_text(PASSES.replace("starts", "runs"))
    _, out, _ = offline_kit("release", "--until", "test")
    assert "begins     test: changed: artifacts/tests.xml\n" in out


def test_a_failing_step_leaves_its_link_and_stops(offline_kit: Run, fresh: Path) -> None:
    edit("offline-kit.toml", "import shutil;", "import shutil, sys; sys.exit(7);")
    (fresh / "artifacts" / "app").mkdir()
    status, out, err = offline_kit("release")
    assert (status, ran(out)) == (4, ["failed steps export"])
    assert "error[step-failed]: step export: its command ended with status 7" in err
    (link,) = (fresh / "links").glob("export.*.link")
    assert (
        json.loads(read_envelope(link.read_bytes(), "link").payload)["byproducts"]["return-value"]
        == 7
    )


# --- one release at a time -------------------------------------------------------------------


def test_two_runs_do_not_meet(offline_kit: Run, fresh: Path) -> None:
    with open(fresh / ".kit.release.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, _, err = offline_kit("release")
    assert (status, "error[release-runs]" in err) == (3, True)


@pytest.mark.parametrize("name", ["kit.release.json", "kit.numbers.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": 7}', "[" * 100_000])
def test_notes_that_are_not_ours_are_no_notes(
    offline_kit: Run, fresh: Path, name: str, text: str
) -> None:
    (fresh / name).write_text(text)
    status, _, err = offline_kit("release", "--only", "build")
    assert (status, f"error[state-unreadable]: '{name}'" in err) == (2, True)
    assert (fresh / name).read_text() == text


def test_a_stage_that_lacks_what_it_needs_is_named(offline_kit: Run, fresh: Path) -> None:
    edit("offline-kit.toml", 'to = ["dir:releases"]', 'stages = ["build", "publish"]')
    status, _, err = offline_kit("release")
    assert (status, "error[stage-unready]: publish: there is no place" in err) == (2, True)
    status, _, err = offline_kit("release", "--only", "lock")
    assert status == 2


# --- numbers ---------------------------------------------------------------------------------


def next_version(version: str) -> None:
    """Begin the next version; what is verified is no matter here."""
    stages = '["steps", "test", "build", "sign", "publish"]'
    edit("offline-kit.toml", 'out = "out"', f'out = "out"\nstages = {stages}')
    edit("kit.toml", 'version = "1.0"\nline', f'version = "{version}"\nline')


def numbers(top: Path) -> dict[str, int]:
    taken = json.loads((top / "kit.numbers.json").read_text())["taken"]
    return {one["version"]: one["sequence"] for one in taken}


def test_a_new_version_takes_the_next_number_and_rebuild_asks_no_index(
    offline_kit: Run, project: Path
) -> None:
    assert numbers(project) == {"1.0": 12}
    next_version("1.1")
    status, out, _ = offline_kit("release")
    assert (status, ran(out)[2:]) == (0, ["done build", "done sign", "done publish"])
    assert numbers(project) == {"1.0": 12, "1.1": 13}
    shutil.rmtree(project / "releases")
    kit = "out/app-1.1/app-1.1.tar.zst"
    assert offline_kit("rebuild", kit)[0] == 0
    (project / "kit.numbers.json").unlink()
    status, _, err = offline_kit("rebuild", kit)
    assert (status, "kit.sequence: 13 there, 12 here" in err) == (4, True)


def test_a_fresh_checkout_learns_the_number_of_a_published_version(
    offline_kit: Run, project: Path
) -> None:
    """And builds the same kit again: all that is kept is the index and the sources."""
    next_version("1.1")
    assert offline_kit("release")[0] == 0
    made = tree(project / "out" / "app-1.1")
    for path in ("out", "kit.release.json", "kit.numbers.json"):
        shutil.rmtree(project / path) if (project / path).is_dir() else (project / path).unlink()
    status, out, _ = offline_kit("release")
    assert (status, numbers(project)) == (0, {"1.1": 13})
    assert tree(project / "out" / "app-1.1") == made
    assert "had it" in out


def test_a_number_that_was_taken_and_not_published_is_not_taken_twice(
    offline_kit: Run, project: Path
) -> None:
    next_version("1.1")
    assert offline_kit("release", "--until", "build")[0] == 0
    edit("kit.toml", '"1.1"', '"1.2"')
    assert offline_kit("release", "--until", "build")[0] == 0
    assert numbers(project) == {"1.0": 12, "1.1": 13, "1.2": 14}


def test_a_time_that_was_set_is_kept(offline_kit: Run, project: Path) -> None:
    words = ("release", "--set", "kit.version=2.0", "--set", "kit.created=now", "--until", "build")
    assert offline_kit(*words)[0] == 0
    status, out, _ = offline_kit(*words)
    assert (status, ran(out)[-1]) == (0, "unchanged build")


def test_what_was_built_is_not_built_otherwise(offline_kit: Run, project: Path) -> None:
    before = tree(project / "out")
    (project / "app" / "run.sh").write_text("echo other\n")
    status, out, err = offline_kit("release")
    assert status == 2
    assert ran(out) == ["done steps export", "done test", "failed build"]
    assert "error[built-otherwise]: 'out/app-1.0/app-1.0.tar.zst': is of other sources" in err
    assert tree(project / "out") == before


def test_without_its_notes_a_kit_is_recognised_by_building_it_again(
    offline_kit: Run, project: Path
) -> None:
    (project / "kit.release.json").unlink()
    status, out, _ = offline_kit("release", "--only", "build")
    assert (status, ran(out)) == (0, ["done build"])
    assert "is there already, and is what the sources make" in out


# --- other signers ---------------------------------------------------------------------------


@pytest.fixture
def waiting(offline_kit: Run, fresh: Path) -> Path:
    """Stand where one of two signers has signed."""
    edit("offline-kit.toml", f'carol = "{KEYS}/carol.pem"\n', "")
    status, out, err = offline_kit("release")
    assert (status, ran(out)[-1]) == (3, "waits sign")
    assert "error[signatures-missing]" in err
    assert "signed by alice; 1 more of bob, carol must sign" in err
    assert not (fresh / "releases").exists()
    return fresh


@pytest.mark.parametrize("way", ["in place", "detached"])
def test_the_release_goes_on_when_others_have_signed(
    offline_kit: Run, waiting: Path, way: str
) -> None:
    kit = "out/app-1.0/app-1.0.tar.zst"
    (waiting / "app" / "run.sh").write_text("what the next release will have\n")
    assert offline_kit("release", "--resume")[0] == 3
    if way == "in place":
        assert offline_kit("sign", kit, "--key", f"bob={key('bob')}")[0] == 0
    else:
        words = ("sign", "--detached", kit, "--key", f"bob={key('bob')}", "--out", "out")
        assert offline_kit(*words)[0] == 0
    status, out, _ = offline_kit("release", "--resume", "--only", "sign")
    assert (status, ran(out)) == (0, ["done sign"])
    assert "signed by alice, bob (threshold 2), sealed" in out
    if way == "detached":
        return
    edit("offline-kit.toml", "dir:releases", "dir:elsewhere")
    (waiting / "app" / "run.sh").write_text("echo started\n")  # verify builds it again
    status, out, _ = offline_kit("release", "--resume")
    assert ran(out) == [*(f"unchanged {s}" for s in STAGES[:4]), "done verify", "done publish"]
    assert (waiting / "elsewhere" / "lines" / "app~stable" / "1.json").exists()
    status, _, err = offline_kit("release", "--resume")
    assert (status, "error[nothing-begun]" in err) == (2, True)


def test_signers_of_this_host_can_be_chosen(offline_kit: Run, fresh: Path) -> None:
    edit("offline-kit.toml", 'out = "out"', 'out = "out"\nsign = ["carol"]')
    _, _, err = offline_kit("release")
    assert "signed by carol; 1 more of alice, bob must sign" in err
    edit("offline-kit.toml", 'sign = ["carol"]', 'sign = ["grace"]')
    status, _, err = offline_kit("release")
    assert (status, "[release.keys] has no grace" in err) == (2, True)


# --- verification ----------------------------------------------------------------------------


def report(top: Path, ending: str) -> Path:
    return top / "out" / "app-1.0" / f"app-1.0.verification.{ending}"


def test_the_report_has_four_forms_that_agree(project: Path) -> None:
    value = json.loads(report(project, "json").read_text())
    checks = {one["name"]: one["state"] for one in value["checks"]}
    assert value["verified"] is True
    assert checks["sha256sum --check"] == "passed"
    assert checks["the same sources give the same bytes"] == "passed"
    assert checks["kit-verify.pyz proves and unpacks it, alone"] == "passed"
    shown = report(project, "txt").read_text()
    assert shown.startswith("VERIFIED: app 1.0, line app/stable, sequence 12\n")
    assert all(f"{one:<8} {name}" in shown for name, one in checks.items())
    made = results([read_input(report(project, "xml"))])
    assert len(made.predicate["passedTests"]) == list(checks.values()).count("passed")
    envelope = read_envelope(report(project, "dsse.json").read_bytes(), "report")
    (public,) = load_publishers([KEYS / "frank.pub"])
    ((_, signature),) = envelope.signatures
    assert public.verify(pae(envelope.payload), signature, low_s=False)
    subjects = json.loads(envelope.payload)["subject"]
    assert subjects[0]["digest"]["sha256"] == value["file"]["sha256"]
    assert subjects[1]["digest"]["sha256"] == value["kitId"]


def test_the_shipped_verifier_stands_alone(
    offline_kit: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment is empty, and where this host permits it, nothing but loopback is there."""
    spy = project / "bin" / "python3"
    spy.parent.mkdir()
    spy.write_text(
        f"#!/bin/sh\ncat /proc/$$/environ > {project}/environ\ncat /proc/net/dev > {project}/net\n"
        f'exec {sys.executable} "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}{os.pathsep}{os.environ['PATH']}")
    make_site(offline_kit, project / "north")
    assert offline_kit("release", "--only", "verify", "--as-site", "north")[0] == 0
    assert (project / "environ").read_bytes() == b""
    states = {
        one["name"]: one["state"]
        for one in json.loads(report(project, "json").read_text())["checks"]
    }
    if isolation():
        assert re.findall(r"^ *(\w+):", (project / "net").read_text(), re.M) == ["lo"]
        assert states["and without a network"] == "passed"


def test_a_network_that_could_not_be_taken_away_is_no_success(
    offline_kit: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "isolation", lambda: ())
    (project / "kit.release.json").unlink()
    edit("offline-kit.toml", 'publisher = "', 'stages = ["verify"]\npublisher = "')
    status, out, _ = offline_kit("release", "--only", "verify")
    assert (status, "not run: and without a network" in out) == (0, True)


def again(offline_kit: Run) -> str:
    """Run the verification of a kit that must not pass; return the report."""
    before = tree(Path("releases"))
    status, out, err = offline_kit("release")
    assert status == 4
    assert "error[verification-failed]" in err
    assert ran(out)[-1] == "failed verify"
    assert tree(Path("releases")) == before
    assert not report(Path(), "dsse.json").exists()
    value = json.loads(report(Path(), "json").read_text())
    assert value["verified"] is False
    return "\n".join(one["name"] for one in value["checks"] if one["state"] == "failed")


def test_a_damaged_kit_is_not_published(offline_kit: Run, project: Path) -> None:
    kit = project / "out" / "app-1.0" / "app-1.0.tar.zst"
    data = bytearray(kit.read_bytes())
    data[-20_000] ^= 1
    kit.write_bytes(data)
    failed = again(offline_kit)
    assert "the kit and all beside it are as sealed" in failed
    assert "kit-verify.pyz proves and unpacks it, alone" in failed
    status, _, err = offline_kit("release", "--only", "publish")
    assert (status, "error[stage-failed-before]: verify" in err) == (2, True)


def test_a_side_file_of_another_kit_is_noticed(offline_kit: Run, project: Path) -> None:
    sums = project / "out" / "app-1.0" / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(b"app/run.sh", b"app/run.sx"))
    (project / "kit.release.json").unlink()
    edit("offline-kit.toml", 'publisher = "', 'stages = ["verify", "publish"]\npublisher = "')
    failed = again(offline_kit)
    assert failed.splitlines() == [
        "the kit and all beside it are as sealed",
        "SHA256SUMS fits the unpacked kit",
        "sha256sum --check",
    ]


def test_sources_that_are_others_now_are_noticed(offline_kit: Run, project: Path) -> None:
    (project / "artifacts" / "app" / "run.sh").write_text("echo other\n")
    (project / "kit.release.json").unlink()
    edit("offline-kit.toml", 'publisher = "', 'stages = ["verify", "publish"]\npublisher = "')
    assert again(offline_kit) == "the same sources give the same bytes"


def make_site(offline_kit: Run, trust: Path, policy: str = "") -> None:
    made = Path("out/app-1.0")
    digest = hashlib.sha256((made / "root.json").read_bytes()).hexdigest()
    words: list[str | Path] = ["python3", "-I", made / "kit-verify.pyz", "trust", "init", "--root"]
    words += [made / "root.json", "--fingerprint", digest, "--trust", trust]
    if policy:
        (trust.parent / "policy.json").write_text(policy)
        words += ["--policy", trust.parent / "policy.json"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_the_policy_of_each_site_is_asked(offline_kit: Run, project: Path) -> None:
    make_site(offline_kit, project / "north")
    lines = [{"line": "other/line"}]
    policy = {"type": "https://offline-kit.example/policy/v1", "name": "south", "lines": lines}
    make_site(offline_kit, project / "south", json.dumps(policy))
    status, out, _ = offline_kit("release", "--as-site", "north", "--only", "verify")
    assert (status, ran(out)) == (0, ["done verify"])
    assert "site north takes it" in report(project, "txt").read_text()
    before = tree(project / "south")
    site = '\n[[release.site]]\nname = "south"\ntrust = "south"\n'
    Path("offline-kit.toml").write_text(Path("offline-kit.toml").read_text() + site)
    assert again(offline_kit) == "site south takes it"
    assert tree(project / "south") == before


def test_sources_above_the_spec_are_built_where_they_lie(
    offline_kit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    make_project(
        top / "project",
        without(RELEASE, *NO_STEP, "[release.test]"),
        without(SPEC, "[[evidence]]", "[[evidence.source]]", "[[attestation]]").replace(
            "artifacts/app", "../above"
        ),
    )
    (top / "above").mkdir()
    (top / "above" / "run.sh").write_text("echo\n")
    monkeypatch.chdir(top / "project")
    assert offline_kit("release")[0] == 0
    assert "built where they lie" in report(top / "project", "txt").read_text()


def test_what_is_published_is_read_back_where_the_release_says_so(
    offline_kit: Run, fresh: Path
) -> None:
    """Under the digest of a file lies another one of its size, as a disk may have it."""
    edit("offline-kit.toml", 'out = "out"', 'out = "out"\nread-back = true')
    assert offline_kit("release", "--until", "verify")[0] == 0
    sums = (fresh / "out" / "app-1.0" / "SHA256SUMS").read_bytes()
    bent = fresh / "releases" / "objects" / "sha256" / hashlib.sha256(sums).hexdigest()
    bent.mkdir(parents=True)
    (bent / "SHA256SUMS").write_bytes(bytes(len(sums)))
    status, out, err = offline_kit("release")
    assert (status, ran(out)[-1], "error[place-differs]" in err) == (4, "failed publish", True)
    assert "'releases', SHA256SUMS" in err
    assert not (fresh / "releases" / "lines").exists()
    (bent / "SHA256SUMS").unlink()
    status, out, _ = offline_kit("release")
    assert (status, ran(out)[-1]) == (0, "done publish")


# --- what other commands take from [release] -------------------------------------------------


def test_readers_take_from_the_spec_who_is_asked_without_tls(
    offline_kit: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "http://files.example:8080/r"  # which a proxy has: no name is looked up
    words = ("--from", place, "--publisher", str(KEYS / "frank.pub"))
    reading = [("releases", "list", "app/stable"), ("fetch", "app/stable", "--to", "low")]
    reading += [("mirror", "app/stable", "--to", "dir:copy")]
    with web() as proxy:
        for path in (path for path in Path("releases").rglob("*") if path.is_file()):
            name = path.relative_to("releases").as_posix()
            proxy.routes[f"{place}/{name}"] = whole(path.read_bytes())
        monkeypatch.setenv("http_proxy", proxy.url)
        assert {offline_kit(*command, *words)[0] for command in reading} == {2}
        edit("offline-kit.toml", 'out = "out"', 'out = "out"\nplain-http = ["files.example:8080"]')
        for command in reading:
            status, _, err = offline_kit(*command, *words)
            assert status == 0, err


def test_publish_and_doctor_take_places_and_publisher_from_the_spec(
    offline_kit: Run, project: Path
) -> None:
    status, out, _ = offline_kit("publish")
    assert (status, "'releases': was published already\n" in out) == (0, True)
    status, out, _ = offline_kit("doctor", "--json")
    found = {one["name"]: one["state"] for one in json.loads(out)["findings"]}
    assert [state for name, state in found.items() if "dir:releases" in name][:1] == ["ok"]
    edit("offline-kit.toml", 'to = ["dir:releases"]\n', "")
    status, _, err = offline_kit("publish")
    assert (status, "no place is named" in err) == (2, True)
