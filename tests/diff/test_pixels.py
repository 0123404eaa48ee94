"""--input-type uint8: raw pixels in, mean and std inside. Against the float model on the same pixels, normalised as HuggingFace does."""
import json
import re
import zlib

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from conftest import ROOT, VITCC, build, check, evaluate, load_outputs, random_inputs, run, save_inputs, session, shapes
from library import Library, link

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PROCESSOR = {"do_resize": True, "size": {"height": 32, "width": 32}, "image_mean": MEAN, "image_std": STD, "rescale_factor": 1 / 255}
FOLDED = {"vit_msn-dynamo", "vit_msn-script", "beit-dynamo_batch", "swin-dynamo", "swin_padded-dynamo", "clip-dynamo"}
PADDED = {"resnet-dynamo", "mobilevit-dynamo"}              # 3x3 and 7x7 windows over zeros around the picture
MODELS = sorted(FOLDED | PADDED)


@pytest.fixture
def processor(tmp_path):
    """A folder with preprocessor_config.json; the options that say so."""
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return ["--config", tmp_path, "--input-type", "uint8"]


def normalised(pixels, mean=MEAN, std=STD):
    """[N, H, W, C] of uint8 as [N, C, H, W] of float32."""
    x = (pixels.astype(np.float64) * (1 / 255)).astype(np.float32)
    return np.ascontiguousarray(((x - np.float32(mean)) / np.float32(std)).transpose(0, 3, 1, 2))


def image_name(model):
    return next(i.name for i in session(model).get_inputs() if len(i.shape) == 4)


def answers(model, library, folder, number):
    """The library on pixels; ONNX Runtime and the evaluator on floats."""
    dynamic, image = shapes(model, 1)[1], image_name(model)
    inputs = random_inputs(model, number, 3 if dynamic and number else 1)
    n, c, h, w = inputs[image].shape
    pixels = np.random.default_rng(number).integers(0, 256, (n, h, w, c), dtype=np.uint8)
    pixels[:, :3] = 0 if number % 2 else 255    # the border, at the ends of the range
    inputs[image] = normalised(pixels)
    names = [o.name for o in session(model).get_outputs()]
    theirs = session(model).run(None, inputs)
    got = [np.full_like(t, 77) for t in theirs]
    library.run(number, [pixels if k == image else np.ascontiguousarray(v) for k, v in inputs.items()], got)
    return dict(zip(names, got)), dict(zip(names, theirs)), evaluate(model, folder, inputs, names)


@pytest.mark.parametrize("name", MODELS)
def test_equals_float_input(name, tmp_path, processor):
    """By the rule of docs/numerics.md."""
    model = ROOT / "models/families" / name / "model.onnx"
    inputs, dynamic, options = shapes(model, 1)
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", *options, *processor)
    image = image_name(model)
    n, c, h, w = inputs[image]
    header = (tmp_path / "out/model.h").read_text()
    batch = "batch" if dynamic else n
    assert f"const uint8_t *{image};   /* [{batch},{h},{w},{c}]: raw pixels, [batch, height, width, channels] of 0 to 255; mean and std are inside */" in header
    library = Library(link(tmp_path / "out", zlib.crc32(name.encode()), False), 3 if dynamic else n)
    check([answers(model, library, tmp_path, i) for i in range(4)])
    library.close()


@pytest.mark.parametrize("name", MODELS)
def test_what_is_folded(name, processor):
    """A patch embedding reads bytes that are only converted; where the first convolution pads, mean and std stay with the conversion."""
    model = ROOT / "models/families" / name / "model.onnx"
    graph = run(VITCC, "check", model, *shapes(model, 1)[2], *processor, "--dump-after", "algebra").stdout
    expressions = re.findall(r"\{expr = (.*convert\(in0\).*)\}", graph)
    assert expressions[0] == ("sub(convert(in0), 114)" if name in FOLDED else "convert(add(mul(convert(in0):f64, in1), in2))")


def test_passes_do_not_change_the_answer(processor):
    """--validate compares before and after each pass."""
    for name in ("vit_msn-dynamo", "beit-dynamo_batch", "resnet-dynamo"):
        run(VITCC, "check", ROOT / "models/families" / name / "model.onnx", *processor, "--validate")


def test_evaluate_takes_pixels(tmp_path, processor):
    """The same truth on both ways, up to what float32 holds of a normalised pixel."""
    model = ROOT / "models/families/vit_msn-dynamo/model.onnx"
    pixels = np.random.default_rng(3).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    want = evaluate(model, tmp_path / "float", {"pixel_values": normalised(pixels)}, ["logits"])["logits"]
    for passes in ([], ["--no-pass", "all"]):
        run(VITCC, "evaluate", model, "-o", tmp_path / "double", *save_inputs(tmp_path, {"pixel_values": pixels}), *processor, *passes)
        np.testing.assert_allclose(load_outputs(tmp_path / "double", ["logits"])["logits"], want, rtol=0, atol=2e-6 * np.abs(want).max())


