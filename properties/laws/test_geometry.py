"""Geometry: one exact-integer formula gives every output size (S10, S11)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from properties.cases.case import Axis, Case, convolution_axis, pooling_axis
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import same_shape
from refimpl import geometry


def windows(axis: Axis, padding: int, ceil_mode: bool = False) -> int:
    """Output size by counting, without a formula: a window after the other while one fits.

    In ceil mode a window fits while its last element would be less than a stride beyond the padded input, and
    counts if it starts in the input or its left padding.
    """
    effective = geometry.effective_kernel(axis.kernel, axis.dilation)
    end = axis.size + 2 * padding + (axis.stride - 1 if ceil_mode else 0)
    starts = range(0, end - effective + 1, axis.stride)
    return sum(1 for start in starts if not ceil_mode or start < axis.size + padding or start == 0)


@law("geometry", covers=lambda operator: operator.axes > 0 or operator.has("sized"), rank=0)
def test_shapes(operator: Operator, subject: Subject, case: Case) -> None:
    """The formula, the meta device and the subject give the same output shape."""
    shape = operator.output_shape(case)
    inferring = [] if subject.kernels else [replace(subject, device="meta", dtype=subject.stored)]
    for computing in (subject, *inferring):
        outcome = computing.run(operator.program, operator.operands(case, subject.format), case.arguments)
        same_shape(outcome, shape)


@law("output size by counting", cases=convolution_axis(kernels=9, longest=65), systems=("S11",))
def test_counting(case: Axis) -> None:
    """The convolution formula gives the number of windows that fit."""
    size = geometry.convolution_output(case.size, case.kernel, case.stride, case.padding, case.dilation)
    assert size == windows(case, case.padding)


@law("ceil mode by counting", cases=pooling_axis(kernels=9, longest=65, dilated=True), systems=("S16",))
def test_ceil_counting(case: Axis) -> None:
    """In ceil mode a last window counts if it starts in the input or its left padding."""
    size = geometry.pooling_output(case.size, case.kernel, case.stride, case.padding, case.dilation, True)
    assert size == windows(case, case.padding, ceil_mode=True)


@law("the chapter's formula", cases=convolution_axis(kernels=9, longest=65), systems=("S4", "S11"))
def test_chapter_formula(case: Axis) -> None:
    """With total padding p = 2·padding and no dilation, the chapter's formula is torch's."""
    case = replace(case, dilation=1, size=case.size + case.kernel)
    assert geometry.chapter_output(
        case.size, case.kernel, case.stride, 2 * case.padding
    ) == geometry.convolution_output(case.size, case.kernel, case.stride, case.padding)


@law("same padding", cases=st.tuples(st.integers(1, 2**62), st.integers(0, 2**30)), systems=("S10",))
def test_same_padding(case: tuple[int, int]) -> None:
    """An odd kernel with (k − 1)/2 per side keeps the size."""
    size, half = case
    kernel = 2 * half + 1
    assert geometry.convolution_output(size, kernel, padding=geometry.same_padding(kernel)) == size


def test_even_kernel_keeps_no_size() -> None:
    """An even kernel has no padding that keeps the size, and says so."""
    with pytest.raises(ValueError, match="kernel=4 is even"):
        geometry.same_padding(4)
