"""Operators of com.microsoft against ONNX Runtime, one by one and as its optimiser writes them."""
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import node_tests
from conftest import ROOT, VITCC

CASES = {
    "Gelu": ([(2, 5, 8)], {}, [0]),
    "BiasGelu": ([(2, 5, 8), (8,)], {}, [0]),
    "FastGelu": ([(2, 5, 8), (8,)], {}, [0]),
    "QuickGelu": ([(2, 5, 8)], {"alpha": 1.5}, [0]),
    "FusedMatMul": ([(2, 3, 6, 5), (2, 3, 4, 6)], {"transA": 1, "transB": 1, "alpha": 0.25}, [0]),
    "SkipLayerNormalization": ([(2, 5, 8), (2, 5, 8), (8,), (8,), (8,)], {"epsilon": 1e-6}, [0, 3]),
    "SkipSimplifiedLayerNormalization": ([(2, 5, 8), (2, 5, 8), (8,), (8,)], {"epsilon": 1e-6}, [0, 3]),
    "Attention": ([(2, 5, 8), (8, 24), (24,)], {"num_heads": 2}, [0]),
    "MultiHeadAttention": ([(2, 5, 8), (2, 7, 8), (2, 7, 12), (28,), None, (2, 2, 5, 7)], {"num_heads": 2}, [0]),
}


def session(model):
    """ONNX Runtime, nothing optimised."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    """All outputs that are asked for."""
    shapes, attributes, wanted = CASES[name]
    generator = np.random.default_rng(7)
    values = {f"x{i}": generator.normal(size=s).astype("f4") for i, s in enumerate(shapes) if s is not None}
    outputs = [f"y{i}" if i in wanted else "" for i in range(max(wanted) + 1)]
    node = helper.make_node(name, [f"x{i}" if s is not None else "" for i, s in enumerate(shapes)], outputs, domain="com.microsoft", **attributes)
    ports = [helper.make_tensor_value_info(k, onnx.TensorProto.FLOAT, v.shape) for k, v in values.items()]
    results = [helper.make_tensor_value_info(o, onnx.TensorProto.FLOAT, None) for o in outputs if o]
    model = helper.make_model(helper.make_graph([node], "g", ports, results), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)])
    want = session(model).run(None, values)
    got, message = node_tests.evaluate(VITCC, model, list(values.values()), tmp_path)
    assert not isinstance(got, str), message
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=2e-5 if name == "FastGelu" else 2e-6)


def test_optimised_model(tmp_path):
    """What ONNX Runtime's extended optimisations leave of a ViT."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    source = ROOT / "models/small/vit_cls-dynamo"
    onnxruntime.InferenceSession(source / "model.onnx", options, providers=["CPUExecutionProvider"])
    model = onnx.load(tmp_path / "optimised.onnx")
    assert any(n.domain == "com.microsoft" for n in model.graph.node)
    got, message = node_tests.evaluate(VITCC, model, [np.load(source / "input_pixel_values.npy")], tmp_path)
    assert not isinstance(got, str), message
    np.testing.assert_allclose(got[0], np.load(source / "output_logits.npy"), rtol=1e-4, atol=1e-5)
