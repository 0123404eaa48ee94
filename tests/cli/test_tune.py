"""vitcc tune: what is built, what is timed and in which order, what the figures decide, and every way it can fail.
A stand-in for cmake "builds" programs with given times."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import VITCC, run
from error_cases import BATCH, line, model, NODE, one, ones

ROUNDS = 7
NOTE = "a field is missing or not as vitcc writes it"

# times.json: by "panel tile images" (rows, rows, images together), the medians that the program prints in its runs, the last of them for good; 1 ms if
# not told.
CMAKE = f"""#!{sys.executable}
import json, os, pathlib, sys
here, arguments = pathlib.Path(__file__).parent, sys.argv[1:]
with open(here / "cmake.log", "a") as log: print(*arguments, file=log)
if arguments[0] == "-S":
    build = pathlib.Path(arguments[3])
    build.mkdir()
    (build / "source").write_text(arguments[1])
else:
    build, name = pathlib.Path(arguments[1]), arguments[3]
    made = json.loads((pathlib.Path((build / "source").read_text()) / ".vitcc").read_text())
    rows = f"{{made['panel_rows']}} {{made['tile_rows']}} {{made['panel_images']}}"
    times = json.loads((here / "times.json").read_text()).get(rows, [1])
    for i, ms in enumerate(times): (build / f"ms{{i}}").write_text(f'{{{{"min_ms": 0, "median_ms": {{ms}}}}}}')
    (build / name).write_text(f'''#!/bin/sh
echo "{{rows}} $*" >> {{here}}/program.log
cd {{build}}
cat $(ls ms* | head -1)
[ -e ms{{len(times) - 1}} ] && [ $(ls ms* | wc -l) -gt 1 ] && rm $(ls ms* | head -1)
exit 0
''')
    (build / name).chmod(0o755)
"""


@pytest.fixture
def work(tmp_path):
    """A folder with a model of thirty rows, compiled into out; bin holds the stand-in."""
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path, CMAKE)
    made = one("MatMul", "xw", [ones("w", 4, 4)], shapes=(("x", 1, ("N", 30, 4)),))
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    compile(tmp_path)
    return tmp_path


def stand_in(work, text):
    (work / "bin/cmake").write_text(text)
    (work / "bin/cmake").chmod(0o755)


def compile(work, *options, out="out"):
    run(VITCC, "compile", "m.onnx", "-o", out, "-q", *options, cwd=work)


def environment(work):
    return {**os.environ, "PATH": f"{work / 'bin'}:{os.environ['PATH']}"}


def tune(work, *options, times={}, status=0):
    (work / "bin/times.json").write_text(json.dumps(times))
    (work / "bin/program.log").write_text("")
    return run(VITCC, "tune", "out", *options, status=status, cwd=work, env=environment(work))


def held(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(text):
    """The table's rows by their options: median, ratio, spread."""
    found = re.findall(r"^  (\S.*?) +(\d+\.\d+) +(\d\.\d+) +(\d\.\d+)", text, re.MULTILINE)
    return [(name, float(ms), float(ratio), float(spread)) for name, ms, ratio, spread in found]


def log(work):
    return (work / "bin/program.log").read_text().splitlines()


def test_the_fastest_is_written(work):
    printed = tune(work, "--threads", 3, "--batch", 2, times={"0 0 0": [1.5], "0 12 0": [1.2], "0 25 0": [0.75]}).stdout
    assert printed.splitlines()[-1] == "out: written with --tile-rows 25, 100.0 % faster"
    table = rows(printed)
    assert ("no option", 1.5, 1, 0) == table[0] and ("--tile-rows 12", 1.2, 0.8, 0) in table
    assert [r for r in table if r[0] == "--tile-rows 25"] == [("--tile-rows 25", 0.75, 0.5, 0)] * 2
    compile(work, "--tile-rows", 25, out="wanted")
    assert held(work / "out") == held(work / "wanted")
    assert sorted(p.name for p in work.iterdir()) == ["bin", "m.onnx", "out", "wanted"]
    assert all(text.endswith("--threads 3 --batch 2") for text in log(work))


def test_rounds_take_turns(work):
    """Forth and back; then the best and what is there alone. Code that is there already is not built again."""
    table = rows(tune(work, times={"0 12 0": [0.5]}).stdout)
    names = [r[0] for r in table[:-2]]
    assert names[0] == "no option" and "--tile-rows 12" in names and len(set(names)) == len(names) > 2
    kinds = [" ".join(text.split()[:3]) for text in log(work)]
    count = len(names)
    first = kinds[1 : 1 + count]
    assert kinds[0] == "0 0 0" and len(set(first)) == count
    assert kinds[1:] == [kind for two in (first, ["0 0 0", "0 12 0"]) for i in range(ROUNDS) for kind in two[:: -1 if i % 2 else 1]]
    assert {text.split()[4] for text in log(work)[1:]} == {"300"}, "runs of 1 ms in 300 ms"
    assert (work / "bin/cmake.log").read_text().count("--target m ") == count


