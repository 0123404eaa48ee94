"""Documents made from the source are up to date."""
import importlib.util

import pytest

from conftest import ROOT


@pytest.mark.parametrize("name", ["errors", "operators"])
def test_made_from_the_source(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/make_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == (ROOT / f"docs/{name}.md").read_text(), f"run python3 docs/make_{name}.py"
