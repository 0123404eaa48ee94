"""Lengths of a run up to a capacity, as decoders' caches have: one program is right at every length, whatever it ran before; what cannot be cut short is refused."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import PASSES, ROOT, VITCC, build_project, check, load_outputs, run, safe, save_inputs, session
from library import Library, call, fusions, link

CAPACITY, ARGUMENT = 40, 1
STEPS = sorted((ROOT / "models/families").glob("*_past*/model.onnx"))
MERGED = ROOT / "models/decoders/trocr-optimum_merged/model.onnx"
FLAG = ["--bind", f"use_cache_branch={MERGED.parent}/next_use_cache_branch.npy"]
NAMES = {"past": None, "past + 1": None, "past_decoder_sequence_length": None, "batch_size": 1, "decoder_sequence_length": 1, "encoder_sequence_length": 17}


def options(model):
    """--shape with the capacity: of one input where the file names its axes, of all of a merged decoder, whose batch must be fixed."""
    if model != MERGED:
        first = next(i for i in session(model).get_inputs() if i.name == "past_0_key")
        return ["--shape", f"past_0_key=1,{first.shape[1]},past<={CAPACITY},16"]
    given = []
    for i in session(model).get_inputs()[:-1]:
        sizes = [s if isinstance(s, int) else NAMES[s] or f"past<={CAPACITY}" for s in i.shape]
        given += ["--shape", f"{i.name}={','.join(map(str, sizes))}"]
    return given + FLAG


def draw(model, length, seed):
    """Inputs at a length, some of the oldest keys masked; without the flag that is bound."""
    rng, inputs = np.random.default_rng([seed, length]), {}
    for i in session(model).get_inputs():
        sizes = [s if isinstance(s, int) else NAMES[s] or length + s.endswith("+ 1") for s in i.shape]
        if i.name == "attention_mask":
            inputs[i.name] = (np.arange(length + 1) >= length // 3).astype(np.int64)[None]
        elif i.type == "tensor(int64)":
            inputs[i.name] = rng.integers(3, 90, sizes)
        elif i.type == "tensor(float)":
            inputs[i.name] = rng.standard_normal(sizes).astype(np.float32)
    return inputs


def theirs(model, inputs):
    """ONNX Runtime's answers by name."""
    flag = {"use_cache_branch": np.array([True])} if model == MERGED else {}
    return dict(zip([o.name for o in session(model).get_outputs()], session(model).run(None, {**inputs, **flag})))


def double(model, folder, inputs, names, given):
    run(VITCC, "evaluate", model, "-o", folder / "double", *save_inputs(folder, inputs), *given, "--no-pass", "all")
    return load_outputs(folder / "double", names)


@pytest.mark.parametrize("model", [*STEPS, MERGED], ids=lambda model: model.parent.name)
def test_every_length(model, tmp_path):
    """By the rule of docs/numerics.md on 1, 2 and 3 threads; between the lengths a run on NaN, whose leavings must not matter. Beyond the capacity nothing runs."""
    given = options(model)
    printed = run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "--kernels", "portable", "--validate", *given).stdout
    for kind, (found, fused) in fusions(printed).items():
        assert found == fused, kind
    library, answers = Library(link(tmp_path / "out", len(model.parent.name), False), 1), []
    spoiled = {k: np.full_like(x, np.nan) if x.dtype == np.float32 else x for k, x in draw(model, CAPACITY, 0).items()}
    for which, length in enumerate((CAPACITY, 0, 1, 2, 17, 30, 31, CAPACITY - 1)):
        inputs = draw(model, length, 1)
        want = theirs(model, inputs)
        for thread in range(3):
            assert call(library, thread, list(spoiled.values()), CAPACITY, [np.empty(y.shape, y.dtype) for y in theirs(model, spoiled).values()]) == 0
        got = {k: np.full_like(y, 77) for k, y in want.items()}
        assert call(library, which, list(inputs.values()), length, list(got.values())) == 0
        answers.append((got, want, double(model, tmp_path, inputs, list(want), given)))
    for wrong in (-1, CAPACITY + 1, 2**62):
        assert call(library, 0, list(spoiled.values()), wrong, list(got.values())) == ARGUMENT
    library.close()
    check(answers)