def test_images_together(work):
    """Of a batch, as many images together as it has, on a model whose weights are worth it; of one image none."""
    model = one("MatMul", "xw", [ones("w", 1024, 1032)], shapes=(("x", 1, ("N", 5, 1024)),))
    (work / "m.onnx").write_bytes(model.SerializeToString())
    compile(work)
    images = [r[0] for r in rows(tune(work, "--batch", 3).stdout) if "--panel-images" in r[0]]
    assert images == ["--panel-images 1", "--panel-images 2"]
    assert "--panel-images" not in tune(work).stdout
    printed = tune(work, "--batch", 3, times={"0 0 2": [0.5]}).stdout
    assert printed.splitlines()[-1] == "out: written with --panel-images 2, 100.0 % faster"
    compile(work, "--panel-images", 2, out="wanted")
    assert held(work / "out") == held(work / "wanted")


LEFT = {
    "none is faster": {},
    "by less than the rounds differ": {"0 12 0": [0.8, 0.8, 1.1, 0.8, 1.1, 0.8, 0.8, 1.1]},
    "by less than one per cent": {"0 12 0": [0.995]},
    "once, but not again": {"0 12 0": [0.5] * ROUNDS + [1]},
}


@pytest.mark.parametrize("times", LEFT.values(), ids=LEFT)
def test_left_as_it_is(times, work):
    before = held(work / "out"), os.stat(work / "out/m.c").st_mtime_ns
    printed = tune(work, times=times).stdout
    assert printed.splitlines()[-1] == "out: left as it is: nothing is faster by more than the rounds differ, and one per cent"
    assert (held(work / "out"), os.stat(work / "out/m.c").st_mtime_ns) == before
    assert sorted(p.name for p in work.iterdir()) == ["bin", "m.onnx", "out"]


def test_a_tuned_folder_is_what_others_are_measured_by(work):
    tune(work, times={"0 12 0": [0.5]})
    table = rows(tune(work, "-q", times={"0 12 0": [0.5]}).stdout + tune(work, times={"0 12 0": [0.5]}).stdout)
    assert table[0] == ("--tile-rows 12", 0.5, 1, 0) and ("no option", 1, 2, 0) in table
    assert tune(work, times={"0 12 0": [2]}).stdout.splitlines()[-1].startswith("out: written with no option, 100.0 % faster")
    compile(work, out="wanted")
    assert held(work / "out") == held(work / "wanted")


def test_what_the_folder_was_made_with_is_kept(work):
    (work / "labels").mkdir()
    (work / "labels/config.json").write_text('{"id2label": {"0": "zero"}}')
    options = ["--name", "other", "--shape", "x=images,30,4", "--no-pass", "dce", "--no-pass", "algebra", "--kernels", "portable"]
    options += ["--embed-weights", "--config", "labels"]
    shutil.rmtree(work / "out")
    compile(work, *options)
    compile(work, *options, "--tile-rows", 12, out="wanted")
    (work / "bin/times.json").write_text('{"0 12 0": [0.5]}')
    done = run(VITCC, "tune", "../out/", "-q", cwd=work / "labels", env=environment(work))
    assert (done.stdout, done.stderr) == ("", "")
    assert held(work / "out") == held(work / "wanted")


def test_rows_that_change_no_code(work):
    (work / "m.onnx").write_bytes(one("Neg").SerializeToString())
    compile(work)
    assert tune(work).stdout == "out: left as it is: other rows give the same code\n"
    assert not (work / "bin/cmake.log").exists()


def test_with_the_real_cmake(work):
    """Two programs are built and run; what is then there is what compile writes with the options that are told."""
    (work / "bin/cmake").unlink()
    (work / "m.onnx").write_bytes(one("Softmax", shapes=(("x", 1, ("N", 14, 4)),)).SerializeToString())
    compile(work)
    printed = tune(work, "--threads", 1).stdout
    table = rows(printed)
    assert [r[0] for r in table[:2]] == ["no option", "--tile-rows 12"] and len(table) in (2, 4)
    assert all(ms > 0 and ratio > 0 for _, ms, ratio, _ in table)
    tile = 12 if "written with --tile-rows 12" in printed.splitlines()[-1] else 0
    assert tile or "left as it is" in printed.splitlines()[-1]
    compile(work, *(["--tile-rows", tile] if tile else []), out="wanted")
    assert held(work / "out") == held(work / "wanted") and not list(work.glob("*.tune-*"))


