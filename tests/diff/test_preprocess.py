"""Pictures become the same bytes and floats in the generated program as in Pillow and NumPy."""
import ctypes
import dataclasses
import pathlib
import shutil
import subprocess
import sys

import pytest

numpy = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "runtime"))
import preprocess_reference as reference  # noqa: E402

SOURCES = ("resize.c", "preprocess.c", "image.c", "image_jpeg.c", "image_png.c")


class CSteps(ctypes.Structure):
    _fields_ = ([(name, ctypes.c_int) for name in ("do_resize", "height", "width", "shortest_edge", "resample", "do_center_crop", "crop_height",
                                                   "crop_width", "do_rescale", "do_normalize")]
                + [("rescale", ctypes.c_double), ("channels", ctypes.c_int), ("mean", ctypes.c_float * 4), ("std", ctypes.c_float * 4),
                   ("pixels", ctypes.c_int)])

    def __init__(self, steps):
        values = dataclasses.asdict(steps)
        values["mean"] = (ctypes.c_float * 4)(*values["mean"])
        values["std"] = (ctypes.c_float * 4)(*values["std"])
        super().__init__(**values)


class CImage(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int), ("rgb", ctypes.POINTER(ctypes.c_uint8))]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    library = tmp_path_factory.mktemp("runtime") / "runtime.so"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-std=gnu11", "-O2", "-shared", "-fPIC", "-DHAVE_JPEG", "-DHAVE_PNG", "-o", library,
                    *(ROOT / "runtime" / source for source in SOURCES), "-ljpeg", "-lpng", "-lm"], check=True)
    return ctypes.CDLL(str(library))


def c_resize(runtime, picture, width, height, resample):
    out = numpy.zeros((height, width, picture.shape[2]), numpy.uint8)
    runtime.resize_u8.restype = ctypes.c_bool
    picture = numpy.ascontiguousarray(picture)
    assert runtime.resize_u8(picture.ctypes.data_as(ctypes.c_void_p), picture.shape[1], picture.shape[0], picture.shape[2],
                             out.ctypes.data_as(ctypes.c_void_p), width, height, resample)
    return out


def c_preprocess(runtime, picture, steps):
    picture = numpy.ascontiguousarray(picture)
    image = CImage(picture.shape[1], picture.shape[0], picture.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))
    width, height = ctypes.c_int(), ctypes.c_int()
    c_steps = CSteps(steps)
    runtime.preprocess_size(ctypes.byref(c_steps), image.width, image.height, ctypes.byref(width), ctypes.byref(height))
    out = numpy.full((steps.channels, height.value, width.value), numpy.nan, numpy.float32)
    runtime.preprocess_picture.restype = ctypes.c_char_p
    assert runtime.preprocess_picture(ctypes.byref(c_steps), ctypes.byref(image), out.ctypes.data_as(ctypes.c_void_p)) is None
    return out


def c_read(runtime, path):
    """The picture, or the message."""
    image, message = CImage(), ctypes.create_string_buffer(500)
    runtime.image_read.restype = ctypes.c_bool
    if not runtime.image_read(str(path).encode(), ctypes.byref(image), message, ctypes.c_size_t(500)):
        assert not image.rgb
        return message.value.decode()
    pixels = numpy.ctypeslib.as_array(image.rgb, (image.height, image.width, 3)).copy()
    runtime.image_free(ctypes.byref(image))
    return pixels


def assert_equal(have, want):
    assert have.shape == want.shape and have.dtype == want.dtype
    numpy.testing.assert_array_equal(have.view(numpy.uint32 if have.dtype == numpy.float32 else have.dtype),
                                     want.view(numpy.uint32 if want.dtype == numpy.float32 else want.dtype))


@pytest.mark.parametrize("resample", reference.FILTERS)
def test_resize_equals_pillow(runtime, resample):
    for i, (width, height, new_width, new_height) in enumerate(reference.size_cases()):
        picture = reference.random_picture(width, height, seed=i)
        assert_equal(c_resize(runtime, picture, new_width, new_height, resample), reference.resize(picture, new_width, new_height, resample))


