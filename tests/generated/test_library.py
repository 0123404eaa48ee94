"""Generated libraries in hosts of several kinds: quiet ones, damaged weights, loaded and unloaded, installed, from C++."""
import os
import pathlib

import numpy as np
import pytest

from conftest import ROOT, VITCC, build, random_inputs, run, save_inputs
from hosts import HERE, SANITIZE, STRICT, XSMM, host, project

SMALL = ROOT / "models/small"
DIGITS = ROOT / "models/digits/digits.onnx"


@pytest.mark.parametrize("name, kernels", [("vit_cls-dynamo_batch", "jit"), ("vit_odd-dynamo_batch", "aot"), ("vit_cls_eager-script", "portable")])
def test_a_run_allocates_nothing_and_makes_no_system_call(name, kernels, tmp_path):
    project(SMALL / name / "model.onnx", tmp_path, "--kernels", kernels)
    program = host(tmp_path, "quiet", libraries=XSMM if kernels == "jit" else ())
    assert run(program, tmp_path / "out/model.weights").stdout == "fine\n"


def test_every_kind_of_damage_has_its_status(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    project(DIGITS, tmp_path)
    project(SMALL / "vit_cls-dynamo/model.onnx", other)
    for flags in ((), SANITIZE):
        assert run(host(tmp_path, "weights", *flags), tmp_path / "out/model.weights", other / "out/model.weights", tmp_path).stdout == "fine\n"


def shared(model, folder, name):
    """The shared library and weights of a model."""
    folder.mkdir()
    run(VITCC, "compile", model, "-o", folder / "out", "--name", name, "-q")
    run("cmake", "-S", folder / "out", "-B", folder / "build")
    run("cmake", "--build", folder / "build", "--target", f"{name}_shared")
    return folder / f"build/lib{name}.so", folder / f"out/{name}.weights", name


def test_shared_libraries_are_loaded_and_unloaded_twenty_times(tmp_path):
    first, second = shared(DIGITS, tmp_path / "a", "digits"), shared(SMALL / "vit_two_class-dynamo/model.onnx", tmp_path / "b", "second")
    run("gcc", "-std=gnu11", "-O1", *STRICT, HERE / "reload.c", "-o", tmp_path / "reload", "-ldl", "-lm")
    assert run(tmp_path / "reload", *first, *second).stdout == "fine\n"
    assert run(tmp_path / "reload", *first, *first).stdout == "fine\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A digits project named "model", built whole and installed to a prefix that configuring did not know."""
    folder = tmp_path_factory.mktemp("installed")
    build(DIGITS, folder)
    run("cmake", "--build", folder / "build", "-j", 2)
    run("cmake", "--install", folder / "build", "--prefix", folder / "prefix")
    return folder / "prefix"


def expected(program, folder):
    """The program's answer to the input of host.cc."""
    x = np.sin(np.arange(3 * 32 * 32, dtype=np.float32)).reshape(1, 3, 32, 32)
    run(program, *save_inputs(folder, {"pixel_values": x}), "--output-dir", folder / "got")
    return np.load(folder / "got/logits.npy")[0]


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_pkg_config_builds_a_program_in_cxx(installed, kind, tmp_path):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(next(installed.rglob("model.pc")).parent)}
    flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), "model", env=environment).stdout.split()
    program = tmp_path / "program"
    run("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", HERE / "host.cc", *(["-static"] if kind == "static" else []), *flags, "-o", program)
    library = str(next(installed.rglob("libmodel.so")).parent)
    assert ("libmodel" in run("readelf", "-d", program).stdout) == (kind == "shared")
    weights = next(installed.rglob("model.weights"))
    got = run(program, weights, env={**os.environ, "LD_LIBRARY_PATH": library}).stdout.split()
    assert np.abs(np.array(got, np.float32) - expected(installed / "bin/model", tmp_path)).max() <= 1e-5


def test_the_installed_program_finds_its_weights(installed, tmp_path):
    names = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    assert {"bin/model", "bin/model.weights", "include/model.h"} <= names
    assert {pathlib.Path(n).name for n in names} == {"model", "model.weights", "model.h", "model.pc", "libmodel.a", "libmodel.so"}
    picture = next((ROOT / "models/digits/images").glob("*_seven.png"))
    assert run(installed / "bin/model", "--quiet", picture, cwd="/").stdout.split("\t")[1] == "seven"


def test_with_standard_input_closed_answers_are_the_same(installed, tmp_path):
    """No file that is opened on the way takes its place for long."""
    files = save_inputs(tmp_path, random_inputs(DIGITS, 3))
    run(installed / "bin/model", *files, "--output-dir", tmp_path / "open")
    run("sh", "-c", 'exec "$0" "$@" <&-', installed / "bin/model", *files, "--output-dir", tmp_path / "closed")
    assert np.array_equal(np.load(tmp_path / "open/logits.npy"), np.load(tmp_path / "closed/logits.npy"))


def test_without_picture_libraries_npy_files_run(tmp_path):
    run(VITCC, "compile", DIGITS, "-o", tmp_path / "out", "--name", "model", "-q")
    run("cmake", "-S", tmp_path / "out", "-B", tmp_path / "build", "-DJPEG_STATIC=", "-DPNG_STATIC=", f"-DCMAKE_C_FLAGS={' '.join(STRICT)}")
    run("cmake", "--build", tmp_path / "build", "--target", "model")
    program = tmp_path / "build/model"
    assert not any(word in run("nm", program).stdout for word in ("jpeg_", "png_read", "inflate"))
    run(program, "--selftest", tmp_path / "out/selftest")
    run(program, *save_inputs(tmp_path / "in", random_inputs(DIGITS, 1)), "--output-dir", tmp_path / "got")
    assert np.isfinite(np.load(tmp_path / "got/logits.npy")).all()
    picture = next((ROOT / "models/digits/images").glob("*.png"))
    assert f"{picture}: this program was built without PNG" in run(program, picture, status=1).stderr
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    assert "this program was built without JPEG" in run(program, tmp_path / "x.jpg", status=1).stderr
