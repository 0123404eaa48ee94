"""--input-type uint8: raw pixels in, mean and std inside. Against the float model on the same pixels, normalised as HuggingFace does."""
import json
import re

import numpy as np
import pytest

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
    library = Library(link(tmp_path / "out", 1, False), 3 if dynamic else n)
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
