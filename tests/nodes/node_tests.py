"""The official node tests of this field: which they are, and what vitcc makes of one."""
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

DATA = pathlib.Path(onnx.__file__).parent / "backend/test/data/node"
OPERATORS = set("""Abs Add And ArgMax ArgMin Attention AveragePool BatchNormalization BitShift Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Concat
Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal
Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
GridSample GroupNormalization HardSigmoid HardSwish Identity If InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Less
LessOrEqual Log LogSoftmax Loop LpNormalization MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RandomUniformLike Range
Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
Resize RotaryEmbedding Round Scan ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth
Split Sqrt Squeeze Sub Sum Swish Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor""".split())
TYPES = set(range(1, 17)) - {8, 14, 15}   # below 17, without string and complex


def belongs(model):
    """Whether all inputs and outputs are tensors of TYPES and all nodes operators of the list."""
    values = [*model.graph.input, *model.graph.output]
    tensors = all(v.type.WhichOneof("value") == "tensor_type" and v.type.tensor_type.elem_type in TYPES for v in values)
    return tensors and all(n.domain in ("", "ai.onnx") and n.op_type in OPERATORS for n in model.graph.node)


def from_folder(folder):
    """A test as (name, model, inputs, outputs), of onnx packages that carry the files."""
    def read(kind):
        count = len(list((folder / "test_data_set_0").glob(f"{kind}_*.pb")))
        return [numpy_helper.to_array(onnx.load_tensor(folder / f"test_data_set_0/{kind}_{i}.pb")) for i in range(count)]
    model = onnx.load(folder / "model.onnx")
    return (folder.name, model, read("input"), read("output")) if belongs(model) else None


def from_case(case):
    """The same, of packages that make the tests when asked."""
    def array(a):
        return numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else np.asarray(a)
    return (case.name, case.model, *([array(a) for a in part] for part in case.data_sets[0])) if belongs(case.model) else None


def selected():
    """The tests of the installed package that belong to the field, by name."""
    if DATA.is_dir():
        made = (from_folder(f) for f in sorted(DATA.iterdir()))
    else:
        made = (from_case(c) for c in sorted(loader.load_model_tests(kind="node"), key=lambda c: c.name))
    return [t for t in made if t]


def file_of(name):
    """The file of an input or output of this name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def difference(got, want):
    """What is wrong with an output; empty: nothing."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype}{got.shape} for {want.dtype}{want.shape}"
    if got.dtype.kind not in "fV" and str(got.dtype) != "bfloat16":
        return "" if np.array_equal(got, want) else "values"
    got, want = got.astype(np.float64), want.astype(np.float64)
    return "" if np.allclose(got, want, rtol=1e-3, atol=1e-7, equal_nan=True) else f"values: {np.nanmax(np.abs(got - want), initial=0)}"


def bound(model, values, first=1):
    """A copy whose inputs from the `first`-th on are initializers, as --bind makes them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for v, value in list(zip(copy.graph.input, values))[first:]:
        copy.graph.initializer.append(numpy_helper.from_array(value, v.name))
    del copy.graph.input[first:]
    return copy


def evaluate(vitcc, model, values, work):
    """Runs `vitcc evaluate --typed`; the outputs, or the error's first code."""
    onnx.save(model, work / "model.onnx")
    flags = []
    for i, (v, value) in enumerate(zip(model.graph.input, values)):
        raw = value.view("V2") if str(value.dtype) == "bfloat16" else value
        np.save(work / f"in{i}.npy", raw)
        flags += ["--input", f"{v.name}={work / f'in{i}.npy'}"]
    command = [vitcc, "evaluate", work / "model.onnx", "--typed", "--no-pass", "all", "-o", work / "out", *flags]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        code = re.search(r"error (E\d+)", done.stderr)
        return code[1] if code else f"status {done.returncode}", done.stderr
    return [np.load(work / "out" / f"{file_of(o.name)}.npy") for o in model.graph.output], ""


def judged(got, wanted):
    """"ok", "padded" (rows of -1 behind what is wanted, as an upper bound has them) or what is wrong."""
    pairs = [(g.view(w.dtype) if str(w.dtype) == "bfloat16" else g, w) for g, w in zip(got, wanted, strict=True)]
    wrong = [d for d in (difference(g, w) for g, w in pairs) if d]
    cut = [(g[:len(w)], g[len(w):], w) for g, w in pairs if w.ndim and g.ndim and g.dtype.kind == "i"]
    if wrong and len(cut) == len(pairs) and all(not difference(rows, w) and (rest == -1).all() for rows, rest, w in cut):
        return "padded"
    return f"wrong: {wrong[0]}" if wrong else "ok"


def verdict(vitcc, test, work):
    """"ok"; "padded"; the code it is refused with, behind "bound:" where it is right with its first input bound too; or what is wrong."""
    _, model, values, wanted = test
    got, text = evaluate(vitcc, model, values, work)
    if isinstance(got, str) and len(values) > 1:
        second, _ = evaluate(vitcc, bound(model, values), values, work)
        got = got if isinstance(second, str) else second
    if not isinstance(got, str):
        return judged(got, wanted), text
    third, _ = evaluate(vitcc, bound(model, values, 0), values, work)
    return (f"bound:{got}" if not isinstance(third, str) and judged(third, wanted) == "ok" else got), text


def subject(model):
    """The operator that a test is of: its only node's; empty for the bodies of functions."""
    return model.graph.node[0].op_type if len(model.graph.node) == 1 else ""


def renew(vitcc, table):
    """Writes the verdicts of all tests in the table anew, each with the operator it is of."""
    cases, lines = {t[0]: t for t in selected()}, []
    for name in sorted(line.split()[0] for line in table.read_text().splitlines()):
        with tempfile.TemporaryDirectory() as work:
            got = verdict(vitcc, cases[name], pathlib.Path(work))[0]
        assert not got.startswith("wrong"), f"{name} {got}"
        lines.append(f"{name} {got} {subject(cases[name][1])}".rstrip() + "\n")
    table.write_text("".join(lines))


if __name__ == "__main__":
    renew(sys.argv[1], pathlib.Path(__file__).with_name("verdicts.txt"))   # with the path of vitcc
