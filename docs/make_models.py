"""Writes docs/models.md, a row for each committed model as vitcc compiles it: VITCC=build/vitcc/compiler/vitcc .venv/bin/python docs/make_models.py"""
import json
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import VITCC, run, shapes, small_models  # noqa: E402

HEAD = """# Models

Made by docs/make_models.py from what `vitcc compile` says of each committed model; the tests compare it, so a fusion that is lost is seen here.
Exporters: `dynamo` and `script` are torch.onnx.export with dynamo=True and False, `optimum` is Optimum, `keras` and `tf2onnx` are Keras' own export and tf2onnx; `_batch`: the batch is decided at run time; `_past`: the file leaves the length of its cache open, which is fixed here; `_oN`: opset N, else 20.
Attention, MLP, norm and GELU: found / fused. Dropped: the share of the arithmetic that no output needs. Frame: bytes of values between phases, and their lower bound for the schedule.

| model | exporter | nodes | kernels | attention | MLP | norm | GELU | dropped | frame | bound |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(model, folder):
    """One model's row."""
    printed = run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", *shapes(model, 1)[2]).stdout
    report = json.loads((folder / "out/model.json").read_text())
    name, _, variant = model.parent.name.partition("-")
    fused = [re.search(rf"^  {kind} +(\d+) +(\d+)$", printed, re.M).groups() for kind in ("attention", "mlp", "norm", "gelu")]
    dropped = re.search(r"^  narrowed .*: ([\d.]+ %)", printed, re.M)
    cells = [name, variant, re.search(r"(\d+) nodes", printed)[1], re.search(r"(\d+) kernels", printed)[1], *(f"{found} / {done}" for found, done in fused),
             dropped[1] if dropped else "", report["frame_bytes"], report["frame_lower_bound"]]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def text():
    models = [folder / "model.onnx" for which in ("small", "families", "timm", "keras") for folder in small_models(which)]
    with tempfile.TemporaryDirectory() as folder:
        return HEAD + "".join(row(model, pathlib.Path(folder)) for model in models)


if __name__ == "__main__":
    (ROOT / "docs/models.md").write_text(text())
