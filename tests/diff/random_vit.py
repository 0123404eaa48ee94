"""Random Vision Transformers: `draw` makes a configuration of a seed, random_vit_onnx.build writes that as ONNX in an exporter's spelling."""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Config:
    """What is computed (first part), and how it is spelled (second part)."""
    seed: int
    layers: int
    heads: int
    head: int                 # head dimension
    hidden: int               # of the MLP
    patch: tuple              # height, width
    grid: tuple               # patches: rows, columns
    channels: int
    prefix: int               # tokens before the patches: none, class, class and distillation
    position: str             # tokens | patches | none: what the table is added to
    embedding_norm: bool
    norm: str                 # pre | post
    rms: bool                 # root mean square norms
    norm_bias: bool
    epsilon: float
    final: str                # before | after the pooling | none: where the last norm is
    query_key_norm: bool
    activation: str           # gelu | tanh | quick | silu | relu
    gated: str                # none | halves of one linear | two linears: what is activated multiplies the other
    layer_scale: bool
    biases: frozenset         # of patch, q, k, v, out, up, down, head
    mask: str                 # none | zero | bias
    pool: str                 # class | mean | patches (mean without the prefix) | teacher | tokens (no head)
    pooler: bool              # a linear with tanh before the head
    classes: int
    hidden_output: bool       # the last tokens are an output too

    exporter: str             # dynamo | script
    opset: int
    dynamic: bool             # the batch is decided at run time
    patches: str              # conv | linear
    decomposed_norm: str      # op | sqrt | reciprocal
    spelling: int             # of the activation
    linear: str               # matmul | gemm
    qkv: str                  # three | split | gather | slice | unstack
    keys: str                 # one | two | reshaped: the transposes of the keys
    flat: bool                # heads in the batch: three axes
    scale: str                # score | divide | query | early | both | computed | none
    attention_op: bool        # the Attention operator
    guard: bool               # a NaN behind the softmax becomes zero
    casts: bool               # casts to float behind the softmax
    regroup: bool             # a reshape to the same shape behind the second product

    @property
    def width(self):
        return self.heads * self.head

    @property
    def tokens(self):
        return self.prefix + self.grid[0] * self.grid[1]

    @property
    def image(self):
        return self.channels, self.grid[0] * self.patch[0], self.grid[1] * self.patch[1]

    def fusions(self):
        """How many of each kind the compiler is to find, all of which it is to fuse."""
        norms = 2 * self.layers + 2 * self.layers * self.query_key_norm + self.embedding_norm + (self.final != "none")
        if self.pool == "teacher" and self.final == "after":
            norms += 1
        return {"attention": self.layers, "mlp": self.layers + self.pooler, "norm": norms, "gelu": self.layers * (self.activation != "relu")}


class Dice:
    """Choices that depend on the seed alone."""

    def __init__(self, seed):
        self.rng = np.random.default_rng([seed, 20])

    def one_of(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def between(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def chance(self, p):
        return bool(self.rng.random() < p)


def draw_sizes(dice):
    """heads, head, hidden: widths are no multiples of 16."""
    while True:
        heads, head = dice.one_of(1, 1, 2, 2, 3), dice.between(20, 96)
        if heads * head % 16:
            return heads, head, dice.between(heads * head, 5 * heads * head // 2)


def draw_image(dice):
    """patch, grid: patches of 7 and 14 too, square or not; 2 to 42 patches."""
    side = dice.one_of(2, 3, 4, 5, 7, 7, 8, 14, 14)
    patch = (side, side) if dice.chance(0.8) else (side, dice.between(2, 9))
    grid = (dice.between(1, 6), dice.between(2, 7))
    return patch, grid


def draw_pool(dice, prefix):
    if prefix == 0:
        return dice.one_of("mean", "mean", "tokens")
    return dice.one_of("class", "class", "mean", "patches", "tokens") if prefix == 1 else dice.one_of("teacher", "class", "patches")


def draw_model(dice):
    """What is computed."""
    heads, head, hidden = draw_sizes(dice)
    patch, grid = draw_image(dice)
    prefix = dice.one_of(0, 1, 1, 1, 2)
    if (prefix + grid[0] * grid[1]) % 2 == 0 and dice.chance(0.6):
        grid = (grid[0], grid[1] + 1) if grid[0] % 2 else (grid[0] + 1, grid[1] | 1)
    pool, norm, rms = draw_pool(dice, prefix), dice.one_of("pre", "pre", "pre", "post"), dice.chance(0.15)
    final = dice.one_of("before", "before", "before", "after", "none") if norm == "pre" else dice.one_of("none", "none", "before")
    parts = ("patch", "q", "k", "v", "out", "up", "down", "head")
    biases = parts if dice.chance(0.5) else [p for p in parts if dice.chance(0.6)]
    return dict(
        layers=dice.one_of(1, 1, 2, 2, 3), heads=heads, head=head, hidden=hidden, patch=patch, grid=grid, channels=dice.one_of(3, 3, 3, 1), prefix=prefix,
        position=dice.one_of("tokens", "tokens", "tokens", "patches", "none"), embedding_norm=dice.chance(0.2), norm=norm, rms=rms,
        norm_bias=not rms and dice.chance(0.85), epsilon=dice.one_of(1e-12, 1e-6, 1e-5), final="before" if pool == "tokens" and final == "after" else final,
        query_key_norm=dice.chance(0.1), activation=dice.one_of("gelu", "gelu", "gelu", "tanh", "tanh", "quick", "silu", "relu"), layer_scale=dice.chance(0.2),
        biases=frozenset(biases), mask=dice.one_of("none", "none", "zero", "bias"), pool=pool, pooler=pool == "class" and dice.chance(0.15),
        classes=dice.between(1, 3), hidden_output=pool != "tokens" and dice.chance(0.15))


def draw_spelling(dice, model):
    """How the exporters write it."""
    dynamo = dice.chance(0.5)
    opset = dice.one_of(18, 20, 20, 23) if dynamo else dice.one_of(13, 14, 17, 18, 20)
    scales = ("score", "divide", "query", "early", "both", "both", "none") if dynamo else ("score", "divide", "query", "both", "both", "computed")
    composed = opset < 17 or (model["rms"] and opset < 23) or dice.chance(0.15)
    attention_op = opset == 23 and dice.chance(0.7)
    return dict(
        exporter="dynamo" if dynamo else "script", opset=opset, dynamic=dice.chance(0.4), patches=dice.one_of("conv", "conv", "conv", "conv", "linear"),
        decomposed_norm=dice.one_of("sqrt", "sqrt", "reciprocal") if composed else "op", spelling=dice.between(0, 3),
        linear=dice.one_of("matmul", "matmul", "matmul", "gemm"), qkv=dice.one_of("three", "three", "three", "split", "gather", "slice", "unstack"),
        keys=dice.one_of("one", "two", "reshaped"), flat=not attention_op and dice.chance(0.15), scale=dice.one_of(*scales), attention_op=attention_op,
        guard=model["mask"] == "zero" or dice.chance(0.1), casts=not dynamo and dice.chance(0.3), regroup=not dynamo and dice.chance(0.5))


def draw(seed):
    dice = Dice(seed)
    model = draw_model(dice)
    spelling = draw_spelling(dice, model)
    gated = dice.one_of("none", "halves", "two") if model["activation"] == "silu" else "none"
    return Config(seed=seed, gated=gated, **model, **spelling)
