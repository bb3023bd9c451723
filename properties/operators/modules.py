"""Layers of torch.nn as modules: what their constructors are given for a case, in each form, and what they forbid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, cases, kernel_size
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators import padded_convolution
from properties.operators.record import Operator
from properties.worker.programs.modules import inputs_of
from refimpl.arrays import Array

PER_AXIS = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "output_ratio")
"""Arguments that are a number or a tuple of one for each axis."""
WEIGHTS = ("weight", "pos_weight")
"""Arguments of a loss that a layer keeps as buffers."""
UNWEIGHTED = ("torch.nn.MSELoss", "torch.nn.L1Loss", "torch.nn.HuberLoss")
"""Losses whose functions take weights, and whose layers do not."""


@dataclass(frozen=True)
class Formed(Case):
    """A case, and the form in which a layer is told of it.

    numbers: one number for all axes, where they are alike. asked: a transposed layer is called with the "sizes" of its
    output's axes, or with the output's whole "shape", and made with no output padding.
    """

    numbers: bool = False
    asked: str = ""


def is_module(operator: Operator) -> bool:
    """True if it is a layer of torch.nn, with a constructor."""
    return operator.layer.startswith("torch.nn.") and not operator.layer.startswith("torch.nn.functional.")


def in_each_form(operator: Operator) -> list[st.SearchStrategy[Formed]]:
    """Cases of a layer in each form of its arguments; each padding mode has its turn with each form of padding."""
    if not operator.has("padded"):
        return [formed(operator)]
    forms = ((None, False), (None, True), ("same", None), ("valid", None))
    return [
        formed(operator, cases(padded_convolution.geometry(operator.axes, (mode, word))), numbers)
        for word, numbers in forms
        for mode in padded_convolution.MODES
    ]


@st.composite
def formed(
    draw: st.DrawFn,
    operator: Operator,
    drawn: st.SearchStrategy[Case] | None = None,
    numbers: bool | None = None,
) -> Formed:
    """Cases of a layer, drawn from its own or from others, with one number for all axes or not, or either."""
    case = draw(operator.cases if drawn is None else drawn)
    case = as_layer(operator, case)
    several = bool(operator.axes or "Pad" in operator.layer)
    numbers = several and (dealt(draw, "numbers", (False, True)) if numbers is None else numbers)
    case = alike(operator, case) if numbers else case
    asked = dealt(draw, "asked", ("", "sizes", "shape")) if operator.has("transposed") else ""
    if asked and not _within_a_stride(case):
        asked = ""
    return Formed(case.shapes, case.arguments, case.fill, case.seed, numbers=numbers, asked=asked)


def as_layer(operator: Operator, case: Case) -> Case:
    """The same case without what a function takes and its layer does not."""
    if operator.layer not in UNWEIGHTED:
        return case
    return replace(case, arguments={name: value for name, value in case.arguments.items() if name != "weight"})


def alike(operator: Operator, case: Case) -> Case:
    """The same case with each axis like the shortest; as it is where that is not valid, or axes are not the input's."""
    axes = len(case.arguments["padding"]) // 2 if "Pad" in operator.layer else operator.axes
    shape = case.shapes["input"]
    chosen = min(range(axes), key=lambda axis: shape[axis - axes])
    shapes = {name: _repeated(sizes, axes, chosen) for name, sizes in case.shapes.items() if name != "bias"}
    given = {name: _repeated(value, axes, chosen) if name in PER_AXIS else value
             for name, value in case.arguments.items()}  # fmt: skip
    if "Pad" in operator.layer:
        given["padding"] = (max(case.arguments["padding"][2 * (axes - chosen) - 2 :][:2]),) * (2 * axes)
    made = replace(case, shapes={**case.shapes, **shapes}, arguments=given)
    try:
        operator.output_shape(made)
    except ValueError:
        return case
    return case if operator.has("columns") else made


def _repeated(values: Any, axes: int, chosen: int) -> Any:
    """The values of the last axes, if there is one for each, all as that of the chosen axis."""
    if not isinstance(values, tuple) or len(values) < axes:
        return values
    return (*values[:-axes], *(values[chosen - axes],) * axes)


