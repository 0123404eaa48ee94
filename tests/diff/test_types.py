"""Every operator of the IR on every element type at run time: the generated program against ONNX Runtime, or ONNX's reference where it has none."""
import ctypes
import json
import math

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from conftest import ROOT, VITCC, build_project, largest_error, load_outputs, random_inputs, run, run_program, save_inputs, shapes

SIGNED, UNSIGNED = ["int8", "int16", "int32", "int64"], ["uint8", "uint16", "uint32", "uint64"]
INTEGERS, FLOATS, HALVES = SIGNED + UNSIGNED, ["float32", "float64"], ["float16", "bfloat16"]
NUMBERS, ALL = INTEGERS + FLOATS, INTEGERS + FLOATS + HALVES + ["bool"]
TOLERANCE = {"float64": 1e-14, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}


class Erf(OpRun):
    """ONNX's reference has an approximation, for doubles too."""

    def _run(self, x):
        return (np.vectorize(math.erf)(x).astype(x.dtype),)


def numpy_type(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def onnx_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def values(name, *shape, seed=0, low=-100, high=100):
    """Numbers that every operator takes: small integers, quarters."""
    rng = np.random.default_rng([seed, len(shape), len(name)])
    if name == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if name in INTEGERS:
        low, high = max(low, np.iinfo(name).min), min(high, np.iinfo(name).max)
        return rng.integers(low, high, shape).astype(name)
    return np.asarray(rng.integers(low * 4, high * 4, shape) / 64).astype(numpy_type(name))


class Graph:
    """Nodes, inputs and constants of one or several types; names get the type's name behind them."""

    def __init__(self, tag=""):
        self.tag, self.nodes, self.inputs, self.constants, self.outputs = tag, [], {}, {}, {}

    def input(self, name, array):
        self.inputs[f"{name}_{self.tag}"] = np.asarray(array)
        return f"{name}_{self.tag}"

    def constant(self, name, array):
        self.constants[f"{name}_{self.tag}"] = np.asarray(array)
        return f"{name}_{self.tag}"

    def node(self, operator, *inputs, **attributes):
        name = f"{operator}{len(self.nodes)}_{self.tag}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def output(self, name, dtype):
        self.outputs[name] = np.dtype(dtype)
        return name

    def model(self, symbol=None):
        """symbol: the name of all inputs' and outputs' outermost axis, instead of its size."""
        ports = [helper.make_tensor_value_info(k, onnx_type(v.dtype), [symbol, *v.shape[1:]] if symbol else v.shape) for k, v in self.inputs.items()]
        results = [helper.make_tensor_value_info(k, onnx_type(v), None) for k, v in self.outputs.items()]
        graph = helper.make_graph(self.nodes, "types", ports, results, [numpy_helper.from_array(v, k) for k, v in self.constants.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)

    def reference(self):
        model = self.model()
        dtypes = [v.dtype for v in [*self.inputs.values(), *self.constants.values()]] + list(self.outputs.values())
        try:
            if numpy_type("bfloat16") in dtypes:
                raise ort.capi.onnxruntime_pybind11_state.NotImplemented("numpy has no such type for ONNX Runtime")
            options = ort.SessionOptions()
            options.graph_optimization_level, options.log_severity_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL, 4
            session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            return dict(zip(self.outputs, session.run(None, self.inputs)))
        except ort.capi.onnxruntime_pybind11_state.NotImplemented:
            return dict(zip(self.outputs, ReferenceEvaluator(model, new_ops=[Erf]).run(None, self.inputs)))


def join(graphs):
    """One graph of all."""
    whole = Graph()
    for g in graphs:
        whole.nodes += g.nodes
        for field in ("inputs", "constants", "outputs"):
            getattr(whole, field).update(getattr(g, field))
    return whole


def stored(array):
    """As a .npy file holds it: bfloat16 as two bytes without a meaning."""
    return array.view("V2") if array.dtype == numpy_type("bfloat16") else array


def loaded(array, dtype):
    return array.view(dtype) if array.dtype.kind == "V" else array


def assert_same(name, got, want):
    got = loaded(got, want.dtype)
    assert (got.dtype, got.shape) == (want.dtype, want.shape), name
    if want.dtype.kind in "biu":
        assert np.array_equal(got, want), (name, got, want)
        return
    x, y = got.astype(np.float64), want.astype(np.float64)
    scale = max(float(np.abs(y[np.isfinite(y)]).max(initial=0)), 1e-3)
    assert np.array_equal(np.isnan(x), np.isnan(y)) and np.array_equal(np.isinf(x), np.isinf(y)), (name, x, y)
    assert np.abs(x - y)[np.isfinite(y)].max(initial=0) <= TOLERANCE[str(want.dtype)] * scale, (name, x, y)


def compile_graph(graph, folder, symbol=None):
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph.model(symbol), folder / "model.onnx")
    run(VITCC, "compile", folder / "model.onnx", "-o", folder / "out", "--name", "model", "-q", "--kernels", "portable")
    return build_project(folder)


def compare(graphs, folder, symbol=None):
    """The program of all graphs together, on one and three threads, against each by itself; its self-test, if one could be made."""
    whole = join(graphs)
    program = compile_graph(whole, folder, symbol)
    want = {k: v for g in graphs for k, v in g.reference().items()}
    inputs = {k: stored(v) for k, v in whole.inputs.items()}
    for threads in (1, 3):
        got = run_program(program, folder / str(threads), inputs, list(want), "--threads", threads)
        for name in want:
            assert_same(name, got[name], want[name])
    if (folder / "out/selftest").exists():
        run(program, "--selftest", folder / "out/selftest")


def each(types, make):
    """make(graph, type) for every type; what it returns are (value, type) of outputs."""
    graphs = []
    for name in types:
        g = Graph(name)
        for value, dtype in make(g, name):
            g.output(value, numpy_type(dtype))
        graphs.append(g)
    return graphs


# ---- maps ----

def test_arithmetic(tmp_path):
    """Wrapping, division towards zero, the sign of a remainder, order, powers; rows, broadcasting in the middle, scalars."""
    def make(g, t):
        divisor = values(t, 4, 1, seed=1)
        x, y = g.input("x", values(t, 3, 4, 5, low=-128, high=127)), g.input("y", np.where(divisor == 0, 3, divisor).astype(t))
        s = g.input("s", values(t, seed=2, low=1, high=5))
        wide = g.node("Mul", x, y)
        made = [wide, g.node("Add", wide, s), g.node("Sub", y, x), g.node("Div", x, y), g.node("Min", x, y, s), g.node("Max", x, y)]
        if t in INTEGERS:
            made += [g.node("Mod", x, y), g.node("Mod", x, y, fmod=1)]
        if t in SIGNED + FLOATS:
            made += [g.node("Neg", x), g.node("Relu", x)]
        if t in ["int32", "int64"] + FLOATS:
            made.append(g.node("Pow", y, g.constant("two", np.array(2, t))))
        made += [g.node("Abs", x), g.node("Sign", x)]
        tests = [g.node("Less", x, y), g.node("GreaterOrEqual", x, s), g.node("Equal", x, g.constant("c", np.array([1, 2, 3, 4, 5], t)))]
        return [(m, t) for m in made] + [(m, "bool") for m in tests] + [(g.node("Where", tests[0], x, y), t)]
    compare(each(NUMBERS, make), tmp_path)


def test_truth_values(tmp_path):
    def make(g, t):
        a, b = g.input("a", values("bool", 4, 7)), g.input("b", values("bool", 7, seed=1))
        made = [g.node("And", a, b), g.node("Or", a, b), g.node("Xor", a, b), g.node("Not", g.node("Equal", a, b))]
        return [(m, t) for m in made] + [(g.node("Cast", a, to=TensorProto.FLOAT), "float32")]
    compare(each(["bool"], make), tmp_path)


def test_casts(tmp_path):
    """From every type to every other, within the range where ONNX says what comes out; integers wrap."""
    def make(g, t):
        x = g.input("x", values(t, 5, 6, low=0 if t in FLOATS + HALVES else -128, high=120))
        return [(g.node("Cast", x, to=onnx_type(numpy_type(u))), u) for u in ALL if u != t]
    compare(each(ALL, make), tmp_path)


def test_float_functions(tmp_path):
    def make(g, t):
        x = g.input("x", values(t, 6, 9, low=-60, high=60))
        positive = g.node("Add", g.node("Abs", x), g.constant("one", np.array(1, t)))
        made = [g.node(f, x) for f in ("Exp", "Tanh", "Sigmoid", "Erf", "Floor", "Ceil", "Round", "Sin", "Cos")]
        made += [g.node(f, positive) for f in ("Sqrt", "Log", "Reciprocal")]
        return [(m, t) for m in made] + [(g.node("IsNaN", x), "bool")]
    compare(each(["float64"], make), tmp_path)


def test_half_precision(tmp_path):
    """Computes in single precision between inputs and outputs of half; constants too."""
    def make(g, t):
        x, w = g.input("x", values(t, 4, 6, low=-8, high=8)), g.constant("w", values(t, 6, 5, seed=1, low=-8, high=8))
        y = g.node("Add", g.node("MatMul", x, w), g.constant("b", values(t, 5, seed=2, low=-8, high=8)))
        made = [y, g.node("Softmax", y, axis=-1), g.node("ReduceMean", x, keepdims=0)]
        return [(m, t) for m in made] + [(g.node("Cast", x, to=TensorProto.FLOAT), "float32")]
    compare(each(HALVES, make), tmp_path)


def test_map_of_many_inputs(tmp_path):
    def make(g, t):
        inputs = [g.input(f"x{i}", values(t, 3, 1 + 4 * (i % 2), 6, seed=i)) for i in range(12)]
        return [(g.node("Sum", *inputs), t)]
    compare(each(["float32", "float64"], make), tmp_path)


# ---- elements elsewhere ----

def test_moves(tmp_path):
    def make(g, t):
        x, y = g.input("x", values(t, 3, 4, 5)), g.input("y", values(t, 3, 2, 5, seed=1))
        turned = g.node("Transpose", x, perm=[2, 0, 1])
        bounds = {"from": [3, 4], "to": [0, 0], "axes": [1, 2], "steps": [-1, -2]}
        sliced = g.node("Slice", x, *(g.constant(k, np.array(v, np.int64)) for k, v in bounds.items()))
        tiled = g.node("Tile", y, g.constant("times", np.array([1, 2, 3], np.int64)))
        joined = g.node("Concat", x, y, g.constant("c", values(t, 3, 1, 5, seed=2)), axis=1)
        taken = [g.node("Gather", x, g.input(f"i{k}", np.array([[0, -1], [2, 1]], k)), axis=1) for k in ("int32", "int64")]
        pads = g.constant("pads", np.array([0, 1, 2, 1, 0, 0], np.int64))
        padded = g.node("Pad", x, pads) if t == "bool" else g.node("Pad", x, pads, g.constant("fill", np.array(7, numpy_type(t))))
        return [(m, t) for m in (turned, sliced, tiled, joined, *taken, padded)]
    compare(each(ALL, make), tmp_path)


# ---- reductions, softmax, products ----

def test_reductions(tmp_path):
    """Over neighbours, over axes that are not, over all; of every kind."""
    def make(g, t):
        x, made = g.input("x", values(t, 3, 4, 5, 2, low=-6, high=6)), []
        for i, axes in enumerate([[0, 2], [1, 2], [1, 3], [0, 1, 2, 3]]):
            a = g.constant(f"axes{i}", np.array(axes, np.int64))
            made += [g.node(f"Reduce{kind}", x, a, keepdims=i % 2) for kind in ("Sum", "Max", "Min", "Prod", "Mean", "SumSquare", "L1")]
        return [(m, t) for m in made]
    compare(each(["int32", "int64", "float32", "float64"], make), tmp_path)


def test_reductions_of_narrow_integers(tmp_path):
    def make(g, t):
        x = g.input("x", values(t, 3, 4, 5))
        return [(g.node(f"Reduce{kind}", x, g.constant("axes", np.array([0, 2], np.int64))), t) for kind in ("Max", "Min")]
    compare(each(["int8", "uint8", "uint32", "uint64"], make), tmp_path)


def test_softmax(tmp_path):
    def make(g, t):
        x = g.input("x", values(t, 3, 4, 5))
        return [(g.node("Softmax", x, axis=a), t) for a in range(3)] + [(g.node("LogSoftmax", x, axis=1), t)]
    compare(each(FLOATS, make), tmp_path)


def test_products(tmp_path):
    """Batches that broadcast, integers that wrap, constant weights with bias, vectors."""
    def make(g, t):
        a, b = g.input("a", values(t, 2, 1, 5, 7)), g.input("b", values(t, 3, 7, 19, seed=1))
        w = g.constant("w", values(t, 7, 6, seed=2))
        bias = g.constant("bias", values(t, 6, seed=3))
        vector = g.node("MatMul", g.input("v", values(t, 7, seed=4)), w)
        return [(g.node("MatMul", a, b), t), (g.node("Add", g.node("MatMul", a, w), bias), t), (vector, t)]
    compare(each(["int32", "int64", "uint32", "uint64", "float64"], make), tmp_path)


# ---- attention ----

def attention(g, t, mask, images=2):
    """A block of a ViT: norm, QKV, masked attention of 2 heads, projection, residual, MLP with GELU. mask: an input, bool, True: takes part."""
    x, number = g.input("x", values(t, images, 6, 8, low=-30, high=30)), np.dtype(t).type
    rng = np.random.default_rng(3)
    weight = lambda name, *shape: g.constant(name, (rng.standard_normal(shape) / 3).astype(t))
    n = g.node("LayerNormalization", x, weight("gamma", 8), weight("beta", 8), epsilon=1e-6)
    parts = []
    for k in "qkv":
        made = g.node("Add", g.node("MatMul", n, weight(f"w{k}", 8, 8)), weight(f"b{k}", 8))
        heads = g.node("Reshape", made, g.constant(f"s{k}", np.array([0, 6, 2, 4])))
        parts.append(g.node("Transpose", heads, perm=[0, 2, 3, 1] if k == "k" else [0, 2, 1, 3]))
    scores = g.node("Mul", g.node("MatMul", parts[0], parts[1]), g.constant("scale", number(0.5)))
    if mask is not None:
        scores = g.node("Where", g.input("mask", mask), scores, g.constant("minus", number(-np.inf)))
    summed = g.node("Transpose", g.node("MatMul", g.node("Softmax", scores, axis=-1), parts[2]), perm=[0, 2, 1, 3])
    a = g.node("Reshape", summed, g.constant("back", np.array([0, 6, 8])))
    y = g.node("Add", g.node("MatMul", a, weight("wo", 8, 8)), x)
    u = g.node("Add", g.node("MatMul", y, weight("w1", 8, 16)), weight("b1", 16))
    tail = g.node("Add", g.node("Erf", g.node("Div", u, g.constant("root", number(np.sqrt(2))))), g.constant("one", number(1)))
    h = g.node("Mul", g.node("Mul", u, tail), g.constant("half", number(0.5)))
    return [(g.node("Add", g.node("MatMul", h, weight("w2", 16, 8)), y), t)]


@pytest.mark.parametrize("shape", [(6, 6), (2, 1, 1, 6), (2, 2, 6, 6)], ids=str)
def test_attention_with_a_mask_of_run_time(shape, tmp_path):
    mask = values("bool", *shape)
    mask[..., 0] = True
    compare(each(["float32", "float64"], lambda g, t: attention(g, t, mask)), tmp_path)


def test_double_precision(tmp_path):
    """All of a ViT in double: convolution, attention, MLP, norms; to the last digits."""
    def make(g, t):
        image = g.input("image", values(t, 1, 3, 9, 9))
        kernel, bias = g.constant("cw", values(t, 4, 3, 3, 3, seed=5)), g.constant("cb", values(t, 4, seed=6))
        conv = g.node("Conv", image, kernel, bias, strides=[2, 2], pads=[1, 1, 1, 1])
        return attention(g, t, None) + [(conv, t)]
    compare(each(["float64"], make), tmp_path)


def test_quantised_products(tmp_path):
    """Sums of bytes with zero points, one for all or one a column or channel; scaled back to bytes; a scale of the input's own."""
    def make(g, t):
        x, image = g.input("x", values(t, 2, 3, 5)), g.input("image", values(t, 1, 4, 6, 5))
        zero, w, kernel = g.constant("zero", np.array(7, t)), g.constant("w", values(t, 5, 4, seed=1)), g.constant("k", values(t, 6, 2, 3, 2, seed=2))
        scale, wide, out = g.constant("s", np.float32(0.02)), g.constant("sw", np.float32(0.03)), g.constant("so", np.float32(1.5))
        columns = g.constant("sc", np.linspace(0.01, 0.06, 6).astype(np.float32))
        zeros, bias = g.constant("zeros", np.full(6, 7, t)), g.constant("bias", np.arange(-300, 300, 100, dtype=np.int32))
        shape = {"group": 2, "pads": [1, 0, 0, 1], "strides": [2, 1]}
        made = [(g.node("MatMulInteger", x, w, zero, zero), "int32"), (g.node("MatMulInteger", x, w), "int32"), (g.node("QLinearMatMul", x, scale, zero, w, wide, zero, out, zero), t)]
        if t == "uint8":   # as ONNX Runtime has them
            made += [(g.node("ConvInteger", image, kernel, zero, zero, **shape), "int32"), (g.node("QLinearConv", image, scale, zero, kernel, columns, zeros, out, zero, bias, **shape), t)]
        return made
    scaled = Graph("own")
    x = scaled.input("f", values("float32", 3, 4, seed=3))
    scaled.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], ["q", "q_scale", "q_zero"]))
    for name, dtype in ("q", "uint8"), ("q_scale", "float32"), ("q_zero", "uint8"):
        scaled.output(name, dtype)
    compare([*each(["uint8", "int8"], make), scaled], tmp_path)


