"""ATen's normalisation."""

from __future__ import annotations

import numpy as np
import torch

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.operators import operator
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from refimpl.arrays import Array
from refimpl.normalization import Rows, moments, normalized


@known(
    "instance-norm-gradient-of-channels-last-cotangent",
    ("instance_norm",),
    severity="wrong gradient",
    laws=("layouts",),
    modes=("eager",),
    why="strides are no part of a tensor's value; of two images the gradient is right",
    example=Case({"input": (1, 2, 2, 4)}, {"eps": 0.125}, "normal", setting=Setting({"cotangent": "channels_last"})),
)
def _one_image(case: Case, subject: Subject) -> bool:
    """Of a single image, a cotangent in channels_last, as a convolution's backward pass gives it, is read as if it were
    contiguous: all of the gradient to the input is another's."""
    shape = case.shapes["input"]
    g = LAYOUTS[case.layout("cotangent")](torch.empty(shape, device="meta"))
    last = len(shape) == 4 and g.is_contiguous(memory_format=torch.channels_last)
    return shape[0] == 1 and last and not g.is_contiguous()


@lossy(
    "batch-norm-statistics-in-storage",
    ("batch_norm", "instance_norm"),
    why=OPMATH + "layer normalisation and group normalisation do so",
    example=Case({"input": (2, 2, 16), "weight": (2,), "bias": (2,)}, {"eps": 1.0}, "wide"),
    operator="instance_norm",
)
def _statistics(case: Case, subject: Subject) -> bool:
    """The mean, the reciprocal of the deviation, and what they make of weight and bias are each rounded to the 16-bit
    storage before they meet the input, or the cotangent; in evaluation not where all lies in order."""
    return True


@known(
    "batch-norm-gradient-ignores-strides-of-its-weight",
    ("batch_norm",),
    severity="wrong gradient",
    laws=("layouts",),
    modes=("eager",),
    why="strides are no part of a tensor's value; where input and cotangent are contiguous the gradient is right",
    example=Case(
        {"input": (2, 3, 2, 15), "weight": (3,), "bias": (3,)},
        {"eps": 0.125, "training": True, "momentum": 0.5},
        "normal",
        setting=Setting({"input": "channels_last", "weight": "strided", "cotangent": "channels_last"}),
    ),
)
def _strides_of_channels(case: Case, subject: Subject) -> bool:
    """With input and cotangent in channels_last, the gradients are formed of the memory from the first element of
    weight, running mean and running variance on, whatever their strides."""
    shape = case.shapes["input"]
    if len(shape) != 4:
        return False
    x, g = (LAYOUTS[case.layout(name)](torch.empty(shape, device="meta")) for name in ("input", "cotangent"))
    last = all(t.is_contiguous(memory_format=torch.channels_last) for t in (x, g)) and not x.is_contiguous()
    names = ["weight"] if "weight" in case.shapes else []
    names += [] if case.arguments["training"] else ["running_mean", "running_var"]
    channels = (LAYOUTS[case.layout(name)](torch.empty(shape[1], device="meta")) for name in names)
    return last and any(not t.is_contiguous() for t in channels)


@lossy(
    "layer-norm-affine-gradients-in-storage",
    ("layer_norm",),
    laws=OF_GRADIENTS,
    why=OPMATH + "group normalisation does so",
    example=Case(
        {"input": (3, 9), "weight": (9,), "bias": (9,)}, {"normalized_shape": (9,), "eps": 1.0}, "normal", seed=1
    ),
)
def _of_several_rows(case: Case, subject: Subject) -> bool:
    """The gradients to weight and bias are summed over the rows in the 16-bit storage."""
    return "weight" in case.shapes


@known(
    "group-norm-second-gradient-overflows",
    ("group_norm",),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    modes=("eager",),
    dtypes=("float16",),
    why="of equal elements, without a weight, the second gradient to the input is zero; layer normalisation of the"
    " same rows gives that",
    example=Case({"input": (2, 1, 2, 9)}, {"eps": 2.0**-10, "num_groups": 1}, "constant"),
)
def _sums_by_cubes(case: Case, subject: Subject) -> bool:
    """Autograd multiplies sums over a group by the cube of the reciprocal deviation, past what float16 holds, before it
    divides by the number of elements; where all are equal that cube is as large as eps^(−3/2), and the sums are what
    rounding leaves of zero."""
    about, format = operator("group_norm"), subject.format
    x, *affine = about.operands(case, format).values()
    p, *moved = about.directions(case, format).values()
    rows = Rows.of_groups(x.shape, case.arguments["num_groups"])
    given = moments(rows.rows(x))[0], normalized(rows.rows(x), case.arguments["eps"])[1]
    narrow, of_channels = np.dtype("float16"), (1, *rows.shape[1:3], 1)
    g, x, p = (np.reshape(each, rows.shape).astype(narrow) for each in (about.cotangent(case, format), x, p))
    mean, inverse = (np.reshape(each, (*rows.shape[:2], 1, 1)).astype(narrow) for each in given)
    w, q = (np.reshape(each[0], of_channels).astype(narrow) if each else None for each in (affine, moved))
    with np.errstate(all="ignore"):
        return not all(np.isfinite(each).all() for each in _of_group(g, x, p, mean, inverse, w, q))


