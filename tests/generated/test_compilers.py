"""Generated C under two compilers with every warning, with tracing and without, and its programs under sanitizers."""
import numpy as np
import onnx
import pytest

from conftest import ROOT, random_inputs, run, save_inputs, shapes
from hosts import PANELS, SANITIZE, STRICT, XSMM, project

SMALL = ROOT / "models/small"
WORDS = "in out row rows k m c w p frame scratch worker panel /* */ // \\ ?? \" ' % \n é"   # of generated C, and what could end a comment


def compile_strictly(folder):
    """All that is written for the model; what tracing changes with it, too."""
    out = folder / "out"
    for compiler in ("gcc", "clang"):
        run(compiler, "-std=gnu11", "-O2", *STRICT, "-fsyntax-only", "-I", out, *out.glob("*.c"))
        for flags in ((), ("-DMODEL_TRACE",)):
            run(compiler, "-std=gnu11", "-O1", *STRICT, *flags, "-I", out, "-c", out / "model.c", "-o", folder / "model.o")
            run(compiler, "-std=gnu11", *STRICT, *flags, "-fsyntax-only", "-I", out, out / "main.c")


@pytest.mark.parametrize("name, options", [("vit_hidden_states-dynamo_batch", PANELS), ("deit_teacher-script", ("--kernels", "portable")), ("vit_odd-script_batch", ("--no-pass", "all")),
                                           ("vit_grey-dynamo", ("--embed-weights",)), ("../families/transformer-dynamo_batch", ("--panel-images", 3))])
def test_no_compiler_warns(name, options, tmp_path):
    compile_strictly(project(SMALL / name / "model.onnx", tmp_path, *options))


def test_names_of_the_model_s_author_do_not_matter(tmp_path):
    """Nodes, values, inputs and outputs named by words that the generated C uses."""
    model = onnx.load(ROOT / "models/digits/digits.onnx")
    words = WORDS.split(" ")
    for i, node in enumerate(model.graph.node):
        node.name = f"{words[i % len(words)]} {words[i // len(words) % len(words)]} {WORDS}"
    for node in model.graph.node:
        node.input[:] = ["in" if i == "pixel_values" else i for i in node.input]
        node.output[:] = ["int /* x" if o == "logits" else o for o in node.output]
    model.graph.input[0].name, model.graph.output[0].name = "in", "int /* x"
    onnx.save(model, tmp_path / "words.onnx")
    compile_strictly(project(tmp_path / "words.onnx", tmp_path))


@pytest.mark.parametrize("name, options", [("vit_hidden_states-dynamo_batch", PANELS), ("vit_odd-script_batch", (*PANELS, "--no-pass", "all")), ("deit_teacher-dynamo", ("--kernels", "portable")),
                                           ("../families/transformer-dynamo_batch", ("--panel-images", 3))])
def test_sanitizers_find_nothing(name, options, tmp_path):
    """Its stored test, then a batch on several threads, traced."""
    model = SMALL / name / "model.onnx"
    project(model, tmp_path, *options)
    program = tmp_path / "out/program"
    libraries = () if "portable" in options else XSMM
    run("gcc", "-std=gnu11", "-DMODEL_TRACE", *SANITIZE, "-I", tmp_path / "out", *sorted((tmp_path / "out").rglob("*.c")), "-o", program, *libraries, "-lpthread", "-lm")
    for threads in (1, 3):
        run(program, "--selftest", tmp_path / "out/selftest", "--threads", threads)
    inputs = random_inputs(model, 1, 4 if shapes(model, 1)[1] else 1)
    results = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        run(program, *save_inputs(folder, inputs), "--output-dir", folder / "got", "--trace", folder / "trace", "--threads", threads)
        results.append({p.relative_to(folder): np.load(p) for p in folder.rglob("*.npy")})
    assert results[0].keys() == results[1].keys() and len(results[0]) > 20
    assert all(np.array_equal(results[0][k], results[1][k]) for k in results[0])
