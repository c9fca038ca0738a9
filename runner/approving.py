"""Two people at a gate: signatures over run, step and plan, under the operators' root (RUNBOOK 10).

A name that is typed is a claim.  At a gate that asks for people, each of them signs a small file,
on any machine, with an Ed25519 key or `ssh-keygen -Y sign`; the runner holds the signature to
``operators.json`` of the trust directory, which names no key of the publisher.
"""

from __future__ import annotations

import base64

from runner.book.model import Runbook
from runner.chain import FIRST, Record, digest_of, line_of
from runner.errors import ApprovalInvalid
from runner.state import DONE, RunState
from verifier.core.jsonstrict import compact
from verifier.core.trust import Root

TYPE = "https://offline-kit.example/approval/v1"
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


def again(bound: Record, book: Runbook, state: RunState, operators: Root) -> None:
    """Hold the approvals of a journal to the root of operators once more.

    A journal is only as good as the host; these signatures are better.  Gates that were passed
    under an older root are left: somebody may have gone since.

    Raises:
        ApprovalInvalid: One is not what it was, or more than one is of the same person.
    """
    for name, approvals in state.approvals.items():
        step = book.step(name)
        if step is None:
            raise ApprovalInvalid("there is no such gate", where=f"step {name!r}")
        for signer, one in approvals.items():
            older = one.get("operatorsVersion") != operators.version
            if older and state.steps[name].status == DONE:
                continue
            signature = str(one["signature"]).encode("ascii", "replace")
            if signer_of(statement(bound, step.id, step.ask), signature, operators) != signer:
                raise ApprovalInvalid("the signature is of somebody else", where=f"step {name!r}")


def _raw(signature: bytes) -> bytes:
    text = signature.strip()
    if text.startswith(_BEGIN) and text.endswith(_END):
        text = text[len(_BEGIN) : -len(_END)]
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        raise ApprovalInvalid("is neither an SSH signature nor base64") from None
