"""From the fully connected image layer to convolution: translation invariance and locality (S1)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, cases
from properties.engine.law import law
from properties.operators import operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict
from refimpl import convolution, dense

LINEAR, CONV2D = operator("linear"), operator("conv2d")


@st.composite
def image_and_kernel(draw: st.DrawFn) -> Geometry:
    """An image (K, L) and a kernel (A, B) that fits in it."""
    a, b = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    image = (a + draw(st.integers(0, 6)), b + draw(st.integers(0, 6)))
    return {"image": image, "kernel": (a, b)}, {}


@law("dense = Toeplitz", cases=cases(image_and_kernel()), systems=("S1",))
def test_toeplitz(subject: Subject, case: Case) -> None:
    """The dense layer whose weight is the kernel's doubly blocked Toeplitz matrix equals the convolution."""
    x, kernel = (case.tensor(name, shape, subject.format) for name, shape in case.shapes.items())
    weight = dense.toeplitz(kernel, x.shape)
    layer = {"input": x.reshape(-1), "weight": weight.reshape(-1, x.size)}
    expected = LINEAR.expected(layer, {}, subject.format)["output"]
    assert np.array_equal(LINEAR.reference(*layer.values()), convolution.corr2d(x, kernel).reshape(-1))
    verdict(subject.run(LINEAR.program, layer), {"output": expected}, subject)
    convolved = CONV2D.expected({"input": x[None], "weight": kernel[None, None]}, {}, subject.format)
    outcome = subject.run(CONV2D.program, {"input": x[None], "weight": kernel[None, None]})
    verdict(outcome, convolved, subject)


@st.composite
def image_layer(draw: st.DrawFn) -> Geometry:
    """An image (K, L), a full weight (I, J, K, L) and a bias (I, J)."""
    i, j, k, m = (draw(st.integers(1, 5)) for _ in range(4))
    return {"image": (k, m), "weight": (i, j, k, m), "bias": (i, j)}, {}


@law("re-indexed weight", cases=cases(image_layer()), systems=("S1",))
def test_image_layer(subject: Subject, case: Case) -> None:
    """W[i,j,k,l] and V[i,j,a,b] = W[i,j,i+a,j+b] index the same layer, which is a linear layer on pixels."""
    x, weight, bias = (case.tensor(name, shape, subject.format) for name, shape in case.shapes.items())
    output = dense.image_layer(x, weight, bias)
    assert np.array_equal(output, dense.image_layer_by_offset(x, weight, bias))
    layer = {"input": x.reshape(-1), "weight": weight.reshape(-1, x.size), "bias": bias.reshape(-1)}
    expected = LINEAR.expected(layer, {}, subject.format)["output"]
    assert np.array_equal(output.reshape(-1), LINEAR.reference(*layer.values()))
    verdict(subject.run(LINEAR.program, layer), {"output": expected}, subject)
