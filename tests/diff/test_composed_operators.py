"""Operators that are composed of others while importing, many in one model: the evaluator and the program equal ONNX Runtime."""
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, check, evaluate, run_program, session

NODE = helper.make_node
CONSTANTS = {
    "two": np.array(2), "last": np.array(-1), "first": np.array(1, np.int32), "gamma": np.linspace(0.5, 2, 30, dtype=np.float32).reshape(5, 6),
    "region": np.array([0, 0, 0.25, -0.1, 1, 1, 0.75, 1.2], np.float32), "sizes": np.array([2, 4, 3, 8]),
    "six": np.array(6), "six_float": np.array(6, np.float32), "pair": np.array([-1, 3], np.float32), "sizes_2": np.array([8, 9]), "three": np.array([3]), "pairs": np.array([[1, 3], [0, -1], [1, 3]]), "rows": np.linspace(-2, 2, 90, dtype=np.float32).reshape(3, 5, 6),
    "window": np.random.default_rng(4).standard_normal((4, 3, 2, 3)).astype(np.float32), "bias": np.array([-1, 2, 0.5], np.float32), "four": np.array([1, 2, 0.5, 3], np.float32),
    "square": np.random.default_rng(3).standard_normal((6, 6)).astype(np.float32),
}
# Each over x [2, 4, 5, 6]; its outputs are named after the case.
CASES = {
    "product": lambda y: NODE("MatMul", ["x", "square"], [y]),
    "cumsum": lambda y: NODE("CumSum", ["x", "two"], [y]),
    "cumsum_last": lambda y: NODE("CumSum", ["x", "last"], [y], reverse=1),
    "cumsum_exclusive": lambda y: NODE("CumSum", ["x", "first"], [y], exclusive=1),
    "cumsum_both": lambda y: NODE("CumSum", ["x", "first"], [y], exclusive=1, reverse=1),
    "norm": lambda y: NODE("LayerNormalization", ["x", "gamma"], [y, "norm_mean", "norm_scale"], axis=2, epsilon=1e-3),
    "crop": lambda y: NODE("Resize", ["x", "region", "", "sizes"], [y], coordinate_transformation_mode="tf_crop_and_resize", mode="linear", extrapolation_value=7.5),
    "crop_nearest": lambda y: NODE("Resize", ["x", "region", "", "sizes"], [y], coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=-2.0),
    "none_larger": lambda y: NODE("Resize", ["x", "", "", "sizes_2"], [y], mode="linear", keep_aspect_ratio_policy="not_larger", axes=[2, 3]),
    "none_smaller": lambda y: NODE("Resize", ["x", "", "", "sizes_2"], [y], mode="cubic", keep_aspect_ratio_policy="not_smaller", axes=[3, 2]),
    "argmax": lambda y: NODE("ArgMax", ["r"], [y], axis=2, keepdims=0),
    "argmax_last": lambda y: NODE("ArgMax", ["r"], [y], axis=-1, select_last_index=1),
    "argmin": lambda y: NODE("ArgMin", ["r"], [y], axis=1),
    "topk": lambda y: NODE("TopK", ["r", "three"], [y, "topk_places"]),
    "topk_least": lambda y: NODE("TopK", ["x", "three"], [y, "topk_least_places"], axis=1, largest=0),
    "elements": lambda y: NODE("GatherElements", ["x", "i"], [y], axis=-1),
    "scattered": lambda y: NODE("ScatterElements", ["x", "i", "u"], [y], axis=3),
    "scattered_add": lambda y: NODE("ScatterElements", ["x", "i", "u"], [y], axis=3, reduction="add"),
    "scattered_mul": lambda y: NODE("ScatterElements", ["x", "i", "u"], [y], axis=3, reduction="mul"),
    "scattered_max": lambda y: NODE("ScatterElements", ["x", "i", "u"], [y], axis=3, reduction="max"),
    "transposed": lambda y: NODE("ConvTranspose", ["x", "window"], [y], strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0], group=2),
    "tiled": lambda y: NODE("ConvTranspose", ["x", "window", "bias"], [y], strides=[2, 3]),
    "sampled": lambda y: NODE("GridSample", ["x", "grid"], [y]),
    "sampled_cubic": lambda y: NODE("GridSample", ["x", "grid"], [y], mode="cubic", padding_mode="reflection", align_corners=1),
    "sampled_nearest": lambda y: NODE("GridSample", ["x", "grid"], [y], mode="nearest", padding_mode="border"),
    "onehot": lambda y: NODE("OneHot", ["i", "six", "pair"], [y], axis=2),
    "onehot_float": lambda y: NODE("OneHot", ["r", "six_float", "pair"], [y]),
    "eye": lambda y: NODE("EyeLike", ["square"], [y], k=-2, dtype=TensorProto.FLOAT),
    "slices": lambda y: NODE("ScatterND", ["x", "pairs", "rows"], [y]),
    "pooled": lambda y: NODE("MaxPool", ["r"], [y, "pooled_places"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    "pooled_columns": lambda y: NODE("MaxPool", ["x"], [y, "columns_places"], kernel_shape=[2, 3], dilations=[2, 1], ceil_mode=1, storage_order=1),
    "diagonal": lambda y: NODE("Einsum", ["square", "x"], [y], equation="ii,abci->abc"),
    "batch": lambda y: NODE("BatchNormalization", ["x", "four", "four", "four", "four"], [y, "batch_mean", "batch_variance"], training_mode=1, momentum=0.7),
    "slices_min": lambda y: NODE("ScatterND", ["x", "pairs", "rows"], [y], reduction="min"),
}
INPUTS = {"x": (TensorProto.FLOAT, (2, 4, 5, 6)), "r": (TensorProto.FLOAT, (2, 4, 5, 6)), "i": (TensorProto.INT64, (2, 4, 5, 3)), "u": (TensorProto.FLOAT, (2, 4, 5, 3)),
          "grid": (TensorProto.FLOAT, (2, 3, 7, 2))}
SHAPE = (2, 4, 5, 6)


def model(path, cases, opset=22):
    """All cases in one graph; returns the outputs' names."""
    nodes = [CASES[c](c) for c in cases]
    names = [o for n in nodes for o in n.output]
    used = dict.fromkeys(i for n in nodes for i in n.input if i in CONSTANTS)
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(n, *INPUTS[n]) for n in INPUTS if any(n in node.input for node in nodes)],
                              [helper.make_tensor_value_info(n, TensorProto.INT64 if n.startswith("arg") or n.endswith("places") else TensorProto.FLOAT, None) for n in names],
                              [numpy_helper.from_array(CONSTANTS[c], c) for c in used])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    return names


