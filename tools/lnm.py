"""The full LNM kit: a runner image of the kit's own Debian packages, built twice and run.

    python tools/lnm.py image     # lock, and the image alone, run by runc and bwrap
    python tools/lnm.py full      # then SBOMs, the kit, built twice and compared, and a site

Everything lands in ``build/lnm/``; an earlier run is removed first.  `lock` asks this host's
repositories and index; all that follows runs without a network, where this host permits that.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from anywhere

from fixtures.lnm import make_runner_image as runner
from fixtures.lnm.generated import EPOCH, VERSION
from kit.sources.taken import take
from kit.spec import load_spec
from kit.store import Store, default_root
from runner.wheels import Host, choose
from tools import lnm_boxed

TOP = Path(__file__).resolve().parents[1]
PLACE = TOP / "build" / "lnm"
SPEC = PLACE / "full" / "kit.toml"
IMAGE = PLACE / "full" / "image"
KEYS = TOP / "fixtures" / "keys"
SUITE = "bookworm"
RUNBOOK = PLACE / "full" / "runbook.toml"
PACKAGES = "usr/lib/python3/dist-packages"  # where Debian's Python looks
PYTHON = (3, 11)  # of the suite
NEEDED = ("mmdebstrap", "umoci", "runc", "bwrap", "dpkg-deb", "syft", "uv")
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/lib/*/gconv/*")
KEPT = "/usr/share/doc/*/copyright"
SECONDS = 1800


class Unexpected(Exception):
    """A step did not do what the run is there to show."""


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


@functools.cache
def isolation() -> list[str]:
    """Return what runs a command without a network; empty if this host does not permit it."""
    way = ["unshare", "--net"]
    done = subprocess.run([*way, "true"], capture_output=True, check=False)
    return way if done.returncode == 0 else []


def run(*command: str | Path, offline: bool = True, cwd: Path = PLACE, **environment: str) -> str:
    """Run a command and return what it printed.

    Raises:
        Unexpected: It fails.
    """
    words = [*(isolation() if offline else []), *map(str, command)]
    path = os.pathsep.join([os.fspath(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise Unexpected(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"[-3000:])
    return done.stdout


def offline_kit(*words: str | Path, offline: bool = True) -> str:
    """Run the `offline-kit` of this checkout."""
    program = "from kit.cli import main; main()"
    return run(sys.executable, "-c", program, *words, offline=offline, PYTHONPATH=os.fspath(TOP))


def check_tools() -> None:
    """See that every program is there.

    Raises:
        Unexpected: One is not; all of them are named.
    """
    path = os.pathsep.join([os.fspath(Path(sys.executable).parent), os.environ.get("PATH", "")])
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        raise Unexpected(f"these programs are not installed: {', '.join(missing)}")


def lock() -> None:
    """Copy the sources, and lock what comes from elsewhere."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(TOP / "fixtures" / "lnm", PLACE)
    IMAGE.mkdir()
    RUNBOOK.write_text(in_image((PLACE / "site" / "runbook.toml").read_text("utf-8")), "utf-8")
    say(offline_kit("lock", SPEC, *plain_hosts(), offline=False).strip())


def in_image(runbook: str) -> str:
    """Return a runbook whose programs may be run in the kit's image."""
    before, head, behind = runbook.partition("[with]\n")
    assert head, "the runbook says what its programs need"
    return f'{before}{head}image = "runner-image"\n{behind}'


def plain_hosts() -> list[str]:
    """Return options for this host's repositories without TLS: apt holds them to signatures."""
    said = run("apt-get", "indextargets", "--format", "$(SITE)", offline=False)
    sites = [urlsplit(line) for line in sorted(set(said.split()))]
    hosts = [site.hostname for site in sites if site.scheme == "http" and site.hostname]
    return [word for host in hosts for word in ("--plain-http", host)]


# --- the image ------------------------------------------------------------------------------


def fetched(component: str, name: str) -> Path:
    """Return a new directory with what the kit carries of a component, out of the store."""
    spec = load_spec(SPEC)
    place = PLACE / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with take(spec, Store(default_root(os.environ))) as taken:
        assert taken is not None
        for path, file in taken.components()[component]:
            shutil.copyfile(os.fsdecode(file), place / os.fsdecode(path).rpartition("/")[2])
    return place


def driver() -> dict[str, bytes]:
    """Return the files of the driver for the Python of the image, out of the kit's own wheels."""
    wheels = map(os.fspath, fetched("driver", "wheels").glob("*.whl"))
    found: dict[str, bytes] = {}
    for path in choose(list(wheels), Host(PYTHON, "x86_64", (2, 36))):
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if not name.endswith("/")]
            found.update({f"{PACKAGES}/{name}": wheel.read(name) for name in names})
    return found


def names_in(repo: Path) -> list[str]:
    """Return the names of all packages of a repository."""
    return re.findall(r"(?m)^Package: (\S+)$", (repo / "Packages").read_text("utf-8"))


