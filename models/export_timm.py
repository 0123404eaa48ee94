"""Writes the models of timm_rows.py as PyTorch's two exporters give them, each with an input and the outputs of ONNX Runtime.

    OMP_NUM_THREADS=1 python models/export_timm.py OUT [names] [--more] [--only GLOB] [--variants GLOB]

The variants are those of export.py.
"""
import argparse
import importlib
import importlib.machinery
import logging
import pathlib
import sys
import types

import torch

import export
import export_weights
import onnx_files
import timm_rows


class Anything(type):
    """A class whose every attribute is there."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class Absent(types.ModuleType):
    """A module of which everything can be imported and nothing used."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name[0].isupper():
            return Anything(name, (), {})
        return sys.modules.get(f"{self.__name__}.{name}") or (lambda *_, **__: None)


def without_torchvision():
    """Lets timm import torchvision where it is not installed: its models and exporting them need none of it."""
    for part in ("", ".ops", ".ops.misc", ".transforms", ".transforms.functional", ".datasets", ".models", ".models.feature_extraction"):
        module = sys.modules["torchvision" + part] = Absent("torchvision" + part)
        module.__path__, module.__spec__ = [], importlib.machinery.ModuleSpec(module.__name__, None, is_package=True)


without_torchvision()
import timm  # noqa: E402


class Classifier(torch.nn.Module):
    """A model of timm that answers as those of transformers do."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return types.SimpleNamespace(logits=self.model(pixel_values))


def create(row):
    """The row's model as timm draws it."""
    if ":" not in row.model:
        return timm.create_model(row.model, **row.config)
    file, name = row.model.split(":")
    module, config = importlib.import_module(f"timm.models.{file}"), dict(row.config)
    if "cfg" in config:
        config["cfg"] = getattr(module, name + "Cfg")(**config["cfg"])
    return getattr(module, name)(**config)


def build(row):
    """The row's model with seeded weights; "eager" attention is not PyTorch's fused one, which not every exporter takes."""
    timm.layers.set_fused_attn(row.attention != "eager")
    export_weights.seed(row.name)
    return export_weights.drawn(Classifier(create(row)).eval())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, metavar="OUT")
    parser.add_argument("names", nargs="*", help="rows; all where none is named")
    parser.add_argument("--more", action="store_true", help="the rows that are not committed")
    parser.add_argument("--only", default="*", metavar="GLOB", help="rows by pattern")
    parser.add_argument("--variants", default="*", metavar="GLOB", help="variants by pattern")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    logging.disable(logging.WARNING)
    failed = 0
    for row, variant in export.chosen(timm_rows.MORE if arguments.more else timm_rows.TIMM, arguments):
        folder = arguments.out / f"{row.name}-{variant}"
        failed += not onnx_files.attempt(folder, lambda: export.export(row, variant, folder, False, build))
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
