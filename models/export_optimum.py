"""Writes the models of rows.py as Optimum's exporter gives them, from a checkpoint folder as `optimum-cli export onnx` takes it.

    OMP_NUM_THREADS=1 python models/export_optimum.py OUT [names] [--truth | --decoders]     (with requirements-optimum.txt)

Variant "optimum" is what Optimum writes if not told otherwise, batch, channels, height and width all symbolic;
"optimum_static" has none of them. With --decoders, OUT gets the merged decoders of families.py's encoder-decoders instead: one file with two branches,
chosen by an input that `vitcc --bind` makes a constant; each with the inputs of its first step (first_*.npy) and of the next (next_*.npy).
"""
import argparse
import logging
import pathlib
import shutil
import tempfile
import warnings

import numpy as np
import onnx
import torch
from optimum.exporters.onnx import main_export
from transformers import ViTImageProcessor

import export_weights
import families
import onnx_files
import rows

RUN_BATCH = 3  # of a symbolic batch
DECODERS = ["trocr"]
FIRST, PAST = 6, 5  # words of the first step; those that the cache of the next one holds


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


def decoder_inputs(model, row, is_next):
    """Numbers for a merged decoder: all words at once, or one word and the cache."""
    export_weights.seed(row.name + " step")
    tokens = (row.config["encoder"]["image_size"] // row.config["encoder"]["patch_size"]) ** 2 + 1
    inputs = {}
    for i in model.graph.input:
        names = [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        shape = [n if isinstance(n, int) else 1 if "batch" in n else tokens if "encoder" in n else PAST if "past" in n else 1 if is_next else FIRST for n in names]
        kind = i.type.tensor_type.elem_type
        whole = torch.tensor([is_next]) if kind == onnx.TensorProto.BOOL else torch.randint(3, export_weights.VOCABULARY, shape)
        inputs[i.name] = torch.randn(*shape) if kind == onnx.TensorProto.FLOAT else whole
    return {name: t.numpy() for name, t in inputs.items()}


def export_decoder(row, folder):
    """Writes the folder of one merged decoder, which answers both steps in ONNX Runtime."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = row.config["encoder"]["image_size"]
    with tempfile.TemporaryDirectory() as work, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_weights.build(row).save_pretrained(work)
        ViTImageProcessor(size={"height": size, "width": size}).save_pretrained(work)
        main_export(work, output=f"{work}/onnx", task="image-to-text-with-past", do_validation=False)
        model = onnx_files.strip(onnx.load(f"{work}/onnx/decoder_model_merged.onnx"))
        onnx_files.save(model, folder / "model.onnx")
    for step in "first", "next":
        inputs = decoder_inputs(model, row, step == "next")
        onnx_files.run(folder / "model.onnx", inputs)
        for name, array in inputs.items():
            np.save(folder / f"{step}_{name}.npy", array)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="rows; all where none is named")
    parser.add_argument("--truth", action="store_true", help="save PyTorch's answers in double precision too: truth_*.npy")
    parser.add_argument("--decoders", action="store_true", help="write merged decoders")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    logging.disable(logging.WARNING)
    failed = 0
    if arguments.decoders:
        for row in families.FAMILIES:
            if row.name in (arguments.names or DECODERS):
                export_decoder(row, arguments.out / f"{row.name}-optimum_merged")
        return
    for row in rows.SMALL:
        for variant in row.variants.split():
            if not variant.startswith("optimum") or arguments.names and row.name not in arguments.names:
                continue
            folder = arguments.out / f"{row.name}-{variant}"
            failed += not onnx_files.attempt(folder, lambda: export(row, variant, folder, arguments.truth))
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
