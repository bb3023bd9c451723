"""torch.optim's updates."""

from __future__ import annotations

import math
from functools import partial

import torch

from properties.cases.case import Case
from properties.ledger.aten_activation import lanes
from properties.ledger.record import known
from properties.subjects import SIXTEEN_BITS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from properties.worker.programs.optimizer import kept_in

FUSED = "torch.optim.SGD: fused is another implementation of the same algorithm"
SKIPPED = "torch.amp.GradScaler.step: where gradients are infinite, 'optimizer.step() is skipped'"
STEPS = {"lr": 0.5, "fused": True, "steps": ("plain",), "frozen": 0, "scale": 1.0, "dtypes": (None,)}
Shape = tuple[int, ...]


def _moved(case: Case, subject: Subject) -> list[tuple[Shape, str]]:
    """Shape and dtype of each parameter that some step moves."""
    if "steps" not in case.arguments:
        return [(case.shapes["parameter"], subject.stored)]
    given, own = case.arguments, getattr(torch, subject.stored)
    taken = [t for t, step in enumerate(given["steps"]) if step != "overflowing"]
    dtypes = [str(kept_in(dtype, own)).removeprefix("torch.") for dtype in given["dtypes"]]
    first_of = [given["frozen"] if i % 2 else 0 for i in range(len(dtypes))]
    return [
        (case.shapes[f"parameter {i}"], dtype)
        for i, (dtype, first) in enumerate(zip(dtypes, first_of, strict=True))
        if any(t >= first for t in taken)
    ]


skips_vectors = partial(
    known,
    severity="silent wrong value",
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/issues/191763",
    why=FUSED,
)


@skips_vectors(
    "fused-sgd-skips-vectors",
    ("sgd", "sgd_steps"),
    dtypes=SIXTEEN_BITS,
    example=Case({"parameter": (65,), "gradient": (65,)}, {"lr": 0.5, "fused": True}, "normal"),
)
@skips_vectors(
    "fused-sgd-skips-vectors-in-lists",
    ("sgd_steps",),
    dtypes=("float64", "float32"),
    example=Case({"parameter 0": (65,), "gradients 0": (1, 65)}, {**STEPS, "dtypes": ("bfloat16",)}, "normal"),
)
def _fused_vectors(case: Case, subject: Subject) -> bool:
    """With fused=True no whole vector of 16-bit parameters is updated, only the rest behind the last of them; the
    velocity is read as float32 from 16-bit memory, past its end."""
    vectors = (dtype in SIXTEEN_BITS and math.prod(shape) >= lanes() for shape, dtype in _moved(case, subject))
    return bool(case.arguments.get("fused")) and any(vectors)


@known(
    "fused-sgd-ignores-strides",
    ("sgd",),
    severity="silent wrong value",
    laws=("layouts",),
    why="torch.optim.SGD: fused is another implementation of the same algorithm, and strides are no part of a tensor's "
    "value",
    example=Case(
        {"parameter": (2, 2), "gradient": (2, 2)},
        {"lr": 0.5, "fused": True},
        "normal",
        setting=Setting({"parameter": "transposed"}),
    ),
    narrower="it may be the gradient, or the velocity, whose strides are others; the example's parameter has them",
)
def _fused_strides(case: Case, subject: Subject) -> bool:
    """With fused=True parameter, gradient and velocity are walked through in memory, whatever their strides: elements
    are updated with the gradients of others where the strides differ."""
    copies = [LAYOUTS[case.layout(name)](torch.empty(case.shapes[name])).clone() for name in _walked(case)]
    strides = {tuple(s for s, size in zip(t.stride(), t.shape, strict=True) if size > 1) for t in copies}
    return bool(case.arguments.get("fused")) and 0 not in copies[0].shape and len(strides) > 1


def _walked(case: Case) -> list[str]:
    """The operands whose memory a step walks through, and whose elements differ before or after it.

    Of one value, any order is right. A velocity that begins with the step lies as the gradient does.
    """
    given, kept = case.arguments, "momentum_buffer" in case.shapes
    varied = {name for name in case.shapes if case.layout(name) != "scalar"}
    momentum = bool(given.get("momentum"))
    added = not momentum or not kept or given.get("dampening") != 1.0  # the gradient takes part
    velocity = "momentum_buffer" if kept else "gradient"
    moved = velocity in varied or (added and ("gradient" in varied or bool(given.get("weight_decay"))))
    return ["parameter", *(["gradient"] * (added and "gradient" in varied)), *([velocity] * (momentum and moved))]


