"""Programs of the kit in an image of the kit: real images, real bwrap, runc, podman and docker."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import processes
from runner.chain import digest_of
from runner.homing.judge import verify
from runner.homing.statements import statements
from runner.kitside import look_under
from tests.conftest import Judge
from tests.support.homes import write_operators
from tests.support.images import Files, image_layout
from tests.support.making import pinned
from tests.support.running import NO_SECRET, Grounds
from verifier.core.trust import parse_root

pytestmark = pytest.mark.slow

# what a step of the kit does in the image; `sh` and the rest are the image's
STEP = b"""\
#!/bin/sh
place=${1#*=}
case "$2" in
--check) test -e "$place/done" && exit 0; exit 10;;
--undone) test -e "$place/done" && exit 10; exit 0;;
--undo) rm "$place/done"; exit 0;;
esac
echo "from $(cat /etc/image), $(pwd | sed 's/.*attempts.//')"
echo "secret $SMALL_SECRET"
test "$HOME" = "$(pwd)" || echo "another home"
echo 1 >> "$place/log"
test -w /etc && touch /etc/x 2>/dev/null && echo "the image can be written"
test -w "$0" && { echo >> "$0"; } 2>/dev/null && echo "the kit can be written"
ls / > root
trap 'echo asked to end; exit 7' TERM
if test "$2" = --mode=slow; then touch "$place/begun"; sleep 60 & wait; fi
touch "$place/done"
"""
BOOK = """
[input.mode]
type = "text"
default = "quick"
[[step]]
id = "one"
apply = ["tools/step", "--place={place}", "--mode={mode}"]
check = ["tools/step", "--place={place}", "--check"]
capture = ["root"]
secrets = ["word"]
stop = { grace = "5s" }
[step.undo]
run = ["tools/step", "--place={place}", "--undo"]
check = ["tools/step", "--place={place}", "--undone"]
[[step]]
id = "go"
kind = "gate"
ask = "Go on?"
[with]
image = "image"
"""


def libraries(program: str) -> dict[str, bytes]:
    """Return what a program of this host needs, by path in an image."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"(/\S+) \(0x", said)
    return {path.lstrip("/"): Path(path).read_bytes() for path in paths}


@pytest.fixture(scope="module")
def files(judge: Judge) -> Files:
    """Return an image of busybox, with a lower layer that the upper one changes."""
    busybox = judge("busybox")
    found: dict[str, bytes | str] = {"bin/busybox": busybox.read_bytes(), **libraries(str(busybox))}
    for name in ("sh", "cat", "pwd", "touch", "sleep", "rm", "ls", "sed", "test"):
        found[f"bin/{name}"] = "busybox"
    return {"etc/": b"", "etc/image": b"the image", "usr/": b"", **found}


@pytest.fixture(scope="module")
def judge() -> Judge:
    def find(*names: str) -> Path:
        path = shutil.which(names[0])
        if path is None:
            reason = f"not run: {names[0]} is not installed"
            if os.environ.get("OFFLINE_KIT_REQUIRE_JUDGES") == "1":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        return Path(path)

    return find


# podman 4.3 of Debian 12 inside of another container
PODMAN = """\
#!/bin/sh
case "$1" in run) shift; set -- run --ulimit nofile=20000:20000 --ulimit nproc=1000:1000 "$@";; esac
set -- --storage-driver=vfs --cgroup-manager=cgroupfs --runtime runc "$@"
exec podman --root PLACE/s --runroot PLACE/r "$@"
"""


@pytest.fixture(scope="module")
def podman(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    judge("podman")
    place = Path("/var/tmp") / f"kit-{os.getpid()}"
    place.mkdir()
    path = tmp_path_factory.mktemp("podman") / "podman"
    path.write_text(PODMAN.replace("PLACE", str(place)), encoding="utf-8")
    path.chmod(0o755)
    yield path
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def docker(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Have a daemon of our own; return what asks it, as a site would name its program."""
    daemon, client = judge("dockerd"), judge("docker")
    place = Path(tempfile.mkdtemp(prefix="kit-docker-", dir="/var/tmp"))
    words: list[str | Path] = [
        daemon,
        "--host",
        f"unix://{place}/socket",
        "--data-root",
        place / "data",
    ]
    words += ["--exec-root", place / "exec", "--pidfile", place / "pid", "--storage-driver", "vfs"]
    words += ["--bridge", "none", "--iptables=false", "--ip6tables=false"]
    words += ["--exec-opt", "native.cgroupdriver=cgroupfs"]
    path = tmp_path_factory.mktemp("docker") / "docker"
    path.write_text(f'#!/bin/sh\nexec {client} --host unix://{place}/socket "$@"\n', "utf-8")
    path.chmod(0o755)
    with open(place / "log", "wb") as log:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while subprocess.run([path, "version"], capture_output=True, check=False).returncode:
                said = (place / "log").read_text("utf-8", "replace")[-1000:]
                assert child.poll() is None and time.monotonic() < deadline, said  # noqa: PT018
                time.sleep(0.1)
            yield path
        finally:
            child.terminate()
            child.wait(30)
            netns = place / "exec" / "netns" / "default"  # dockerd leaves it mounted
            subprocess.run(["umount", "-l", netns], capture_output=True, check=False)
            shutil.rmtree(place, ignore_errors=True)


ENGINES = (
    "bwrap",
    "runc",
    pytest.param("podman", marks=pytest.mark.long),
    pytest.param("docker", marks=pytest.mark.long),
)


@pytest.fixture(scope="module")
def made(files: Files) -> Iterator[Grounds]:
    """Return a site with a kit whose step is run in an image.

    It is not below /tmp, where every image has a place of its own that can be written.
    """
    with tempfile.TemporaryDirectory(prefix="kit-site-", dir="/var/tmp") as place:
        yield make_site(Path(place), files)


def make_site(place: Path, files: Files) -> Grounds:
    grounds = Grounds(place)
    layers: list[Files] = [{"etc/image": b"old", "lost": b""}, files]
    layout = image_layout(grounds.top / "layout", layers, packed="zstd")
    given = {"tools/step": STEP}
    for path in layout.rglob("*"):
        if path.is_file():
            given[f"image/{path.relative_to(layout)}"] = path.read_bytes()
    return grounds.make(BOOK, given, executable=("tools/step",))


@contextlib.contextmanager
def site(made: Grounds, mode: str, engine: str, request: Any) -> Iterator[Grounds]:
    """Give a site whose settings say what runs programs, new but for its kit."""
    if engine in ("podman", "docker"):
        program = request.getfixturevalue(engine)
    else:
        program = request.getfixturevalue("judge")(engine)
    grounds, settings = made, json.loads(made.settings.read_text("utf-8"))
    settings["inputs"]["mode"] = mode
    grounds.write_settings({**settings, "container": {"by": engine, "program": str(program)}})
    for path in (grounds.place, grounds.runs):
        shutil.rmtree(path, ignore_errors=True)
    grounds.place.mkdir()
    yield grounds
    assert processes.kill_all(mark(grounds)) == []


def mark(grounds: Grounds) -> str:
    """Return what the processes of this run bear: other tests have runs of the same name."""
    first = (grounds.run_directory / "journal").read_bytes().split(b"\n", 1)[0] + b"\n"
    return f"one.{digest_of(first)[:32]}/"


def logged(grounds: Grounds) -> int:
    path = grounds.place / "log"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_is_run_in_the_image_and_taken_back(
    made: Grounds, engine: str, request: pytest.FixtureRequest
) -> None:
    with site(made, "quick", engine, request) as grounds:
        said = grounds.begin(6).stdout
        assert "from the image, one.apply.1/scratch" in said
        assert "secret [secret]" in said
        assert "can be written" not in said
        assert "another home" not in said
        journal = (grounds.run_directory / "journal").read_text()
        assert f'"container":{{"by":"{engine}","image":"sha256:' in journal
        root = grounds.run_directory / "attempts" / "one.apply.1" / "scratch" / "root"
        assert {"bin", "etc", "lost"} <= set(root.read_text().split())
        for path in grounds.run_directory.rglob("*"):
            assert not path.is_file() or b"hunter2hunter2" not in path.read_bytes(), path
        grounds.then("rollback")
        assert not (grounds.place / "done").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_evidence_says_which_image_ran_a_step(
    made: Grounds, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with site(made, "quick", engine, request) as grounds:
        grounds.begin(0, "--answer", "go=yes", "--by", "olga")
        key = write_operators(grounds.trust, grounds.top / "host")
        words = ["--site", "hall-2", "--out", str(tmp_path), "--trust", str(grounds.trust)]
        said = grounds.then("export", 0, *words, "--key", str(key), "--yes").stdout
        assert "SEALED by olga" in said
        operators = parse_root((grounds.trust / "operators.json").read_bytes())
        path = str(tmp_path / "evidence-hall-2-one.tar.zst")
        found = verify(path, operators, look_under(str(grounds.kit), pinned()))
        assert (found.state.phase, found.state.bound["image"]) == ("closed", "image")
        [digest] = {
            one["container"]["image"].partition(":")[2]
            for one in found.told.read.records
            if one["type"] == "outcome" and one["step"] == "one"
        }
        index = json.loads((grounds.top / "layout" / "index.json").read_bytes())
        assert index["manifests"][0]["digest"] == f"sha256:{digest}"
        members = statements(found.told, lambda path: "", carried=found.carried)
        step = json.loads(members["steps/00001.one.apply.json"])["predicate"]
        assert {"name": "image", "digest": {"sha256": digest}} in step["materials"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_that_is_stopped_ends_with_its_container(
    made: Grounds, engine: str, request: pytest.FixtureRequest
) -> None:
    with site(made, "slow", engine, request) as grounds:
        began = time.monotonic()
        begun = lambda: (grounds.place / "begun").exists()  # noqa: E731
        assert grounds.kill_when(grounds.new("run"), begun, signal.SIGTERM) == 5
        assert time.monotonic() - began < 50
        assert processes.marked(mark(grounds)) == []
        output = grounds.run_directory / "attempts" / "one.apply.1" / "output"
        assert output.read_text().endswith("asked to end\n")
        assert grounds.state()["steps"]["one"]["how"] == "stopped"


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_a_container_outlives_its_runner_and_is_found(
    made: Grounds, engine: str, request: pytest.FixtureRequest
) -> None:
    with site(made, "slow", engine, request) as grounds:
        begun = lambda: (grounds.place / "begun").exists()  # noqa: E731
        assert grounds.kill_when(grounds.new("run"), begun) == -9
        assert processes.marked(mark(grounds)) != []
        assert "error[step-alive]" in grounds.then("resume", 3).stderr
        (grounds.place / "begun").unlink()
        command = grounds.command("resume", grounds.run_directory, "--end-survivors")
        assert grounds.kill_when(command, begun, signal.SIGTERM) == 5
        assert logged(grounds) == 2  # never two at once, and the name was free again
        assert processes.marked(mark(grounds)) == []


def test_python_of_the_image_runs_a_program_of_the_kit(
    tmp_path: Path, judge: Judge, files: Files
) -> None:
    python = Path("/usr/bin/python3").resolve()
    if not python.exists():
        pytest.skip("not run: this host has no /usr/bin/python3 to make an image of")
    library = Path(f"/usr/lib/{python.name}")
    more: dict[str, bytes | str] = {"usr/bin/python3": python.read_bytes()}
    more.update(libraries(str(python)))
    for path in library.rglob("*.py"):
        name = str(path.relative_to(library))
        if "/" not in name or name.startswith(("collections/", "encodings/", "importlib/", "re/")):
            more[f"{str(library).lstrip('/')}/{name}"] = path.read_bytes()
    grounds = Grounds(tmp_path)
    layout = image_layout(grounds.top / "layout", [files, more])
    given = {
        "tools/go.py": b"import os, sys, beside\nplace = sys.argv[1]\n"
        b"print('python of', open('/etc/image').read(), sys.flags.isolated, beside.NAME)\n"
        b"open(os.path.join(place, 'done'), 'w').close()\n",
        "tools/beside.py": b"NAME = 'a sibling'\n",
        "tools/look.py": b"import os, sys\n"
        b"sys.exit(0 if os.path.exists(os.path.join(sys.argv[1], 'done')) else 10)\n",
    }
    for path in layout.rglob("*"):
        if path.is_file():
            given[f"image/{path.relative_to(layout)}"] = path.read_bytes()
    book = '[[step]]\nid = "one"\napply = ["tools/go.py", "{place}"]\n'
    book += 'check = ["tools/look.py", "{place}"]\nundo = { none = "small" }\n'
    grounds.make(
        f'{book}[with]\nimage = "image"\n',
        given,
        head=NO_SECRET,
        container={"by": "bwrap", "program": str(judge("bwrap"))},
    )
    assert "python of the image 1 a sibling" in grounds.begin().stdout
