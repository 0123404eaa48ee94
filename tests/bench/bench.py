"""Times a generated program beside ONNX Runtime (its optimiser on), interleaved in rounds so that noise hits both alike.

    python tests/bench/bench.py MODEL.onnx [--threads 1 2] [--rounds 5] [--runs 5]

Prints a Markdown row a thread count: medians over rounds of each round's least milliseconds, and of the rounds' ratios;
process time from start to first result; the outputs are compared first, and a row whose outputs disagree is not printed.
Needs the venv of tests/run.sh and a built vitcc (VITCC).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conftest import build, random_inputs, run, run_program  # noqa: E402


def optimised(model, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def theirs(session, inputs, runs):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, inputs)
        best = min(best, 1e3 * (time.perf_counter() - start))
    return best


def ours(program, threads, runs):
    return json.loads(run(program, "--bench", runs, "--json", "--threads", threads).stdout)


def cpu_name():
    return next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "unknown CPU")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    a = parser.parse_args()
    print(f"{cpu_name()}, ONNX Runtime {ort.__version__}\n\n| model | threads | generated, ms | ONNX Runtime, ms | ratio | first result, ms |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program, inputs = build(a.model, folder), random_inputs(a.model, 0)
        for threads in a.threads:
            session = optimised(a.model, threads)
            names = [o.name for o in session.get_outputs()]
            got = run_program(program, folder / "check", inputs, names, "--threads", threads)
            for name, want in zip(names, session.run(None, inputs)):
                assert np.abs(got[name] - want).max() <= 1e-4 * np.abs(want).max(), f"{name} disagrees"
            rounds = [(ours(program, threads, a.runs), theirs(session, inputs, a.runs)) for _ in range(a.rounds)]
            middle = lambda values: statistics.median(values)
            print(f"| {a.model.stem} | {threads} | {middle([o['min_ms'] for o, t in rounds]):.1f} | {middle([t for o, t in rounds]):.1f} | {middle([o['min_ms'] / t for o, t in rounds]):.3f} | "
                  f"{min(o['first_ms'] for o, t in rounds):.1f} |", flush=True)


if __name__ == "__main__":
    main()
