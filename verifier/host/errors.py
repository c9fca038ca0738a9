"""What a host says no to that the kit itself cannot answer: policy, freshness, trust directory."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage

# --- the trust directory -----------------------------------------------------------------------


class TrustMissing(Usage):
    """There is no trust directory at the place named, or it holds no root.json."""

    code = "trust-missing"
    fix = "Make it once with `kit-verify trust init --root FILE --fingerprint HEX`."


class TrustExists(Usage):
    """The place where a trust directory would be made holds one already; nothing was changed.

    A pinned root is replaced by a newer one that its own signers made (`trust update`), never by
    another that merely lies there.
    """

    code = "trust-exists"
    fix = "Use `trust update KIT`; to pin another publisher, move the files named away first."


class TrustUnsafe(Usage):
    """Somebody else could change what this host believes.

    The trust directory, and each file in it, must belong to the user who runs the verifier or to
    the administrator (user 0), must not be writable by their group or by everybody, and must not
    be a symbolic link.  On Windows the access list is the administrator's affair and is not looked
    at.
    """

    code = "trust-unsafe"
    fix = "Check the contents, then `chown` it to its user and `chmod go-w` it."


class TrustUnwritable(Undecided):
    """The host refused to write a file of the trust directory, or the disk is full.

    Each file is replaced as a whole or not at all, so what was there before still counts.
    """

    code = "trust-unwritable"
    fix = "Run it as the owner of the trust directory, and see that its disk has room."


class TrustBusy(Undecided):
    """Another run is changing the trust directory, or its file system has no locks."""

    code = "trust-busy"
    fix = "Wait until the other run has ended; keep the directory on a local disk."


class FingerprintMismatch(Rejected):
    """The root of trust is not the one whose SHA-256 reached you over another channel."""

    code = "fingerprint-mismatch"
    fix = "Do not use this root.json; read the number again with its publisher, digit by digit."


class RootOlder(Undecided):
    """This host has had a newer root than the one used now.

    An old root.json came back, from a backup perhaps.  Keys that the newer root has revoked would
    count again, for every line.  If the newer root was a mistake, or another publisher's, the whole
    memory has to go: `kit-verify trust reset '*' --take any --reason TEXT`.
    """

    code = "root-older"
    fix = "Run `kit-verify trust update KIT` with a kit that brings the newer root."


# --- policy ------------------------------------------------------------------------------------


class PolicyInvalid(Undecided):
    """The policy is not one of manifests/TRUST-FILES.md, section 3.

    A field that this verifier does not know is refused too: it may be a rule.
    """

    code = "policy-invalid"
    fix = "Correct what is named and try it with `kit-verify policy check FILE`."


class PolicyMissing(Undecided):
    """The root of trust names the policy that goes with it, and this host does not have it."""

    code = "policy-missing"
    fix = "Bring the policy.json of this root: `kit-verify trust update KIT --policy FILE`."


class PolicyMismatch(Undecided):
    """The policy.json of this host is not the one that the root of trust names.

    Root and policy change together.  Somebody edited the policy by hand, or brought one without
    the other.
    """

    code = "policy-mismatch"
    fix = "Bring the policy.json of this root: `kit-verify trust update KIT --policy FILE`."


class LineRefused(Rejected):
    """The policy of this host does not take kits of this line.

    The kit may be genuine and still not be meant for this host: another product, or another
    branch.
    """

    code = "line-refused"
    fix = "Check which kit you were sent; a new line needs a line in the policy."


class SignerSetUnmet(Rejected):
    """Too few people of a set of signers, which the policy asks for by name, signed the kit.

    The threshold of the root was met; the policy wants more, such as a builder *and* somebody of
    security.
    """

    code = "signer-set-unmet"
    fix = "Ask the sender for the missing signature; do not take the set out of the policy."


class AttestationUnchecked(Undecided):
    """The policy requires an attestation, and this run does not read the evidence of the kit.

    `list` and `inspect` read the signed lists only.  What was not checked does not count as passed.
    """

    code = "attestation-unchecked"
    fix = "Run `kit-verify KIT`, which reads the evidence; or record an override in the policy."


class VerifierTooOld(Undecided):
    """The policy asks for a newer verifier than this one."""

    code = "verifier-too-old"
    fix = "Get the newer kit-verify.pyz from the publisher and compare its SHA-256."


# --- freshness ---------------------------------------------------------------------------------


class KitOlder(Rejected):
    """This host has accepted a newer kit of the same line, or the line started anew after this kit.

    An old kit is genuine for ever; whoever replays one brings back its faults.  Where a root lets
    the sequence of a line start anew, kits that were made under older roots stay old, whatever
    their sequence; after a reset by hand, kits that were made before the one that was named.
    """

    code = "kit-older"
    fix = (
        "Ask for the newest kit; to go back on purpose, find out the kitId that you want and run "
        "`kit-verify trust reset LINE --take KITID --reason TEXT`."
    )


class KitNotAwaited(Rejected):
    """The line was reset by hand to begin anew with one kit, and this is another one."""

    code = "kit-not-awaited"
    fix = (
        "Accept the kit whose kitId is named first; to name another one, run "
        "`kit-verify trust reset LINE --take KITID --reason TEXT` again."
    )


class KitEquivocation(Rejected):
    """This host has accepted another kit with the same line and sequence.

    A publisher never gives one number to two kits, unless it was made to.
    """

    code = "kit-equivocation"
    fix = "Ask the publisher which kitId is the right one; do not use this kit until then."


class KitTooOld(Rejected):
    """The kit is older than the policy allows, as dates of accepted kits alone show."""

    code = "kit-too-old"
    fix = (
        "Ask for a newer kit; undo a wrong date by `kit-verify trust reset LINE --take KITID "
        "--reason TEXT`."
    )


class KitStale(Undecided):
    """By the clock of this host the kit is older than the policy allows.

    Either the clock is wrong, or somebody keeps newer kits back.  A clock alone rejects nothing.
    """

    code = "kit-stale"
    fix = "Check the clock of this host; if it is right, ask for a newer kit."


class ClockDiffers(Undecided):
    """The clock of this host is behind what accepted kits, or this one, say of the time.

    Without a rule about time this is only noted.  Where the policy limits the age of kits, or
    enforces the date of the kit or of the root, none of that can be judged by a clock that is
    behind by more than a day.
    """

    code = "clock-differs"
    fix = "Set the clock of this host and run again."


class RootExpired(Undecided):
    """The root of trust is past its date, and the policy enforces that.

    A host is not stranded: a kit or chain that brings a newer root is judged under that one.
    """

    code = "root-expired"
    fix = "Bring a kit with a newer root; if the clock is wrong, set it; or record an override."


class KitExpired(Undecided):
    """The kit is past the date that it gives itself, and the policy enforces that."""

    code = "kit-expired"
    fix = "Ask for a newer kit; if the clock of this host is wrong, set it."


# --- state -------------------------------------------------------------------------------------


class StateMissing(Undecided):
    """The policy requires the memory of earlier kits, and state.json is missing or unreadable.

    `trust init` makes an empty one, so a missing one was lost or taken away; and only its owner may
    read it.
    """

    code = "state-missing"
    fix = (
        "Run it as the owner, or begin anew with `kit-verify trust reset LINE --take KITID "
        "--reason TEXT`."
    )


class StateCorrupt(Undecided):
    """The file state.json is not in its one spelling: it was edited, or its disk is failing."""

    code = "state-corrupt"
    fix = "Restore it, or begin anew with `kit-verify trust reset LINE --take KITID --reason TEXT`."


class StateUnwritable(Undecided):
    """The kit is good and could not be recorded as accepted, which the policy requires."""

    code = "state-unwritable"
    fix = "Run it as the owner of the trust directory, see that its disk has room, and run again."


class ReceiptInvalid(Rejected):
    """A signed receipt is not one, or the key that was given has not signed it."""

    code = "receipt-invalid"
    fix = "Ask the host that wrote it for the file again, and compare the number of its public key."


class KeyExposed(Usage):
    """A private key of this host can be read by others, so that its signature says nothing."""

    code = "key-exposed"
    fix = (
        "Run `chmod 600` on it; if others may have read it, make a new key and tell who trusts it."
    )


class SigningFailed(Undecided):
    """The program ssh-keygen, which was to sign, is not on this host, or it refused."""

    code = "signing-failed"
    fix = "Run `ssh-keygen -Y sign -n offline-kit -f KEY RECEIPT` to see what it wants; mend that."


class PolicyUnmeetable(Undecided):
    """No kit can be taken by the policy, or by its rules for a line that it names.

    The lines above say which rule it is.  A host with this policy would refuse every kit.
    """

    code = "policy-unmeetable"
    fix = "Change the rules named, or the root; `kit-verify policy check FILE --root ROOT` again."


class ReceiptUnwritable(Undecided):
    """The receipt could not be written; what was decided and recorded before stands."""

    code = "receipt-unwritable"
    fix = "Name another file for the receipt and run the same command again."
