"""Bounds as a library: the value of any operation here, and how far a right implementation may be off it.

>>> x, w = np.ones((1, 1, 3, 3)), np.full((1, 1, 2, 2), 0.1)
>>> expected = bound("conv2d", x, w, dtype="float32", stride=1)
>>> expected.values[0, 0]
array([[0.4, 0.4],
       [0.4, 0.4]])
>>> assert_within(np.full((1, 1, 2, 2), 0.4, dtype=np.float32), expected)
>>> assert_within(np.full((1, 1, 2, 2), 0.40001, dtype=np.float32), expected)
Traceback (most recent call last):
    ...
AssertionError: output[0, 0, 0, 0] is np.float32(0.40001), but should be np.float64(0.4) ± 1.19e-07 (83.8 times the
bound); 4 of 4 differ

Operations have the names of torch.nn.functional's functions, and their arguments. The derivations are in the docstrings
of :mod:`refimpl.bounds` and :mod:`refimpl.rounding`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl import bounds
from refimpl.arrays import Array
from refimpl.bounds import (
    activation,
    adaptive_pooling,
    convolution,
    dense,
    dropout,
    elementwise_loss,
    embedding_loss,
    fractional_pooling,
    interpolation,
    loss,
    margin_loss,
    matrix_product,
    normalization,
    optimizer,
    padded_convolution,
    padding,
    piecewise_activation,
    pooling,
    power_pooling,
    reduction,
    smooth_activation,
    soft_targets,
    transposed,
    unpooling,
)
from refimpl.expected import Expected, difference, overflowing
from refimpl.geometry import per_axis
from refimpl.rounding import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, INTEGERS, TF32, Computed, Format

ACCUMULATORS = {each.name: each for each in (FLOAT64, FLOAT32, FLOAT16, BFLOAT16)}
PER_AXIS = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size")


@dataclass(frozen=True)
class Operation:
    """An operation with its errors: the bound of its value, and those of its gradients, which take a cotangent first.

    operands: the names of those that are not exact by nature, in order, as torch calls them. axes: the number of axes
    for which one number among the arguments stands.
    """

    bound: Callable[..., Any]
    gradients: Callable[..., tuple[Computed, ...]] | None
    operands: tuple[str, ...] = ("input",)
    axes: int = 0


def over(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function over the last axis, as one over the axis ``dim``."""

    def over(*operands: Any, dim: int) -> Any:
        results = function(*(_moved(operand, dim, -1) for operand in operands))
        if isinstance(results, tuple):
            return tuple(_moved(result, -1, dim) for result in results)
        return _moved(results, -1, dim)

    return over


def _moved(values: Any, source: int, to: int) -> Any:
    def move(array: Any) -> Any:
        return np.moveaxis(array, source, to)

    return values.map(move) if isinstance(values, Computed) else move(values)