def stem(path, elem, channels, pads):
    """Pixels [N, C, 10, 10] padded to 12 x 12, or not, then cut into patches of 4 x 4 and projected, in the type `elem`."""
    rng, size = np.random.default_rng(1), 12 if pads else 8
    numbers = {"w": rng.standard_normal((6, channels, 4, 4)) / 8, "b": rng.standard_normal(6), "zero": np.zeros(())}
    constants = [numpy_helper.from_array(v.astype(elem), k) for k, v in numbers.items()]
    constants += [numpy_helper.from_array(np.array(v), k) for k, v in (("pads", [0, 0, 1, 1, 0, 0, 1, 1]), ("shape", [0, 6, -1]))]
    kind, side = helper.np_dtype_to_tensor_dtype(np.dtype(elem)), 10 if pads else 8
    nodes = [helper.make_node("Pad", ["x", "pads", "zero"], ["p"])] if pads else [helper.make_node("Identity", ["x"], ["p"])]
    nodes += [helper.make_node("Conv", ["p", "w", "b"], ["c"], strides=[4, 4]), helper.make_node("Reshape", ["c", "shape"], ["r"]),
              helper.make_node("Transpose", ["r"], ["y"], perm=[0, 2, 1])]
    ports = [[helper.make_tensor_value_info("x", kind, ("N", channels, side, side))], [helper.make_tensor_value_info("y", kind, ("N", size * size // 16, 6))]]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", *ports, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("pads", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("elem", [np.float32, np.float64, np.float16])
def test_stems(elem, channels, pads, tmp_path):
    """Every type and number of channels; a picture that is padded with zeros, the mean colour, before it is cut."""
    path, mean, std = tmp_path / "m.onnx", [0.485, 0.456, 0.406, 0.3][:channels], [0.229, 0.224, 0.225, 0.5][:channels]
    stem(path, elem, channels, pads)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | {"image_mean": mean, "image_std": std}))
    options, side = ["--config", tmp_path, "--input-type", "uint8"], 10 if pads else 8
    run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", *options)
    folded = run(VITCC, "check", path, *options, "--dump-after", "algebra").stdout
    assert ("mul(convert" in folded) == pads
    pixels = np.random.default_rng(2).integers(0, 256, (3, side, side, channels), dtype=np.uint8)
    x = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2).astype(elem)
    run(VITCC, "evaluate", path, "-o", tmp_path / "double", *save_inputs(tmp_path, {"x": x}), "--no-pass", "all")
    want = load_outputs(tmp_path / "double", ["y"])["y"]
    library, got = Library(link(tmp_path / "out", channels, False), 3), np.full(want.shape, 77, elem)
    library.run(channels, [pixels], [got])
    library.close()
    np.testing.assert_allclose(got, want, rtol=0, atol={2: 2e-3, 4: 2e-6, 8: 1e-13}[got.itemsize] * np.abs(want).max())


# ---- the program ----

def test_program_classifies_as_the_float_program_does(tmp_path):
    """Decoded and resized pixels go in as they are; --tune's record keeps the option; the self-test is of pixels."""
    model, pictures = ROOT / "models/digits/digits.onnx", sorted((ROOT / "models/digits/images").glob("*.png"))
    assert len(pictures) > 2
    printed = {}
    for kind, options in (("float", []), ("bytes", ["--input-type", "pixel_values=uint8"])):
        (tmp_path / kind).mkdir()
        program = build(model, tmp_path / kind, *options)
        printed[kind] = [line.split("\t")[:3] for line in run(program, "--quiet", "--batch", 3, *pictures).stdout.splitlines()]
        run(program, "--selftest", tmp_path / kind / "out/selftest")
        run(program, "--bench", 2)
    assert len(printed["bytes"]) == len(pictures)
    for have, want in zip(printed["bytes"], printed["float"]):
        assert have[:2] == want[:2] and abs(float(have[2]) - float(want[2])) <= 2e-4
    stored = np.load(tmp_path / "bytes/out/selftest/input_pixel_values.npy")
    assert stored.dtype == np.uint8 and stored.shape == (1, 32, 32, 3) and stored.max() > 200
    assert json.loads((tmp_path / "bytes/out/.vitcc").read_text())["input_type"] == "pixel_values=uint8"


@pytest.mark.parametrize("steps", [{"do_normalize": False}, {"do_rescale": False}, {"do_rescale": False, "do_normalize": False}, {"rescale_factor": 1 / 127.5}])
def test_steps_of_the_processor(steps, tmp_path):
    """What is not done is not folded."""
    model = ROOT / "models/families/vit_msn-dynamo/model.onnx"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | steps))
    pixels = np.random.default_rng(5).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    x = pixels.astype(np.float64) * (steps.get("rescale_factor", 1 / 255) if steps.get("do_rescale", True) else 1)
    x = (x - MEAN) / STD if steps.get("do_normalize", True) else x
    run(VITCC, "evaluate", model, "-o", tmp_path / "double", *save_inputs(tmp_path, {"pixel_values": pixels}), "--config", tmp_path, "--input-type", "uint8")
    want = evaluate(model, tmp_path / "float", {"pixel_values": x.transpose(0, 3, 1, 2).astype(np.float32)}, ["logits"])["logits"]
    np.testing.assert_allclose(load_outputs(tmp_path / "double", ["logits"])["logits"], want, rtol=0, atol=4e-6 * np.abs(want).max())
