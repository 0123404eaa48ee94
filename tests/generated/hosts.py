"""Generated libraries named "model", compiled and linked with hosts in C."""
import pathlib

from conftest import VITCC, run, shapes

HERE = pathlib.Path(__file__).resolve().parent
XSMM = ("-lxsmm", "-lxsmmnoblas", "-ldl")
PANELS = ("--panel-rows", "7", "--tile-rows", "4")   # several panels a phase, whatever the model
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZE = ("-O0", "-Wno-sign-conversion", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")   # without optimisation gcc's intrinsics are macros that convert signs


def project(model, folder, *options):
    """Compiles a model into folder/out."""
    run(VITCC, "compile", model, "-o", folder / "out", "--name", "model", "-q", *shapes(model, 1)[2], *options)
    return folder


def library_sources(folder):
    out = folder / "out"
    return [p for p in sorted(out.glob("*.c")) + sorted(out.glob("*.S")) if p.name != "main.c"]


def host(folder, name, *flags, libraries=XSMM):
    """The host tests/generated/<name>.c with the library in folder/out."""
    program = folder / name
    run("gcc", "-std=gnu11", "-O1", *STRICT, *flags, "-I", folder / "out", "-I", HERE, HERE / f"{name}.c", *library_sources(folder), "-o", program, *libraries, "-lpthread", "-lm")
    return program
