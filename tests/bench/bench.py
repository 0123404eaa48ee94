"""Times generated programs beside ONNX Runtime, OpenVINO, PyTorch and torch.compile, in rounds in which all take turns, so that noise hits all alike.

    python3 tests/bench/bench.py                     the quick table: batch 1 and 8, up to ViT-B
    python3 tests/bench/bench.py --full              and the rest: batch 32 up to DeiT-S, 8 up to ViT-L, 1 for ViT-H and at 384 and 518 pixels
    python3 tests/bench/bench.py --models deit_ti_224 digits --batches 1 --threads 1 --peers onnxruntime --rounds 9
    python3 tests/bench/bench.py --disturbed         what a busy process on the second core does to two threads
    python3 tests/bench/bench.py --setup             only installs the peers (.venv-bench) and makes the models (build/bench)
    python3 tests/bench/bench.py --publish           puts the last results into docs/benchmarks.md

Every contestant lives in a process of its own, bound to as many cores as it has threads; while one works the others sleep (the
generated program is started anew for each turn). A row is printed only if all outputs agree within 1e-3 of their scale.
Writes FOLDER/bench.json, bench.md and bench.svg. Needs a built vitcc (VITCC, else build/tests/compiler/vitcc).
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / ".venv-bench"
PEERS = ["onnxruntime", "openvino", "torch", "compile"]
BUSY = "import os, sys, time\nos.sched_setaffinity(0, [int(sys.argv[1])])\nuntil = time.time() + 600\nwhile time.time() < until: pass"


def enter_venv(venv):
    """Installs the peers where they are missing, and goes on in their interpreter."""
    python, done = venv / "bin/python", venv / "complete"
    timm = ROOT / "models/requirements-timm.txt"
    wanted = (HERE / "requirements.txt").read_text() + timm.read_text()
    if not done.exists() or done.read_text() != wanted:
        print(f"installing the peers into {venv}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, next(line for line in wanted.splitlines() if line.startswith("torch=="))], check=True)
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([*pip, "--no-deps", "-r", timm], check=True)
        done.write_text(wanted)
    if pathlib.Path(sys.prefix) != venv:
        os.execv(python, [str(python), *sys.argv])


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all rows")
    parser.add_argument("--setup", action="store_true", help="install the peers and make the models, time nothing")
    parser.add_argument("--disturbed", action="store_true", help="two threads with and without a busy process on the second core")
    parser.add_argument("--publish", action="store_true", help="copy the last results into docs/benchmarks.md and benchmarks.svg")
    parser.add_argument("--merge", action="store_true", help="keep the last results' rows that this run does not measure")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these, by their name in models.py")
    parser.add_argument("--batches", type=int, nargs="+", help="these instead of the table's")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--rounds", type=int, default=5, help="fewer (at least 3) where one takes longer than 20 seconds")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn; at least one run")
    parser.add_argument("--options", default="", help="of vitcc compile, such as --options=\"--kernels portable\"")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench", help="models and results")
    parser.add_argument("--venv", type=pathlib.Path, default=VENV)
    return parser.parse_args()


def chosen(a):
    """(model, batches) of the table."""
    import models
    names = a.models or [m.name for m in models.MODELS]
    unknown = set(names) - {m.name for m in models.MODELS}
    if unknown:
        raise SystemExit(f"no model {', '.join(sorted(unknown))}; there are {', '.join(m.name for m in models.MODELS)}")
    for model in models.MODELS:
        batches = a.batches or (model.full if a.full or a.models else model.quick)
        if model.name in names and batches:
            yield model, batches


def disturbed(prepared, cpus, a):
    """Median of two threads, quiet and with a busy process bound to the second core."""
    import rounds
    job = rounds.job_of(prepared, 1, 2, cpus[:2])
    program = rounds.Program(job, prepared)
    runs = program.runs_in(a.seconds)
    pairs = []
    for _ in range(a.rounds):
        quiet = program.turn(runs)["median_ms"]
        busy = subprocess.Popen([sys.executable, "-c", BUSY, str(cpus[1])])
        try:
            pairs.append((quiet, program.turn(runs)["median_ms"]))
        finally:
            busy.kill()
            busy.wait()
    quiet, loud = (sorted(v)[len(v) // 2] for v in zip(*pairs))
    print(f"{prepared.model.title} {prepared.model.size}, batch 1, 2 threads: "
          f"median {quiet:.2f} ms quiet, {loud:.2f} ms disturbed, {loud / quiet:.2f} times", flush=True)
    return {"model": prepared.model.name, "quiet_ms": quiet, "disturbed_ms": loud}


def publish(folder):
    """Replaces what stands between the two marks of docs/benchmarks.md."""
    page, mark = ROOT / "docs/benchmarks.md", "<!-- bench.py --publish writes from here to the next mark -->\n"
    before, _, after = page.read_text().split(mark)
    page.write_text(mark.join([before, "\n" + (folder / "bench.md").read_text() + "\n![speed beside the peers](benchmarks.svg)\n\n", after]))
    shutil.copy(folder / "bench.svg", ROOT / "docs/benchmarks.svg")


def empty_result(a, cores):
    """No rows yet; or with --merge those of the last run."""
    import report
    result = {"date": datetime.date.today().isoformat(), "cpu": report.cpu_name(), "cores": cores, "versions": {}, "rows": []}
    stored = a.folder / "bench.json"
    if a.merge and stored.exists():
        last = json.loads(stored.read_text())
        if last["cpu"] != result["cpu"]:
            raise SystemExit(f"the stored results are of {last['cpu']}")
        result.update(versions=last["versions"], rows=last["rows"])
    return result


def place(rows, row):
    """Puts a row where the table has it, in place of an earlier one of the same name."""
    import models
    order = [m.name for m in models.MODELS]
    key = lambda r: (order.index(r["model"]), r["batch"], r["threads"])
    rows[:] = sorted([r for r in rows if key(r) != key(row)] + [row], key=key)


def main():
    a = parse()
    a.folder, a.venv = a.folder.resolve(), a.venv.resolve()
    if a.publish:
        publish(a.folder)
        return
    enter_venv(a.venv)
    import models
    import report
    import rounds
    vitcc = os.environ.get("VITCC", str(ROOT / "build/tests/compiler/vitcc"))
    if not os.access(vitcc, os.X_OK):
        raise SystemExit(f"{vitcc} is not built; build it, or name another in VITCC")
    cpus = sorted(os.sched_getaffinity(0))
    prepared = []
    for model, batches in chosen(a):
        print(f"preparing {model.name}", file=sys.stderr, flush=True)
        prepared.append((models.Prepared(model, a.folder, vitcc, a.options.split()), batches))
    if a.setup:
        return
    if a.disturbed:
        results = [disturbed(p, cpus, a) for p, _ in prepared if len(cpus) > 1]
        (a.folder / "disturbed.json").write_text(json.dumps(results, indent=1) + "\n")
        return
    result, refused = empty_result(a, len(cpus)), False
    for p, batches in prepared:
        for batch in batches:
            for threads in a.threads:
                if threads > len(cpus):
                    print(f"{p.model.name}: {threads} threads need as many cores", file=sys.stderr)
                    continue
                row = rounds.row(p, batch, threads, cpus[:threads], a, result["versions"])
                place(result["rows"], row)
                refused |= "refused" in row
                report.print_row(row, a.peers)
                report.write(result, a.peers, a.folder)
    raise SystemExit(refused)


if __name__ == "__main__":
    main()
