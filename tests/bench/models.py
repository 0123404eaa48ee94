"""The models of the benchmark: made by models/export.py, compiled, built, with one input a batch; and what each contestant needs on disk.

Run as a program it makes one model's files for the contestants that run ONNX or PyTorch: python models.py NAME FOLDER
"""
import dataclasses
import importlib.metadata
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "models/digits"


@dataclasses.dataclass(frozen=True)
class Model:
    name: str       # a row of models/rows.py, of OTHERS, or digits
    title: str      # in the table
    size: int       # pixels an edge; 0: it has no picture
    quick: tuple    # batches of the quick table
    full: tuple     # and of the full one
    data: bool = False   # weights in a file of their own: an ONNX file holds 2 GB
    fixed: bool = False  # exported for one batch, with inputs of its own


MODELS = [
    Model("digits", "digits", 32, (1, 8), (1, 8, 32)),
    Model("deit_ti_224", "DeiT-Ti/16", 224, (1, 8), (1, 8, 32)),
    Model("deit_s_224", "DeiT-S/16", 224, (1, 8), (1, 8, 32)),
    Model("vit_b32_224", "ViT-B/32", 224, (1, 8), (1, 8)),
    Model("vit_b16_224", "ViT-B/16", 224, (1, 8), (1, 8)),
    Model("vit_b16_384", "ViT-B/16", 384, (), (1,)),
    Model("vit_l16_224", "ViT-L/16", 224, (), (1, 8)),
    Model("vit_h14_224", "ViT-H/14", 224, (), (1,), data=True),
    Model("dinov2_s14_518", "DINOv2-S/14", 518, (), (1,)),
    Model("convnext_t_224", "ConvNeXt-T", 224, (1,), (1, 8)),
    Model("resnet50_224", "ResNet-50", 224, (1,), (1, 8)),
    Model("r26_s_224", "R26 + ViT-S/32", 224, (1,), (1, 8)),
    Model("mobilevit_s_256", "MobileViT-S", 256, (1,), (1, 8)),
    Model("segformer_b0_512", "SegFormer-B0", 512, (1,), (1,)),
    Model("detr_r50_800", "DETR-R50", 800, (), (1,), fixed=True),
    Model("swin_t_224", "Swin-T", 224, (1,), (1, 8)),
    Model("sam_b_1024", "SAM ViT-B encoder", 1024, (), (1,)),
    Model("clip_b32_224", "CLIP ViT-B/32, an image and two texts", 224, (), (1,), fixed=True),
    Model("gpt2_step", "GPT-2 step, cache of 128", 0, (), (1,), fixed=True),
]
DINOV2 = dict(name="dinov2_s14_518", model="Dinov2Model", outputs="last_hidden_state pooler_output",
              config=dict(image_size=518, patch_size=14, hidden_size=384, num_attention_heads=6, mlp_ratio=4, num_hidden_layers=12))
OTHERS = [
    DINOV2,
    dict(name="convnext_t_224", model="ConvNextForImageClassification", config=dict(num_labels=1000)),
    dict(name="resnet50_224", model="ResNetForImageClassification", config=dict(num_labels=1000)),
    dict(name="r26_s_224", model="timm:vit_small_r26_s32_224", config={}),
    dict(name="mobilevit_s_256", model="MobileViTForImageClassification", config=dict(num_labels=1000)),
    dict(name="segformer_b0_512", model="SegformerForSemanticSegmentation", config=dict(num_labels=150)),
    dict(name="detr_r50_800", model="DetrForObjectDetection", outputs="logits pred_boxes",
         config=dict(use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
                     backbone_config=dict(model_type="resnet", out_features=["stage4"]))),
    dict(name="swin_t_224", model="SwinForImageClassification", config=dict(num_labels=1000)),
    dict(name="sam_b_1024", model="SamVisionModel", outputs="last_hidden_state", config={}),
    dict(name="clip_b32_224", model="CLIPModel", config=dict(), outputs="logits_per_image logits_per_text text_embeds image_embeds",
         inputs=(("input_ids", (2, 77), "text"), ("attention_mask", (2, 77), "mask"), ("pixel_values", (1, 3, 224, 224)))),
    dict(name="gpt2_step", model="GPT2LMHeadModel", config=dict(), outputs="logits cache",
         inputs=(("input_ids", (1, 1), "text"), ("attention_mask", (1, 129), "ones"),
                 *((f"past_{layer}_{part}", (1, 12, 128, 64)) for layer in range(12) for part in ("key", "value")))),
]


# ---- made in a process of its own, which has PyTorch

def digits_weights(model):
    """The trained weights by PyTorch's names: the exporter keeps all but those of the linear layers' matrices, transposed, in the layers' order."""
    import onnx
    import torch
    graph = onnx.load(DIGITS / "digits.onnx").graph
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    matrices = [stored[n.input[1]].T for n in graph.node if n.op_type == "MatMul" and n.input[1] in stored]
    state = {name: stored[f"model.{name}"] if f"model.{name}" in stored else matrices.pop(0) for name in model.state_dict()}
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


def make_digits(folder):
    import transformers
    model = transformers.ViTForImageClassification(transformers.ViTConfig.from_pretrained(DIGITS))
    model.load_state_dict(digits_weights(model))
    model.save_pretrained(folder / "torch")
    shutil.copy(DIGITS / "digits.onnx", folder / "model.onnx")
    return "ViTForImageClassification", "logits", ["logits"]


