"""How programs are put into an image: no secret where others see it, nothing through a link."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from runner.container import Box, make_places
from runner.errors import PreflightFailed
from runner.program import Start, surroundings
from runner.settings import ENGINES
from verifier.typed import replace

PLAIN, SECRET = {"PATH": "/bin"}, {"SMALL_SECRET": "hunter2hunter2"}


def box(by: str, root: str = "/image") -> Box:
    return Box(by, f"/usr/bin/{by}", root, "sha256:" + "ab" * 32, ("/kit",), ("/data",))


@pytest.mark.parametrize("by", ENGINES)
def test_no_secret_stands_in_a_command_line(by: str) -> None:
    with box(by).words(["/kit/tools/x", "--all"], "name", "/scratch", PLAIN, SECRET) as words:
        assert words[0] == f"/usr/bin/{by}"
        assert "hunter2" not in " ".join(words)
        if by == "runc":
            place = Path(words[words.index("--bundle") + 1])
            assert place.is_relative_to("/dev/shm") or place.is_relative_to("/run")
            assert place.stat().st_mode & 0o777 == 0o700
            config = json.loads((place / "config.json").read_text("utf-8"))
            assert "SMALL_SECRET=hunter2hunter2" in config["process"]["env"]
            assert config["root"]["readonly"] is True
        else:
            assert words[-2:] == ["/kit/tools/x", "--all"]
            place = Path("/nowhere")
    assert not place.exists()


@pytest.mark.parametrize("by", ENGINES)
def test_the_kit_is_read_and_data_is_written(by: str) -> None:
    with box(by).words(["x"], "name", "/scratch", PLAIN, SECRET) as words:
        if by == "runc":
            text = (Path(words[words.index("--bundle") + 1]) / "config.json").read_text("utf-8")
            mounts = json.loads(text)["mounts"]
            found = {m["destination"]: m.get("options", [""])[-1] for m in mounts}
            modes = {path: found[path] for path in ("/kit", "/data", "/scratch")}
        elif by == "bwrap":
            at = {words[n + 1]: words[n] for n in range(len(words) - 1) if "bind" in words[n]}
            modes = {path: {"--bind": "rw", "--ro-bind": "ro"}[at[path]] for path in list(at)[1:]}
        else:
            volumes = [words[n + 1] for n in range(len(words)) if words[n] == "--volume"]
            modes = {v.split(":")[0]: "ro" if v.endswith(":ro") else "rw" for v in volumes}
    assert modes == {"/kit": "ro", "/data": "rw", "/scratch": "rw"}


def test_engines_with_a_configuration_have_the_home_of_their_user() -> None:
    homes = {by: box(by).home for by in ENGINES}
    own = pwd.getpwuid(os.getuid()).pw_dir
    assert homes == {"bwrap": "", "runc": "", "podman": own, "docker": own}
    start = Start(["x"], {}, "/scratch", "mark", "/output", 1, home=own)
    assert surroundings(start)["HOME"] == own
    assert surroundings(replace(start, home=""))["HOME"] == "/scratch"
    with box("podman").words(["x"], "name", "/s", {"HOME": "/s"}, SECRET) as words:
        assert "HOME=/s" in words  # of the program, which is not where podman's things are


def test_a_container_has_one_name_for_one_mark() -> None:
    one = box("runc")
    names = [one.name(f"run.plan/{step}/apply/{n}") for step in ("a", "a" * 64) for n in (1, 2)]
    assert len(set(names)) == 4
    assert one.name("run.plan/a/apply/1") == names[0]
    assert all(len(name) < 50 and name.startswith("kit-a") for name in names)
    assert one.ending("x") == [["/usr/bin/runc", "delete", "--force", "x"]]
    assert box("bwrap").ending("x") == []


def test_places_are_made_in_the_image_and_never_through_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    data, file = tmp_path / "data", tmp_path / "file"
    for path in (root, outside, data):
        path.mkdir()
    file.touch()
    make_places(str(root), [str(data), str(file)])
    make_places(str(root), [str(data), str(file)])
    assert (root / str(data).lstrip("/")).is_dir()
    assert (root / str(file).lstrip("/")).is_file()
    other = tmp_path / "other"
    other.mkdir()
    (other / tmp_path.parts[1]).symlink_to(outside)
    with pytest.raises(PreflightFailed, match="something else where"):
        make_places(str(other), [str(data)])
    assert list(outside.iterdir()) == []


def test_what_a_killed_runner_left_in_memory_goes_with_the_next() -> None:
    own, other = box("runc", "/a/root"), box("runc", "/b/root")
    with (
        own.words(["x"], "n", "/s", PLAIN, SECRET) as one,
        other.words(["x"], "n", "/s", PLAIN, SECRET) as two,
    ):
        places = [Path(words[words.index("--bundle") + 1]) for words in (one, two)]
        own.forget()  # as the next runner of the run does
        assert [place.exists() for place in places] == [False, True]
