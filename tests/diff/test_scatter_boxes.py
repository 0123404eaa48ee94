"""ScatterND whose constant indices are a box of the data: the updates between parts of the data, one concatenation an axis that is cut; other indices gather."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, build, evaluate, run, run_program, session

SHAPE = 2, 5, 6
# Slices of the first axes, and how many axes they cut at one end or both.
BOXES = {
    "behind_the_first": ((slice(None), slice(1, None), slice(1, None)), 2),
    "first_rows": ((slice(None), slice(0, 3)), 1),
    "in_the_middle": ((slice(1, 2), slice(2, 4), slice(3, 5)), 3),
    "one_row": ((slice(1, 2), slice(4, 5)), 2),
    "everything": ((slice(None), slice(None)), 0),
}
OTHERS = {
    "backwards": [[0, 1], [0, 0]],
    "every_second": [[0, 0], [0, 2], [0, 4]],
    "a_row_twice": [[0, 1], [0, 2], [0, 2]],
    "round_the_end": [[0, 4], [0, 0]],
    "a_corner_is_missing": [[0, 0], [0, 1], [1, 0]],
    "two_axes_exchanged": [[0, 0], [1, 0], [0, 1], [1, 1]],
}


def indices(case):
    """Of a box every other axis counts from the end."""
    if case in OTHERS:
        return np.array(OTHERS[case], np.int64)
    ranges = [np.arange(n)[s] - n * (a % 2) for a, (n, s) in enumerate(zip(SHAPE, BOXES[case][0]))]
    return np.stack(np.meshgrid(*ranges, indexing="ij"), -1).astype(np.int64)


def save(path, cases):
    """x scattered into by u_case at the indices of each; random inputs."""
    inputs, nodes, constants = {"x": SHAPE}, [], []
    for case in cases:
        constants.append(numpy_helper.from_array(indices(case), f"i_{case}"))
        nodes.append(helper.make_node("ScatterND", ["x", f"i_{case}", f"u_{case}"], [case]))
        inputs[f"u_{case}"] = indices(case).shape[:-1] + SHAPE[indices(case).shape[-1]:]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    graph = helper.make_graph(nodes, "g", ports, [helper.make_tensor_value_info(case, TensorProto.FLOAT, SHAPE) for case in cases], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    rng = np.random.default_rng(1)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()}


def test_equals_onnx_runtime(tmp_path):
    path, cases = tmp_path / "m.onnx", [*BOXES, *OTHERS]
    inputs = save(path, cases)
    want, truth = session(path).run(None, inputs), evaluate(path, tmp_path, inputs, cases)
    got = run_program(build(path, tmp_path), tmp_path / "run", inputs, cases)
    for case, y in zip(cases, want):
        np.testing.assert_array_equal(truth[case], y, err_msg=case)
        np.testing.assert_array_equal(got[case], y, err_msg=case)


@pytest.mark.parametrize("case", [*BOXES, *OTHERS])
def test_operators(case, tmp_path):
    """Concatenations and gathers."""
    save(tmp_path / "m.onnx", [case])
    printed = run(VITCC, "compile", tmp_path / "m.onnx", "-o", tmp_path / "out", "-q", "--dump-after", "dce").stdout
    concats, gathers, scatters = (printed.count(f" = {op}(") for op in ("concat", "gather", "scatter"))
    assert (concats, gathers, scatters) == ((BOXES[case][1], 0, 0) if case in BOXES else (1, 1, 0))
