"""The reference for runtime/resize.c, preprocess.c and image.c: Pillow and NumPy, written as Hugging Face's slow image processors do it."""
import dataclasses
import itertools
import math

import numpy
from PIL import Image

NEAREST, LANCZOS, BILINEAR, BICUBIC, BOX, HAMMING = range(6)
FILTERS = (NEAREST, LANCZOS, BILINEAR, BICUBIC, BOX, HAMMING)


@dataclasses.dataclass
class Steps:
    """The fields of program_preprocess."""
    do_resize: int = 1
    height: int = 224
    width: int = 224
    shortest_edge: int = 0
    resample: int = BICUBIC
    do_center_crop: int = 0
    crop_height: int = 224
    crop_width: int = 224
    do_rescale: int = 1
    do_normalize: int = 1
    rescale: float = 1 / 255
    channels: int = 3
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)


def random_picture(width, height, seed=0, channels=3):
    """Noise over a gradient, with black and white edges: filters with negative lobes overshoot."""
    rng = numpy.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, channels), dtype=numpy.uint8)
    picture[: height // 3] = picture[: height // 3] // 200 * 255
    picture[height // 2 :, : width // 2] = 255
    return picture


def resize(picture, width, height, resample):
    """In the pass order of Pillow 13, whatever the version: an axis at a time."""
    image = Image.fromarray(picture if picture.shape[2] == 3 else picture[:, :, 0])
    rows_first = height < image.height and 2 * (image.width - width) < image.height - height
    between = (image.width, height) if rows_first else (width, image.height)
    image = image.resize(between, resample=resample).resize((width, height), resample=resample)
    return numpy.asarray(image).reshape(height, width, picture.shape[2])


def resize_directly(picture, width, height, resample):
    return numpy.asarray(Image.fromarray(picture).resize((width, height), resample=resample))


def resized_size(steps, width, height):
    if not steps.shortest_edge:
        return steps.width, steps.height
    short, long = (width, height) if width <= height else (height, width)
    new_long = int(steps.shortest_edge * long / short)
    return (steps.shortest_edge, new_long) if width <= height else (new_long, steps.shortest_edge)


def center_crop(picture, crop_height, crop_width):
    height, width = picture.shape[:2]
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    if top >= 0 and left >= 0:
        return picture[top : top + crop_height, left : left + crop_width]
    new_height, new_width = max(crop_height, height), max(crop_width, width)
    padded = numpy.zeros((new_height, new_width, picture.shape[2]), picture.dtype)
    top_pad, left_pad = math.ceil((new_height - height) / 2), math.ceil((new_width - width) / 2)
    padded[top_pad : top_pad + height, left_pad : left_pad + width] = picture
    top, left = top + top_pad, left + left_pad
    return padded[max(0, top) : top + crop_height, max(0, left) : left + crop_width]


def preprocess(picture, steps):
    """picture: uint8 [height, width, 3] → float32 [channels, height, width]"""
    if steps.channels == 1:
        picture = numpy.asarray(Image.fromarray(picture).convert("L"))[:, :, None]
    if steps.do_resize:
        picture = resize(picture, *resized_size(steps, picture.shape[1], picture.shape[0]), steps.resample)
    if steps.do_center_crop:
        picture = center_crop(picture, steps.crop_height, steps.crop_width)
    if steps.do_rescale:
        picture = (picture.astype(numpy.float64) * steps.rescale).astype(numpy.float32)
    picture = picture.astype(numpy.float32)
    if steps.do_normalize:
        mean, std = (numpy.array(v[: steps.channels], numpy.float32) for v in (steps.mean, steps.std))
        picture = (picture - mean) / std
    return numpy.ascontiguousarray(picture.transpose(2, 0, 1))


def size_cases():
    """(width, height, new width, new height): sizes from 1 to 64 along both axes, up and down, and sizes of real pictures."""
    sizes = list(range(1, 65))
    for i, (a, b) in enumerate(itertools.product(sizes, sizes)):
        if (a * 7 + b * 3) % 13 == 0:   # one in 13: a few hundred cases a filter
            yield a, 1 + i % 64, b, 1 + (i * 31) % 64
    yield from ((8, 8, 32, 32), (500, 375, 224, 224), (224, 224, 224, 224), (500, 375, 298, 224), (333, 500, 224, 336), (640, 427, 384, 384),
                (1, 1, 224, 224), (1000, 3, 5, 300), (3, 1000, 300, 5), (2048, 1536, 256, 192), (375, 667, 224, 224), (1080, 1920, 224, 398), (28, 28, 28, 56), (56, 28, 28, 28))
