"""Kernels made ahead of time: the bits of kernels made at run time on every level, the code itself, its independence, what is refused."""
import ctypes
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from conftest import ROOT, VITCC, build, random_inputs, run, save_inputs, session, load_outputs, shapes

HERE = ROOT / "tests/generated"
DIGITS = ROOT / "models/digits/digits.onnx"
SMALL = [ROOT / f"models/{name}/model.onnx" for name in ("small/vit_odd-dynamo_batch", "small/deit_teacher-script_batch", "families/resnet-dynamo",
                                                         "small/vit_hidden_states-dynamo_batch", "small/vit_grey-dynamo")]
MODELS = [DIGITS, *SMALL[:3], *(pytest.param(model, marks=pytest.mark.full_only) for model in SMALL[3:])]
LEVELS = {"0": "SSE", "2": "AVX2", "5": "AVX-512"}      # VITCC_LEVEL and how *_gemm.S calls it
FLAGS = [flag for level, flag in (("2", "avx2"), ("5", "avx512bw")) if re.search(rf"\b{flag}\b", open("/proc/cpuinfo").read())]
RUNNABLE = ["0", "2", "5"][:1 + len(FLAGS)]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Folder with out/ and build/ of the digits model, and the program's path."""
    folder = tmp_path_factory.mktemp("aot")
    return folder, build(DIGITS, folder, "--kernels", "aot", name="digits")


@pytest.fixture(scope="module")
def code(digits):
    """[(level, (m, n, k, lda, ldb, ldc)), …] and the bytes, for each code in digits_gemm.S."""
    text = (digits[0] / "out/digits_gemm.S").read_text()
    found = []
    for comment, body in re.findall(r"/\* ((?:SSE|AVX2|AVX-512): [^/]*): \d+ bytes \*/\n(.*?)    \.size", text, re.DOTALL):
        users = [(level, tuple(map(int, numbers))) for level, *numbers in re.findall(r"(SSE|AVX2|AVX-512): m (\d+), n (\d+), k (\d+), lda (\d+), ldb (\d+), ldc (\d+)", comment)]
        words = re.findall(r"0x([0-9a-f]+)", body)
        found.append((users, b"".join(bytes.fromhex(w)[::-1] for w in words)))
    return found


def outputs(program, model, folder, inputs, *options, level=None):
    env = {**os.environ, **({"VITCC_LEVEL": level} if level else {})}
    run(program, *save_inputs(folder, inputs), "--output-dir", folder / "got", *options, env=env)
    return load_outputs(folder / "got", [o.name for o in session(model).get_outputs()])


def same_bits(got, want):
    return got.keys() == want.keys() and all(got[k].tobytes() == want[k].tobytes() for k in want)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.parent.name)
def test_same_bits_as_kernels_made_at_run_time(model, tmp_path):
    """Every level that this CPU runs, batch 1 and 3, one thread and two."""
    for kind in ("aot", "jit"):
        (tmp_path / kind).mkdir()
    aot, jit = (build(model, tmp_path / kind, "--kernels", kind) for kind in ("aot", "jit"))
    seen = []
    for batch in (1, 3) if shapes(model, 1)[1] else (1,):
        inputs = random_inputs(model, 7, batch)
        for level in RUNNABLE:
            want = outputs(jit, model, tmp_path / f"jit{batch}{level}", inputs, level=level)
            assert all(np.isfinite(v).all() and v.any() for v in want.values())
            for threads in (1, 2):
                got = outputs(aot, model, tmp_path / f"aot{batch}{level}{threads}", inputs, "--threads", threads, level=level)
                assert same_bits(got, want), (batch, level, threads)
            seen.append(b"".join(v.tobytes() for v in want.values()))
    assert len(set(seen)) == len(seen), "levels do not differ: was one forced at all?"


def test_the_level_found_is_the_one_that_runs(digits, tmp_path):
    inputs = random_inputs(DIGITS, 8, 2)
    found = outputs(digits[1], DIGITS, tmp_path / "found", inputs)
    assert same_bits(found, outputs(digits[1], DIGITS, tmp_path / "forced", inputs, level=RUNNABLE[-1]))


