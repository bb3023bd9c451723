"""Further arguments that torch takes against its own documentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from properties.cases.case import Case, kernel_size
from properties.ledger.missing import violates
from properties.ledger.record import COMPILED, MODES, Divergence
from properties.operators.constraints import Invalid
from properties.operators.unpooling_constraints import elements_of, outside
from properties.subjects import FLOATS, INTEGERS, Subject

UNPOOLING = ("max_unpool1d", "max_unpool2d", "max_unpool3d")
FRACTIONAL = ("fractional_max_pool2d", "fractional_max_pool3d")
Holds = Callable[[Case, Subject], bool]


def taken(
    id: str, operators: tuple[str, ...], rule: str, what: str, why: str, shapes: dict[str, Any],
    arguments: dict[str, Any], holds: Holds | None = None, upstream: str | None = None,
    devices: tuple[str, ...] = ("cpu", "meta"), dtypes: tuple[str, ...] = FLOATS,
    modes: tuple[str, ...] = MODES, seed: int = 0,
    laws: tuple[str, ...] = ("rejection",), having: str | None = None,
    severity: str = "missing error", fixed: str | None = None,
) -> Divergence:  # fmt: skip
    """Arguments that break a rule and raise nothing; the example is of the first operator.

    A law of cases that are not said to break a rule is asked about by ``holds`` alone.
    """

    def broken(case: Case, subject: Subject) -> bool:
        return violates(rule)(case, subject) or (len(laws) > 1 and not isinstance(case, Invalid))

    return Divergence(
        id=id,
        severity=severity,
        operators=operators,
        laws=laws,
        devices=devices,
        dtypes=dtypes,
        holds=(lambda case, subject: broken(case, subject) and holds(case, subject)) if holds else broken,
        what=what,
        why=why,
        upstream=upstream,
        modes=modes,
        having=having,
        fixed=fixed,
        operator=operators[0],
        example=Invalid(shapes=shapes, arguments=arguments, seed=seed, violated=rule),
    )


def _negative_padding(case: Case, subject: Subject) -> bool:
    """Whether some padding is below zero."""
    return min(case.arguments["padding"]) < 0


def _weight_of_nothing(case: Case, subject: Subject) -> bool:
    """Whether there is no row, and a weight of an axis too many."""
    return math.prod(case.shapes["input1"][:-1]) == 0 and len(case.shapes["weight"]) == 4


def _to_one_beyond(case: Case, subject: Subject) -> bool:
    """Whether an input of too many axes is averaged to one element along each of the last."""
    x, output = case.shapes["input"], case.arguments["output_size"]
    sizes = zip(x[-len(output) :], output, strict=False)
    return len(x) > len(output) + 2 and all((size if wanted is None else wanted) == 1 for size, wanted in sizes)


def _fits_with_room(case: Case, subject: Subject) -> bool:
    """Whether windows fit; in three dimensions one place less is taken (fractional-max-pool3d...)."""
    kernel, output = kernel_size(case), case.arguments["output_size"]
    sizes = zip(case.shapes["input"][-len(kernel) :], kernel, output, strict=True)
    return len(kernel) == 2 or all(k + out - 1 < size for size, k, out in sizes)


def _infers_a_plane(case: Case, subject: Subject) -> bool:
    """Whether the shape of planes is inferred."""
    return subject.device == "meta" and len(kernel_size(case)) == 2


def _of_no_negative_size(case: Case, subject: Subject) -> bool:
    """Whether the ratio gives sizes that a tensor can have."""
    ratio = case.arguments["output_ratio"]
    return all(int(size * r) >= 0 for size, r in zip(case.shapes["input"][-len(ratio) :], ratio, strict=True))


def _something_left_elsewhere(case: Case, subject: Subject) -> bool:
    """Whether an axis other than the empty one has elements left, and none has fewer than none."""
    amounts, x = case.arguments["padding"], case.shapes["input"]
    sides = [amounts[2 * axis : 2 * axis + 2] for axis in range(len(amounts) // 2)]
    left = [x[-1 - axis] + sum(side) for axis, side in enumerate(sides[: len(x)])]
    return min(left, default=1) == 0 < max(left)


def _in_another_plane(case: Case, subject: Subject) -> bool:
    """Whether the one index that lies outside its plane of the output is of the whole output all the same."""
    indices, elements = outside(case), elements_of(case)
    planes = math.prod(indices.shape[: -len(kernel_size(case))])
    at = int(np.flatnonzero(indices)[0])
    of_all = at // (indices.size // planes) * elements + int(indices.flat[at])
    return -planes * elements <= of_all < planes * elements


def _of_integers(entry: Divergence) -> Divergence:
    """The same of integers, for which pooling is not implemented, where there is nothing to be computed."""
    shapes = {name: (0, 1, *shape[1:]) for name, shape in entry.example.shapes.items()}
    return replace(
        entry,
        id=f"{entry.id}-of-integers",
        devices=("cpu",),
        dtypes=INTEGERS,
        holds=lambda case, subject: entry.holds(case, subject) and case.shapes["input"][0] == 0,
        example=replace(entry.example, shapes=shapes),
    )


MAX_POOLING = "{} of the pooling that is undone, and torch.nn.MaxPool1d demands this"
IGNORED = "the {} is never looked at but for the output's size"
ADDED = "padding is 'padding that was added'"
MAX_OF = "kernel_size is 'the size of the window to take a max over'"
RATIO = (
    "torch.nn.functional.fractional_max_pool2d: output_ratio 'has to be a number or tuple in the range (0, 1)', which "
)
WINDOW: dict[str, Any] = {"kernel_size": (1,), "padding": (0,), "stride": (1,)}

POOLING: tuple[Divergence, ...] = (
    *(
        taken(
            f"unpooling-{id}", operators, rule, IGNORED.format(name),
            "torch.nn.MaxUnpool1d: " + MAX_POOLING.format(said), {"input": (1, size)}, WINDOW | arguments,
            upstream="https://github.com/pytorch/pytorch/issues/73154",
        )
        for id, operators, rule, name, said, size, arguments in (
            ("empty-kernel", UNPOOLING, "kernel_size is at least 1", "kernel", "kernel_size is 'size of the window'", 3,
             {"kernel_size": (0,)}),
            ("stride", UNPOOLING[:2], "stride is at least 1", "stride", "stride is 'stride of the window'", 1,
             {"stride": (0,)}),
            ("negative-padding", UNPOOLING, "padding is at least 0", "padding", ADDED, 3, {"padding": (-1,)}),
            ("much-padding", UNPOOLING, "padding is at most half of the kernel", "padding", ADDED, 5,
             {"padding": (1,)}),
        )
    ),
    taken(
        "unpooling-padding-values", UNPOOLING[:2], "padding has one value per axis",
        "a padding of more values than axes is taken, and the rest ignored",
        "torch.nn.MaxUnpool1d: padding is an integer or a tuple, one value for each axis; max_unpool3d raises",
        {"input": (1, 3)}, WINDOW | {"padding": (0, 0)},
    ),
    taken(
        "fractional-empty-kernel", FRACTIONAL[::-1], "kernel_size is at least 1",
        "a kernel of zero or less is taken: the maxima of nothing are -inf, and their indices lie beyond the input",
        "torch.nn.FractionalMaxPool2d: " + MAX_OF + "; the backward pass fails on such indices with an internal "
        "assertion", {"input": (1, 2, 2, 2)}, {"kernel_size": (0, 1, 1), "output_size": (1, 1, 1)},
        lambda case, subject: _fits_with_room(case, subject) and not _infers_a_plane(case, subject),
        "https://github.com/pytorch/pytorch/pull/190475", modes=("eager",), fixed="2.14.1",
    ),
    taken(
        "fractional-ratio-of-all", FRACTIONAL[:1], "output_ratio is below 1", "a ratio of 1 is taken",
        RATIO + "the layer checks", {"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (1.0, 1.0)},
    ),
)  # fmt: skip

ENTRIES: tuple[Divergence, ...] = (
    *POOLING,
    *map(_of_integers, POOLING),
    taken(
        "adaptive-average-to-one-of-any-rank", ("adaptive_avg_pool2d", "adaptive_avg_pool3d"),
        "the input has its axes with a batch, or without",
        "an input of more axes is taken where the output is one element",
        "torch.nn.AdaptiveAvgPool2d, Shape: (N, C, H, W) or (C, H, W); with any other output size, as in adaptive max "
        "pooling, it raises",
        {"input": (1, 1, 1, 1, 1)}, {"output_size": (1, 1)}, _to_one_beyond,
    ),
    taken(
        "fractional-empty-kernel-in-inference", FRACTIONAL[:1], "kernel_size is at least 1",
        "from a kernel of zero or less shapes are inferred",
        "torch.nn.FractionalMaxPool2d: " + MAX_OF + "; on a CPU torch 2.14.1 refuses it, and over three axes in "
        "inference too", {"input": (1, 2, 2)}, {"kernel_size": (0, 1), "output_size": (1, 1)}, _fits_with_room,
        "https://github.com/pytorch/pytorch/pull/190475", devices=("meta",), modes=("eager",),
    ),
    taken(
        "fractional-ratio-of-none", FRACTIONAL, "output_ratio is above 0", "a ratio that gives size 0 is taken",
        RATIO + "the layer checks", {"input": (1, 2, 2)}, {"kernel_size": (1, 1), "output_ratio": (0.0, 0.0)},
        _of_no_negative_size, dtypes=FLOATS + INTEGERS,
    ),
    taken(
        "negative-label-smoothing", ("cross_entropy",), "label_smoothing is at least 0",
        "a negative label smoothing is taken, and ignored",
        "torch.nn.CrossEntropyLoss: label_smoothing is 'a float in [0.0, 1.0]'; one above 1 raises",
        {"input": (1, 2)}, {"target": (0,), "label_smoothing": -0.1},
        upstream="https://github.com/pytorch/pytorch/issues/134767",
    ),
    taken(
        "replication-of-no-elements", ("replication_pad",), "something is left",
        "amounts that leave nothing of one axis are taken where they leave something of another",
        "torch.nn.ReplicationPad2d: 'the output dimensions must remain positive'; with one axis it raises",
        {"input": (1, 1, 1)}, {"padding": (0, -1, 0, 0)}, _something_left_elsewhere,
        "https://github.com/pytorch/pytorch/pull/184254", dtypes=FLOATS + INTEGERS, laws=("rejection", "zero sizes"),
        fixed="2.14.1",
    ),
    taken(
        "circle-of-more-than-is-left", ("circular_pad",), "a circle is of at most what is left",
        "where one side is cropped and the other takes more than is left, elements of the output are memory that was "
        "never written", "torch.nn.CircularPad2d: 'values at the end are used to pad the beginning', and 'the ends of "
        "the tensor get removed'; where nothing is cropped, more than there is raises",
        {"input": (1, 3)}, {"padding": (-3, 1)}, upstream="https://github.com/pytorch/pytorch/issues/176254",
        dtypes=FLOATS + INTEGERS, severity="silent wrong value",
    ),
    taken(
        "bilinear-weight-of-nothing", ("bilinear",), "weight has an axis for outputs and for both inputs",
        "a weight of an axis more is taken where there is nothing to be multiplied",
        "torch.nn.functional.bilinear, Shape: weight (out_features, in1_features, in2_features); one row raises",
        {"input1": (0, 1), "input2": (0, 1), "weight": (1, 1, 1, 1)}, {}, _weight_of_nothing, dtypes=FLOATS + INTEGERS,
    ),
    taken(
        "compiled-unpooling-index-beyond-the-plane", UNPOOLING, "indices lie in the output",
        "compiled, an index that is not of its plane is taken for one of the whole output, from its end where negative",
        "torch.nn.MaxUnpool1d: 'the indices given out by MaxPool1d', which are of its plane; eager mode raises",
        {"input": (1, 3)}, WINDOW, _in_another_plane, devices=("cpu",), modes=COMPILED, seed=2,
    ),
    taken(
        "meta-softmax-axis", ("softmax",), "dim is an axis", "on the meta device any axis is taken",
        "torch.nn.functional.softmax: dim is 'a dimension along which softmax will be computed'; eager mode raises, as "
        "log_softmax does on the meta device", {"input": (2,)}, {"dim": 1}, devices=("meta",), dtypes=("float32",),
    ),
    *(
        taken(
            f"{id}-unfold-negative-padding", ("unfold",), "padding is at least 0",
            f"{where} a negative padding is taken",
            "torch.nn.Unfold: padding is 'implicit zero padding to be added on both sides of input'; eager mode raises",
            {"input": (1, 3, 3)}, {"kernel_size": (1, 1), "dilation": (1, 1), "padding": (-1, 0), "stride": (1, 1)},
            _negative_padding, devices=(device,), dtypes=("float32",), modes=modes, laws=laws,
        )
        for id, where, device, modes, laws in (
            ("meta", "on the meta device", "meta", ("eager",), ("rejection",)),
            ("compiled", "compiled,", "cpu", COMPILED, ("rejection", "errors when compiled")),
        )
    ),
)  # fmt: skip
