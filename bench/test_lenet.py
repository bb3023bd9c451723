"""LeNet, its measures and its training loop, against figures worked out by hand (S18–S23)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench import lenet, recipes
from bench.fashion_mnist import DataSet
from properties.images import idx
from properties.images.idx import Labelled
from refimpl.lenet import PARAMETER_SHAPES

UNCOMPILED = [name for name, r in recipes.RECIPES.items() if not r.compiled and not r.absence("cpu")]


@pytest.fixture
def sample() -> DataSet:
    """The bundled sample, whatever else is installed."""
    both = idx.sample()
    return DataSet(both.train, both.test, "bundled sample", "for a test", None)


def test_twelve_shapes() -> None:
    """The layers' outputs have the shapes that the chapter prints."""
    x = torch.zeros(1, 1, 28, 28)
    shapes = [tuple((x := layer(x)).shape) for layer in lenet.initial_lenet()]
    assert shapes == [
        (1, 6, 28, 28), (1, 6, 28, 28), (1, 6, 14, 14), (1, 16, 10, 10), (1, 16, 10, 10), (1, 16, 5, 5),
        (1, 400), (1, 120), (1, 120), (1, 84), (1, 84), (1, 10),
    ]  # fmt: skip


def test_parameters() -> None:
    """There are 61,706 parameters, with the references' names and shapes."""
    parameters = {name: tuple(p.shape) for name, p in lenet.initial_lenet().named_parameters()}
    assert parameters == PARAMETER_SHAPES
    assert sum(map(math.prod, parameters.values())) == 61_706


def test_xavier_bounds() -> None:
    """Every weight lies within r = √(6/(fan_in+fan_out)), and the largest of the many nearly reaches it."""
    radii = {"0": (25, 150), "3": (150, 400), "7": (400, 120), "9": (120, 84), "11": (84, 10)}
    weights = recipes.initial_model(0).state_dict()
    for layer, fans in radii.items():
        r = math.sqrt(6 / sum(fans))
        weight = weights[f"{layer}.weight"]
        # All n within (1−ε)·r has probability (1−ε)ⁿ: below e⁻²⁰ for this ε.
        assert (1 - min(1.0, 20 / weight.numel())) * r <= weight.abs().max() <= r


def test_initial_model_leaves_torchs_generator_alone() -> None:
    """Building a model from a seed repeats, and draws nothing from the global generator."""
    state = torch.get_rng_state()
    one, same, other = (recipes.initial_model(seed).state_dict()["0.weight"] for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_accuracy_by_hand() -> None:
    """Two of three predictions are right; evaluation switches dropout off and puts the mode back."""
    identity = nn.Linear(2, 2, bias=False)
    nn.init.eye_(identity.weight)
    model = nn.Sequential(identity, nn.Dropout(1.0))
    batches = [
        (torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])),
        (torch.tensor([[0.0, 1.0]]), torch.tensor([0])),
    ]
    assert lenet.evaluate(model, batches) == 2 / 3
    assert model.training


class _Scripted(lenet.Training):
    """A training whose steps return what the test says, on a clock that each step moves on by two seconds."""

    clock = 0.0

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        self.clock += 2.0
        return float(images.sum()), int(labels.sum()), len(labels)


class _SlowToLoad:
    """Two batches, three images and one, each of which takes ten seconds to load."""

    training: _Scripted

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for losses, right in (([1.0, 2.0, 3.0], [1, 0, 0]), ([6.0], [1])):
            self.training.clock += 10.0
            yield torch.tensor(losses), torch.tensor(right)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> _Scripted:
    """A training of two scripted batches, and lenet's clock in its hand."""
    model = nn.Linear(1, 1)
    batches = _SlowToLoad()
    test = [(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))]
    batches.training = training = _Scripted(model, torch.optim.SGD(model.parameters()), batches, test)
    monkeypatch.setattr("bench.lenet.time.perf_counter", lambda: training.clock)
    return training


def test_train_ch6_by_hand(scripted: _Scripted) -> None:
    """Means run from the epoch's start and weigh batches by size; loading is in the wall time, not in the rate."""
    report = lenet.train_ch6(scripted, epochs=2)
    first = {"loss": 2.0, "train_acc": 1 / 3}
    last = {"loss": 3.0, "train_acc": 2 / 4, "test_acc": 1.0}
    assert report.history == [
        {"epoch": 0.5, **first}, {"epoch": 1.0, **last}, {"epoch": 1.5, **first}, {"epoch": 2.0, **last},
    ]  # fmt: skip
    assert report.wall_seconds == [24.0, 24.0]
    assert report.examples_per_second == 8 / 8.0
    assert str(report) == "loss 3.000, train acc 0.500, test acc 1.000\n1.0 examples/sec on cpu"