@pytest.mark.parametrize("resample", reference.FILTERS)
def test_resize_equals_pillow_13(runtime, resample):
    import PIL
    if int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("the order of passes changed with Pillow 13")
    for i, (width, height, new_width, new_height) in enumerate(reference.size_cases()):
        picture = reference.random_picture(width, height, seed=i)
        assert_equal(c_resize(runtime, picture, new_width, new_height, resample), reference.resize_directly(picture, new_width, new_height, resample))


@pytest.mark.parametrize("resample", reference.FILTERS)
def test_resize_of_one_channel_equals_pillow(runtime, resample):
    for width, height, new_width, new_height in ((8, 8, 32, 32), (28, 28, 14, 14), (31, 17, 64, 9), (500, 375, 224, 224)):
        picture = reference.random_picture(width, height, channels=1)
        assert_equal(c_resize(runtime, picture, new_width, new_height, resample), reference.resize(picture, new_width, new_height, resample))


PROCESSORS = {
    "vit": reference.Steps(resample=reference.BILINEAR, mean=(0.5,) * 3, std=(0.5,) * 3),
    "deit": reference.Steps(height=256, width=256, do_center_crop=1),
    "clip": reference.Steps(shortest_edge=224, do_center_crop=1),
    "convnext": reference.Steps(shortest_edge=256, do_center_crop=1, resample=reference.LANCZOS),
    "odd crop": reference.Steps(height=37, width=52, do_center_crop=1, crop_height=20, crop_width=31),
    "padded": reference.Steps(height=37, width=52, do_center_crop=1, crop_height=64, crop_width=63),
    "padded one way": reference.Steps(height=37, width=52, do_center_crop=1, crop_height=48, crop_width=41),
    "crop alone": reference.Steps(do_resize=0, do_center_crop=1, crop_height=100, crop_width=99),
    "not rescaled": reference.Steps(do_rescale=0, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)),
    "not normalised": reference.Steps(do_normalize=0, rescale=0.00392156862745098),
    "bytes": reference.Steps(do_rescale=0, do_normalize=0),
    "grey digits": reference.Steps(height=28, width=28, channels=1, resample=reference.BILINEAR, mean=(0.1307,), std=(0.3081,)),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_preprocess_equals_reference(runtime, name):
    for width, height in ((500, 375), (375, 500), (224, 224), (60, 60), (33, 250), (8, 8)):
        picture = reference.random_picture(width, height, seed=width)
        assert_equal(c_preprocess(runtime, picture, PROCESSORS[name]), reference.preprocess(picture, PROCESSORS[name]))


@pytest.mark.parametrize("name", [n for n, s in PROCESSORS.items() if s.channels == 3])
def test_reference_equals_transformers(name, monkeypatch):
    """The reference itself, against the library it is written after."""
    monkeypatch.setattr(reference, "resize", reference.resize_directly)   # whatever Pillow's version
    transforms = pytest.importorskip("transformers.image_transforms")
    steps = PROCESSORS[name]
    for width, height in ((500, 375), (60, 61), (33, 250)):
        picture = reference.random_picture(width, height, seed=width)
        x = picture
        if steps.do_resize:
            new_width, new_height = reference.resized_size(steps, width, height)
            if steps.shortest_edge:
                assert (new_height, new_width) == transforms.get_resize_output_image_size(x, size=steps.shortest_edge, default_to_square=False,
                                                                                          input_data_format="channels_last")
            x = transforms.resize(x, (new_height, new_width), resample=steps.resample, input_data_format="channels_last")
        if steps.do_center_crop:
            x = transforms.center_crop(x, (steps.crop_height, steps.crop_width), input_data_format="channels_last")
        if steps.do_rescale:
            x = transforms.rescale(x, steps.rescale, input_data_format="channels_last")
        if steps.do_normalize:
            x = transforms.normalize(x, steps.mean, steps.std, input_data_format="channels_last")
        assert_equal(reference.preprocess(picture, steps), numpy.ascontiguousarray(x.astype(numpy.float32).transpose(2, 0, 1)))


def check_file(runtime, path):
    with Image.open(path) as picture:
        want = numpy.asarray(picture.convert("RGB"))
    have = c_read(runtime, path)
    assert not isinstance(have, str), have
    assert_equal(have, want)


