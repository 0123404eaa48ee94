"""What the export scripts share: strips ONNX files of the exporting machine's traces, runs them in ONNX Runtime, compares."""
import os
import pathlib
import shutil
import tempfile

import numpy as np
import onnx
import onnxruntime

LIMIT = 1e-4  # the greatest difference from PyTorch, as a part of the largest value


def graphs(graph):
    """The graph or function and every graph inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from graphs(inner)


def strip(model):
    """Drops metadata and doc strings: exporters write stack traces with local paths there."""
    parts = [model]
    for part in [inner for outer in (model.graph, *model.functions) for inner in graphs(outer)]:
        parts += [part, *part.node, *part.value_info]
        parts += [attribute for node in part.node for attribute in node.attribute]
        if isinstance(part, onnx.GraphProto):
            parts += [*part.input, *part.output, *part.initializer]
    for part in parts:
        for field in ("doc_string", "metadata_props"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    return model


def save(model, path, external=False):
    """Writes a checked ONNX file; `external` puts the weights into one file beside it, the path plus ".data"."""
    if external:
        onnx.save_model(model, path, save_as_external_data=True, location=path.name + ".data", size_threshold=256)
        path.with_name(path.name + ".data").chmod(0o644)  # onnx makes it readable to its owner only
    else:
        onnx.save_model(model, path)
    onnx.checker.check_model(str(path))
    refuse_traces(path)


def bake(model, constants):
    """Makes inputs constants, arrays by name."""
    for name, array in constants.items():
        model.graph.input.remove(next(i for i in model.graph.input if i.name == name))
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


def refuse_traces(path):
    """Raises ValueError where the file still holds a path of the exporting machine."""
    if path.stat().st_size > 2**30:  # a gigabyte of weights says nothing that the small models do not
        return
    content = path.read_bytes()
    for trace in "site-packages", tempfile.gettempdir() + "/", os.fspath(pathlib.Path(__file__).parent):
        if trace.encode() in content:
            raise ValueError(f"{path.name} holds the text {trace!r}")


def run(path, inputs):
    """The file's outputs by name for `inputs` (arrays by name): one thread and none of ONNX Runtime's own graph changes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()})))


def difference(have, want):
    """The largest difference as a part of the largest wanted value; an error where shapes or numbers rule a comparison out."""
    if have.shape != want.shape:
        raise ValueError(f"shape {have.shape}, PyTorch gives {want.shape}")
    if not (np.isfinite(have).all() and np.isfinite(want).all()):
        raise ValueError("an output is not finite")
    have, want = have.astype(np.float64), want.astype(np.float64)
    return float(np.abs(have - want).max() / np.abs(want).max())


def check(have, want):
    """Compares arrays by name; returns the largest difference, or raises ValueError where one is beyond LIMIT."""
    if list(have) != list(want):
        raise ValueError(f"outputs {list(have)}, expected {list(want)}")
    worst = 0.0
    for name in want:
        part = difference(have[name], want[name])
        if part > LIMIT:
            raise ValueError(f"{name}: {part:.3g} of scale away from PyTorch, limit {LIMIT:g}")
        worst = max(worst, part)
    return worst


def attempt(folder, write, source="PyTorch"):
    """Prints how far ONNX Runtime is from `source` in the folder that write() makes; or why there is none: one refusal must not hide the others'."""
    try:
        print(f"{folder.name}: {write():.1e} of scale from {source}", flush=True)
        return True
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{folder.name}: FAILED: {type(error).__name__}: {str(error)[:300]}", flush=True)
        return False


def safe(name):
    """A tensor's name as part of a file's."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in name)


def record(path, inputs, wanted):
    """Runs the file, compares it with PyTorch's `wanted`, and saves inputs and outputs beside it; returns the difference."""
    outputs = run(path, inputs)
    worst = check(outputs, wanted)
    for kind, arrays in ("input", inputs), ("output", outputs):
        for name, array in arrays.items():
            np.save(path.with_name(f"{kind}_{safe(name)}.npy"), array)
    return worst