@pytest.mark.parametrize("left_out", ["all", *(pytest.param(p, marks=[] if p == "lengths" else [pytest.mark.full_only]) for p in PASSES)])
def test_without_a_pass(left_out, tmp_path):
    """Each pass may be left out; that of lengths runs all the same."""
    model = STEPS[0]
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--no-pass", left_out, *options(model))
    library = Library(link(tmp_path / "out", 0, False), 1)
    for length in 0, 9:
        inputs = draw(model, length, 2)
        want = theirs(model, inputs)
        got = {k: np.full_like(y, 77) for k, y in want.items()}
        assert call(library, length, list(inputs.values()), length, list(got.values())) == 0
        for name, y in want.items():
            np.testing.assert_allclose(got[name], y, rtol=0, atol=2e-5)
    library.close()


def test_program(tmp_path):
    """The length is that of the files; where they differ, or pass the capacity, the program says so. The self-test that is stored has one, too."""
    model = STEPS[0]
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", *options(model))
    program, into = build_project(tmp_path), ["--output-dir", tmp_path / "got"]
    for length in 0, 3, CAPACITY:
        inputs = draw(model, length, 3)
        run(program, *save_inputs(tmp_path, inputs), *into, "-q")
        for name, y in theirs(model, inputs).items():
            np.testing.assert_allclose(np.load(tmp_path / "got" / f"{safe(name)}.npy"), y, rtol=0, atol=2e-5)
    wrong = run(program, *save_inputs(tmp_path, {**inputs, "past_1_value": inputs["past_1_value"][:, :, 1:]}), *into, status=1).stderr
    assert "in_past_1_value.npy: the shape is [1, 2, 39, 16], but 'past_1_value' takes [1, 2, 40, 16]" in wrong
    wrong = run(program, *save_inputs(tmp_path, draw(model, CAPACITY + 1, 3)), *into, status=1).stderr
    assert "in_attention_mask.npy: axis 1 of 'attention_mask' has 1 to 41 elements, not 42" in wrong
    assert "good" in run(program, "--selftest", tmp_path / "out/selftest").stdout
    run(program, "--bench", 2)


# ---- single operators: x [2, P, 4], last [2, P+1, 4] and c [2, 1, 4] in, y out ----

