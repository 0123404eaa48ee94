"""TopK on what order treats specially: zeros of either sign, infinities, equal values; evaluator and program give ONNX Runtime's bits."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from conftest import build, evaluate, run_program, session

ROWS = np.array([[0.0, -0.0, 0.0, -0.0, -1.0], [np.inf, -np.inf, 5.0, np.inf, -np.inf], [-np.inf] * 5, [-0.0, 1e-45, -1e-45, 3.0, 3.0]], np.float32)


def model(path):
    """The three largest of each row and the two least of each column."""
    nodes = [helper.make_node("TopK", ["x", "three"], ["most", "most_places"], axis=1), helper.make_node("TopK", ["x", "two"], ["least", "least_places"], axis=0, largest=0)]
    names = [o for n in nodes for o in n.output]
    outputs = [helper.make_tensor_value_info(n, TensorProto.INT64 if n.endswith("places") else TensorProto.FLOAT, None) for n in names]
    constants = [numpy_helper.from_array(np.array([k]), n) for n, k in (("three", 3), ("two", 2))]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ROWS.shape)], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10), path)
    return names


def test_zeros_keep_their_sign(tmp_path):
    path = tmp_path / "m.onnx"
    names = model(path)
    reference = dict(zip(names, session(path).run(names, {"x": ROWS})))
    truth, got = evaluate(path, tmp_path, {"x": ROWS}, names), run_program(build(path, tmp_path), tmp_path, {"x": ROWS}, names)
    assert np.signbit(reference["most"][0]).any()
    for name in names:
        for answer in (truth, got):
            np.testing.assert_array_equal(answer[name], reference[name], err_msg=name)
            np.testing.assert_array_equal(np.signbit(answer[name]), np.signbit(reference[name]), err_msg=name)
