#!/bin/sh
# Install in build/lnm-servers what the migrations of fixtures/lnm are tried against: the database
# in an environment of its own, wheels of its driver for every Python of a site, and the driver that
# fits the Python of the tests, unpacked. Nothing comes that a lock does not name with its hash.
set -eu
cd "$(dirname "$0")/.."
place=build/lnm-servers lock=requirements/lnm-driver.txt

tools/venv.sh "$place" requirements/lnm-servers.txt
pip() {
    bin/python -I -m pip --disable-pip-version-check --quiet "$@"
}

# The lines of the lock that hold for a Python: pip asks their conditions of the one that it runs on.
holding='
import re, sys
from pip._vendor.packaging.markers import Marker
for entry in re.findall(r"^[^\s#].*(?:\n .*)*", sys.stdin.read(), re.M):
    head, *hashes = entry.split(" \\\n")
    name, _, marker = head.partition(" ; ")
    python = {"python_full_version": sys.argv[1] + ".0", "python_version": sys.argv[1]}
    if not marker or Marker(marker).evaluate(python):
        print(" \\\n".join([name, *hashes]))
'
# The lock without the digests of wheels for other hosts: what travels beside the wheels.
there='
import hashlib, pathlib, sys
wheels = pathlib.Path("wheels").glob("*.whl")
known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}
kept = []
for line in sys.stdin.read().splitlines():
    if not line.startswith(("#", "    --hash")):
        kept.append([line.rstrip(" \\")])
    elif line.split(":")[-1].rstrip(" \\") in known:
        kept[-1].append("    " + line.strip(" \\"))
print("\n".join(" \\\n".join(entry) for entry in kept if len(entry) > 1))
'
cd "$place"
for version in 3.9 3.10 3.11 3.12 3.13 3.14; do
    bin/python -I -c "$holding" "$version" <"../../$lock" >"driver-$version.txt"
    pip download --require-hashes --no-deps --only-binary :all: --python-version "$version" \
        --dest wheels --requirement "driver-$version.txt"
done
bin/python -I -c "$there" <"../../$lock" >wheels/requirements.txt
pip install --require-hashes --no-deps --no-index --find-links wheels --target driver \
    --requirement "../../$lock"
