"""Documents made from the source are up to date."""
import importlib.util

from conftest import ROOT


def test_errors_are_those_of_status_def():
    spec = importlib.util.spec_from_file_location("make_errors", ROOT / "docs/make_errors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == (ROOT / "docs/errors.md").read_text(), "run python3 docs/make_errors.py"
