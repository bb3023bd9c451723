"""Invalid arguments that torch's compiler accepts, where eager mode raises."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case, kernel_size
from properties.ledger.inductor import compiled
from properties.ledger.record import COMPILED, known
from properties.ledger.rules import accepted
from properties.ledger.windows import adaptive_axes, of_many_sizes
from properties.operators import operator
from properties.operators.constraints import Invalid
from properties.operators.unpooling_constraints import elements_of, outside
from properties.subjects import Subject
from properties.worker.call import INDUCTOR


@compiled(
    "compiled-adaptive-average-of-nothing",
    ("adaptive_avg_pool1d", "adaptive_avg_pool2d"),
    severity="missing error",
    laws=("errors when compiled",),
    modes=("compiled",),
    why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected input to "
    "have non-zero size for non-batch dimensions', as three axes do when compiled",
    operator="adaptive_avg_pool2d",
    example=Case({"input": (1, 1, 0, 1)}, {"output_size": (2, 2)}, "normal"),
)
def _means_of_nothing(case: Case, subject: Subject) -> bool:
    """Means of an axis without elements are accepted where none is asked for, and where windows differ in size and
    several of nothing are, which are made up."""
    axes = adaptive_axes(case)
    none_wanted = min(count for _, count in axes) == 0
    return any(size == 0 for size, _ in axes) and (none_wanted or of_many_sizes(case))


@compiled(
    "dynamic-adaptive-average-of-nothing",
    ("adaptive_avg_pool2d",),
    severity="missing error",
    laws=("errors when compiled",),
    modes=("dynamic",),
    why="torch.nn.AdaptiveAvgPool2d: every output is the mean of some elements; eager mode raises 'Expected input to "
    "have non-zero size for non-batch dimensions', as symbolic code does where some are asked for",
    example=Case({"input": (1, 1, 0, 1)}, {"output_size": (None, None)}, "normal"),
)
def _nothing_kept(case: Case, subject: Subject) -> bool:
    """Means of an axis without elements are accepted where None asks for as many of them."""
    output = case.arguments["output_size"]
    return any(not size and wanted is None for size, wanted in zip(case.shapes["input"][-2:], output, strict=True))


@compiled(
    "compiled-fractional-empty-kernel",
    ("fractional_max_pool2d", "fractional_max_pool3d"),
    severity="missing error",
    laws=("errors when compiled",),
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/pull/190475",
    why="torch.nn.FractionalMaxPool2d: kernel_size is 'the size of the window to take a max over'; both should refuse "
    "it alike",
    example=Case({"input": (1, 1, 1, 1)}, {"kernel_size": (-1, 1), "output_size": (1, 1)}, "normal"),
)
def _window_of_nothing(case: Case, subject: Subject) -> bool:
    """A kernel of less than one element is accepted in eager mode, and fails within the compiler (InductorError)."""
    return min(case.arguments["kernel_size"]) < 1


@accepted(
    "compiled-unpooling-index-beyond-the-plane",
    ("max_unpool1d", "max_unpool2d", "max_unpool3d"),
    "indices lie in the output",
    devices=("cpu",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    why="torch.nn.MaxUnpool1d: 'the indices given out by MaxPool1d', which are of its channel; eager mode raises",
    example=({"input": (1, 3)}, {"kernel_size": (1,), "padding": (0,), "stride": (1,)}),
    seed=2,
)
def _in_another_channel(case: Case, subject: Subject) -> bool:
    """Compiled, an index beyond its channel is used as one of the whole output, from its end where negative."""
    indices, elements = outside(case), elements_of(case)
    channels = math.prod(indices.shape[: -len(kernel_size(case))])
    at = int(np.flatnonzero(indices)[0])
    of_all = at // (indices.size // channels) * elements + int(indices.flat[at])
    return -channels * elements <= of_all < channels * elements


@known(
    "compiled-linear-output-broadcast-to-bias",
    ("linear",),
    severity="missing error",
    laws=("rejection", "errors when compiled"),
    devices=("cpu", "cuda"),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/195579",
    why="torch.nn.functional.linear, Shape: 'Bias: (out_features) or ()'; eager mode raises",
    example=Invalid(
        {"input": (1, 1), "weight": (1, 1), "bias": (2,)}, {}, violated="bias has one value per output"
    ),
)  # fmt: skip
def _several_biases_of_one_row(case: Case, subject: Subject) -> bool:
    """A single output is broadcast to a bias of several elements, so that the result has another shape."""
    # The output is of a single row; a bias of no elements does so, too.
    shapes = case.shapes
    other = shapes.get("bias", (1,)) not in ((), (1,)) and shapes["weight"][0] == 1
    return other and math.prod(shapes["input"][:-1]) == 1


@accepted(
    "compiled-unfold-negative-padding",
    ("unfold",),
    "padding is at least 0",
    laws=("rejection", "errors when compiled"),
    devices=("cpu",),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    why="torch.nn.Unfold: padding is 'implicit zero padding to be added on both sides of input'; eager mode raises",
    example=(
        {"input": (1, 3, 3)}, {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (-1, 0), "stride": (1, 1)}
    ),
)  # fmt: skip
def _negative_padding(case: Case, subject: Subject) -> bool:
    """Compiled, a negative padding is accepted."""
    return min(case.arguments["padding"]) < 0


@accepted(
    "compiled-smooth-l1-loss-of-negative-beta",
    ("smooth_l1_loss",),
    "beta is not negative",
    laws=("rejection", "errors when compiled"),
    devices=("cpu",),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/194501",
    why="torch.nn.SmoothL1Loss: beta: 'The value must be non-negative'; eager mode raises",
    example=({"input": (1,), "target": (1,)}, {"beta": -1.0}),
)  # fmt: skip
def _negative_beta(case: Case, subject: Subject) -> bool:
    """Compiled, a negative beta is accepted."""
    return float(case.arguments.get("beta", 1.0)) < 0.0


@accepted(
    "compiled-celu-alpha",
    ("celu",),
    "alpha is not zero",
    devices=("cpu", "cuda"),
    dtypes=("float32",),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/183762",
    why="torch.nn.CELU: the formula divides by alpha; eager mode raises",
    example=({"input": (2,)}, {"alpha": 0.0}),
)
def _celu_of_zero(case: Case, subject: Subject) -> bool:
    """Compiled, alpha = 0 is accepted."""
    return True


@compiled(
    "compiled-binary-cross-entropy-of-no-probabilities",
    ("binary_cross_entropy",),
    severity="missing error",
    laws=("errors when compiled",),
    upstream="https://github.com/pytorch/pytorch/issues/193757",
    why="torch.nn.BCELoss: 'the targets y should be numbers between 0 and 1'; eager mode raises",
    example=Case({"input": (2, 1), "target": (2, 1)}, {}, "normal"),
)
def _no_probabilities(case: Case, subject: Subject) -> bool:
    """Compiled, inputs and targets that are no probabilities are accepted."""
    shapes = case.shapes
    given = operator("binary_cross_entropy").any_operands(case, subject.format)
    outside = any(bool(((values < 0.0) | (values > 1.0)).any()) for values in given.values())
    return outside and shapes["input"] == shapes["target"]


@compiled(
    "compiled-interpolation-to-nothing",
    ("interpolate_linear", "interpolate_bicubic"),
    severity="missing error",
    laws=("errors when compiled",),
    operator="interpolate_bicubic",
    upstream="https://github.com/pytorch/pytorch/issues/197095",
    why="torch.nn.functional.interpolate: eager mode raises 'Input and output sizes should be greater than 0'",
    example=Case({"input": (2, 3, 2, 3)}, {"mode": "bicubic", "align_corners": True, "size": (6, 0)}, "normal"),
)
def _interpolates_to_nothing(case: Case, subject: Subject) -> bool:
    """Compiled, an output size of zero is accepted with aligned corners, whether it is given or a scale's."""
    given, sizes = case.arguments, case.shapes["input"][2:]
    size = given.get("size") or [int(n * s) for n, s in zip(sizes, given.get("scale_factor", ()), strict=False)]
    return bool(given.get("align_corners")) and 0 in size and 0 not in sizes


@compiled(
    "compiled-nll-loss-of-smaller-target",
    ("nll_loss", "cross_entropy"),
    severity="missing error",
    laws=("errors when compiled",),
    why="torch.nn.NLLLoss, Shape: input (N, C, d_1, …), target (N, d_1, …); eager mode raises 'size mismatch', and so, "
    "with other numbers of axes, does compiled code",
    operator="nll_loss",
    example=Case({"input": (1, 1, 2, 1)}, {"target": (((0,),),)}, "normal"),
)
def _target_within_input(case: Case, subject: Subject) -> bool:
    """Compiled, a target of images is accepted that has fewer rows or columns than the input, whose others are left
    out."""
    sizes, target = case.shapes["input"], np.shape(case.arguments["target"])
    if len(sizes) != 4 or len(target) != 3 or target[0] != sizes[0]:
        return False
    # With smoothed labels the sum over all classes has the size of the image, to which the target is broadcast.
    smoothed = bool(case.arguments.get("label_smoothing"))
    axes = zip(target[1:], sizes[2:], strict=True)
    fits = all(wanted in (1, size) if smoothed else wanted <= size for wanted, size in axes)
    return fits and target[1:] != sizes[2:]
