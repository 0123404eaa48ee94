"""Small models, each wrong in one way, with the exact lines that vitcc prints of them."""
import re

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from conftest import ROOT

STATUS = {int(number): (sentence, remedy) for number, sentence, remedy in
          re.findall(r'^STATUS\(\w+, *(\d+), "(.*)", "(.*)"\)$', (ROOT / "compiler/base/status.def").read_text(), re.MULTILINE)}
FLOAT, NODE = TensorProto.FLOAT, helper.make_node
X, Y = ("x", FLOAT, (1, 4)), ("y", FLOAT, None)
BATCH = ("x", FLOAT, ("N", 4))


def line(code, place="", particulars=""):
    """What is printed of an error behind the file's name."""
    sentence, remedy = STATUS[code]
    return f"{place + ': ' if place else ''}error E{code}: {sentence}{': ' + particulars if particulars else ''}; {remedy}"


def model(nodes, initializers=(), inputs=(X,), outputs=(Y,), opset=20):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*o) for o in outputs], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def one(operator, inputs=("x",), initializers=(), shapes=None, **attributes):
    """A model of one node, named n."""
    return model([NODE(operator, list(inputs), ["y"], "n", **attributes)], initializers, **({"inputs": shapes} if shapes else {}))


def ones(name, *shape, dtype=np.float32):
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def numbers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def add(**fields):
    """x + w with a tensor w of these fields."""
    return one("Add", "xw", [TensorProto(**{"name": "w", "data_type": FLOAT, "dims": [1, 4], **fields})])


def external(**entries):
    m = add(data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "weights.bin", "offset": "0", "length": "16", **entries}.items():
        if value is not None:
            m.graph.initializer[0].external_data.add(key=key, value=value)
    return m


def head(number, length):
    """What stands before a protobuf field of so many bytes."""
    size = b""
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length])


def field(number, body):
    return head(number, len(body)) + body


def nested(depth):
    """A graph in an attribute of a node of a graph, `depth` times, by hand: no library writes this."""
    heads, total = [], 0
    for _ in range(depth):
        for number in (6, 5, 1):            # AttributeProto.g, NodeProto.attribute, GraphProto.node
            heads.append(head(number, total))
            total += len(heads[-1])
    return b"\x08\x09" + field(7, b"".join(reversed(heads)))


def branch(operator, reads="x"):
    return helper.make_graph([NODE(operator, [reads], ["b"], "in")], operator, [], [helper.make_tensor_value_info("b", FLOAT, None)])


def choice(known=False, then_reads="x"):
    """An If, whose condition is an input or known."""
    node = NODE("If", ["k" if known else "c"], ["y"], "choose", then_branch=branch("Neg", then_reads), else_branch=branch("Abs"))
    return model([node], [numpy_helper.from_array(np.array(True), "k")], inputs=(X, ("c", TensorProto.BOOL, ())))


def changed(m, change):
    change(m)
    return m


def sparse():
    m = one("Add", "xw")
    s = m.graph.sparse_initializer.add()
    s.values.name, s.values.data_type = "w", FLOAT
    return m


def attribute_of_another_type():
    m = one("Softmax", axis=1)
    m.graph.node[0].attribute[0].type, m.graph.node[0].attribute[0].s = 3, b"one"
    m.graph.node[0].attribute[0].ClearField("i")
    return m


def no_tensor():
    m = one("Identity")
    m.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = FLOAT
    return m


def many_nodes():
    m = one("Neg")
    for i in range(200001):
        m.graph.node.add(op_type="Neg", input=["x"], output=[f"t{i}"])
    return m


def many_inputs():
    m = one("Neg")
    for i in range(1001):
        m.graph.input.add().CopyFrom(helper.make_tensor_value_info(f"i{i}", FLOAT, (1,)))
    return m


def crowded():
    """Two million empty messages: each takes over a hundred bytes unpacked."""
    return b"\x08\x09" + field(7, field(1, b"") * 4000000)


