"""Roots of trust: who signs kits, and how many of them it takes, as TUF root metadata.

python-tuf writes them, in the profile of FORMAT 5: the ``targets`` role is the kit signers, each
key names the person or team it belongs to, and a threshold counts people, not keys.  The bytes are
a pure function of the arguments and the keys: P-256 signs by RFC 6979, and lists are sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, cast

from securesystemslib.signer import Key, Signature  # type: ignore[attr-defined]  # no __all__
from tuf.api.metadata import Metadata, Role, Root  # type: ignore[attr-defined]  # no __all__
from tuf.api.serialization.json import JSONSerializer

from kit.keys import create_files, load_root_key
from kit.signing import KitSigner, SecretsHandler, load_signer
from verifier.core.errors import Usage
from verifier.core.limits import MAX_ROOT
from verifier.core.names import fold, printable
from verifier.core.trust import SIGNER_FIELD, read_root

SPEC_VERSION: Final = "1.0.31"  # of TUF; fixed, so that another python-tuf makes the same bytes
MAX_SIGNER = 64  # characters, FORMAT 5.4

NamedKeys = Sequence[tuple[str, Path]]
"""Signers as they are typed: a name and the path of a public key; a name may come again."""


class RootInconsistent(Usage):
    """The signers, keys and thresholds given for a root do not go together.

    A root that is written must be one that every verifier accepts: each key belongs to one person
    or team, two names are never one to people, and a threshold is at least 1 and at most the
    number of distinct signers.
    """

    code = "root-inconsistent"
    fix = "Correct the signer, the key or the threshold named and run again; nothing was written."


class RootIncomplete(Usage):
    """Fewer people than the root's own threshold would sign it, so no verifier would accept it."""

    code = "root-incomplete"
    fix = "Give one --key for each of the missing signers, on the host where their keys are."


@dataclass(frozen=True)
class RootKey:
    """A key of the kit signers.

    Attributes:
        keyid: What envelopes call it.
        signer: The person or team it belongs to.
        scheme: TUF's name of the signature scheme.
        public: TUF's ``keyval.public``: hexadecimal digits for Ed25519, a PEM for ECDSA.
    """

    keyid: str
    signer: str
    scheme: str
    public: str


def build_root(
    signers: NamedKeys,
    threshold: int,
    *,
    expires: datetime,
    sign_with: Sequence[str],
    root_signers: NamedKeys | None = None,
    root_threshold: int | None = None,
    allow_incomplete: bool = False,
    secrets: SecretsHandler | None = None,
) -> bytes:
    """Return version 1 of a root: compact JSON (FORMAT 3.1) and an LF.

    Args:
        signers: The kit signers with their public key files; someone with two keys comes twice.
        threshold: How many of them a kit needs.
        expires: When the root should have been replaced.
        sign_with: ``--key`` arguments, as for `kit.signing.load_signer`, of root signers.
        root_signers: Who may change the root; the kit signers if not given.
        root_threshold: How many of them that takes; ``threshold`` if not given.
        allow_incomplete: Return the root although more must sign it before it is of use.
        secrets: Asks for a PIN or passphrase if a signer needs one.

    Raises:
        ValueError: ``expires`` is naive, has a fraction of a second or lies before 1970.
        RootInconsistent: Names, keys and thresholds do not go together.
        RootIncomplete: Fewer distinct root signers sign than the root's threshold.
        KitError: A key file or a signer is at fault; see `load_root_key` and `load_signer`.
    """
    moment = utc(expires)
    kit_keys = named_keys(signers)
    root_keys = kit_keys if root_signers is None else named_keys(root_signers)
    root_threshold = threshold if root_threshold is None else root_threshold
    keys = _together(kit_keys, root_keys)
    roles = {
        "targets": _role("targets", kit_keys, threshold),
        **{name: _role(name, root_keys, root_threshold) for name in ("root", *_UNUSED)},
    }
    root = Root(1, SPEC_VERSION, moment, keys, roles, consistent_snapshot=False)
    metadata = Metadata(root)
    named = {key.keyid: _root_key(key) for key in root_keys}
    makers = [load_signer(argument, named, secrets=secrets) for argument in sign_with]
    signing = sorted({maker.signer for maker in makers})
    if len(signing) < root_threshold and not allow_incomplete:
        names = " and ".join(map(repr, signing)) or "nobody"
        raise RootIncomplete(f"{names} would sign, and the root role wants {root_threshold}")
    metadata.signatures = _sign(metadata.signed_bytes, makers)
    data = metadata.to_bytes(JSONSerializer(compact=True)) + b"\n"
    if len(data) > MAX_ROOT:
        raise RootInconsistent(f"it would have {len(data)} bytes, and may have {MAX_ROOT}")
    read_root(data)  # we never write what we would refuse
    return data


