"""LeNet: its shapes, and its training step held against the loops on real images (S18–S20, S23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.engine.law import law
from properties.images.idx import sample
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, tensor, verdict
from properties.worker import programs
from properties.worker.call import Outcome
from refimpl import lenet
from refimpl.arrays import Array
from refimpl.rounding import Computed, Format, round_to

BATCH, STEPS, LR = 64, 3, 0.9
STEP_FORMATS = ("contiguous_format", "channels_last", "contiguous_format")
FEW, SCALE = 16, 2.0**16
FORMS: tuple[dict[str, bool], ...] = ({"foreach": False}, {"foreach": True}, {"fused": True})
LAYERS = len(lenet.ARCHITECTURE)
PRINTED_SHAPES = (
    (1, 6, 28, 28), (1, 6, 28, 28), (1, 6, 14, 14), (1, 16, 10, 10), (1, 16, 10, 10), (1, 16, 5, 5),
    (1, 400), (1, 120), (1, 120), (1, 84), (1, 84), (1, 10),
)  # fmt: skip


def batches(format: Format) -> list[tuple[Array, Array]]:
    """Three batches of real images, pixels in [0, 1], as a subject of this precision sees them."""
    train = sample().train
    pixels = round_to(train.images[: STEPS * BATCH, None] / 255.0, format.storage)
    labels = train.labels[: STEPS * BATCH].astype(np.int64)
    return [(pixels[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, STEPS * BATCH, BATCH)]


def start(format: Format) -> dict[str, Array]:
    """Xavier weights and zero biases, rounded to a precision."""
    return {name: round_to(values, format.storage) for name, values in lenet.initial_parameters(seed=6).items()}


def run_step(
    subject: Subject, parameters: Mapping[str, Array], images: Array, labels: Array, format: str = "contiguous_format"
) -> Outcome:
    """One training step on a subject, images and weights in one of torch's memory formats."""
    operands = {"images": images, "labels": labels, **parameters}
    return subject.run(programs.lenet.lenet_step, operands, {"lr": LR, "format": format})


def stepped(outcome: Outcome) -> dict[str, Array]:
    """The parameters after a step."""
    return {name: np.asarray(outcome.outputs[f"stepped {name}"].values) for name in lenet.PARAMETER_SHAPES}


@law("LeNet's shapes", on=lambda subject: subject.plain, systems=("S18",))
def test_shapes(subject: Subject) -> None:
    """The twelve layers give the twelve shapes that the chapter prints, from 61,706 parameters."""
    image, label = np.zeros((1, 1, 28, 28)), np.zeros(1, dtype=np.int64)
    assert tuple(y.shape for y in lenet.forward(start(subject.format), image)) == PRINTED_SHAPES
    outcome = run_step(subject, start(subject.format), image, label)
    holds(outcome.error is None, f"raised {outcome.error}")
    for i, shape in enumerate(PRINTED_SHAPES):
        seen = outcome.outputs[f"activation {i}"].shape
        holds(seen == shape, f"layer {i} gives shape {seen}, but should give {shape}")
    parameters = sum(p.numel() for p in programs.lenet.lenet().parameters())
    holds(parameters == 61_706, f"LeNet has {parameters} parameters, but should have 61,706")


def _operands(values: Mapping[str, Array], format: Format) -> dict[str, Computed]:
    return {name: Computed.operand(v, format) for name, v in values.items()}


@law("LeNet's step", on=lambda subject: subject.plain, systems=("S18", "S19", "S20", "S23"))
def test_step(subject: Subject) -> None:
    """Three training steps on real images end within the bound propagated through the whole network.

    Each step starts from the subject's own parameters. Over k steps from common parameters the bound would grow
    some ten-thousandfold a step, and say nothing after the second.
    """
    parameters = start(subject.format)
    for images, labels in batches(subject.format):
        outcome = run_step(subject, parameters, images, labels)
        computed = _operands(parameters, subject.format)
        pixels = Computed.operand(images, subject.format)
        after, loss = lenet.step(computed, pixels, labels, LR, lenet.COMPUTED)
        expected = {f"stepped {name}": Expected.within(value) for name, value in after.items()}
        verdict(outcome, {"loss": Expected.within(loss), **expected}, subject)
        parameters = stepped(outcome)


