"""Several images of a batch run together by one thread: bit for bit what each gives by itself."""
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import VITCC, random_inputs, run, session, shapes, small_models
from library import Library, link

DYNAMIC = [f / "model.onnx" for which in ("small", "families") for f in small_models(which) if "_batch" in f.name]
IMAGES = 7


def library(model, folder, *options):
    run(VITCC, "compile", model, "-o", folder, "--name", "model", "-q", "--kernels", "portable", *shapes(model, 1)[2], *options)
    return Library(link(folder, 1, False), IMAGES)


def axis_of(x):
    """The axis of the images; None in what is whole: texts of a fixed number."""
    return x.shape.index(IMAGES) if IMAGES in x.shape else None


def answer(loaded, which, inputs, templates, first, batch):
    """Of `batch` images from the first."""
    taken = [x if axis_of(x) is None else np.ascontiguousarray(x.take(range(first, first + batch), axis_of(x))) for x in inputs]
    got = [np.full([batch if a == axis_of(t) else size for a, size in enumerate(t.shape)], 77, t.dtype) for t in templates]
    loaded.run(which, taken, got, batch)
    return got


@pytest.mark.parametrize("model,panels", [pytest.param(m, p, id=m.parent.name + ("-panels" if p else "")) for i, m in enumerate(DYNAMIC)
                                          for p in [(), ("--panel-rows", 5, "--tile-rows", 3)][:1 + (i % 4 == 0)]])
def test_together_as_alone(model, panels, tmp_path):
    """Batches of 1 to 7 on 1 to 3 threads, groups of up to 3 images; with panels of five rows most phases cannot be shared and run image by image."""
    inputs = list(random_inputs(model, 5, IMAGES).values())
    outputs = session(model).run(None, dict(zip([i.name for i in session(model).get_inputs()], inputs)))
    alone, joint = library(model, tmp_path / "alone", "--panel-images", 1), library(model, tmp_path / "joint", "--panel-images", 3, *panels)
    code = (tmp_path / "joint/model.c").read_text()
    assert "TOGETHER = 3 " in code and (panels or "rows * images" in code)
    assert any(axis_of(x) is not None for x in inputs) and any(axis_of(x) is not None for x in outputs)
    single = [answer(alone, 0, inputs, outputs, i, 1) for i in range(IMAGES)]
    for batch in range(1, IMAGES + 1):
        want = [single[0][o] if axis_of(x) is None else np.concatenate([s[o] for s in single[:batch]], axis_of(x)) for o, x in enumerate(outputs)]
        for which in range(3):
            for have, expected in zip(answer(joint, which, inputs, outputs, 0, batch), want):
                np.testing.assert_array_equal(have.view(np.uint8), expected.view(np.uint8))
    alone.close()
    joint.close()


@pytest.mark.parametrize("rows,images", [(1, 8), (50, 4), (77, 2), (100, 2), (101, 1), (197, 1)])
def test_as_many_as_fill_a_panel(rows, images, tmp_path):
    """Of a layer whose 4.6 MB of weights are worth it; --panel-images 1 ends it."""
    weights = numpy_helper.from_array(np.random.default_rng(1).standard_normal((768, 1536), np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", rows, d]) for n, d in (("x", 768), ("y", 1536)))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "layer", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "layer.onnx")
    for options, expected in ((), images), (("--panel-images", 1), 1):
        run(VITCC, "compile", tmp_path / "layer.onnx", "-o", tmp_path / "out", "--name", "model", "-q", *options)
        assert re.search(r"TOGETHER = (\d+) ", (tmp_path / "out/model.c").read_text())[1] == str(expected)
