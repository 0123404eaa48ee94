"""The committed models of all families: the generated library against ONNX Runtime and double precision."""
import zlib

import numpy as np
import pytest

from conftest import VITCC, check, evaluate, random_inputs, run, session, shapes, small_models
from library import Library, link

MODELS = [folder / "model.onnx" for which in ("families", "timm", "keras") for folder in small_models(which)]
INPUTS = 4


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.parent.name)
def test_equals_onnx_runtime(model, tmp_path):
    """By the rule of docs/numerics.md, on 1, 2 and 3 threads; integers are equal."""
    seed, (_, dynamic, options) = zlib.crc32(model.parent.name.encode()), shapes(model, 1)
    jit = seed % 5 == 0
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "jit" if jit else "portable", *options)
    library, names, answers = Library(link(tmp_path / "out", seed, jit), 3 if dynamic else len(random_inputs(model, 0)[session(model).get_inputs()[0].name])), [o.name for o in session(model).get_outputs()], []
    for i in range(INPUTS):
        batch = 1 + i % 3 if dynamic else 1
        inputs = random_inputs(model, i, batch)
        theirs = session(model).run(None, inputs)
        got = [np.full_like(t, 77) for t in theirs]
        library.run(i, [np.ascontiguousarray(x) for x in inputs.values()], got)
        answers.append((dict(zip(names, got)), dict(zip(names, theirs)), evaluate(model, tmp_path, inputs, names)))
        for have, want in zip(got, theirs):
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(have, want)
    library.close()
    check(answers)
