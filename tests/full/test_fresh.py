"""The small models exported anew into build/fresh: the committed graphs again, and compared as those are."""
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from conftest import ROOT, build, compare, evaluate, largest_error, session

sys.path.insert(0, str(ROOT / "models"))
from families import FAMILIES  # noqa: E402
from rows import FULL, SMALL  # noqa: E402

pytestmark = pytest.mark.full_only


def cases(table, folder):
    names = [(row, f"{row.name}-{variant}") for row in table for variant in row.variants.split()]
    return [pytest.param(row, ROOT / folder / name / "model.onnx", id=name) for row, name in names]


FRESH, FAMILIES_FRESH = cases(SMALL, "build/fresh"), cases(FAMILIES, "build/fresh")


def without_weights(model):
    """The model with its initializers' bytes dropped, as text to compare."""
    for tensor in model.graph.initializer:
        for field in "raw_data", "external_data", "float_data", "int64_data", "data_location":
            tensor.ClearField(field)
    return str(model)


def weights(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize("row, model", FRESH + FAMILIES_FRESH)
def test_the_committed_graph_again(row, model):
    """The pinned exporters write the same graph; weights may differ in the last bits where the random numbers are made by other instructions."""
    folder = ROOT / "models" / ("small" if row in SMALL else "families") / model.parent.name
    fresh, committed = onnx.load(model), onnx.load(folder / "model.onnx")
    have, want = weights(fresh), weights(committed)
    for name, array in want.items():
        np.testing.assert_allclose(have[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    assert without_weights(fresh) == without_weights(committed)


@pytest.mark.parametrize("row, model", FRESH)
def test_equals_onnx_runtime(row, model, tmp_path):
    compare(model, build(model, tmp_path), tmp_path, 6)


@pytest.mark.parametrize("row, model", FRESH + cases(FULL, "build/full"))
def test_evaluator_equals_pytorch(row, model, tmp_path):
    """The oracle itself, against PyTorch in double precision; files hold scales as floats, and transformers' eager attention rounds its softmax to single."""
    image = np.load(model.parent / "input_pixel_values.npy")
    names = [output.name for output in session(model).get_outputs()]
    got = evaluate(model, tmp_path, {"pixel_values": image}, names)
    for name in names:
        truth = np.load(model.parent / f"truth_{name}.npy")
        assert truth.dtype == np.float64
        assert largest_error(got[name], truth) <= (1e-6 if row.attention == "eager" else 1e-7) * np.abs(truth).max(), name