@pytest.mark.parametrize("cpu, level", [("qemu64", "0"), ("Nehalem", "0"), ("IvyBridge", "0"), ("Haswell", "2")])
def test_other_processors(digits, cpu, level, tmp_path):
    """Emulated: SSE alone, AVX without AVX2, AVX2. An instruction that the processor lacks would end the program."""
    if level not in RUNNABLE:
        pytest.fail(f"this CPU cannot say what level {level} gives")
    inputs = random_inputs(DIGITS, 9, 2)
    flags = save_inputs(tmp_path / "in", inputs)
    run("qemu-x86_64-static", "-cpu", cpu, digits[1], *flags, "--output-dir", tmp_path / "got")
    assert same_bits(load_outputs(tmp_path / "got", ["logits"]), outputs(digits[1], DIGITS, tmp_path / "here", inputs, level=level))


def generated_kernels(digits, level, monkeypatch):
    monkeypatch.setenv("VITCC_LEVEL", level)
    run("cmake", "--build", digits[0] / "build", "--target", "digits_shared")
    library = ctypes.CDLL(str(next((digits[0] / "build").glob("libdigits.so*"))))
    model = ctypes.c_void_p()
    assert library.digits_open(ctypes.byref(model), str(digits[0] / "out/digits.weights").encode()) == 0
    count = library.digits_generated_kernels(model)
    library.digits_close(model)
    return count


@pytest.mark.parametrize("level", RUNNABLE)
def test_every_kernel_has_code(digits, level, monkeypatch):
    tables = re.search(r"gemm_shapes\[2\]\[\d+\] = \{(.*?)\n\};", (digits[0] / "out/digits.c").read_text(), re.DOTALL).group(1)
    table = tables.split("\n    },\n")[level == "5"]
    needed = [row for row in re.findall(r"\{ +(\d+),", table) if row != "0"]
    assert needed and generated_kernels(digits, level, monkeypatch) == len(needed)


def test_refused_executable_memory_changes_nothing(digits, tmp_path):
    """Under a seccomp filter that refuses writable and executable memory the same kernels run."""
    run("gcc", "-O1", HERE / "no_wx.c", "-o", tmp_path / "no_wx")
    inputs = random_inputs(DIGITS, 10, 3)
    run(tmp_path / "no_wx", digits[1], *save_inputs(tmp_path / "in", inputs), "--output-dir", tmp_path / "got", "--threads", 2)
    assert same_bits(load_outputs(tmp_path / "got", ["logits"]), outputs(digits[1], DIGITS, tmp_path / "free", inputs))


def test_no_libxsmm_no_relocation_no_writable_code(digits):
    program = digits[1]
    assert "xsmm" not in run("nm", program).stdout
    assert b"libxsmm_" not in program.read_bytes()
    headers = run("readelf", "-lW", program).stdout
    assert "RWE" not in headers and " WE " not in headers
    assert "TEXTREL" not in run("readelf", "-dW", program).stdout
    run("cmake", "--build", digits[0] / "build", "--target", "digits_shared")
    library = next((digits[0] / "build").glob("libdigits.so*"))
    assert "TEXTREL" not in run("readelf", "-dW", library).stdout and "RWE" not in run("readelf", "-lW", library).stdout
    exported = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).stdout.splitlines()]
    assert exported and not any("gemm" in name for name in exported), exported
    relocated = run("readelf", "-rW", digits[0] / "build/CMakeFiles/digits_objects.dir/digits_gemm.S.o").stdout
    assert set(re.findall(r"R_X86_64_\w+", relocated)) == {"R_X86_64_PC32"}


