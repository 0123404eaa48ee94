"""The command line: usage, exit statuses, broken files with their located errors, determinism, nothing half-written."""
import filecmp
import json
import os
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import PASSES, ROOT, VITCC, run

DIGITS = ROOT / "models/digits/digits.onnx"


def model(nodes, initializers=(), shape=(1, 4), outputs=("y",)):
    """A small float graph from input x."""
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def external(location, where):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(where))):
        tensor.external_data.add(key=key, value=value)
    return model([helper.make_node("Add", ["x", "w"], ["y"], "add")], [tensor])


def nested(depth):
    """A GraphProto in an attribute of a node of a GraphProto, `depth` times, by hand: no library writes this."""
    def field(number, body):
        length = len(body)
        varint = b""
        while length > 127:
            varint += bytes([length & 127 | 128])
            length >>= 7
        return bytes([number << 3 | 2]) + varint + bytes([length]) + body

    body = b""
    for _ in range(depth):
        body = field(1, field(5, field(6, body)[:0] + bytes([6 << 3 | 2]) + field(6, body)[1:]))
    return b"\x08\x09" + field(7, body)


BROKEN = {
    "truncated": (lambda: DIGITS.read_bytes()[:5000], 200, ""),
    "not_onnx": (lambda: b"\x89PNG\r\n\x1a\n" + b"picture" * 10, None, ""),
    "empty": (lambda: b"", None, ""),
    "deep": (lambda: nested(4000), 202, ""),
    "unknown_operator": (lambda: model([helper.make_node("Frobnicate", ["x"], ["y"], "odd one")]), 300, "node 0 'odd one'"),
    "two_unknown": (lambda: model([helper.make_node("Frob", ["x"], ["t"], "first"), helper.make_node("Nicate", ["t"], ["y"], "second")]), 300, "node 1 'second'"),
    "dangling": (lambda: model([helper.make_node("Add", ["x", "nowhere"], ["y"], "add")]), 303, "node 0 'add'"),
    "cycle": (lambda: model([helper.make_node("Add", ["x", "b"], ["a"], "one"), helper.make_node("Add", ["a", "x"], ["b"], "two"), helper.make_node("Neg", ["b"], ["y"])]), 304, ""),
    "shapes": (lambda: model([helper.make_node("Add", ["x", "w"], ["y"], "add")], [numpy_helper.from_array(np.ones((1, 3), np.float32), "w")]), 305, "node 0 'add'"),
    "duplicate": (lambda: model([helper.make_node("Neg", ["x"], ["y"], "one"), helper.make_node("Abs", ["x"], ["y"], "two")]), 307, ""),
    "external_missing": (lambda: external("weights.bin", 16), 204, ""),
    "external_outside": (lambda: external("../weights.bin", 16), 206, ""),
    "external_absolute": (lambda: external("/etc/passwd", 16), 206, ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_have_located_errors(name, tmp_path):
    content, code, place = BROKEN[name]
    path = tmp_path / "m.onnx"
    path.write_bytes(content())
    done = subprocess.run([VITCC, "compile", path, "-o", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"{path}: ") and ": error E" in first and (code is None or f"error E{code}: " in done.stderr), done.stderr
    assert place in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx"], "something was left behind"


def test_all_problems_at_once(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(BROKEN["two_unknown"][0]())
    errors = run(VITCC, "check", path, status=1).stderr
    assert "Frob" in errors and "Nicate" in errors


def test_a_missing_model(tmp_path):
    assert "error E101" in run(VITCC, "compile", tmp_path / "none.onnx", "-o", tmp_path / "out", status=1).stderr


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    assert "error E104" in run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", status=1).stderr
    assert (tmp_path / "out/thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("word", ["?", "-1"])
def test_a_size_that_is_not_known_has_no_name(word, tmp_path):
    """Two axes that the file calls so may differ; two that it calls by one name may not."""
    for name, status in (word, 0), ("K", 1):
        onnx.save(model([helper.make_node("Neg", ["x"], ["y"])], shape=(1, name, name)), tmp_path / "m.onnx")
        run(VITCC, "check", tmp_path / "m.onnx", "--shape", "1,2,3", status=status)


@pytest.mark.parametrize("shape", ["pixel_values=N,3,32", "other=N,3,32,32", "N,3,64,64", "pixel_values=N,3,-1,32"])
def test_shapes_that_do_not_fit(shape, tmp_path):
    done = subprocess.run([VITCC, "compile", DIGITS, "-o", tmp_path / "out", "--shape", shape], capture_output=True, text=True)
    assert done.returncode == 1 and "error E3" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["fly"], ["compile"], ["compile", "m.onnx"], ["compile", "m.onnx", "-o", "o", "--no-pass", "none"], ["compile", "m.onnx", "-o", "o", "--kernels", "magic"],
                                       ["compile", "m.onnx", "-o", "o", "--tile-rows", "0"], ["inspect", "a", "b"], ["compile", "--unknown"]])
def test_usage_errors(arguments):
    assert subprocess.run([VITCC, *arguments], capture_output=True).returncode == 2


def test_help_and_version():
    assert "usage: vitcc compile" in run(VITCC, "--help").stdout
    assert run(VITCC, "--version").stdout.startswith("vitcc ")


def test_erfc_is_read_and_said(tmp_path):
    """ONNX has no such operator, but Keras' exports do, at every opset that has Erf."""
    for opset in 11, 20:
        file = onnx.load_from_string(model([helper.make_node("Erfc", ["x"], ["y"], "e")]))
        file.opset_import[0].version = opset
        (tmp_path / "m.onnx").write_bytes(file.SerializeToString())
        assert "  note    ONNX has no operator Erfc; read as 1 - Erf\n" in run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out").stdout
        np.save(tmp_path / "x.npy", np.array([[-1, 0, 0.5, 2]], np.float32))
        run(VITCC, "evaluate", tmp_path / "m.onnx", "-o", tmp_path / "got", "--input", f"x={tmp_path}/x.npy")
        np.testing.assert_allclose(np.load(tmp_path / "got/y.npy"), [[1.8427007929, 1, 0.4795001222, 0.0046777350]], rtol=1e-6)
    assert "Erfc" not in run(VITCC, "inspect", DIGITS).stdout


def test_inspect_tells_what_would_be_fused():
    text = run(VITCC, "inspect", DIGITS).stdout
    assert "pixel_values f32[" in text and "logits f32[" in text
    for kind, count in (("attention", 3), ("mlp", 3), ("norm", 7), ("gelu", 3)):
        line = next(row for row in text.splitlines() if row.split()[:1] == [kind])
        assert line.split()[1:] == [str(count), str(count)], line


def test_dump_after_every_pass():
    text = run(VITCC, "check", DIGITS, "--dump-after", "all").stdout
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# after ")] == ["load", *PASSES]


def same_folders(a, b, ignored=()):
    compared = filecmp.dircmp(a, b, ignore=list(ignored))
    assert not compared.left_only and not compared.right_only
    for name in compared.common_files:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    for name in compared.common_dirs:
        same_folders(a / name, b / name)


def test_the_same_bytes_each_time(tmp_path):
    """Wherever it is run from, and whatever the model's path: that stands in .vitcc alone."""
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("digits.onnx", "config.json", "preprocessor_config.json"):
        (copy / name).write_bytes((DIGITS.parent / name).read_bytes())
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "a", "-q")
    run(VITCC, "compile", "digits.onnx", "-o", tmp_path / "b", "-q", cwd=copy)
    same_folders(tmp_path / "a", tmp_path / "b", [".vitcc"])
    records = [json.loads((tmp_path / folder / ".vitcc").read_text()) for folder in "ab"]
    assert [r.pop("model") for r in records] == [str(DIGITS), str(copy / "digits.onnx")] and records[0] == records[1]
    run(VITCC, "compile", "../elsewhere/../elsewhere/digits.onnx", "-o", tmp_path / "c", "-q", cwd=copy)
    same_folders(tmp_path / "b", tmp_path / "c")


def test_the_same_bytes_on_one_core_as_on_all(tmp_path):
    """Weights are packed and the file's digest is taken on all cores: 40 layers of 1.6 MB, every eighth the same."""
    rng, width = np.random.default_rng(1), 632
    weights = [numpy_helper.from_array(rng.standard_normal((width, width)).astype(np.float32), f"w{i}") for i in range(40)]
    for i in range(0, 40, 8):
        weights[i] = numpy_helper.from_array(numpy_helper.to_array(weights[0]), f"w{i}")
    names = ["x", *(f"t{i}" for i in range(40))]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(40)]
    (tmp_path / "m.onnx").write_bytes(model(nodes, weights, (1, 8, width), names[-1:]))
    cores = os.sched_getaffinity(0)
    run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "all", "-q")
    run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "one", "-q", preexec_fn=lambda: os.sched_setaffinity(0, [min(cores)]))
    same_folders(tmp_path / "all", tmp_path / "one")
    assert 36 * width * width * 4 < (tmp_path / "all/m.weights").stat().st_size < 37 * width * width * 4


