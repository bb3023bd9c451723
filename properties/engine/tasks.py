"""Tasks of KernelBench's form as operators: what ``Model`` computes, on its own shape and on others around it.

A Model that makes one call of an operator here is held to that operator's loops, with their bounds. A chain of such
calls is held to the loops, too, with bounds carried from layer to layer (:mod:`properties.engine.chains`). Any other
Model is held to itself in float64. No bound is known then, and one is chosen (:func:`held_to_model`), which holds in
chains, too, where it is the smaller one.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import INTEGERS, REAL_FILLS, Case, among, whole
from properties.engine import chains
from properties.engine.chains import MOVING, NUMBERED, Made, is_chain, is_one, moved, with_number
from properties.engine.formulas import formula, rewritten
from properties.engine.judgement import NotRun
from properties.engine.trial import Trial
from properties.operators import CATALOGUE, Operator, normalization
from properties.subjects import Declined, Subject, Undefined
from properties.verdicts.expected import Expected
from properties.worker.call import Outcome
from properties.worker.programs import tasks as programs
from refimpl.arrays import Array
from refimpl.rounding import Format, round_to

OTHERS = 32
"""Shapes that are found around a task's own."""
SMALL = (2**25, 2**17)
"""Products, and elements of the largest tensor, of one of them."""
LARGE = ((2**31, 2**24), (2**27, 2**21))
"""The same of the task's own shape, where the loops compute parts of a result, and where they compute all of it."""
PER_AXIS = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size")
STORING = ("batch_norm", "instance_norm")
"""Layers whose statistics torch rounds to 16 bits, as an answer may: Model itself is the measure there."""
WITHOUT_EFFECT = ("_stacklevel", "inplace", "return_indices")
"""Arguments on which a single result does not depend, unless they are given."""
FEW = 4
"""Integers that are not zero in a sum of a chain."""
REACH, MOVES, TIMES = 16.0, 3, 4.0
"""Operands are moved by so many roundings, so often, to see how far a result moves; it may be off by so many times as
much."""


