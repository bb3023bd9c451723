"""ATen's shuffles of channels and positions."""

from __future__ import annotations

import torch
from torch._prims_common import suggest_memory_format

from properties.cases.case import Case
from properties.ledger.record import COMPILED, WITH_GRADIENTS, known
from properties.operators import operator
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import INDUCTOR, Setting
from properties.worker.layouts import LAYOUTS

UPSTREAM = "https://github.com/pytorch/pytorch/pull/192816"


@known(
    "pixel-unshuffle-of-nothing-keeps-shape",
    ("pixel_unshuffle",),
    severity="wrong shape",
    dtypes=(*FLOATS, *INTEGERS),
    upstream=UPSTREAM,
    also=("whatever the batch", "errors when compiled"),
    why="torch.nn.PixelUnshuffle, Shape: the formula gives another shape, and meta that of the formula",
    example=Case({"input": (0, 1, 2, 2)}, {"downscale_factor": 2}, "normal"),
)
def _unshuffles_nothing(case: Case, subject: Subject) -> bool:
    """An input of no elements is given back as it is."""
    return 0 in case.shapes["input"] and case.arguments["downscale_factor"] != 1


@known(
    "pixel-shuffle-gradient-of-nothing",
    ("pixel_shuffle",),
    severity="valid arguments rejected",
    laws=(*WITH_GRADIENTS, "gradient of moved elements"),
    upstream=UPSTREAM,
    why="torch.nn.PixelShuffle: there is an output of no elements, whose gradient has none",
    example=Case({"input": (0, 4, 1, 1)}, {"upscale_factor": 2}, "normal"),
)
def _gradient_of_nothing(case: Case, subject: Subject) -> bool:
    """The gradient of an input of no elements is formed by pixel_unshuffle, which keeps the shape, and so refused."""
    return 0 in case.shapes["input"] and case.arguments["upscale_factor"] != 1


@known(
    "pixel-shuffle-refuses-channels-last-3d",
    ("pixel_shuffle", "pixel_unshuffle"),
    severity="valid arguments rejected",
    laws=("layouts",),
    dtypes=(*FLOATS, *INTEGERS),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/133665",
    why="torch.nn.PixelShuffle, Shape: any axes may lead, and strides are no part of a tensor's value",
    example=Case(
        {"input": (1, 2, 4, 1, 2)}, {"upscale_factor": 2}, "normal", setting=Setting({"input": "channels_last"})
    ),
)
def _of_five_axes(case: Case, subject: Subject) -> bool:
    """An input of five axes in channels_last, or a cotangent, raises 'Unsupported memory format'."""
    x = case.shapes["input"]
    name = "pixel_shuffle" if "upscale_factor" in case.arguments else "pixel_unshuffle"
    shapes = {"input": x} if subject.integral else {"input": x, "cotangent": operator(name).output_shape(case)}
    laid = (LAYOUTS[case.layout(n)](torch.empty(shape, device="meta")) for n, shape in shapes.items())
    return len(x) == 5 and 0 not in x and torch.channels_last_3d in map(suggest_memory_format, laid)


@known(
    "compiled-channel-shuffle-shares-memory",
    ("channel_shuffle",),
    severity="silent wrong value",
    dtypes=(*FLOATS, *INTEGERS),
    modes=COMPILED,
    backends=(INDUCTOR,),
    upstream="https://github.com/pytorch/pytorch/issues/61645",
    why="eager mode gives a tensor of its own, so that to write to the output changes no input",
    example=Case({"input": (2, 2, 3)}, {"groups": 1}, "normal"),
)
def _shuffles_nothing(case: Case, subject: Subject) -> bool:
    """Compiled, a contiguous input of which nothing is shuffled, having one group or one channel in each, is given back
    as it is."""
    shape = case.shapes["input"]
    x = LAYOUTS[case.layout("input")](torch.empty(shape, device="meta"))
    return 0 not in shape and case.arguments["groups"] in (1, shape[1]) and x.is_contiguous()
