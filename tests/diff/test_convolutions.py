"""Random convolutions, with what stands behind them: the evaluator and the program equal ONNX Runtime, by the rule of docs/numerics.md."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, check, evaluate, run, run_program, session

MODELS, CASES = 3, 9
NODE = helper.make_node


def window(random, size):
    """(kernel, stride, dilation, pad in front, pad behind) along one axis of that size."""
    kernel, stride, dilation = (int(random.integers(1, n)) for n in (6, 4, 4))
    front, behind = (int(v) for v in random.integers(0, 4, 2))
    reach = dilation * (kernel - 1) + 1
    return (kernel, stride, dilation, front, behind) if reach <= size + front + behind else (1, stride, 1, front, behind)


def channels(random):
    """(inputs, outputs, groups): whole, in groups, each by itself, each giving two."""
    kind, groups, each, more = int(random.integers(6)), int(random.integers(2, 5)), int(random.integers(1, 13)), int(random.integers(1, 41))
    if kind < 3:
        return int(random.integers(1, 70)), more, 1
    if kind == 3:
        return groups * each, groups * more, groups
    return (more, more, more) if kind == 4 else (groups, 2 * groups, groups)


def conv(random, constants, x, y, shape, name, inputs, outputs, groups):
    """A Conv node; appends its weights."""
    sides = [window(random, s) for s in shape]
    weight = random.standard_normal((outputs, inputs // groups, *(s[0] for s in sides))).astype(np.float32)
    constants[name + "_w"] = weight / np.float32(np.sqrt(weight[0].size))
    constants[name + "_b"] = random.standard_normal(outputs).astype(np.float32)
    bias = [name + "_b"] if random.integers(3) else []
    return NODE("Conv", [x, name + "_w", *bias], [y], strides=[s[1] for s in sides], dilations=[s[2] for s in sides],
                pads=[s[3] for s in sides] + [s[4] for s in sides], group=groups)


def tail(random, constants, x, y, outputs):
    """What may stand behind a convolution: nothing, an activation, a norm folded in part, a pool, a mean, a chain with a residual, an interpolation."""
    kind = int(random.integers(8))
    if kind == 0:
        return [NODE("Relu", [x], [y])]
    if kind == 1:
        return [NODE("Sigmoid", [x], [y + "s"]), NODE("Mul", [x, y + "s"], [y])]
    if kind == 2:
        for part in ("scale", "shift", "mean"):
            constants[f"{y}_{part}"] = random.standard_normal(outputs).astype(np.float32)
        constants[y + "_variance"] = random.uniform(0.5, 2, outputs).astype(np.float32)
        return [NODE("BatchNormalization", [x, *(f"{y}_{part}" for part in ("scale", "shift", "mean", "variance"))], [y + "n"]), NODE("HardSwish", [y + "n"], [y])]
    if kind == 3:
        return [NODE("MaxPool", [x], [y], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1])]
    if kind == 4:
        return [NODE("ReduceMean", [x, "space"], [y], keepdims=int(random.integers(2)))]
    if kind == 5:
        constants[y + "_w"] = (random.standard_normal((outputs, outputs, 3, 3)) / np.sqrt(9 * outputs)).astype(np.float32)
        return [NODE("Relu", [x], [y + "r"]), NODE("Conv", [y + "r", y + "_w"], [y + "c"], pads=[1] * 4), NODE("Add", [y + "c", x], [y + "a"]),
                NODE("Concat", [y + "a", x], [y], axis=1)]
    if kind == 6:
        constants[y + "_scales"] = np.array([1, 1, *random.uniform(0.6, 3, 2)], np.float32)
        return [NODE("Resize", [x, "", y + "_scales"], [y + "i"], mode=["linear", "cubic"][outputs % 2]), NODE("Relu", [y + "i"], [y])]
    return [NODE("Identity", [x], [y])]


def make(path, seed, batch):
    """CASES convolutions of images of their own, all in one model; returns the inputs' shapes and the outputs' names."""
    random = np.random.default_rng(seed)
    nodes, inputs, constants = [], {}, {"space": np.array([2, 3])}
    for i in range(CASES):
        sizes, (count, outputs, groups) = [int(v) for v in random.integers(3, 15, 2)], channels(random)
        inputs[f"x{i}"] = (batch, count, *sizes)
        nodes += [conv(random, constants, f"x{i}", f"c{i}", sizes, f"k{i}", count, outputs, groups), *tail(random, constants, f"c{i}", f"y{i}", outputs)]
    outputs = [f"y{i}" for i in range(CASES)]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "convolutions", [value(k, TensorProto.FLOAT, ["N", *v[1:]]) for k, v in inputs.items()],
                              [value(k, TensorProto.FLOAT, None) for k in outputs], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return inputs, outputs


@pytest.mark.parametrize("seed", range(MODELS))
def test_equals_onnx_runtime(seed, tmp_path):
    """Kernels of all three kinds, one image and three."""
    path, random = tmp_path / "model.onnx", np.random.default_rng(1000 + seed)
    shapes, names = make(path, seed, 3)
    program = build(path, tmp_path, "--validate", "--kernels", ["jit", "aot", "portable"][seed])
    answers = []
    for batch in (1, 3):
        inputs = {k: random.standard_normal((batch, *v[1:])).astype(np.float32) for k, v in shapes.items()}
        want = dict(zip(names, session(path).run(names, inputs)))
        answers.append((run_program(program, tmp_path, inputs, names), want, evaluate(path, tmp_path, inputs, names)))
    check(answers)


# inputs, outputs, height, width, pads, residual: tiles shared out; blocks of features (few tiles, many weights), two parts of the sum; lines of an odd length; weights just worth it
TILED = [(64, 72, 30, 22, [1, 1, 1, 1], True), (272, 112, 9, 13, [1, 1, 1, 1], True), (40, 33, 17, 9, [0, 2, 1, 0], False), (16, 32, 8, 8, [1, 1, 1, 1], False)]
# too few channels, features, tiles; another stride, dilation, kernel
NOT_TILED = [(15, 32, 8, 8, [1] * 4, {}), (16, 31, 8, 8, [1] * 4, {}), (32, 32, 6, 10, [1] * 4, {}), (32, 32, 17, 17, [1] * 4, {"strides": [2, 1]}),
             (32, 32, 17, 17, [1] * 4, {"dilations": [1, 2]}), (32, 64, 17, 17, [1] * 4, {"group": 2})]


def tiled_model(path, cases):
    """Convolutions of 3 x 3 places of images of their own, each with an activation, some with a residual; returns the inputs' shapes and the outputs' names."""
    random, nodes, inputs, constants = np.random.default_rng(len(cases)), [], {}, {}
    for i, (count, outputs, height, width, pads, *more) in enumerate(cases):
        attributes, residual = (more[0], False) if isinstance(more[0], dict) else ({}, more[0])
        inputs[f"x{i}"] = (count, height, width)
        constants[f"w{i}"] = (random.standard_normal((outputs, count // attributes.get("group", 1), 3, 3)) / np.sqrt(9 * count)).astype(np.float32)
        constants[f"b{i}"] = random.standard_normal(outputs).astype(np.float32)
        nodes.append(NODE("Conv", [f"x{i}", f"w{i}", f"b{i}"], [f"c{i}"], pads=pads, **attributes))
        if residual:
            inputs[f"r{i}"] = (outputs, height + pads[0] + pads[2] - 2, width + pads[1] + pads[3] - 2)
            nodes.append(NODE("Add", [f"c{i}", f"r{i}"], [f"s{i}"]))
        nodes.append(NODE("Relu", [f"s{i}" if residual else f"c{i}"], [f"y{i}"]))
    names, value = [f"y{i}" for i in range(len(cases))], helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "tiles", [value(k, TensorProto.FLOAT, ["N", *v]) for k, v in inputs.items()], [value(k, TensorProto.FLOAT, None) for k in names],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return inputs, names


def test_tiles_equal_onnx_runtime(tmp_path):
    """Winograd's tiles, each convolution by itself: one image and three, one thread and three."""
    path, random = tmp_path / "model.onnx", np.random.default_rng(77)
    shapes, names = tiled_model(path, TILED)
    program = build(path, tmp_path)
    answers = []
    for batch, threads in ((1, 1), (1, 3), (3, 2)):
        inputs = {k: random.standard_normal((batch, *v)).astype(np.float32) for k, v in shapes.items()}
        want = dict(zip(names, session(path).run(names, inputs)))
        got = run_program(program, tmp_path, inputs, names, "--threads", str(threads))
        answers.append((got, want, evaluate(path, tmp_path, inputs, names)))
    for name in names:
        check([tuple({name: each[name]} for each in answer) for answer in answers])


