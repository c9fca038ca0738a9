"""Components that keep, and that break, what their kinds promise (FORMAT 17).

All of these kits are good: what a kind promises is judged after that, and by whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.support.assembler import OWN, Draft, assemble, component
from tests.support.kindfiles import (
    COMMIT,
    GOOD,
    OCI,
    WHEEL,
    Files,
    Layout,
    bundle,
    debs,
    git,
    integrity,
    js,
    npm,
    oci,
    project,
    repository,
    requirements,
    sha256,
    stanza,
    wheels,
)
from tests.support.naive import Entry
from tests.support.vector import Case, ok

RULES = {"oci": "17.3", "wheels": "17.4", "debs": "17.5", "npm": "17.6", "git": "17.7"}
DOCKER = "application/vnd.docker"


def kit_of(kind: str, files: Files, *places: str) -> bytes:
    """Return a kit with one component of a kind."""
    entries = sorted(
        (Entry(f"c/{name}".encode(), data) for name, data in files.items()),
        key=lambda entry: entry.path,
    )
    made = component("c", *(places or ("c",)), kind=kind)
    return assemble(Draft((*OWN, *entries), components=[made]))


def kind(name: str, why: str, kind_: str, make: Callable[[], Files], *codes: str) -> Case:
    """Return a vector with one component, and what must be found in it."""
    rules = RULES.get(kind_, "9.2 17.1")
    made = partial(lambda: kit_of(kind_, make()))
    return ok(f"kind_{kind_}_{name}", rules, why, made, kinds=codes)


def without(files: Files, name: str) -> Files:
    """Return files but for one."""
    return {key: data for key, data in files.items() if key != name}


# --- oci ---------------------------------------------------------------------------------------


def layout(*names: str | None, **more: object) -> Files:
    """Return a layout of one image, named so."""
    made = Layout()
    image = made.image()
    for name in names:
        made.name(image, name)
    return made.done(**more)


def lone(change: Callable[[Layout], None]) -> Files:
    """Return a layout that ``change`` made."""
    made = Layout()
    change(made)
    return made.done()


def renamed() -> Files:
    files = layout("a")
    name = f"blobs/sha256/{sha256(b'a layer' + bytes([10]))}"
    return {**files, name: b"A layer\n"}


def sized() -> Files:
    made = Layout()
    image = made.image()
    made.name({**image, "size": image["size"] + 1}, "a")
    return made.done()


def missing() -> Files:
    files = layout("a")
    return without(files, f"blobs/sha256/{sha256(b'a layer' + bytes([10]))}")


def restricted(made: Layout) -> None:
    layer = {"mediaType": f"{OCI}.layer.nondistributable.v1.tar", "digest": f"sha256:{'d' * 64}"}
    config = made.blob(js({"rootfs": {"diff_ids": ["x"]}}), f"{OCI}.config.v1+json")
    made.name(made.manifest(config, [{**layer, "size": 7, "urls": ["https://x"]}]), "a")


def ambiguous(made: Layout) -> None:
    config = made.blob(b"{}", f"{OCI}.config.v1+json")
    made.name(made.manifest(config, [], manifests=[]), "a")


def platforms(made: Layout) -> None:
    image = {**made.image(), "platform": {"os": "linux", "architecture": "arm64"}}
    made.name(made.index([image]), "a")


def chart(made: Layout) -> None:
    config = made.blob(b"name: app", "application/vnd.cncf.helm.config.v1+json")
    layer = made.blob(b"a chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    made.name(made.manifest(config, [layer]), "chart")
    docker = {"schemaVersion": 2, "mediaType": f"{DOCKER}.distribution.manifest.v2+json"}
    conf = made.blob(b'{"os":"linux"}', f"{DOCKER}.container.image.v1+json")
    made.name(made.blob(js({**docker, "config": conf, "layers": []}), docker["mediaType"]), "d")  # type: ignore[arg-type]


def deep(made: Layout) -> None:
    found = made.image()
    for _ in range(5):
        found = made.index([found])
    made.name(found, "a")


def many(made: Layout) -> None:
    layer = made.blob(b"x", f"{OCI}.layer.v1.tar")
    made.name(made.manifest(made.blob(b"{}", "application/x"), [layer] * 20_001), "a")


def wrong_type(made: Layout) -> None:
    made.name(made.index([made.blob(b"x", "application/x")]), "a")


def no_digest(made: Layout) -> None:
    made.name(made.manifest({"mediaType": "x", "digest": "sha256:../x", "size": 1}, []), "a")


OCI_CASES = [
    kind("good", "Two images, one for two platforms.", "oci", oci),
    kind("chart", "A Helm chart and an image of Docker's types.", "oci", lambda: lone(chart)),
    kind("restricted", "A layer that may not travel is missing.", "oci", lambda: lone(restricted)),
    kind("no_index", "No index.json.", "oci", lambda: without(oci(), "index.json"),
         "kind-file-missing"),
    kind("more", "A file beside the layout.", "oci", lambda: {**oci(), "README": b"x"},
         "kind-file-unexpected"),
    kind("layout", "Of another version.", "oci",
         lambda: {**oci(), "oci-layout": b'{"imageLayoutVersion":"2.0.0"}'},
         "oci-layout-malformed"),
    kind("index_text", "index.json is no JSON.", "oci", lambda: {**oci(), "index.json": b"{"},
         "oci-index-malformed"),
    kind("index_twice", "A name twice in one object.", "oci",
         lambda: {**oci(), "index.json": b'{"schemaVersion":1,"schemaVersion":2}'},
         "oci-index-malformed"),
    kind("index_empty", "An index of nothing.", "oci",
         lambda: {"oci-layout": oci()["oci-layout"], **lone(lambda made: None)},
         "oci-index-malformed"),
    kind("nameless", "An image without a name.", "oci", lambda: layout("a", None),
         "oci-name-missing"),
    kind("named_twice", "Two images of one name.", "oci", lambda: layout("a", "a"),
         "oci-name-missing"),
    kind("renamed", "A blob that is not what its name says.", "oci", renamed,
         "oci-blob-renamed"),
    kind("missing", "A layer is missing.", "oci", missing, "oci-blob-missing"),
    kind("unreferenced", "A blob that no image needs.", "oci",
         lambda: {**layout("a"), f"blobs/sha256/{sha256(b'x')}": b"x"}, "oci-blob-unreferenced"),
    kind("sized", "Another size than its descriptor says.", "oci", sized, "oci-size-mismatch"),
    kind("ambiguous", "A manifest that is an index too.", "oci", lambda: lone(ambiguous),
         "oci-manifest-malformed"),
    kind("wrong_type", "An index of something that is no image.", "oci",
         lambda: lone(wrong_type), "oci-manifest-malformed"),
    kind("no_digest", "A digest that climbs.", "oci", lambda: lone(no_digest),
         "oci-manifest-malformed"),
    kind("config", "A configuration of two layers for one.", "oci",
         lambda: lone(lambda made: made.name(
             made.image(rootfs={"diff_ids": ["sha256:x", "sha256:y"]}), "a")),
         "oci-config-malformed"),
    kind("platform", "arm64 says the index, amd64 the image.", "oci", lambda: lone(platforms),
         "oci-platform-mismatch"),
    kind("deep", "Indexes six deep.", "oci", lambda: lone(deep), "kind-unchecked"),
    kind("many", "20,001 layers.", "oci", lambda: lone(many), "kind-unchecked"),
]  # fmt: skip


# --- wheels ------------------------------------------------------------------------------------


def pinned(line: str, *digests: str) -> Files:
    """Return one wheel and a line."""
    return {WHEEL: b"1", "requirements.txt": requirements((line, digests or [sha256(b"1")]))}


def raw(text: str) -> Files:
    """Return one wheel and a requirements.txt."""
    return {WHEEL: b"1", "requirements.txt": text.encode()}


BAD_LINES = {
    "option": "--extra-index" + "-url https://x.example\n",
    "other_file": "-r other.txt\n",
    "address": f"runner-tools @ https://x.example/x.whl --hash=sha256:{sha256(b'1')}\n",
    "range": f"runner-tools>=1.0 --hash=sha256:{sha256(b'1')}\n",
    "no_hash": "runner-tools==1.0\n",
    "sha1": f"runner-tools==1.0 --hash=sha1:{'a' * 40}\n",
    "more_options": f"runner-tools==1.0 --hash=sha256:{sha256(b'1')} --no-binary\n",
}
WHEEL_CASES = [
    kind("good", "Three wheels of two projects.", "wheels", wheels),
    kind("nothing", "No requirements.txt.", "wheels",
         lambda: without(wheels(), "requirements.txt"), "kind-file-missing"),
    kind("more", "A sdist beside the wheels.", "wheels",
         lambda: {**wheels(), "x-1.0.tar.gz": b"x"}, "kind-file-unexpected"),
    kind("below", "A wheel in a directory of its own.", "wheels",
         lambda: {**wheels(), "more/x-1.0-py3-none-any.whl": b"x"}, "kind-file-unexpected"),
    kind("named", "A file that is called no wheel.", "wheels",
         lambda: {**wheels(), "x-1.0.whl": b"x"}, "wheel-name-malformed"),
    kind("missing", "A hash without its wheel.", "wheels",
         lambda: pinned("runner-tools==1.0", sha256(b"1"), sha256(b"2")), "wheel-missing"),
    kind("unlisted", "A wheel without its hash.", "wheels",
         lambda: {**wheels(), "x-1.0-py3-none-any.whl": b"x"}, "wheel-unlisted"),
    kind("other_version", "The hash stands at another version.", "wheels",
         lambda: pinned("runner-tools==1.1"), "wheel-unlisted"),
    *(kind(f"line_{name}", f"A line that is none: {name}.", "wheels", partial(raw, text),
           "requirements-malformed") for name, text in BAD_LINES.items()),
]  # fmt: skip


# --- debs --------------------------------------------------------------------------------------


def one_deb(text: str = "", **more: str) -> Files:
    """Return a repository of one package."""
    return repository(text or stanza("one", b"1"), {"one_2.0-1_all.deb": b"1"}, **more)


def other_packages() -> Files:
    files = debs()
    return {**files, "Packages": files["Packages"] + b"\n"}


DEB_CASES = [
    kind("good", "Two packages.", "debs", debs),
    kind("no_release", "No Release.", "debs", lambda: without(debs(), "Release"),
         "kind-file-missing"),
    kind("more", "An InRelease that apt would prefer.", "debs",
         lambda: {**debs(), "InRelease": b"x"}, "kind-file-unexpected"),
    kind("dated", "A date after the kit.", "debs",
         lambda: one_deb(Date="Sat, 01 Jan 2028 00:00:00 UTC"), "debs-release-dated"),
    kind("ends", "A Valid-Until.", "debs",
         lambda: one_deb(**{"Valid-Until": "Sat, 01 Jan 2028 00:00:00 UTC"}),
         "debs-release-dated"),
    kind("no_date", "No date.", "debs", lambda: one_deb(Date=""), "debs-release-malformed"),
    kind("no_sum", "No SHA-256 of Packages.", "debs", lambda: one_deb(SHA256=""),
         "debs-release-malformed"),
    kind("other_packages", "Packages is another file.", "debs", other_packages,
         "debs-release-mismatch"),
    kind("field", "A line that is no field.", "debs", lambda: one_deb("Package\n"),
         "debs-packages-malformed"),
    kind("field_twice", "A field twice.", "debs",
         lambda: one_deb(f"Package: x\n{stanza('one', b'1')}"), "debs-packages-malformed"),
    kind("no_sha256", "A package without SHA-256.", "debs",
         lambda: one_deb(stanza("one", b"1", SHA256="")), "debs-packages-malformed"),
    kind("twice", "A package twice.", "debs",
         lambda: one_deb(2 * stanza("one", b"1")), "debs-packages-malformed"),
    kind("missing", "A package that is not there.", "debs",
         lambda: one_deb(stanza("one", b"1") + stanza("two", b"2")), "deb-missing"),
    kind("climbs", "A file elsewhere.", "debs",
         lambda: one_deb(stanza("one", b"1") + stanza("two", b"2", Filename="../../etc/x.deb")),
         "deb-missing"),
    kind("mismatch", "Another SHA-256.", "debs", lambda: one_deb(stanza("one", b"2")),
         "deb-mismatch"),
    kind("unlisted", "A package that Packages does not name.", "debs",
         lambda: {**debs(), "x_1_all.deb": b"x"}, "deb-unlisted"),
]  # fmt: skip


# --- npm ---------------------------------------------------------------------------------------


def package(resolved: str, integrity_: str = "", **more: object) -> Files:
    """Return a project with one tarball and an entry for it."""
    entry = {"resolved": resolved, "integrity": integrity_ or integrity(b"x"), **more}
    return project({"node_modules/x": entry}, {"x-1.tgz": b"x"})


HERE = "file:tarballs/x-1.tgz"
NPM_CASES = [
    kind("good", "Two packages.", "npm", npm),
    kind("no_lock", "No lock.", "npm", lambda: without(npm(), "package-lock.json"),
         "kind-file-missing"),
    kind("more", "An .npmrc.", "npm", lambda: {**npm(), "npmrc": b"registry=x"},
         "kind-file-unexpected"),
    kind("manifest", "package.json is no object.", "npm",
         lambda: {**npm(), "package.json": b"[]"}, "npm-manifest-malformed"),
    kind("lock", "A lock of npm 6.", "npm", lambda: project({}, {}, lockfileVersion=1),
         "npm-package-lock-malformed"),
    kind("entry", "An entry that is no object.", "npm", lambda: project({"x": 1}, {}),
         "npm-package-lock-malformed"),
    kind("elsewhere", "A package from a registry.", "npm",
         lambda: package("https://registry.example/x.tgz"), "npm-resolved-elsewhere",
         "npm-tarball-unlisted"),
    kind("link", "A link.", "npm", lambda: package(HERE, link=True), "npm-resolved-elsewhere",
         "npm-tarball-unlisted"),
    kind("missing", "A tarball that is not there.", "npm",
         lambda: package("file:tarballs/y.tgz"), "npm-tarball-missing", "npm-tarball-unlisted"),
    kind("climbs", "A tarball outside.", "npm", lambda: package("file:../x.tgz"),
         "npm-tarball-missing", "npm-tarball-unlisted"),
    kind("unlisted", "A tarball that the lock does not name.", "npm",
         lambda: {**npm(), "tarballs/y.tgz": b"y"}, "npm-tarball-unlisted"),
    kind("sha1", "Integrity by SHA-1.", "npm", lambda: package(HERE, integrity(b"x", "sha1")),
         "npm-integrity-missing"),
    kind("sha256", "Another SHA-256.", "npm", lambda: package(HERE, integrity(b"y", "sha256")),
         "npm-integrity-mismatch"),
    kind("sha512", "Another SHA-512.", "npm", lambda: package(HERE, integrity(b"y")),
         "npm-integrity-mismatch"),
]  # fmt: skip


# --- git ---------------------------------------------------------------------------------------

AT_HEAD, AT_KIT = f"{COMMIT} HEAD", f"{COMMIT} refs/heads/kit"


def bundled(*lines: str, **more: str) -> Files:
    """Return one bundle."""
    return {"a.bundle": bundle(*lines, **more)}  # type: ignore[arg-type]


def tags(size: int) -> list[str]:
    """Return lines of about so many bytes in all."""
    return [f"{COMMIT} refs/tags/{n:07}" for n in range(size // 58)]


GIT_CASES = [
    kind("good", "Bundles of versions 2 and 3.", "git", git),
    kind("text", "A file that is no bundle.", "git", lambda: {**git(), "a": b"text"},
         "git-bundle-malformed"),
    kind("no_pack", "A head without a pack.", "git",
         lambda: {"a": bundle(AT_HEAD, AT_KIT, pack=b"")}, "git-bundle-malformed"),
    kind("line", "A line that is no reference.", "git", lambda: bundled(AT_HEAD, "x y"),
         "git-bundle-malformed"),
    kind("needs", "It needs a commit that it does not hold.", "git",
         lambda: bundled(f"-{COMMIT} before", AT_HEAD, AT_KIT), "git-bundle-incomplete"),
    kind("filter", "It lacks objects.", "git",
         lambda: bundled("@filter=blob:none", AT_HEAD, AT_KIT, first="# v3 git bundle"),
         "git-bundle-incomplete"),
    kind("headless", "No HEAD.", "git", lambda: bundled(AT_KIT), "git-bundle-headless"),
    kind("no_branch", "HEAD, and a branch elsewhere.", "git",
         lambda: bundled(AT_HEAD, f"{'b' * 40} refs/heads/kit"), "git-bundle-headless"),
    kind("long_head", "A head of 131 KB, as a mirror with many tags has one.", "git",
         lambda: bundled(AT_HEAD, *tags(1 << 17), AT_KIT)),
    kind("long_headless", "A head of 131 KB, and no HEAD in it.", "git",
         lambda: bundled(*tags(1 << 17), AT_KIT), "git-bundle-headless"),
    kind("endless_head", "A head that is longer than what is looked into.", "git",
         lambda: bundled(AT_HEAD, AT_KIT, *tags(1 << 22)), "kind-unchecked"),
]  # fmt: skip

CASES: list[Case] = [
    kind("good", "Files of kind `files`.", "files", lambda: {"a": b"a"}),
    kind("new", "A kind that nobody knows: carried, and named in the report.", "x-new",
         lambda: {"a": b"a"}),
    ok("kind_runbook", "17.8", "A runbook: no verifier needs to know what is in it.",
       lambda: kit_of("runbook", {"runbook.json": b"{}"}, "c/runbook.json"), kinds=()),
    ok("kind_wheels_two_places", "17.2", "A kind that is one directory, in two.",
       lambda: kit_of("wheels", {"a/x": b"1", "b/x": b"2"}, "c/a", "c/b"),
       kinds=("kind-place-unfit",)),
    ok("kind_wheels_file", "17.2", "A kind that is one directory, as a file.",
       lambda: kit_of("wheels", {"a": b"1"}, "c/a"), kinds=("kind-place-unfit",)),
    *OCI_CASES, *WHEEL_CASES, *DEB_CASES, *NPM_CASES, *GIT_CASES,
]  # fmt: skip

assert set(GOOD) == set(RULES)
