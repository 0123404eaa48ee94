"""The digits program and library: pictures, files, threads, damaged weights, guards, embedding, other instruction sets."""
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from conftest import ROOT, VITCC, build, run, save_inputs

HERE = pathlib.Path(__file__).resolve().parent
DIGITS = ROOT / "models/digits"


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Folder with out/ (the generated project), build/ (its build), and the program's path."""
    folder = tmp_path_factory.mktemp("digits")
    return folder, build(DIGITS / "digits.onnx", folder, name="digits")


@pytest.fixture(scope="session")
def inputs():
    return {"pixel_values": np.random.default_rng(3).standard_normal((5, 3, 32, 32)).astype(np.float32)}


def logits(program, folder, inputs, *options, **more):
    run(program, *save_inputs(folder, inputs), "--output-dir", folder / "got", *options, **more)
    return np.load(folder / "got/logits.npy")


def test_pictures_get_the_labels_that_the_framework_gives(project):
    expected = json.loads((DIGITS / "expected.json").read_text())
    pictures = sorted((DIGITS / "images").glob("*.png"))
    lines = run(project[1], "--quiet", *pictures).stdout.splitlines()
    right = sum(pathlib.Path(line.split("\t")[0]).stem.split("_")[1] == line.split("\t")[1] for line in lines)
    assert len(lines) == len(pictures) == 360
    assert right == expected["correct"]


def test_top_five(project):
    picture = next((DIGITS / "images").glob("*_three.png"))
    rows = [line.split() for line in run(project[1], picture).stdout.splitlines()[1:]]
    shares = [float(r[0]) for r in rows]
    assert rows[0][-1] == "three" and len(rows) == 5 and shares == sorted(shares, reverse=True)


def test_threads_give_the_same_bits(project, inputs, tmp_path):
    one = logits(project[1], tmp_path / "1", inputs)
    for threads in (2, 3, 5):
        assert np.array_equal(one, logits(project[1], tmp_path / str(threads), inputs, "--threads", threads))


def test_a_nan_stays_in_its_image(project, inputs, tmp_path):
    spoiled = {"pixel_values": inputs["pixel_values"].copy()}
    spoiled["pixel_values"][2, 0, 5, 5] = np.nan
    clean, got = logits(project[1], tmp_path / "a", inputs), logits(project[1], tmp_path / "b", spoiled, "--threads", 2)
    assert np.isnan(got[2]).all()
    assert np.array_equal(np.delete(got, 2, 0), np.delete(clean, 2, 0))


def test_lower_levels_agree(project, inputs, tmp_path):
    best = logits(project[1], tmp_path / "best", inputs)
    for level in ("0", "2"):
        got = logits(project[1], tmp_path / level, inputs, env={**os.environ, "VITCC_LEVEL": level})
        assert np.abs(got - best).max() <= 1e-5


def test_a_forced_target_does_not_crash(project, inputs, tmp_path):
    best = logits(project[1], tmp_path / "best", inputs)
    for target in ("skx", "cpx", "generic", "nonsense"):
        assert np.array_equal(best, logits(project[1], tmp_path / target, inputs, env={**os.environ, "LIBXSMM_TARGET": target}))


def test_refused_executable_memory_falls_back(project, inputs, tmp_path):
    """Under a seccomp filter that refuses writable and executable memory the portable kernels run."""
    wrapper = tmp_path / "no_wx"
    run("gcc", "-O1", HERE / "no_wx.c", "-o", wrapper)
    best = logits(project[1], tmp_path / "best", inputs)
    run(wrapper, project[1], *save_inputs(tmp_path / "in", inputs), "--output-dir", tmp_path / "got")
    assert np.abs(np.load(tmp_path / "got/logits.npy") - best).max() <= 1e-5


def test_the_stored_self_test(project):
    run(project[1], "--selftest", project[0] / "out/selftest")
    run(project[1], "--selftest", project[0] / "out/selftest", "--threads", 3)


def test_bench_prints_one_line_of_json(project):
    figures = json.loads(run(project[1], "--bench", 3, "--json").stdout)
    assert {"min_ms", "median_ms", "first_ms", "load_ms"} <= set(figures)
    assert 0 < figures["min_ms"] <= figures["median_ms"] <= figures["first_ms"]


@pytest.mark.parametrize("damage, words", [("missing", "No such file"), ("truncated", "shorter"), ("magic", "not a weights file"), ("version", "version"), ("model", "another model"), ("table", "damaged"),
                                           ("section", None)])
