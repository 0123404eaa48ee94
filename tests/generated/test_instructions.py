"""What guards the hot path without timing: instructions of one steady-state run of the digits model, and its page faults.

Instructions are counted by valgrind, twice, so that start-up cancels; instructions.json holds the figures. After a change
that is meant to change them, renew them and look at the difference: VITCC=... .venv/bin/python tests/generated/test_instructions.py
"""
import json
import os
import pathlib
import re
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from conftest import ROOT, build, run  # noqa: E402

FIGURES = HERE / "instructions.json"
KINDS, LEVELS = ["jit", "aot", "portable"], ["0", "2"]     # valgrind knows no AVX-512
RUNS, ROWS = 5, 3                                          # ROWS as in steady.c


def make(kind, folder):
    """steady.c beside the digits library of a kind; returns the command without its numbers."""
    build(ROOT / "models/digits/digits.onnx", folder, "--kernels", kind, name="digits")
    libraries = ["-lxsmm", "-lxsmmnoblas", "-ldl"] if kind == "jit" else []
    sources = ["-I", folder / "out", HERE / "steady.c", folder / "build/libdigits.a"]
    run("cc", "-std=c11", "-O2", *sources, *libraries, "-lpthread", "-lm", "-o", folder / "steady")
    return folder / "steady", folder / "out/digits.weights"


def count(steady, level, runs):
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = run(*tool, *steady, 1, 1, runs, env={**os.environ, "VITCC_LEVEL": level})
    return int(re.search(r"I +refs: +([\d,]+)", done.stderr)[1].replace(",", ""))


def instructions(steady, level):
    """Instructions of one run of one image on one thread."""
    return round((count(steady, level, 2 * RUNS) - count(steady, level, RUNS)) / (ROWS * RUNS))


def compiler():
    return "cc " + run("cc", "-dumpversion").stdout.strip().split(".")[0]


def levels():
    """Those of LEVELS that this CPU has."""
    return [level for level in LEVELS if level == "0" or "avx2" in pathlib.Path("/proc/cpuinfo").read_text()]


@pytest.mark.parametrize("kind", KINDS)
def test_steady_state(kind, tmp_path):
    """No page fault, and the number of instructions that is known for the kind of kernels and each instruction-set level."""
    steady = make(kind, tmp_path)
    for threads, batch in (1, 1), (1, 5), (2, 1), (3, 5):
        assert run(*steady, threads, batch, 20).stdout == "0\n", f"page faults in batches of {batch} on {threads} threads"
    known = json.loads(FIGURES.read_text())
    if known["compiler"] != compiler():
        pytest.skip(f"no page faults; instructions are known of {known['compiler']}, this is {compiler()}")
    for level in levels():
        got, want = instructions(steady, level), known[f"{kind}, level {level}"]
        assert abs(got - want) <= 0.05 * want, f"level {level}: {got} instructions a run, {want} before; if meant, renew as the head says"


def renew():
    figures = {"compiler": compiler()}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            (pathlib.Path(folder) / kind).mkdir()
            program = make(kind, pathlib.Path(folder) / kind)
            figures.update({f"{kind}, level {level}": instructions(program, level) for level in LEVELS})
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(FIGURES.read_text(), end="")


if __name__ == "__main__":
    renew()
