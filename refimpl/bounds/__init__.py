"""The layers as a machine computes them: each loop's value together with a bound on the error of one precision.

Every function takes and returns :class:`~refimpl.rounding.Computed`, so bounds compose: LeNet's training step is
bounded by running it on these (see :data:`refimpl.lenet.COMPUTED`). With exact operands they reduce to the
textbook bounds, e.g. ``γ_{n+1}·(op(|x|,|w|) + |b|)`` for a convolution.

Magnitudes come from the same loops on absolute values, and the number of terms n of each sum from the same loops
on ones, so that a bound is tight element by element: at a border fewer taps are summed. Each layer ends by storing its
result; what autograd keeps for the backward pass is the stored result.
"""