# ---- what goes in and out ----

def test_odd_inputs_and_outputs(tmp_path):
    """A scalar, an input that is an output, an output under two names, a constant, tensors without elements."""
    def make(g, t):
        x, s = g.input("x", values(t, 2, 3)), g.input("s", values(t, seed=1))
        e = g.node("Slice", x, g.constant("from", np.array([1])), g.constant("to", np.array([1])), g.constant("axis", np.array([1])))
        total = g.node("Add", x, s)
        c = g.node("Identity", g.constant("c", values(t, 4, seed=2)))
        joined = g.node("Concat", x, e, axis=1)
        none = g.node("ReduceSum", e, g.constant("axes", np.array([1])), keepdims=0)
        nothing = g.node("MatMul", e, g.constant("w", np.zeros((0, 3), t)))
        made = [g.node("Identity", x), total, g.node("Identity", total), c, g.node("Mul", s, s), joined, g.node("Mul", e, e), none, nothing]
        return [(m, t) for m in made]
    compare(each(["float32", "int64", "float64"], make), tmp_path)


def test_inputs_without_elements(tmp_path):
    """Reductions, moves and joins of an input that has an axis of size 0."""
    def make(g, t):
        x, y = g.input("x", values(t, 2, 0, 4)), g.input("y", values(t, 2, 3, 4, seed=1))
        axes, shape = g.constant("axes", np.array([1])), g.constant("shape", np.array([4, 2, 0]))
        made = [g.node("ReduceSum", x, axes), g.node("ReduceProd", x, axes, keepdims=0), g.node("Reshape", x, shape, allowzero=1), g.node("Trilu", x)]
        return [(m, t) for m in [*made, g.node("Concat", x, y, axis=1), g.node("Transpose", x, perm=[2, 0, 1])]]
    compare(each(["float32", "int64", "float64"], make), tmp_path)


