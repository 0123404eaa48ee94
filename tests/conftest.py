"""What all Python tests share: the compiler, built models, ONNX Runtime, comparisons."""
import functools
import os
import pathlib
import subprocess
import zlib

import numpy as np
import onnx
import onnxruntime as ort
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
VITCC = os.environ.get("VITCC", str(ROOT / "build/tests/compiler/vitcc"))
PASSES = [line.split("(")[1].split(",")[0] for line in (ROOT / "compiler/passes/passes.def").read_text().splitlines() if line.startswith("PASS(")]


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="full-size models and fresh exports too")
    parser.addoption("--renew-golden", action="store_true", help="store the generated code of tests/golden anew")


def pytest_configure(config):
    config.addinivalue_line("markers", "full_only: runs with --full")


def pytest_collection_modifyitems(config, items):
    """What only --full runs is left out, not skipped."""
    if not config.getoption("--full"):
        kept = [i for i in items if not i.get_closest_marker("full_only")]
        config.hook.pytest_deselected(items=[i for i in items if i.get_closest_marker("full_only")])
        items[:] = kept


def small_models(folder="small"):
    """Folders of committed models: model.onnx with inputs and reference outputs."""
    return sorted(p.parent for p in (ROOT / "models" / folder).glob("*/model.onnx"))


def run(*command, status=0, **more):
    """Runs a command, checks its exit status, returns what it printed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == status, f"{' '.join(map(str, command))}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def build(model, folder, *options, name="model"):
    """Compiles a model and builds its program; returns the program's path."""
    run(VITCC, "compile", model, "-o", folder / "out", "--name", name, "-q", *shapes(model, 1)[2], *options)
    return build_project(folder, name)


def build_project(folder, name="model"):
    """Builds the generated project folder/out; returns the program's path."""
    flags = ["-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Werror"]
    run("cmake", "-S", folder / "out", "-B", folder / "build", *flags)
    run("cmake", "--build", folder / "build", "--target", name)
    return folder / "build" / name


def runnable(model):
    """The file's bytes with 1 - Erf(x) for Erfc(x), which Keras writes and ONNX Runtime does not know; its path where there is none."""
    if b"Erfc" not in pathlib.Path(model).read_bytes():
        return str(model)
    file, nodes = onnx.load(model), []
    for node in file.graph.node:
        if node.op_type == "Erfc":
            one, erf = node.output[0] + "/one", node.output[0] + "/erf"
            nodes += [onnx.helper.make_node("Constant", [], [one], value_float=1.0), onnx.helper.make_node("Erf", node.input, [erf]),
                      onnx.helper.make_node("Sub", [one, erf], node.output)]
        else:
            nodes.append(node)
    del file.graph.node[:]
    file.graph.node.extend(nodes)
    return file.SerializeToString()


