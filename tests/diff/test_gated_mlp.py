"""Gated MLPs, as DINOv2's giant and LLaMA-style blocks have them: fused, and equal to ONNX Runtime."""
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import build, check, evaluate, run_program, session


def gated(path, width, hidden, bias, split):
    """y = (silu(a) * b) W2 + x, where a and b are halves of one product (by Split) or two products."""
    rng = np.random.default_rng([width, hidden, bias, split])
    weights, nodes = {}, []

    def linear(x, n, k, name):
        weights[f"{name}.w"] = (rng.standard_normal((k, n)) / np.sqrt(k)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [x, f"{name}.w"], [f"{name}.product"], name))
        if not bias:
            return f"{name}.product"
        weights[f"{name}.b"] = rng.standard_normal(n).astype(np.float32)
        nodes.append(helper.make_node("Add", [f"{name}.product", f"{name}.b"], [f"{name}.sum"], f"{name}_bias"))
        return f"{name}.sum"

    if split:
        up = linear("x", 2 * hidden, width, "up")
        nodes.append(helper.make_node("Split", [up], ["a", "b"], "halves", axis=-1, num_outputs=2))
        a, b = "a", "b"
    else:
        a, b = linear("x", hidden, width, "gate"), linear("x", hidden, width, "up")
    nodes += [helper.make_node("Sigmoid", [a], ["s"], "sigmoid"), helper.make_node("Mul", [a, "s"], ["silu"], "silu"), helper.make_node("Mul", ["silu", b], ["h"], "gated")]
    down = linear("h", width, hidden, "down")
    nodes.append(helper.make_node("Add", [down, "x"], ["y"], "residual"))
    shape = ["N", 21, width]
    graph = helper.make_graph(nodes, "gated", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                              [numpy_helper.from_array(v, k) for k, v in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gated_mlp(bias, split, tmp_path):
    model = tmp_path / "gated.onnx"
    gated(model, 24, 43 + bias, bias, split)
    program = build(model, tmp_path)
    steps = [s["operator"] for scope in json.loads((tmp_path / "out/model.json").read_text())["scopes"] for i in scope["items"] for s in i.get("steps", [])]
    assert steps == ["mlp"]
    answers = []
    for seed, batch in enumerate([1, 3]):
        inputs = {"x": np.random.default_rng(seed).standard_normal((batch, 21, 24)).astype(np.float32)}
        reference = {"y": session(model).run(None, inputs)[0]}
        answers.append((run_program(program, tmp_path / str(seed), inputs, ["y"], "--threads", 1 + seed), reference, evaluate(model, tmp_path, inputs, ["y"])))
    check(answers)
