"""--profile: what the table counts is the report's arithmetic, and clocking changes no answer."""
import json
import re

import numpy as np
import pytest

from conftest import ROOT, build, run

ROW = re.compile(r"^ *([\d.-]+) +([\d.-]+) % +(\d+) +([\d.]+) +([\d.]+)(?: +([\d.]+) +([\d.]+) %)? +(\S.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    return build(ROOT / "models/digits/digits.onnx", folder, name="digits"), json.loads((folder / "out/digits.json").read_text())


def test_the_table_adds_up(program):
    path, report = program
    for threads in (1, 2):
        text = run(path, "--bench", 300, "--profile", "--threads", threads).stdout
        rows = {name: (float(share), int(steps), float(flop)) for _, share, steps, flop, _, _, _, name in ROW.findall(text)}
        whole = rows.pop("whole")
        assert len(rows) > 10 and any(name.startswith("mlp_48_96_48") for name in rows)
        assert abs(sum(share for share, _, _ in rows.values()) - 100) < 1
        assert sum(steps for _, steps, _ in rows.values()) == whole[1]
        assert abs(whole[2] - report["flop"] * 1e-9) < 1e-3
        assert re.search(r"^peak: \d+\.\d GF/s a core", text, re.MULTILINE)


def test_clocked_kernels_give_the_same_answer(program, tmp_path):
    path, _ = program
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((1, 3, 32, 32)).astype(np.float32))
    outputs = []
    for name, options in (("plain", []), ("clocked", ["--profile"])):
        run(path, "--bench", 3, *options, "--input", tmp_path / "x.npy", "--output-dir", tmp_path / name)
        outputs.append(np.load(tmp_path / name / "logits.npy"))
    assert np.array_equal(*outputs)


def test_what_it_goes_with(program):
    path, _ = program
    assert "--profile goes with --bench" in run(path, "--profile", "--verify", status=2).stderr
    assert "--profile goes with --bench" in run(path, "--profile", "--json", "--bench", 2, status=2).stderr
