"""Learning a kernel: gradient descent finds the edge detector from its output (S7)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from properties.engine.law import law
from properties.laws.test_worked_examples import EDGE, EDGE_KERNEL
from properties.operators import operator
from properties.subjects import Subject
from properties.verdicts import tally
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, verdict
from properties.worker import programs
from refimpl import convolution
from refimpl.arrays import Array
from refimpl.bounds import convolution as bounds
from refimpl.bounds import loss as loss_bounds
from refimpl.rounding import Computed, Format, round_to

X, Y = EDGE[None, None], convolution.corr2d(EDGE, EDGE_KERNEL)[None, None]
STEPS, LR = 10, 3e-2
SGD = operator("sgd")


def expected_loss(weight: Array, format: Format) -> tuple[Computed, Computed]:
    """The loss and its gradient to the weight, with their bounds: ``Σ(y − Y)²`` and ``∂y = 2(y − Y)``."""
    x, w, target = (Computed.operand(values, format) for values in (X, weight, Y))
    y = bounds.cross_correlate(x, w)
    cotangent = loss_bounds.squared_error_gradient(y, target)
    return loss_bounds.squared_error(y, target), bounds.convolution_gradients(cotangent, x, w)[1]


@law(
    "kernel learning", on=lambda subject: subject.plain, cases=st.integers(0, 2**16 - 1), systems=("S7",), examples=(0,)
)
def test_kernel_learning(subject: Subject, case: int) -> None:
    """Loss, gradient and step agree with the loops ten times over, and the loss falls at every step.

    The error in the weight shrinks by 1 − lr·λ along each eigenvector of the Hessian 2·Σ p·pᵀ over the image's
    patches p, with λ = 60 and 12: by −0.8 and 0.64, so the loss falls to 0.64 of itself or less, and ten steps
    leave 0.64²⁰ of the slow part of it.
    """
    weight = round_to(np.random.default_rng(case).uniform(-0.7, 0.7, (1, 1, 1, 2)), subject.format.storage)
    losses, weights = [], []
    for _ in range(STEPS):
        outcome = subject.run(
            programs.convolution.squared_error_of_convolution,
            {"weight": weight, "input": X, "target": Y},
            {},
            np.ones(()),
        )
        total, gradient = expected_loss(weight, subject.format)
        verdict(outcome, {"output": Expected.within(total)}, subject)
        verdict(outcome, {"weight": Expected.within(gradient)}, subject, "gradients")
        losses.append(float(np.asarray(outcome.outputs["output"].values)))
        operands = {"parameter": weight, "gradient": np.asarray(outcome.gradients["weight"].values)}
        arguments = {"lr": LR, "weight_decay": 0.0}
        stepped = subject.run(SGD.program, operands, arguments)
        verdict(stepped, SGD.expected(operands, arguments, subject.format), subject)
        weight = np.asarray(stepped.outputs["output"].values)
        weights.append(weight.reshape(-1).tolist())
    holds(losses == sorted(set(losses), reverse=True), f"the loss does not fall at every step: {losses}")
    tally.figure("kernel-learning", {"loss": losses, "weight": weights})
