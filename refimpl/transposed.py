"""Transposed convolution and its gradients: the adjoint of a convolution's map, made a layer of its own.

A transposed convolution scatters where a convolution gathers, so its three maps are the three loops of
:mod:`refimpl.taps` with the roles changed: forward is the gradient to the input of a convolution whose output is x,
the gradient to x is that convolution, and the gradient to weight is the convolution's, between x as its cotangent
and the cotangent as its input.

Axes as in :mod:`refimpl.convolution`, with ``c`` a channel of x and ``o`` an output channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refimpl.arrays import Array, Axes, batched, float64, matching, steps
from refimpl.geometry import per_axis, transposed_output
from refimpl.taps import scatter_to_input, scatter_to_weight, slide


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Array:
    """Transposed convolution: each element of x adds a multiple of its kernel to the output.

    ``y[n, o₀+o, i·s−q+a·e, j·s−q+b·e] += weight[c,o,a,b] · x[n,c,i,j]`` over all n, c, o, i, j, a, b, on top of
    ``bias[o₀+o]``; what falls outside the output is dropped, and ``output_padding`` adds positions at the end that
    taps may reach or not. Channel c gives to the ``C_out/groups`` output channels of its own group, which start at
    ``o₀ = (c // (C_in/groups)) · (C_out/groups)``.

    x: (N, C_in, *spatial) or unbatched (C_in, *spatial); weight: (C_in, C_out/groups, *kernel); bias: (C_out,);
    spatial is 1, 2 or 3 axes. Returns (N, C_out, *output), without N if x had none.
    Raises ValueError where axes, channels, groups or sizes do not fit. Source: torch.nn.ConvTranspose2d.

    >>> conv_transpose(np.array([[1, 2]]), np.array([[[1, 10, 100]]]), stride=2)
    array([[  1.,  10., 102.,  20., 200.]])
    >>> conv_transpose(np.array([[1, 2]]), np.array([[[1, 10, 100]]]), np.array([7]), 2, padding=1, output_padding=1)
    array([[ 17., 109.,  27., 207.]])
    """
    output = output_shape(np.shape(x), np.shape(weight), bias, stride, padding, output_padding, groups, dilation)
    axes = np.ndim(weight) - 2
    y = batched(np.zeros(output), axes)
    if bias is not None:
        y += float64(bias).reshape(-1, 1, 1, 1)
    scatter_to_input(y, batched(x, axes), batched(weight, axes), groups, *steps(stride, padding, dilation, axes))
    return y.reshape(output)


def input_gradient(
    cotangent: Array,
    input_shape: Sequence[int],
    weight: Array,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Array:
    """Gradient of ``⟨cotangent, conv_transpose(x, weight)⟩`` to x: the convolution of which this is the transpose.

    ``∂x[n,c,i,j] = Σ_{o,a,b} weight[c,o,a,b] · cotangent[n, o₀+o, i·s−q+a·e, j·s−q+b·e]``

    cotangent: as the output of :func:`conv_transpose`; weight and the arguments as there. Returns ``input_shape``.
    Raises ValueError where they do not fit together.

    >>> input_gradient(np.array([[1., 2, 3, 4, 5]]), (1, 2), np.array([[[1, 10, 100]]]), stride=2)
    array([[321., 543.]])
    """
    output = output_shape(input_shape, np.shape(weight), None, stride, padding, output_padding, groups, dilation)
    axes = np.ndim(weight) - 2
    gradient = batched(np.zeros(input_shape), axes)
    step = steps(stride, padding, dilation, axes)
    no_bias = np.zeros(gradient.shape[1])
    slide(gradient, batched(matching(cotangent, output), axes), batched(weight, axes), no_bias, groups, *step, False)
    return gradient.reshape(input_shape)


def weight_gradient(
    cotangent: Array,
    x: Array,
    weight_shape: Sequence[int],
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Array:
    """Gradient of ``⟨cotangent, conv_transpose(x, weight)⟩`` to weight.

    ``∂weight[c,o,a,b] = Σ_{n,i,j} x[n,c,i,j] · cotangent[n, o₀+o, i·s−q+a·e, j·s−q+b·e]``

    Operands as for :func:`conv_transpose`. Returns ``weight_shape``. Raises ValueError as there. The gradient to
    bias is :func:`refimpl.convolution.bias_gradient`.

    >>> weight_gradient(np.array([[1., 2, 3, 4, 5]]), np.array([[1, 10]]), (1, 1, 3), stride=2)
    array([[[31., 42., 53.]]])
    """
    output = output_shape(np.shape(x), weight_shape, None, stride, padding, output_padding, groups, dilation)
    axes = len(weight_shape) - 2
    gradient = batched(np.zeros(weight_shape), axes)
    step = steps(stride, padding, dilation, axes)
    scatter_to_weight(gradient, batched(x, axes), batched(matching(cotangent, output), axes), groups, *step)
    return gradient.reshape(weight_shape)


def output_shape(
    x: Sequence[int],
    weight: Sequence[int],
    bias: Array | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> tuple[int, ...]:
    """Shape of :func:`conv_transpose`'s output. Raises ValueError where the operands' shapes do not fit together.

    >>> output_shape((2, 3, 5, 5), (3, 4, 2, 3), stride=2)
    (2, 4, 10, 11)
    """
    axes = len(weight) - 2
    if axes not in (1, 2, 3):
        raise ValueError(f"weight has {len(weight)} axes; 3, 4 or 5 make a 1-d, 2-d or 3-d transposed convolution")
    if len(x) not in (axes + 1, axes + 2):
        raise ValueError(f"x has {len(x)} axes, but a {axes}-d transposed convolution takes {axes + 1} or {axes + 2}")
    if groups < 1 or weight[0] % groups:
        raise ValueError(f"groups={groups} does not divide the {weight[0]} input channels")
    if x[-axes - 1] != weight[0]:
        raise ValueError(f"x has {x[-axes - 1]} channels, but weight takes {weight[0]}")
    channels = weight[1] * groups
    if bias is not None and np.shape(bias) != (channels,):
        raise ValueError(f"bias has shape {np.shape(bias)}, but there are {channels} output channels")
    arguments = (per_axis(value, axes) for value in (stride, padding, output_padding, dilation))
    sizes = zip(x[-axes:], weight[2:], *arguments, strict=True)
    return (*x[: -axes - 1], channels, *(transposed_output(*axis) for axis in sizes))
