"""What an operator is: everything that the generic laws need to know of it, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import INTEGERS, LARGEST_INTEGER, Case
from properties.cases.large import Kinds
from properties.cases.spots import Parts
from properties.operators.constraints import Constraint
from properties.verdicts.expected import Expected
from properties.worker.call import Program
from properties.worker.programs import modules
from refimpl.arrays import Array
from refimpl.bounds.common import covered
from refimpl.rounding import ALGORITHMS, ELEMENTWISE, RECIPROCAL, Computed, Format, round_to
from refimpl.rounding import INTEGERS as INTEGER_TYPES


@dataclass(frozen=True, eq=False)
class Operator:
    """One layer or function: its name, what it should compute, and how torch is asked for it.

    ``reference`` and ``gradients`` are the loops, ``bound`` and ``gradient_bounds`` the same with errors; all take
    the operands in the order of a case's shapes, then the case's arguments by name, as ``program`` does by keyword.
    A layer's gradient functions take the cotangent first and return one gradient for each operand.

    ``outputs`` names what a program that returns several tensors returns, the first being the "output". Where the case
    decides how many there are, ``bound`` returns a dict with their names.

    ``second`` takes the cotangent, the operands and a direction h for each of them, and returns, with errors, the
    gradients of ⟨h, gradients⟩ to the cotangent and to each operand.

    ``given`` makes the operands that are not free values, such as indices or random samples: the loops and bounds take
    them by name, as arrays, and there are no gradients to them. ``domain`` maps the values of an operand, by its name,
    to values for which the layer is defined.

    For the exact tier, ``scale`` is what integers are multiplied by so that divisions leave no remainder, and
    ``magnitude`` and ``gradient_magnitude`` sum absolute values in place of values (by default: the reference on
    absolute values); ``inexact`` says why a layer has no exact tier, ``staged`` and ``staged_gradients`` that partial
    results may be stored.

    ``rows`` names the operands that hold a batch of examples, and the number of axes of one example. By default these
    are the input and the given operands, whose examples have an axis of channels and the spatial axes.

    ``parts`` cuts out of a large case what some elements depend on (:mod:`properties.cases.spots`).

    ``large`` is what can be large about it, one at a time (:mod:`properties.cases.large`).

    ``module`` asks torch for the layer by its constructor (:mod:`properties.operators.modules`).

    ``constraints`` are the documented rules that make arguments valid (:mod:`properties.operators.constraints`).

    ``family`` is the name of the module that the record stands in; the catalogue fills it in.
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
    outputs: tuple[str, ...] = ("output", "indices")
    traits: frozenset[str] = frozenset()
    axes: int = 0
    inexact: str | None = None
    staged: bool = False
    staged_gradients: bool = False
    scale: Callable[[Case], int] = lambda case: 1
    magnitude: Callable[..., Array] | None = None
    gradient_magnitude: Callable[..., Any] | None = None
    given: Mapping[str, Callable[[Case, Format], Array]] = field(default_factory=dict)
    domain: Callable[[Case, str, Array], Array] = lambda case, name, values: values
    rows: Callable[[Case], Mapping[str, int]] | None = None
    large: Kinds = field(default_factory=dict)
    parts: Parts | None = None
    module: Program = modules.module
    constraints: tuple[Constraint, ...] = ()
    family: str = ""

    def __str__(self) -> str:
        return self.name

    def has(self, trait: str) -> bool:
        """True if the operator has a trait.

        - "window": windows of one size slide over the input in strides;
        - "kernel": a bank of weights slides over the input;
        - "transposed": a bank of weights scatters, as the gradient of a convolution does;
        - "padded": a bank of weights slides over an input that is padded in a mode;
        - "pooling": there are no weights, and channels keep apart;
        - "averaging": sums are divided by a count;
        - "selecting": every output is an element of the input, whose index is returned;
        - "linear": the output is linear in each real operand, counted with the bias, while the others stay;
        - "products": every result is a sum of products of two operands' elements, and perhaps a bias; no element has a
          part in two terms of one sum;
        - "sized": a formula gives the size of each axis, however many there are;
        - "blocks": what windows see is copied out, and nothing is computed;
        - "columns": an example is a matrix of columns, whatever the number of axes they are laid out on;
        - "activation": a function of each value or row;
        - "falling": of which the result gets smaller where the value gets larger;
        - "halves": of which the second half of an axis gates the first;
        - "reduction": along some axes all elements together give one, or as many running ones;
        - "mixed": operands may be of two dtypes, as torch documents, or of one that is another than is usual;
        - "in place": it can be told to leave its result in its operand;
        - "loss": a loss of rows of classes;
        - "normalizing": rows of the input are divided by the root of their variance, or mean square, and eps;
        - "centered": their mean is subtracted before that;
        - "terms": a loss to which each element of its operands, or each row, gives a term of its own;
        - "weighted": of which an argument weighs the terms;
        - "moving": each output is an element of the input, and nothing is computed;
        - "random": what it gives is drawn at random but in the cases here, which leave nothing to chance.
        """
        return trait in self.traits

    @property
    def rank(self) -> int:
        """The number of axes of one example: channels and spatial axes, or those of a matrix; 0 for any number."""
        if self.has("columns"):
            return 2
        return self.axes + 1 if self.axes else 0

    @property
    def differentiable(self) -> bool:
        """True if gradients are defined."""
        return self.gradients is not None

    @property
    def convolves(self) -> bool:
        """True if a bank of weights slides, or scatters: there are algorithms for it that are stable only in norm."""
        return self.has("kernel") or self.has("transposed") or self.has("padded")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The ways to compute it that are right and differ in what they may be off by, that by elements first."""
        if self.convolves:
            return ALGORITHMS
        return (ELEMENTWISE, RECIPROCAL) if self.has("averaging") else (ELEMENTWISE,)

    @property
    def batched(self) -> bool:
        """True if an input may be a batch of examples, none of which sees the others."""
        return self.axes > 0 or self.rows is not None

    def example(self, case: Case) -> dict[str, int]:
        """The number of axes of one example, for each operand that holds a batch of examples."""
        return dict(self.rows(case)) if self.rows else dict.fromkeys(("input", *self.given), self.axes + 1)

    def in_batch(self, case: Case, batch: tuple[int, ...]) -> Case:
        """The same case with other leading axes; an axis that an argument names is then counted from the last."""
        axes = self.example(case)
        shapes = {
            n: (*batch, *shape[len(shape) - axes[n] :]) if n in axes else shape for n, shape in case.shapes.items()
        }
        dim = {name: value % axes["input"] - axes["input"] for name, value in case.arguments.items() if name == "dim"}
        return replace(case, shapes=shapes, arguments={**case.arguments, **dim})

    def operands(self, case: Case, format: Format) -> dict[str, Array]:
        """The case's values, each a number of the format."""
        free = {name: self.filled(name, shape, case, format) for name, shape in case.shapes.items()}
        return free | {name: make(case, format) for name, make in self.given.items()}

    def any_operands(self, case: Case, format: Format, broken: Constraint | None = None) -> dict[str, Array]:
        """The values of a case that breaks a rule, or may break one: given operands are as that rule makes them.

        Without a rule they are as the operator's first rule makes them.
        """
        free = {name: case.tensor(name, shape, format) for name, shape in case.shapes.items()}
        rule = broken or next(iter(self.constraints), None)
        given = (rule and rule.given) or self.given
        return free | {name: make(case, format) for name, make in given.items()}

    def cotangent(self, case: Case, format: Format) -> Array:
        """A value for the gradient of the output, filled like the operands."""
        return self._drawn("cotangent", self.output_shape(case), case, format)

    def cotangent_if_any(self, case: Case, format: Format) -> Array | None:
        """The same, or None where there are no gradients: of integers, and of what is not differentiable."""
        integers = format.storage.name in INTEGER_TYPES
        return self.cotangent(case, format) if self.differentiable and not integers else None

    def filled(self, name: str, shape: tuple[int, ...], case: Case, format: Format) -> Array:
        """Values of an operand, filled as the case says."""
        return self.domain(case, name, self._drawn(name, shape, case, format))

    def unscaled(self, case: Case, format: Format) -> dict[str, Array]:
        """Values of a case whose arguments may be invalid, so that no scale can be computed from them."""
        tensors = {name: case.tensor(name, shape, format) for name, shape in case.shapes.items()}
        return {name: self.domain(case, name, values) for name, values in tensors.items()}

    def _drawn(self, name: str, shape: tuple[int, ...], case: Case, format: Format) -> Array:
        """Values filled as the case says; integers are scaled if the products can be stored."""
        scale = self.scale(case) if case.fill == INTEGERS else 1
        fits = scale * LARGEST_INTEGER <= format.storage.largest_exact_integer
        return case.tensor(name, shape, format, scale if fits else 1)

    def expected(
        self, operands: Mapping[str, Array], arguments: Mapping[str, Any], format: Format
    ) -> dict[str, Expected]:
        """The output that operands should give: exact where integers allow that, else with the derived bound."""
        free, arguments = self._separated(operands, arguments)
        values = list(free.values())
        magnitude = self.magnitude or _on_absolute_values(self.reference)
        results = self._exactly(self.reference, magnitude, values, arguments, format, self.staged)
        if results is None:
            results = self.bound(*_computed(values, format), **arguments)
        named = results if isinstance(results, dict) else dict(zip(self.outputs, _tuple(results), strict=False))
        return {name: Expected.of(result) for name, result in named.items()}

    def expected_gradients(
        self, cotangent: Array, operands: Mapping[str, Array], arguments: Mapping[str, Any], format: Format
    ) -> dict[str, Expected]:
        """The gradient of ``⟨cotangent, output⟩`` to every operand."""
        assert self.gradients is not None
        assert self.gradient_bounds is not None
        format = format.backward
        free, arguments = self._separated(operands, arguments)
        values = [cotangent, *free.values()]
        magnitude = self.gradient_magnitude or _on_absolute_values(self.gradients)
        staged = self.staged or self.staged_gradients
        results = self._exactly(self.gradients, magnitude, values, arguments, format, staged)
        if results is None:
            results = self.gradient_bounds(*_computed(values, format), **arguments)
        return {name: Expected.of(result) for name, result in zip(free, results, strict=True)}

    def carried(self, operands: Sequence[Computed], arguments: Mapping[str, Any], format: Format) -> Computed:
        """The output of operands that may be off; without an error where integers are exact and are stored exactly."""
        magnitude = self.magnitude or _on_absolute_values(self.reference)
        exact = self._carried_exactly(self.reference, magnitude, operands, arguments, format, self.staged)
        with np.errstate(invalid="ignore", over="ignore"):  # of errors that nothing bounds
            return exact[0] if exact else covered(_first(self.bound(*operands, **arguments)))

    def carried_gradients(
        self, operands: Sequence[Computed], arguments: Mapping[str, Any], format: Format
    ) -> tuple[Computed, ...]:
        """The gradient to every operand, the first of which is the cotangent; all of them may be off."""
        assert self.gradients is not None
        assert self.gradient_bounds is not None
        magnitude = self.gradient_magnitude or _on_absolute_values(self.gradients)
        staged = self.staged or self.staged_gradients
        exact = self._carried_exactly(self.gradients, magnitude, operands, arguments, format, staged)
        with np.errstate(invalid="ignore", over="ignore"):
            return exact or tuple(map(covered, self.gradient_bounds(*operands, **arguments)))

    def _carried_exactly(
        self,
        function: Callable[..., Any],
        magnitude: Callable[..., Any],
        operands: Sequence[Computed],
        arguments: Mapping[str, Any],
        format: Format,
        staged: bool,
    ) -> tuple[Computed, ...] | None:
        """The results, if operands without errors give integers that the storage represents; else None."""
        if any(operand.error is not None for operand in operands):
            return None
        values = [operand.value for operand in operands]
        results = self._exactly(function, magnitude, values, arguments, format, staged)
        most = format.storage.largest_exact_integer
        if results is None or any(np.max(np.abs(result), initial=0.0) > most for result in results):
            return None
        return tuple(Computed.operand(result, format) for result in results)

    def directions(self, case: Case, format: Format) -> dict[str, Array]:
        """A value for the gradient of each gradient, filled like the operands."""
        return {name: self._drawn(f"direction {name}", shape, case, format) for name, shape in case.shapes.items()}

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
        format = format.backward
        free, arguments = self._separated(operands, arguments)
        second, values = self.second, [cotangent, *free.values(), *directions.values()]

        def in_values(*operands: Array, **arguments: Any) -> tuple[Array, ...]:
            return tuple(result.value for result in second(*_computed(list(operands), format), **arguments))

        def largest(*operands: Array, **arguments: Any) -> tuple[Array, ...]:
            sums = _on_absolute_values(in_values)(*operands, **arguments)
            # A mean sums before it divides; the second gradient of a linear layer is the layer of the directions.
            return sums if self.magnitude is None else (*sums, self.magnitude(*operands[1 + len(free) :], **arguments))

        results: Any = None
        if format.storage is format.accumulator:  # else a sum of stored sums is rounded on the way
            results = self._exactly(in_values, largest, values, arguments, format, self.staged)
        if results is None:
            results = second(*_computed(values, format), **arguments)
        return {name: Expected.of(result) for name, result in zip(("cotangent", *free), results, strict=True)}

    def _separated(
        self, operands: Mapping[str, Array], arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """The free operands, and the arguments with the operands that are given."""
        free = {name: values for name, values in operands.items() if name not in self.given}
        return free, {**arguments, **{name: operands[name] for name in self.given}}

    def _exactly(
        self,
        function: Callable[..., Any],
        magnitude: Callable[..., Any],
        values: list[Array],
        arguments: Mapping[str, Any],
        format: Format,
        staged: bool,
    ) -> tuple[Array, ...] | None:
        """The results, if every partial result, in any order, is an integer that its format represents; else None."""
        if self.inexact or not all(_integral(value) for value in values):
            return None
        if format.algorithm in self.algorithms[1:]:  # which rounds integers, too
            return None
        if format.products and any(np.abs(v).max(initial=0.0) > format.products.largest_exact_integer for v in values):
            return None
        stored = staged and format.storage.name not in INTEGER_TYPES  # whose sums wrap wherever they are kept
        largest = (format.storage if stored else format.accumulator).largest_exact_integer
        if not (self.has("products") and _most(values) <= largest):
            sums = _tuple(magnitude(*values, **arguments))
            if any(np.max(np.abs(s), initial=0.0) > largest for s in sums):
                return None
        results = _tuple(function(*values, **arguments))
        return _stored(results, format) if all(_integral(result) for result in results) else None


def formula(operator: Operator, case: Case) -> tuple[int, ...] | None:
    """The output's shape, or None where the formula gives none: the arguments are invalid."""
    try:
        shape = operator.output_shape(case)
    except ValueError:
        return None
    return None if min(shape, default=0) < 0 else shape


def _most(values: list[Array]) -> float:
    """A bound on any sum of "products": as many terms as the largest operand has elements, and a bias.

    A gradient of gradients adds up to three of them.
    """
    largest = max(float(np.max(np.abs(v), initial=0.0)) for v in values)
    return 3 * (max(v.size for v in values) * largest**2 + largest)


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


def _first(results: Any) -> Any:
    return results[0] if isinstance(results, tuple) else results


def _tuple(results: Any) -> tuple[Any, ...]:
    results = results if isinstance(results, tuple) else (results,)
    return tuple(result if isinstance(result, Computed) else np.asarray(result) for result in results)
