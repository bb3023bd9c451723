"""ATen's losses of single elements."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case, Mixed
from properties.edges.special_terms import operands_of
from properties.edges.special_values import Special
from properties.ledger.record import WITH_GRADIENTS, known
from properties.operators import operator
from properties.subjects import Subject
from refimpl.arrays import Array
from refimpl.rounding import FORMATS, round_to


def _operand(name: str, loss: str, case: Case, subject: Subject) -> Array:
    """An operand's values."""
    return operator(loss).filled(name, case.shapes[name], case, subject.format)


def _exponent(case: Case, subject: Subject) -> float:
    """The largest finite −y·x of a soft margin loss, in units of the largest number's logarithm."""
    signs = operator("soft_margin_loss").given["target"](case, subject.format)
    z = -signs * _operand("input", "soft_margin_loss", case, subject)
    return float(z[np.isfinite(z)].max(initial=0.0) / np.log(subject.format.storage.largest))


def _bits(name: str, case: Mixed, subject: Subject) -> int:
    """How many bits the significands of an operand have."""
    return FORMATS[case.dtypes.get(name, subject.dtype)].storage.bits


@known(
    "soft-margin-loss-overflows",
    ("soft_margin_loss",),
    severity="silent wrong value",
    dtypes=("float64", "float32", "bfloat16"),
    why="torch.nn.SoftMarginLoss: log(1 + exp(−y·x)), which is hardly more than −y·x there; "
    "torch.nn.functional.softplus gives it",
    example=Case({"input": (2, 8)}, {"reduction": "none"}, "wide"),
)
def _overflowing(case: Case, subject: Subject) -> bool:
    """Where e^{−y·x} is past what the dtype holds, the loss is infinite, and its gradient NaN."""
    return _exponent(case, subject) > 1.0


@known(
    "weighted-mean-over-the-weights",
    ("mse_loss", "l1_loss"),
    severity="silent wrong value",
    upstream="https://github.com/pytorch/pytorch/pull/132049",
    why="torch.nn.functional.mse_loss: \"'mean': the mean of the output is taken\", as huber_loss and "
    "binary_cross_entropy with weights do; the review that changed huber_loss to that asked for it in these, too",
    chance="a sum of weighted terms may be zero",
    example=Case({"input": (3,), "target": (3,)}, {"weight": (2.0, 2.0, 2.0)}, "normal"),
)
def _weighted_mean(case: Case, subject: Subject) -> bool:
    """With weights the mean is the sum over the sum of the weights, not over the number of elements: weights that are
    all alike make no difference. Of no elements the gradient of the gradient is divided by zero, too."""
    weight, mean = case.arguments.get("weight"), case.arguments.get("reduction", "mean") == "mean"
    return weight is not None and mean and (np.sum(weight) != np.size(weight) or 0 in case.shapes["input"])


