"""What `make demo` shows: a kit is built, proved without a network, and three others do not pass.

Every line that begins with ``$`` is a command that was run, and what follows is what it printed.
Everything lands in ``build/demo/``; an earlier run is removed first.  The keys are those of
``fixtures/keys/``, which are public on purpose, so the same checkout gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from verifier.show.fingerprint import groups

TOP = Path(__file__).resolve().parents[1]
DEMO = TOP / "build" / "demo"
NAME = "lnm-2026.11.0"
RELEASE = DEMO / NAME
KIT = f"{NAME}.tar.zst"
KEYS = "fixtures/keys"
NETWORK = "network: none, this runs in a network namespace of its own"
NO_NAMESPACE = "network: not taken away, this host permits no network namespace"
TIMEOUT_SECONDS = 60
PURPOSE = {
    KIT: "the kit",
    "kit-verify.pyz": "what proves it, with nothing but Python",
    "root.json": "the root of trust: who signs, and how many it takes",
    "README.txt": "for whoever opens the medium",
    "FIRST-CONTACT.txt": "the page to print for a site that has never taken a kit",
    "kit.dsse.json": "the signed page of the kit, for stock tools",
    "SHA256SUMS": "the digest of every member, for stock tools",
    "SHA256SUMS.sig": "its signature, for openssl and cosign",
    "SHA256SUMS.sigstore.json": "the same as a sigstore bundle",
    "cosign.pub": "the public key of these two",
    "kit.sigstore.json": "one signature of the page as a sigstore bundle",
    "cosign-trusted-root.json": "keeps cosign from asking the network",
    f"{NAME}.sealed.json": "the names of this kit: kitId, contentId, file digest",
}


class Unexpected(Exception):
    """A step did not do what the demo is there to show."""


def say(text: str = "") -> None:
    """Print a line of the demo."""
    print(text, flush=True)


@functools.cache
def isolation() -> list[str]:
    """Return what runs a command without a network; empty if this host does not permit it."""
    ways = [["unshare", "--net"], ["unshare", "--net", "--map-root-user"]]
    for way in ways if os.geteuid() == 0 else ways[1:]:
        try:
            done = subprocess.run([*way, "true"], capture_output=True, check=False)
        except OSError:
            return []
        if done.returncode == 0:
            return way
    return []


def shown(command: Sequence[str]) -> str:
    """Return a command as it is typed, over several lines if it is long."""
    lines = [command[0]]
    for word in map(shlex.quote, command[1:]):
        if word.startswith("--") and len(lines[-1]) > 72:
            lines.append("   ")
        lines[-1] += f" {word}"
    return " \\\n".join(lines)


def run(command: Sequence[str], expected: int, *, directory: Path, wrap: Sequence[str] = ()) -> str:
    """Show a command, run it, show what it printed and its exit status; return what it printed.

    ``offline-kit`` is the one of this checkout.  ``python3`` is the bare interpreter that the
    virtual environment was made from, and gets an empty environment.

    Raises:
        Unexpected: The exit status is another one, or there is none.
    """
    say(f"$ {shown(command)}")
    environment: dict[str, str] = {}
    if command[0] == "python3":
        real = [*wrap, getattr(sys, "_base_executable", sys.executable), *command[1:]]
    else:
        assert command[0] == "offline-kit"
        real = [sys.executable, "-m", "kit.cli", *command[1:]]
        environment = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    try:
        done = subprocess.run(
            real,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unexpected(f"{command[0]} did not run: {error}") from None
    text = done.stdout.decode("utf-8").replace(f"{TOP}/", "")  # the same wherever this is
    if text:
        say(text.rstrip("\n"))
    say("$ echo $?")
    say(str(done.returncode))
    if done.returncode != expected:
        raise Unexpected(f"exit status {done.returncode} where {expected} was expected")
    return text


def build(out: str, *signers: str, spec: str = "fixtures/lnm/kit.toml") -> str:
    """Build the kit below the top with the public test keys; return what was printed."""
    keys = [word for name in signers for word in ("--key", f"{KEYS}/{name}.pem")]
    command = ["offline-kit", "build", spec, "--root", f"{KEYS}/root.json"]
    command += ["--out", out, *keys, "--sums-key", f"{KEYS}/sums.pem"]
    return run(command, 0, directory=TOP)


def verify(kit: str, expected: int, *options: str, root: bool = True) -> str:
    """Verify as an operator does, in the directory where everything lies."""
    command = ["python3", "-I", "-S", "kit-verify.pyz", kit]
    command += ["--root", "root.json"] if root else []
    return run([*command, *options], expected, directory=RELEASE, wrap=isolation())


def expect(text: str, *sentences: str) -> None:
    """Hold what was printed to what the demo is there to show.

    Raises:
        Unexpected: A sentence is missing.
    """
    for sentence in sentences:
        if sentence not in text:
            raise Unexpected(f"{sentence!r} was expected and not printed")


def show_files() -> None:
    """List what lies beside the kit.

    Raises:
        Unexpected: Something is missing or too much.
    """
    found = sorted(path.name for path in RELEASE.iterdir())
    if found != sorted(PURPOSE):
        raise Unexpected(f"these files were made: {', '.join(found)}")
    say(f"build/demo/{NAME}/")
    for name, purpose in PURPOSE.items():
        say(f"  {name:<26} {purpose}")


def show_numbers() -> None:
    """Print the two numbers that an operator needs from elsewhere, in groups to be read aloud."""
    for name in ("kit-verify.pyz", "root.json"):
        digest = hashlib.sha256((RELEASE / name).read_bytes()).hexdigest()
        say(f"sha256 of {name}:")
        say("  " + groups(digest))


def show_tree(top: Path) -> None:
    """List what was extracted, two levels deep."""
    files = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
    places = ["/".join(path.split("/")[:-1][:2]) for path in files]
    say(f"{top.relative_to(TOP).as_posix()}/")
    for place in sorted(set(places) - {""}):
        if not place.startswith("verifier"):
            count = places.count(place)
            say(f"  {place + '/':<26} {count} file{'s' if count > 1 else ''}")
    say(f"  {'verifier/':<26} the source of kit-verify.pyz")
    for path in files:
        if "/" not in path:
            say(f"  {path}")


def tamper(copy: Path) -> None:
    """Copy the kit and flip one bit in the last payload frame (FORMAT 10.1 says where it ends)."""
    data = bytearray((RELEASE / KIT).read_bytes())
    frames = int.from_bytes(data[-9:-5], "little")
    end = len(data) - (8 * frames + 17) - (14 + 3 + 1024)  # seek table, frame of the end
    data[end - 1000] ^= 1
    copy.parent.mkdir()
    copy.write_bytes(data)


def good() -> None:
    """Build, show, prove and extract a kit as it should be."""
    say("== Release host: build, sign with two signers out of three, seal ==")
    say("(The keys in fixtures/keys are public on purpose: they are for demos and tests only.)")
    expect(build("build/demo", "alice", "bob"), "signed by alice, bob (threshold 2)")
    say()
    say("== What is carried ==")
    show_files()
    say()
    say("== Two numbers that must not travel with it: paper, telephone, an earlier kit ==")
    show_numbers()
    say()
    say(f"== Disconnected host: prove every byte (in build/demo/{NAME}) ==")
    say("environment: empty; installed packages: out of reach (-S)")
    say(NETWORK if isolation() else NO_NAMESPACE)
    expect(verify(KIT, 0), "VERIFIED: lnm 2026.11.0, line lnm/stable, sequence 1\n")
    say()
    say("== The same once more, and unpack what was proved ==")
    verify(KIT, 0, "--extract", "lnm", "--quiet")
    show_tree(RELEASE / "lnm")


def bad() -> None:
    """Show that a damaged copy, too few signers and a missing root do not pass."""
    say()
    say("== A copy with one bit flipped in its payload ==")
    tamper(DEMO / "tampered" / KIT)
    expect(verify(f"../tampered/{KIT}", 4), "REJECTED: digest-mismatch\n")
    say()
    say("== The same release, signed by one signer only ==")
    expect(build("build/demo/one-signer", "alice"), "not sealed: 1 more of bob, carol must sign")
    expect(verify(f"../one-signer/{NAME}/{KIT}", 4), "REJECTED: threshold-not-met\n", "('alice')")
    say()
    say("== The good kit, without a root of trust ==")
    text = verify(KIT, 3, root=False)
    expect(text, "UNDECIDED: nobody vouches for this kit\n", "error[no-root]")
    if "verified" in text.lower():
        raise Unexpected("a kit without a root is called verified")


def drop(name: str) -> str:
    """Copy the sources of the attested kit without one attestation; return the copy's spec."""
    copy = DEMO / "dropped" / "source"
    shutil.copytree(TOP / "fixtures" / "lnm", copy)
    spec = copy / "attested.toml"
    tables = spec.read_text("utf-8").split("[[attestation]]\n")
    spec.write_text("[[attestation]]\n".join(t for t in tables if name not in t), "utf-8")
    return spec.relative_to(TOP).as_posix()


