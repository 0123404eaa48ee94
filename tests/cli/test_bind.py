"""--bind makes inputs constants: what follows from them is computed while compiling; what does not fit is told."""
import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build_project, run, run_program, save_inputs

NODE = helper.make_node


def model(path):
    """y = reshape(x · w, shape) where flag, else x · w negated; the scale is a scalar."""
    weights = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    nodes = [NODE("MatMul", ["x", "w"], ["m"], "product"), NODE("Mul", ["m", "scale"], ["s"], "scaled"), NODE("Reshape", ["s", "shape"], ["r"], "reshaped"),
             NODE("Neg", ["r"], ["negated"], "negated"), NODE("Where", ["flag", "r", "negated"], ["y"], "chosen")]
    inputs = [("x", TensorProto.FLOAT, ("N", 6)), ("scale", TensorProto.FLOAT, ()), ("shape", TensorProto.INT64, (3,)), ("flag", TensorProto.BOOL, ("F",))]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return weights


def bindings(folder, **values):
    """The options for values saved as files."""
    options = []
    for name, value in values.items():
        np.save(folder / f"{name}.npy", value)
        options += ["--bind", f"{name}={folder / name}.npy"]
    return options


def fitting(folder, flag=True):
    return bindings(folder, scale=np.float32(0.5), shape=np.array([-1, 2, 2]), flag=np.array([flag]))


@pytest.mark.parametrize("flag", [True, False])
def test_a_program_of_bound_inputs(flag, tmp_path):
    weights = model(tmp_path / "m.onnx")
    run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "-q", "--name", "model", *fitting(tmp_path, flag))
    program = build_project(tmp_path)
    assert "x;" in (header := (tmp_path / "out/model.h").read_text()) and "flag" not in header and "scale" not in header
    x = np.random.default_rng(2).standard_normal((3, 6)).astype(np.float32)
    want = (x.astype(np.float64) @ weights).reshape(3, 2, 2) * (0.5 if flag else -0.5)
    np.testing.assert_allclose(run_program(program, tmp_path / "run", {"x": x}, ["y"])["y"], want, rtol=1e-5, atol=1e-6)
    run(VITCC, "evaluate", tmp_path / "m.onnx", "-o", tmp_path / "double", *fitting(tmp_path, flag), *save_inputs(tmp_path, {"x": x}))
    np.testing.assert_allclose(np.load(tmp_path / "double/y.npy"), want, rtol=1e-12)


def test_what_is_bound_decides_about_the_program(tmp_path):
    model(tmp_path / "m.onnx")
    digests = []
    for flag in (True, False, True):
        run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "-q", "--name", "model", *fitting(tmp_path, flag))
        digests.append(json.loads((tmp_path / "out/.vitcc").read_text())["digest"])
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize("value, said", [
    ({"scale": np.float64(1)}, "error E310: --shape or --bind does not fit the model: input 'scale': it is f32, --bind gives f64"),
    ({"scale": np.zeros(1, np.float32)}, "input 'scale': it has 0 axes, --bind gives 1"),
    ({"shape": np.array([1, 2])}, "input 'shape': axis 0 is 3 in the model, not 2"),
    ({"other": np.array([1, 2])}, "--bind other: no input of this name"),
    ({"w": np.zeros((6, 4), np.float32)}, "--bind w: no input of this name"),
    ({"scale": np.zeros((), np.complex64)}, "<c8"),
])
def test_what_does_not_fit(value, said, tmp_path):
    model(tmp_path / "m.onnx")
    done = subprocess.run([VITCC, "check", tmp_path / "m.onnx", *bindings(tmp_path, **value)], capture_output=True, text=True)
    assert done.returncode == 1 and said in done.stderr


def test_arguments(tmp_path):
    model(tmp_path / "m.onnx")
    for options, said in ((["--bind", "scale"], "--bind scale: which input it means must be said, as in name=scale"),
                          (["--bind", "scale=/nowhere.npy"], "/nowhere.npy"),
                          (fitting(tmp_path)[:2] * 2, "--bind scale: it is bound twice"),
                          ([*fitting(tmp_path)[4:], "--shape", "flag=1"], "input 'flag': --bind gives its shape, and --shape too")):
        done = subprocess.run([VITCC, "check", tmp_path / "m.onnx", *options], capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr, done.stderr
