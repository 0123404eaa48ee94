"""Generated libraries on several threads: late threads, data races, sessions beside one another, a session that is called twice."""
import pytest

from conftest import ROOT, run
from hosts import PANELS, SANITIZE, host, project

SMALL = ROOT / "models/small"


@pytest.mark.parametrize("name", ["vit_odd-dynamo_batch", "deit_teacher-script"])
def test_late_threads_change_no_bit_and_a_running_session_is_busy(name, tmp_path):
    project(SMALL / name / "model.onnx", tmp_path, *PANELS)
    assert run(host(tmp_path, "delays", "-DTEAM_DELAY"), tmp_path / "out/model.weights").stdout == "fine\n"


def test_unfused_too(tmp_path):
    project(SMALL / "vit_cls_eager-dynamo_batch/model.onnx", tmp_path, *PANELS, "--no-pass", "all")
    assert run(host(tmp_path, "delays", "-DTEAM_DELAY"), tmp_path / "out/model.weights").stdout == "fine\n"


def test_no_data_race(tmp_path):
    """Under ThreadSanitizer, which sees C alone."""
    project(SMALL / "vit_hidden_states-dynamo_batch/model.onnx", tmp_path, *PANELS, "--kernels", "portable")
    for name, flags in (("delays", ["-DTEAM_DELAY"]), ("sessions", [])):
        assert run(host(tmp_path, name, *flags, "-g", "-fsanitize=thread", libraries=()), tmp_path / "out/model.weights").stdout == "fine\n"


@pytest.mark.parametrize("name", ["vit_odd-dynamo_batch", "vit_features-script"])
def test_poisoned_memory_and_shared_models_change_no_bit(name, tmp_path):
    project(SMALL / name / "model.onnx", tmp_path, *PANELS)
    assert run(host(tmp_path, "sessions"), tmp_path / "out/model.weights").stdout == "fine\n"
    assert run(host(tmp_path, "sessions", *SANITIZE), tmp_path / "out/model.weights").stdout == "fine\n"
