"""LeNet's layers one by one, forward and backward, each beside the machine's matrix-product peak (S18)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import lenet, machine, recipes
from bench.places import each_device
from properties.subjects import devices

BATCH = 256
ROUNDS = 20
LAYERS = [i for i, layer in enumerate(lenet.initial_lenet()) if not isinstance(layer, torch.nn.Flatten)]
_peaks: dict[str, float] = {}


@each_device
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("position", LAYERS)
def test_layer(benchmark: BenchmarkFixture, position: int, direction: str, device: str) -> None:
    """One layer on what the layers before it give; backward, the gradients to its input and to its parameters."""
    net = recipes.initial_model(0).to(device)
    x = net[:position](torch.rand(BATCH, 1, 28, 28, device=device)).detach()
    layer = net[position]
    work = dict(zip(("forward", "backward"), machine.layer_work(layer, x, first=position == 0), strict=True))
    benchmark.group = f"LeNet's layers on {device}, {direction}"
    run = _forward(layer, x) if direction == "forward" else _backward(layer, x, first=position == 0)

    def waited() -> Any:
        result = run()
        devices.synchronize(device)
        return result

    result = benchmark.pedantic(waited, rounds=ROUNDS, warmup_rounds=3)
    assert all(tensor.isfinite().all() for tensor in result)
    benchmark.extra_info.update(
        kind="layer",
        layer=position,
        layer_name=str(layer),
        direction=direction,
        shape=str(tuple(x.shape)),
        device=device,
        device_name=devices.describe(device),
        threads=torch.get_num_threads(),
        batch_size=BATCH,
        flop=work[direction].flop,
        bytes=work[direction].bytes,
        systems=["S18"],
    )
    if benchmark.stats is not None:
        rate = work[direction].flop / benchmark.stats.stats.median
        benchmark.extra_info.update(flop_per_second=rate, share_of_peak=rate / _peak(device))


def _forward(layer: torch.nn.Module, x: torch.Tensor) -> Any:
    def run() -> tuple[torch.Tensor]:
        with torch.no_grad():
            return (layer(x),)

    return run


def _backward(layer: torch.nn.Module, x: torch.Tensor, first: bool) -> Any:
    x.requires_grad_(not first)
    y = layer(x)
    cotangent = torch.ones_like(y)
    wanted = [*([] if first else [x]), *layer.parameters()]
    return lambda: torch.autograd.grad(y, wanted, cotangent, retain_graph=True)


def _peak(device: str) -> float:
    """FLOP a second of the best of a few products of large matrices."""
    if device not in _peaks:
        run, flop = machine.products(device, torch.float32)
        _peaks[device] = flop / min(run() for _ in range(5))
    return _peaks[device]