def test_nothing_to_compute(tmp_path):
    """Inputs become outputs and constants stay; and a model without inputs."""
    def make(g, t):
        x = g.input("x", values(t, 2, 3))
        return [(g.node("Reshape", x, g.constant("shape", np.array([6]))), t), (g.node("Identity", g.constant("c", values(t, 4))), t)]
    compare(each(["float32", "uint8"], make), tmp_path / "moved")
    g = Graph("only")
    g.output(g.node("Identity", g.constant("c", values("int16", 4))), np.int16)
    program = compile_graph(g, tmp_path / "constant")
    run(program, "--bench", 1, "--output-dir", tmp_path / "got")
    assert np.array_equal(np.load(tmp_path / "got" / f"{next(iter(g.outputs))}.npy"), values("int16", 4))


def test_batches_of_integers(tmp_path):
    """A dynamic batch: token numbers, flags and doubles, and an output of three rows an image."""
    def make(g, t):
        x, flags = g.input("x", values(t, 5, 3, 4)), g.input("flags", values("bool", 5, 3, 1, seed=1))
        table = g.constant("table", values("float32", 200, 6, seed=2))
        index = g.node("Cast", g.node("Abs", g.node("Where", flags, x, g.constant("none", np.array(0, t)))), to=TensorProto.INT64)
        return [(g.node("Gather", table, index), "float32"), (g.node("ReduceSum", x, g.constant("axes", np.array([2])), keepdims=0), t),
                (g.node("Reshape", g.node("Mul", x, x), g.constant("rows", np.array([-1, 4]))), t)]
    compare(each(["int32", "int64", "float64"], make), tmp_path, "N")


