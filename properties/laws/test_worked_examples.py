"""The chapter's worked examples: every number that it prints (S4–S6, S10–S13, S15, S16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from properties.engine.law import law
from properties.operators import operator
from properties.session import law_tests, recording
from properties.subjects import Subject
from properties.verdicts import evidence, tally
from properties.verdicts.expected import exactly
from properties.verdicts.verdict import holds, same_shape, tensor, verdict
from refimpl import convolution, loss, pooling
from refimpl.arrays import Array

CONV2D = operator("conv2d")
NINE = np.arange(9.0).reshape(3, 3)
KERNEL = np.array([[0.0, 1.0], [2.0, 3.0]])
EDGE = np.ones((6, 8))
EDGE[:, 2:6] = 0.0
EDGE_KERNEL = np.array([[1.0, -1.0]])
CHANNELS = np.stack([NINE, NINE + 1.0])
CHANNEL_KERNELS = np.stack([KERNEL, KERNEL + 1.0])
SIXTEEN = np.arange(16.0).reshape(1, 1, 4, 4)


@dataclass(frozen=True)
class Example:
    """A call and what the chapter says that it gives; ``loops`` is the same call to the references."""

    system: str
    operator: str
    operands: dict[str, Array]
    arguments: dict[str, Any]
    printed: Array
    loops: Callable[[], Array]

    def __str__(self) -> str:
        return f"{self.system}-{self.operator}"


def _convolution(system: str, x: Array, weight: Array, printed: Any, bias: float | None = None) -> Example:
    """x: (C_in, H, W); weight: (C_out, C_in, A, B); printed: (C_out, …)."""
    operands = {"input": x, "weight": weight} | ({} if bias is None else {"bias": np.array([bias])})
    return Example(
        system, "conv2d", operands, {}, np.array(printed, dtype=float),
        lambda: convolution.cross_correlate(x, weight, operands.get("bias")),
    )  # fmt: skip


def _pooling(system: str, name: str, x: Array, arguments: dict[str, Any], printed: Any) -> Example:
    """x: (N, C, H, W); printed: (H', W') of the single image and channel."""
    loops = {
        "max_pool2d": lambda: pooling.max_pool(x, **arguments)[0],
        "avg_pool2d": lambda: pooling.average_pool(x, **arguments),
    }
    return Example(system, name, {"input": x}, arguments, np.array(printed, dtype=float)[None, None], loops[name])


def _pool2d(name: str, mode: str, printed: Any) -> Example:
    """The chapter's own function on its image of nine pixels; printed: (H', W')."""
    return Example(
        "S15", name, {"input": NINE[None, None]}, TWO, np.array(printed, dtype=float)[None, None],
        lambda: pooling.pool2d(NINE, (2, 2), mode)[None, None],
    )  # fmt: skip


ONE_CHANNEL = (NINE[None], KERNEL[None, None])
TWO = {"kernel_size": (2, 2), "stride": 1}
THREE = {"kernel_size": (3, 3), "padding": (1, 1), "stride": (2, 2)}
ODD = {"kernel_size": (2, 3), "stride": (2, 3), "padding": (0, 1)}
EXAMPLES = (
    _convolution("S4", *ONE_CHANNEL, [[[19, 25], [37, 43]]]),
    _convolution("S5", *ONE_CHANNEL, [[[20, 26], [38, 44]]], bias=1.0),
    _convolution("S12", CHANNELS, CHANNEL_KERNELS[None], [[[56, 72], [104, 120]]]),
    _convolution(
        "S13", CHANNELS, np.stack([CHANNEL_KERNELS, CHANNEL_KERNELS + 1, CHANNEL_KERNELS + 2]),
        [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]],
    ),
    _pool2d("max_pool2d", "max", [[4, 5], [7, 8]]),
    _pool2d("avg_pool2d", "avg", [[2, 3], [5, 6]]),
    _pooling("S16", "max_pool2d", SIXTEEN, THREE, [[5, 7], [13, 15]]),
    _pooling("S16", "max_pool2d", SIXTEEN, ODD, [[5, 7], [13, 15]]),
)  # fmt: skip