def strict() -> None:
    """Show that a policy that demands evidence takes the kit that has it, and no other."""
    say()
    say("== The same release with what is attested of it: tests, provenance, signatures, VEX ==")
    text = build("build/demo/attested", "alice", "bob", spec="fixtures/lnm/attested.toml")
    expect(text, "signed by  alice, bob")
    say()
    say("== A site whose policy demands all of that ==")
    root = hashlib.sha256((RELEASE / "root.json").read_bytes()).hexdigest()
    policy = "../../../fixtures/lnm/supply/policy.json"
    command = ["python3", "-I", "-S", "kit-verify.pyz", "trust", "init", "--root", "root.json"]
    command += ["--fingerprint", root, "--policy", policy, "--trust", "../trust"]
    run(command, 0, directory=RELEASE, wrap=isolation())
    trusted = ("--trust", "../trust")
    text = verify(f"../attested/{NAME}/{KIT}", 0, *trusted, root=False)
    expect(text, "VERIFIED: lnm", "attestation https://in-toto.io/attestation/test-result/v0.1")
    say()
    say("== The same site, and a release whose test attestation was dropped ==")
    text = build("build/demo/dropped", "alice", "bob", spec=drop("tests.dsse.json"))
    expect(text, "signed by  alice, bob")
    text = verify(f"../dropped/{NAME}/{KIT}", 4, *trusted, root=False)
    expect(text, "REJECTED: attestation-missing\n", "test-result/v0.1")


