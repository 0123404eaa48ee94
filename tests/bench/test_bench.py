"""The benchmark's own arithmetic: errors of outputs, ratios, shares of peak; and that peak.c builds and runs."""
import json
import math
import pathlib
import types

import numpy as np
import pytest

import bench
import report
import rounds
from conftest import run

HERE = pathlib.Path(__file__).resolve().parent


def stored(folder, **arrays):
    folder.mkdir()
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(values, np.float32))
    return folder


@pytest.mark.parametrize("values, error", [([1, -4], 0), ([1, -3], 0.25), ([1, math.nan], math.inf), ([1, math.inf], math.inf), ([1, -4, 0], math.inf)])
def test_error_is_a_part_of_the_scale(tmp_path, values, error):
    want = stored(tmp_path / "want", a=[1, -4], b=[0.5])
    assert rounds.error(stored(tmp_path / "got", a=values, b=[0.5]), want, ["a", "b"]) == error


def test_a_nan_on_both_sides_is_not_agreement(tmp_path):
    assert rounds.error(stored(tmp_path / "x", a=[math.nan]), stored(tmp_path / "y", a=[math.nan]), ["a"]) == math.inf


def turn(least, median):
    return {"min_ms": least, "median_ms": median, "peak_mb": 7}


PLAYED = [{"peak": {"isa": "avx2", "gflops": 100}, "generated": turn(2, 3), "torch": turn(4, 5)},
          {"peak": {"isa": "avx2", "gflops": 50}, "generated": turn(4, 4), "torch": turn(5, 9)},
          {"peak": {"isa": "avx2", "gflops": 100}, "generated": turn(3, 8), "torch": turn(4, 7)}]


def test_figures():
    prepared = types.SimpleNamespace(flop=1e8, bytes_needed=lambda kind: 3e6)
    got = rounds.figures(types.SimpleNamespace(kind="torch", first={"first_ms": 50, "load_ms": 20, "peak_mb": 9}), PLAYED, 2, prepared)
    assert (got["median_ms"], got["min_ms"], got["peak_mb"], got["disk_mb"]) == (7, 4, 9, 3)
    assert got["images_per_s"] == pytest.approx(2000 / 7)
    assert got["ratio"] == pytest.approx(0.75)              # of 2/4, 4/5 and 3/4
    assert got["share_of_peak"] == pytest.approx(0.5)       # 0.2 GFLOP: 50 and 50 GF/s of 100, 40 of 50


def a_row(**more):
    return {"model": "digits", "title": "digits", "parameters": 67594, "size": 32, "batch": 1, "threads": 1, "errors": {}, "failed": {}, **more}


def test_a_refused_row_has_no_figures():
    row = a_row(refused="outputs differ from PyTorch by 2.0e-03 of scale")
    assert report.speed(row, ["torch"]) == "| digits | 0.07 | 32 | 1 | 1 | refused: outputs differ from PyTorch by 2.0e-03 of scale |"
    assert report.markdown({"rows": [row]}, ["torch"]) == "No row was measured.\n"


def test_rows_replace_their_like_in_the_table_s_order():
    rows = [a_row(model="deit_ti_224"), a_row(batch=8)]
    bench.place(rows, a_row(batch=8, threads=2))
    bench.place(rows, a_row(batch=8, title="new"))
    assert [(r["model"], r["batch"], r["threads"], r["title"]) for r in rows] == [
        ("digits", 8, 1, "new"), ("digits", 8, 2, "digits"), ("deit_ti_224", 1, 1, "digits")]


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_peak(cc, tmp_path):
    run(cc, "-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", HERE / "peak.c", "-lpthread", "-o", tmp_path / "peak")
    for threads in (1, 2):
        got = json.loads(run(tmp_path / "peak", threads, 2).stdout)
        assert got["threads"] == threads and got["gflops"] > 0
    assert run(tmp_path / "peak", 0, status=2).stdout == ""
