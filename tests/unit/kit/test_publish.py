"""Publishing to a directory and fetching from it: who wins, what a kill leaves, what is noticed."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from kit.fetch import mirror
from kit.places.choose import Access, open_reader, open_writer
from kit.places.directory import DirectoryPlace
from kit.places.model import Writer, entry_key, object_key, part_size
from kit.places.sending import measure
from kit.publish import Published, publish, read_history
from kit.releases.entry import make_entry
from kit.releases.history import head_of
from kit.spec import load_spec
from tests.support.making import ROOT_FILE, build_kit, key, pinned
from tests.support.people import SIGNER as SIGNER_FIELD
from tests.support.people import sign_root, signed_root
from tests.support.pipelines import tree
from tests.support.placing import CLIENT, SIGNER, code, flip, get, put, race
from tests.support.placing import PUBLISHER as KEY
from tests.support.program import Run
from tests.support.releases import LINE, kit_of, publisher, release, releases
from tests.support.running import Grounds, step
from tests.support.together import together
from tests.support.webserver import Answer, cut, web, whole
from verifier.core.errors import ExitStatus, KitError
from verifier.core.trust import parse_root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with two sealed releases, 1.0 and 1.1, and another 1.0."""
    return releases(tmp_path_factory.mktemp("releases"))


def test_what_is_published_is_fetched_byte_for_byte(made: Path, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "place")
    for name in ("one", "two"):
        done = put(kit_of(made, name), place)
        assert done.outcomes[0].created
    assert [entry.record.version for entry in read_history(place, LINE, [KEY])] == ["1.0", "1.1"]
    fetched = get(place, tmp_path / "low", "1.0")
    assert fetched.new
    assert fetched.head.record.version == "1.1"
    source = kit_of(made, "one").parent
    for path in sorted(source.iterdir()):
        assert (fetched.directory / path.name).read_bytes() == path.read_bytes(), path
    own = {path.name for path in fetched.directory.iterdir()}
    assert own == {path.name for path in source.iterdir()} | {"demo-1.0.release.json"}
    assert sorted(path.name for path in (tmp_path / "low").iterdir()) == ["demo-1.0"]


def test_a_release_with_a_runbook_is_fetched_too(tmp_path: Path) -> None:
    """It has two programs, and the first of them is not the verifier."""
    grounds = Grounds(tmp_path / "site")
    grounds.top.mkdir()
    grounds.make(step("a"))
    spec = load_spec(grounds.top / "release" / "kit.toml")
    kit = build_kit(spec, tmp_path / "out").path
    place = DirectoryPlace(tmp_path / "place")
    put(kit, place)
    assert get(place, tmp_path / "low").new


def test_publishing_again_is_nothing_and_another_kit_is_a_conflict_with_both_digests(
    made: Path, tmp_path: Path
) -> None:
    place = DirectoryPlace(tmp_path / "place")
    first = put(kit_of(made, "one"), place)
    before = sorted(path for path in (tmp_path / "place").rglob("*"))
    again = put(kit_of(made, "one"), place)
    assert not again.outcomes[0].created
    assert again.entry.id == first.entry.id
    assert sorted(path for path in (tmp_path / "place").rglob("*")) == before
    with pytest.raises(KitError) as caught:
        put(kit_of(made, "other"), place)
    assert caught.value.code == "version-taken"
    for name in ("one", "other"):
        assert measure(kit_of(made, name)).file.sha256 in str(caught.value)