@dataclass(frozen=True, eq=False)
class Shaped:
    """A task with some of its numbers changed: what a survey of it says (:mod:`properties.worker.programs.tasks`).

    integers: the inputs that hold classes, with the number of these. plain: True if inputs may have any values.
    """

    changed: Mapping[str, Any]
    constructor: str
    shapes: Mapping[str, tuple[int, ...]]
    integers: Mapping[str, int]
    plain: bool
    output: tuple[int, ...]
    calls: tuple[tuple[str, Mapping[str, Any]], ...]

    @classmethod
    def of(cls, seen: Mapping[str, Any]) -> Shaped:
        """What a survey says of one."""
        shapes = {f"input {i}": shape for i, (shape, _) in enumerate(seen["inputs"])}
        classes = iter(seen["classes"])
        integers = {f"input {i}": next(classes, 0) for i, (_, kind) in enumerate(seen["inputs"]) if "float" not in kind}
        shapes |= {f"weight {name}": shape for name, shape in seen["weights"].items()}
        return cls(seen["changed"], seen["constructor"], shapes, integers, seen["plain"], seen["output"], seen["calls"])

    def __str__(self) -> str:
        inputs = [" × ".join(map(str, shape)) for name, shape in self.shapes.items() if name.startswith("input")]
        return f"{self.constructor} of {', '.join(inputs)}"

    @property
    def made(self) -> Made | None:
        """The operator that it is a call of; None where there is none."""
        calls = rewritten(self.calls, self.shapes)
        made = self._call(*calls[0]) if len(calls) == 1 else None
        every = made and sorted([*made.sources.values(), *([made.target] if made.target else [])])
        return made if every == sorted(self.shapes) else None

    @property
    def chain(self) -> tuple[Made, ...]:
        """The operators that it is a chain of calls of, or the one that it writes out; none where it is no chain."""
        if found := formula(self.calls, list(self.shapes)):
            return (found,)
        made = [moved(name, arguments) if name in MOVING else self._call(name, _fresh(arguments))
                for name, arguments in rewritten(self.calls, self.shapes)]  # fmt: skip
        calls = tuple(call for call in made if call)
        return calls if len(calls) == len(made) > 0 and is_chain(calls, list(self.shapes)) else ()

    @property
    def by_loops(self) -> tuple[Made, ...]:
        """The one call or the chain of calls whose loops say what it should give; none where there are no loops."""
        return (self.made,) if self.made else self.chain

    @property
    def exact(self) -> bool:
        """True if integers that are small enough give integers."""
        return bool(self.by_loops) and all(call.operator.inexact is None for call in self.by_loops)

    def _call(self, name: str, arguments: Mapping[str, Any]) -> Made | None:
        if name == "einsum":
            name, arguments = _as_product(arguments)
        if name in ("matmul", "mm"):
            tensors = [value["tensor"] for value in arguments.values() if isinstance(value, dict)]
            matrices = all(len(self.shapes.get(source, ())) == 2 for source in tensors)
            name = "matmul" if matrices else "broadcast_matmul"
        operator = next((o for o in CATALOGUE if o.name == name and not o.given and not o.has("random")), None)
        if name in ("batch_norm", "instance_norm"):
            arguments = _in_training(arguments)
        operator = normalization.IN_TRAINING if name == "batch_norm" else operator
        by_number = with_number(name, arguments) if name in NUMBERED else None
        return by_number or (self._made(operator, _by_names(operator, arguments)) if operator else None)

    def _made(self, operator: Operator, arguments: Mapping[str, Any]) -> Made | None:
        tensors = {name: value["tensor"] for name, value in arguments.items() if isinstance(value, dict)}
        plain = {
            name: _per_axis(name, value, operator.axes)
            for name, value in arguments.items()
            if not (name in tensors or value is None or (name in WITHOUT_EFFECT and value is not True))
        }
        plain |= {"stride": plain["kernel_size"]} if "kernel_size" in plain and "stride" not in plain else {}
        takes = inspect.signature(operator.program).parameters
        operands = {name for name, parameter in takes.items() if str(parameter.annotation).startswith("Tensor")}
        target = None if "target" in operands else tensors.pop("target", None)
        needed = {n for n, p in takes.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
        shapes = {self.shapes.get(source) for source in tensors.values()}
        fits = (
            set(tensors) <= operands
            and not (operator.has("terms") and len(shapes) > 1)  # which torch broadcasts
            and not plain.keys() & operands
            and needed <= {*tensors, *plain, "target"}
            and (target is None or target in self.integers)
            and not any(isinstance(plain.get(name), str) for name in PER_AXIS)
            and not plain.keys() & {*WITHOUT_EFFECT, "out", "dtype"}
        )
        return Made(operator, tensors, plain, target) if fits else None


@dataclass(frozen=True, eq=False)
class Task(Operator):
    """What a task's ``Model`` computes: an operator of no catalogue, whose operands are its inputs and weights.

    own: its own shape; held: what of it can be held, None where nothing can; others: shapes around it.
    """

    file: str = ""
    own: Shaped | None = None
    held: Shaped | None = None
    others: tuple[Shaped, ...] = ()
    by_changes: Mapping[str, Shaped] = field(default_factory=dict)

    def shaped(self, case: Case) -> Shaped:
        """The shape of a case."""
        return self.by_changes[repr(case.arguments["changed"])]

    def operands(self, case: Case, format: Format) -> dict[str, Array]:
        """The values of a case: those that its operator would have; weights of no operator let no sum grow."""
        shaped = self.shaped(case)
        integers = {name: _classes(case, name, most) for name, most in shaped.integers.items()}
        if made := shaped.made:
            own = made.operator.operands(made.case(case, integers), format)
            return {made.sources[name]: values for name, values in own.items()} | integers
        free = {name: case.tensor(name, shape, format) for name, shape in case.shapes.items() if name not in integers}
        for name in [name for name in free if name.startswith("weight ")]:
            free[name] = round_to(_small(free[name], case), format.storage)
        return integers | free

    def cotangent(self, case: Case, format: Format) -> Array:
        """A value for the gradient of the output."""
        made = self.shaped(case).made
        own = made.case(case, self.operands(case, format)) if made else None
        return made.operator.cotangent(own, format) if made and own else super().cotangent(case, format)


def task_of(found: Mapping[str, Any], file: str) -> Task:
    """The operator that a survey of a task's file describes."""
    own, others = Shaped.of(found["own"]), tuple(map(Shaped.of, found["others"]))
    made = own.made
    seen = found["held"][0 if made and made.in_parts else 1]
    held = Shaped.of(seen) if seen else None
    every = {repr(shaped.changed): shaped for shaped in (own, *others, *([held] if held else []))}
    return Task(
        name="Model",
        layer=f"Model of {file}",
        systems=(),
        cases=_cases(file, others) if others else st.nothing(),
        program=programs.answer,
        reference=_no_loop,
        bound=_no_loop,
        output_shape=lambda case: every[repr(case.arguments["changed"])].output,
        inexact=None if own.exact else "what no loop computes is not known to be exact",
        file=file,
        own=own,
        held=held,
        others=others,
        by_changes=every,
    )


def own_cases(task: Operator) -> st.SearchStrategy[Case]:
    """The task's own shape, as far as it can be held: so large that there is little to shrink."""
    assert isinstance(task, Task)
    if task.held is None:
        raise NotRun(f"{task.own} is too large to be held here, however it is cut down")
    return _cases(task.file, (task.held,), ("normal",), 1)


def other_cases(task: Operator) -> st.SearchStrategy[Case]:
    """The shapes around the task's own, with drawn values."""
    assert isinstance(task, Task)
    if not task.others:
        raise NotRun("its Model takes no other shape that its file's numbers give")
    return task.cases


def _cases(
    file: str, shapes: tuple[Shaped, ...], fills: tuple[str, ...] = REAL_FILLS, seeds: int = 2**16 - 1
) -> st.SearchStrategy[Case]:
    """Cases of some shapes, the simplest first."""

    def case(shaped: Shaped, fill: str, seed: int) -> Case:
        return Case(shaped.shapes, {"task": file, "changed": shaped.changed}, fill, seed)

    return st.builds(case, among(*shapes), among(*fills), whole(0, seeds))


def survey(file: str, subject: Subject) -> Task | None:
    """What a task is, as the subject's kernels answer it; None where they answer none. Raises ValueError."""
    arguments = {"task": file, "wanted": OTHERS, "small": SMALL, "large": LARGE}
    try:
        outcome = subject.run(programs.survey, {}, arguments)
    except Undefined:
        return None
    except Declined as reason:
        raise ValueError(str(reason)) from reason
    if outcome.error:
        raise ValueError(outcome.error.removeprefix("ValueError: "))
    return task_of(_tuples(json.loads(bytes(np.asarray(outcome.outputs["output"].values)))), file)


def operands_of(task: Task, case: Case, subject: Subject) -> dict[str, Array]:
    """The values of a case; inputs that have a structure, and half of those of no operator, are the task's own.

    Where the inputs' shapes are other than the task's functions make them, none are.
    """
    operands, shaped = task.operands(case, subject.format), task.shaped(case)
    if shaped.plain and (shaped.made or "inputs" in shaped.changed or case.seed % 2 or case.fill == INTEGERS):
        return operands
    torchs = replace(subject, kernels=None, dtype="float32")
    made = torchs.run(programs.own_inputs, {}, {**case.arguments, "seed": case.seed})
    if made.error:
        raise Declined(f"get_inputs() raises {made.error}")
    own = {name: np.asarray(seen.values) for name, seen in made.outputs.items()}
    return operands | {n: round_to(v, subject.format.storage) if v.dtype.kind == "f" else v for n, v in own.items()}


def as_torch(law: str, task: Task, case: Case, subject: Trial, operands: Mapping[str, Array]) -> None:
    """Let an answer do what torch is known to do in the one call that Model makes: it may hand on a part of it.

    The parts of a chain have operands of their own, about which the ledger cannot be asked: its bounds allow for sums
    in the storage (:mod:`properties.engine.chains`).
    """
    if made := task.shaped(case).made:
        subject.allow_torchs(law, made.operator, made.case(case, operands))


def expected(
    task: Task, case: Case, subject: Subject, operands: Mapping[str, Array], cotangent: Array | None = None
) -> tuple[dict[str, Expected], dict[str, Expected]]:
    """The output and, with a cotangent, the gradients that a task's operands should give."""
    outputs, gradients = _expected(task, case, subject, operands, cotangent)
    return outputs, {name: wanted for name, wanted in gradients.items() if operands[name].dtype.kind == "f"}


def _expected(
    task: Task, case: Case, subject: Subject, operands: Mapping[str, Array], cotangent: Array | None
) -> tuple[dict[str, Expected], dict[str, Expected]]:
    made, chain = task.shaped(case).made, task.shaped(case).chain
    narrow = subject.format.storage is not subject.format.accumulator
    if made is None or (narrow and made.operator.name in STORING):
        carried = chains.expected(chain, operands, subject.format, cotangent) if chain else None
        if carried and (is_one(chain) or all(each.bound is None for group in carried for each in group.values())):
            return carried
        chosen = held_to_model(task, case, subject, operands, cotangent)
        return _narrower(carried, chosen, alone=chain[0].stepwise) if carried else chosen
    own, arguments = made.operands(operands), made.with_target(operands)
    outputs = {"output": made.operator.expected(own, arguments, subject.format)["output"]}
    if cotangent is None:
        return outputs, {}
    gradients = made.operator.expected_gradients(cotangent, own, arguments, subject.format)
    return outputs, {made.sources[name]: gradient for name, gradient in gradients.items()}


def _narrower(
    carried: tuple[dict[str, Expected], ...], chosen: tuple[dict[str, Expected], ...], alone: bool
) -> tuple[dict[str, Expected], dict[str, Expected]]:
    """The loops' values, with the smaller of two bounds for each element; those that are exact stay so.

    alone: True if the loops' bound is the only one, Model saying alone what is no number.
    """

    def narrower(loops: Expected, model: Expected) -> Expected:
        if loops.bound is None or model.bound is None:
            return loops
        values = np.where(np.isfinite(model.values) & np.isfinite(loops.values), loops.values, model.values)
        with np.errstate(invalid="ignore"):
            other = np.inf if alone else model.bound + np.abs(values - model.values)
        return Expected(values, np.fmin(loops.bound, other))

    outputs, gradients = (
        {name: narrower(within, model[name]) for name, within in loops.items() if name in model}
        for loops, model in zip(carried, chosen, strict=True)
    )
    return outputs, gradients


def held_to_model(
    task: Task, case: Case, subject: Subject, operands: Mapping[str, Array], cotangent: Array | None
) -> tuple[dict[str, Expected], dict[str, Expected]]:
    """What Model gives in float64, and how far an answer may be off: :data:`TIMES` times the largest of three.

    That is how far Model itself is off in the subject's dtype, how far the result moves if every operand moves by
    :data:`REACH` roundings, up or down at random, and so many roundings of its largest element. An answer that is right
    for operands which differ by a few roundings from the given ones (Higham, ch. 1.5: backward stable) keeps that,
    unless the moves miss a kink. The bound is chosen, not derived: it is the only one here that is.
    """
    u = subject.format.storage.unit_roundoff
    generator = np.random.default_rng(case.seed)
    plain, wide = replace(subject, kernels=None), replace(subject, kernels=None, dtype="float64")

    def moved(values: Array) -> Array:
        signs = generator.choice([-1.0, 1.0], values.shape)
        return values * (1.0 + REACH * u * signs) if values.dtype.kind == "f" else values

    def model(subject: Subject, operands: Mapping[str, Array]) -> Outcome:
        outcome = subject.run(task.program, operands, case.arguments, cotangent)
        if outcome.error:
            raise Declined(f"Model itself raises {outcome.error}")
        return outcome

    exact = model(wide, operands)
    others = [model(plain, operands), *(model(wide, {n: moved(v) for n, v in operands.items()}) for _ in range(MOVES))]
    return tuple(_around(exact, others, group, REACH * u) for group in ("outputs", "gradients"))  # type: ignore[return-value]


def _around(exact: Outcome, others: list[Outcome], group: str, relative: float) -> dict[str, Expected]:
    """Each tensor of a group, allowed to be off by a multiple of how far it is off in others, or of its largest."""
    found = {}
    for name, seen in getattr(exact, group).items():
        values = np.asarray(seen.values)
        with np.errstate(invalid="ignore"):
            away = [np.abs(np.asarray(getattr(other, group)[name].values) - values) for other in others]
            off = max(float(np.nanmax(np.where(np.isfinite(a), a, 0.0), initial=0.0)) for a in away)
            largest = float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
        found[name] = Expected(values, np.full(values.shape, TIMES * max(off, relative * largest)))
    return found


def _no_loop(*operands: Any, **arguments: Any) -> Any:
    raise NotImplementedError("a task has loops by way of its operator alone")


def _fresh(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of a call; one that overwrites the result of another, which is not used again, overwrites nothing.

    >>> _fresh({"input": {"tensor": "call 0"}, "inplace": True}), _fresh({"input": {"tensor": "input 0"}})
    ({'input': {'tensor': 'call 0'}}, {'input': {'tensor': 'input 0'}})
    """
    source = arguments.get("input")
    fresh = isinstance(source, dict) and source["tensor"].startswith("call ")
    return {name: value for name, value in arguments.items() if not (fresh and name == "inplace")}


def _by_names(operator: Operator, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names that the operator's program has for them: some are known by their places alone.

    >>> mean = next(o for o in CATALOGUE if o.name == "mean")
    >>> _by_names(mean, {"0": {"tensor": "input 0"}, "1": 2, "keepdim": True})
    {'input': {'tensor': 'input 0'}, 'dim': 2, 'keepdim': True}
    """
    names = [*inspect.signature(operator.program).parameters]
    aliases = {"self": "input"} | ({"mat2": "other"} if "other" in names else {})
    aliases |= {str(place): name for place, name in enumerate(names)}
    return {aliases.get(name, name): value for name, value in arguments.items() if value is not None}


def _in_training(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What normalisation by an input's own statistics depends on; all arguments where others are used.

    >>> given = {"input": 0, "running_mean": 1, "running_var": 2, "training": True, "momentum": 0.1, "eps": 0.5}
    >>> _in_training(given)
    {'input': 0, 'eps': 0.5}
    """
    own = arguments.get("training", arguments.get("use_input_stats")) is True
    without = ("running_mean", "running_var", "training", "use_input_stats", "momentum") if own else ()
    return {name: value for name, value in arguments.items() if name not in without}


def _as_product(arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """An einsum that multiplies the last axis of one operand by a matrix, as that product.

    >>> _as_product({"equation": "bijl,lk->bijk", "operands": ({"tensor": "input 0"}, {"tensor": "input 1"})})
    ('matmul', {'input': {'tensor': 'input 0'}, 'other': {'tensor': 'input 1'}})
    """
    equation, *operands = arguments.values()
    operands = operands[0] if len(operands) == 1 else operands
    found = re.fullmatch(r"(\w*)(\w),\2(\w)->\1\3", str(equation).replace(" ", ""))
    if found and len(operands) == 2 and len(set("".join(found.groups()))) == len("".join(found.groups())):
        return "matmul", dict(zip(("input", "other"), operands, strict=True))
    return "einsum", arguments


def _per_axis(name: str, value: Any, axes: int) -> Any:
    """An argument as operators take it: one number for each axis."""
    return (value,) * axes if name in PER_AXIS and axes and isinstance(value, int) else value


def _small(weights: Array, case: Case) -> Array:
    """Weights that let no sum grow much from layer to layer: divided by the root of its number of terms.

    Integers are −1 or 1 then, about :data:`FEW` in a sum, and the others 0.

    >>> _small(np.full((1, 4), 8.0), Case({}, {}, "normal")), _small(np.full((1, 4), 8.0), Case({}, {}, INTEGERS))
    (array([[4., 4., 4., 4.]]), array([[1., 1., 1., 1.]]))
    """
    terms = max(math.prod(weights.shape[1:]), 1)
    if case.fill != INTEGERS:
        return weights / math.sqrt(terms)
    return np.sign(weights) * (np.random.default_rng([case.seed, terms]).random(weights.shape) < FEW / terms)


def _classes(case: Case, name: str, most: int) -> Array:
    """A class for each row."""
    generator = np.random.default_rng([case.seed, *name.encode()])
    return generator.integers(0, max(most, 1), case.shapes[name])


def _tuples(value: Any) -> Any:
    """JSON with tuples in the place of lists, as arguments are written everywhere in the suite."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