FLOAT = {"half": np.float32(0.5), "table": np.arange(60, dtype=np.float32).reshape(15, 4), "w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)}
WHOLE = {"zero": 0, "one": 1, "ax1": [1], "from1": [1], "big": [2**40], "i0": [0], "end": [-1], "pads": [0, 0, 0, 0, 2, 0], "before": [0, 1, 0, 0, 0, 0], "flat": [2, -1], "first": [0, -1]}
P = [("Shape", ["x"], ["n"], dict(start=1, end=2)), ("Squeeze", ["n"], ["n0"], {}), ("Add", ["n0", "one"], ["n1"], {})]
COUNT = P + [("Range", ["zero", "n0", "one"], ["count"], {}), ("Unsqueeze", ["count", "ax1"], ["column"], {})]
LONGER = [("Concat", ["x", "c"], ["z"], dict(axis=1))]
RIGHT = {
    "concat behind": LONGER + [("Exp", ["z"], ["y"], {})],
    "softmax along": LONGER + [("Softmax", ["z"], ["y"], dict(axis=1))],
    "softmax across": [("Softmax", ["x"], ["y"], dict(axis=2))],
    "sum of exp": [("Exp", ["x"], ["e"], {}), ("ReduceSum", ["e", "ax1"], ["y"], {})],
    "largest": LONGER + [("Abs", ["z"], ["a"], {}), ("Neg", ["a"], ["b"], {}), ("ReduceMax", ["b", "ax1"], ["y"], {})],
    "least": LONGER + [("Exp", ["z"], ["a"], {}), ("ReduceMin", ["a", "ax1"], ["y"], dict(keepdims=0))],
    "squares": [("Exp", ["x"], ["e"], {}), ("ReduceL2", ["e", "ax1"], ["y"], {})],
    "product over": [("Exp", ["x"], ["e"], {}), ("Transpose", ["e"], ["t"], dict(perm=[0, 2, 1])), ("MatMul", ["t", "e"], ["y"], {})],
    "attention over logarithms": LONGER + [("Abs", ["z"], ["a"], {}), ("Log", ["a"], ["k"], {}), ("Transpose", ["k"], ["t"], dict(perm=[0, 2, 1])),
                                           ("MatMul", ["c", "t"], ["s"], {}), ("Softmax", ["s"], ["p"], {}), ("MatMul", ["p", "k"], ["y"], {})],
    "linear": [("MatMul", ["x", "w"], ["y"], {})],
    "positions": COUNT + [("Cast", ["column"], ["f"], dict(to=1)), ("Mul", ["x", "f"], ["y"], {})],
    "the length": P + [("Cast", ["n"], ["f"], dict(to=1)), ("Mul", ["x", "f"], ["y"], {})],
    "a table's rows": [*P, ("Slice", ["table", "i0", "n"], ["t"], {}), ("Add", ["x", "t"], ["y"], {})],
    "embedded places": COUNT + [("Gather", ["table", "count"], ["t"], {}), ("Add", ["x", "t"], ["y"], {})],
    "the first": LONGER + [("Gather", ["z", "i0"], ["y"], dict(axis=1))],
    "the first, cut": LONGER + [("Slice", ["z", "i0", "one_", "ax1"], ["y"], {})],
    "the last": LONGER + [("Gather", ["z", "end"], ["y"], dict(axis=1))],
    "without the first": LONGER + [("Slice", ["z", "from1", "big", "ax1"], ["w1"], {}), ("Add", ["x", "half"], ["h"], {}), ("Sub", ["h", "x"], ["d"], {}), ("Add", ["w1", "d"], ["y"], {})],
    "without the last": LONGER + [("Slice", ["z", "i0", "end", "ax1"], ["w1"], {}), ("Add", ["w1", "x"], ["y"], {})],
    "padding behind": [("Transpose", ["x"], ["t"], dict(perm=[1, 0, 2])), ("Pad", ["t", "behind"], ["y"], {})],
    "transposed": [("Transpose", ["x"], ["y"], dict(perm=[2, 0, 1]))],
    "repeated": COUNT + [("Shape", ["x"], ["s"], {}), ("Expand", ["c", "s"], ["e"], {}), ("ReduceSum", ["e", "ax1"], ["y"], {})],
    "filled": [("Shape", ["x"], ["s"], {}), ("Expand", ["half", "s"], ["e"], {}), ("Add", ["e", "half"], ["g"], {}), ("ReduceSum", ["g", "ax1"], ["y"], {})],
    "filled behind": [("Shape", ["x"], ["s"], {}), ("Concat", ["s", "ax2"], ["s3"], dict(axis=0)), ("Unsqueeze", ["c", "three"], ["c3"], {}), ("Expand", ["c3", "s3"], ["e"], {}),
                      ("ReduceSum", ["e", "ax1"], ["y"], {})],
    "comparisons": COUNT + [("Less", ["column", "two"], ["b"], {}), ("Where", ["b", "x", "half"], ["y"], {})],
    "norm of rows": [("LayerNormalization", ["x", "gamma"], ["y"], dict(axis=-1))],
}
WRONG = {
    "a mean": ("reduce takes the mean along a length", [("ReduceMean", ["x", "ax1"], ["y"], {})]),
    "the largest of none": ("reduce takes the max along a length", [("ReduceMax", ["x", "ax1"], ["y"], {})]),
    "softmax of none": ("softmax may be over nothing", [("Softmax", ["x"], ["y"], dict(axis=1))]),
    "behind others": ("concat puts a length behind other elements", [("Concat", ["c", "x"], ["y"], dict(axis=1))]),
    "a norm along": ("norm works along a length", [("Transpose", ["x"], ["t"], dict(perm=[0, 2, 1])), ("LayerNormalization", ["t", "unit"], ["y"], dict(axis=1))]),
    "padding before": ("pad puts elements before a length", [("Pad", ["x", "before"], ["y"], {})]),
    "flattened": ("makes a size that is no length and more", [("Reshape", ["x", "flat"], ["y"], {})]),
    "two lengths": ("makes a size that is no length and more", [("Transpose", ["x"], ["t"], dict(perm=[0, 2, 1])), ("MatMul", ["x", "t"], ["s"], {}), ("Softmax", ["s"], ["y"], {})]),
}
WHOLE.update(one_=[1], ax2=[2], two=2, behind=[0, 0, 0, 2, 0, 0], three=[3])
FLOAT.update(gamma=np.ones(4, np.float32), unit=np.ones(1, np.float32))


def save(path, nodes):
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in FLOAT.items()] + [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in WHOLE.items()]
    used = {i for n in nodes for i in n[1]}
    made = [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in nodes]
    graph = helper.make_graph(made, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, "P", 4]), helper.make_tensor_value_info("c", TensorProto.FLOAT, [2, 1, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [c for c in constants if c.name in used])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


@pytest.mark.parametrize("case", RIGHT)
def test_operator(case, tmp_path):
    """Every length from 0 to the capacity, the longest first."""
    path, capacity = tmp_path / "m.onnx", 11
    save(path, RIGHT[case])
    run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "-q", "--validate", "--kernels", "portable", "--shape", f"x=2,P<={capacity},4")
    library = Library(link(tmp_path / "out", 1, False), 1)
    for length in range(capacity, -1, -1):
        rng = np.random.default_rng(length)
        x, c = rng.standard_normal((2, length, 4)).astype(np.float32), rng.standard_normal((2, 1, 4)).astype(np.float32)
        want = session(path).run(None, {"x": x, "c": c})[0]
        got = np.full_like(want, 77)
        assert call(library, length, [x, c], length, [got], 2) == 0
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    library.close()


