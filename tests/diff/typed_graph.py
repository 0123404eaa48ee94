"""Small graphs of any element type, their generated programs, and the comparison with ONNX Runtime, or with ONNX's reference where it has no such type."""
import math

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from conftest import VITCC, build_project, run, run_program

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
