#!/usr/bin/env bash
# Runs every test: unit tests (ctest), then differential and command-line tests (pytest). Installs what they need. Ends with "N passed, N failed".
#   --full   full-size models and fresh exports too; installs PyTorch and transformers (models/README.md: time and space)
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/models/setup.sh"
need "${BUILD_PACKAGES[@]}" g++ clang libcmocka-dev valgrind python3-venv qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross

full=0
[ "${1:-}" = --full ] && full=1

venv=$ROOT/.venv
[ -x "$venv/bin/pytest" ] || {
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$ROOT/tests/requirements.txt"
}
[ $full -eq 0 ] || "$ROOT/models/export_all.sh" || true   # the tests of a model that is not there fail

mkdir -p "$ROOT/build"
build_vitcc "$ROOT/build/tests" -DVITCC_WERROR=ON
build_vitcc "$ROOT/build/sanitize" -DVITCC_SANITIZE=ON

passed=0 failed=0
count() {   # adds the numbers of a runner's closing line: count PASSED FAILED
    passed=$((passed + ${1:-0}))
    failed=$((failed + ${2:-0}))
}

for folder in tests sanitize; do
    log=$ROOT/build/ctest-$folder.log
    ctest --test-dir "$ROOT/build/$folder" --output-on-failure -j "$(nproc)" | tee "$log" || true
    total=$(sed -nE 's/.*tests failed out of ([0-9]+)/\1/p' "$log")
    bad=$(sed -nE 's/.* ([0-9]+) tests failed out of .*/\1/p' "$log")
    count $((${total:-1} - ${bad:-1})) "${bad:-1}"
done

options=()
[ $full -eq 1 ] && options+=(--full)
VITCC=$ROOT/build/tests/compiler/vitcc VITCC_SANITIZED=$ROOT/build/sanitize/compiler/vitcc \
    "$venv/bin/pytest" -q -n 2 -p no:cacheprovider "${options[@]}" "$ROOT/tests" | tee "$ROOT/build/pytest.log" || true
last=$(tail -n 1 "$ROOT/build/pytest.log")
good=$(grep -oE '[0-9]+ passed' <<<"$last" | cut -d' ' -f1 || true)
bad=$(grep -oE '[0-9]+ (failed|error)' <<<"$last" | awk '{ n += $1 } END { print n + 0 }' || true)
[ -n "$good" ] || bad=$((${bad:-0} + 1))
count "${good:-0}" "${bad:-0}"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
