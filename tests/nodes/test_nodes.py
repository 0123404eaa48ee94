"""The official node tests of this field: verdicts.txt says of each whether it is right or with which error it is refused; `node_tests.py VITCC` writes it."""
import concurrent.futures
import functools
import pathlib
import warnings

import pytest

import node_tests
import operator_types
from conftest import VITCC

TABLE = pathlib.Path(__file__).with_name("verdicts.txt")
PARTS = 4


@functools.cache
def cases():
    """The tests by name; newer packages than the table's bring more, which are not looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # of the package's own divisions by zero
        return {t[0]: t for t in node_tests.selected()}


def expected():
    """The table: verdict by name."""
    return dict(line.split()[:2] for line in TABLE.read_text().splitlines())


@pytest.mark.parametrize("part", range(PARTS))
def test_node_tests(part, tmp_path):
    """A refused one that passes fails as much as a right one that is refused, or wrong."""
    names = sorted(expected())[part::PARTS]

    def judge(name):
        work = tmp_path / name
        work.mkdir()
        return node_tests.verdict(VITCC, cases()[name], work)[0]
    missing = [n for n in names if n not in cases()]
    assert not missing
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        got = dict(zip(names, pool.map(judge, names), strict=True))
    assert got == {n: expected()[n] for n in names}
    assert sum(v == "ok" for v in got.values()) > 250


def test_types_of_operators():
    """Every eighth operator is read of the types that the table says."""
    table = {line.split()[0]: line.split()[1:] for line in operator_types.TABLE.read_text().splitlines()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = operator_types.cases_by_operator()
        assert sorted(found) == sorted(table)
        for operator in sorted(found)[::8]:
            assert operator_types.types_of(VITCC, found[operator]) == table[operator], operator