def values(seed):
    """x normal, r with many equal values, i as indices that name no element twice in a row, u normal."""
    rng = np.random.default_rng(seed)
    columns = rng.permuted(np.broadcast_to(np.arange(6), SHAPE), axis=-1)[..., :3]
    return {"x": rng.standard_normal(SHAPE).astype(np.float32), "r": rng.integers(-2, 3, SHAPE).astype(np.float32),
            "i": np.where(rng.random(columns.shape) < 0.5, columns, columns - 6), "u": rng.standard_normal(columns.shape).astype(np.float32),
            "grid": rng.uniform(-1.5, 1.5, (2, 3, 7, 2)).astype(np.float32)}


def test_programs_equal_onnx_runtime(tmp_path):
    path = tmp_path / "m.onnx"
    names = model(path, CASES)
    program, answers = build(path, tmp_path), []
    for seed in range(2):
        inputs = values(seed)
        reference = dict(zip(names, session(path).run(names, inputs)))
        truth = evaluate(path, tmp_path, inputs, names)
        got = run_program(program, tmp_path / str(seed), inputs, names, "--threads", 1 + seed)
        for name in names:
            assert got[name].shape == truth[name].shape == reference[name].shape, name
            np.testing.assert_allclose(truth[name], reference[name], rtol=1e-4, atol=1e-5, err_msg=name)
            if reference[name].dtype.kind == "i":
                np.testing.assert_array_equal(got[name], reference[name], err_msg=name)
            check([({name: got[name]}, {name: reference[name]}, {name: truth[name]})])
        answers.append(got)
    assert any(not np.array_equal(answers[0][n], answers[1][n]) for n in names)


def test_what_a_scatter_does_not_touch_keeps_its_sign(tmp_path):
    """-0 too, where updates are added."""
    path, inputs = tmp_path / "m.onnx", values(0)
    names = model(path, ["scattered", "scattered_add", "scattered_mul", "scattered_max"])
    inputs["x"] = np.full(SHAPE, -0.0, np.float32)
    want = dict(zip(names, session(path).run(names, {k: inputs[k] for k in "xiu"})))
    inputs = {k: inputs[k] for k in "xiu"}
    got, truth = run_program(build(path, tmp_path), tmp_path / "run", inputs, names), evaluate(path, tmp_path, inputs, names)
    touched = np.zeros(SHAPE, bool)
    np.put_along_axis(touched, inputs["i"], True, axis=3)
    for have in (got, truth):
        for name in names:
            assert np.signbit(have[name][~touched]).all() and (have[name][~touched] == 0).all(), name
            np.testing.assert_array_equal(np.signbit(have[name]), np.signbit(want[name]), err_msg=name)