@pytest.mark.parametrize("cases,tiled", [(TILED, True), (NOT_TILED, False)])
def test_which_convolutions_are_tiled(cases, tiled, tmp_path):
    """3 x 3 places at strides of one, of enough channels, features and tiles; no others."""
    tiled_model(tmp_path / "model.onnx", cases)
    run(VITCC, "compile", tmp_path / "model.onnx", "-o", tmp_path / "out", "-q", "--kernels", "portable")
    kernels = (tmp_path / "out" / "model_kernels.c").read_text()
    for count, outputs, *_ in cases:
        assert (f"winograd_3x3_{count}_to_{outputs}_" in kernels) == tiled
    assert kernels.count("static void conv_3x3_") == (0 if tiled else len(cases))


def test_chains_stay_channels_last(tmp_path):
    """Between convolutions, activations, a pool, a residual and an interpolation nothing is transposed: input, output, and none between."""
    random, constants = np.random.default_rng(5), {}
    for name, shape in (("a", (16, 3, 3, 3)), ("b", (16, 16, 3, 3)), ("c", (16, 1, 5, 5))):
        constants[name] = random.standard_normal(shape).astype(np.float32)
    constants["scales"] = np.array([1, 1, 2, 2.5], np.float32)
    nodes = [NODE("Conv", ["x", "a"], ["1"], strides=[2, 2], pads=[1] * 4), NODE("Relu", ["1"], ["2"]), NODE("MaxPool", ["2"], ["3"], kernel_shape=[3, 3], pads=[1] * 4),
             NODE("Conv", ["3", "b"], ["4"], pads=[1] * 4), NODE("Add", ["4", "3"], ["5"]),
             NODE("Resize", ["5", "", "scales"], ["r"], mode="linear"), NODE("Conv", ["r", "c"], ["6"], pads=[2] * 4, group=16), NODE("Sigmoid", ["6"], ["y"])]
    graph = helper.make_graph(nodes, "chain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 14])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    path = tmp_path / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    text = run(VITCC, "compile", path, "-o", tmp_path / "out", "-q", "--kernels", "portable", "--dump-after", "roll").stdout
    images = [line for line in text.splitlines() if "= move(" in line and "f32[1," in line]
    turned = [line for line in images if line.split("move = [")[1].split("]")[0].split(", ")[-1].split("@")[1][0] != "3"]
    assert len(turned) == 2, text
    assert text.count("= conv_last(") == 3 and "= conv(" not in text
