"""TopK on what order treats specially: zeros of either sign, infinities, equal values, long rows; scatters of many updates; evaluator and program give ONNX Runtime's bits."""
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


def long_rows(path):
    """The 300 first of 8,400 elements a row, as detectors choose their queries, for any batch; and elements of a row by places that depend on it."""
    nodes = [helper.make_node("TopK", ["x", "k"], ["values", "places"]), helper.make_node("TopK", ["x", "k"], ["least", "least_places"], largest=0),
             helper.make_node("GatherElements", ["x", "places"], ["again"], axis=1), helper.make_node("Unsqueeze", ["x", "two"], ["column"]),
             helper.make_node("Unsqueeze", ["places", "two"], ["rows"]), helper.make_node("GatherElements", ["column", "rows"], ["picked"], axis=1)]
    names = ["values", "places", "least", "least_places", "again", "picked"]
    outputs = [helper.make_tensor_value_info(n, TensorProto.INT64 if n.endswith("places") else TensorProto.FLOAT, None) for n in names]
    constants = [numpy_helper.from_array(np.array([300]), "k"), numpy_helper.from_array(np.array([2]), "two")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8400])], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return names


def test_long_rows_of_a_batch(tmp_path):
    """Many elements are equal, some infinite."""
    path, rng = tmp_path / "m.onnx", np.random.default_rng(7)
    names = long_rows(path)
    program = build(path, tmp_path)
    for batch in 1, 2, 3:
        x = rng.integers(-1000, 1000, (batch, 8400)).astype(np.float32)
        x[:, 5::1111] = np.inf
        inputs = {"x": x}
        reference = dict(zip(names, session(path).run(names, inputs)))
        for answer in evaluate(path, tmp_path, inputs, names), run_program(program, tmp_path, inputs, names, "--threads", "2"):
            for name in names:
                np.testing.assert_array_equal(answer[name], reference[name], err_msg=name)


def test_many_updates(tmp_path):
    """6,000 slices into 4,096 rows, and a million elements by as many indices, of which many name one element: in order."""
    path, rng = tmp_path / "m.onnx", np.random.default_rng(8)
    kinds = "none", "add", "max"
    nodes = [helper.make_node("ScatterND", ["x", "i", "u"], [f"rows_{k}"], reduction=k) for k in kinds]
    nodes += [helper.make_node("ScatterElements", ["e", "j", "v"], [f"elements_{k}"], axis=0, reduction=k) for k in kinds]
    names = [n.output[0] for n in nodes]
    inputs = {"x": rng.integers(-9, 9, (4096, 8)).astype(np.float32), "i": rng.integers(-4096, 4096, (6000, 1)), "u": rng.integers(-9, 9, (6000, 8)).astype(np.float32),
              "e": rng.integers(-9, 9, (1000, 1000)).astype(np.float32), "j": rng.integers(-1000, 1000, (1000, 1000)), "v": rng.integers(-9, 9, (1000, 1000)).astype(np.float32)}
    ports = [helper.make_tensor_value_info(k, TensorProto.INT64 if k in "ij" else TensorProto.FLOAT, v.shape) for k, v in inputs.items()]
    graph = helper.make_graph(nodes, "g", ports, [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    reference = dict(zip(names, session(path).run(names, inputs)))
    got = run_program(build(path, tmp_path), tmp_path, inputs, names)
    for name in names:
        np.testing.assert_array_equal(got[name], reference[name], err_msg=name)
    assert not np.array_equal(reference["rows_none"], reference["rows_add"])
