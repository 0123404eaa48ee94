"""The stripped program is under a megabyte, with libxsmm, libjpeg and libpng inside; and it does what it did."""
import os

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, build, run

PICTURE = ROOT / "models/digits/images/001_six.png"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(ROOT / "models/digits/digits.onnx", tmp_path_factory.mktemp("size"))


def test_stripped_program_is_under_a_megabyte(program, tmp_path):
    run("strip", "-o", tmp_path / "stripped", program)
    assert (tmp_path / "stripped").stat().st_size < 1_000_000


@pytest.mark.parametrize("level", "025")
@pytest.mark.parametrize("kind", [dict(progressive=True), dict(progressive=False), dict(subsampling=0), dict(mode="L")])
def test_pictures_of_every_kind(program, tmp_path, kind, level):
    """JPEG, baseline and progressive, colour and grey, as PNG, on every instruction set: libjpeg's decoders and libxsmm's kernels are all there."""
    picture = Image.open(PICTURE).convert(kind.get("mode", "RGB"))
    picture.save(tmp_path / "a.jpg", quality=100, **{k: v for k, v in kind.items() if k != "mode"})
    Image.fromarray(np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))).save(tmp_path / "a.png")
    lines = run(program, "--quiet", tmp_path / "a.jpg", tmp_path / "a.png", env={**os.environ, "VITCC_LEVEL": level}).stdout.splitlines()
    (_, jpeg, first, _), (_, png, second, _) = (line.split("\t") for line in lines)
    assert jpeg == png == "six" and abs(float(first) - float(second)) < 0.01
