"""The table of exported models, one row a model; tests read it too, so nothing but Python is needed here."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Input:
    name: str
    shape: tuple            # for a batch of one
    kind: str = "normal"    # normal or uniform numbers, "bool", a "text" that ends as texts do, its "mask", "ones", "bit"s; a "grid" becomes a constant
    first: str = "batch"    # the name of its first dimension, of a dynamic batch
    axis: int = 0           # the batch's


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    model: str              # a class of transformers, or "torch.nn." and one of PyTorch's own
    config: dict            # entries of its configuration
    variants: str           # see export.py; "optimum" and "optimum_static" are export_optimum.py's
    outputs: str = "logits"  # the fields of the model's answer that the file gives; "cache": its keys and values
    attention: str = ""      # "eager", or what transformers chooses
    call: tuple = ()        # names and values of further arguments of the call
    inputs: tuple = ()      # where they are not one image of the configured size

    @property
    def image(self):
        """Channels, height and width."""
        size = self.config["image_size"]
        return self.config.get("num_channels", 3), *(size if isinstance(size, list) else [size, size])

    @property
    def tensors(self):
        """What the model reads."""
        return self.inputs or (Input("pixel_values", (1, *self.image)),)


CLASSIFY, FEATURES = "ViTForImageClassification", "ViTModel"
DEIT, TEACHER = "DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"
TEACHER_OUTPUTS = "logits cls_logits distillation_logits"

BOTH = "dynamo script"
BATCHES = "dynamo script dynamo_batch script_batch"
OPSETS = "dynamo_o18 dynamo_o23 dynamo_o24 script_o14 script_o17"
OPTIMUM = "optimum optimum_static"


def small(image_size=16, patch_size=4, width=32, heads=2, mlp=64, layers=2, labels=5, **more):
    return dict(image_size=image_size, patch_size=patch_size, hidden_size=width, num_attention_heads=heads,
                intermediate_size=mlp, num_hidden_layers=layers, num_labels=labels, **more)


SMALL = [
    Row("vit_cls", CLASSIFY, small(), f"{BATCHES} {OPSETS} dynamo_data {OPTIMUM}"),
    Row("vit_cls_eager", CLASSIFY, small(), f"{BATCHES} dynamo_o23 script_o13", attention="eager"),
    Row("vit_rect", CLASSIFY, small([48, 32], [8, 16]), BATCHES),
    Row("vit_patch7", CLASSIFY, small(28, 7, layer_norm_eps=1e-6), BOTH),
    Row("vit_odd", CLASSIFY, small(24, 4, 36, 3, 100, labels=7, qkv_bias=False), BATCHES),
    Row("vit_grey", CLASSIFY, small(num_channels=1), "dynamo"),
    Row("vit_features", FEATURES, small(), f"{BATCHES} {OPTIMUM}", "last_hidden_state pooler_output"),
    Row("vit_hidden_states", FEATURES, small(), f"{BOTH} dynamo_batch", "hidden_states attentions", "eager",
        (("output_hidden_states", True), ("output_attentions", True))),
    Row("vit_gelu_new", CLASSIFY, small(hidden_act="gelu_new"), f"{BOTH} script_o14"),
    Row("vit_gelu_tanh", CLASSIFY, small(hidden_act="gelu_pytorch_tanh"), f"{BOTH} dynamo_o18"),
    Row("vit_quick_gelu", CLASSIFY, small(hidden_act="quick_gelu"), BOTH),
    Row("vit_relu", CLASSIFY, small(hidden_act="relu"), "dynamo"),
    Row("vit_one_class", CLASSIFY, small(labels=1), BOTH),
    Row("vit_two_class", CLASSIFY, small(labels=2), "dynamo"),
    Row("deit_cls", DEIT, small(), f"{BATCHES} {OPSETS} {OPTIMUM}"),
    Row("deit_cls_eager", DEIT, small(), f"{BOTH} script_o13", attention="eager"),
    Row("deit_teacher", TEACHER, small(), f"{BATCHES} {OPTIMUM}", TEACHER_OUTPUTS),
    # twins of the full-size shapes: 197 tokens, the largest patch, many layers, patches of 14 with heads of 20 (80 in ViT-H), 198 tokens
    Row("vit_b16_twin", CLASSIFY, small(56, 4, 32, 2, 128, labels=10), f"{BOTH} dynamo_batch dynamo_data"),
    Row("vit_b32_twin", CLASSIFY, small(80, 16, 32, 2, 128, 1, labels=10), BOTH),
    Row("vit_l16_twin", CLASSIFY, small(layers=5), "dynamo script_batch"),
    Row("vit_h14_twin", CLASSIFY, small(56, 14, 40, 2, 80), BOTH),
    Row("deit_ti_twin", TEACHER, small(56, 4, 48, 3, 96, 1), "dynamo script_batch", TEACHER_OUTPUTS),
]


def full(width, layers, heads, image_size=224, patch_size=16):
    return dict(image_size=image_size, patch_size=patch_size, hidden_size=width, num_attention_heads=heads,
                intermediate_size=4 * width, num_hidden_layers=layers, num_labels=1000)


FULL = [
    Row("vit_b16_224", CLASSIFY, full(768, 12, 12), BATCHES),
    Row("vit_b16_384", CLASSIFY, full(768, 12, 12, 384), BOTH),
    Row("vit_b32_224", CLASSIFY, full(768, 12, 12, 224, 32), BOTH),
    Row("vit_l16_224", CLASSIFY, full(1024, 24, 16), BOTH),
    Row("vit_h14_224", CLASSIFY, full(1280, 32, 16, 224, 14), "dynamo_data script_data"),
    # the checkpoints without distillation are published as plain ViTs, those with it as DeiTs with a teacher
    Row("deit_ti_224", CLASSIFY, full(192, 12, 3), BATCHES),
    Row("deit_s_224", CLASSIFY, full(384, 12, 6), BOTH),
    Row("deit_ti_distilled_224", TEACHER, full(192, 12, 3), BATCHES, TEACHER_OUTPUTS),
    Row("deit_s_distilled_224", TEACHER, full(384, 12, 6), BOTH, TEACHER_OUTPUTS),
]