SPEC = """\
[kit]
name = "web"
version = "2"
line = "web/stable"
sequence = 2
created = 2024-01-01T00:00:00Z
summary = "a web application with its runbook"
"""
COMPONENT = """
[[component]]
id = "{name}"
version = "2"
path = "{name}"
lands = "{lands}"
[[component.source]]
"""
SERVICE = '"""Stands for what starts and stops the application of a site."""\n'
SETTINGS = {
    "type": "https://offline-kit.example/run-settings/v1",
    "environment": "staging",
    "target": "the web server of the demo",
}


def web() -> Path:
    """Write what the release of a web application is made of; return its spec."""
    source = DEMO / "web" / "source"
    for name in ("app", "tools", "wheels"):
        (source / name).mkdir(parents=True)
    (source / "app" / "index.html").write_text("version 2\n", "utf-8")
    (source / "tools" / "service.py").write_text(SERVICE, "utf-8")
    with zipfile.ZipFile(source / "wheels" / "web-2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(zipfile.ZipInfo("web/__init__.py"), "version = 2\n")
        wheel.writestr(zipfile.ZipInfo("web-2.dist-info/METADATA"), "Name: web\n")
    shutil.copy(TOP / "manifests" / "examples" / "runbooks" / "web.toml", source / "runbook.toml")
    text = SPEC
    for name in ("app", "tools", "wheels"):
        text += COMPONENT.format(name=name, lands="/opt/web") + f'dir = "{name}"\n'
    text += COMPONENT.format(name="runbook", lands="read by kit-run")
    text += 'runbook = "runbook.toml"\n'
    (source / "kit.toml").write_text(text, "utf-8")
    return source / "kit.toml"


def planned() -> None:
    """Show what a site is told before the runbook of a kit is run."""
    say()
    say("== A kit with a runbook: what would be done at this site, and how it is taken back ==")
    spec = web().relative_to(TOP).as_posix()
    expect(build("build/demo/web/out", "alice", "bob", spec=spec), "signed by alice, bob")
    site = DEMO / "web" / "site"
    (site / "place").mkdir(parents=True)
    inputs = {"health": "http://localhost:8080/health", "place": os.fspath(site / "place")}
    settings = {**SETTINGS, "inputs": inputs}
    (site / "settings.json").write_text(json.dumps(settings, indent=1), "utf-8")
    (site / "settings.json").chmod(0o600)
    kit, verifier = "../out/web-2/web-2.tar.zst", "../out/web-2/kit-verify.pyz"
    root = hashlib.sha256((TOP / KEYS / "root.json").read_bytes()).hexdigest()
    start = ["python3", "-I", "-S", verifier]
    command = [*start, "trust", "init", "--root", "../out/web-2/root.json"]
    run([*command, "--fingerprint", root, "--trust", "trust"], 0, directory=site, wrap=isolation())
    command = [*start, kit, "--trust", "trust", "--only", "kit-run.pyz", "--extract", "tools"]
    run([*command, "--quiet"], 0, directory=site, wrap=isolation())
    command = ["python3", "-I", "-S", "tools/kit-run.pyz", "plan", kit, "--trust", "trust"]
    command += ["--settings", "settings.json"]
    text = run(command, 0, directory=site, wrap=isolation())
    expect(text, "the site has what it needs; nothing was changed")


def main() -> int:
    """Run the demo and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir(parents=True)
    for path in sorted((TOP / KEYS).glob("*.pem")):
        path.chmod(0o600)  # git keeps no such mode, and a key that others may read is named
    try:
        good()
        bad()
        strict()
        planned()
    except Unexpected as error:
        say()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    say()
    say("== Done: one kit proved, four that did not pass, each as it should be ==")
    return 0


if __name__ == "__main__":
    sys.exit(main())
