"""How a row of rows.py becomes a PyTorch model with seeded weights, an input, and the model's answers to it."""
import zlib

import numpy as np
import torch
import transformers


VOCABULARY = 99  # words, of every model that reads texts


def seed(text):
    torch.manual_seed(zlib.crc32(text.encode()))


def draw(name, parameter):
    """Draws one parameter anew, on a scale that keeps activations near 1 and attention far from uniform."""
    noise = torch.randn_like(parameter)
    if parameter.ndim == 0:  # a logit scale
        return parameter + 0.1 * noise
    if parameter.ndim == 1:  # a bias, or a norm's weight, which is all ones before
        return 0.2 * noise + (parameter.min() == 1).float()
    if parameter.ndim == 3:  # class and distillation tokens, position embeddings
        return 0.5 * noise
    gain = 1.4 if any(part in name for part in ("query", "key", "q_proj", "k_proj")) else 1.0
    return noise * gain * parameter[0].numel() ** -0.5


def configuration(row, model_class):
    """The row's configuration; an encoder's and a decoder's together where it has both."""
    config = model_class.config_class
    if config is transformers.VisionEncoderDecoderConfig:
        parts = [transformers.AutoConfig.for_model(**row.config[part]) for part in ("encoder", "decoder")]
        return config.from_encoder_decoder_configs(*parts)
    return config(**row.config)


def build(row):
    """The row's model."""
    if row.model.startswith("torch.nn."):
        seed(row.name)
        return drawn(getattr(torch.nn, row.model.removeprefix("torch.nn."))(**row.config).eval())
    model_class = getattr(transformers, row.model)
    config = configuration(row, model_class)
    if row.attention:
        config._attn_implementation = row.attention
    seed(row.name)
    return drawn(model_class(config).eval())


def drawn(model):
    """The model with every parameter drawn anew: none is left at zero, one or any constant, which would hide a mistake made with it."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(draw(name, parameter))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.2 * torch.randn_like(buffer))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand_like(buffer))
    return model


def tensor(kind, shape, vocabulary):
    """One input; texts end with the last word of the vocabulary, which some heads look for."""
    if kind == "normal":
        return torch.randn(*shape)
    if kind == "uniform":
        return torch.rand(*shape)
    if kind == "bool":
        return torch.rand(*shape) > 0.5
    if kind == "text":
        words = torch.randint(3, vocabulary - 2, shape)
        words[:, -1] = vocabulary - 1
        return words
    if kind == "bit":
        return torch.randint(0, 2, shape)
    if kind == "grid":  # rows and columns of the patches that the mask leaves
        return torch.tensor([[2, 7]])
    ones = torch.ones(*shape, dtype=torch.long)
    if kind == "mask":  # a text alone is two words shorter than it might be; of more, the second is, the third is four words shorter, and so on
        for i, text in enumerate(ones):
            text[text.numel() - 2 * (i % 3 if len(ones) > 1 else 1):] = 0
    return ones


def inputs(row, batch):
    """The row's seeded inputs by name, for so many images."""
    seed(row.name + " input")
    return {i.name: tensor(i.kind, [batch * d if a == i.axis else d for a, d in enumerate(i.shape)], VOCABULARY) for i in row.tensors}


def cache(tensors):
    """The past keys and values among the inputs as the models take them; None where there are none."""
    past, cross = ([t for name, t in tensors.items() if name.startswith(kind)] for kind in ("past_", "cross_"))
    if not past:
        return None
    caches = [transformers.DynamicCache() for _ in range(2 if cross else 1)]
    for made, part in zip(caches, (past, cross)):
        for i in range(0, len(part), 2):
            made.update(part[i], part[i + 1], i // 2)
    return transformers.EncoderDecoderCache(*caches) if cross else caches[0]


def flat(name, value):
    """The tensors of one field of an answer by name; those of a tuple are numbered."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    return {f"{name}_{i}": tensor for i, tensor in enumerate(value)}


def call(row, model, tensors):
    """The model's kept outputs by name."""
    past = cache(tensors)
    arguments = {name: t for name, t in tensors.items() if not name.startswith(("past_", "cross_"))} | dict(row.call)
    answer = model(**arguments, **(dict(past_key_values=past, use_cache=True) if past else {}))
    if isinstance(answer, torch.Tensor):
        return {row.outputs: answer}
    outputs = {}
    for name in row.outputs.split():
        if name == "cache":
            kept = answer.past_key_values
            for i, layer in enumerate(getattr(kept, "self_attention_cache", kept).layers):
                outputs |= {f"present_{i}_key": layer.keys, f"present_{i}_value": layer.values}
        else:
            outputs |= flat(name, getattr(answer, name))
    return outputs


def answers(row, model, tensors):
    """The model's kept outputs as arrays by name."""
    return {name: t.numpy() for name, t in call(row, model, tensors).items()}


def save_truth(row, model, tensors, names, folder):
    """Saves the answers in double precision, as truth_<name>.npy; the model is of that type from then on."""
    wanted = answers(row, model.double(), {name: t.double() if t.is_floating_point() else t for name, t in tensors.items()})
    for name in names:
        np.save(folder / f"truth_{name}.npy", wanted[name])
