"""Writes docs/operators.md from compiler/frontend/operators.def and what the node tests found, tests/nodes/{verdicts,types}.txt: python3 docs/make_operators.py"""
import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
GROUPS = {"floats": "float32 float64 float16 bfloat16", "integers": "int8 int16 int32 int64 uint8 uint16 uint32 uint64", "bool": "bool"}
# Those whose first input is not what they work on, and those without a node test of their own.
TYPES = {**dict.fromkeys("If Loop Scan Where ConstantOfShape Constant Scatter".split(), "all"), **dict.fromkeys("Dropout Erfc SimplifiedLayerNormalization".split(), "floats")}
LIMITS = {
    "Attention": "softmax_precision of float types; a padded length only without past keys",
    "BatchNormalization": "training mode from opset 14 on, not with a run-time batch; spatial",
    "BitShift": "signed integers are not read",
    "CenterCropPad": "axes of known size",
    "ConstantOfShape": "a known shape",
    "Conv": "one to three axes beside images and channels",
    "ConvInteger": "sums in double, one at a time",
    "CumSum": "along an axis of known size, not the run-time batch",
    "Dropout": "as in inference; no mask is given out",
    "DynamicQuantizeLinear": "not with a run-time batch, whose images it would mix",
    "Einsum": "one or two operands; diagonals of known length",
    "EyeLike": "a known size",
    "GridSample": "known sizes, but for the run-time batch",
    "If": "by a known condition its branch; by one of the run both, which must give outputs of the same types and shapes",
    "Loop": "unrolled: up to 4096 rounds, whose number and end are known while compiling",
    "MatMulInteger": "one element at a time",
    "MaxPool": "windows of up to 64 an axis; with Indices up to 32, and a fixed batch",
    "Mod": "floats with fmod = 1",
    "NonMaxSuppression": "the result has a row for as many as there can be, least(max_output_boxes_per_class, boxes) for each class of each image: those that are "
                         "taken come first, in ONNX's order, and the rows behind them are -1, -1, -1. Where boxes and scores are constants it has ONNX's rows alone",
    "NonZero": "of constants",
    "OneHot": "a known depth",
    "Pad": "known pads",
    "QLinearConv": "sums in double, one at a time",
    "QLinearMatMul": "one element at a time",
    "Range": "known bounds",
    "Reshape": "a known shape, but for the run-time batch",
    "Resize": "known sizes, scales and regions",
    "Scan": "unrolled: sequences of one known length of up to 4096; those of opset 8 image by image, without sequence_lens",
    "Slice": "known starts, ends and steps",
    "Split": "known parts",
    "TopK": "a known k",
    "Trilu": "a known diagonal and size",
}


def types():
    """The types of each operator's first input, in words."""
    found = dict(TYPES)
    for operator, *names in (line.split() for line in (ROOT / "tests/nodes/types.txt").read_text().splitlines()):
        whole = [group for group, members in GROUPS.items() if set(members.split()) <= set(names)]
        rest = [name for group, members in GROUPS.items() if group not in whole for name in members.split() if name in names]
        found.setdefault(operator, "all" if len(whole) == 3 else ", ".join(whole + rest))
    return found


def verdicts():
    """Of each operator how many of its node tests there are, and how many of them are right; and how many of all end how."""
    tests, right, all_ = collections.Counter(), collections.Counter(), collections.Counter()
    for name, verdict, *operator in (line.split() for line in (ROOT / "tests/nodes/verdicts.txt").read_text().splitlines()):
        all_["bound" if verdict.startswith("bound") else verdict if verdict in ("ok", "padded") else "refused"] += 1
        tests.update(operator)
        right.update(operator if verdict == "ok" else [])
    return tests, right, all_


def text():
    source = (ROOT / "compiler/frontend/operators.def").read_text()
    rows = re.findall(r"^OPERATOR\((\w+), (\d+), (\d+), (\d+), (-?\d+), (\w+),", source, re.M)
    others = re.findall(r"^MICROSOFT\((\w+), (\d+), (-?\d+),", source, re.M)
    (tests, right, all_), typed = verdicts(), types()
    lines = ["# Operators", "", "Made by docs/make_operators.py from compiler/frontend/operators.def and what the node tests found (tests/nodes): the ONNX operators that are read, with the opsets they are read at.",
             "All other operators are refused by name (E300); attribute values that are not supported are refused with the node and the value (E301), types that are not with the input (E302), "
             "shapes that only a run knows with what they come from (E306).", "",
             "Types are of the first input, as far as ONNX defines the operator for them: floats are float32, float64, float16 and bfloat16, integers int8 to int64 and uint8 to uint64, all these and bool. "
             "Inputs that ONNX lets differ in type from the first mostly have to agree with it. float16 and bfloat16 compute in float32. Products and attention of float32 run on matrix kernels, its maps in vectors; all else in plain C.", "",
             f"Of the {sum(all_.values()):,} official node tests of these operators (onnx 1.22) {all_['ok']:,} are right, their first input given at run time, the others where they give shapes or thresholds by `--bind`. {all_['padded']} of NonMaxSuppression "
             f"are right and have rows of -1 behind; {all_['bound']} are refused since only a run would tell a shape or the rounds of a loop (E306, E300), and right if that input too is bound; {all_['refused']} draw random numbers and are refused. "
             "The table counts those of the operator alone; the others are of ONNX's functions in their parts.", "",
             "| operator | opsets | inputs | types | node tests | limits |", "|---|---|---|---|---|---|"]
    for name in sorted({r[0] for r in rows}):
        own = sorted((r for r in rows if r[0] == name), key=lambda r: int(r[1]))
        least, most = min(int(r[3]) for r in own), max((int(r[4]) for r in own), key=lambda m: (m == -1, m))
        inputs = f"{least}{'' if least == most else ' or more' if most == -1 else f' to {most}'}"
        passed = f"{right[name]} of {tests[name]}" if tests[name] else ""
        lines.append(f"| {name} | {own[0][1]} to {own[-1][2]} | {inputs} | {typed[name]} | {passed} | {LIMITS.get(name, '')} |")
    lines += ["", "Of com.microsoft, as ONNX Runtime's offline optimiser writes them:", "", "| operator | inputs |", "|---|---|"]
    lines += [f"| {name} | {least}{'' if least == most else f' to {most}'} |" for name, least, most in sorted(others)]
    lines += ["", "Functions that the model brings along are inlined."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/operators.md").write_text(text())
