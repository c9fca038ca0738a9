"""Attacks on a host that has accepted kits: each is refused, and each refusal has its way back.

In the manner of python-tuf's simulator: kits and roots are made in memory, the attack is what the
attacker would hand over, and the host is a real trust directory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosting import (
    CLOCK,
    LINE,
    Site,
    binding,
    code,
    make_kit_bytes,
    moment,
    notices,
    override,
    policy,
    rules,
)
from tests.support.simulator import Publisher, seat_all
from verifier import cli
from verifier.core.limits import MAX_SEQUENCE
from verifier.host.errors import TrustMissing
from verifier.show.report import render_text

RESETS = "x-offline-kit-reset-lines"
YEAR = 365 * 86_400


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# --- rollback ------------------------------------------------------------------------------------


def test_replayed_older_kit_is_refused_and_looking_says_so_too(site: Site) -> None:
    site.pin()
    old, new = site.kit(sequence=3), site.kit(sequence=4)
    assert [code(site.accept(kit)) for kit in (old, new)] == ["", ""]
    before = site.files()
    for report in (site.look(old), site.accept(old)):
        assert code(report) == "kit-older"
        assert int(report.status) == 4
        assert report.opened.index is None, "nothing behind the head is read"
    assert site.files() == before
    assert code(site.look(new)) == ""


def test_way_back_to_an_older_kit_is_recorded(site: Site) -> None:
    site.pin()
    old = site.kit(sequence=3)
    site.accept(site.kit(sequence=4))
    site.directory.reset(LINE, "release 4 broke the printer", site.clock)
    assert code(site.accept(old)) == ""
    assert site.sequence() == 3
    assert [(r.sequence, r.reason) for r in site.state.resets] == [
        (4, "release 4 broke the printer")
    ]


def test_downgrade_that_the_policy_allows_is_reported_and_lowers_nothing(site: Site) -> None:
    site.pin(policy=policy(downgrade="allow"))
    site.accept(site.kit(sequence=4))
    report = site.accept(site.kit(sequence=3))
    assert (code(report), notices(report)) == ("", {"kit-older": "downgrade: allow"})
    assert site.sequence() == 4


def test_gaps_are_normal(site: Site) -> None:
    site.pin()
    for sequence in (1, 7, 8, 1000):
        assert code(site.accept(site.kit(sequence=sequence))) == ""


# --- two kits of one number ----------------------------------------------------------------------


def test_second_kit_of_a_sequence_is_refused(site: Site) -> None:
    site.pin()
    first, second = site.kit("a", sequence=4), site.kit("b", sequence=4, summary="another")
    site.accept(first)
    assert code(site.accept(second)) == "kit-equivocation"
    assert code(site.accept(first)) == "", "the same kit again is no news"
    assert site.look(first).host.outcome == "looked"  # type: ignore[union-attr]


def test_override_names_the_right_one_of_two(site: Site) -> None:
    site.pin()
    first, second = site.kit("a", sequence=4), site.kit("b", sequence=4, summary="another")
    site.accept(first)
    right = site.look(second).opened.kit_id
    item = override("kit-equivocation", kitId=right)
    (site.trust / "policy.json").write_bytes(policy(overrides=[item]))
    assert code(site.accept(second)) == ""
    assert site.state.lines[LINE].kit_id == right
    assert code(site.accept(first)) == "kit-equivocation"


# --- fast-forward --------------------------------------------------------------------------------


def test_fast_forward_to_the_cap_has_two_ways_back(site: Site) -> None:
    """Who once stole enough keys can use up all numbers; both ways back are recorded."""
    publisher = Publisher()
    site.pin(publisher.of(1))
    assert code(site.accept(site.kit(sequence=MAX_SEQUENCE))) == ""
    good = site.kit(sequence=5)
    assert code(site.accept(good)) == "kit-older"
    site.directory.reset(LINE, "keys were stolen", site.clock)
    assert code(site.accept(good)) == ""

    site.accept(site.kit("forward", sequence=MAX_SEQUENCE))
    publisher.rotate(lambda s: s.update({RESETS: {LINE: 2}}), "alice", "bob")
    after = site.kit("after", sequence=6, roots=publisher.roots)
    report = site.accept(after)
    assert code(report) == ""
    assert report.host.judgement.resets == (LINE,)  # type: ignore[union-attr]
    assert site.sequence() == 6
    assert [item.by for item in site.state.resets] == ["operator", "root 2"]
    assert code(site.accept(site.kit("again", sequence=5, roots=publisher.roots))) == "kit-older"


@pytest.mark.parametrize("sequence", [0, MAX_SEQUENCE + 1, 2**53 - 1, True, "7"])
def test_number_beyond_the_cap_is_no_kit(site: Site, sequence: Any) -> None:
    site.pin()
    assert code(site.accept(site.kit("x", sequence=sequence))) == "manifest-malformed"
    assert site.state.lines == {}


# --- another line --------------------------------------------------------------------------------


def test_kit_of_another_product_is_refused(site: Site) -> None:
    site.pin(policy=policy(otherLines="refuse", lines=rules()))
    other = site.kit(line="other/stable")
    assert code(site.accept(other)) == "line-refused"
    assert site.state.lines == {}


def test_lines_are_remembered_apart(site: Site) -> None:
    site.pin()
    site.accept(site.kit(sequence=9))
    assert code(site.accept(site.kit("b", sequence=2, line="other/stable"))) == ""
    assert {line: item.sequence for line, item in site.state.lines.items()} == {
        LINE: 9,
        "other/stable": 2,
    }


@pytest.mark.parametrize("command", ["verify", "list", "inspect", "accept"])
def test_expected_line_is_held_to(
    site: Site, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.pin()
    arguments = [command, os.fspath(site.kit()), "--trust", os.fspath(site.trust)]
    assert cli.main([*arguments, "--expect-line", LINE]) == 0
    assert cli.main([*arguments, "--expect-line", "other/stable"]) == 4
    assert "error[unexpected-kit]" in capsys.readouterr().out
    assert cli.main([*arguments, "--expect-line", "No Line"]) == 2


# --- clock games ---------------------------------------------------------------------------------

AGED = policy(lines=rules(maximumAgeDays=90))


@pytest.mark.parametrize("clock", ["1970-01-01", "2026-11-20", "2099-01-01"])
def test_clock_alone_refuses_nothing(site: Site, clock: str) -> None:
    site.pin()
    report = site.accept(site.kit(), clock=moment(clock))
    assert code(report) == ""
    assert notices(report) == (
        {"root-expired": "rootExpiry: report"} if clock > "2040" else {"clock-differs": ""}
    )


def test_clock_behind_is_noted_from_the_second_day_on(site: Site) -> None:
    site.pin()
    kit = site.kit()
    assert notices(site.look(kit, clock=moment("2026-11-23"))) == {}
    assert notices(site.look(kit, clock=moment("2026-11-23") - 1)) == {"clock-differs": ""}


def test_kit_dated_2099_does_not_brick_its_line(site: Site) -> None:
    site.pin(policy=AGED)
    (site.trust / "policy.json").write_bytes(
        policy(lines=rules(maximumAgeDays=90), overrides=[override("clock-differs")])
    )
    assert code(site.accept(site.kit(sequence=1, created="2099-01-01T00:00:00Z"))) == ""
    assert site.state.lines[LINE].last_seen == CLOCK
    assert code(site.accept(site.kit(sequence=2))) == ""


def test_battery_dated_2099_does_not_brick_a_line(site: Site) -> None:
    site.pin()
    site.accept(site.kit(sequence=1), clock=moment("2099-01-01"))
    assert site.state.lines[LINE].last_seen == moment("2026-11-24")
    assert code(site.accept(site.kit(sequence=2))) == ""


def test_clock_moved_back_does_not_lower_what_was_seen(site: Site) -> None:
    site.pin(policy=policy(rootExpiry="enforce"))
    site.accept(site.kit(sequence=1))
    report = site.look(site.kit(sequence=1), clock=0)
    assert report.host.judgement.now == moment("2026-11-24")  # type: ignore[union-attr]
    site.accept(site.kit(sequence=2, created="2026-11-24T00:00:01Z"), clock=0)
    assert site.state.lines[LINE].last_seen == moment("2026-11-24")


@pytest.mark.parametrize("clock", [-5, 0, 253_402_300_799, 2**60])
def test_any_clock_can_be_told(site: Site, clock: int) -> None:
    site.pin(policy=AGED)
    assert code(site.look(site.kit(), clock=clock)) in {"clock-differs", "kit-stale"}
    assert code(site.accept(site.kit(), clock=clock)) in {"clock-differs", "kit-stale"}


@pytest.mark.parametrize("clock", [-5, 0, 253_402_300_799, 2**60])
def test_what_any_clock_says_can_be_written_and_read(site: Site, clock: int) -> None:
    site.pin()
    assert code(site.accept(site.kit(), clock=clock)) == ""
    assert site.sequence() == 1
    assert code(site.accept(site.kit(sequence=2))) == ""


# --- freeze --------------------------------------------------------------------------------------


def test_freeze_is_noticed_by_age(site: Site) -> None:
    """Somebody keeps newer kits back: the same good kit is shown again and again."""
    site.pin(policy=AGED)
    kit = site.kit()
    assert code(site.accept(kit)) == ""
    ninety = moment("2026-11-24") + 90 * 86_400
    assert code(site.look(kit, clock=ninety)) == ""
    report = site.look(kit, clock=ninety + 1)
    assert (code(report), int(report.status)) == ("kit-stale", 3)


def test_age_that_accepted_kits_prove_is_a_rejection(site: Site) -> None:
    site.pin(policy=AGED)
    site.accept(site.kit(sequence=1))
    stale = site.kit(sequence=2, created="2026-08-01T00:00:00Z")
    report = site.accept(stale, clock=moment("2026-08-02"))
    assert (code(report), int(report.status)) == ("kit-too-old", 4)
    site.directory.reset(LINE, "the date was wrong", site.clock)
    assert code(site.accept(stale, clock=moment("2026-08-02"))) == ""


def test_dead_clock_cannot_hide_a_freeze(site: Site) -> None:
    """A limit on age cannot be judged by a clock that is known to be behind."""
    site.pin(policy=AGED)
    kit = site.kit()
    assert code(site.look(kit, clock=0)) == "clock-differs"
    assert int(site.look(kit, clock=0).status) == 3


# --- an expired root -----------------------------------------------------------------------------


def expired(site: Site, **fields: Any) -> Publisher:
    publisher = Publisher()
    publisher.rotate(lambda s: s.update(expires="2026-11-25T00:00:00Z"), "alice", "bob")
    site.pin(publisher.of(2), policy(**fields))
    return publisher


def test_expired_root_is_reported_and_named_as_let_pass(site: Site) -> None:
    publisher = expired(site)
    kit = site.kit(roots=publisher.roots)
    assert notices(site.look(kit)) == {"root-expired": "rootExpiry: report"}
    assert notices(site.look(kit, clock=CLOCK - 1)) == {}, "good until that moment, as in TUF"


def test_enforced_expiry_strands_nobody(site: Site) -> None:
    publisher = expired(site, rootExpiry="enforce")
    old = site.kit(roots=publisher.roots)
    report = site.accept(old)
    assert (code(report), int(report.status)) == ("root-expired", 3)

    # an override of the host's own policy
    item = override("root-expired")
    (site.trust / "policy.json").write_bytes(policy(rootExpiry="enforce", overrides=[item]))
    assert code(site.look(old)) == ""
    (site.trust / "policy.json").write_bytes(policy(rootExpiry="enforce"))

    # a kit that brings a newer root, although the pinned one has expired
    publisher.rotate(lambda s: s.update(expires="2027-11-25T00:00:00Z"), "alice", "bob")
    assert code(site.accept(site.kit("b", sequence=2, roots=publisher.roots))) == ""
    assert site.directory.load().root.version == 3


def test_enforced_expiry_by_a_wrong_date_goes_with_a_reset(site: Site) -> None:
    """What was seen is too late, since kit and clock were dated 2041 once: forget it."""
    site.pin(policy=policy(rootExpiry="report"))
    late = moment("2041-01-01")
    site.accept(site.kit(sequence=1, created="2041-01-01T00:00:00Z"), clock=late)
    (site.trust / "policy.json").write_bytes(policy(rootExpiry="enforce"))
    kit = site.kit(sequence=2)
    assert code(site.look(kit)) == "root-expired"
    site.directory.reset(LINE, "clock and kit were dated 2041", site.clock)
    assert code(site.accept(kit)) == ""


# --- roots ---------------------------------------------------------------------------------------


def test_revoked_signer_is_refused_once_the_root_was_seen(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    stolen = site.kit("stolen", sequence=9, signers=("alice", "bob"))
    assert code(site.look(stolen)) == ""
    publisher.rotate(lambda s: seat_all(s, "alice", "carol", threshold=2), "alice", "bob", "carol")
    fresh = site.kit("fresh", sequence=1, signers=("alice", "carol"), roots=publisher.roots)
    assert code(site.accept(fresh)) == ""
    assert site.directory.load().root.version == 2
    assert code(site.look(stolen)) == "threshold-not-met"
    again = site.kit("again", sequence=9, roots=publisher.roots)
    assert code(site.accept(again)) == "threshold-not-met"


def test_old_root_put_back_is_noticed(site: Site) -> None:
    """A backup brings root.json back and not state.json: revoked keys would count again."""
    publisher = Publisher()
    site.pin(publisher.of(1))
    first = (site.trust / "root.json").read_bytes()
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "alice", "bob")
    site.accept(site.kit(sequence=1, roots=publisher.roots))
    (site.trust / "root.json").write_bytes(first)
    report = site.look(site.kit("b", sequence=2))
    assert (code(report), int(report.status)) == ("root-older", 3)
    assert code(site.accept(site.kit("c", sequence=2, roots=publisher.roots))) == ""


def test_looking_does_not_keep_a_newer_root(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "alice", "bob")
    before = site.files()
    report = site.look(site.kit(roots=publisher.roots))
    assert report.effective is not None
    assert report.effective.version == 2
    assert site.files() == before


# --- policy and root -----------------------------------------------------------------------------


def test_policy_swapped_without_its_root_is_undecided(site: Site) -> None:
    publisher = Publisher()
    strict = policy("strict", lines=rules(maximumAgeDays=30))
    bound = publisher.rotate(lambda s: s.update(binding(strict)), "alice", "bob")
    site.pin(bound, strict)
    kit = site.kit(roots=publisher.roots)
    assert code(site.look(kit)) == ""
    (site.trust / "policy.json").write_bytes(policy("loose"))
    for report in (site.look(kit), site.accept(kit)):
        assert (code(report), int(report.status)) == ("policy-mismatch", 3)
    (site.trust / "policy.json").unlink()
    assert code(site.look(kit)) == "policy-missing"
    assert site.state.lines == {}


def test_root_that_a_kit_brings_needs_its_policy_too(site: Site) -> None:
    """Else a kit could bring a root that is older in spirit: with no rules at all."""
    publisher = Publisher()
    site.pin(publisher.of(1), policy("old"))
    publisher.rotate(lambda s: s.update(binding(policy("new"))), "alice", "bob")
    kit = site.kit(roots=publisher.roots)
    assert code(site.accept(kit)) == "policy-mismatch"
    assert site.directory.load().root.version == 1
    site.update(publisher.roots, policy("new"))
    assert code(site.accept(kit)) == ""


# --- a memory that is gone -----------------------------------------------------------------------

SPOILED = {"missing": None, "empty": b"", "cut off": b'{"forgottenResets":0', "zeros": bytes(91)}


@pytest.mark.parametrize("data", SPOILED.values(), ids=SPOILED)
def test_lost_memory_is_undecided_and_has_its_way_back(site: Site, data: bytes | None) -> None:
    site.pin()
    site.accept(site.kit(sequence=4))
    spoil(site, data)
    old = site.kit(sequence=3)
    expected = "state-missing" if data is None else "state-corrupt"
    for report in (site.look(old), site.accept(old)):
        assert (code(report), int(report.status)) == (expected, 3)
        assert report.host.judgement.freshness == "unknown"  # type: ignore[union-attr]
    site.directory.reset(LINE, "the disk failed", site.clock)
    assert code(site.accept(old)) == ""
    assert [item.line for item in site.state.resets] == ["*", LINE]


@pytest.mark.parametrize("data", SPOILED.values(), ids=SPOILED)
def test_memory_that_may_be_lost_begins_anew_and_the_report_says_so(
    site: Site, data: bytes | None
) -> None:
    site.pin(policy=policy(state="optional"))
    site.accept(site.kit(sequence=4))
    spoil(site, data)
    report = site.accept(site.kit(sequence=3))
    expected = "state-missing" if data is None else "state-corrupt"
    assert (code(report), notices(report)) == ("", {expected: "state: optional"})
    assert site.sequence() == 3
    assert [item.by for item in site.state.resets] == ([] if data is None else ["policy"])


def spoil(site: Site, data: bytes | None) -> None:
    path = site.trust / "state.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
        path.chmod(0o600)


def test_directory_that_is_gone_is_no_fresh_host(site: Site) -> None:
    with pytest.raises(TrustMissing):
        site.accept(site.kit())


# --- looking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["verify", "list", "inspect"])
def test_looking_writes_nothing(
    site: Site, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.pin(policy=policy())
    (site.trust / ".lock").unlink()
    before = {path: path.stat().st_mtime_ns for path in [site.trust, *site.trust.iterdir()]}
    kit = os.fspath(site.kit())
    assert cli.main([command, kit, "--trust", os.fspath(site.trust)]) == 0
    assert before == {p: p.stat().st_mtime_ns for p in [site.trust, *site.trust.iterdir()]}


def test_list_names_what_was_let_pass_too(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.pin(policy=policy(downgrade="allow"))
    site.accept(site.kit(sequence=2))
    old = os.fspath(site.kit(sequence=1))
    assert cli.main(["list", old, "--trust", os.fspath(site.trust)]) == 0
    said = capsys.readouterr()
    assert "note" not in said.out
    assert said.err.startswith("note: kit-older: sequence 1 of line 'vectors/stable'")
    assert said.err.endswith("(let pass by downgrade: allow)\n")


def test_nothing_is_said_of_a_kit_that_nobody_signed(site: Site) -> None:
    site.pin()
    path = site.base / "forged.tar.zst"
    path.write_bytes(make_kit_bytes(signers=("mallory",)))
    report = site.look(path)
    assert code(report) == "threshold-not-met"
    assert report.host is not None
    assert report.host.judgement is None


# --- replay after a reset ------------------------------------------------------------------------


def reset_by_root(site: Site) -> Publisher:
    """Return a publisher whose second root resets the line; the first root is pinned."""
    publisher = Publisher()
    site.pin(publisher.of(1))
    publisher.rotate(lambda s: s.update({RESETS: {LINE: 2}}), "alice", "bob")
    return publisher


def test_what_was_made_before_a_publisher_reset_stays_old(site: Site) -> None:
    """A kit of sequence 5 under root 1 must not count as newer than sequence 1 under root 2."""
    publisher = reset_by_root(site)
    old = site.kit("old", sequence=5, roots=publisher.roots[:1])
    assert code(site.accept(site.kit(sequence=4))) == ""
    assert code(site.accept(site.kit("new", sequence=1, roots=publisher.roots))) == ""
    before = site.files()
    for report in (site.look(old), site.accept(old)):
        assert code(report) == "kit-older"
        assert "version 2 let the line start anew" in str(report.error)
    assert site.files() == before
    assert code(site.accept(site.kit("next", sequence=2, roots=publisher.roots))) == ""


@pytest.mark.parametrize("version", [2, 3])
def test_a_host_that_begins_after_a_reset_knows_of_it_too(site: Site, version: int) -> None:
    """It pins root 2 or 3 and has seen no kit: an old one does not come in first."""
    publisher = Publisher()
    publisher.rotate(lambda s: s.update({RESETS: {LINE: 2}}), "alice", "bob")
    publisher.rotate(lambda s: s.update(expires="2041-01-01T00:00:00Z"), "alice", "bob")
    site.pin(publisher.of(version))
    old = site.kit("old", sequence=5, roots=publisher.roots[:1])
    report = site.accept(old)
    assert code(report) == "kit-older"
    assert "OLDER; its line started anew with version 2" in render_text(report)
    assert code(site.accept(site.kit("new", sequence=1, roots=publisher.roots[:2]))) == ""


def test_an_update_of_the_root_alone_leaves_the_floor(site: Site) -> None:
    publisher = reset_by_root(site)
    site.update(publisher.roots)
    assert code(site.accept(site.kit("old", sequence=5, roots=publisher.roots[:1]))) == "kit-older"


def test_other_lines_have_no_floor(site: Site) -> None:
    publisher = reset_by_root(site)
    site.update(publisher.roots)
    kit = site.kit("other", sequence=5, line="other/line", roots=publisher.roots[:1])
    assert code(site.accept(kit)) == ""


def test_an_old_kit_that_the_policy_lets_pass_does_not_close_the_line(site: Site) -> None:
    publisher = reset_by_root(site)
    site.update(publisher.roots)
    (site.trust / "policy.json").write_bytes(policy(downgrade="allow"))
    report = site.accept(site.kit("old", sequence=5, roots=publisher.roots[:1]))
    assert (code(report), notices(report)) == ("", {"kit-older": "downgrade: allow"})
    assert report.host is not None
    assert report.host.outcome == "not recorded"
    assert code(site.accept(site.kit("new", sequence=1, roots=publisher.roots))) == ""
    assert site.sequence() == 1


def test_a_state_from_a_backup_does_not_undo_a_reset(site: Site) -> None:
    """The memory is of before the reset, and the root of after it."""
    publisher = reset_by_root(site)
    site.accept(site.kit(sequence=900))
    backup = (site.trust / "state.json").read_bytes()
    site.update(publisher.roots)
    (site.trust / "state.json").write_bytes(backup)
    assert code(site.accept(site.kit("new", sequence=1, roots=publisher.roots))) == ""


def kit_id(site: Site, kit: Path) -> str:
    found = site.look(kit).opened.kit_id
    assert found is not None
    return found


def test_a_reset_by_hand_names_what_is_taken_first(site: Site) -> None:
    """A kit of 900 was a mistake; the publisher goes on from 10, and 900 must not come back."""
    site.pin()
    mistake = site.kit("mistake", sequence=900)
    wanted = site.kit("wanted", sequence=10, created="2026-11-25T00:00:00Z")
    between = site.kit("between", sequence=800, created="2026-11-24T12:00:00Z")
    after = site.kit("after", sequence=11, created="2026-11-25T01:00:00Z")
    site.accept(mistake)
    site.directory.reset(LINE, "900 was a mistake", site.clock, take=kit_id(site, wanted))
    for kit in (mistake, between, after):
        report = site.accept(kit)
        assert (code(report), int(report.status)) == ("kit-not-awaited", 4)
    report = site.accept(wanted)
    assert code(report) == ""
    assert "the kit that was named when its line was reset" in render_text(report)
    for kit in (mistake, between):
        report = site.accept(kit)
        assert code(report) == "kit-older"
        assert "the line began anew at 2026-11-25T00:00:00Z" in str(report.error)
    assert code(site.accept(after)) == ""
    assert code(site.accept(mistake)) == "kit-older", "the floor outlives the next kit"


def test_an_awaited_kit_can_be_named_anew_or_by_nobody(site: Site) -> None:
    site.pin()
    kit = site.kit(sequence=3)
    site.accept(kit)
    site.directory.reset(LINE, "typed wrongly", site.clock, take="0" * 64)
    assert code(site.look(kit)) == "kit-not-awaited"
    site.directory.reset(LINE, "typed rightly", site.clock, take=kit_id(site, kit))
    assert code(site.look(kit)) == ""
    site.directory.reset(LINE, "anything", site.clock)
    assert code(site.accept(kit)) == ""


def test_a_publisher_reset_ends_the_waiting(site: Site) -> None:
    publisher = reset_by_root(site)
    site.accept(site.kit(sequence=3))
    site.directory.reset(LINE, "wait for what never comes", site.clock, take="0" * 64)
    assert code(site.accept(site.kit("new", sequence=1, roots=publisher.roots))) == ""


# --- one floor of the root for the whole host ----------------------------------------------------


def test_a_root_from_a_backup_lets_no_revoked_signer_back_in_anywhere(site: Site) -> None:
    """bob is revoked in root 2; root.json of version 1 comes back, and a line nobody saw yet."""
    publisher = Publisher()
    site.pin(publisher.of(1))
    backup = (site.trust / "root.json").read_bytes()
    publisher.rotate(lambda s: seat_all(s, "alice", "carol"), "alice", "carol")
    newer = site.kit("newer", signers=("alice", "carol"), roots=publisher.roots)
    assert code(site.accept(newer)) == ""
    (site.trust / "root.json").write_bytes(backup)
    forged = site.kit("forged", sequence=1, line="unseen/line", signers=("alice", "bob"))
    report = site.accept(forged)
    assert (code(report), int(report.status)) == ("root-older", 3)
    assert code(site.accept(newer)) == "", "and the newer root comes back with any kit that has it"
    assert code(site.accept(forged)) == "threshold-not-met"


def test_a_root_that_was_only_updated_to_is_remembered_too(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    backup = (site.trust / "root.json").read_bytes()
    publisher.rotate(lambda s: seat_all(s, "alice", "carol"), "alice", "carol")
    site.update(publisher.roots)
    (site.trust / "root.json").write_bytes(backup)
    assert code(site.look(site.kit(signers=("alice", "bob")))) == "root-older"
    site.directory.reset("*", "the newer root was a mistake", site.clock)
    assert code(site.look(site.kit(signers=("alice", "bob")))) == ""


# --- a clock from before the kit, and dates that are enforced ------------------------------------


@pytest.mark.parametrize("field", ["rootExpiry", "kitExpiry"])
def test_a_clock_from_before_the_kit_decides_no_date(site: Site, field: str) -> None:
    site.pin(policy=policy(**{field: "enforce"}))
    kit = site.kit(expires="2026-11-26T00:00:00Z")
    assert code(site.look(kit, clock=moment("2026-11-25"))) == ""
    report = site.look(kit, clock=moment("2026-11-22"))
    assert (code(report), int(report.status)) == ("clock-differs", 3)


def test_a_clock_a_little_behind_takes_the_date_of_the_kit_as_passed(site: Site) -> None:
    """Time zones are no reason to refuse; but the moment at which the kit was made has passed."""
    publisher = expired(site, rootExpiry="enforce")
    made = "2026-11-25T00:00:01Z"
    kit = site.kit(roots=publisher.roots, created=made)
    assert code(site.look(kit, clock=moment(made) - 3600)) == "root-expired"


def test_a_clock_from_before_the_kit_is_only_noted_where_no_date_counts(site: Site) -> None:
    site.pin(policy=policy(kitExpiry="enforce"))
    assert notices(site.look(site.kit(), clock=moment("2026-11-22"))) == {"clock-differs": ""}
