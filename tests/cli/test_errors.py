"""Each error that a user can provoke, with the exact lines printed: file, place, sentence, particulars, remedy. Nothing is written, nothing is harmed."""
import os
import random
import re
import resource
import signal
import subprocess
import time

import numpy as np
import onnx
import pytest

from conftest import ROOT, VITCC, run
from error_cases import BATCH, CASES, FLOAT, NODE, STATUS, SUMMED, X, chain, field, line, model, nested, one, ones

DIGITS = ROOT / "models/digits/digits.onnx"
COMPILERS = {"plain": VITCC, **({"sanitized": os.environ["VITCC_SANITIZED"]} if "VITCC_SANITIZED" in os.environ else {})}
NOT_FROM_OUTSIDE = {
    400: "only a wrong pass leaves an invalid graph; tests/unit/graph_test.c shows such to the verifier",
    401: "only a wrong pass changes the outputs",
    402: "no command reads the textual IR; tests/unit/text_test.c does",
}


@pytest.fixture
def folder(tmp_path):
    """What the cases refer to: a model's folder f, with a folder and a link in it, and a file above."""
    (tmp_path / "f/folder").mkdir(parents=True)
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    (tmp_path / "f/link.bin").symlink_to("../weights.bin")
    return tmp_path / "f"


def content(made):
    return made if isinstance(made, bytes) else made.SerializeToString()


def refused(folder, made, *options, compiler=VITCC):
    """What is printed of a model, without the file's name; status 1, and the folder holds what it held."""
    path = folder / "m.onnx"
    path.write_bytes(content(made))
    before = sorted(folder.rglob("*"))
    done = run(compiler, "compile", path, "-o", folder / "out", *options, status=1)
    assert done.stdout == "" and sorted(folder.rglob("*")) == before
    lines = done.stderr.splitlines()
    assert all(text.startswith(f"{path}: ") for text in lines), done.stderr
    return [text[len(f"{path}: "):] for text in lines]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", CASES)
def test_broken_file(name, compiler, folder):
    made, *lines = CASES[name]
    assert refused(folder, made(), compiler=COMPILERS[compiler]) == lines


