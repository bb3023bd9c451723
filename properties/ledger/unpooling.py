"""Max unpooling: valid arguments that the backward pass rejects."""

from __future__ import annotations

import math

import torch

from properties.cases.case import Case
from properties.ledger.channels_last import passes_for_channels_last
from properties.ledger.record import Divergence
from properties.operators import operator
from properties.subjects import FLOATS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS

UNPOOLING = ("max_unpool1d", "max_unpool2d", "max_unpool3d")


def _indices_that_no_view_flattens(case: Case, subject: Subject) -> bool:
    """Whether the spatial axes of the indices do not lie in memory as one."""
    shape, axes = case.shapes["input"], len(case.arguments["kernel_size"])
    indices = LAYOUTS[case.layout("indices")](torch.empty(shape))
    try:
        indices.view(*shape[:-axes], math.prod(shape[-axes:]))
    except RuntimeError:
        return True
    return False


def _plane_for_channels(case: Case, subject: Subject) -> bool:
    """Whether unbatched indices of planes pass for channels_last, and an incoming gradient that does is no one axis."""
    shape, (planes, rows, columns) = case.shapes["input"], operator("max_unpool3d").output_shape(case)[-3:]
    unbatched = len(shape) == 4 and passes_for_channels_last(case, "indices", shape)
    return unbatched and planes > 1 and rows * columns > 1


def _nothing_to_unpool(case: Case, subject: Subject) -> bool:
    """Whether the batch is empty."""
    return 0 in case.shapes["input"]


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="max-unpool-gradient-of-scattered-indices",
        severity="valid arguments rejected",
        operators=UNPOOLING,
        laws=("layouts",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_indices_that_no_view_flattens,
        what="the backward pass raises 'view size is not compatible' for indices whose spatial axes do not lie in "
        "memory as one; the forward pass takes them",
        why="torch.nn.MaxUnpool2d: no layout is asked for; strides are no part of a tensor's value",
        upstream="https://github.com/pytorch/pytorch/issues/154341",
        operator="max_unpool2d",
        example=Case(
            shapes={"input": (1, 1, 2, 2)},
            arguments={"kernel_size": (1, 1), "padding": (0, 0)},
            setting=Setting({"indices": "transposed"}),
        ),
    ),
    Divergence(
        id="max-unpool3d-gradient-unbatched-channels-last",
        severity="valid arguments rejected",
        operators=("max_unpool3d",),
        laws=("layouts",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_plane_for_channels,
        what="where unbatched indices lie in memory as channels_last does, planes for channels, the backward pass "
        "copies the incoming gradient to lie so and raises 'view size is not compatible'; the forward pass takes them",
        why="torch.nn.MaxUnpool3d, Shape: (C, D, H, W) is an image; no layout is asked for",
        upstream="https://github.com/pytorch/pytorch/issues/154341",
        operator="max_unpool3d",
        example=Case(
            shapes={"input": (1, 2, 1, 1)},
            arguments={"kernel_size": (1, 1, 2), "padding": (0, 0, 0)},
            setting=Setting({"indices": "odd units"}),
        ),
    ),
    Divergence(
        id="max-unpool-second-gradient-of-nothing",
        severity="valid arguments rejected",
        operators=UNPOOLING,
        laws=("gradients of gradients",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_nothing_to_unpool,
        what="the gradient of an empty batch has no graph, though one was asked for, and differentiating it raises",
        why="torch.autograd.grad: with create_graph, the graph of the derivative will be constructed; max pooling of "
        "an empty batch has one",
        upstream=None,
        operator="max_unpool1d",
        example=Case(shapes={"input": (0, 1, 1)}, arguments={"kernel_size": (1,), "padding": (0,)}),
    ),
)
