"""Forms of operators before opset 13, and opsets after 24: the evaluator and the program equal ONNX Runtime."""
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, check, evaluate, run_program, session

FLOATS = {"up": np.array([1, 1, 2, 2.5], np.float32), "down": np.array([1, 1, 0.5, 0.375], np.float32),
          "none": np.zeros(0, np.float32), "w": np.linspace(0.5, 2, 5, dtype=np.float32), "v": np.linspace(1, 3, 3, dtype=np.float32), "b": np.random.default_rng(5).standard_normal((5, 3)).astype(np.float32)}
# Name: opset, operator, inputs behind x, attributes, shape of x, number of outputs.
CASES = {
    "add at 7": (7, "Add", ["w"], {}, (2, 3, 4, 5), 1),
    "clip by attributes": (7, "Clip", [], {"min": -0.25, "max": 0.75}, (2, 5), 1),
    "clip from below": (10, "Clip", [], {"min": 0.0}, (2, 5), 1),
    "softmax over three axes": (11, "Softmax", [], {}, (2, 3, 4, 5), 1),
    "softmax over two axes": (9, "Softmax", [], {"axis": -2}, (2, 3, 4, 5), 1),
    "logarithm of softmax": (11, "LogSoftmax", [], {"axis": 2}, (2, 3, 4), 1),
    "squeeze": (11, "Squeeze", [], {"axes": [-3]}, (2, 1, 4, 1), 1),
    "squeeze all": (7, "Squeeze", [], {}, (2, 1, 4, 1), 1),
    "unsqueeze": (11, "Unsqueeze", [], {"axes": [0, -1]}, (2, 3), 1),
    "split in sizes": (11, "Split", [], {"axis": 1, "split": [2, 1, 4]}, (2, 7), 3),
    "split evenly": (7, "Split", [], {"axis": -1}, (2, 6), 3),
    "slice": (9, "Slice", [], {"starts": [1, -3], "ends": [100, -1], "axes": [0, 2]}, (4, 3, 5), 1),
    "slice all axes": (7, "Slice", [], {"starts": [1, 0], "ends": [3, 2]}, (4, 3), 1),
    "pad": (10, "Pad", [], {"pads": [0, 1, 2, 0], "value": 1.5}, (2, 3), 1),
    "pad by reflection": (7, "Pad", [], {"pads": [0, 0, 2, 1, 0, 0, 1, 2], "mode": "reflect"}, (1, 2, 4, 5), 1),
    "sum over axes": (11, "ReduceSum", [], {"axes": [-1, 1], "keepdims": 0}, (2, 3, 4), 1),
    "batch normalisation": (9, "BatchNormalization", ["v", "v", "v", "v"], {}, (2, 3, 4), 1),
    "dropout": (10, "Dropout", [], {"ratio": 0.5}, (2, 3), 1),
    "product with bias": (7, "Gemm", ["b", "w"], {"transB": 1, "alpha": 0.5}, (2, 3), 1),
    "upsample by an attribute": (7, "Upsample", [], {"scales": [1.0, 1.0, 2.0, 3.0]}, (1, 2, 3, 4), 1),
    "upsample": (9, "Upsample", ["up"], {}, (1, 2, 3, 4), 1),
    "upsample in lines": (9, "Upsample", ["up"], {"mode": "linear"}, (1, 2, 3, 4), 1),
    "resize up": (10, "Resize", ["up"], {"mode": "nearest"}, (1, 2, 3, 4), 1),
    "resize down": (10, "Resize", ["down"], {"mode": "nearest"}, (1, 2, 7, 8), 1),
    "resize down in lines": (10, "Resize", ["down"], {"mode": "linear"}, (1, 2, 7, 8), 1),
    "resize for nearest": (11, "Resize", ["none", "down"], {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}, (1, 2, 7, 8), 1),
    "flatten": (9, "Flatten", [], {"axis": 2}, (2, 3, 4), 1),
}


def model(opset, operator, inputs, attributes, shape, outputs):
    """One node over x, its further inputs constants."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(operator, ["x", *inputs], names, "n", **attributes)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in names],
                              [numpy_helper.from_array(FLOATS[i], i) for i in dict.fromkeys(inputs) if i])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)


@pytest.mark.parametrize("case", CASES)
def test_equals_onnx_runtime(case, tmp_path):
    path, names = tmp_path / "old.onnx", [f"y{i}" for i in range(CASES[case][-1])]
    onnx.save(model(*CASES[case]), path)
    inputs = {"x": np.random.default_rng(len(case)).standard_normal(CASES[case][4]).astype(np.float32)}
    wanted = session(path).run(None, inputs)
    got = evaluate(path, tmp_path, inputs, names)
    for name, want in zip(names, wanted):
        assert got[name].shape == want.shape
        np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-6)


def test_a_program_from_old_forms(tmp_path):
    path = tmp_path / "old.onnx"
    nodes = [helper.make_node("Pad", ["x"], ["p"], pads=[0, 1, 0, 1]), helper.make_node("Slice", ["p"], ["s"], starts=[1], ends=[6], axes=[1]),
             helper.make_node("Clip", ["s"], ["c"], min=-1.0, max=1.0), helper.make_node("Unsqueeze", ["c"], ["u"], axes=[2]), helper.make_node("Softmax", ["u"], ["o"]),
             helper.make_node("Squeeze", ["o"], ["q"], axes=[2]), helper.make_node("MatMul", ["q", "b"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (3, 6))], [helper.make_tensor_value_info("y", TensorProto.FLOAT, (3, 3))],
                              [numpy_helper.from_array(FLOATS["b"], "b")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4), path)
    inputs = {"x": np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)}
    got = run_program(build(path, tmp_path), tmp_path / "run", inputs, ["y"])
    check([(got, {"y": session(path).run(None, inputs)[0]}, evaluate(path, tmp_path, inputs, ["y"]))])


@pytest.mark.parametrize("opset, operator", [(9, "Clip"), (25, "Flatten"), (26, "Squeeze"), (27, "Transpose")])
def test_reads_every_opset(opset, operator, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(model(opset, operator, [], {}, (2, 3), 1), path)
    assert subprocess.run([VITCC, "check", path], capture_output=True).returncode == 0
