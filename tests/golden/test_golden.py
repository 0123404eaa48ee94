"""The code that is generated of two small models, and their IR after all passes, byte for byte as stored beside this file."""
import difflib
import pathlib

import pytest

from conftest import PASSES, ROOT, VITCC, run

GOLDEN = pathlib.Path(__file__).resolve().parent
RENEW = ".venv/bin/pytest tests/golden --renew-golden"
# digits: blocks rolled into a function, a batch decided at run time.
# deit_teacher: batch 1, two tokens in front of the patches, three outputs, maps, a last block that is narrowed to two rows.
MODELS = {"digits": ROOT / "models/digits/digits.onnx", "deit_teacher": ROOT / "models/small/deit_teacher-dynamo/model.onnx"}


def generate(name, folder):
    """What is stored of a model: text by file name."""
    last = PASSES[-1]
    printed = run(VITCC, "compile", MODELS[name], "-o", folder / "out", "--name", name, "-q", "--dump-after", last).stdout
    header, text = printed.split("\n", 1)
    assert header == f"# after {last}"
    files = {part: (folder / "out" / part).read_bytes().decode() for part in (f"{name}.h", f"{name}.c", f"{name}_kernels.c")}
    return {**files, f"{name}.ir": text}


def difference(file, want, got):
    """A unified diff, or nothing."""
    lines = difflib.unified_diff(want.splitlines(keepends=True), got.splitlines(keepends=True), f"tests/golden/{file}", f"generated {file}")
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


@pytest.mark.parametrize("name", MODELS)
def test_generated_code(name, tmp_path, request):
    files = generate(name, tmp_path)
    if request.config.getoption("--renew-golden"):
        for file, text in files.items():
            (GOLDEN / file).write_bytes(text.encode())
    stored = {p.name: p.read_bytes().decode() for p in GOLDEN.iterdir() if p.stem.removesuffix("_kernels") == name}
    assert sorted(stored) == sorted(files), f"renew with: {RENEW}"
    changes = "".join(difference(file, stored[file], text) for file, text in files.items() if stored[file] != text)
    assert not changes, f"\n{changes}If this is meant, renew with: {RENEW}"
