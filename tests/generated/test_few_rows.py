"""Layers of many weights: threads share their output features where rows are few, which take them step by step; always with the same bits."""
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, run, session
from library import LEVELS, TABLES, Library, link

BATCH = 5


def mlp(path, rows, width, hidden):
    """x + W2 gelu(W1 x + b1) + b2."""
    rng = np.random.default_rng(rows)
    stored = {"w1": (width, hidden), "b1": (hidden,), "w2": (hidden, width), "b2": (width,)}
    weights = [numpy_helper.from_array((rng.standard_normal(s) / np.sqrt(s[0])).astype(np.float32), n) for n, s in stored.items()]
    nodes = [("MatMul", "x w1", "u"), ("Add", "u b1", "v"), ("Gelu", "v", "h"), ("MatMul", "h w2", "d"), ("Add", "d b2", "e"), ("Add", "e x", "y")]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", rows, width]) for n in "xy")
    graph = helper.make_graph([helper.make_node(op, i.split(), [o]) for op, i, o in nodes], "mlp", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def check_threads(loaded, model, x):
    """The same bits on 1, 2 and 3 threads, and those right."""
    got = [np.full_like(x, np.nan) for _ in range(3)]
    for which in range(3):
        loaded.run(which, [x], [got[which]])
        np.testing.assert_array_equal(got[which], got[0])
    theirs = session(model).run(None, {"x": x})[0]
    assert np.abs(got[0] - theirs).max() <= 2e-6 * np.abs(theirs).max()


@pytest.mark.parametrize("rows,width,hidden,shared", [(1, 256, 1024, True), (3, 260, 1030, True), (8, 512, 512, True), (9, 256, 1024, True), (50, 260, 1030, True),
                                                      (65, 256, 1024, False), (1, 128, 512, False)])
def test_same_bits_on_all_threads(rows, width, hidden, shared, tmp_path):
    model, out = tmp_path / "model.onnx", tmp_path / "out"
    mlp(model, rows, width, hidden)
    run(VITCC, "compile", model, "-o", out, "--name", "model", "-q", "--kernels", "jit" if rows == 1 else "portable")
    code = (out / "model.c").read_text()
    assert code.count("_columns(") == 2 * shared
    loaded = Library(link(out, rows, rows == 1), BATCH)
    for batch in range(1, BATCH + 1):
        check_threads(loaded, model, np.random.default_rng(batch).standard_normal((batch, rows, width), np.float32))
    loaded.close()


@pytest.mark.parametrize("rows,width,hidden,seed,kernels", [(20, 384, 768, 0, "jit"), (50, 384, 768, 1, "jit"), (17, 260, 1030, 3, "jit"),
                                                            (50, 260, 1030, 0, "portable"), (64, 384, 768, 1, "portable")])
def test_same_bits_alone_and_together(rows, width, hidden, seed, kernels, tmp_path):
    """An image's rows are few, and take a step's weights together; those of several images take them some at a time."""
    model, out = tmp_path / "model.onnx", tmp_path / "out"
    mlp(model, rows, width, hidden)
    run(VITCC, "compile", model, "-o", out, "--name", "model", "-q", "--kernels", kernels, "--panel-images", 4)
    assert re.search(r"\(linear_cut\)\{ 14, \d+, \d+, 64, 9, 0, 0 \}", (out / "model_kernels.c").read_text()) and "TOGETHER = 4 " in (out / "model.c").read_text()
    loaded = Library(link(out, seed, kernels == "jit"), BATCH)
    x = np.random.default_rng(rows).standard_normal((BATCH, rows, width), np.float32)
    single, joint = np.full_like(x, np.nan), np.full_like(x, np.nan)
    for i in range(BATCH):
        loaded.run(0, [x[i:i + 1]], [single[i:i + 1]])
    for which in range(3):
        loaded.run(which, [x], [joint])
        np.testing.assert_array_equal(joint, single)
    theirs = session(model).run(None, {"x": x})[0]
    assert np.abs(joint - theirs).max() <= 2e-6 * np.abs(theirs).max()
    loaded.close()


@pytest.mark.parametrize("rows,width,hidden,seed,kernels", [(100, 768, 1536, 0, "jit"), (197, 780, 1562, 2, "jit"), (70, 768, 1536, 2, "portable"),
                                                            (90, 780, 1562, 0, "aot")])
@pytest.mark.parametrize("level", TABLES)
def test_steps(rows, width, hidden, seed, kernels, level, tmp_path):
    """With AVX-512 kernels take some inputs at a time, and the next weights are fetched in between: parts and steps that are left over, too."""
    if level not in LEVELS:
        pytest.skip("this CPU has no such level")
    model, out = tmp_path / "model.onnx", tmp_path / "out"
    mlp(model, rows, width, hidden)
    run(VITCC, "compile", model, "-o", out, "--name", "model", "-q", "--kernels", kernels)
    assert "LANES == 16 ? " in (out / "model_kernels.c").read_text()
    loaded = Library(link(out, seed, kernels == "jit", level), 2)
    check_threads(loaded, model, np.random.default_rng(rows).standard_normal((2, rows, width), np.float32))
    loaded.close()