SHAPES = {
    "of another input": (one("Neg"), ["z=1,4"], line(310, "", "--shape z=1,4: no input of this name")),
    "of no name among two": (one("Add", "xw", shapes=(X, ("w", FLOAT, (1, 4)))), ["1,4"],
                             line(310, "", "--shape 1,4: which input it means must be said, as in name=N,3,224,224")),
    "too short": (one("Neg"), ["x=4"], line(310, "", "input 'x': it has 2 axes, --shape gives 1")),
    "too long": (one("Neg"), ["1,4,1"], line(310, "", "input 'x': it has 2 axes, --shape gives 3")),
    "another size": (one("Neg"), ["1,5"], line(310, "", "input 'x': axis 1 is 4 in the model, not 5")),
    "a word for a size": (one("Neg"), ["N,4"], line(310, "", "input 'x': axis 0 is 1 in the model, not N")),
    "negative": (one("Neg", shapes=(BATCH,)), ["-1,4"], line(310, "", "input 'x': axis 0 cannot be -1")),
    "zero": (one("Neg", shapes=(BATCH,)), ["0,4"], line(310, "", "input 'x': axis 0 cannot be 0")),
    "none of an axis without elements": (one("Neg", shapes=(("x", FLOAT, (1, 0)),)), ["1,2"], line(310, "", "input 'x': axis 1 is 0 in the model, not 2")),
    "enormous": (one("Neg", shapes=(BATCH,)), ["99999999999999999999,4"], line(310, "", "input 'x': axis 0 cannot be 99999999999999999999")),
    "neither": (one("Neg", shapes=(BATCH,)), ["?,4"], line(310, "", "input 'x': '?' is neither a number nor a word")),
    "twice": (one("Neg", shapes=(BATCH,)), ["1,4", "x=2,4"], line(310, "", "input 'x': its shape is given twice")),
    "one name, two sizes": (one("Add", "xw", shapes=(BATCH, ("w", FLOAT, ("N", 4)))), ["x=1,4", "w=2,4"],
                            line(310, "", "input 'w': axis 0, 'N' in the model, is bound twice")),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shape_option(name, folder):
    made, shapes, expected = SHAPES[name]
    assert refused(folder, made, *(o for s in shapes for o in ("--shape", s))) == [expected]


# ---- files and folders ----

JSON = {
    "no JSON": ("preprocessor_config.json", "{", "{folder}/preprocessor_config.json: line 1: string or '}}' expected near end of file"),
    "no object": ("config.json", "[1]", "{folder}/config.json: it is no JSON object"),
    "size": ("preprocessor_config.json", '{"size": -1}', "preprocessor_config.json: size is not understood"),
    "crop": ("preprocessor_config.json", '{"size": 8, "do_center_crop": true}', "preprocessor_config.json: crop_size is not understood"),
    "resample": ("preprocessor_config.json", '{"size": 8, "resample": 4}',
                 "preprocessor_config.json: resample 4 is not supported (0 nearest, 1 lanczos, 2 bilinear, 3 bicubic)"),
    "std": ("preprocessor_config.json", '{"size": 8, "image_std": [0.5, 0, 0.5]}', "preprocessor_config.json: image_std is zero"),
}


@pytest.mark.parametrize("name", JSON)
def test_configuration(name, folder):
    file, text, particulars = JSON[name]
    (folder / file).write_text(text)
    assert refused(folder, one("Neg")) == [line(101, "", particulars.format(folder=folder))]


@pytest.mark.parametrize("path, why", [("none.onnx", "No such file or directory"), ("none/m.onnx", "No such file or directory"), ("folder", "Is a directory")])
def test_model_that_cannot_be_read(path, why, folder):
    done = run(VITCC, "compile", path, "-o", "out", status=1, cwd=folder)
    assert (done.stdout, done.stderr) == ("", f"{path}: {line(101, '', why)}\n")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("options, why", [([], "input 'x': no --input names it"), (["--input", "none.npy"], "none.npy: No such file or directory")])
def test_input_that_cannot_be_read(options, why, folder):
    (folder / "m.onnx").write_bytes(content(one("Neg")))
    assert run(VITCC, "evaluate", "m.onnx", "-o", "out", *options, status=1, cwd=folder).stderr == f"m.onnx: {line(101, '', why)}\n"
    assert not (folder / "out").exists()


@pytest.mark.parametrize("out, why", [("none/out", "none/out: No such file or directory"), ("m.onnx", "m.onnx: Not a directory"), ("/proc/out", "/proc/out: No such file or directory")])
def test_output_that_cannot_be_written(out, why, folder):
    (folder / "m.onnx").write_bytes(content(one("Neg")))
    before = sorted(folder.rglob("*"))
    assert run(VITCC, "compile", "m.onnx", "-o", out, status=1, cwd=folder).stderr == f"m.onnx: {line(102, '', why)}\n"
    assert sorted(folder.rglob("*")) == before


def test_standard_output_that_is_full(folder):
    (folder / "m.onnx").write_bytes(content(one("Neg")))
    with open("/dev/full", "w") as full:
        done = subprocess.run([VITCC, "check", folder / "m.onnx"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, f"vitcc: {line(102, '', 'standard output')}\n")


def test_folder_of_others(folder):
    (folder / "out").mkdir()
    (folder / "out/thesis.txt").write_text("mine")
    assert refused(folder, one("Neg")) == [line(104, "", f"{folder}/out")]
    assert (folder / "out/thesis.txt").read_text() == "mine"


def test_memory_that_runs_out(folder):
    """Forty thousand nodes in 48 MiB of address space."""
    m = one("Neg")
    for i in range(40000):
        m.graph.node.add(op_type="Neg", name="a name of a certain length " * 8, input=["x"], output=[f"t{i}"])
    (folder / "m.onnx").write_bytes(content(m))
    limit = 48 << 20
    done = run(VITCC, "compile", "m.onnx", "-o", "out", status=1, cwd=folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert done.stderr == f"m.onnx: {line(103)}\n" and not (folder / "out").exists()


def test_kernels_that_cannot_be_made(folder):
    run("gcc", "-O1", ROOT / "tests/generated/no_wx.c", "-o", folder.parent / "no_wx")
    (folder / "m.onnx").write_bytes(content(one("MatMul", "xw", [ones("w", 4, 4)])))
    before = sorted(folder.rglob("*"))
    done = run(folder.parent / "no_wx", VITCC, "compile", "m.onnx", "-o", "out", "--kernels", "aot", status=1, cwd=folder)
    why = "memory that is both writable and executable is refused here, and libxsmm's generator needs it"
    assert done.stderr == f"m.onnx: {line(105, '', f'SSE: {why}')}\n"
    assert sorted(folder.rglob("*")) == before


def test_model_that_cannot_be_validated(folder):
    """A row that is not there is read only with some inputs: random ones find it, and nothing is written."""
    made = one("Gather", "xi", shapes=(("x", FLOAT, (1, 4)), ("i", 7, (50,))))
    assert refused(folder, made, "--validate") == [line(305, "node 0 'n' input 1 i64[50]", "index 3 is outside of 1")]


# ---- the command line ----

M, O = "m.onnx", ("-o", "out")
USAGE = [
    ([], "what to do?"),
    (["fly", M], "there is no command fly"),
    (["compile"], "which model?"),
    (["compile", M], "compile: where to? -o FOLDER"),
    (["evaluate", M], "evaluate: where to? -o FOLDER"),
    (["tune"], "tune: which folder?"),
    (["tune", "out", "--threads", "0"], "--threads wants a number from 1 to 65536, not 0"),
    (["tune", "out", "--batch", "many"], "--batch wants a number from 1 to 65536, not many"),
    (["inspect", M, "b"], "one model at a time, not also b"),
    (["compile", M, *O, "--name", ""], "--name is empty"),
    (["compile", M, *O, "--kernels", "magic"], "--kernels is jit, aot or portable, not magic"),
    (["compile", M, *O, "--panel-rows", "0"], "--panel-rows wants a number from 1 to 65536, not 0"),
    (["compile", M, *O, "--tile-rows", "70000"], "--tile-rows wants a number from 1 to 65536, not 70000"),
    (["compile", M, *O, "--panel-images", "two"], "--panel-images wants a number from 1 to 65536, not two"),
    (["compile", M, *O, "--no-pass", "none"], "--no-pass: there is no pass none"),
    (["check", M, "--dump-after", "none"], "--dump-after: there is no pass none"),
    (["compile", M, *O, *["--no-pass", "dce"] * 65], "too many --no-pass"),
    (["compile", M, *O, *["--shape", "1"] * 65], "too many --shape"),
    (["evaluate", M, *O, *["--input", "x"] * 65], "too many --input"),
    (["compile", M, "--unknown"], "no such option, or its value is missing or not wanted: --unknown"),
    (["compile", M, "-x"], "no such option, or its value is missing or not wanted: -x"),
    (["compile", M, "-o"], "no such option, or its value is missing or not wanted: -o"),
    (["compile", M, "--shape"], "no such option, or its value is missing or not wanted: --shape"),
]


@pytest.mark.parametrize("arguments, particulars", USAGE, ids=[p for _, p in USAGE])
def test_usage(arguments, particulars, folder):
    (folder / "m.onnx").write_bytes(content(one("Neg")))
    done = run(VITCC, *arguments, status=2, cwd=folder)
    assert (done.stdout, done.stderr) == ("", f"vitcc: {line(100, '', particulars)}\n")
    assert not (folder / "out").exists()


def test_every_code_is_provoked():
    """Codes 100 to 105 by the tests above, by their names here; 106 to 109 by test_tune.py; 312 by test_input_type.py; the graph's and the file's by CASES and SHAPES."""
    tests = "".join((ROOT / "tests/cli" / name).read_text() for name in ("test_errors.py", "test_tune.py", "test_input_type.py"))
    printed = " ".join(text for _, *lines in CASES.values() for text in lines) + " ".join(text for _, _, text in SHAPES.values())
    provoked = {int(n) for n in re.findall(r"error E(\d+)", printed)} | {int(n) for n in re.findall(r"\bline\((\d+)", tests)}
    assert sorted(provoked | set(NOT_FROM_OUTSIDE)) == sorted(set(STATUS) - {0})
    assert not provoked & set(NOT_FROM_OUTSIDE)


# ---- cut files, deep files, newer files ----

def fields(data):
    """Number, start and end of the fields of a message."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 128:
                return value, at
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(at)
        value, at = varint(at)
        at += value if tag & 7 == 2 else 0
        yield tag >> 3, start, at


@pytest.mark.parametrize("compiler", COMPILERS)
def test_cut_files(compiler, folder):
    """A trained model cut at fifty places: where the cut field begins is told."""
    data = DIGITS.read_bytes()
    graph = next((start, end) for number, start, end in fields(data) if number == 7)
    rng = random.Random(1)
    for cut in [graph[0] + 1, graph[1] - 1] + [rng.randrange(graph[0] + 1, graph[1]) for _ in range(48)]:
        assert refused(folder, data[:cut], compiler=COMPILERS[compiler]) == [line(200, "", f"a field at byte {graph[0]}")], cut


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("depth", [22, 1000, 100000])
def test_nesting(compiler, depth, folder):
    """Three messages a level; 64 are read, however deep the file goes, and the stack with them."""
    data = nested(depth)
    at, length = 2, 0                       # behind the IR version; one field a message
    for _ in range(64):
        at += 1
        while data[at] & 128:
            at += 1
        at += 1
    assert refused(folder, data, compiler=COMPILERS[compiler]) == [line(202, "", f"a message within 64 others at byte {at}")]


def newer(message):
    """The message with fields of every wire type that no schema knows, in it and in all messages within."""
    parts = [b"\xf8\xff\x07\x07", b"\xf9\xff\x07" + bytes(8), b"\xfa\xff\x07\x03\xff\xff\xff", b"\xfd\xff\x07" + bytes(4)]
    for descriptor, value in message.ListFields():
        if descriptor.message_type:
            parts += [field(descriptor.number, newer(v)) for v in (value if hasattr(value, "append") or hasattr(value, "add") else [value])]
        else:
            alone = type(message)()
            getattr(alone, descriptor.name).extend(value) if hasattr(value, "append") else setattr(alone, descriptor.name, value)
            parts.append(alone.SerializeToString())
    return b"".join(parts)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_fields_of_a_newer_schema(compiler, folder):
    """They are passed over: the graph that is read is the same."""
    m = onnx.load(DIGITS)
    (folder / "plain.onnx").write_bytes(m.SerializeToString())
    m.ir_version = 99
    known, data = b"\x08\x63", newer(m)
    assert len(data) > 1.005 * DIGITS.stat().st_size
    (folder / "newer.onnx").write_bytes(known + data)
    texts = [run(COMPILERS[compiler], "check", name, "--dump-after", "load", "--no-pass", "all", cwd=folder).stdout.replace(name, "") for name in ("plain.onnx", "newer.onnx")]
    assert texts[0] == texts[1] and texts[0].count("\n") > 100


def test_zero_size_tensors(folder):
    """Where they add nothing, they are no error."""
    (folder / "m.onnx").write_bytes(content(one("Concat", "xw", [ones("w", 1, 0)], axis=1)))
    np.save(folder / "x.npy", np.arange(4, dtype=np.float32).reshape(1, 4))
    run(VITCC, "compile", "m.onnx", "-o", "out", "-q", cwd=folder)
    run(VITCC, "evaluate", "m.onnx", "-o", "values", "--input", "x.npy", cwd=folder)
    assert np.array_equal(np.load(folder / "values/y.npy"), [[0, 1, 2, 3]])


# ---- what was there before ----

def held(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_good_output_survives_failures(folder):
    """Failures of the reader, the importer, the planner, the code generator and the configuration, into a folder that vitcc wrote."""
    (folder / "good.onnx").write_bytes(content(one("Neg")))
    run(VITCC, "compile", "good.onnx", "-o", "out", "-q", cwd=folder)
    before = held(folder / "out")
    assert len(before) > 5
    for made in (b"", one("Frobnicate"), SUMMED, one("Conv", "xw", [ones("w", 1, 1, 2, 2, 2, 2)], (("x", 1, (1, 1, 3, 3, 3, 3)),))):
        assert len(refused(folder, made)) == 1
    (folder / "config.json").write_text("{")
    assert len(refused(folder, one("Neg"))) == 1
    assert held(folder / "out") == before


def test_killed_while_compiling(folder):
    """Killed as soon as it writes, and at seeded moments: the folder of the final name is whole or not there."""
    (folder / "big.onnx").write_bytes(content(chain(12, 512)))
    command = [VITCC, "compile", "big.onnx", "-o", "out", "--name", "big", "-q"]
    start = time.monotonic()
    run(*command, cwd=folder)
    took, whole = time.monotonic() - start, held(folder / "out")
    (folder / "out").rename(folder / "whole")
    rng, unfinished = random.Random(2), 0
    for moment in [None] * 4 + [rng.uniform(0, took) for _ in range(8)]:
        child = subprocess.Popen(command, cwd=folder)
        while moment is None and child.poll() is None and not list(folder.glob("out.partial-*")):
            pass
        time.sleep(moment or 0)
        child.send_signal(signal.SIGKILL)
        child.wait()
        if (folder / "out").exists():
            assert held(folder / "out") == whole
            run("rm", "-r", folder / "out")
        for left in folder.glob("out.partial-*"):
            unfinished += 1
            run("rm", "-r", left)
    assert unfinished, "it was never killed while it wrote"
    run(*command, cwd=folder)
    assert held(folder / "out") == whole
