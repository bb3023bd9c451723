"""Cross-correlation, convolution and their gradients, as one N-d loop.

1-d and 2-d inputs are 3-d inputs with axes of length one, so a single loop serves all three. No padded copy is
made: an index outside the input is skipped, which is what a zero there would contribute.

Axes: ``n`` batch, ``c`` input channel, ``o`` output channel, output position ``(p, i, j)``, kernel offset
``(d, a, b)``. ``groups`` splits the channels: output channel ``o`` sees only the ``C_in/groups`` input channels
of its own group, which start at ``c₀ = (o // (C_out/groups)) · (C_in/groups)``. The loops are in :mod:`refimpl.taps`.

``padding`` is a number per side, one for each axis, or torch's words: "valid" for none, "same" for what keeps the
size at stride 1 (:func:`refimpl.geometry.same_split`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, Triple, batched, float64, lift, matching, steps
from refimpl.geometry import convolution_output, per_axis, same_split
from refimpl.taps import scatter_to_input, scatter_to_weight, slide

Padding = Axes | str


def corr2d(x: Array, kernel: Array) -> Array:
    """Cross-correlation of one image with one kernel (S4): ``y[i,j] = Σ_{a,b} kernel[a,b] · x[i+a, j+b]``.

    x: (H, W); kernel: (A, B). Returns (H−A+1, W−B+1).

    >>> corr2d(np.arange(9).reshape(3, 3), np.array([[0, 1], [2, 3]]))
    array([[19., 25.],
           [37., 43.]])
    >>> x = np.ones((6, 8)); x[:, 2:6] = 0
    >>> corr2d(x, np.array([[1, -1]]))[0]   # S6: a vertical edge
    array([ 0.,  1.,  0.,  0.,  0., -1.,  0.])
    >>> corr2d(x.T, np.array([[1, -1]])).any()   # this kernel does not see horizontal edges
    np.False_
    """
    return cross_correlate(np.asarray(x)[None, None], np.asarray(kernel)[None, None])[0, 0]


def cross_correlate(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlation of a batch with a bank of kernels (S3, S10–S13).

    ``y[n,o,i,j] = bias[o] + Σ_{c,a,b} weight[o,c,a,b] · x[n, c₀+c, i·s−q+a·e, j·s−q+b·e]``

    x: (N, C_in, *spatial) or unbatched (C_in, *spatial); weight: (C_out, C_in/groups, *kernel);
    bias: (C_out,); spatial is 1, 2 or 3 axes. Returns (N, C_out, *output), without N if x had none.
    Raises ValueError where axes, channels, groups or sizes do not fit.
    Source: torch.nn.functional.conv1d/2d/3d, which compute cross-correlation.

    >>> x = np.array([[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    >>> cross_correlate(x, np.array([[[[0, 1], [2, 3]], [[1, 2], [3, 4]]]]))   # S12
    array([[[ 56.,  72.],
            [104., 120.]]])
    >>> cross_correlate(np.array([[1, 2, 3]]), np.array([[[10, 1]]]), padding="same")   # the zero is on the right
    array([[12., 23., 30.]])
    """
    return _layer(x, weight, bias, stride, padding, dilation, groups, mirror=False)


