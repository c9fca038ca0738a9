"""Kits signed with SSH keys: by ssh-keygen, by its agent, and by a PEM of the same key."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # no __all__

from kit.build import Options, build
from kit.keys import load_private, load_root_key
from kit.keys.errors import KeyUnreadable, KeyUnsupported
from kit.roots.metadata import RootKey, build_root
from kit.signing import RootKeyLike, load_signer
from kit.signing.errors import KeyNotInRoot, KeyOfAnotherSigner
from kit.stock.sshsig import SshKeyRefused
from tests.conftest import Judge
from tests.support.making import KEYS, make_sources
from tests.support.people import person
from verifier.core.signature import SSHSIG
from verifier.core.trust import read_root
from verifier.rootfile import load_root

EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def home(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the SSH keys zoe and yuri, and a root that names zoe's."""
    program = judge("ssh-keygen")
    directory = tmp_path_factory.mktemp("ssh")
    for name in ("zoe", "yuri"):
        make = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(directory / name)]
        subprocess.run([str(program), *make], check=True)
    make_root(directory / "root.json", directory / "zoe.pub", f"ssh:{directory}/zoe")
    return directory


def make_root(path: Path, public: Path, uri: str) -> None:
    data = build_root([("zoe", public)], 1, expires=EXPIRES, sign_with=[f"zoe={uri}"])
    path.write_bytes(data)


def test_a_root_is_signed_by_ssh_keygen_and_read_by_python_tuf(home: Path) -> None:
    root = load_root(os.fspath(home / "root.json"))
    assert {key.scheme for key in root.targets.keys.values()} == {SSHSIG}
    metadata = Metadata[Root].from_file(str(home / "root.json"))
    metadata.verify_delegate("root", metadata)
    metadata.signed.version = 2
    with pytest.raises(Exception, match="root was signed by 0/1 keys"):
        metadata.verify_delegate("root", metadata)


def test_a_kit_is_signed_by_ssh_keygen_and_verified(home: Path, tmp_path: Path) -> None:
    root = load_root(os.fspath(home / "root.json"))
    spec = make_sources(tmp_path / "release")
    (tmp_path / "out").mkdir()
    signer = load_signer(f"ssh:{home}/zoe", root.targets.keys)
    built = build(spec, [root], tmp_path / "out", Options(workers=1), signers=[signer])
    assert built.signers == ("zoe",)


def test_the_path_may_be_a_private_or_a_public_half(home: Path) -> None:
    targets = load_root(os.fspath(home / "root.json")).targets.keys
    made = {
        load_signer(form, targets).sign(b"x")
        for form in (f"ssh:{home}/zoe", f"zoe=ssh:{home}/zoe", f"ssh:{home}/zoe.pub")
    }
    assert len(made) == 1


def test_an_agent_signs_without_the_file(
    judge: Judge, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, add = judge("ssh-agent"), judge("ssh-add")
    (tmp_path / "zoe.pub").write_bytes((home / "zoe.pub").read_bytes())
    targets = load_root(os.fspath(home / "root.json")).targets.keys
    with pytest.raises(SshKeyRefused):
        load_signer(f"ssh:{tmp_path}/zoe.pub", targets).sign(b"x")
    for socket in agent_of(agent):
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        subprocess.run([add, "-q", home / "zoe"], check=True)
        signer = load_signer(f"ssh:{tmp_path}/zoe.pub", targets)
        assert signer.sign(b"x") == load_signer(f"ssh:{home}/zoe", targets).sign(b"x")


def agent_of(program: Path) -> Iterator[str]:
    """Yield the socket of an agent that lives as long as the loop."""
    said = subprocess.run([program, "-s"], capture_output=True, text=True, check=True).stdout
    socket, pid = re.findall(r"SSH_AUTH_SOCK=([^;]+);|SSH_AGENT_PID=(\d+);", said)
    try:
        yield socket[0]
    finally:
        os.kill(int(pid[1]), 15)


def test_an_ssh_key_that_does_not_serve_is_named(home: Path, tmp_path: Path) -> None:
    targets = load_root(os.fspath(home / "root.json")).targets.keys
    with pytest.raises(KeyNotInRoot, match="does not name it as an SSH key"):
        load_signer(f"ssh:{home}/yuri", targets)
    two: dict[str, RootKeyLike] = {**targets, "y": load_entry(home / "yuri.pub", "y", "yuri")}
    with pytest.raises(KeyOfAnotherSigner, match="for 'yuri', not for 'zoe'"):
        load_signer(f"zoe=ssh:{home}/yuri", two)
    (tmp_path / "alone").write_bytes((home / "zoe").read_bytes())
    with pytest.raises(KeyUnreadable, match=r"its public half '.*alone\.pub' is not there"):
        load_signer(f"ssh:{tmp_path}/alone", targets)
    with pytest.raises(KeyUnsupported, match="give it as ssh:PATH"):
        load_signer(f"zoe={home}/zoe", targets)
    (tmp_path / "zoe").write_bytes((home / "yuri").read_bytes())  # another key behind zoe.pub
    (tmp_path / "zoe").chmod(0o600)
    (tmp_path / "zoe.pub").write_bytes((home / "zoe.pub").read_bytes())
    with pytest.raises(Exception, match=r"signature-self-check|ssh-key-refused"):
        load_signer(f"ssh:{tmp_path}/zoe", targets).sign(b"x")


def load_entry(path: Path, keyid: str, signer: str) -> RootKey:
    key = load_root_key(path)
    return RootKey(keyid, signer, key.scheme, key.keyval["public"])


def test_a_pem_of_an_ssh_key_signs_the_same(judge: Judge, tmp_path: Path) -> None:
    judge("ssh-keygen")
    carol = load_private(KEYS / "carol.pem")
    ssh = carol.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "carol").write_bytes(ssh)
    (tmp_path / "carol").chmod(0o600)
    command = ["ssh-keygen", "-y", "-f", str(tmp_path / "carol")]
    public = subprocess.run(command, capture_output=True, check=True).stdout
    (tmp_path / "carol.pub").write_bytes(public)
    path = tmp_path / "root.json"
    make_root(path, Path(f"{SSHSIG}:{KEYS}/carol.pub"), f"{KEYS}/carol.pem")
    other = tmp_path / "other.json"
    make_root(other, tmp_path / "carol.pub", f"ssh:{tmp_path}/carol")
    assert path.read_bytes() == other.read_bytes()
    assert read_root(path.read_bytes()).targets.signers() == ["zoe"]
    assert person("carol").key["keyval"]["public"].encode() in path.read_bytes()
