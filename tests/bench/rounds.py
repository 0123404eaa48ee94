"""One row of the table: contestants are started, their outputs compared, and then they take turns."""
import json
import os
import pathlib
import select
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
LARGEST_ERROR = 1e-3     # of an output's scale
REST = 0.2               # seconds between two turns: threads that spin for a while after a run have gone to sleep by then
PATIENCE = 1200          # seconds for a peer's first result (torch.compile compiles)
LONG_ROUND = 20          # seconds: rows whose rounds take longer have three rounds


def job_of(prepared, batch, threads, cpus):
    results = prepared.folder / "results"
    return {"folder": str(prepared.folder), "inputs": prepared.inputs(batch), "outputs": prepared.outputs, "threads": threads, "cpus": list(cpus),
            "batch": batch, "results": str(results)}


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)


class Peer:
    """A process of contestants.py. One that cannot be held beside the others (memory) is started anew for each turn."""

    def __init__(self, kind, job, keep):
        self.kind, self.keep, self.process = kind, keep, None
        self.results = fresh(pathlib.Path(job["results"], kind))
        self.job = {**job, "contestant": kind, "results": self.results}
        self.log = pathlib.Path(job["folder"], f"{kind}.log")
        self.first = self.start()
        if not keep:
            self.stop()

    def start(self):
        cache = pathlib.Path(self.job["folder"]).parent / "inductor"
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.job["threads"]), "TORCHINDUCTOR_CACHE_DIR": str(cache), "HF_HUB_OFFLINE": "1"}
        self.job["spawned"] = time.monotonic()
        command = [sys.executable, str(HERE / "contestants.py"), json.dumps(self.job)]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        return self.answer()

    def answer(self):
        """Its next line, of JSON."""
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.stop()
            raise RuntimeError(f"{self.kind}: no answer within {PATIENCE} s")
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"{self.kind}: {self.last_words()}")
        return json.loads(line)

    def last_words(self):
        """The last line of its log that speaks of an error, or just the last."""
        lines = self.log.read_text().strip().splitlines() or ["died"]
        return ([line for line in lines if "Error" in line] or lines)[-1].strip()

    def turn(self, runs):
        if not self.keep:
            self.start()
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        answer = self.answer()
        if not self.keep:
            self.stop()
        return {"min_ms": min(answer["ms"]), "median_ms": statistics.median(answer["ms"]), "peak_mb": answer["peak_mb"]}

    def runs_in(self, seconds):
        once = self.turn(1)["min_ms"] / 1e3
        return max(1, min(1000, round(seconds / once)))

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


class Program:
    """The generated program: each turn is a process, `--bench N`, whose first run is not counted."""
    kind, keep = "generated", False

    def __init__(self, job, prepared):
        self.job, self.results = job, fresh(pathlib.Path(job["results"], "generated"))
        self.command = [str(prepared.program), *(word for name, path in job["inputs"].items() for word in ("--input", f"{name}={path}")), "--threads", str(job["threads"])]
        self.first = {"version": None, "peak_mb": 0, **self.start()}

    def spawn(self, *options):
        return subprocess.Popen([*self.command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, self.job["cpus"]))

    def finish(self, process):
        out, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"generated: {err.strip()}")
        return out

    def start(self):
        """A process that does one inference: from its start until it has written the outputs and ended; the least of three."""
        taken = []
        for _ in range(3):
            before = time.monotonic()
            self.finish(self.spawn("--output-dir", self.results))
            taken.append(1e3 * (time.monotonic() - before))
        return {"first_ms": min(taken)}

    def runs_in(self, seconds):
        """How many runs fill a turn; on the way, untimed, the largest resident memory."""
        once = json.loads(self.finish(self.spawn("--bench", "1", "--json")))
        runs = max(1, min(5000, round(seconds / (once["min_ms"] / 1e3))))
        process = self.spawn("--bench", str(max(runs, 2)), "--json")
        while process.poll() is None:
            self.first["peak_mb"] = max(self.first["peak_mb"], peak_mb(process.pid))
            time.sleep(0.005)
        self.finish(process)
        return runs

    def turn(self, runs):
        figures = json.loads(self.finish(self.spawn("--bench", str(runs), "--json")))
        return {"min_ms": figures["min_ms"], "median_ms": figures["median_ms"], "peak_mb": self.first["peak_mb"]}

    def stop(self):
        pass


