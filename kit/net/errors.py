"""What goes wrong between us and a server."""

from __future__ import annotations

from verifier.core.errors import Undecided, Usage


class UrlRefused(Usage):
    """A URL is one that we do not fetch.

    Fetched are `https:` and `file:`, and `http:` from this machine alone, unless a host is named
    with --plain-http: what comes without TLS can be read and changed on the way. A user name or a
    password does not belong in a URL, since a spec is read by many: `~/.netrc` is their place.
    """

    code = "url-refused"
    fix = "Write an https URL without a user name; for a host without TLS give --plain-http HOST."


class FetchFailed(Undecided):
    """A server did not answer, or not with what was asked for, and tries again did not help.

    What was received so far is kept and will be continued.
    """

    code = "fetch-failed"
    fix = (
        "Check the network, proxy and server named, then run again: what is there is not repeated."
    )


class FetchUnauthorized(Undecided):
    """A server wants credentials that we do not have, or does not accept those that we have."""

    code = "fetch-unauthorized"
    fix = (
        "Put the credentials for the host named into ~/.netrc (registries: log in), then run again."
    )


class ArtifactGone(Undecided):
    """A server says that the file is not there (any more)."""

    code = "artifact-gone"
    fix = "Correct the name, name another source or mirror, or choose a version that exists."


class TlsRefused(Undecided):
    """The certificate of a server is not one that this host trusts for its name."""

    code = "tls-refused"
    fix = "Give the authority's certificate with --ca-file, if this is the server that is meant."


class ReferenceInvalid(Usage):
    """An image is not named as a registry names it.

    The registry is always written: a name without one means another image on every host.
    """

    code = "image-reference-invalid"
    fix = "Write HOST/REPOSITORY:TAG, or with a digest HOST/REPOSITORY@sha256:..., in lower case."