def _worked(item: pytest.Item, subject: Subject, example: Example) -> evidence.Result:
    title = "The loops and torch give the numbers that the chapter prints"
    return recording.describe("worked example", title, operator(example.operator), subject, (example.system,), item)


@law_tests.described_by(_worked)
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example, subject: Subject, request: pytest.FixtureRequest) -> None:
    """The loops and the subject give the numbers that the chapter prints."""
    result = _worked(request.node, subject, example)

    def attempt() -> None:
        result.tally.begin_case()
        trial = law_tests.trial(subject, result, request.node)
        assert np.array_equal(example.loops(), example.printed)
        outcome = trial.run(operator(example.operator).program, example.operands, example.arguments)
        verdict(outcome, exactly(example.printed), trial)

    recording.record(result, subject, request.node, attempt)


# System, kernel, arguments and output of the chapter's 8×8 image.
SHAPES = (
    ("S10", (3, 3), {"padding": (1, 1)}, (8, 8)),
    ("S10", (5, 3), {"padding": (2, 1)}, (8, 8)),
    ("S11", (3, 3), {"padding": (1, 1), "stride": (2, 2)}, (4, 4)),
    ("S11", (3, 5), {"padding": (0, 1), "stride": (3, 4)}, (2, 2)),
)


def _printed(item: pytest.Item, subject: Subject, system: str, **about: Any) -> evidence.Result:
    title = "A convolution of an 8×8 image has the shape that the chapter prints"
    return recording.describe("printed shape", title, CONV2D, subject, (system,), item)


@law_tests.described_by(_printed)
@pytest.mark.parametrize(("system", "kernel", "arguments", "printed"), SHAPES)
def test_printed_shape(
    system: str, kernel: Any, arguments: Any, printed: Any, subject: Subject, request: pytest.FixtureRequest
) -> None:
    """A convolution of the chapter's 8×8 image has the shape that the chapter prints."""
    result = _printed(request.node, subject, system)

    def attempt() -> None:
        result.tally.begin_case()
        trial = law_tests.trial(subject, result, request.node)
        x, weight = np.ones((1, 8, 8)), np.ones((1, 1, *kernel))
        assert convolution.cross_correlate(x, weight, **arguments).shape == (1, *printed)
        same_shape(trial.run(CONV2D.program, {"input": x, "weight": weight}, arguments), (1, *printed))

    recording.record(result, subject, request.node, attempt)


@law("edge detection", systems=("S6",))
def test_edge_detection(subject: Subject) -> None:
    """The kernel [1, −1] finds the vertical edges of S6's image, and none in the transposed image."""
    found = np.tile([0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0], (6, 1))
    for image, expected in ((EDGE, found), (EDGE.T, np.zeros((8, 5)))):
        operands = {"input": image[None], "weight": EDGE_KERNEL[None, None]}
        assert np.array_equal(convolution.corr2d(image, EDGE_KERNEL), expected)
        verdict(subject.run(CONV2D.program, operands), exactly(expected[None]), subject)
    tally.figure(
        "edge-detection",
        {
            "image": EDGE.tolist(),
            "kernel": EDGE_KERNEL.tolist(),
            "output": found.tolist(),
            "transposed_output": np.zeros((8, 5)).tolist(),
        },
    )


@law("accuracy is a share", systems=("S21",))
def test_accuracy(subject: Subject) -> None:
    """The chapter's accuracy is the share of the rows that the subject counts as correct."""
    logits, target = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0]]), (1, 1, 0)
    counted = tensor(subject.run(operator("accuracy").program, {"input": logits}, {"target": target}))
    share = loss.accuracy(logits, np.array(target))
    holds(share == counted / 3, f"{counted} of 3 rows are counted, but their share is {share}")
