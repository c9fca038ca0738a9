"""What the environment names is neither loaded nor opened: the verifier empties it first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.medium import VERIFY, Medium, library


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return Medium(tmp_path)


PYTHONS = sorted(
    {
        sys.executable,
        *map(str, Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python3")),
        *map(str, Path("/usr/bin").glob("python3.[0-9]*[0-9]")),
    }
)
OTHERS = [path for path in PYTHONS if path != sys.executable]
OPENSSL_CONFIG = """
openssl_conf = init
[init]
providers = providers
engines = engines
[providers]
default = on
planted = planted
[on]
activate = 1
[planted]
module = {library}
activate = 1
[engines]
planted = engine
[engine]
dynamic_path = {library}
init = 1
"""


def ours(python: str) -> bool:
    """Whether an interpreter is one that the verifier runs on."""
    code = "import sys; sys.exit(sys.version_info < (3, 9))"
    return subprocess.run([python, "-I", "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "python", [sys.executable, *(pytest.param(path, marks=pytest.mark.long) for path in OTHERS)]
)
def test_openssl_loads_nothing_that_the_environment_names(medium: Medium, python: str) -> None:
    """A configuration of OpenSSL, which hashlib loads, names code; a damaged kit exited 0 by it."""
    if python != sys.executable and not ours(python):
        pytest.skip("not run: too old")
    config = medium.directory / "openssl.cnf"
    config.write_text(OPENSSL_CONFIG.format(library=library(medium, "planted.so")))
    where = {"OPENSSL_CONF": os.fspath(config)}
    dangerous = [python, "-I", "-c", "import hashlib; hashlib.sha256(b'').hexdigest()"]
    subprocess.run(dangerous, env=where, check=False, capture_output=True)
    if not medium.marker.exists():
        pytest.skip("not run: this Python's OpenSSL reads no configuration")
    medium.marker.unlink()
    for options in (("-I",), ("-I", "-S"), ()):
        done = subprocess.run(
            [python, *options, *VERIFY],
            cwd=medium.directory,
            env=where,
            capture_output=True,
            text=True,
            check=False,
        )
        medium.assert_verified(done)


LOADERS = (
    *("OPENSSL_CONF", "OPENSSL_CONF_INCLUDE", "OPENSSL_MODULES", "OPENSSL_ENGINES"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "CTLOG_FILE", "RANDFILE"),
    *("LANGUAGE", "TEXTDOMAINDIR", "NLSPATH", "TMPDIR", "HOME", "XDG_CONFIG_HOME", "COLUMNS"),
)  # not LANG, LC_... and TZ: Python itself reads them before it runs anything


@pytest.mark.slow
def test_no_variable_is_left_and_no_file_that_one_names_is_opened(
    medium: Medium, judge: Judge, tmp_path: Path
) -> None:
    """The system's calls tell; of the variables a child would get there is none."""
    strace, trace = judge("strace"), tmp_path / "trace"
    named = medium.directory / "named"
    (named / "LC_MESSAGES").mkdir(parents=True)
    tried: list[str | Path] = [strace, "-f", "-qq", "-s", "4096", "-o", trace, "-e", "trace=%file"]
    if subprocess.run([*tried, "true"], capture_output=True, check=False).returncode:
        pytest.skip("not run: this host does not let strace trace")
    # both ways, so that the page of options is asked for its translation too
    for words in (VERIFY, ("kit-verify.pyz", "--no-such-option"), ("kit-verify.pyz", "--help")):
        subprocess.run(
            [*tried, sys.executable, "-I", *words],
            cwd=medium.directory,
            env={name: os.fspath(named) for name in LOADERS},
            capture_output=True,
            check=False,
        )
        assert "root.json" in trace.read_text() or words is not VERIFY
        assert os.fspath(named) not in trace.read_text()
    left = "import os, sys; sys.argv[1:] = ['selftest']; sys.path.insert(0, 'kit-verify.pyz')\n"
    left += "from verifier import cli\ncli.entry = lambda: print(dict(os.environ))\n"
    left += "from verifier.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", left],
        cwd=medium.directory,
        env={**dict.fromkeys(LOADERS, "x"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{}\n", "")


def test_a_variable_without_a_name_is_no_crash(medium: Medium) -> None:
    start = ["env", "-i", sys.executable, "-c"]
    code = (
        "import os, ctypes; c = ctypes.CDLL(None); "
        "e = (ctypes.c_char_p * 3)(b'=x', b'A=1', None); "
        f"a = (ctypes.c_char_p * 5)({sys.executable!r}.encode(), b'-I', b'kit-verify.pyz', "
        "b'selftest', None); c.execve(a[0], a, e)"
    )
    done = subprocess.run(
        [*start, code], cwd=medium.directory, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