def test_run_steps_by_hand(scripted: _Scripted) -> None:
    """Three steps pass over two batches once and a half; the losses are means, and loading is not timed."""
    steps = lenet.run_steps(scripted, 3)
    assert (steps.losses, steps.examples, steps.seconds) == ([2.0, 6.0, 2.0], 7, 6.0)


@pytest.mark.parametrize("batches, points", [(235, [47, 94, 141, 188, 235]), (7, [2, 3, 5, 6, 7]), (2, [1, 2])])
def test_five_points_an_epoch(batches: int, points: list[int]) -> None:
    """Five points an epoch, the last one at its end; as many as there are batches if those are fewer."""
    model = nn.Linear(1, 1)
    one = (torch.ones(1), torch.ones(1))
    training = _Scripted(model, torch.optim.SGD(model.parameters()), [one] * batches, [(torch.ones(1, 1), one[1])])
    report = lenet.train_ch6(training, epochs=1)
    assert [round(point["epoch"] * batches) for point in report.history] == points


@pytest.mark.parametrize("recipe", UNCOMPILED)
def test_batches_are_the_data_set(sample: DataSet, recipe: str) -> None:
    """An epoch has each training image once, with its label, in [0, 1]; test images keep their order."""
    training = recipes.RECIPES[recipe](recipes.Problem(sample, "cpu", batch_size=600))
    assert [len(labels) for _, labels in training.train_batches] == [600, 600, 600, 600, 160]
    assert len(training.train_batches) == 5
    pictures, labels = (torch.cat(parts) for parts in zip(*training.train_batches, strict=True))
    assert (pictures.dtype, labels.dtype) == (torch.float32, torch.int64)
    seen = sorted(zip(_bytes(pictures), labels.tolist(), strict=True))
    assert seen == sorted(zip(map(bytes, sample.train.images), sample.train.labels.tolist(), strict=True))
    tested, classes = (torch.cat(parts) for parts in zip(*training.test_batches, strict=True))
    assert _bytes(tested) == [image.tobytes() for image in sample.test.images]
    np.testing.assert_array_equal(classes, sample.test.labels)


def _bytes(pictures: Tensor) -> list[bytes]:
    return [image.tobytes() for image in (pictures * recipes.WHITE).round().to(torch.uint8).numpy()]


def test_order_is_new_each_epoch_and_repeats_with_the_seed(sample: DataSet) -> None:
    """Two epochs have two orders; all recipes have the same two."""
    orders = []
    for name in UNCOMPILED:
        training = recipes.RECIPES[name](recipes.Problem(sample, "cpu"))
        epochs = [torch.cat([labels for _, labels in training.train_batches]) for _ in range(2)]
        assert not torch.equal(*epochs)
        orders.append(torch.stack(epochs))
    assert all(torch.equal(one, other) for one, other in itertools.pairwise(orders))


def test_recipes_train_as_a_plain_loop_does(sample: DataSet) -> None:
    """The losses of the plain recipes are those, bit for bit, of gradient descent written out on the same batches."""
    model = recipes.initial_model(seed=0)
    order = torch.Generator().manual_seed(0)
    plain = []
    for chosen in torch.randperm(len(sample.train), generator=order).split(256)[:4]:
        pictures = torch.tensor(sample.train.images)[chosen, None] / 255
        loss = F.cross_entropy(model(pictures), torch.tensor(sample.train.labels)[chosen].long())
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.sub_(gradient, alpha=0.9)
        plain.append(float(loss.detach()))
    for build in (recipes.book, recipes.in_memory):
        assert lenet.run_steps(build(recipes.Problem(sample, "cpu")), 4).losses == plain


def test_training_learns(sample: DataSet) -> None:
    """On images of two classes, two epochs teach LeNet at least which two there are: a loss of ln 2, not of ln 10."""
    chosen = np.isin(sample.train.labels, (0, 9))
    two = replace(sample, train=Labelled(sample.train.images[chosen], sample.train.labels[chosen]))
    report = lenet.train_ch6(recipes.in_memory(recipes.Problem(two, "cpu", batch_size=16)), epochs=2)
    assert report.history[0]["loss"] > report.final["loss"]
    assert report.final["loss"] < math.log(10) / 2


def test_feature_maps_are_the_networks() -> None:
    """The shades of the last layer's ten classes span 0 to 255, and the largest is the class that is predicted."""
    net, test = lenet.initial_lenet(), idx.sample().test
    found = lenet.feature_maps(net, test)
    (row,) = found["layers"][-1]["maps"][0]
    logits = net(torch.tensor(test.images[:1] / 255.0, dtype=torch.float32).unsqueeze(1))
    assert (min(row), max(row)) == (0, 255)
    assert row.index(255) == int(logits.argmax())
