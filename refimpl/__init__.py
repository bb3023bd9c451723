"""Reference implementations: every operation of a convolutional network as plain loops.

NumPy and Numba only. Each function computes in float64, one scalar accumulated at a time, by the index
formula in its docstring, so that it can be checked against that formula by eye. Gradients are loops too:
what the forward pass gathers, the backward pass scatters.

``bound`` gives the value of an operation and how far a right implementation may be off it, and ``assert_within`` holds
a result to that (:mod:`refimpl.operations`).

One notation holds everywhere. Most formulas are written for two axes, ``i, j`` and ``a, b``; the loops have three.

========  ==================================================================================================
n, c, o   image of the batch, input channel, output channel
p, i, j   output position along depth, rows and columns
d, a, b   offset in the kernel or window along depth, rows and columns
z, u, v   input element along depth, rows and columns
s, q, e   stride, padding before the axis, dilation: position p and offset d meet at ``z = p·s − q + d·e``
c₀, o₀    first input channel and first output channel of a group
A, B      rows and columns of the kernel or window; I, J of the output; H, W of the input
x, w, y   input, weight, output
g, ∂x     gradient of the output (the cotangent), and the gradient to x
h         direction in which a gradient is differentiated again
========  ==================================================================================================

The letters p, d and q stand for nothing else. What a family without windows adds:

==========  ================================================================================================
loss        n, c a row and its class; y log-probabilities, ``P = e^y``; t target, a weighted target; D divisor;
            s label smoothing
power       r exponent, S the sum of a window's r-th powers
optimizer   v velocity; λ, μ, τ weight decay, momentum, dampening
adam        m, v moving averages of the gradient and of its square, which β₁ and β₂ decay; t step, λ weight decay
bounds      u unit roundoff, η underflow, ``γ_n = n·u/(1 − n·u)``; x̂ a computed x, off by e_x at most; k elements of
            a window, m windows that hold an element (:mod:`refimpl.rounding`)
==========  ================================================================================================

``S1`` … ``S24`` are the systems of the chapter "Convolutional Neural Networks" of *Dive into Deep Learning*
(https://d2l.ai) that the suite verifies; the report lists them.
"""

from refimpl.operations import assert_within as assert_within
from refimpl.operations import bound as bound
from refimpl.operations import gradient_bounds as gradient_bounds