def make_row(model, folder):
    """One row of models/rows.py or OTHERS, as ONNX (with a dynamic batch, where it is not fixed) and as HuggingFace stores it; of timm's, the weights."""
    import torch
    sys.path.insert(0, str(ROOT / "models"))
    import export
    import export_weights
    import rows
    torch.set_grad_enabled(False)
    pictures = [("pixel_values", (1, 3, model.size, model.size))]
    others = [rows.Row(**{"variants": "", **other, "inputs": tuple(rows.Input(*i) for i in other.get("inputs", pictures))}) for other in OTHERS]
    row = next(r for r in [*rows.FULL, *others] if r.name == model.name)
    variant = "dynamo" if model.fixed else "dynamo_batch_data" if model.data else "dynamo_batch"
    if row.model.startswith("timm:"):
        import export_timm
        bare = dataclasses.replace(row, model=row.model.removeprefix("timm:"))
        export.export(bare, variant, folder, False, export_timm.build)
        (folder / "torch").mkdir()
        torch.save(export_timm.build(bare).state_dict(), folder / "torch/weights.pt")
    else:
        export.export(row, variant, folder, truth=False)
        export_weights.build(row).save_pretrained(folder / "torch")
    return row.model, row.outputs, [p.stem.removeprefix("output_") for p in sorted(folder.glob("output_*.npy"))]


def make(name, folder):
    """Writes model.onnx, torch/ and model.json into the folder, all or nothing."""
    model = next(m for m in MODELS if m.name == name)
    work = folder.with_name(folder.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kind, fields, outputs = make_digits(work) if name == "digits" else make_row(model, work)
    for stale in [*work.glob("output_*.npy"), *([] if model.fixed else work.glob("input_*.npy"))]:
        stale.unlink()
    (work / "model.json").write_text(json.dumps({"class": kind, "fields": fields, "outputs": outputs}))
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


# ---- called by bench.py

def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Prepared:
    """One model's folder: the exported files, and the generated program built by this compiler."""

    def __init__(self, model, folder, vitcc, options=()):
        self.model, self.folder = model, folder / model.name
        self.onnx, self.program = self.folder / "model.onnx", self.folder / "build" / model.name
        if not (self.folder / "model.json").exists():
            run(sys.executable, __file__, model.name, self.folder)
        made = json.loads((self.folder / "model.json").read_text())
        self.outputs, self.package = made["outputs"], "timm" if made["class"].startswith("timm:") else "transformers"
        self.compile(vitcc, options)
        self.parameters = float(re.search(r"([\d.]+) M parameters", run(vitcc, "inspect", self.onnx))[1]) * 1e6

    def compile(self, vitcc, options):
        """Compiled anew each time: the compiler may have changed. The model's whole arithmetic is that of a program from which no rows were left out,
        with layers where the file has them."""
        out = self.folder / "out"
        flop = self.folder / "flop"
        if not flop.exists():
            run(vitcc, "compile", self.onnx, "-o", out, "--name", self.model.name, "-q", "--no-pass", "narrow", "--no-pass", "linear_first")
            flop.write_text(str(self.report()["flop"]))
        self.flop = float(flop.read_text())
        run(vitcc, "compile", self.onnx, "-o", out, "--name", self.model.name, "-q", *options)
        self.flop_done = self.report()["flop"]
        run("cmake", "-S", out, "-B", self.folder / "build")
        run("cmake", "--build", self.folder / "build", "--target", self.model.name)

    def report(self):
        return json.loads((self.folder / "out" / f"{self.model.name}.json").read_text())

    def inputs(self, batch):
        """A file each input: as the model came with them, or pictures of that batch, normal as preprocessed ones are; the same whenever they are made."""
        if self.model.fixed:
            by_number = lambda p: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", p.stem)]   # layers in order
            return {p.stem.removeprefix("input_"): str(p) for p in sorted(self.folder.glob("input_*.npy"), key=by_number)}
        path = self.folder / f"input_{batch}.npy"
        shape = (batch, 3, self.model.size, self.model.size)
        np.save(path, np.random.default_rng(batch).standard_normal(shape).astype(np.float32))
        return {"pixel_values": str(path)}

    def warm(self):
        """Brings the files that contestants map or read into the page cache."""
        for path in [*self.folder.glob("model.onnx*"), *self.folder.glob("torch/*"), self.folder / "out" / f"{self.model.name}.weights"]:
            with open(path, "rb") as file:
                while file.read(1 << 24):
                    pass

    def bytes_needed(self, kind):
        """What must be on the disk to run: program and weights; or model and Python packages, Python itself not counted."""
        if kind == "generated":
            return sum(p.stat().st_size for p in (self.program, self.folder / "out" / f"{self.model.name}.weights"))
        files = self.folder.glob("torch/*" if kind in ("torch", "compile") else "model.onnx*")
        packages = [self.package if p == "transformers" else p for p in PACKAGES[kind]]
        return sum(p.stat().st_size for p in files) + packages_bytes(packages)


PACKAGES = {"onnxruntime": ["onnxruntime", "numpy"], "openvino": ["openvino", "numpy"],
            "torch": ["torch", "transformers"], "compile": ["torch", "transformers"]}


def packages_bytes(names):
    """Installed size of packages and of all that they require."""
    from packaging.requirements import Requirement
    todo, seen, size = list(names), set(), 0
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        size += sum(path.stat().st_size for path in map(package.locate_file, package.files or []) if path.is_file())
        needed = map(Requirement, package.requires or [])
        todo += [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return size


if __name__ == "__main__":
    make(sys.argv[1], pathlib.Path(sys.argv[2]))
