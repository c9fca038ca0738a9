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
