"""torch.optim.Adam and torch.optim.AdamW, over lists of parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import COIN, among, cases
from properties.operators import constraints as must
from properties.operators.optimizer import Some, after_steps, in_its_dtype, scale_after, steps_geometry
from properties.operators.record import Operator
from properties.worker.programs import adam as programs
from properties.worker.programs.optimizer import numbered
from refimpl import adam
from refimpl.bounds import adam as bounds

FORMS: st.SearchStrategy[Some] = st.sampled_from(
    [{}, {"foreach": True}, {"foreach": False}, {"fused": True}, {"fused": True, "capturable": True}]
)


@st.composite
def options(draw: st.DrawFn) -> Some:
    """A learning rate, betas, an eps, a decay, options, each in half of the cases, and a form."""
    chosen: Some = {
        "lr": draw(among(0.5, 0.1, 0.03, 1.0)),
        "betas": draw(among((0.9, 0.999), (0.5, 0.75), (0.0, 0.9), (0.9, 0.0))),
        "eps": draw(among(0.125, 2.0**-10, 1e-8)),
        "weight_decay": draw(among(0.0, 0.01, 0.0, 0.5)),  # AdamW decays by 0.01 unless it is told
    }
    for option in ("amsgrad", "maximize"):
        if draw(COIN):
            chosen[option] = True
    return {**chosen, **draw(FORMS)}


def _results(update: Callable[..., Any], *operands: Any, **arguments: Any) -> dict[str, Any]:
    """What the program of the same arguments returns."""
    moved, moments = after_steps(update, *operands, **arguments)
    results = dict(zip(numbered("output", len(moved)), moved, strict=True))
    for field in adam.Moments._fields:
        values = [None if kept is None else getattr(kept, field) for kept in moments]
        named = zip(numbered(field, len(moved)), values, strict=True)
        results |= {
            name: np.asarray(float(value)) if field == "step" else value for name, value in named if value is not None
        }
    return results | scale_after(**arguments)


STEPPED = (
    must.argument_is("lr is not negative", "lr", [-0.5], "torch.optim.Adam: a learning rate below 0 is invalid"),
    must.argument_is("eps is not negative", "eps", [-0.125], "torch.optim.Adam: an epsilon below 0 is invalid"),
    must.argument_is("betas are from 0 to below 1", "betas", [(1.0, 0.5), (0.5, 1.0), (-0.5, 0.5), (0.5, -0.5)],
                     "torch.optim.Adam: a beta that is negative, or 1 or more, is invalid"),
    must.argument_is("weight_decay is not negative", "weight_decay", [-0.5],
                     "torch.optim.Adam: a weight decay below 0 is invalid"),
)  # fmt: skip


def _adam(name: str, layer: str, decoupled: bool) -> Operator:
    return Operator(
        name=name,
        layer=layer,
        systems=(),
        cases=cases(steps_geometry(options())),
        program=getattr(programs, name),
        reference=partial(_results, partial(adam.adam_steps, decoupled=decoupled)),
        bound=partial(_results, partial(bounds.adam_steps, decoupled=decoupled)),
        output_shape=lambda case: case.shapes["parameter 0"],
        inexact="a root of an integer is seldom one",
        domain=in_its_dtype,
        constraints=STEPPED,
    )


OPERATORS = (
    _adam("adam_steps", "torch.optim.Adam", decoupled=False),
    _adam("adamw_steps", "torch.optim.AdamW", decoupled=True),
)
