"""Two hundred random Vision Transformers: every attention, MLP, norm and GELU is fused, and the generated library is as near the truth as ONNX Runtime."""
import ctypes
import dataclasses
import pathlib
import re
import shutil

import numpy as np
import onnx
import pytest

from conftest import VITCC, check, largest_error, load_outputs, run, save_inputs, session
from random_vit import draw
from random_vit_onnx import build

MODELS = 200
NUMBERS = 96      # outputs that a model's largest errors are taken over, at least: of few, one lucky rounding decides
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
         "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete", "-Wl,-z,defs"]
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
TABLES = ["model_kernels_base", "model_kernels_avx2", "model_kernels_avx512"]
LEVELS = [0] + [1] * ("avx2" in pathlib.Path("/proc/cpuinfo").read_text())      # those of TABLES that this CPU runs


def link(out, seed, jit):
    """The library by one compiler call, its kernels for one instruction-set level: the other levels' tables are further names of that one."""
    level, compiler = LEVELS[seed % len(LEVELS)], COMPILERS[seed // 2 % len(COMPILERS)]
    sources = [out / "model.c", out / ("model_kernels_avx2.c" if level else "model_kernels.c")]
    names = [f"-Wl,--defsym={other}={TABLES[level]}" for other in TABLES if other != TABLES[level]]
    libraries = ["-lxsmm", "-lxsmmnoblas", "-ldl"] if jit else []
    run(compiler, *FLAGS, "-I", out, *sources, *names, "-o", out / "model.so", *libraries, "-lpthread", "-lm")
    return out / "model.so"


class Options(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int), ("max_batch", ctypes.c_int64), ("memory", ctypes.c_void_p)]


class Library:
    """A generated library with its weights open, and sessions of 1, 2 and 3 threads."""

    def __init__(self, path, max_batch):
        self.api, self.model, self.sessions = ctypes.CDLL(str(path)), ctypes.c_void_p(), []
        assert self.api.model_open(ctypes.byref(self.model), str(path.parent / "model.weights").encode()) == 0
        for threads in (1, 2, 3):
            self.sessions.append(ctypes.c_void_p())
            assert self.api.model_start(ctypes.byref(self.sessions[-1]), self.model, ctypes.byref(Options(threads, max_batch, None))) == 0

    def run(self, which, image, outputs):
        """Fills the outputs, arrays in the library's order, from a batch of images."""
        inputs = (ctypes.c_void_p * 1)(image.ctypes.data)
        pointers = (ctypes.c_void_p * len(outputs))(*(o.ctypes.data for o in outputs))
        assert self.api.model_run(self.sessions[which % 3], ctypes.c_int64(len(image)), inputs, pointers) == 0

    def close(self):
        for s in self.sessions:
            self.api.model_stop(s)
        self.api.model_close(self.model)


def fusions(printed):
    """found and fused of each kind, from the compiler's table."""
    table = re.findall(r"^  (attention|mlp|norm|gelu) +(\d+) +(\d+)$", printed, re.MULTILINE)
    return {kind: (int(found), int(fused)) for kind, found, fused in table}


def truth(config, folder, image, names):
    """All images at once in double precision, through no pass: by the same model with a batch that is decided at run time."""
    model = folder / "dynamic.onnx"
    onnx.save(build(dataclasses.replace(config, dynamic=True)), model)
    run(VITCC, "evaluate", model, "-o", folder / "double", *save_inputs(folder, {"pixel_values": image}), "--no-pass", "all")
    return load_outputs(folder / "double", names)


def compare(config, model, library, folder):
    """The rule of docs/numerics.md over several images; and the truth is what ONNX Runtime computes, up to float32's reach."""
    reference = session(model)
    names = [o.name for o in reference.get_outputs()]
    numbers = config.tokens * config.width if "last_hidden_state" in names else config.classes
    images = max(4, -(-NUMBERS // numbers))
    image = np.random.default_rng([config.seed, 22]).standard_normal((images, *config.image)).astype(np.float32)
    true, loaded = truth(config, folder, image, names), Library(library, images if config.dynamic else 1)
    answers = []
    for i, part in enumerate(np.split(np.arange(images), [1, 3] if config.dynamic else range(1, images))):
        theirs = reference.run(None, {"pixel_values": image[part]})
        got = [np.full_like(t, np.nan) for t in theirs]
        loaded.run(i, np.ascontiguousarray(image[part]), got)
        answers.append((dict(zip(names, got)), dict(zip(names, theirs)), {n: true[n][part] for n in names}))
    loaded.close()
    for n in names:
        assert max(largest_error(theirs[n], t[n]) for _, theirs, t in answers) <= 2e-5 * np.abs(true[n]).max()
    check(answers)


@pytest.mark.parametrize("seed", range(MODELS))
def test_random_vit(seed, tmp_path):
    config = draw(seed)
    print(config)
    model, out, jit = tmp_path / "model.onnx", tmp_path / "out", seed % 10 == 0
    onnx.save(build(config), model)
    panels = ["--panel-rows", 5 + seed % 13] if seed % 3 == 0 else []
    printed = run(VITCC, "compile", model, "-o", out, "--name", "model", "--kernels", "jit" if jit else "portable", *panels).stdout
    assert fusions(printed) == {kind: (count, count) for kind, count in config.fusions().items()}, printed
    assert "not fused" not in printed
    compare(config, model, link(out, seed, jit), tmp_path)