@known(
    "soft-margin-loss-second-gradient-vanishes",
    ("soft_margin_loss",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    why="the curvature of log(1 + e^z) is e^z/(1 + e^z)², hardly less than e^{−z} there, which the dtype holds",
    example=Case({"input": (3, 64)}, {"reduction": "mean"}, "wide", seed=237),
    chance="in 16 bits 1 − σ is off by as much as it is there, and so is what its product with σ may be off by",
)
def _squared(case: Case, subject: Subject) -> bool:
    """Where (1 + e^z)² is past what the dtype holds, z = −y·x, the curvature is taken for zero."""
    return _exponent(case, subject) > 0.5


@known(
    "binary-cross-entropy-second-gradient-adds-epsilon",
    ("binary_cross_entropy",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float64", "float32"),
    why="the first gradient of the same function is formed without it, and its derivative is (x² − 2·x·t + t)/"
    "(x·(1 − x))²; of float64 four digits are lost",
    example=Case({"input": (8, 65), "target": (8, 65)}, {}, "normal", seed=11),
)
def _moved(case: Case, subject: Subject) -> bool:
    """Gradients of gradients are formed with 10⁻¹² added to x and to 1 − x, which is more than a rounding."""
    x = _operand("input", "binary_cross_entropy", case, subject)
    return bool((np.minimum(x, 1.0 - x) * subject.format.storage.unit_roundoff < 1e-12).any())


@known(
    "binary-cross-entropy-gradient-overflows",
    ("binary_cross_entropy",),
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    dtypes=("float16",),
    why="the gradient, that divided by the number of elements, is a number of float16",
    example=Case({"input": (17, 65), "target": (17, 65)}, {"weight": (3.0,) * 65}, "normal", seed=11),
)
def _steep_slope(case: Case, subject: Subject) -> bool:
    """The slope, times the cotangent, is past what float16 holds before it meets a weight or is divided for a mean."""
    x, t = (_operand(name, "binary_cross_entropy", case, subject) for name in ("input", "target"))
    g = operator("binary_cross_entropy").cotangent(case, subject.format)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = g * (x - t) / (x * (1.0 - x)) * np.maximum(case.arguments.get("weight", 1.0), 1.0)
    last = case.arguments.get("reduction", "mean") != "mean" and "weight" not in case.arguments
    return not last and bool((np.abs(slope) > subject.format.storage.largest).any())


@known(
    "binary-cross-entropy-second-gradient-overflows",
    ("binary_cross_entropy",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float16",),
    why="the second gradient itself, that times the cotangent over the number of elements, is a number of float16",
    example=Case({"input": (3, 7), "target": (3, 7)}, {"reduction": "mean"}, "normal", seed=163),
)
def _steep(case: Case, subject: Subject) -> bool:
    """The curvature is past what float16 holds before it meets cotangent and direction, a weight, or the number of
    elements, or (x·(1 − x))² is zero there; where it is past that after all, infinity is right."""
    x, t = (_operand(name, "binary_cross_entropy", case, subject) for name in ("input", "target"))
    about, largest = operator("binary_cross_entropy"), subject.format.storage.largest
    g, h = about.cotangent(case, subject.format), about.directions(case, subject.format)["input"]
    squared, elements = (x * (1.0 - x)) ** 2, x.size if case.arguments.get("reduction", "mean") == "mean" else 1
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = [(x * x - 2.0 * x * t + t) / squared, np.abs(g * h), np.asarray(case.arguments.get("weight", 1.0))]
        made = [steps[0], steps[0] * steps[1], steps[0] * steps[1] * steps[2]]
    past = np.max(made, axis=0) > largest
    return bool(((past | (squared <= 2.0**-25)) & ~(made[2] / elements > largest)).any())


@known(
    "huber-loss-in-dtype-of-its-input",
    ("huber_loss",),
    severity="silent wrong value",
    laws=("one dtype",),
    dtypes=("float32",),
    upstream="https://github.com/pytorch/pytorch/issues/76870",
    why="torch.nn.HuberLoss: with delta 1 it 'is equivalent to SmoothL1Loss', which gives the wider dtype",
    example=Mixed({"input": (1,), "target": (1,)}, {}, "normal", dtypes={"target": "float64"}),
)
def _input_is_narrower(case: Case, subject: Subject) -> bool:
    """The loss of an input of a narrower dtype than its target's is rounded to that."""
    return isinstance(case, Mixed) and _bits("input", case, subject) < _bits("target", case, subject)


@known(
    "binary-cross-entropy-with-logits-in-dtype-of-its-target",
    ("binary_cross_entropy_with_logits",),
    severity="silent wrong value",
    laws=("one dtype",),
    devices=("cpu", "meta"),
    dtypes=("float32",),
    why="torch.Tensor: an operation on tensors of two dtypes has the wider one; where the target is the wider one, so "
    "has the loss",
    example=Mixed({"input": (1,), "target": (1,)}, {}, "normal", dtypes={"target": "float16"}),
)
def _target_is_narrower(case: Case, subject: Subject) -> bool:
    """The loss of a target of a narrower dtype than its input's is formed in that, in place of 1 − t."""
    return isinstance(case, Mixed) and _bits("target", case, subject) < _bits("input", case, subject)


@known(
    "kl-div-second-gradient-overflows",
    ("kl_div",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float16",),
    why="the derivative of the gradient to the target by the cotangent, log t + 1 − x, is a number of float16",
    example=Case({"input": (5,), "target": (5,)}, {"log_target": False}, "constant", seed=65534),
)
def _divided_direction(case: Case, subject: Subject) -> bool:
    """The direction is divided by a target that is nearly zero, past what float16 holds, and then multiplied by it."""
    if case.arguments.get("log_target"):
        return False
    h = operator("kl_div").directions(case, subject.format)["target"]
    with np.errstate(divide="ignore", invalid="ignore"):
        quotients = np.abs(h) / _operand("target", "kl_div", case, subject)
    return bool((quotients > subject.format.storage.largest).any())


@known(
    "poisson-nll-loss-epsilon-vanishes",
    ("poisson_nll_loss",),
    severity="silent wrong value",
    laws=("special terms",),
    dtypes=("float16",),
    why="torch.nn.PoissonNLLLoss: eps: 'Small value to avoid evaluation of log(0) when log_input = False'; the "
    "logarithm of 10⁻⁸ is a number of float16",
    example=Special({"input": (16,)}, {"log_input": False, "reduction": "none"}, "normal", palette="zeros", often=0.3),
)
def _logarithm_of_zero(case: Case, subject: Subject) -> bool:
    """The usual ε is zero in float16: the loss of a rate of zero is infinite, and those of the smallest are off."""
    if case.arguments.get("log_input", True) or case.arguments.get("eps", 1e-8) >= 2.0**-25:
        return False
    right, bound, seen, (x, _) = _of_epsilon("poisson_nll_loss", case, subject, 2.0**-500)  # as good as zero
    off = (np.abs(seen - right) > 0.75 * bound) | (x == 0.0).any()  # other roundings take the rest
    return bool((off & np.isfinite(right)).any())


def _of_epsilon(name: str, case: Case, subject: Subject, eps: float) -> tuple[Array, Array, Array, list[Array]]:
    """What a loss should be, how far it may be off, what it is of another ε, and its operands.

    What is not finite is replaced by a half in single terms, and makes a sum or a mean NaN.
    """
    loss, given = operator(name), case.arguments
    operands = operands_of(loss, case, subject.format)
    finite = np.logical_and.reduce([np.isfinite(values) for values in operands.values()])
    kept = {name: np.where(finite, values, 0.5) for name, values in operands.items()}
    near = loss.expected(kept, given, subject.format)["output"]
    single = given.get("reduction", "mean") == "none" or finite.all()
    right = near.values if single else np.full_like(near.values, np.nan)
    seen = np.asarray(loss.reference(*kept.values(), **{**given, "eps": eps}))
    return right, np.asarray(near.bound), seen, [*kept.values()]


@known(
    "gaussian-nll-loss-epsilon-in-float16",
    ("gaussian_nll_loss",),
    severity="silent wrong value",
    laws=("special terms",),
    dtypes=("float16",),
    upstream="https://github.com/pytorch/pytorch/issues/151110",
    why="torch.nn.GaussianNLLLoss: eps: 'value used to clamp var', a number of Python's; the mean, or the half of what "
    "is past float16, is a number of float16",
    example=Special({"input": (8,), "target": (8,), "var": (8,)}, {}, "normal", 8123, palette="zeros", often=0.05),
)
def _clamped_to_epsilon(case: Case, subject: Subject) -> bool:
    """The usual ε is subnormal in float16, and 1.3 % larger there: the loss of a variance of zero is off by as much, or
    infinite where a quotient by it is past what float16 holds before it is halved, or averaged."""
    eps = float(round_to(np.asarray(case.arguments.get("eps", 1e-6)), subject.format.storage))
    right, bound, seen, (x, t, v) = _of_epsilon("gaussian_nll_loss", case, subject, eps)
    past = (x - t) ** 2 / np.maximum(v, eps) > subject.format.storage.largest
    infinite = past if case.arguments.get("reduction") == "none" else past.any()
    off = np.abs(seen - right) > bound
    return bool(((off | infinite) & (np.abs(right) <= subject.format.storage.largest)).any())
