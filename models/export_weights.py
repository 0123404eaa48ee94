"""How a row of rows.py becomes a PyTorch model with seeded weights, an input, and the model's answers to it."""
import zlib

import numpy as np
import torch
import transformers


def seed(text):
    torch.manual_seed(zlib.crc32(text.encode()))


def draw(name, parameter):
    """Draws one parameter anew, on a scale that keeps activations near 1 and attention far from uniform."""
    noise = torch.randn_like(parameter)
    if parameter.ndim == 1:  # a bias, or a norm's weight, which is all ones before
        return 0.2 * noise + (parameter.min() == 1).float()
    if parameter.ndim == 3:  # class and distillation tokens, position embeddings
        return 0.5 * noise
    gain = 1.4 if any(part in name for part in ("query", "key", "q_proj", "k_proj")) else 1.0
    return noise * gain * parameter[0].numel() ** -0.5


def build(row):
    """The row's model. No parameter is left at zero, one or any constant, which would hide a mistake made with it."""
    model_class = getattr(transformers, row.model)
    config = model_class.config_class(**row.config)
    config._attn_implementation = row.attention
    seed(row.name)
    model = model_class(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(draw(name, parameter))
    return model


def pixels(row, batch):
    seed(row.name + " input")
    return torch.randn(batch, *row.image)


def named_outputs(row, answer):
    """Names and tensors of the kept outputs; those of a tuple are numbered."""
    for name in row.outputs.split():
        value = getattr(answer, name)
        if isinstance(value, torch.Tensor):
            yield name, value
        else:
            yield from ((f"{name}_{i}", tensor) for i, tensor in enumerate(value))


def answers(row, model, image):
    """The model's kept outputs for `image`, as arrays by name."""
    outputs = named_outputs(row, model(pixel_values=image, **dict.fromkeys(row.call, True)))
    return {name: tensor.numpy() for name, tensor in outputs}


def save_truth(row, model, image, names, folder):
    """Saves the answers in double precision, as truth_<name>.npy; the model is of that type from then on."""
    wanted = answers(row, model.double(), image.double())
    for name in names:
        np.save(folder / f"truth_{name}.npy", wanted[name])
