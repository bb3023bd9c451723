"""What an operator is: everything that the generic laws need to know of it, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import INTEGERS, LARGEST_INTEGER, Case
from properties.runner.call import Program
from properties.verdict import Expected
from refimpl.arrays import Array
from refimpl.rounding import Computed, Format, round_to


@dataclass(frozen=True, eq=False)
class Operator:
    """One layer or function: its name, what it should compute, and how torch is asked for it.

    ``reference`` and ``gradients`` are the loops, ``bound`` and ``gradient_bounds`` the same with errors; all take
    the operands in the order of a case's shapes, then the case's arguments by name, as ``program`` does by keyword.
    A layer's gradient functions take the cotangent first and return one gradient for each operand.

    ``second`` takes the cotangent, the operands and a direction h for each of them, and returns, with errors, the
    gradients of ⟨h, gradients⟩ to the cotangent and to each operand.

    For the exact tier, ``scale`` is what integers are multiplied by so that divisions leave no remainder, and
    ``magnitude`` and ``gradient_magnitude`` sum absolute values in place of values (by default: the reference on
    absolute values); ``inexact`` says why a layer has no exact tier.
    """

    name: str
    layer: str
    systems: tuple[str, ...]
    cases: st.SearchStrategy[Case]
    program: Program
    reference: Callable[..., Any]
    bound: Callable[..., Any]
    output_shape: Callable[[Case], tuple[int, ...]]
    gradients: Callable[..., Any] | None = None
    gradient_bounds: Callable[..., Any] | None = None
    second: Callable[..., tuple[Computed, ...]] | None = None
    traits: frozenset[str] = frozenset()
    axes: int = 0
    inexact: str | None = None
    scale: Callable[[Case], int] = lambda case: 1
    magnitude: Callable[..., Array] | None = None
    gradient_magnitude: Callable[..., Any] | None = None

    def __str__(self) -> str:
        return self.name

    def has(self, trait: str) -> bool:
        """Whether a trait holds.

        "window": something slides along the last axes; "kernel": it is a bank of weights; "pooling": it has none, and
        keeps channels apart. "linear": the output is linear in each real operand, the bias counted with it, while the
        others stay. "selecting": every output is an element of the input, whose index is returned.
        """
        return trait in self.traits

    @property
    def differentiable(self) -> bool:
        """Whether gradients are defined."""
        return self.gradients is not None

    def operands(self, case: Case, format: Format) -> dict[str, Array]:
        """The case's values, each a number of the format."""
        return {name: self.filled(name, shape, case, format) for name, shape in case.shapes.items()}

    def cotangent(self, case: Case, format: Format) -> Array:
        """A value for the gradient of the output, filled like the operands."""
        return self.filled("cotangent", self.output_shape(case), case, format)

    def filled(self, name: str, shape: tuple[int, ...], case: Case, format: Format) -> Array:
        """Values filled as the case says; integers are scaled if the products can be stored."""
        scale = self.scale(case) if case.fill == INTEGERS else 1
        fits = scale * LARGEST_INTEGER <= format.storage.largest_exact_integer
        return case.tensor(name, shape, format, scale if fits else 1)

    def expected(
        self, operands: Mapping[str, Array], arguments: Mapping[str, Any], format: Format
    ) -> dict[str, Expected]:
        """The output that operands should give: exact where integers allow that, else with the derived bound."""
        values = list(operands.values())
        magnitude = self.magnitude or _on_absolute_values(self.reference)
        results = self._exactly(self.reference, magnitude, values, arguments, format)
        if results is None:
            results = _tuple(self.bound(*_computed(values, format), **arguments))
        return {name: _expected(result) for name, result in zip(("output", "indices"), results, strict=False)}

    def expected_gradients(
        self, cotangent: Array, operands: Mapping[str, Array], arguments: Mapping[str, Any], format: Format
    ) -> dict[str, Expected]:
        """The gradient of ``⟨cotangent, output⟩`` to every operand."""
        assert self.gradients is not None
        assert self.gradient_bounds is not None
        values = [cotangent, *operands.values()]
        magnitude = self.gradient_magnitude or _on_absolute_values(self.gradients)
        results = self._exactly(self.gradients, magnitude, values, arguments, format)
        if results is None:
            results = self.gradient_bounds(*_computed(values, format), **arguments)
        return {name: _expected(result) for name, result in zip(operands, results, strict=True)}

    def directions(self, case: Case, format: Format) -> dict[str, Array]:
        """A value for the gradient of each gradient, filled like the operands."""
        return {name: self.filled(f"direction {name}", shape, case, format) for name, shape in case.shapes.items()}

    def expected_second(
        self,
        cotangent: Array,
        operands: Mapping[str, Array],
        directions: Mapping[str, Array],
        arguments: Mapping[str, Any],
        format: Format,
    ) -> dict[str, Expected]:
        """The gradients of ``⟨directions, gradients⟩`` to the cotangent and every operand."""
        assert self.second is not None
        second, values = self.second, [cotangent, *operands.values(), *directions.values()]

        def in_values(*operands: Array, **arguments: Any) -> tuple[Array, ...]:
            return tuple(result.value for result in second(*_computed(list(operands), format), **arguments))

        results: Any = None
        if format.storage is format.accumulator:  # else a sum of stored sums is rounded on the way
            results = self._exactly(in_values, _on_absolute_values(in_values), values, arguments, format)
        if results is None:
            results = second(*_computed(values, format), **arguments)
        return {name: _expected(result) for name, result in zip(("cotangent", *operands), results, strict=True)}

    def _exactly(
        self,
        function: Callable[..., Any],
        magnitude: Callable[..., Any],
        values: list[Array],
        arguments: Mapping[str, Any],
        format: Format,
    ) -> tuple[Array, ...] | None:
        """The results, if every partial result, in any order, is an integer that the accumulator has; else None."""
        if self.inexact or not all(_integral(value) for value in values):
            return None
        if format.products and any(np.abs(v).max(initial=0.0) > format.products.largest_exact_integer for v in values):
            return None
        sums = _tuple(magnitude(*values, **arguments))
        if any(np.max(np.abs(s), initial=0.0) > format.accumulator.largest_exact_integer for s in sums):
            return None
        results = _tuple(function(*values, **arguments))
        return _stored(results, format) if all(_integral(result) for result in results) else None


def _on_absolute_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """Σ|x||w| instead of Σxw: the largest that any partial sum can get."""
    return lambda *operands, **arguments: function(*(np.abs(operand) for operand in operands), **arguments)


def _stored(results: tuple[Array, ...], format: Format) -> tuple[Array, ...]:
    """Exact sums, rounded once to the storage; indices as they are."""
    return tuple(round_to(r, format.storage) if r.dtype.kind == "f" else r for r in results)


def _integral(values: Array) -> bool:
    return bool((values == np.rint(values)).all())


def _computed(values: list[Array], format: Format) -> list[Computed]:
    return [Computed.operand(value, format) for value in values]


def _tuple(results: Any) -> tuple[Any, ...]:
    results = results if isinstance(results, tuple) else (results,)
    return tuple(result if isinstance(result, Computed) else np.asarray(result) for result in results)


def _expected(result: Computed | Array) -> Expected:
    """Maxima and moved elements are computed without rounding: no error means equality."""
    if not isinstance(result, Computed):
        return Expected(result)
    return Expected(result.value) if result.error is None else Expected.within(result)