def root_files(repo: Path) -> bytes:
    """Return the root file system as a tar archive, by mmdebstrap and without a network."""
    target = PLACE / "rootfs.tar"
    target.unlink(missing_ok=True)
    run(
        *("mmdebstrap", "--variant=extract", f"--include={','.join(names_in(repo))}"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        f"--dpkgopt=path-include={KEPT}",
        *(SUITE, target, f"deb [trusted=yes] copy:{repo} ./"),
        SOURCE_DATE_EPOCH=str(EPOCH),
    )
    return target.read_bytes()


def status(repo: Path) -> dict[str, bytes]:
    """Return what scanners look for where no package was configured: a file a package."""
    found: dict[str, bytes] = {}
    for deb in sorted(repo.glob("*.deb")):
        control = run("dpkg-deb", "--field", deb)
        name = re.search(r"(?m)^Package: (\S+)$", control)
        assert name is not None
        text = control.replace(name[0], f"{name[0]}\nStatus: install ok installed", 1)
        found[f"var/lib/dpkg/status.d/{name[1]}"] = text.encode()
    return found


def layout(layers: Sequence[bytes]) -> tuple[dict[str, bytes], str]:
    """Return an image layout of layers, and the digest of its manifest."""
    config = json.loads(runner.configuration(b""))
    config["rootfs"]["diff_ids"] = [f"sha256:{runner.sha256(data)}" for data in layers]
    config["history"] = [{"created": config["created"], "created_by": "tools/lnm.py"}] * len(layers)
    config_data = runner.compact(config)
    manifest = runner.compact(
        {
            "schemaVersion": 2,
            "mediaType": runner.MANIFEST,
            "config": runner.descriptor(runner.CONFIG, config_data),
            "layers": [runner.descriptor(runner.LAYER, data) for data in layers],
            "annotations": runner.labels(),
        }
    )
    entry = {
        **runner.descriptor(runner.MANIFEST, manifest),
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"org.opencontainers.image.ref.name": VERSION},
    }
    index = {"schemaVersion": 2, "mediaType": runner.INDEX, "manifests": [entry]}
    blobs = (*layers, config_data, manifest)
    made = {f"blobs/sha256/{runner.sha256(data)}": data for data in blobs}
    made["oci-layout"] = runner.compact({"imageLayoutVersion": "1.0.0"})
    made["index.json"] = runner.compact(index)
    return made, runner.sha256(manifest)


def image() -> None:
    """Build the image twice, compare, and run it.

    Raises:
        Unexpected: The two differ, or it does not run.
    """
    repo = fetched("runner-packages", "debs")
    made: list[tuple[Mapping[str, bytes], str]] = []
    for _ in range(2):
        programs = {**runner.payload(), **status(repo), **driver()}
        made.append(layout([root_files(repo), runner.layer(programs)]))
    if made[0][1] != made[1][1]:
        raise Unexpected("the image is another one the second time")
    for name, data in made[0][0].items():
        target = IMAGE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    size = sum(map(len, made[0][0].values()))
    say(f"image {made[0][1]}: {len(names_in(repo))} packages, {size >> 20} MiB, twice the same")
    run_image()


def run_image() -> None:
    """Run the image by runc and by bwrap, each without a network."""
    bundle = PLACE / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    run("umoci", "unpack", "--image", f"{IMAGE}:{VERSION}", bundle)
    config = bundle / "config.json"
    value = json.loads(config.read_text("utf-8"))
    value["process"]["terminal"] = False
    config.write_text(json.dumps(value), "utf-8")
    by_runc = run("runc", "run", "--bundle", bundle, f"lnm-{os.getpid()}", offline=False)
    program = ("python3", f"/{runner.HOME}/run.py", "list")
    by_bwrap = run(
        *("bwrap", "--ro-bind", bundle / "rootfs", "/", "--proc", "/proc", "--dev", "/dev"),
        *("--unshare-all", *program),
        offline=False,
    )
    if by_runc != by_bwrap or "21-101" not in by_runc:
        raise Unexpected(f"the image does not run: {by_runc[:500]!r}, {by_bwrap[:500]!r}")
    say("run by runc and by bwrap: the same list of migrations")


# --- the kit --------------------------------------------------------------------------------


def full() -> Path:
    """Write the SBOMs, build the kit twice, compare, and judge it as a site does; return it.

    Raises:
        Unexpected: The two differ, or it is not verified.
    """
    say(offline_kit("sbom", SPEC).strip())
    kits = []
    for number in (1, 2):
        out = PLACE / f"out{number}"
        keys = [word for name in ("alice", "bob") for word in ("--key", KEYS / f"{name}.pem")]
        offline_kit("build", SPEC, "--root", KEYS / "root.json", "--out", out, *keys)
        kits.append(next(out.rglob("*.tar.zst")))
    if runner.sha256(kits[0].read_bytes()) != runner.sha256(kits[1].read_bytes()):
        raise Unexpected("the kit is another one the second time")
    say(f"{kits[0].name}: {kits[0].stat().st_size >> 20} MiB, twice the same")
    said = offline_kit("audit", kits[0], "--root", KEYS / "root.json")
    say(said.split("\n", 1)[0])
    return kits[0]


def main() -> int:
    """Run the steps that the command line asks for; return the exit status."""
    what = sys.argv[1:]
    if what not in (["image"], ["full"]):
        print("usage: lnm.py image|full", file=sys.stderr)
        return 2
    try:
        check_tools()
        lock()
        image()
        if what == ["full"]:
            lnm_boxed.at_a_site(full(), PLACE / "drill")
    except (Unexpected, lnm_boxed.Unexpected) as error:
        print(f"lnm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
