"""Indices that count along the run-time batch: gathering by them is a move, or within each image where a run adds to them, right for every batch; what is neither is refused."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, evaluate, run, session
from library import Library, link

WIDTH = 6
COUNT = [("Shape", ["x"], ["n"], dict(start=0, end=1)), ("Squeeze", ["n"], ["n0"], {}), ("Range", ["zero", "n0", "one"], ["count"], {})]
FLAT = [("Mul", ["count", "width"], ["first"], {}), ("Unsqueeze", ["first", "last_axis"], ["rows"], {}), ("Reshape", ["x", "flat"], ["xs"], {})]
PAIR = [("Unsqueeze", ["count", "last_axis"], ["c"], {}), ("Concat", ["n", "four"], ["shape"], dict(axis=0)), ("Expand", ["c", "shape"], ["left"], {}),
        ("Expand", ["evens", "shape"], ["right"], {}), ("Unsqueeze", ["left", "last_axis"], ["l"], {}), ("Unsqueeze", ["right", "last_axis"], ["r"], {})]
def BOX(columns):
    """Columns of each row become others."""
    spread = [(op, [columns if i == "evens" else i for i in inputs], outputs, more) for op, inputs, outputs, more in PAIR]
    return spread + [("Concat", ["l", "r"], ["i"], dict(axis=-1)), ("Gather", ["x", "shuffled"], ["u"], dict(axis=1)),
                     ("ScatterND", ["x", "i", "u"], ["y"], {})]


BEST = [("ArgMax", ["x"], ["best"], dict(axis=1, keepdims=0))]
ROWS = [("Reshape", ["x", "two_rows"], ["x3"], {}), ("ArgMax", ["x3"], ["bests"], dict(axis=2, keepdims=0)), ("Unsqueeze", ["count", "last_axis"], ["c"], {})]
UNSQUEEZED = [("Unsqueeze", ["count", "last_axis"], ["c"], {}), ("Unsqueeze", ["best", "last_axis"], ["b"], {})]
COLUMNS = [("Transpose", ["x3"], ["xt"], dict(perm=[1, 0, 2])), ("Reshape", ["xt", "two_columns"], ["x2"], {}), ("Mul", ["c", "three"], ["first"], {}),
           ("Add", ["first", "bests"], ["i"], {}), ("Gather", ["x2", "i"], ["z"], dict(axis=1)), ("Transpose", ["z"], ["y"], dict(perm=[1, 0, 2]))]
RUN = {
    "one of each row, flat": FLAT + BEST + [("Add", ["best", "first"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})],
    "three of each row, flat": FLAT + ROWS + [("Mul", ["c", "width"], ["f"], {}), ("Add", ["f", "bests"], ["i2"], {}), ("Add", ["i2", "zero_three"], ["i"], {}),
                                              ("Gather", ["xs", "i"], ["y"], {})],
    "behind another axis": ROWS + COLUMNS,
    "one of each row": BEST + UNSQUEEZED + [("Concat", ["c", "b"], ["i"], dict(axis=-1)), ("GatherND", ["x", "i"], ["y"], {})],
    "from the end": BEST + UNSQUEEZED + [("Sub", ["b", "width"], ["e"], {}), ("Concat", ["c", "e"], ["i"], dict(axis=-1)), ("GatherND", ["x", "i"], ["y"], {})],
    "columns of images": BEST + UNSQUEEZED + [("Transpose", ["x"], ["t"], {}), ("Concat", ["b", "c"], ["i"], dict(axis=-1)), ("GatherND", ["t", "i"], ["y"], {})],
    "slices": ROWS + BEST + UNSQUEEZED[1:] + [("Div", ["b", "three"], ["r"], {}), ("Concat", ["c", "r"], ["i"], dict(axis=-1)), ("GatherND", ["x3", "i"], ["y"], {})],
    "three coordinates": ROWS + [("Concat", ["n", "two"], ["shape"], dict(axis=0)), ("Expand", ["c", "shape"], ["left"], {}), ("Expand", ["backwards", "shape"], ["row"], {}),
                                 ("Unsqueeze", ["left", "last_axis"], ["l"], {}), ("Unsqueeze", ["row", "last_axis"], ["r"], {}),
                                 ("Unsqueeze", ["bests", "last_axis"], ["b"], {}), ("Concat", ["l", "r", "b"], ["i"], dict(axis=-1)), ("GatherND", ["x3", "i"], ["y"], {})],
    "scattered": BEST + UNSQUEEZED + [("Concat", ["c", "b"], ["i"], dict(axis=-1)), ("ConstantOfShape", ["n"], ["zeros"], {}),
                                      ("ScatterND", ["x", "i", "zeros"], ["y"], {})],
    "largest slices": ROWS + BEST + UNSQUEEZED[1:] + [("Div", ["b", "three"], ["r"], {}), ("Concat", ["c", "r"], ["i"], dict(axis=-1)), ("ReduceMin", ["x3", "one_axis"], ["s"], dict(keepdims=0)),
                                                    ("ScatterND", ["x3", "i", "s"], ["y"], dict(reduction="max"))],
    "scattered, columns of images": BEST + UNSQUEEZED + [("Transpose", ["x"], ["t"], {}), ("Concat", ["b", "c"], ["i"], dict(axis=-1)), ("ConstantOfShape", ["n"], ["zeros"], {}),
                                                         ("ScatterND", ["t", "i", "zeros"], ["z"], {}), ("Transpose", ["z"], ["y"], {})],
    "elements scattered": ROWS + [("Unsqueeze", ["bests", "last_axis"], ["b"], {}), ("ReduceMin", ["x3", "two"], ["s"], {}), ("ScatterElements", ["x3", "b", "s"], ["y"], dict(axis=2, reduction="max"))],
    "rows of constant places": [("Transpose", ["x"], ["t"], {}), ("Gather", ["t", "one"], ["g"], {}), ("Unsqueeze", ["g", "zero_axis"], ["u"], {}),
                                ("ScatterND", ["t", "place", "u"], ["z"], {}), ("Transpose", ["z"], ["y"], {})],
    "a slice of each image": BOX("middle"),
    "not all of a slice": BOX("evens"),
    "a slice from the end": BOX("ends"),
    "pixels of each image": [("Reshape", ["x", "image"], ["picture"], {}), ("Reshape", ["x", "grid"], ["places"], {}), ("GridSample", ["picture", "places"], ["y"], dict(mode="nearest"))],
    "batch axes": ROWS + [("GatherND", ["x3", "b3"], ["y"], dict(batch_dims=2))],
}
RUN["batch axes"].insert(2, ("Unsqueeze", ["bests", "last_axis"], ["b3"], {}))
RIGHT = {
    "every element": FLAT + [("Add", ["rows", "all"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})],
    "every second, from 1": FLAT + [("Add", ["rows", "odds"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})],
    "backwards": FLAT + [("Sub", ["rows", "all_below"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})],
    "flattened": FLAT + [("Add", ["rows", "all"], ["ij"], {}), ("Reshape", ["ij", "flat"], ["i"], {}), ("Gather", ["xs", "i"], ["z"], {}), ("Reshape", ["z", "square"], ["y"], {})],
    "pairs": PAIR + [("Concat", ["l", "r"], ["i"], dict(axis=-1)), ("GatherND", ["x", "i"], ["y"], {})],
    "images in the last axis": [("Transpose", ["x"], ["y"], {})],
    "images between": [("Reshape", ["x", "two_rows"], ["x3"], {}), ("Transpose", ["x3"], ["y"], dict(perm=[1, 0, 2]))],
    "rows outside images in one axis": [("Transpose", ["x"], ["t"], {}), ("Reshape", ["t", "flat"], ["f"], {}), ("Neg", ["f"], ["e"], {}), ("Reshape", ["e", "columns"], ["y"], {})],
    **RUN,
    "shape alone": [("Max", ["count", "one"], ["m"], {}), ("Shape", ["m"], ["s"], {}), ("Concat", ["s", "six"], ["shape"], dict(axis=0)), ("Reshape", ["x", "shape"], ["y"], {})],
}
WRONG = {
    "numbers are needed": ("E306", [("Cast", ["count"], ["f"], dict(to=1)), ("Unsqueeze", ["f", "last_axis"], ["g"], {}), ("Mul", ["x", "g"], ["y"], {})]),
    "beyond the end": ("E306", FLAT + [("Add", ["rows", "all_above"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})]),
    "images overlap": ("E311", FLAT + [("Unsqueeze", ["count", "last_axis"], ["c"], {}), ("Add", ["c", "all"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})]),
    "of the run, beyond the row": ("E306", FLAT + BEST + [("Add", ["best", "one"], ["b"], {}), ("Add", ["b", "first"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})]),
    "of the run, of any size": ("E306", FLAT + [("Cast", ["x"], ["b"], dict(to=7)), ("Add", ["b", "rows"], ["i"], {}), ("Gather", ["xs", "i"], ["y"], {})]),
    "of the run, every second image": ("E306", BEST + [("Mul", ["count", "three"], ["d"], {}), ("Unsqueeze", ["d", "last_axis"], ["c"], {}),
                                       ("Unsqueeze", ["best", "last_axis"], ["b"], {}), ("Concat", ["c", "b"], ["i"], dict(axis=-1)), ("GatherND", ["x", "i"], ["y"], {})]),
    "images cut": ("E311", [("Transpose", ["x"], ["t"], {}), ("Reshape", ["t", "flat"], ["f"], {}), ("Neg", ["f"], ["e"], {}), ("Reshape", ["e", "square"], ["y"], {})]),
    "a diagonal": ("E306", PAIR + [("Concat", ["l", "l"], ["i"], dict(axis=-1)), ("GatherND", ["x", "i"], ["y"], {})]),
}
CONSTANTS = dict(middle=[[1, 2, 3]], ends=[[-3, -2, -1]], shuffled=[5, 0, 4],
                 image=[-1, 1, 2, 3], grid=[-1, 1, 3, 2], one_axis=[1], zero_axis=[0], place=[[4]], three=3, two=[2], two_rows=[-1, 2, 3], two_columns=[2, -1], backwards=[[1, 0]], zero_three=[[0, 3]], zero=0, one=1, width=WIDTH, last_axis=[-1], flat=[-1], columns=[WIDTH, -1], square=[-1, WIDTH], six=[WIDTH], four=[3], all=[range(WIDTH)], odds=[[1, 3, 5]], evens=[[0, 2, 4]],
                 all_below=[[-5, -4, -3, -2, -1, 0]], all_above=[[1, 2, 3, 4, 5, 6]])


def save(path, nodes):
    """The model of these nodes: x [N, 6] in, y out."""
    used = {i for n in COUNT + nodes for i in n[1]}
    constants = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in CONSTANTS.items() if k in used]
    made = [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in COUNT + nodes]
    graph = helper.make_graph(made, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


@pytest.mark.parametrize("case", RIGHT)
def test_gathered(case, tmp_path):
    """Evaluator and program give ONNX Runtime's bits for batches of 1, 2 and 3."""
    path = tmp_path / "m.onnx"
    save(path, RIGHT[case])
    run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable")
    library = Library(link(tmp_path / "out", 0, False), 3)
    for batch in 1, 2, 3:
        inputs = {"x": np.random.default_rng(batch).standard_normal((batch, WIDTH)).astype(np.float32)}
        want = session(path).run(None, inputs)[0]
        np.testing.assert_array_equal(evaluate(path, tmp_path, inputs, ["y"])["y"], want)
        got = np.full_like(want, 77)
        library.run(batch, [inputs["x"]], [got])
        np.testing.assert_array_equal(got, want)
    library.close()


