"""What every test may ask for: judges that are not us, and property tests that repeat."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from verifier.crypto import ecdsa, ed25519

REQUIRE_JUDGES = "OFFLINE_KIT_REQUIRE_JUDGES"
# where .ci/run keeps the judges that no package brings
JUDGES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "offline-kit/judges"

# What a shell's `&` or nohup makes us ignore, our children would ignore too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_PYTHON = shutil.which("python3") or ""
if os.path.basename(os.path.dirname(_PYTHON)) == "shims":
    # a version manager's script, which searches for the real one at each start: five times as slow
    _real = os.path.dirname(os.path.realpath(sys.executable))
    os.environ["PATH"] = os.pathsep.join([_real, os.environ["PATH"]])

_MEMORY, _ENOUGH = "/dev/shm", 4 << 30
if "TMPDIR" not in os.environ and hasattr(os, "statvfs") and os.path.ismount(_MEMORY):
    # Thousands of tests make, sync and remove small trees: a disk makes them wait.
    _facts = os.statvfs(_MEMORY)
    if not _facts.f_flag & os.ST_NOEXEC and _facts.f_bavail * _facts.f_frsize >= _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = _MEMORY

for _key in sorted((Path(__file__).parents[1] / "fixtures/keys").glob("*.pem")):
    _key.chmod(0o600)  # git keeps no such mode, and a key that others may read is named

# No deadline anywhere: the machine is shared, and a slow moment is not a wrong verdict.
settings.register_profile("dev", deadline=None, max_examples=40)  # other ones in every run
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=100,
    derandomize=True,  # the same examples in every run: a red build is red for everybody
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", deadline=None, max_examples=20_000)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# What asks real servers, the clients of other ecosystems, whole builds in odd surroundings, or each
# Python of this machine.
LONG = frozenset({"bare", "lnm", "repro", "services"})


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the long rooms where `make test` leaves them out."""
    long = collection_path.parent == Path(__file__).parent and collection_path.name in LONG
    return True if long and config.option.markexpr == "not long" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect 15,000 tests without looking for garbage among them, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the rooms whose tests are all long; what is long is slow too."""
    here = len(Path(__file__).parent.parts)
    for item in items:
        if item.path.parts[here] in LONG:
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def arithmetic_once() -> Iterator[None]:
    """Check each signature once: thousands of tests prove the same few kits, by the same numbers.

    Both functions are pure, and plain Python takes them milliseconds; what is asked for the first
    time is worked out.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in (ecdsa, ed25519):
            patch.setattr(module, "verify", _remembering(module.verify))
        yield


def _remembering(verify: Callable[..., bool]) -> Callable[..., bool]:
    known = functools.lru_cache(maxsize=1 << 14)(verify)

    @functools.wraps(verify)
    def asked(*given: Any, **named: Any) -> bool:
        try:
            return known(*given, **named)
        except TypeError:  # a bytearray, or what verify itself refuses
            return verify(*given, **named)

    return asked


class Judge(Protocol):
    """Finds a program that is not ours and must agree with us."""

    def __call__(self, *names: str) -> Path:
        """Return the absolute path of the first of ``names`` that is installed."""
        ...


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Return ``judge("7zz", "7z")``: a program's path, or the test ends as "not run".

    Where OFFLINE_KIT_REQUIRE_JUDGES=1 is set, as .ci/run does, a missing judge fails the test
    instead: what is skipped there would count as passed.
    """

    def find(*names: str) -> Path:
        for name in names:
            path = shutil.which(name) or shutil.which(name, path=os.fspath(JUDGES))
            if path is not None:
                return Path(path).absolute()
        reason = f"not run: {names[0]} is not installed"
        if os.environ.get(REQUIRE_JUDGES) == "1":
            pytest.fail(f"{reason}, and {REQUIRE_JUDGES}=1 asks for it", pytrace=False)
        pytest.skip(reason)

    return find