def pictures_of_every_mode():
    rgb = Image.fromarray(reference.random_picture(37, 23))
    alpha = Image.fromarray(reference.random_picture(37, 23, channels=1)[:, :, 0])
    with_alpha = rgb.copy()
    with_alpha.putalpha(alpha)
    deep = numpy.random.default_rng(1).integers(0, 65536, (23, 37), dtype=numpy.uint16)
    deep[:8] //= 256
    yield from (("RGB", rgb), ("RGBA", with_alpha), ("L", rgb.convert("L")), ("LA", with_alpha.convert("LA")), ("1", rgb.convert("1")),
                ("P", rgb.quantize(200)), ("P16", rgb.quantize(16)), ("P4", rgb.quantize(4)), ("P2", rgb.quantize(2)), ("I;16", Image.fromarray(deep)))


def test_png_modes(runtime, tmp_path):
    for name, picture in pictures_of_every_mode():
        path = tmp_path / f"{name.replace(';', '')}.png"
        picture.save(path)
        check_file(runtime, path)


def raw_png(width, height, depth, colour, rows, chunks=b""):
    """A PNG of any depth and colour type, filter 0; rows: packed bytes."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) + chunks
            + chunk(b"IDAT", body) + chunk(b"IEND", b"")), chunk


@pytest.mark.parametrize("depth,colour,channels", [(1, 0, 1), (2, 0, 1), (4, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3), (1, 3, 1), (2, 3, 1),
                                                   (4, 3, 1), (8, 3, 1), (8, 4, 2), (16, 4, 2), (8, 6, 4), (16, 6, 4)])
@pytest.mark.parametrize("transparent", [False, True])
def test_png_depths(runtime, tmp_path, depth, colour, channels, transparent):
    width, height = 19, 11
    rng = numpy.random.default_rng(depth * 10 + colour)
    rows = [rng.bytes((width * channels * depth + 7) // 8) for _ in range(height)]
    _, chunk = raw_png(1, 1, 8, 0, [b"\0"])
    chunks = chunk(b"PLTE", rng.bytes(3 * 2**depth)) if colour == 3 else b""
    if transparent and colour in (0, 2, 3):
        chunks += chunk(b"tRNS", {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\0\x80"}[colour])
    path = tmp_path / "picture.png"
    path.write_bytes(raw_png(width, height, depth, colour, rows, chunks)[0])
    check_file(runtime, path)


def test_jpeg(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.MAXBLOCK", 1 << 24)
    for i, (width, height) in enumerate(((64, 48), (1, 1), (17, 9), (500, 375), (8, 100))):
        picture = Image.fromarray(reference.random_picture(width, height, seed=i))
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                path = tmp_path / "picture.jpg"
                picture.save(path, quality=60 + 8 * i, subsampling=subsampling, progressive=progressive)
                check_file(runtime, path)
        for mode in ("L", "CMYK"):
            picture.convert(mode).save(path, quality=85)
            check_file(runtime, path)


def test_orientation_is_ignored(runtime, tmp_path):
    picture = Image.fromarray(reference.random_picture(30, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    check_file(runtime, tmp_path / "turned.jpg")


def test_damaged_files_have_messages(runtime, tmp_path):
    picture = Image.fromarray(reference.random_picture(64, 48))
    for suffix in ("jpg", "png"):
        path = tmp_path / f"whole.{suffix}"
        picture.save(path)
        whole = path.read_bytes()
        for size in (4, 20, len(whole) // 2, len(whole) - 40):
            cut = tmp_path / f"cut.{suffix}"
            cut.write_bytes(whole[:size])
            message = c_read(runtime, cut)
            assert isinstance(message, str) and message.startswith(str(cut)), (suffix, size)
    assert "cut short" in c_read(runtime, tmp_path / "cut.jpg")
    (tmp_path / "text").write_text("hello")
    assert "neither" in c_read(runtime, tmp_path / "text")
    assert "No such file" in c_read(runtime, tmp_path / "absent.png")
    huge, _ = raw_png(100000, 100000, 1, 0, [b"\0"])
    (tmp_path / "huge.png").write_bytes(huge)
    assert "more pixels" in c_read(runtime, tmp_path / "huge.png")
