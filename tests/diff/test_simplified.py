"""Files that onnxsim and onnxslim have simplified answer as the file that they were made from does."""
import zlib

import onnx
import onnxsim
import onnxslim
import pytest

from conftest import VITCC, check, random_inputs, run, session, shapes, small_models
from library import Library, ask, check_integers, fusions, link

INPUTS = 4
SAMPLE = ["vit_cls-script_batch", "swin-script", "clip_images-script_batch", "detr-dynamo", "vit-keras"]
BROKEN = {("trocr_step-dynamo", "onnxslim")}    # what reads a value stands without what makes it; ONNX Runtime refuses it too
CHANGED = {
    ("mask2former_resnet-dynamo_batch", "onnxsim"): {"norm": (9, 9)},     # the norm of the learned queries is a constant
    ("mobilevitv2-dynamo", "onnxsim"): {"mlp": (4, 3)},                   # of attention over one key a layer, ReLU, a factor and a layer are left
}
TOOLS = {"onnxsim": lambda path: onnxsim.simplify(str(path))[0], "onnxslim": lambda path: onnxslim.slim(str(path))}


def models():
    """A few by each tool; with --full all but those whose opset set is repeated by another export of the row."""
    for folder in [f for which in ("small", "families", "timm", "keras") for f in small_models(which)]:
        if (folder / "model.onnx").exists() and "_o" not in folder.name.rsplit("-", 1)[1]:
            yield pytest.param(folder / "model.onnx", id=folder.name, marks=[] if folder.name in SAMPLE else [pytest.mark.full_only])


def equated(model):
    """--shape for first dimensions of one name, for which onnxsim makes up others."""
    for i in session(model).get_inputs():
        if i.shape and isinstance(i.shape[0], str) and all(isinstance(d, int) for d in i.shape[1:]):
            yield from ("--shape", f"{i.name}={','.join(map(str, i.shape))}")


def softmaxes(path):
    return sum(node.op_type == "Softmax" for node in onnx.load(path, load_external_data=False).graph.node)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("model", list(models()))
def test_equals_the_original(model, tool, tmp_path):
    """By the rule of docs/numerics.md, the answers of ONNX Runtime and of double precision being those of the original; as much is fused, but for
    attention over a single key, which onnxsim takes out."""
    _, dynamic, options = shapes(model, 1)
    options = options or list(equated(model))
    onnx.save(TOOLS[tool](model), tmp_path / "model.onnx")
    if (model.parent.name, tool) in BROKEN:
        with pytest.raises(Exception, match="is not a graph input"):
            session(tmp_path / "model.onnx")
        assert "E303" in run(VITCC, "check", tmp_path / "model.onnx", status=1).stderr
        return
    found = [fusions(run(VITCC, "compile", path, "-o", tmp_path / "out", "--name", "model", "--kernels", "portable", *options).stdout)
             for path in (model, tmp_path / "model.onnx")]
    removed = softmaxes(model) - softmaxes(tmp_path / "model.onnx")
    attention = (max(found[0]["attention"][0] - removed, 0),) * 2
    assert found[1] == {**found[0], "attention": attention, **CHANGED.get((model.parent.name, tool), {})}
    batch, seed = 2 if dynamic else 1, zlib.crc32(model.parent.name.encode())
    kept, inputs = [i.name for i in session(tmp_path / "model.onnx").get_inputs()], [random_inputs(model, i, batch) for i in range(INPUTS)]
    library = Library(link(tmp_path / "out", seed, False), batch if dynamic else len(next(iter(inputs[0].values()))))
    given = ask(library, model, tmp_path, [(x, batch if dynamic else None) for x in inputs], kept)
    check_integers(given)
    check(given)