def test_what_is_gone_from_a_place_is_put_back_and_nothing_else(
    made: Path, tmp_path: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was found corrupted is removed there, and published again."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = DirectoryPlace(tmp_path / "place")
    record = put(kit_of(made, "one"), place).entry.record
    before = tree(place.path)
    gone = [record.kit, *(file for file in record.files if file.name.endswith(".release.json"))]
    for file in gone:
        (place.path / object_key(file)).unlink()
    outcome = put(kit_of(made, "one"), place).outcomes[0]
    assert (outcome.created, outcome.sent) == (False, [file.name for file in gone])
    assert tree(place.path) == before
    (place.path / object_key(record.kit)).unlink()
    command = ["publish", str(kit_of(made, "one")), "--to", f"dir:{place.path}"]
    status, out, _ = offline_kit(*command, "--key", key("sums"))
    assert (status, "published already; 1 file sent, " in out) == (0, True)


def test_an_older_sequence_is_not_published(made: Path, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "place")
    put(kit_of(made, "two"), place)
    assert code(lambda: put(kit_of(made, "one"), place)) == "sequence-behind"


def test_looking_first_writes_nothing(made: Path, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "place")
    assert put(kit_of(made, "one"), place, dry_run=True).entry.record.n == 1
    assert not (tmp_path / "place").exists()


def test_of_eight_that_race_one_wins_and_seven_are_told(tmp_path: Path) -> None:
    """Eight different kits of one line; each release is whole, whoever came first."""
    barrier = threading.Barrier(8)

    class Late(DirectoryPlace):
        def create(self, record, data):  # type: ignore[no-untyped-def]
            barrier.wait(60)
            return super().create(record, data)

    results = race(tmp_path, lambda: Late(tmp_path / "place"))
    assert sorted(results) == ["entry-taken"] * 7 + ["won"]
    (entry,) = read_history(DirectoryPlace(tmp_path / "place"), LINE, [KEY])
    assert entry.record.version.startswith("2.")
    assert get(DirectoryPlace(tmp_path / "place"), tmp_path / "low").new


@pytest.mark.parametrize("phase", ["put", "put-half", "create"])
def test_a_writer_that_is_killed_leaves_no_half_release_and_the_next_run_ends_it(
    made: Path, tmp_path: Path, phase: str
) -> None:
    kit = kit_of(made, "one")
    child = os.fork()
    if child == 0:  # pragma: no cover - it is killed
        place = DirectoryPlace(tmp_path / "place")
        calls = [0]

        def killing(name: str, done: int, total: int) -> None:
            calls[0] += 1
            if phase == "put-half" and calls[0] == 3:
                os.kill(os.getpid(), 9)

        place._progress = killing
        if phase in ("put", "create"):
            setattr(place, phase, lambda *given: os.kill(os.getpid(), 9))
        try:
            put(kit, place)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == 9
    place = DirectoryPlace(tmp_path / "place")
    assert read_history(place, LINE, [KEY]) == []
    assert put(kit, place).outcomes[0].created
    assert list((tmp_path / "place").rglob("*offline-kit-partial")) == []
    assert get(place, tmp_path / "low").new


def test_two_places_get_the_same_entry_and_one_that_lags_is_named(
    made: Path, tmp_path: Path
) -> None:
    one, two = DirectoryPlace(tmp_path / "a"), DirectoryPlace(tmp_path / "b")
    put(kit_of(made, "one"), one, two)
    assert one.entry(LINE, 1) == two.entry(LINE, 1)
    put(kit_of(made, "two"), one)
    lagging = DirectoryPlace(tmp_path / "c")
    assert code(lambda: put(kit_of(made, "two"), one, lagging)) == "places-differ"
    assert put(kit_of(made, "two"), one, two).outcomes[1].created
    for number in (1, 2):
        data = one.entry(LINE, number)
        path = tmp_path / "c" / entry_key(LINE, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert data is not None
        path.write_bytes(data)
    other = DirectoryPlace(tmp_path / "d")
    put(kit_of(made, "other"), other)
    assert code(lambda: put(kit_of(made, "two"), one, other)) == "places-differ"


def test_a_key_that_never_signs_the_same_twice_is_named_where_that_matters(
    made: Path, tmp_path: Path
) -> None:
    signer, own = publisher("erin")  # RSA-PSS, whose salt is random
    one, two = DirectoryPlace(tmp_path / "a"), DirectoryPlace(tmp_path / "b")

    def run(*places: Writer) -> Published:
        return publish(kit_of(made, "one"), places, signer, own, workers=1)

    first = run(one)
    assert run(one).entry.id == first.entry.id
    assert code(lambda: run(one, two)) == "places-differ"
    assert two.entry(LINE, 1) is None


# --- what lies there is another -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("kit", "artifact-differs"),
        ("marker", "artifact-differs"),
        ("gone", "artifact-gone"),
        ("entry", "entry-"),
        ("entry of another line", "entry-malformed"),
        ("publisher", "entry-unsigned"),
    ],
)
def test_corruption_at_rest_is_noticed_and_nothing_gets_its_name(
    made: Path, tmp_path: Path, what: str, expected: str
) -> None:
    place = DirectoryPlace(tmp_path / "place")
    record = put(kit_of(made, "one"), place).entry.record
    named = {file.name: tmp_path / "place" / object_key(file) for file in record.files}
    line = LINE
    if what == "kit":
        flip(named[record.kit_file])
    elif what == "marker":
        flip(named["demo-1.0.sealed.json"])
    elif what == "gone":
        named["SHA256SUMS"].unlink()
    elif what == "entry":
        flip(tmp_path / "place" / entry_key(LINE, 1))
    elif what == "entry of another line":
        line = "demo/other"
        shutil.copytree(tmp_path / "place/lines/demo~stable", tmp_path / "place/lines/demo~other")
    publishers = [publisher("mallory")[1]] if what == "publisher" else [KEY]
    told = code(lambda: get(place, tmp_path / "low", line=line, publishers=publishers))
    assert told.startswith(expected)
    assert not (tmp_path / "low" / "demo-1.0").exists()


