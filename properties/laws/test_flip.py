"""Flip equivalence: convolution is cross-correlation with a flipped kernel (S2, S8)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, cases
from properties.engine.law import law
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected, exactly
from properties.verdicts.verdict import verdict
from refimpl import convolution
from refimpl.bounds import convolution as bounds
from refimpl.rounding import Computed, round_to


@law("flip equivalence", covers=lambda operator: operator.has("kernel"), systems=("S2", "S8"))
def test_flip_equivalence(operator: Operator, subject: Subject, case: Case) -> None:
    """The layer, given the flipped kernel, computes the convolution of the loops, which never flip an array."""
    operands = operator.operands(case, subject.format)
    flipped = {**operands, "weight": convolution.flip(operands["weight"])}
    outcome = subject.run(operator.program, flipped, case.arguments)
    computed = bounds.convolve(*(Computed.operand(v, subject.format) for v in operands.values()), **case.arguments)
    verdict(outcome, {"output": Expected.within(computed)}, subject)


@st.composite
def sequences(draw: st.DrawFn) -> Geometry:
    """Two images of any sizes."""
    a, b, h, w = (draw(st.integers(1, 9)) for _ in range(4))
    return {"f": (a, b), "g": (h, w)}, {}


@law("convolution commutes", cases=cases(sequences()), systems=("S2",))
def test_commutes(subject: Subject, case: Case) -> None:
    """f∗g = g∗f, and both are the layer's output for a flipped kernel and padding k − 1."""
    case = case.with_integers()
    f, g = (case.tensor(name, shape, subject.format) for name, shape in case.shapes.items())
    product = convolution.convolve_sequences(f, g)
    assert np.array_equal(product, convolution.convolve_sequences(g, f))
    for image, kernel in ((f, g), (g, f)):
        operands = {"input": image[None, None], "weight": convolution.flip(kernel[None, None])}
        padding = tuple(k - 1 for k in kernel.shape)
        outcome = subject.run(operator("conv2d").program, operands, {"padding": padding})
        verdict(outcome, exactly(round_to(product[None, None], subject.format.storage)), subject)
