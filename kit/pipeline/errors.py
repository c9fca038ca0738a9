"""What `offline-kit release` says when it says no."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class StageUnready(Usage):
    """A stage that is to run has not what it needs in `[release]`.

    `[release]` names the stages, or leaves them out, and then those run that have what they need:
    steps where there is a [[release.step]], tests where there is a [release.test], publishing where
    there is a place to publish to.
    """

    code = "stage-unready"
    fix = "Write what is missing in [release] of the spec, or leave the stage out of `stages`."


class StageFailedBefore(Usage):
    """An earlier stage of this release failed or was interrupted, so this one does not run.

    Nothing runs after a failure, also not alone.
    """

    code = "stage-failed-before"
    fix = "Run `offline-kit release` without --only, which begins with that stage."


class NothingBegun(Usage):
    """There is nothing to resume: the spec's version has not been begun, or it is done.

    `--resume` goes on with a release as it was begun, whatever has changed in the sources since.
    """

    code = "nothing-begun"
    fix = "Run `offline-kit release` without --resume."


class ReleaseRuns(Undecided):
    """Another run of `offline-kit release` works on this spec."""

    code = "release-runs"
    fix = "Wait until it has ended."


class StateUnreadable(Usage):
    """The file beside the spec that says what was done, or which numbers were taken, is not ours.

    `NAME.release.json` may be removed: every stage is then looked at anew.  `NAME.numbers.json` has
    the sequence of each version, and is kept like a source: take it back out of version control.
    """

    code = "state-unreadable"
    fix = "Put the file back as it was; see `explain state-unreadable`."


class BuiltOtherwise(Usage):
    """The kit of this version is there, and its inputs have changed since it was built.

    A release is built once: somebody may hold a copy, and its number is taken.  Nothing of it is
    removed here.
    """

    code = "built-otherwise"
    fix = (
        "Give the release another version; or go on with what was built: `release --resume`; or, "
        "if nobody has it, move its directory away."
    )


class SignaturesMissing(Undecided):
    """Fewer signers have signed than the root asks for, and no other has a key here.

    This is no failure: the pipeline waits.  Others sign in place with `offline-kit sign KIT`, or a
    review pack of it (`offline-kit review pack KIT`); their NAME-VERSION.SIGNER.sig go into the
    directory that has the release's own.
    """

    code = "signatures-missing"
    fix = "Have them sign; then run `offline-kit release --resume`."


class TestCommandFailed(Rejected):
    """The command of [release.test] did not end with status 0; nothing was attested or built."""

    __test__ = False  # pytest would take it for a class of tests
    code = "test-command-failed"
    fix = "Look at what it printed, mend what failed, and run `offline-kit release` again."


class CommandUnusable(Usage):
    """The command of [release.test] cannot be started on this host."""

    code = "command-unusable"
    fix = "Install the program, or correct `run` in [release.test]."


class ReportStale(Rejected):
    """A report that the tests should have written is not there, or is that of an earlier run.

    A report of yesterday's run says nothing of today's sources.
    """

    code = "report-stale"
    fix = "Correct `reports` in [release.test], or have the command write them on every run."


class ReportNotCarried(Usage):
    """A report of the tests is no evidence of the kit, or its attestation is none.

    A site that reads the attestation finds the digest of the report in it, and must find the report
    too.
    """

    code = "report-not-carried"
    fix = 'Add the report to an [[evidence]] of the spec, as `file = "PATH"`, and the attestation.'


class VerificationFailed(Rejected):
    """The sealed kit did not pass its verification, so nothing is published.

    The report beside the kit says of each check how it went.
    """

    code = "verification-failed"
    fix = (
        "Read NAME-VERSION.verification.txt beside the kit; build a new version when it is mended."
    )
