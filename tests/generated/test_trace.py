"""Programs built with tracing: what each step makes equals what the evaluator has at the ONNX node after which the step is named."""
import re

import numpy as np
import onnx
import pytest

from conftest import ROOT, VITCC, evaluate, random_inputs, run, safe, save_inputs, shapes

SMALL = ROOT / "models/small"
PLAIN = ("--no-pass", "algebra", "--no-pass", "narrow")   # every step's result is one of the model's own values
PANELS = ("--panel-rows", "7", "--tile-rows", "4")        # several panels a phase
NAME = re.compile(r"(\d{3})_(.*?)(_probabilities)?(\.\d+)?")


def build(model, folder, *options, trace="ON"):
    """The program of `model`, with tracing or without."""
    run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", "-q", *shapes(model, 1)[2], *options)
    run("cmake", "-S", folder / "out", "-B", folder / "build", f"-DMODEL_TRACE={trace}", "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Werror")
    run("cmake", "--build", folder / "build", "--target", "model")
    return folder / "build/model"


def traces(program, folder, inputs, *options):
    """What the program writes, by file name; and its outputs."""
    run(program, *save_inputs(folder, inputs), "--trace", folder / "trace", "--output-dir", folder / "got", "--quiet", *options)
    return ({p.name.removesuffix(".npy"): np.load(p) for p in sorted((folder / "trace").iterdir())}, {p.stem: np.load(p) for p in (folder / "got").iterdir()})


class Truth:
    """Every value of the model in double precision."""

    def __init__(self, model, folder, inputs):
        whole = onnx.load(model)
        self.constants = {i.name for i in whole.graph.initializer}
        self.node = {safe(n.name or n.op_type): n for n in whole.graph.node}
        known = {o.name for o in whole.graph.output}
        types = {v.name: v for v in onnx.shape_inference.infer_shapes(whole).graph.value_info}
        outputs = [n.output[0] for n in whole.graph.node if n.output[0] not in known and n.output[0] in types]
        whole.graph.output.extend(types[o] for o in outputs if types[o].type.tensor_type.elem_type == onnx.TensorProto.FLOAT)
        folder.mkdir()
        onnx.save(whole, folder / "whole.onnx", save_as_external_data=False)
        self.value = evaluate(folder / "whole.onnx", folder, inputs, [o.name for o in whole.graph.output])

    def node_of(self, file):
        return self.node[NAME.fullmatch(file)[2]]

    def is_sum(self, file):
        """Of two values of the model, not of a value and its bias."""
        return self.node_of(file).op_type == "Add" and not self.constants & set(self.node_of(file).input)

    def of(self, file):
        """What the file should hold, up to its shape: the result of the node that it is named after, or attention's probabilities, which that node takes."""
        _, _, probabilities, image = NAME.fullmatch(file).groups()
        node = self.node_of(file)
        value = self.value[node.input[0] if probabilities else node.output[0]]
        return value[int(image[1:])] if image else value


def is_keys(got, others):
    """Keys stand transposed and padded with zeros in [1, groups, d, T padded]; they are another step's result exactly."""
    _, groups, d, _ = got.shape
    for other in others:
        if other.size % (groups * d):
            continue
        k = other.reshape(-1, groups, d).transpose(1, 2, 0)
        if k.shape[2] <= got.shape[3] and np.array_equal(got[0, :, :, :k.shape[2]], k):
            return not got[0, :, :, k.shape[2]:].any()
    return False


def equal(got, want):
    """Within rounding, whatever axes of length one there are; attention's heads stand behind its tokens."""
    if got.ndim == 4 and got.size == want.size and got.shape[-1] != got.shape[-2]:
        got = got.swapaxes(1, 2)
    return want.size == got.size and np.abs(got.reshape(-1) - want.reshape(-1)).max() <= 1e-5 * np.abs(want).max()


def is_part(got, node, want):
    """The rows that a concatenation takes from its first input."""
    return node.op_type == "Concat" and got.size < want.size and equal(got, want.reshape(-1)[:got.size])