def test_inputs_named_as_the_code_s_own(tmp_path):
    g = Graph("t")
    for i, name in enumerate(["c", "m", "k", "w", "in", "frame", "scratch", "row", "rows"]):
        g.inputs[name] = values("float64", 2, 3, seed=i)
    g.output(g.node("Sum", *g.inputs), np.float64)
    compare([g], tmp_path)


def test_wrong_element_type(tmp_path):
    g = Graph("t")
    g.output(g.node("Neg", g.input("x", values("int32", 2, 3))), np.int32)
    program = compile_graph(g, tmp_path)
    done = run(program, *save_inputs(tmp_path / "wrong", {"x_t": np.zeros((2, 3), np.int64)}), "--output-dir", tmp_path / "got", status=1)
    assert f"{tmp_path}/wrong/in_x_t.npy: elements are '<i8', but 'x_t' takes '<i4'" in done.stderr


def test_library(tmp_path):
    """The library's own interface: pointers of every type, what tensor_info tells, and the header's types."""
    types = ["bool", "int8", "uint16", "int64", "float64", "float16"]
    def make(g, t):
        return [(g.node("Identity" if t == "bool" else "Add", *[g.input("x", values(t, 2, 3))] * (1 if t == "bool" else 2)), t)]
    graphs = each(types, make)
    whole = join(graphs)
    compile_graph(whole, tmp_path)
    run("cmake", "--build", tmp_path / "build", "--target", "model_shared")
    library = ctypes.CDLL(str(tmp_path / "build/libmodel.so"))
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    assert library.model_open(ctypes.byref(model), str(tmp_path / "out/model.weights").encode()) == 0
    assert library.model_start(ctypes.byref(session), model, None) == 0
    inputs = [np.ascontiguousarray(v) for v in whole.inputs.values()]
    outputs = [np.zeros((2, 3), v) for v in whole.outputs.values()]
    pointers = [(ctypes.c_void_p * len(types))(*(a.ctypes.data for a in arrays)) for arrays in (inputs, outputs)]
    assert library.model_run(session, ctypes.c_int64(2), pointers[0], pointers[1]) == 0
    want = {k: v for g in graphs for k, v in g.reference().items()}
    for (name, true), got in zip(want.items(), outputs):
        assert_same(name, got, true)
    library.model_stop(session)
    library.model_close(model)
    library.model_tensor_info.restype = ctypes.POINTER(ctypes.c_char_p)
    described = [library.model_tensor_info(i)[1].decode() for i in range(2 * len(types))]
    assert described == ["|b1", "|i1", "<u2", "<i8", "<f8", "<f2"] * 2
    header = (tmp_path / "out/model.h").read_text()
    for name, c in zip(types, ["uint8_t", "int8_t", "uint16_t", "int64_t", "double", "uint16_t"]):
        assert f"const {c} *x_{name};" in header


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_both_compilers_find_nothing_to_warn_of(compiler, tmp_path):
    def make(g, t):
        x = g.input("x", values(t, 2, 3, 5))
        y = g.node("Cast", g.node("Mul", x, x), to=TensorProto.INT8)
        made = g.node("ReduceMax", x, g.constant("axes", np.array([0, 2])))
        return [(y, "int8"), (made, t), (g.node("Cast", y, to=onnx_type(numpy_type(t))), t)]
    onnx.save(join(each(["int32", "uint64", "float64", "float16", "float32"], make)).model(), tmp_path / "model.onnx")
    run(VITCC, "compile", tmp_path / "model.onnx", "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable")
    for source in sorted((tmp_path / "out").glob("model*.c")):
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
        run(compiler, "-std=gnu11", "-O1", *warnings, "-I", tmp_path / "out", "-c", source, "-o", "/dev/null")


# ---- whole models ----

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
