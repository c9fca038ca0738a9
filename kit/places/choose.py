"""From what somebody typed to a place: ``dir:PATH``, ``s3://``, ``oci://``, ``https://``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kit.attest.errors import ExtraMissing
from kit.net.client import Client
from kit.net.logins import Logins
from kit.net.registry import parse_reference
from kit.net.web import WebPlace
from kit.places.directory import DirectoryPlace
from kit.places.errors import PlaceInvalid
from kit.places.model import Progress, Reader, Writer

_FORMS = ("dir:", "s3://", "oci://", "https://", "http://")


@dataclass(frozen=True)
class Access:
    """How this host reaches places.

    Attributes:
        client: For web servers and registries.
        logins: For registries.
        s3_endpoint: Another server for ``s3://`` than boto3 finds; empty for that.
        state: Where unfinished uploads are noted; None: nowhere.
        one_writer: Whether the caller keeps other writers away, where a server cannot.
    """

    client: Client
    logins: Logins = field(default_factory=Logins)
    s3_endpoint: str = ""
    state: Path | None = None
    one_writer: bool = False
    progress: Progress | None = None


def open_reader(text: str, access: Access) -> Reader:
    """Return the place to read from that ``text`` names.

    Raises:
        PlaceInvalid: It names none.
        KitError: It cannot be reached that way.
    """
    if text.startswith(("https://", "http://")):
        return WebPlace(text, access.client)
    return open_writer(text, access)


def open_writer(text: str, access: Access) -> Writer:
    """Return the place to publish to that ``text`` names.

    Raises:
        PlaceInvalid: It names none, or one that is only read from.
        ExtraMissing: boto3 is needed and not installed.
        KitError: It cannot be reached that way.
    """
    form = next((form for form in _FORMS if text.startswith(form)), "")
    rest = text[len(form) :]
    if form == "dir:" and rest:
        return DirectoryPlace(Path(rest), access.progress)
    if form == "s3://" and rest.partition("/")[0]:
        return _bucket(*rest.partition("/")[::2], access)
    if form == "oci://" and rest:
        from kit.net.artifacts import RegistryPlace

        if "@" in rest or ":" in rest.rpartition("/")[2]:
            raise PlaceInvalid("a repository is named without tag and digest", where=repr(text))
        reference = parse_reference(f"{rest}:any")
        return RegistryPlace(reference, access.client, access.logins, access.progress)
    if form in ("https://", "http://"):
        raise PlaceInvalid("a web server is only read from", where=repr(text))
    raise PlaceInvalid("names no kind of place", where=repr(text))


def _bucket(bucket: str, prefix: str, access: Access) -> Writer:
    from kit.net.s3 import Bucket, BucketPlace

    ways = access.client.ways
    how = Bucket(access.s3_endpoint, ways.ca_file, ways.plain_http, access.state, access.one_writer)
    try:
        return BucketPlace(bucket, prefix, how, access.progress)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"s3:// needs {error.name}", fix="Install it: `pip install 'offline-kit[s3]'`."
        ) from None