@pytest.mark.parametrize("name, batch", [("vit_hidden_states-dynamo_batch", 2), ("vit_odd-script_batch", 3), ("vit_rect-script", 1)])
def test_every_step_makes_the_value_of_its_node(name, batch, tmp_path):
    model = SMALL / name / "model.onnx"
    inputs = random_inputs(model, 5, batch)
    program = build(model, tmp_path, *PLAIN, *PANELS)
    got, _ = traces(program, tmp_path / "1", inputs, "--threads", 1)
    truth = Truth(model, tmp_path / "truth", inputs)
    assert {NAME.fullmatch(file)[4] for file in got} == ({None} if batch == 1 else {f".{i}" for i in range(batch)})
    other, keys = [], 0
    for file, value in got.items():
        assert value.dtype == np.float32 and np.isfinite(value).all()
        before = [v for f, v in got.items() if f[:3] < file[:3] and NAME.fullmatch(f)[4] == NAME.fullmatch(file)[4]]
        if value.ndim == 4 and is_keys(value, before):
            keys += 1
        elif not equal(value, truth.of(file)) and not is_part(value, truth.node_of(file), truth.of(file)):
            other.append(truth.node_of(file).op_type)
    assert other == ["Conv"] * batch   # the picture's patches, cut out for the product
    assert keys == 2 * batch and len(got) >= 20 * batch
    again, _ = traces(program, tmp_path / "2", inputs, "--threads", 2)
    assert again.keys() == got.keys() and all(np.array_equal(again[k], got[k]) for k in got)


@pytest.fixture(scope="module")
def optimised(tmp_path_factory):
    """The digits model with tracing and all passes, and without tracing."""
    folder = tmp_path_factory.mktemp("traced")
    model = ROOT / "models/digits/digits.onnx"
    for name in ("with", "without"):
        (folder / name).mkdir()
    return model, build(model, folder / "with"), build(model, folder / "without", trace="OFF")


def test_with_all_passes_the_residual_stream_is_the_model_s(optimised, tmp_path):
    model, program, _ = optimised
    inputs = random_inputs(model, 2, 2)
    got, outputs = traces(program, tmp_path / "1", inputs, "--threads", 2)
    truth = Truth(model, tmp_path / "truth", inputs)
    sums = [f for f, v in got.items() if truth.is_sum(f) and v.size == truth.of(f).size]
    assert len(sums) >= 4 * 2 and all(equal(got[f], truth.of(f)) for f in sums)
    last = sorted(got)[-2:]
    assert np.array_equal(np.concatenate([got[f] for f in last]), outputs["logits"]) and all(equal(got[f], truth.of(f)) for f in last)


def test_a_second_run_in_one_folder_replaces_the_first(optimised, tmp_path):
    model, program, _ = optimised
    first, _ = traces(program, tmp_path, random_inputs(model, 1))
    for path in (tmp_path / "trace").iterdir():
        path.write_bytes(path.read_bytes() + b"more")
    second, _ = traces(program, tmp_path, random_inputs(model, 2))
    assert first.keys() == second.keys() and not any(np.array_equal(first[k], second[k]) for k in sorted(first)[-3:])


def test_a_trace_that_cannot_be_written_is_an_error(optimised, tmp_path):
    model, program, _ = optimised
    files = save_inputs(tmp_path, random_inputs(model, 1))
    run(program, *files, "--trace", tmp_path / "t")
    first = sorted((tmp_path / "t").iterdir())[0]
    first.unlink()
    first.mkdir()
    assert "a trace could not be written" in run(program, *files, "--trace", tmp_path / "t", status=1).stderr
    assert "No such file" in run(program, *files, "--trace", tmp_path / "no/t", status=1).stderr


def test_without_the_option_nothing_of_it_is_there(optimised, tmp_path):
    model, program, plain = optimised
    for name, there in ((program, True), (plain, False)):
        assert ("model_trace" in run("nm", name).stdout) == there
        assert (b"_node_layer_norm" in name.read_bytes()) == there
        assert ("--trace" in run(name, "--help").stdout) == there
    assert "without tracing" in run(plain, *save_inputs(tmp_path, random_inputs(model, 1)), "--trace", tmp_path / "t", status=2).stderr
    assert not (tmp_path / "t").exists()
