"""The trust directory: who may have written it, and how it is made, shown and changed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.hosting import Site, binding, code, make_kit_bytes, policy
from tests.support.killing import ended, fork
from tests.support.making import ROOT_FILE
from tests.support.people import chain, root_line
from tests.support.simulator import Publisher, seat_all
from tests.support.together import together
from verifier import _compat, cli
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.rootchain import follow
from verifier.core.trust import parse_chain
from verifier.host.directory import TrustDirectory
from verifier.host.errors import (
    FingerprintMismatch,
    PolicyMismatch,
    PolicyMissing,
    TrustExists,
    TrustMissing,
    TrustUnsafe,
)
from verifier.host.fingerprint import check_fingerprint
from verifier.host.state import State

DIGEST = hashlib.sha256(ROOT_FILE.read_bytes()).hexdigest()
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def longer() -> Publisher:
    """Return a publisher with four roots of the same people."""
    publisher = Publisher()
    for _ in range(3):
        publisher.rotate(lambda s: s.update(note=s["version"]), "alice", "bob")
    return publisher


# --- the number from another channel -------------------------------------------------------------

SPELLED = [
    DIGEST,
    DIGEST.upper(),
    " ".join(DIGEST[i : i + 4] for i in range(0, 64, 4)),
    "\n".join(DIGEST[i : i + 32] for i in range(0, 64, 32)) + "\n",
    ":".join(DIGEST[i : i + 2] for i in range(0, 64, 2)),
    "-".join(DIGEST[i : i + 8] for i in range(0, 64, 8)),
]


@together("text", SPELLED)
def test_number_is_read_in_any_grouping(text: str) -> None:
    check_fingerprint(ROOT_FILE.read_bytes(), text)


@together("at", range(64))
def test_every_digit_is_compared(at: int) -> None:
    other = DIGEST[:at] + ("0" if DIGEST[at] != "0" else "1") + DIGEST[at + 1 :]
    with pytest.raises(FingerprintMismatch) as refused:
        check_fingerprint(ROOT_FILE.read_bytes(), other)
    assert refused.value.status is ExitStatus.REJECTED


@pytest.mark.parametrize(
    "text", ["", DIGEST[:63], DIGEST + "0", DIGEST[:-1] + "g", "sha256:" + DIGEST]
)
def test_what_is_no_number_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        check_fingerprint(ROOT_FILE.read_bytes(), text)


# --- making it -----------------------------------------------------------------------------------


def test_directory_is_made_with_its_modes_whatever_the_umask_is(site: Site) -> None:
    before = os.umask(0o777)
    try:
        site.pin(policy=policy())
    finally:
        os.umask(before)
    assert stat.S_IMODE(site.trust.stat().st_mode) == 0o755
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in site.trust.iterdir()}
    assert {name: mode for name, mode in modes.items() if name != ".lock"} == {
        "root.json": 0o644,
        "policy.json": 0o644,
        "state.json": 0o600,
    }


def test_root_is_kept_as_it_came(site: Site) -> None:
    """Its number is what people compare."""
    data = ROOT_FILE.read_bytes()
    site.directory.make(data, DIGEST, None)
    assert (site.trust / "root.json").read_bytes() == data


def test_wrong_number_makes_nothing(site: Site) -> None:
    with pytest.raises(FingerprintMismatch):
        site.directory.make(ROOT_FILE.read_bytes(), "00" * 32, None)
    assert not site.trust.exists()


def test_root_that_is_none_makes_nothing(site: Site) -> None:
    with pytest.raises(KitError) as refused:
        site.directory.make(b"{}", hashlib.sha256(b"{}").hexdigest(), None)
    assert refused.value.code == "root-invalid"
    assert not site.trust.exists()


def test_pinned_root_is_not_replaced(site: Site) -> None:
    site.pin()
    before = site.files()
    with pytest.raises(TrustExists):
        site.pin()
    assert site.files() == before


def test_policy_without_a_root_is_not_taken_for_granted(site: Site) -> None:
    site.trust.mkdir(0o755)
    (site.trust / "policy.json").write_bytes(policy("left behind"))
    with pytest.raises(TrustExists):
        site.pin()
    site.pin(policy=policy("meant"))
    assert site.directory.load().policy == policy("meant")


def test_memory_is_never_given_up_by_making(site: Site) -> None:
    site.pin()
    site.accept(site.kit(sequence=9))
    (site.trust / "root.json").unlink()
    site.pin()
    assert site.sequence() == 9


def test_root_and_its_policy_are_pinned_together(site: Site) -> None:
    publisher = Publisher()
    bound = publisher.rotate(lambda s: s.update(binding(policy())), "alice", "bob")
    with pytest.raises(PolicyMissing):
        site.pin(bound)
    with pytest.raises(PolicyMismatch):
        site.pin(bound, policy("another"))
    assert not site.trust.exists()
    site.pin(bound, policy())


# --- who may have written it ---------------------------------------------------------------------


def loosen(bits: int, name: str = "") -> Callable[[Path], None]:
    def work(trust: Path) -> None:
        if not hasattr(os, "geteuid"):
            pytest.skip("not run: this host has no owners")
        path = trust / name
        path.chmod(stat.S_IMODE(path.stat().st_mode) | bits)

    return work


def linked(name: str) -> Callable[[Path], None]:
    def work(trust: Path) -> None:
        aside = trust.parent / f"aside-{name}"
        (trust / name).rename(aside)
        (trust / name).symlink_to(aside)

    return work


def is_directory(trust: Path) -> None:
    (trust / "policy.json").unlink()
    (trust / "policy.json").mkdir()


def is_fifo(trust: Path) -> None:
    (trust / "state.json").unlink()
    os.mkfifo(trust / "state.json", 0o600)


def is_linked(trust: Path) -> None:
    trust.rename(trust.parent / "aside")
    trust.symlink_to(trust.parent / "aside")


UNSAFE: dict[str, Callable[[Path], None]] = {
    "directory written by its group": loosen(0o020),
    "directory written by everybody": loosen(0o002),
    "directory is a link": is_linked,
    "root written by its group": loosen(0o020, "root.json"),
    "policy written by everybody": loosen(0o002, "policy.json"),
    "state written by both": loosen(0o022, "state.json"),
    "root is a link": linked("root.json"),
    "policy is a link": linked("policy.json"),
    "state is a link": linked("state.json"),
    "policy is a directory": is_directory,
    "state is a pipe": is_fifo,
}


@pytest.mark.parametrize("spoil", UNSAFE.values(), ids=UNSAFE)
def test_what_others_could_have_written_is_not_believed(
    site: Site, spoil: Callable[[Path], None]
) -> None:
    site.pin(policy=policy())
    kit = site.kit()
    assert code(site.look(kit)) == ""
    spoil(site.trust)
    for work in (site.look, site.accept):
        with pytest.raises(TrustUnsafe) as refused:
            work(kit)
        assert refused.value.where
        assert "chown" in refused.value.fix
        assert "chmod" in refused.value.fix


@pytest.mark.skipif(not AS_ROOT, reason="not run: only the administrator gives files away")
@pytest.mark.parametrize("name", ["", "root.json", "policy.json", "state.json"])
def test_what_somebody_else_owns_is_not_believed(site: Site, name: str) -> None:
    site.pin(policy=policy())
    os.chown(site.trust / name, 12345, -1)
    with pytest.raises(TrustUnsafe, match="user 12345, who owns it"):
        site.look(site.kit())


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="not run: this host has no owners")
def test_files_of_the_administrator_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ssh does: a user may rely on what the administrator pinned."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for uid, believed in ((0, True), (1000, True), (1001, False)):
        status = os.stat_result((0o100644, 0, 0, 1, uid, 0, 0, 0, 0, 0))
        assert (_compat.whoever_else_writes(status) == "") is believed


def test_lock_that_is_a_link_is_not_followed(site: Site) -> None:
    site.pin()
    (site.trust / ".lock").unlink()
    (site.trust / ".lock").symlink_to(site.base / "elsewhere")
    assert code(site.accept(site.kit())) == "trust-unsafe"
    assert not (site.base / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "trust"])
def test_directory_that_is_not_there_is_said(site: Site, name: str) -> None:
    (site.base / "trust").mkdir(0o755)
    place = TrustDirectory(os.fspath(site.base / (name or "nowhere")))
    with pytest.raises(TrustMissing):
        place.load()


# --- newer roots ---------------------------------------------------------------------------------


def test_update_takes_root_and_policy_and_accepts_no_kit(site: Site) -> None:
    publisher = longer()
    publisher.rotate(lambda s: s.update(binding(policy("new"))), "alice", "bob")
    site.pin(publisher.of(1), policy("old"))
    site.update(publisher.roots, policy("new"))
    trusted = site.directory.load()
    assert trusted.root.version == 5
    assert (trusted.policy, trusted.coming) == (policy("new"), None)
    assert site.state == State({}, root_version=5)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, "policy-mismatch"), (policy("third"), "policy-mismatch")]
)
def test_root_without_its_policy_changes_nothing(
    site: Site, given: bytes | None, expected: str
) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1), policy("old"))
    publisher.rotate(lambda s: s.update(binding(policy("new"))), "alice", "bob")
    before = site.files()
    with pytest.raises(KitError) as refused:
        site.update(publisher.roots, given)
    assert refused.value.code == expected
    assert site.files() == before


def test_forged_chain_changes_nothing(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    publisher.rotate(lambda s: seat_all(s, "mallory", threshold=1), "mallory")
    before = site.files()
    with pytest.raises(KitError) as refused:
        site.update(publisher.roots)
    assert refused.value.code == "root-step-invalid"
    assert site.files() == before


def test_older_chain_changes_nothing(site: Site) -> None:
    publisher = longer()
    site.pin(publisher.of(4))
    site.update(publisher.roots[:2])
    assert site.directory.load().root.version == 4


def test_host_may_change_its_own_policy_without_a_new_root(site: Site) -> None:
    site.pin(policy=policy("old"))
    site.update([root_line()], policy("new"))
    assert site.directory.load().policy == policy("new")


def test_policy_left_behind_counts_only_when_a_root_names_it(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1), policy("mine"))
    (site.trust / "policy.next.json").write_bytes(policy("planned"))
    site.accept(site.kit())
    assert site.directory.load().policy == policy("mine")
    publisher.rotate(lambda s: s.update(binding(policy("planned"))), "alice", "bob")
    kit = site.kit(roots=publisher.roots, sequence=2)
    assert code(site.look(kit)) == ""
    assert code(site.accept(kit)) == ""
    trusted = site.directory.load()
    assert (trusted.root.version, trusted.policy, trusted.coming) == (2, policy("planned"), None)


def test_reset_lines_of_a_root_are_applied_by_update_too(site: Site) -> None:
    publisher = Publisher()
    site.pin(publisher.of(1))
    site.accept(site.kit(sequence=9))
    lines = {"other/line": 2, "vectors/stable": 2}
    publisher.rotate(lambda s: s.update({"x-offline-kit-reset-lines": lines}), "alice", "bob")
    publisher.rotate(lambda s: None, "alice", "bob")
    reached = follow(site.directory.load().root, parse_chain(chain(*publisher.roots)))
    assert reached.reset_lines == ("other/line", "vectors/stable")
    site.update(publisher.roots)
    assert site.state.lines == {}
    assert [(item.line, item.by) for item in site.state.resets] == [("vectors/stable", "root 2")]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this host has no fork")
def test_reader_meets_root_and_policy_that_go_together(site: Site) -> None:
    """Without a lock, while another process takes one new root with its policy after the other."""
    publisher, policies = Publisher(), [policy("0")]
    for number in range(1, 30):
        policies.append(policy(str(number)))
        publisher.rotate(lambda s: s.update(binding(policies[-1])), "alice", "bob")
    site.pin(publisher.of(1), policies[0])

    def work() -> None:
        for number in range(2, 31):
            site.update(publisher.roots[:number], policies[number - 1])

    child = fork(work)
    seen = set()
    while site.directory.load().root.version < 30:
        trusted = site.directory.load()
        seen.add(trusted.choose(trusted.root).policy.name)
    assert ended(child) == 0
    assert len(seen) > 3


@pytest.mark.parametrize("option", ["--trust", "--root"])
def test_variable_that_is_not_set_does_not_mean_here(
    site: Site, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pin()
    monkeypatch.chdir(site.trust)
    assert kit_verify("verify", site.kit(), option, "") == 2


# --- the commands --------------------------------------------------------------------------------


def kit_verify(*arguments: str | Path) -> int:
    return cli.main([os.fspath(item) for item in arguments])


def test_commands_from_first_to_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust, kit = tmp_path / "trust", tmp_path / "kit.tar.zst"
    kit.write_bytes(make_kit_bytes(sequence=5))
    here = ("--trust", trust)
    pairs = [DIGEST[i : i + 4].upper() for i in range(0, 64, 4)]
    assert kit_verify("trust", "init", "--root", ROOT_FILE, "--fingerprint", *pairs, *here) == 0
    said = capsys.readouterr().out
    assert " ".join(pairs).lower() in said
    assert "kit signers: 2 of 3" in said
    assert "no policy: any line is accepted" in said
    assert "verified" not in said.lower()
    assert kit_verify("accept", kit, *here) == 0
    assert "\n  - accepted: this host remembers the kit\n" in capsys.readouterr().out
    assert kit_verify("trust", "show", *here) == 0
    shown = capsys.readouterr().out
    moved = ("--reason", "moved", *here)
    assert "line vectors/stable: sequence 5, root version 1, last seen 20" in shown
    assert kit_verify("trust", "reset", "vectors/stable", "--take", "any", *moved) == 0
    assert "reset of line vectors/stable at " in capsys.readouterr().out
    assert kit_verify("trust", "reset", "vectors/stable", "--take", "any", *moved) == 2
    assert "nothing is remembered of line 'vectors/stable'" in capsys.readouterr().err
    assert kit_verify("trust", "update", kit, *here) == 0
    assert "root of trust: version 1, as pinned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "reason"), [("UPPER", "x"), ("a/b", ""), ("a/b", "\x1b[2J"), ("a/b", "x" * 201)]
)
def test_reset_wants_a_line_and_a_reason(site: Site, line: str, reason: str) -> None:
    site.pin()
    with pytest.raises(UsageError):
        site.directory.reset(line, reason, site.clock)


def test_system_directory_is_used_when_it_is_there(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_compat, "SYSTEM_TRUST", os.fspath(site.trust))
    kit = site.kit()
    assert kit_verify(kit) == 3
    assert "no-root" in capsys.readouterr().out
    assert kit_verify("accept", kit) == 2
    capsys.readouterr()
    site.pin()
    assert kit_verify(kit) == 0
    assert "freshness: the first kit of its line here" in capsys.readouterr().out
    assert kit_verify(kit, "--root", ROOT_FILE) == 0
    assert "no trust directory was given" in capsys.readouterr().out


def test_root_and_trust_exclude_each_other(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert kit_verify("verify", site.kit(), "--root", ROOT_FILE, "--trust", site.trust) == 2
    assert "--root and --trust do not go together" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--quick",), ("--only", "tools")])
def test_part_of_a_kit_is_not_accepted(
    site: Site, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    site.pin()
    assert kit_verify("verify", site.kit(), "--accept", *more, "--trust", site.trust) == 2
    assert "all of a kit is accepted" in capsys.readouterr().err
    assert site.sequence() == 0
