"""The committed models of ViT and DeiT: the evaluator on all of them, and generated programs of some, against ONNX Runtime and double precision."""
import zlib

import numpy as np
import pytest

from conftest import PASSES, ROOT, build, compare, evaluate, largest_error, random_inputs, session, shapes, small_models

MODELS = [ROOT / "models/digits/digits.onnx"] + [m / "model.onnx" for m in small_models()]


def ids(model):
    return model.parent.name


def some(models, every):
    """One model in `every`, chosen by name; all of them with --full."""
    return [m if zlib.crc32(m.parent.name.encode()) % every == 0 else pytest.param(m, marks=pytest.mark.full_only) for m in models]


@pytest.mark.parametrize("model", some(MODELS, 2), ids=ids)
def test_equals_onnx_runtime(model, tmp_path):
    compare(model, build(model, tmp_path), tmp_path, 6)


@pytest.mark.parametrize("model", MODELS, ids=ids)
def test_evaluator_equals_onnx_runtime(model, tmp_path):
    """All passes in the evaluator, in double: within float32's reach of ONNX Runtime; and --validate finds no pass that moved an output."""
    inputs = random_inputs(model, 5, shapes(model, 2)[1] and 2 or 1)
    names = [o.name for o in session(model).get_outputs()]
    reference = dict(zip(names, session(model).run(None, inputs)))
    truth = evaluate(model, tmp_path, inputs, names, "--validate")
    for name in names:
        scale = float(np.abs(truth[name]).max())
        assert np.abs(reference[name] - truth[name]).max() <= 2e-5 * max(scale, 1e-3)


@pytest.mark.parametrize("model", MODELS, ids=ids)
def test_every_pass_left_out_in_the_evaluator(model, tmp_path):
    """Each pass alone left out, in double: the outputs move by what passes round when they fold constants, and no more."""
    inputs = random_inputs(model, 7, shapes(model, 2)[1] and 2 or 1)
    names = [o.name for o in session(model).get_outputs()]
    truth = evaluate(model, tmp_path, inputs, names)
    for left_out in PASSES:
        got = evaluate(model, tmp_path, inputs, names, "--no-pass", left_out)
        for name in names:
            assert largest_error(got[name], truth[name]) <= 2e-6 * max(float(np.abs(truth[name]).max()), 1e-3), (left_out, name)


@pytest.mark.parametrize("model", some(MODELS, 3), ids=lambda m: m.parent.name)
def test_all_passes_left_out(model, tmp_path):
    """No pass is needed for correctness."""
    compare(model, build(model, tmp_path, "--no-pass", "all"), tmp_path)


@pytest.mark.parametrize("model", some(MODELS, 4), ids=lambda m: m.parent.name)
def test_a_pass_left_out(model, tmp_path):
    """Each model without one pass, spread so that every pass is left out for several."""
    left_out = PASSES[zlib.crc32(model.parent.name.encode()) // 12 % len(PASSES)]
    compare(model, build(model, tmp_path, "--no-pass", left_out), tmp_path)


@pytest.mark.parametrize("left_out", PASSES)
def test_every_pass_left_out_of_digits(left_out, tmp_path):
    model = ROOT / "models/digits/digits.onnx"
    compare(model, build(model, tmp_path, "--no-pass", left_out), tmp_path)
