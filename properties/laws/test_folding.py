"""Folding: batch normalisation in evaluation is a scale and a shift, which a convolution before it can do."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict
from properties.worker.programs import rewrites
from refimpl.arrays import Array
from refimpl.bounds.normalization import given_statistics
from refimpl.expected import Expected
from refimpl.rounding import Computed, Format, round_to

EPS = 0.125


def convolves(operator: Operator) -> bool:
    """True if a bank of weights slides, or scatters."""
    return operator.has("kernel") or operator.has("transposed")


def statistics(channels: int, seed: int) -> dict[str, Array]:
    """Running mean and variance, scale and shift of each channel: numbers of few bits, the variances positive."""
    generator = np.random.default_rng(seed)
    draw = {name: generator.integers(-8, 9, channels) / 4.0 for name in ("running_mean", "scale", "shift")}
    return {**draw, "running_var": generator.integers(1, 9, channels) / 4.0}


def folded(
    weight: Array, bias: Array | None, given: dict[str, Array], groups: int, turned: bool, format: Format
) -> tuple[Computed, Computed]:
    """``w·s`` and ``(b − μ)·s + β`` with ``s = γ/√(v + ε)`` of each output channel, each operation rounded."""
    mean, var, gamma, beta = (
        Computed.operand(given[name], format) for name in ("running_mean", "running_var", "scale", "shift")
    )
    scale = given_statistics(mean, var, EPS)[1].map(np.ravel) * gamma
    if turned:  # (inputs, outputs of a group, *kernel)
        each = len(weight) // groups
        spread = scale.map(lambda v: np.repeat(v.reshape(groups, -1), each, axis=0)[..., *[None] * (weight.ndim - 2)])
    else:
        spread = scale.map(lambda v: v.reshape(-1, *(1,) * (weight.ndim - 1)))
    centered = Computed.operand(np.zeros(len(scale.value)) if bias is None else bias, format) - mean
    return Computed.operand(weight, format) * spread, centered * scale + beta


@law("folded normalisation", covers=convolves, on=lambda subject: subject.plain, exact=False, share=lambda subject: 0.1)
def test_folding(operator: Operator, subject: Subject, case: Case) -> None:
    """A convolution with folded weight and bias is the layer, and torch folds them as the formula says."""
    operands, groups = operator.operands(case, subject.format), case.arguments["groups"]
    turned = operator.has("transposed")
    channels = operator.output_shape(case)[-operator.axes - 1]
    given = statistics(channels, case.seed)
    made = folded(operands["weight"], operands.get("bias"), given, groups, turned, subject.format)
    wanted = dict(zip(("output", "bias"), map(Expected.of, made), strict=True))
    weights = {name: values for name, values in operands.items() if name != "input"}
    arguments = {"eps": EPS, "transpose": turned}
    if not subject.kernels:
        verdict(subject.run(rewrites.folded, {**weights, **given}, arguments), wanted, subject)
    rounded = {name: subject_values(part, subject) for name, part in zip(("weight", "bias"), made, strict=True)}
    layer = {"input": operands["input"], **rounded}
    outcome = subject.run(operator.program, layer, case.arguments)
    verdict(outcome, operator.expected(layer, case.arguments, subject.format), subject)


def subject_values(computed: Computed, subject: Subject) -> Array:
    """What a result is in a subject's storage."""
    return round_to(computed.value, subject.format.storage)