@pytest.mark.parametrize("case, scatters", [("a slice of each image", 0), ("a slice from the end", 0), ("not all of a slice", 1)])
def test_slices_are_concatenations(case, scatters, tmp_path):
    save(tmp_path / "m.onnx", RUN[case])
    printed = run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "-q", "--dump-after", "dce").stdout
    assert printed.count(" = scatter(") == scatters and printed.count(" = concat(") == 1 - scatters


PICKED = ["one of each row, flat", "three of each row, flat", "behind another axis", "one of each row", "from the end", "columns of images", "slices", "three coordinates"]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", RUN)
def test_fixed_batch(case, batch, tmp_path):
    """The same answers with a batch that --shape fixes; and the same picks within each image, no gather over all of them, by either way to write the indices."""
    path = tmp_path / "m.onnx"
    save(path, RUN[case])
    printed = run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--shape", f"x={batch},{WIDTH}", "--dump-after", "dce").stdout
    if case in PICKED:
        assert " = pick(" in printed and " = gather(" not in printed
    library = Library(link(tmp_path / "out", 0, False), batch)
    inputs = {"x": np.random.default_rng(batch).standard_normal((batch, WIDTH)).astype(np.float32)}
    want = session(path).run(None, inputs)[0]
    got = np.full_like(want, 77)
    library.run(0, [inputs["x"]], [got])
    np.testing.assert_array_equal(got, want)
    library.close()


@pytest.mark.parametrize("case", WRONG)
def test_refused(case, tmp_path):
    code, nodes = WRONG[case]
    save(tmp_path / "m.onnx", nodes)
    assert f"error {code}:" in run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", status=1).stderr