def peak_mb(pid):
    """Largest resident memory of a process so far."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def error(contestant, reference, outputs):
    """Largest difference from the reference as a part of each output's scale; infinite where a NaN is."""
    worst = 0.0
    for name in outputs:
        got, want = (np.load(pathlib.Path(folder, f"{name}.npy")).astype(np.float64) for folder in (contestant, reference))
        if got.shape != want.shape or not np.isfinite(got).all() or not np.isfinite(want).all():
            return float("inf")
        worst = max(worst, float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)))
    return worst


def fma_peak(prepared, threads, cpus):
    """GF/s, measured by peak.c on the same cores."""
    program = prepared.folder.parent / "peak"
    source = HERE / "peak.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-std=c11", "-O2", source, "-o", program, "-lpthread"], check=True)
    done = subprocess.run([program, str(threads)], capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    return json.loads(done.stdout)


def memory_available():
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def start(prepared, job, peers):
    """All contestants, each after its first result; and a note for each that failed."""
    weights = sum(p.stat().st_size for p in prepared.folder.glob("model.onnx*"))
    keep = 3 * weights * len(peers) < memory_available()     # a peer holds the file's weights, packed ones, and while loading both
    contestants, failed = [Program(job, prepared)], {}
    for kind in peers:
        try:
            contestants.append(Peer(kind, job, keep))
        except RuntimeError as problem:
            failed[kind] = str(problem)
        time.sleep(REST)
    return contestants, failed


def play(contestants, prepared, job, a):
    """The rounds: a list of {contestant: its turn's figures}, with the peak measured beside each."""
    runs = {c.kind: c.runs_in(a.seconds) for c in contestants}
    played = []
    wanted = a.rounds
    while len(played) < wanted:
        begun = time.monotonic()
        this = {"peak": fma_peak(prepared, job["threads"], job["cpus"])}
        shift = len(played) % len(contestants)
        for c in contestants[shift:] + contestants[:shift]:
            this[c.kind] = c.turn(runs[c.kind])
            time.sleep(REST)
        played.append(this)
        if time.monotonic() - begun > LONG_ROUND:
            wanted = min(wanted, 3)
    return played


def figures(contestant, played, batch, prepared):
    turns = [r[contestant.kind] for r in played]
    median = statistics.median(t["median_ms"] for t in turns)
    shares = [prepared.flop * batch / (r[contestant.kind]["min_ms"] * 1e6) / r["peak"]["gflops"] for r in played]
    ratios = [r["generated"]["min_ms"] / r[contestant.kind]["min_ms"] for r in played]
    first = contestant.first
    return {"median_ms": median, "min_ms": min(t["min_ms"] for t in turns), "images_per_s": 1e3 * batch / median,
            "share_of_peak": statistics.median(shares), "ratio": statistics.median(ratios),
            "first_ms": first["first_ms"], "load_ms": first.get("load_ms"),
            "peak_mb": max([first["peak_mb"]] + [t["peak_mb"] for t in turns]), "disk_mb": prepared.bytes_needed(contestant.kind) / 1e6}


def row(prepared, batch, threads, cpus, a, versions):
    """Plays one row; what is refused has no figures but says why."""
    job = job_of(prepared, batch, threads, cpus)
    prepared.warm()
    model = prepared.model
    result = {"model": model.name, "title": model.title, "parameters": prepared.parameters, "size": model.size, "batch": batch, "threads": threads,
              "gflop": prepared.flop * batch / 1e9, "gflop_done": prepared.flop_done * batch / 1e9, "options": a.options, "failed": {}, "errors": {}}
    contestants = []
    try:
        contestants, result["failed"] = start(prepared, job, a.peers)
        for c in contestants[1:]:
            versions[c.kind] = c.first["version"]
            result["errors"][c.kind] = error(contestants[0].results, c.results, prepared.outputs)
        wrong = [f"{kind} by {e:.1e}" for kind, e in result["errors"].items() if not e <= LARGEST_ERROR]
        if wrong:
            result["refused"] = "outputs differ from " + ", ".join(wrong) + " of scale"
            return result
        played = play(contestants, prepared, job, a)
        result["peak"] = {"isa": played[0]["peak"]["isa"], "gflops": statistics.median(r["peak"]["gflops"] for r in played)}
        result["contestants"] = {c.kind: figures(c, played, batch, prepared) for c in contestants}
        result["rounds"] = played
    except RuntimeError as problem:
        result["refused"] = str(problem)
    finally:
        for c in contestants:
            c.stop()
    return result
