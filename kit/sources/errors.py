"""What is wrong with a lock, or with a source that is fetched."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import Problem
from verifier.core.errors import Rejected, Undecided, Usage


class LockMissing(Usage):
    """The spec has sources that are fetched, and there is no lock that says what they are.

    A build uses no network, so that it gives the same kit tomorrow and elsewhere.
    """

    code = "lock-missing"
    fix = "Run `offline-kit lock` with the spec, and keep kit.lock beside it in version control."


class LockStale(Usage):
    """The lock was made for other sources than the spec has now.

    What changed is named. Nothing is guessed: a build takes what the lock says or nothing.
    """

    code = "lock-stale"
    fix = "Run `offline-kit lock` with the spec, look at the difference, and keep both."


class LockEdited(Usage):
    """The lock says something of a part of the kit that `offline-kit lock` did not write there.

    A path, a size, a digest or a version was changed, added or taken away: by hand, or where two
    branches were merged. The parts are named; nothing of the lock is used.
    """

    code = "lock-edited"
    fix = "Take kit.lock back from version control, or lock what is named anew: `--update NAME`."


class LockInvalid(Usage):
    """The lock is no lock that `offline-kit lock` has written; all mistakes are listed.

    A lock that was edited by hand, or merged with a conflict left in it, is not repaired.

    Attributes:
        problems: The mistakes, in the order of their lines.
    """

    code = "lock-invalid"
    fix = "Take kit.lock back from version control, or remove it and run `offline-kit lock`."

    def __init__(self, problems: Sequence[Problem], *, where: str) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.field, p.found)))
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        lines = [f"\n  {where}:{problem.line}: {problem}" for problem in self.problems[:20]]
        if len(self.problems) > 20:
            lines.append(f"\n  and {len(self.problems) - 20} more")
        super().__init__(count + "".join(lines), where=where)


class LockUnreadable(Undecided):
    """The lock is there, but this host could not read or write it."""

    code = "lock-unreadable"
    fix = "Check owner, permissions and disk of the file named, then run again."


class UrlNameUnclear(Usage):
    """A URL ends in nothing that can be the name of a file in a kit."""

    code = "url-name-unclear"
    fix = 'Say in the source where the file lands: `as = "NAME"`.'


class NothingToUpdate(Usage):
    """What was named for --update is no component, and no evidence, that is fetched."""

    code = "nothing-to-update"
    fix = "Give the id of a component with a source that is fetched, as the spec spells it."


class ImageMalformed(Rejected):
    """A manifest or an index of an image breaks the OCI image specification, or a bound of ours.

    An index may be nested 4 deep, an image may refer to 20,000 things, and every digest is SHA-256.
    """

    code = "image-malformed"
    fix = "Push the image again with another tool, or report it to whoever publishes it."


class ImageRestricted(Rejected):
    """An image has layers that its publisher does not allow to be distributed.

    The site would have to fetch them itself, or may not have them at all.
    """

    code = "image-restricted"
    fix = "Ask for the right to carry them and write `nondistributable = true`, or leave it out."


class PlatformAbsent(Usage):
    """An image does not exist for a platform that the spec asks for; those it has are named."""

    code = "image-platform-absent"
    fix = "Correct `platforms` in the spec, or choose another version of the image."


class CompanionAbsent(Undecided):
    """What the spec wants beside an image is not there, or speaks of another image.

    Signatures, attestations and SBOMs hang on the digest of an image. A mirror that copies images
    may leave them behind; one that recompresses layers or writes manifests again makes another
    image, of which nobody has said anything.
    """

    code = "image-companion-absent"
    fix = "Name the registry where the image was signed, copy them too, or shorten `beside`."


class ImageNamesCollide(Usage):
    """Two images of one component would have one name in its layout."""

    code = "image-names-collide"
    fix = "Give one of them another name with `as`, or a component of its own."


class GitFailed(Undecided):
    """The program git did not do what was asked: the repository does not answer, or lacks it.

    git uses the credentials of this user and asks nobody for a password.
    """

    code = "git-failed"
    fix = "Try `git fetch` of the same repository and revision, and mend what it says."


class GitSubmodules(Usage):
    """A commit refers to other repositories, and a bundle does not hold them.

    A clone at the site would lack their files.
    """

    code = "git-submodules"
    fix = "Add a source for each submodule, then write `submodules = true` in this one."


class ToolMissing(Undecided):
    """A program that a kind of source needs is not installed on this host."""

    code = "tool-missing"
    fix = "Install the program named; `offline-kit lock` uses it, and building does not."


class ResolveFailed(Undecided):
    """A resolver found no answer to what the spec asks for, or could not reach its index."""

    code = "resolve-failed"
    fix = "Read what the program says, correct the requirements or its settings, and run again."


class RequirementsUnusable(Usage):
    """A requirements file is none, or leaves part of what it means to other files or to options.

    Each line is a requirement as pip writes it, perhaps with digests (`--hash=sha256:...`), which
    are then the only files that are carried of that package.
    """

    code = "requirements-unusable"
    fix = "Write every requirement into the file itself; indexes belong into uv's settings."


class WheelAbsent(Undecided):
    """A package exists as no wheel for a Python and platform that the spec names, or no longer.

    Source distributions are not carried: a site would have to build them.
    """

    code = "wheel-absent"
    fix = "Choose another version or fewer targets, or build the wheel and carry it as a file."


class DebAbsent(Undecided):
    """A Debian package is in no repository of the suite, or no longer in this version.

    Repositories keep only the newest version of a suite, so a lock of Debian packages ends with the
    next point release; what would replace each package is named.
    """

    code = "deb-absent"
    fix = "Run `offline-kit lock --update NAME`, or name a repository that keeps old versions."


class DebMalformed(Rejected):
    """A file is no Debian package, or says that it is another one than its repository says.

    What a package says of itself goes into an index that apt reads at the site, so a text that
    would say more than one package does is refused.
    """

    code = "deb-malformed"
    fix = "Do not carry it; tell whoever runs the repository."


class NpmLockUnusable(Usage):
    """A package-lock.json is missing, is none, or names what cannot be carried as a tarball.

    Packages from git, from directories and from workspaces have no tarball in a registry, and one
    without an integrity of SHA-256 or stronger cannot be told from another.
    """

    code = "npm-lock-unusable"
    fix = (
        "Name a directory with package.json and the lock that `npm install` writes; what is named"
        " and has no tarball, publish to a registry or leave out."
    )


class ImageFileUnusable(Usage):
    """A layout or an archive cannot be read, is none, or does not have the image that is named."""

    code = "image-file-unusable"
    fix = "Write oci:DIR:NAME, oci-archive:FILE:NAME or docker-archive:FILE:TAG, as it is there."
