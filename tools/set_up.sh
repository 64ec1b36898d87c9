#!/bin/sh
# Finds a Python that really runs (a name on PATH may be a shim for one that is not installed) and hands over to set_up.py.
set -u
cd "$(dirname "$0")/.." || exit 1

seen=""
incomplete=""
for python in ${PYTHON_FOR_SET_UP:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        seen="$seen $python is $version,"
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        incomplete="$python"
    else
        exec "$python" -m tools.set_up "$@"
    fi
done

if [ -n "$incomplete" ]; then
    echo "$incomplete cannot make virtual environments: install its venv module (the package python3-venv on Debian and Ubuntu) and run make again." >&2
elif [ -n "$seen" ]; then
    echo "Python 3.11 or newer is needed, but${seen%,}: install a newer one and run make again." >&2
else
    echo "Python 3.11 or newer is needed, and there is no python3 on PATH: install it and run make again." >&2
fi
exit 1
