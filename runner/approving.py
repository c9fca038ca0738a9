"""Two people at a gate: signatures over run, step and plan, under the operators' root (RUNBOOK 10).

A name that is typed is a claim.  At a gate that asks for people, each of them signs a small file,
on any machine, with an Ed25519 key or `ssh-keygen -Y sign`; the runner holds the signature to
``operators.json`` of the trust directory, which names no key of the publisher.
"""

from __future__ import annotations

import base64
import os

from runner.chain import FIRST, Record, digest_of, line_of
from runner.errors import ApprovalInvalid, OperatorsMissing, OperatorsShareKey
from verifier.core import limits
from verifier.core.jsonstrict import compact
from verifier.core.trust import Root, parse_root
from verifier.host import files

TYPE = "https://offline-kit.example/approval/v1"
OPERATORS = "operators.json"
MAX_SIGNATURE = 16 * 1024  # bytes
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"


def plan_digest(bound: Record) -> str:
    """Return what names the plan: the digest of the first line, which binds everything."""
    return digest_of(line_of(0, FIRST, bound))


def statement(bound: Record, step: str, ask: str) -> bytes:
    """Return what each person signs at a gate, whole bytes without a line end."""
    return compact(
        {
            "ask": ask,
            "environment": bound["environment"],
            "kitId": bound["kitId"],
            "plan": plan_digest(bound),
            "run": bound["run"],
            "step": step,
            "target": bound["target"],
            "type": TYPE,
        }
    )


def load_operators(trust: str, publisher: Root) -> Root:
    """Return the root of those who may approve.

    Raises:
        OperatorsMissing: There is none.
        OperatorsShareKey: It has a key of the publisher: one person could then both make a
            release and let it in.
        KitError: It is unsafe, or no root.
    """
    path = os.path.join(os.path.abspath(trust), OPERATORS)
    try:
        data = files.read(path, limits.MAX_ROOT)
    except OSError as error:
        raise OperatorsMissing(error.strerror or str(error), where=repr(path)) from None
    if data is None:
        raise OperatorsMissing("is not there", where=repr(path))
    root = parse_root(data)
    check_apart(root, publisher, path)
    return root


def check_apart(operators: Root, publisher: Root, path: str) -> None:
    """See that no key stands in both roots, in whatever role.

    Raises:
        OperatorsShareKey: One does.
    """
    theirs = {key.material or key.public.encode() for key in publisher.keys.values()}
    for key in operators.keys.values():
        if (key.material or key.public.encode()) in theirs:
            why = f"has a key of the publisher ({key.signer})"
            raise OperatorsShareKey(why, where=repr(path))


def signer_of(message: bytes, signature: bytes, operators: Root) -> str:
    """Return who has signed a message.

    Args:
        message: What `statement` returns.
        signature: What ssh-keygen writes, or base64 of a signature.
        operators: Their root; the role `targets` names who may approve.

    Raises:
        ApprovalInvalid: None of them has.
    """
    raw = _raw(signature)
    for key in operators.targets.keys.values():
        if key.verify(message, raw, low_s=False):
            return key.signer
    raise ApprovalInvalid("no operator has signed this run, step and plan")


def _raw(signature: bytes) -> bytes:
    text = signature.strip()
    if text.startswith(_BEGIN) and text.endswith(_END):
        text = text[len(_BEGIN) : -len(_END)]
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        raise ApprovalInvalid("is neither an SSH signature nor base64") from None