@known(
    "fused-sgd-ignores-strides-in-lists",
    ("sgd_steps",),
    severity="silent wrong value",
    laws=("layouts",),
    why=f"{FUSED}, and strides are no part of a tensor's value",
    example=Case(
        {"parameter 0": (2, 2), "gradients 0": (1, 2, 2)}, STEPS, "normal",
        setting=Setting({"parameter 0": "transposed"}),
    ),
)  # fmt: skip
@known(
    "fused-adam-ignores-strides",
    ("adam_steps", "adamw_steps"),
    severity="silent wrong value",
    laws=("layouts",),
    why=f"{FUSED.replace('SGD', 'Adam')}, and strides are no part of a tensor's value",
    example=Case(
        {"parameter 0": (2, 2), "gradients 0": (1, 2, 2)},
        {**STEPS, "betas": (0.5, 0.75), "eps": 0.125, "weight_decay": 0.0}, "normal",
        setting=Setting({"parameter 0": "transposed"}),
    ),
    chance="a gradient is divided by its own size, so that another's may give the same step; and all may be skipped",
    narrower="a parameter has gaps, or another order, in many layouts; the example's is transposed",
)  # fmt: skip
def _fused_strides_in_lists(case: Case, subject: Subject) -> bool:
    """With fused=True a parameter of a list is walked through in memory as its gradient is, whatever its strides."""
    parameters = [name for name in case.shapes if name.startswith("parameter")]
    copies = [LAYOUTS[case.layout(name)](torch.empty(case.shapes[name])).clone() for name in parameters]
    return bool(case.arguments.get("fused")) and not all(copy.is_contiguous() for copy in copies)


@known(
    "fused-sgd-velocity-of-skipped-step",
    ("sgd_steps",),
    severity="silent wrong value",
    chance="what that memory holds: where it is little, and there is no dampening, the sum may be right",
    why=f"{SKIPPED}, and torch.optim.SGD: the velocity begins with the first gradient; other forms do so",
    example=Case(
        {"parameter 0": (1,), "gradients 0": (2, 1)},
        {**STEPS, "momentum": 0.9, "dampening": 1.0, "steps": ("overflowing", "scaled")},
        "normal",
    ),
)
def _skipped_first_step(case: Case, subject: Subject) -> bool:
    """With fused=True and momentum, a first step that GradScaler skips leaves a velocity that was never written. If all
    steps are skipped it is kept; else the next one adds to it, dampened, instead of beginning it."""
    given = case.arguments
    return bool(given.get("fused") and given.get("momentum")) and given["steps"][0] == "overflowing"


@known(
    "fused-sgd-refuses-later-parameters",
    ("sgd_steps",),
    severity="valid arguments rejected",
    why=f"{FUSED}; for-loop and foreach begin a velocity with a parameter's first gradient, whenever that comes",
    example=Case(
        {"parameter 0": (1,), "gradients 0": (2, 1), "parameter 1": (1,), "gradients 1": (2, 1)},
        {**STEPS, "momentum": 0.9, "steps": ("plain", "plain"), "frozen": 1, "dtypes": (None, None)},
        "normal",
    ),
)
def _later_parameter(case: Case, subject: Subject) -> bool:
    """With fused=True and momentum, a parameter whose first gradient comes after those of others raises TypeError
    ('expected Tensor as element 1 in argument 2, but got NoneType')."""
    given = case.arguments
    later = 0 < given["frozen"] < len(given["steps"]) and len(given["dtypes"]) > 1
    return bool(given.get("fused") and given.get("momentum")) and later


@known(
    "compiled-adam-corrects-in-float32",
    ("adam_steps", "adamw_steps"),
    severity="silent wrong value",
    dtypes=("float32",),
    modes=("compiled",),
    upstream="https://github.com/pytorch/pytorch/pull/88173",
    why="torch.optim.Adam: the average of squares is divided by 1 − β₂ᵗ, which eager mode forms of Python's numbers",
    example=Case(
        {"parameter 0": (1,), "gradients 0": (1, 1)},
        {
            **STEPS, "fused": None, "foreach": False, "betas": (0.9, 0.999), "eps": 0.125, "weight_decay": 0.0,
        },
        "normal",
    ),
    chance="of parameters that are large beside the learning rate, the step is off by less than they are rounded by",
)  # fmt: skip
def _corrections(case: Case, subject: Subject) -> bool:
    """Compiled, but not with fused=True, the number of steps t is a tensor of float32, and so is 1 − β₂ᵗ: where β₂ᵗ is
    near 1 it has few digits left, and the step is off by hundreds of roundings."""
    taken = set(case.arguments["steps"]) != {"overflowing"}
    return not case.arguments.get("fused") and case.arguments["betas"][1] > 0.99 and taken
