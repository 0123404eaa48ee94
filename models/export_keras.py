"""Writes small Keras models with seeded weights as Keras and tf2onnx give them, each with an input and the outputs of ONNX Runtime.

    OMP_NUM_THREADS=1 python models/export_keras.py OUT [names]

A variant is "keras" (Model.export) or "tf2onnx", then in this order "_static" where the batch is 1 and not decided at
run time, and "_o18" for opset 18 (15, Keras' own, where not said).
"""
import argparse
import logging
import os
import pathlib
import re
import shutil
import sys
import tempfile
import zlib

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras  # noqa: E402
import keras_hub  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

import onnx_files  # noqa: E402

OPSET = 15
WIDTH, HEADS, MLP, LAYERS, LABELS = 32, 2, 64, 2, 5
VARIANT = re.compile(r"(keras|tf2onnx)(_static)?(?:_o(\d+))?")
IMAGES = "images"   # the input's name


@keras.saving.register_keras_serializable()
class Tokens(keras.layers.Layer):
    """Puts a class token before the patches and adds their places."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[2]), name="class_token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[2]), name="position_embedding")

    def call(self, x):
        token = keras.ops.broadcast_to(self.token, (keras.ops.shape(x)[0], 1, x.shape[2]))
        return keras.ops.concatenate([token, x], axis=1) + self.places


@keras.saving.register_keras_serializable()
class Patches(keras.layers.Layer):
    """The image's patches as rows, as the examples of keras.io cut them."""

    def call(self, x):
        patches = keras.ops.image.extract_patches(x, size=8)
        return keras.ops.reshape(patches, (-1, patches.shape[1] * patches.shape[2], patches.shape[3]))


def encoder(x, activation, layers=LAYERS):
    """The blocks of a ViT from Keras' own layers."""
    for _ in range(layers):
        normed = keras.layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(normed, normed)
        hidden = keras.layers.Dense(MLP, activation=activation)(keras.layers.LayerNormalization(epsilon=1e-6)(x))
        x = x + keras.layers.Dense(WIDTH)(hidden)
    return keras.layers.LayerNormalization(epsilon=1e-6)(x)


def vit(image):
    """Patches by a convolution, a class token, exact GELU."""
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image * 40 + 128)
    x = keras.layers.Reshape((16, WIDTH))(keras.layers.Conv2D(WIDTH, 8, strides=8)(x))
    return keras.layers.Dense(LABELS)(encoder(Tokens()(x), "gelu")[:, 0])


def vit_patches(image):
    """Patches cut out and a dense layer, tanh GELU, the mean of all tokens."""
    x = Tokens()(keras.layers.Dense(WIDTH)(Patches()(image)))
    x = encoder(x, lambda t: keras.activations.gelu(t, approximate=True))
    return keras.layers.Dense(LABELS, activation="softmax")(keras.layers.GlobalAveragePooling1D()(x))


def mobilevit(image):
    """Convolutions with batch norms, then attention on the pixels of their result."""
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", activation="swish")(image)
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.Activation("swish")(keras.layers.BatchNormalization()(x))
    x = keras.layers.Reshape((64, WIDTH))(keras.layers.Conv2D(WIDTH, 1)(x))
    x = keras.layers.Reshape((8, 8, WIDTH))(encoder(x, "swish", 1))
    x = keras.layers.Conv2D(WIDTH, 3, padding="same", activation="relu6")(x)
    return keras.layers.Dense(LABELS)(keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(x)))


def hub(name, **config):
    """A backbone of keras-hub with a dense layer on the mean of its tokens or pixels."""
    def build(image):
        x = getattr(keras_hub.models, name)(image_shape=(32, 32, 3), **config)(image)
        mean = keras.layers.GlobalAveragePooling1D() if len(x.shape) == 3 else keras.layers.GlobalAveragePooling2D()
        return keras.layers.Dense(LABELS)(mean(x))
    return build


