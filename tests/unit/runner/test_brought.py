"""The steps that the runner brings: what they do, do again, and take back, on real directories."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.brought.action import DONE, TO_DO, NotPossible
from runner.brought.install import InstallWheels
from runner.brought.switch import Switch
from runner.brought.waiting import WaitHttp, WaitTcp
from runner.wheels import Host, choose, fits, python_allowed
from tests.support.killing import killed_at, points
from tests.support.making import read_tree


def wheel(directory: Path, name: str, files: dict[str, str], requires: str = "") -> Path:
    path = directory / name
    project = "-".join(name.split("-")[:2])
    meta = f"Name: x\nRequires-Python: {requires}\n" if requires else "Name: x\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{project}.dist-info/METADATA", meta)
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


OLD = Host((3, 9), "x86_64", (2, 31))
NEW = Host((3, 12), "x86_64", (2, 36))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a-1-py3-none-any.whl", True, True),
        ("a-1-py2.py3-none-any.whl", True, True),
        ("a-1-2-py3-none-any.whl", True, True),
        ("a-1-py2-none-any.whl", False, False),
        ("a-1-py311-none-any.whl", False, True),
        ("a-1-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True, False),
        ("a-1-cp312-cp312-manylinux_2_34_x86_64.whl", False, True),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", True, True),
        ("a-1-cp38-cp38-linux_x86_64.whl", False, False),
        ("a-1-cp39-abi3-manylinux_2_28_aarch64.whl", False, False),
        ("a-1-cp39-abi3-musllinux_1_2_x86_64.whl", False, False),
        ("a-1-cp39-abi3-macosx_11_0_arm64.whl", False, False),
        ("a-1.tar.gz", False, False),
    ],
)
def test_a_wheel_fits_by_its_tags(name: str, old: bool, new: bool) -> None:
    assert (fits(name, OLD), fits(name, NEW)) == (old, new)


@pytest.mark.parametrize(
    ("requires", "old", "new"),
    [
        ("", True, True),
        (">=3.9", True, True),
        (">=3.11", False, True),
        (">=3.7,<4", True, True),
        (">=3.8, <3.12", True, False),
        ("~=3.9", True, True),
        ("!=3.9.*,>=3.8", False, True),
        ("==3.12.*", False, True),
        (">=2.7, !=3.0.*, !=3.1.*", True, True),
        ("nonsense", False, False),
    ],
)
def test_a_wheel_says_which_python_it_needs(requires: str, old: bool, new: bool) -> None:
    got = python_allowed(requires, OLD.python), python_allowed(requires, NEW.python)
    assert got == (old, new)


def test_of_each_project_the_newest_that_fits_is_chosen(tmp_path: Path) -> None:
    names = ["p-4.18-cp39-cp39-linux_x86_64.whl", "p-4.20-py3-none-any.whl", "q-1-py3-none-any.whl"]
    paths = [wheel(tmp_path, names[0], {}), wheel(tmp_path, names[1], {}, ">=3.11")]
    paths.append(wheel(tmp_path, names[2], {}))
    texts = list(map(str, paths))
    assert [Path(p).name for p in choose(texts, OLD)] == [names[0], names[2]]
    assert [Path(p).name for p in choose(texts, NEW)] == [names[1], names[2]]
    with pytest.raises(Exception, match="no wheel of 'p' fits"):
        choose([texts[1]], OLD)


def installing(tmp_path: Path) -> InstallWheels:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    files = {"pkg/__init__.py": "x = 1\n", "a-1.data/purelib/more.py": "", "a-1.data/scripts/s": ""}
    wheel(tmp_path / "from", "a-1-py3-none-any.whl", files)
    return InstallWheels({"from": f"{tmp_path}/from", "to": f"{tmp_path}/to", "name": "v1"})


def test_wheels_are_unpacked_once_and_taken_back(tmp_path: Path) -> None:
    action = installing(tmp_path)
    assert (action.check(), action.undo_check()) == (TO_DO, DONE)
    action.apply()
    assert (tmp_path / "to" / "v1" / "more.py").exists()
    assert not (tmp_path / "to" / "v1" / "s").exists()
    before = read_tree(tmp_path / "to")
    action.apply()
    assert read_tree(tmp_path / "to") == before
    assert (action.check(), action.undo_check()) == (DONE, TO_DO)
    action.undo()
    action.undo()
    assert (action.check(), os.listdir(tmp_path / "to")) == (TO_DO, [])


def test_what_was_there_before_is_never_removed(tmp_path: Path) -> None:
    action = installing(tmp_path)
    (tmp_path / "to" / "v1").mkdir()
    (tmp_path / "to" / "v1" / "mine").touch()
    for call in (action.check, action.apply, action.undo_check, action.undo):
        with pytest.raises(NotPossible, match="is something else"):
            call()
    assert (tmp_path / "to" / "v1" / "mine").exists()


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../out", "con"])
def test_a_wheel_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    action = installing(tmp_path)
    wheel(tmp_path / "from", "b-1-py3-none-any.whl", {name: "x"})
    with pytest.raises(NotPossible):
        action.apply()
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "to" / "v1").exists()


def switching(tmp_path: Path, name: str = "v2") -> Switch:
    (tmp_path / "from").mkdir(exist_ok=True)
    (tmp_path / "from" / "app").write_text("new\n", encoding="utf-8")
    return Switch({"from": f"{tmp_path}/from", "to": f"{tmp_path}/to", "name": name})


def test_a_link_is_switched_and_switched_back_without_the_medium(tmp_path: Path) -> None:
    (tmp_path / "to" / "v1").mkdir(parents=True)
    (tmp_path / "to" / "current").symlink_to("v1")
    action = switching(tmp_path)
    assert action.check() == TO_DO
    action.apply()
    assert (tmp_path / "to" / "current" / "app").read_text("utf-8") == "new\n"
    assert (action.check(), action.undo_check()) == (DONE, TO_DO)
    (tmp_path / "from" / "app").unlink()
    action.undo()
    assert os.readlink(tmp_path / "to" / "current") == "v1"
    assert action.undo_check() == DONE


def test_a_first_version_is_switched_back_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    action = switching(tmp_path)
    action.apply()
    action.undo()
    assert not os.path.lexists(tmp_path / "to" / "current")


def test_a_directory_in_the_place_of_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "to" / "current").mkdir(parents=True)
    with pytest.raises(NotPossible, match="is no link"):
        switching(tmp_path).apply()
    assert (tmp_path / "to" / "current").is_dir()


@pytest.mark.long
def test_a_switch_killed_at_any_call_names_old_or_new_and_goes_on(tmp_path: Path) -> None:
    def world(place: Path) -> Switch:
        (place / "to" / "v1").mkdir(parents=True)
        (place / "to" / "current").symlink_to("v1")
        return switching(place)

    sample = world(tmp_path / "sample")
    count = 0
    for number, point in enumerate(points(sample.apply)):
        place = tmp_path / str(number)
        action = world(place)
        killed_at(point, action.apply)
        assert os.readlink(place / "to" / "current") in ("v1", "v2")
        action.apply()
        assert action.check() == DONE
        assert killed_at(point, action.undo) in (True, False)
        action.undo()
        assert os.readlink(place / "to" / "current") == "v1"
        count += 1
    assert count > 10


@pytest.fixture
def server() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/ok?x=1" else 503)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield httpd.server_address[1]
        httpd.shutdown()
        thread.join()


def test_waiting_asks_once_and_says_what_it_found(server: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        url = f"http://127.0.0.1:{server}"
        assert WaitHttp({"url": f"{url}/ok?x=1"}).check() == DONE
        assert WaitHttp({"url": url}).check() == TO_DO
        assert WaitHttp({"url": url, "status": "503"}).check() == DONE
        assert WaitHttp({"url": f"http://127.0.0.1:{closed}/"}).check() == TO_DO
        assert WaitTcp({"address": f"127.0.0.1:{server}"}).check() == DONE
        assert WaitTcp({"address": f"127.0.0.1:{closed}"}).check() == TO_DO
    for bad in ("file:///etc/passwd", "http://", "x"):
        with pytest.raises(NotPossible):
            WaitHttp({"url": bad}).check()


def test_a_virtual_environment_runs_the_scripts_of_its_wheels(tmp_path: Path) -> None:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    files = {
        "app/__init__.py": "import sys\ndef main():\n  print('hello', sys.prefix)\n  return 7\n",
        "app-1.dist-info/entry_points.txt": "[console_scripts]\nhello = app:main [extra]\n",
    }
    wheel(tmp_path / "from", "app-1-py3-none-any.whl", files)
    for name in ("v1", "a name with spaces".replace(" ", "-")):
        told = {"from": f"{tmp_path}/from", "to": f"{tmp_path}/to", "name": name, "venv": "yes"}
        action = InstallWheels(told)
        action.apply()
        assert action.check() == DONE
        place = tmp_path / "to" / name
        done = subprocess.run([place / "bin" / "hello"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (7, f"hello {place}\n")
        assert (place / "bin" / "hello").stat().st_mode & 0o777 == 0o755
    with pytest.raises(NotPossible, match="is something else"):
        InstallWheels({**told, "venv": "no"}).check()
    action.undo()
    assert os.listdir(tmp_path / "to") == ["v1"]


def test_scripts_start_from_a_path_that_no_first_line_can_hold(tmp_path: Path) -> None:
    deep = tmp_path / ("long " * 20).strip() / ("deep" * 20)
    deep.mkdir(parents=True)
    files = {
        "app.py": "def main():\n    return 3\n",
        "app-1.dist-info/entry_points.txt": "[console_scripts]\ngo = app:main\n",
    }
    (tmp_path / "from").mkdir()
    wheel(tmp_path / "from", "app-1-py3-none-any.whl", files)
    told = {"from": f"{tmp_path}/from", "to": str(deep), "name": "v1", "venv": "yes"}
    InstallWheels(told).apply()
    assert subprocess.run([deep / "v1" / "bin" / "go"], check=False).returncode == 3


@pytest.mark.parametrize("line", ["../x = app:main", "go = app", "go = app:main; import os", "[x"])
def test_entry_points_that_are_none_are_refused(tmp_path: Path, line: str) -> None:
    action = installing(tmp_path)
    wheel(
        tmp_path / "from",
        "b-1-py3-none-any.whl",
        {"b-1.dist-info/entry_points.txt": f"[console_scripts]\n{line}\n"},
    )
    action = InstallWheels({**action.arguments, "venv": "yes"})
    with pytest.raises(NotPossible):
        action.apply()
    assert not (tmp_path / "to" / "v1").exists()


def test_an_undo_that_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    sample = installing(tmp_path)
    sample.apply()
    for point in points(sample.undo):
        sample.apply()
        killed_at(point, sample.undo)
        sample.undo()
        assert os.listdir(tmp_path / "to") == []


def test_so_many_old_versions_stay_and_only_those_of_this_step_go(tmp_path: Path) -> None:
    (tmp_path / "to" / "by-hand").mkdir(parents=True)
    (tmp_path / "to" / "current").symlink_to("by-hand")
    for number in range(1, 6):
        action = switching(tmp_path, f"v{number}")
        action = Switch({**action.arguments, "keep": "2"})
        assert action.check() == TO_DO
        action.apply()
        assert action.check() == DONE
    there = {name for name in os.listdir(tmp_path / "to") if not name.startswith(".")}
    assert there == {"by-hand", "current", "v3", "v4", "v5"}
    assert not [name for name in os.listdir(tmp_path / "to") if "v1" in name or "v2" in name]
    action.undo()
    assert os.readlink(tmp_path / "to" / "current") == "v4"
    for keep in ("0", "-1", "x", "1001"):
        with pytest.raises(NotPossible):
            Switch({**action.arguments, "keep": keep})


def test_the_way_back_is_kept_even_if_it_is_the_oldest(tmp_path: Path) -> None:
    for name in ("v1", "v2", "v3"):
        (tmp_path / "to").mkdir(exist_ok=True)
        switching(tmp_path, name).apply()
    (tmp_path / "to" / "current").unlink()
    (tmp_path / "to" / "current").symlink_to("v1")  # somebody went back by hand
    action = Switch({**switching(tmp_path, "v4").arguments, "keep": "1"})
    action.apply()
    action.undo()
    assert os.readlink(tmp_path / "to" / "current") == "v1"
    assert (tmp_path / "to" / "current" / "app").exists()


@pytest.mark.long
def test_a_switch_that_lets_old_ones_go_can_be_killed_at_any_call(tmp_path: Path) -> None:
    def world(place: Path) -> Switch:
        (place / "to").mkdir(parents=True)
        for name in ("v1", "v2", "v3"):
            switching(place, name).apply()
        return Switch({**switching(place, "v4").arguments, "keep": "1"})

    for number, point in enumerate(points(world(tmp_path / "sample").apply)):
        place = tmp_path / str(number)
        action = world(place)
        killed_at(point, action.apply)
        assert os.readlink(place / "to" / "current") in ("v3", "v4")
        action.apply()
        assert action.check() == DONE
        left = {name for name in os.listdir(place / "to") if "v1" in name or "v2" in name}
        assert left == set()
