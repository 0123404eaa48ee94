#!/usr/bin/env bash
# The whole way, on a fresh Debian 12: builds vitcc, compiles the default model, builds its program, classifies the committed pictures.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/models/setup.sh"
need "${BUILD_PACKAGES[@]}"

out=$ROOT/build/demo
mkdir -p "$ROOT/build"
build_vitcc "$ROOT/build/vitcc" -DBUILD_TESTING=OFF
"$ROOT/build/vitcc/compiler/vitcc" compile "$ROOT/models/digits/digits.onnx" --name digits -o "$out"
cmake -S "$out" -B "$ROOT/build/demo-build" >"$ROOT/build/demo.log" 2>&1
cmake --build "$ROOT/build/demo-build" -j "$(nproc)" >>"$ROOT/build/demo.log" 2>&1 || { cat "$ROOT/build/demo.log" >&2; exit 1; }

program=$ROOT/build/demo-build/digits
"$program" --quiet "$ROOT"/models/digits/images/*.png | tee "$ROOT/build/demo.txt"
# A picture's name ends in its true label: 007_three.png. Lines: file, label, probability, milliseconds.
awk -F'\t' '{ name = $1; sub(/.*_/, "", name); sub(/\.png$/, "", name); right += name == $2; ms += $4; n++ }
    END { printf "%d of %d pictures right (%.2f %%), %.3f ms each on average\n", right, n, 100 * right / n, ms / n; exit right / n < 0.98 }' "$ROOT/build/demo.txt"