BLOCKS = dict(patch_size=8, num_layers=LAYERS, num_heads=HEADS, hidden_dim=WIDTH)
MODELS = {
    "vit": (vit, "keras"),
    "vit_patches": (vit_patches, "tf2onnx_static_o18"),
    "mobilevit": (mobilevit, "keras"),
    "hub_vit": (hub("ViTBackbone", **dict(BLOCKS, patch_size=(8, 8)), mlp_dim=MLP), "keras"),
    "hub_dinov2": (hub("DINOV2Backbone", **BLOCKS, intermediate_dim=MLP, num_register_tokens=2), "keras_static"),
    "hub_mit": (hub("MiTBackbone", layerwise_depths=[1, 1], num_layers=2, layerwise_num_heads=[1, 2], layerwise_sr_ratios=[2, 1],
                    max_drop_path_rate=0.1, layerwise_patch_sizes=[7, 3], layerwise_strides=[4, 2], hidden_dims=[16, 32]), "keras"),
}


def draw(path, shape, rng):
    """One variable on a scale that keeps activations near 1 and attention far from uniform; none is left at zero or one."""
    noise, name = rng.standard_normal(shape), path.rsplit("/", 1)[-1]
    if name in ("gamma", "scale"):
        return 1 + 0.2 * noise
    if name == "moving_variance":
        return 0.5 + rng.random(shape)
    if len(shape) < 2 or name == "bias":
        return 0.2 * noise
    if "token" in name or "position" in name:
        return 0.5 * noise
    inward = shape[:1] if len(shape) == 3 and "output" not in path else shape[:-1]
    return noise * np.prod(inward) ** -0.5


def build(name, batch):
    """The named model with seeded weights."""
    keras.utils.clear_session()
    image = keras.Input((32, 32, 3), batch_size=batch, name=IMAGES)
    model = keras.Model(image, MODELS[name][0](image))
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for variable in model.weights:
        if variable.dtype == "float32":
            variable.assign(draw(variable.path, variable.shape, rng))
    return model


def write(model, variant, batch, path):
    """Runs the exporter that the variant names."""
    exporter, _, opset = VARIANT.fullmatch(variant).groups()
    if exporter == "keras":
        model.export(str(path), format="onnx", verbose=False, opset_version=int(opset or OPSET))
        return
    signature = [tf.TensorSpec((batch, 32, 32, 3), tf.float32, name=IMAGES)]
    function = tf.function(lambda images: model(images, training=False))
    tf2onnx.convert.from_function(function, signature, opset=int(opset or OPSET), output_path=str(path))


def readable(model):
    """The model with 1 - Erf(x) for Erfc(x): what the exporters write for exact GELU is no ONNX operator, and no runtime loads it."""
    read = onnx.ModelProto()
    read.CopyFrom(model)
    del read.graph.node[:]
    for node in model.graph.node:
        if node.op_type == "Erfc":
            names = node.output[0] + "/one", node.output[0] + "/erf"
            read.graph.node.append(onnx.helper.make_node("Constant", [], names[:1], value_float=1.0))
            read.graph.node.append(onnx.helper.make_node("Erf", node.input, names[1:]))
            read.graph.node.append(onnx.helper.make_node("Sub", names, node.output))
        else:
            read.graph.node.append(node)
    return read


def zeros(value):
    """For an input that no node reads."""
    kind = value.type.tensor_type
    return np.zeros([d.dim_value or 1 for d in kind.shape.dim], onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))


def export(name, variant, folder):
    """Writes one folder; returns the difference between ONNX Runtime and Keras, or raises where it is too large."""
    batch = 1 if "_static" in variant else None
    model = build(name, batch)
    images = np.random.default_rng(zlib.crc32(f"{name} input".encode())).standard_normal((batch or 3, 32, 32, 3)).astype(np.float32)
    wanted = model(images, training=False).numpy()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        raw = pathlib.Path(work) / "model.onnx"
        write(model, variant, batch, raw)
        file = onnx_files.strip(onnx.load(raw))
        onnx.save(readable(file), raw)
        inputs = {i.name: images if i.name.startswith(IMAGES) else zeros(i) for i in file.graph.input}
        worst = onnx_files.record(raw, inputs, {file.graph.output[0].name: wanted})
        for array in pathlib.Path(work).glob("*.npy"):
            shutil.move(array, folder)
    onnx.save(file, folder / "model.onnx")
    onnx_files.refuse_traces(folder / "model.onnx")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, metavar="OUT")
    parser.add_argument("names", nargs="*", help="models; all where none is named")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    failed = 0
    for name in arguments.names or MODELS:
        for variant in MODELS[name][1].split():
            folder = arguments.out / f"{name}-{variant}"
            failed += not onnx_files.attempt(folder, lambda: export(name, variant, folder), "Keras")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
