"""What a subject may be asked for beyond a layer's plain form, and how a case does without it.

Subjects that stand for torch often take less than torch: no input without a batch, no groups. A :class:`Feature` is one
such thing. It tells which cases ask for it, and makes a case that does not of one that does: valid, and else the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from properties.cases.case import Case, window, with_spatial
from properties.operators.record import Operator
from properties.subjects import FLOATS
from properties.worker import programs
from properties.worker.call import Call, Setting
from properties.worker.layouts import LAYOUTS
from refimpl.geometry import transposed_output


@dataclass(frozen=True)
class Feature:
    """One thing that a case may ask of an operator.

    word: its name in ``--without``. what: what a subject refuses that does not take it. instead: what such a subject
    takes. of: the operators that have it. asked: True of the cases that ask for it. without: the same case without it.
    given: a case with it, made of any; by default those that happen to ask for it serve. needs: the features without
    which no case can ask for this one.
    """

    word: str
    what: str
    instead: str
    of: Callable[[Operator], bool]
    asked: Callable[[Operator, Case], bool]
    without: Callable[[Operator, Case], Case]
    given: Callable[[Operator, Case], Case] | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A part of what a call returns, which a subject may not have: its ``of`` and ``without`` are about operators."""

    word: str
    what: str
    instead: str
    of: Callable[[Operator], bool]
    without: Callable[[Operator], Operator]
    needs: tuple[str, ...] = ()


VALUES = {
    programs.pooling.max_pool1d: programs.pooling.max_pool1d_values,
    programs.pooling.max_pool2d: programs.pooling.max_pool2d_values,
    programs.pooling.max_pool3d: programs.pooling.max_pool3d_values,
    programs.adaptive_pooling.adaptive_max_pool1d: programs.adaptive_pooling.adaptive_max_pool1d_values,
    programs.adaptive_pooling.adaptive_max_pool2d: programs.adaptive_pooling.adaptive_max_pool2d_values,
    programs.adaptive_pooling.adaptive_max_pool3d: programs.adaptive_pooling.adaptive_max_pool3d_values,
}
"""The programs that return indices, each with the one that does not."""


def _batch(operator: Operator, case: Case) -> tuple[int, ...] | None:
    """The axes before those of an example; None where nothing holds examples."""
    if not operator.batched:
        return None
    held = ((case.shapes[name], axes) for name, axes in operator.example(case).items() if name in case.shapes)
    return next((tuple(shape[: max(0, len(shape) - axes)]) for shape, axes in held), None)


def _in_batch(batch: tuple[int, ...]) -> Callable[[Operator, Case], Case]:
    return lambda operator, case: operator.in_batch(case, batch)


def _with_bias(operator: Operator, case: Case) -> Case:
    weight = case.shapes["weight"]
    outputs = weight[1] * case.arguments["groups"] if operator.has("transposed") else weight[0]
    return case.with_shape("bias", (outputs,))


def _without_bias(operator: Operator, case: Case) -> Case:
    return replace(case, shapes={name: shape for name, shape in case.shapes.items() if name != "bias"})


def _takes_bias(operator: Operator) -> bool:
    return "bias" in inspect.signature(operator.program).parameters


def convolves(operator: Operator) -> bool:
    """True if there is a bank of weights."""
    return operator.convolves


def slides(operator: Operator) -> bool:
    """True if stride, padding and dilation can be chosen freely: those of fold and unpooling fit their input."""
    return convolves(operator) or operator.has("window") or operator.program is programs.unfolding.unfold


def _pools(operator: Operator) -> bool:
    return operator.has("window") and operator.has("pooling")


def _averages(operator: Operator) -> bool:
    return _pools(operator) and operator.has("linear")


def _loses(operator: Operator) -> bool:
    return operator.has("loss")


def _without_groups(operator: Operator, case: Case) -> Case:
    weight, axes = case.shapes["weight"], operator.axes
    if operator.has("transposed"):
        case = case.with_shape("bias", (weight[1],)) if "bias" in case.shapes else case
        return case.with_arguments(groups=1)
    shape = case.shapes["input"]
    return case.with_shape("input", (*shape[: -axes - 1], weight[1], *shape[-axes:])).with_arguments(groups=1)


def _off(argument: str, value: object) -> Callable[[Operator, Case], bool]:
    """True of a case in which an argument, on any axis, has another value."""

    def asked(operator: Operator, case: Case) -> bool:
        given = case.arguments.get(argument, value)
        return any(each != value for each in (given if isinstance(given, tuple) else (given,)))

    return asked


