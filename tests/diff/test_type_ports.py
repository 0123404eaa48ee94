"""What goes in and out of programs and libraries: element types, scalars, tensors without elements, names."""
import ctypes

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from conftest import VITCC, run, save_inputs
from typed_graph import Graph, assert_same, compare, compile_graph, each, join, numpy_type, onnx_type, values


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
