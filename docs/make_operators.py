"""Writes docs/operators.md from compiler/frontend/operators.def: python3 docs/make_operators.py"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent


def text():
    rows = re.findall(r"^OPERATOR\((\w+), (\d+), (\d+), (\d+), (-?\d+), (\w+),", (ROOT / "compiler/frontend/operators.def").read_text(), re.M)
    others = re.findall(r"^MICROSOFT\((\w+), (\d+), (-?\d+),", (ROOT / "compiler/frontend/operators.def").read_text(), re.M)
    lines = ["# Operators", "", "Made from compiler/frontend/operators.def by docs/make_operators.py: the ONNX operators that are read, with the opsets they are read at.",
             "All other operators are refused by name (E300); attribute values that are not supported are refused with the node and the value (E301).", "",
             "Every operator runs on bool, int8 to int64, uint8 to uint64, float32 and float64, as far as ONNX defines it for them; float16 and bfloat16 compute in float32. Products and attention of float32 run on matrix kernels, its maps in vectors; all else in plain C.", "",
             "| operator | opsets | inputs |", "|---|---|---|"]
    lines += [f"| {name} | {low} to {high} | {least}{'' if least == most else ' or more' if most == '-1' else f' to {most}'} |" for name, low, high, least, most, handler in sorted(rows)]
    lines += ["", "Of com.microsoft, as ONNX Runtime's offline optimiser writes them:", "", "| operator | inputs |", "|---|---|"]
    lines += [f"| {name} | {least}{'' if least == most else f' to {most}'} |" for name, least, most in sorted(others)]
    lines += ["", "Functions that the model brings along are inlined; a Loop is unrolled where its rounds are known while compiling."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/operators.md").write_text(text())
