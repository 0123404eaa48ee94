"""The user's guide does what it says: its blocks run in order, in one folder, and its tables name every option there is."""
import collections
import os
import re
import subprocess

import numpy as np
import pytest

from conftest import ROOT, VITCC, run

GUIDE = (ROOT / "docs/guide.md").read_text()
Block = collections.namedtuple("Block", "language what text")   # what: a file's name, "not-run", "fails", "export" or nothing
PRETRAINED = """
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor
torch.manual_seed(1)
labels = {0: "cat", 1: "dog", 2: "bird"}
sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
ViTForImageClassification(ViTConfig(**sizes, id2label=labels)).save_pretrained("google/vit-base-patch16-224")
ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained("google/vit-base-patch16-224")
"""


def blocks():
    return [Block(*m.groups(default="")) for m in re.finditer(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)]


def shell(text, folder, **more):
    """Runs a block as a reader would, with vitcc on the path; stops at the first command that fails."""
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "CMAKE_BUILD_PARALLEL_LEVEL": "2"}
    return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, **more)


def working_folder(folder):
    (folder / "bin").mkdir()
    (folder / "bin/vitcc").symlink_to(VITCC)
    (folder / "models").symlink_to(ROOT / "models")
    return folder


def form(text):
    """What is printed, whatever its numbers and their width."""
    return [" ".join(re.sub(r"\d[\d.]*", "0", line).split()) for line in text.strip().splitlines()]


def check_library_examples(folder):
    """However it is linked, classify prints the logits that the program wrote for the same picture."""
    lines = [shell(f"tail -c 12288 digits/selftest/input_pixel_values.npy | {program} installed/bin/digits.weights", folder).stdout
             for program in ("./classify", "./classify_shared", "./classify_static", "app/build/app")]
    want = np.load(folder / "answers/logits.npy")[-1]
    got = np.array(lines[0].split()[:-2], np.float32)
    assert len(set(lines)) == 1, lines
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max() and lines[0].split()[-1] == str(want.argmax())


def check_batches(folder):
    """An image's answer has the same bits alone and in a batch, on one thread and on three."""
    np.save(folder / "all.npy", np.random.default_rng(1).standard_normal((5, 3, 32, 32)).astype(np.float32))
    answers = []
    for name, part in [("all", slice(0, 5)), *((f"one{i}", slice(i, i + 1)) for i in range(5))]:
        np.save(folder / f"{name}.npy", np.load(folder / "all.npy")[part])
        for threads in (1, 3):
            run(folder / "build/digits", "--input", folder / f"{name}.npy", "--output-dir", folder / name, "--threads", threads)
            answers.append((part, np.load(folder / name / "logits.npy")))
    for part, logits in answers[1:]:
        assert np.array_equal(logits, answers[0][1][part])


def test_every_block_runs(tmp_path):
    folder, printed = working_folder(tmp_path), ""
    for language, what, text in blocks():
        if language == "sh" and what != "not-run":
            done = shell(text, folder)
            assert (done.returncode != 0) == (what == "fails"), f"{text}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
            printed = done.stderr if what == "fails" else done.stdout
        elif language == "text":
            assert form(printed)[-len(form(text)):] == form(text), printed
        elif language in ("c", "cpp", "cmake"):
            (folder / what).parent.mkdir(exist_ok=True)
            (folder / what).write_text(text)
        elif language == "py":
            compile(text, "guide.md", "exec")
        else:
            assert language == "sh" and what == "not-run", f"a block of {language} that nothing checks"
    assert (folder / "graph.txt").read_text().count(" = attention(") > 0
    assert len((folder / "labels.tsv").read_text().splitlines()) == 360
    check_library_examples(folder)
    check_batches(folder)


@pytest.mark.full_only
def test_the_export_runs(tmp_path):
    """With a small model in the place of the downloaded one."""
    folder, python = working_folder(tmp_path), ROOT / ".venv-export/bin/python"
    run(python, "-c", PRETRAINED, cwd=folder)
    run(python, "-c", next(b.text for b in blocks() if b.what == "export"), cwd=folder)
    assert shell("vitcc compile vit/model.onnx -o out", folder).returncode == 0
    assert '"bird",' in (folder / "out/main.c").read_text() and ".height = 32" in (folder / "out/main.c").read_text()


def options_in_tables(heading):
    """Options in the first column of the tables under a heading, up to the next."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", re.sub(r"^```.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL), re.MULTILINE | re.DOTALL).group(1)
    first = [row.split("|")[1] for row in section.splitlines() if row.startswith("|")]
    return set(re.findall(r"--[a-z][a-z-]*", " ".join(first)))


def options_in_help(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def test_every_option_of_vitcc_is_explained():
    assert options_in_tables("Commands and options") == options_in_help(run(VITCC, "--help").stdout)


def test_every_option_of_the_program_is_explained():
    source = (ROOT / "runtime/program_options.c").read_text()
    usage = source[source.index("void program_usage"):source.index("static bool parse_count")]
    assert options_in_tables("Build and run the program") == options_in_help(usage) == options_in_help(source[source.index("static bool parse_number"):source.index("What does not go together")])


def test_every_status_is_explained(tmp_path):
    run(VITCC, "compile", ROOT / "models/digits/digits.onnx", "-o", tmp_path / "out", "-q")
    header = (tmp_path / "out/digits.h").read_text()
    listed = header[header.index("typedef enum"):header.index("} digits_status")]
    assert set(re.findall(r"DIGITS_(\w+),", listed)) - {"NOT_WRITTEN"} == set(re.findall(r"`DIGITS_(\w+)`", GUIDE[GUIDE.index("| status |"):]))
