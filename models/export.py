"""Writes the models of rows.py, families.py and families_full.py as PyTorch's two exporters give them, each with an input and the outputs of ONNX Runtime.

    OMP_NUM_THREADS=1 python models/export.py --small OUT [names] [--only GLOB] [--variants GLOB]
    python models/export.py --families OUT [names] [--only GLOB] [--variants GLOB]
    python models/export.py --full OUT [names] [--missing] [--truth]
    python models/export.py --full-families OUT [names] [--missing] [--truth]
    python models/export.py --list

A variant is "dynamo" (torch.onnx.export with dynamo=True) or "script" (dynamo=False), then in this order "_batch" for a
dynamic batch, "_past" for a cache of dynamic length, "_data" for weights in a file of their own, and "_o18" for opset 18 (20 where not said).
"""
import argparse
import contextlib
import fnmatch
import io
import logging
import pathlib
import re
import shutil
import tempfile
import warnings

import onnx
import torch

import export_weights
import families
import families_full
import onnx_files
import rows

OPSET = 20
TRACED_BATCH, RUN_BATCH = 2, 3  # of a dynamic batch; the dynamo exporter would take a traced 1 for a constant
VARIANT = re.compile(r"(dynamo|script)(_batch)?(_past)?(_data)?(?:_o(\d+))?")


class Exported(torch.nn.Module):
    """A model with one tensor in and a flat tuple of tensors out, as the exporters want it."""

    def __init__(self, row, model):
        super().__init__()
        self.model, self.row = model, row

    def forward(self, pixel_values):
        return tuple(export_weights.call(self.row, self.model, {"pixel_values": pixel_values}).values())


class ExportedOfMany(Exported):
    """The same for other inputs than one image."""

    def forward(self, *tensors):
        names = [i.name for i in self.row.tensors]
        return tuple(export_weights.call(self.row, self.model, dict(zip(names, tensors))).values())


def past_axes(name, kind=torch.export.Dim):
    """The axes of an input or output that follow the length of the cache before this step."""
    length = kind("past")
    longer = length + " + 1" if kind is str else length + 1
    return {"past": {2: length}, "present": {2: longer}, "attention": {1: longer}}.get(name.split("_")[0], {})


def torch_export(row, model, variant, path):
    """Runs the exporter that the variant names; it may leave weights in files beside `path`."""
    exporter, batch, past, data, opset = VARIANT.fullmatch(variant).groups()
    example = export_weights.inputs(row, TRACED_BATCH if batch else 1)
    names = list(export_weights.answers(row, model, example))
    options = dict(input_names=list(example), output_names=names, opset_version=int(opset or OPSET))
    one_image = list(example) == ["pixel_values"]
    if exporter == "dynamo":
        options.update(dynamo=True, external_data=bool(data), verbose=False)
        if batch:
            shapes = tuple({i.axis: i.first} for i in row.tensors)
            options["dynamic_shapes"] = shapes if one_image else (shapes,)
        if past:
            options["dynamic_shapes"] = (tuple(past_axes(name) for name in example),)
    else:
        options["dynamo"] = False
        if batch:
            options["dynamic_axes"] = {i.name: {i.axis: i.first} for i in row.tensors} | {name: {row.tensors[0].axis: "batch"} for name in names}
        if past:
            options["dynamic_axes"] = {name: past_axes(name, str) for name in [*example, *names]}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        wrapped = (Exported if one_image else ExportedOfMany)(row, model).eval()
        torch.onnx.export(wrapped, tuple(example.values()), str(path), **options)


def store(raw, variant, folder, constants):
    """Moves the exporter's file to `folder`, stripped, some inputs made constants; dynamo's file of weights is kept as it is, byte for byte."""
    target = folder / "model.onnx"
    data = raw.with_name(raw.name + ".data")
    if data.exists():
        shutil.move(data, folder / data.name)
        model = onnx_files.strip(onnx.load(raw, load_external_data=False))
        onnx_files.save(model, target)
    else:
        onnx_files.save(onnx_files.bake(onnx_files.strip(onnx.load(raw)), constants), target, external="_data" in variant)
    return target


def export(row, variant, folder, truth, build=export_weights.build):
    """Writes one folder; returns the difference between ONNX Runtime and PyTorch, or raises where it is too large."""
    model = build(row)
    tensors = export_weights.inputs(row, RUN_BATCH if "_batch" in variant else 1)
    wanted = export_weights.answers(row, model, tensors)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        raw = pathlib.Path(work) / "model.onnx"
        torch_export(row, model, variant, raw)
        constants = {i.name: tensors[i.name].numpy() for i in row.tensors if i.kind == "grid"}
        path = store(raw, variant, folder, constants)
    if truth:
        export_weights.save_truth(row, model, tensors, wanted, folder)
    del model  # ONNX Runtime wants as much memory again
    return onnx_files.record(path, {name: t.numpy() for name, t in tensors.items() if name not in constants}, wanted)


def made(folder):
    """Whether the folder is complete and newer than everything it is made from."""
    files = list(folder.glob("output_*.npy"))
    scripts = pathlib.Path(__file__).parent.glob("*.py")
    return len(files) > 0 and min(f.stat().st_mtime for f in files) > max(s.stat().st_mtime for s in scripts)


def chosen(table, arguments):
    """The rows and variants that the arguments ask for; those of another script are left out."""
    unknown = set(arguments.names) - {row.name for row in table}
    if unknown:
        raise SystemExit(f"no row named {', '.join(sorted(unknown))}; --list shows them")
    for row in table:
        if (not arguments.names or row.name in arguments.names) and fnmatch.fnmatch(row.name, arguments.only):
            for variant in row.variants.split():
                if VARIANT.fullmatch(variant) and fnmatch.fnmatch(variant, arguments.variants):
                    yield row, variant


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--small", type=pathlib.Path, metavar="OUT", help="write the small models")
    kind.add_argument("--families", type=pathlib.Path, metavar="OUT", help="write the small models of other families")
    kind.add_argument("--full", type=pathlib.Path, metavar="OUT", help="write the full-size models")
    kind.add_argument("--full-families", type=pathlib.Path, metavar="OUT", help="write those of other families")
    kind.add_argument("--list", action="store_true", help="print rows and variants")
    parser.add_argument("names", nargs="*", help="rows; all where none is named")
    parser.add_argument("--only", default="*", metavar="GLOB", help="rows by pattern")
    parser.add_argument("--variants", default="*", metavar="GLOB", help="variants by pattern")
    parser.add_argument("--missing", action="store_true", help="leave folders alone that are newer than the scripts")
    parser.add_argument("--truth", action="store_true", help="save PyTorch's answers in double precision too: truth_*.npy")
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.list:
        for title, table in ("small", rows.SMALL), ("families", families.FAMILIES), ("full", rows.FULL + families_full.FULL_FAMILIES):
            for row in table:
                print(f"{title:8}  {row.name:22} {row.model}: {row.variants}")
        return
    torch.set_grad_enabled(False)
    logging.disable(logging.WARNING)
    failed = 0
    tables = ((arguments.small, rows.SMALL), (arguments.families, families.FAMILIES), (arguments.full, rows.FULL),
              (arguments.full_families, families_full.FULL_FAMILIES))
    target, table = next((folder, table) for folder, table in tables if folder)
    for row, variant in chosen(table, arguments):
        folder = target / f"{row.name}-{variant}"
        if arguments.missing and made(folder):
            continue
        failed += not onnx_files.attempt(folder, lambda: export(row, variant, folder, arguments.truth))
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