def _on_each_axis(argument: str, value: int) -> Callable[[Operator, Case], Case]:
    """The same windows with one value of an argument on every axis."""

    def without(operator: Operator, case: Case) -> Case:
        return fitting(operator, case.with_arguments(**{argument: (value,) * operator.axes}))

    return without


def fitting(operator: Operator, case: Case) -> Case:
    """The case with an input into which its windows fit, or with no more padding than leaves a transposed output."""
    if operator.has("transposed"):
        fitted = [_fitted(*axis) for axis in _transposed_axes(operator, case)]
        padding, output_padding = zip(*fitted, strict=True)
        return case.with_arguments(padding=padding, output_padding=output_padding)
    numbers = (
        case
        if not isinstance(case.arguments.get("padding"), str)
        else case.with_arguments(padding=(0,) * operator.axes)
    )
    sizes = zip(case.shapes["input"][-operator.axes :], window(numbers), strict=True)
    return with_spatial(case, (max(size, kernel - 2 * padding) for size, (kernel, _, padding, _) in sizes))


def _transposed_axes(operator: Operator, case: Case) -> Iterator[tuple[int, ...]]:
    names = ("stride", "padding", "output_padding", "dilation")
    windows = case.shapes["input"][-operator.axes :], case.shapes["weight"][2:]
    return zip(*windows, *(case.arguments[name] for name in names), strict=True)


