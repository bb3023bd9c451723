"""Layer, RMS, group, instance, batch and local response normalisation of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import Case, Geometry, among, cases, sizes
from properties.cases.dealing import dealt, rarely
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import normalization as programs
from refimpl import normalization
from refimpl.arrays import Array
from refimpl.bounds import normalization as bounds
from refimpl.bounds import normalization_double_backward as seconds
from refimpl.normalization import Rows
from refimpl.rounding import Format, round_to

INEXACT = "a root of an integer is seldom one"
EPS = (0.125, 2.0**-10, 1.0)
"""Numbers of few bits, which every dtype represents, and so large that a constant row has a bound."""
SMALL_EPS = 2.0**-12
"""A rarer one: the cube of its reciprocal root, 2¹⁸, is past what float16 holds."""
AFFINE = ("weight and bias", "none", "weight and bias")


Shapes = dict[str, tuple[int, ...]]


def _with_affine(draw: st.DrawFn, shapes: Shapes, shape: tuple[int, ...], bias: bool = True) -> None:
    """Add a weight, and a bias, in two cases of three."""
    if dealt(draw, "affine", AFFINE) != "none":
        shapes.update({"weight": shape} | ({"bias": shape} if bias else {}))


def _eps(draw: st.DrawFn) -> float:
    return SMALL_EPS if rarely(draw) else dealt(draw, "eps", EPS)


@st.composite
def layer_geometry(draw: st.DrawFn, bias: bool = True) -> Geometry:
    """One or two axes that are normalised, after none to two others."""
    normalized = (*draw(among((), (2,), (3,))), draw(sizes(1, 65)))
    shapes: Shapes = {"input": (*draw(among((2,), (), (3,), (2, 2))), *normalized)}
    _with_affine(draw, shapes, normalized, bias)
    return shapes, {"normalized_shape": normalized, "eps": _eps(draw)}


@st.composite
def image_geometry(draw: st.DrawFn, grouped: bool = False) -> Geometry:
    """(N, C) and none to two axes, of which a group, or a channel, has two elements at least."""
    groups = draw(among(1, 2, 3)) if grouped else 1
    channels = groups * draw(among(1, 2, 3, 8))
    spatial = (*draw(among((), (2,))), draw(sizes(2, 33)))
    shapes: Shapes = {"input": (draw(among(2, 1, 3)), channels, *spatial)}
    _with_affine(draw, shapes, (channels,))
    return shapes, {"eps": _eps(draw)} | ({"num_groups": groups} if grouped else {})


@st.composite
def batch_geometry(draw: st.DrawFn) -> Geometry:
    """The same, in training and in evaluation, with a momentum of few bits."""
    shapes, arguments = draw(image_geometry())
    return shapes, {
        **arguments,
        "training": dealt(draw, "training", (True, False)),
        "momentum": dealt(draw, "momentum", (0.125, 0.5, 1.0, 0.0)),
    }


@st.composite
def response_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C) and one or two axes, with a window of fewer channels than there are, or of more."""
    shape = (draw(among(2, 1, 3)), draw(sizes(1, 17)), *draw(among((), (2,))), draw(sizes(1, 17)))
    how = {name: dealt(draw, name, values) for name, values in RESPONSE.items()}
    return {"input": shape}, {"size": draw(among(1, 2, 3, 5, 8)), **how}


RESPONSE = {"alpha": (0.5, 1.0, 1e-4), "beta": (0.75, 0.5, 1.0), "k": (1.0, 2.0)}


def _response_of(draw: st.DrawFn, images: int, channels: int, positions: int, size: int) -> Geometry:
    arguments = {"size": size, **{name: draw(among(*values)) for name, values in RESPONSE.items()}}
    return {"input": (images, channels, positions)}, arguments


Arranged = Callable[..., Rows]


def _forward(arranged: Arranged, centered: bool, *operands: Array, eps: float, **how: Any) -> Array:
    x, *affine = operands
    rows = arranged(x.shape, **how)
    hat, _ = normalization.normalized(rows.rows(x), eps, centered)
    spread = [rows.spread(values) for values in affine]
    scaled = hat * spread[0] if spread else hat
    return rows.back(scaled + spread[1] if len(spread) > 1 else scaled, x.shape)


def _gradients(arranged: Arranged, centered: bool, g: Array, *operands: Array, eps: float, **how: Any) -> Any:
    x, *affine = operands
    rows = arranged(x.shape, **how)
    turned, h = rows.rows(x), rows.rows(g)
    hat, _ = normalization.normalized(turned, eps, centered)
    spread = rows.spread(affine[0]) if affine else np.ones(turned.shape)
    to_input = rows.back(normalization.gradient(h * spread, turned, eps, centered), x.shape)
    sums = [rows.summed(h * hat, affine[0].shape), rows.summed(h, affine[0].shape)] if affine else []
    return (to_input, *sums[: len(affine)])


def _shape(name: str, case: Case) -> tuple[int, ...]:
    """The input's; raises ValueError where the arguments do not fit it."""
    arranged, _ = normalization.LAYERS[name]
    shape = case.shapes["input"]
    arranged(shape, **{key: value for key, value in case.arguments.items() if key != "eps"})
    return shape


def _normalization(name: str, program: Any, geometry: Any, **about: Any) -> Operator:
    arranged, centered = normalization.LAYERS[name]
    return Operator(
        name=name,
        layer=f"torch.{name}",
        systems=(),
        cases=cases(geometry),
        program=program,
        reference=partial(_forward, arranged, centered),
        bound=partial(bounds.layer, name),
        gradients=partial(_gradients, arranged, centered),
        gradient_bounds=partial(bounds.layer_gradients, name),
        second=partial(seconds.layer, name),
        output_shape=partial(_shape, name),
        traits=frozenset({"mixed", "normalizing"} | ({"centered"} if centered else set())),
        inexact=INEXACT,
        **about,
    )


