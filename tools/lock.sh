#!/bin/sh
# Write requirements/*.txt from pyproject.toml and requirements/*.in: exact versions, a hash for
# every file, Python 3.10 and newer on every platform, and no word about where they came from.
# Versions that still fit are kept; --upgrade takes newer ones.
set -eu
cd "$(dirname "$0")/.."

tool=build/lock # stands apart: nothing but this script needs it
if [ ! "$tool/.installed" -nt requirements/lock.txt ]; then
    tools/venv.sh "$tool" requirements/lock.txt
    touch "$tool/.installed"
fi

# compile INPUT NAME [OPTION...]: a lock that says the same keeps its time, so `make` rebuilds nothing.
oldest=3.10
compile() {
    input=$1 name=$2
    shift 2
    [ ! -e "requirements/$name" ] || cp "requirements/$name" "$tool/$name"
    "$tool/bin/uv" pip compile --quiet --universal --python-version "$oldest" --generate-hashes \
        --no-annotate --custom-compile-command 'make lock' "$@" "$input" --output-file "$tool/$name"
    cmp -s "$tool/$name" "requirements/$name" || cp "$tool/$name" "requirements/$name"
}

compile pyproject.toml runtime.txt "$@"
compile requirements/dev.in dev.txt "$@" # takes the versions of runtime.txt
compile requirements/lock.in lock.txt "$@"
compile requirements/seaweedfs.in seaweedfs.txt "$@"
compile requirements/awscli.in awscli.txt "$@"
compile requirements/atheris.in atheris.txt "$@"
compile requirements/lnm-servers.in lnm-servers.txt "$@"
oldest=3.9 # what runs at the site
compile requirements/lnm-driver.in lnm-driver.txt "$@"
