"""Whole runs by kit-run.pyz as an operator starts it: real kits, real processes, real kills."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.running import Grounds, step

pytestmark = pytest.mark.slow


@pytest.fixture
def grounds(tmp_path: Path) -> Grounds:
    return Grounds(tmp_path)


def test_a_run_forward_and_back(grounds: Grounds) -> None:
    grounds.make(step("a") + step("b"))
    planned = grounds.go(grounds.new("plan")).stdout
    assert "  1. a" in planned
    assert "changes a directory of a test" in planned
    assert planned.endswith("the site has what it needs; nothing was changed\n")
    assert not grounds.runs.exists()
    said = grounds.begin().stdout
    assert said.endswith("closed\n")
    assert grounds.log() == ["--apply a", "--apply b"]
    assert grounds.state()["phase"] == "closed"
    grounds.then("resume", 2)
    assert grounds.log() == ["--apply a", "--apply b"]


def test_a_rollback_takes_back_in_reverse_what_this_run_did(grounds: Grounds) -> None:
    grounds.make(step("a") + step("b") + step("c", "--exit=5"))
    (grounds.place / "a").touch()  # was there before
    said = grounds.begin(5).stdout
    assert "c: exited 5" in said
    assert grounds.state()["steps"]["a"]["how"] == "adopted"
    grounds.then("rollback")
    assert grounds.log() == ["--apply b", "--apply c", "--undo b"]
    assert (grounds.place / "a").exists()
    assert grounds.state()["phase"] == "rolled-back"


def test_the_kit_is_accepted_and_a_newer_one_blocks_no_rollback(grounds: Grounds) -> None:
    grounds.make(step("a") + step("b", "--exit=5"))
    grounds.begin(5)
    state = json.loads((grounds.trust / "state.json").read_text("utf-8"))
    assert "demo/stable" in json.dumps(state)
    spec = grounds.top / "release" / "kit.toml"
    text = spec.read_text("utf-8").replace("sequence = 7", "sequence = 8")
    spec.write_text(text.replace('"1.0"', '"2.0"'), encoding="utf-8")
    newer = grounds.build(spec, "newer")
    accept = [*grounds.command()[:-1], str(grounds.top / "host" / "kit-verify.pyz"), "accept"]
    grounds.go([*accept, str(newer), "--trust", str(grounds.trust)])
    assert "kit-older" in grounds.go(grounds.new("plan"), None).stderr
    shutil.rmtree(grounds.top / "release")  # the medium is gone
    grounds.then("rollback")
    assert grounds.log()[-1] == "--undo a"


def test_a_killed_runner_leaves_its_step_alive_and_nobody_does_it_twice(grounds: Grounds) -> None:
    grounds.make(step("a", "--until=told") + step("b"))
    assert grounds.kill_when(grounds.new("run"), lambda: grounds.log() == ["--apply a"]) == -9
    command = grounds.command("resume", grounds.run_directory)
    reading, writing = os.pipe()
    resumed = grounds.started(command, writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        for line in said:  # it says so, or ends
            if "waiting for process" in line:
                (grounds.place / "told").touch()
    assert resumed.wait() == 0
    assert (grounds.place / "told").exists()
    assert grounds.log() == ["--apply a", "--apply b"]
    assert grounds.state()["steps"]["a"]["how"] == "checked"


def test_survivors_are_ended_when_somebody_says_so(grounds: Grounds) -> None:
    grounds.make(step("a", "--slow=60"))
    assert grounds.kill_when(grounds.new("run"), lambda: grounds.log() == ["--apply a"]) == -9
    began = time.monotonic()
    command = grounds.command("resume", grounds.run_directory, "--end-survivors")
    at = lambda: grounds.log() == ["--apply a"] * 2  # noqa: E731
    assert grounds.kill_when(command, at, signal.SIGTERM) == 5
    assert time.monotonic() - began < 30
    assert grounds.state()["phase"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_step_and_the_run_goes_on_later(grounds: Grounds, number: int) -> None:
    grounds.make(step("a", "--slow=20"))
    began = time.monotonic()
    at = lambda: grounds.log() == ["--apply a"]  # noqa: E731
    assert grounds.kill_when(grounds.new("run"), at, number) == 5
    assert time.monotonic() - began < 20
    assert grounds.state()["steps"]["a"] == {"attempts": 1, "how": "stopped", "status": "failed"}
    (grounds.place / "a").touch()
    grounds.then("resume")
    assert grounds.log() == ["--apply a"]


def test_secrets_reach_programs_and_nothing_else(grounds: Grounds) -> None:
    show = b"import os, sys\nprint('said', os.environ['SMALL_SECRET'])\n"
    show += b"print(sorted(os.environ)); open(os.path.join(sys.argv[1], 'seen'), 'w').close()\n"
    look = b"import os, sys\nsys.exit(0 if os.path.exists(sys.argv[1] + '/seen') else 10)\n"
    book = '[[step]]\nid = "a"\napply = ["tools/show.py", "{place}"]\nsecrets = ["word"]\n'
    book += 'check = ["tools/look.py", "{place}"]\nundo = { none = "nothing" }\n'
    grounds.make(book, {"tools/show.py": show, "tools/look.py": look})
    said = grounds.begin().stdout
    assert "said [secret]" in said
    for path in grounds.run_directory.rglob("*"):
        assert not path.is_file() or b"hunter2hunter2" not in path.read_bytes(), path


# writes which secrets it is given; done when there is a line for its name
WHICH = b"""\
import json, os, sys
place, name = sys.argv[1:3]
log = os.path.join(place, "given")
lines = open(log).read().splitlines() if os.path.exists(log) else []
if "--check" in sys.argv:
    sys.exit(0 if any(line.split()[0] == name for line in lines) else 10)
