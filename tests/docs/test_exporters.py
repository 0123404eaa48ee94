"""Both exporters of one model give the same plan: equal rows in docs/models.md (which the tests keep true), and the same steps."""
import collections
import json
import re

import pytest

from conftest import ROOT, VITCC, run, shapes


ABOVE = {"mvitv2_cls", "segformer", "hub_mit"}    # frames for which no order of placing was found that reaches the bound; the report says which values end above it


def rows():
    """Kernels, fusions, dropped arithmetic, frame and bound of each model by (model, dynamic batch) and exporter, at the default opset."""
    found = collections.defaultdict(dict)
    for line in (ROOT / "docs/models.md").read_text().splitlines():
        if cell := re.fullmatch(r"\| (\w+) \| (dynamo|script)(_batch)? \| \d+ (.*) \| [^|]+ \| [^|]+ \|", line):
            found[cell[1], cell[3] is not None][cell[2]] = cell[4]
    return {model: of for model, of in found.items() if len(of) == 2}


def folder(name, dynamic, exporter):
    variant = f"{name}-{exporter}{'_batch' if dynamic else ''}/model.onnx"
    return next(ROOT / "models" / kind / variant for kind in ("small", "families", "timm") if (ROOT / "models" / kind / variant).exists())


def test_rows_are_equal():
    table = rows()
    assert len(table) > 50
    assert [model for model, of in table.items() if of["dynamo"] != of["script"]] == []


def test_all_is_fused_and_frames_are_the_least_and_errors_small():
    """Of the committed models: what is found is fused, the frame is as small as its schedule allows, and errors are within the rule of docs/numerics.md."""
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in (ROOT / "docs/models.md").read_text().splitlines() if line.count("|") == 14]
    assert len(cells) > 200
    for name, exporter, _, _, *kinds, _, frame, bound, error, theirs in cells[2:]:
        assert float(error) <= max(2 * float(theirs), 10), (name, exporter)
        assert all(kind.split(" / ")[0] == kind.split(" / ")[1] for kind in kinds), (name, exporter)
        assert frame == bound or name in ABOVE, (name, exporter)


def steps(model, out):
    """How often each step runs, and the bytes of frame, scratch and weights."""
    run(VITCC, "compile", model, "-o", out, "--name", "model", "-q", *shapes(model, 1)[2])
    report = json.loads((out / "model.json").read_text())
    made = collections.Counter((step["operator"], step["result"], step["space"], step["matrix_kernels"])
                               for scope in report["scopes"] for item in scope["items"] for step in item.get("steps", []))
    return made, report["frame_bytes"], report["scratch_bytes"], report["flop"], report["matrix_kernel_flop"]


@pytest.mark.parametrize("model", [pytest.param(m, id=m[0] + "_batch" * m[1], marks=[pytest.mark.full_only] if i % 6 else [])
                                   for i, m in enumerate(sorted(rows()))])
def test_steps_are_equal(model, tmp_path):
    dynamo, script = (steps(folder(*model, exporter), tmp_path / exporter) for exporter in ("dynamo", "script"))
    assert sum(dynamo[0].values()) > 5
    assert dynamo == script