def _with_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss whose target and weight, where they are arguments, may be any sequences."""

    def called(*operands: Any, weight: Any = None, **options: Any) -> Any:
        options |= {name: np.array(options[name]) for name in ("target",) if name in options}
        return function(*operands, weight=None if weight is None else np.array(weight), **options)

    return called


def _soft(x: Computed, target: Computed, **options: Any) -> Computed:
    return loss.cross_entropy(x, target.value, **options)


def _elementwise(jet: Callable[..., piecewise_activation.Jet]) -> Operation:
    """An activation of which value and slope are given with their errors."""
    wide = piecewise_activation.wide
    return Operation(
        lambda x, **options: piecewise_activation.value(x, jet(wide(x), **options)),
        lambda g, x, **options: piecewise_activation.gradients(g, jet(wide(x), **options)),
    )


def _loss(family: Any, name: str, operands: tuple[str, ...]) -> Operation:
    """A loss of which terms and slopes are given with their errors."""
    formed = getattr(family, name)
    return Operation(partial(family.loss, formed), partial(family.loss_gradients, formed), operands)


PIECEWISE = ("relu6", "hardtanh", "leaky_relu", "hardshrink", "softshrink", "threshold", "rrelu", "hardsigmoid",
             "hardswish")  # fmt: skip
SMOOTH = ("elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "tanhshrink", "logsigmoid")
KERNEL, LINEAR = ("input", "weight", "bias"), ("input", "weight", "bias")
LOSSES = {
    **dict.fromkeys(
        ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "kl_div"), ("input", "target"),
    ),
    "margin_ranking_loss": ("input1", "input2"),
    "gaussian_nll_loss": ("input", "target", "var"),
    **dict.fromkeys(("hinge_embedding_loss", "soft_margin_loss", "poisson_nll_loss"), ("input",)),
}  # fmt: skip
"""Losses of single elements, and their operands that have a gradient."""
EMBEDDED = {
    "cosine_embedding_loss": ("input1", "input2"), "triplet_margin_loss": ("anchor", "positive", "negative"),
}  # fmt: skip
"""The same of embeddings."""
MARGINS = ("multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss")
INTERPOLATED = ("interpolate_nearest", "interpolate_linear", "interpolate_bicubic", "interpolate_antialiased")
SOFT = Operation(
    _with_arrays(_soft), _with_arrays(soft_targets.cross_entropy_soft_gradients), ("input", "target"),
)  # fmt: skip
PADS = {
    "constant_pad": "constant",
    "reflection_pad": "reflect",
    "replication_pad": "replicate",
    "circular_pad": "circular",
}

_NAMED: dict[str, Operation] = {
    "linear": Operation(dense.linear, dense.linear_gradients, LINEAR),
    "bilinear": Operation(dense.bilinear_layer, dense.bilinear_layer_gradients, ("input1", "input2", "weight", "bias")),
    "matmul": Operation(dense.matmul, dense.matmul_gradients, ("input", "other")),
    "sgd": Operation(optimizer.momentum_step, None, ("parameter", "gradient", "momentum_buffer")),
    "cross_entropy": Operation(_with_arrays(loss.cross_entropy), _with_arrays(loss.cross_entropy_gradients)),
    "cross_entropy_probabilities": SOFT,
    "nll_loss": Operation(_with_arrays(loss.nll_loss), _with_arrays(loss.nll_loss_gradients)),
    **{name: _loss(elementwise_loss, name, operands) for name, operands in LOSSES.items()},
    **{name: _loss(embedding_loss, name, operands) for name, operands in EMBEDDED.items()},
    **{name: _loss(margin_loss, name, ("input",)) for name in MARGINS},
    **{
        name: Operation(over(getattr(activation, name)), over(getattr(activation, f"{name}_gradients")))
        for name in ("softmax", "log_softmax")
    },
    **{name: _elementwise(getattr(piecewise_activation, name)) for name in PIECEWISE},
    **{name: _elementwise(getattr(smooth_activation, name)) for name in SMOOTH},
    **{
        name: Operation(over(getattr(smooth_activation, name)), over(getattr(smooth_activation, f"{name}_gradients")))
        for name in ("softmin", "glu")
    },
    **{
        name: Operation(partial(normalization.layer, name), partial(normalization.layer_gradients, name), LINEAR)
        for name in normalization.LAYERS
    },
    "batch_norm": Operation(normalization.batch_norm, normalization.batch_norm_gradients, LINEAR),
    "bmm": Operation(matrix_product.product, matrix_product.gradients, ("input", "mat2")),
    "mv": Operation(matrix_product.product, matrix_product.gradients, ("input", "vec")),
    "broadcast_matmul": Operation(matrix_product.product, matrix_product.gradients, ("input", "other")),
    "mul": Operation(matrix_product.scaled, matrix_product.scaled_gradients, ("input", "other")),
    "sum": Operation(reduction.total, reduction.total_gradients),
    "mean": Operation(reduction.mean, reduction.mean_gradients),
    "max": Operation(reduction.extreme, reduction.extreme_gradients),
    "min": Operation(partial(reduction.extreme, largest=False), partial(reduction.extreme_gradients, largest=False)),
    "argmax": Operation(reduction.index, None),
    "argmin": Operation(partial(reduction.index, largest=False), None),
    "cumprod": Operation(reduction.cumulative_product, reduction.cumulative_product_gradients),
    "cumsum": Operation(reduction.cumulative_sum, reduction.cumulative_sum_gradients),
    "dropout": Operation(dropout.dropout, dropout.dropout_gradients),
    "alpha_dropout": Operation(dropout.alpha_dropout, dropout.alpha_dropout_gradients),
    **dict.fromkeys(INTERPOLATED, Operation(interpolation.interpolate, interpolation.interpolate_gradients)),
    **{
        name: Operation(partial(padding.pad, mode=mode), partial(padding.pad_gradients, mode=mode))
        for name, mode in PADS.items()
    },
}
for _n in (1, 2, 3):
    _NAMED |= {
        f"conv{_n}d": Operation(convolution.cross_correlate, convolution.convolution_gradients, KERNEL, _n),
        f"conv{_n}d_padded": Operation(
            padded_convolution.padded_convolution, padded_convolution.padded_convolution_gradients, KERNEL, _n
        ),
        f"conv_transpose{_n}d": Operation(transposed.conv_transpose, transposed.conv_transpose_gradients, KERNEL, _n),
        f"max_pool{_n}d": Operation(pooling.max_pool, pooling.max_pool_gradients, axes=_n),
        f"avg_pool{_n}d": Operation(pooling.average_pool, pooling.average_pool_gradients, axes=_n),
        f"lp_pool{_n}d": Operation(power_pooling.lp_pool, power_pooling.lp_pool_gradients, axes=_n),
        f"max_unpool{_n}d": Operation(unpooling.max_unpool, unpooling.max_unpool_gradients, axes=_n),
        f"adaptive_max_pool{_n}d": Operation(
            adaptive_pooling.adaptive_max_pool, adaptive_pooling.adaptive_max_pool_gradients, axes=_n
        ),
        f"adaptive_avg_pool{_n}d": Operation(
            adaptive_pooling.adaptive_average_pool, adaptive_pooling.adaptive_average_pool_gradients, axes=_n
        ),
        f"fractional_max_pool{_n}d": Operation(
            fractional_pooling.fractional_max_pool, fractional_pooling.fractional_max_pool_gradients, axes=_n
        ),
    }


def operation(name: str) -> Operation:
    """The operation of a name. Raises ValueError where there is none.

    Beside those that are named here, each function of :mod:`refimpl.bounds` is one, by its own name.

    >>> operation("tanh").operands
    ('x',)
    """
    if name in _NAMED:
        return _NAMED[name]
    for found in pkgutil.iter_modules(bounds.__path__):
        module = importlib.import_module(f"{bounds.__name__}.{found.name}")
        own = getattr(module, name, None)
        if found.name != "common" and inspect.isfunction(own) and own.__module__ == module.__name__:
            given = inspect.signature(own).parameters.values()
            operands = tuple(each.name for each in given if str(each.annotation).startswith("Computed"))
            return Operation(own, getattr(module, f"{name}_gradients", None), operands)
    raise ValueError(f"{name!r} is no operation here; there are {', '.join(_NAMED)}, and those of refimpl.bounds")


def format_of(dtype: str, accumulator: str | None = None, split_k: int = 1, tf32: bool = False) -> Format:
    """How an implementation computes: see :func:`bound`. Raises ValueError for a dtype that has no format.

    >>> format_of("float16").accumulator.name, format_of("float16", "float16").accumulator.name
    ('float32', 'float16')
    """
    for given, known in ((dtype, FORMATS.keys() - INTEGERS.keys()), (accumulator or dtype, ACCUMULATORS)):
        if given not in known and given != "tf32":
            raise ValueError(f"{given!r} is no format here; there are {', '.join(sorted(known))}")
    if split_k < 1:
        raise ValueError(f"split_k={split_k}: a sum has at least one part")
    own = FORMATS[dtype]
    own = replace(own, accumulator=ACCUMULATORS[accumulator]) if accumulator else own
    return replace(own, products=TF32 if tf32 else own.products, split_k=split_k)


def bound(
    name: str,
    *operands: ArrayLike | None,
    dtype: str = "float32",
    accumulator: str | None = None,
    split_k: int = 1,
    tf32: bool = False,
    **arguments: Any,
) -> Any:
    """What an operation should give for operands, and how far a right implementation may be off, element by element.

    name: the operation's, as of torch.nn.functional. operands: arrays in torch's order, or by torch's names; each value
    is taken as it is, so it should be a number of the dtype. arguments: as torch takes them, with one number for all
    axes or one for each.

    dtype: what results are stored in, "float64", "float32", "float16" or "bfloat16". accumulator: what sums are formed
    in, by default float32 for 16 bits, and the dtype itself otherwise. split_k: into how many parts a sum of products
    may be split, each of them stored in the dtype before these are added. tf32: whether products may round their
    operands to TF32 first.

    Returns an :class:`~refimpl.expected.Expected` with ``values`` and ``bound``, both float64 arrays; a bound of None
    means that nothing is rounded, and nothing but equality is right. An operation of several results gives a tuple.

    >>> x, w = np.ones((1, 4)), np.full((1, 4), 0.25)
    >>> half = bound("linear", x, w, dtype="bfloat16")
    >>> split = bound("linear", x, w, dtype="bfloat16", split_k=2)
    >>> float(half.values[0, 0]), bool((split.bound > half.bound).all())
    (1.0, True)
    >>> bound("max_pool2d", np.arange(9.0).reshape(1, 3, 3), kernel_size=2, stride=1)[0]
    Expected(values=array([[[4., 5.],
        [7., 8.]]]), bound=None)
    """
    own, format = operation(name), format_of(dtype, accumulator, split_k, tf32)
    values, arguments = _taken(own, operands, arguments)
    results = own.bound(*_computed(values.values(), format), **arguments)
    return tuple(map(Expected.of, results)) if isinstance(results, tuple) else Expected.of(results)


def gradient_bounds(
    name: str,
    cotangent: ArrayLike,
    *operands: ArrayLike | None,
    dtype: str = "float32",
    accumulator: str | None = None,
    split_k: int = 1,
    tf32: bool = False,
    **arguments: Any,
) -> dict[str, Expected]:
    """The gradients of ``⟨cotangent, output⟩`` to each operand, by its name, with bounds as :func:`bound` has them.

    Raises ValueError where the operation has none.

    >>> list(gradient_bounds("linear", np.ones((1, 2)), np.ones((1, 4)), np.ones((2, 4))))
    ['input', 'weight']
    """
    own, format = operation(name), format_of(dtype, accumulator, split_k, tf32)
    if own.gradients is None:
        raise ValueError(f"{name} has no gradients here")
    values, arguments = _taken(own, operands, arguments)
    results = own.gradients(*_computed([cotangent, *values.values()], format), **arguments)
    return {operand: Expected.of(result) for operand, result in zip(values, results, strict=True)}


def assert_within(observed: ArrayLike, expected: Expected, what: str = "output") -> None:
    """Raise AssertionError unless every element is within its bound of what it should be.

    NaN and infinities must be in the same places, but a number past the largest that the dtype holds may be infinite.
    observed: an array, or what NumPy makes one of; its dtype is that of the implementation.
    """
    values = np.asarray(observed)
    wanted = np.asarray(expected.values)
    if values.shape != wanted.shape:
        raise AssertionError(f"{what} has shape {values.shape}, but should have {wanted.shape}")
    _, told = difference(what, values, overflowing(values, wanted, expected.bound, str(values.dtype)), expected.bound)
    if told:
        raise AssertionError(told)


def _computed(values: Any, format: Format) -> list[Computed]:
    return [Computed.operand(np.asarray(value), format) for value in values]


def _taken(
    own: Operation, operands: tuple[ArrayLike | None, ...], arguments: Mapping[str, Any]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Operands by their names, and the arguments as the loops take them. Raises ValueError for too many operands."""
    if len(operands) > len(own.operands):
        raise ValueError(f"{len(operands)} operands, but there are {', '.join(own.operands)}; name arguments")
    aliases = {"input": own.operands[0]} if "input" not in own.operands else {}
    named = {aliases.get(name, name): value for name, value in arguments.items()}
    given = dict(zip(own.operands, operands, strict=False)) | {n: named.pop(n) for n in own.operands if n in named}
    values = {name: np.asarray(given[name]) for name in own.operands if given.get(name) is not None}
    return values, {name: _spelt_out(own, name, value) for name, value in named.items() if value is not None}


def _spelt_out(own: Operation, name: str, value: Any) -> Any:
    """One number for all axes as one for each."""
    return per_axis(value, own.axes) if own.axes and name in PER_AXIS and isinstance(value, int) else value
