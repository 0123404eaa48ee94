"""Of which element types each operator is read: its node tests, their main type replaced by every other that ONNX defines it for.
`operator_types.py VITCC` writes types.txt."""
import collections
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper

import node_tests

TABLE = pathlib.Path(__file__).with_name("types.txt")
NAMES = {1: "float32", 11: "float64", 10: "float16", 16: "bfloat16", 9: "bool", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 2: "uint8", 4: "uint16", 12: "uint32", 13: "uint64"}
SPELLED = {"tensor(float)": 1, "tensor(double)": 11, **{f"tensor({name})": number for number, name in NAMES.items()}}


def schema_of(model):
    """Of the model's only node."""
    version = next(o.version for o in model.opset_import if not o.domain)
    return onnx.defs.get_schema(model.graph.node[0].op_type, version)


def allowed(schema, place):
    """The types that ONNX defines for an input; the last input's stands for more."""
    key = schema.inputs[min(place, len(schema.inputs) - 1)].type_str
    listed = [c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == key] or [[key]]
    return {SPELLED[t] for t in listed[0] if t in SPELLED}


def converted(case, number):
    """The test with the type of its first input replaced, wherever it stands and may be replaced."""
    _, model, values, _ = case
    copy, schema, node = onnx.ModelProto(), schema_of(model), model.graph.node[0]
    copy.CopyFrom(model)
    main = model.graph.input[0].type.tensor_type.elem_type
    made = list(values)
    for i, v in enumerate(copy.graph.input):
        places = [k for k, name in enumerate(node.input) if name == v.name]
        if v.type.tensor_type.elem_type == main and places and number in allowed(schema, places[0]):
            v.type.tensor_type.elem_type = number
            made[i] = np.asarray(values[i]).astype(helper.tensor_dtype_to_np_dtype(number))
    return copy, made


def is_read(vitcc, case, number):
    """Whether the converted test is evaluated, with its inputs of the run or bound."""
    model, values = converted(case, number)
    with tempfile.TemporaryDirectory() as work:
        tries = ((node_tests.bound(model, values, first), values) for first in (len(values), 1, 0))
        return any(not isinstance(node_tests.evaluate(vitcc, m, v, pathlib.Path(work))[0], str) for m, v in tries)


def cases_by_operator():
    """The tests in the table of one node without graphs inside, by operator."""
    names = {line.split()[0] for line in TABLE.with_name("verdicts.txt").read_text().splitlines()}
    found = collections.defaultdict(list)
    for case in node_tests.selected():
        operator, inner = node_tests.subject(case[1]), any(a.HasField("g") for a in case[1].graph.node[0].attribute)
        if case[0] in names and operator and case[2] and not inner:
            found[operator].append(case)
    return found


def types_of(vitcc, cases):
    """The names of the types that one test or another is read of."""
    read = set()
    for case in cases:
        read |= {number for number in allowed(schema_of(case[1]), 0) - read if is_read(vitcc, case, number)}
    return sorted(NAMES[number] for number in read)


if __name__ == "__main__":
    TABLE.write_text("".join(f"{operator} {' '.join(types_of(sys.argv[1], cases))}\n" for operator, cases in sorted(cases_by_operator().items())))