# ---- errors ----

def refused(work, *options, path=None):
    """What is printed without `out: `; nothing is changed, nothing left."""
    before, beside = held(work / "out"), sorted(p.name for p in work.iterdir())
    (work / "bin/times.json").write_text("{}")
    done = run(VITCC, "tune", "out", "-q", *options, status=1, cwd=work, env={**os.environ, "PATH": path} if path else environment(work))
    assert done.stdout == "" and held(work / "out") == before and sorted(p.name for p in work.iterdir()) == beside
    return done.stderr.splitlines()


def test_folders_of_others(work):
    (work / "out/.vitcc").unlink()
    missing = f"out: {line(106, '', 'it holds no file .vitcc that can be read')}"
    assert refused(work) == [missing]
    shutil.rmtree(work / "out")
    assert run(VITCC, "tune", "out", status=1, cwd=work).stderr == missing + "\n"


RECORDS = [{"model": None}, {"digest": "none"}, {"name": ""}, {"kernels": "magic"}, {"shape": "1,4"}, {"no_pass": [1]}, {"tile_rows": -1},
           {"panel_rows": 65537}, {"embed_weights": 0}]


@pytest.mark.parametrize("change", RECORDS, ids=[next(iter(r)) for r in RECORDS])
def test_records_that_vitcc_does_not_write(change, work):
    record = work / "out/.vitcc"
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    assert refused(work) == [f"out: {line(106, '', f'.vitcc: {NOTE}')}"]


def test_a_record_that_is_no_json(work):
    (work / "out/.vitcc").write_text("Written by vitcc.\n")
    why = ".vitcc: line 1: '[' or '{' expected near 'Written'"
    assert refused(work) == [f"out: {line(106, '', why)}"]


def test_models_that_moved_or_changed(work):
    other = model([NODE("Neg", ["x"], ["y"], "n")], inputs=(BATCH,)).SerializeToString()
    (work / "m.onnx").rename(work / "n.onnx")
    assert refused(work) == [f"out: {line(107, '', f'{work}/m.onnx: No such file or directory')}"]
    (work / "m.onnx").write_bytes(other)
    assert refused(work) == [f"{work}/m.onnx: {line(107, '', 'its content has changed')}"]


def test_no_cmake(work):
    assert refused(work, path=str(work)) == [f"out: {line(108, '', 'cmake: No such file or directory')}"]


def test_a_build_that_fails(work):
    stand_in(work, "#!/bin/sh\nseq 1 5000\necho 'CMake Error: no compiler' >&2\nexit 3\n")
    first, *notes = refused(work)
    assert first == f"out: {line(108, '', 'cmake ends with status 3')}"
    assert notes == [f"out: note: {text}" for text in (*range(4990, 5001), "CMake Error: no compiler")]


PROGRAMS = {
    "fails": ("echo this model has one batch; exit 1", " ends with status 1", ["out: note: this model has one batch"]),
    "crashes": ("kill -SEGV $$", " ends with signal 11", []),
    "prints no figure": ("echo '{}'", ": it does not print median_ms", []),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_fails(name, work):
    command, why, notes = PROGRAMS[name]
    (work / "bin/program").write_text(f"#!/bin/sh\n{command}\n")
    stand_in(work, f"#!/bin/sh\n[ $1 = -S ] && exec mkdir $4\ncp {work}/bin/program $2/m && chmod +x $2/m\n")
    first, *others = refused(work)
    assert re.sub(r"tune-\w{6}", "tune-…", first) == f"out: {line(109, '', f'out.tune-…/0.build/m{why}')}" and others == notes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number, work):
    """Neither folders nor processes: not even those that cmake started."""
    stand_in(work, f"#!/bin/sh\nsleep 300 & echo $! > {work}/bin/pid.new && mv {work}/bin/pid.new {work}/bin/pid; wait\n")
    before = held(work / "out")
    child = subprocess.Popen([VITCC, "tune", "out", "-q"], cwd=work, env=environment(work), stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))    # though whoever runs the tests ignores it
    while not (work / "bin/pid").exists():
        time.sleep(0.01)
    child.send_signal(number)
    assert (child.communicate()[1], child.returncode) == ("", -number)
    assert held(work / "out") == before and sorted(p.name for p in work.iterdir()) == ["bin", "m.onnx", "out"]
    stat = pathlib.Path(f"/proc/{(work / 'bin/pid').read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
