"""The layers as a machine computes them: each loop's value together with a bound on the error of one precision.

Every function takes and returns :class:`~refimpl.rounding.Computed`, so bounds compose: LeNet's training step is
bounded by running it on these (see :data:`refimpl.lenet.COMPUTED`). With exact operands they reduce to the
textbook bounds, e.g. ``γ_{n+1}·(op(|x|,|w|) + |b|)`` for a convolution.

Magnitudes come from the same loops on absolute values, and the number of terms n of each sum from the same loops
on ones, so that a bound is tight element by element: at a border fewer taps are summed. Each layer ends by storing its
result; what autograd keeps for the backward pass is the stored result.
"""

from __future__ import annotations

from refimpl.bounds.activation import (
    log_softmax,
    log_softmax_gradients,
    log_softmax_second,
    relu,
    relu_gradients,
    relu_second,
    sigmoid,
    sigmoid_gradients,
    sigmoid_second,
    softmax,
    softmax_gradients,
    softmax_second,
    tanh,
    tanh_gradients,
    tanh_second,
)
from refimpl.bounds.adaptive_pooling import (
    adaptive_average_pool,
    adaptive_average_pool_gradients,
    adaptive_average_pool_second,
    adaptive_max_pool,
    adaptive_max_pool_gradients,
)
from refimpl.bounds.common import bilinear, product, trilinear
from refimpl.bounds.convolution import convolution_gradients, convolve, cross_correlate
from refimpl.bounds.dense import (
    bilinear_layer,
    bilinear_layer_gradients,
    flatten,
    flatten_gradients,
    linear,
    linear_gradients,
    unflatten,
    unflatten_gradients,
)
from refimpl.bounds.fractional_pooling import fractional_max_pool, fractional_max_pool_gradients
from refimpl.bounds.loss import (
    cross_entropy,
    cross_entropy_gradients,
    cross_entropy_second,
    nll_loss,
    nll_loss_gradients,
    squared_error,
    squared_error_gradient,
)
from refimpl.bounds.optimizer import momentum_step, sgd_step
from refimpl.bounds.padded_convolution import padded_convolution, padded_convolution_gradients
from refimpl.bounds.padding import pad, pad_gradients
from refimpl.bounds.pooling import average_pool, average_pool_gradients, max_pool, max_pool_gradients
from refimpl.bounds.power_pooling import lp_pool, lp_pool_gradients, lp_pool_second
from refimpl.bounds.soft_targets import cross_entropy_soft_gradients, cross_entropy_soft_second
from refimpl.bounds.transposed import conv_transpose, conv_transpose_gradients
from refimpl.bounds.unfolding import fold, fold_gradients, unfold, unfold_gradients
from refimpl.bounds.unpooling import max_unpool, max_unpool_gradients

__all__ = [
    "adaptive_average_pool",
    "adaptive_average_pool_gradients",
    "adaptive_average_pool_second",
    "adaptive_max_pool",
    "adaptive_max_pool_gradients",
    "average_pool",
    "average_pool_gradients",
    "bilinear",
    "bilinear_layer",
    "bilinear_layer_gradients",
    "conv_transpose",
    "conv_transpose_gradients",
    "convolution_gradients",
    "convolve",
    "cross_correlate",
    "cross_entropy",
    "cross_entropy_gradients",
    "cross_entropy_second",
    "cross_entropy_soft_gradients",
    "cross_entropy_soft_second",
    "flatten",
    "flatten_gradients",
    "fold",
    "fold_gradients",
    "fractional_max_pool",
    "fractional_max_pool_gradients",
    "linear",
    "linear_gradients",
    "log_softmax",
    "log_softmax_gradients",
    "log_softmax_second",
    "lp_pool",
    "lp_pool_gradients",
    "lp_pool_second",
    "max_pool",
    "max_pool_gradients",
    "max_unpool",
    "max_unpool_gradients",
    "momentum_step",
    "nll_loss",
    "nll_loss_gradients",
    "pad",
    "pad_gradients",
    "padded_convolution",
    "padded_convolution_gradients",
    "product",
    "relu",
    "relu_gradients",
    "relu_second",
    "sgd_step",
    "sigmoid",
    "sigmoid_gradients",
    "sigmoid_second",
    "softmax",
    "softmax_gradients",
    "softmax_second",
    "squared_error",
    "squared_error_gradient",
    "tanh",
    "tanh_gradients",
    "tanh_second",
    "trilinear",
    "unflatten",
    "unflatten_gradients",
    "unfold",
    "unfold_gradients",
]
