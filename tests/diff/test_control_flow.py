"""What a run decides: branches, rounds and the boxes that are left, against ONNX Runtime."""
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, run_program, session

NODE, FLOAT, INFO = helper.make_node, TensorProto.FLOAT, helper.make_tensor_value_info


def save(path, nodes, inputs, outputs, constants, opset=17):
    """inputs: name to (type, shape); outputs: name to type."""
    graph = helper.make_graph(nodes, "g", [INFO(k, *v) for k, v in inputs.items()], [INFO(k, v, None) for k, v in outputs.items()],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)


def branch(name, *nodes):
    return helper.make_graph(list(nodes), name, [], [INFO("b", FLOAT, None)])


def decay():
    """s' = s / 2 + e, and a second sequence of their differences."""
    nodes = [NODE("Mul", ["s", "half"], ["t"]), NODE("Add", ["t", "e"], ["next"]), NODE("Sub", ["s", "e"], ["difference"]), NODE("Identity", ["next"], ["shown"])]
    return helper.make_graph(nodes, "decay", [INFO("s", FLOAT, (2, 4)), INFO("e", FLOAT, (2, 4))],
                             [INFO("next", FLOAT, (2, 4)), INFO("shown", FLOAT, (2, 4)), INFO("difference", FLOAT, (2, 4))])


BOXES, SCORES = (FLOAT, (2, 9, 4)), (FLOAT, (2, 3, 9))
INPUTS = {"c": (TensorProto.BOOL, (1,)), "x": (FLOAT, (2, 3, 4)), "boxes": BOXES, "scores": SCORES}
OUTPUTS = {"y": FLOAT, "last": FLOAT, "states": FLOAT, "differences": FLOAT, "left": TensorProto.INT64}
CONSTANTS = {"start": np.ones((2, 4), np.float32), "half": np.float32(0.5), "most": np.array([4]), "overlap": np.array([0.3], np.float32), "least": np.array([0.8], np.float32)}


def nodes():
    log = branch("log", NODE("Log", ["x"], ["l"]), NODE("Mul", ["l", "half"], ["b"]))       # NaN where x is below 0
    return [
        NODE("If", ["c"], ["y"], "choose", then_branch=log, else_branch=branch("twice", NODE("Add", ["x", "x"], ["b"]))),
        NODE("Scan", ["start", "x"], ["last", "states", "differences"], "decay", body=decay(), num_scan_inputs=1, scan_input_axes=[1], scan_input_directions=[1],
             scan_output_axes=[0, -1], scan_output_directions=[1, 0]),
        NODE("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["left"], "suppress"),
    ]


def values(seed):
    """Boxes on a grid and few different scores: overlaps at the limit, equal scores."""
    rng = np.random.default_rng(seed)
    return {"c": np.array([seed % 2 == 0]), "x": rng.standard_normal((2, 3, 4)).astype(np.float32), "boxes": (rng.integers(0, 12, (2, 9, 4)) / 4).astype(np.float32),
            "scores": (rng.integers(0, 9, (2, 3, 9)) / 8).astype(np.float32)}


def assert_left(got, want, rows):
    """ONNX's rows, and -1 in all behind them."""
    assert got.shape == (rows, 3)
    assert 0 < len(want) <= rows
    np.testing.assert_array_equal(got, np.concatenate([want, np.full((rows - len(want), 3), -1)]))


def test_programs_equal_onnx_runtime(tmp_path):
    path = tmp_path / "m.onnx"
    save(path, nodes(), INPUTS, OUTPUTS, CONSTANTS)
    program = build(path, tmp_path)
    for seed in range(4):
        want = dict(zip(OUTPUTS, session(path).run(None, values(seed)), strict=True))
        got = run_program(program, tmp_path / str(seed), values(seed), list(OUTPUTS), "--threads", 1 + seed % 2)
        assert_left(got.pop("left"), want.pop("left"), 2 * 3 * 4)
        assert np.isnan(got["y"]).any() == (seed % 2 == 0)
        for name, array in want.items():
            np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def evaluate(path, inputs, out, *options):
    """vitcc evaluate: what it printed, and the output."""
    command = [VITCC, "evaluate", path, "-o", out, *options]
    for name, array in inputs.items():
        np.save(out.parent / f"{name}.npy", array)
        command += ["--input", f"{name}={out.parent / name}.npy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr, np.load(out / "left.npy")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("centre", [0, 1])
def test_boxes_that_are_left(seed, centre, tmp_path):
    """At run time a row for as many as there can be, which a note tells; of constants ONNX's rows."""
    made = {k: v for k, v in values(seed).items() if k in ("boxes", "scores")}
    node = NODE("NonMaxSuppression", ["boxes", "scores", "most", "overlap", *["least"][:seed % 2]], ["left"], "n", center_point_box=centre)
    constants = {k: CONSTANTS[k] for k in ("most", "overlap", "least")}
    save(tmp_path / "m.onnx", [node], {"boxes": BOXES, "scores": SCORES}, {"left": TensorProto.INT64}, constants)
    want = session(tmp_path / "m.onnx").run(None, made)[0]
    assert len(want) < 24 or seed % 2 == 0
    printed, got = evaluate(tmp_path / "m.onnx", made, tmp_path / "out")
    assert printed.endswith("m.onnx: node 0 'n' (NonMaxSuppression): note: its result has 24 rows; those that no box takes are -1\n")
    assert_left(got, want, 24)
    save(tmp_path / "c.onnx", [node], {}, {"left": TensorProto.INT64}, {**constants, **made})
    printed, got = evaluate(tmp_path / "c.onnx", {}, tmp_path / "out")
    assert printed == ""
    np.testing.assert_array_equal(got, want)


def test_many_boxes(tmp_path):
    """More than 256 of a class: 700 boxes on a coarse grid, scores of which many are equal, two images, three classes."""
    rng, path = np.random.default_rng(3), tmp_path / "m.onnx"
    corner = rng.integers(0, 60, (2, 700, 2)) / 4
    made = {"boxes": np.concatenate([corner, corner + rng.integers(1, 5, (2, 700, 2)) / 4], 2).astype(np.float32), "scores": (rng.integers(0, 99, (2, 3, 700)) / 64).astype(np.float32)}
    constants = {"most": np.array([600]), "overlap": np.array([0.4], np.float32), "least": np.array([0.1], np.float32)}
    ports = {k: (FLOAT, v.shape) for k, v in made.items()}
    save(path, [NODE("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["left"], "n")], ports, {"left": TensorProto.INT64}, constants)
    want = session(path).run(None, made)[0]
    assert np.unique(want[:, :2], axis=0, return_counts=True)[1].min() > 256
    assert_left(run_program(build(path, tmp_path), tmp_path, made, ["left"])["left"], want, 2 * 3 * 600)


def test_no_box_is_asked_for(tmp_path):
    """Without the input that says how many there are none."""
    made = {k: v for k, v in values(0).items() if k in ("boxes", "scores")}
    save(tmp_path / "m.onnx", [NODE("NonMaxSuppression", ["boxes", "scores"], ["left"])], {"boxes": BOXES, "scores": SCORES}, {"left": TensorProto.INT64}, {})
    assert evaluate(tmp_path / "m.onnx", made, tmp_path / "out")[1].shape == (0, 3)
