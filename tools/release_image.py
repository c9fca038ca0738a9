"""Builds a container image for release hosts from a root file system, and makes a kit in it.

    python tools/release_image.py        # `make release-image`

No base image is pulled: mmdebstrap makes the root file system of Debian's packages, as apt of this
host gets them, and uv puts this checkout and what requirements/runtime.txt locks on top of it.  The
image layout is ``build/release-image/image``; the programs are then run out of it once, by bwrap,
without a network and with nothing but one directory of the host.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from anywhere

from fixtures.lnm import make_runner_image as runner
from kit import __version__
from kit.sources.packed import DIRECTORY, FILE
from tools.package import LOCK, SPEC, STEPS
from verifier.core.header import member_headers

TOP = Path(__file__).resolve().parents[1]
PLACE = TOP / "build" / "release-image"
IMAGE = PLACE / "image"
SUITE, PYTHON = "bookworm", "3.11"  # what that suite has
PACKAGES = "ca-certificates,git,openssh-client,python3"
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/lib/*/gconv/*")
KEPT = "/usr/share/doc/*/copyright"
HOME = "opt/offline-kit"
EPOCH = 1_795_478_400  # 2026-11-24, as kits of the fixtures
SECONDS = 1800
PROGRAM = """\
#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/{home}")
from {module} import main
sys.exit(main())
"""
PROGRAMS = {"offline-kit": "kit.cli", "kit-verify": "verifier.cli"}


def run(*command: str | Path, cwd: Path = PLACE, **environment: str) -> None:
    """Run a command; end with what it said if it fails."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        sys.stdout.write(done.stdout.decode("utf-8", "replace")[-3000:])
        raise SystemExit(f"release image: failed ({done.returncode}): {command[0]}")


def check_tools() -> None:
    """See that every program is there; all that are missing are named."""
    wanted = ("mmdebstrap", "umoci", "bwrap")
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"release image: not installed: {', '.join(missing)}")


def root_files() -> bytes:
    """Return the root file system as a tar archive."""
    target = PLACE / "rootfs.tar"
    run(
        *("mmdebstrap", "--variant=apt", f"--include={PACKAGES}"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        *(f"--dpkgopt=path-include={KEPT}", SUITE, target),
        SOURCE_DATE_EPOCH=str(EPOCH),
    )
    return target.read_bytes()


def programs() -> bytes:
    """Return a layer with the wheel of this checkout, what it needs, and what starts it."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", PLACE / "dist", cwd=TOP)
    (wheel,) = (PLACE / "dist").glob("*.whl")
    tree = PLACE / "programs"
    uv: list[str | Path] = [
        Path(sys.executable).parent / "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
    ]
    uv += ["--target", tree / HOME, "--python-version", PYTHON]
    uv += ["--python-platform", "x86_64-manylinux_2_36", "--only-binary", ":all:"]
    run(*uv, "--require-hashes", "-r", LOCK)
    run(*uv, "--offline", "--no-index", wheel)
    shutil.rmtree(tree / HOME / "bin", ignore_errors=True)  # they would start another Python
    (tree / "usr/local/bin").mkdir(parents=True)
    for name, module in PROGRAMS.items():
        path = tree / "usr/local/bin" / name
        path.write_text(PROGRAM.format(home=HOME, module=module), "utf-8")
        path.chmod(0o755)
    return layer_of(tree)


def layer_of(tree: Path) -> bytes:
    """Return a tree as a tar archive: sorted, of root, with one time."""
    parts = []
    for path in sorted(tree.rglob("*")):
        name = os.fsencode(path.relative_to(tree))
        if path.is_dir():
            parts.append(member_headers(name, 0, mode=0o755, mtime=EPOCH, kind=DIRECTORY))
            continue
        data = path.read_bytes()
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        parts += [member_headers(name, len(data), mode=mode, mtime=EPOCH, kind=FILE), data]
        parts.append(bytes(-len(data) % 512))
    return b"".join(parts) + bytes(1024)


def write_layout(layers: list[bytes]) -> str:
    """Write the image layout; return the digest of its manifest (OCI image-spec 1.1)."""
    config = runner.compact(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/usr/local/bin/offline-kit"],
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work", "LC_ALL=C.UTF-8"],
                "WorkingDir": "/work",
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{runner.sha256(data)}" for data in layers],
            },
        }
    )
    manifest = runner.compact(
        {
            "schemaVersion": 2,
            "mediaType": runner.MANIFEST,
            "config": runner.descriptor(runner.CONFIG, config),
            "layers": [runner.descriptor(runner.LAYER, data) for data in layers],
        }
    )
    entry = {
        **runner.descriptor(runner.MANIFEST, manifest),
        "annotations": {"org.opencontainers.image.ref.name": __version__},
    }
    index = {"schemaVersion": 2, "mediaType": runner.INDEX, "manifests": [entry]}
    files = {f"blobs/sha256/{runner.sha256(data)}": data for data in (*layers, config, manifest)}
    files["oci-layout"] = runner.compact({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = runner.compact(index)
    for name, data in files.items():
        target = IMAGE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return runner.sha256(manifest)


def try_it() -> None:
    """Make, sign, prove, publish and fetch a kit with the programs of the image."""
    bundle, work = PLACE / "bundle", PLACE / "work"
    run("umoci", "unpack", "--image", f"{IMAGE}:{__version__}", bundle)
    config = json.loads((bundle / "config.json").read_bytes())["process"]
    (work / "a").mkdir(parents=True)
    (work / "a" / "file").write_text("contents\n", "utf-8")
    (work / "kit.toml").write_text(SPEC, "utf-8")
    (bundle / "rootfs" / "work").mkdir()
    inside: list[str | Path] = [
        "bwrap",
        "--ro-bind",
        bundle / "rootfs",
        "/",
        "--bind",
        work,
        "/work",
    ]
    inside += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-all", "--clearenv"]
    for name, _, value in (text.partition("=") for text in config["env"]):
        inside += ["--setenv", name, value]
    inside += ["--setenv", "HOME", config["cwd"]]  # umoci puts root's there
    for step in STEPS:
        run(*inside, "--chdir", config["cwd"], "--die-with-parent", *step.split())


def main() -> int:
    """Do it all; the first failure ends it."""
    check_tools()
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    layers = [root_files(), programs()]
    digest = write_layout(layers)
    print(f"image {digest}: {sum(map(len, layers)) >> 20} MiB in {IMAGE.relative_to(TOP)}")
    try_it()
    print(f"release image: {len(STEPS)} steps of a release ran in it, without a network")
    return 0


if __name__ == "__main__":
    sys.exit(main())
