"""A graph with ViT-B/16's dimensions: all of its linear layers' arithmetic goes to matrix kernels, and libxsmm makes every one of them."""
import ctypes
import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, run
from library import LEVELS

WIDTH, HEADS, MLP, LAYERS, CLASSES, PATCH, SIDE = 768, 12, 3072, 12, 1000, 16, 14
TOKENS = SIDE * SIDE + 1
LINEAR_FLOP = 2 * (SIDE * SIDE * 3 * PATCH * PATCH * WIDTH                    # patches
                   + (LAYERS - 1) * TOKENS * (4 * WIDTH + 2 * MLP) * WIDTH    # queries, keys, values and output; up and down
                   + (2 * TOKENS + 2) * WIDTH * WIDTH + 2 * WIDTH * MLP       # of the last block all keys and values, and the class token's row
                   + WIDTH * CLASSES)


class Graph:
    """Nodes and weights; these are pieces of one file of random numbers that begin at different places, so that all differ and little is written."""

    def __init__(self):
        self.nodes, self.weights, self.values = [], [], 0

    def weight(self, *dims):
        tensor = TensorProto(name=f"w{len(self.weights)}", dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        for key, value in ("location", "weights"), ("offset", 4096 * len(self.weights)), ("length", 4 * int(np.prod(dims))):
            tensor.external_data.add(key=key, value=str(value))
        self.weights.append(tensor)
        return tensor.name

    def integers(self, *values):
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), f"w{len(self.weights)}"))
        return self.weights[-1].name

    def add(self, operator, *inputs, **attributes):
        self.values += 1
        self.nodes.append(helper.make_node(operator, inputs, [f"v{self.values}"], name=f"{operator}_{self.values}", **attributes))
        return f"v{self.values}"

    def linear(self, x, width, to):
        return self.add("Add", self.add("MatMul", x, self.weight(width, to)), self.weight(to))

    def norm(self, x):
        return self.add("LayerNormalization", x, self.weight(WIDTH), self.weight(WIDTH), axis=-1, epsilon=1e-12)

    def heads(self, x, perm):
        split = self.add("Reshape", self.linear(x, WIDTH, WIDTH), self.integers(1, TOKENS, HEADS, WIDTH // HEADS))
        return self.add("Transpose", split, perm=perm)

    def block(self, x):
        n = self.norm(x)
        q, k, v = (self.heads(n, perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = self.add("Mul", self.add("MatMul", q, k), self.scale)
        rows = self.add("Transpose", self.add("MatMul", self.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        x = self.add("Add", self.linear(self.add("Reshape", rows, self.integers(1, TOKENS, WIDTH)), WIDTH, WIDTH), x)
        up = self.add("Gelu", self.linear(self.norm(x), WIDTH, MLP))
        return self.add("Add", self.linear(up, MLP, WIDTH), x)

    def whole(self):
        self.weights.append(numpy_helper.from_array(np.float32((WIDTH // HEADS) ** -0.5), "scale"))
        self.scale = "scale"
        patches = self.add("Conv", "pixel_values", self.weight(WIDTH, 3, PATCH, PATCH), self.weight(WIDTH), kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
        rows = self.add("Transpose", self.add("Reshape", patches, self.integers(1, WIDTH, SIDE * SIDE)), perm=[0, 2, 1])
        x = self.add("Add", self.add("Concat", self.weight(1, 1, WIDTH), rows, axis=1), self.weight(1, TOKENS, WIDTH))
        for _ in range(LAYERS):
            x = self.block(x)
        token = self.add("Gather", self.norm(x), self.integers(0), axis=1)
        return self.linear(self.add("Reshape", token, self.integers(1, WIDTH)), WIDTH, CLASSES)


@pytest.fixture(scope="module")
def vit_b(tmp_path_factory):
    """The folder with the generated project out/, and what vitcc printed."""
    folder = tmp_path_factory.mktemp("vit_b")
    graph = Graph()
    shapes = {"pixel_values": [1, 3, PATCH * SIDE, PATCH * SIDE], graph.whole(): [1, CLASSES]}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in shapes.items()]
    whole = helper.make_graph(graph.nodes, "vit", ports[:1], ports[1:], graph.weights)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "vit.onnx")
    floats = WIDTH * MLP + 1024 * len(graph.weights)
    (0.05 * np.random.default_rng(0).standard_normal(floats, np.float32)).tofile(folder / "weights")
    yield folder, run(VITCC, "compile", folder / "vit.onnx", "-o", folder / "out", "--name", "model").stdout
    (folder / "out/model.weights").unlink()


def test_everything_is_fused(vit_b):
    for what, count in ("attention", LAYERS), ("mlp", LAYERS), ("norm", 2 * LAYERS + 1), ("gelu", LAYERS):
        assert re.search(rf"^  {what} +{count} +{count}$", vit_b[1], re.M), vit_b[1]


def test_linear_layers_go_to_matrix_kernels(vit_b):
    report = json.loads((vit_b[0] / "out/model.json").read_text())
    assert report["kernels"] == "jit"
    assert report["linear_flop"] == LINEAR_FLOP
    assert report["linear_matrix_kernel_flop"] >= 0.99 * LINEAR_FLOP


def test_libxsmm_makes_every_matrix_kernel(vit_b):
    """In the library as it runs: none of them is left to the portable code."""
    folder = vit_b[0]
    run("cmake", "-S", folder / "out", "-B", folder / "build")
    run("cmake", "--build", folder / "build", "--target", "model_shared")
    tables = re.search(r"gemm_shapes\[2\]\[\d+\] = \{(.*?)^\};", (folder / "out/model.c").read_text(), re.S | re.M)[1]
    shapes = re.findall(r"\] = \{( *\d+,){3}", tables.split("/* AVX-512 */")[LEVELS[-1] == "5"])
    library, model = ctypes.CDLL(str(folder / "build/libmodel.so")), ctypes.c_void_p()
    assert library.model_open(ctypes.byref(model), str(folder / "out/model.weights").encode()) == 0
    assert library.model_generated_kernels(model) == len(shapes) > 0
    library.model_close(model)