@known(
    "layer-norm-second-gradient-overflows",
    ("layer_norm", "instance_norm", "batch_norm"),
    severity="wrong gradient",
    laws=("gradients of gradients",),
    modes=("eager",),
    dtypes=("float16",),
    why="the second gradient is of the size of the square of the reciprocal deviation, times cotangent and direction; "
    "of equal elements, without a weight, it is zero; that of RMS normalisation, formed in float32, is right",
    example=Case({"input": (1, 2)}, {"normalized_shape": (2,), "eps": 2.0**-12}, "constant"),
    operator="layer_norm",
)
def _cubes(case: Case, subject: Subject) -> bool:
    """Autograd's formula, by a batch's own statistics, multiplies by the cube of the reciprocal deviation: past what
    float16 holds where the deviation is below 0.025, as eps of 1e-5 allows; or a sum times that cube is."""
    given, format = case.arguments, subject.format
    about = operator("layer_norm" if "normalized_shape" in given else "batch_norm")
    x, *affine = (about.filled(name, shape, case, format) for name, shape in case.shapes.items())
    p, *moved = about.directions(case, format).values()
    if "normalized_shape" in given:
        rows = Rows.of_layer(x.shape, given["normalized_shape"])
    else:
        rows = Rows.of_batch(x.shape) if "training" in given else Rows.of_groups(x.shape, x.shape[1])
    narrow, turned = np.dtype("float16"), rows.rows(x)
    mean, r = (each.astype(narrow) for each in (moments(turned)[0], normalized(turned, given["eps"])[1]))
    g, p = (rows.rows(each).astype(narrow) for each in (about.cotangent(case, format), p))
    w, q = (rows.spread(each[0]).astype(narrow) if each else None for each in (affine, moved))
    with np.errstate(all="ignore"):
        to_input = _by_formula(g, turned.astype(narrow) - mean, p, r, w, q, inside="normalized_shape" in given)
    return given.get("training", True) and not bool(np.isfinite(to_input).all())


def _by_formula(g: Array, d: Array, p: Array, r: Array, w: Array | None, q: Array | None, *, inside: bool) -> Array:
    """Autograd's second gradient to the input, of rows, in their dtype. d: ``x − μ``; inside: if g is multiplied by w
    first, not what comes of it."""
    n, cube = d.dtype.type(d.shape[1]), r * r * r
    h = g if w is None or not inside else g * w
    along, p_along, total, p_total = (_sum(each, 1) for each in (h * d, p * d, h, p))
    within = p_total * total / n - _sum(p * h, 1) + r * r * along * p_along * d.dtype.type(3.0 / d.shape[1])
    found = d * cube * within / n + p_along * cube / n * (total / n - h) + along * cube / n * (p_total / n - p)
    found = found if w is None or inside else w * found
    if q is not None:
        k = g * q if inside else g
        moved = k * r - r * _sum(k, 1) / n - d * cube * _sum(k * d, 1) / n
        found = found + (moved if inside else q * moved)
    return np.asarray(found)


def _of_group(
    g: Array, x: Array, p: Array, mean: Array, r: Array, w: Array | None, q: Array | None
) -> tuple[Array, ...]:
    """Autograd's second gradients to the cotangent, the input and the weight, in the dtype of the operands."""
    n = x.shape[2] * x.shape[3]
    share, cube = x.dtype.type(1.0 / n), r * r * r
    w = np.ones((1, 1, x.shape[2], 1), x.dtype) if w is None else w
    ds, db = _sum(g * x, 3), _sum(g, 3)
    c0 = _sum(db * w, 2)
    e = c0 * mean - _sum(ds * w, 2)
    b = e * cube * share
    to_c = _sum(_sum(p, 3), 2)
    to_b = _sum(_sum(p * x, 3), 2) - to_c * mean
    to_e = to_b * share * cube
    to_cube = to_b * share * e
    to_c0 = to_e * mean - to_c * share * r
    to_mean, to_r = to_e * c0 - to_c * b, _sum(_sum(p * g, 3) * w, 2) - to_c * share * c0
    to_ds, to_db, to_w = -to_e * w, to_c0 * w, _sum(p * g, 3) * r - to_e * ds + to_c0 * db
    if q is not None:
        to_ds, to_db = to_ds + q * r, to_db - q * r * mean
        to_mean, to_r = to_mean - _sum(q * r * db, 2), to_r + _sum(q * (ds - db * mean), 2)
    to_r = to_r + to_cube * (r * r) + to_cube * r * r + to_cube * r * r
    to_variance = x.dtype.type(-0.5) * cube * to_r * x.dtype.type(2.0 / n)
    to_x = b * p + g * to_ds + to_variance * (x - mean) + to_mean / x.dtype.type(n)
    return r * w * p + x * to_ds + to_db, to_x, to_w


def _sum(terms: Array, axis: int) -> Array:
    """A sum over an axis, formed in float32."""
    return np.asarray(terms.astype(np.float32).sum(axis, keepdims=True)).astype(terms.dtype)
