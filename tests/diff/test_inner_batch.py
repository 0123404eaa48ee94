"""The batch as any axis of inputs and outputs: images that lie in between one another are gathered and scattered, right for every batch, by any number of threads."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import ROOT, VITCC, build_project, check, load_outputs, random_inputs, run, run_program, save_inputs, session
from library import Library, call, link

F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
TRANSFORMERS = sorted((ROOT / "models/families").glob("transformer-*_batch/model.onnx"))
TOKENS = {"x": (F, [6, "N", 8])}
VIEWS = {"x": (F, ["N", 6, 8]), "z": (F, ["N", 6, 8])}
CASES = {   # inputs, nodes; the last node gives y
    "element by element": ({"x": (F, [6, "N"])}, [("Neg", ["x"], {})]),
    "features outside": ({"x": (F, [8, "N"])}, [("Gemm", ["x", "w", "five"], dict(transA=1))]),
    "columns": ({"x": (F, [3, 8, "N"])}, [("MatMul", ["square", "x"], {})]),
    "a matrix for each token": (TOKENS, [("MatMul", ["x", "each"], {})]),
    "a layer of rows": (TOKENS, [("Flatten", ["x"], dict(axis=2)), ("Gemm", [0, "w", "five"], {}), ("Reshape", [1, "rows"], {})]),
    "a mask of images": ({**TOKENS, "m": (B, ["N", 6])}, [("Transpose", ["m"], {}), ("Unsqueeze", [0, "two"], {}), ("Where", [1, "zero", "x"], {})]),
    "both places": ({**TOKENS, "z": (F, ["N", 6, 8])}, [("Transpose", ["z"], dict(perm=[1, 0, 2])), ("Add", ["x", 0], {})]),
    "words": ({"x": (I, [6, "N"])}, [("Gather", ["w", "x"], {})]),
    "images last": ({"x": (F, [3, 8, 8, "N"])}, [("Transpose", ["x"], dict(perm=[3, 0, 1, 2])), ("Conv", [0, "kernel"], {}), ("Transpose", [1], dict(perm=[1, 2, 3, 0]))]),
    "attention over tokens": ({"q": (F, [5, "N", 8]), "k": (F, [7, "N", 8])}, [("Einsum", ["q", "k"], dict(equation="ind,jnd->ijn")), ("Softmax", [0], dict(axis=1)),
                                                                             ("Einsum", [1, "k"], dict(equation="ijn,jnd->ind"))]),
    "heads outside images": ({"x": (F, ["N", 6, 8])}, [("Reshape", ["x", "heads"], {}), ("Transpose", [0], dict(perm=[2, 0, 1, 3])), ("Transpose", [0], dict(perm=[2, 0, 3, 1])), ("MatMul", [1, 2], {}), ("Softmax", [3], dict(axis=-1)),
                                               ("MatMul", [4, 1], {}), ("Transpose", [5], dict(perm=[1, 2, 0, 3]))]),
    "along the tokens": (TOKENS, [("ReduceMean", ["x", "first"], {}), ("Sub", ["x", 0], {}), ("Slice", [1, "one", "four", "first"], {}), ("Pad", [2, "pads"], {})]),
    "neighbouring tokens": ({"x": (F, [9, "N", 4])}, [("Transpose", ["x"], dict(perm=[1, 2, 0])), ("MaxPool", [0], dict(kernel_shape=[3], strides=[2])),
                                                      ("Transpose", [1], dict(perm=[2, 0, 1]))]),
    "the largest": ({"x": (F, [6, "N"])}, [("TopK", ["x", "three"], dict(axis=0))]),
    "windows of tokens": ({"x": (F, [8, "N", 4])}, [("Reshape", ["x", "windows"], {}), ("Softmax", [0], dict(axis=1)), ("Reshape", [1, "apart"], {})]),
    "picked": ({**TOKENS, "i": (I, [2, "N", 8])}, [("GatherElements", ["x", "i"], dict(axis=0))]),
    "tokens outside images in one axis": (TOKENS, [("Flatten", ["x"], dict(axis=2)), ("Neg", [0], {})]),
    "all in one axis": (TOKENS, [("Neg", ["x"], {}), ("Reshape", [0, "flat"], {})]),
    "two stacks in one axis": ({"x": (F, ["N", 8])}, [("Unsqueeze", ["x", "first"], {}), ("Neg", [0], {}), ("Concat", [0, 1], dict(axis=0)), ("Reshape", [2, "narrow"], {})]),
    "two views of each image": (VIEWS, [("Concat", ["x", "z"], dict(axis=0)), ("MatMul", [0, "w"], {}), ("Split", [1], dict(axis=0, num_outputs=2)), ("Mul", [2, "n2b"], {})]),
    "the first and the second views": (VIEWS, [("Concat", ["x", "z"], dict(axis=0)), ("MatMul", [0, "w"], {}), ("Shape", ["x"], dict(start=0, end=1)),
                                               ("Slice", [1, "first", 2, "first"], {}), ("Slice", [1, 2, "huge", "first"], {}), ("Sub", [3, 4], {})]),
    "both halves": (VIEWS, [("Concat", ["x", "z"], dict(axis=0)), ("Softmax", [0], {}), ("Shape", [1], dict(start=0, end=1)), ("Add", [2, "one"], {}), ("Div", [3, "two"], {}),
                            ("Slice", [1, "first", 4, "first"], {}), ("Slice", [1, 4, "huge", "first"], {}), ("Sub", [5, 6], {})]),
    "views of other numbers": (VIEWS, [("Concat", ["x", "z", "x"], dict(axis=0)), ("Shape", ["x"], dict(start=0, end=1)), ("Add", [1, 1], {}), ("Concat", [1, 2], dict(axis=0)),
                                       ("Split", [0, 3], dict(axis=0)), ("Neg", ["n4b"], {})]),
    "views between tokens": (TOKENS, [("Neg", ["x"], {}), ("Concat", ["x", 0], dict(axis=1)), ("Softmax", [1], dict(axis=0)), ("Split", [2], dict(axis=1, num_outputs=2)), ("Mul", [3, "n3b"], {})]),
    "handed on": (TOKENS, [("Identity", ["x"], {})]),
    "one of two": ({**TOKENS, "z": (F, [6, "N", 8])}, [("Relu", ["z"], {})]),
    "two places for each image": ({"z": (F, ["2*N", 8]), "x": (F, ["N", 6, 8])}, [("Reshape", ["z", "pairs"], {}), ("ReduceMean", [0, "second"], {}), ("Add", ["x", 1], {})]),
    "two places for each image, inside": ({"z": (F, [6, "2*N", 8]), "x": (F, ["N", 4])}, [("Reshape", ["z", "inside"], {}), ("ReduceMax", [0, "two"], dict(keepdims=0))]),
    "one place": ({"x": (F, [1, "N", 8])}, [("Relu", ["x"], {})]),
}
RNG = np.random.default_rng(1)
NORMAL = {"w": (8, 5), "five": (5,), "square": (5, 8), "each": (6, 8, 5), "kernel": (4, 3, 3, 3)}
CONSTANTS = {k: RNG.standard_normal(s).astype(np.float32) for k, s in NORMAL.items()} | {"zero": np.float32(0)} | {
    k: np.array(v, np.int64) for k, v in dict(rows=[6, -1, 5], first=[0], one=[1], two=[2], three=[3], four=[4], pads=[1, 0, 0, 0, 0, 2], windows=[2, 4, -1, 4], apart=[8, -1, 4], pairs=[-1, 2, 8], second=[1], inside=[6, -1, 2, 8], flat=[-1], narrow=[-1, 4], huge=[2**62], heads=[-1, 6, 2, 4]).items()}


def save(path, inputs, nodes):
    """The model of these nodes: an input that is a number is the first result of that node; a second one is called n1b."""
    made = [helper.make_node(op, [i if isinstance(i, str) else f"n{i}" for i in given],
                             ["y" if n == len(nodes) - 1 else f"n{n}"] + [f"n{n}b"] * (op in ("TopK", "Split")), **more) for n, (op, given, more) in enumerate(nodes)]
    used = {i for n in made for i in n.input}
    graph = helper.make_graph(made, "g", [helper.make_tensor_value_info(k, *v) for k, v in inputs.items()], [helper.make_tensor_value_info("y", F, None)],
                              [numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in used])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def draw(inputs, batch):
    rng = np.random.default_rng(batch)
    make = {F: lambda s: rng.standard_normal(s).astype(np.float32), I: lambda s: rng.integers(0, 6, s), B: lambda s: rng.random(s) > 0.5}
    return {k: make[t]([{"N": 1, "2*N": 2}[d] * batch if isinstance(d, str) else d for d in shape]) for k, (t, shape) in inputs.items()}


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_equals_onnx_runtime(case, images, tmp_path):
    """By the rule of docs/numerics.md, at batches of 1, 2, 3 and 5, run one by one or two together; after every pass the graph means the same."""
    inputs, nodes = CASES[case]
    path, answers = tmp_path / "m.onnx", []
    save(path, inputs, nodes)
    shape = ["--shape", "x=1,N,8"] if case == "one place" else []      # there the file does not tell that it is the batch
    run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--validate", "--panel-images", images, *shape)
    library = Library(link(tmp_path / "out", 0, False), 5)
    for which, batch in enumerate([1, 2, 3, 5]):
        given = draw(inputs, batch)
        want = session(path).run(["y"], given)[0]
        got = np.full_like(want, 77)
        library.run(which, list(given.values()), [got], batch)
        run(VITCC, "evaluate", path, "-o", tmp_path / "double", *save_inputs(tmp_path, given), "--no-pass", "all", *shape)
        answers.append(({"y": got}, {"y": want}, load_outputs(tmp_path / "double", ["y"])))
    library.close()
    check(answers)


@pytest.mark.parametrize("model", TRANSFORMERS, ids=lambda model: model.parent.name)
def test_program(model, tmp_path):
    """Files hold the whole batch, inside as it is; what the compiler stored for --selftest is one image."""
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q")
    header = (tmp_path / "out/model.h").read_text()
    assert "*src;   /* [10,batch,16] */" in header and "*decoded;   /* [6,batch,16] */" in header
    program = build_project(tmp_path)
    assert "good" in run(program, "--selftest", tmp_path / "out/selftest").stdout
    for batch in 1, 4:
        inputs = random_inputs(model, 1, batch)
        want = session(model).run(None, inputs)[0]
        got = run_program(program, tmp_path, inputs, ["decoded"], "-q", "--threads", 2)["decoded"]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    np.save(tmp_path / "in_tgt.npy", inputs["tgt"][:, :2])
    said = run(program, "--input", f"src={tmp_path}/in_src.npy", "--input", f"tgt={tmp_path}/in_tgt.npy", "--output-dir", tmp_path / "none", status=1).stderr
    assert "the shape is [6, 2, 16], but 'tgt' takes [6, 4, 16]" in said


def test_a_length_beside_it(tmp_path):
    """A cache of tokens outside the batch: both are the run's."""
    save(tmp_path / "m.onnx", {"x": (F, ["P", "N", 8]), "new": (F, [1, "N", 8])}, [("Concat", ["x", "new"], dict(axis=0)), ("ReduceSum", [0, "first"], {}), ("Div", [0, 1], {})])
    run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--shape", "x=P<=9,N,8", "--shape", "new=1,N,8")
    library = Library(link(tmp_path / "out", 0, False), 3)
    for which, (length, batch) in enumerate([(9, 2), (1, 3), (0, 2), (4, 1)]):
        rng = np.random.default_rng(length)
        inputs = {k: rng.random((n, batch, 8), np.float32) for k, n in (("x", length), ("new", 1))}
        want = session(tmp_path / "m.onnx").run(None, inputs)[0]
        got = np.full_like(want, 77)
        assert call(library, which, list(inputs.values()), length, [got], batch) == 0
        np.testing.assert_allclose(got, want, rtol=1e-5)
    library.close()
