"""A residual block: convolution, normalisation, activation and a sum, held layer by layer against the loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Geometry, among, cases
from properties.cases.dealing import dealt
from properties.engine.law import law
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected, off
from properties.verdicts.verdict import holds, verdict
from properties.worker.programs import residual
from refimpl.arrays import Array
from refimpl.rounding import Computed, Format

LR, EPS = 0.5, 1e-5
CONVOLUTION = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
NORMS: dict[str, dict[str, Any]] = {
    "batch_norm": {"training": True, "momentum": 0.125, "eps": EPS},
    "group_norm": {"num_groups": 2, "eps": EPS},
    "instance_norm": {"eps": EPS},
}
SUM, LAST = residual.BRANCH, residual.BRANCH + 1
"""The places of the sum and of the activation of it."""


@st.composite
def block_geometry(draw: st.DrawFn) -> Geometry:
    """A batch of images, the block's parameters, its normalisation and activation, and a memory format."""
    channels, norm = draw(among(2, 4, 16)), dealt(draw, "norm", tuple(NORMS))
    image = (draw(among(2, 3)), channels, draw(among(5, 2, 8)), draw(among(3, 4, 7)))
    shapes: dict[str, tuple[int, ...]] = {"input": image, "cotangent": image}
    for convolution, normalised in ((0, 1), (3, 4)):
        shapes[f"{convolution}.weight"] = (channels, channels, 3, 3)
        shapes |= {f"{normalised}.{name}": (channels,) for name in ("weight", "bias")}
    return shapes, {
        "lr": LR, "norm": norm, "activation": dealt(draw, "activation", tuple(residual.ACTIVATIONS)),
        "format": dealt(draw, "format", ("contiguous_format", "channels_last")),
    }  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A layer of a block: its operator and arguments, the names of its output and its input, and its parameters'."""

    operator: Operator
    arguments: Mapping[str, Any]
    output: str
    input: str
    parameters: tuple[str, ...] = ()


def layers(norm: str, activation: str) -> Iterator[Layer]:
    """The block's layers, but for the sum."""
    kinds = [
        ("conv2d", CONVOLUTION, ("0.weight",)), (norm, NORMS[norm], ("1.weight", "1.bias")), (activation, {}, ()),
        ("conv2d", CONVOLUTION, ("3.weight",)), (norm, NORMS[norm], ("4.weight", "4.bias")),
    ]  # fmt: skip
    for i, (name, arguments, parameters) in enumerate(kinds):
        yield Layer(operator(name), arguments, f"{i}", f"{i - 1}" if i else "input", parameters)
    yield Layer(operator(activation), {}, f"{LAST}", f"{SUM}")


def expected_locally(
    seen: Mapping[str, Array], operands: Mapping[str, Array], arguments: Mapping[str, Any], format: Format
) -> dict[str, Expected]:
    """What each layer should give for the inputs, cotangents and gradients that were seen."""
    activations = {**{name.removeprefix("activation "): values for name, values in seen.items()}, **operands}
    cotangents = {f"{LAST}": operands["cotangent"], **{n.removeprefix("cotangent "): v for n, v in seen.items()}}
    expected = {f"activation {SUM}": _sum(activations[f"{SUM - 1}"], activations["input"], format)}
    expected |= {f"cotangent {SUM - 1}": Expected(cotangents[f"{SUM}"])}
    for layer in layers(arguments["norm"], arguments["activation"]):
        given = {"input": activations[layer.input]} | {n.split(".")[1]: operands[n] for n in layer.parameters}
        given |= _statistics(layer, len(given.get("bias", ())))
        results = layer.operator.expected(given, layer.arguments, format)
        expected[f"activation {layer.output}"] = results.pop("output")
        expected |= {f"{layer.output}.{name}": result for name, result in results.items()}
        gradients = layer.operator.expected_gradients(cotangents[layer.output], given, layer.arguments, format)
        for name in layer.parameters:
            expected[f"gradient {name}"] = gradients[name.split(".")[1]]
            of = {"parameter": operands[name], "gradient": seen[f"gradient {name}"]}
            expected[f"stepped {name}"] = operator("sgd").expected(of, {"lr": LR}, format)["output"]
        expected[f"cotangent {layer.input}"] = gradients["input"]
    both = expected.pop("cotangent input")
    of_branch = Computed(np.asarray(both.values), format, off(both, format))
    whole = (of_branch + Computed.operand(cotangents[f"{SUM}"], format)).stored()
    return expected | {"gradient input": Expected.within(whole)}


def _sum(a: Array, b: Array, format: Format) -> Expected:
    return Expected.within((Computed.operand(a, format) + Computed.operand(b, format)).stored())


def _statistics(layer: Layer, channels: int) -> dict[str, Array]:
    """Running statistics as a module begins with them, where the layer keeps any."""
    begin = {"running_mean": np.zeros(channels), "running_var": np.ones(channels)}
    return begin if layer.operator.name == "batch_norm" else {}


@law(
    "residual block, layer by layer",
    on=lambda subject: subject.plain,
    cases=cases(block_geometry()),
    systems=(),
    exact=False,
    share=lambda subject: 0.1,
)
def test_every_layer(subject: Subject, case: Case) -> None:
    """In a step of SGD every layer of a residual block, forward and backward, is within its own bound.

    Each is held against the loops on what the subject itself fed it, so that bounds do not accumulate.
    """
    operands = {name: case.tensor(name, shape, subject.format) for name, shape in case.shapes.items()}
    outcome = subject.run(residual.residual_step, operands, case.arguments)
    holds(outcome.error is None, f"raised {outcome.error}")
    seen = {name: np.asarray(observed.values) for name, observed in outcome.outputs.items()}
    verdict(outcome, expected_locally(seen, operands, case.arguments, subject.format), subject)
