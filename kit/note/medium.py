"""What people read on the medium: README.txt for whoever opens it, and the page of first contact.

Both are functions of the kit.  Neither is believed by anybody: the numbers in them are there to be
read aloud and compared with numbers that came another way.
"""

from __future__ import annotations

from verifier.core.model import KitInfo
from verifier.show.fingerprint import groups

README = "README.txt"
FIRST_CONTACT = "FIRST-CONTACT.txt"
ROOT = "root.json"
CHAIN = "roots.json"
HALF = 39  # characters: 32 digits in groups of four, half a number

_README = """\
{name} {version}: {summary}
line {line}, sequence {sequence}, created {created}

This directory is one release for a site without a network. Everything belongs together: copy it
as a whole. Before you use anything in it, prove it:

* The first time at this site: print {first_contact} and follow it. You need two numbers
  that did not come with this directory (paper, telephone).
* At a host that has taken a kit of this publisher before, with the verifier that it has kept:
      python3 -I kit-verify.pyz accept --extract NEW-DIRECTORY -- {kit}

0 means accepted. After anything else, do not use the kit, and do what the line `fix:` says.

  {kit}
      the release: one signed file
  kit-verify.pyz
      proves it, with Python 3.9 or newer and nothing else
  root.json
      who signs, and how many of them it takes; a site keeps it from first contact on
  {first_contact}
      what to do the first time
  kit.dsse.json, SHA256SUMS and everything else
      for cosign, openssl and ssh-keygen; {called}.sealed.json lists the files
"""

_FIRST_CONTACT = """\
FIRST CONTACT: {name} {version} (line {line}, sequence {sequence})

For a host that has never taken a kit of this publisher. You need Python 3.9 or newer; no network,
no installation. From the publisher you have two numbers that did not come with this directory
(paper, telephone). Write them here, in groups of four digits:

  1  kit-verify.pyz  .... .... .... .... .... .... .... ....
                     .... .... .... .... .... .... .... ....
  2  root.json       .... .... .... .... .... .... .... ....
                     .... .... .... .... .... .... .... ....

Go to a directory that only you can write to, such as your home. $MEDIUM stands for the directory
that this page lies in:

  mkdir contact && cd contact && cp "$MEDIUM"/kit-verify.pyz "$MEDIUM"/root.json .
  sha256sum kit-verify.pyz root.json | sed 's/[0-9a-f]\\{{4\\}}/& /g'

Compare both numbers with yours, digit by digit. If one differs, STOP: run nothing, and call the
publisher. If both are the same, with the digits of YOUR second number for NUMBER:

  env -i PATH="$PATH" python3 -I kit-verify.pyz selftest
  env -i PATH="$PATH" python3 -I kit-verify.pyz trust init --root root.json --trust trust \\
      --fingerprint NUMBER
  env -i PATH="$PATH" python3 -I kit-verify.pyz accept --trust trust --expect {name} \\
      --extract {name} -- "$MEDIUM"/{kit}

An administrator leaves out `--trust trust`: the whole host knows the root from then on.

  0  VERIFIED   and accepted: use what is in {name}
  2             the command line or a file of yours is wrong: correct it; nothing was decided
  3  UNDECIDED  this host could not find out: do what `fix:` says; do not use the kit yet
  4  REJECTED   do not use the kit; keep the file, and call the publisher

---- What follows PROVES NOTHING HERE: whoever could change the kit could change this page. ----

Read it aloud to the publisher, or compare it with another copy of this release.

{numbers}"""


def readme(info: KitInfo) -> bytes:
    """Return README.txt of the directory that travels."""
    return _README.format(**_names(info)).encode("utf-8")


def first_contact(info: KitInfo, verifier: str, root: str, kit_id: str) -> bytes:
    """Return the page of first contact with the names of a kit, and its numbers set apart.

    Args:
        verifier: SHA-256 of ``kit-verify.pyz``.
        root: SHA-256 of ``root.json``.
    """
    numbers = (("kit-verify.pyz", verifier), ("root.json", root), ("kitId", kit_id))
    lines = []
    for title, digest in numbers:
        digits = groups(digest)
        lines += [f"  {title:<15} {digits[:HALF]}", f"  {'':<15} {digits[HALF + 1 :]}"]
    text = _FIRST_CONTACT.format(**_names(info), numbers="\n".join(lines) + "\n")
    return text.encode("utf-8")


def _names(info: KitInfo) -> dict[str, str | int]:
    called = f"{info.name}-{info.version}"
    return {
        "name": info.name,
        "version": info.version,
        "line": info.line,
        "sequence": info.sequence,
        "created": info.created,
        "summary": info.summary,
        "called": called,
        "kit": f"{called}.tar.zst",
        "first_contact": FIRST_CONTACT,
    }
