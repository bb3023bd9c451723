"""Reference implementations: every operation of a convolutional network as plain loops.

NumPy and Numba only. Each function computes in float64, one scalar accumulated at a time, by the index
formula in its docstring, so that it can be checked against that formula by eye. Gradients are loops too:
what the forward pass gathers, the backward pass scatters.

``S1`` … ``S24`` are the systems of the chapter "Convolutional Neural Networks" of *Dive into Deep Learning*
(https://d2l.ai) that the suite verifies; the report lists them.
"""
