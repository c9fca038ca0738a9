"""What `make audit-demo` and `make audit-picture` do: the LNM kit, audited into one page.

The page is ``build/demo/audit.html``.  The kit that is attested is built for it, with the keys of
``fixtures/keys/``, which are public on purpose, and audited by the bare Python of an operator,
whose policy demands the attestations.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

from tools.demo import DEMO, KEYS, KIT, NAME, TOP, Unexpected, build, expect, isolation, run, say

PLACE = TOP / "build" / "audit-demo"
POLICY = TOP / "fixtures" / "lnm" / "supply" / "policy.json"
PAGE = DEMO / "audit.html"
PICTURE = TOP / "docs" / "howto" / "audit.png"
PAGES = TOP / "tests" / "conformance" / "pages"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def audit() -> None:
    """Build the kit and write the page.

    Raises:
        Unexpected: The kit is not verified.
    """
    shutil.rmtree(PLACE, ignore_errors=True)
    DEMO.mkdir(parents=True, exist_ok=True)
    for path in sorted((TOP / KEYS).glob("*.pem")):
        path.chmod(0o600)  # git keeps no such mode, and a key that others may read is named
    text = build("build/audit-demo", "alice", "bob", spec="fixtures/lnm/attested.toml")
    expect(text, "signed by  alice, bob")
    place = PLACE / NAME
    number = hashlib.sha256((place / "root.json").read_bytes()).hexdigest()
    program = ["python3", "-I", "-S", "kit-verify.pyz"]
    command = [*program, "trust", "init", "--root", "root.json", "--fingerprint", number]
    command += ["--policy", os.path.relpath(POLICY, place), "--trust", "../trust"]
    run(command, 0, directory=place, wrap=isolation())
    command = [
        *program,
        "audit",
        KIT,
        "--trust",
        "../trust",
        "--html",
        os.path.relpath(PAGE, place),
    ]
    expect(run(command, 0, directory=place, wrap=isolation()), "VERIFIED: ")
    say(f"wrote {PAGE.relative_to(TOP)}: {PAGE.stat().st_size} bytes")


def picture() -> None:
    """Take a picture of the page for the docs.

    Raises:
        Unexpected: There is no browser, or nothing that drives one.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    node = shutil.which("node")
    if browser is None or node is None or not (PAGES / "node_modules").is_dir():
        raise Unexpected(f"it takes Chromium, node, and `npm ci` in {PAGES.relative_to(TOP)}")
    command = [node, os.fspath(PAGES / "page.mjs"), "picture"]
    command += map(os.fspath, (PAGE, PICTURE))
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "CHROMIUM": browser})
    say(f"wrote {PICTURE.relative_to(TOP)}: {PICTURE.stat().st_size} bytes")


def main(words: list[str]) -> int:
    """Write the page, and with ``--picture`` the picture of it."""
    try:
        audit()
        if words == ["--picture"]:
            picture()
    except Unexpected as error:
        print(f"audit-demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