@law("LeNet's step, layer by layer", on=lambda subject: subject.plain, systems=("S18", "S20", "S23"))
def test_every_layer(subject: Subject) -> None:
    """In three steps on real images every layer, forward and backward, is within its own bound.

    Each layer is held against the loops on what the subject itself fed it, so that bounds do not accumulate and
    the smallest error in any layer shows. In the second step images and weights lie in channels_last.
    """
    parameters = start(subject.format)
    for (images, labels), format in zip(batches(subject.format), STEP_FORMATS, strict=True):
        outcome = run_step(subject, parameters, images, labels, format)
        holds(outcome.error is None, f"raised {outcome.error}")
        seen = {name: np.asarray(observed.values) for name, observed in outcome.outputs.items()}
        verdict(outcome, _expected_locally(seen, parameters, images, labels, subject.format), subject)
        parameters = stepped(outcome)


@law("LeNet's scaled step", on=lambda subject: subject.plain, systems=("S18", "S20", "S23"))
def test_scaled_step(subject: Subject) -> None:
    """Under autocast a step is that of casts by hand, bit for bit, whatever the scale; one that overflows is skipped.

    A scale that is a power of two changes no digit of a gradient that neither overflows nor underflows.
    """
    parameters, (images, labels) = start(subject.format), batches(subject.format)[0]
    operands = {"images": images[:FEW], "labels": labels[:FEW], **parameters}
    for form in FORMS:
        for scale, weight in ((None, 1.0), (SCALE, 1.0), (SCALE, np.inf)):
            by_hand, outcome = (
                subject.run(
                    programs.lenet.lenet_narrow_step, operands,
                    {"lr": LR, "by_hand": hand, "scale": None if hand else scale, "weight": weight, "form": form},
                )
                for hand in (True, False)
            )  # fmt: skip
            expected = {name: Expected(tensor(by_hand, name)) for name in by_hand.outputs}
            if weight == np.inf:
                expected |= {f"stepped {name}": Expected(values) for name, values in parameters.items()}
                expected |= {"scale": Expected(np.asarray(SCALE / 2))}
            verdict(outcome, expected, subject)


def _expected_locally(
    seen: Mapping[str, Array], parameters: Mapping[str, Array], images: Array, labels: Array, format: Format
) -> dict[str, Expected]:
    """What each layer should give for the inputs, cotangents and gradients that were seen."""
    arithmetic, exact = lenet.COMPUTED, {name: Computed.operand(v, format) for name, v in seen.items()}
    own_parameters = _operands(parameters, format)
    logits = exact[f"activation {LAYERS - 1}"]
    expected: dict[str, Any] = {
        "loss": arithmetic.loss(logits, labels),
        f"cotangent {LAYERS - 1}": arithmetic.loss_gradient(logits, labels),
    }
    for i, (kind, arguments) in enumerate(lenet.ARCHITECTURE):
        names = [name for name in parameters if name.split(".")[0] == str(i)]
        own = [own_parameters[name] for name in names]
        x = exact[f"activation {i - 1}"] if i else Computed.operand(images, format)
        expected[f"activation {i}"] = arithmetic.forward[kind](x, *own, **arguments)
        to_input, *to_own = arithmetic.backward[kind](exact[f"cotangent {i}"], x, *own, **arguments)
        if i:
            expected[f"cotangent {i - 1}"] = to_input
        for name, p, gradient in zip(names, own, to_own, strict=True):
            expected[f"gradient {name}"] = gradient
            expected[f"stepped {name}"] = arithmetic.update(p, exact[f"gradient {name}"], LR)
    return {name: Expected.within(computed) for name, computed in expected.items()}
