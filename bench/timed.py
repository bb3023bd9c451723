"""Calls to be timed: a layer in one direction, or LeNet's step, made from a description that is plain data.

Needs torch and the programs of :mod:`properties.worker` alone, so that an interpreter with another torch, and nothing
else of this suite, can time the same (:mod:`bench.timing_process`).
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from properties.worker.programs.lenet import lenet

LENET = "LeNet's step"
LR = 0.01
SHORTEST = 2e-3
"""Seconds that a sample takes at least: shorter calls are repeated, so that a clock's ticks and a wake-up drown."""
COMPILATIONS = 64

Run = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """What is timed.

    program: of a worker, ``module:function``, or LENET. shapes: of the operands by name, the batch in; arguments: of
    the program. A direction is "forward", as in training, or "backward": the gradients to all operands.
    """

    program: str
    shapes: dict[str, list[int]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    channels_last: bool = False
    compiled: bool = False
    direction: str = "forward"


def prepared(timed: Timed) -> Run:
    """The call that is timed, warmed up: what has to be compiled is."""
    torch.manual_seed(0)
    run = _lenet_step(timed.shapes["input"][0]) if timed.program == LENET else _layer(timed)
    run()
    return run


def _layer(timed: Timed) -> Run:
    """Numbers of [−½, ½), so that no sum leaves float16."""
    dtype, layout = getattr(torch, timed.dtype), torch.channels_last if timed.channels_last else torch.contiguous_format
    operands = {name: (torch.rand(*shape) - 0.5).to(dtype) for name, shape in timed.shapes.items()}
    for name, operand in operands.items():
        made = operand.to(memory_format=layout) if operand.ndim == 4 else operand
        operands[name] = made.requires_grad_()
    module, _, name = timed.program.partition(":")
    program = getattr(importlib.import_module(module), name)
    forward = compiled(program) if timed.compiled else program
    if timed.direction == "forward":
        return lambda: forward(**operands, **timed.arguments)
    output = forward(**operands, **timed.arguments)
    cotangent = torch.ones_like(output)
    return lambda: torch.autograd.grad(output, list(operands.values()), cotangent, retain_graph=True)


def compiled(program: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``torch.compile`` for fixed shapes, whose backward pass can be run more than once."""
    import torch._functorch.config

    torch._functorch.config.donated_buffer = False
    torch._dynamo.config.recompile_limit = COMPILATIONS
    return torch.compile(program, dynamic=False, fullgraph=True)


def forget_compiled() -> None:
    """Give back what compiled calls hold; those that were made before would be compiled anew."""
    torch.compiler.reset()


def _lenet_step(batch: int) -> Run:
    """Forward, backward and plain SGD on random images, the loss read."""
    net, images, labels = lenet(), torch.rand(batch, 1, 28, 28), torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), lr=LR)

    def run() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


def repeats(run: Run) -> int:
    """How often a call is made for a sample to take long enough."""
    return max(1, math.ceil(SHORTEST / sample(run, 1)))


def sample(run: Run, times: int) -> float:
    """Seconds of one call, the mean of so many."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times
