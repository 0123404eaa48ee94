"""Writes docs/models.md, a row for each committed model as vitcc compiles it: VITCC=build/vitcc/compiler/vitcc .venv/bin/python docs/make_models.py

With --measure first finds the errors of all models anew (of those named after it, only theirs), on the best instruction set of this CPU.
"""
import json
import multiprocessing
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import VITCC, largest_error, run, shapes, small_models  # noqa: E402
from library import LEVELS, answers  # noqa: E402

ERRORS = ROOT / "tests/diff/errors.json"
INPUTS = 16
MODELS = [folder / "model.onnx" for which in ("small", "families", "timm", "keras") for folder in small_models(which)]

HEAD = """# Models

Made by docs/make_models.py from what `vitcc compile` says of each committed model; the tests compare it, so a fusion that is lost is seen here.
Exporters: `dynamo` and `script` are torch.onnx.export with dynamo=True and False, `optimum` is Optimum, `keras` and `tf2onnx` are Keras' own export and tf2onnx; `_batch`: the batch is decided at run time; `_past`: the file leaves the length of its cache open, which is fixed here; `_oN`: opset N, else 20.
Attention, MLP, norm and GELU: found / fused. Dropped: the share of the arithmetic that no output needs. Frame: bytes of values between phases, and their lower bound for the schedule.
Error: the largest difference from double precision in any output of the stored input and of sixteen random ones, in 1e-7 of that output's scale; ours, then ONNX Runtime's, measured with {level} by `docs/make_models.py --measure`. Outputs that are not floats are equal.

| model | exporter | nodes | kernels | attention | MLP | norm | GELU | dropped | frame | bound | error | ONNX Runtime's |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def key(model):
    return f"{model.parent.parent.name}/{model.parent.name}"


def errors(model):
    """Our largest error of an output's scale, and ONNX Runtime's."""
    with tempfile.TemporaryDirectory() as folder:
        given = answers(model, pathlib.Path(folder), INPUTS, True, 0, LEVELS[-1])
    ours = theirs = 0.0
    for name in given[0][2]:
        if given[0][1][name].dtype.kind == "f":
            scale = max(float(abs(truth[name]).max(initial=0)) for _, _, truth in given) or 1.0
            ours = max(ours, *(largest_error(got[name], truth[name]) / scale for got, _, truth in given))
            theirs = max(theirs, *(largest_error(reference[name], truth[name]) / scale for _, reference, truth in given))
    return ours, theirs


def measure(names):
    """Stores the errors of the models so named, or of all."""
    chosen = [m for m in MODELS if not names or m.parent.name in names]
    known = json.loads(ERRORS.read_text())["models"] if ERRORS.exists() else {}
    with multiprocessing.Pool() as pool:
        for model, found in zip(chosen, pool.imap(errors, chosen)):
            known[key(model)] = [float(f"{e:.2g}") for e in found]
    kept = {key(m): known[key(m)] for m in MODELS if key(m) in known}
    level = {"0": "SSE2", "2": "AVX2", "5": "AVX-512"}[LEVELS[-1]]
    ERRORS.write_text(json.dumps({"level": level, "models": kept}, indent=1) + "\n")


def row(model, folder, known):
    """One model's row."""
    printed = run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", *shapes(model, 1)[2]).stdout
    report = json.loads((folder / "out/model.json").read_text())
    name, _, variant = model.parent.name.partition("-")
    fused = [re.search(rf"^  {kind} +(\d+) +(\d+)$", printed, re.M).groups() for kind in ("attention", "mlp", "norm", "gelu")]
    dropped = re.search(r"^  narrowed .*: ([\d.]+ %)", printed, re.M)
    cells = [name, variant, re.search(r"(\d+) nodes", printed)[1], re.search(r"(\d+) kernels", printed)[1], *(f"{found} / {done}" for found, done in fused),
             dropped[1] if dropped else "", report["frame_bytes"], report["frame_lower_bound"], *(f"{e * 1e7:.2g}" for e in known[key(model)])]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def text():
    stored = json.loads(ERRORS.read_text())
    with tempfile.TemporaryDirectory() as folder:
        return HEAD.replace("{level}", stored["level"]) + "".join(row(model, pathlib.Path(folder), stored["models"]) for model in MODELS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2:])
    (ROOT / "docs/models.md").write_text(text())