def test_outermost(tmp_path):
    """A length may be the first axis: then the batch is one."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Add", ["z", "b"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["P", width]) for name, width in (("x", 4), ("b", 3), ("y", 3))]
    graph = helper.make_graph(nodes, "g", ports[:2], ports[2:], [numpy_helper.from_array(FLOAT["w"], "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), tmp_path / "m.onnx")
    run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--shape", "x=P<=9,4")
    library = Library(link(tmp_path / "out", 0, False), 1)
    for length in 9, 0, 4:
        inputs = {"x": np.random.default_rng(length).standard_normal((length, 4)).astype(np.float32), "b": np.ones((length, 3), np.float32)}
        want = session(tmp_path / "m.onnx").run(None, inputs)[0]
        got = np.full_like(want, 77)
        assert call(library, length, list(inputs.values()), length, [got]) == 0
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    library.close()


@pytest.mark.parametrize("case", WRONG)
def test_refused(case, tmp_path):
    """With the operator, and the option that fixes it; a number there does."""
    why, nodes = WRONG[case]
    save(tmp_path / "m.onnx", nodes)
    said = run(VITCC, "check", tmp_path / "m.onnx", "--shape", "x=2,P<=11,4", status=1).stderr
    assert f"{why}; P is axis 1 of input 'x', and a number there in --shape 'x=…' fixes it" in said and "error E306" in said, said
    run(VITCC, "check", tmp_path / "m.onnx", "--shape", "x=2,11,4")


@pytest.mark.parametrize("given, why", [
    ("x=2,P<=0,4", "axis 1 cannot be 'P<=0'"), ("x=2,P<=,4", "axis 1 cannot be 'P<='"), ("x=2,P<=3000000,4", "axis 1 cannot be 'P<=3000000'"),
    ("x=2,P+1,4", "axis 1: 'P' has no capacity; one is given as P<=48"), ("x=2,P<=7+1,4", "axis 1 cannot be 'P<=7+1'"),
])
def test_wrong_shape(given, why, tmp_path):
    save(tmp_path / "m.onnx", RIGHT["linear"])
    assert why in run(VITCC, "check", tmp_path / "m.onnx", "--shape", given, status=1).stderr