def convolve(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Array:
    """Convolution in the mathematician's sense: the kernel runs against the input (S2, S8).

    ``y[n,o,i,j] = bias[o] + Σ_{c,a,b} weight[o,c,a,b] · x[n, c₀+c, i·s−q+(A−1−a)·e, j·s−q+(B−1−b)·e]``

    Shapes and errors as for :func:`cross_correlate`, from which it differs by one choice of index.

    >>> convolve(np.array([[0., 0, 1, 0, 0]]), np.array([[[1., 2, 3]]]))   # an impulse gives the kernel back
    array([[1., 2., 3.]])
    """
    return _layer(x, weight, bias, stride, padding, dilation, groups, mirror=True)


def convolve_sequences(f: Array, g: Array) -> Array:
    """Discrete convolution of two images, zero outside (S2): ``(f∗g)[i,j] = Σ_{a,b} f[a,b] · g[i−a, j−b]``.

    f: (A, B); g: (H, W). Returns (H+A−1, W+B−1), all positions where a term can be non-zero.

    >>> convolve_sequences(np.array([[1, 2]]), np.array([[1, 10, 100]]))
    array([[  1.,  12., 120., 200.]])
    """
    f, g = float64(f), float64(g)
    y = np.zeros((f.shape[0] + g.shape[0] - 1, f.shape[1] + g.shape[1] - 1))
    _convolve_sequences(y, f, g)
    return y


def flip(weight: Array) -> Array:
    """Mirror a bank of kernels (C_out, C_in/groups, *kernel) in every spatial axis (S8)."""
    return np.flip(weight, axis=tuple(range(2, np.ndim(weight))))


def input_gradient(
    cotangent: Array,
    input_shape: Sequence[int],
    weight: Array,
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Array:
    """Gradient of ``⟨cotangent, cross_correlate(x, weight)⟩`` to x: each tap scatters back what it gathered.

    ``∂x[n, c₀+c, i·s−q+a·e, j·s−q+b·e] += cotangent[n,o,i,j] · weight[o,c,a,b]`` over all o, c, i, j, a, b.

    cotangent: as the output of :func:`cross_correlate`; weight and the arguments as there. Returns
    ``input_shape``. Raises ValueError where they do not fit together.

    >>> input_gradient(np.ones((1, 1, 2)), (1, 1, 4), np.array([[[1, 10, 100]]]))
    array([[[  1.,  11., 110., 100.]]])
    """
    axes = np.ndim(weight) - 2
    output = _check(tuple(input_shape), np.shape(weight), None, stride, padding, dilation, groups)
    g = batched(matching(cotangent, (*input_shape[: -axes - 1], np.shape(weight)[0], *output)), axes)
    gradient = batched(np.zeros(input_shape), axes)
    scatter_to_input(gradient, g, batched(weight, axes), groups, *_steps(np.shape(weight), stride, padding, dilation))
    return gradient.reshape(input_shape)


def weight_gradient(
    cotangent: Array,
    x: Array,
    weight_shape: Sequence[int],
    stride: Axes = 1,
    padding: Padding = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Array:
    """Gradient of ``⟨cotangent, cross_correlate(x, weight)⟩`` to weight.

    ``∂weight[o,c,a,b] += cotangent[n,o,i,j] · x[n, c₀+c, i·s−q+a·e, j·s−q+b·e]`` over all n, i, j.

    Operands as for :func:`cross_correlate`. Returns ``weight_shape``. Raises ValueError as there.

    >>> weight_gradient(np.ones((1, 1, 2)), np.array([[[1, 10, 100, 1000]]]), (1, 1, 3))
    array([[[  11.,  110., 1100.]]])
    """
    axes = len(weight_shape) - 2
    output = _check(np.shape(x), tuple(weight_shape), None, stride, padding, dilation, groups)
    g = batched(matching(cotangent, (*np.shape(x)[: -axes - 1], weight_shape[0], *output)), axes)
    gradient = batched(np.zeros(weight_shape), axes)
    scatter_to_weight(gradient, g, batched(x, axes), groups, *_steps(weight_shape, stride, padding, dilation))
    return gradient.reshape(weight_shape)


def bias_gradient(cotangent: Array, axes: int) -> Array:
    """Gradient to bias: ``∂bias[o] = Σ_{n,i,j} cotangent[n,o,i,j]``.

    cotangent: (N, C_out, *output) or (C_out, *output), with ``axes`` spatial axes. Returns (C_out,).

    >>> bias_gradient(np.ones((2, 3, 4)), axes=1)
    array([8., 8., 8.])
    """
    g = batched(cotangent, axes)
    gradient = np.zeros(g.shape[1])
    _sum_per_channel(gradient, g)
    return gradient


def _layer(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Axes,
    padding: Padding,
    dilation: Axes,
    groups: int,
    mirror: bool,
) -> Array:
    axes = np.ndim(weight) - 2
    output = _check(np.shape(x), np.shape(weight), bias, stride, padding, dilation, groups)
    images = batched(x, axes)
    y = np.empty((images.shape[0], np.shape(weight)[0], *lift(output, 1)))
    offset = np.zeros(y.shape[1]) if bias is None else float64(bias)
    step = _steps(np.shape(weight), stride, padding, dilation)
    slide(y, images, batched(weight, axes), offset, groups, *step, mirror)
    return y.reshape((*np.shape(x)[: -axes - 1], y.shape[1], *output))


def _check(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    bias: Array | None,
    stride: Axes,
    padding: Padding,
    dilation: Axes,
    groups: int,
) -> tuple[int, ...]:
    """Raise where the operands do not fit together; otherwise return the output's spatial sizes."""
    axes = len(weight) - 2
    if axes not in (1, 2, 3):
        raise ValueError(f"weight has {len(weight)} axes; 3, 4 or 5 make a 1-d, 2-d or 3-d convolution")
    if len(x) not in (axes + 1, axes + 2):
        raise ValueError(f"x has {len(x)} axes, but a {axes}-d convolution takes {axes + 1} or {axes + 2}")
    if groups < 1 or weight[0] % groups:
        raise ValueError(f"groups={groups} does not divide the {weight[0]} output channels")
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise ValueError(f"padding={padding!r} is neither 'same' nor 'valid' nor a number")
    if x[-axes - 1] != weight[1] * groups:
        raise ValueError(f"x has {x[-axes - 1]} channels, but weight and groups make {weight[1]}·{groups}")
    if bias is not None and np.shape(bias) != (weight[0],):
        raise ValueError(f"bias has shape {np.shape(bias)}, but there are {weight[0]} output channels")
    if padding == "same":
        if set(per_axis(stride, axes)) != {1}:
            raise ValueError(f"padding='same' keeps the size at stride 1, not {stride}")
        return x[-axes:]
    per_side = 0 if isinstance(padding, str) else padding
    arguments = (per_axis(value, axes) for value in (stride, per_side, dilation))
    return tuple(convolution_output(*sizes) for sizes in zip(x[-axes:], weight[2:], *arguments, strict=True))


def _steps(weight: Sequence[int], stride: Axes, padding: Padding, dilation: Axes) -> tuple[Triple, Triple, Triple]:
    """The arguments of the loops, for which only the padding before an axis counts."""
    axes = len(weight) - 2
    if padding == "same":
        padding = [same_split(*axis)[0] for axis in zip(weight[2:], per_axis(dilation, axes), strict=True)]
    return steps(stride, 0 if isinstance(padding, str) else padding, dilation, axes)


@njit(cache=True)
def _sum_per_channel(gradient, g):  # type: ignore[no-untyped-def]
    for n, o, p, i, j in np.ndindex(g.shape):
        gradient[o] += g[n, o, p, i, j]


@njit(cache=True)
def _convolve_sequences(y, f, g):  # type: ignore[no-untyped-def]
    for i, j in np.ndindex(y.shape):
        for a, b in np.ndindex(f.shape):
            if 0 <= i - a < g.shape[0] and 0 <= j - b < g.shape[1]:
                y[i, j] += f[a, b] * g[i - a, j - b]
