"""What an object store answers, in our words; the codes are those of S3."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from kit.net.errors import TlsRefused
from kit.places.errors import (
    ClockSkewed,
    NoConditionalWrite,
    PlaceDiffers,
    PlaceFull,
    PlaceInvalid,
    PlaceUnauthorized,
    PlaceUnreachable,
)
from verifier.core.errors import KitError

_UNAUTHORIZED = frozenset(
    "401 403 AccessDenied InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken"
    " Forbidden AllAccessDisabled AccountProblem".split()
)
_FULL = frozenset(
    "QuotaExceeded EntityTooLarge 413 507 InsufficientStorage XMinioStorageFull".split()
)
_DIFFERS = frozenset("BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch".split())
_TAKEN = frozenset({"PreconditionFailed", "412"})
_GONE = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})


class Taken(Exception):
    """There is an object of this name already."""


class Gone(Exception):
    """There is no object, or no upload, of this name."""


@contextlib.contextmanager
def asking(place: str, where: str) -> Iterator[None]:
    """Turn what boto3 raises into our own; `Taken` and `Gone` are for our callers.

    Args:
        place: What people call the bucket.
        where: And the object in it that is asked about.
    """
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
        SSLError,
    )

    try:
        yield
    except ClientError as error:
        raise _refused(error.response, where, place) from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise PlaceUnauthorized(str(error), where=place) from None
    except ParamValidationError as error:
        raise PlaceInvalid(str(error).splitlines()[-1], where=place) from None
    except SSLError:
        raise TlsRefused("its certificate is not trusted here", where=where) from None
    except (BotoCoreError, OSError) as error:
        why = type(error).__name__
        raise PlaceUnreachable(f"the server does not answer ({why})", where=where) from None


def _refused(response: Mapping[str, Any], where: str, place: str) -> Exception:
    code = str(response.get("Error", {}).get("Code", ""))
    if code in _TAKEN:
        return Taken()
    if code in _GONE:
        return Gone()
    return _error_of(code, response.get("ResponseMetadata", {}), where, place)


def _error_of(code: str, answer: Mapping[str, Any], where: str, place: str) -> KitError:
    status = answer.get("HTTPStatusCode", 0)
    said = f"the server answers {status} {code[:60]!r}"
    if code == "RequestTimeTooSkewed":
        date = str(answer.get("HTTPHeaders", {}).get("date", "unknown"))[:40]
        return ClockSkewed(f"the server says that it is {date!r}", where=place)
    if code == "NoSuchBucket":
        return PlaceInvalid("there is no such bucket", where=place)
    if code in _UNAUTHORIZED:
        return PlaceUnauthorized(said, where=where)
    if code in _FULL:
        return PlaceFull(said, where=where)
    if code in _DIFFERS:
        return PlaceDiffers(f"{said}: it received other bytes", where=where)
    if code == "NotImplemented" or status == 501:
        return NoConditionalWrite(said, where=place)
    if code == "InternalError":  # SeaweedFS has no other word for it
        said += ", which may also mean that its disk is full"
    return PlaceUnreachable(said, where=where)