def test_damaged_weights_are_refused(project, damage, words, tmp_path):
    weights = tmp_path / "w"
    data = bytearray((project[0] / "out/digits.weights").read_bytes())
    if damage == "truncated":
        data = data[:-4096]
    for name, at in (("magic", 0), ("version", 8), ("model", 24), ("table", 64 + 24 + 8), ("section", len(data) - 5000)):
        if name == damage:
            data[at] ^= 0x55
    if damage != "missing":
        weights.write_bytes(data)
    picture = next((DIGITS / "images").glob("*.png"))
    if damage == "section":   # only --verify reads every byte
        assert "damaged" in run(project[1], "--verify", "--weights", weights, status=1).stderr
        assert run(project[1], "--verify").returncode == 0
    else:
        error = run(project[1], "--weights", weights, picture, status=1).stderr
        assert words in error or "cannot be read" in error, error


def test_weights_in_the_binary(inputs, project, tmp_path):
    program = build(DIGITS / "digits.onnx", tmp_path, "--embed-weights", name="digits")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(program, alone / "digits")
    assert np.array_equal(logits(alone / "digits", tmp_path / "a", inputs), logits(project[1], tmp_path / "b", inputs))


def test_portable_code_has_no_libxsmm_and_agrees(inputs, project, tmp_path):
    program = build(DIGITS / "digits.onnx", tmp_path, "--kernels", "portable", name="digits")
    assert "xsmm" not in run("nm", program).stdout
    assert np.abs(logits(program, tmp_path / "a", inputs) - logits(project[1], tmp_path / "b", inputs)).max() <= 1e-5


def test_another_architecture(inputs, project, tmp_path):
    """The portable program on aarch64, emulated."""
    run(VITCC, "compile", DIGITS / "digits.onnx", "-o", tmp_path / "out", "--kernels", "portable", "--name", "digits", "-q")
    out = tmp_path / "out"
    run("aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-static", "-I", out, *sorted(out.glob("*.c")), *sorted((out / "runtime").glob("*.c")), "-o", out / "digits", "-lpthread", "-lm")
    flags = save_inputs(tmp_path / "in", inputs)
    run("qemu-aarch64-static", out / "digits", *flags, "--output-dir", tmp_path / "got", "--threads", 2)
    assert np.abs(np.load(tmp_path / "got/logits.npy") - logits(project[1], tmp_path / "b", inputs)).max() <= 1e-5


def test_the_shared_library_exports_its_interface_alone(project):
    run("cmake", "--build", project[0] / "build", "--target", "digits_shared")
    library = next((project[0] / "build").glob("libdigits.so*"))
    exported = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).stdout.splitlines()]
    assert exported and all(name.startswith("digits_") for name in exported), exported


def test_the_header_is_cxx(project, tmp_path):
    (tmp_path / "t.cc").write_text('#include "digits.h"\nint main() { return digits_tensor_info(0) == nullptr; }\n')
    run("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", project[0] / "out", tmp_path / "t.cc")


def test_clang_compiles_without_a_warning(project, tmp_path):
    out = project[0] / "out"
    for source in [*out.glob("*.c"), *(out / "runtime").glob("*.c")]:
        run("clang", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I", out, "-c", source, "-o", tmp_path / "x.o")


def test_sanitized(project, inputs, tmp_path):
    out = project[0] / "out"
    program = tmp_path / "digits"
    run("gcc", "-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", out, *sorted(out.glob("*.c")), *sorted((out / "runtime").glob("*.c")), "-o", program, "-lxsmm", "-lxsmmnoblas",
        "-lpthread", "-ldl", "-lm")
    shutil.copy(out / "digits.weights", tmp_path / "digits.weights")
    assert np.abs(logits(program, tmp_path / "a", inputs, "--threads", 2) - logits(project[1], tmp_path / "b", inputs)).max() <= 1e-5


def test_two_libraries_in_one_program(project, tmp_path):
    """digits and another model, linked together, running at once; arguments out of range, BUSY, the caller's memory, the host's environment and input left as found."""
    other = tmp_path / "other"
    other.mkdir()
    build(ROOT / "models/small/vit_cls-dynamo_batch/model.onnx", other, name="other")
    program = tmp_path / "both"
    run("gcc", "-std=gnu11", "-O1", "-I", project[0] / "out", "-I", other / "out", HERE / "two_libraries.c", project[0] / "build/libdigits.a", other / "build/libother.a", "-lxsmm", "-lxsmmnoblas", "-lpthread", "-ldl", "-lm", "-o", program)
    assert run(program, project[0] / "out/digits.weights", other / "out/other.weights").stdout == "fine\n"
