"""ATen's and oneDNN's activations in pieces, and those with exponentials on one side."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.few_values import FewValues
from properties.edges.special_values import Special
from properties.ledger.aten_activation import lanes
from properties.ledger.record import OF_ALL_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.subjects import SIXTEEN_BITS, Subject
from properties.subjects.devices import instructions
from properties.worker.call import PLAIN, Setting
from properties.worker.layouts import LAYOUTS
from refimpl.arrays import Array
from refimpl.bounds import smooth_activation as bounds
from refimpl.rounding import Computed

AT_NAN = (
    "no document says what the gradient at NaN is, but it is one function of one number: equal elements of a tensor "
)
OF_VALUES = tuple(law for law in OF_ALL_GRADIENTS if law != "special gradients")  # which looks at places alone
CLAMPED, EXPONENTIAL = ("relu6", "hardtanh", "hardshrink", "softshrink"), ("elu", "selu", "celu", "hardswish")


def _around_the_tail(case: Case, subject: Subject, vector: int) -> Array:
    """The cotangents of NaN that stand in whole vectors, two at a time, and behind them, too."""
    x, g = (case.tensor(name, case.shapes["input"], subject.format).reshape(-1) for name in ("input", "cotangent"))
    step = 2 * vector if subject.dtype in SIXTEEN_BITS else {"float32": vector, "float64": vector // 2}[subject.dtype]
    odd, whole = np.isnan(x), np.arange(x.size) < x.size - x.size % step
    bits = g.view(np.int64)
    return np.intersect1d(bits[odd & whole], bits[odd & ~whole]).view(np.float64)


@known(
    "clamped-gradient-at-nan-depends-on-vector",
    CLAMPED,
    severity="wrong gradient",
    laws=("equal elements",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/195075",
    why=AT_NAN + "have the gradient 0 in whole vectors, and the cotangent behind them",
    example=FewValues({"input": (65,)}, {}, "normal", 3, palette="nan"),
)
def _clamped_at_nan(case: Case, subject: Subject) -> bool:
    """Whole vectors compare by the opposite of what the elements behind them do, which at NaN are both false: there the
    gradient of a clamped element is zero in the ones, and the cotangent in the others."""
    return bool((_around_the_tail(case, subject, lanes()) != 0.0).any())


@known(
    "exponential-gradient-at-nan-depends-on-vector",
    EXPONENTIAL,
    severity="wrong gradient",
    laws=("equal elements",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/195075",
    why=AT_NAN + "have the gradient NaN in whole vectors, and the cotangent behind them",
    example=FewValues({"input": (65,)}, {}, "normal", 8, palette="nan"),
)
def _exponential_at_nan(case: Case, subject: Subject) -> bool:
    """Whole vectors compare by the opposite of what the elements behind them do, which at NaN are both false: there the
    gradient is NaN in the ones, and the cotangent, perhaps scaled, in the others."""
    return not np.isnan(_around_the_tail(case, subject, lanes(widest=True))).all()


@known(
    "hardsigmoid-gradient-by-a-sixth-in-float32",
    ("hardsigmoid",),
    severity="wrong gradient",
    laws=OF_VALUES,
    dtypes=("float64",),
    modes=("eager",),
    why="torch.nn.Hardsigmoid: the slope is 1/6; eight of sixteen digits are right, as the output's are not",
    example=Case({"input": (1,)}, {}, "normal"),
)
def _a_sixth(case: Case, subject: Subject) -> bool:
    """In float64 the gradient is multiplied by the sixth of float32, 0.16666667163372."""
    x = case.tensor("input", case.shapes["input"], subject.format)
    return bool((np.abs(x) < 3.0).any())


@known(
    "shrinkage-gradient-at-zero-of-no-threshold",
    ("hardshrink", "softshrink"),
    severity="wrong gradient",
    laws=OF_ALL_GRADIENTS,
    upstream="https://github.com/pytorch/pytorch/issues/80803",
    why="torch.nn.Hardshrink, torch.nn.Softshrink: with λ = 0 both are the identity, whose slope is 1",
    chance="an element that is zero may meet a cotangent or a direction that is zero, too",
    example=Case({"input": (9,)}, {"lambd": 0.0}, "ties"),
)
def _shrinkage_by_nothing(case: Case, subject: Subject) -> bool:
    """With λ = 0 the gradient at x = 0 is zero, as within a band from −λ to λ."""
    tiers = (case, case.with_integers())
    zeros = any((tier.tensor("input", case.shapes["input"], subject.format) == 0.0).any() for tier in tiers)
    return bool(case.arguments.get("lambd") == 0.0) and zeros


@known(
    "hardswish-of-minus-infinity-is-nan",
    ("hardswish",),
    severity="silent wrong value",
    laws=("special rows", "special gradients", "layouts"),
    why="torch.nn.Hardswish: 0 if x ≤ −3; hardsigmoid of −∞ is 0",
    example=Special({"input": (1,)}, {}, "normal", 0, palette="all -inf"),
)
def _minus_infinity(case: Case, subject: Subject) -> bool:
    """It is formed as x·min(max(x + 3, 0), 6)/6: −∞ times zero is NaN."""
    return bool((case.tensor("input", case.shapes["input"], subject.format) == -np.inf).any())


@known(
    "prelu-second-gradient-at-zero",
    ("prelu",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    why="autograd: the gradient at x = 0 is w·g, linear in w and in g; its own gradients are those of another function",
    example=Case({"input": (9,), "weight": (1,)}, {}, "ties"),
)
def _prelu_at_zero(case: Case, subject: Subject) -> bool:
    """The gradient takes zero for negative and the gradients of the gradient take it for positive: to the cotangent
    that is h in place of w·h, and to the weight the element is left out."""
    tiers = (case, case.with_integers())
    return any((tier.tensor("input", case.shapes["input"], subject.format) == 0.0).any() for tier in tiers)


@known(
    "mish-second-gradient-of-large-elements",
    ("mish",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float64", "float32", "bfloat16"),
    why="torch.nn.Mish: x·tanh(softplus(x)) is x there, whose second derivative is zero; so it is for x = 80",
    example=Case({"input": (9,)}, {}, "wide"),
)
def _mish(case: Case, subject: Subject) -> bool:
    """Where e^x is past the largest number, the gradients of the gradient are NaN."""
    x = case.tensor("input", case.shapes["input"], subject.format)
    return bool((x > np.log(subject.format.accumulator.largest)).any())


@known(
    "tanhshrink-gradient-of-infinite-cotangent",
    ("tanhshrink",),
    severity="wrong gradient",
    laws=("special gradients",),
    why="torch.nn.Tanhshrink: the slope is tanh² x, and ∞ times it is ∞",
    example=Special({"input": (9,)}, {}, "normal", 0, palette="inf", often=0.3),
)
def _tanhshrink_of_infinite_cotangent(case: Case, subject: Subject) -> bool:
    """The gradient is formed as ∞ − ∞·(1 − tanh² x), which is NaN."""
    x, g = (case.tensor(name, case.shapes["input"], subject.format) for name in ("input", "cotangent"))
    return bool((np.isinf(g) & np.isfinite(x) & (x != 0.0)).any())


@known(
    "softsign-gradient-of-infinite-cotangent",
    ("softsign",),
    severity="wrong gradient",
    laws=("special gradients",),
    why="torch.nn.Softsign: the slope is 1/(1 + |x|)², and ∞ times it is ∞",
    example=Special({"input": (9,)}, {}, "normal", 0, palette="inf", often=0.3),
)
def _softsign_of_infinite_cotangent(case: Case, subject: Subject) -> bool:
    """By the rule of quotients two terms are infinite, and their difference is NaN; at zero, ∞ is multiplied by the
    slope of |x|."""
    x, g = (case.tensor(name, case.shapes["input"], subject.format) for name in ("input", "cotangent"))
    return bool((np.isinf(g) & np.isfinite(x)).any())


@lossy(
    "softsign-in-storage",
    ("softsign",),
    why=OPMATH + "sigmoid, tanh and GELU do so",
    example=Case({"input": (2, 8)}, {}, "normal", seed=1),
)
def _softsign(case: Case, subject: Subject) -> bool:
    """It is three operations, |x|, 1 + |x| and the quotient, each rounded to the 16-bit storage; so are those of its
    gradient."""
    return True


@lossy(
    "tanhshrink-in-storage",
    ("tanhshrink",),
    why=OPMATH + "sigmoid, tanh and GELU do so",
    example=Case({"input": (2, 8)}, {}, "normal", seed=1),
)
def _tanhshrink(case: Case, subject: Subject) -> bool:
    """The tanh is rounded to the 16-bit storage before it is subtracted from x, and so are the two terms of the
    gradient."""
    return True


by_seven_digits = partial(
    known,
    dtypes=("float32",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/198183",
    why="torch.nn.GELU: x·Φ(x); torch.erf is right to 2 ulp, but GELU is formed with another, the approximation 7.1.26 "
    "of Abramowitz and Stegun, which is off by up to 1.5e-7: near zero, GELU is off by 4u of itself",
    chance="the last bits of ATen's and oneDNN's approximations differ, and few elements may be near their bound",
)


@by_seven_digits(
    "gelu-by-erf-of-seven-digits",
    ("gelu",),
    severity="silent wrong value",
    lacking="avx512_f",  # with which oneDNN takes a better one
    example=Case({"input": (17, 33)}, {}, "normal"),
)
@by_seven_digits(
    "gelu-by-erf-of-seven-digits-without-onednn",
    ("gelu",),
    severity="silent wrong value",
    laws=("flags", "layouts"),
    having="avx512_f",
    example=Case({"input": (17, 33)}, {}, "normal", setting=Setting(onednn=False)),
)
def _gelu(case: Case, subject: Subject) -> bool:
    """The error function is approximated to seven digits after the point, so that near zero few of its digits are
    right: the result is off by more than its three roundings explain."""
    if case.arguments.get("approximate", "none") != "none":
        return False
    right, _, x, erf = _approximated(case, subject)
    onednn = "avx512_f" not in instructions()
    # The rest of the bound is taken by three roundings: of 17,743 normal elements that broke it, the approximation was
    # off by more than 0.6 of it in all but 256, near where its own error changes sign.
    off = np.abs(0.5 * x * (1.0 + erf) - right.value) > 0.6 * right.off
    return bool((off & (onednn if _by_onednn(case) else _in_whole_vectors(case, "input"))).any())


@by_seven_digits(
    "gelu-gradient-by-erf-of-seven-digits",
    ("gelu",),
    severity="wrong gradient",
    laws=OF_VALUES,
    example=Case({"input": (17, 33)}, {}, "normal"),
)
def _gelu_gradient(case: Case, subject: Subject) -> bool:
    """The error function of the slope is approximated to seven digits after the point, too: the gradient is off by more
    than its roundings explain."""
    if case.arguments.get("approximate", "none") != "none":
        return False
    _, right, x, erf = _approximated(case, subject)
    slope = 0.5 * (1.0 + erf) + x * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    roundings = right.off + subject.format.accumulator.unit_roundoff * np.abs(right.value)  # the product's is the last
    # Of 2,000 cases, 969 diverged, all of them among the 1,445 where the approximation is off by more than 0.6 of it.
    off = np.abs(slope - right.value) > 0.6 * roundings
    return bool((off & (_by_onednn(case) or _in_whole_vectors(case, "input", "cotangent"))).any())


@known(
    "gelu-of-infinity-is-nan",
    ("gelu",),
    severity="silent wrong value",
    laws=("special rows",),
    dtypes=("float32", "bfloat16"),
    modes=("eager",),
    having="avx512_f",
    upstream="https://github.com/pytorch/pytorch/issues/185770",
    why="torch.nn.GELU: x·Φ(x), which is x there; without oneDNN it is, and so it is with AVX2 and in float16",
    example=Special({"input": (2,)}, {}, "normal", palette="inf", often=1.0),
)
def _gelu_of_infinity(case: Case, subject: Subject) -> bool:
    """With AVX-512 oneDNN makes NaN of +∞."""
    infinite = case.tensor("input", case.shapes["input"], subject.format) == np.inf
    return case.arguments.get("approximate", "none") == "none" and _by_onednn(case) and bool(infinite.any())


def _approximated(case: Case, subject: Subject) -> tuple[Computed, Computed, Array, Array]:
    """What GELU and its slope should be, the elements that they are of, and the approximation of the error function."""
    x = case.tensor("input", case.shapes["input"], subject.format)
    x = np.where(np.abs(x) < 8.0, x, 0.0)  # beyond it erf is one
    right, slope, _ = bounds.gelu(Computed.operand(x, subject.format))
    return right, slope, x, _approximate_erf(x * float(np.float32(np.sqrt(0.5))))


def _by_onednn(case: Case) -> bool:
    """True if oneDNN computes it, and not ATen."""
    shape, setting = case.shapes["input"], case.setting or PLAIN
    return setting.onednn and math.prod(shape) > 1 and LAYOUTS[case.layout("input")](torch.empty(shape)).is_contiguous()


def _in_whole_vectors(case: Case, *names: str) -> Array:
    """The elements that ATen computes in whole vectors, two at a time: none where operands lie in different orders."""
    shape, layouts = case.shapes["input"], [case.layout(name) for name in names]
    count = math.prod(shape)
    alike = ["contiguous" if layout == "expanded" else layout for layout in layouts if layout != "scalar"]
    laid = [LAYOUTS[layout](torch.arange(count).view(shape)) for layout in alike or ["contiguous"]]
    orders = {tuple(s for s, size in zip(t.stride(), shape, strict=True) if size > 1) for t in laid}
    odd = "strided" in layouts or len(orders) > 1 or (not alike and len(layouts) > 1)
    whole = 0 if odd else count - count % lanes(widest=True)
    first = laid[0].as_strided((whole,), (1,), laid[0].storage_offset())
    return np.isin(np.arange(count), first).reshape(shape)


def _approximate_erf(x: Array) -> Array:
    """Abramowitz and Stegun, 7.1.26, in float32 with fused multiplications and additions."""

    def single(values: Array) -> Array:
        return values.astype(np.float32).astype(np.float64)

    x = single(x)
    t = single(1.0 / single(1.0 + single(np.asarray(0.3275911)) * np.abs(x)))
    sum_ = single(np.asarray(1.061405429))
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = single(sum_ * t + single(np.asarray(coefficient)))
    power = single(np.exp(-single(x * x)))
    return np.copysign(single(1.0 - single(t * power) * sum_), x)
