"""Equivariance: what is done to the operands is done to the output (S1, S3, S17)."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case, snug
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict
from refimpl.arrays import Array


def has_window(operator: Operator) -> bool:
    """True if a window slides, of a bank of kernels or of a pooling."""
    return operator.has("window")


@law("mirror images", covers=has_window, systems=("S1", "S2"))
def test_mirror_images(operator: Operator, subject: Subject, case: Case) -> None:
    """Input and kernel mirrored along every axis give the mirrored output, where the last window ends at the border."""
    case = snug(case)
    operands = operator.operands(case, subject.format)

    def mirror(values: Array) -> Array:
        return np.flip(values, tuple(range(-operator.axes, 0))) if values.ndim > operator.axes else values

    expected = operator.expected(operands, case.arguments, subject.format)["output"].map(mirror)
    mirrored = {name: mirror(values) for name, values in operands.items()}
    verdict(subject.run(operator.program, mirrored, case.arguments), {"output": expected}, subject)


@law("exchanged axes", covers=lambda operator: has_window(operator) and operator.axes > 1)
def test_exchanged_axes(operator: Operator, subject: Subject, case: Case) -> None:
    """Operands with rows and columns exchanged, and the window's arguments too, give the output with them exchanged."""
    operands = operator.operands(case, subject.format)

    def exchange(values: Array) -> Array:
        return values.swapaxes(-1, -2) if values.ndim > operator.axes else values

    expected = operator.expected(operands, case.arguments, subject.format)["output"].map(exchange)
    exchanged = {name: exchange(values) for name, values in operands.items()}
    arguments = {
        name: (*value[:-2], value[-1], value[-2]) if isinstance(value, tuple) else value
        for name, value in case.arguments.items()
    }
    verdict(subject.run(operator.program, exchanged, arguments), {"output": expected}, subject)


def shuffled(case: Case, blocks: int, size: int) -> Array:
    """An order of ``blocks·size`` elements, chosen by the case's seed, that leaves every block of ``size`` in place."""
    order = np.random.default_rng(case.seed).permutation(size)
    return (order + size * np.arange(blocks)[:, None]).ravel()


@law("shuffled batch", covers=lambda operator: operator.batched)
def test_shuffled_batch(operator: Operator, subject: Subject, case: Case) -> None:
    """A batch in another order gives the outputs in that order."""
    axes, case = operator.example(case), operator.in_batch(case, (4,))
    operands, order = operator.operands(case, subject.format), shuffled(case, 1, 4)
    expected = operator.expected(operands, case.arguments, subject.format)
    shuffle = {name: values[order] if name in axes else values for name, values in operands.items()}
    outcome = subject.run(operator.program, shuffle, case.arguments)
    verdict(outcome, {name: e.map(lambda values: values[order]) for name, e in expected.items()}, subject)


@law("shuffled channels", covers=lambda operator: operator.has("pooling"), systems=("S17",))
def test_shuffled_channels(operator: Operator, subject: Subject, case: Case) -> None:
    """Channels pooled in another order give the outputs in that order."""
    operands = operator.operands(case, subject.format)
    axis = operands["input"].ndim - operator.axes - 1
    order = shuffled(case, 1, operands["input"].shape[axis])
    expected = operator.expected(operands, case.arguments, subject.format)
    shuffle = {name: np.take(values, order, axis) for name, values in operands.items()}
    outcome = subject.run(operator.program, shuffle, case.arguments)
    verdict(
        outcome, {name: e.map(lambda values: np.take(values, order, axis)) for name, e in expected.items()}, subject
    )


@law("shuffled kernels", covers=lambda operator: operator.has("kernel"), systems=("S12", "S13"))
def test_shuffled_kernels(operator: Operator, subject: Subject, case: Case) -> None:
    """Input channels may be shuffled with the weight's, in every group alike; shuffled kernels shuffle the output's."""
    operands, axis, groups = operator.operands(case, subject.format), -operator.axes - 1, case.arguments["groups"]
    outputs, inputs = operands["weight"].shape[:2]
    incoming, outgoing = shuffled(case, groups, inputs), shuffled(case, groups, outputs // groups)
    expected = operator.expected(operands, case.arguments, subject.format)["output"]
    shuffle = {name: values[outgoing] for name, values in operands.items() if name != "input"}
    shuffle["weight"] = shuffle["weight"][:, incoming[:inputs]]
    shuffle = {"input": np.take(operands["input"], incoming, axis), **shuffle}
    outcome = subject.run(operator.program, shuffle, case.arguments)
    verdict(outcome, {"output": expected.map(lambda values: np.take(values, outgoing, axis))}, subject)
