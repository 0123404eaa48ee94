"""Group and instance norms between convolutions: channels last, as ONNX Runtime computes them, and the same bits on any number of threads."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, check, evaluate, run, run_program, session

NODE = helper.make_node


def group_norm(constants, x, y, channels, groups, random, spelling):
    """Nodes: as PyTorch's exporters write it, by itself, or of one operator."""
    constants[y + "_g"], constants[y + "_b"] = (random.standard_normal(channels).astype(np.float32) for _ in range(2))
    if spelling == "operator":
        return [NODE("GroupNormalization", [x, y + "_g", y + "_b"], [y], num_groups=groups)]
    if spelling == "instance":
        return [NODE("InstanceNormalization", [x, y + "_g", y + "_b"], [y])]
    constants[y + "_shape"] = np.array([0, groups, -1])
    constants[y + "_ones"], constants[y + "_zeros"] = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    for part in ("_g", "_b"):
        constants[y + part] = constants[y + part].reshape(channels, 1, 1)
    return [NODE("Reshape", [x, y + "_shape"], [y + "r"]), NODE("InstanceNormalization", [y + "r", y + "_ones", y + "_zeros"], [y + "i"]), NODE("Shape", [x], [y + "s"]),
            NODE("Reshape", [y + "i", y + "s"], [y + "n"]), NODE("Mul", [y + "n", y + "_g"], [y + "m"]), NODE("Add", [y + "m", y + "_b"], [y])]


# channels, groups, height, width, spelling: groups of two, of all, of one, of an odd number; a prime number of pixels; one pixel; runs longer than a panel
CASES = [(64, 32, 28, 28, "pytorch"), (24, 1, 14, 14, "pytorch"), (40, 40, 9, 9, "instance"), (45, 9, 13, 1, "operator"), (30, 10, 1, 1, "pytorch"), (20, 4, 80, 96, "operator")]


def block(random, constants, case, i):
    """A convolution, a norm, ReLU, a convolution of single pixels, a norm, and the sum with the first norm's result."""
    channels, groups, height, width, spelling = case
    constants[f"w{i}"] = (random.standard_normal((channels, 5, 3, 3)) / 6).astype(np.float32)
    constants[f"v{i}"] = (random.standard_normal((channels, channels, 1, 1)) / np.sqrt(channels)).astype(np.float32)
    return [NODE("Conv", [f"x{i}", f"w{i}"], [f"c{i}"], pads=[1] * 4), *group_norm(constants, f"c{i}", f"n{i}", channels, groups, random, spelling), NODE("Relu", [f"n{i}"], [f"r{i}"]),
            NODE("Conv", [f"r{i}", f"v{i}"], [f"d{i}"]), *group_norm(constants, f"d{i}", f"m{i}", channels, groups, random, spelling), NODE("Add", [f"m{i}", f"n{i}"], [f"y{i}"])]


def make(path, cases, batch):
    random, constants, nodes, value = np.random.default_rng(len(cases)), {}, [], helper.make_tensor_value_info
    for i, case in enumerate(cases):
        nodes += block(random, constants, case, i)
    graph = helper.make_graph(nodes, "norms", [value(f"x{i}", TensorProto.FLOAT, [batch, 5, *case[2:4]]) for i, case in enumerate(cases)],
                              [value(f"y{i}", TensorProto.FLOAT, None) for i in range(len(cases))], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return {f"x{i}": (5, *case[2:4]) for i, case in enumerate(cases)}, [f"y{i}" for i in range(len(cases))]


@pytest.mark.parametrize("batch", ["N", 1, 2])
def test_equal_onnx_runtime(batch, tmp_path):
    path, random = tmp_path / "model.onnx", np.random.default_rng(5)
    shapes, names = make(path, CASES, batch)
    program = build(path, tmp_path, "--validate")
    answers = []
    for images, offset in ((1, 0), (3, 0), (1, 50)) if batch == "N" else ((batch, 0),):
        inputs = {k: (random.standard_normal((images, *v)) + offset).astype(np.float32) for k, v in shapes.items()}
        want = dict(zip(names, session(path).run(names, inputs)))
        got = [run_program(program, tmp_path, inputs, names, "--threads", str(threads)) for threads in (1, 2, 3)]
        for name in names:
            assert all(np.array_equal(got[0][name], other[name]) for other in got[1:])
        answers.append((got[0], want, evaluate(path, tmp_path, inputs, names)))
    for name in names:
        check([tuple({name: each[name]} for each in answer) for answer in answers])


def test_nothing_is_transposed(tmp_path):
    """But the input and the output."""
    make(tmp_path / "model.onnx", CASES[:1], "N")
    text = run(VITCC, "compile", tmp_path / "model.onnx", "-o", tmp_path / "out", "-q", "--kernels", "portable", "--dump-after", "roll").stdout
    images = [line for line in text.splitlines() if "= move(" in line and "f32[N,28,28,64]" in line or "f32[N,64,28,28]" in line]
    assert len(images) == 1 and text.count("= moments(") == 2 and "= norm(" not in text, text
