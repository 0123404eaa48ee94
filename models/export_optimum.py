"""Writes the models of rows.py as Optimum's exporter gives them, from a checkpoint folder as `optimum-cli export onnx` takes it.

    OMP_NUM_THREADS=1 python models/export_optimum.py OUT [names] [--truth]     (with requirements-optimum.txt)

Variant "optimum" is what Optimum writes if not told otherwise, batch, channels, height and width all symbolic;
"optimum_static" has none of them.
"""
import argparse
import logging
import pathlib
import shutil
import tempfile
import warnings

import onnx
import torch
from optimum.exporters.onnx import main_export
from transformers import ViTImageProcessor

import export_weights
import onnx_files
import rows

RUN_BATCH = 3  # of a symbolic batch


def optimum_export(row, model, variant, work):
    """Saves the checkpoint, has Optimum export it and returns the file's path."""
    channels, height, width = row.image
    model.save_pretrained(work / "checkpoint")
    ViTImageProcessor(size={"height": height, "width": width}).save_pretrained(work / "checkpoint")
    task = "feature-extraction" if row.model.endswith("Model") else "image-classification"
    options = dict(no_dynamic_axes=True, batch_size=1) if variant == "optimum_static" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main_export(str(work / "checkpoint"), output=str(work / "onnx"), task=task, do_validation=False,
                    num_channels=channels, height=height, width=width, **options)
    return work / "onnx" / "model.onnx"


def export(row, variant, folder, truth):
    """Writes one folder; returns the difference between ONNX Runtime and PyTorch, or raises where it is too large."""
    model = export_weights.build(row)
    tensors = export_weights.inputs(row, 1 if variant == "optimum_static" else RUN_BATCH)
    answers = export_weights.answers(row, model, tensors)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        exported = onnx_files.strip(onnx.load(optimum_export(row, model, variant, pathlib.Path(work))))
        onnx_files.save(exported, folder / "model.onnx")
    names = [output.name for output in exported.graph.output]
    if not set(names) <= set(answers):  # Optimum leaves out pooled features and the two heads' own logits
        raise ValueError(f"outputs {names}, the row has {row.outputs}")
    if truth:
        export_weights.save_truth(row, model, tensors, names, folder)
    return onnx_files.record(folder / "model.onnx", {name: t.numpy() for name, t in tensors.items()}, {name: answers[name] for name in names})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="rows; all where none is named")
    parser.add_argument("--truth", action="store_true", help="save PyTorch's answers in double precision too: truth_*.npy")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    logging.disable(logging.WARNING)
    failed = 0
    for row in rows.SMALL:
        for variant in row.variants.split():
            if not variant.startswith("optimum") or arguments.names and row.name not in arguments.names:
                continue
            folder = arguments.out / f"{row.name}-{variant}"
            try:
                print(f"{folder.name}: {export(row, variant, folder, arguments.truth):.1e} of scale from PyTorch", flush=True)
            except Exception as error:  # one refusal must not hide the others
                shutil.rmtree(folder, ignore_errors=True)
                failed += 1
                print(f"{folder.name}: FAILED: {type(error).__name__}: {str(error)[:300]}", flush=True)
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