if "--undone" in sys.argv:
    sys.exit(0 if lines[-1].split()[0] == name else 10)
with open(log, "a") as file:
    file.write(" ".join([name, *sorted(k for k in os.environ if k.endswith("_SECRET"))]) + "\\n")
json.dump({"n": 0}, open("report", "w"))
print("said", open(os.path.join(place, "third")).read())
"""
KEPT = """
[input.other]
type = "secret"
env = "OTHER_SECRET"
[input.third]
type = "secret"
env = "THIRD_SECRET"
[probe.n]
run = ["tools/which.py", "{place}", "probe"]
breach = "/n > 0"
secrets = ["other"]
[way.back]
run = ["tools/which.py", "{place}", "back"]
check = ["tools/which.py", "{place}", "back", "--undone"]
secrets = ["other"]
[[step]]
id = "none"
apply = ["tools/which.py", "{place}", "none"]
check = ["tools/which.py", "{place}", "none", "--check"]
undo = { way = "back" }
[[step]]
id = "one"
apply = ["tools/which.py", "{place}", "one"]
check = ["tools/which.py", "{place}", "one", "--check"]
secrets = ["word"]
[step.undo]
run = ["tools/which.py", "{place}", "undo"]
check = ["tools/which.py", "{place}", "undo", "--undone"]
[[step]]
id = "seen"
kind = "probe"
probe = "n"
[[step]]
id = "off"
enabled = false
apply = ["tools/which.py", "{place}"]
check = ["tools/which.py", "{place}"]
secrets = ["third", "word"]
undo = { none = "it is off" }
[[step]]
id = "open"
kind = "gate"
ask = "Go on?"
"""


def test_a_program_gets_the_secrets_of_its_step_alone(grounds: Grounds) -> None:
    grounds.make(KEPT, {"tools/which.py": WHICH})
    value = json.loads(grounds.settings.read_text("utf-8"))
    done = grounds.go(grounds.new(), 2)
    assert "secrets.other: is not given, and probe 'n' needs it" in done.stderr
    host = grounds.top / "host"
    for name in ("other", "third"):
        (host / name).write_text(f"{name}-secret-word\n", encoding="utf-8")
        (host / name).chmod(0o600)
    (grounds.place / "third").write_text("third-secret-word", encoding="utf-8")
    value["secrets"]["other"] = {"file": str(host / "other")}
    grounds.write_settings(value)  # what is off is not asked for
    assert "said third-secret-word" in grounds.begin(6).stdout
    grounds.then("rollback")
    given = (grounds.place / "given").read_text("utf-8").splitlines()
    assert given == [
        "none",
        "one SMALL_SECRET",
        "probe OTHER_SECRET",
        "undo SMALL_SECRET",
        "back OTHER_SECRET",
    ]
    # what is given all the same is kept out of outputs, whoever gets it
    for path in (grounds.place / "given", grounds.runs):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    value["secrets"]["third"] = {"file": str(host / "third")}
    grounds.write_settings(value)
    said = grounds.begin(6).stdout
    assert "said [secret]" in said
    assert "third-secret-word" not in said


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_secret_may_come_by_a_descriptor(grounds: Grounds, kind: str) -> None:
    """It is read once: a plan, the look before a run and the run itself ask for it."""
    grounds.make(step("a"))
    value = json.loads(grounds.settings.read_text("utf-8"))
    if kind == "pipe":
        number, other = os.pipe()
        os.write(other, b"hunter2hunter2\n")
        os.close(other)
    else:
        number = os.open(grounds.top / "host" / "secret", os.O_RDONLY)
    grounds.write_settings({**value, "secrets": {"word": {"descriptor": number}}})
    try:
        done = subprocess.run(
            grounds.new(),
            pass_fds=[number],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(number)
    assert done.returncode == 0, done.stdout + done.stderr
    assert grounds.log() == ["--apply a"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """Return a run whose only step has failed, with a copy of its directory beside it."""
    grounds = Grounds(tmp_path_factory.mktemp("stopped")).make(step("a", "--exit=5"))
    grounds.begin(5)
    shutil.copytree(grounds.run_directory, grounds.top / "kept")
    return grounds


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("program", 4, "member-changed"),
        ("planted", 4, "member-changed"),
        ("runbook", 4, "member-changed"),
        ("members", 4, "run-changed"),
        ("page", 4, "run-changed"),
        ("journal", 4, "journal-damaged"),
        ("settings", 4, "run-changed"),
        ("mode", 2, "run-unsafe"),
        ("gone", 2, "run-missing"),
    ],
)
def test_what_was_changed_meanwhile_is_refused(
    stopped: Grounds, change: str, status: int, code: str
) -> None:
    run = stopped.run_directory
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(stopped.top / "kept", run)
    files = {
        "program": "kit/tools/step.py",
        "runbook": "kit/runbook/runbook.json",
        "members": "members",
        "page": "kit/kit.dsse.json",
        "journal": "journal",
    }
    if change in files:
        path = run / files[change]
        data = path.read_bytes()
        at = 40 if change != "page" else data.index(b'"payload":"') + 20
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif change == "planted":
        (run / "kit" / "tools" / "json.py").write_text("planted", encoding="utf-8")
    elif change == "settings":
        path = run / "settings.json"
        text = path.read_text("utf-8").replace("a directory", "another directory")
        path.write_text(text, encoding="utf-8")
    elif change == "mode":
        run.chmod(0o777)
    else:
        shutil.rmtree(run)
    done = stopped.then("resume", status)
    assert f"error[{code}]" in done.stderr
    assert stopped.log() == ["--apply a"]


def test_what_was_not_changed_goes_on(stopped: Grounds) -> None:
    """Otherwise the test above proves nothing: so is each of its runs before the change."""
    shutil.rmtree(stopped.run_directory, ignore_errors=True)
    shutil.copytree(stopped.top / "kept", stopped.run_directory)
    stopped.then("resume", 5)
    (stopped.place / "log").write_text("--apply a\n", encoding="utf-8")


def test_a_rotated_secret_is_no_change_and_other_settings_need_a_reason(grounds: Grounds) -> None:
    grounds.make(step("a", "--exit=5"))
    grounds.begin(5)
    (grounds.top / "host" / "secret").write_text("another-secret-now", encoding="utf-8")
    (grounds.place / "a").touch()
    value = json.loads(grounds.settings.read_text("utf-8"))
    grounds.write_settings({**value, "target": "elsewhere"})
    done = grounds.then("resume", 4, "--settings", str(grounds.settings))
    assert "error[run-changed]" in done.stderr
    reason = "the target was renamed"
    grounds.then("resume", 0, "--settings", str(grounds.settings), "--changed", reason)
    assert grounds.state()["overrides"] == [reason]


def test_a_gate_waits_for_somebody(grounds: Grounds) -> None:
    gate = '[[step]]\nid = "go"\nkind = "gate"\nask = "Go on?"\n'
    grounds.make(step("a") + gate + step("b"))
    assert "go: Go on?" in grounds.begin(6).stdout
    assert grounds.log() == ["--apply a"]
    grounds.then("resume", 6, "--yes")  # the gate does not allow it
    grounds.then("resume", 5, "--answer", "go=no")
    grounds.then("resume", 0, "--answer", "go=yes", "--by", "Ann", "--reason", "it is calm")
    assert grounds.log() == ["--apply a", "--apply b"]
    journal = (grounds.run_directory / "journal").read_text("utf-8")
    assert '"answer":"yes","at":' in journal
    assert '"why":"it is calm"' in journal


def test_abort_takes_nothing_back_and_says_what_stays(grounds: Grounds) -> None:
    grounds.make(step("a") + step("b", "--exit=5"))
    grounds.begin(5)
    said = grounds.then("abort", 0, "--reason", "the window has closed").stdout
    assert "  a: done" in said
    assert (grounds.place / "a").exists()
    grounds.then("resume", 2)
    assert grounds.state()["phase"] == "abandoned"


def test_a_plan_without_settings_says_what_they_must_hold(grounds: Grounds) -> None:
    grounds.make(step("a"))
    words = ["plan", str(grounds.kit), "--trust", str(grounds.trust)]
    done = grounds.go(grounds.command(*words), 2)
    assert "several environments: production, staging" in done.stderr
    said = grounds.go(grounds.command(*words, "--environment", "staging")).stdout
    text, _, more = said.partition("\ntarget: ")
    assert "secrets.word: a secret" in more
    filled = json.loads(text)
    assert filled["inputs"] == {"place": ""}
    filled.update(target="a test", inputs={"place": str(grounds.place)})
    filled["secrets"]["word"]["file"] = str(grounds.top / "host" / "secret")
    grounds.write_settings(filled)
    grounds.begin()


def test_a_host_that_is_not_ready_begins_nothing(grounds: Grounds) -> None:
    grounds.make(step("a"), inputs={"place": str(grounds.top / "nowhere")})
    done = grounds.begin(3)
    assert "error[preflight-failed]" in done.stderr
    assert not grounds.runs.exists()
    assert not (grounds.trust / "state.json").read_text("utf-8").count("demo/stable")


def test_the_runner_wants_to_be_isolated_and_explains_itself(grounds: Grounds) -> None:
    grounds.make(step("a"))
    command = grounds.command("explain", "step-alive")
    assert "Two at once would do" in grounds.go(command).stdout
    command.remove("-I")
    assert "must be started isolated" in grounds.go(command, 2).stderr


def test_a_probe_stops_a_step_that_takes_hours(grounds: Grounds) -> None:
    probe = '[probe.lag]\nrun = ["tools/lag.py", "{report}"]\nbreach = "/lag > 60"\n'
    probe += 'every = "50ms"\nfor = 2\nthen = "stop-step"\n'
    lag = b"import sys\nprint('a sample')\nopen(sys.argv[1], 'w').write('{\"lag\": 75}')\n"
    book = probe + step("a", "--slow=60", watch='["lag"]')
    grounds.make(book, {"tools/lag.py": lag})
    began = time.monotonic()
    said = grounds.begin(5).stdout
    assert "ALERT lag: /lag > 60 (2 samples in a row)" in said
    assert "a sample" not in said  # nor is it a line of the step
    assert time.monotonic() - began < 30
    assert grounds.state()["alerts"][0]["probe"] == "lag"


def test_an_alert_in_a_long_step_is_told_while_it_runs(grounds: Grounds) -> None:
    """It stands in the record before the step ends: the runner is killed within it."""
    probe = '[probe.lag]\nrun = ["tools/lag.py", "{report}"]\nbreach = "/lag > 60"\n'
    probe += 'every = "100ms"\nthen = "report"\n'
    lag = b"import sys\nopen(sys.argv[1], 'w').write('{\"lag\": 75}')\n"
    grounds.make(probe + step("a", "--slow=100", watch='["lag"]'), {"tools/lag.py": lag})
    journal = grounds.run_directory / "journal"
    told = lambda: journal.exists() and b'"type":"alert"' in journal.read_bytes()  # noqa: E731
    assert grounds.kill_when(grounds.new("run"), told) == -9
    assert grounds.state()["alerts"][0] == {"probe": "lag", "why": "lag: /lag > 60"}
    assert "ALERT lag: /lag > 60" in grounds.then("status").stdout
    (grounds.place / "a").touch()
    grounds.then("resume", 0, "--end-survivors")


FILL = b"""\
import os, sys
place, small = sys.argv[1:3]
if sys.argv[3:] == ["--check"]:
    sys.exit(0 if os.path.exists(place + "/filled") else 10)
