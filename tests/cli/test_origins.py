"""Every node keeps its origin, the ONNX nodes it stands for, through all passes: into the textual form, the report and the generated code."""
import json
import re

import onnx
import pytest

from conftest import PASSES, ROOT, VITCC, run, shapes, small_models

MODELS = [ROOT / "models/digits/digits.onnx", *(folder / "model.onnx" for folder in small_models())]
NODE = re.compile(r'^  %\d+.* = (\w+)')
# A mask that hides nothing goes as a whole: nothing is left that could stand for its Where and its Expand.
VANISHING = {"Where", "Expand"}


def stages(model, *options):
    """After each pass: the lines of the textual form that are nodes."""
    text = run(VITCC, "inspect", model, "--dump-after", "all", *shapes(model, 1)[2], *options).stdout
    found = {}
    for line in text.splitlines():
        if line.startswith("# after "):
            found[line.split()[2]] = rows = []
        elif NODE.match(line):
            rows.append(line)
    return found


def origins(line):
    """(number, name) of each ONNX node that a line names."""
    return set(re.findall(r"(\d+) '((?:[^'\\]|\\.)*)'", line.partition("   # ")[2]))


def is_of_the_file(line):
    """A constant with its ONNX name: an initializer, which no node made."""
    return re.match(r'^  %\d+ ".*": .* = const ', line) is not None


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.parent.name)
def test_every_node_has_an_origin_after_every_pass(model):
    nodes = onnx.load(model, load_external_data=False).graph.node
    after = stages(model)
    assert list(after) == ["load", *PASSES] and after["load"]
    for stage, lines in after.items():
        bare = [line for line in lines if not origins(line) and not is_of_the_file(line)]
        assert not bare, f"after {stage}: {bare[:3]}"
        for number, name in set().union(*map(origins, lines)):
            assert nodes[int(number)].name == name, f"after {stage}: {number} '{name}'"


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.parent.name)
def test_no_origin_is_lost_on_the_way(model):
    nodes = onnx.load(model, load_external_data=False).graph.node
    after = stages(model)
    loaded, left = (set().union(*map(origins, after[stage])) for stage in ("load", PASSES[-1]))
    lost = {nodes[int(number)].op_type for number, _ in loaded - left}
    assert lost <= VANISHING, f"{lost - VANISHING} stand nowhere"
    assert left <= loaded


@pytest.mark.parametrize("left_out", ["all", *PASSES])
@pytest.mark.parametrize("name", ["vit_cls-script", "deit_teacher-dynamo_batch"])
def test_every_node_has_an_origin_without_a_pass(name, left_out):
    after = stages(ROOT / "models/small" / name / "model.onnx", "--no-pass", left_out)
    for stage, lines in after.items():
        bare = [line for line in lines if not origins(line) and not is_of_the_file(line)]
        assert not bare, f"after {stage}: {bare[:3]}"


@pytest.mark.parametrize("name", ["vit_cls-dynamo_batch", "deit_teacher-script", "vit_features-optimum"])
def test_every_step_of_report_and_code_names_its_origin(name, tmp_path):
    model = ROOT / "models/small" / name / "model.onnx"
    run(VITCC, "compile", model, "-o", tmp_path / "out", "--name", "model", "-q", *shapes(model, 1)[2])
    nodes = onnx.load(model, load_external_data=False).graph.node
    report = json.loads((tmp_path / "out/model.json").read_text())
    steps = [step for scope in report["scopes"] for item in scope["items"] for step in item.get("steps", [])]
    assert len(steps) > 5
    code = (tmp_path / "out/model.c").read_text()
    for step in steps:
        assert step["origins"], step
        for origin in step["origins"]:
            number, name = re.fullmatch(r"(\d+) '(.*)'", origin).groups()
            assert nodes[int(number)].name == name
        assert f"/* {', '.join(step['origins'][:3])}" in code, step