def _within_a_stride(case: Case) -> bool:
    """True if the output padding, by which output sizes of one input size are told apart, is below the stride."""
    steps = zip(case.arguments["output_padding"], case.arguments["stride"], strict=True)
    return all(more < stride for more, stride in steps)


def arguments_of(operator: Operator, case: Case) -> dict[str, Any]:
    """The layer's name, what its constructor is given, and what it is called with beside tensors."""
    layer, made, called = operator.layer.removeprefix("torch.nn."), dict(case.arguments), dict[str, Any]()
    if operator.has("loss") or operator.has("terms"):
        made = {name: value for name, value in made.items() if name not in ("target", *WEIGHTS)}
    elif layer == "PReLU":
        made = {"num_parameters": case.shapes["weight"][0]}
    elif "weight" in case.shapes:
        made = {**_sizes(layer, case), **made, "bias": "bias" in case.shapes}
    elif "training" in made:
        called["training"] = made.pop("training")
        layer = f"Dropout{len(case.shapes['input']) - 2}d" if layer == "Dropout2d" else layer
    elif "Pad" in layer:
        axes = min(3, len(made["padding"]) // 2)
        layer = f"{'ZeroPad' if layer == 'ConstantPad2d' and 'value' not in made else layer[:-2]}{axes}d"
    if operator.has("selecting") and operator.outputs != ("output",):
        made["return_indices"] = True
    if ("Unpool" in layer or "Transpose" in layer) and "output_size" in made:
        called["output_size"] = made.pop("output_size")
    if isinstance(case, Formed):
        if case.asked:
            made.pop("output_padding")
            shape = operator.output_shape(case)
            called["output_size"] = shape if case.asked == "shape" else shape[-operator.axes :]
        made = {name: _number(value) if case.numbers and name in PER_AXIS else value for name, value in made.items()}
    if layer == "LPPool1d":  # whose window is documented as one number alone
        made |= {name: value[0] for name, value in made.items() if isinstance(value, tuple)}
    return {"layer": layer, "made": made, "called": called}


def _sizes(layer: str, case: Case) -> dict[str, Any]:
    """The sizes that a constructor makes its parameters from."""
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    if layer == "Linear":
        return {"in_features": weight[-1], "out_features": weight[0]}
    if layer == "Bilinear":
        return {"in1_features": weight[-2], "in2_features": weight[-1], "out_features": weight[0]}
    inputs, outputs = weight[1] * groups, weight[0]
    if "Transpose" in layer:
        inputs, outputs = outputs, inputs
    return {"in_channels": inputs, "out_channels": outputs, "kernel_size": kernel_size(case)}


def _number(value: Any) -> Any:
    """One number for a tuple of equal numbers; None, which stands for an axis's own size, is none."""
    alike = isinstance(value, tuple) and len(set(value)) == 1 and value[0] is not None
    return value[0] if alike else value


def operands_of(case: Case, operands: Mapping[str, Array]) -> dict[str, Array]:
    """The operands as a layer takes them: a loss's target and weights are operands, too, and random samples batched."""
    found = {"_random_samples" if name == "samples" else name: values for name, values in operands.items()}
    if "_random_samples" in found and found["_random_samples"].ndim == 2:
        found["_random_samples"] = found["_random_samples"][None]
    if "target" in case.arguments:
        target = np.array(case.arguments["target"], dtype=np.float64)
        found["target"] = target if target.shape == case.shapes["input"] else target.astype(np.int64)
    weights = (name for name in WEIGHTS if name in case.arguments)
    return found | {name: np.array(case.arguments[name], dtype=np.float64) for name in weights}


def state_of(operands: Mapping[str, Array]) -> dict[str, Array]:
    """The names under which a layer keeps its parameters and buffers, and their values."""
    return {name: values for name, values in operands.items() if name not in inputs_of(operands)}


def rules(operator: Operator) -> tuple[must.Constraint, ...]:
    """What a layer forbids: all that its function does, and what its constructor alone is told."""
    layer = operator.layer.removeprefix("torch.nn.")
    own = next((own for name, own in OWN.items() if layer.startswith(name)), ())
    given = next((rule.given for rule in operator.constraints if rule.given), {})
    told = [rule for rule in operator.constraints if operator.layer not in UNWEIGHTED or "weight" not in rule.name]
    return (*told, *(replace(rule, given=given) for rule in own))


def _indivisible(argument: str) -> must.Violate:
    """Two groups of channels, and one channel more."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        x, weight = case.shapes["input"], case.shapes["weight"]
        axes, transposed = len(weight) - 2, "output_padding" in case.arguments
        twice = (2 * weight[0], *weight[1:])
        inputs, outputs = (twice[0], 2 * weight[1]) if transposed else (2 * weight[1], twice[0])
        shapes = {"input": (*x[: -axes - 1], inputs, *x[-axes:]), "weight": twice}
        more = {"in_channels": inputs, "out_channels": outputs}[argument] + 1
        return replace(case, shapes=shapes).with_arguments(groups=2, **{argument: more})

    return violate


def _far(draw: st.DrawFn, case: Case) -> Case:
    """An output of a stride more than the least, or of one less, on one axis."""
    axis, weight, given = must.draw_axis(draw, case), case.shapes["weight"], case.arguments
    steps = (given[name] for name in ("stride", "padding", "dilation"))
    axes = zip(case.shapes["input"][2 - len(weight) :], weight[2:], *steps, strict=True)
    sizes = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, k, s, p, d in axes]
    sizes[axis] += draw(st.sampled_from([given["stride"][axis], -1]))
    return case.with_arguments(output_size=tuple(sizes))


def _none_of(axis: int, operand: str | None) -> must.Violate:
    """No features on one side of a bilinear layer."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        weight = list(case.shapes["weight"])
        weight[axis] = 0
        case = case.with_shape("weight", tuple(weight))
        if operand:
            return case.with_shape(operand, (*case.shapes[operand][:-1], 0))
        return case.with_shape("bias", (0,)) if "bias" in case.shapes else case

    return violate


DIVISIBLE = "torch.nn.Conv2d: in_channels and out_channels 'must both be divisible by groups'"
OWN: dict[str, tuple[must.Constraint, ...]] = {
    "ConvTranspose": (
        must.Constraint("groups divides out_channels", DIVISIBLE, _indivisible("out_channels")),
        must.argument_is(
            "padding_mode is 'zeros'", "padding_mode", ("reflect", "replicate", "circular", ""),
            "torch.nn.ConvTranspose2d: padding_mode is 'zeros', and padding is 'implicit zero padding'",
        ),
        must.Constraint(
            "output_size is within a stride of the least",
            "torch.nn.ConvTranspose2d: when stride > 1, a convolution 'maps multiple input shapes to the same output "
            "shape', and output_size is one of those", _far,
        ),
    ),
    "Conv": (must.Constraint("groups divides in_channels", DIVISIBLE, _indivisible("in_channels")),),
    "Bilinear": tuple(
        must.Constraint(f"{name} is above 0", f"torch.nn.Bilinear: {name} 'must be > 0'", _none_of(axis, operand))
        for name, axis, operand in (("in1_features", 1, "input1"), ("in2_features", 2, "input2"),
                                    ("out_features", 0, None))
    ),
    "FractionalMaxPool": (
        must.Constraint(
            "output_size and output_ratio are not both given",
            "torch.nn.FractionalMaxPool2d: 'Exactly one of output_size or output_ratio must be defined'",
            lambda draw, case: case.with_arguments(output_ratio=(0.5,) * len(case.arguments["kernel_size"])),
        ),
    ),
    "Unflatten": (
        must.Constraint(
            "unflattened_size is a tuple", "torch.nn.Unflatten: unflattened_size is a torch.Size, a tuple or a list",
            lambda draw, case: case.with_arguments(unflattened_size=case.shapes["input"][case.arguments["dim"]]),
        ),
    ),
}  # fmt: skip
"""What constructors forbid that functions are not told, by the beginning of a layer's name: the first that fits."""
