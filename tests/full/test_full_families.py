"""The other families at their published sizes in build/full, as models/export.py writes them: the program's answers, memory and the compiler's."""
import sys

import numpy as np
import pytest

from conftest import ROOT, build_project, check, run_program, session
from test_full import compiled, folder, path_of  # noqa: F401

sys.path.insert(0, str(ROOT / "models"))
from families_full import FULL_FAMILIES  # noqa: E402

pytestmark = pytest.mark.full_only

MODELS = [pytest.param(row, variant, id=f"{row.name}-{variant}") for row in FULL_FAMILIES for variant in row.variants.split()]


@pytest.mark.parametrize("row, variant", MODELS)
def test_full_size(row, variant, folder):  # noqa: F811
    """On one input, on 1 and 2 threads, against PyTorch in double precision; the evaluator would take minutes."""
    model = path_of(row, variant)
    _, report, peak = compiled(model, folder)
    assert report["frame_bytes"] == report["frame_lower_bound"] and report["scratch_bytes"] == report["scratch_lower_bound"]
    size = sum(f.stat().st_size for f in model.parent.glob("model.onnx*"))
    assert peak <= 1.3 * size + 200e6    # and what the file computes of constants: BEiT's indices are 200 MB
    program = build_project(folder)
    inputs = {i.name: np.load(model.parent / f"input_{i.name}.npy") for i in session(model).get_inputs()}
    truth = {o.name: np.load(model.parent / f"truth_{o.name}.npy") for o in session(model).get_outputs()}
    reference = dict(zip(truth, session(model).run(None, inputs)))
    ours, theirs = check([(run_program(program, folder / str(t), inputs, truth, "--threads", t), reference, truth) for t in (1, 2)])
    scale = max(np.abs(a).max() for a in truth.values())
    share = report["matrix_kernel_flop"] / report["flop"]
    print(f"{row.name}-{variant}: largest error {ours / scale:.1e} of the scale, ONNX Runtime's {theirs / scale:.1e}; "
          f"frame {report['frame_bytes'] / 1e6:.1f} MB, {share:.1%} of {report['flop'] / 1e9:.1f} GFLOP on matrix kernels; compiled in {peak / 1e6:.0f} MB")
