"""Two hundred random Vision Transformers: every attention, MLP, norm and GELU is fused, and the generated library is as near the truth as ONNX Runtime."""
import dataclasses
import re

import numpy as np
import onnx
import pytest

from conftest import VITCC, check, largest_error, load_outputs, run, save_inputs, session
from library import Library, fusions, link
from random_vit import draw
from random_vit_onnx import build

MODELS = 200
NUMBERS = 96      # outputs that a model's largest errors are taken over, at least: of few, one lucky rounding decides
def truth(config, folder, image, names):
    """All images at once in double precision, through no pass: by the same model with a batch that is decided at run time."""
    model = folder / "dynamic.onnx"
    onnx.save(build(dataclasses.replace(config, dynamic=True)), model)
    run(VITCC, "evaluate", model, "-o", folder / "double", *save_inputs(folder, {"pixel_values": image}), "--no-pass", "all")
    return load_outputs(folder / "double", names)


def compare(config, model, library, folder):
    """The rule of docs/numerics.md over several images; and the truth is what ONNX Runtime computes, up to float32's reach."""
    reference = session(model)
    names = [o.name for o in reference.get_outputs()]
    numbers = config.tokens * config.width if "last_hidden_state" in names else config.classes
    images = max(4, -(-NUMBERS // numbers))
    image = np.random.default_rng([config.seed, 22]).standard_normal((images, *config.image)).astype(np.float32)
    true, loaded = truth(config, folder, image, names), Library(library, images if config.dynamic else 1)
    answers = []
    for i, part in enumerate(np.split(np.arange(images), [1, 3] if config.dynamic else range(1, images))):
        theirs = reference.run(None, {"pixel_values": image[part]})
        got = [np.full_like(t, np.nan) for t in theirs]
        loaded.run(i, [np.ascontiguousarray(image[part])], got)
        answers.append((dict(zip(names, got)), dict(zip(names, theirs)), {n: true[n][part] for n in names}))
    loaded.close()
    for n in names:
        assert max(largest_error(theirs[n], t[n]) for _, theirs, t in answers) <= 2e-5 * np.abs(true[n]).max()
    check(answers)


@pytest.mark.parametrize("seed", range(MODELS))
def test_random_vit(seed, tmp_path):
    config = draw(seed)
    print(config)
    model, out, jit = tmp_path / "model.onnx", tmp_path / "out", seed % 10 == 0
    onnx.save(build(config), model)
    panels = ["--panel-rows", 5 + seed % 13] if seed % 3 == 0 else []
    printed = run(VITCC, "compile", model, "-o", out, "--name", "model", "--kernels", "jit" if jit else "portable", *panels).stdout
    assert fusions(printed) == {kind: (count, count) for kind, count in config.fusions().items()}, printed
    assert "not fused" not in printed
    compare(config, model, link(out, seed, jit), tmp_path)
