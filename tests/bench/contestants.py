"""One contestant in a process of its own, which lives through a row of the benchmark and sleeps while others take their turn.

Told by JSON as its only argument: contestant, folder, inputs, outputs, threads, cpus, results, spawned (monotonic seconds).
Writes the first run's outputs as results/<output>.npy, prints one line of JSON, then answers each line N on standard input
with the milliseconds of N runs, after one that is not counted.
"""
import json
import os
import pathlib
import sys
import time
import types

import numpy as np


def onnxruntime(job, x):
    import onnxruntime as ort
    imported = time.monotonic()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = job["threads"], 1, 3
    options.add_free_dimension_override_by_name("batch", len(next(iter(x.values()))))
    session = ort.InferenceSession(job["folder"] + "/model.onnx", options, providers=["CPUExecutionProvider"])
    return lambda: session.run(job["outputs"], x), ort.__version__, imported


def openvino(job, x):
    import openvino as ov
    imported = time.monotonic()
    core = ov.Core()
    model = core.read_model(job["folder"] + "/model.onnx")
    model.reshape({name: list(array.shape) for name, array in x.items()})
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": job["threads"], "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    ports = [compiled.output(name) for name in job["outputs"]]

    def infer():
        answers = request.infer(x, share_inputs=True, share_outputs=True)
        return [answers[port] for port in ports]
    return infer, ov.__version__.split("-")[0], imported


def torch(job, x, compiled=False):
    import torch as pt
    import transformers
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models"))
    import export_weights
    made = json.loads(pathlib.Path(job["folder"], "model.json").read_text())
    kind, row = made["class"], types.SimpleNamespace(outputs=made.get("fields", " ".join(made["outputs"])), call=())
    from_timm = kind.startswith("timm:")
    if from_timm:
        import export_timm
    imported = time.monotonic()
    pt.set_num_threads(job["threads"])
    pt.set_grad_enabled(False)
    if from_timm:
        model = export_timm.Classifier(export_timm.timm.create_model(kind.removeprefix("timm:"))).eval()
        model.load_state_dict(pt.load(job["folder"] + "/torch/weights.pt"))
    else:
        model = getattr(transformers, kind).from_pretrained(job["folder"] + "/torch", local_files_only=True, dtype=pt.float32).eval()
    tensors = {name: pt.from_numpy(array) for name, array in x.items()}
    call = pt.compile(model) if compiled else model

    def infer():
        answers = export_weights.answers(row, call, tensors)
        return [answers[name] for name in job["outputs"]]
    return infer, pt.__version__.split("+")[0], imported


KINDS = {"onnxruntime": onnxruntime, "openvino": openvino, "torch": torch, "compile": lambda job, x: torch(job, x, compiled=True)}


def peak_mb():
    """Largest resident memory of this process so far."""
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024 / 1e6


def timed(infer, runs):
    infer()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        infer()
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def main():
    job = json.loads(sys.argv[1])
    said = os.fdopen(os.dup(1), "w")     # whatever libraries print goes to the log
    os.dup2(2, 1)
    os.sched_setaffinity(0, job["cpus"])
    x = {name: np.load(path) for name, path in job["inputs"].items()}
    infer, version, imported = KINDS[job["contestant"]](job, x)
    answers = infer()
    now = time.monotonic()
    first = {"version": version, "first_ms": 1e3 * (now - job["spawned"]), "load_ms": 1e3 * (now - imported)}
    for name, answer in zip(job["outputs"], answers):
        np.save(pathlib.Path(job["results"], f"{name}.npy"), answer)
    print(json.dumps({**first, "peak_mb": peak_mb()}), file=said, flush=True)
    for line in sys.stdin:
        print(json.dumps({"ms": timed(infer, int(line)), "peak_mb": peak_mb()}), file=said, flush=True)


if __name__ == "__main__":
    main()
