"""Parts of a layer give what the whole gives; the sizes of networks are those of their papers."""

from __future__ import annotations

import numpy as np
import pytest

from properties.cases import networks
from properties.cases.case import Case
from properties.operators import operator
from properties.verdicts.expected import Expected
from refimpl.arrays import Array
from refimpl.rounding import FORMATS

FORMAT = FORMATS["float32"]


def _convolution(x: tuple[int, ...], weight: tuple[int, ...], *steps: tuple[int, ...], groups: int = 1) -> Case:
    arguments = dict(zip(("stride", "padding", "dilation"), steps, strict=True))
    return Case({"input": x, "weight": weight, "bias": weight[:1]}, {**arguments, "groups": groups}, "normal")


CASES = [
    ("conv1d", _convolution((2, 4, 30), (6, 2, 4), (3,), (5,), (2,), groups=2)),
    ("conv2d", _convolution((3, 4, 7, 9), (6, 4, 3, 2), (1, 2), (1, 3), (2, 1))),
    ("conv2d", _convolution((2, 5, 9, 8), (10, 1, 1, 3), (2, 1), (0, 1), (1, 1), groups=5)),
    ("conv3d", _convolution((2, 2, 4, 5, 6), (3, 2, 2, 1, 3), (1, 2, 1), (1, 0, 1), (1, 1, 2))),
    ("linear", Case({"input": (40, 30), "weight": (20, 30), "bias": (20,)}, {}, "normal")),
    ("max_pool2d", networks.pool("max_pool2d", 5, 9, 3, 2, 1).case(4, "normal", 1)),
    ("avg_pool2d", networks.pool("avg_pool2d", 5, 9, 3, 2, 1).case(4, "normal", 1)),
    ("adaptive_avg_pool2d", networks.to_size(5, 9, 4).case(3, "normal", 1)),
]  # fmt: skip
each_case = pytest.mark.parametrize("name, case", CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])


def same(one: Expected, other: Expected) -> bool:
    """True if values and bounds are equal, bit for bit: the loops add up the same terms in the same order."""
    return np.array_equal(one.values, other.values) and np.array_equal(_bound(one), _bound(other))


def _bound(expected: Expected) -> Array:
    return np.zeros(expected.values.shape) if expected.bound is None else expected.bound


@each_case
def test_parts_are_of_the_whole(name: str, case: Case) -> None:
    """At the elements that a part makes up, the whole has the same values and bounds."""
    described = operator(name)
    assert described.parts is not None
    operands, cotangent = described.operands(case, FORMAT), described.cotangent(case, FORMAT)
    output = described.expected(operands, case.arguments, FORMAT)
    gradients = described.expected_gradients(cotangent, operands, case.arguments, FORMAT)
    for whole, given in ((output, None), (gradients, cotangent)):
        for part in described.parts(case, operands, given):
            about = (part.operands, part.arguments, FORMAT)
            made = described.expected(*about)
            if part.cotangent is not None:
                made = described.expected_gradients(part.cotangent, *about)
            for result in part.where.keys() & made.keys():
                there, here = part.where[result]
                assert same(whole[result][there], made[result][here])
    assert {n for part in described.parts(case, operands, cotangent) for n in part.where} == set(operands)


@pytest.mark.parametrize("network, parameters", [("LeNet", 61_706)])
def test_parameters(network: str, parameters: int) -> None:
    """The layers that are listed of a whole network have its parameters."""
    shapes = [shape for layer in networks.NETWORKS[network] for n, shape in layer.shapes.items() if n != "input"]
    assert sum(int(np.prod(shape)) for shape in shapes) == parameters


def test_every_layer_is_dealt() -> None:
    """Each layer fits within the last of the limits; its operator can be held at parts, but for what U-Net has."""
    for layer in [layer for network in networks.NETWORKS.values() for layer in network]:
        assert layer.batch(*networks.LIMITS[-1])
        assert (operator(layer.operator).parts is None) == (layer.operator == "conv_transpose2d")
        assert operator(layer.operator).output_shape(layer.case(1, "normal", 0))