def _statistic(name: str, case: Case, format: Format) -> Array:
    """Running statistics: numbers of few bits, variances from 1/4 to 2."""
    generator = np.random.default_rng([case.seed, len(name)])
    shape = (case.shapes["input"][1],)
    values = generator.integers(1, 9, shape) / 4.0 if name == "running_var" else generator.integers(-8, 9, shape) / 4.0
    return round_to(values, format.storage)


def _batch_forward(
    x: Array, *affine: Array, training: bool, momentum: float, eps: float, running_mean: Array, running_var: Array
) -> Any:
    rows = Rows.of_batch(x.shape)
    turned = rows.rows(x)
    if training:
        output = _forward(Rows.of_batch, True, x, *affine, eps=eps)
        return output, *normalization.running(turned, running_mean, running_var, momentum, turned.shape[1])
    hat = (turned - running_mean[:, None]) / np.sqrt(running_var[:, None] + eps)
    scaled = hat * rows.spread(affine[0]) + rows.spread(affine[1]) if affine else hat
    return rows.back(scaled, x.shape), running_mean, running_var


def _batch_gradients(
    g: Array, x: Array, *affine: Array, training: bool, momentum: float, eps: float, running_mean: Array,
    running_var: Array,
) -> Any:  # fmt: skip
    if training:
        return _gradients(Rows.of_batch, True, g, x, *affine, eps=eps)
    rows = Rows.of_batch(x.shape)
    inverse = 1.0 / np.sqrt(running_var[:, None] + eps)
    h, hat = rows.rows(g), (rows.rows(x) - running_mean[:, None]) * inverse
    to_input = rows.back(h * inverse * (rows.spread(affine[0]) if affine else 1.0), x.shape)
    sums = (rows.summed(h * hat, affine[0].shape), rows.summed(h, affine[0].shape)) if affine else ()
    return to_input, *sums


def _one_element(draw: st.DrawFn, case: Case) -> Case:
    channels = case.shapes["input"][1]
    return case.with_shape("input", (1, channels)).with_arguments(training=True)


def _odd_groups(draw: st.DrawFn, case: Case) -> Case:
    return case.with_arguments(num_groups=case.shapes["input"][1] + draw(among(1, 2)))


def _longer_axis(draw: st.DrawFn, case: Case) -> Case:
    return case.with_shape("input", must.longer(case.shapes["input"], -1))


LAST = (
    must.Constraint("the last axes are normalized_shape", "torch.nn.LayerNorm: 'input shape from an expected input of "
                    "size [* x normalized_shape]'", _longer_axis),
)  # fmt: skip
GROUPS = (
    must.Constraint("num_groups divides the channels", "torch.nn.GroupNorm: 'num_channels must be divisible by "
                    "num_groups'", _odd_groups),
)  # fmt: skip
TRAINED = (
    must.Constraint("a channel has two elements in training", "torch.nn.functional.batch_norm: 'Expected more than 1 "
                    "value per channel when training'", _one_element,
                    given={n: partial(_statistic, n) for n in ("running_mean", "running_var")}),
)  # fmt: skip

RESPONDING = (
    must.argument_is("size is at least 1", "size", (0, -1), "torch.nn.LocalResponseNorm: size is an 'amount of "
                     "neighbouring channels used for normalization'"),
    must.operand_shape("the input has three axes", "input", "torch.nn.LocalResponseNorm, Shape: (N, C, *)",
                       lambda case: [case.shapes["input"][:2]]),
)  # fmt: skip

OPERATORS = (
    _normalization("layer_norm", programs.layer_norm, layer_geometry(), constraints=LAST),
    _normalization("rms_norm", programs.rms_norm, layer_geometry(bias=False), constraints=LAST),
    _normalization("group_norm", programs.group_norm, image_geometry(grouped=True), constraints=GROUPS),
    _normalization("instance_norm", programs.instance_norm, image_geometry()),
    Operator(
        name="batch_norm",
        layer="torch.batch_norm",
        systems=(),
        cases=cases(batch_geometry()),
        program=programs.batch_norm,
        reference=_batch_forward,
        bound=bounds.batch_norm,
        gradients=_batch_gradients,
        gradient_bounds=bounds.batch_norm_gradients,
        second=seconds.batch_norm,
        outputs=("output", "running_mean", "running_var"),
        output_shape=lambda case: case.shapes["input"],
        traits=frozenset({"mixed", "normalizing", "centered"}),
        inexact=INEXACT,
        given={name: partial(_statistic, name) for name in ("running_mean", "running_var")},
        constraints=TRAINED,
    ),
    Operator(
        name="local_response_norm",
        layer="torch.nn.LocalResponseNorm",
        systems=(),
        cases=cases(response_geometry()),
        program=programs.local_response_norm,
        reference=normalization.local_response_norm,
        bound=bounds.local_response_norm,
        gradients=lambda g, x, **how: (normalization.local_response_gradient(g, x, **how),),
        gradient_bounds=bounds.local_response_norm_gradients,
        second=bounds.local_response_norm_second,
        output_shape=lambda case: case.shapes["input"],
        inexact=INEXACT,
        large=large.at_most(
            1025,
            large.each(_response_of, images=large.TWO, channels=large.TWO, positions=large.TWO, size=(2, 3)),
            "size",
        ),
        constraints=RESPONDING,
    ),
)

IN_TRAINING = _normalization("batch_norm", programs.batch_norm, batch_geometry())
"""Batch normalisation by the batch's own statistics, without the running ones."""
