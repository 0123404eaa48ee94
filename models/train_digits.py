"""Trains a small Vision Transformer on scikit-learn's digits and writes models/digits/: the ONNX file, HuggingFace's
configuration files, the held-out pictures (their labels in the names) and what HuggingFace's own model makes of them.

    OMP_NUM_THREADS=1 python models/train_digits.py [--epochs N]
"""
import argparse
import json
import pathlib
import tempfile

import numpy as np
import onnx
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

import onnx_files

OUT = pathlib.Path(__file__).resolve().parent / "digits"
WORDS = "zero one two three four five six seven eight nine".split()
HELD_OUT, BATCH, PEAK_RATE = 360, 64, 2e-3
LEAST = 0.98  # a model below this accuracy is not written


def split():
    """Training and held-out images as 8-bit greys, and their labels."""
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return train_test_split(images, digits.target, test_size=HELD_OUT, random_state=0, stratify=digits.target)


def new_model():
    return ViTForImageClassification(ViTConfig(
        image_size=32, patch_size=8, num_channels=3, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        id2label=dict(enumerate(WORDS)), label2id={word: i for i, word in enumerate(WORDS)}))


def preprocess(processor, images):
    return processor([image.convert("RGB") for image in images], return_tensors="pt")["pixel_values"]


def distort(pixels):
    """A random small turn, slant, stretch and shift of each picture, so that 1437 of them go further."""
    def spread(width):
        return (torch.rand(len(pixels)) - 0.5) * width
    angle, slant = spread(0.45), spread(0.45)
    top = torch.stack([angle.cos() * (1 + spread(0.3)), slant - angle.sin(), spread(0.35)], 1)
    bottom = torch.stack([angle.sin(), angle.cos() * (1 + spread(0.3)), spread(0.35)], 1)
    grid = functional.affine_grid(torch.stack([top, bottom], 1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False, padding_mode="border")


def train(model, pixels, labels, epochs):
    batches = len(pixels) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=epochs * batches, pct_start=0.1)
    model.train()
    for epoch in range(1, epochs + 1):
        for batch in torch.randperm(len(pixels))[:batches * BATCH].view(batches, BATCH):
            logits = model(pixel_values=distort(pixels[batch])).logits
            loss = functional.cross_entropy(logits, labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        if epoch % 20 == 0:
            print(f"epoch {epoch} of {epochs}: loss {loss.item():.3f}", flush=True)
    model.eval()


class Logits(torch.nn.Module):
    """The model with one tensor in and one out, as the exporter wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).logits


def export(model, pixels, path):
    """Writes the ONNX file and returns ONNX Runtime's logits for `pixels`."""
    with tempfile.TemporaryDirectory() as folder:
        raw = pathlib.Path(folder) / "raw.onnx"
        torch.onnx.export(Logits(model).eval(), (pixels[:2],), str(raw), dynamo=True, external_data=False, verbose=False,
                          input_names=["pixel_values"], output_names=["logits"], dynamic_shapes=({0: "batch"},))
        onnx_files.save(onnx_files.strip(onnx.load(raw)), path)
    return onnx_files.run(path, {"pixel_values": pixels.numpy()})["logits"]


def write_images(images, labels):
    folder = OUT / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    paths = [folder / f"{i:03}_{WORDS[label]}.png" for i, label in enumerate(labels)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path, optimize=True)
    return paths


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--epochs", type=int, default=160)
    epochs = arguments.parse_args().epochs
    torch.manual_seed(0)
    torch.set_num_threads(1)
    processor = ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    images, held_out, labels, truth = split()
    model = new_model()
    train(model, preprocess(processor, map(Image.fromarray, images)), torch.tensor(labels), epochs)

    torch.set_grad_enabled(False)
    paths = write_images(held_out, truth)
    pixels = preprocess(processor, [Image.open(path) for path in paths])
    logits = model(pixel_values=pixels).logits
    guesses = logits.argmax(1)
    correct = int((guesses.numpy() == truth).sum())
    print(f"{correct} of {len(truth)} held-out images right, {sum(p.numel() for p in model.parameters())} parameters")
    if correct < LEAST * len(truth):
        raise SystemExit(f"below {LEAST:.0%}: no model written")

    worst = onnx_files.check({"logits": export(model, pixels, OUT / "digits.onnx")}, {"logits": logits.numpy()})
    print(f"ONNX Runtime differs from PyTorch by {worst:.2g} of scale")
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(OUT)
    processor.save_pretrained(OUT)
    names = [path.name for path in paths]
    expected = {"images": len(truth), "correct": correct, "accuracy": round(correct / len(truth), 6),
                "predictions": dict(zip(names, (WORDS[guess] for guess in guesses))),
                "probabilities": dict(zip(names, (round(p, 5) for p in logits.softmax(1).max(1).values.tolist())))}
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
