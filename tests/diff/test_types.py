"""Every operator of the IR on every element type at run time."""
import numpy as np
import pytest
from onnx import TensorProto, helper

from typed_graph import ALL, FLOATS, HALVES, INTEGERS, NUMBERS, SIGNED, Graph, compare, each, numpy_type, onnx_type, values

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
