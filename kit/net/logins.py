"""Credentials for registries, as `docker login` and `podman login` wrote them.

Entries of ``auths``, and helper programs, which run bounded and see nothing but the name of the
registry.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.net.errors import FetchUnauthorized
from verifier.core.limits import MIB

_MAX_SAID = MIB  # bytes that a helper may say
_HELPER_SECONDS = 30.0
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair
_BASE64 = re.compile("[A-Za-z0-9+/_=-]*")
_TOKEN_USER = "<token>"  # how helpers say that the secret is an identity token
_FIX_LOGINS = "Mend the login files of Docker or podman: log in to the registry again."


class Logins:
    """User names and passwords for registries, out of the files of Docker and podman.

    Args:
        files: In the order of looking; those that are not there are passed over.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._files = [_config(file) for file in files]
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def of(self, host: str, repository: str = "") -> str | None:
        """Return the value of the header ``Authorization`` for a registry, if there is one.

        Args:
            repository: Of which there may be a login of its own (containers-auth.json(5)).

        Raises:
            FetchUnauthorized: A helper program failed, or a file is none.
        """
        return self._login(host, repository)[0] or None

    def identity(self, host: str, repository: str = "") -> str:
        """Return the token that stands for a user, in place of a password; empty if there is none.

        Raises:
            FetchUnauthorized: A helper program failed, or a file is none.
        """
        return self._login(host, repository)[1]

    def _login(self, host: str, repository: str) -> tuple[str, str]:
        """Return header and identity token; a helper is asked once."""
        key = host, repository
        if key not in self._known:
            self._known[key] = self._look(host, repository)
        return self._known[key]

    def _look(self, host: str, repository: str) -> tuple[str, str]:
        for config in self._files:
            helper = _table(config, "credHelpers").get(host) or config.get("credsStore")
            pair = self._ask(helper, host) if isinstance(helper, str) else None
            if pair:
                user, secret = pair
                return ("", secret) if user == _TOKEN_USER else (_basic(f"{user}:{secret}"), "")
            entry = _entry(_table(config, "auths"), host, repository)
            if isinstance(entry, dict):
                auth, token = entry.get("auth"), entry.get("identitytoken")
                auth = auth if isinstance(auth, str) else ""
                token = token if isinstance(token, str) else ""
                if not _BASE64.fullmatch(auth):  # it would become a header, and part of an error
                    raise FetchUnauthorized(
                        "the entry of `auths` is not base64", where=repr(host), fix=_FIX_LOGINS
                    )
                if auth or token:
                    return f"Basic {auth}" if auth else "", token
        return "", ""

    def _ask(self, helper: str, host: str) -> tuple[str, str] | None:
        """Ask ``docker-credential-HELPER get`` (docker-credential-helpers' protocol)."""
        if not re.fullmatch(r"[A-Za-z0-9._-]+", helper):
            raise FetchUnauthorized(
                "is no name of a credential helper", where=repr(helper), fix=_FIX_LOGINS
            )
        program = f"docker-credential-{helper}"
        try:
            status, said = _bounded([program, "get"], host.encode())
        except OSError as error:
            why = error.strerror or str(error)
            raise FetchUnauthorized(
                f"cannot be run: {why}", where=program, fix=_FIX_LOGINS
            ) from None
        if status is None:
            why = f"said nothing whole within {_HELPER_SECONDS} s and {_MAX_SAID} bytes"
            raise FetchUnauthorized(why, where=program, fix=_FIX_LOGINS)
        if status:
            return None  # "credentials not found in native keychain"
        value = object_of(said)
        user, secret = value.get("Username"), value.get("Secret")
        if not isinstance(user, str) or not isinstance(secret, str):
            return None
        if _HALF.search(f"{user}:{secret}"):  # Python would put all of it into its error
            why = "said a user name or password that is no text"
            raise FetchUnauthorized(why, where=program, fix=_FIX_LOGINS)
        return user, secret


def _bounded(command: list[str], given: bytes) -> tuple[int | None, bytes]:
    """Run a program with bounded time and output; the status is None where it kept to neither.

    What it has started ends with it.

    Raises:
        OSError: It cannot be started.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(_HELPER_SECONDS, end)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(given)
                process.stdin.close()
            said = process.stdout.read(_MAX_SAID + 1)
            if len(said) > _MAX_SAID:
                end()
            status = process.wait()
        finally:
            timer.cancel()
    return (None if late.is_set() else status), said


def login_files(environment: Mapping[str, str]) -> list[Path]:
    """Return where Docker and podman keep logins (containers-auth.json(5), docker login)."""
    home = environment.get("HOME", "/")
    docker = environment.get("DOCKER_CONFIG") or f"{home}/.docker"
    config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    files = [environment.get("REGISTRY_AUTH_FILE", "")]
    if environment.get("XDG_RUNTIME_DIR"):
        files.append(f"{environment['XDG_RUNTIME_DIR']}/containers/auth.json")
    files += [f"{config}/containers/auth.json", f"{docker}/config.json"]
    return [Path(file) for file in files if file]


def _config(file: Path) -> dict[str, Any]:
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        why = error.strerror or str(error)
        raise FetchUnauthorized(
            f"cannot be read: {why}", where=repr(os.fspath(file)), fix=_FIX_LOGINS
        ) from None
    return object_of(data)


def object_of(data: bytes) -> dict[str, Any]:
    """Return the object that ``data`` is as JSON; an empty one if it is something else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _table(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _entry(auths: Mapping[str, Any], host: str, repository: str) -> object:
    """Return the entry of a registry: the nearest above a repository, or under an older spelling.

    podman writes ``HOST/NAMESPACE`` too, and Docker wrote ``https://HOST/v1/`` once.
    """
    name = f"{host}/{repository}".rstrip("/")
    while name:
        if name in auths:
            return auths[name]
        name = name.rpartition("/")[0]
    older = re.compile(f"https?://{re.escape(host)}(/.*)?")
    return next((auths[key] for key in auths if older.fullmatch(key)), None)


def _basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
