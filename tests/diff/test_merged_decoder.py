"""Optimum's merged decoders: one If by an input, whose branches use each other's names. Bound to either value, the branch is right, and all of it is fused."""
import numpy as np
import pytest

from conftest import ROOT, VITCC, check, load_outputs, run, safe, session
from library import Library, fusions, link

MODELS = sorted((ROOT / "models/decoders").glob("*/model.onnx"))
FLAG = "use_cache_branch"


def read(model, step):
    """The step's inputs as the file has them, floats drawn anew from the second on."""
    return {i.name: np.load(model.parent / f"{step}_{safe(i.name)}.npy") for i in session(model).get_inputs()}


@pytest.mark.parametrize("step", ["first", "next"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.parent.name)
def test_each_branch(model, step, tmp_path):
    """By the rule of docs/numerics.md, on 1, 2 and 3 threads."""
    stored = read(model, step)
    options = [word for name, x in stored.items() if name != FLAG for word in ("--shape", f"{name}={','.join(map(str, x.shape))}")]
    options += ["--bind", f"{FLAG}={model.parent}/{step}_{FLAG}.npy"]
    printed = run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "--kernels", "portable", *options).stdout
    for kind, (found, fused) in fusions(printed).items():
        assert found == fused > 0, kind
    library, names, answers, rng = Library(link(tmp_path / "out", 0, False), 1), [o.name for o in session(model).get_outputs()], [], np.random.default_rng(1)
    for i in range(3):
        inputs = {k: rng.standard_normal(x.shape).astype(x.dtype) if x.dtype == np.float32 else x for k, x in stored.items()}
        want = dict(zip(names, session(model).run(None, inputs)))
        got = [np.full_like(x, 77) for x in want.values()]
        library.run(i, [np.ascontiguousarray(x) for k, x in inputs.items() if k != FLAG], got)
        files = [word for k, x in inputs.items() if k != FLAG for word in ("--input", f"{k}={tmp_path / safe(k)}.npy")]
        for k, x in inputs.items():
            np.save(tmp_path / f"{safe(k)}.npy", x)
        run(VITCC, "evaluate", model, "-o", tmp_path / "double", *files, *options, "--no-pass", "all")
        answers.append((dict(zip(names, got)), want, load_outputs(tmp_path / "double", names)))
    library.close()
    check(answers)
