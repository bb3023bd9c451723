"""What torch gets wrong in softmax, losses, bilinear layers and updates."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.special_values import Special
from properties.ledger.lossy import OPMATH
from properties.ledger.record import OF_GRADIENTS, Divergence
from properties.subjects import FLOATS, SIXTEEN_BITS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from refimpl.targets import is_probabilities, rows_of

SEEN: dict[str, Any] = {"devices": ("cpu",)}


def lanes() -> int:
    """How many 16-bit numbers torch's own kernels for this processor hold in a vector."""
    others = 16 if platform.machine() in ("x86_64", "AMD64") else 8
    return {"AVX512": 32, "AVX2": 16}.get(torch.backends.cpu.get_cpu_capability(), others)


def _class_axis(case: Case) -> int:
    """Counted from the front; a loss has its classes on axis 1, or on the only one."""
    axes = len(case.shapes["input"])
    return case.arguments["dim"] % axes if "dim" in case.arguments else min(1, axes - 1)


def _over_last_axis(case: Case, subject: Subject) -> bool:
    """Whether a softmax is over the last of the axes, and over more than one class."""
    shape, axis = case.shapes["input"], _class_axis(case)
    return axis == len(shape) - 1 and shape[axis] > 1


def _tail_over_another_axis(case: Case, subject: Subject) -> bool:
    """Whether a softmax over more than one class is over another axis, with elements behind it that fill no vector."""
    shape, axis = case.shapes["input"], _class_axis(case)
    return axis < len(shape) - 1 and shape[axis] > 1 and int(np.prod(shape[axis + 1 :])) % lanes() != 0


def _sums_rows(case: Case, subject: Subject) -> bool:
    """Whether three or more rows with a class are added up: the sum of two is rounded once, as it should be."""
    target, arguments = np.array(case.arguments["target"]), case.arguments
    if arguments.get("reduction") == "none" or is_probabilities(case.shapes["input"], target):
        return False
    return int((target != arguments.get("ignore_index", -100)).sum()) > 2


def _sums_outputs(case: Case, subject: Subject) -> bool:
    """Whether a bilinear layer has three or more outputs: the sum of two is rounded once, as it should be."""
    return case.shapes["weight"][0] > 2


def _scattered_plane(case: Case, subject: Subject) -> bool:
    """Whether four axes lie dense in memory, but in another order."""
    shape = case.shapes["input"]
    return len(shape) == 4 and not torch.empty_like(LAYOUTS[case.layout("input")](torch.empty(shape))).is_contiguous()


def _fused_vectors(case: Case, subject: Subject) -> bool:
    """Whether a fused step has a whole vector of elements."""
    return bool(case.arguments.get("fused")) and int(np.prod(case.shapes["parameter"])) >= lanes()


def _fused_strides(case: Case, subject: Subject) -> bool:
    """Whether the operands of a fused step do not lie in memory in the same order."""
    copies = [LAYOUTS[case.layout(name)](torch.empty(shape)).clone() for name, shape in case.shapes.items()]
    strides = {tuple(s for s, size in zip(t.stride(), t.shape, strict=True) if size > 1) for t in copies}
    return bool(case.arguments.get("fused")) and 0 not in copies[0].shape and len(strides) > 1


def _ignores_a_row_without_softmax(case: Case, subject: Subject) -> bool:
    """Whether a row that is ignored holds a NaN, +∞ or nothing but −∞."""
    shape, target = case.shapes["input"], np.array(case.arguments["target"])
    if is_probabilities(shape, target):
        return False
    ignored = target.reshape(-1) == case.arguments.get("ignore_index", -100)
    rows = rows_of(case.tensor("input", shape, subject.format))
    with np.errstate(invalid="ignore"):
        return bool((ignored & ~np.isfinite(rows.max(axis=-1, initial=-np.inf))).any())


def _lossy(id: str, operators: tuple[str, ...], laws: tuple[str, ...], **entry: Any) -> Divergence:
    return Divergence(
        id=id, severity="lossy accumulation", operators=operators, laws=laws, dtypes=SIXTEEN_BITS,
        operator=operators[0], **SEEN, **entry,
    )  # fmt: skip


def _step(id: str, laws: tuple[str, ...], dtypes: tuple[str, ...], holds: Callable[..., bool], **entry: Any) -> Any:
    return Divergence(
        id=id, severity="silent wrong value", operators=("sgd",), laws=laws, dtypes=dtypes, holds=holds,
        operator="sgd", **SEEN, **entry,
    )  # fmt: skip