def test_what_is_signed_by_a_key_with_a_nonce_is_published_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hardware signs the same with other bytes; a fresh checkout has the same kitId."""
    monkeypatch.setattr("kit.signing.files.rfc_6979", ECDSA)

    def put(kit: Path, *places: Writer) -> Published:
        return publish(kit, places, *publisher(), workers=1)

    one, two = (release(tmp_path / name, "1.0", 7, b"one") for name in ("one", "two"))
    assert measure(one).file.sha256 != measure(two).file.sha256
    place, other = DirectoryPlace(tmp_path / "place"), DirectoryPlace(tmp_path / "other")
    first = put(one, place)
    again = put(two, place)
    assert first.outcomes[0].created
    assert again.entry.data == first.entry.data
    assert (again.outcomes[0].created, again.outcomes[0].sent) == (False, [])
    expected = ["demo-1.0.release.json", "demo-1.0.sealed.json", "demo-1.0.tar.zst"]
    assert [name for name in again.others if name.startswith("demo")] == expected
    assert put(one, place).others == ("demo-1.0.release.json",)
    # where the entry is not, the very files that it names are to be brought
    with pytest.raises(KitError) as caught:
        put(two, place, other)
    assert (caught.value.code, "mirror" in (caught.value.fix or "")) == ("places-differ", True)
    assert not (tmp_path / "other" / "lines").exists()
    # and another file beside it stays another release
    (two.parent / "notes.txt").write_text("new")
    assert code(lambda: put(two, place)) == "version-taken"


def test_a_publisher_cannot_make_a_kit_good(made: Path, tmp_path: Path) -> None:
    """The kit is held to its root, and what is started beside it to the kit."""
    place = DirectoryPlace(tmp_path / "place")
    base = put(kit_of(made, "one"), place).entry.record
    for n, (what, expected) in enumerate(
        [("kit", "entry-differs"), ("verifier", "place-differs"), ("root", "place-differs")], 1
    ):
        evil = DirectoryPlace(tmp_path / what)
        shutil.copytree(tmp_path / "place", tmp_path / what)
        shutil.rmtree(tmp_path / what / "lines")
        record = base
        if what == "kit":
            record = replace(base, kit_id="a" * 64)
        else:
            name = {"verifier": "kit-verify.pyz", "root": "root.json"}[what]
            bad = tmp_path / f"bad{n}" / name
            bad.parent.mkdir()
            bad.write_bytes(b"print('verified')\n")
            measured = measure(bad)
            evil.put(measured)
            files = tuple(measured.file if file.name == name else file for file in base.files)
            record = replace(base, files=files)
        assert evil.create(record, make_entry(record, SIGNER).data)
        assert code(partial(get, evil, tmp_path / f"low-{what}")) == expected
        assert not (tmp_path / f"low-{what}" / "demo-1.0").exists()


def test_a_kit_of_strangers_is_refused_whoever_published_it(made: Path, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "place")
    put(kit_of(made, "one"), place)
    signed = signed_root()
    for keyid, one in signed["keys"].items():
        if one[SIGNER_FIELD] != "carol":
            signed["roles"]["targets"]["keyids"].remove(keyid)
    signed["roles"]["targets"]["threshold"] = 1
    strangers = parse_root(sign_root(signed))
    with pytest.raises(KitError) as caught:
        get(place, tmp_path / "low", root=strangers)
    assert caught.value.status is ExitStatus.REJECTED
    assert not (tmp_path / "low" / "demo-1.0").exists()


def test_a_pin_notices_a_history_that_was_cut(made: Path, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "place")
    put(kit_of(made, "one"), place)
    pin = head_of(put(kit_of(made, "two"), place).entry)
    get(place, tmp_path / "low", pin=pin)
    (tmp_path / "place" / entry_key(LINE, 2)).unlink()
    assert code(lambda: get(place, tmp_path / "new", pin=pin)) == "head-behind"
    assert not (tmp_path / "new").exists()


def test_what_was_fetched_is_proved_again_and_another_is_not_written_over(
    made: Path, tmp_path: Path
) -> None:
    place = DirectoryPlace(tmp_path / "place")
    put(kit_of(made, "one"), place)
    first = get(place, tmp_path / "low")
    assert not get(place, tmp_path / "low").new
    flip(first.directory / "SHA256SUMS")
    assert code(lambda: get(place, tmp_path / "low")) == "output-exists"


def test_a_mirror_follows_and_refuses_a_source_that_has_less(made: Path, tmp_path: Path) -> None:
    place, target = DirectoryPlace(tmp_path / "place"), DirectoryPlace(tmp_path / "mirror")

    def run(source: DirectoryPlace) -> list[str]:
        _, new = mirror(
            source,
            target,
            LINE,
            tmp_path / "mirror",
            publishers=[KEY],
            client=CLIENT,
            root=pinned(),
            workers=1,
        )
        return [entry.record.version for entry in new]

    put(kit_of(made, "one"), place)
    assert run(place) == ["1.0"]
    put(kit_of(made, "two"), place)
    assert run(place) == ["1.1"]
    assert run(place) == []
    assert place.entry(LINE, 2) == target.entry(LINE, 2)
    assert not (tmp_path / "mirror" / ".offline-kit-fetch").exists()
    (tmp_path / "place" / entry_key(LINE, 2)).unlink()
    assert code(lambda: run(place)) == "head-behind"
    assert get(target, tmp_path / "low").entry.record.version == "1.1"


def test_a_web_server_gives_the_same(made: Path, tmp_path: Path) -> None:
    directory = tmp_path / "place"
    put(kit_of(made, "one"), DirectoryPlace(directory))
    with web() as server:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                answer: Answer = whole(path.read_bytes())
                server.routes[f"/r/{path.relative_to(directory).as_posix()}"] = answer
        reader = open_reader(f"{server.url}/r", Access(CLIENT))
        done = get(reader, tmp_path / "low", "1.0")
    assert done.new


@pytest.mark.parametrize("phase", ["receiving", "verifying"])
def test_a_fetch_that_is_killed_leaves_no_name_and_goes_on_where_it_was(
    made: Path, tmp_path: Path, phase: str
) -> None:
    directory, low = tmp_path / "place", tmp_path / "low"
    name = put(kit_of(made, "one"), DirectoryPlace(directory)).entry.record.kit_file

    def killing(what: str, done: int, total: int) -> None:
        if (what == name and 0 < done < total) if phase == "receiving" else what.startswith(phase):
            os.kill(os.getpid(), 9)

    with web() as server:
        for path in (path for path in sorted(directory.rglob("*")) if path.is_file()):
            data = path.read_bytes()
            answer = cut(data, len(data) // 3 + 1) if path.name == name else whole(data)
            server.routes[f"/r/{path.relative_to(directory).as_posix()}"] = answer
        reader = open_reader(f"{server.url}/r", Access(CLIENT))
        child = os.fork()
        if child == 0:  # pragma: no cover - it is killed
            try:
                get(reader, low, progress=killing)
            finally:
                os._exit(1)
        _, ended = os.waitpid(child, 0)
        assert os.WTERMSIG(ended) == 9
        assert [path.name for path in low.iterdir() if not path.name.startswith(".")] == []
        before = len(server.asked)
        assert get(reader, low).new
        again = [asked for asked in server.asked[before:] if asked.path.endswith(name)]
    assert [path.name for path in low.iterdir()] == ["demo-1.0"]
    if phase == "receiving":
        assert int(again[0].headers["Range"].removeprefix("bytes=").rstrip("-")) > 0
    else:
        assert again == [], "what has arrived is not fetched twice"


@together(
    "text", ["", "dir:", "place", "s3://", "ftp://host/x", "oci://host/r:tag", "http://host/x"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    assert code(lambda: open_writer(text, Access(CLIENT))) in {
        "place-invalid",
        "image-reference-invalid",
    }


def test_what_cannot_be_published_is_named(made: Path, tmp_path: Path) -> None:
    shutil.copytree(kit_of(made, "one").parent, tmp_path / "out")
    kit = tmp_path / "out" / "demo-1.0.tar.zst"
    place = DirectoryPlace(tmp_path / "place")
    (tmp_path / "out" / "with space").write_bytes(b"x")
    assert code(lambda: put(kit, place)) == "release-untidy"
    (tmp_path / "out" / "with space").unlink()
    (tmp_path / "out" / "link").symlink_to("SHA256SUMS")
    assert code(lambda: put(kit, place)) == "release-untidy"
    (tmp_path / "out" / "link").unlink()
    flip(tmp_path / "out" / "SHA256SUMS")
    assert code(lambda: put(kit, place)) == "release-differs"
    assert not (tmp_path / "place").exists()


def test_what_is_read_back_must_be_what_was_sent(
    made: Path, tmp_path: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that gives another byte is noticed on request, before readers can see the release."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = DirectoryPlace(tmp_path / "place")
    command = ["publish", str(kit_of(made, "one")), "--to", f"dir:{place.path}", "--read-back"]
    command += ["--key", key("sums")]
    assert put(kit_of(made, "one"), place).outcomes[0].created
    assert offline_kit(*command)[0] == 0
    (sums,) = place.path.glob("objects/sha256/*/SHA256SUMS")
    flip(sums)
    status, _, err = offline_kit(*command)
    assert (status, "error[place-differs]" in err, "SHA256SUMS" in err) == (4, True, True)
    shutil.rmtree(place.path / "lines")
    assert offline_kit(*command)[0] == 4
    assert not (place.path / "lines").exists()
    flip(sums)
    assert offline_kit(*command)[0] == 0
    assert (place.path / "lines").exists()


def test_parts_depend_on_the_size_alone() -> None:
    mib = 1 << 20
    assert [part_size(size) for size in (0, 16 * mib, 16 * mib + 1)] == [0, 0, 8 * mib]
    assert part_size(80_000 * mib) == 8 * mib
    assert part_size(80_000 * mib + 1) == 16 * mib


def test_the_commands_do_it_all(
    made: Path, tmp_path: Path, offline_kit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place, pub = "dir:place", str(ROOT_FILE.parent / "sums.pub")
    for name in ("one", "two"):
        kit = str(kit_of(made, name))
        status, out, err = offline_kit("publish", kit, "--to", place, "--key", key("sums"))
        assert status == 0, err
        assert "published; " in out
    common = ("--from", place, "--publisher", pub)
    status, out, _ = offline_kit("releases", "list", LINE, *common, "--json")
    assert [entry["version"] for entry in json.loads(out)["entries"]] == ["1.0", "1.1"]
    assert offline_kit("releases", "pin", LINE, *common, "--out", "pin.json")[0] == 0
    assert offline_kit("releases", "pin", LINE, *common, "--out", "pin.json")[0] == 2
    status, out, _ = offline_kit("releases", "verify", LINE, *common, "--pin", "pin.json")
    assert (status, "2 entries follow one another, through" in out) == (0, True)
    status, out, _ = offline_kit("releases", "show", f"{LINE}@1.0", *common)
    assert "demo 1.0 (line demo/stable, sequence 7)" in out
    status, out, _ = offline_kit("releases", "diff", LINE, "1.0", "1.1", *common)
    assert "sequence: 7 -> 8" in out
    root = ("--root", str(ROOT_FILE))
    fetched = offline_kit("fetch", LINE, *common, "--media", "stick", *root, "--pin", "pin.json")
    assert fetched[0] == 0, fetched[2]
    text = (tmp_path / "stick" / "demo-1.1.label.txt").read_text()
    assert "These numbers prove nothing on their own" in text
    status, _, err = offline_kit("releases", "verify", LINE, "--from", place)
    assert (status, "no publisher is named" in err) == (2, True)
    status, out, err = offline_kit("mirror", LINE, *common, "--to", "dir:copy", *root)
    assert (status, out) == (0, "demo/stable: 2 entries, 2 new\n"), err
    status, out, _ = offline_kit("publish", kit, "--to", place, "--key", key("sums"))
    assert (status, out.splitlines()[1]) == (0, "'place': was published already")
    (tmp_path / "place/lines/demo~stable/2.json").unlink()
    status, _, err = offline_kit("releases", "verify", LINE, *common, "--pin", "pin.json")
    assert (status, "head-behind" in err) == (4, True)
    assert offline_kit("releases", "verify", LINE, *common)[1].startswith("demo/stable: 1 entry\n")
    said = offline_kit("releases", "list", "demo/stabel", *common)[1]
    assert said == "demo/stabel: nothing has been published yet\n"