try:
    with open(small + "/fill", "wb", 0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    open(place + "/filled", "w").close()
print("nothing of this can be kept")
"""


def test_a_disk_that_is_full_stops_the_run_and_it_goes_on_when_there_is_room(
    grounds: Grounds,
) -> None:
    small = grounds.top / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1500k,mode=0755", "tmpfs", str(small)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("not run: this host does not permit mounting")
    try:
        words = ["tools/fill.py", "{place}", str(small)]
        fill = f'[[step]]\nid = "fill"\napply = {json.dumps(words)}\n'
        fill += f'check = {json.dumps([*words, "--check"])}\nundo = {{ none = "x" }}\n'
        grounds.make(step("a") + fill + step("b") + step("c"), {"tools/fill.py": FILL})
        begin = grounds.new()
        begin[begin.index("--runs") + 1] = str(small / "runs")
        run = small / "runs" / "demo" / "stable" / "one"
        assert "No space left on device" in grounds.go(begin, 5).stdout
        for _ in range(2):  # the journal's reserve may be room enough for a step or two
            done = grounds.go(grounds.command("resume", run), None)
            assert done.returncode in (0, 2, 3, 5), done.stdout + done.stderr
        (small / "fill").unlink()
        grounds.go(grounds.command("resume", run), None)
        assert "closed" in grounds.go(grounds.command("status", run)).stdout
        assert grounds.log() == ["--apply a", "--apply b", "--apply c"]
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_what_a_killed_beginning_left_makes_room_and_nothing_else_does(grounds: Grounds) -> None:
    grounds.make(step("a"))
    left = grounds.run_directory
    exists = "error[run-exists]"
    (left / "kit" / "tools").mkdir(parents=True)
    left.chmod(0o700)
    assert exists in grounds.begin(2).stderr  # it is not known that a runner made it
    assert (left / "kit" / "tools").is_dir()
    (left / "~beginning").touch(0o600)
    with open(left / "~beginning", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert exists in grounds.begin(2).stderr  # another runner is at it
    done = grounds.then("resume", 2)
    assert "If `run` was killed, give its command again" in done.stderr
    (left / "journal").touch(0o600)
    assert exists in grounds.begin(2).stderr
    (left / "journal").unlink()
    grounds.begin()
    assert grounds.log() == ["--apply a"]
    assert not (left / "~beginning").exists()
    assert exists in grounds.begin(2).stderr
    empty = grounds.runs / "demo" / "stable" / "two"
    empty.mkdir(mode=0o700)
    grounds.begin(0, "--name", "two")


def test_two_runs_of_one_name_leave_each_other_alone(grounds: Grounds) -> None:
    """Each ended what bore the other's mark: runs of one name, in two lines or directories."""
    grounds.make(step("a", "--slow=60"))
    first = grounds.started(grounds.new("run"))
    while grounds.log() != ["--apply a"]:
        assert first.poll() is None
        time.sleep(0.01)
    (grounds.place / "a").touch()
    other = grounds.new("run")
    other[other.index("--runs") + 1] = str(grounds.top / "other")
    assert "closed" in grounds.go(other).stdout
    assert first.poll() is None
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait() == 5


def test_a_bad_answer_begins_no_run(grounds: Grounds) -> None:
    grounds.make(step("a"))
    grounds.begin(2, "--answer", "perhaps")
    assert not grounds.runs.exists()