def write_root(path: Path, data: bytes) -> None:
    """Write a root to a new file.

    Raises:
        FileExists: There is one already; it is never overwritten.
        FileUnwritable: The host refused to write it.
    """
    create_files([(path, data, 0o644)])


_UNUSED = ("timestamp", "snapshot")  # TUF wants them; in a kit the medium is the repository


def utc(moment: datetime) -> datetime:
    """Return a time in whole seconds in UTC.

    Raises:
        ValueError: It is naive, has a fraction of a second or lies before 1970.
    """
    if moment.tzinfo is None or moment.microsecond:
        raise ValueError(f"expires is an aware time in whole seconds, got {moment!r}")
    utc = moment.astimezone(timezone.utc)
    if utc.year < 1970:
        raise ValueError(f"expires lies before 1970: {moment!r}")
    return utc


def named_keys(signers: NamedKeys) -> list[Key]:
    """Return the keys of signers with their owners in them, sorted by key id.

    Raises:
        RootInconsistent: A name is not one, or a key comes twice.
        KitError: A key file is at fault; see `load_root_key`.
    """
    keys: list[Key] = []
    for name, path in signers:
        if not 1 <= len(name) <= MAX_SIGNER or not printable(name) or "=" in name:
            raise RootInconsistent(
                f"a name has 1 to {MAX_SIGNER} printable characters and no '='",
                where=f"signer {name!r}",
            )
        key = load_root_key(path)
        key.unrecognized_fields[SIGNER_FIELD] = name
        keys.append(key)
    if len({key.keyid for key in keys}) != len(keys):
        twice = sorted(_name(key) for key in keys if [k.keyid for k in keys].count(key.keyid) > 1)
        raise RootInconsistent(
            f"one public key is given twice, for {' and '.join(map(repr, twice))}"
        )
    return sorted(keys, key=lambda key: key.keyid)


def _together(kit_keys: Sequence[Key], root_keys: Sequence[Key]) -> dict[str, Key]:
    """Return all keys by key id; one key has one name, and names differ for people too."""
    keys: dict[str, Key] = {}
    spelled: dict[str, str] = {}
    for key in (*kit_keys, *root_keys):
        name = _name(key)
        other = _name(keys.setdefault(key.keyid, key))
        if other != name:
            raise RootInconsistent(f"one public key is given for {other!r} and for {name!r}")
        same = spelled.setdefault(fold(name), name)
        if same != name:
            raise RootInconsistent(f"the signers {same!r} and {name!r} are one name to people")
    return keys


def _role(name: str, keys: Sequence[Key], threshold: int) -> Role:
    distinct = len({_name(key) for key in keys})
    if not 1 <= threshold <= distinct:
        raise RootInconsistent(
            f"the threshold is {threshold}, and there "
            + (f"are {distinct} distinct signers" if distinct != 1 else "is 1 distinct signer"),
            where=f"role {name!r}",
        )
    return Role([key.keyid for key in keys], threshold)


def _sign(message: bytes, makers: Sequence[KitSigner]) -> dict[str, Signature]:
    """Return one signature a key, sorted by key id; a key that was given twice signs once."""
    by_key = {maker.keyid: maker for maker in makers}
    return {keyid: Signature(keyid, by_key[keyid].sign(message).hex()) for keyid in sorted(by_key)}


def _name(key: Key) -> str:
    return cast(str, key.unrecognized_fields[SIGNER_FIELD])


def _root_key(key: Key) -> RootKey:
    public, signer = key.keyval.get("public"), key.unrecognized_fields.get(SIGNER_FIELD)
    if not isinstance(public, str) or not isinstance(signer, str):
        raise ValueError(f"the key {key.keyid[:64]!r} has no public value, or no {SIGNER_FIELD}")
    return RootKey(key.keyid, signer, key.scheme, public)
