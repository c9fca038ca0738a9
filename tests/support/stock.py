"""A site that has a sealed kit and stock tools, and runs the lines of docs/howto/stock-tools.md.

The lines run as they stand on the page, in a network namespace of their own where the host permits
one: what they need is on the medium.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from kit.seal import seal
from kit.sign import sign
from kit.stock.sshsums import keep_sums, sign_sums
from tests.conftest import Judge
from tests.support.making import KEYS, REPOSITORY, ROOT_FILE, key, make_kit
from tests.support.people import person
from tools.demo import isolation
from verifier.core.envelope import pae

PAGE = REPOSITORY / "docs" / "howto" / "stock-tools.md"
PRINCIPAL = "release@example.org"
Change = Callable[[Path], object]
"""What somebody does to the files of a site."""


def lines_of(heading: str) -> list[str]:
    """Return the ``sh`` blocks below a heading of the page."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


def make_site(place: Path, judge: Judge) -> Path:
    """Return a directory with all that can lie beside a kit, the root, and what the site keeps."""
    program = judge("ssh-keygen")
    made = make_kit(place, {"app/run": b"#!/bin/sh\n", "app/notes": b"notes\n"})
    ssh_key = place / "ssh"
    command: list[str | Path] = [program, "-q", "-t", "ed25519", "-N", "", "-f", ssh_key]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    signature = sign_sums(made.path, ssh_key)
    keep_sums(made.path, signature, sign(made.path, [key("alice")], reopen=True).kit_id)
    assert seal(made.path).absent == {}
    public = " ".join((place / "ssh.pub").read_text().split()[:2])
    line = f'{PRINCIPAL} namespaces="offline-kit" {public}\n'
    (made.directory / "allowed_signers").write_text(line)
    shutil.copyfile(ROOT_FILE, made.directory / "root.json")
    shutil.copyfile(KEYS / "bob.pub", made.directory / "signer.pub")
    return made.directory


def copy_site(site: Path, place: Path, change: Change | None = None) -> Path:
    """Return a copy of a site, changed."""
    copy = Path(shutil.copytree(site, place / "site"))
    if change is not None:
        change(copy)
    return copy


def run_line(line: str, site: Path, **programs: Path) -> subprocess.CompletedProcess[str]:
    """Run a block of the page in a site's directory, with nothing else in its environment.

    Args:
        programs: From a program's name to the file that it means.
    """
    own = site.parent / "programs"
    own.mkdir(exist_ok=True)
    for name, path in programs.items():
        (own / name).unlink(missing_ok=True)
        (own / name).symlink_to(path)
    home = site.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [*isolation(), "/bin/sh", "-eu", "-c", line],
        cwd=site,
        env={"PATH": f"{own}:/usr/bin:/bin", "HOME": os.fspath(home), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def append_to(name: str, data: bytes = b"\n") -> Change:
    """Return a change that makes a file longer."""
    return lambda site: (site / name).write_bytes((site / name).read_bytes() + data)


def replace_in(name: str, old: bytes, new: bytes) -> Change:
    """Return a change of some bytes that must be in a file."""

    def change(site: Path) -> None:
        data = (site / name).read_bytes()
        assert old in data, name
        (site / name).write_bytes(data.replace(old, new, 1))

    return change


def swap_keys(site: Path) -> None:
    """Take the key of the list for that of the signer, and the other way round."""
    one, other = (site / "cosign.pub").read_bytes(), (site / "signer.pub").read_bytes()
    (site / "cosign.pub").write_bytes(other)
    (site / "signer.pub").write_bytes(one)


def other_signature(site: Path) -> None:
    """Put good signatures over something else in the place of each: same keys, same form."""
    sums = base64.b64encode(person("sums").sign(b"something else"))
    (site / "SHA256SUMS.sig").write_bytes(sums)
    bundle = json.loads((site / "SHA256SUMS.sigstore.json").read_bytes())
    bundle["messageSignature"]["signature"] = sums.decode()
    (site / "SHA256SUMS.sigstore.json").write_text(json.dumps(bundle))
    page = base64.b64encode(person("bob").sign(pae(b"{}"))).decode()
    bundle = json.loads((site / "kit.sigstore.json").read_bytes())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = page
    (site / "kit.sigstore.json").write_text(json.dumps(bundle))
    envelope = json.loads((site / "kit.dsse.json").read_bytes())
    for signature in envelope["signatures"]:
        signature["sig"] = page
    (site / "kit.dsse.json").write_text(json.dumps(envelope))


def other_statement(site: Path) -> None:
    """Change a word of the statement and keep its signatures."""
    for name in ("kit.sigstore.json", "kit.dsse.json"):
        value = json.loads((site / name).read_bytes())
        envelope = value.get("dsseEnvelope", value)
        payload = base64.b64decode(envelope["payload"]).replace(b'"demo"', b'"dema"')
        envelope["payload"] = base64.b64encode(payload).decode()
        (site / name).write_text(json.dumps(value))
