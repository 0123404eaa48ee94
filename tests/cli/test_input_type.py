"""What --input-type refuses, with the exact lines printed. What it does: tests/diff/test_pixels.py."""
import onnx
import pytest
from onnx import TensorProto, helper

from conftest import VITCC, run
from error_cases import line


def file_of(folder, **inputs):
    """A model that copies its inputs."""
    ports = [[helper.make_tensor_value_info(prefix + k, e, s) for k, (e, s) in inputs.items()] for prefix in ("", "of_")]
    nodes = [helper.make_node("Identity", [k], ["of_" + k]) for k in inputs]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", *ports), opset_imports=[helper.make_opsetid("", 17)]), folder / "m.onnx")
    return folder / "m.onnx"


F, IMAGE = TensorProto.FLOAT, (TensorProto.FLOAT, (1, 3, 8, 8))
REFUSED = {
    "no image": ({"x": (F, (1, 8))}, "uint8", "no input has four axes, [batch, channels, height, width], and a float type"),
    "rank": ({"x": (F, (1, 2, 3, 8, 8))}, "x=uint8", "input 'x' is f32[1,2,3,8,8], not [batch, channels, height, width] of a float type"),
    "type": ({"x": (TensorProto.INT64, (1, 3, 8, 8))}, "x=uint8", "input 'x' is i64[1,3,8,8], not [batch, channels, height, width] of a float type"),
    "channels": ({"x": (F, (1, 8, 8, 3))}, "uint8", "input 'x' is f32[1,8,8,3]: its second axis is no number of channels, 1 to 4"),
    "two images": ({"x": IMAGE, "y": IMAGE}, "uint8", "2 inputs may be images; name one, as in --input-type y=uint8"),
    "no such input": ({"x": IMAGE}, "z=uint8", "--input-type z=uint8: no input of this name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    inputs, text, particulars = REFUSED[name]
    (tmp_path / "preprocessor_config.json").write_text('{"size": 8}')
    path = file_of(tmp_path, **inputs)
    done = run(VITCC, "compile", path, "-o", tmp_path / "out", "--config", tmp_path, "--input-type", text, status=1)
    assert done.stderr == f"{path}: {line(312, '', particulars)}\n"
    assert not (tmp_path / "out").exists()


def test_needs_mean_and_std(tmp_path):
    path = file_of(tmp_path, x=IMAGE)
    done = run(VITCC, "compile", path, "-o", tmp_path / "out", "--input-type", "uint8", status=1)
    assert done.stderr == f"{path}: {line(312, '', 'there is no preprocessor_config.json, so mean and std are not known; see --config')}\n"


def test_other_types_are_bad_usage(tmp_path):
    done = run(VITCC, "compile", "m.onnx", "-o", tmp_path / "out", "--input-type", "x=int8", status=2)
    assert "--input-type is uint8 or NAME=uint8, not x=int8" in done.stderr
