"""What the runner says when it says no; the tree and the rules are those of `verifier.core.errors`.

A run that stops, waits or cannot be undone is no error: `runner.status.RunStatus` has statuses for
that.  The docstring of each class is its page in docs/errors.md and in ``kit-run explain``.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.core.errors import Rejected, Undecided, Usage
from verifier.typed import record

OVER = "Nothing more is done with this run; `kit-run run` begins another one."
MAX_SHOWN = 20  # mistakes listed in one message; the rest is counted


@record(frozen=True)
class Mistake:
    """One mistake in a runbook.

    Attributes:
        place: Keys and array indices from the top: ``("step", 2, "undo", "run")``.
        what: What is wrong, and what should be there.
        fix: What to do, in the imperative.
    """

    place: tuple[str | int, ...]
    what: str
    fix: str

    @property
    def field(self) -> str:
        """The place as people write it: ``step[2].undo.run``."""
        text = ""
        for part in self.place:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
        return text

    def __str__(self) -> str:
        return (
            f"{self.field}: {self.what}; {self.fix}" if self.place else f"{self.what}; {self.fix}"
        )


def listed(sentences: Sequence[str]) -> str:
    """Return one message of all that was found: a sentence, or their number and a line each."""
    if len(sentences) == 1:
        return sentences[0]
    return "".join([f"{len(sentences)} things:", *(f"\n  {one}" for one in sentences)])


# --- the runbook -------------------------------------------------------------------------------


class RunbookMalformed(Rejected):
    """The runbook of the kit breaks a rule of manifests/RUNBOOK.md; nothing of it was done.

    The release host refuses such a runbook (`offline-kit runbook check`), so this kit was made in
    another way, or for a newer runner.

    Attributes:
        mistakes: All that was found, in the order of their places.
    """

    code = "runbook-malformed"
    fix = "Run nothing of this kit by hand instead; ask its publisher."

    def __init__(self, mistakes: Sequence[Mistake], *, where: str = "runbook") -> None:
        self.mistakes = tuple(mistakes)
        shown = [f"\n  {mistake}" for mistake in self.mistakes[:MAX_SHOWN]]
        more = len(self.mistakes) - len(shown)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        tail = f"\n  and {more} more" if more else ""
        super().__init__(count + "".join(shown) + tail, where=where)


class RunbookNewer(Undecided):
    """The runbook is written for a newer version of manifests/RUNBOOK.md than this runner knows."""

    code = "runbook-newer"
    fix = "Take the kit-run.pyz that this kit carries: kit-verify.pyz --only kit-run.pyz --extract."


class RunbookMissing(Usage):
    """The kit carries no runbook, so there is nothing to run."""

    code = "runbook-missing"
    fix = "Use kit-verify.pyz to prove and extract it; its README.txt says what it is for."


# --- the site ----------------------------------------------------------------------------------


class SettingsInvalid(Usage):
    """The settings of the site do not fit the runbook: an input is missing, unknown or not valid.

    Settings are JSON with the members that manifests/RUNBOOK.md, section 8, names.  They give
    values to inputs that the runbook declares, and paths to programs of the site; they never say
    what is run, with which arguments or in which order.
    """

    code = "settings-invalid"
    fix = "Correct what is named; `kit-run plan KIT` without --settings shows what they must hold."


class EnvironmentDiffers(Usage):
    """``--environment`` and the settings name different environments, so one of them is wrong."""

    code = "environment-differs"
    fix = "Look which settings you took; nothing was run."


class PreflightFailed(Undecided):
    """Something that a step will need is not there, so the run has not begun.

    Disk, programs of the site and their versions, directories, secrets and the Python are looked at
    before the first step, since half a run is worse than none.
    """

    code = "preflight-failed"
    fix = "Repair what is named, then give the same command again."


class StagingMissing(Undecided):
    """This environment is only for kits that were run in another one first, and no proof is given.

    The runbook asks for evidence of the same kit and runbook from that environment: sealed,
    closed, and not too old.  The way around is an override of the policy, with its name and reason.
    """

    code = "staging-missing"
    fix = "Run it there first, `kit-run export` it, and give the file with --after EVIDENCE."


class StagingUnfit(Rejected):
    """The evidence is good, and says of the earlier run what does not open this environment.

    It must be of the environment that the runbook names and of another target, closed, with every
    check held, without an override, and young enough.
    """

    code = "staging-unfit"
    fix = "Run it there again, to its end, and give the evidence of that run."


class SecretUnsafe(Usage):
    """The file of a secret can be read or changed by others than its owner."""

    code = "secret-unsafe"
    fix = "Give it to the user who runs this, with mode 0600."


# --- the run -----------------------------------------------------------------------------------


class RunExists(Usage):
    """There is a run of this name already; a run is never begun twice."""

    code = "run-exists"
    fix = "Go on with `kit-run resume RUN`, or give another name with --name."


class RunMissing(Usage):
    """There is no run in this directory."""

    code = "run-missing"
    fix = "Name the directory that `run` printed; it holds a file `journal`."


class RunBusy(Undecided):
    """Another runner is working on this run at this moment."""

    code = "run-busy"
    fix = "Wait until it ends; `kit-run status RUN` shows who it is and what it does."


class RunElsewhere(Undecided):
    """The run was last worked on by another host, and what it started may be alive there."""

    code = "run-elsewhere"
    fix = "See that nothing of it runs there; then give --take-over REASON."


class RunUnsafe(Usage):
    """Somebody else could change the directory of the run, and so what is run as this user."""

    code = "run-unsafe"
    fix = "Find out who wrote in it; do not go on with this run before that."


class RunChanged(Rejected):
    """Something that the first record of the run binds is not what it was.

    The kit, the runbook, the members that were extracted and the host of a run stay the same; so
    do its settings, but for secrets.  What may be changed on purpose is named in the message.
    """

    code = "run-changed"
    fix = "Put it back as it was; if it is meant, give --changed REASON, or begin a new run."


class RunStands(Usage):
    """The run is not in a state in which this command means something."""

    code = "run-stands"
    fix = "Look at `kit-run status RUN`: it names the commands that do."


class ApprovalInvalid(Rejected):
    """The signature is not one of an operator over this run, this step and this plan.

    It may be over another run, over a plan that has changed, or by somebody whom operators.json
    does not name.
    """

    code = "approval-invalid"
    fix = "Sign the file that `kit-run approve RUN STEP --out FILE` writes now."


class OperatorsMissing(Usage):
    """There is no root of operators in the trust directory.

    A gate that asks for people, and evidence of a run, want signatures of operators:
    `operators.json`, a root as the publisher has one, with other keys.
    """

    code = "operators-missing"
    fix = "Make one with `offline-kit root init` and put it there as operators.json, mode 0644."


class OperatorsShareKey(Usage):
    """One key is in the root of the operators and in that of the publisher.

    Whoever holds it could make a release and let it in alone, so neither root counts beside the
    other.
    """

    code = "operators-share-key"
    fix = "Have the operators make keys of their own, and a new operators.json."


class OperatorUnknown(Usage):
    """The key that is to seal evidence is not one of `operators.json`."""

    code = "operator-unknown"
    fix = "Take a key whose public half is in the role targets of operators.json."


# --- evidence ------------------------------------------------------------------------------------


class EvidenceExists(Usage):
    """A file of this name is there already; evidence is never overwritten."""

    code = "evidence-exists"
    fix = "Give another directory with --out; the same run exports to the same name."


class EvidenceUnwritable(Undecided):
    """The host did not take the evidence, or something of the run changed while it was packed."""

    code = "evidence-unwritable"
    fix = "Give the disk room, see that nobody works on the run, and export again."


class EvidenceHoldsSecret(Rejected):
    """A secret of the run stands in something that would leave the site; nothing was written.

    What programs print is masked, but a report or another file that a program wrote itself is as
    the program wrote it.
    """

    code = "evidence-holds-secret"
    fix = "Export with --digests-only, and have the program mended: it wrote the secret to a file."


class NoEvidence(Rejected):
    """What was given is a kit, and is not evidence of a run (RUNBOOK 11)."""

    code = "no-evidence"
    fix = "Give the file that `kit-run export` wrote."


class EvidenceForeign(Rejected):
    """The evidence is of a run of another kit, runbook or line than the one it is held to."""

    code = "evidence-foreign"
    fix = "Give the kit of the run: its kitId is in the message; or evidence of this kit."


class EvidenceCut(Rejected):
    """Lines of the journal are missing, or its last line is not whole.

    Only lines at the end can be left out without a trace, and before the seal: the run then reads
    as one that is not closed.
    """

    code = "evidence-cut"
    fix = "Use nothing of it; ask the operators for what their host has."


class EvidenceReordered(Rejected):
    """Lines of the journal stand in another order than they were written in."""

    code = "evidence-reordered"
    fix = "Use nothing of it; ask the operators for what their host has."


class EvidenceEdited(Rejected):
    """A line of the journal is not the one that the next line names, or is no record at all."""

    code = "evidence-edited"
    fix = "Use nothing of it; ask the operators for what their host has."


class EvidenceSpliced(Rejected):
    """Lines of the journal are there twice, or are those of another run."""

    code = "evidence-spliced"
    fix = "Use nothing of it; ask the operators for what their host has."


class EvidenceFalse(Rejected):
    """A statement or an output in the evidence is not what the journal says.

    Statements follow from the journal and the kit; they are written again here and compared.
    """

    code = "evidence-false"
    fix = "Use nothing of it; ask the operators for what their host has."


class EvidenceInconsistent(Rejected):
    """The journal says what the runbook excludes: a closed run with steps undone, a gate unsigned.

    No runner writes such a journal.
    """

    code = "evidence-inconsistent"
    fix = "Use nothing of it; ask the operators for what their host has."


class JournalDamaged(Rejected):
    """The journal of the run is not what was written: a line is changed, missing or out of order.

    A line that was cut off by a power failure is no damage: it is dropped and the step before it is
    asked by its check.
    """

    code = "journal-damaged"
    fix = "Keep the file for inspection; begin a new run, whose checks find what is done."


class JournalUnwritable(Undecided):
    """The host did not take, or did not keep, a line of the journal: the run ends here.

    What was done before is recorded; nothing is started that could not be.
    """

    code = "journal-unwritable"
    fix = "Give the disk room, or repair it; then `kit-run resume RUN`."


class StepAlive(Undecided):
    """A program that an earlier runner started is still at work, so the step is not begun again.

    It was found by a mark in its environment.  Two at once would do the step's work twice.
    """

    code = "step-alive"
    fix = "Wait for it and resume; or end it with `kit-run resume RUN --end-survivors`."


class MemberChanged(Rejected):
    """A file of the kit in the run's directory is not what was proved; it was not used."""

    code = "member-changed"
    fix = "Find out who changed it; put it back from the kit before you resume."
