"""Steps, layouts and their judgement, with in-toto's own programs beside ours."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.keys import new_key
from tests.support import killing
from tests.support.making import REPOSITORY
from tests.support.program import Run, said_by
from tests.support.together import together
from verifier.core.errors import KitError

EXPIRES = "2027-11-24T00:00:00Z"
AT = "2026-11-24T00:00:00Z"


def furnish(place: Path) -> None:
    for name in ("owner", "builder", "tester"):
        new_key("ed25519", place, name, None)
    (place / "src").mkdir()
    (place / "src" / "a.txt").write_text("a\n")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    return tmp_path


def run_here(*words: str) -> tuple[int, str, str]:
    status, said = said_by(*words)
    return status, said, said


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a signed layout, and with the links that meet it."""
    place = tmp_path_factory.mktemp("met")
    furnish(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        make_layout(run_here)
        do_steps(run_here)
    return place


@pytest.fixture
def chain(met: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of that directory."""
    shutil.copytree(met, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ok(done: tuple[int, str, str]) -> str:
    assert done[0] == 0, done[2]
    return done[1]


def python(code: str) -> list[str]:
    return ["--", sys.executable, "-I", "-S", "-c", code]


BUILD = python("import shutil; shutil.copy('src/a.txt', 'out.bin')")
TEST = python("assert open('out.bin').read() == 'a\\n'")


def make_layout(run: Run, *, threshold: int = 1) -> None:
    ok(run("layout", "init", "root.layout", "--expires", EXPIRES))
    words = ["--functionary", "builder.pub", "--materials", "ALLOW src/*"]
    words += ["--materials", "DISALLOW *", "--products", "CREATE out.bin"]
    words += ["--products", "ALLOW src/*", "--products", "DISALLOW *"]
    ok(run("layout", "add", "root.layout", "build", *words))
    words = ["--functionary", "tester.pub", "--functionary", "builder.pub"]
    words += ["--threshold", str(threshold)]
    words += ["--materials", "MATCH out.bin WITH PRODUCTS FROM build", "--materials", "DISALLOW *"]
    ok(run("layout", "add", "root.layout", "test", *words))
    ok(run("layout", "sign", "root.layout", "--key", "owner.pem"))


def do_steps(run: Run) -> None:
    words = ["--materials", "src", "--products", "src", "--products", "out.bin"]
    (Path("out.bin")).unlink(missing_ok=True)
    ok(run("step", "build", *words, "--key", "builder.pem", *BUILD))
    ok(run("step", "test", "--materials", "out.bin", "--key", "tester.pem", *TEST))


def verify(run: Run, *more: str, at: str = AT) -> tuple[int, str, str]:
    return run("layout", "verify", "root.layout", "--key", "owner.pub", "--at", at, *more)


def payload(path: str) -> Any:
    return json.loads(base64.b64decode(json.loads(Path(path).read_bytes())["payload"]))


def link_of(step: str) -> Path:
    (found,) = Path().glob(f"{step}.*.link")
    return found


def test_a_chain_that_is_met_and_what_the_link_says(here: Path, offline_kit: Run) -> None:
    make_layout(offline_kit)
    do_steps(offline_kit)
    said = ok(verify(offline_kit))
    assert "build" in said
    link = payload(str(link_of("build")))
    assert link["byproducts"]["return-value"] == 0
    assert link["byproducts"]["stdout"] == link["byproducts"]["stderr"] == ""
    assert 0 <= link["byproducts"]["duration-milliseconds"] < 60_000
    assert link["environment"] == {}
    assert sorted(link["products"]) == ["out.bin", "src/a.txt"]
    assert list(link["products"]["out.bin"]) == ["sha256"]


def program_of_in_toto(main: Callable[[], object], *words: str) -> int:
    """Run one of its programs in a fork; return its exit status."""

    def work() -> None:
        warnings.simplefilter("ignore")  # they are errors in our tests
        sys.argv = ["in-toto", *words]
        try:
            main()
        except SystemExit as ended:
            os._exit(ended.code if isinstance(ended.code, int) else ended.code is not None)

    return killing.ended(killing.fork(work))


def test_in_toto_itself_verifies_it(chain: Path, offline_kit: Run) -> None:
    """Its own program, by its own clock: the layout has not expired on this host."""
    from in_toto.in_toto_verify import main  # type: ignore[import-untyped]

    words = ["--layout", "root.layout", "--verification-keys", "owner.pub"]
    assert program_of_in_toto(main, *words) == 0
    link_of("test").unlink()
    assert program_of_in_toto(main, *words) == 1


def test_links_of_in_toto_itself_count(here: Path, offline_kit: Run) -> None:
    make_layout(offline_kit)
    from in_toto.in_toto_run import main  # type: ignore[import-untyped]

    words = ["--signing-key", "builder.pem", "-m", "src", "-p", "src", "out.bin", "-n", "build"]
    assert program_of_in_toto(main, "--use-dsse", *words, *BUILD) == 0
    ok(offline_kit("step", "test", "--materials", "out.bin", "--key", "tester.pem", *TEST))
    ok(verify(offline_kit))


def test_a_command_that_takes_longer_than_the_library_waits(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library gives up after 10 seconds, here sooner; ours has no such limit."""
    from in_toto import settings  # type: ignore[import-untyped]

    assert settings.LINK_CMD_EXEC_TIMEOUT == 10
    monkeypatch.setattr(settings, "LINK_CMD_EXEC_TIMEOUT", 0.01)
    code = "import time; time.sleep(0.3)"
    ok(offline_kit("step", "slow", "--key", "builder.pem", *python(code)))
    assert payload(str(link_of("slow")))["byproducts"]["duration-milliseconds"] >= 300


def test_a_command_that_fails_is_recorded_and_meets_no_layout(
    chain: Path, offline_kit: Run
) -> None:
    link_of("test").unlink()
    words = ["--materials", "out.bin", "--key", "tester.pem", *python("raise SystemExit(7)")]
    status, _, error = offline_kit("step", "test", *words)
    assert (status, "error[step-failed]" in error, "7" in error) == (4, True, True)
    assert payload(str(link_of("test")))["byproducts"]["return-value"] == 7
    status, _, error = verify(offline_kit)
    assert (status, "error[layout-unmet]" in error) == (4, True)
    link_of("test").unlink()
    words[-1] = "import os; os.kill(os.getpid(), 9)"
    assert offline_kit("step", "test", *words)[0] == 4
    assert payload(str(link_of("test")))["byproducts"]["return-value"] == -9


def test_output_is_kept_only_when_asked_and_the_environment_never(
    here: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", "hunter2-in-the-environment")
    code = "import sys; print('to out'); print('to err', file=sys.stderr)"
    ok(offline_kit("step", "quiet", "--key", "builder.pem", *python(code)))
    assert b"to out" not in Path(link_of("quiet")).read_bytes()
    assert payload(str(link_of("quiet")))["byproducts"]["stdout"] == ""
    ok(offline_kit("step", "loud", "--keep-output", "--key", "builder.pem", *python(code)))
    kept = payload(str(link_of("loud")))["byproducts"]
    assert (kept["stdout"], kept["stderr"]) == ("to out\n", "to err\n")
    for step in ("quiet", "loud"):
        assert "hunter2" not in json.dumps(payload(str(link_of(step))))
    code = "print('x' * (3 << 20))"
    ok(offline_kit("step", "long", "--keep-output", "--key", "builder.pem", *python(code)))
    assert len(payload(str(link_of("long")))["byproducts"]["stdout"]) == 1 << 20


ATTACKS: dict[str, Callable[[], object]] = {
    "the product was changed after the build": lambda: Path("out.bin").write_text("b\n"),
    "the link of another step": lambda: link_of("build").rename(
        link_of("build")
        .name.replace("build", "test")
        .replace(link_of("build").name.split(".")[1], link_of("test").name.split(".")[1])
    ),
    "no link": lambda: link_of("build").unlink(),
    "a link that is no JSON": lambda: link_of("build").write_text("{"),
    "a link with another payload": lambda: link_of("build").write_text(
        link_of("build").read_text().replace('"payload":"e', '"payload":"f')
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_chains_that_are_not_met(here: Path, offline_kit: Run, name: str) -> None:
    make_layout(offline_kit)
    words = ["--materials", "src", "--products", "src", "--products", "out.bin"]
    ok(offline_kit("step", "build", *words, "--key", "builder.pem", *BUILD))
    if name.startswith("the product"):
        ATTACKS[name]()
    ok(
        offline_kit(
            "step", "test", "--materials", "out.bin", "--key", "tester.pem", *python("pass")
        )
    )
    if not name.startswith("the product"):
        ATTACKS[name]()
    status, _, error = verify(offline_kit)
    assert (status, "error[layout-unmet]" in error) == (4, True)


def test_thresholds_and_strangers(here: Path, offline_kit: Run) -> None:
    make_layout(offline_kit, threshold=2)
    do_steps(offline_kit)
    assert "error[layout-unmet]" in verify(offline_kit)[2]
    ok(offline_kit("step", "test", "--materials", "out.bin", "--key", "builder.pem", *TEST))
    ok(verify(offline_kit))
    new_key("ed25519", here, "stranger", None)
    status, _, error = verify(offline_kit, "--key", "stranger.pub")
    assert (status, "error[layout-unmet]" in error) == (4, True)


def test_a_layout_is_judged_at_a_moment_and_not_by_the_clock(here: Path, offline_kit: Run) -> None:
    ok(offline_kit("layout", "init", "root.layout", "--expires", "2020-01-01T00:00:00Z"))
    ok(offline_kit("layout", "add", "root.layout", "build", "--functionary", "builder.pub"))
    ok(offline_kit("layout", "sign", "root.layout", "--key", "owner.pem"))
    ok(offline_kit("step", "build", "--key", "builder.pem", *python("pass")))
    ok(verify(offline_kit, at="2019-12-31T23:59:59Z"))
    status, _, error = verify(offline_kit, at="2020-01-01T00:00:00Z")
    assert (status, "error[layout-expired]" in error) == (4, True)


def resigned(change: Any) -> None:
    """Change a layout and sign it again, as its owner could."""
    from kit.attest.inputs import Input
    from kit.intoto.layout import _file, parse_layout, sign_layout
    from kit.signing.attesters import load_attester
    from verifier.core.jsonstrict import compact

    value = payload("root.layout")
    change(value)
    data = _file(compact(value), ())
    Path("root.layout").write_bytes(data)
    sign_layout(parse_layout(Input(Path("root.layout"), data)), [load_attester("owner.pem", {})])


def twin(value: Any) -> None:
    """Put the builder's key into a layout a second time, under another id."""
    key = next(iter(value["keys"].values()))
    value["keys"]["ab" * 32] = {**key, "keyid": "ab" * 32}
    value["steps"][0]["pubkeys"].append("ab" * 32)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (twin, "layout-invalid"),
        (lambda v: v["steps"][0].update(name="../build"), "step-unusable"),
        (lambda v: v["steps"][0].update(threshold=0), "layout-invalid"),
        (lambda v: v["steps"][0].update(threshold=9), "layout-invalid"),
        (lambda v: v["steps"][0].update(pubkeys=["ab" * 32]), "layout-invalid"),
        (lambda v: v.update(steps=v["steps"] * 2), "layout-invalid"),
        (lambda v: v.update(expires="soon"), "layout-invalid"),
        (lambda v: v["steps"][0].update(expected_products=[["ALLOW"]]), "layout-invalid"),
        (lambda v: v.pop("keys"), "layout-invalid"),
    ],
)
def test_layouts_that_are_none(chain: Path, offline_kit: Run, change: Any, code: str) -> None:
    with pytest.raises(KitError) as caught:
        resigned(change)
    assert caught.value.code == code
    assert f"error[{code}]" in verify(offline_kit)[2]


def test_a_layout_with_inspections_runs_nothing(chain: Path, offline_kit: Run) -> None:
    run = ["touch", "inspected"]
    inspection = {"_type": "inspection", "name": "i", "run": run}
    rules: dict[str, Any] = {"expected_materials": [], "expected_products": []}
    resigned(lambda value: value.update(inspect=[{**inspection, **rules}]))
    status, _, error = verify(offline_kit)
    assert (status, "error[layout-inspects]" in error) == (4, True)
    assert not Path("inspected").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["../x", "--key", "builder.pem", *python("pass")], "step-unusable"),
        (["x", "--key", "builder.pem", "--", "no-such-program"], "step-unusable"),
        (["x", "--key", "builder.pem", "--materials", "nothing", *python("pass")], "step-unusable"),
        (["x", "--key", "builder.pem", "--materials", "/etc", *python("pass")], "step-unusable"),
        (["x", "--key", "builder.pem", "--materials", "a:b", *python("pass")], "step-unusable"),
        (["x", "--key", "builder.pem", "--materials", "pipe", *python("pass")], "step-unusable"),
        (["x", "--key", "builder.pem"], "usage"),
    ],
)
def test_steps_that_cannot_be_recorded(
    here: Path, offline_kit: Run, words: list[str], code: str
) -> None:
    os.mkfifo("pipe")
    status, _, error = offline_kit("step", *words)
    assert (status, f"error[{code}]" in error) == (2, True), error
    assert list(here.glob("*.link")) == []


