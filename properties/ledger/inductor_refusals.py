"""Valid arguments that torch's compiler refuses, where eager mode is right."""

from __future__ import annotations

import math

from properties.cases.case import Case
from properties.ledger.examples import convolution
from properties.ledger.inductor import refused
from properties.ledger.record import BACKENDS, OF_GRADIENTS
from properties.ledger.windows import of_one_size
from properties.subjects import Subject


@refused(
    "compiled-replicate-padding-before-convolution",
    ("conv2d_padded",),
    laws=OF_GRADIENTS,
    why="torch.nn.Conv2d: padding_mode 'replicate' is supported; eager mode, 'reflect', and one channel are right",
    example=Case(*convolution((1, 2, 1, 2), (1, 2, 1, 1), padding_mode="replicate")),
)
def _replicated_channels(case: Case, subject: Subject) -> bool:
    """The backward pass of a convolution of several channels with padding_mode='replicate' raises an AssertionError:
    the convolution's gradient lies in channels_last, where the padding's is assumed to be contiguous."""
    shape = case.shapes["input"]
    return case.arguments.get("padding_mode") == "replicate" and len(shape) == 4 and shape[1] > 1


@refused(
    "compiled-convolution-of-empty-batch",
    ("conv2d", "conv2d_padded", "conv_transpose2d"),
    laws=OF_GRADIENTS,
    why="torch.nn.Conv2d, Shape: N may be any number, and eager mode gives a gradient of zeros; one and three axes are "
    "right",
    example=Case(*convolution((0, 2, 1, 2), (1, 2, 1, 2))),
)
def _empty_batch_of_kernels(case: Case, subject: Subject) -> bool:
    """The backward pass of an empty batch raises an AssertionError: the gradient to a weight of several channels and
    elements lies in memory otherwise than the compiled code assumes."""
    weight = case.shapes["weight"]
    return case.shapes["input"][0] == 0 and weight[1] > 1 and math.prod(weight[2:]) > 1


@refused(
    "compiled-adaptive-max-pool-without-channels",
    ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    laws=("errors when compiled",),
    why="torch.nn.AdaptiveMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives an empty output",
    example=Case({"input": (0, 2)}, {"output_size": (2,)}, "normal"),
)
def _single_without_channels(case: Case, subject: Subject) -> bool:
    """An image of no channels without a batch raises 'Expected 3D or 4D tensor with optional 0 dim batch size' where
    all windows are of one size."""
    shape, output = case.shapes["input"], case.arguments["output_size"]
    return len(shape) == len(output) + 1 and shape[0] == 0 and set(output) != {1} and of_one_size(case)


@refused(
    "compiled-fractional-max-pool-without-channels",
    ("fractional_max_pool2d",),
    laws=("errors when compiled",),
    backends=BACKENDS,
    why="torch.nn.FractionalMaxPool2d, Shape: (C, H, W), of which C is any number; eager mode gives no elements",
    example=Case({"input": (0, 1, 1)}, {"kernel_size": (1, 1), "output_size": (1, 1)}, "normal"),
)
def _image_without_channels(case: Case, subject: Subject) -> bool:
    """An image of no channels without a batch raises 'Expected input to have non-zero size for non-batch
    dimensions': its shape is inferred before any backend is asked."""
    shape = case.shapes["input"]
    return len(shape) == 3 and shape[0] == 0


@refused(
    "compiled-loss-gradient-of-nothing",
    ("mse_loss", "smooth_l1_loss", "huber_loss"),
    laws=("gradients", "errors when compiled"),
    why="eager mode gives a gradient without elements, and the forward pass accepts it",
    example=Case({"input": (0, 1), "target": (0, 1)}, {}, "normal"),
)
def _mean_of_nothing(case: Case, subject: Subject) -> bool:
    """Compiled, the gradient of a mean of nothing raises ZeroDivisionError: 1/D is a number of Python's."""
    averaged = case.arguments.get("reduction", "mean") == "mean" and case.arguments.get("beta") != 0.0
    return averaged and 0 in case.shapes["input"]


@refused(
    "compiled-gaussian-nll-loss",
    ("gaussian_nll_loss",),
    laws=(),
    also=("errors when compiled",),
    devices=("cpu", "cuda"),
    backends=BACKENDS,
    upstream="https://github.com/pytorch/pytorch/issues/194503",
    why="torch.nn.GaussianNLLLoss: any variances that are not negative; eager mode is right",
    example=Case({"input": (2,), "target": (2,), "var": (2,)}, {}, "normal"),
)
def _variances_looked_at(case: Case, subject: Subject) -> bool:
    """In one graph, whether a variance is negative cannot be asked: 'Could not guard on data-dependent expression'."""
    return True
