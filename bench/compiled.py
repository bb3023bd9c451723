"""Ways to make a training step other than eagerly in float32: autocast, torch.compile, a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.lenet import Training, count_correct

WARMUP_STEPS = 3  # before a capture, as torch's notes on CUDA graphs ask for
COMPILATIONS = 64
BACKEND = "inductor"


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """``torch.compile`` for fixed shapes, as often as there are trainings in a run.

    Every training compiles the same code, for its own model and for two sizes of batch. By default torch gives up after
    eight times, and computes eagerly without a word unless a full graph was asked for.
    """
    torch._dynamo.config.recompile_limit = COMPILATIONS
    return torch.compile(function, dynamic=False, **{"backend": BACKEND, **options})


@dataclass
class Autocast(Training):
    """A training whose layers compute in bfloat16."""

    def predict(self, images: Tensor) -> Tensor:
        """Logits, computed in bfloat16, as float32."""
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.model(images).float()


@dataclass
class CompiledLoss(Training):
    """A training whose loss is compiled, and with it the gradients; the optimizer is not."""

    mode: str | None = None

    @cached_property
    def _forward(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        return compiled(super().forward, mode=self.mode)

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy and logits; the first call with batches of a size compiles."""
        return self._forward(images, labels)


@dataclass
class WholeStep(Training):
    """A training whose step is one compiled graph: loss, gradients, plain SGD in place, metrics."""

    @cached_property
    def _whole(self) -> Callable[..., tuple[Tensor, Tensor]]:
        return compiled(self._one_step, fullgraph=True)

    def _one_step(self, parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits, gradients = gradients_of(self.model, parameters, images, labels)
        lr = self.optimizer.param_groups[0]["lr"]
        for name, parameter in parameters.items():
            parameter.sub_(gradients[name], alpha=lr)
        return loss, count_correct(logits, labels)

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        """One step, as :meth:`Training.step`; the first call with batches of a size compiles."""
        images, labels = images.to(self.device), labels.to(self.device)
        self.lap("moving")
        parameters = {name: p.detach() for name, p in self.model.named_parameters()}
        with torch.no_grad():
            loss, correct = self._whole(parameters, images, labels)
        self.lap("whole step")
        metrics = float(loss) * len(labels), int(correct), len(labels)
        self.lap("metrics")
        return metrics


def gradients_of(
    model: torch.nn.Module,
    parameters: dict[str, Tensor],
    images: Tensor,
    labels: Tensor,
    examples: Tensor | None = None,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Cross-entropy, logits and the loss's gradient to each parameter, in a form that torch.compile takes whole.

    images: (N, 1, 28, 28); labels: (N,), −100 for an example that does not count; examples: what the summed loss is
    divided by (default: N).
    """

    n = len(labels) if examples is None else examples

    def loss(values: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        logits = torch.func.functional_call(model, values, (images,))
        return F.cross_entropy(logits, labels, reduction="sum") / n, logits

    gradients, (value, logits) = torch.func.grad_and_value(loss, has_aux=True)(parameters)
    return value, logits, gradients


@dataclass
class GraphedStep(Training):
    """A training whose step is captured as a CUDA graph and replayed; batches of another size are trained eagerly."""

    _captured: Capture | None = None

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int, int]:
        """One step, as :meth:`Training.step`; the first call captures."""
        images, labels = images.to(self.device), labels.to(self.device)
        self._captured = self._captured or Capture(self, images, labels)
        if len(labels) != self._captured.examples:
            return super().step(images, labels)
        self.lap("moving")
        loss, correct = self._captured.replay(images, labels)
        self.lap("whole step")
        metrics = float(loss) * len(labels), int(correct), len(labels)
        self.lap("metrics")
        return metrics


class Capture:
    """A training's step as a CUDA graph, with a batch of its own that each replay fills."""

    def __init__(self, training: Training, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()
        before = [p.detach().clone() for p in training.model.parameters()]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARMUP_STEPS):
                self._step(training)
        torch.cuda.current_stream().wait_stream(aside)
        # Gradients must be allocated within the capture, in the graph's own memory.
        training.optimizer.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss, self._correct = self._step(training)
        with torch.no_grad():  # a capture does nothing, but the steps before it trained
            for parameter, value in zip(training.model.parameters(), before, strict=True):
                parameter.copy_(value)

    @property
    def examples(self) -> int:
        """The size of the batches that it is for."""
        return len(self._labels)

    def replay(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take the step on a batch. Returns its mean loss and its right predictions, on the device."""
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._loss, self._correct

    def _step(self, training: Training) -> tuple[Tensor, Tensor]:
        training.optimizer.zero_grad(set_to_none=True)
        loss, logits = training.forward(self._images, self._labels)
        loss.backward()
        training.optimizer.step()
        return loss.detach(), count_correct(logits.detach(), self._labels)