def envelope(text: bytes, **more: Any) -> bytes:
    value = {"payload": base64.b64encode(text).decode(), "signatures": []}
    return json.dumps({**value, "payloadType": "application/vnd.in-toto+json", **more}).encode()


@together(
    "data",
    [
        lambda: b"",
        lambda: b"[]",
        lambda: b"{" * 100_000,
        lambda: envelope(b"{"),
        lambda: envelope(b'{"steps":' * 100_000),
        lambda: envelope(b'{"_type":"layout","_type":"layout"}'),
        lambda: envelope(b'{"_type":"link"}'),
        lambda: envelope(b'{"_type":"layout","steps":[{}],"inspect":[],"keys":{}}'),
        lambda: envelope(b'{"_type":"layout"}', payload="***"),
        lambda: envelope(b'{"_type":"layout"}', payloadType="text/plain"),
        lambda: envelope(b'{"_type":"layout"}', signatures=[{"keyid": 7}]),
        lambda: envelope(b'{"_type":"layout","keys":{"' + b"a" * 9_000_000 + b'":1}}'),
    ],
    ids=range(12),
)
def test_files_that_are_no_layout(here: Path, offline_kit: Run, data: Callable[[], bytes]) -> None:
    Path("root.layout").write_bytes(data())
    status, _, error = verify(offline_kit)
    assert (status, "error[layout-invalid]" in error) == (2, True)
    assert len(error) < 2000


def test_a_link_is_never_written_over(here: Path, offline_kit: Run) -> None:
    ok(offline_kit("step", "x", "--key", "builder.pem", *python("pass")))
    before = link_of("x").read_bytes()
    words = ["--key", "builder.pem", *python("open('ran', 'w')")]
    status, _, error = offline_kit("step", "x", *words)
    assert (status, "error[attestation-exists]" in error) == (2, True)
    assert (link_of("x").read_bytes(), Path("ran").exists()) == (before, False)


@pytest.mark.parametrize("words", [["step", "x", "--key", "builder.pem", "--", "true"]])
def test_without_the_extra(here: Path, words: list[str]) -> None:
    code = "import sys; sys.modules['in_toto'] = None; sys.argv = ['offline-kit', *sys.argv[1:]]\n"
    code += "from kit.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "error[extra-missing]" in done.stderr
    assert "offline-kit[intoto]" in done.stderr