def _fitted(size: int, kernel: int, stride: int, padding: int, output_padding: int, dilation: int) -> tuple[int, int]:
    """The most padding and output padding, up to those given, that are valid."""
    output_padding = min(output_padding, max(stride, dilation) - 1)
    whole = transposed_output(size, kernel, stride, 0, output_padding, dilation)
    return min(padding, (whole - 1) // 2), output_padding


def _strides_apart(operator: Operator, case: Case) -> bool:
    kernel = case.arguments["kernel_size"]
    return case.arguments.get("stride", kernel) != kernel


def _named(argument: str) -> Callable[[Operator, Case], bool]:
    return lambda operator, case: argument in case.arguments


def _without(argument: str) -> Callable[[Operator, Case], Case]:
    def without(operator: Operator, case: Case) -> Case:
        return replace(case, arguments={name: value for name, value in case.arguments.items() if name != argument})

    return without


def _with(**arguments: Any) -> Callable[[Operator, Case], Case]:
    return lambda operator, case: case.with_arguments(**arguments)


def _without_ignored(operator: Operator, case: Case) -> Case:
    """The ignored rows are of the first class."""

    def counted(target: Any) -> Any:
        if isinstance(target, tuple):
            return tuple(map(counted, target))
        return 0 if target == case.arguments["ignore_index"] else target

    kept = _without("ignore_index")(operator, case)
    return kept.with_arguments(target=counted(case.arguments["target"]))


def _not_contiguous(operator: Operator, case: Case) -> bool:
    layouts = case.setting.layouts if case.setting else {}
    shapes = {name: shape for name, shape in case.shapes.items() if name in layouts}
    return any(
        not LAYOUTS[layouts[name]](torch.empty(shape, device="meta")).is_contiguous() for name, shape in shapes.items()
    )


def _transposed_in_memory(operator: Operator, case: Case) -> Case:
    return replace(case, setting=Setting(dict.fromkeys(case.shapes, "transposed")))


def _contiguous(operator: Operator, case: Case) -> Case:
    return replace(case, setting=replace(case.setting, layouts={}) if case.setting else None)


FEATURES = (
    Feature("unbatched", "input without a batch", "batched", lambda o: o.batched,
            lambda o, case: _batch(o, case) == (), _in_batch((2,)), _in_batch(())),
    Feature("batched", "input in a batch", "unbatched", lambda o: o.batched,
            lambda o, case: bool(_batch(o, case)), _in_batch(()), _in_batch((2,))),
    Feature("empty-batch", "a batch of none", "batches of at least one", lambda o: o.batched,
            lambda o, case: 0 in (_batch(o, case) or ()), _in_batch((1,)), _in_batch((0,)), needs=("batched",)),
    Feature("bias", "a bias", "no bias", _takes_bias, lambda o, case: "bias" in case.shapes, _without_bias, _with_bias),
    Feature("no-bias", "calls without a bias", "a bias", _takes_bias,
            lambda o, case: "bias" not in case.shapes, _with_bias, _without_bias),
    Feature("groups", "groups > 1", "groups 1", convolves, _off("groups", 1), _without_groups),
    Feature("padding-words", "padding by a word", "padding by numbers", lambda o: o.has("padded"),
            lambda o, case: isinstance(case.arguments["padding"], str), _on_each_axis("padding", 0)),
    Feature("padding-modes", "padding modes but zeros", "padding by zeros", lambda o: o.has("padded"),
            _off("padding_mode", "zeros"), _with(padding_mode="zeros")),
    Feature("stride", "stride > 1", "stride 1", lambda o: slides(o) and not _pools(o),
            _off("stride", 1), _on_each_axis("stride", 1)),
    Feature("stride", "a stride that is not the window's size", "stride = window", _pools,
            _strides_apart, _without("stride")),
    Feature("dilation", "dilation > 1", "dilation 1", slides, _off("dilation", 1), _on_each_axis("dilation", 1)),
    Feature("padding", "padding > 0", "padding 0", slides,
            lambda o, case: not isinstance(case.arguments.get("padding"), str) and _off("padding", 0)(o, case),
            _on_each_axis("padding", 0)),
    Feature("output-padding", "output_padding > 0", "output_padding 0", lambda o: o.has("transposed"),
            _off("output_padding", 0), _on_each_axis("output_padding", 0), needs=("stride",)),
    Feature("ceil-mode", "ceil_mode=True", "ceil_mode=False", _pools, _off("ceil_mode", False), _with(ceil_mode=False)),
    Feature("count-include-pad", "count_include_pad=False", "count_include_pad=True", _averages,
            _off("count_include_pad", True), _with(count_include_pad=True), needs=("padding",)),
    Feature("divisor-override", "divisor_override", "no divisor_override", _averages,
            _named("divisor_override"), _without("divisor_override")),
    Feature("class-weights", "weights of classes", "no weights of classes", _loses,
            _named("weight"), _without("weight")),
    Feature("weights", "weights of elements", "no weights of elements", lambda o: o.has("weighted"),
            _named("weight"), _without("weight")),
    Feature("ignore-index", "ignore_index", "no ignore_index", _loses, _named("ignore_index"), _without_ignored),
    Feature("label-smoothing", "label_smoothing", "no label_smoothing", _loses,
            _named("label_smoothing"), _without("label_smoothing")),
    Feature("reduction", "a reduction but the mean", "the mean", lambda o: _loses(o) or o.has("terms"),
            _off("reduction", "mean"), _without("reduction")),
    Feature("non-contiguous", "operands that are not contiguous", "contiguous", lambda o: True,
            _not_contiguous, _contiguous, _transposed_in_memory),
)  # fmt: skip
"""What cases may ask for, in the order in which cases are made without it."""

PARTS = (
    Part("indices", "return_indices=True", "no indices", lambda o: o.program in VALUES,
         lambda o: replace(o, program=VALUES[o.program], outputs=("output",))),
    Part("gradients", "gradients", "no gradients", lambda o: o.differentiable,
         lambda o: replace(o, gradients=None, second=None)),
    Part("second-gradients", "gradients of gradients", "first gradients", lambda o: o.second is not None,
         lambda o: replace(o, second=None), needs=("gradients",)),
)  # fmt: skip
"""What calls may return beside the output."""

OWN_WORK = "own-work"
"""What a kernel that hands on to torch does not do."""
WORDS = (*dict.fromkeys(each.word for each in (*FEATURES, *PARTS)), *FLOATS, OWN_WORK)
"""What a subject may be said not to take."""
COMPLEMENTS = {"unbatched": "batched", "bias": "no-bias"}
"""The features of which any case has one or the other."""


def of(operator: Operator) -> Iterator[Feature | Part]:
    """What an operator's calls may ask for, but for dtypes."""
    return (each for each in (*FEATURES, *PARTS) if each.of(operator))


def case_without(operator: Operator, case: Case, words: Iterable[str]) -> Case:
    """The same case without the features of these names."""
    words = set(words)
    for feature in FEATURES:
        if feature.word in words and feature.of(operator) and feature.asked(operator, case):
            case = feature.without(operator, case)
    return case


def without(operator: Operator, words: Iterable[str]) -> Operator:
    """The operator whose cases and results do without the features of these names."""
    words = set(words)
    cases = operator.cases.map(partial(case_without, operator, words=words))
    for part in PARTS:
        if part.word in words and part.of(operator):
            operator = part.without(operator)
    return replace(operator, cases=cases)


def asked(operator: Operator, call: Call) -> set[str]:
    """The names of what a call of the operator's own program asks for."""
    shapes = {name: v if isinstance(v, tuple) else v.shape for name, v in call.operands.items()}
    case = Case(shapes, call.arguments, setting=call.setting)
    words = {each.word for each in FEATURES if each.of(operator) and each.asked(operator, case)}
    parts = {"indices": call.program in VALUES, "gradients": call.cotangent is not None}
    parts |= {"second-gradients": call.directions is not None}
    return words | {word for word, is_asked in parts.items() if is_asked} | {call.dtype}
