"""A generated library built by one compiler call and loaded into Python: quicker than the generated project's own build."""
import ctypes
import pathlib
import re
import shutil

import numpy as np
import pytest

from conftest import VITCC, evaluate, random_inputs, run, session, shapes, stored_inputs

FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
         "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete", "-Wl,-z,defs"]
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
TABLES = {"0": "model_kernels_base", "2": "model_kernels_avx2", "5": "model_kernels_avx512"}     # by VITCC_LEVEL
HERE = pathlib.Path("/proc/cpuinfo").read_text()
LEVELS = ["0"] + ["2"] * ("avx2" in HERE) + ["5"] * ("avx512bw" in HERE)      # those that this CPU runs


def link(out, seed, jit, level=None):
    """The library by one compiler call, its kernels for one instruction-set level: the other levels' tables are further names of that one."""
    level, compiler = level or LEVELS[seed % len(LEVELS)], COMPILERS[seed // 2 % len(COMPILERS)]
    sources = [out / "model.c", out / f"{TABLES[level].removesuffix('_base')}.c", *out.glob("model_gemm.S")]
    names = [f"-Wl,--defsym={other}={TABLES[level]}" for other in TABLES.values() if other != TABLES[level]]
    libraries = ["-lxsmm", "-lxsmmnoblas", "-ldl"] if jit else []
    run(compiler, *FLAGS, "-I", out, *sources, *names, "-o", out / f"model_{level}.so", *libraries, "-lpthread", "-lm")
    return out / f"model_{level}.so"


class Options(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int), ("max_batch", ctypes.c_int64), ("memory", ctypes.c_void_p)]


class Library:
    """A generated library with its weights open, at the level that it was linked for, and sessions of 1, 2 and 3 threads."""

    def __init__(self, path, max_batch):
        self.api, self.model, self.sessions = ctypes.CDLL(str(path)), ctypes.c_void_p(), []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VITCC_LEVEL", path.stem.removeprefix("model_"))
            assert self.api.model_open(ctypes.byref(self.model), str(path.parent / "model.weights").encode()) == 0
        for threads in (1, 2, 3):
            self.sessions.append(ctypes.c_void_p())
            assert self.api.model_start(ctypes.byref(self.sessions[-1]), self.model, ctypes.byref(Options(threads, max_batch, None))) == 0

    def run(self, which, inputs, outputs, batch=None):
        """Fills the outputs from the inputs, arrays in the library's order; the first input's says how many images there are, where nothing else does."""
        pointers = [(ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays)) for arrays in (inputs, outputs)]
        assert self.api.model_run(self.sessions[which % 3], ctypes.c_int64(batch or len(inputs[0])), *pointers) == 0

    def close(self):
        for s in self.sessions:
            self.api.model_stop(s)
        self.api.model_close(self.model)


def answers(model, folder, inputs, jit, seed, level=None):
    """What the library, ONNX Runtime and double precision say of the stored input and of several random ones, each by output name; on 1, 2 and 3 threads,
    in batches of 1 to 3 where the batch is dynamic."""
    _, dynamic, options = shapes(model, 1)
    run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", "-q", "--kernels", "jit" if jit else "portable", *options)
    of_them = stored_inputs(model) + [(random_inputs(model, i, 1 + i % 3), 1 + i % 3) for i in range(inputs)]
    most = max(batch for _, batch in of_them) if dynamic else len(of_them[0][0][session(model).get_inputs()[0].name])
    return ask(Library(link(folder / "out", seed, jit, level), most), model, folder, [(x, batch if dynamic else None) for x, batch in of_them])


def ask(library, model, folder, inputs, order=None):
    """What the library, ONNX Runtime and double precision say of each (inputs, batch), by output name; the library is closed. order: names of its inputs,
    where they are not the model's."""
    names, given = [o.name for o in session(model).get_outputs()], []
    for i, (x, batch) in enumerate(inputs):
        theirs = session(model).run(None, x)
        got = [np.full_like(t, 77) for t in theirs]
        library.run(i, [np.ascontiguousarray(x[name]) for name in order or x], got, batch)
        given.append((dict(zip(names, got)), dict(zip(names, theirs)), evaluate(model, folder, x, names)))
    library.close()
    return given


def check_integers(given):
    """Outputs that are not floats are ONNX Runtime's."""
    for got, theirs, _ in given:
        for name, want in theirs.items():
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(got[name], want)


def call(library, which, inputs, length, outputs, batch=1):
    """The status of a run; the length stands behind the inputs' pointers. Pointers to nothing are NULL."""
    given = (ctypes.c_int64 * (len(inputs) + 1))(*(x.ctypes.data if x.size else 0 for x in inputs), length)
    return library.api.model_run(library.sessions[which % 3], ctypes.c_int64(batch), given, (ctypes.c_void_p * len(outputs))(*(y.ctypes.data for y in outputs)))


def fusions(printed):
    """found and fused of each kind, from the compiler's table."""
    table = re.findall(r"^  (attention|mlp|norm|gelu) +(\d+) +(\d+)$", printed, re.MULTILINE)
    return {kind: (int(found), int(fused)) for kind, found, fused in table}
