"""Whole models of other floating-point types than float32."""
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from conftest import ROOT, VITCC, build_project, largest_error, load_outputs, random_inputs, run, run_program, save_inputs, shapes
from typed_graph import compare, each, loaded, numpy_type, onnx_type, stored, values


def converted(model, dtype):
    """A float32 model with every float of another type: weights, constants, casts, inputs and outputs."""
    old, new = TensorProto.FLOAT, onnx_type(numpy_type(dtype))

    def tensor(t):
        if t.data_type == old:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(numpy_type(dtype)), t.name))

    for t in model.graph.initializer:
        tensor(t)
    for node in model.graph.node:
        for a in node.attribute:
            if a.HasField("t"):
                tensor(a.t)
            if node.op_type == "Cast" and a.name == "to" and a.i == old:
                a.i = new
    del model.graph.value_info[:]
    for port in [*model.graph.input, *model.graph.output]:
        if port.type.tensor_type.elem_type == old:
            port.type.tensor_type.elem_type = new
    return model


WITH_FULL = [pytest.param(n, marks=pytest.mark.full_only) for n in ("vit_l16_twin-dynamo", "deit_teacher-script")]


@pytest.mark.parametrize("name", ["vit_features-dynamo_batch", *WITH_FULL])
@pytest.mark.parametrize("dtype, tolerance, kernels", [("float64", 1e-12, False), ("float16", 2e-3, True), ("bfloat16", 2e-2, True)])
def test_models_of_other_floats(name, dtype, tolerance, kernels, tmp_path):
    """Repeated blocks with arguments of every float type; those of half precision run on the matrix kernels of float32."""
    source = ROOT / "models/small" / name / "model.onnx"
    batch = 3 if "batch" in name else 1
    model = tmp_path / "model.onnx"
    onnx.save(converted(onnx.load(source), dtype), model)
    inputs = {k: stored(v.astype(numpy_type(dtype))) for k, v in random_inputs(source, 3, batch).items()}
    sizes = shapes(source, 1)[2]   # of the float32 model: ONNX Runtime reads no other
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", *sizes)
    program = build_project(tmp_path)
    report = json.loads((tmp_path / "out/model.json").read_text())
    assert report["matrix_kernel_flop"] == (report["flop"] if kernels else 0)
    names = [o.name for o in onnx.load(model).graph.output]
    got = run_program(program, tmp_path, inputs, names, "--threads", 2)
    run(VITCC, "evaluate", model, "-o", tmp_path / "double", *save_inputs(tmp_path, inputs), *sizes, "--no-pass", "all")
    truth = load_outputs(tmp_path / "double", names)
    for n in names:
        assert got[n].dtype == (np.dtype("V2") if dtype == "bfloat16" else np.dtype(dtype))
        assert largest_error(loaded(got[n], numpy_type(dtype)), truth[n]) <= tolerance * np.abs(truth[n]).max()
    run(program, "--selftest", tmp_path / "out/selftest")


def test_epilogues_that_kernels_cannot_follow(tmp_path):
    """A linear layer's readers of other types, and operands that repeat in the middle of its rows or in two ways: maps of their own."""
    def make(g, t):
        x = g.input("x", values(t, 2, 3, 4, 8))
        y = g.node("MatMul", x, g.constant("w", values(t, 8, 6)))
        middle = g.node("Add", y, g.input("e", values(t, 2, 1, 4, 6, seed=1)))
        z = g.node("MatMul", x, g.constant("v", values(t, 8, 6, seed=2)))
        twice = g.node("Mul", g.node("Add", z, g.input("rows", values(t, 4, 6, seed=3))), g.input("slabs", values(t, 3, 4, 1, seed=4)))
        u = g.node("MatMul", x, g.constant("u", values(t, 8, 6, seed=5)))
        above = g.node("Greater", u, g.constant("zero", np.array(0.1, t)))
        return [(middle, t), (twice, t), (g.node("Cast", u, to=TensorProto.INT64), "int64"), (above, "bool")]
    compare(each(["float32"], make), tmp_path)
