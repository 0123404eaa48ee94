"""Two sizes that a run decides: the batch, and beside it another with a capacity, the texts that all images are compared with or a cache's length. An output may have the batch as an inner axis."""
import numpy as np
import pytest

from conftest import ROOT, VITCC, build_project, check, load_outputs, random_inputs, run, safe, save_inputs, session
from library import Library, call, fusions, link

CAPACITY, MOST = 4, 5
TEXTS = sorted((ROOT / "models/families").glob("clip_images-*_batch/model.onnx"))
MERGED = ROOT / "models/decoders/trocr-optimum_merged/model.onnx"


def draw(model, texts, batch):
    """Texts and images; those that are stored, some of them again, each text with words of its own."""
    inputs, rng = random_inputs(model, texts, batch), np.random.default_rng([texts, batch])
    words, mask = (np.resize(inputs[name], (texts, inputs[name].shape[1])) for name in ("input_ids", "attention_mask"))
    words[:, 1:3] = rng.integers(3, 90, (texts, 2))
    return {**inputs, "input_ids": words, "attention_mask": mask}


@pytest.mark.parametrize("model", TEXTS, ids=lambda model: model.parent.name)
def test_texts_and_images(model, tmp_path):
    """By the rule of docs/numerics.md, as many texts and as many images as one likes, on 1, 2 and 3 threads."""
    printed = run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "--kernels", "portable", "--validate", "--shape", f"input_ids=texts<={CAPACITY},8").stdout
    assert fusions(printed) == {"attention": (4, 4), "mlp": (4, 4), "norm": (11, 11), "gelu": (4, 4)}
    library, answers = Library(link(tmp_path / "out", len(model.parent.name), False), MOST), []
    names = [o.name for o in session(model).get_outputs()]
    for which, (texts, batch) in enumerate([(4, 1), (1, 5), (2, 3), (3, 2), (4, 4), (1, 1)]):
        inputs = draw(model, texts, batch)
        want = dict(zip(names, session(model).run(None, inputs)))
        got = {k: np.full_like(y, 77) for k, y in want.items()}
        assert call(library, which, list(inputs.values()), texts, list(got.values()), batch) == 0
        run(VITCC, "evaluate", model, "-o", tmp_path / "double", *save_inputs(tmp_path, inputs), "--no-pass", "all")
        answers.append((got, want, load_outputs(tmp_path / "double", names)))
    assert want["logits_per_text"].shape == (1, 1) and answers[2][1]["logits_per_text"].shape == (2, 3)
    library.close()
    check(answers)


def test_program(tmp_path):
    """Both sizes are the files'. A batch that is an inner axis is written as ONNX Runtime has it."""
    model = TEXTS[0]
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", "--shape", f"input_ids=texts<={CAPACITY},8")
    program = build_project(tmp_path)
    for texts, batch in (2, 3), (4, 1):
        inputs = draw(model, texts, batch)
        run(program, *save_inputs(tmp_path, inputs), "--output-dir", tmp_path / "got", "-q", "--threads", 2)
        for o, want in zip(session(model).get_outputs(), session(model).run(None, inputs)):
            np.testing.assert_allclose(np.load(tmp_path / "got" / f"{safe(o.name)}.npy"), want, rtol=0, atol=2e-5)
    assert "good" in run(program, "--selftest", tmp_path / "out/selftest").stdout


def test_a_second_batch_needs_a_capacity():
    """And the error says how to give it one."""
    said = run(VITCC, "check", TEXTS[0], status=1).stderr
    assert "E311" in said and "input 'pixel_values': the batch is texts, and batch, a second one, needs a number or a capacity, as in --shape 'pixel_values=batch<=16,…'" in said


def test_a_cache_beside_a_batch(tmp_path):
    """Steps of several sentences with caches of one length."""
    sizes = {"batch_size": "N", "decoder_sequence_length": 1, "encoder_sequence_length": 17, "past_decoder_sequence_length": "past<=12"}
    ports = session(MERGED).get_inputs()[:-1]
    given = [text for i in ports for text in ("--shape", f"{i.name}={','.join(str(sizes.get(s, s)) for s in i.shape)}")]
    flag = ["--bind", f"use_cache_branch={MERGED.parent}/next_use_cache_branch.npy"]
    run(VITCC, "compile", MERGED, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable", *given, *flag)
    library, answers = Library(link(tmp_path / "out", 1, False), 3), []
    names = [o.name for o in session(MERGED).get_outputs()]
    for which, (length, batch) in enumerate([(12, 2), (1, 3), (5, 1), (7, 3)]):
        real, rng = {**sizes, "batch_size": batch, "past_decoder_sequence_length": length}, np.random.default_rng([length, batch])
        inputs = {i.name: rng.integers(3, 90, [real.get(s, s) for s in i.shape]) if "int64" in i.type else
                  rng.standard_normal([real.get(s, s) for s in i.shape]).astype(np.float32) for i in ports}
        want = dict(zip(names, session(MERGED).run(None, {**inputs, "use_cache_branch": np.array([True])})))
        got = {k: np.full_like(y, 77) for k, y in want.items()}
        assert call(library, which, list(inputs.values()), length, list(got.values()), batch) == 0
        run(VITCC, "evaluate", MERGED, "-o", tmp_path / "double", *save_inputs(tmp_path, inputs), *given, *flag, "--no-pass", "all")
        answers.append((got, want, load_outputs(tmp_path / "double", names)))
    library.close()
    check(answers)
