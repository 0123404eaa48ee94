"""Functions of the model and loops, inlined, and refused where they cannot be."""
import numpy as np
import pytest
from onnx import parser

import node_tests
from conftest import VITCC

FUNCTIONS = """
<ir_version: 9, opset_import: ["" : 20, "local" : 1]>
main (float[2,3] x) => (float[2,3] y, float[2,3] z)
{
    y = local.outer <slope = 0.25> (x)
    z = local.outer (x, x)
}
<domain: "local", opset_import: ["" : 18, "local" : 1]>
outer <slope: float = 0.5> (a, b) => (c)
{
    t = local.inner <alpha: float = @slope> (a)
    two = Constant <value = float {2}> ()
    c = Mul (t, two)
}
<domain: "local", opset_import: ["" : 11]>
inner <alpha> (a) => (c)
{
    t = LeakyRelu <alpha: float = @alpha> (a)
    e = Unsqueeze <axes = [0]> (t)
    s = Softmax <axis = 1> (e)
    c = Squeeze <axes = [0]> (s)
}
"""

RECURSION = """
<ir_version: 9, opset_import: ["" : 20, "local" : 1]>
main (float[2] x) => (float[2] y) { y = local.f (x) }
<domain: "local", opset_import: ["" : 20, "local" : 1]>
f (a) => (b) { b = local.g (a) }
<domain: "local", opset_import: ["" : 20, "local" : 1]>
g (a) => (b) { b = local.f (a) }
"""

LOOP = """
<ir_version: 9, opset_import: ["" : 20]>
main (float[2,3] x) => (float[2,3] y, float[rounds,2,3] all)
<int64 rounds = {5}, bool on = {1}, int64 last = {3}>
{
    y, all = Loop (rounds, on, x) <body = body (int64 i, bool cond, float[2,3] s) => (bool next, float[2,3] t, float[2,3] scanned)
    {
        f = Cast <to = 1> (i)
        t = Add (s, f)
        scanned = Mul (t, x)
        next = Less (i, last)
    }>
}
"""


def outputs(text, x, tmp_path):
    """What vitcc makes of a model of one input."""
    got, message = node_tests.evaluate(VITCC, parser.parse_model(text), [x], tmp_path)
    assert not isinstance(got, str), message
    return got


def test_functions(tmp_path):
    """Attributes by reference and by default, an older operator set inside."""
    x = np.random.default_rng(1).normal(size=(2, 3)).astype("f4")
    for got, slope in zip(outputs(FUNCTIONS, x, tmp_path), (0.25, 0.5), strict=True):
        e = np.exp(np.where(x < 0, slope * x, x).astype("f8"))
        np.testing.assert_allclose(got, 2 * e / e.sum(), rtol=1e-6)


def test_loop(tmp_path):
    """Four of at most five rounds: the condition ends it."""
    x = np.random.default_rng(1).normal(size=(2, 3)).astype("f4")
    y, parts = outputs(LOOP, x, tmp_path)
    states = [x + total for total in (0, 1, 3, 6)]
    np.testing.assert_allclose(y, states[-1], rtol=1e-6)
    np.testing.assert_allclose(parts, np.stack(states) * x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text, code", [
    (RECURSION, "E304"),
    (LOOP.replace("Less (i, last)", "Less (t, s)").replace("bool next", "bool[2,3] next"), "E300"),
    (FUNCTIONS.replace("LeakyRelu", "Unheard"), "E300"),
    (FUNCTIONS.replace("local.outer (x, x)", "local.outer (x, x, x)"), "E309"),
    (LOOP.replace("{5}", "{1000000}").replace("Less (i, last)", "Identity (cond)"), "E207"),
], ids=["recursion", "endless", "unknown", "arity", "too long"])
def test_refused(text, code, tmp_path):
    """The first error's code."""
    got, message = node_tests.evaluate(VITCC, parser.parse_model(text), [np.ones((2, 3), "f4")], tmp_path)
    assert got == code, message
