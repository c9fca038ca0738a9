"""Signs a receipt with a key of this host, and checks such a signature (TRUST-FILES 6).

Two forms: a DSSE envelope with an Ed25519 signature, which cosign checks too, and the file that
``ssh-keygen -Y sign`` makes beside the receipt.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat

from verifier import _compat
from verifier.core.envelope import PAYLOAD_TYPE, pae
from verifier.core.errors import KitError, UsageError
from verifier.core.jsonstrict import NotStrict, compact, parse_base64, parse_compact
from verifier.core.model import STATEMENT_TYPE
from verifier.host import files
from verifier.host.errors import KeyExposed, ReceiptInvalid, ReceiptUnwritable, SigningFailed
from verifier.host.receipt import RECEIPT_PREDICATE
from verifier.rootfile import read_file, read_other
from verifier.typed import Any, record

MAX_RECEIPT = 4 * 1024 * 1024  # bytes
_MAX_KEY = 64 * 1024  # bytes
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410 7: what precedes the seed
_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 4
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_SSH_KEYGEN = ("/usr/bin/ssh-keygen", "/bin/ssh-keygen", "/usr/local/bin/ssh-keygen")
_TIMEOUT_SECONDS = 300  # somebody may have to type a passphrase


@record(frozen=True)
class Signed:
    """What a signed receipt says, and whose signature it has.

    Attributes:
        fingerprint: SHA-256 of the DER of the public key.
        form: ``DSSE`` or ``SSH``.
        statement: The receipt, parsed.
    """

    fingerprint: str
    form: str
    statement: dict[str, Any]


def parse_receipt(data: bytes) -> dict[str, Any]:
    """Return a receipt, which must be in its one spelling.

    Raises:
        ReceiptInvalid: It is none.
    """
    try:
        value = parse_compact(data[:-1] if data.endswith(b"\n") else data)
    except NotStrict as reason:
        raise ReceiptInvalid(str(reason), where="the receipt") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise ReceiptInvalid("is no in-toto Statement", where="the receipt")
    report = value.get("predicate")
    if value.get("predicateType") != RECEIPT_PREDICATE or not isinstance(report, dict):
        raise ReceiptInvalid("is a Statement of another type", where="the receipt")
    return value


def sign_receipt(receipt: str, key: str, out: str) -> str:
    """Sign a receipt into a file of its own, and return the name of that file.

    Args:
        receipt: The receipt.
        key: A PEM file with an Ed25519 key, or ``ssh:PATH`` for ssh-keygen.
        out: The file to write; empty for a name beside the receipt.

    Raises:
        KitError: The receipt, the key or the host is at fault; nothing was written.
    """
    data = read_other(receipt, MAX_RECEIPT, "a receipt")
    parse_receipt(data)
    if key.startswith("ssh:"):
        path, made = out or f"{receipt}.sig", ask_ssh(key[len("ssh:") :], data)
    else:
        path, made = out or f"{receipt}.dsse.json", _envelope(data, load_seed(key))
    try:
        files.create(os.path.abspath(path), made, 0o644)
    except FileExistsError:
        raise UsageError("is there already; nothing is overwritten", where=repr(path)) from None
    except OSError as error:
        raise ReceiptUnwritable(error.strerror or str(error), where=repr(path)) from None
    return path


def _envelope(receipt: bytes, seed: bytes) -> bytes:
    from verifier.crypto import ed25519_sign

    signature = ed25519_sign.sign(seed, pae(receipt))
    keyid = hashlib.sha256(_SPKI + ed25519_sign.public_of(seed)).hexdigest()
    value = {
        "payload": base64.b64encode(receipt).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode("ascii")}],
    }
    return compact(value) + b"\n"


def load_seed(path: str) -> bytes:
    """Return the 32 secret bytes of an Ed25519 key in PKCS#8.

    Raises:
        UsageError: It is no such file.
        KeyExposed: Others may read it.
    """
    where = f"key {path!r}"
    try:
        data = read_file(path, _MAX_KEY)
    except KitError as error:
        raise UsageError(error.message, where=where, fix="Check the path.") from None
    status = os.stat(path)
    if stat.S_ISREG(status.st_mode) and _compat.others_read(status):
        raise KeyExposed(f"has the mode {stat.S_IMODE(status.st_mode):04o}", where=where)
    der = _pem(data, b"PRIVATE KEY")
    if len(der) != 48 or not der.startswith(_PKCS8):
        raise UsageError(
            "is not an Ed25519 key in PKCS#8 without a passphrase",
            where=where,
            fix="Make one with `openssl genpkey -algorithm ed25519 -out KEY`, or give ssh:KEY and "
            "let ssh-keygen sign, which knows passphrases.",
        )
    return der[len(_PKCS8) :]


def _pem(data: bytes, label: bytes) -> bytes:
    """Return what a PEM block of a kind holds; empty if there is none."""
    begin, end = b"-----BEGIN " + label + b"-----", b"-----END " + label + b"-----"
    body = data.partition(begin)[2].partition(end)[0]
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        return b""


def ask_ssh(key: str, data: bytes, agent: str = "") -> bytes:
    """Return the file that ``ssh-keygen -Y sign`` makes over data for our namespace.

    Args:
        key: A private key file, or the ``.pub`` of a key that an agent or hardware has.
        data: What is signed.
        agent: The socket of an agent, where this process has no such variable any more.

    Raises:
        SigningFailed: There is no such program, or it refused.
    """
    import subprocess

    from verifier.crypto.sshsig import NAMESPACE

    program = next((path for path in _SSH_KEYGEN if os.path.exists(path)), "")
    if not program:
        raise SigningFailed("is none of " + ", ".join(_SSH_KEYGEN), where="ssh-keygen")
    command = [program, "-q", "-Y", "sign", "-n", NAMESPACE, "-f", os.path.abspath(key)]
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            env={"SSH_AUTH_SOCK": agent} if agent else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SigningFailed(str(error), where=program) from None
    if done.returncode or not done.stdout.startswith(_BEGIN.encode()):
        said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
        raise SigningFailed(f"says {said!r}", where=program)
    return done.stdout


def check_signature(receipt: str, key: str, signature: str = "") -> Signed:
    """Hold a signed receipt to a public key.

    Args:
        receipt: A DSSE envelope, or a receipt with an SSH signature beside it.
        key: An Ed25519 public key: PEM, or a line of OpenSSH.
        signature: The SSH signature; empty for the receipt's name with ``.sig``.

    Raises:
        ReceiptInvalid: The signature is not this key's over this receipt.
        KitError: A file cannot be read or is something else.
    """
    public = _load_public(key)
    data = read_file(receipt, 2 * MAX_RECEIPT)
    fingerprint = hashlib.sha256(_SPKI + public).hexdigest()
    if b'"payload"' in data[:64]:
        return Signed(fingerprint, "DSSE", parse_receipt(_opened(data, public)))
    statement = parse_receipt(data)
    from verifier.crypto import sshsig

    try:
        armored = read_file(signature or f"{receipt}.sig", _MAX_KEY)
    except KitError as error:
        raise UsageError(
            error.message,
            where=error.where,
            fix="Give the signed file (.dsse.json), or the SSH signature with --signature FILE.",
        ) from None
    text = armored.decode("ascii", "replace").strip()
    try:
        blob = base64.b64decode(text[len(_BEGIN) : -len(_END)].replace("\n", ""), validate=True)
    except ValueError:
        blob = b""
    framed = text.startswith(_BEGIN) and text.endswith(_END)
    if not framed or not sshsig.verify(public, data, blob):
        raise ReceiptInvalid("has no signature of this key over it", where=repr(receipt))
    return Signed(fingerprint, "SSH", statement)


def _opened(data: bytes, public: bytes) -> bytes:
    """Return the receipt in a DSSE envelope that a key has signed.

    Raises:
        ReceiptInvalid: It has not.
    """
    from verifier.crypto import ed25519

    try:
        value = parse_compact(data[:-1] if data.endswith(b"\n") else data)
        if not isinstance(value, dict) or value.get("payloadType") != PAYLOAD_TYPE:
            raise NotStrict("is no DSSE envelope of an in-toto Statement")
        payload = parse_base64(value.get("payload"), "payload")
        entries = value.get("signatures")
        if not isinstance(entries, list) or not 1 <= len(entries) <= 16:
            raise NotStrict("has no signature, or too many")
        signatures = [parse_base64(dict(entry).get("sig"), "a signature") for entry in entries]
    except (NotStrict, TypeError, ValueError) as reason:
        raise ReceiptInvalid(str(reason), where="the signed receipt") from None
    message = pae(payload)
    if not any(ed25519.verify(public, message, each) for each in signatures):
        raise ReceiptInvalid("has no signature of this key over it", where="the signed receipt")
    return payload


def _load_public(path: str) -> bytes:
    where = f"key {path!r}"
    data = read_other(path, _MAX_KEY, "a public key")
    der = _pem(data, b"PUBLIC KEY")
    if len(der) == 44 and der.startswith(_SPKI):
        return der[len(_SPKI) :]
    words = data.split()
    if len(words) >= 2 and words[0] == b"ssh-ed25519":
        try:
            blob = base64.b64decode(words[1], validate=True)
        except ValueError:
            blob = b""
        if len(blob) == 51 and blob[:19] == b"\0\0\0\x0bssh-ed25519\0\0\0\x20":
            return blob[19:]
    raise UsageError(
        "is no Ed25519 public key",
        where=where,
        fix="Give the PEM of `openssl pkey -in KEY -pubout`, or the .pub file of ssh-keygen.",
    )
