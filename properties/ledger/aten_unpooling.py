"""ATen's max unpooling."""

from __future__ import annotations

import functools
import math

import torch

from properties.cases.case import Case
from properties.ledger.memory_formats import passes_for_channels_last
from properties.ledger.record import known
from properties.ledger.rules import accepted, has_no_channels, needs_channels_in_a_batch
from properties.operators import operator
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS

UNPOOLING = ("max_unpool1d", "max_unpool2d", "max_unpool3d")
WINDOW = {"kernel_size": (1,), "padding": (0,), "stride": (1,)}


@known(
    "max-unpool-gradient-of-scattered-indices",
    UNPOOLING,
    severity="valid arguments rejected",
    laws=("layouts",),
    upstream="https://github.com/pytorch/pytorch/issues/154341",
    why="torch.nn.MaxUnpool2d: no layout is asked for; strides are no part of a tensor's value",
    operator="max_unpool2d",
    example=Case(
        {"input": (1, 1, 2, 2)},
        {"kernel_size": (1, 1), "padding": (0, 0)},
        setting=Setting({"indices": "transposed"}),
    ),
)
def _indices_that_no_view_flattens(case: Case, subject: Subject) -> bool:
    """The backward pass raises 'view size is not compatible' for indices whose spatial axes do not lie in memory as
    one; the forward pass accepts them."""
    shape, axes = case.shapes["input"], len(case.arguments["kernel_size"])
    indices = LAYOUTS[case.layout("indices")](torch.empty(shape))
    try:
        indices.view(*shape[:-axes], math.prod(shape[-axes:]))
    except RuntimeError:
        return True
    return False


@known(
    "max-unpool3d-gradient-unbatched-channels-last",
    UNPOOLING[2:],
    severity="valid arguments rejected",
    laws=("layouts",),
    upstream="https://github.com/pytorch/pytorch/issues/154341",
    why="torch.nn.MaxUnpool3d, Shape: (C, D, H, W) is an image; no layout is asked for",
    example=Case(
        {"input": (1, 2, 1, 1)},
        {"kernel_size": (1, 1, 2), "padding": (0, 0, 0)},
        setting=Setting({"indices": "odd units"}),
    ),
)
def _depth_for_channels(case: Case, subject: Subject) -> bool:
    """Where unbatched indices lie in memory as channels_last does, with depth in place of channels, the backward pass
    copies the incoming gradient into that order and raises 'view size is not compatible'; the forward pass accepts
    them."""
    shape, (depth, rows, columns) = case.shapes["input"], operator("max_unpool3d").output_shape(case)[-3:]
    unbatched = len(shape) == 4 and passes_for_channels_last(case, "indices", shape)
    return unbatched and depth > 1 and rows * columns > 1


@known(
    "max-unpool-second-gradient-of-nothing",
    UNPOOLING,
    severity="valid arguments rejected",
    laws=("gradients of gradients",),
    why="torch.autograd.grad: with create_graph, the graph of the derivative will be constructed; max pooling of an "
    "empty batch has one",
    example=Case({"input": (0, 1, 1)}, {"kernel_size": (1,), "padding": (0,)}),
)
def _nothing_to_unpool(case: Case, subject: Subject) -> bool:
    """The gradient of an empty batch has no graph, though one was asked for, and differentiating it raises."""
    return 0 in case.shapes["input"]


@needs_channels_in_a_batch(
    "max-unpool-without-channels-depends-on-batch",
    UNPOOLING,
    example=Case({"input": (1, 0, 2)}, {"kernel_size": (2,), "padding": (0,)}, "normal"),
)
def _no_channels(case: Case, subject: Subject) -> bool:
    return has_no_channels(case)


ignored = functools.partial(
    accepted, integers_in_empty_batch=True, upstream="https://github.com/pytorch/pytorch/issues/73154"
)
"""Register an argument of the max pooling that is undone, of which only the output's size depends on it."""
POOLED = "torch.nn.MaxUnpool1d: {} of the pooling that is undone, and torch.nn.MaxPool1d demands this"
ADDED = POOLED.format("padding is 'padding that was added'")


@ignored(
    "unpooling-empty-kernel",
    UNPOOLING,
    "kernel_size is at least 1",
    what="the kernel is used for the output's size alone, and not checked",
    why=POOLED.format("kernel_size is 'size of the window'"),
    example=({"input": (1, 3)}, WINDOW | {"kernel_size": (0,)}),
)
@ignored(
    "unpooling-stride",
    UNPOOLING[:2],
    "stride is at least 1",
    what="the stride is used for the output's size alone, and not checked",
    why=POOLED.format("stride is 'stride of the window'"),
    example=({"input": (1, 1)}, WINDOW | {"stride": (0,)}),
)
@ignored(
    "unpooling-negative-padding",
    UNPOOLING,
    "padding is at least 0",
    why=ADDED,
    example=({"input": (1, 3)}, WINDOW | {"padding": (-1,)}),
)
@ignored(
    "unpooling-much-padding",
    UNPOOLING,
    "padding is at most half of the kernel",
    why=ADDED,
    example=({"input": (1, 5)}, WINDOW | {"padding": (1,)}),
)
def _whatever_it_is(case: Case, subject: Subject) -> bool:
    """The padding is used for the output's size alone, and not checked."""
    return True


@accepted(
    "unpooling-padding-values",
    UNPOOLING[:2],
    "padding has one value per axis",
    integers_in_empty_batch=True,
    why="torch.nn.MaxUnpool1d: padding is an integer or a tuple, one value for each axis; max_unpool3d raises",
    example=({"input": (1, 3)}, WINDOW | {"padding": (0, 0)}),
)
def _padding_values(case: Case, subject: Subject) -> bool:
    """A padding of more values than axes is accepted, and the rest ignored."""
    return True