def test_compiling_again_replaces(tmp_path):
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "-q")
    (tmp_path / "out/digits.c").write_text("changed")
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "-q")
    assert (tmp_path / "out/digits.c").read_text() != "changed"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def files_in(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_another_name_leaves_no_old_files(tmp_path):
    """Exactly what vitcc wrote before goes; what others put there stays."""
    for out, name, kernels in (("out", "one", "aot"), ("out", "two", "jit"), ("fresh", "two", "jit")):
        run(VITCC, "compile", DIGITS, "-o", tmp_path / out, "-q", "--name", name, "--kernels", kernels)
        if name == "one":
            assert {"one_gemm.S", "runtime/aot.h", "LICENSE.libxsmm"} <= files_in(tmp_path / "out")
            for mine in ("one_mine.c", "runtime/mine.h", "selftest/mine"):
                (tmp_path / "out" / mine).write_text("mine")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "fresh") | {"one_mine.c", "runtime/mine.h", "selftest/mine"}
    written = json.loads((tmp_path / "out/.vitcc").read_text())["files"]
    assert set(written) | {".vitcc"} == files_in(tmp_path / "fresh") and written == sorted(written)


def test_a_record_removes_nothing_elsewhere(tmp_path):
    """Names in .vitcc that vitcc does not give, and links, are left alone."""
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "-q")
    kept = [tmp_path / name for name in ("above", "out/linked", "elsewhere/file", "out/.hidden", "out/a/b/deep")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    (tmp_path / "out/link").symlink_to("linked")
    (tmp_path / "out/folder").symlink_to(tmp_path / "elsewhere")
    record = json.loads((tmp_path / "out/.vitcc").read_text())
    record["files"] += ["../above", str(tmp_path / "above"), "link", "folder/file", "runtime/../../above", ".hidden", "a/b/deep", "", "/", "runtime/", "runtime"]
    (tmp_path / "out/.vitcc").write_text(json.dumps(record))
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "-q")
    assert all(path.read_text() == "mine" for path in kept) and (tmp_path / "out/link").is_symlink() and (tmp_path / "out/runtime/team.h").exists()
