"""Outputs are made in the caller's memory: the same bits at any address, whichever of them are left out, and nothing written beside them."""
import ctypes

import numpy as np
import pytest

from conftest import ROOT, VITCC, random_inputs, run, session
from library import Library, link

GUARD = 64      # bytes around an output
MODELS = {"families/gpt2_step-dynamo": 1, "families/trocr_step-dynamo": 1, "small/deit_teacher-dynamo_batch": 3, "families/sam_masks-dynamo_batch": 2}


def framed(like):
    """An array between guards, aligned to its elements alone, and the bytes that hold both."""
    memory = np.full(like.nbytes + 2 * GUARD + 64, 0xA5, np.uint8)
    first = -memory.ctypes.data % 64 + GUARD - like.itemsize
    return memory[first:first + like.nbytes].view(like.dtype).reshape(like.shape), memory


@pytest.mark.parametrize("name", MODELS)
def test_any_place_and_any_choice(name, tmp_path):
    model, batch = ROOT / "models" / name / "model.onnx", MODELS[name]
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", "--kernels", "portable")
    library, rng = Library(link(tmp_path / "out", 0, False), batch), np.random.default_rng(1)
    inputs = list(random_inputs(model, 1, batch).values())
    wanted = [np.zeros_like(y) for y in session(model).run(None, dict(zip([i.name for i in session(model).get_inputs()], inputs)))]
    library.run(0, inputs, wanted, batch)
    given = (ctypes.c_void_p * len(inputs))(*(x.ctypes.data for x in inputs))
    for which in range(9):
        taken = rng.random(len(wanted)) < [1, 0.6, 0.2][which // 3]
        arrays = [framed(y) for y in wanted]
        places = (ctypes.c_void_p * len(wanted))(*(array.ctypes.data if some else 0 for (array, _), some in zip(arrays, taken)))
        assert library.api.model_run(library.sessions[which % 3], ctypes.c_int64(batch), given, places) == 0
        for (array, memory), want, some in zip(arrays, wanted, taken):
            if some:
                assert array.tobytes() == want.tobytes()
                array.view(np.uint8)[...] = 0xA5
            assert (memory == 0xA5).all()
    library.close()