@functools.lru_cache(maxsize=2)
def session(model):
    """ONNX Runtime on one thread, the file's own operators one by one."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return ort.InferenceSession(runnable(model), options, providers=["CPUExecutionProvider"])


def shapes(model, batch):
    """Input shapes by name with the symbolic batch as `batch`; whether there is one; and the --shape options that fix what else is symbolic, as the committed input has it.
    Of first dimensions of several names the last one is the batch; where none is symbolic, the batch is what stands behind the tokens."""
    inputs, options, dynamic, all_shapes = {}, [], False, [i.shape for i in session(model).get_inputs() if i.shape]
    names = [s[0] for s in all_shapes if not isinstance(s[0], int)] or [s[1] for s in all_shapes if s[0] > 1 and len(s) > 1 and isinstance(s[1], str)]
    for i in session(model).get_inputs():
        shape, stored = list(i.shape), pathlib.Path(model).parent / f"input_{safe(i.name)}.npy"
        other = [not isinstance(d, int) and d != names[-1] if names else not isinstance(d, int) for d in shape]
        if any(other):
            shape = [size if is_other else d for d, is_other, size in zip(shape, other, np.load(stored).shape)]
            options += ["--shape", f"{i.name}={','.join(map(str, shape))}"]
        dynamic |= any(not isinstance(d, int) for d in shape)
        inputs[i.name] = [d if isinstance(d, int) else batch for d in shape]
    return inputs, dynamic, options


def random_inputs(model, seed, batch=1):
    """Numbers, normal as preprocessed pictures are; truth values; integers, which mean something, as they are stored beside the model."""
    rng = np.random.default_rng([seed, zlib.crc32(str(pathlib.Path(model).parent.name).encode())])
    types = {i.name: i.type for i in session(model).get_inputs()}
    inputs = {}
    for name, shape in shapes(model, batch)[0].items():
        if types[name] == "tensor(float)":
            inputs[name] = rng.standard_normal(shape).astype(np.float32)
        elif types[name] == "tensor(bool)":
            inputs[name] = rng.random(shape) > 0.5
        else:
            inputs[name] = np.resize(np.load(pathlib.Path(model).parent / f"input_{safe(name)}.npy"), shape)
    return inputs


def stored_inputs(model):
    """The input that the exporting script stored beside the model, and its batch; in a list, which is empty where there is none."""
    files = {i.name: pathlib.Path(model).parent / f"input_{safe(i.name)}.npy" for i in session(model).get_inputs()}
    inputs = {name: np.load(file) for name, file in files.items() if file.exists()}
    found = {name: list(x.shape) for name, x in inputs.items()}
    return [(inputs, batch) for batch in range(1, 33) if shapes(model, batch)[0] == found][:1]


def safe(name):
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in name)


def save_inputs(folder, inputs):
    folder.mkdir(parents=True, exist_ok=True)
    flags = []
    for k, v in inputs.items():
        np.save(folder / f"in_{safe(k)}.npy", v)
        flags += ["--input", f"{k}={folder}/in_{safe(k)}.npy"]
    return flags


def load_outputs(folder, names):
    return {n: np.load(folder / f"{safe(n)}.npy") for n in names}


def run_program(program, folder, inputs, names, *options):
    run(program, *save_inputs(folder, inputs), "--output-dir", folder / "got", *options)
    return load_outputs(folder / "got", names)


def evaluate(model, folder, inputs, names, *options):
    """The model in double precision, by the compiler's evaluator: as the file says it, since passes round what they fold, and a wrong one would be wrong here too."""
    run(VITCC, "evaluate", model, "-o", folder / "double", *save_inputs(folder, inputs), *shapes(model, 1)[2], *(options or ["--no-pass", "all"]))
    return load_outputs(folder / "double", names)


def largest_error(got, want):
    """Largest absolute difference; a NaN in one only is infinitely wrong."""
    assert got.shape == want.shape, (got.shape, want.shape)
    got, want = got.astype(np.float64), want.astype(np.float64)
    if not np.array_equal(np.isnan(got), np.isnan(want)):
        return np.inf
    return float(np.nanmax(np.abs(got - want), initial=0))


def check(answers):
    """The rule of docs/numerics.md, over all inputs of a test: our largest error against double precision is at most twice ONNX Runtime's own, or 1e-6 of the output's scale.
    answers: (ours, ONNX Runtime's, the truth) for each input, each by output name. Returns both errors."""
    ours, theirs, scale = 0.0, 0.0, 0.0
    for got, reference, truth in answers:
        for name, true in truth.items():
            ours = max(ours, largest_error(got[name], true))
            theirs = max(theirs, largest_error(reference[name], true))
            scale = max(scale, float(np.nanmax(np.abs(true), initial=0)))
    assert ours <= max(2 * theirs, 1e-6 * scale), f"largest error {ours:.3g}, ONNX Runtime's {theirs:.3g}, scale {scale:.3g}"
    return ours, theirs


def answer(model, program, folder, inputs, *options):
    """What the program, ONNX Runtime and the evaluator say of one input."""
    names = [o.name for o in session(model).get_outputs()]
    reference = dict(zip(names, session(model).run(None, inputs)))
    return run_program(program, folder, inputs, names, *options), reference, evaluate(model, folder, inputs, names)


def compare(model, program, folder, inputs=4):
    """The stored input and several random ones, on 1, 2 and 3 threads in turn, batches of 3 where the batch is dynamic."""
    dynamic = shapes(model, 1)[1]
    given = [x for x, _ in stored_inputs(model)] + [random_inputs(model, i, 3 if dynamic and i else 1) for i in range(inputs)]
    return check([answer(model, program, folder / str(i), x, "--threads", 1 + i % 3) for i, x in enumerate(given)])
