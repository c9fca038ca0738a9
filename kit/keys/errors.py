"""What is wrong with a key as a file, or with its name."""

from __future__ import annotations

from verifier.core.errors import Usage


class KeyUnreadable(Usage):
    """A key file is missing, cannot be read, or holds nothing that is a key.

    The file named is not there, is a directory, may not be read by this user, is empty or damaged.
    """

    code = "key-unreadable"
    fix = "Check the path and the file; a key file begins with `-----BEGIN` and is PEM text."


class KeyVariableUnset(Usage):
    """A key was given as ``envvar:NAME``, and the variable is not set, or there is nothing in it.

    Systems for continuous integration set no secrets for changes that come from elsewhere.
    """

    code = "key-variable-unset"
    fix = "Set the variable to the private key: its PEM text, or that text in base64."


class KeyUnsupported(Usage):
    """The file holds a key, but not one that this command can use.

    Private keys are PKCS#8 PEM, encrypted or not, or cosign's encrypted keys; public keys are
    SubjectPublicKeyInfo PEM, or `ssh-ed25519` lines.  Roots may name Ed25519, ECDSA P-256 and
    P-384, and RSA of 2,048 to 8,192 bits (FORMAT 5.4).  The message says what the file is.
    """

    code = "key-unsupported"
    fix = "Give a key of a kind that a root may name; `offline-kit key new` makes both halves."


class KeyNameInvalid(Usage):
    """The name asked for a new key cannot be the name of its two files."""

    code = "key-name-invalid"
    fix = "Use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit."


class PassphraseWrong(Usage):
    """The passphrase does not open the key file, or the file is damaged: both look the same.

    Nothing was signed or written.
    """

    code = "passphrase-wrong"
    fix = "Run again with the right passphrase; if it is right, restore the file from its backup."
