"""What a sealed kit gives to tools that do not know what a kit is, and what it cannot give them.

Everything is over the manifest or over SHA256SUMS, never over the kit file: a tool that reads 50 GB
into its memory proves less than one that reads a list.  The same kit gives the same bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from kit.stock import sshsig
from kit.stock.bundle import TRUSTED_ROOT, dsse_bundle, message_bundle
from kit.stock.keys import is_signed, pem_of_text, text_of_pem
from verifier.core.envelope import Envelope, Signing
from verifier.core.errors import Rejected
from verifier.core.model import Manifest
from verifier.core.signature import P256
from verifier.core.trust import Role

SUMS = "SHA256SUMS"
SUMS_SIG = "SHA256SUMS.sig"
SUMS_KEY = "cosign.pub"
SUMS_BUNDLE = "SHA256SUMS.sigstore.json"
SUMS_SSHSIG = "SHA256SUMS.sshsig"
PAGE_BUNDLE = "kit.sigstore.json"
TRUSTED_ROOT_FILE = "cosign-trusted-root.json"
NAMES = (SUMS, SUMS_SIG, SUMS_KEY, SUMS_BUNDLE, SUMS_SSHSIG, PAGE_BUNDLE, TRUSTED_ROOT_FILE)

_NO_SUMS_KEY = "the kit was built without --sums-key"
_NO_KEY_NAMED = "the manifest does not name the key of SHA256SUMS.sig"
_NO_P256 = "no signer of the kit signed with ECDSA P-256"
_NO_SSH = "nobody gave --ssh-key to `offline-kit sign`"


class SumsSignatureWrong(Rejected):
    """SHA256SUMS.sig is no signature over SHA256SUMS by the key that the manifest names.

    The kit itself is as its signers signed it; stock tools would refuse its list of digests.
    """

    code = "sums-signature-wrong"
    fix = "Do not publish this kit; build it again with --sums-key."


@dataclass
class StockFiles:
    """Files for stock tools.

    Attributes:
        files: From name to contents.
        keys: From name to the key that checks it, in words; for files that one key checks.
        absent: From name to the reason why there is no such file.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def stock_files(
    manifest: Manifest,
    envelope: Envelope,
    signing: Signing,
    role: Role,
    sums: bytes,
    sums_line: bytes | None,
    ssh_signature: bytes | None,
) -> StockFiles:
    """Return the files for stock tools of a kit that was proved.

    Args:
        signing: Who signed ``envelope``, under ``role``.
        sums: SHA256SUMS.
        sums_line: SHA256SUMS.sig; None if the kit has none.
        ssh_signature: What lies beside the kit as SHA256SUMS.sshsig; None if nothing does.

    Raises:
        SumsSignatureWrong: The signature of SHA256SUMS is wrong.
    """
    made = StockFiles({SUMS: sums, TRUSTED_ROOT_FILE: TRUSTED_ROOT})
    _add_sums(made, sums, sums_line, manifest.sums_key)
    _add_page(made, envelope, signing, role)
    _add_ssh(made, sums, ssh_signature)
    return made


def _add_sums(made: StockFiles, sums: bytes, line: bytes | None, key: str) -> None:
    if line is None:
        made.absent.update(dict.fromkeys((SUMS_SIG, SUMS_KEY, SUMS_BUNDLE), _NO_SUMS_KEY))
        return
    made.files[SUMS_SIG] = line
    if not key:
        made.absent.update(dict.fromkeys((SUMS_KEY, SUMS_BUNDLE), _NO_KEY_NAMED))
        return
    try:
        signature = base64.b64decode(line, validate=True)
    except ValueError:
        signature = b""
    if base64.b64encode(signature) != line or not is_signed(key, sums, signature):
        raise SumsSignatureWrong("is not valid under the key in the manifest", where=SUMS_SIG)
    made.files[SUMS_KEY] = pem_of_text(key).encode("ascii")
    made.files[SUMS_BUNDLE] = message_bundle(key, sums, signature)
    made.keys.update(dict.fromkeys((SUMS_SIG, SUMS_BUNDLE), SUMS_KEY))


def _add_page(made: StockFiles, envelope: Envelope, signing: Signing, role: Role) -> None:
    signed = sorted(
        (signer, keyid)
        for keyid, signer in signing.valid.items()
        if role.keys[keyid].scheme == P256
    )
    if not signed:
        made.absent[PAGE_BUNDLE] = _NO_P256
        return
    signer, keyid = signed[0]  # a bundle takes one signature: of several the first, by name
    key = text_of_pem(role.keys[keyid].public)
    made.files[PAGE_BUNDLE] = dsse_bundle(key, envelope.payload, envelope.signatures[keyid])
    made.keys[PAGE_BUNDLE] = f"key {keyid} of {signer}"


def _add_ssh(made: StockFiles, sums: bytes, signature: bytes | None) -> None:
    """Take over a signature that `sign --ssh-key` left; one that is wrong is somebody else's."""
    try:
        public = sshsig.check(signature, sums) if signature else b""
    except ValueError:
        public = b""
    if not public or signature is None:
        made.absent[SUMS_SSHSIG] = _NO_SSH
        return
    made.files[SUMS_SSHSIG] = signature
    made.keys[SUMS_SSHSIG] = f"key {sshsig.fingerprint(public)}"
