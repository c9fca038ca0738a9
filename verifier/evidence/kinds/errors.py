"""What is said of a component that is not what its kind promises (FORMAT 17)."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided

_AGAIN = "Ask the sender for a kit whose build checked this; do not use the component before."


class KindUnchecked(Undecided):
    """What a kind promises was not looked into, so nobody knows whether it holds.

    A document is larger than 4 MiB, those of the kit together are larger than 64 MiB, it has more
    parts than are walked through, or a quick proof did not decode it.
    """

    code = "kind-unchecked"
    fix = "Verify without --quick; what is too large is checked by the tool that the kind is for."


class KindPlaceUnfit(Rejected):
    """A component of this kind is one directory, and this one has several places, or is a file."""

    code = "kind-place-unfit"
    fix = _AGAIN


class KindFileMissing(Rejected):
    """A file that every component of this kind has is not there."""

    code = "kind-file-missing"
    fix = _AGAIN


class KindFileUnexpected(Rejected):
    """A file is there that has no place in a component of this kind."""

    code = "kind-file-unexpected"
    fix = _AGAIN


# --- oci ---------------------------------------------------------------------------------------


class OciLayoutMalformed(Rejected):
    """The file `oci-layout` is not that of version 1.0.0 of the OCI image layout."""

    code = "oci-layout-malformed"
    fix = _AGAIN


class OciIndexMalformed(Rejected):
    """The file `index.json` is no index of images, or has none."""

    code = "oci-index-malformed"
    fix = _AGAIN


class OciNameMissing(Rejected):
    """An image of a layout has no name of its own, so that tools could not be told which to take.

    Each entry of `index.json` has the annotation `org.opencontainers.image.ref.name`, no two the
    same.
    """

    code = "oci-name-missing"
    fix = _AGAIN


class OciManifestMalformed(Rejected):
    """A manifest or index of an image is none, or is read as two things by two readers."""

    code = "oci-manifest-malformed"
    fix = _AGAIN


class OciConfigMalformed(Rejected):
    """The configuration of an image is none, or speaks of another number of layers."""

    code = "oci-config-malformed"
    fix = _AGAIN


class OciPlatformMismatch(Rejected):
    """An index says that an image is for a platform, and the image says another one."""

    code = "oci-platform-mismatch"
    fix = _AGAIN


class OciBlobRenamed(Rejected):
    """A blob of a layout has another SHA-256 than its name says."""

    code = "oci-blob-renamed"
    fix = _AGAIN


class OciBlobMissing(Rejected):
    """A blob that an image consists of is not in its layout.

    Layers that may not be distributed may be missing.
    """

    code = "oci-blob-missing"
    fix = _AGAIN


class OciBlobUnreferenced(Rejected):
    """A blob is in a layout, and no image in it needs it: nobody looks at what it is."""

    code = "oci-blob-unreferenced"
    fix = _AGAIN


class OciSizeMismatch(Rejected):
    """A blob has another size than the document says that refers to it."""

    code = "oci-size-mismatch"
    fix = _AGAIN


# --- wheels ------------------------------------------------------------------------------------


class RequirementsMalformed(Rejected):
    """The file `requirements.txt` has a line that is no `NAME==VERSION` with SHA-256 hashes.

    Options and addresses in it would have pip look elsewhere.
    """

    code = "requirements-malformed"
    fix = _AGAIN


class WheelNameMalformed(Rejected):
    """A wheel is not called as wheels are: name, version and tags with `-` between them."""

    code = "wheel-name-malformed"
    fix = _AGAIN


class WheelMissing(Rejected):
    """The file `requirements.txt` names the hash of a wheel that is not there."""

    code = "wheel-missing"
    fix = _AGAIN


class WheelUnlisted(Rejected):
    """A wheel is there whose hash `requirements.txt` does not name for its name and version."""

    code = "wheel-unlisted"
    fix = _AGAIN


# --- debs --------------------------------------------------------------------------------------


class DebsPackagesMalformed(Rejected):
    """The file `Packages` is no index of a Debian repository, or names a file twice."""

    code = "debs-packages-malformed"
    fix = _AGAIN


class DebsReleaseMalformed(Rejected):
    """The file `Release` is none: it has no date, or no SHA-256 of `Packages`."""

    code = "debs-release-malformed"
    fix = _AGAIN


class DebsReleaseMismatch(Rejected):
    """The file `Release` gives another size or SHA-256 of `Packages`: apt would refuse it."""

    code = "debs-release-mismatch"
    fix = _AGAIN


class DebsReleaseDated(Rejected):
    """The repository ends some day, or begins later than the kit: a site's clock would refuse it.

    `Release` has a date that is not after the creation of the kit, and no `Valid-Until`.
    """

    code = "debs-release-dated"
    fix = _AGAIN


class DebMissing(Rejected):
    """The file `Packages` names a file that is not there."""

    code = "deb-missing"
    fix = _AGAIN


class DebMismatch(Rejected):
    """A package has another size or SHA-256 than `Packages` says."""

    code = "deb-mismatch"
    fix = _AGAIN


class DebUnlisted(Rejected):
    """A package is there that `Packages` does not name: apt would never install it."""

    code = "deb-unlisted"
    fix = _AGAIN


# --- npm ---------------------------------------------------------------------------------------


class NpmManifestMalformed(Rejected):
    """The file `package.json` is no object in JSON."""

    code = "npm-manifest-malformed"
    fix = _AGAIN


class NpmPackageLockMalformed(Rejected):
    """The file `package-lock.json` is no lock of npm 7 or newer."""

    code = "npm-package-lock-malformed"
    fix = _AGAIN


class NpmResolvedElsewhere(Rejected):
    """A package of the lock is not found beside it: npm would ask a registry, or run git."""

    code = "npm-resolved-elsewhere"
    fix = _AGAIN


class NpmTarballMissing(Rejected):
    """The lock names a tarball that is not there."""

    code = "npm-tarball-missing"
    fix = _AGAIN


class NpmTarballUnlisted(Rejected):
    """A tarball is there that the lock does not name."""

    code = "npm-tarball-unlisted"
    fix = _AGAIN


class NpmIntegrityMissing(Rejected):
    """A package of the lock has no integrity by SHA-256, SHA-384 or SHA-512."""

    code = "npm-integrity-missing"
    fix = _AGAIN


class NpmIntegrityMismatch(Rejected):
    """A tarball is not the one whose integrity the lock gives: npm would refuse it."""

    code = "npm-integrity-mismatch"
    fix = _AGAIN


# --- git ---------------------------------------------------------------------------------------


class GitBundleMalformed(Rejected):
    """A file is no git bundle of version 2 or 3."""

    code = "git-bundle-malformed"
    fix = _AGAIN


class GitBundleIncomplete(Rejected):
    """A bundle needs commits or objects that are not in it, so nothing can be cloned from it."""

    code = "git-bundle-incomplete"
    fix = _AGAIN


class GitBundleHeadless(Rejected):
    """A bundle has no HEAD, or no branch with the commit of HEAD: a clone of it would be empty."""

    code = "git-bundle-headless"
    fix = _AGAIN