def chain(length, width):
    """Matrix products, one behind another, each with its own weights: something to write."""
    rng, names = np.random.default_rng(3), ["x", *(f"t{i}" for i in range(1, length)), "y"]
    weights = [numpy_helper.from_array(rng.standard_normal((width, width), np.float32), f"w{i}") for i in range(length)]
    return model([NODE("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(length)], weights, inputs=(("x", FLOAT, (1, width)),))


SUMMED = one("ReduceSum", "xa", [numbers("a", 0)], shapes=(BATCH,))
W = "node 0 'n' (Add) input 1"

# name: (the model or bytes, the lines printed of it behind the file's name)
CASES = {
    "empty": (lambda: b"", line(201, "", "it is empty")),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), line(201)),
    "no graph": (lambda: b"\x08\x09", line(201, "", "it holds no graph")),
    "a graph that ends early": (lambda: b"\x08\x09\x3a\x7f\x0a", line(200, "", "a field at byte 2")),
    "a length that lies": (lambda: b"\x08\x09" + field(7, b"\x0a\x20\x00") + field(8, b""),
        line(203, "", "a field ends behind its message, at byte 4")),
    "a field of no kind": (lambda: b"\x08\x09" + field(7, b"\x0f"), line(203, "", "a field is of no known kind, at byte 4")),
    "a field without number": (lambda: b"\x08\x09" + field(7, b"\x00\x00"), line(203, "", "a field has no valid number, at byte 4")),
    "a zero byte in a name": (lambda: b"\x08\x09" + field(7, field(2, b"a\0b")), line(203, "", "a name holds a zero byte, at byte 4")),
    "a number for a name": (lambda: b"\x08\x09" + field(7, b"\x10\x05"), line(203, "", "a field is of another type than ONNX says")),
    "no output": (lambda: model([NODE("Neg", ["x"], ["y"])], outputs=()), line(203, "", "the graph has no output")),
    "an input without a name": (lambda: changed(one("Neg"), lambda m: m.graph.input.add()), line(203, "", "input 1 has no name")),
    "raw data too short": (lambda: add(raw_data=bytes(12)), line(203, W, "tensor 'w': its shape takes 16 bytes, it holds 12")),
    "raw data too long": (lambda: add(raw_data=bytes(20)), line(203, W, "tensor 'w': its shape takes 16 bytes, it holds 20")),
    "too few elements": (lambda: add(float_data=[1, 2, 3]), line(203, W, "tensor 'w': its shape takes 4 elements, it holds 3")),
    "data in another field": (lambda: add(int64_data=[1, 2, 3, 4]), line(203, W, "tensor 'w': its shape takes 4 elements, it holds 0")),
    "negative dimension": (lambda: add(dims=[1, -4], raw_data=bytes(16)), line(203, W, "tensor 'w': its dimensions are negative or overflow")),
    "dimensions that overflow": (lambda: add(dims=[2**62, 2**62], raw_data=bytes(16)),
        line(203, W, "tensor 'w': its dimensions are negative or overflow")),
    "bytes that overflow": (lambda: add(dims=[2**62], raw_data=bytes(16)), line(203, W, "tensor 'w': its dimensions are negative or overflow")),
    "a segment": (lambda: changed(add(raw_data=bytes(16)), lambda m: m.graph.initializer[0].segment.CopyFrom(TensorProto.Segment(begin=0, end=2))),
        line(203, W, "tensor 'w': it is only a segment")),
    "external data of no file": (lambda: external(location=None), line(203, W, "tensor 'w': its external data names no file")),
    "external data at no number": (lambda: external(offset="0x10"),
        line(203, W, "tensor 'w': the offset or length of its external data is no number")),
    "external data of another size": (lambda: external(length="12"), line(203, W, "tensor 'w': its shape takes 16 bytes, its external data 12")),
    "an attribute of another type": (attribute_of_another_type, line(203, "node 0 'n' (Softmax)", "attribute axis is not a whole number")),
    "no branch": (lambda: changed(choice(known=True), lambda m: m.graph.node[0].ClearField("attribute")),
        line(203, "node 0 'choose' (If)", "a branch is missing")),
    "no such file": (external, line(204, W, "'weights.bin': No such file or directory")),
    "beyond its file": (lambda: external(location="m.onnx", offset="1048576"),
        line(205, W, "tensor 'w': 16 bytes at 1048576 of 'm.onnx', which has 130")),
    "offset that overflows": (lambda: external(location="m.onnx", offset="18446744073709551615"),
        line(205, W, "tensor 'w': 16 bytes at 18446744073709551615 of 'm.onnx', which has 144")),
    "above the folder": (lambda: external(location="../weights.bin"), line(206, W, "'../weights.bin'")),
    "up and down again": (lambda: external(location="../f/weights.bin"), line(206, W, "'../f/weights.bin'")),
    "absolute": (lambda: external(location="/dev/zero"), line(206, W, "'/dev/zero'")),
    "a link": (lambda: external(location="link.bin"), line(206, W, "'link.bin' is a link to another folder")),
    "no name": (lambda: external(location=""), line(206, W, "''")),
    "external data is a folder": (lambda: external(location="folder"), line(101, W, "'folder': Is a directory")),
    "nine axes of an input": (lambda: one("Neg", shapes=(("x", FLOAT, (1,) * 9),)), line(207, "", "input 'x': it has more than 8 axes")),
    "nine axes of a tensor": (lambda: add(dims=[1] * 9, raw_data=bytes(4)), line(207, W, "tensor 'w': it has more than 8 axes")),
    "nine axes of a result": (lambda: one("Unsqueeze", "xa", [numbers("a", *range(8))]),
        line(207, "node 0 'n' (Unsqueeze) input 0 f32[1,4]", "more than 8 axes")),
    "a size that overflows": (lambda: one("Neg", shapes=(("x", FLOAT, (2**62, 2**62)),)), line(207, "", "input 'x': its size overflows")),
    "too many nodes": (many_nodes, line(207, "", "it has more than 200000 nodes")),
    "too many inputs": (many_inputs, line(207, "", "it has more than 1000 inputs")),
    "messages that grow": (crowded, line(207, "", "its messages take more memory than their size explains")),
    "an unknown operator": (lambda: one("Frobnicate"), line(300, "node 0 'n' (Frobnicate)", "Frobnicate of opset 20")),
    "another domain": (lambda: one("Gelu", domain="com.example"), line(300, "node 0 'n' (Gelu)", "com.example::Gelu of opset 20")),
    "two unknown operators": (lambda: model([NODE("Frob", ["x"], ["t"], "first"), NODE("Frob", ["t"], ["u"], "again"), NODE("Nicate", ["u"], ["y"], "second\x1b[2J")]),
        line(300, "node 0 'first' (Frob)", "Frob of opset 20 (2 nodes)"),
        line(300, "node 2 'second\\x1b[2J' (Nicate)", "Nicate of opset 20")),
    "sizes by a condition of the run": (lambda: changed(choice(), lambda m: m.graph.node[0].attribute[0].CopyFrom(helper.make_attribute("else_branch", branch("Shape")))),
        line(306, "node 0 'choose' (If) input 0 bool[]", "by a condition of the run output 0 is f32[1,4] or i64[2]")),
    "an output that is not there": (lambda: model([NODE("Dropout", ["x"], ["t", "y"], "n")]),
        line(300, "node 0 'n' (Dropout)", "its output 1 is read")),
    "an attribute": (lambda: one("DepthToSpace", shapes=(("x", FLOAT, (1, 4, 2, 2)),), blocksize=2, mode="XYZ"),
        line(301, "node 0 'n' (DepthToSpace)", "mode = 'XYZ'")),
    "a permutation": (lambda: one("Transpose", perm=[0, 0]), line(301, "node 0 'n' (Transpose) input 0 f32[1,4]", "perm is no permutation")),
    "strings": (lambda: one("Identity", shapes=(("x", TensorProto.STRING, (1, 4)),)), line(302, "", "input 'x': its data type is 8")),
    "complex numbers": (lambda: one("Identity", shapes=(("x", TensorProto.COMPLEX64, (1, 4)),)), line(302, "", "input 'x': its data type is 14")),
    "an unknown type": (lambda: one("Identity", shapes=(("x", 99, (1, 4)),)), line(302, "", "input 'x': its data type is 99")),
    "no tensor": (no_tensor, line(302, "", "input 'x': it is no tensor")),
    "mixed types": (lambda: one("Add", "xw", [ones("w", 4, dtype=np.int64)]), line(302, "node 0 'n' (Add) input 1 i64[4]", "not f32, as input 0")),
    "a string tensor": (lambda: add(data_type=TensorProto.STRING, string_data=[b"a"] * 4), line(302, W, "tensor 'w': its data type is 8")),
    "sparse": (sparse, line(302, "", "sparse initializer 'w'")),
    "a condition that is no bool": (lambda: one("If", "x", then_branch=branch("Neg"), else_branch=branch("Abs")),
        line(302, "node 0 'n' (If) input 0 f32[1,4]", "a condition must be bool")),
    "an undeclared input": (lambda: one("Add", ["x", "nowhere"]), line(303, W, "'nowhere'")),
    "an output": (lambda: model([NODE("Neg", ["x"], ["t"], "n")]), line(303, "", "output 'y'")),
    "an input of a branch": (lambda: choice(then_reads="nowhere", known=True),
        line(303, "node 0 'choose' (If) branch node 0 'in' (Neg) input 0", "'nowhere'")),
    "a cycle": (lambda: model([NODE("Add", ["x", "b"], ["a"], "one"), NODE("Add", ["a", "x"], ["b"], "two"), NODE("Neg", ["b"], ["y"], "out")]),
        line(304, "node 1 'two' (Add) input 0", "'a' depends on this node")),
    "a node that reads itself": (lambda: one("Add", ["x", "y"]), line(304, W, "'y' depends on this node")),
    "Add": (lambda: one("Add", "xw", [ones("w", 1, 3)]), line(305, "node 0 'n' input 1 f32[1,3]", "map: sizes do not broadcast: 3 and 4")),
    "MatMul": (lambda: one("MatMul", "xw", [ones("w", 3, 4)]),
        line(305, "node 0 'n' input 1 f32[3,4]", "linear: weights and input do not fit: 3 and 4")),
    "Reshape": (lambda: one("Reshape", "xs", [numbers("s", 3, 3)]),
        line(305, "node 0 'n' (Reshape) input 0 f32[1,4]", "it does not become f32[3,3]")),
    "Concat": (lambda: one("Concat", "xw", [ones("w", 2, 3)], axis=1), line(305, "node 0 'n' input 1 f32[2,3]", "concat: sizes differ: 2 and 1")),
    "Gather": (lambda: one("Gather", "xi", [numbers("i", 9)], axis=1), line(305, "node 0 'n' (Gather) input 1 i64[1]", "index 9 of an axis of 4")),
    "an axis": (lambda: one("Softmax", axis=7), line(305, "node 0 'n' (Softmax)", "axis 7 of 2")),
    "no rank": (lambda: one("Neg", shapes=(("x", FLOAT, None),)), line(306, "", "input 'x': the file does not tell its number of axes")),
    "open axes": (lambda: one("Neg", shapes=(("x", FLOAT, ("N", "length", None)),)),
        line(306, "", "input 'x': no fixed size for axis 1 (length), 2 (no name); give them all but the batch as numbers in --shape 'x=N,length,?'")),
    "a shape of the run": (lambda: one("Reshape", "xs", shapes=(X, ("s", TensorProto.INT64, (2,)))),
        line(306, "node 0 'n' (Reshape) input 1 i64[2]", "the new shape's sizes are computed from what only a run knows")),
    "a value twice": (lambda: model([NODE("Neg", ["x"], ["y"], "one"), NODE("Abs", ["x"], ["y"], "two")]), line(307, "node 1 'two' (Abs)", "'y'")),
    "an initializer twice": (lambda: one("Add", "xw", [ones("w", 1, 4), ones("w", 1, 4)]), line(307, "", "'w'")),
    "an input twice": (lambda: one("Neg", shapes=(X, X)), line(307, "", "'x'")),
    "an output twice": (lambda: model([NODE("Neg", ["x"], ["y"], "n")], outputs=(Y, Y)), line(307, "", "'y'")),
    "a value named as an input": (lambda: model([NODE("Neg", ["x"], ["x"], "n"), NODE("Neg", ["x"], ["y"], "m")]),
        line(307, "node 0 'n' (Neg)", "'x'")),
    "too old": (lambda: model([NODE("Neg", ["x"], ["y"])], opset=-1), line(308, "", "version -1")),
    "too new": (lambda: model([NODE("Neg", ["x"], ["y"])], opset=99), line(308, "", "version 99")),
    "none": (lambda: changed(one("Neg"), lambda m: m.ClearField("opset_import")), line(308, "", "version 0")),
    "one input too few": (lambda: one("Add", "x"), line(309, "node 0 'n' (Add)", "it has 1 input")),
    "one input too many": (lambda: one("Add", "xxx"), line(309, "node 0 'n' (Add)", "it has 3 inputs")),
    "an absent input": (lambda: one("Add", ["", "x"]), line(309, "node 0 'n' (Add) input 0", "the input is absent")),
    "outputs of a branch": (lambda: changed(choice(known=True), lambda m: m.graph.node[0].output.append("z")),
        line(309, "node 0 'choose' (If)", "outputs: 1 of the branch, 2 of the node")),
    "a sum over images": (lambda: SUMMED, line(311, "node 0 'n'", "reduce works along the batch")),
    "an input with images of images": (lambda: one("Neg", shapes=(("x", FLOAT, ("N", "N")),)), line(311, "", "input 'x' has the batch in two axes")),
    "four axes of a convolution": (lambda: one("Conv", "xw", [ones("w", 1, 1, 2, 2, 2, 2)], (("x", FLOAT, (1, 1, 3, 3, 3, 3)),)),
        line(403, "node 0 'n'", "convolution over more than three axes")),
    "gather from nothing": (lambda: model([NODE("Slice", ["x", "b", "e", "a"], ["none"], "cut"), NODE("Gather", ["none", "i"], ["y"], "n", axis=1)],
                                          [numbers("b", 1), numbers("e", 1), numbers("a", 1)], (X, ("i", TensorProto.INT64, (2,)))),
        line(403, "node 1 'n'", "a gather from an axis without elements")),
    "zero-size tensor": (lambda: one("Add", "xw", [ones("w", 1, 0)]),
        line(305, "node 0 'n' input 1 f32[1,0]", "map: sizes do not broadcast: 0 and 4")),
    "negative dimension of an input": (lambda: one("Neg", shapes=(("x", FLOAT, (1, -4)),)),
        line(306, "", "input 'x': no fixed size for axis 1 (no name); give them all but the batch as numbers in --shape 'x=1,?'")),
}
