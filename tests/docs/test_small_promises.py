"""What the documents promise in passing."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import ROOT, VITCC, run

DIGITS = ROOT / "models/digits/digits.onnx"
WIDTH = 64


def two_products(equal):
    """x W V, with V equal to W or not."""
    rng = np.random.default_rng(1)
    w, other = (rng.standard_normal((WIDTH, WIDTH)).astype(np.float32) for _ in range(2))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["t"]), helper.make_node("Tanh", ["t"], ["u"]), helper.make_node("MatMul", ["u", "v"], ["y"])]
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, WIDTH])] for name in ("x", "y")]
    weights = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(w if equal else other, "v")]
    return helper.make_model(helper.make_graph(nodes, "g", *ports, weights), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def weights_of(model, folder, *options):
    folder.mkdir()
    onnx.save(model, folder / "m.onnx")
    run(VITCC, "compile", folder / "m.onnx", "-o", folder / "out", "-q", *options)
    return (folder / "out/m.weights").stat().st_size


@pytest.mark.parametrize("options", [(), ("--no-pass", "all")], ids=["passes", "none"])
def test_equal_weights_are_stored_once(options, tmp_path):
    once, twice = weights_of(two_products(True), tmp_path / "equal", *options), weights_of(two_products(False), tmp_path / "different", *options)
    assert twice - once == WIDTH * WIDTH * 4


def test_quiet_prints_nothing(tmp_path):
    done = run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "--quiet")
    assert (done.stdout, done.stderr) == ("", "")
