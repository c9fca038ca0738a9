"""What is wrong with a signer: who is named, what the root says of them, what they can do."""

from __future__ import annotations

from verifier.core.errors import Undecided, Usage


class SignerArgumentInvalid(Usage):
    """What was given for ``--key`` does not say which key signs for whom.

    A file key is found by its public half, so its path is enough.  Every other URI says nothing
    about the person, and needs the name that the root gives to the signer.
    """

    code = "signer-argument-invalid"
    fix = (
        "Write --key SIGNER=URI with a name out of the root, or --key with the path of a key file."
    )


class SignerNotInRoot(Usage):
    """The root names no signer, and no key, like the one before the ``=``."""

    code = "signer-not-in-root"
    fix = "Use one of the names listed, exactly as the root spells it."


class KeyNotInRoot(Usage):
    """The root does not name this key, so nobody who relies on it would count the signature."""

    code = "key-not-in-root"
    fix = "Sign with a key that the root names, or use the root that names this key."


class KeyOfAnotherSigner(Usage):
    """The root names this key, but for somebody else than the signer it was given for."""

    code = "key-of-another-signer"
    fix = "Give each signer's own key; leave out SIGNER= to have a key file matched by its key."


class SignerUnsupported(Usage):
    """This kind of signer cannot make a signature that counts for the key in the root.

    Kits are signed over the DSSE encoding with one of the schemes of FORMAT 4.5, and the scheme is
    the one that the root gives to the key.  GnuPG, TKey and sigstore's keyless signing make none
    of these.
    """

    code = "signer-unsupported"
    fix = "Sign with a key file, an SSH key, or an HSM or KMS key of a scheme that the root names."


class SignerUnavailable(Undecided):
    """The signer exists, but this host could not use it now.

    A package or a library is missing, a token is not plugged in, a service did not answer.
    """

    code = "signer-unavailable"
    fix = "Provide what the message says is missing, then sign again; nothing was changed."


class SignatureSelfCheckFailed(Usage):
    """The signer made a signature that is not valid under the key in the root; it was dropped.

    The URI most likely names another slot, key or version than the one whose public half was put
    into the root, or the service signs with another scheme than the root names.
    """

    code = "signature-self-check"
    fix = "Check the key that the URI names; of a signer with several, choose with --key KEYID=URI."
