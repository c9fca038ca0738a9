"""Starts the verifier isolated from the directory and the environment it is run in.

This file must stay valid for Python 2.7, so that an old Python answers in a sentence.
"""

from __future__ import print_function

import sys

OLDEST = (3, 9)

if sys.version_info[:2] < OLDEST:
    sys.stderr.write(
        "kit-verify needs Python %d.%d or newer; this is %d.%d.\n"
        "Nothing was checked. Run it with a newer Python, e.g.: python3.11 -I kit-verify.pyz KIT\n"
        % (OLDEST + sys.version_info[:2])
    )
    sys.exit(3)


NEEDED_BY_WINDOWS = ("SYSTEMROOT", "TEMP", "TMP")  # without them it starts no program


def _forget():
    """Empty the environment, before anything that could obey it is imported.

    OPENSSL_CONF makes OpenSSL, which hashlib loads, run somebody else's code; LANGUAGE gives the
    parser of options somebody else's sentences.  There are more such variables than anybody can
    list, and the verifier needs none: what it starts gets an empty environment too.
    """
    import os

    for name in list(os.environ):
        if os.name != "nt" or name.upper() not in NEEDED_BY_WINDOWS:
            try:
                del os.environ[name]
            except OSError:  # a name that is empty: nobody can ask for it
                pass


def _restart(cached):
    """Run this again with -I and -B, so that nothing planted nearby is imported.

    The directory of the package goes last on the path: a json.py beside it shadows nothing.
    Byte code beside the sources is used only if they are an installation's: below an extracted kit
    a planted cache is what nobody compares.
    """
    import os

    if not sys.executable:
        sys.stderr.write(
            "kit-verify cannot find its own Python to start it isolated.\n"
            "Nothing was checked. Run: python3 -I kit-verify.pyz KIT\n"
        )
        sys.exit(3)
    here = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, "-I", "-B"]
    if not cached:
        command += ["-X", "pycache_prefix=" + os.path.join(here, "no-cache")]
    if os.path.isdir(here):
        code = "import sys; sys.path.append(%r); from verifier.cli import entry; entry()"
        command += ["-c", code % os.path.dirname(here)]
    else:
        command += [here]
    command += sys.argv[1:]
    if os.name == "nt":
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


def _compile_once():
    """Keep zipimport from compiling each module of a zipapp twice: for its name, for its code."""
    import functools
    import zipimport

    compiled = getattr(zipimport, "_get_module_code", None)  # private: without it only slower
    if compiled is not None:
        once = functools.lru_cache(maxsize=None)(compiled)
        zipimport._get_module_code = once  # type: ignore[attr-defined]


def main(cached=False):
    """Run the verifier as a program, isolated."""
    _forget()
    if not sys.flags.isolated:
        _restart(cached)
    _compile_once()
    from verifier.cli import entry

    entry()


def installed():
    """Run the verifier as the command of an installation, which owns its byte code."""
    main(cached=True)


if __name__ == "__main__":
    main()
