"""A real image through LeNet: what each layer makes of it, and which pixels a unit sees (S9, S18)."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from properties.engine.law import law
from properties.images import lenet_pictures
from properties.images.idx import SAMPLE_TEST, SIDE, Labelled, sample
from properties.laws.test_lenet import LAYERS, start
from properties.subjects import Subject
from properties.verdicts import tally
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, verdict
from properties.worker import programs
from properties.worker.call import Outcome
from refimpl import geometry, lenet
from refimpl.arrays import Array
from refimpl.rounding import Computed, Format, round_to

SHOWN_IMAGE = 0
SHOWN_CASE = (6, 2, 2, SHOWN_IMAGE)
"""The image, and the unit, whose numbers are kept for the report's pictures."""
IMAGES = st.integers(0, SAMPLE_TEST - 1)
WINDOWS = ((5, 1, 2), (1, 1, 0), (2, 2, 0), (5, 1, 0), (1, 1, 0), (2, 2, 0))
"""(kernel, stride, padding) of LeNet's layers up to the second pooling."""
SHOWN = {1: "first convolution", 3: "first pooling", 4: "second convolution", 6: "second pooling"}
"""By the number of layers: the units whose fields are shown."""


@functools.cache
def held_out() -> Labelled:
    """The sample's test part: to unpack it takes longer than a case."""
    return sample().test


def pixels(image: int, format: Format) -> Array:
    """An image of the sample's test part, (1, 1, 28, 28) in [0, 1], in a precision."""
    return round_to(held_out().images[image][None, None] / 255.0, format.storage)


def locally(
    seen: Mapping[str, Array], parameters: Mapping[str, Array], image: Array, format: Format
) -> dict[str, Expected]:
    """What each layer should give for what the subject itself fed it."""
    x, expected = image, {}
    for i, (kind, arguments) in enumerate(lenet.ARCHITECTURE):
        own = [Computed.operand(values, format) for name, values in parameters.items() if name.split(".")[0] == str(i)]
        given = lenet.COMPUTED.forward[kind](Computed.operand(x, format), *own, **arguments)
        expected[f"activation {i}"] = Expected.within(given)
        x = seen[f"activation {i}"]
    return expected


@law(
    "LeNet's feature maps",
    on=lambda subject: subject.plain,
    cases=IMAGES,
    systems=("S9", "S18"),
    examples=(SHOWN_IMAGE,),
)
def test_feature_maps(subject: Subject, case: int) -> None:
    """Of a real image, every layer's feature maps are those of the loops, within the layer's bound."""
    image, parameters = pixels(case, subject.format), start(subject.format)
    outcome = subject.run(programs.lenet.lenet_activations, {"images": image, **parameters})
    holds(outcome.error is None, f"raised {outcome.error}")
    seen = {name: np.asarray(observed.values) for name, observed in outcome.outputs.items()}
    verdict(outcome, locally(seen, parameters, image, subject.format), subject)
    if subject.dtype == "float32" and case == SHOWN_IMAGE:
        own = {i: seen[f"activation {i}"][0] for i in range(LAYERS)}
        tally.figure("feature-maps", lenet_pictures.feature_maps(image[0, 0], int(held_out().labels[case]), own))


def field(layers: int, position: int) -> tuple[int, int]:
    """The first and the last pixel, along one axis, that a unit at ``position`` after so many layers sees."""
    first = last = position
    for kernel, stride, padding in reversed(WINDOWS[:layers]):
        first, last = first * stride - padding, last * stride - padding + kernel - 1
    return max(0, first), min(SIDE - 1, last)


def gradient_to_image(subject: Subject, layers: int, position: tuple[int, int], image: Array) -> Outcome:
    """The gradient of the first map's unit at ``position``, all weights positive so that no two paths cancel."""
    own = {name: np.abs(p) for name, p in start(subject.format).items() if int(name.split(".")[0]) < layers}
    shape = lenet_shape(layers)
    cotangent = np.zeros(shape)
    cotangent[0, 0, *position] = 1.0
    return subject.run(programs.lenet.lenet_until, {"images": image, **own}, {"layers": layers}, cotangent)


def lenet_shape(layers: int) -> tuple[int, int, int, int]:
    """The shape after so many layers of one image."""
    side = SIDE
    for kernel, stride, padding in WINDOWS[:layers]:
        side = (side + 2 * padding - kernel) // stride + 1
    return 1, 6 if layers <= 3 else 16, side, side


UNITS = st.tuples(st.sampled_from(sorted(SHOWN)), st.integers(0, 27), st.integers(0, 27), IMAGES)


@law(
    "LeNet's receptive fields", on=lambda subject: subject.plain, cases=UNITS, systems=("S9", "S18"),
    examples=(SHOWN_CASE,),
)  # fmt: skip
def test_receptive_fields(subject: Subject, case: tuple[int, int, int, int]) -> None:
    """A unit's gradient to a real image is non-zero on the field that the formula gives, and nowhere else."""
    layers, row, column, index = case
    image, side = pixels(index, subject.format), lenet_shape(layers)[-1]
    position = row % side, column % side
    outcome = gradient_to_image(subject, layers, position, image)
    holds(outcome.error is None, f"raised {outcome.error}")
    support = np.asarray(outcome.gradients["images"].values)[0, 0] != 0
    (top, bottom), (left, right) = (field(layers, at) for at in position)
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[top : bottom + 1, left : right + 1] = True
    holds(bool((support == inside).all()), f"the gradient at {position} is not non-zero on {inside.sum()} pixels alone")
    if subject.dtype == "float32" and case == SHOWN_CASE:
        tally.figure("receptive-field", fields(subject, image))


def fields(subject: Subject, image: Array) -> dict[str, object]:
    """For the report: the gradients of a unit in the middle of each layer that is shown."""
    shown = []
    for layers, name in SHOWN.items():
        middle = lenet_shape(layers)[-1] // 2
        outcome = gradient_to_image(subject, layers, (middle, middle), image)
        values = np.abs(np.asarray(outcome.gradients["images"].values)[0, 0])
        shades = np.maximum(
            lenet_pictures.grey(values, 0.0, float(values.max())), values > 0
        )  # what is not zero is seen
        size = geometry.receptive_field([(kernel, stride, 1) for kernel, stride, _ in WINDOWS[:layers]])
        shown.append({"name": name, "field": size, "gradient": shades.tolist()})
    return {"image": lenet_pictures.grey(image[0, 0], 0.0, 1.0), "units": shown}
