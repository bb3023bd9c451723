"""The layers of LeNet, AlexNet, VGG-16, ResNet-50, MobileNet-V2 and U-Net, one by one: ``--layers real``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, cast

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn import functional as F

from bench import machine, measure, real_layers, timed
from bench.measure import Conditions
from bench.real_layers import Cell, Measured
from properties.cases.networks import NETWORKS, Layer
from properties.subjects import devices

LAYERS = {f"{network} {real_layers.name(layer)}": (network, layer) for network, layer in real_layers.layers()}
clock = measure.Recorded()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every layer in every way, where they were asked for; else one line that says where they are."""
    if "cell" in metafunc.fixturenames:
        real = metafunc.config.getoption("--layers") == "real"
        pairs = [(label, cell) for label, (_, layer) in LAYERS.items() for cell in real_layers.cells(layer)]
        ascii = str.maketrans("×→", "x-")  # pytest writes others as escapes
        chosen = [pytest.param(label, cell, id=f"{label}-{cell}".translate(ascii)) for label, cell in pairs]
        metafunc.parametrize("label, cell", chosen if real else chosen[:1])


@pytest.fixture(scope="module")
def layer_of(request: pytest.FixtureRequest) -> Callable[[str], dict[Cell, Measured]]:
    """A layer, timed once in all the ways that were selected."""
    chosen: dict[str, list[Cell]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.originalname == "test_real_layer":
            label, cell = (item.callspec.params[name] for name in ("label", "cell"))
            chosen.setdefault(str(label), []).append(cast(Cell, cell))
    return cache(lambda label: real_layers.measured(LAYERS[label][1], chosen[label]))


@pytest.fixture(scope="module")
def limits() -> Callable[[str], float]:
    """The machine's limits: FLOP a second of a product in a dtype, bytes a second of a "copy"; the best of five."""

    @cache
    def limit(name: str) -> float:
        if name == "copy":
            run, amount = machine.copies("cpu")
        else:
            dtype = getattr(torch, name)
            run, amount = machine.products("cpu", dtype, machine.affordable_size("cpu", dtype))
        return amount / min(run() for _ in range(5))

    return limit


@pytest.fixture(scope="module")
def flags(announce: list[str]) -> Iterator[Counter[tuple[str, str | None]]]:
    """How often each dtype was flagged in which words; shown at the end of the run."""
    counted: Counter[tuple[str, str | None]] = Counter()
    yield counted
    for (dtype, flag), number in sorted(counted.items(), key=str):
        announce.append(f"{dtype}, beside float32: {number} times {flag}")


@pytest.mark.benchmark(timer=clock)
def test_real_layer(benchmark: BenchmarkFixture, request: pytest.FixtureRequest, label: str, cell: Cell) -> None:
    """One layer of a network, forward or backward, as a share of the machine's limits, and beside float32."""
    if not benchmark.enabled or request.config.getoption("--layers") != "real":
        pytest.skip("not run (tox run -e bench -- --layers real)")
    network, layer = LAYERS[label]
    found: Measured = request.getfixturevalue("layer_of")(label)[cell]
    limits, flags = request.getfixturevalue("limits"), request.getfixturevalue("flags")
    benchmark.group = f"{label}, {cell.direction}"
    clock.load(found.seconds)
    benchmark.pedantic(clock.replay, rounds=len(found.seconds))
    work, median = real_layers.work(layer, cell), sorted(found.seconds)[len(found.seconds) // 2]
    if found.flag:
        flags[cell.dtype, found.flag] += 1
    # A processor without a dtype computes in it by way of float32.
    peak = max(limits(cell.dtype), limits("float32"))
    benchmark.extra_info.update(
        kind="real layer",
        network=network,
        layer_name=real_layers.name(layer),
        direction=cell.direction,
        dtype=cell.dtype,
        layout="channels_last" if cell.channels_last else "contiguous",
        mode="compiled" if cell.compiled else "eager",
        device="cpu",
        device_name=devices.describe("cpu"),
        threads=torch.get_num_threads(),
        batch_size=real_layers.batch(layer),
        flop=work.flop,
        bytes=work.bytes,
        share_of_peak=work.flop / median / peak if work.flop else None,
        share_of_copy=work.bytes / median / limits("copy"),
        over_float32=vars(found.over_float32) if found.over_float32 else None,
        noise_floor=found.floor,
        conditions=found.conditions.as_dict(),
    )


def test_what_is_timed_is_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution of LeNet and its gradients, as torch gives them; the backward pass can be run twice."""
    monkeypatch.setattr(torch, "compile", lambda program, **options: program)
    layer = NETWORKS["LeNet"][1]
    seen: dict[str, Any] = {}
    for direction in real_layers.DIRECTIONS:
        described = real_layers.described(layer, Cell(direction, "float64", channels_last=True, compiled=True))
        seen[direction] = timed.prepared(described)()
    torch.manual_seed(0)
    operands = [(torch.rand(*shape) - 0.5).double().requires_grad_() for shape in described.shapes.values()]
    image, weight, bias = operands
    output = F.conv2d(image, weight, bias)
    torch.testing.assert_close(seen["forward"], output)
    gradients = torch.autograd.grad(output, operands, torch.ones_like(output))
    assert len(gradients) == len(seen["backward"]) == 3
    for mine, real in zip(seen["backward"], gradients, strict=True):
        torch.testing.assert_close(mine, real)


def test_every_layer_has_its_name_and_fits() -> None:
    """No two layers of a network are called alike, and each has a batch."""
    assert len(LAYERS) == sum(map(len, NETWORKS.values()))
    assert all(real_layers.batch(layer) >= 1 for _, layer in LAYERS.values())


def test_work_by_hand() -> None:
    """U-Net's first up-convolution: 1024·28² inputs, each into 512 outputs at 4 places; 16 bits move half the bytes."""
    layer = NETWORKS["U-Net"][0]
    images, products = real_layers.batch(layer), 1024 * 28**2 * 512 * 4
    forward, backward = (real_layers.work(layer, Cell(d, "bfloat16", False, False)) for d in real_layers.DIRECTIONS)
    assert (forward.flop, backward.flop) == (2 * products * images, 4 * products * images)
    weights = 1024 * 512 * 4 + 512
    assert forward.bytes == 2 * (images * (1024 * 28**2 + 512 * 56**2) + weights)


def test_a_layer_is_timed_beside_float32() -> None:
    """Of bfloat16 there is a ratio to float32, of float32 none; a busy machine flags nothing."""
    layer: Layer = NETWORKS["LeNet"][-1]
    ways = [Cell("forward", dtype, False, False) for dtype in ("bfloat16", "float32")]
    found = real_layers.measured(layer, ways, rounds=3)
    assert list(found) == ways
    assert all(len(own.seconds) == 3 and min(own.seconds) > 0 for own in found.values())
    assert replace(found[ways[0]], conditions=Conditions(None, None, None, 0.5)).flag == measure.NOT_JUDGED
    assert found[ways[1]].flag is None
