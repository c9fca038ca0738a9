"""What `offline-kit step` and `offline-kit layout` say when they say no."""

from __future__ import annotations

from verifier.core.errors import Rejected, Usage


class StepFailed(Rejected):
    """The command of a step ended with another status than 0, or by a signal.

    Its link was written and says so: a layout is not met by it.
    """

    code = "step-failed"
    fix = "Mend what the command says, remove the link, and do the step again."


class StepUnusable(Usage):
    """A step cannot be recorded: its name, its command, or what it takes and makes.

    A name is 1 to 64 of `A-Z a-z 0-9 . _ -` and begins with a letter or digit: it becomes the name
    of a file.  Materials and products are files and directories below the one where you stand,
    given as they are to be called in the layout; links are followed to files only.
    """

    code = "step-unusable"
    fix = "Correct what is named and do the step again; its link was not written."


class LayoutInvalid(Usage):
    """A file is no layout of in-toto, or a step or rule of one cannot be as it is given.

    A key may be in a layout once: under two ids it would count for two functionaries.
    """

    code = "layout-invalid"
    fix = "Correct what is named; `offline-kit layout init` makes a layout."


class LayoutExpired(Rejected):
    """A layout had expired at the moment that it is judged by.

    For a build that is `created`: a kit can be built again when its layout has expired since.
    """

    code = "layout-expired"
    fix = "Have the owner sign a layout with a later date, or build with the right `created`."


class LayoutInspects(Rejected):
    """An in-toto layout has inspections: commands that whoever verifies would run.

    Nobody else's commands run here or at a site, and a chain whose inspections did not run is not
    verified.
    """

    code = "layout-inspects"
    fix = "Have the owner sign a layout without `inspect`; do what they do as steps."


class LayoutUnmet(Rejected):
    """The links of an in-toto layout do not show that each step was done by those who may.

    A link is missing, was signed by somebody else, contradicts another one of its step, or breaks
    a rule; or the owners of the layout did not all sign it.
    """

    code = "layout-unmet"
    fix = "Do the step that is named again, by those who may, or have the layout corrected."