ENTRIES: tuple[Divergence, ...] = (
    _lossy(
        "log-softmax-sum-in-storage",
        ("log_softmax", "cross_entropy", "cross_entropy_probabilities"),
        (),
        holds=_over_last_axis,
        what="over the last axis, the sum of exponentials and its logarithm are each rounded to the 16-bit storage "
        "before they are subtracted",
        why=OPMATH + "softmax, and log-softmax over any other axis, do so",
        upstream="https://github.com/pytorch/pytorch/issues/140222",
        example=Case(shapes={"input": (2, 2)}, arguments={"dim": 1}, fill="normal"),
    ),
    _lossy(
        "softmax-powers-in-storage",
        ("softmax",),
        (),
        holds=_tail_over_another_axis,
        what="over any axis but the last, the elements behind it that fill no whole vector have their exponentials "
        "rounded to the 16-bit storage before they are divided by their sum",
        why=OPMATH + "whole vectors, and softmax over the last axis, do so",
        upstream=None,
        example=Case(shapes={"input": (17, 17, 7)}, arguments={"dim": 1}, fill="normal"),
    ),
    _lossy(
        "nll-loss-summed-in-storage",
        ("nll_loss", "cross_entropy"),
        (),
        holds=_sums_rows,
        what="the losses of the rows, and the weights of their classes, are added up in the 16-bit storage, every "
        "partial sum rounded",
        why=OPMATH + "torch.sum of the same losses does so",
        upstream=None,
        example=Case(shapes={"input": (17, 2)}, arguments={"target": (0,) * 17, "reduction": "sum"}, fill="constant"),
    ),
    _lossy(
        "bilinear-gradient-summed-in-storage",
        ("bilinear",),
        (*OF_GRADIENTS, "gradients of gradients"),
        holds=_sums_outputs,
        what="the gradient to either input is added up over the outputs in the 16-bit storage",
        why=OPMATH
        + "the forward pass, and the gradient to the weight, do so; with 300 equal terms the sum ends at 256",
        upstream=None,
        example=Case(
            shapes={"input1": (257, 1), "input2": (257, 1), "weight": (257, 1, 1)}, arguments={}, fill="normal"
        ),
    ),
    Divergence(
        id="nll-loss-gradient-of-scattered-plane",
        severity="valid arguments rejected",
        operators=("nll_loss",),
        laws=("layouts",),
        dtypes=FLOATS,
        holds=_scattered_plane,
        what="the backward pass of an input of four axes that lie dense in memory, but in another order, as in "
        "channels_last, raises 'grad_input must be contiguous'",
        why="torch.nn.NLLLoss: an input of shape (N, C, d1, d2) is supported; strides are no part of a tensor's value, "
        "and the forward pass accepts them",
        upstream="https://github.com/pytorch/pytorch/issues/175084",
        operator="nll_loss",
        example=Case(
            shapes={"input": (1, 2, 1, 2)},
            arguments={"target": (((0, 1),),)},
            fill="normal",
            setting=Setting({"input": "channels_last"}),
        ),
        **SEEN,
    ),
    Divergence(
        id="cross-entropy-gradient-to-ignored-nan",
        severity="wrong gradient",
        operators=("cross_entropy",),
        laws=("special losses",),
        dtypes=FLOATS,
        holds=_ignores_a_row_without_softmax,
        what="the gradient to a row that is ignored is NaN where the row holds a NaN, +∞ or nothing but −∞: zero times "
        "its softmax",
        why="torch.nn.CrossEntropyLoss: ignore_index is a target value that is ignored and does not contribute to the "
        "input gradient",
        upstream="https://github.com/pytorch/pytorch/issues/11551",
        operator="cross_entropy",
        example=Special(
            shapes={"input": (2, 2)},
            arguments={"target": (1, -100), "ignore_index": -100},
            fill="normal",
            seed=1,
            palette="nan",
        ),
        **SEEN,
    ),
    _step(
        "fused-sgd-skips-vectors",
        (),
        SIXTEEN_BITS,
        _fused_vectors,
        what="with fused=True no whole vector of 16-bit parameters is stepped, only the rest behind the last of them; "
        "the velocity is read as float32 from 16-bit memory, past its end",
        why="torch.optim.SGD: fused is another implementation of the same algorithm",
        upstream="https://github.com/pytorch/pytorch/issues/191763",
        fixed="2.14.1",
        example=Case(
            shapes={"parameter": (65,), "gradient": (65,)}, arguments={"lr": 0.5, "fused": True}, fill="normal"
        ),
    ),
    _step(
        "fused-sgd-ignores-strides",
        ("layouts",),
        FLOATS,
        _fused_strides,
        what="with fused=True parameter, gradient and velocity are walked through in memory, whatever their strides: "
        "elements meet others' gradients where the strides differ",
        why="torch.optim.SGD: fused is another implementation of the same algorithm, and strides are no part of a "
        "tensor's value",
        upstream=None,
        example=Case(
            shapes={"parameter": (2, 2), "gradient": (2, 2)},
            arguments={"lr": 0.5, "fused": True},
            fill="normal",
            setting=Setting({"parameter": "transposed"}),
        ),
    ),
)
