"""ssh-keygen checks what `sign --ssh-key` made, with the line of the page, and refuses the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kit.stock import sshsig
from tests.conftest import Judge
from tests.support.stock import (
    PRINCIPAL,
    Change,
    append_to,
    copy_site,
    lines_of,
    make_site,
    replace_in,
    run_line,
)
from verifier.crypto.sshsig import NAMESPACE

(LINE,) = lines_of("ssh-keygen")
GOOD = f'Good "offline-kit" signature for {PRINCIPAL}'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    """Return what a site has of a kit."""
    return make_site(tmp_path_factory.mktemp("ssh"), judge)


def test_ssh_keygen_checks_the_list(site: Path, judge: Judge) -> None:
    done = run_line(LINE, site, **{"ssh-keygen": judge("ssh-keygen")})
    assert (done.returncode, GOOD in done.stdout) == (0, True), done.stderr


REFUSED: dict[str, Change] = {
    "the list has one byte more": append_to("SHA256SUMS"),
    "a digest of the list is another": lambda site: (site / "SHA256SUMS").write_bytes(
        b"0" * 64 + (site / "SHA256SUMS").read_bytes()[64:]
    ),
    "the site allows this key something else": replace_in(
        "allowed_signers", b'"offline-kit"', b'"file"'
    ),
    "the site knows the name with another key": replace_in(
        "allowed_signers", b"AAAAI", b"AAAAI" * 2
    ),
    "the site knows another name": replace_in("allowed_signers", b"release@", b"another@"),
    "the site knows nobody": lambda site: (site / "allowed_signers").write_bytes(b""),
    "the signature ends early": lambda site: (site / "SHA256SUMS.sshsig").write_bytes(
        (site / "SHA256SUMS.sshsig").read_bytes()[:-60]
    ),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_ssh_keygen_refuses_what_is_not_so(
    site: Path, tmp_path: Path, judge: Judge, change: Change
) -> None:
    changed = copy_site(site, tmp_path, change)
    done = run_line(LINE, changed, **{"ssh-keygen": judge("ssh-keygen")})
    assert (done.returncode != 0, GOOD in done.stdout) == (True, False)


def test_ssh_keygen_refuses_another_purpose(site: Path, judge: Judge) -> None:
    line = LINE.replace("-n offline-kit", "-n file")
    assert line != LINE
    assert run_line(line, site, **{"ssh-keygen": judge("ssh-keygen")}).returncode != 0


@pytest.mark.parametrize("namespace", ["offline-kit", "file"])
@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_we_read_what_ssh_keygen_writes(
    site: Path, judge: Judge, namespace: str, hash_name: str
) -> None:
    command: list[str | Path] = [judge("ssh-keygen"), "-q", "-Y", "sign", "-n", namespace]
    command += ["-O", f"hashalg={hash_name}", "-f", site.parent / "ssh"]
    sums = (site / "SHA256SUMS").read_bytes()
    made = subprocess.run(command, input=sums, capture_output=True, check=True).stdout
    if namespace == NAMESPACE:
        assert sshsig.check(made, sums)
    else:
        with pytest.raises(ValueError, match="namespace"):
            sshsig.check(made, sums)
