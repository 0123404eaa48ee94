"""A random Vision Transformer (random_vit.Config) as ONNX, spelled as PyTorch's exporters and the tools behind them spell it."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IR_VERSIONS = {13: 7, 14: 7, 17: 8, 18: 9, 20: 9, 23: 10}
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)


class Writer:
    """Nodes and initializers of one graph; calling it adds a node and returns its output's name, or their list."""

    def __init__(self, config):
        self.config, self.rng = config, np.random.default_rng([config.seed, 21])
        self.nodes, self.initializers = [], []

    def __call__(self, op, *inputs, outputs=1, **attributes):
        names = [f"/{op}_{len(self.nodes)}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, [i or "" for i in inputs], names, name=f"/{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def stored(self, array):
        name = f"onnx::{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def constant(self, value, kind=np.float32):
        """An initializer, or a Constant node as the older exporter writes."""
        array = np.asarray(value, kind)
        return self.stored(array) if self.config.exporter == "dynamo" else self("Constant", value=numpy_helper.from_array(array))

    def ints(self, *values):
        return self.constant(values, np.int64)

    def scalar(self, value):
        return self.constant(value, np.int64)

    def random(self, *shape, spread=1.0, mean=0.0):
        return (mean + spread * self.rng.standard_normal(shape)).astype(np.float32)

    def add(self, x, b):
        return self("Add", x, b) if self.config.exporter == "dynamo" else self("Add", b, x)

    def reshape(self, x, shape):
        more = {"allowzero": int(self.config.exporter == "dynamo")} if self.config.opset >= 14 else {}
        return self("Reshape", x, shape if isinstance(shape, str) else self.ints(*shape), **more)

    def batched(self, x, *rest):
        """x reshaped to [batch, *rest]; the older exporter takes a dynamic batch from the shape of x."""
        if not self.config.dynamic:
            return self.reshape(x, (1, *rest))
        if self.config.exporter == "dynamo" and -1 not in rest:
            return self.reshape(x, (-1, *rest))
        return self.reshape(x, self("Concat", self.batch_of(x), *(self.ints(n) for n in rest), axis=0))

    def batch_of(self, x):
        """int64[1]: the first dimension of x."""
        if self.config.exporter == "dynamo":
            return self("Shape", x, start=0, end=1)
        return self("Unsqueeze", self("Gather", self("Shape", x), self.scalar(0), axis=0), self.ints(0))

    def mean(self, x, axis, keep):
        if self.config.opset >= 18:
            return self("ReduceMean", x, self.ints(axis), keepdims=keep)
        return self("ReduceMean", x, axes=[axis], keepdims=keep)

    def linear(self, x, inputs, outputs, bias, tokens=True, spread=1.0):
        """x W + b over the last axis; x: [batch, tokens, inputs]."""
        weight = self.random(inputs, outputs, spread=spread / inputs**0.5)
        bias = self.stored(self.random(outputs, spread=0.2)) if bias else None
        if not tokens or self.config.linear == "gemm":
            turned = not tokens or self.config.spelling % 2
            flat = self.reshape(x, (-1, inputs)) if tokens else x
            y = self("Gemm", flat, self.stored(weight.T if turned else weight), *([bias] if bias else []), alpha=1.0, beta=1.0, transB=int(turned))
            return self.reshape(y, (-1 if self.config.dynamic else 1, self.config.tokens, outputs)) if tokens else y
        y = self("MatMul", x, self.stored(weight))
        return self.add(y, bias) if bias else y

    def norm(self, x, width):
        c = self.config
        gamma, beta = self.stored(self.random(width, spread=0.2, mean=1.0)), self.stored(self.random(width, spread=0.2)) if c.norm_bias else None
        if c.decomposed_norm == "op":
            more = {"axis": -1, "epsilon": c.epsilon} | ({"stash_type": 1} if c.exporter == "dynamo" else {})
            return self("RMSNormalization", x, gamma, **more) if c.rms else self("LayerNormalization", x, gamma, *([beta] if beta else []), **more)
        centred = x if c.rms else self("Sub", x, self.mean(x, -1, 1))
        square = self("Mul", centred, centred) if c.decomposed_norm == "reciprocal" and not c.rms else self("Pow", centred, self.constant(2.0))
        root = self("Sqrt", self("Add", self.mean(square, -1, 1), self.constant(c.epsilon)))
        y = self("Div", centred, root) if c.decomposed_norm == "sqrt" else self("Mul", centred, self("Reciprocal", root))
        y = self("Mul", gamma, y) if c.rms else self("Mul", y, gamma)
        return self("Add", y, beta) if beta else y

    def gelu(self, x):
        spelling = self.config.spelling
        if self.config.opset >= 20 and spelling < 3:
            return self("Gelu", x, approximate="none")
        e = self("Erf", self("Mul", x, self.constant(0.70710678)) if spelling == 2 else self("Div", x, self.constant(1.41421354)))
        above = self("Add", e, self.constant(1.0))
        if spelling == 0:
            return self("Mul", self("Mul", x, above), self.constant(0.5))
        if spelling == 1:
            return self("Mul", x, self("Mul", self.constant(0.5), above))
        return self("Mul", self("Mul", self.constant(0.5), x), above)

    def gelu_tanh(self, x):
        spelling = self.config.spelling
        if self.config.opset >= 20 and spelling < 2:
            return self("Gelu", x, approximate="tanh")
        half = self("Mul", x, self.constant(0.5))
        if spelling % 2:
            inner = self("Mul", self("Add", x, self("Mul", self("Pow", x, self.constant(3.0)), self.constant(0.044715))), self.constant(0.7978845608))
        else:
            cubic = self("Mul", self("Mul", self.constant(0.044715), x), x)
            inner = self("Mul", self("Mul", self.constant(0.7978845608), x), self("Add", self.constant(1.0), cubic))
        return self("Mul", half, self("Add", self("Tanh", inner), self.constant(1.0)))

    def activation(self, x):
        kind = self.config.activation
        if kind in ("gelu", "tanh"):
            return self.gelu(x) if kind == "gelu" else self.gelu_tanh(x)
        if kind == "relu":
            return self("Relu", x)
        return self("Mul", x, self("Sigmoid", self("Mul", x, self.constant(1.702)) if kind == "quick" else x))

    def split(self, x, parts, axis, sizes):
        """Equal parts along an axis."""
        more = {"num_outputs": parts} if self.config.opset >= 18 and self.config.spelling % 2 else {}
        return self("Split", x, *([] if more else [self.ints(*sizes)]), outputs=parts, axis=axis, **more)


# ---- attention ----

def heads_apart(w, x, keys=False):
    """[batch, tokens, width] to [batch, heads, tokens, head]; keys by one transpose to [batch, heads, head, tokens]."""
    c = w.config
    split = w.batched(x, c.tokens, c.heads if c.exporter == "dynamo" and c.dynamic else -1, c.head)
    return w("Transpose", split, perm=[0, 2, 3, 1] if keys else [0, 2, 1, 3])


def keys_turned(w, k):
    """[batch, heads, tokens, head] with the last two axes swapped."""
    c = w.config
    if c.keys != "reshaped":
        return w("Transpose", k, perm=[0, 1, 3, 2])
    if not c.dynamic:
        turned = w("Transpose", w("Reshape", k, w.ints(-1, c.tokens, c.head)), perm=[0, 2, 1])
        return w("Reshape", turned, w.ints(1, c.heads, c.head, c.tokens))
    shape = w("Shape", k)
    last, rows = w("Slice", shape, w.ints(-1), w.ints(INT64_MAX)), w("Slice", shape, w.ints(-2), w.ints(-1))
    lead = w("Slice", shape, w.ints(INT64_MIN), w.ints(-2))
    turned = w("Transpose", w("Reshape", k, w("Concat", w.ints(-1), rows, last, axis=0)), perm=[0, 2, 1])
    return w("Reshape", turned, w("Concat", lead, last, rows, axis=0))


def packed(w, x):
    """q, k, v as [batch, heads, tokens, head] of one linear."""
    c = w.config
    y = w.linear(x, c.width, 3 * c.width, "q" in c.biases, spread=1.3)
    if c.qkv == "split":
        return [heads_apart(w, part) for part in w.split(y, 3, 2, [c.width] * 3)]
    y = w("Transpose", w.batched(y, c.tokens, 3, c.heads, c.head), perm=[2, 0, 3, 1, 4])
    if c.qkv == "gather":
        return [w("Gather", y, w.scalar(i), axis=0) for i in range(3)]
    parts = w.split(y, 3, 0, [1, 1, 1]) if c.qkv == "unstack" else [w("Slice", y, w.ints(i), w.ints(i + 1), w.ints(0)) for i in range(3)]
    return [w("Squeeze", part, w.ints(0)) for part in parts]


def queries_keys_values(w, x):
    """q, v: [batch, heads, tokens, head]; the keys too, or turned already where the second result is True."""
    c = w.config
    if c.qkv != "three":
        return *packed(w, x), False
    q, k, v = (w.linear(x, c.width, c.width, part in c.biases, spread=1.3) for part in "qkv")
    if c.scale == "early" and not c.attention_op:
        q = w("Mul", q, w.constant(c.head**-0.5))
    turned = c.keys == "one" and not c.query_key_norm and not c.attention_op and not c.flat
    return heads_apart(w, q), heads_apart(w, k, turned), heads_apart(w, v), turned


def computed_scale(w, q):
    """The fourth root of 1 / head, worked out from the shape of q."""
    head = w("Cast", w("Slice", w("Shape", q), w.ints(-1), w.ints(INT64_MAX)), to=TensorProto.FLOAT)
    return w("Sqrt", w("Cast", w("Div", w.constant([1.0]), w("Sqrt", head)), to=TensorProto.FLOAT))


def scaled(w, q, kt):
    """q, keys and scores of them, scaled."""
    c = w.config
    if c.scale == "both":
        factor = w.constant(c.head**-0.25)
        return w("MatMul", w("Mul", q, factor), w("Mul", kt, factor))
    if c.scale == "computed":
        return w("MatMul", w("Mul", q, computed_scale(w, q)), w("Mul", kt, computed_scale(w, q)))
    if c.scale == "query" or (c.scale == "early" and c.qkv != "three"):
        q = w("Mul", q, w.constant(c.head**-0.5))
    scores = w("MatMul", q, kt)
    if c.scale == "score":
        return w("Mul", scores, w.constant(c.head**-0.5))
    return w("Div", scores, w.constant(c.head**0.5)) if c.scale == "divide" else scores


def mask_of(w, x, truth=False):
    """What is added to the scores, or None: zeros (from truth values where the batch is dynamic), or a bias a head and a pair of tokens."""
    c = w.config
    if c.mask == "none":
        return None
    if c.mask == "bias":
        return w.stored(w.random(1, c.heads, c.tokens, c.tokens))
    if not c.dynamic or c.exporter == "script":
        return w.stored(np.ones((1, 1, c.tokens, c.tokens), bool) if truth else np.zeros((1, 1, c.tokens, c.tokens), np.float32))
    wide = w("Concat", w.batch_of(x), w.ints(1), w.ints(c.tokens), w.ints(c.tokens), axis=0)
    seen = w("Expand", w.stored(np.ones((1, 1, c.tokens, 1), bool)), wide)
    return seen if truth else w("Where", seen, w.constant(0.0), w.constant(-3.4028234663852886e38))


def probabilities(w, scores, mask):
    c = w.config
    scores = w("Add", scores, mask) if mask else scores
    p = w("Softmax", scores, axis=-1 if c.flat or c.spelling % 2 else 3)
    if c.guard:
        p = w("Where", w("IsNaN", p), w.constant(0.0), p)
    return w("Cast", w("Cast", p, to=TensorProto.FLOAT), to=TensorProto.FLOAT) if c.casts else p


def flat_product(w, q, k, v, x):
    """Scores and context with batch and heads as one axis; a mask is added between reshapes."""
    c = w.config
    q, k, v = (w.reshape(part, (-1, c.tokens, c.head)) for part in (q, k, v))
    scores, mask = scaled(w, q, w("Transpose", k, perm=[0, 2, 1])), mask_of(w, x)
    if mask:
        four = w("Add", w.reshape(scores, (-1, c.heads, c.tokens, c.tokens)), mask)
        scores = w.reshape(four, (-1, c.tokens, c.tokens))
    context = w("MatMul", probabilities(w, scores, None), v)
    return w.reshape(context, (-1, c.heads, c.tokens, c.head))


def attention(w, x):
    """Self-attention of x [batch, tokens, width] with its output projection."""
    c = w.config
    q, k, v, turned = queries_keys_values(w, x)
    if c.query_key_norm:
        q, k = w.norm(q, c.head), w.norm(k, c.head)
    if c.attention_op:
        mask = mask_of(w, x, truth=c.spelling % 2 == 0 or c.dynamic)
        scale = {} if c.scale == "none" else {"scale": c.head**-0.5}
        context = w("Attention", q, k, v, *([mask] if mask else []), is_causal=0, qk_matmul_output_mode=0, softcap=0.0, **scale)
    elif c.flat:
        context = flat_product(w, q, k, v, x)
    else:
        context = w("MatMul", probabilities(w, scaled(w, q, k if turned else keys_turned(w, k)), mask_of(w, x)), v)
    if c.regroup:
        context = w.reshape(context, (-1, c.heads, c.tokens, c.head) if c.dynamic else (1, -1, c.tokens, c.head))
    joined = w.batched(w("Transpose", context, perm=[0, 2, 1, 3]), c.tokens, c.width)
    return w.linear(joined, c.width, c.width, "out" in c.biases)


# ---- the model ----

def mlp(w, x):
    c, up = w.config, "up" in w.config.biases
    if c.gated == "halves":
        gate, value = w.split(w.linear(x, c.width, 2 * c.hidden, up), 2, 2, [c.hidden] * 2)
        h = w("Mul", w.activation(gate), value)
    else:
        h = w.activation(w.linear(x, c.width, c.hidden, up))
        h = w("Mul", h, w.linear(x, c.width, c.hidden, up)) if c.gated == "two" else h
    return w.linear(h, c.hidden, c.width, "down" in c.biases)


def block(w, x):
    c = w.config
    for part in (attention, mlp):
        y = part(w, w.norm(x, c.width) if c.norm == "pre" else x)
        if c.layer_scale:
            y = w("Mul", y, w.stored(w.random(c.width, spread=0.3, mean=0.5)))
        x = w("Add", y, x)
        x = w.norm(x, c.width) if c.norm == "post" else x
    return x


def expanded(w, image):
    """A learned token [1, 1, width] for each image."""
    c, token = w.config, w.stored(w.random(1, 1, w.config.width))
    if c.exporter == "dynamo":
        return w("Expand", token, w("Concat", w.batch_of(image), w.ints(1), w.ints(1), axis=0)) if c.dynamic else token
    shape = w.reshape(w("Concat", w.batch_of(image), w.ints(-1), w.ints(-1), axis=0), (-1,)) if c.dynamic else w.ints(1, -1, -1)
    ones = w("ConstantOfShape", w("Shape", shape) if c.dynamic else w.ints(3), value=numpy_helper.from_array(np.array([1], np.int64)))
    return w("Expand", token, w("Where", w("Equal", shape, w("Mul", ones, w.scalar(-1))), ones, shape))


def patches(w, image):
    """[batch, patches, width]"""
    c = w.config
    (ph, pw), (rows, columns), size = c.patch, c.grid, c.channels * c.patch[0] * c.patch[1]
    if c.patches == "linear":
        digits = w("Transpose", w.batched(image, c.channels, rows, ph, columns, pw), perm=[0, 2, 4, 3, 5, 1])
        y = w("MatMul", w.batched(digits, rows * columns, size), w.stored(w.random(size, c.width, spread=size**-0.5)))
        return w.add(y, w.stored(w.random(c.width, spread=0.2))) if "patch" in c.biases else y
    bias = [w.stored(w.random(c.width, spread=0.2))] if "patch" in c.biases else []
    weight, sizes = w.stored(w.random(c.width, c.channels, ph, pw, spread=size**-0.5)), [ph, pw]
    y = w("Conv", image, weight, *bias, dilations=[1, 1], group=1, kernel_shape=sizes, pads=[0, 0, 0, 0], strides=sizes)
    if c.exporter == "dynamo":
        y = w.batched(y, c.width, rows * columns)
    else:
        y = w.reshape(y, w("Concat", w("Slice", w("Shape", y), w.ints(0), w.ints(2), w.ints(0)), w.ints(-1), axis=0))
    return w("Transpose", y, perm=[0, 2, 1])


def embedding(w, image):
    c, x = w.config, patches(w, image)
    count = c.grid[0] * c.grid[1]
    if c.position == "patches":
        x = w("Add", x, w.stored(w.random(1, count, c.width, spread=0.5)))
    if c.prefix:
        x = w("Concat", *(expanded(w, image) for _ in range(c.prefix)), x, axis=1)
    if c.position == "tokens":
        x = w("Add", x, w.stored(w.random(1, c.tokens, c.width, spread=0.5)))
    return w.norm(x, c.width) if c.embedding_norm else x


def row(w, x, i):
    """Token i of each image: [batch, width]."""
    if w.config.spelling % 2:
        return w("Squeeze", w("Slice", x, w.ints(i), w.ints(i + 1), w.ints(1)), w.ints(1))
    return w("Gather", x, w.scalar(i), axis=1)


def pooled(w, x):
    """What the heads read: one vector an image, or two."""
    c = w.config
    if c.pool in ("class", "teacher"):
        return [row(w, x, i) for i in range(2 if c.pool == "teacher" else 1)]
    if c.pool == "patches":
        x = w("Slice", x, w.ints(c.prefix), w.ints(INT64_MAX), w.ints(1))
    return [w.mean(x, 1, 0)]


def head(w, x):
    c = w.config
    if c.final == "after":
        x = w.norm(x, c.width)
    if c.pooler:
        x = w("Tanh", w.linear(x, c.width, c.width, True, tokens=False))
    return w.linear(x, c.width, c.classes, "head" in c.biases, tokens=False)


def build(config):
    """The model."""
    w, c = Writer(config), config
    x = embedding(w, "pixel_values")
    for _ in range(c.layers):
        x = block(w, x)
    if c.final == "before":
        x = w.norm(x, c.width)
    batch, outputs = "batch" if c.dynamic else 1, []
    if c.pool != "tokens":
        logits = [head(w, y) for y in pooled(w, x)]
        outputs.append(("logits", w("Div", w("Add", *logits), w.constant(2.0)) if len(logits) == 2 else logits[0], [batch, c.classes]))
    if c.pool == "tokens" or c.hidden_output:
        outputs.append(("last_hidden_state", x, [batch, c.tokens, c.width]))
    for name, value, _ in outputs:
        w.nodes.append(helper.make_node("Identity", [value], [name]))
    graph = helper.make_graph(w.nodes, "main_graph", [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [batch, *c.image])],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, _, shape in outputs], w.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", c.opset)], ir_version=IR_VERSIONS[c.opset], producer_name="pytorch")
    onnx.checker.check_model(model, full_check=True)
    return model
