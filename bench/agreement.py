"""Does a recipe compute the same? One of its steps, held against the loops within the bound (S18–S20, S23)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from bench.lenet import Training
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import Diverged, shares
from refimpl import lenet
from refimpl.arrays import Array
from refimpl.rounding import FORMATS, Computed

_known: dict[tuple[bytes, ...], dict[str, Expected]] = {}


@dataclass(frozen=True)
class Agreement:
    """The largest error of a recipe's first step as a share of its bound, and the seconds that the step took.

    What the step compiled is in its seconds. The share is None where no bound holds.
    """

    worst_share: float | None
    first_step_seconds: float


def first_step(training: Training, lr: float, bounded: bool = True) -> Agreement:
    """Take a training's first step; raise Diverged unless loss and parameters are within float32's bound.

    ``bounded`` False: the layers compute in 16 bits, where the bound through twelve layers grows past any number and
    proves nothing; the step is then taken and timed only.
    """
    images, labels = next(iter(training.train_batches))
    expected = {}
    if bounded:
        expected = _expected(_parameters(training), _array(images), labels.cpu().numpy(), lr)
    start = time.perf_counter()
    loss_sum, _, examples = training.step(images, labels)
    seconds = time.perf_counter() - start
    seen = {"loss": np.asarray(loss_sum / examples), **_parameters(training)}
    worst = {name: float(shares(seen[name], should.values, should.bound).max()) for name, should in expected.items()}
    if beyond := [f"{name} by {share:.3g} times its bound" for name, share in worst.items() if not share <= 1]:
        raise Diverged(f"a step differs from the loops': {', '.join(beyond)}")
    return Agreement(max(worst.values(), default=None), seconds)


def _expected(parameters: dict[str, Array], images: Array, labels: Array, lr: float) -> dict[str, Expected]:
    """The loss and the parameters after a step of the loops; worked out once for recipes that start alike."""
    key = (*(p.tobytes() for p in parameters.values()), images.tobytes(), labels.tobytes(), str(lr).encode())
    if key not in _known:
        format = FORMATS["float32"]
        operands = {name: Computed.operand(p, format) for name, p in parameters.items()}
        after, loss = lenet.step(operands, Computed.operand(images, format), labels, lr, lenet.COMPUTED)
        _known[key] = {"loss": Expected.within(loss), **{name: Expected.within(p) for name, p in after.items()}}
    return _known[key]


def _parameters(training: Training) -> dict[str, Array]:
    return {name: _array(p) for name, p in training.model.named_parameters()}


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().cpu().double().numpy().copy()
