"""Accepting: what is written, in which order, by how many at once, and what the report says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, Registry

from tests.support.hosting import CLOCK, LINE, Site, code, make_kit_bytes, override, policy, rules
from tests.support.killing import ended, fork
from tests.support.making import REPOSITORY, ROOT_FILE
from tests.support.simulator import Publisher, seat_all
from verifier import cli
from verifier.core.errors import KitError
from verifier.core.pipeline import Job
from verifier.host.accept import Host
from verifier.host.receipt import receipt_bytes
from verifier.run import run
from verifier.show.report import Report, render_text
from verifier.show.reportvalue import report_value

SCHEMAS = {
    name: json.loads((REPOSITORY / f"manifests/schema/{name}.v1.json").read_text("utf-8"))
    for name in ("report", "receipt", "state", "policy")
}
AS_ROOT = not hasattr(os, "geteuid") or os.geteuid() == 0  # whom no mode keeps out


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def host_of(report: Report) -> Host:
    assert report.host is not None
    return report.host


# --- what is written -----------------------------------------------------------------------------


def test_accepting_writes_the_memory_and_nothing_else(site: Site) -> None:
    site.pin(policy=policy())
    before = site.files()
    report = site.accept(site.kit(sequence=4))
    assert host_of(report).outcome == "accepted"
    after = site.files()
    assert {name for name in after if after[name] != before.get(name)} == {"state.json"}
    assert stat.S_IMODE((site.trust / "state.json").stat().st_mode) == 0o600


def test_accepting_again_writes_nothing(site: Site) -> None:
    site.pin()
    kit = site.kit()
    site.accept(kit)
    inode = (site.trust / "state.json").stat().st_ino
    assert host_of(site.accept(kit)).outcome == "accepted before"
    assert (site.trust / "state.json").stat().st_ino == inode


def test_newer_root_is_kept_with_the_kit_that_brought_it(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "alice", "bob")
    publisher.rotate(lambda s: s.update(expires="2042-01-01T00:00:00Z"), "alice", "bob")
    report = site.accept(site.kit(roots=publisher.roots))
    assert report_value(report)["root"] == {
        "version": 3,
        "expires": "2042-01-01T00:00:00Z",
        "pinned": 1,
        "steps": [2, 3],
        "kitVersion": 3,
    }
    assert (site.trust / "root.json").read_bytes() == publisher.of(3) + b"\n"
    assert site.state.lines[LINE].root_version == 3


def test_damaged_kit_leaves_no_trace(site: Site) -> None:
    """Root and state move only when every byte is proved."""
    publisher = Publisher()
    site.pin(publisher.of(1))
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "alice", "bob")
    path = site.kit(roots=publisher.roots)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    before = site.files()
    assert code(site.accept(path)) == "seek-table-mismatch"
    assert site.files() == before


# --- with extraction -----------------------------------------------------------------------------


def test_members_have_their_name_before_the_kit_is_accepted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin()
    seen: list[bool] = []
    target = site.base / "out"
    real = os.replace

    def watched(source: Any, destination: Any, **where: Any) -> None:
        if os.fsencode(destination).endswith(b"state.json"):
            seen.append(target.is_dir())
        real(source, destination, **where)

    monkeypatch.setattr(os, "replace", watched)
    report = site.accept(site.kit(), extract=target)
    assert (code(report), report.extracted) == ("", os.fspath(target))
    assert seen == [True]


def test_kit_that_cannot_be_extracted_is_not_accepted(site: Site) -> None:
    site.pin()
    (site.base / "out").mkdir()
    assert code(site.accept(site.kit(), extract=site.base / "out")) == "target-exists"
    assert site.sequence() == 0


def test_older_kit_is_not_extracted(site: Site) -> None:
    site.pin()
    site.accept(site.kit(sequence=2))
    assert code(site.accept(site.kit(sequence=1), extract=site.base / "out")) == "kit-older"
    assert sorted(path.name for path in site.base.iterdir()) == ["1.tar.zst", "2.tar.zst", "trust"]


def test_target_that_appears_meanwhile_leaves_the_state_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin()
    real = Host.accept

    def late(self: Host, opened: Any, finish: Any) -> None:
        (site.base / "out").mkdir()
        real(self, opened, finish)

    monkeypatch.setattr(Host, "accept", late)
    assert code(site.accept(site.kit(), extract=site.base / "out")) == "target-exists"
    assert site.sequence() == 0
    assert sorted(site.files()) == [".lock", "root.json", "state.json"]


def test_members_that_fail_to_get_their_name_are_never_accepted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the policy lets a kit pass that is not recorded."""
    site.pin(policy=policy(state="optional"))

    def failing(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("verifier.extract.Extraction.finish", failing)
    report = site.accept(site.kit(), extract=site.base / "out")
    assert (code(report), int(report.status)) == ("trust-unwritable", 3)
    assert site.sequence() == 0


# --- others at the same time ---------------------------------------------------------------------


def while_proving(site: Site, monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Have ``work`` done after a kit is proved and before it is accepted."""
    real = Host.accept

    def late(self: Host, opened: Any, finish: Any) -> None:
        monkeypatch.setattr(Host, "accept", real)
        work()
        real(self, opened, finish)

    monkeypatch.setattr(Host, "accept", late)


def test_newer_kit_that_was_accepted_meanwhile_wins(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin()
    newer = site.kit(sequence=2)
    while_proving(site, monkeypatch, lambda: site.accept(newer))
    report = site.accept(site.kit(sequence=1), extract=site.base / "out")
    assert code(report) == "kit-older"
    assert site.sequence() == 2
    assert not (site.base / "out").exists()


def test_signer_who_was_revoked_meanwhile_does_not_count(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    roots = [*publisher.roots]
    publisher.rotate(lambda s: seat_all(s, "alice", "carol", threshold=2), "alice", "bob", "carol")
    while_proving(site, monkeypatch, lambda: site.update(publisher.roots))
    assert code(site.accept(site.kit(roots=roots))) == "threshold-not-met"
    assert site.sequence() == 0


def test_policy_that_came_meanwhile_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pin(policy=policy())
    tighter = policy(otherLines="refuse")
    while_proving(site, monkeypatch, lambda: site.update(Publisher().roots, tighter))
    assert code(site.accept(site.kit())) == "line-refused"


@pytest.mark.slow
def test_many_accepts_at_once_leave_the_highest(site: Site) -> None:
    """Real processes, no order: whoever comes late with an older kit is refused."""
    site.pin()
    kits = [site.kit(sequence=number) for number in range(1, 9)]
    waiting, go = os.pipe()

    def accepting(kit: Path) -> Callable[[], None]:
        def work() -> None:
            os.close(go)
            os.read(waiting, 1)  # until nobody holds the other end: all begin at once
            with open(f"{kit}.said", "w", encoding="utf-8") as out, redirect_stdout(out):
                status = cli.main(["accept", os.fspath(kit), "--trust", os.fspath(site.trust)])
            os._exit(status)

        return work

    running = [fork(accepting(kit)) for kit in kits]
    os.close(go)
    statuses = [ended(child) for child in running]
    os.close(waiting)
    said = [Path(f"{kit}.said").read_text("utf-8") for kit in kits]
    assert set(statuses) <= {0, 4}, said
    assert statuses[-1] == 0
    assert site.sequence() == 8
    assert all("kit-older" in text for text, status in zip(said, statuses, strict=True) if status)
    assert sorted(site.files()) == [".lock", "root.json", "state.json"]


def test_lock_that_cannot_be_had_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pin()
    monkeypatch.setattr("verifier._compat.lock", lambda descriptor, wait: False)
    report = site.accept(site.kit())
    assert (code(report), int(report.status)) == ("trust-busy", 3)


# --- a host that cannot write --------------------------------------------------------------------


def read_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the right to write; of the administrator too, who has it whatever the mode is."""
    if not AS_ROOT:
        site.trust.chmod(0o555)
        (site.trust / ".lock").unlink(missing_ok=True)
        return
    real = os.open

    def refusing(path: Any, flags: int, *more: Any, dir_fd: int | None = None) -> int:
        place = path if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
        if flags & os.O_CREAT and os.fsdecode(place).startswith(os.fspath(site.trust)):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *more, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize("extract", [False, True])
def test_memory_that_must_be_written_and_cannot_is_undecided(
    site: Site, monkeypatch: pytest.MonkeyPatch, extract: bool
) -> None:
    site.pin()
    kit = site.kit()
    read_only(site, monkeypatch)
    report = site.accept(kit, extract=site.base / "out" if extract else None)
    assert (code(report), int(report.status)) == ("state-unwritable", 3)
    assert not (site.base / "out").exists()
    site.trust.chmod(0o755)
    assert site.sequence() == 0


def test_memory_that_may_stay_unwritten_is_reported(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin(policy=policy(state="optional"))
    kit = site.kit()
    read_only(site, monkeypatch)
    report = site.accept(kit)
    assert (code(report), host_of(report).outcome) == ("", "not recorded")
    assert "accepted and NOT remembered, as the policy allows: Permission denied" in (
        render_text(report)
    )
    assert report_value(report)["trust"]["notRecordedBecause"] == "Permission denied"
    Draft202012Validator(SCHEMAS["report"]).validate(report_value(report))


def test_read_only_file_system_needs_no_write_to_look(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin()
    kit = site.kit()
    read_only(site, monkeypatch)
    assert code(site.look(kit)) == ""


@pytest.mark.parametrize("size", [0, 1, 90])
def test_full_disk_leaves_the_old_memory(site: Site, size: int) -> None:
    resource = pytest.importorskip("resource", reason="not run: this host has no limits")
    site.pin()
    kit = site.kit()
    before = {name: data for name, data in site.files().items() if name != ".lock"}

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        report = site.accept(kit)
        assert code(report) == "state-unwritable", code(report)

    assert ended(fork(work)) == 0
    assert {name: data for name, data in site.files().items() if name != ".lock"} == before
    assert code(site.accept(kit)) == ""


def test_part_of_a_kit_cannot_be_accepted_by_our_own_mistake(site: Site) -> None:
    site.pin()
    host = Host(site.directory, CLOCK, "0.1.0")
    for part in (Job(only=("tools",)), Job(quick=True), Job(stop_after="index")):
        with pytest.raises(ValueError, match="in full"):
            run(os.fspath(site.kit()), part, host=host, accept=True)


# --- what it costs those who do not use it -------------------------------------------------------


def test_usual_verify_imports_nothing_of_the_host(site: Site) -> None:
    """A zipapp compiles what it imports, on every run."""
    program = f"""import sys; sys.path.insert(0, {os.fspath(REPOSITORY)!r})
from verifier.cli import main
status = main(sys.argv[1:])
print(status, [name for name in sys.modules if name.startswith("verifier.host")])"""
    command = [sys.executable, "-I", "-c", program, "verify", "--quiet", os.fspath(site.kit())]
    command += ["--root", os.fspath(ROOT_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n", done.stderr


# --- what is said --------------------------------------------------------------------------------


def every_kind_of_report(site: Site) -> list[Report]:
    strict = policy(
        otherLines="refuse",
        lines=rules(
            signerSets=[
                {"name": "builder", "of": ["alice"], "threshold": 1},
                {"name": "security", "of": ["carol"], "threshold": 1},
            ]
        ),
        overrides=[override("signer-set-unmet")],
    )
    site.pin(policy=strict)
    kits = [site.kit(sequence=2), site.kit(sequence=1), site.kit("x", line="other/line")]
    reports = [site.look(kits[0]), site.accept(kits[0]), site.accept(kits[0])]
    reports += [site.accept(kit) for kit in kits[1:]]
    (site.trust / "state.json").write_bytes(b"?")
    return [*reports, site.look(kits[0])]


def test_every_report_has_the_shape_of_the_schema(site: Site) -> None:
    validator = Draft202012Validator(SCHEMAS["report"])
    found = set()
    for report in every_kind_of_report(site):
        value = report_value(report)
        validator.validate(value)
        found.add((value["verdict"], value["trust"]["freshness"]["decision"]))
        text = render_text(report)
        if value["verdict"] != "verified":
            assert "verified" not in text.lower().replace("not verified", "")
            assert not re.search(r"\bok\b", text, re.I)
    assert found == {
        ("verified", "first"),
        ("verified", "same"),
        ("rejected", "older"),
        ("rejected", "first"),
        ("undecided", "unknown"),
    }


def test_report_names_signers_policy_and_what_it_let_pass(site: Site) -> None:
    report = every_kind_of_report(site)[0]
    value = report_value(report)
    assert [item["signer"] for item in value["signatures"]["valid"]] == ["alice", "bob"]
    digests = [item["fingerprint"] for item in value["signatures"]["valid"]]
    text = render_text(report)
    assert all(digest in text for digest in digests)
    assert "signer set 'builder': alice (threshold 1, met)" in text
    assert "signer set 'security': nobody (threshold 1, NOT met)" in text
    assert "(let pass by override 'let signer-set-unmet pass': a test)" in text
    assert f"policy 'tried', SHA-256 {value['trust']['policy']['sha256']}, this host's own" in text
    assert "root of trust: version 1, as pinned" in text


def test_fingerprint_is_that_of_openssl(site: Site, judge: Any) -> None:
    """The digest of the key as SubjectPublicKeyInfo in DER, which any tool makes of a key file."""
    openssl = judge("openssl")
    site.pin()
    value = report_value(site.look(site.kit()))
    for item in value["signatures"]["valid"]:
        private = REPOSITORY / "fixtures" / "keys" / f"{item['signer']}.pem"
        command = [openssl, "pkey", "-in", private, "-pubout", "-outform", "DER"]
        der = subprocess.run(command, capture_output=True, check=True).stdout
        assert hashlib.sha256(der).hexdigest() == item["fingerprint"]


# --- the receipt ---------------------------------------------------------------------------------


def receipt_validator() -> Draft202012Validator:
    registry = Registry([(value["$id"], value) for value in SCHEMAS.values()])
    return Draft202012Validator(SCHEMAS["receipt"], registry=registry)


def test_receipt_is_a_statement_about_the_kit_and_the_same_again(site: Site) -> None:
    site.pin()
    report = site.look(site.kit())
    data = receipt_bytes(report, CLOCK)
    statement = json.loads(data)
    receipt_validator().validate(statement)
    assert {item["name"]: item["digest"]["sha256"] for item in statement["subject"]} == {
        "kitId": report.opened.kit_id,
        "contentId": report.opened.content_id,
    }
    assert statement["predicate"]["at"] == "2026-11-25T00:00:00Z"
    again = Site(site.base / "elsewhere")
    again.base.mkdir()
    again.pin()
    assert receipt_bytes(again.look(again.kit()), CLOCK) == data
    assert data == json.dumps(statement, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_receipt_report_has_the_shape_of_a_report(site: Site) -> None:
    site.pin()
    inner = json.loads(receipt_bytes(site.accept(site.kit()), CLOCK))["predicate"]["report"]
    Draft202012Validator(SCHEMAS["report"]).validate(
        {**inner, "extractedTo": None, "noted": [], "decoder": None}
    )


def kit_verify(*arguments: Any) -> int:
    return cli.main([os.fspath(item) for item in arguments])


def test_receipt_is_written_for_what_is_proved_only(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.pin()
    path = site.base / "receipt.json"
    more = ("--trust", site.trust, "--receipt", path, "--quiet")
    forged = site.base / "forged.tar.zst"
    forged.write_bytes(make_kit_bytes(signers=("alice",)))
    assert kit_verify("accept", forged, *more) == 4
    assert not path.exists()
    assert kit_verify("accept", site.kit(), *more) == 0
    assert json.loads(path.read_bytes())["predicate"]["report"]["trust"]["outcome"] == "accepted"
    assert kit_verify("verify", site.kit(), *more) == 2, "a receipt is never overwritten"
    assert "is there already" in capsys.readouterr().err


def test_receipt_is_not_written_over_the_kit(site: Site) -> None:
    site.pin()
    kit = site.kit()
    before = kit.read_bytes()
    assert kit_verify("verify", kit, "--trust", site.trust, "--receipt", kit) == 2
    assert kit.read_bytes() == before


def test_no_receipt_without_a_proof(site: Site) -> None:
    site.pin()
    report = site.look(site.base / "nothing")
    with pytest.raises(ValueError, match="proved"):
        receipt_bytes(report, CLOCK)


def test_receipt_that_cannot_be_written_is_said(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.pin()
    kit = site.kit()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verifier.host.files.prepare", full)
    receipt = site.base / "receipt.json"
    assert kit_verify("verify", kit, "--trust", site.trust, "--receipt", receipt) == 3
    assert "error[receipt-unwritable]" in capsys.readouterr().out


def test_errors_of_the_host_are_of_its_tree(site: Site) -> None:
    with pytest.raises(KitError):
        site.look(site.base / "nothing")