def test_code_is_what_its_level_allows(digits, tmp_path):
    """Decoded: the registers of each level, jumps inside the kernel, one return at the end, no call and no address."""
    run("gcc", "-c", digits[0] / "out/digits_gemm.S", "-o", tmp_path / "gemm.o")
    text = (digits[0] / "out/digits_gemm.S").read_text()
    highest = {}                                         # the lowest level that uses a code decides what it may hold
    level = None
    for line in text[text.index("digits_gemm_table:"):].splitlines():
        level = next((i for i, name in enumerate(LEVELS.values()) if f"/* {name} */" in line), level)
        if number := re.search(r"digits_gemm_(\d+) - \.", line):
            highest.setdefault(int(number.group(1)), level)
    kernels = re.split(r"\n(?=[0-9a-f]+ <digits_gemm_\d+>:)", run("objdump", "-d", "--no-show-raw-insn", tmp_path / "gemm.o").stdout)[1:]
    assert len(kernels) == len(highest) > 3
    wide = [0, 0, 0]
    for kernel in kernels:
        number = int(re.search(r"<digits_gemm_(\d+)>", kernel).group(1))
        lines = [line.split("\t")[-1].strip() for line in kernel.splitlines() if "\t" in line]
        while lines[-1].startswith(("nop", "cs nop", "data16", "xchg   %ax,%ax")):        # between kernels
            lines.pop()
        assert lines[-1] == "ret" and lines.count("ret") == 1, number
        assert not any(word in kernel for word in ("(bad)", "call", "%rip", "syscall", "%fs:", "%gs:", "int3")), number
        targets = re.findall(r"\bj\w+ +([0-9a-f]+) <([^>+]*)", kernel)
        assert all(name == f"digits_gemm_{number}" for _, name in targets), number
        operations = {line.split()[0] for line in lines}
        assert highest[number] >= 1 or not any(o.startswith("v") for o in operations), number
        assert highest[number] == 2 or not re.search(r"%zmm|%k[1-7]|%[xy]mm(1[6-9]|2\d|3[01])", kernel), number
        wide[highest[number]] += bool(re.search(["%xmm", "%ymm", "%zmm"][highest[number]], kernel))
    assert all(wide), wide


def test_code_is_libxsmms_for_every_processor(code, tmp_path):
    """What the generator makes at run time for the processors of a level, also those that are not here: the same bytes, hence the same bits."""
    source = tmp_path / "dispatch.c"
    source.write_text('''#include "runtime/jit.h"
#include <stdlib.h>
int main(int argc, char **argv)
{
    const gemm_shape s = { atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), atoi(argv[7]), 0 };
    jit_init();
    libxsmm_set_target_archid(atoi(argv[1]));
    const unsigned char *code = (const unsigned char *)jit_kernel(&s);
    libxsmm_kernel_info info;
    if (argc != 8 || !code || libxsmm_get_kernel_info(code, &info)) return 1;
    for (size_t i = 0; i < info.code_size; i++) printf("%02x", code[i]);
    return 0;
}
''')
    run("gcc", "-O1", "-I", ROOT, source, "-o", tmp_path / "dispatch", "-lxsmm", "-lxsmmnoblas", "-lpthread", "-ldl", "-lm")
    targets = {"SSE": (1003, 1004), "AVX2": (1006,), "AVX-512": (1020, 1021, 1022)}      # libxsmm_cpuid.h: SSE3, SSE4; AVX2; SKX, CLX, CPX
    compared = 0
    for users, bytes_ in code:
        level, shape = users[0]
        for target in targets[level]:
            assert run(tmp_path / "dispatch", target, *shape).stdout == bytes_.hex(), (level, shape, target)
            compared += 1
    assert compared > 20


def test_equal_code_stands_once(code):
    assert len({bytes_ for _, bytes_ in code}) == len(code)
    assert sum(len(users) for users, _ in code) > len(code), "no code of the digits model serves two levels: this test shows nothing"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    """Processes have different addresses: code that held one would differ."""
    for folder in ("a", "b"):
        run(VITCC, "compile", DIGITS, "-o", tmp_path / folder, "--kernels", "aot", "-q", env={**os.environ, "LIBXSMM_TARGET": "wsm", "LIBXSMM_VERBOSE": "9"} if folder == "b" else None)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_the_folder_holds_the_notice_and_nothing_of_the_other_ways(digits):
    out = digits[0] / "out"
    assert "Redistributions in binary form must reproduce" in (out / "LICENSE.libxsmm").read_text()
    assert (out / "runtime/aot.h").exists() and not (out / "runtime/jit.h").exists()
    assert "xsmm" not in (out / "CMakeLists.txt").read_text().lower()


def test_a_shape_without_code_runs_portably(digits, tmp_path, monkeypatch):
    """All entries but the first of every level struck out."""
    folder = tmp_path / "struck"
    shutil.copytree(digits[0] / "out", folder / "out")
    source = folder / "out/digits_gemm.S"
    text, struck = re.subn(r"\.long digits_gemm_[1-9]\d* - \.", ".long 0", source.read_text())
    source.write_text(text)
    run("cmake", "-S", folder / "out", "-B", folder / "build")
    run("cmake", "--build", folder / "build", "--target", "digits")
    inputs = random_inputs(DIGITS, 11, 2)
    got = outputs(folder / "build/digits", DIGITS, tmp_path / "a", inputs, level="0")["logits"]
    want = outputs(digits[1], DIGITS, tmp_path / "b", inputs, level="0")["logits"]
    assert struck > 3 and np.abs(got - want).max() <= 1e-5
    assert generated_kernels((folder, None), "0", monkeypatch) == text.count(".long digits_gemm_0 - .") > 0


