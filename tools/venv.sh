#!/bin/sh
# Make a virtual environment: tools/venv.sh DIR LOCK.
# Nothing goes into it that LOCK does not name with its hash.  PYTHON=/path/to/python3 chooses the
# interpreter; otherwise the first on PATH that fits is taken.
set -eu
cd "$(dirname "$0")/.."
dir=$1 lock=$2

chosen='' bare='' bare_version='' old=''
for name in ${PYTHON:-python3.11 python3.13 python3.12 python3.14 python3.10 python3}; do
    path=$(command -v "$name") || continue
    # A version manager's shim may be on PATH and yet run nothing: only an answer counts.
    version=$("$path" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1) || continue
    if ! "$path" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        old="$path, which is $version"
    elif "$path" -I -c 'import venv, ensurepip' 2>/dev/null; then
        chosen=$path
        break
    elif [ -z "$bare" ]; then
        bare=$path bare_version=$version
    fi
done

rm -rf "$dir"
if [ -n "$chosen" ]; then
    echo "$dir: made by $chosen ($version)"
    "$chosen" -I -m venv "$dir"
elif [ -n "$bare" ] && command -v virtualenv >/dev/null; then
    echo "$dir: made by virtualenv for $bare ($bare_version)"
    virtualenv --quiet --no-download --python "$bare" "$dir"
elif [ -n "$bare" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Debian's Python comes without the modules that make environments; root may add them.
    echo "$dir: installing python$bare_version-venv with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "python$bare_version-venv" >/dev/null
    echo "$dir: made by $bare ($bare_version)"
    "$bare" -I -m venv "$dir"
elif [ -n "$bare" ]; then
    echo "$dir: $bare cannot make virtual environments. On Debian and Ubuntu:" >&2
    echo "    apt install python$bare_version-venv" >&2
    exit 1
else
    echo "$dir: no Python 3.10 or newer as ${PYTHON:-python3 on PATH}${old:+ (found $old)}." >&2
    echo "    Debian, Ubuntu: apt install python3-venv; or: make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi

echo "$dir: installing what $lock names"
pip() {
    "$dir/bin/python" -I -m pip --disable-pip-version-check --quiet "$@"
}
# Wheels only: a source archive would run its own build, with requirements that no hash covers.
pip install --require-hashes --no-deps --only-binary :all: --requirement "$lock"
pip check || {
    echo "$dir: $lock is not complete; run 'make lock'" >&2
    exit 1
}
