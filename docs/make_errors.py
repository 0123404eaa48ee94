"""Writes docs/errors.md from compiler/base/status.def: python3 docs/make_errors.py"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent


def text():
    rows = re.findall(r'^STATUS\((\w+),\s*(\d+), "(.*)", "(.*)"\)', (ROOT / "compiler/base/status.def").read_text(), re.M)
    lines = ["# Errors", "", "Made from compiler/base/status.def by docs/make_errors.py. Numbers are never reused.", "",
             "An error is one line: `file: node 17 'name' (Operator) input 0 f32[1,12,197,197]: error E305: sentence: particulars; remedy`. Exit status 1; nothing is written.",
             "E100 begins with `vitcc` instead of a file; exit status 2. Codes from 400 are limits or defects of vitcc itself.", "",
             "| code | what is wrong | what to do |", "|---|---|---|"]
    lines += [f"| E{number} | {sentence} | {remedy} |" for name, number, sentence, remedy in rows if number != "0"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/errors.md").write_text(text())