def test_weights_in_the_binary_too(digits, tmp_path):
    program = build(DIGITS, tmp_path, "--kernels", "aot", "--embed-weights", name="digits")
    shutil.move(program, tmp_path / "alone")
    inputs = random_inputs(DIGITS, 12, 2)
    assert same_bits(outputs(tmp_path / "alone", DIGITS, tmp_path / "a", inputs), outputs(digits[1], DIGITS, tmp_path / "b", inputs))


def test_clang_and_sanitizers(digits, tmp_path):
    """No warning from clang; gcc's sanitizers find nothing."""
    out = digits[0] / "out"
    sources = [*sorted(out.glob("*.c")), *sorted((out / "runtime").glob("*.c")), out / "digits_gemm.S"]
    for source in sources:
        flags = ["-std=gnu11", "-O1", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion"] if source.suffix == ".c" else ["-c", "-o", tmp_path / "x.o"]
        run("clang", *flags, "-Werror", "-I", out, source)
    run("gcc", "-std=gnu11", "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", out, *sources, "-o", tmp_path / "digits", "-lpthread", "-lm")
    shutil.copy(out / "digits.weights", tmp_path / "digits.weights")
    inputs = random_inputs(DIGITS, 13, 3)
    got = outputs(tmp_path / "digits", DIGITS, tmp_path / "a", inputs, "--threads", 2)["logits"]
    assert np.abs(got - outputs(digits[1], DIGITS, tmp_path / "b", inputs)["logits"]).max() <= 1e-5


def test_another_architecture_runs_portably(digits, tmp_path):
    """The same folder on aarch64, emulated: the assembly file is empty there."""
    out = digits[0] / "out"
    run("aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-static", "-I", out, *sorted(out.glob("*.c")), *sorted((out / "runtime").glob("*.c")), out / "digits_gemm.S", "-o", tmp_path / "digits", "-lpthread", "-lm")
    shutil.copy(out / "digits.weights", tmp_path / "digits.weights")
    inputs = random_inputs(DIGITS, 14, 2)
    run("qemu-aarch64-static", tmp_path / "digits", *save_inputs(tmp_path / "in", inputs), "--output-dir", tmp_path / "got")
    assert np.abs(load_outputs(tmp_path / "got", ["logits"])["logits"] - outputs(digits[1], DIGITS, tmp_path / "b", inputs)["logits"]).max() <= 1e-5


def test_beside_a_library_with_kernels_made_at_run_time(digits, tmp_path):
    """Both ways in one program: digits ahead of time, another model at run time."""
    other = tmp_path / "other"
    other.mkdir()
    build(ROOT / "models/small/vit_cls-dynamo_batch/model.onnx", other, name="other")
    program = tmp_path / "both"
    run("gcc", "-std=gnu11", "-O1", "-I", digits[0] / "out", "-I", other / "out", HERE / "two_libraries.c", digits[0] / "build/libdigits.a", other / "build/libother.a", "-lxsmm", "-lxsmmnoblas", "-lpthread", "-ldl",
        "-lm", "-o", program)
    assert run(program, digits[0] / "out/digits.weights", other / "out/other.weights").stdout == "fine\n"


def test_a_compiler_that_may_not_generate_says_so(tmp_path):
    """vitcc itself under the filter: one line, exit 1, nothing written."""
    run("gcc", "-O1", HERE / "no_wx.c", "-o", tmp_path / "no_wx")
    done = run(tmp_path / "no_wx", VITCC, "compile", DIGITS, "-o", tmp_path / "out", "--kernels", "aot", "-q", status=1)
    assert re.search(r"error E105: matrix kernels cannot be made ahead of time: SSE: memory that is both writable and executable is refused here.*; choose --kernels jit or portable\n", done.stderr), done.stderr
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("out.partial*"))


def test_an_unknown_kind_is_bad_usage(tmp_path):
    done = subprocess.run([VITCC, "compile", DIGITS, "-o", tmp_path / "out", "--kernels", "soon"], capture_output=True, text=True)
    assert done.returncode == 2 and "--kernels is jit, aot or portable, not soon" in done.stderr
