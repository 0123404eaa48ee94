"""Full-size models in build/full, as models/export.py writes them: what is found and fused, sizes, memory, and the program's answers."""
import json
import re
import shutil
import sys

import pytest

from conftest import ROOT, VITCC, build_project, compare, run, shapes

sys.path.insert(0, str(ROOT / "models"))
from rows import FULL  # noqa: E402

pytestmark = pytest.mark.full_only

MODELS = [pytest.param(row, variant, id=f"{row.name}-{variant}") for row in FULL for variant in row.variants.split()]
# Prints the peak of a command's resident memory in bytes; a process of its own, since a child starts with its parent's peak.
PEAK = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print('peak', 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")


@pytest.fixture
def folder(tmp_path):
    """A folder whose gigabytes are gone when the test is over."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def path_of(row, variant):
    model = ROOT / "build/full" / f"{row.name}-{variant}" / "model.onnx"
    assert model.exists(), f"{model} was not exported: models/export.py --full"
    return model


def compiled(model, folder):
    """Compiles the model to folder/out; what vitcc printed, its report, and its peak memory."""
    printed = run(sys.executable, "-c", PEAK, VITCC, "compile", model, "-o", folder / "out", "--name", "model", *shapes(model, 1)[2]).stdout
    return printed, json.loads((folder / "out/model.json").read_text()), int(re.search(r"^peak (\d+)$", printed, re.M)[1])


def linear_flop(row):
    """Twice the multiply-adds of an image's linear layers; of the last block's rows behind keys and values only those that a head reads."""
    c, width, mlp = row.config, row.config["hidden_size"], row.config["intermediate_size"]
    patches = (c["image_size"] // c["patch_size"]) ** 2
    heads = row.outputs.count("cls_logits") + 1     # rows that are read: the class token, and with a teacher the distillation token
    tokens = patches + heads
    block = 4 * width * width + 2 * width * mlp
    last = tokens * 2 * width * width + heads * (block - 2 * width * width)
    return 2 * (patches * 3 * c["patch_size"] ** 2 * width + (c["num_hidden_layers"] - 1) * tokens * block + last + heads * width * c["num_labels"])


@pytest.mark.parametrize("row, variant", MODELS)
def test_full_size(row, variant, folder):
    model = path_of(row, variant)
    printed, report, peak = compiled(model, folder)
    layers = row.config["num_hidden_layers"]
    for what, count in ("attention", layers), ("mlp", layers), ("norm", 2 * layers + 1), ("gelu", layers):
        assert re.search(rf"^  {what} +{count} +{count}$", printed, re.M), printed
    assert "not fused" not in printed
    assert report["kernels"] == "jit"
    assert report["linear_flop"] == linear_flop(row)
    on_libxsmm, rows = report["linear_matrix_kernel_flop"], report["linear_row_flop"]
    assert on_libxsmm + rows == report["linear_flop"]
    assert on_libxsmm >= (0.99 if row.name.startswith("vit_b32") else 0.999) * report["linear_flop"]   # the rest: the class token's row in the last block, and the classifier
    assert report["frame_bytes"] == report["frame_lower_bound"] and report["scratch_bytes"] == report["scratch_lower_bound"]
    assert sum(len((folder / "out" / name).read_text().splitlines()) for name in ("model.c", "model_kernels.c")) < 1500
    size = sum(f.stat().st_size for f in model.parent.glob("model.onnx*"))
    if row.name.startswith("vit_h"):
        assert peak <= 1.3 * size
    program = build_project(folder)
    ours, theirs = compare(model, program, folder, 3 if row.config["hidden_size"] <= 768 else 1)   # of ViT-L and ViT-H each takes minutes
    print(f"{row.name}-{variant}: largest error {ours:.2e}, ONNX Runtime's {theirs:.2e}; compiled in {peak / 1e6:.0f} MB, the model has {size / 1e6:.0f} MB")
